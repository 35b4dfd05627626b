/**
 * Is this the eIM's server? Trust by `A6` trustedPublicKeyDataTls of the eIM configuration (SGP.32 v1.2 EimConfigurationData;
 * sgp32-transport 1): a pinned public key, the server's own certificate, or a CA certificate together with the host name.
 * Reads the encodings seen in the field as well (sgp32-types 4.2). Leaves out: revocation, name constraints.
 */
import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { readAll, readTlv, tlv, TlvError, type Tlv } from "../codec/tlv.js";
import { equal } from "../core/bytes.js";

/** What a server is measured by. */
export type Anchor =
  | { readonly kind: "key"; /** DER SubjectPublicKeyInfo. */ readonly spki: Uint8Array }
  | { readonly kind: "certificate"; /** DER. */ readonly der: Uint8Array };

const LENIENT = { lenient: true } as const;

/** Reads a whole A6 (or A5) data object: `A6{A0{..}}`, `A6{A1{..}}`, the nested forms with a 30 inside, and a bare 30. Throws TlvError. */
export function readAnchor(object: Uint8Array): Anchor {
  const children = readAll(readTlv(object, 0, LENIENT).value, LENIENT);
  const inner = children[0];
  if (inner === undefined || children.length !== 1) throw new TlvError("tlv", `expected one key or certificate, got ${children.length} data objects`);
  if (inner.tag === 0x30) return byShape(inner.raw, readAll(inner.value, LENIENT));
  if (inner.tag !== 0xa0 && inner.tag !== 0xa1) throw new TlvError("tlv", `expected tag A0 or A1, got ${inner.tag.toString(16).toUpperCase()}`);
  const parts = readAll(inner.value, LENIENT);
  const nested = parts.length === 1 && parts[0]?.tag === 0x30 ? (parts[0] as Tlv).raw : tlv(0x30, inner.value);
  return inner.tag === 0xa0 ? { kind: "key", spki: nested } : { kind: "certificate", der: nested };
}

function byShape(der: Uint8Array, parts: readonly Tlv[]): Anchor {
  return parts[1]?.tag === 0x03 ? { kind: "key", spki: der } : { kind: "certificate", der };
}

export interface ServerCheck {
  /** One of these must vouch for the server. */
  readonly anchors: readonly Anchor[];
  /** The server's certificate and what it sent with it, DER. */
  readonly chain: readonly Uint8Array[];
  /** Name that was asked for, without port. */
  readonly host: string;
  /** Leave out where no clock can be trusted: validity dates are then not looked at. */
  readonly now?: Date;
}

/** Why the server is not trusted, in words; undefined when it is. */
export function distrust(check: ServerCheck): string | undefined {
  const leaf = check.chain[0];
  if (leaf === undefined) return "the server sent no certificate";
  const chain = check.chain.map((der) => new X509Certificate(der));
  const reasons: string[] = [];
  for (const anchor of check.anchors) {
    const reason = byAnchor(anchor, chain, check);
    if (reason === undefined) return undefined;
    reasons.push(reason);
  }
  return reasons[0] ?? "nothing vouches for the server";
}

function byAnchor(anchor: Anchor, chain: readonly X509Certificate[], check: ServerCheck): string | undefined {
  const leaf = chain[0] as X509Certificate;
  if (anchor.kind === "key") {
    const spki = new Uint8Array(leaf.publicKey.export({ type: "spki", format: "der" }));
    return equal(spki, anchor.spki) ? undefined : "the server's key differs from the pinned key";
  }
  if (equal(leaf.raw, anchor.der)) return undefined;
  return byCa(new X509Certificate(anchor.der), chain, check);
}

function byCa(ca: X509Certificate, chain: readonly X509Certificate[], check: ServerCheck): string | undefined {
  if (!ca.ca) return "the server's certificate differs from the pinned certificate, which is not a CA";
  const path = pathTo(ca, chain);
  if (path === undefined) return `the CA ${name(ca)} did not sign the server's chain`;
  const expired = check.now === undefined ? undefined : path.find((certificate) => !validAt(certificate, check.now as Date));
  if (expired !== undefined) return `the certificate of ${name(expired)} is valid from ${expired.validFrom} to ${expired.validTo} only`;
  return hostMatches(path[0] as X509Certificate, check.host) ? undefined : `the server's certificate is not for ${check.host}`;
}

/** Leaf, intermediates and CA in order; undefined when there is no such path. Each step must be signed by the next. */
function pathTo(ca: X509Certificate, chain: readonly X509Certificate[]): X509Certificate[] | undefined {
  const path = [chain[0] as X509Certificate];
  for (let i = 0; i < chain.length; i++) {
    const last = path[path.length - 1] as X509Certificate;
    if (issued(ca, last)) return [...path, ca];
    const next = chain.find((candidate) => candidate.ca && !path.includes(candidate) && issued(candidate, last));
    if (next === undefined) return undefined;
    path.push(next);
  }
  return undefined;
}

function issued(issuer: X509Certificate, certificate: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function validAt(certificate: X509Certificate, now: Date): boolean {
  return new Date(certificate.validFrom) <= now && now <= new Date(certificate.validTo);
}

function hostMatches(certificate: X509Certificate, host: string): boolean {
  return (isIP(host) === 0 ? certificate.checkHost(host, { subject: "never" }) : certificate.checkIP(host)) !== undefined;
}

function name(certificate: X509Certificate): string {
  return certificate.subject.replace(/\n/g, ", ");
}
