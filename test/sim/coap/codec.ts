/**
 * CoAP messages over datagrams (RFC 7252 3; coap-dtls 1): strict parser, canonical encoder.
 * A parser's job here is to say no: whatever RFC 7252 calls a message format error is thrown by name.
 * Left out: extended token lengths (RFC 8974), CoAP over TCP (RFC 8323).
 */
import { concat, toHex } from "../core/bytes.js";
import { SimError } from "../core/errors.js";

export const Type = { Con: 0, Non: 1, Ack: 2, Rst: 3 } as const;
export const TYPE_NAMES = ["CON", "NON", "ACK", "RST"] as const;

export interface CoapOption {
  readonly number: number;
  readonly value: Uint8Array;
}

export interface Message {
  /** A value of Type. */
  readonly type: number;
  /** Class and detail as on the wire: class << 5 | detail. */
  readonly code: number;
  /** Message ID, 16 bits. */
  readonly mid: number;
  /** 0 to 8 octets. */
  readonly token: Uint8Array;
  /** In the order of the wire: by number; repeated ones in their own order. */
  readonly options: readonly CoapOption[];
  readonly payload: Uint8Array;
}

/**
 * A message format error (RFC 7252 3, 4.2, 4.3). `header` is there when a CON of version 1 can be answered by a Reset;
 * without it the message is to be ignored in silence.
 */
export class CoapFormatError extends SimError {
  readonly header: { readonly type: number; readonly mid: number } | undefined;
  constructor(message: string, header?: { type: number; mid: number }) {
    super("coap", message);
    this.header = header;
  }
}

const NONE = new Uint8Array(0);
const MARKER = 0xff;

/** Reads one datagram. Throws CoapFormatError. */
export function parse(datagram: Uint8Array): Message {
  if (datagram.length < 4) throw new CoapFormatError(`a header of 4 octets expected, got ${datagram.length}`);
  const first = datagram[0] as number;
  const version = first >> 6;
  if (version !== 1) throw new CoapFormatError(`version 1 expected, got ${version}`);
  const header = { type: (first >> 4) & 3, mid: ((datagram[2] as number) << 8) | (datagram[3] as number) };
  const code = datagram[1] as number;
  const tokenLength = first & 15;
  const fail = (what: string): never => {
    throw new CoapFormatError(what, header);
  };
  if (tokenLength > 8) fail(`a token of 0 to 8 octets expected, got TKL ${tokenLength}`);
  if (code === 0 && datagram.length > 4) fail(`an empty message of 4 octets expected, got ${datagram.length} octets with code 0.00`);
  if ([1, 6, 7].includes(code >> 5)) fail(`a code of class 0, 2, 4 or 5 expected, got ${codeText(code)}`);
  if (datagram.length < 4 + tokenLength) fail(`a token of ${tokenLength} octets expected, got ${datagram.length - 4}`);
  const { options, payload } = readOptions(datagram, 4 + tokenLength, fail);
  return { ...header, code, token: datagram.slice(4, 4 + tokenLength), options, payload };
}

function readOptions(datagram: Uint8Array, from: number, fail: (what: string) => never): { options: CoapOption[]; payload: Uint8Array } {
  const options: CoapOption[] = [];
  let at = from;
  let number = 0;
  const extended = (nibble: number, what: string): number => {
    if (nibble < 13) return nibble;
    if (nibble === 15) return fail(`an option ${what} of 0 to 14 expected, got the reserved 15`);
    const octets = nibble - 12;
    if (at + octets > datagram.length) fail(`${octets} octets of extended option ${what} expected, got ${datagram.length - at}`);
    const value = octets === 1 ? (datagram[at] as number) + 13 : ((datagram[at] as number) << 8) + (datagram[at + 1] as number) + 269;
    at += octets;
    return value;
  };
  while (at < datagram.length) {
    const head = datagram[at++] as number;
    if (head === MARKER) {
      if (at === datagram.length) fail("a payload behind the payload marker expected, got nothing");
      return { options, payload: datagram.slice(at) };
    }
    number += extended(head >> 4, "delta");
    const length = extended(head & 15, "length");
    if (at + length > datagram.length) fail(`option ${number} of ${length} octets expected, got ${datagram.length - at}`);
    if (number > 0xffff) fail(`an option number of 16 bits expected, got ${number}`);
    options.push({ number, value: datagram.slice(at, at + length) });
    at += length;
  }
  return { options, payload: NONE };
}

/** Writes a message; options are sorted by number, repeated ones keep their order. Throws RangeError for what has no encoding. */
export function encode(message: Message): Uint8Array {
  const { type, code, mid, token, payload } = message;
  if (token.length > 8) throw new RangeError(`expected a token of 0 to 8 octets, got ${token.length}`);
  if (!(mid >= 0 && mid <= 0xffff)) throw new RangeError(`expected a Message ID of 16 bits, got ${mid}`);
  const options = [...message.options].sort((a, b) => a.number - b.number);
  if (code === 0 && (token.length > 0 || options.length > 0 || payload.length > 0)) throw new RangeError("expected an empty message with code 0.00, got one with content");
  const parts: Uint8Array[] = [Uint8Array.of(0x40 | (type << 4) | token.length, code, mid >> 8, mid & 0xff), token];
  let number = 0;
  for (const option of options) {
    parts.push(optionHead(option.number - number, option.value.length), option.value);
    number = option.number;
  }
  if (payload.length > 0) parts.push(Uint8Array.of(MARKER), payload);
  return concat(...parts);
}

function optionHead(delta: number, length: number): Uint8Array {
  const [d, l] = [nibble(delta), nibble(length)];
  return Uint8Array.of((d.nibble << 4) | l.nibble, ...d.more, ...l.more);
}

function nibble(value: number): { nibble: number; more: number[] } {
  if (value < 13) return { nibble: value, more: [] };
  if (value < 269) return { nibble: 13, more: [value - 13] };
  if (value > 65_804) throw new RangeError(`expected an option delta or length of at most 65804, got ${value}`);
  return { nibble: 14, more: [(value - 269) >> 8, (value - 269) & 0xff] };
}

/** An empty message: ACK, RST, or as CON a ping (RFC 7252 4.1, 4.3). */
export function empty(type: number, mid: number): Message {
  return { type, code: 0, mid, token: NONE, options: [], payload: NONE };
}

/** "2.05" as on the wire. Throws TypeError for anything else. */
export function code(text: string): number {
  const match = /^([0-7])\.([0-2]\d|3[01])$/.exec(text);
  if (match === null) throw new TypeError(`expected a code like "2.05", got "${text}"`);
  return (Number(match[1]) << 5) | Number(match[2]);
}

/** 0x45 as "2.05". */
export function codeText(value: number): string {
  return `${value >> 5}.${String(value & 31).padStart(2, "0")}`;
}

/** One line for people: "CON 0.02 mid 0101 token 01 [11:61 …] +16". */
export function describeMessage(message: Message): string {
  const options = message.options.map(({ number, value }) => `${number}:${toHex(value)}`).join(" ");
  return `${TYPE_NAMES[message.type]} ${codeText(message.code)} mid ${message.mid.toString(16).padStart(4, "0")} token ${toHex(message.token)} [${options}] +${message.payload.length}`;
}
