/**
 * Segments of a Bound Profile Package: each STORE DATA chain is exactly one of them (SGP.22 v2.5 2.5.5, 5.7.6):
 * BF36's header with the whole BF23; A0's header with its 87; A1's header; each 88; A2's header with its 87; A3's header; each 86.
 */
import { ErrorReason } from "../../bsp/index.js";
import { toHex } from "../../core/bytes.js";
import { readAll, TlvError, type Tlv } from "../../codec/tlv.js";
import { InstallError } from "./install-error.js";
import { BppCommand, type Loading, type Stage } from "./state.js";

/** Tags with which a segment can begin. 87 begins none: it comes with its list. */
export const SEGMENT_TAGS: ReadonlySet<number> = new Set([0xbf36, 0xbf23, 0xa0, 0xa1, 0xa2, 0xa3, 0x86, 0x87, 0x88]);

/** What is at work in a stage. */
export const COMMAND: Readonly<Record<Stage, BppCommand>> = {
  BF36: BppCommand.InitialiseSecureChannel,
  A0: BppCommand.ConfigureIsdp,
  A1: BppCommand.StoreMetadata,
  "88": BppCommand.StoreMetadata,
  "A2/A3": BppCommand.ReplaceSessionKeys,
  A3: BppCommand.LoadProfileElements,
  "86": BppCommand.LoadProfileElements,
};

export interface Header {
  tag: number;
  /** Octets of content. */
  length: number;
  /** Octets of identifier and length. */
  size: number;
}

/** Identifier and length at `at`, the content need not be there; undefined when they end too early. A length that can not be is thrown as `fail` makes it. */
export function readHeader(bytes: Uint8Array, at = 0, fail: (why: string) => InstallError = structure): Header | undefined {
  const start = at;
  let tag = bytes[at++];
  if (tag === undefined) return undefined;
  for (let more = (tag & 0x1f) === 0x1f; more && at - start < 3; ) {
    const octet = bytes[at++];
    if (octet === undefined) return undefined;
    tag = tag * 256 + octet;
    more = (octet & 0x80) !== 0;
  }
  let length = bytes[at++];
  if (length === undefined) return undefined;
  if (length >= 0x80) {
    const octets = length & 0x7f;
    if (octets === 0 || octets > 4) throw fail(`a length of ${octets} octets at ${toHex(bytes.subarray(start, start + 8))}`);
    if (at + octets > bytes.length) return undefined;
    length = 0;
    for (let n = 0; n < octets; n++) length = length * 256 + (bytes[at++] as number);
  }
  return { tag, length, size: at - start };
}

export function structure(why: string): InstallError {
  return new InstallError(ErrorReason.Scp03tStructureError, why);
}

/** The header that a segment begins with, and what stands behind it. Throws InstallError when the tag is not the one that comes next. */
export function takeHeader(segment: Uint8Array, ...expected: readonly number[]): { tag: number; length: number; content: Uint8Array } {
  const header = readHeader(segment);
  if (header === undefined || !expected.includes(header.tag)) {
    throw structure(`expected a segment that begins with ${expected.map(hex).join(" or ")}, got ${toHex(segment.subarray(0, 8))} (${segment.length} octets)`);
  }
  return { tag: header.tag, length: header.length, content: segment.subarray(header.size) };
}

/** A list's header that stands alone in its segment: A1 and A3. */
export function headerAlone(segment: Uint8Array, expected: number): number {
  const { length, content } = takeHeader(segment, expected);
  if (content.length > 0) throw structure(`${content.length} octets follow the header of ${hex(expected)} in one segment, expected the header alone`);
  if (length === 0) throw structure(`the list ${hex(expected)} is empty`);
  return length;
}

/** The 87 of a list that stands whole in its segment: A0 and A2. */
export function wholeList(segment: Uint8Array, expected: number): Uint8Array[] {
  const { length, content } = takeHeader(segment, expected);
  if (content.length !== length) throw structure(`${hex(expected)} says ${length} octets, ${content.length} are in its segment`);
  const blocks = objects(content);
  if (blocks.length === 0 || blocks.some(({ tag }) => tag !== 0x87)) throw structure(`${hex(expected)} holds ${blocks.map(({ tag }) => hex(tag)).join(" ") || "nothing"}, expected 87`);
  return blocks.map(({ raw }) => raw);
}

/** One block that is its whole segment: 88 and 86. */
export function oneBlock(segment: Uint8Array, expected: number, loading: Loading): Uint8Array {
  const { length, content } = takeHeader(segment, expected);
  if (content.length !== length) throw structure(`${hex(expected)} says ${length} octets, ${content.length} are in its segment`);
  if (segment.length > loading.listLeft) throw structure(`a block of ${segment.length} octets, its list has ${loading.listLeft} left`);
  return segment;
}

/** The one data object of these octets, of this tag; any other is a structure error. */
export function oneObject(bytes: Uint8Array, expected: number): Tlv {
  const all = objects(bytes);
  const [first] = all;
  if (all.length !== 1 || first?.tag !== expected) throw structure(`expected one ${hex(expected)}, got ${all.map(({ tag }) => hex(tag)).join(" ") || "nothing"}`);
  return first;
}

function objects(bytes: Uint8Array): Tlv[] {
  try {
    return readAll(bytes, { lenient: true });
  } catch (error) {
    if (!(error instanceof TlvError)) throw error;
    throw structure(error.message);
  }
}

function hex(tag: number): string {
  return tag.toString(16).toUpperCase().padStart(2, "0");
}
