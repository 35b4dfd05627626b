/**
 * What the tests of the eIM's part in downloads share: a scripted server behind the eIM (ES9+ and ES11, both bindings, written apart from the
 * simulated SM-DP+), and a hand-made card that signs its part of a session with the PKI's keys.
 */
import assert from "node:assert/strict";
import { concat, fromHex, fromUtf8, toHex, utf8 } from "../sim/core/bytes.js";
import type { EsipaRequest, EsipaResponse } from "../sim/core/http.js";
import { failed, type Failed, type Failure } from "../sim/core/doors.js";
import { bits, find, integer, readAll, readOne, tlv, type Tlv } from "../sim/codec/tlv.js";
import { sign, type KeyPair } from "../sim/pki/keys.js";
import { dataRequest, downloadTrigger, type AuditEntry, type DownloadHandling, type DownloadTrigger, type EimOptions, type Es9p, type Es9pBinding, type PackageRecord } from "../sim/eim/index.js";
import { bench, EID, pki, type Bench } from "./eim-fixtures.js";

export const SMDP = "smdp.example.com";
export const MATCHING_ID = "04386-AGYFT";
export const ACTIVATION_CODE = `1$${SMDP}$${MATCHING_ID}`;
export const TRANSACTION = fromHex("0102030405060708");
export const CHALLENGE = fromHex("00112233445566778899AABBCCDDEEFF");
const SERVER_CHALLENGE = fromHex("FFEEDDCCBBAA99887766554433221100");
const CI_PK_ID = tlv(0x04, fromHex("F54172BDF98A95D65CBEB88A38A1C11D800A85C3"));
export const INFO1 = tlv(0xbf20, tlv(0x82, [2, 5, 0]), tlv(0xa9, CI_PK_ID), tlv(0xaa, CI_PK_ID));
export const METADATA = metadata();
export const ISDP_AID = fromHex("A0000005591010FFFFFFFF8900001100");
export const SIMA = fromHex("3007A0053003800100");

/** BF25; `rules`: bits of profilePolicyRules. */
export function metadata(...rules: number[]): Uint8Array {
  return tlv(0xbf25, tlv(0x5a, fromHex("98001032547698103214")), tlv(0x91, utf8("sp")), tlv(0x92, utf8("p")), rules.length === 0 ? [] : tlv(0x99, bits(...rules)));
}

export type Fn = "initiateAuthentication" | "authenticateClient" | "getBoundProfilePackage" | "cancelSession" | "handleNotification";

const TAGS: Readonly<Record<Fn, number>> = {
  initiateAuthentication: 0xbf39, authenticateClient: 0xbf3b, getBoundProfilePackage: 0xbf3a, cancelSession: 0xbf41, handleNotification: 0xbf3d,
};

/** What the server does next. */
export type Script =
  /** Subject and reason code, and the number that the ASN.1 binding has for it. */
  | { readonly status: string; readonly number: number }
  | { readonly http: number }
  | { readonly failure: Failure }
  | { readonly events: readonly (readonly [string, string])[] }
  /** Orders to the link, or another whole answer. */
  | { readonly change: (good: EsipaResponse) => EsipaResponse };

export interface Asked {
  readonly address: string;
  readonly fn: Fn;
  readonly request: EsipaRequest;
  /** Members by JSON name; octets of base64 ones. */
  readonly members: Readonly<Record<string, Uint8Array | string>>;
}

/** A server that answers well unless its script says otherwise. */
export class ScriptedServer implements Es9p {
  readonly asked: Asked[] = [];
  readonly scripts: Partial<Record<Fn, Script[]>> = {};
  transactionId = TRANSACTION;
  metadata = METADATA;
  bpp = boundProfilePackage();
  confirmationCode = false;
  /** serverAddress that it signs; default: what it was called. */
  serverAddress: string | undefined;
  constructor(readonly binding: Es9pBinding) {}

  /** The next call of `fn` goes like this. */
  next(fn: Fn, script: Script): void {
    this.scripts[fn] = [...(this.scripts[fn] ?? []), script];
  }

