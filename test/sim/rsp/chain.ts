/**
 * Whose key signs for an eUICC: CERT.EUICC under CERT.EUM under a CI (SGP.22 v2.5 4.5.2). The role of each is looked at; name constraints and CRLs are not.
 */
import { equal, toHex } from "../core/bytes.js";
import { SimError } from "../core/errors.js";
import { isIssuedBy, parseCertificate, Policy, type Certificate } from "../pki/certificate.js";
import type { Curve } from "../pki/keys.js";
import type { TrustChain } from "./core.js";
import { FunctionFailure } from "./refusal.js";
import type { StatusCode } from "./status.js";

export interface EuiccIdentity {
  /** 32 digits. */
  readonly eid: string;
  readonly curve: Curve;
  readonly publicKey: Uint8Array;
}

const SECTION = "SGP.22 v2.5 4.5.2";

/** The eUICC that the certificates prove, under one of `chains`. date: absent, validity is not looked at. Throws FunctionFailure 8.11.1, 8.1.2 or 8.1.3. */
export function verifyEuiccChain(euiccDer: Uint8Array, eumDer: Uint8Array, chains: readonly TrustChain[], date?: Date): EuiccIdentity {
  const eum = parse(eumDer, "8.1.2/6.1", "CERT.EUM");
  const issuer = chains.find(({ ciPkId }) => eum.authorityKeyId !== undefined && equal(ciPkId, eum.authorityKeyId));
  if (issuer === undefined) {
    const got = eum.authorityKeyId ? toHex(eum.authorityKeyId) : "no key identifier";
    throw new FunctionFailure("8.11.1/3.9", `CERT.EUM: issued by ${chains.map(({ ciPkId }) => toHex(ciPkId)).join(" or ")} expected, got ${got}`, SECTION);
  }
  hold(eum, issuer.ci, Policy.eum, "8.1.2", "CERT.EUM", date);
  const euicc = parse(euiccDer, "8.1.3/6.1", "CERT.EUICC");
  hold(euicc, eum, Policy.euicc, "8.1.3", "CERT.EUICC", date);
  const eid = euicc.serialNumberAttribute;
  if (eid === undefined || !/^[0-9]{32}$/.test(eid)) throw new FunctionFailure("8.1.3/6.1", `CERT.EUICC: an EID of 32 digits as serialNumber expected, got ${eid ?? "none"}`, SECTION);
  return { eid, curve: euicc.curve, publicKey: euicc.publicKey };
}

function hold(certificate: Certificate, issuer: Certificate, role: string, subject: "8.1.2" | "8.1.3", what: string, date: Date | undefined): void {
  if (!isIssuedBy(certificate, issuer)) throw new FunctionFailure(`${subject}/6.1`, `${what}: its issuer's signature does not verify`, SECTION);
  if (!certificate.policies.includes(role)) throw new FunctionFailure(`${subject}/6.1`, `${what}: role ${role} expected, got ${certificate.policies.join(" ") || "none"}`, SECTION);
  if (date !== undefined && !(certificate.notBefore <= date && date <= certificate.notAfter)) {
    const [from, to, now] = [certificate.notBefore, certificate.notAfter, date].map((one) => one.toISOString());
    throw new FunctionFailure(`${subject}/6.3`, `${what}: valid from ${from} to ${to}, and it is ${now}`, SECTION);
  }
}

/** Certificates come from peers: what does not parse is theirs, not a defect of ours. */
function parse(der: Uint8Array, status: StatusCode, what: string): Certificate {
  try {
    return parseCertificate(der);
  } catch (cause) {
    if (!(cause instanceof SimError)) throw cause;
    throw new FunctionFailure(status, `${what}: ${cause.message}`, SECTION);
  }
}
