/**
 * X.509 certificates of SGP.22 and SGP.32 (RFC 5280; SGP.22 v2.5 4.5.2, SGP.32 v1.2 2.6): issue, parse, check who issued.
 * Structures by pkijs, signature over the TBSCertificate by keys.ts, so that brainpoolP256r1 is possible too.
 * Left out: CRLs, name constraints (the EUM's bind a prefix of a serial number, which no X.509 library checks as meant), expiry (the caller has a clock).
 */
import { X509Certificate } from "node:crypto";
import { sha1 } from "@noble/hashes/legacy.js";
import * as asn1js from "asn1js";
import * as pkijs from "pkijs";
import { equal, fromHex, toHex, utf8 } from "../core/bytes.js";
import { SimError } from "../core/errors.js";
import { readOne, tlv } from "../codec/tlv.js";
import { fromSpki, keyObject, sign, spki, type Curve, type KeyPair } from "./keys.js";

export interface Certificate {
  /** The whole certificate as received. */
  der: Uint8Array;
  /** DER SubjectPublicKeyInfo. */
  spki: Uint8Array;
  curve: Curve;
  /** 65 octets 04||X||Y. */
  publicKey: Uint8Array;
  /** DER Name. */
  subject: Uint8Array;
  /** DER Name. */
  issuer: Uint8Array;
  subjectKeyId?: Uint8Array;
  authorityKeyId?: Uint8Array;
  /** Dotted OIDs of certificatePolicies: the role (Policy). */
  policies: string[];
  /** serialNumber attribute of the subject: the EID in CERT.EUICC. */
  serialNumberAttribute?: string;
  commonName?: string;
  notBefore: Date;
  notAfter: Date;
  /** registeredID in subjectAltName: the SM-DP+ OID. */
  registeredId?: string;
  dnsNames: string[];
  isCa: boolean;
}

/** certificatePolicies of the roles: SGP.22 v2.5 4.5.2.1, below 2.23.146.1.2.1. */
export const Policy = {
  ci: "2.23.146.1.2.1.0",
  euicc: "2.23.146.1.2.1.1",
  eum: "2.23.146.1.2.1.2",
  dpTls: "2.23.146.1.2.1.3",
  dpAuth: "2.23.146.1.2.1.4",
  dpPb: "2.23.146.1.2.1.5",
  dsTls: "2.23.146.1.2.1.6",
  dsAuth: "2.23.146.1.2.1.7",
} as const;

/** Bits of keyUsage (RFC 5280 4.2.1.3). */
export enum KeyUsage {
  DigitalSignature = 0,
  KeyCertSign = 5,
  CrlSign = 6,
}

const Oid = {
  commonName: "2.5.4.3",
  serialNumber: "2.5.4.5",
  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  certificatePolicies: "2.5.29.32",
  authorityKeyIdentifier: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
} as const;

/** OBJECT IDENTIFIERs of the attributes that we issue, DER. */
const ATTRIBUTE = { C: fromHex("0603550406"), O: fromHex("060355040A"), serialNumber: fromHex("0603550405"), CN: fromHex("0603550403") } as const;

export interface IssueOptions {
  /** Content of the INTEGER: positive, at most 20 octets. */
  serialNumber: Uint8Array;
  /** In the order given. */
  subject: readonly (readonly [keyof typeof ATTRIBUTE, string])[];
  publicKey: Uint8Array;
  curve: Curve;
  issuerKey: KeyPair;
  /** The issuer's certificate; absent: self-signed, and `issuerKey` is the subject's own. */
  issuer?: Uint8Array;
  notBefore: Date;
  notAfter: Date;
  keyUsage: readonly KeyUsage[];
  /** Certificate authority, with the path length that it allows (undefined: any). */
  ca?: { pathLength?: number };
  policies?: readonly string[];
  registeredId?: string;
  dnsNames?: readonly string[];
  /** IPv4 addresses, dotted. */
  ipAddresses?: readonly string[];
  serverAuth?: boolean;
  /** No subjectKeyIdentifier: as the test eIM's signing certificate (SGP.26). */
  withoutSubjectKeyId?: boolean;
}

