/**
 * The agent's wasm in Node: a typed view of its mailbox (host/README.md, ABI 1.0). One event in, one op out; nothing else crosses.
 * V8 backs the whole declared page, an MCU only the first `ipa_memory()` bytes: so a byte touched above is a defect here.
 */
import { readFileSync } from "node:fs";
import { AgentTrapError, SimError } from "../core/errors.js";
import { ABI_VERSION, Mailbox } from "./abi.js";
import { decodeOp, encodeEvent, eventHex, type EventMessage, type OpMessage } from "./mailbox.js";
import { Wasm, type WasmModule } from "./webassembly.js";

export type { EventMessage, OpMessage } from "./mailbox.js";

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
  /** Gives its memory back, where that is not the garbage collector's. */
  dispose?(): void;
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
    this.#bytes.set(encodeEvent(event, this.capacity), this.#mailbox);
  }

  #take(kind: number): OpMessage {
    return decodeOp(kind, this.#bytes.subarray(this.#mailbox, this.#mailbox + Mailbox.payload + this.capacity));
  }
}

function instantiate(module: WasmModule): Exports {
  const imports = Wasm.Module.imports(module);
  if (imports.length > 0) throw new SimError("abi", `expected no imports, got ${imports.map((item) => `${item.module}.${item.name}`).join(", ")}`);
  const names = Wasm.Module.exports(module).map((item) => item.name).sort();
  if (names.join() !== EXPORTS.join()) throw new SimError("abi", `expected exports ${EXPORTS.join(", ")}, got ${names.join(", ")}`);
  return new Wasm.Instance(module, {}).exports as unknown as Exports;
}
