/**
 * A reference client for SM-DP+ and SM-DS: plays the eUICC and the LPA (or the eIM, in the ASN.1 binding) with the keys of a PKI, and checks what the
 * server sends as both would. Written from the standard's tables, sharing no codec with the server but TLV; every step takes overrides for negative tests.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { concat, equal, fromHex, fromUtf8, toHex, utf8 } from "../sim/core/bytes.js";
import { bits, integer, must, readAll, readInteger, readOne, tlv, type Tlv } from "../sim/codec/tlv.js";
import { BppError, unbindProfile, type Unbound } from "../sim/bsp/index.js";
import { isIssuedBy, parseCertificate as parse, Policy, type Certificate } from "../sim/pki/certificate.js";
import { keyPairFromSeed, sign, verify, type KeyPair } from "../sim/pki/keys.js";
import type { Pki } from "../sim/pki/pki.js";
import type { Binding, FunctionName, Handler, HttpRequest, HttpResponse } from "../sim/rsp/index.js";

/** Certificates are few, and parsing one takes a millisecond. */
const parsed = new Map<string, Certificate>();
function parseCertificate(der: Uint8Array): Certificate {
  const name = toHex(der);
  const found = parsed.get(name) ?? parse(der);
  parsed.set(name, found);
  return found;
}

export const JSON_HEADERS = { "content-type": "application/json", "x-admin-protocol": "gsma/rsp/v2.2.0", "user-agent": "gsma-rsp-lpad" } as const;
export const ASN1_HEADERS = { "content-type": "application/x-gsma-rsp-asn1", "x-admin-protocol": "gsma/rsp/v2.2.0", "user-agent": "gsma-rsp-eim" } as const;

const TAG: Readonly<Record<FunctionName, number>> = {
  initiateAuthentication: 0xbf39, authenticateClient: 0xbf3b, getBoundProfilePackage: 0xbf3a, cancelSession: 0xbf41, handleNotification: 0xbf3d,
};

/** What came back. */
export interface Reply {
  readonly http: HttpResponse;
  /** JSON: "8.2.6/3.8"; ASN.1: "6". Absent when it went well, or when there is no such thing. */
  readonly code?: string;
  /** JSON: status and message of the header. */
  readonly status?: string;
  readonly message?: string;
  /** Hexadecimal, as received. */
  readonly transactionId?: string;
  readonly objects: readonly Uint8Array[];
  readonly events?: readonly { readonly eventId: string; readonly rspServerAddress: string }[];
}

export interface ClientOptions {
  readonly server: Handler;
  readonly pki: Pki;
  readonly binding?: Binding;
  readonly address?: string;
  readonly matchingId?: string;
  readonly confirmationCode?: string;
  /** Makes the eUICC's one-time keys differ from one client to the next. */
  readonly seed?: string;
  readonly role?: "smdp" | "smds";
}

export interface Euicc1 {
  readonly svn?: string;
  readonly signing?: readonly Uint8Array[];
  readonly verification?: readonly Uint8Array[];
  readonly address?: string;
}

export interface Signed1 {
  readonly transactionId?: Uint8Array;
  readonly serverAddress?: string;
  readonly serverChallenge?: Uint8Array;
  /** undefined: the client's; null: absent. */
  readonly matchingId?: string | null;
  readonly tac?: string;
  readonly freeMemory?: number;
  readonly profileVersion?: string;
  readonly certificate?: Uint8Array;
  readonly eumCertificate?: Uint8Array;
  readonly key?: KeyPair;
  /** Changes the finished BF38. */
  readonly change?: (bf38: Uint8Array) => Uint8Array;
}

export interface Signed2 {
  readonly transactionId?: Uint8Array;
  /** null: absent even if a code is required. */
  readonly hashCc?: Uint8Array | null;
  readonly otKey?: KeyPair;
  readonly key?: KeyPair;
  readonly change?: (bf21: Uint8Array) => Uint8Array;
}

export interface Installed extends Unbound {
  readonly transactionId: string;
}

/** One RSP session from the client's side. */
export class Client {
  readonly options: ClientOptions;
  readonly challenge: Uint8Array;
  otKey: KeyPair;
  transactionId = "";
  serverAddress = "";
  serverChallenge = new Uint8Array(0);
  euiccSignature1 = new Uint8Array(0);
  smdpSigned2 = new Uint8Array(0);
  smdpSignature2 = new Uint8Array(0);
  smdpCertificate = new Uint8Array(0);
  smdpOid = "";
  metadata = new Uint8Array(0);

