/** Runs scenarios in V8 and in an engine of the C host, and compares. */
import assert from "node:assert/strict";
import { NativeAgent, type NativeEngine } from "../sim/agent/index.js";
import { endState } from "../sim/end-state.js";
import { runScenario, type Run, type Scenario } from "../sim/index.js";

export async function compareAll(engine: NativeEngine, chosen: readonly Scenario[]): Promise<void> {
  const agent = NativeAgent.load(engine);
  for (const scenario of chosen) {
    const expected = await runScenario(scenario);
    const got = await runScenario(scenario, { agent });
    if (got.failure !== undefined) throw got.failure;
    compare(scenario, expected, got);
    got.world.host.agent.dispose?.();
  }
}

function compare(scenario: Scenario, expected: Run, got: Run): void {
  const ops = (run: Run): string[] => run.trace.ops.map((op) => JSON.stringify(op));
  const [left, right] = [ops(expected), ops(got)];
  const at = left.findIndex((op, i) => op !== right[i]);
  assert.equal(at, -1, `"${scenario.name}": op ${at} differs: ${left[at]} in V8, ${right[at]} here`);
  assert.equal(right.length, left.length, scenario.name);
  assert.deepEqual(endState(got.world), endState(expected.world), scenario.name);
}
