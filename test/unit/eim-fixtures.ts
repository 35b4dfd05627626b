/**
 * What the tests of the eIM share: an eIM with one device, and a hand-made card that signs results and notifications with the PKI's keys.
 */
import assert from "node:assert/strict";
import { concat, fromHex, utf8 } from "../sim/core/bytes.js";
import { VirtualClock } from "../sim/core/clock.js";
import type { EsipaRequest, EsipaResponse } from "../sim/core/http.js";
import { FROM_EIM, FROM_IPA, mismatch } from "../sim/codec/esipa-schemas.js";
import { bits, integer, readOne, tlv } from "../sim/codec/tlv.js";
import { sign, type KeyPair } from "../sim/pki/keys.js";
import { makePki, type Pki } from "../sim/pki/pki.js";
import { Eim, type AuditEntry, type DeviceOptions, type EimOptions, type PackageRecord } from "../sim/eim/index.js";

export const EID = "89049032123451234512345678901235";
export const OTHER_EID = "89049032123451234512345678901332";
export const ICCID = "89000123456789012341";
export const EIM_ID = "eim.example.com";

/** One PKI for all tests of a file: making it costs some 50 ms. */
export const pki: Pki = makePki({ seed: "eim tests" });

export const HEADERS = {
  "content-type": "application/x-gsma-rsp-asn1",
  "x-admin-protocol": "gsma/rsp/v2.1.0",
  "user-agent": "gsma-rsp-ipad",
} as const;

export interface Bench {
  readonly eim: Eim;
  readonly clock: VirtualClock;
  /** Sends a body with good headers. */
  send(body: Uint8Array): EsipaResponse;
  /** GetEimPackage of the device. */
  poll(...members: Uint8Array[]): EsipaResponse;
  /** ProvideEimPackageResult of the device. */
  provide(result: Uint8Array): EsipaResponse;
  /** The audit entry of the last exchange. */
  last(): AuditEntry;
}

/** An eIM that knows the PKI's eUICC. */
export function bench(device: Partial<DeviceOptions> = {}, options: Partial<EimOptions> = {}): Bench {
  const clock = new VirtualClock();
  const eim = new Eim({ sign: pki.eimSign, tls: pki.eimTls, clock, ...options });
  eim.addDevice({ eid: EID, ciCertificates: [pki.ci.certificate], euiccCertificate: pki.euicc.certificate, eumCertificate: pki.eum.certificate, ...device });
  const send = (body: Uint8Array): EsipaResponse => {
    const response = eim.handle(request(body));
    checkShapes(eim, body, response);
    return response;
  };
  return {
    eim,
    clock,
    send,
    poll: (...members) => send(getEimPackage(EID, ...members)),
    provide: (result) => send(tlv(0xbf50, tlv(0x5a, fromHex(EID)), result)),
    last: () => eim.seen.at(-1) as AuditEntry,
  };
}

/** What the eIM accepts without a word, and what it then answers, has the shape that an independent reading of the types expects. */
function checkShapes(eim: Eim, body: Uint8Array, response: EsipaResponse): void {
  const entry = eim.seen.at(-1) as AuditEntry;
  if (entry.verdict !== "ok" || entry.warnings.length > 0 || entry.behaviours.length > 0) return;
  const { tag } = readOne(body);
  assert.equal(mismatch(body, shape(FROM_IPA, tag)), undefined, `accepted: ${entry.request}`);
  const raw = eim.device(EID).packages.some((record) => record.kind === "raw");
  if (response.status === 200 && !raw) assert.equal(mismatch(response.body, shape(FROM_EIM, tag)), undefined, `answered: ${entry.response}`);
}

function shape(table: typeof FROM_IPA, tag: number): ReturnType<(typeof FROM_IPA)[number]> {
  const make = table[tag];
  assert.ok(make, `no schema for ${tag.toString(16)}`);
  return make();
}