  constructor(options: ClientOptions) {
    this.options = options;
    this.challenge = sha256(utf8(`challenge ${options.seed ?? ""}`)).slice(0, 16);
    this.otKey = keyPairFromSeed(options.pki.curve, `one-time ${options.seed ?? ""}`);
  }

  /** InitiateAuthentication, with all checks of eUICC and LPA on a good answer. */
  initiate(change: Euicc1 = {}): Reply {
    const { pki, address = "smdp.example.com" } = this.options;
    const info1 = euiccInfo1(pki, change);
    const smdpAddress = change.address ?? address;
    const reply = this.call("initiateAuthentication", [["euiccChallenge", this.challenge, 0x81], ["euiccInfo1", info1], ["smdpAddress", smdpAddress]]);
    if (reply.objects.length > 0) this.#checkServer(reply, pki, smdpAddress);
    return reply;
  }

  /** AuthenticateClient; on a good answer of an SM-DP+, smdpSignature2 is verified. */
  authenticate(change: Signed1 = {}): Reply {
    const bf38 = this.authenticateServerResponse(change);
    const reply = this.call("authenticateClient", [["transactionId", fromHex(this.transactionId)], ["authenticateServerResponse", bf38]]);
    if (this.options.role !== "smds" && reply.objects.length > 0) this.#checkSmdp(reply);
    return reply;
  }

  /** GetBoundProfilePackage. */
  bpp(change: Signed2 = {}): Reply {
    const bf21 = this.prepareDownloadResponse(change);
    return this.call("getBoundProfilePackage", [["transactionId", fromHex(this.transactionId)], ["prepareDownloadResponse", bf21]]);
  }

  /** What the card does with a BPP. Throws BppError. */
  install(bpp: Uint8Array, strict = true): Installed {
    const { pki } = this.options;
    const pb = parseCertificate(this.smdpCertificate);
    const found = unbindProfile(bpp, { eid: pki.eid, transactionId: fromHex(this.transactionId), euiccOt: this.otKey, curve: pb.curve, publicKey: pb.publicKey, strict });
    return { ...found, transactionId: this.transactionId };
  }

  /** A whole download: the profile package, as it came out of the BPP. */
  download(): Installed {
    succeeded(this.initiate());
    succeeded(this.authenticate());
    const reply = this.bpp();
    succeeded(reply);
    return this.install(must1(reply.objects, 0));
  }

  cancel(reason: number, change: { smdpOid?: string; transactionId?: Uint8Array; key?: KeyPair; change?: (bf41: Uint8Array) => Uint8Array } = {}): Reply {
    const signed = tlv(0x30, tlv(0x80, change.transactionId ?? fromHex(this.transactionId)), tlv(0x81, oid(change.smdpOid ?? this.smdpOid)), tlv(0x82, integer(reason)));
    const bf41 = tlv(0xbf41, tlv(0xa0, signed, tlv(0x5f37, sign(change.key ?? this.options.pki.euicc.key, signed))));
    return this.call("cancelSession", [["transactionId", fromHex(this.transactionId)], ["cancelSessionResponse", change.change?.(bf41) ?? bf41]]);
  }

  notify(pendingNotification: Uint8Array): Reply {
    return this.call("handleNotification", [["pendingNotification", pendingNotification]]);
  }

  /** ProfileInstallationResult of this session, signed by the eUICC. error: [bppCommandId, errorReason]. */
  pir(iccid: Uint8Array, options: { seqNumber?: number; error?: readonly [number, number]; key?: KeyPair; address?: string; smdpOid?: string; transactionId?: string; event?: number } = {}): Uint8Array {
    const metadata = notificationMetadata(options.seqNumber ?? 1, options.event ?? 0, options.address ?? this.serverAddress, iccid);
    const success = tlv(0xa0, tlv(0x4f, fromHex("A0000005591010FFFFFFFF8900001100")), tlv(0x04, fromHex("3007A0053003800100")));
    const final = options.error === undefined ? success : tlv(0xa1, tlv(0x80, integer(options.error[0])), tlv(0x81, integer(options.error[1])));
    const data = tlv(0xbf27, tlv(0x80, fromHex(options.transactionId ?? this.transactionId)), metadata, tlv(0x06, oid(options.smdpOid ?? this.smdpOid)), tlv(0xa2, final));
    return tlv(0xbf37, data, tlv(0x5f37, sign(options.key ?? this.options.pki.euicc.key, data)));
  }

