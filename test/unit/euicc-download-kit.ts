/**
 * A miniature SM-DP+ for tests of the simulated eUICC: signs as one, binds packages, and drives a card through a download as an IPA does.
 */
import { bindProfile, joinBpp, loadSegments, sessionKeys, type BindOptions, type BppParts, type SessionKeys } from "../sim/bsp/index.js";
import { concat, fromHex, toHex, utf8 } from "../sim/core/bytes.js";
import { bits, integer, must, readAll, readOne, tlv, type Tlv } from "../sim/codec/tlv.js";
import { iccidBytes, type Euicc, type EuiccOptions } from "../sim/euicc/index.js";
import { issueCertificate, KeyUsage, parseCertificate, Policy, type IssueOptions } from "../sim/pki/certificate.js";
import { keyPairFromSeed, sign, type Curve, type KeyPair } from "../sim/pki/keys.js";
import type { Identity, Pki } from "../sim/pki/pki.js";
import { ordinary, pki, Reader, started } from "./euicc-kit.js";

export const NEW = "89000123456789012358";
export const SMDP = "smdp.example.com";
export const TID = fromHex("0A0B0C0D0E0F");
/** ctxParams1 with a matchingId and the vectors' device. */
export const CTX = fromHex("A02C80054D41544348A123800453926011A11180030F000085030F0000AE0580030000008208539260113254765F");

export interface MetadataFields {
  iccid?: string;
  name?: string;
  class?: number;
  /** Events by bit, and address. */
  notifications?: [number[], string][];
  owner?: string;
  gid1?: string;
  rules?: number[];
  icon?: number;
  more?: Uint8Array[];
}

/** StoreMetadata, BF25. */
export function metadata(fields: MetadataFields = {}): Uint8Array {
  return tlv(
    0xbf25,
    tlv(0x5a, iccidBytes(fields.iccid ?? NEW)),
    tlv(0x91, utf8("SP")),
    tlv(0x92, utf8(fields.name ?? "Test")),
    ...(fields.icon === undefined ? [] : [tlv(0x93, [1]), tlv(0x94, new Uint8Array(fields.icon).fill(0x55))]),
    ...(fields.class === undefined ? [] : [tlv(0x95, integer(fields.class))]),
    ...(fields.notifications === undefined ? [] : [tlv(0xb6, ...fields.notifications.map(([events, address]) => tlv(0x30, tlv(0x80, bits(...events)), tlv(0x81, utf8(address)))))]),
    ...(fields.owner === undefined ? [] : [tlv(0xb7, tlv(0x80, fromHex(fields.owner)), fields.gid1 === undefined ? concat() : tlv(0x81, fromHex(fields.gid1)))]),
    ...(fields.rules === undefined ? [] : [tlv(0x99, bits(...fields.rules))]),
    ...(fields.more ?? []),
  );
}

/** An unprotected Profile Package: header, one element of `size` octets, end. */
export function profilePackage({ iccid = NEW, size = 40 }: { iccid?: string; size?: number } = {}): Uint8Array {
  const header = tlv(0xa0, tlv(0x80, [2]), tlv(0x81, [3]), tlv(0x82, utf8("Test")), tlv(0x83, fromHex(iccid.padEnd(20, "F"))));
  return concat(header, tlv(0xb0, tlv(0x04, new Uint8Array(size).fill(0x5a))), fromHex("AA07A0058000810102"));
}

/** A certificate under our CI, whose key goes with it. */
export function issued(role: keyof typeof Policy | "none", { keyCurve: curve = "P-256", withoutOid = false, ...more }: Partial<IssueOptions> & { keyCurve?: Curve; withoutOid?: boolean } = {}): Identity {
  const key = keyPairFromSeed(curve, `download ${role} ${curve}`);
  const { ci } = pki();
  const certificate = issueCertificate({
    serialNumber: Uint8Array.of(0x41), subject: [["CN", "another server"]], publicKey: key.publicKey, curve,
    issuerKey: ci.key as KeyPair, issuer: ci.certificate, notBefore: new Date(Date.UTC(2020, 0, 1)), notAfter: new Date(Date.UTC(2049, 0, 1)),
    keyUsage: [KeyUsage.DigitalSignature], policies: role === "none" ? [] : [Policy[role]], ...(!withoutOid && { registeredId: "2.999.10" }), ...more,
  });
  return { key, certificate };
}