export function request(body: Uint8Array, change: Partial<EsipaRequest> = {}): EsipaRequest {
  return { method: "POST", path: "/gsma/rsp2/asn1", headers: HEADERS, body, ...change };
}

export function getEimPackage(eid: string, ...members: Uint8Array[]): Uint8Array {
  return tlv(0xbf4f, tlv(0x5a, fromHex(eid)), ...members);
}

/** Octets 84 01 00, or of a token. */
export const tokenOf = (token = 0): Uint8Array => tlv(0x84, integer(token));

export interface EprOptions {
  seqNumber?: number;
  token?: number;
  eimId?: string;
  counter?: number;
  key?: KeyPair;
}

function head(record: PackageRecord, options: EprOptions): Uint8Array[] {
  const transaction = record.transactionId === undefined ? [] : [tlv(0x82, fromHex(record.transactionId))];
  return [tlv(0x80, utf8(options.eimId ?? EIM_ID)), tlv(0x81, integer(options.counter ?? record.counter ?? 0)), ...transaction];
}

/** EuiccPackageResult with these entries of euiccResult (default: enableResult ok), signed as a card does. */
export function epr(record: PackageRecord, options: EprOptions = {}, ...results: Uint8Array[]): Uint8Array {
  const entries = results.length === 0 ? [tlv(0x83, [0])] : results;
  const data = tlv(0x30, ...head(record, options), tlv(0x83, integer(options.seqNumber ?? 1)), tlv(0x30, ...entries));
  return tlv(0xbf51, tlv(0xa0, data, signature(concat(data, tokenOf(options.token)), options.key)));
}

/** euiccPackageErrorSigned. */
export function epe(record: PackageRecord, code: number, options: EprOptions = {}): Uint8Array {
  const data = tlv(0x30, ...head(record, options), tlv(0x02, integer(code)));
  return tlv(0xbf51, tlv(0xa1, data, signature(concat(data, tokenOf(options.token)), options.key)));
}

function signature(message: Uint8Array, key: KeyPair = pki.euicc.key): Uint8Array {
  return tlv(0x5f37, sign(key, message));
}

/** NotificationMetadata. */
export function metadata(seqNumber: number, event = 1, receiver = "smdp.example.com"): Uint8Array {
  return tlv(0xbf2f, tlv(0x80, integer(seqNumber)), tlv(0x81, bits(event)), tlv(0x0c, utf8(receiver)), tlv(0x5a, fromHex("98001032547698103214")));
}

/** otherSignedNotification. */
export function notification(seqNumber: number, options: { event?: number; receiver?: string; key?: KeyPair; euicc?: Uint8Array; eum?: Uint8Array } = {}): Uint8Array {
  const signed = metadata(seqNumber, options.event, options.receiver);
  return tlv(0x30, signed, signature(signed, options.key), options.euicc ?? pki.euicc.certificate, options.eum ?? pki.eum.certificate);
}

/** compactOtherSignedNotification. */
export function compactNotification(seqNumber: number): Uint8Array {
  const signed = metadata(seqNumber);
  return tlv(0xa1, tlv(0x5a, fromHex(EID)), signed, signature(signed));
}

/** profileInstallationResult, successful. */
export function installationResult(seqNumber: number, key?: KeyPair): Uint8Array {
  const success = tlv(0xa0, tlv(0x4f, fromHex("A0000005591010FFFFFFFF8900001100")), tlv(0x04, fromHex("3007A0053003800100")));
  const data = tlv(0xbf27, tlv(0x80, fromHex("0102030405060708")), metadata(seqNumber, 0), tlv(0x06, fromHex("88370A")), tlv(0xa2, success));
  return tlv(0xbf37, data, signature(data, key));
}

/** `30{BF51, A0{..}}`. */
export function eprAndNotifications(result: Uint8Array, ...notifications: Uint8Array[]): Uint8Array {
  return tlv(0x30, result, tlv(0xa0, ...notifications));
}
