/**
 * Activation code (SGP.22 4.1; procedures 7): [LPA:]1$<SM-DP+ address>$<matchingId>[$<OID>[$<1>[...]]].
 */
import { ACTIVATION_CODE, S } from "./memory";

const DOLLAR: u32 = 0x24;

/** Takes the code of `len` octets in ACTIVATION_CODE: S.address..., S.matchingId..., S.oid.... False when it is malformed. */
export function readActivationCode(len: u32): bool {
  let p = ACTIVATION_CODE;
  const end = p + len;
  for (let q = p; q < end; q++) if (load<u8>(q) - 0x20 > 0x5e) return false; // printable ASCII only
  // "LPA:" in any case
  if (len > 4 && (load<u32>(p) | 0x00202020) == 0x3a61706c) p += 4;
  if (end - p < 2 || load<u16>(p) != ((DOLLAR << 8) | 0x31)) return false;
  p += 2;
  S.addressAt = p;
  p = field(p, end);
  S.addressLen = <u32>(p - S.addressAt);
  if (!S.addressLen || p == end) return false;
  S.matchingIdAt = ++p;
  p = field(p, end);
  S.matchingIdLen = <u32>(p - S.matchingIdAt);
  S.oidAt = p < end ? ++p : p;
  p = field(p, end);
  S.oidLen = <u32>(p - S.oidAt);
  if (p == end) return true;
  // the flag for a confirmation code is empty or 1; what SGP.22 v3 appends is skipped
  const flag = p + 1;
  p = field(flag, end);
  return p == flag || (p - flag == 1 && load<u8>(flag) == 0x31);
}

/** End of the field that starts at `p`. */
function field(p: usize, end: usize): usize {
  while (p < end && load<u8>(p) != DOLLAR) p++;
  return p;
}

/** The OID in [p, end), dotted decimal, in DER without its header at `to` (at most `size` octets); its length, or 0 when it is none. */
export function encodeOid(p: usize, end: usize, to: usize, size: u32): u32 {
  let arc: u32 = 0, arcs: u32 = 0, n: u32 = 0, digits: u32 = 0;
  for (let more = true; more; p++) {
    more = p < end;
    const c: u32 = more ? load<u8>(p) : 0x2e; // the end is as good as a '.'
    if (c - 0x30 < 10) {
      arc = arc * 10 + c - 0x30;
      digits++;
      continue;
    }
    if (c != 0x2e || !digits) return 0;
    if (arcs == 0) S.left = arc * 40;
    else {
      if (arcs == 1) arc += S.left;
      let shift: u32 = 0;
      while (shift < 28 && arc >> (shift + 7)) shift += 7;
      for (; ; shift -= 7) {
        if (n == size) return 0;
        store<u8>(to + n++, ((arc >> shift) & 0x7f) | (shift ? 0x80 : 0));
        if (!shift) break;
      }
    }
    arcs++;
    arc = digits = 0;
  }
  return arcs > 1 ? n : 0;
}
