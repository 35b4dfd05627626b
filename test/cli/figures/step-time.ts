/**
 * Time spent inside `ipa_step`, alone: the events of a run are noted, and given again to a bare instance of the wasm, without host,
 * world and checks around it. The agent is a function of its events, so that it does the same again.
 */
import { eventHex, type AgentLike, type EventMessage, type OpMessage } from "../../sim/agent/index.js";
import { Wasm, type WasmModule } from "../../sim/agent/webassembly.js";
import { fromHex } from "../../sim/core/bytes.js";
import { SimError } from "../../sim/core/errors.js";

/** One event as it lies in the mailbox, when it came, and the kind of op that answered it. */
export interface Step {
  readonly event: Uint8Array;
  readonly nowMs: number;
  readonly op: number;
}

/** An agent that notes its steps. */
export class Recorder implements AgentLike {
  readonly steps: Step[] = [];
  readonly #agent: AgentLike;

  constructor(agent: AgentLike) {
    this.#agent = agent;
  }

  get capacity(): number {
    return this.#agent.capacity;
  }

  step(event: EventMessage, nowMs: number): OpMessage {
    const op = this.#agent.step(event, nowMs);
    this.steps.push({ event: fromHex(eventHex(event)), nowMs, op: op.kind });
    return op;
  }

  snapshot(): Uint8Array {
    return this.#agent.snapshot();
  }

  restore(state: Uint8Array): void {
    this.#agent.restore(state);
  }

  /** Itself: a world asks for a fresh agent when it is made, and what that one does is to be noted here. */
  fresh(): AgentLike {
    return this;
  }
}

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  ipa_mailbox(): number;
  ipa_step(nowMs: number): number;
}

/** Which octets of linear memory the steps write, all of them from the start on: those that ever hold another value than before a step. */
export function written(module: WasmModule, steps: readonly Step[]): { written: number; highest: number } {
  const exports = new Wasm.Instance(module, {}).exports as unknown as Exports;
  const memory = new Uint8Array(exports.memory.buffer);
  const mailbox = exports.ipa_mailbox();
  const touched = new Uint8Array(memory.length);
  let before = memory.slice();
  for (const { event, nowMs } of steps) {
    memory.set(event, mailbox);
    exports.ipa_step(nowMs | 0);
    if (Buffer.compare(before, memory) !== 0) for (let at = 0; at < memory.length; at++) if (memory[at] !== before[at]) touched[at] = 1;
    before = memory.slice();
  }
  return { written: touched.reduce((sum, one) => sum + one, 0), highest: touched.lastIndexOf(1) + 1 };
}

/** Microseconds inside `ipa_step` for the steps from `from` on, in a new instance. Throws SimError when it does not do the same again. */
export function stepTime(module: WasmModule, steps: readonly Step[], from: number): number {
  const exports = new Wasm.Instance(module, {}).exports as unknown as Exports;
  const mailbox = new Uint8Array(exports.memory.buffer, exports.ipa_mailbox());
  let total = 0;
  steps.forEach(({ event, nowMs, op }, n) => {
    mailbox.set(event);
    const begin = performance.now();
    const got = exports.ipa_step(nowMs | 0);
    if (n >= from) total += performance.now() - begin;
    if (got !== op) throw new SimError("figures", `step ${n} again: expected op ${op}, got ${got}`);
  });
  return total * 1000;
}