  call(address: string, request: EsipaRequest): EsipaResponse | Failed {
    const { fn, members } = this.binding === "json" ? openJson(request) : openAsn1(request);
    this.asked.push({ address, fn, request, members });
    const [script, ...rest] = this.scripts[fn] ?? [];
    this.scripts[fn] = rest;
    if (script === undefined) return this.#good(fn, address, members);
    if ("http" in script) return { status: script.http, headers: {}, body: new Uint8Array(0) };
    if ("failure" in script) return failed(script.failure, `scripted: ${script.failure}`);
    if ("change" in script) return script.change(this.#good(fn, address, members));
    if ("status" in script) return this.#refuse(fn, script.status, script.number);
    return this.#events(script.events);
  }

  fns(): Fn[] {
    return this.asked.map((one) => one.fn);
  }

  #good(fn: Fn, address: string, members: Asked["members"]): EsipaResponse {
    switch (fn) {
      case "initiateAuthentication":
        return this.#ok(fn, [["serverSigned1", serverSigned1(this.transactionId, this.serverAddress ?? address)], ["serverSignature1", tlv(0x5f37, new Uint8Array(64).fill(1))], ["euiccCiPKIdToBeUsed", CI_PK_ID], ["serverCertificate", pki.dpAuth.certificate]]);
      case "authenticateClient": {
        assert.ok(members.authenticateServerResponse);
        return this.#ok(fn, [["profileMetadata", this.metadata], ["smdpSigned2", smdpSigned2(this.transactionId, this.confirmationCode)], ["smdpSignature2", SMDP_SIGNATURE2], ["smdpCertificate", pki.dpPb.certificate]]);
      }
      case "getBoundProfilePackage":
        return this.#ok(fn, [["boundProfilePackage", this.bpp]]);
      case "cancelSession":
        return this.binding === "json" ? json({ header: SUCCESS }) : asn1(tlv(0xbf41, tlv(0xa0)));
      case "handleNotification":
        return { status: 204, headers: {}, body: new Uint8Array(0) };
    }
  }

  #ok(fn: Fn, objects: readonly (readonly [string, Uint8Array])[]): EsipaResponse {
    if (this.binding === "asn1") return asn1(tlv(TAGS[fn], tlv(0xa0, tlv(0x80, this.transactionId), ...objects.map(([, der]) => der))));
    return json({ header: SUCCESS, transactionId: toHex(this.transactionId).toLowerCase(), ...Object.fromEntries(objects.map(([name, der]) => [name, base64(der)])) });
  }

  #refuse(fn: Fn, status: string, number: number): EsipaResponse {
    if (this.binding === "asn1") return asn1(tlv(TAGS[fn], tlv(0x81, integer(number))));
    const [subjectCode, reasonCode] = status.split("/");
    return json({ header: { functionExecutionStatus: { status: "Failed", statusCodeData: { subjectCode, reasonCode, message: "scripted" } } } });
  }

  #events(events: readonly (readonly [string, string])[]): EsipaResponse {
    if (this.binding === "json") return json({ header: SUCCESS, transactionId: toHex(this.transactionId), eventEntries: events.map(([eventId, rspServerAddress]) => ({ eventId, rspServerAddress })) });
    const entries = events.map(([id, address]) => tlv(0x30, tlv(0x80, utf8(id)), tlv(0x81, utf8(address))));
    return asn1(tlv(0xbf40, tlv(0xa0, tlv(0x80, this.transactionId), tlv(0xa1, ...entries))));
  }
}

const SUCCESS = { functionExecutionStatus: { status: "Executed-Success" } };
export const SMDP_SIGNATURE2 = tlv(0x5f37, new Uint8Array(64).fill(2));

export function json(body: unknown): EsipaResponse {
  return { status: 200, headers: { "content-type": "application/json;charset=UTF-8" }, body: utf8(JSON.stringify(body)) };
}

function asn1(message: Uint8Array): EsipaResponse {
  return { status: 200, headers: { "content-type": "application/x-gsma-rsp-asn1" }, body: tlv(0xa2, message) };
}

export function base64(octets: Uint8Array): string {
  return Buffer.from(octets).toString("base64");
}

/** The JSON binding as SGP.22 has it: path, members, base64 without white space. */
function openJson(request: EsipaRequest): { fn: Fn; members: Asked["members"] } {
  const fn = /^\/gsma\/rsp2\/es9plus\/(\w+)$/.exec(request.path)?.[1] as Fn;
  assert.ok(fn in TAGS, request.path);
  assert.match(request.headers["content-type"] ?? "", /^application\/json/);
  checkHead(request);
  const given = JSON.parse(fromUtf8(request.body)) as Record<string, string>;
  const text = ["transactionId", "smdpAddress"];
  return { fn, members: Object.fromEntries(Object.entries(given).map(([name, value]) => [name, text.includes(name) ? value : new Uint8Array(Buffer.from(value, "base64"))])) };
}

