/** Handshake messages in fragments (RFC 6347 4.2.2, 4.2.3): any order, any overlap, any size on the way in; as small as wanted on the way out. */
import { concat } from "../core/bytes.js";
import { Alert, handshakeName } from "./constants.js";
import { DtlsAlertError, uint, WireReader } from "./wire.js";

export interface Fragment {
  readonly type: number;
  readonly length: number;
  readonly seq: number;
  readonly offset: number;
  readonly body: Uint8Array;
}

export interface HandshakeMessage {
  readonly type: number;
  readonly seq: number;
  readonly body: Uint8Array;
}

interface Partial {
  readonly type: number;
  readonly body: Uint8Array;
  /** 1 for each octet that is there. */
  readonly have: Uint8Array;
}

export interface Inbox {
  /** message_seq that is due. */
  next: number;
  readonly partial: Map<number, Partial>;
}

/** Octets of the largest handshake message read, and how far a message may be ahead of the one that is due. */
const LIMIT = 16_384;
const AHEAD = 16;

export function newInbox(next: number): Inbox {
  return { next, partial: new Map() };
}

/** The fragments in one record. Throws decode_error. */
export function readFragments(content: Uint8Array): Fragment[] {
  const reader = new WireReader(content, "handshake fragment");
  const fragments: Fragment[] = [];
  do {
    const type = reader.uint(1);
    const length = reader.uint(3);
    const seq = reader.uint(2);
    const offset = reader.uint(3);
    const body = reader.vector(3);
    if (offset + body.length > length) throw new DtlsAlertError(Alert.DecodeError, `${handshakeName(type)}: a fragment within ${length} octets expected, got ${offset} to ${offset + body.length}`);
    if (length > LIMIT) throw new DtlsAlertError(Alert.DecodeError, `${handshakeName(type)}: at most ${LIMIT} octets expected, got ${length}`);
    fragments.push({ type, length, seq, offset, body });
  } while (reader.left > 0);
  return fragments;
}

/** Puts a fragment where it belongs. "old": its message was taken before, so the peer repeats itself. Throws illegal_parameter where fragments disagree. */
export function collect(inbox: Inbox, fragment: Fragment): "kept" | "old" | "too far ahead" {
  const { seq, type, length, offset, body } = fragment;
  if (seq < inbox.next) return "old";
  if (seq >= inbox.next + AHEAD) return "too far ahead";
  const partial = inbox.partial.get(seq) ?? { type, body: new Uint8Array(length), have: new Uint8Array(length) };
  if (partial.type !== type || partial.body.length !== length) {
    throw new DtlsAlertError(Alert.IllegalParameter, `fragments of message ${seq} disagree: ${handshakeName(partial.type)} of ${partial.body.length} and ${handshakeName(type)} of ${length} octets`);
  }
  for (let i = 0; i < body.length; i++) {
    if (partial.have[offset + i] === 1 && partial.body[offset + i] !== body[i]) throw new DtlsAlertError(Alert.IllegalParameter, `overlapping fragments of message ${seq} disagree`);
  }
  partial.body.set(body, offset);
  partial.have.fill(1, offset, offset + body.length);
  inbox.partial.set(seq, partial);
  return "kept";
}

/** The message that is due, when all of it is there. */
export function takeMessage(inbox: Inbox): HandshakeMessage | undefined {
  const partial = inbox.partial.get(inbox.next);
  if (partial === undefined || partial.have.includes(0)) return undefined;
  inbox.partial.delete(inbox.next);
  return { type: partial.type, seq: inbox.next++, body: partial.body };
}

/** A message as one fragment: also what the transcript hashes (RFC 6347 4.2.6). */
export function wholeMessage({ type, seq, body }: HandshakeMessage): Uint8Array {
  return fragmentOf(type, seq, body, 0, body.length);
}

/** A message in fragments with at most `size` octets of body each. */
export function cut({ type, seq, body }: HandshakeMessage, size: number): Uint8Array[] {
  const out: Uint8Array[] = [];
  let offset = 0;
  do {
    const length = Math.min(size, body.length - offset);
    out.push(fragmentOf(type, seq, body, offset, length));
    offset += length;
  } while (offset < body.length);
  return out;
}

function fragmentOf(type: number, seq: number, body: Uint8Array, offset: number, length: number): Uint8Array {
  return concat(uint(1, type), uint(3, body.length), uint(2, seq), uint(3, offset), uint(3, length), body.subarray(offset, offset + length));
}

