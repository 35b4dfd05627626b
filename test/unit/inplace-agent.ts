/** The agent's recorded runs on an engine and in V8: the same events, as they were and mutated, give the same op or status and the same memory. */
import { readFileSync } from "node:fs";
import { Agent } from "../sim/agent/index.js";
import { encodeEvent } from "../sim/agent/mailbox.js";
import { fnv, type EngineProcess } from "../../host/tool/spec-driver.js";
import { record, POLLS, type Recording, type Run } from "../robustness/recordings.js";
import type { Rng } from "../sim/core/rng.js";
import { inV8 } from "./inplace-kit.js";

interface Exports {
  memory: { buffer: ArrayBuffer };
  ipa_mailbox(): number;
  ipa_capacity(): number;
  ipa_memory(): number;
  ipa_step(now: number): number;
}

export const agentWasm = (): Uint8Array => new Uint8Array(readFileSync("dist/tinyipa.wasm"));

export function recordRuns(runs: readonly Run[] = POLLS): Promise<Recording[]> {
  return record(new Agent(agentWasm()), runs);
}

/** V8's side. */
export class Reference {
  readonly #exports = inV8(agentWasm()) as unknown as Exports;
  readonly mailbox = this.#exports.ipa_mailbox();
  readonly end = this.#exports.ipa_memory();
  readonly #memory = new Uint8Array(this.#exports.memory.buffer);

  load(image: Uint8Array): void {
    this.#memory.set(image);
  }

  step(event: Uint8Array, now: number): { status: number; hash: number } {
    this.#memory.set(event, this.mailbox);
    return { status: this.#exports.ipa_step(now | 0), hash: fnv(this.#memory.subarray(0, this.end)) };
  }
}

export class AgentComparison {
  readonly differences: string[] = [];
  steps = 0;
  readonly #reference = new Reference();

  constructor(readonly engine: EngineProcess) {}

  async #step(what: string, event: Uint8Array, now: number): Promise<void> {
    this.steps++;
    const wanted = this.#reference.step(event, now);
    const sent = this.engine.write(this.#reference.mailbox, event);
    const answered = this.engine.step(now);
    const hashed = this.engine.hash();
    await sent;
    const { code, words, text } = await answered;
    const hash = await hashed;
    const status = Number.parseInt(words[0] as string, 16) | 0;
    if (code !== 0) this.differences.push(`${what}: ${code} ${text}`);
    else if (status !== wanted.status) this.differences.push(`${what}: expected ${wanted.status}, got ${status}`);
    else if (hash !== wanted.hash) this.differences.push(`${what}: ${wanted.status}, and memory differs`);
  }

  async #load(image: Uint8Array): Promise<void> {
    this.#reference.load(image);
    const { code } = await this.engine.write(0, image);
    if (code !== 0) throw new RangeError(`expected ${image.length} octets of linear memory`);
  }

  /** A whole run, event by event. */
  async play({ name, steps }: Recording): Promise<void> {
    await this.#load((steps[0] as Recording["steps"][number]).image);
    for (const [n, { event, now }] of steps.entries()) await this.#step(`${name}, event ${n}`, encodeEvent(event), now);
  }

  /** One step of a run with a mutated event. */
  async mutate({ name, steps }: Recording, rng: Rng, seed: string): Promise<void> {
    const n = rng.int(steps.length);
    const { image, event, now } = steps[n] as Recording["steps"][number];
    const bytes = encodeEvent(event).slice();
    for (let times = 1 + rng.int(4); times > 0; times--) bytes[rng.int(rng.int(3) === 0 ? Math.min(24, bytes.length) : bytes.length)] = rng.int(256);
    await this.#load(image);
    await this.#step(`${seed}: ${name}, event ${n} mutated to ${Buffer.from(bytes).toString("hex")}`, bytes, now + rng.int(5000));
  }
}
