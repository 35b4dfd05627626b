/** Runs mutated messages where a hang can be ended: in a worker, with a watchdog that names the case it stood at. */
import { Worker } from "node:worker_threads";
import type { Counts } from "./cases.js";
import type { SetName } from "./material.js";

export interface Job {
  readonly wasm: Uint8Array;
  readonly set: SetName;
  readonly seed: number;
  readonly from: number;
  readonly count: number;
  /** Every event and op goes into the message of a failure. */
  readonly talk: boolean;
}

export interface Result {
  readonly counts: Counts;
  /** One text a failed case, ending with what repeats it. */
  readonly failures: readonly string[];
}

/** What repeats one case, and prints its ops and events. */
export function repeatLine({ set, seed }: Pick<Job, "set" | "seed">, index: number): string {
  return `repeat: TINYIPA_MUTATION=${set}:${seed}:${index} npm test mutation.test`;
}

const LOOK_MS = 500;
/** A case takes a few milliseconds; recording at the beginning takes a second. */
const LONGEST_CASE_MS = 30_000;

export function runGuarded(job: Job): Promise<Result> {
  const progress = new Int32Array(new SharedArrayBuffer(4)).fill(-1);
  const worker = new Worker(new URL("./worker.js", import.meta.url), { workerData: { ...job, progress } });
  let [seen, since] = [-1, performance.now()];
  return new Promise<Result>((resolve, reject) => {
    const watch = setInterval(() => {
      const at = Atomics.load(progress, 0);
      if (at !== seen) [seen, since] = [at, performance.now()];
      if (performance.now() - since > LONGEST_CASE_MS) reject(new Error(`ipa_step hangs; ${repeatLine(job, at)}`));
    }, LOOK_MS);
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.once("exit", (code) => reject(new Error(`the worker ended (${code}) at a case; ${repeatLine(job, Atomics.load(progress, 0))}`)));
    worker.once("exit", () => clearInterval(watch));
  }).finally(() => void worker.terminate());
}
