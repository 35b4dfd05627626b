/**
 * Runs scenarios in V8 and in another agent (an engine of the C host, or all of it), and compares: every claim holds, the ops that come out
 * are those of V8, octet by octet, and eUICC and eIMs end in the same state. What can't be the same would be named here with its
 * reason: nothing is.
 */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { AgentLike } from "../sim/agent/index.js";
import { endState } from "../sim/end-state.js";
import { cutScenario, runScenario, type Run, type Scenario } from "../sim/index.js";

/** Throws what the first scenario that differs, or does not hold, has to say. */
export async function compareWithV8(agent: AgentLike, chosen: readonly Scenario[]): Promise<void> {
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

/** Cuts the power of each at every op, and in StoreWrite amid one of the flash's programs: it ends as uncut, nothing is done twice. */
export async function cutEverywhere(agent: AgentLike, chosen: readonly Scenario[], t: TestContext): Promise<void> {
  let total = 0;
  for (const scenario of chosen) {
    const { cuts, failures } = await cutScenario(scenario, { agent });
    assert.ok(cuts > 0, `"${scenario.name}" had no op to cut at`);
    if (failures.length > 0) throw new Error(`${failures.length} of ${cuts} cuts end differently; the first: ${(failures[0] as Error).message}`);
    total += cuts;
  }
  t.diagnostic(`${total} cuts`);
}
