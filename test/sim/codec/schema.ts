/**
 * How the ASN.1 of SGP.22 and SGP.32 is written down for people to read: types as data, for describe.ts.
 * Not a codec: nothing is encoded from it, and no peer relies on it. Tags are those on the wire (AUTOMATIC TAGS applied).
 */

/** How the content of a primitive is shown. "any": by its own tags, without names. */
export type Format =
  | "octets" | "utf8" | "integer" | "boolean" | "null" | "bits" | "oid" | "eid" | "iccid" | "version" | "tagList"
  | "plmn" | "tac" | "imei" | "cardResource" | "certificate" | "publicKey" | "any";

export interface Value {
  readonly kind: "value";
  readonly format: Format;
  /** Named numbers of an INTEGER; with them, any other number is a problem. */
  readonly codes?: ReadonlyMap<number, string>;
  /** Named bits of a BIT STRING, from bit 0. */
  readonly names?: readonly string[];
  /** Least and most octets of content. */
  readonly size?: readonly [number, number];
}

/** SEQUENCE (members in order), CHOICE (exactly one of them) or SEQUENCE OF (any number, of any of them). */
export interface Structure {
  readonly kind: "sequence" | "choice" | "list";
  readonly members: readonly Member[];
}

export type Type = Value | Structure;

export interface Member {
  readonly name: string;
  /** Undefined: an untagged CHOICE; `type` is then a choice, and its alternatives stand here themselves. */
  readonly tag: number | undefined;
  readonly type: Type;
  readonly optional: boolean;
}

/** A member by tag and ASN.1 name. */
export function must(tag: number, name: string, type: Type): Member {
  return { tag, name, type, optional: false };
}

/** An OPTIONAL or DEFAULT member. */
export function may(tag: number, name: string, type: Type): Member {
  return { tag, name, type, optional: true };
}

/** An untagged CHOICE as a member. */
export function either(name: string, type: Structure): Member {
  return { tag: undefined, name, type, optional: false };
}

export function sequence(...members: Member[]): Structure {
  return { kind: "sequence", members };
}

export function choice(...members: Member[]): Structure {
  return { kind: "choice", members };
}

export function list(...members: Member[]): Structure {
  return { kind: "list", members };
}

export function value(format: Format, min = 0, max = Infinity): Value {
  return { kind: "value", format, size: [min, max] };
}

export function octets(min: number, max = min): Value {
  return value("octets", min, max);
}

export function utf8(max = Infinity): Value {
  return value("utf8", 0, max);
}

/** INTEGER with named numbers, written as in the standards: "0 ok, 1 nothingToDelete". 127 is undefinedError where not named. */
export function codes(text: string): Value {
  const table = new Map(text.split(/,\s*/).map((entry): [number, string] => [Number.parseInt(entry, 10), entry.replace(/^\d+\s*/, "")]));
  if (!table.has(127)) table.set(127, "undefinedError");
  return { kind: "value", format: "integer", codes: table };
}

/** As codes, for numbers where 127 means nothing. */
export function numbers(text: string): Value {
  return { kind: "value", format: "integer", codes: new Map([...(codes(text).codes ?? [])].filter(([code, name]) => code !== 127 || name !== "undefinedError")) };
}

/** BIT STRING with named bits, from bit 0, separated by white space. */
export function flags(names: string): Value {
  return { kind: "value", format: "bits", names: names.split(/\s+/) };
}

export const integer: Value = { kind: "value", format: "integer" };
export const bool = value("boolean", 1, 1);
export const none = value("null", 0, 0);
export const bitString = value("bits", 1);
export const oid = value("oid", 1);
export const any = value("any");
