/**
 * One agent: what V8 runs, the engines of the C host run as well. On wasm3 a seeded fifth of the scenarios is compared with V8, octet by octet of each op and
 * by the end state of eUICC and eIMs (on both engines all of them in engines.slow.test.ts). In the engine in place, which devices have, all of them
 * hold; c-host.test.ts compares a fifth of those, with all of the C host around it.
 */
import { test } from "node:test";
import { hasEngine, NativeAgent, type NativeEngine } from "../sim/agent/index.js";
import { Rng } from "../sim/core/rng.js";
import { runScenario, type Scenario } from "../sim/index.js";
import { compareWithV8 } from "./compare.js";
import { scenarios } from "./index.js";

const SEED = 1;

const missing = (engine: NativeEngine): string | false => (hasEngine(engine) ? false : `no C compiler: the binding with ${engine} was not built`);
const chosen = fifth(SEED);

test(`${chosen.length} of ${scenarios.length} scenarios (seed ${SEED}) run on wasm3 as in V8, op by op`, { skip: missing("wasm3") }, () => compareWithV8(NativeAgent.load("wasm3"), chosen));

test("every scenario holds on the engine in place", { skip: missing("inplace") }, async () => {
  const agent = NativeAgent.load("inplace");
  for (const scenario of scenarios) {
    const { failure, world } = await runScenario(scenario, { agent });
    if (failure !== undefined) throw failure;
    world.host.agent.dispose?.();
  }
});

function fifth(seed: number): readonly Scenario[] {
  const rng = new Rng(seed);
  return scenarios.filter(() => rng.int(5) === 0);
}
