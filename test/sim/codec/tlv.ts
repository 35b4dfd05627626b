/**
 * BER-TLV for the simulated peers (X.690; rules of use in SGP.22/SGP.32 ASN.1). Strict by default: DER, as real peers demand.
 * Written independently of the agent's codec: shares nothing with assembly/.
 */
import { concat, toHex } from "../core/bytes.js";
import { SimError } from "../core/errors.js";

/** A data object that does not parse. `code` is "tlv". */
export class TlvError extends SimError {}

export interface Tlv {
  /** Identifier octets as one number: 0x5A, 0xBF2D, 0x5F37. */
  readonly tag: number;
  /** Content octets (a view, not a copy). */
  readonly value: Uint8Array;
  /** The whole data object as received: identifier, length, content. */
  readonly raw: Uint8Array;
}

export interface ReadOptions {
  /** Accept length forms that are not minimal (default: refuse). */
  readonly lenient?: boolean;
}

/** Reads the data object at `offset`; `end` is the offset behind it. Throws TlvError saying what is wrong and where. */
export function readTlv(bytes: Uint8Array, offset = 0, options: ReadOptions = {}): Tlv & { end: number } {
  const at = offset;
  const need = (n: number, what: string): void => {
    if (offset + n > bytes.length) {
      throw new TlvError("tlv", `${what} at offset ${at} is cut off: ${n} octets expected, ${bytes.length - offset} left`);
    }
  };
  need(1, "identifier");
  let tag = bytes[offset++] as number;
  if ((tag & 0x1f) === 0x1f) {
    for (let i = 0; ; i++) {
      need(1, "identifier");
      const b = bytes[offset++] as number;
      if (i === 0 && b === 0x80) throw new TlvError("tlv", `identifier at offset ${at} has a leading zero septet`);
      if (i === 2) throw new TlvError("tlv", `identifier at offset ${at} is longer than 3 octets`);
      tag = tag * 256 + b;
      if ((b & 0x80) === 0) {
        if (i === 0 && b < 0x1f) throw new TlvError("tlv", `identifier at offset ${at} uses the long form for number ${b}`);
        break;
      }
    }
  }
  need(1, "length");
  let length = bytes[offset++] as number;
  if (length === 0x80) throw new TlvError("tlv", `indefinite length at offset ${offset - 1}`);
  if (length > 0x80) {
    const n = length & 0x7f;
    if (n > 4) throw new TlvError("tlv", `length of ${n} octets at offset ${offset - 1}`);
    need(n, "length");
    length = 0;
    for (let i = 0; i < n; i++) length = length * 256 + (bytes[offset++] as number);
    const minimal = length < 0x80 ? 0 : length < 0x100 ? 1 : length < 0x10000 ? 2 : length < 0x1000000 ? 3 : 4;
    if (minimal !== n && options.lenient !== true) {
      throw new TlvError("tlv", `length of tag ${tag.toString(16).toUpperCase()} at offset ${at} is not minimal`);
    }
  }
  need(length, `content of tag ${tag.toString(16).toUpperCase()}`);
  const end = offset + length;
  return { tag, value: bytes.subarray(offset, end), raw: bytes.subarray(at, end), end };
}

/** All data objects of `bytes`, which must hold nothing else. */
export function readAll(bytes: Uint8Array, options: ReadOptions = {}): Tlv[] {
  const out: Tlv[] = [];
  for (let at = 0; at < bytes.length; ) {
    const item = readTlv(bytes, at, options);
    out.push(item);
    at = item.end;
  }
  return out;
}

/** The one data object of `bytes`; nothing may follow it. With `tag`: it must have that tag. */
export function readOne(bytes: Uint8Array, tag?: number, options: ReadOptions = {}): Tlv {
  const item = readTlv(bytes, 0, options);
  if (item.end !== bytes.length) {
    throw new TlvError("tlv", `${bytes.length - item.end} octets follow the data object ${tagHex(item.tag)}: ${toHex(bytes.subarray(item.end, item.end + 16))}`);
  }
  if (tag !== undefined && item.tag !== tag) throw new TlvError("tlv", `expected tag ${tagHex(tag)}, got ${tagHex(item.tag)}`);
  return item;
}

