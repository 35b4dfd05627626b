/**
 * Reads a PKI from a directory, whatever its files are called: certificates take their role from certificatePolicies
 * (SGP.22 v2.5 4.5.2.1), keys belong to the certificate with the same point. Only the eIM's certificates have no role in them:
 * these are the ones with "eim" in the file name, the TLS one also with "tls".
 * Files: PEM and DER certificates, PEM and DER private keys (SEC1 or PKCS #8), and test-keys.json: { name: { curve, d: hex } }.
 */
import { createPrivateKey } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { equal, fromHex, toHex } from "../core/bytes.js";
import { SimError } from "../core/errors.js";
import { isIssuedBy, parseCertificate, Policy, type Certificate } from "./certificate.js";
import { fromEcPrivateKey, keyPair, type Curve, type KeyPair } from "./keys.js";
import { completePki, eidOf, type Identity, type Issuer, type Parts, type Pki, type PkiOptions } from "./make.js";

/** As for makePki; the curve chooses among the certificates found, and an EID must be the one in CERT.EUICC. */
export type LoadOptions = PkiOptions;

interface Found {
  certificates: { file: string; certificate: Certificate }[];
  keys: KeyPair[];
}

/**
 * The PKI in `dir`; what is missing there is made (`made` names it). Throws SimError "pki" when the certificates don't form
 * the chains CI - EUM - eUICC and CI - SM-DP+, or a part is missing that can't be made; "certificate" and "key" for files that don't parse.
 */
export function loadPki(dir: string, options: LoadOptions): Pki {
  const found = readDirectory(dir);
  const curve = options.curve ?? "P-256";
  const parts = choose(found, curve);
  checkChains(parts);
  const eid = parts.euicc === undefined ? options.eid : eidOf(parts.euicc.certificate);
  if (options.eid !== undefined && eid !== options.eid) throw new SimError("pki", `expected CERT.EUICC for EID ${options.eid}, got ${eid}`);
  return completePki(parts, { ...options, curve, ...(eid !== undefined && { eid }) });
}

function readDirectory(dir: string): Found {
  const found: Found = { certificates: [], keys: [] };
  for (const file of readdirSync(dir).sort()) {
    const path = join(dir, file);
    if (/\.json$/i.test(file)) readKeyTable(path, found);
    else if (/\.(pem|crt|cer|key)$/i.test(file) || /\.der$/i.test(file)) readKeyOrCertificate(path, file, found);
  }
  if (found.certificates.length === 0) throw new SimError("pki", `expected certificates (.der, .pem, .crt, .cer) in ${dir}, got none`);
  return found;
}

function readKeyTable(path: string, found: Found): void {
  const table = JSON.parse(readFileSync(path, "utf8")) as Record<string, { curve?: string; d?: string }>;
  for (const [name, entry] of Object.entries(table)) {
    if ((entry.curve !== "P-256" && entry.curve !== "brainpoolP256r1") || typeof entry.d !== "string") {
      throw new SimError("key", `expected { curve: "P-256" | "brainpoolP256r1", d: hex } for ${name} in ${path}, got ${JSON.stringify(entry).slice(0, 60)}`);
    }
    found.keys.push(keyPair(entry.curve, fromHex(entry.d)));
  }
}

function readKeyOrCertificate(path: string, file: string, found: Found): void {
  const content = new Uint8Array(readFileSync(path));
  const blocks = content[0] === 0x30 ? [{ label: derLabel(content, file), der: content }] : pemBlocks(content);
  for (const { label, der } of blocks) {
    if (label === "CERTIFICATE") found.certificates.push({ file, certificate: parseCertificate(der) });
    else if (label === "PRIVATE KEY" || label === "EC PRIVATE KEY") found.keys.push(privateKey(der, label, file));
  }
}

/** A DER file is a private key or a public one by its structure; all else must be a certificate. */
function derLabel(der: Uint8Array, file: string): string {
  for (const [label, type] of [["EC PRIVATE KEY", "sec1"], ["PRIVATE KEY", "pkcs8"]] as const) {
    try {
      createPrivateKey({ key: Buffer.from(der), format: "der", type });
      return label;
    } catch {
      // Not this structure; when it is none of them, parseCertificate says what it found.
    }
  }
  return /^PK_/i.test(file) ? "PUBLIC KEY" : "CERTIFICATE";
}

