/**
 * The whole C host carries scenarios: its doors are the world's, its journal lies in emulated flash, its image is signed. A seeded fifth of them
 * against V8, and some with the power cut at every op (all of them in c-host.slow.test.ts).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { hasCHost } from "../sim/agent/c-host.js";
import { Op, type AgentLike } from "../sim/agent/index.js";
import { Rng } from "../sim/core/rng.js";
import { runScenario, type Scenario, type World } from "../sim/index.js";
import { compareWithV8, cutEverywhere } from "./compare.js";
import { cHost } from "./c-host.image.js";
import { scenarios } from "./index.js";

/** Not that of engines.test.ts, so that the two shares differ. */
const SEED = 2;
const skip = hasCHost() ? false : "no C compiler, or no Mbed TLS: the binding with the C host was not built";

/** Together they write every kind of record: package, endpoint, state changes, parked notifications, download. */
const CUT = [
  "an eIM of two deletes itself: it gets its result, and the other one stays",
  "a result that its eIM does not take is given to no other eIM, and to it later",
  "a refused notification stays parked over a power cut, and is delivered in the end",
  "a power cut at any op around ImmediateEnable: the profile is there once, and all know it",
];

const chosen = fifth(SEED);

test(`${chosen.length} of ${scenarios.length} scenarios (seed ${SEED}) end in the C host as in V8, and go there op by op`, { skip }, () => compareWithV8(cHost(), chosen));

test(`${CUT.length} scenarios hold in the C host with the power cut at every op`, { skip }, (t) => cutEverywhere(cHost(), CUT.map(named), t));

test("a StoreWrite that is done lies in the flash, octet by octet, before the next op; the device that it was copied from stays virgin", { skip }, async () => {
  const template = cHost();
  const scenario = named(CUT[0] as string);
  let seen = 0;
  const prepare = (world: World): void => {
    scenario.prepare?.(world);
    world.onMoment = ({ phase }) => {
      if (phase === "after" || world.host.op.kind === Op.StoreWrite) return;
      const content = flash(world.host.agent);
      for (const [key, record] of world.store.records) assert.ok(content.includes(Buffer.from(record)), `record ${key} is not in the flash before op ${world.trace.opCount - 1}`);
      seen += world.store.records.size;
    };
  };
  const { failure } = await runScenario({ ...scenario, prepare }, { agent: template });
  if (failure !== undefined) throw failure;
  assert.ok(seen > 20, `${seen} records seen`);
  assert.ok(!flash(template).includes(Buffer.from("ipaJ")), "no journal in the flash of the template");
});

function named(name: string): Scenario {
  const scenario = scenarios.find((one) => one.name === name);
  assert.ok(scenario !== undefined, `no scenario "${name}"`);
  return scenario;
}

/** What a device has left without power. */
function flash(agent: AgentLike): Buffer {
  return Buffer.from(agent.fresh().snapshot());
}

function fifth(seed: number): readonly Scenario[] {
  const rng = new Rng(seed);
  return scenarios.filter(() => rng.int(5) === 0);
}
