/**
 * One agent: what V8 runs, the engines of the C host run as well. A seeded fifth of the scenarios is compared with V8, octet by octet of each op and
 * by the end state of eUICC and eIMs (all of them in engines.slow.test.ts). In the engine in place, which devices have, all of them hold.
 */
import { test } from "node:test";
import { hasEngine, NATIVE_ENGINES, NativeAgent } from "../sim/agent/index.js";
import { Rng } from "../sim/core/rng.js";
import { runScenario, type Scenario } from "../sim/index.js";
import { compareWithV8 } from "./compare.js";
import { scenarios } from "./index.js";

const SEED = 1;

for (const engine of NATIVE_ENGINES) {
  const skip = hasEngine(engine) ? false : `no C compiler: the binding with ${engine} was not built`;
  const chosen = fifth(SEED);
  test(`${chosen.length} of ${scenarios.length} scenarios (seed ${SEED}) run on ${engine} as in V8, op by op`, { skip }, () => compareWithV8(NativeAgent.load(engine), chosen));
}

test("every scenario holds on the engine in place", { skip: hasEngine("inplace") ? false : "no C compiler: the binding with inplace was not built" }, async () => {
  const agent = NativeAgent.load("inplace");
  const others = new Set(fifth(SEED));
  for (const scenario of scenarios) {
    if (others.has(scenario)) continue;
    const { failure, world } = await runScenario(scenario, { agent });
    if (failure !== undefined) throw failure;
    world.host.agent.dispose?.();
  }
});

function fifth(seed: number): readonly Scenario[] {
  const rng = new Rng(seed);
  return scenarios.filter(() => rng.int(5) === 0);
}