function pemBlocks(content: Uint8Array): { label: string; der: Uint8Array }[] {
  const text = Buffer.from(content).toString("latin1");
  return [...text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----([\s\S]*?)-----END \1-----/g)].map((match) => ({
    label: match[1] as string,
    der: new Uint8Array(Buffer.from(match[2] as string, "base64")),
  }));
}

function privateKey(der: Uint8Array, label: string, file: string): KeyPair {
  const object = createPrivateKey({ key: Buffer.from(der), format: "der", type: label === "EC PRIVATE KEY" ? "sec1" : "pkcs8" });
  const curve: Curve | undefined = ({ prime256v1: "P-256", brainpoolP256r1: "brainpoolP256r1" } as const)[object.asymmetricKeyDetails?.namedCurve ?? ""];
  if (curve === undefined) throw new SimError("key", `expected a key on P-256 or brainpoolP256r1 in ${file}, got ${object.asymmetricKeyDetails?.namedCurve ?? object.asymmetricKeyType}`);
  return fromEcPrivateKey(curve, new Uint8Array(object.export({ format: "der", type: "sec1" })));
}

function choose(found: Found, curve: Curve): Parts {
  const keyOf = (certificate: Certificate): KeyPair | undefined => found.keys.find((key) => key.curve === certificate.curve && equal(key.publicKey, certificate.publicKey));
  const candidates = (test: (certificate: Certificate, file: string) => boolean): Certificate[] =>
    found.certificates.filter(({ certificate, file }) => test(certificate, file)).map(({ certificate }) => certificate);
  const withPolicy = (policy: string, on: Curve | undefined): Certificate[] =>
    candidates((certificate) => certificate.policies.includes(policy) && (on === undefined || certificate.curve === on));
  const issuer = (list: Certificate[]): Issuer | undefined => {
    const certificate = list.find((item) => keyOf(item) !== undefined) ?? list[0];
    const key = certificate && keyOf(certificate);
    return certificate && { certificate: certificate.der, ...(key && { key }) };
  };
  const identity = (list: Certificate[]): Identity | undefined => {
    const certificate = list.find((item) => keyOf(item) !== undefined);
    return certificate && { certificate: certificate.der, key: keyOf(certificate) as KeyPair };
  };
  const eim = (tls: boolean) => (certificate: Certificate, file: string): boolean =>
    /eim/i.test(file) && /tls/i.test(file) === tls && certificate.policies.length === 0 && (tls || certificate.curve === curve);
  const parts: { [part in keyof Parts]: Parts[part] | undefined } = {
    ci: issuer(withPolicy(Policy.ci, curve)),
    eum: issuer(withPolicy(Policy.eum, curve)),
    euicc: identity(withPolicy(Policy.euicc, curve)),
    dpAuth: identity(withPolicy(Policy.dpAuth, curve)),
    dpPb: identity(withPolicy(Policy.dpPb, curve)),
    dpTls: identity(withPolicy(Policy.dpTls, undefined)),
    eimSign: identity(candidates(eim(false))),
    eimTls: identity(candidates(eim(true))),
  };
  return Object.fromEntries(Object.entries(parts).filter(([, part]) => part !== undefined)) as Parts;
}

/** The chains that a device checks; a directory with certificates of two worlds is refused here and not somewhere in a scenario. */
function checkChains(parts: Parts): void {
  const link = (name: string, child: Issuer | undefined, issuerName: string, issuer: Issuer | undefined): void => {
    if (child === undefined) return;
    if (issuer === undefined) throw new SimError("pki", `expected the certificate of the ${issuerName}, which issued that of the ${name}, got none`);
    const certificate = parseCertificate(child.certificate);
    if (!isIssuedBy(certificate, parseCertificate(issuer.certificate))) {
      throw new SimError("pki", `expected the certificate of the ${name} (${certificate.commonName ?? toHex(certificate.subject)}) to be issued by the ${issuerName}, and it is not`);
    }
  };
  link("EUM", parts.eum, "CI", parts.ci);
  link("eUICC", parts.euicc, "EUM", parts.eum);
  link("SM-DP+ authentication", parts.dpAuth, "CI", parts.ci);
  link("SM-DP+ profile binding", parts.dpPb, "CI", parts.ci);
}