/** What a server may say otherwise than it should. */
export interface ServerFields {
  pki?: Pki;
  server?: Identity;
  transactionId?: Uint8Array;
  challenge?: Uint8Array;
  address?: string;
  ciPkId?: Uint8Array;
  ctxParams1?: Uint8Array;
  /** Signs instead of the server. */
  signer?: KeyPair;
  /** Between smdpSigned2 and smdpCertificate. */
  pb?: Identity;
  ccRequired?: boolean;
  hashCc?: Uint8Array;
  bppEuiccOtpk?: Uint8Array;
  signed2Tid?: Uint8Array;
}

export function ciPkId(of: Pki = pki()): Uint8Array {
  return parseCertificate(of.ci.certificate).subjectKeyId as Uint8Array;
}

/** AuthenticateServer request, BF38. */
export function authenticateServer(challenge: Uint8Array, fields: ServerFields = {}): Uint8Array {
  const whole = fields.pki ?? pki();
  const server = fields.server ?? whole.dpAuth;
  const signed = tlv(
    0x30,
    tlv(0x80, fields.transactionId ?? TID),
    tlv(0x81, fields.challenge ?? challenge),
    tlv(0x83, utf8(fields.address ?? SMDP)),
    tlv(0x84, fromHex("00112233445566778899AABBCCDDEEFF")),
  );
  return tlv(0xbf38, signed, tlv(0x5f37, sign(fields.signer ?? server.key, signed)), tlv(0x04, fields.ciPkId ?? ciPkId(whole)), server.certificate, fields.ctxParams1 ?? CTX);
}

/** PrepareDownload request, BF21. */
export function prepareDownload(euiccSignature1: Uint8Array, fields: ServerFields = {}): Uint8Array {
  const pb = fields.pb ?? (fields.pki ?? pki()).dpPb;
  const otpk = fields.bppEuiccOtpk === undefined ? concat() : tlv(0x5f49, fields.bppEuiccOtpk);
  const signed = tlv(0x30, tlv(0x80, fields.signed2Tid ?? fields.transactionId ?? TID), tlv(0x01, [fields.ccRequired === true ? 0xff : 0]), otpk);
  const signature = tlv(0x5f37, sign(fields.signer ?? pb.key, concat(signed, euiccSignature1)));
  return tlv(0xbf21, signed, signature, fields.hashCc === undefined ? concat() : tlv(0x04, fields.hashCc), pb.certificate);
}

export function challenge(reader: Reader): Uint8Array {
  return readOne(readOne(reader.es10("BF2E00"), 0xbf2e).value, 0x80).value;
}

/** Members of A0 of an answer; throws Error for an error answer. */
export function ok(answer: Uint8Array): Tlv[] {
  const inner = readOne(readOne(answer).value);
  if (inner.tag !== 0xa0) throw new Error(`expected A0, got ${toHex(answer)}`);
  return readAll(inner.value);
}

/** GetEuiccChallenge and AuthenticateServer. Gives the whole 5F37 of euiccSignature1. */
export function authenticated(reader: Reader, fields: ServerFields = {}): Uint8Array {
  return must(ok(reader.es10(authenticateServer(challenge(reader), fields))), 0x5f37, "euiccSignature1").raw;
}

/** As far as PrepareDownload. Gives otPK.EUICC. */
export function prepared(reader: Reader, fields: ServerFields = {}): Uint8Array {
  const members = ok(reader.es10(prepareDownload(authenticated(reader, fields), fields)));
  return must(readAll((members[0] as Tlv).value), 0x5f49, "euiccOtpk").value;
}

export interface BppFields extends Partial<Pick<BindOptions, "segment" | "configureIsdp" | "configureIsdpBlocks">>, ServerFields {
  metadata?: Uint8Array | MetadataFields;
  profile?: Uint8Array;
  withPpk?: boolean;
}

export const PPK: SessionKeys = { chain: new Uint8Array(16).fill(0x51), sEnc: new Uint8Array(16).fill(0x52), sMac: new Uint8Array(16).fill(0x53) };
export const HOST_ID = fromHex("01020304");

