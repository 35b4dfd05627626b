/**
 * Associated eIMs: EimConfigurationData read, checked, stored and told (SGP.32 v1.2 2.11.1.1.2), AddInitialEim (5.9.4),
 * GetEimConfigurationData (5.9.18). The bytes of a member are kept and given back as they came.
 */
import { concat, equal, toHex, utf8 } from "../core/bytes.js";
import { bits, integer, must, find, readAll, readBits, readInteger, readOne, tlv, TlvError, type Tlv } from "../codec/tlv.js";
import { SimError } from "../core/errors.js";
import { parseCertificate } from "../pki/certificate.js";
import { fromSpki, type Curve } from "../pki/keys.js";
import { readUtf8 } from "./coding.js";
import { chainFor, refuse, type Context } from "./context.js";
import type { Eim, EimMember } from "./state.js";

/** Codes of AddInitialEim, addEim, updateEim (SGP.32 v1.2 2.11.2.1). */
export enum EimCode {
  Ok = 0,
  InsufficientMemory = 1,
  AlreadyExists = 2,
  CiPkUnknown = 3,
  InvalidAssociationToken = 5,
  CounterValueOutOfRange = 6,
  CommandError = 7,
}

export interface PublicKey {
  curve: Curve;
  publicKey: Uint8Array;
}

/** EimConfigurationData as asked for. */
export interface EimRequest {
  eimId: string;
  members: EimMember[];
  counterValue?: number;
  associationToken?: number;
  key?: PublicKey;
  ciPkId?: Uint8Array;
}

/** Members in their order; AA is of v1.3 and is stored without being understood. */
const ORDER = [0x80, 0x81, 0x82, 0x83, 0x84, 0xa5, 0xa6, 0x87, 0x88, 0x89, 0xaa];

/** Reads EimConfigurationData's members. Throws TlvError or SimError saying what is wrong: to the peer that is commandError. */
export function readEimConfiguration(ctx: Context, content: Uint8Array): EimRequest {
  const items = readAll(content, { lenient: ctx.config.lenient });
  inOrder(items);
  const eimId = must(items, 0x80, "eimId").value;
  if (eimId.length < 1 || eimId.length > 128) throw new TlvError("tlv", `eimId has ${eimId.length} octets, expected 1 to 128`);
  for (const item of items) checkMember(ctx, item);
  const counter = find(items, 0x83);
  const token = find(items, 0x84);
  const key = find(items, 0xa5);
  const ciPkId = find(items, 0x88);
  return {
    eimId: readUtf8(eimId, "eimId"),
    members: items.filter(({ tag }) => ORDER.includes(tag) && tag !== 0x83 && tag !== 0x84).map(({ tag, raw }) => Object.freeze({ tag, raw })),
    ...(counter && { counterValue: readCounter(counter.value) }),
    ...(token && { associationToken: readCounter(token.value) }),
    ...(key && { key: readKey(ctx, key.raw) }),
    ...(ciPkId && { ciPkId: ciPkId.value }),
  };
}

/** INTEGER of any width; beyond 6 octets it is infinite, which every limit refuses. */
export function readCounter(content: Uint8Array, lenient = false): number {
  if (content.length <= 6) return readInteger(content, { lenient });
  return (content[0] as number) >= 0x80 ? -Infinity : Infinity;
}

/** The rules of addEim and AddInitialEim, in the order of procedures 4.3. taken: eimIds that exist; room: how many more fit. */
export function checkAddable(ctx: Context, request: EimRequest, taken: readonly string[], room: number): [EimCode, string] {
  if (taken.includes(request.eimId)) return [EimCode.AlreadyExists, `eIM "${request.eimId}" is associated already`];
  if (room < 1) return [EimCode.InsufficientMemory, `no room for more than ${ctx.config.limits.eims} eIMs`];
  const token = request.associationToken;
  if (token !== undefined && token !== -1) return [EimCode.InvalidAssociationToken, `expected associationToken -1, got ${token}`];
  if (request.ciPkId !== undefined && chainFor(ctx, request.ciPkId) === undefined) {
    return [EimCode.CiPkUnknown, `euiccCiPKId ${toHex(request.ciPkId)} is not in the list for signing`];
  }
  const counter = request.counterValue;
  if (counter !== undefined && !inRange(ctx, counter)) return [EimCode.CounterValueOutOfRange, `counterValue ${counter} is not from 0 to ${ctx.config.limits.counterValue}`];
  if (counter === undefined) return [EimCode.CommandError, "counterValue is missing"];
  if (request.key === undefined) return [EimCode.CommandError, "eimPublicKeyData is missing"];
  return [EimCode.Ok, ""];
}