/** A signed certificate, DER. The same options give the same octets. */
export function issueCertificate(options: IssueOptions): Uint8Array {
  const issuer = options.issuer === undefined ? undefined : parseCertificate(options.issuer);
  const certificate = new pkijs.Certificate();
  certificate.version = 2;
  certificate.serialNumber = new asn1js.Integer({ valueHex: buffer(options.serialNumber) });
  certificate.subject = name(options.subject);
  certificate.issuer = issuer === undefined ? certificate.subject : new pkijs.RelativeDistinguishedNames({ schema: asn1(issuer.subject) });
  certificate.notBefore = new pkijs.Time({ type: pkijs.TimeType.UTCTime, value: options.notBefore });
  certificate.notAfter = new pkijs.Time({ type: pkijs.TimeType.UTCTime, value: options.notAfter });
  certificate.subjectPublicKeyInfo = new pkijs.PublicKeyInfo({ schema: asn1(spki(options.curve, options.publicKey)) });
  certificate.extensions = extensions(options, issuer?.subjectKeyId ?? keyIdentifier(options.issuerKey.publicKey));
  certificate.signature = new pkijs.AlgorithmIdentifier({ algorithmId: Oid.ecdsaWithSha256 });
  const tbs = new Uint8Array(certificate.encodeTBS().toBER(false));
  const algorithm = new Uint8Array(certificate.signature.toSchema().toBER(false));
  return tlv(0x30, tbs, algorithm, tlv(0x03, [0], derSignature(sign(options.issuerKey, tbs))));
}

/** SubjectKeyIdentifier: SHA-1 of the public key's octets (RFC 5280 4.2.1.2, method 1). */
export function keyIdentifier(publicKey: Uint8Array): Uint8Array {
  return Uint8Array.from(sha1(publicKey));
}

/** Reads a DER certificate. Throws SimError "certificate" with the reason when it is none, or holds a key that is not of SGP.22's curves. */
export function parseCertificate(der: Uint8Array): Certificate {
  let x: pkijs.Certificate;
  try {
    readOne(der, 0x30);
    x = new pkijs.Certificate({ schema: asn1(der) });
  } catch (cause) {
    throw new SimError("certificate", `expected a DER X.509 certificate, got ${toHex(der.subarray(0, 8))}… (${der.length} octets): ${(cause as Error).message}`);
  }
  const key = new Uint8Array(x.subjectPublicKeyInfo.toSchema().toBER(false));
  const find = (oid: string): unknown => x.extensions?.find((extension) => extension.extnID === oid)?.parsedValue;
  const names = (find(Oid.subjectAltName) as pkijs.AltName | undefined)?.altNames ?? [];
  const subjectKeyId = (find(Oid.subjectKeyIdentifier) as asn1js.OctetString | undefined)?.valueBlock.valueHexView;
  const authorityKeyId = (find(Oid.authorityKeyIdentifier) as pkijs.AuthorityKeyIdentifier | undefined)?.keyIdentifier?.valueBlock.valueHexView;
  const registeredId = names.find((entry) => entry.type === 8)?.value as string | undefined;
  const serialNumberAttribute = attribute(x.subject, Oid.serialNumber);
  const commonName = attribute(x.subject, Oid.commonName);
  return {
    der: Uint8Array.from(der),
    spki: key,
    ...fromSpki(key),
    subject: new Uint8Array(x.subject.toSchema().toBER(false)),
    issuer: new Uint8Array(x.issuer.toSchema().toBER(false)),
    ...(subjectKeyId && { subjectKeyId: Uint8Array.from(subjectKeyId) }),
    ...(authorityKeyId && { authorityKeyId: Uint8Array.from(authorityKeyId) }),
    policies: ((find(Oid.certificatePolicies) as pkijs.CertificatePolicies | undefined)?.certificatePolicies ?? []).map((policy) => policy.policyIdentifier),
    ...(serialNumberAttribute !== undefined && { serialNumberAttribute }),
    ...(commonName !== undefined && { commonName }),
    notBefore: x.notBefore.value,
    notAfter: x.notAfter.value,
    ...(registeredId !== undefined && { registeredId }),
    dnsNames: names.filter((entry) => entry.type === 2).map((entry) => entry.value as string),
    isCa: (find(Oid.basicConstraints) as pkijs.BasicConstraints | undefined)?.cA === true,
  };
}

/** True when `issuer` is a CA, its name and key identifier are the ones `cert` names, and its key verifies `cert`'s signature. */
export function isIssuedBy(cert: Certificate, issuer: Certificate): boolean {
  if (!issuer.isCa || !equal(cert.issuer, issuer.subject)) return false;
  if (cert.authorityKeyId && issuer.subjectKeyId && !equal(cert.authorityKeyId, issuer.subjectKeyId)) return false;
  const key = keyObject(issuer.curve, issuer.publicKey);
  return key !== undefined && new X509Certificate(cert.der).verify(key);
}

