/**
 * How an SM-DP+ or SM-DS says no (SGP.22 v2.5 5.2.6, 6.5). BadRequest: not a message of the binding, HTTP status. FunctionFailure: a well-formed
 * request that the function refuses, with subject and reason code inside a 200. Both name what was expected and what was got.
 */
import { fromUtf8 } from "../core/bytes.js";
import { PeerError } from "../core/errors.js";
import { readAll, TlvError, type Tlv } from "../codec/tlv.js";
import type { StatusCode } from "./status.js";

export class BadRequest extends PeerError {
  readonly status: number;
  constructor(reason: string, section: string, status = 400) {
    super("badRequest", reason, { who: "rsp", section });
    this.status = status;
  }
}

export class FunctionFailure extends PeerError {
  readonly status: StatusCode;
  constructor(status: StatusCode, reason: string, section = "SGP.22 v2.5 5.6") {
    super("functionFailure", reason, { who: "rsp", section, status });
    this.status = status;
  }
}

/** Members of a SEQUENCE by tag. */
export type Members = ReadonlyMap<number, Tlv>;

const ASN1 = "SGP.22 v2.5 ASN.1";

/**
 * Reads the members of a SEQUENCE: `order` has their tags in order. Members that the type does not know may only follow (EXTENSIBILITY IMPLIED);
 * they are left out and named in `warnings`. Throws BadRequest for wrong order, doubles and broken TLVs.
 */
export function members(content: Uint8Array, what: string, order: readonly number[], warnings: string[]): Members {
  const found = new Map<number, Tlv>();
  let place = -1;
  let unknown = "";
  for (const item of parts(content, what)) {
    const at = order.indexOf(item.tag);
    if (at !== -1 && at <= place) throw new BadRequest(`${what}: member ${tagText(item.tag)} is doubled or out of order`, ASN1);
    if (at === -1) {
      unknown = tagText(item.tag);
      warnings.push(`${what}: unknown member ${unknown} is skipped`);
      continue;
    }
    if (unknown !== "") throw new BadRequest(`${what}: unknown member ${unknown} stands before ${tagText(item.tag)}`, ASN1);
    place = at;
    found.set(item.tag, item);
  }
  return found;
}

/** All TLVs of `content`; broken ones are a BadRequest. Cards may use lengths that are not minimal. */
export function parts(content: Uint8Array, what: string): Tlv[] {
  return decode(what, () => readAll(content, { lenient: true }));
}

/** Runs `read`; what does not decode becomes a BadRequest naming `what`. */
export function decode<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof TlvError)) throw cause;
    throw new BadRequest(`${what}: ${cause.message}`, "X.690");
  }
}

/** The member with `tag`, of `length` octets where that is fixed. Throws BadRequest. */
export function required(found: Members, tag: number, what: string, length?: number): Tlv {
  const item = found.get(tag);
  if (item === undefined) throw new BadRequest(`${what} (${tagText(tag)}) is missing`, ASN1);
  if (length !== undefined && item.value.length !== length) throw new BadRequest(`${what}: ${length} octets expected, got ${item.value.length}`, ASN1);
  return item;
}

/** Text of a UTF8String, or BadRequest when its octets are not UTF-8. */
export function utf8Text(item: Tlv, what: string): string {
  try {
    return fromUtf8(item.value);
  } catch (cause) {
    throw new BadRequest(`${what}: not UTF-8: ${(cause as Error).message}`, ASN1);
  }
}

export function tagText(tag: number): string {
  return tag.toString(16).toUpperCase().padStart(2, "0");
}