export function inRange(ctx: Context, counter: number): boolean {
  return counter >= 0 && counter <= ctx.config.limits.counterValue;
}

/** Stores an eIM and returns it. A requested token (-1) is allocated, any other is taken as it is. */
export function addEim(ctx: Context, request: EimRequest): Eim {
  const { eimId, members } = request;
  const associationToken = request.associationToken === -1 ? allocateToken(ctx) : (request.associationToken ?? null);
  const eim: Eim = { eimId, members, counterValue: request.counterValue ?? 0, associationToken };
  ctx.state.nonvolatile.eims.push(eim);
  return eim;
}

/** Tokens go from 1 to 127, one octet, and then begin again with those that no eIM has. */
function allocateToken(ctx: Context): number {
  const nonvolatile = ctx.state.nonvolatile;
  let token = nonvolatile.nextToken;
  while (nonvolatile.eims.some((eim) => eim.associationToken === token)) token = (token % 127) + 1;
  nonvolatile.nextToken = (token % 127) + 1;
  return token;
}

export function eimById(ctx: Context, eimId: string): Eim | undefined {
  return ctx.state.nonvolatile.eims.find((eim) => eim.eimId === eimId);
}

export function member(eim: Eim, tag: number): Uint8Array | undefined {
  return eim.members.find((one) => one.tag === tag)?.raw;
}

/** The key that verifies an eIM's packages. */
export function eimKey(ctx: Context, eim: Eim): PublicKey {
  const raw = member(eim, 0xa5);
  if (raw === undefined) throw new SimError("state", `eIM "${eim.eimId}" is stored without eimPublicKeyData`);
  return readKey(ctx, raw);
}

/** `84 len value`: what is signed behind the data; 0 when the eIM has no token. */
export function tokenObject(eim: Eim): Uint8Array {
  return tlv(0x84, integer(eim.associationToken ?? 0));
}

/** BF57. */
export function addInitialEim(ctx: Context, command: Tlv): Uint8Array {
  const nonvolatile = ctx.state.nonvolatile;
  const fail = (code: EimCode, why: string): Uint8Array => tlv(0xbf57, tlv(0x81, [refuse(ctx, "AddInitialEim", code, why)]));
  if (nonvolatile.eims.length > 0) return fail(EimCode.AlreadyExists, `${nonvolatile.eims.length} eIM is associated already`);
  let requests: EimRequest[];
  try {
    const list = readAll(readOne(command.value, 0xa0).value);
    requests = list.map((item) => readEimConfiguration(ctx, listElement(item)));
  } catch (error) {
    return fail(EimCode.CommandError, reason(error));
  }
  if (requests.length === 0) return fail(EimCode.CommandError, "the list of eIMs is empty");
  for (const [index, request] of requests.entries()) {
    const taken = requests.slice(0, index).map((one) => one.eimId);
    const [code, why] = checkAddable(ctx, request, taken, ctx.config.limits.eims - index);
    if (code !== EimCode.Ok) return fail(code, why);
  }
  const added = requests.map((request) => addEim(ctx, request));
  return tlv(0xbf57, tlv(0xa0, ...added.map((eim) => (eim.associationToken === null ? tlv(0x05) : tokenObject(eim)))));
}

/** BF55. */
export function getEimConfigurationData(ctx: Context, command: Tlv): Uint8Array {
  let eims = ctx.state.nonvolatile.eims;
  if (command.value.length > 0) {
    const wanted = readOne(readOne(command.value, 0xa0).value, 0x80).value;
    eims = eims.filter((eim) => equal(utf8(eim.eimId), wanted));
  }
  const list = eims.map((eim) => toldConfiguration(ctx, eim));
  if (ctx.config.quirks.has("eim-list-split")) return tlv(0xbf55, ...list.map((one) => tlv(0xa0, one)));
  return tlv(0xbf55, tlv(0xa0, ...list));
}

/** What is told to a peer about an error that was caught. Defects of the simulator are thrown on. */
export function reason(error: unknown): string {
  if (error instanceof SimError || error instanceof RangeError) return error.message;
  throw error;
}