/** The ASN.1 binding: one message in A2. */
function openAsn1(request: EsipaRequest): { fn: Fn; members: Asked["members"] } {
  assert.equal(request.path, "/gsma/rsp2/asn1");
  assert.equal(request.headers["content-type"], "application/x-gsma-rsp-asn1");
  checkHead(request);
  const message = readOne(readOne(request.body, 0xa2).value);
  const fn = (Object.keys(TAGS) as Fn[]).find((name) => TAGS[name] === message.tag) as Fn;
  const items = readAll(message.value, { lenient: true });
  const raw = (tag: number): Uint8Array => (find(items, tag) as Tlv).raw;
  switch (fn) {
    case "initiateAuthentication":
      assert.deepEqual(items.map((item) => item.tag), [0x81, 0x83, 0xbf20]);
      return { fn, members: { euiccChallenge: (items[0] as Tlv).value, smdpAddress: fromUtf8((items[1] as Tlv).value), euiccInfo1: raw(0xbf20) } };
    case "authenticateClient":
      return { fn, members: { transactionId: hexOf(items), authenticateServerResponse: raw(0xbf38) } };
    case "getBoundProfilePackage":
      return { fn, members: { transactionId: hexOf(items), prepareDownloadResponse: raw(0xbf21) } };
    case "cancelSession":
      return { fn, members: { transactionId: hexOf(items), cancelSessionResponse: tlv(0xbf41, (find(items, 0xa1) as Tlv).value) } };
    case "handleNotification":
      return { fn, members: { pendingNotification: (find(items, 0xa0) as Tlv).value } };
  }
}

function hexOf(items: readonly Tlv[]): string {
  return toHex((find(items, 0x80) as Tlv).value);
}

function checkHead({ method, headers }: EsipaRequest): void {
  assert.equal(method, "POST");
  assert.match(headers["x-admin-protocol"] ?? "", /^gsma\/rsp\/v2\.\d+\.\d+$/);
}

export function serverSigned1(transactionId: Uint8Array, address: string): Uint8Array {
  return tlv(0x30, tlv(0x80, transactionId), tlv(0x81, CHALLENGE), tlv(0x83, utf8(address)), tlv(0x84, SERVER_CHALLENGE));
}

function smdpSigned2(transactionId: Uint8Array, confirmationCode: boolean): Uint8Array {
  return tlv(0x30, tlv(0x80, transactionId), tlv(0x01, [confirmationCode ? 0xff : 0]));
}

/** BF36 that stores `shown` (in two blocks) and carries `octets` of profile. */
export function boundProfilePackage(shown: Uint8Array = METADATA, octets = 40): Uint8Array {
  const mac = new Uint8Array(8).fill(0xcc);
  const half = shown.length >> 1;
  const blocks = Array.from({ length: Math.ceil(octets / 1012) }, (_, i) => tlv(0x86, new Uint8Array(Math.min(1012, octets - i * 1012)).fill(i), mac));
  const channel = tlv(0xbf23, tlv(0x82, [1]), tlv(0x80, TRANSACTION), tlv(0xa6, tlv(0x80, [0x88])), tlv(0x5f49, new Uint8Array(65)), tlv(0x5f37, new Uint8Array(64)));
  return tlv(0xbf36, channel, tlv(0xa0, tlv(0x87, new Uint8Array(16), mac)), tlv(0xa1, tlv(0x88, shown.subarray(0, half), mac), tlv(0x88, shown.subarray(half), mac)), tlv(0xa3, ...blocks));
}

export const DEVICE_INFO = tlv(0xa1, tlv(0x80, fromHex("53926011")), tlv(0xa1, tlv(0x85, fromHex("0F0000")), tlv(0x88, fromHex("0F0000")), tlv(0xae, tlv(0x80))), tlv(0x82, fromHex("539260113254765F")));

/** ctxParams1 as an IPA makes it. */
export function ctxParams1(matchingId: string | undefined): Uint8Array {
  return tlv(0xa0, matchingId === undefined ? [] : tlv(0x80, utf8(matchingId)), DEVICE_INFO);
}

