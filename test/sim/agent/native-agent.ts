/**
 * The same wasm in an engine of the C host (wasm3, or the one in place), through the Node binding host/node/addon.c. An engine backs just the
 * octets that the agent says it needs, as an MCU does.
 */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { AgentTrapError, SimError } from "../core/errors.js";
import { ABI_VERSION, Mailbox } from "./abi.js";
import { Agent, type AgentLike } from "./agent.js";
import { findAgent } from "./find.js";
import { decodeOp, encodeEvent, eventHex, type EventMessage, type OpMessage } from "./mailbox.js";

/** Engines that the binding is built with. */
export const NATIVE_ENGINES = ["wasm3", "inplace"] as const;
export type NativeEngine = (typeof NATIVE_ENGINES)[number];

/** What host/node/addon.c exports. */
interface Addon {
  open(wasm: Uint8Array, side: Uint8Array | null, memoryLen: number, stackLen: number): object;
  call(handle: object, fn: number, arg: number): number;
  step(handle: object, event: Uint8Array, nowMs: number): Uint8Array | number;
  read(handle: object, at: number, len: number): Uint8Array;
  write(handle: object, at: number, bytes: Uint8Array): void;
  used(handle: object): number;
  close(handle: object): void;
}

const enum Export {
  Abi,
  Mailbox,
  Capacity,
  Memory,
}

const STACK = 2048;

interface Image {
  readonly addon: Addon;
  readonly wasm: Uint8Array;
  readonly side: Uint8Array | null;
  readonly memoryEnd: number;
}

export class NativeAgent implements AgentLike {
  readonly capacity: number;
  /** Bytes of linear memory, all that the engine backs. */
  readonly memoryEnd: number;
  readonly #image: Image;
  readonly #handle: object;

  private constructor(image: Image) {
    this.#image = image;
    const { addon, wasm, side, memoryEnd } = image;
    this.#handle = addon.open(wasm, side, memoryEnd, STACK);
    const abi = addon.call(this.#handle, Export.Abi, 0);
    if (abi >> 16 !== ABI_VERSION >> 16) throw new SimError("abi", `expected ABI ${ABI_VERSION >> 16}.x, got ${abi >> 16}.${abi & 0xffff}`);
    this.capacity = addon.call(this.#handle, Export.Capacity, 0);
    this.memoryEnd = memoryEnd;
  }

  /** The shipped agent, or another, in `engine`. Throws SimError "no-engine" when the binding was not built. */
  static load(engine: NativeEngine, path = findAgent()): NativeAgent {
    const wasm = new Uint8Array(readFileSync(path));
    const side = path.replace(/\.wasm$/, ".side");
    if (engine === "inplace" && !existsSync(side)) throw new SimError("no-engine", `expected the side table ${side}: build first (npm run build)`);
    return new NativeAgent({ addon: addonOf(engine), wasm, side: engine === "inplace" ? new Uint8Array(readFileSync(side)) : null, memoryEnd: new Agent(wasm).memoryEnd });
  }

  /** Octets that the engine and the agent take in it. */
  get used(): number {
    return this.#image.addon.used(this.#handle);
  }

  /** Throws AgentTrapError when the agent traps, SimError "event" when it refuses the event. */
  step(event: EventMessage, nowMs: number): OpMessage {
    let op: Uint8Array | number;
    try {
      op = this.#image.addon.step(this.#handle, encodeEvent(event, this.capacity), nowMs);
    } catch (error) {
      throw new AgentTrapError("trap", `the agent trapped (${(error as Error).message}) on event ${eventHex(event)}`, { event: eventHex(event), nowMs });
    }
    if (typeof op === "number") throw new SimError("event", `the agent refused event ${eventHex(event)} with status ${op}`, { event: eventHex(event), status: op });
    return decodeOp(op[Mailbox.kind] as number, op);
  }

  snapshot(): Uint8Array {
    return this.#image.addon.read(this.#handle, 0, this.memoryEnd);
  }

  restore(state: Uint8Array): void {
    if (state.length !== this.memoryEnd) throw new RangeError(`expected ${this.memoryEnd} octets of memory, got ${state.length}`);
    this.#image.addon.write(this.#handle, 0, state);
  }

  fresh(): NativeAgent {
    return new NativeAgent(this.#image);
  }

  dispose(): void {
    this.#image.addon.close(this.#handle);
  }
}

const loaded = new Map<NativeEngine, Addon>();

function addonOf(engine: NativeEngine): Addon {
  const known = loaded.get(engine);
  if (known !== undefined) return known;
  const path = addonPath(engine);
  if (!existsSync(path)) throw new SimError("no-engine", `expected ${path}: it is built by npm run build where a C compiler is installed`);
  const addon = createRequire(import.meta.url)(path) as Addon;
  loaded.set(engine, addon);
  return addon;
}

/** True when the binding with this engine was built. */
export function hasEngine(engine: NativeEngine): boolean {
  return existsSync(addonPath(engine));
}

function addonPath(engine: NativeEngine): string {
  return join(dirname(findAgent()), "native", `ipa_${engine}.node`);
}
