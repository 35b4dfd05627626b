/** What the tests of CoAPS share: server identities that a client must refuse. */
import { issueCertificate, KeyUsage, type IssueOptions } from "../sim/pki/certificate.js";
import { keyPairFromSeed } from "../sim/pki/keys.js";
import type { Identity, Pki } from "../sim/pki/pki.js";

/**
 * TLS identities of a server that is not to be trusted by the eIM's CA (pki.eimTls, which signs two of them): expired, of another CA, for another name.
 * good: signed by that CA, valid, for eim.example.com.
 */
export function serverIdentities(pki: Pki): Record<"good" | "expired" | "foreign-ca" | "other-name", Identity> {
  return {
    good: leaf(pki.eimTls, "good", {}),
    expired: leaf(pki.eimTls, "expired", { notAfter: new Date(Date.UTC(2021, 0, 1)) }),
    "foreign-ca": leaf(foreignCa(), "foreign", {}),
    "other-name": leaf(pki.eimTls, "other", { dnsNames: ["other.example.com"], ipAddresses: [] }),
  };
}

function leaf(issuer: Identity, name: string, change: Partial<IssueOptions>): Identity {
  return issued(name, {
    issuerKey: issuer.key, issuer: issuer.certificate, subject: [["CN", `tinyipa ${name}`]], keyUsage: [KeyUsage.DigitalSignature], serverAuth: true,
    dnsNames: ["eim.example.com", "localhost"], ipAddresses: ["127.0.0.1"], ...change,
  });
}

function foreignCa(): Identity {
  const key = keyPairFromSeed("P-256", "foreign CA");
  return issued("foreign CA", { issuerKey: key, subject: [["CN", "foreign CA"]], keyUsage: [KeyUsage.KeyCertSign], ca: {} });
}

function issued(seed: string, options: Omit<IssueOptions, "serialNumber" | "publicKey" | "curve" | "notBefore" | "notAfter"> & Partial<IssueOptions>): Identity {
  const key = keyPairFromSeed("P-256", seed);
  const certificate = issueCertificate({
    serialNumber: Uint8Array.of(0x41, 1, 2, 3), publicKey: key.publicKey, curve: "P-256",
    notBefore: new Date(Date.UTC(2020, 0, 1)), notAfter: new Date(Date.UTC(2049, 0, 1)), ...options,
  });
  return { key, certificate };
}
