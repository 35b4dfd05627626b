/**
 * How an eIM says no (SGP.32 v1.2 6.3, types 3). BadRequest: not a message of the binding, HTTP status and no TLV. FunctionError: a well-formed
 * request that the function refuses, its own error code inside a 200. Both name the rule that the peer broke.
 */
import { fromUtf8 } from "../core/bytes.js";
import { PeerError } from "../core/errors.js";
import { readAll, TlvError, type Tlv } from "../codec/tlv.js";

export class BadRequest extends PeerError {
  readonly status: number;
  constructor(reason: string, section: string, status = 400) {
    super("badRequest", reason, { who: "eim", section });
    this.status = status;
  }
}

export class FunctionError extends PeerError {
  /** Code of the answer's error alternative. */
  readonly number: number;
  constructor(number: number, reason: string, section: string) {
    super("functionError", reason, { who: "eim", section, number });
    this.number = number;
  }
}

/** undefinedError of every ESipa function. */
export const UNDEFINED_ERROR = 127;

/** Members of a SEQUENCE by tag. */
export type Members = ReadonlyMap<number, Tlv>;

/**
 * Reads the members of a SEQUENCE. `order`: their tags in order; alternatives of an untagged CHOICE as a list. Members that the type does not know may
 * only follow (EXTENSIBILITY IMPLIED); they are left out and named in `warnings`. Throws BadRequest for wrong order, doubles and broken TLVs.
 */
export function members(content: Uint8Array, what: string, order: readonly (number | readonly number[])[], warnings: string[], lenient = false): Members {
  const found = new Map<number, Tlv>();
  let place = -1;
  let unknown = "";
  for (const item of parts(content, what, lenient)) {
    const at = order.findIndex((tag, index) => index > place && (typeof tag === "number" ? tag === item.tag : tag.includes(item.tag)));
    if (at === -1 && order.flat().includes(item.tag)) throw new BadRequest(`${what}: member ${tagText(item.tag)} is doubled or out of order`, "SGP.32 v1.2 ASN.1");
    if (at === -1) {
      unknown = tagText(item.tag);
      warnings.push(`${what}: unknown member ${unknown} is skipped`);
      continue;
    }
    if (unknown !== "") throw new BadRequest(`${what}: unknown member ${unknown} stands before ${tagText(item.tag)}`, "SGP.32 v1.2 ASN.1");
    place = at;
    found.set(item.tag, item);
  }
  return found;
}

/** All TLVs of `content`; broken ones are a BadRequest. Objects made by a card may use long lengths that are not minimal (`lenient`). */
export function parts(content: Uint8Array, what: string, lenient = false): Tlv[] {
  try {
    return readAll(content, { lenient });
  } catch (cause) {
    if (!(cause instanceof TlvError)) throw cause;
    throw new BadRequest(`${what}: ${cause.message}`, "X.690");
  }
}

/** The member with `tag`, or BadRequest when it is missing. */
export function required(found: Members, tag: number, what: string): Tlv {
  const item = found.get(tag);
  if (item === undefined) throw new BadRequest(`${what} (${tagText(tag)}) is missing`, "SGP.32 v1.2 ASN.1");
  return item;
}

export function tagText(tag: number): string {
  return tag.toString(16).toUpperCase().padStart(2, "0");
}

/** Text of a UTF8String, or BadRequest when its octets are not UTF-8. */
export function utf8Text(item: Tlv, what: string): string {
  try {
    return fromUtf8(item.value);
  } catch (cause) {
    throw new BadRequest(`${what}: not UTF-8: ${(cause as Error).message}`, "SGP.32 v1.2 ASN.1");
  }
}