function extensions(options: IssueOptions, authorityKeyId: Uint8Array): pkijs.Extensions["extensions"] {
  const list: pkijs.Extension[] = [];
  const add = (extnID: string, critical: boolean, value: Uint8Array): void => {
    list.push(new pkijs.Extension({ extnID, critical, extnValue: buffer(value) }));
  };
  add(Oid.authorityKeyIdentifier, false, tlv(0x30, tlv(0x80, authorityKeyId)));
  if (options.withoutSubjectKeyId !== true) add(Oid.subjectKeyIdentifier, false, tlv(0x04, keyIdentifier(options.publicKey)));
  add(Oid.keyUsage, true, tlv(0x03, usageBits(options.keyUsage)));
  if (options.ca) add(Oid.basicConstraints, true, der(new pkijs.BasicConstraints({ cA: true, ...(options.ca.pathLength !== undefined && { pathLenConstraint: options.ca.pathLength }) })));
  if (options.policies?.length) {
    add(Oid.certificatePolicies, true, der(new pkijs.CertificatePolicies({ certificatePolicies: options.policies.map((policyIdentifier) => new pkijs.PolicyInformation({ policyIdentifier })) })));
  }
  const names = altNames(options);
  if (names.length > 0) add(Oid.subjectAltName, false, der(new pkijs.AltName({ altNames: names })));
  if (options.serverAuth === true) add(Oid.extendedKeyUsage, false, der(new pkijs.ExtKeyUsage({ keyPurposes: [Oid.serverAuth] })));
  return list;
}

function altNames(options: IssueOptions): pkijs.GeneralName[] {
  const names: pkijs.GeneralName[] = [];
  if (options.registeredId !== undefined) names.push(new pkijs.GeneralName({ type: 8, value: options.registeredId }));
  for (const value of options.dnsNames ?? []) names.push(new pkijs.GeneralName({ type: 2, value }));
  for (const address of options.ipAddresses ?? []) {
    names.push(new pkijs.GeneralName({ type: 7, value: new asn1js.OctetString({ valueHex: buffer(Uint8Array.from(address.split("."), Number)) }) }));
  }
  return names;
}

function usageBits(usage: readonly KeyUsage[]): Uint8Array {
  const octet = usage.reduce((all, bit) => all | (0x80 >> bit), 0);
  return Uint8Array.of(7 - Math.max(...usage), octet);
}

/** A Name with one attribute in each RelativeDistinguishedName (pkijs would put them all into one). */
function name(attributes: IssueOptions["subject"]): pkijs.RelativeDistinguishedNames {
  // countryName and serialNumber are PrintableString by X.520; the rest may be UTF8String.
  const value = (type: keyof typeof ATTRIBUTE, text: string): Uint8Array => tlv(type === "C" || type === "serialNumber" ? 0x13 : 0x0c, utf8(text));
  const rdns = attributes.map(([type, text]) => tlv(0x31, tlv(0x30, ATTRIBUTE[type], value(type, text))));
  return new pkijs.RelativeDistinguishedNames({ schema: asn1(tlv(0x30, ...rdns)) });
}

function attribute(of: pkijs.RelativeDistinguishedNames, type: string): string | undefined {
  const found = of.typesAndValues.find((entry) => entry.type === type);
  return found === undefined ? undefined : String((found.value as unknown as asn1js.Utf8String).valueBlock.value);
}

/** Ecdsa-Sig-Value (RFC 3279 2.2.3) of raw r||s. */
function derSignature(raw: Uint8Array): Uint8Array {
  return tlv(0x30, tlv(0x02, unsigned(raw.subarray(0, 32))), tlv(0x02, unsigned(raw.subarray(32))));
}

function unsigned(value: Uint8Array): Uint8Array {
  let start = 0;
  while (start < value.length - 1 && value[start] === 0) start++;
  const rest = value.subarray(start);
  return (rest[0] as number) >= 0x80 ? Uint8Array.of(0, ...rest) : rest;
}

function der(object: { toSchema(): { toBER(sizeOnly?: boolean): ArrayBuffer } }): Uint8Array {
  return new Uint8Array(object.toSchema().toBER(false));
}

function asn1(bytes: Uint8Array): asn1js.AsnType {
  const { offset, result } = asn1js.fromBER(buffer(bytes));
  if (offset === -1) throw new SimError("certificate", `not BER: ${result.error}`);
  return result;
}

function buffer(bytes: Uint8Array): ArrayBuffer {
  return Uint8Array.from(bytes).buffer;
}
