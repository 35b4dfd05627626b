/** The agent's mailbox (host/README.md, ABI 1.0) as messages: one event in, one op out, little-endian. */
import { toHex } from "../core/bytes.js";
import { SimError } from "../core/errors.js";
import { Event, Mailbox, Op } from "./abi.js";

/** An op as the agent left it in the mailbox. */
export interface OpMessage {
  readonly kind: Op;
  readonly flags: number;
  readonly aux: number;
  readonly waitMs: number;
  readonly ref: number;
  readonly arg0: number;
  readonly arg1: number;
  readonly payload: Uint8Array;
}

/** An event for the agent; what is left out is 0 or empty. */
export interface EventMessage {
  readonly kind: Event;
  readonly flags?: number;
  readonly status?: number;
  readonly ref?: number;
  readonly arg0?: number;
  readonly arg1?: number;
  readonly payload?: Uint8Array;
}

/** An event as it lies in the mailbox. Throws RangeError when its payload has more than `capacity` octets. */
export function encodeEvent(event: EventMessage, capacity = Infinity): Uint8Array {
  const payload = event.payload ?? new Uint8Array(0);
  if (payload.length > capacity) throw new RangeError(`expected an event of at most ${capacity} octets, got ${payload.length}`);
  const bytes = new Uint8Array(Mailbox.payload + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(Mailbox.kind, event.kind);
  view.setUint8(Mailbox.flags, event.flags ?? 0);
  view.setUint32(Mailbox.length, payload.length, true);
  view.setInt32(Mailbox.status, event.status ?? 0, true);
  view.setUint32(Mailbox.ref, event.ref ?? 0, true);
  view.setUint32(Mailbox.arg0, event.arg0 ?? 0, true);
  view.setUint32(Mailbox.arg1, event.arg1 ?? 0, true);
  bytes.set(payload, Mailbox.payload);
  return bytes;
}

/** The op in a mailbox of which ipa_step said `kind`; `bytes` may go on behind its payload. Throws SimError "abi". */
export function decodeOp(kind: number, bytes: Uint8Array): OpMessage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint32(Mailbox.length, true);
  const found = view.getUint8(Mailbox.kind);
  if (found !== kind) throw new SimError("abi", `ipa_step returned ${kind}, the mailbox holds kind ${found}`);
  if (length > bytes.length - Mailbox.payload) throw new SimError("abi", `op ${Op[kind] ?? kind} has a payload of ${length} octets, the capacity is ${bytes.length - Mailbox.payload}`);
  return {
    kind,
    flags: view.getUint8(Mailbox.flags),
    aux: view.getUint16(Mailbox.aux, true),
    waitMs: view.getInt32(Mailbox.wait, true),
    ref: view.getUint32(Mailbox.ref, true),
    arg0: view.getUint32(Mailbox.arg0, true),
    arg1: view.getUint32(Mailbox.arg1, true),
    payload: bytes.slice(Mailbox.payload, Mailbox.payload + length),
  };
}

/** An event in hexadecimal, for error messages and replays. */
export function eventHex(event: EventMessage): string {
  return toHex(encodeEvent(event));
}
