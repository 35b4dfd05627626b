/**
 * Bound Profile Package, BF36 (SGP.22 v2.5 2.5.4; sgp32-types 9): put together from its parts, taken apart, cut into the segments of
 * LoadBoundProfilePackage (SGP.22 v2.5 2.5.5; sgp32-procedures 13).
 */
import { readAll, readOne, tlv, TlvError, type Tlv } from "../codec/tlv.js";
import { structure } from "./channel.js";

/** BF36 by its members; every block is a whole TLV. */
export interface BppParts {
  /** BF23. */
  readonly initialiseSecureChannel: Uint8Array;
  /** A0: blocks of tag 87, ConfigureISDP. */
  readonly firstSequenceOf87: readonly Uint8Array[];
  /** A1: blocks of tag 88, StoreMetadata. */
  readonly sequenceOf88: readonly Uint8Array[];
  /** A2: blocks of tag 87, ReplaceSessionKeys; absent without it. */
  readonly secondSequenceOf87?: readonly Uint8Array[];
  /** A3: blocks of tag 86, the protected profile package. */
  readonly sequenceOf86: readonly Uint8Array[];
}

/** BF36 of its parts. */
export function joinBpp(parts: BppParts): Uint8Array {
  const second = parts.secondSequenceOf87;
  return tlv(
    0xbf36,
    parts.initialiseSecureChannel,
    tlv(0xa0, ...parts.firstSequenceOf87),
    tlv(0xa1, ...parts.sequenceOf88),
    ...(second === undefined ? [] : [tlv(0xa2, ...second)]),
    tlv(0xa3, ...parts.sequenceOf86),
  );
}

/** The parts of BF36, as views. Throws BppError scp03tStructureError for a member that is missing, unknown or out of order. */
export function splitBpp(bpp: Uint8Array): BppParts {
  return structure("BoundProfilePackage", () => {
    const members = readAll(readOne(bpp, 0xbf36).value);
    const take = (tag: number, what: string): Tlv => {
      const item = members.shift();
      if (item?.tag !== tag) throw new TlvError("tlv", `${what} (tag ${tag.toString(16).toUpperCase()}) expected, got ${item === undefined ? "nothing" : `tag ${item.tag.toString(16).toUpperCase()}`}`);
      return item;
    };
    const initialiseSecureChannel = take(0xbf23, "initialiseSecureChannelRequest").raw;
    const firstSequenceOf87 = blocks(take(0xa0, "firstSequenceOf87"), 0x87);
    const sequenceOf88 = blocks(take(0xa1, "sequenceOf88"), 0x88);
    const secondSequenceOf87 = members[0]?.tag === 0xa2 ? blocks(take(0xa2, "secondSequenceOf87"), 0x87) : undefined;
    const sequenceOf86 = blocks(take(0xa3, "sequenceOf86"), 0x86);
    if (members.length > 0) throw new TlvError("tlv", `${members.length} members follow sequenceOf86`);
    return { initialiseSecureChannel, firstSequenceOf87, sequenceOf88, ...(secondSequenceOf87 && { secondSequenceOf87 }), sequenceOf86 };
  });
}

/**
 * The segments in which an IPA hands a BPP to the card, as views of it: BF36's head with BF23; A0 whole; A1's head; each 88; A2 whole;
 * A3's head; each 86. Throws BppError as splitBpp.
 */
export function loadSegments(bpp: Uint8Array): Uint8Array[] {
  splitBpp(bpp);
  const [first, ...members] = readAll(readOne(bpp, 0xbf36).value) as [Tlv, ...Tlv[]];
  const head = bpp.length - readOne(bpp).value.length;
  const segments = [bpp.subarray(0, head + first.raw.length)];
  for (const member of members) {
    if (member.tag === 0xa0 || member.tag === 0xa2) segments.push(member.raw);
    else segments.push(member.raw.subarray(0, member.raw.length - member.value.length), ...readAll(member.value).map((item) => item.raw));
  }
  return segments;
}

/** All blocks in the order in which the card takes them. */
export function allBlocks(parts: BppParts): Uint8Array[] {
  return [...parts.firstSequenceOf87, ...parts.sequenceOf88, ...(parts.secondSequenceOf87 ?? []), ...parts.sequenceOf86];
}

function blocks(sequence: Tlv, tag: number): Uint8Array[] {
  const items = readAll(sequence.value);
  const other = items.find((item) => item.tag !== tag);
  if (other !== undefined) throw new TlvError("tlv", `tag ${tag.toString(16)} expected in ${sequence.tag.toString(16).toUpperCase()}, got ${other.tag.toString(16).toUpperCase()}`);
  return items.map((item) => item.raw);
}
