/**
 * Profile elements as a card sees them pass: a header first, an end last, context tags between (SIMalliance/TCA Interoperable Profile).
 * Looks at identifiers and lengths only; what the elements say, beyond the header's ICCID, is left out.
 */
import { ErrorReason } from "../../bsp/index.js";
import { concat, toHex } from "../../core/bytes.js";
import { find, readAll, readTlv, TlvError } from "../../codec/tlv.js";
import { InstallError } from "./install-error.js";
import { readHeader } from "./segment.js";
import type { ElementWalk } from "./state.js";

const HEADER = 0xa0;
const END = 0xaa;
/** Identifier of up to 3 octets and length of up to 5. */
const LONGEST_HEADER = 8;

/** simaResponse: EUICCResponse with one PEStatus. */
export const SIMA_OK = Uint8Array.of(0x30, 0x07, 0xa0, 0x05, 0x30, 0x03, 0x80, 0x01, 0x00);
/** badValues (3), profileInstallationAborted. */
const SIMA_BAD_VALUES = Uint8Array.of(0x30, 0x09, 0xa0, 0x05, 0x30, 0x03, 0x80, 0x01, 0x03, 0x81, 0x00);

/** Follows the elements through one more piece. Throws InstallError peProcessingError where they are none. */
export function walkElements(walk: ElementWalk, chunk: Uint8Array): void {
  const data = walk.carry.length === 0 ? chunk : concat(walk.carry, chunk);
  walk.carry = data.subarray(0, 0);
  let at = 0;
  while (at < data.length) {
    if (walk.left === 0) {
      const header = readHeader(data, at, peError);
      if (header === undefined) return keepPart(walk, data.subarray(at));
      begin(walk, header.tag, header.length);
      at += header.size;
    }
    const step = Math.min(walk.left, data.length - at);
    walk.left -= step;
    at += step;
  }
}

/** True when the end element is complete. */
export function elementsComplete(walk: ElementWalk): boolean {
  return walk.ended && walk.left === 0 && walk.carry.length === 0;
}

/** ICCID digits of the profile header, undefined when it names none. */
export function headerIccid(chunks: readonly Uint8Array[]): string | undefined {
  try {
    const iccid = find(readAll(readTlv(concat(...chunks), 0, { lenient: true }).value, { lenient: true }), 0x83)?.value;
    return iccid === undefined ? undefined : toHex(iccid).replace(/F+$/, "");
  } catch (error) {
    if (!(error instanceof TlvError)) throw error;
    throw peError(`the profile header does not parse: ${error.message}`);
  }
}

export function peError(why: string): InstallError {
  return new InstallError(ErrorReason.PeProcessingError, why, SIMA_BAD_VALUES);
}

function begin(walk: ElementWalk, tag: number, length: number): void {
  if (walk.ended) throw peError(`profile element ${hex(tag)} follows the end element`);
  if (walk.count === 0 && tag !== HEADER) throw peError(`the first profile element is ${hex(tag)}, expected the header A0`);
  if (firstOctet(tag) >> 6 !== 2) throw peError(`${hex(tag)} is not the tag of a profile element`);
  walk.count += 1;
  walk.ended = tag === END;
  walk.left = length;
}

function keepPart(walk: ElementWalk, part: Uint8Array): void {
  if (part.length >= LONGEST_HEADER) throw peError(`no profile element begins with ${toHex(part.subarray(0, LONGEST_HEADER))}`);
  walk.carry = part;
}

function firstOctet(tag: number): number {
  return tag > 0xffff ? tag >> 16 : tag > 0xff ? tag >> 8 : tag;
}

function hex(tag: number): string {
  return tag.toString(16).toUpperCase().padStart(2, "0");
}