export function smdpKey(curve: Curve = "P-256"): KeyPair {
  return keyPairFromSeed(curve, "one-time SM-DP+");
}

/** What is bound, in parts, for tests that change some. */
export function boundParts(euiccOtpk: Uint8Array, fields: BppFields = {}): BppParts {
  const whole = fields.pki ?? pki();
  const given = fields.metadata;
  return bindProfile({
    eid: whole.eid, transactionId: fields.transactionId ?? TID, smdpOt: smdpKey(whole.curve), euiccOtpk, signer: (fields.pb ?? whole.dpPb).key, hostId: HOST_ID,
    metadata: given instanceof Uint8Array ? given : metadata(given), profile: fields.profile ?? profilePackage({ iccid: given instanceof Uint8Array ? NEW : (given?.iccid ?? NEW) }),
    ...(fields.withPpk === true && { ppk: PPK }), ...(fields.segment !== undefined && { segment: fields.segment }),
    ...(fields.configureIsdp && { configureIsdp: fields.configureIsdp }), ...(fields.configureIsdpBlocks !== undefined && { configureIsdpBlocks: fields.configureIsdpBlocks }),
  });
}

/** Keys of the channel as the SM-DP+ has them. */
export function smdpKeys(euiccOtpk: Uint8Array): SessionKeys {
  return sessionKeys({ own: smdpKey(), peer: euiccOtpk, hostId: HOST_ID, eid: pki().eid });
}

export function segmentsOf(euiccOtpk: Uint8Array, fields: BppFields = {}): Uint8Array[] {
  return loadSegments(joinBpp(boundParts(euiccOtpk, fields)));
}

/** Sends segments until one is answered; its answer, and how many were sent. */
export function load(reader: Reader, segments: readonly Uint8Array[]): { answer: Uint8Array; sent: number } {
  for (const [index, segment] of segments.entries()) {
    const answer = reader.es10(segment);
    if (answer.length > 0) return { answer, sent: index + 1 };
  }
  return { answer: new Uint8Array(0), sent: segments.length };
}

/** A whole download; the card's last answer. */
export function download(reader: Reader, fields: BppFields = {}): Uint8Array {
  return load(reader, segmentsOf(prepared(reader, fields), fields)).answer;
}

export interface Pir {
  /** BF27, whole. */
  data: Uint8Array;
  signature: Uint8Array;
  transactionId: string;
  seqNumber: number;
  address: string;
  iccid: string | undefined;
  oid: string;
  /** "ok", or "command/reason". */
  result: string;
  aid: string | undefined;
  simaResponse: string | undefined;
}

/** A ProfileInstallationResult taken apart. */
export function pirOf(answer: Uint8Array): Pir {
  const [data, signature] = readAll(readOne(answer, 0xbf37).value) as [Tlv, Tlv];
  const members = readAll(data.value);
  const notification = readAll(must(members, 0xbf2f, "notificationMetadata").value);
  const final = readOne(must(members, 0xa2, "finalResult").value);
  const items = readAll(final.value);
  const hex = (list: readonly Tlv[], tag: number): string | undefined => {
    const found = list.find((item) => item.tag === tag);
    return found && toHex(found.value);
  };
  return {
    data: data.raw,
    signature: signature.value,
    transactionId: hex(members, 0x80) ?? "",
    seqNumber: must(notification, 0x80, "seqNumber").value[0] ?? -1,
    address: new TextDecoder().decode(must(notification, 0x0c, "notificationAddress").value),
    iccid: hex(notification, 0x5a),
    oid: hex(members, 0x06) ?? "",
    result: final.tag === 0xa0 ? "ok" : `${items[0]?.value[0]}/${items[1]?.value[0]}`,
    aid: hex(items, 0x4f),
    simaResponse: hex(items, final.tag === 0xa0 ? 0x04 : 0x82),
  };
}

/** A card with Profiles A and B, its reader, a session prepared, and its segments. */
export function ready(options: EuiccOptions = ordinary(), fields: BppFields = {}): { euicc: Euicc; reader: Reader; segments: Uint8Array[] } {
  const { euicc, reader } = started(options);
  return { euicc, reader, segments: segmentsOf(prepared(reader, fields), fields) };
}
