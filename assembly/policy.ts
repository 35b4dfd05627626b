/**
 * Profile Policy Rules against the eUICC's Rules Authorisation Table (SGP.22 2.4.11, 2.9.2.3; procedures 11).
 * A rule that asks for the device owner's consent is not met: there is nobody to ask.
 */
import { T } from "./memory";
import { Tag } from "./tags";
import { find, readTlv } from "./tlv";

/** First octet of bits of PprIds. */
export const enum Ppr {
  UpdateControl = 0x80,
  Ppr1 = 0x40,
  Ppr2 = 0x20,
}

/** First octet of the bits of the BIT STRING in T. */
export function firstBits(): u32 {
  return T.len > 1 ? load<u8>(T.val, 1) : 0;
}

/** Every rule in `rules` is allowed for the owner (content of B7 at [owner, ownerEnd), empty when there is none) by the table in [p, end), a row of 30. */
export function isAuthorised(rules: u32, owner: usize, ownerEnd: usize, p: usize, end: usize): bool {
  while (find(p, end, Tag.Sequence)) {
    p = T.next;
    const q = T.val;
    if (find(q, p, Tag.C2) && firstBits() & 0x80) continue; // consentRequired
    if (!find(q, p, Tag.C0)) continue;
    const allowed = firstBits();
    if (rules & allowed && find(q, p, Tag.X1) && isAllowed(T.val, T.next, owner, ownerEnd)) rules &= ~allowed;
  }
  return !rules;
}

/** The owner is one of the operators in [p, end). */
function isAllowed(p: usize, end: usize, owner: usize, ownerEnd: usize): bool {
  while (readTlv(p, end)) {
    p = T.next;
    const q = T.val;
    if (!find(q, p, Tag.C0) || T.len != 3) continue;
    const pattern = T.val;
    if (!find(owner, ownerEnd, Tag.C0) || T.len != 3 || !isNetwork(pattern, T.val)) continue;
    if (isGroup(Tag.C1, q, p, owner, ownerEnd) && isGroup(Tag.C2, q, p, owner, ownerEnd)) return true;
  }
  return false;
}

/** mccMnc of 3 octets; a nibble E in the pattern is any digit. */
function isNetwork(pattern: usize, network: usize): bool {
  for (let i: u32 = 0; i < 6; i++) {
    const shift = (i & 1) << 2;
    const want = (<u32>load<u8>(pattern + (i >> 1)) >> shift) & 0xf;
    if (want != 0xe && want != ((<u32>load<u8>(network + (i >> 1)) >> shift) & 0xf)) return false;
  }
  return true;
}

/** gid1 or gid2: absent in the rule, the owner must not have one; empty, anything goes; else they are equal. */
function isGroup(tag: u32, p: usize, end: usize, owner: usize, ownerEnd: usize): bool {
  if (!find(p, end, tag)) return !find(owner, ownerEnd, tag);
  const len = T.len, group = T.val;
  if (!len) return true;
  if (!find(owner, ownerEnd, tag) || T.len != len) return false;
  for (let i: u32 = 0; i < len; i++) if (load<u8>(group + i) != load<u8>(T.val + i)) return false;
  return true;
}
