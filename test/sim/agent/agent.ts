/**
 * The agent's wasm in Node: a typed view of its mailbox (host/README.md, ABI 1.0). One event in, one op out; nothing else crosses.
 * V8 backs the whole declared page, an MCU only the first `ipa_memory()` bytes: so a byte touched above is a defect here.
 */
import { readFileSync } from "node:fs";
import { concat, toHex } from "../core/bytes.js";
import { AgentTrapError, SimError } from "../core/errors.js";
import { ABI_VERSION, Event, Mailbox, Op } from "./abi.js";
import { Wasm, type WasmModule } from "./webassembly.js";

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

/** What a host needs of an agent: the wasm below, or a script that plays one. */
export interface AgentLike {
  /** Payload octets that the mailbox holds. */
  readonly capacity: number;
  /** Takes one event, gives the next op. `nowMs`: monotonic milliseconds, wraps at 2^32. */
  step(event: EventMessage, nowMs: number): OpMessage;
  /** All that the agent remembers. */
  snapshot(): Uint8Array;
  restore(state: Uint8Array): void;
  /** A new agent of the same kind that remembers nothing. */
  fresh(): AgentLike;
}

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  ipa_abi(): number;
  ipa_mailbox(): number;
  ipa_capacity(): number;
  ipa_memory(): number;
  ipa_step(nowMs: number): number;
}

const EXPORTS = ["ipa_abi", "ipa_capacity", "ipa_mailbox", "ipa_memory", "ipa_step", "memory"];
const PAGE = 65_536;
const ZEROS = Buffer.alloc(PAGE);

export class Agent implements AgentLike {
  readonly capacity: number;
  /** Bytes of linear memory that a host must back. */
  readonly memoryEnd: number;
  readonly #module: WasmModule;
  readonly #exports: Exports;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #above: Uint8Array;
  readonly #mailbox: number;

  /** Instantiates the wasm (its bytes, or what `Agent.compile` gave). Throws SimError "abi" when it is not an agent of ABI 1.0. */
  constructor(wasm: Uint8Array | WasmModule) {
    this.#module = wasm instanceof Uint8Array ? Agent.compile(wasm) : wasm;
    this.#exports = instantiate(this.#module);
    const abi = this.#exports.ipa_abi();
    if (abi >> 16 !== ABI_VERSION >> 16) throw new SimError("abi", `expected ABI ${ABI_VERSION >> 16}.x, got ${abi >> 16}.${abi & 0xffff}`);
    const buffer = this.#exports.memory.buffer;
    this.#bytes = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
    this.#mailbox = this.#exports.ipa_mailbox();
    this.capacity = this.#exports.ipa_capacity();
    this.memoryEnd = this.#exports.ipa_memory();
    if (this.#mailbox < 0 || this.#mailbox + Mailbox.payload + this.capacity > this.memoryEnd || this.memoryEnd > buffer.byteLength) {
      throw new SimError("abi", `mailbox at ${this.#mailbox} with ${this.capacity} octets does not lie below ipa_memory ${this.memoryEnd}`);
    }
    this.#above = this.#bytes.subarray(this.memoryEnd);
  }

  /** Compiles once what is instantiated many times. */
  static compile(wasm: Uint8Array): WasmModule {
    return new Wasm.Module(wasm);
  }

  static load(path: string): Agent {
    return new Agent(new Uint8Array(readFileSync(path)));
  }

