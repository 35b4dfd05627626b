/**
 * CoAP options: numbers, formats and what a receiver must know of them (RFC 7252 5.4, 5.10; RFC 7959 2.1, 4; RFC 9175; coap-dtls 1).
 * An option whose length is outside its format, or that is repeated though it may not be, counts as unrecognised (RFC 7252 5.4.3, 5.4.5).
 */
import { toHex } from "../core/bytes.js";
import type { CoapOption } from "./codec.js";

export const Opt = {
  IfMatch: 1, UriHost: 3, ETag: 4, IfNoneMatch: 5, Observe: 6, UriPort: 7, LocationPath: 8, UriPath: 11, ContentFormat: 12, MaxAge: 14,
  UriQuery: 15, HopLimit: 16, Accept: 17, QBlock1: 19, LocationQuery: 20, Block2: 23, Block1: 27, Size2: 28, QBlock2: 31, ProxyUri: 35,
  ProxyScheme: 39, Size1: 60, Echo: 252, NoResponse: 258, RequestTag: 292,
} as const;

interface Format {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly repeatable?: boolean;
}

const FORMATS: Readonly<Record<number, Format>> = {
  1: { name: "If-Match", min: 0, max: 8, repeatable: true },
  3: { name: "Uri-Host", min: 1, max: 255 },
  4: { name: "ETag", min: 1, max: 8, repeatable: true },
  5: { name: "If-None-Match", min: 0, max: 0 },
  6: { name: "Observe", min: 0, max: 3 },
  7: { name: "Uri-Port", min: 0, max: 2 },
  8: { name: "Location-Path", min: 0, max: 255, repeatable: true },
  11: { name: "Uri-Path", min: 0, max: 255, repeatable: true },
  12: { name: "Content-Format", min: 0, max: 2 },
  14: { name: "Max-Age", min: 0, max: 4 },
  15: { name: "Uri-Query", min: 0, max: 255, repeatable: true },
  16: { name: "Hop-Limit", min: 1, max: 1 },
  17: { name: "Accept", min: 0, max: 2 },
  19: { name: "Q-Block1", min: 0, max: 3 },
  20: { name: "Location-Query", min: 0, max: 255, repeatable: true },
  23: { name: "Block2", min: 0, max: 3 },
  27: { name: "Block1", min: 0, max: 3 },
  28: { name: "Size2", min: 0, max: 4 },
  31: { name: "Q-Block2", min: 0, max: 3, repeatable: true },
  35: { name: "Proxy-Uri", min: 1, max: 1034 },
  39: { name: "Proxy-Scheme", min: 1, max: 255 },
  60: { name: "Size1", min: 0, max: 4 },
  252: { name: "Echo", min: 1, max: 40 },
  258: { name: "No-Response", min: 0, max: 1 },
  292: { name: "Request-Tag", min: 0, max: 8, repeatable: true },
};

/** Odd numbers are critical: who does not know them must refuse the message (RFC 7252 5.4.6). */
export function isCritical(number: number): boolean {
  return (number & 1) === 1;
}

/** True for options that don't belong to the cache key (RFC 7252 5.4.6: NoCacheKey). */
export function isNoCacheKey(number: number): boolean {
  return (number & 0x1e) === 0x1c;
}

export function optionName(number: number): string {
  return FORMATS[number]?.name ?? `option ${number}`;
}

/**
 * Splits options into those that a receiver with `known` numbers may use, the critical ones that it must refuse with the reason,
 * and the elective ones that it skips.
 */
export function sortOut(options: readonly CoapOption[], known: ReadonlySet<number>): { usable: CoapOption[]; refused: string[]; skipped: string[] } {
  const usable: CoapOption[] = [];
  const refused: string[] = [];
  const skipped: string[] = [];
  const seen = new Set<number>();
  for (const option of options) {
    const problem = problemOf(option, known, seen);
    seen.add(option.number);
    if (problem === undefined) usable.push(option);
    else (isCritical(option.number) ? refused : skipped).push(problem);
  }
  return { usable, refused, skipped };
}

function problemOf({ number, value }: CoapOption, known: ReadonlySet<number>, seen: ReadonlySet<number>): string | undefined {
  const format = FORMATS[number];
  if (format === undefined || !known.has(number)) return `${optionName(number)} (${toHex(value)}) is not supported`;
  if (value.length < format.min || value.length > format.max) return `${format.name} of ${format.min} to ${format.max} octets expected, got ${value.length}`;
  if (seen.has(number) && format.repeatable !== true) return `${format.name} expected once, got it again`;
  return undefined;
}

/** Values of all options with this number, in order. */
export function all(options: readonly CoapOption[], number: number): Uint8Array[] {
  return options.filter((option) => option.number === number).map((option) => option.value);
}

/** Value of the first option with this number. */
export function first(options: readonly CoapOption[], number: number): Uint8Array | undefined {
  return options.find((option) => option.number === number)?.value;
}

/** A uint of 0 to 4 octets (RFC 7252 3.2); leading zeros are read, never written. */
export function readUint(value: Uint8Array): number {
  return value.reduce((sum, octet) => sum * 256 + octet, 0);
}

/** The uint of an option, undefined when it is not there. */
export function uintOf(options: readonly CoapOption[], number: number): number | undefined {
  const value = first(options, number);
  return value && readUint(value);
}

/** A uint in as few octets as it needs: none for 0. */
export function uint(number: number, value: number): CoapOption {
  const octets: number[] = [];
  for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return { number, value: Uint8Array.from(octets) };
}

export function opaque(number: number, value: Uint8Array): CoapOption {
  return { number, value };
}