/** The first of `items` with `tag`, or undefined. */
export function find(items: readonly Tlv[], tag: number): Tlv | undefined {
  return items.find((item) => item.tag === tag);
}

/** The first of `items` with `tag`; throws TlvError naming `what` when there is none. */
export function must(items: readonly Tlv[], tag: number, what: string): Tlv {
  const item = find(items, tag);
  if (item === undefined) throw new TlvError("tlv", `${what} (tag ${tagHex(tag)}) is missing`);
  return item;
}

/** Encodes a data object in DER: tag as one number (0xBF2D), content from the parts in order. */
export function tlv(tag: number, ...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  const content = concat(...parts.map((part) => (part instanceof Uint8Array ? part : Uint8Array.from(part))));
  return concat(tagBytes(tag), lengthBytes(content.length), content);
}

/** Content octets of a DER INTEGER. */
export function integer(value: number): Uint8Array {
  if (!Number.isSafeInteger(value)) throw new RangeError(`expected a whole number, got ${value}`);
  const out: number[] = [];
  let rest = value;
  do {
    out.unshift(((rest % 256) + 256) % 256);
    rest = Math.floor(rest / 256);
  } while (!((rest === 0 && (out[0] as number) < 0x80) || (rest === -1 && (out[0] as number) >= 0x80)));
  return Uint8Array.from(out);
}

/** Value of INTEGER content octets (two's complement, at most 6 octets); throws TlvError when empty, too long or not minimal. */
export function readInteger(content: Uint8Array, options: ReadOptions = {}): number {
  if (content.length === 0 || content.length > 6) throw new TlvError("tlv", `INTEGER of ${content.length} octets`);
  const first = content[0] as number;
  const second = content[1];
  if (second !== undefined && options.lenient !== true && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80))) {
    throw new TlvError("tlv", `INTEGER ${toHex(content)} is not minimal`);
  }
  let value = first >= 0x80 ? first - 256 : first;
  for (let i = 1; i < content.length; i++) value = value * 256 + (content[i] as number);
  return value;
}

/** Content octets of a named-bit BIT STRING: bit 0 is the most significant; trailing zero bits are removed (DER). */
export function bits(...set: readonly number[]): Uint8Array {
  if (set.length === 0) return Uint8Array.of(0);
  const top = Math.max(...set);
  const out = new Uint8Array(2 + (top >> 3));
  out[0] = 7 - (top & 7);
  for (const bit of set) out[1 + (bit >> 3)] = (out[1 + (bit >> 3)] as number) | (0x80 >> (bit & 7));
  return out;
}

/** Numbers of the bits that are set in BIT STRING content octets. */
export function readBits(content: Uint8Array): number[] {
  const unused = content[0];
  if (unused === undefined || unused > 7 || (content.length === 1 && unused !== 0)) throw new TlvError("tlv", `malformed BIT STRING ${toHex(content)}`);
  const out: number[] = [];
  for (let bit = 0; bit < (content.length - 1) * 8 - unused; bit++) {
    if (((content[1 + (bit >> 3)] as number) & (0x80 >> (bit & 7))) !== 0) out.push(bit);
  }
  return out;
}

function tagHex(tag: number): string {
  return tag.toString(16).toUpperCase().padStart(2, "0");
}

function tagBytes(tag: number): Uint8Array {
  const out: number[] = [];
  for (let rest = tag; rest > 0; rest = Math.floor(rest / 256)) out.unshift(rest % 256);
  return Uint8Array.from(out);
}

function lengthBytes(length: number): Uint8Array {
  if (length < 0x80) return Uint8Array.of(length);
  const out: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) out.unshift(rest % 256);
  return Uint8Array.of(0x80 | out.length, ...out);
}