  /** Throws AgentTrapError when the agent traps or touches memory above its end, SimError "event" when it refuses the event. */
  step(event: EventMessage, nowMs: number): OpMessage {
    this.#put(event);
    let kind: number;
    try {
      kind = this.#exports.ipa_step(nowMs | 0);
    } catch (error) {
      throw new AgentTrapError("trap", `the agent trapped (${(error as Error).message}) on event ${eventHex(event)}`, { event: eventHex(event), nowMs });
    }
    if (Buffer.compare(this.#above, ZEROS.subarray(0, this.#above.length)) !== 0) {
      const at = this.memoryEnd + this.#above.findIndex((byte) => byte !== 0);
      throw new AgentTrapError("memory", `the agent touched byte ${at} above its end ${this.memoryEnd} on event ${eventHex(event)}`, { event: eventHex(event), at });
    }
    if (kind <= 0) throw new SimError("event", `the agent refused event ${eventHex(event)} with status ${kind}`, { event: eventHex(event), status: kind });
    return this.#take(kind);
  }

  snapshot(): Uint8Array {
    return this.#bytes.slice(0, this.memoryEnd);
  }

  restore(state: Uint8Array): void {
    if (state.length !== this.memoryEnd) throw new RangeError(`expected ${this.memoryEnd} octets of memory, got ${state.length}`);
    this.#bytes.set(state);
    this.#above.fill(0);
  }

  fresh(): Agent {
    return new Agent(this.#module);
  }

  #put(event: EventMessage): void {
    const payload = event.payload ?? new Uint8Array(0);
    if (payload.length > this.capacity) throw new RangeError(`expected an event of at most ${this.capacity} octets, got ${payload.length}`);
    const { at, view } = { at: this.#mailbox, view: this.#view };
    view.setUint8(at + Mailbox.kind, event.kind);
    view.setUint8(at + Mailbox.flags, event.flags ?? 0);
    view.setUint16(at + Mailbox.aux, 0, true);
    view.setUint32(at + Mailbox.length, payload.length, true);
    view.setInt32(at + Mailbox.status, event.status ?? 0, true);
    view.setUint32(at + Mailbox.ref, event.ref ?? 0, true);
    view.setUint32(at + Mailbox.arg0, event.arg0 ?? 0, true);
    view.setUint32(at + Mailbox.arg1, event.arg1 ?? 0, true);
    this.#bytes.set(payload, at + Mailbox.payload);
  }

  #take(kind: number): OpMessage {
    const { at, view } = { at: this.#mailbox, view: this.#view };
    const length = view.getUint32(at + Mailbox.length, true);
    if (view.getUint8(at + Mailbox.kind) !== kind) {
      throw new SimError("abi", `ipa_step returned ${kind}, the mailbox holds kind ${view.getUint8(at + Mailbox.kind)}`);
    }
    if (length > this.capacity) throw new SimError("abi", `op ${Op[kind] ?? kind} has a payload of ${length} octets, the capacity is ${this.capacity}`);
    return {
      kind,
      flags: view.getUint8(at + Mailbox.flags),
      aux: view.getUint16(at + Mailbox.aux, true),
      waitMs: view.getInt32(at + Mailbox.wait, true),
      ref: view.getUint32(at + Mailbox.ref, true),
      arg0: view.getUint32(at + Mailbox.arg0, true),
      arg1: view.getUint32(at + Mailbox.arg1, true),
      payload: this.#bytes.slice(at + Mailbox.payload, at + Mailbox.payload + length),
    };
  }
}

/** An event as it lies in the mailbox, for error messages and replays. */
export function eventHex(event: EventMessage): string {
  const header = new DataView(new ArrayBuffer(Mailbox.payload));
  const payload = event.payload ?? new Uint8Array(0);
  header.setUint8(Mailbox.kind, event.kind);
  header.setUint8(Mailbox.flags, event.flags ?? 0);
  header.setUint32(Mailbox.length, payload.length, true);
  header.setInt32(Mailbox.status, event.status ?? 0, true);
  header.setUint32(Mailbox.ref, event.ref ?? 0, true);
  header.setUint32(Mailbox.arg0, event.arg0 ?? 0, true);
  header.setUint32(Mailbox.arg1, event.arg1 ?? 0, true);
  return toHex(concat(new Uint8Array(header.buffer), payload));
}

function instantiate(module: WasmModule): Exports {
  const imports = Wasm.Module.imports(module);
  if (imports.length > 0) throw new SimError("abi", `expected no imports, got ${imports.map((item) => `${item.module}.${item.name}`).join(", ")}`);
  const names = Wasm.Module.exports(module).map((item) => item.name).sort();
  if (names.join() !== EXPORTS.join()) throw new SimError("abi", `expected exports ${EXPORTS.join(", ")}, got ${names.join(", ")}`);
  return new Wasm.Instance(module, {}).exports as unknown as Exports;
}
