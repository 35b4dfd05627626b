/**
 * Identifiers as people write them and as SGP.32 codes them (SGP.22 v2.5 4.2, SGP.02 2.2.2; TS 24.008 10.5.1.3 for a PLMN).
 * EID: 32 digits in packed BCD, in order. ICCID: nibble-swapped as in EF_ICCID, padded with F.
 */
import { fromHex, toHex, utf8 } from "../core/bytes.js";

/** 16 octets of an EID given as 32 digits. Throws TypeError otherwise. */
export function eidBytes(eid: string): Uint8Array {
  if (!/^[0-9]{32}$/.test(eid)) throw new TypeError(`expected an EID of 32 digits, got "${eid}"`);
  return fromHex(eid);
}

/** 32 digits of a coded EID, or undefined when it is not 16 octets of BCD. */
export function eidDigits(octets: Uint8Array): string | undefined {
  const digits = toHex(octets);
  return /^[0-9]{32}$/.test(digits) ? digits : undefined;
}

/** True when the check digits of an EID hold: the whole number modulo 97 is 1. */
export function eidIsValid(eid: string): boolean {
  return BigInt(eid) % 97n === 1n;
}

/** 10 octets of an ICCID given as 18 to 20 digits; octets pass as they are. Throws TypeError otherwise. */
export function iccidBytes(iccid: string | Uint8Array): Uint8Array {
  if (iccid instanceof Uint8Array) return iccid;
  if (!/^[0-9]{18,20}$/.test(iccid)) throw new TypeError(`expected an ICCID of 18 to 20 digits, got "${iccid}"`);
  return swapNibbles(fromHex(iccid.padEnd(20, "F")));
}

/** Digits of a coded ICCID, without padding; hexadecimal where it is not BCD. */
export function iccidDigits(octets: Uint8Array): string {
  return toHex(swapNibbles(octets)).replace(/F+$/, "");
}

/** "262-01" of a coded PLMN, with two or three MNC digits; undefined when the coding is wrong. */
export function plmnText(octets: Uint8Array): string | undefined {
  if (octets.length !== 3) return undefined;
  const [a, b, c] = toHex(swapNibbles(octets)).match(/../g) as [string, string, string];
  // Nibbles in the order sent: MCC1 MCC2, MCC3 MNC3, MNC1 MNC2.
  const text = `${a}${b[0]}-${c}${b[1] === "F" ? "" : b[1]}`;
  return /^[0-9]{3}-[0-9]{2,3}$/.test(text) ? text : undefined;
}

/** Content octets of an OBJECT IDENTIFIER given in dotted form. Throws TypeError when it is none. */
export function oidBytes(dotted: string): Uint8Array {
  const arcs = dotted.split(".").map(Number);
  const [first, second, ...rest] = arcs;
  if (first === undefined || second === undefined || !arcs.every((arc) => Number.isSafeInteger(arc) && arc >= 0) || first > 2) {
    throw new TypeError(`expected an object identifier like 2.999.10, got "${dotted}"`);
  }
  return Uint8Array.from([first * 40 + second, ...rest].flatMap(base128));
}

/** Dotted form of OBJECT IDENTIFIER content octets. */
export function oidText(content: Uint8Array): string {
  const arcs: number[] = [];
  let arc = 0;
  for (const octet of content) {
    arc = arc * 128 + (octet & 0x7f);
    if (octet < 0x80) {
      arcs.push(arc);
      arc = 0;
    }
  }
  const [head = 0, ...rest] = arcs;
  const first = Math.min(2, Math.floor(head / 40));
  return [first, head - first * 40, ...rest].join(".");
}

/** UTF-8 octets of a string that must have `min` to `max` of them. Throws RangeError naming `what`. */
export function boundedUtf8(text: string, what: string, min: number, max: number): Uint8Array {
  const octets = utf8(text);
  if (octets.length < min || octets.length > max) throw new RangeError(`expected ${what} of ${min} to ${max} octets, got ${octets.length}`);
  return octets;
}

function base128(arc: number): number[] {
  const out = [arc % 128];
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) out.unshift(0x80 | (rest % 128));
  return out;
}

function swapNibbles(octets: Uint8Array): Uint8Array {
  return octets.map((octet) => ((octet & 0x0f) << 4) | (octet >> 4));
}
