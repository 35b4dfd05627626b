/**
 * Byte strings of the simulated world: hexadecimal, joining, comparing.
 * Interfaces take and give Uint8Array; Buffer stays inside.
 */

/** Upper-case hexadecimal of `bytes`, without separators. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex").toUpperCase();
}

/** Bytes of a hexadecimal string; white space is ignored. Throws TypeError with the offending text when it is not hexadecimal. */
export function fromHex(text: string): Uint8Array {
  const digits = text.replace(/\s+/g, "");
  if (!/^([0-9a-fA-F]{2})*$/.test(digits)) {
    throw new TypeError(`expected hexadecimal octets, got "${text.length > 40 ? text.slice(0, 40) + "…" : text}"`);
  }
  return new Uint8Array(Buffer.from(digits, "hex"));
}

/** One array with all parts in order. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** True when both hold the same octets. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

/** UTF-8 octets of `text`. */
export function utf8(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "utf8"));
}

/** Text of UTF-8 octets; throws TypeError where they are not UTF-8. */
export function fromUtf8(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
}
