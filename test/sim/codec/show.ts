/**
 * Contents of primitives as text: numbers with their names, EID and ICCID as digits, bits by name (SGP.32 v1.2, SGP.22 v2.5 4.1, TS 24.008, TS 29.002).
 * A content that breaks its type's rules is shown as hex, with the rule that it breaks.
 */
import { fromUtf8, toHex } from "../core/bytes.js";
import { readAll, readBits, readInteger, TlvError } from "./tlv.js";
import type { Format, Value } from "./schema.js";

export interface Shown {
  text: string;
  problem?: string;
}

/** Content octets of a value by its type. Certificates, keys and "any" are describe.ts's. */
export function show(type: Value, content: Uint8Array): Shown {
  const [min, max] = type.size ?? [0, Infinity];
  const shown = SHOW[type.format](content, type);
  if (shown.problem === undefined && (content.length < min || content.length > max)) {
    const range = min === max ? `${min}` : max === Infinity ? `${min} or more` : `${min} to ${max}`;
    return { text: shown.text, problem: `${range} octets expected, got ${content.length}` };
  }
  return shown;
}

const LONG = 48;

function hex(content: Uint8Array): Shown {
  const digits = toHex(content);
  return { text: content.length > LONG ? `${digits.slice(0, 2 * LONG - 16)}… (${content.length} octets)` : digits };
}

const SHOW: Readonly<Record<Format, (content: Uint8Array, type: Value) => Shown>> = {
  octets: hex,
  any: hex,
  certificate: hex,
  publicKey: hex,
  utf8: text,
  integer: number,
  boolean: (content) => (content.length === 1 && (content[0] === 0 || content[0] === 0xff) ? { text: content[0] === 0 ? "FALSE" : "TRUE" } : { text: toHex(content), problem: "FF or 00 expected" }),
  null: (content) => (content.length === 0 ? { text: "NULL" } : { text: toHex(content), problem: "no content expected" }),
  bits: namedBits,
  oid: objectIdentifier,
  eid: (content) => digits(toHex(content)),
  iccid: (content) => digits(swapped(content).replace(/F$/, "")),
  version: (content) => ({ text: [...content].join(".") }),
  tagList: tags,
  plmn,
  tac: (content) => digits(swapped(content)),
  // The last octet is not swapped: check digit, then F (SGP.22 4.2).
  imei: (content) => digits(swapped(content.subarray(0, 7)) + toHex(content.subarray(7)).replace(/F$/, "")),
  cardResource: resources,
};

function text(content: Uint8Array): Shown {
  try {
    const value = fromUtf8(content);
    return /[\u0000-\u001f\u007f]/.test(value) ? { text: toHex(content), problem: "control characters in UTF8String" } : { text: JSON.stringify(value) };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return { text: toHex(content), problem: "not UTF-8" };
  }
}

function number(content: Uint8Array, type: Value): Shown {
  return guarded(content, () => {
    const value = readInteger(content);
    if (type.codes === undefined) return { text: String(value) };
    const name = type.codes.get(value);
    return name === undefined ? { text: String(value), problem: "not a number that the type names" } : { text: `${value} ${name}` };
  });
}

function namedBits(content: Uint8Array, type: Value): Shown {
  return guarded(content, () => {
    const set = readBits(content).map((bit) => type.names?.[bit] ?? `bit ${bit}`);
    const unknown = type.names !== undefined && set.some((name) => name.startsWith("bit "));
    return { text: `{${set.join(", ")}}`, ...(unknown && { problem: "bits that the type does not name" }) };
  });
}

function guarded(content: Uint8Array, work: () => Shown): Shown {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof TlvError)) throw error;
    return { text: toHex(content), problem: error.message };
  }
}

function objectIdentifier(content: Uint8Array): Shown {
  const arcs: number[] = [];
  let arc = 0;
  for (const octet of content) {
    arc = arc * 128 + (octet & 0x7f);
    if (octet >= 0x80) continue;
    if (arcs.length === 0) arcs.push(Math.min(2, Math.floor(arc / 40)), arc - 40 * Math.min(2, Math.floor(arc / 40)));
    else arcs.push(arc);
    arc = 0;
  }
  const whole = content.length > 0 && (content.at(-1) as number) < 0x80;
  return whole ? { text: arcs.join(".") } : { text: toHex(content), problem: "OBJECT IDENTIFIER is cut off" };
}

function swapped(content: Uint8Array): string {
  return toHex(content).replace(/(.)(.)/g, "$2$1");
}

function digits(value: string): Shown {
  return /^[0-9]*$/.test(value) ? { text: value } : { text: value, problem: "decimal digits expected" };
}

/** Concatenated tags, as in a tagList. */
function tags(content: Uint8Array): Shown {
  const list: string[] = [];
  for (let at = 0; at < content.length; ) {
    let end = at + 1;
    if (((content[at] as number) & 0x1f) === 0x1f) while (end < content.length && (content[end++] as number) >= 0x80);
    list.push(toHex(content.subarray(at, end)));
    at = end;
  }
  return { text: list.join(" ") };
}

/** MCC and MNC of three octets (TS 24.008 10.5.1.13); in rules of the RAT, E stands for any digit (SGP.22 2.9.2). */
function plmn(content: Uint8Array): Shown {
  const nibbles = swapped(content);
  if (nibbles.length !== 6) return { text: nibbles, problem: "3 octets expected" };
  const mnc = `${nibbles.slice(4)}${nibbles[3] === "F" ? "" : nibbles[3]}`;
  return { text: `MCC ${nibbles.slice(0, 3)} MNC ${mnc}` };
}

/** extCardResource: 81 number of applications, 82 free non-volatile memory, 83 free volatile memory (TS 102 226 8.2.1.7.2). */
function resources(content: Uint8Array): Shown {
  return guarded(content, () => {
    const names: Readonly<Record<number, string>> = { 0x81: "applications", 0x82: "freeNonVolatileMemory", 0x83: "freeVolatileMemory" };
    const parts = readAll(content).map(({ tag, value }) => `${names[tag] ?? toHex(Uint8Array.of(tag))} ${value.reduce((sum, octet) => sum * 256 + octet, 0)}`);
    return { text: parts.join(", ") };
  });
}
