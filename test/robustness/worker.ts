/** Runs a row of cases in a thread of its own, telling the watchdog (guarded.ts) which one it is at. */
import { parentPort, workerData } from "node:worker_threads";
import { Case, type Counts } from "./cases.js";
import { repeatLine, type Job, type Result } from "./guarded.js";
import { prepare } from "./material.js";

const MOST_FAILURES = 5;

const { wasm, set, seed, from, count, talk, progress } = workerData as Job & { readonly progress: Int32Array };
const material = await prepare(wasm, set);
const counts: Counts = { cases: 0, ops: 0, polls: 0 };
const failures: string[] = [];
for (let index = from; index < from + count && failures.length < MOST_FAILURES; index++) {
  Atomics.store(progress, 0, index);
  const one = new Case(material, seed, index, counts, talk);
  try {
    one.run();
  } catch (error) {
    failures.push([...one.log, `${one.what}: ${(error as Error).message}`].join("\n") + `; ${repeatLine({ set, seed }, index)}`);
  }
}
parentPort?.postMessage({ counts, failures } satisfies Result);
