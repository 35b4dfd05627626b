/**
 * Certificates of RSP servers as the card verifies them: under a CI of its list, for the role, with an OID (SGP.22 v2.5 4.5.2.2, 5.7.5, 5.7.13).
 * Left out: validity dates (a card has no clock) and CRLs.
 */
import { SimError } from "../../core/errors.js";
import { toHex } from "../../core/bytes.js";
import { isIssuedBy, parseCertificate, Policy, type Certificate } from "../../pki/certificate.js";
import type { Context } from "../context.js";
import type { Chain } from "../options.js";
import { functionError, type FunctionError } from "./session.js";

/** Codes that AuthenticateServer and PrepareDownload have in common. */
export enum CertificateError {
  InvalidCertificate = 1,
  InvalidSignature = 2,
  UnsupportedCurve = 3,
}

export interface ServerCertificate {
  certificate: Certificate;
  /** The CI that vouches for it. */
  ci: Chain;
  role: keyof typeof Policy;
  /** registeredID of subjectAltName, dotted. */
  oid: string | undefined;
}

/** Reads and verifies a server's certificate. Throws FunctionError 1 or 3. */
export function verifyServer(ctx: Context, der: Uint8Array, ...roles: readonly (keyof typeof Policy)[]): ServerCertificate {
  const certificate = parse(der);
  const ci = ctx.config.chains.find((chain) => toHex(chain.ciPkId) === toHex(certificate.authorityKeyId ?? new Uint8Array(0)));
  const who = certificate.commonName ?? "the server";
  if (ci === undefined) throw functionError(CertificateError.InvalidCertificate, `the certificate of ${who} is not under a CI of the list for verification`);
  if (certificate.curve !== ci.curve) throw functionError(CertificateError.UnsupportedCurve, `the key of ${who} is on ${certificate.curve}, expected ${ci.curve}`);
  if (!isIssuedBy(certificate, ci.ci)) throw functionError(CertificateError.InvalidCertificate, `the CI did not sign the certificate of ${who}`);
  const role = roles.find((one) => certificate.policies.includes(Policy[one]));
  if (role === undefined || certificate.isCa) {
    throw functionError(CertificateError.InvalidCertificate, `expected a certificate for ${roles.join(" or ")}, got one with the policies ${certificate.policies.join(", ") || "(none)"}`);
  }
  return { certificate, ci, role, oid: certificate.registeredId };
}

function parse(der: Uint8Array): Certificate {
  try {
    return parseCertificate(der);
  } catch (error) {
    if (!(error instanceof SimError)) throw error;
    throw parseError(error);
  }
}

function parseError(error: SimError): FunctionError {
  return functionError(error.code === "key" ? CertificateError.UnsupportedCurve : CertificateError.InvalidCertificate, error.message);
}
