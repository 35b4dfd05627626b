/**
 * Certificates of an SM-DS (roles DSauth and DStls; SGP.22 v2.5 4.5.2.1), issued under the CI of a simulated world: the PKI itself has none.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { utf8 } from "../core/bytes.js";
import { SimError } from "../core/errors.js";
import { issueCertificate, KeyUsage, Policy } from "../pki/certificate.js";
import { keyPairFromSeed, type Curve } from "../pki/keys.js";
import type { Identity, Issuer } from "../pki/pki.js";

export interface SmdsIdentity {
  readonly ci: Issuer;
  /** CERT.DSauth. */
  readonly dsAuth: Identity;
  /** CERT.DStls: always P-256, for the address, localhost and 127.0.0.1. */
  readonly dsTls: Identity;
}

export interface SmdsIdentityOptions {
  /** The same seed gives the same keys and certificates. */
  readonly seed: string;
  /** Of the CI and of CERT.DSauth. */
  readonly curve: Curve;
  /** FQDN without port. */
  readonly address: string;
}

const SMDS_OID = "2.999.15";

/** Makes the certificates of an SM-DS under `ci`. Throws SimError "pki" when the CI's key is not there. */
export function makeSmdsIdentity(ci: Issuer, { seed, curve, address }: SmdsIdentityOptions): SmdsIdentity {
  const { key: issuerKey, certificate: issuer } = ci;
  if (issuerKey === undefined) throw new SimError("pki", "expected a CI with its private key to issue CERT.DSauth, got one without");
  const issue = (part: string, on: Curve, policy: string, tls: boolean): Identity => {
    const key = keyPairFromSeed(on, `${part} ${seed} ${address}`);
    const serialNumber = sha256(utf8(`tinyipa serial number ${part} ${seed} ${address}`)).slice(0, 8);
    serialNumber[0] = 0x40 | ((serialNumber[0] as number) & 0x3f);
    const certificate = issueCertificate({
      serialNumber, subject: [["O", "tinyipa test"], ["CN", address]], publicKey: key.publicKey, curve: on, issuerKey, issuer,
      notBefore: new Date(Date.UTC(2020, 0, 1)), notAfter: new Date(Date.UTC(2049, 11, 31, 23, 59, 59)), keyUsage: [KeyUsage.DigitalSignature],
      policies: [policy], registeredId: SMDS_OID, ...(tls && { dnsNames: [address, "localhost"], ipAddresses: ["127.0.0.1"], serverAuth: true }),
    });
    return { key, certificate };
  };
  return { ci, dsAuth: issue("dsAuth", curve, Policy.dsAuth, false), dsTls: issue("dsTls", "P-256", Policy.dsTls, true) };
}