export const EXT_CARD_RESOURCE = tlv(0x84, fromHex("810100820400068D80830400001000"));
/** BF22 with forbiddenProfilePolicyRules where `forbidden` has bits. */
export function info2(...forbidden: number[]): Uint8Array {
  return tlv(0xbf22, tlv(0x81, [3, 2, 1]), tlv(0x82, [2, 5, 0]), tlv(0x83, [1, 0, 0]), EXT_CARD_RESOURCE, tlv(0x85, [5, 7, 0xe0]), tlv(0x88, [2, 0x98]), tlv(0xa9, CI_PK_ID), tlv(0xaa, CI_PK_ID), forbidden.length === 0 ? [] : tlv(0x99, bits(...forbidden)), tlv(0x04, [1, 0, 0]), tlv(0x0c, utf8("XX")));
}

export interface CardOptions {
  readonly transactionId?: Uint8Array;
  readonly address?: string;
  readonly ctxParams1?: Uint8Array;
  readonly info2?: Uint8Array;
  readonly key?: KeyPair;
  readonly certificate?: Uint8Array;
}

export function euiccSigned1(options: CardOptions = {}): Uint8Array {
  return tlv(0x30, tlv(0x80, options.transactionId ?? TRANSACTION), tlv(0x83, utf8(options.address ?? SMDP)), tlv(0x84, SERVER_CHALLENGE), options.info2 ?? info2(), options.ctxParams1 ?? ctxParams1(MATCHING_ID));
}

export function signature(message: Uint8Array, key: KeyPair = pki.euicc.key): Uint8Array {
  return tlv(0x5f37, sign(key, message));
}

/** BF38 of a card that is content. */
export function authenticateServerResponse(options: CardOptions = {}): Uint8Array {
  const signed = euiccSigned1(options);
  return tlv(0xbf38, tlv(0xa0, signed, signature(signed, options.key), options.certificate ?? pki.euicc.certificate, pki.eum.certificate));
}

export const EUICC_OTPK = tlv(0x5f49, Uint8Array.of(4, ...new Uint8Array(64).fill(0x44)));

export function euiccSigned2(hashCc?: Uint8Array): Uint8Array {
  return tlv(0x30, tlv(0x80, TRANSACTION), EUICC_OTPK, hashCc === undefined ? [] : tlv(0x04, hashCc));
}

/** BF21. */
export function prepareDownloadResponse(hashCc?: Uint8Array): Uint8Array {
  const signed = euiccSigned2(hashCc);
  return tlv(0xbf21, tlv(0xa0, signed, signature(concat(signed, SMDP_SIGNATURE2))));
}

/** BF41 of the card. */
export function cancelSessionResponse(reason: number): Uint8Array {
  const signed = tlv(0x30, tlv(0x80, TRANSACTION), tlv(0x81, fromHex("88370A")), tlv(0x82, [reason]));
  return tlv(0xbf41, tlv(0xa0, signed, signature(signed)));
}

/** BF27: the PIR's data. */
export function installationData(seqNumber: number, final = tlv(0xa0, tlv(0x4f, ISDP_AID), tlv(0x04, SIMA)), transactionId = TRANSACTION): Uint8Array {
  const about = tlv(0xbf2f, tlv(0x80, integer(seqNumber)), tlv(0x81, bits(0)), tlv(0x0c, utf8(SMDP)), tlv(0x5a, fromHex("98001032547698103214")));
  return tlv(0xbf27, tlv(0x80, transactionId), about, tlv(0x06, fromHex("88370A")), tlv(0xa2, final));
}

export function pir(seqNumber: number, ...rest: [final?: Uint8Array, transactionId?: Uint8Array]): Uint8Array {
  const data = installationData(seqNumber, ...rest);
  return tlv(0xbf37, data, signature(data));
}

export interface Download extends Bench {
  readonly server: ScriptedServer;
  readonly record: PackageRecord;
  /** eimTransactionId of the trigger. */
  readonly eimTransactionId: Uint8Array | undefined;
  /** The messages of a session, each sent as a good IPA does; the answer's body. */
  initiate(...change: [address?: string | null, challenge?: Uint8Array]): Uint8Array;
  authenticate(options?: CardOptions): Uint8Array;
  bind(hashCc?: Uint8Array): Uint8Array;
  cancel(reason: number): Uint8Array;
  /** HTTP status of HandleNotification. */
  notify(item: Uint8Array): number;
  /** BF54 in HandleNotification. */
  report(result: Uint8Array, withId?: boolean): number;
  entry(): AuditEntry;
}

