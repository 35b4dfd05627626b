/**
 * The record layer (RFC 6347 4.1, RFC 9146 3 to 5): records of a datagram, their protection, the window against replay.
 * All state is plain data. Epochs are 0 and 1: there is no renegotiation.
 */
import { concat, equal, toHex } from "../core/bytes.js";
import { Content, DTLS_1_0, DTLS_1_2, MAX_FRAGMENT, type Suite } from "./constants.js";
import { open, seal, type Keys } from "./crypto.js";
import { uint } from "./wire.js";

export interface DtlsRecord {
  readonly type: number;
  readonly version: number;
  readonly epoch: number;
  readonly seq: number;
  /** Empty but for type tls12_cid. */
  readonly cid: Uint8Array;
  readonly body: Uint8Array;
}

/** Records seen in one epoch: the newest number, and a bit for each of the 64 up to it (bit 0: the newest). */
export interface Window {
  newest: number;
  mask: bigint;
}

export interface Layer {
  suite: Suite | undefined;
  /** Next sequence numbers of epochs 0 and 1; keys of epoch 1; the connection id that the peer wants, empty for none. */
  readonly write: { seq: [number, number]; keys: Keys | undefined; cid: Uint8Array };
  /** Window and keys of epoch 1; our own connection id, empty for none. */
  readonly read: { readonly window: Window; keys: Keys | undefined; cid: Uint8Array };
  /** Octets of plaintext in a record. */
  fragmentLimit: number;
}

const WINDOW = 64;
const HEADER = 13;
const NONE = new Uint8Array(0);

export function newLayer(): Layer {
  return {
    suite: undefined, fragmentLimit: MAX_FRAGMENT,
    write: { seq: [0, 0], keys: undefined, cid: NONE }, read: { window: { newest: -1, mask: 0n }, keys: undefined, cid: NONE },
  };
}

/** The records of a datagram. What can't be read is left out and named: one bad record ends the datagram. */
export function splitRecords(datagram: Uint8Array, cidLength: number): { records: DtlsRecord[]; problem?: string } {
  const records: DtlsRecord[] = [];
  for (let at = 0; at < datagram.length; ) {
    const type = datagram[at] as number;
    const header = HEADER + (type === Content.Tls12Cid ? cidLength : 0);
    if (at + header > datagram.length) return { records, problem: `a record header of ${header} octets expected, got ${datagram.length - at}` };
    const view = new DataView(datagram.buffer, datagram.byteOffset + at, header);
    const version = view.getUint16(1);
    const length = view.getUint16(header - 2);
    if (type < Content.ChangeCipherSpec || type > Content.Tls12Cid) return { records, problem: `a record type 20 to 25 expected, got ${type}` };
    if (version !== DTLS_1_2 && version !== DTLS_1_0) return { records, problem: `version FEFD expected, got ${version.toString(16).toUpperCase()}` };
    if (at + header + length > datagram.length) return { records, problem: `a record of ${length} octets expected, got ${datagram.length - at - header}` };
    const cid = datagram.slice(at + 11, at + header - 2);
    records.push({ type, version, epoch: view.getUint16(3), seq: view.getUint16(5) * 2 ** 32 + view.getUint32(7), cid, body: datagram.slice(at + header, at + header + length) });
    at += header + length;
  }
  return { records };
}

/** Writes one record in an epoch: epoch 1 is protected, with the peer's connection id where it wants one. */
export function sealRecord(layer: Layer, epoch: 0 | 1, type: number, content: Uint8Array, version = DTLS_1_2): Uint8Array {
  const seq = layer.write.seq[epoch]++;
  if (epoch === 0) return concat(head(type, version, 0, seq, NONE), uint(2, content.length), content);
  const { suite } = layer;
  const { keys, cid } = layer.write;
  if (keys === undefined || suite === undefined) throw new RangeError("expected keys of epoch 1, got none");
  const withCid = cid.length > 0;
  const inner = withCid ? concat(content, uint(1, type)) : content;
  const nonce = concat(uint(2, epoch), uint(6, seq));
  const body = concat(nonce, seal(suite, keys, nonce, additionalData(type, nonce, withCid ? cid : undefined, inner.length), inner));
  return concat(head(withCid ? Content.Tls12Cid : type, DTLS_1_2, epoch, seq, cid), uint(2, body.length), body);
}

