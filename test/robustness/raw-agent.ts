/**
 * The agent's wasm with bare hands: unlike sim/agent's it lets ill-formed events through, and it looks at all of the memory
 * (host/README.md, ABI 1.0).
 */
import { Event, Mailbox, Op } from "../sim/agent/abi.js";
import { Agent, type EventMessage, type OpMessage } from "../sim/agent/agent.js";
import { Wasm, type WasmModule } from "../sim/agent/webassembly.js";
import { equal, toHex } from "../sim/core/bytes.js";

/** The agent did what it never may. */
export class Broken extends Error {}

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  ipa_mailbox(): number;
  ipa_capacity(): number;
  ipa_memory(): number;
  ipa_step(nowMs: number): number;
}

/** An event as any host may write it, well-formed or not. `length` and `aux` over what the payload says. */
export interface AnyEvent extends Omit<EventMessage, "kind"> {
  readonly kind: number;
  readonly aux?: number;
  readonly length?: number;
}

const ZEROS = Buffer.alloc(65_536);
const NOTHING = new Uint8Array(0);

export class RawAgent {
  readonly capacity: number;
  readonly #exports: Exports;
  readonly #below: Uint8Array;
  readonly #above: Uint8Array;
  readonly #view: DataView;
  readonly #payload: number;
  readonly #mailbox: number;

  constructor(wasm: Uint8Array | WasmModule) {
    this.#exports = new Wasm.Instance(wasm instanceof Uint8Array ? Agent.compile(wasm) : wasm, {}).exports as unknown as Exports;
    const { memory } = this.#exports;
    const end = this.#exports.ipa_memory();
    this.capacity = this.#exports.ipa_capacity();
    this.#mailbox = this.#exports.ipa_mailbox();
    this.#payload = this.#mailbox + Mailbox.payload;
    this.#below = new Uint8Array(memory.buffer, 0, end);
    this.#above = new Uint8Array(memory.buffer, end);
    this.#view = new DataView(memory.buffer);
  }

  image(): Uint8Array {
    return this.#below.slice();
  }

  load(image: Uint8Array): void {
    this.#below.set(image);
    this.#above.fill(0);
  }

  /** The mailbox with all its payload, as it lies there. */
  mailbox(): Uint8Array {
    return this.#below.slice(this.#mailbox, this.#payload + this.capacity);
  }

  /** Gives the op, or the negative status. Throws Broken for a trap, a touched byte above the end, and an op that can't be read. */
  step(event: AnyEvent, nowMs: number): OpMessage | number {
    this.put(event);
    let kind: number;
    try {
      kind = this.#exports.ipa_step(nowMs | 0);
    } catch (error) {
      throw new Broken(`trap (${(error as Error).message}) on ${describe(event)}`);
    }
    if (Buffer.compare(this.#above, ZEROS.subarray(0, this.#above.length)) !== 0) {
      throw new Broken(`byte ${this.#below.length + this.#above.findIndex((byte) => byte !== 0)} above ipa_memory() was touched on ${describe(event)}`);
    }
    if (kind < 0) return kind;
    return this.#take(kind, event);
  }

  put(event: AnyEvent): void {
    const { payload = NOTHING } = event;
    const [view, at] = [this.#view, this.#mailbox];
    view.setUint8(at + Mailbox.kind, event.kind);
    view.setUint8(at + Mailbox.flags, event.flags ?? 0);
    view.setUint16(at + Mailbox.aux, event.aux ?? 0, true);
    view.setUint32(at + Mailbox.length, event.length ?? payload.length, true);
    view.setInt32(at + Mailbox.status, event.status ?? 0, true);
    view.setUint32(at + Mailbox.ref, event.ref ?? 0, true);
    view.setUint32(at + Mailbox.arg0, event.arg0 ?? 0, true);
    view.setUint32(at + Mailbox.arg1, event.arg1 ?? 0, true);
    this.#below.set(payload.subarray(0, this.capacity), this.#payload);
  }

  #take(kind: number, event: AnyEvent): OpMessage {
    const [view, at] = [this.#view, this.#mailbox];
    const length = view.getUint32(at + Mailbox.length, true);
    if (kind === 0 || view.getUint8(at + Mailbox.kind) !== kind) throw new Broken(`ipa_step gave ${kind}, the mailbox holds ${view.getUint8(at)}, on ${describe(event)}`);
    if (length > this.capacity) throw new Broken(`op ${kind} with a payload of ${length} octets on ${describe(event)}`);
    return {
      kind,
      flags: view.getUint8(at + Mailbox.flags),
      aux: view.getUint16(at + Mailbox.aux, true),
      waitMs: view.getInt32(at + Mailbox.wait, true),
      ref: view.getUint32(at + Mailbox.ref, true),
      arg0: view.getUint32(at + Mailbox.arg0, true),
      arg1: view.getUint32(at + Mailbox.arg1, true),
      payload: this.#below.slice(this.#payload, this.#payload + length),
    };
  }
}

export function sameOp(a: OpMessage, b: OpMessage): boolean {
  return (["kind", "flags", "aux", "waitMs", "ref", "arg0", "arg1"] as const).every((field) => a[field] === b[field]) && equal(a.payload, b.payload);
}

export function describe(event: AnyEvent): string {
  const { payload = NOTHING, kind, flags = 0, status = 0, ref = 0, arg0 = 0, arg1 = 0 } = event;
  return `${Event[kind] ?? kind} flags ${flags} status ${status} ref ${ref} args ${arg0} ${arg1} ${toHex(payload)}`;
}

export function describeOp(op: OpMessage): string {
  return `${Op[op.kind] ?? op.kind} #${op.ref} flags ${op.flags} aux ${op.aux} wait ${op.waitMs} args ${op.arg0} ${op.arg1} ${toHex(op.payload)}`;
}