  /** otherSignedNotification of this eUICC. event: bit of profileManagementOperation. */
  notification(seqNumber: number, event: number, iccid: Uint8Array, options: { key?: KeyPair; address?: string; certificate?: Uint8Array } = {}): Uint8Array {
    const { pki, address = "smdp.example.com" } = this.options;
    const metadata = notificationMetadata(seqNumber, event, options.address ?? address, iccid);
    return tlv(0x30, metadata, tlv(0x5f37, sign(options.key ?? pki.euicc.key, metadata)), options.certificate ?? pki.euicc.certificate, pki.eum.certificate);
  }

  authenticateServerResponse(change: Signed1 = {}): Uint8Array {
    const { pki } = this.options;
    const signed1 = tlv(
      0x30,
      tlv(0x80, change.transactionId ?? fromHex(this.transactionId)),
      tlv(0x83, utf8(change.serverAddress ?? this.serverAddress)),
      tlv(0x84, change.serverChallenge ?? this.serverChallenge),
      euiccInfo2(pki, change),
      ctxParams1(change.matchingId === undefined ? this.options.matchingId ?? "" : change.matchingId, change.tac ?? "35290611"),
    );
    const signature = tlv(0x5f37, sign(change.key ?? pki.euicc.key, signed1));
    this.euiccSignature1 = Uint8Array.from(signature);
    const bf38 = tlv(0xbf38, tlv(0xa0, signed1, signature, change.certificate ?? pki.euicc.certificate, change.eumCertificate ?? pki.eum.certificate));
    return change.change?.(bf38) ?? bf38;
  }

  prepareDownloadResponse(change: Signed2 = {}): Uint8Array {
    const { pki, confirmationCode } = this.options;
    if (change.otKey !== undefined) this.otKey = change.otKey;
    const hash = change.hashCc === undefined && confirmationCode !== undefined ? sha256(concat(sha256(utf8(confirmationCode)), fromHex(this.transactionId))) : change.hashCc;
    const signed2 = tlv(0x30, tlv(0x80, change.transactionId ?? fromHex(this.transactionId)), tlv(0x5f49, this.otKey.publicKey), ...(hash ? [tlv(0x04, hash)] : []));
    const signature = sign(change.key ?? pki.euicc.key, concat(signed2, this.smdpSignature2));
    const bf21 = tlv(0xbf21, tlv(0xa0, signed2, tlv(0x5f37, signature)));
    return change.change?.(bf21) ?? bf21;
  }

  /** Calls a function in the client's binding. A member without a tag of its own is a whole TLV (or a text, tag 83). */
  call(name: FunctionName, members: readonly (readonly [string, Uint8Array | string, number?])[], change: Partial<HttpRequest> = {}): Reply {
    const request = this.options.binding === "asn1" ? asn1Request(name, members) : jsonRequest(name, members);
    const http = this.options.server.handle({ ...request, ...change });
    return this.options.binding === "asn1" ? readAsn1(http, name, this.options.role ?? "smdp") : readJson(http);
  }