function toldConfiguration(ctx: Context, eim: Eim): Uint8Array {
  const { quirks, chains } = ctx.config;
  const split = quirks.has("eim-list-split");
  const parts = new Map<number, Uint8Array>(eim.members.map(({ tag, raw }) => [tag, raw]));
  if (eim.associationToken !== null) parts.set(0x84, tokenObject(eim));
  if (split) parts.set(0x83, tlv(0x83, integer(eim.counterValue)));
  if (quirks.has("eim-defaults")) {
    const defaults = [tlv(0x82, [3]), tlv(0x87, bits(4)), tlv(0x88, chains[0].ciPkId)];
    for (const raw of defaults) if (!parts.has(raw[0] as number)) parts.set(raw[0] as number, raw);
  }
  const order = split ? [...ORDER.filter((tag) => tag !== 0xa5 && tag !== 0xa6), 0xa5, 0xa6] : ORDER;
  return tlv(0x30, concat(...order.flatMap((tag) => parts.get(tag) ?? [])));
}

function listElement(item: Tlv): Uint8Array {
  if (item.tag !== 0x30) throw new TlvError("tlv", `expected EimConfigurationData (tag 30), got tag ${item.tag.toString(16).toUpperCase()}`);
  return item.value;
}

/** Known members stand in ascending order of the type, each once; unknown ones may follow anywhere (extensibility implied). */
function inOrder(items: readonly Tlv[]): void {
  let last = -1;
  for (const { tag } of items) {
    const at = ORDER.indexOf(tag);
    if (at < 0) continue;
    if (at <= last) throw new TlvError("tlv", `member ${tag.toString(16).toUpperCase()} is out of order or repeated`);
    last = at;
  }
}

function checkMember(ctx: Context, { tag, value }: Tlv): void {
  const lenient = ctx.config.lenient;
  if (tag === 0x81) readUtf8(value, "eimFqdn");
  if (tag === 0x82 && ![1, 2, 3].includes(readInteger(value))) throw new TlvError("tlv", `eimIdType ${toHex(value)} is not 1, 2 or 3`);
  if (tag === 0xa6) unwrapKey(value, lenient);
  if (tag === 0x87) readBits(value);
  if (tag === 0x89 && value.length > 0) throw new TlvError("tlv", "indirectProfileDownload (NULL) has content");
}

/** Keys by the octets of their member: reading certificates is slow, and the octets never change. */
const keys = new WeakMap<Uint8Array, PublicKey>();

function readKey(ctx: Context, raw: Uint8Array): PublicKey {
  const known = keys.get(raw);
  if (known !== undefined) return known;
  const { spki, certificate } = unwrapKey(readOne(raw, 0xa5, { lenient: true }).value, ctx.config.lenient);
  const { curve, publicKey } = spki === undefined ? parseCertificate(certificate as Uint8Array) : fromSpki(spki);
  if (!ctx.config.chains.some((chain) => chain.curve === curve)) throw new SimError("curve", `eimPublicKeyData is on ${curve}, which this eUICC does not support`);
  const key = { curve, publicKey };
  keys.set(raw, key);
  return key;
}

/** eimPublicKeyData and trustedPublicKeyDataTls: A0{30, 03} is a key, A1{30, 30, 03} a certificate. Lenient: also the nested and the bare 30. */
function unwrapKey(content: Uint8Array, lenient: boolean): { spki?: Uint8Array; certificate?: Uint8Array } {
  let { tag, value } = readOne(content);
  if (lenient) {
    const only = readAll(value)[0];
    if (tag === 0xa0 || tag === 0xa1) {
      if (only?.tag === 0x30 && only.raw.length === value.length) value = only.value;
    } else if (tag === 0x30) {
      tag = readAll(value)[1]?.tag === 0x03 ? 0xa0 : 0xa1;
    }
  }
  const shape = readAll(value).map((item) => item.tag.toString(16).padStart(2, "0")).join(" ");
  const der = tlv(0x30, value);
  if (tag === 0xa0 && shape === "30 03") return { spki: der };
  if (tag === 0xa1 && shape === "30 30 03") return { certificate: der };
  throw new TlvError("tlv", `expected a key A0{30 03} or a certificate A1{30 30 03}, got ${tag.toString(16).toUpperCase()}{${shape}}`);
}