export interface DownloadSetup {
  readonly binding?: Es9pBinding;
  readonly trigger?: DownloadTrigger;
  readonly handling?: DownloadHandling;
  /** null: none. */
  readonly transactionId?: null;
  /** Members of IpaEuiccData that the IPA told before. */
  readonly told?: readonly Uint8Array[];
  readonly options?: Partial<EimOptions>;
}

/** An eIM with a scripted server, and a device that has got a trigger. */
export function download(setup: DownloadSetup = {}): Download {
  const server = new ScriptedServer(setup.binding ?? "json");
  const b = bench({}, { es9p: server, es9pBinding: server.binding, ...setup.options });
  if (setup.told !== undefined) tell(b, setup.told);
  const record = b.eim.queue(EID, downloadTrigger(setup.trigger ?? (setup.handling?.activationCode === undefined ? { activationCode: ACTIVATION_CODE } : {}), setup.handling), setup.transactionId === null ? { transactionId: null } : {});
  b.poll();
  const eimTransactionId = record.transactionId === undefined ? undefined : fromHex(record.transactionId);
  const held = setup.handling?.activationCode !== undefined;
  const id = tlv(0x80, TRANSACTION);
  return {
    ...b,
    server,
    record,
    eimTransactionId,
    initiate: (address = held ? null : SMDP, challenge = CHALLENGE) => b.send(initiateAuthentication(address, eimTransactionId, challenge)).body,
    authenticate: (options) => b.send(tlv(0xbf3b, id, authenticateServerResponse(options))).body,
    bind: (hashCc) => b.send(tlv(0xbf3a, id, prepareDownloadResponse(hashCc))).body,
    cancel: (reason) => b.send(tlv(0xbf41, id, tlv(0xa1, readOne(cancelSessionResponse(reason)).value))).body,
    notify: (item) => b.send(tlv(0xbf3d, tlv(0xa0, item))).status,
    report: (result, withId = true) => b.send(tlv(0xbf3d, tlv(0xbf50, tlv(0x5a, fromHex(EID)), triggerResult(withId ? eimTransactionId : undefined, result)))).status,
    entry: b.last,
  };
}

/** The eIM asks for data of the device and gets `members`. */
function tell(b: Bench, members: readonly Uint8Array[]): void {
  b.eim.queue(EID, dataRequest({ tags: members.map((member) => readOne(member).tag) }), { transactionId: null });
  b.poll();
  b.provide(tlv(0xbf52, tlv(0xa0, ...members)));
}

/** BF39. */
export function initiateAuthentication(address: string | null, eimTransactionId: Uint8Array | undefined, challenge = CHALLENGE, info1: Uint8Array = INFO1): Uint8Array {
  return tlv(0xbf39, tlv(0x81, challenge), address === null ? [] : tlv(0x83, utf8(address)), info1, eimTransactionId === undefined ? [] : tlv(0x82, eimTransactionId));
}

/** BF54 from an IPA. */
export function triggerResult(eimTransactionId: Uint8Array | undefined, result: Uint8Array): Uint8Array {
  return tlv(0xbf54, eimTransactionId === undefined ? [] : tlv(0x82, eimTransactionId), result);
}

/** profileDownloadError. */
export function downloadError(reason: number, errorResponse?: Uint8Array): Uint8Array {
  return tlv(0x30, tlv(0x80, [reason]), errorResponse === undefined ? [] : tlv(0x04, errorResponse));
}

/** TLVs inside the alternative of an answer. */
export function inside(body: Uint8Array, alternative = 0xa0): Tlv[] {
  const [chosen] = readAll(readOne(body).value);
  assert.equal(chosen?.tag.toString(16), alternative.toString(16), toHex(body).slice(0, 80));
  return readAll((chosen as Tlv).value);
}

/** Upper-case hexadecimal of a tag list. */
export function tags(items: readonly Tlv[]): string {
  return items.map((item) => item.tag.toString(16).toUpperCase().padStart(2, "0")).join(" ");
}