  #checkServer(reply: Reply, pki: Pki, address: string): void {
    const [signed1, signature, ciPkId, certificate] = reply.objects as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
    const items = readAll(readOne(signed1, 0x30).value);
    this.transactionId = reply.transactionId as string;
    assert.equal(toHex(must(items, 0x80, "transactionId").value), this.transactionId.toUpperCase());
    assert.ok(equal(must(items, 0x81, "euiccChallenge").value, this.challenge), "euiccChallenge");
    this.serverAddress = fromUtf8(must(items, 0x83, "serverAddress").value);
    assert.equal(this.serverAddress.toLowerCase(), address.toLowerCase());
    this.serverChallenge = Uint8Array.from(must(items, 0x84, "serverChallenge").value);
    assert.equal(this.serverChallenge.length, 16);
    const ci = parseCertificate(pki.ci.certificate);
    assert.ok(equal(readOne(ciPkId, 0x04).value, ci.subjectKeyId as Uint8Array), "euiccCiPKIdToBeUsed");
    const own = parseCertificate(certificate);
    assert.ok(isIssuedBy(own, ci), "serverCertificate is issued by the CI");
    assert.deepEqual(own.policies, [this.options.role === "smds" ? Policy.dsAuth : Policy.dpAuth]);
    this.smdpOid = own.registeredId as string;
    assert.ok(verify(own.curve, own.publicKey, signed1, readOne(signature, 0x5f37).value), "serverSignature1");
  }

  #checkSmdp(reply: Reply): void {
    const [metadata, signed2, signature2, certificate] = reply.objects as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
    readOne(metadata, 0xbf25);
    const pb = parseCertificate(certificate);
    assert.ok(isIssuedBy(pb, parseCertificate(this.options.pki.ci.certificate)), "smdpCertificate is issued by the CI");
    assert.deepEqual(pb.policies, [Policy.dpPb]);
    assert.equal(pb.registeredId, this.smdpOid);
    assert.ok(verify(pb.curve, pb.publicKey, concat(signed2, this.euiccSignature1), readOne(signature2, 0x5f37).value), "smdpSignature2");
    assert.equal(toHex(must(readAll(readOne(signed2, 0x30).value), 0x80, "transactionId").value), this.transactionId);
    Object.assign(this, { metadata, smdpSigned2: signed2, smdpSignature2: signature2, smdpCertificate: certificate });
  }
}

/** ccRequiredFlag and bppEuiccOtpk of smdpSigned2. */
export function signed2Of(client: Client): { ccRequired: boolean; otpk?: Uint8Array } {
  const items = readAll(readOne(client.smdpSigned2).value);
  const otpk = items.find((item) => item.tag === 0x5f49);
  return { ccRequired: must(items, 0x01, "ccRequiredFlag").value[0] === 0xff, ...(otpk && { otpk: otpk.value }) };
}

export function succeeded(reply: Reply): void {
  assert.equal(reply.http.status, 200, Buffer.from(reply.http.body).toString());
  assert.equal(reply.code, undefined, reply.message);
}

export function must1<T>(list: readonly T[], at: number): T {
  assert.ok(at < list.length, `${list.length} objects`);
  return list[at] as T;
}

export { BppError };

function jsonRequest(name: FunctionName, members: readonly (readonly [string, Uint8Array | string, number?])[]): HttpRequest {
  const value = (member: string, content: Uint8Array | string): string => {
    if (typeof content === "string") return content;
    return member === "transactionId" ? toHex(content) : Buffer.from(content).toString("base64");
  };
  const body = Object.fromEntries(members.map(([member, content]) => [member, value(member, content)]));
  return { method: "POST", path: `/gsma/rsp2/es9plus/${name}`, headers: JSON_HEADERS, body: utf8(JSON.stringify(body)) };
}

function asn1Request(name: FunctionName, members: readonly (readonly [string, Uint8Array | string, number?])[]): HttpRequest {
  const content = members.map(([member, given, tag]): Uint8Array => {
    if (typeof given === "string") return tlv(0x83, utf8(given));
    if (tag !== undefined) return tlv(tag, given);
    if (member === "transactionId") return tlv(0x80, given);
    if (member === "cancelSessionResponse") return tlv(0xa1, readOne(given).value);
    return member === "pendingNotification" ? tlv(0xa0, given) : given;
  });
  // InitiateAuthentication has the address between challenge and euiccInfo1.
  const ordered = name === "initiateAuthentication" ? [content[0], content[2], content[1]].map((one) => one as Uint8Array) : content;
  return { method: "POST", path: "/gsma/rsp2/asn1", headers: ASN1_HEADERS, body: tlv(0xa2, tlv(TAG[name], ...ordered)) };
}

function readJson(http: HttpResponse): Reply {
  if (http.status !== 200 || http.body.length === 0) return { http, objects: [] };
  const { header, transactionId, eventEntries, ...rest } = JSON.parse(fromUtf8(http.body)) as Record<string, unknown> & {
    header?: { functionExecutionStatus: { status: string; statusCodeData?: { subjectCode: string; reasonCode: string; message: string } } };
  };
  const execution = header?.functionExecutionStatus;
  const data = execution?.statusCodeData;
  return {
    http,
    ...(execution && { status: execution.status }),
    ...(data && { message: data.message, ...(execution?.status === "Executed-WithWarning" ? {} : { code: `${data.subjectCode}/${data.reasonCode}` }) }),
    ...(transactionId !== undefined && { transactionId: transactionId as string }),
    objects: Object.values(rest).filter((value) => typeof value === "string").map((value) => new Uint8Array(Buffer.from(value as string, "base64"))),
    ...(eventEntries !== undefined && { events: eventEntries as NonNullable<Reply["events"]> }),
  };
}

