/**
 * BER-TLV over memory: reads what real cards send (non-minimal lengths, unknown trailing elements), writes DER.
 * Every length is checked before a load. Nothing is copied by reading.
 */
import { T, W } from "./memory";

/**
 * Reads identifier and length at `p` into T. The content may reach beyond `end` (a cut prefix is still readable);
 * false when the header itself does not fit, has more than 3 identifier or 4 length octets, or names 16 MiB or more.
 */
export function readHead(p: usize, end: usize): bool {
  const at = p;
  if (p >= end) return false;
  let tag: u32 = load<u8>(p++);
  if ((tag & 0x1f) == 0x1f) {
    let more: u32;
    do {
      if (p >= end || tag > 0xffff) return false;
      more = load<u8>(p++);
      tag = (tag << 8) | more;
    } while (more & 0x80);
  }
  if (p >= end) return false;
  let len: u32 = load<u8>(p++);
  if (len & 0x80) {
    let n = len & 0x7f;
    if (n - 1 > 3) return false; // indefinite, or more than 4
    len = 0;
    do {
      if (p >= end) return false;
      len = (len << 8) | load<u8>(p++);
    } while (--n);
    if (len > 0xffffff) return false;
  }
  T.at = at;
  T.tag = tag;
  T.len = len;
  T.val = p;
  T.next = p + len;
  return true;
}

/** As readHead, and the content ends at or before `end`. */
export function readTlv(p: usize, end: usize): bool {
  return readHead(p, end) && T.next <= end;
}

/** Finds the first data object with `tag` among the siblings in [p, end); false when there is none before the end or before damage. */
export function find(p: usize, end: usize, tag: u32): bool {
  while (readTlv(p, end)) {
    if (T.tag == tag) return true;
    p = T.next;
  }
  return false;
}

/** As find, in a prefix that may be cut anywhere: the last object's content may reach beyond `end`; T.next is then `end`. */
export function findCut(p: usize, end: usize, tag: u32): bool {
  while (readHead(p, end)) {
    if (T.next > end) T.next = end;
    if (T.tag == tag) return true;
    p = T.next;
  }
  return false;
}

/** Finds `tag` inside the data object in T. */
export function child(tag: u32): bool {
  return find(T.val, T.next, tag);
}

/** [p, end) is exactly one data object with `tag`; it is then in T. */
export function isOne(p: usize, end: usize, tag: u32): bool {
  return readTlv(p, end) && T.tag == tag && T.next == end;
}

/** True when [p, end) is a row of whole data objects. */
export function isRow(p: usize, end: usize): bool {
  while (p < end) {
    if (!readTlv(p, end)) return false;
    p = T.next;
  }
  return true;
}

/** Low 32 bits of the INTEGER in T. */
export function uint(): u32 {
  let v: u32 = 0;
  for (let p = T.val; p < T.next; p++) v = (v << 8) | load<u8>(p);
  return v;
}

/** FNV-1a over [p, p + len): tells eIMs and packages apart without keeping them. Never 0. */
export function hash(p: usize, len: u32): u32 {
  let h: u32 = 0x811c9dc5;
  for (const end = p + len; p < end; p++) h = (h ^ load<u8>(p)) * 0x01000193;
  return h | 1;
}

/** Octets of the whole data object in T, also when only a part of it is stored. */
export function size(): u32 {
  return <u32>(T.val - T.at) + T.len;
}

/** Octets that the DER length `len` takes. */
export function lengthSize(len: u32): u32 {
  return len < 0x80 ? 1 : len < 0x100 ? 2 : len < 0x10000 ? 3 : 4;
}

/** Octets of the whole data object with `tag` and `len` content octets. */
export function tlvSize(tag: u32, len: u32): u32 {
  return (tag > 0xff ? 2 : 1) + lengthSize(len) + len;
}

/** Points the writer at [p, end). Writing is sticky: the first overflow stays in W.failed, later calls do nothing. */
export function writeTo(p: usize, end: usize): void {
  W.at = p;
  W.end = end;
  W.failed = 0;
}

export function write8(value: u32): void {
  const p = W.at;
  if (p >= W.end) {
    W.failed = 1;
    return;
  }
  store<u8>(p, value);
  W.at = p + 1;
}

export function writeBytes(p: usize, len: u32): void {
  const at = W.at;
  if (len > <u32>(W.end - at)) {
    W.failed = 1;
    return;
  }
  memory.copy(at, p, len);
  W.at = at + len;
}

/** Identifier and DER length. */
export function writeHead(tag: u32, len: u32): void {
  if (tag > 0xff) write8(tag >> 8);
  write8(tag);
  const n = lengthSize(len) - 1;
  if (n) write8(0x80 | n);
  for (let shift = n ? (n - 1) << 3 : 0; ; shift -= 8) {
    write8(len >> shift);
    if (!shift) break;
  }
}

export function writeTlv(tag: u32, p: usize, len: u32): void {
  writeHead(tag, len);
  writeBytes(p, len);
}

/** Octets of an unsigned INTEGER's content: 1 to 5. */
export function uintSize(value: u32): u32 {
  return value < 0x80 ? 1 : value < 0x8000 ? 2 : value < 0x800000 ? 3 : value < 0x80000000 ? 4 : 5;
}

/** An unsigned INTEGER under `tag`. */
export function writeUint(tag: u32, value: u32): void {
  let n = uintSize(value);
  writeHead(tag, n);
  if (n == 5) {
    write8(0);
    n = 4;
  }
  while (n--) write8(value >> (n << 3));
}
