/**
 * Identifiers and texts as ES9+ and ES11 carry them (SGP.22 v2.5 4.1, 4.2, 6.5; sgp32-types 1): EID, ICCID, OBJECT IDENTIFIER, versions, TAC, base64.
 */
import { fromHex, toHex } from "../core/bytes.js";

/** 10 octets of an ICCID given as 18 to 20 digits, nibble-swapped as in EF_ICCID. Throws TypeError otherwise. */
export function iccidBytes(iccid: string): Uint8Array {
  if (!/^[0-9]{18,20}$/.test(iccid)) throw new TypeError(`expected an ICCID of 18 to 20 digits, got "${iccid}"`);
  return swapNibbles(fromHex(iccid.padEnd(20, "F")));
}

/** Digits of a coded ICCID, without padding. */
export function iccidDigits(octets: Uint8Array): string {
  return toHex(swapNibbles(octets)).replace(/F+$/, "");
}

/** 8 digits of a TAC's 4 octets (TBCD). */
export function tacDigits(octets: Uint8Array): string {
  return toHex(swapNibbles(octets));
}

/** 3 octets of "262-01" or "310-410" (TS 24.008 10.5.1.3). Throws TypeError otherwise. */
export function plmnBytes(plmn: string): Uint8Array {
  const [, mcc, mnc] = /^([0-9]{3})-([0-9]{2,3})$/.exec(plmn) ?? [];
  if (mcc === undefined || mnc === undefined) throw new TypeError(`expected an MCC-MNC such as 262-01, got "${plmn}"`);
  return fromHex(`${mcc[1]}${mcc[0]}${mnc[2] ?? "F"}${mcc[2]}${mnc[1]}${mnc[0]}`);
}

/** Content octets of a dotted OBJECT IDENTIFIER. Throws TypeError when it is none. */
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
    if (octet >= 0x80) continue;
    arcs.push(arc);
    arc = 0;
  }
  const [head = 0, ...rest] = arcs;
  const first = Math.min(2, Math.floor(head / 40));
  return [first, head - first * 40, ...rest].join(".");
}

/** "2.3.1" of the three octets of a VersionType; more octets give more numbers. */
export function versionText(octets: Uint8Array): string {
  return [...octets].join(".");
}

/** Negative, 0 or positive as version `a` is below, equal to or above `b`. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a.split(".").map(Number), b.split(".").map(Number)];
  const at = left.findIndex((number, index) => number !== (right[index] ?? 0));
  return at === -1 ? 0 : (left[at] as number) - (right[at] ?? 0);
}

/** Standard alphabet with padding, no line breaks. */
export function toBase64(octets: Uint8Array): string {
  return Buffer.from(octets).toString("base64");
}

/** Octets of canonical base64; undefined for white space, other alphabets, missing padding. */
export function fromBase64(text: string): Uint8Array | undefined {
  const octets = Buffer.from(text, "base64");
  return octets.toString("base64") === text ? new Uint8Array(octets) : undefined;
}

function base128(arc: number): number[] {
  const out = [arc % 128];
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) out.unshift(0x80 | (rest % 128));
  return out;
}

function swapNibbles(octets: Uint8Array): Uint8Array {
  return octets.map((octet) => ((octet & 0x0f) << 4) | (octet >> 4));
}