function readAsn1(http: HttpResponse, name: FunctionName, role: "smdp" | "smds"): Reply {
  if (http.status !== 200 || http.body.length === 0) return { http, objects: [] };
  const tag = role === "smds" && name === "authenticateClient" ? 0xbf40 : TAG[name];
  const chosen = readOne(readOne(readOne(http.body, 0xa2).value, tag).value);
  if (chosen.tag === 0x81) return { http, code: String(readInteger(chosen.value)), objects: [] };
  assert.equal(chosen.tag, 0xa0);
  const items = readAll(chosen.value);
  const id = items.find((item) => item.tag === 0x80);
  const list = items.find((item) => item.tag === 0xa1);
  const text = (item: Tlv, wanted: number): string => fromUtf8(must(readAll(item.value), wanted, "member").value);
  return {
    http,
    ...(id && { transactionId: toHex(id.value) }),
    objects: items.filter((item) => item !== id && item !== list).map((item) => item.raw),
    ...(list && { events: readAll(list.value).map((item) => ({ eventId: text(item, 0x80), rspServerAddress: text(item, 0x81) })) }),
  };
}

function euiccInfo1(pki: Pki, { svn = "2.5.0", signing, verification }: Euicc1): Uint8Array {
  const own = [ciPkId(pki)];
  const list = (ids: readonly Uint8Array[]): Uint8Array[] => ids.map((id) => tlv(0x04, id));
  return tlv(0xbf20, tlv(0x82, svn.split(".").map(Number)), tlv(0xa9, ...list(verification ?? own)), tlv(0xaa, ...list(signing ?? own)));
}

function euiccInfo2(pki: Pki, { freeMemory = 429_440, profileVersion = "2.3.1" }: Signed1): Uint8Array {
  const id = tlv(0x04, ciPkId(pki));
  const memory = Uint8Array.of(freeMemory >>> 24, freeMemory >>> 16, freeMemory >>> 8, freeMemory);
  return tlv(
    0xbf22,
    tlv(0x81, profileVersion.split(".").map(Number)), tlv(0x82, [2, 5, 0]), tlv(0x83, [1, 0, 0]),
    tlv(0x84, tlv(0x81, [0]), tlv(0x82, memory), tlv(0x83, [0, 0, 0x10, 0])),
    tlv(0x85, [5, 7, 0xe0]), tlv(0x88, [2, 0x98]), tlv(0xa9, id), tlv(0xaa, id), tlv(0x04, [1, 0, 0]), tlv(0x0c, utf8("XX-YY")),
    tlv(0x90, [0]), tlv(0xb4, tlv(0xa0, tlv(0x04, [1, 2, 0]))),
  );
}

function ctxParams1(matchingId: string | null, tac: string): Uint8Array {
  const coded = fromHex(tac.replace(/(.)(.)/g, "$2$1"));
  const capabilities = tlv(0xa1, tlv(0x80, [15, 0, 0]), tlv(0x85, [15, 0, 0]));
  return tlv(0xa0, ...(matchingId === null ? [] : [tlv(0x80, utf8(matchingId))]), tlv(0xa1, tlv(0x80, coded), capabilities, tlv(0x82, fromHex("532960113254765F"))));
}

function notificationMetadata(seqNumber: number, event: number, address: string, iccid: Uint8Array): Uint8Array {
  return tlv(0xbf2f, tlv(0x80, integer(seqNumber)), tlv(0x81, bits(event)), tlv(0x0c, utf8(address)), tlv(0x5a, iccid));
}

export function ciPkId(pki: Pki): Uint8Array {
  return parseCertificate(pki.ci.certificate).subjectKeyId as Uint8Array;
}

function oid(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  return Uint8Array.from([first * 40 + second, ...rest].flatMap((arc) => (arc < 128 ? [arc] : [...(arc >> 14 ? [0x80 | (arc >> 14)] : []), 0x80 | ((arc >> 7) & 0x7f), arc & 0x7f])));
}

function sha256(octets: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(octets).digest());
}
