/**
 * One agent: what V8 runs, the engines of the C host run as well. Each scenario gives the same ops, octet by octet, and ends in the same
 * state of eUICC and eIMs. On the engine in place all of them run; on wasm3 a fifth, chosen by a seed, and all in engines.slow.test.ts.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { hasEngine, NATIVE_ENGINES, NativeAgent, type NativeEngine } from "../sim/agent/index.js";
import { Rng } from "../sim/core/rng.js";
import { endState } from "../sim/end-state.js";
import { runScenario, type Run, type Scenario } from "../sim/index.js";
import { scenarios } from "./index.js";

const SEED = 1;

for (const engine of NATIVE_ENGINES) {
  const chosen = engine === "inplace" ? scenarios : fifth(SEED);
  test(`${chosen.length} of ${scenarios.length} scenarios run on ${engine} as in V8, op by op`, { skip: hasEngine(engine) ? false : `no C compiler: the binding with ${engine} was not built` }, async (t) => {
    t.diagnostic(`${await compareAll(engine, chosen)} scenarios compared on ${engine}`);
  });
}

function fifth(seed: number): readonly Scenario[] {
  const rng = new Rng(seed);
  return scenarios.filter(() => rng.int(5) === 0);
}

async function compareAll(engine: NativeEngine, chosen: readonly Scenario[]): Promise<number> {
  const agent = NativeAgent.load(engine);
  for (const scenario of chosen) {
    const expected = await runScenario(scenario);
    const got = await runScenario(scenario, { agent });
    if (got.failure !== undefined) throw got.failure;
    compare(scenario, expected, got);
    got.world.host.agent.dispose?.();
  }
  return chosen.length;
}

function compare(scenario: Scenario, expected: Run, got: Run): void {
  const ops = (run: Run): string[] => run.trace.ops.map((op) => JSON.stringify(op));
  const [left, right] = [ops(expected), ops(got)];
  const at = left.findIndex((op, i) => op !== right[i]);
  assert.equal(at, -1, `"${scenario.name}": op ${at} differs: ${left[at]} in V8, ${right[at]} here`);
  assert.equal(right.length, left.length, scenario.name);
  assert.deepEqual(endState(got.world), endState(expected.world), scenario.name);
}