function head(type: number, version: number, epoch: number, seq: number, cid: Uint8Array): Uint8Array {
  return concat(uint(1, type), uint(2, version), uint(2, epoch), uint(6, seq), cid);
}

/** RFC 5246 6.2.3.3, and RFC 9146 5.3 with a connection id. */
export function additionalData(type: number, epochAndSeq: Uint8Array, cid: Uint8Array | undefined, length: number): Uint8Array {
  if (cid === undefined) return concat(epochAndSeq, uint(1, type), uint(2, DTLS_1_2), uint(2, length));
  const outer = uint(1, Content.Tls12Cid);
  return concat(new Uint8Array(8).fill(0xff), outer, uint(1, cid.length), outer, uint(2, DTLS_1_2), epochAndSeq, cid, uint(2, length));
}

export interface Opened {
  readonly type: number;
  readonly content: Uint8Array;
  /** No record with a higher number was seen before in this epoch. */
  readonly newest: boolean;
}

/**
 * Takes the protection off a record; why not, in words, where that is impossible. Only a good record changes the window. Epoch 0 has none:
 * anybody could move it there, and message_seq tells repeated handshake messages apart.
 */
export function openRecord(layer: Layer, record: DtlsRecord): Opened | string {
  if (record.epoch > 1) return `epoch 0 or 1 expected, got ${record.epoch}`;
  const { window } = layer.read;
  if (record.epoch === 1 && isReplay(window, record.seq)) return `record ${record.seq} of epoch ${record.epoch} is a replay or too old`;
  const plain = record.epoch === 0 ? openPlain(record) : openProtected(layer, record);
  if (typeof plain === "string") return plain;
  if (plain.content.length > layer.fragmentLimit) return `a fragment of at most ${layer.fragmentLimit} octets expected, got ${plain.content.length}`;
  if (record.epoch === 0) return { ...plain, newest: false };
  const newest = record.seq > window.newest;
  markSeen(window, record.seq);
  return { ...plain, newest };
}

function openPlain({ type, body }: DtlsRecord): { type: number; content: Uint8Array } | string {
  return type === Content.Tls12Cid ? "a connection id is for epoch 1 only" : { type, content: body };
}

function openProtected(layer: Layer, record: DtlsRecord): { type: number; content: Uint8Array } | string {
  const { suite } = layer;
  const { keys, cid } = layer.read;
  if (suite === undefined || keys === undefined) return "no keys of epoch 1 yet";
  const withCid = record.type === Content.Tls12Cid;
  if (withCid !== cid.length > 0) return withCid ? "no connection id expected, got one" : `connection id ${toHex(cid)} expected, got none`;
  if (!equal(record.cid, cid)) return `connection id ${toHex(cid)} expected, got ${toHex(record.cid)}`;
  const length = record.body.length - 8 - suite.tagLength;
  if (length < 0) return `${8 + suite.tagLength} or more octets of a protected record expected, got ${record.body.length}`;
  const epochAndSeq = concat(uint(2, record.epoch), uint(6, record.seq));
  const aad = additionalData(record.type, epochAndSeq, withCid ? cid : undefined, length);
  const plaintext = open(suite, keys, record.body.subarray(0, 8), aad, record.body.subarray(8));
  if (plaintext === undefined) return `record ${record.seq} of epoch ${record.epoch}: bad MAC`;
  return withCid ? unwrap(plaintext) : { type: record.type, content: plaintext };
}

/** RFC 9146 4: content, real type, zero padding. */
function unwrap(inner: Uint8Array): { type: number; content: Uint8Array } | string {
  let end = inner.length;
  while (end > 0 && inner[end - 1] === 0) end--;
  if (end === 0) return "a content type before the padding expected, got zeros only";
  return { type: inner[end - 1] as number, content: inner.slice(0, end - 1) };
}

/** RFC 6347 4.1.2.6. */
export function isReplay(window: Window, seq: number): boolean {
  const age = window.newest - seq;
  return age >= 0 && (age >= WINDOW || ((window.mask >> BigInt(age)) & 1n) === 1n);
}

export function markSeen(window: Window, seq: number): void {
  const ahead = seq - window.newest;
  if (ahead <= 0) {
    window.mask |= 1n << BigInt(-ahead);
    return;
  }
  window.mask = ahead >= WINDOW ? 1n : ((window.mask << BigInt(ahead)) | 1n) & (2n ** 64n - 1n);
  window.newest = seq;
}
