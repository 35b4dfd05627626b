/** SGP.32 v1.2 3.4 with eCall (procedures 6.1, 19): while the Emergency Profile is enabled, an IpaEuiccDataRequest is answered ecallActive. */
import assert from "node:assert/strict";
import { BOOTSTRAP, dataRequest, defineScenario, OPERATIONAL, until, type Scenario, type World, type WorldOptions } from "../../sim/index.js";
import { complaints } from "../esipa-view.js";
import { bodies, dataBody, errorBody, items, TAGS } from "./view.js";

async function ask(world: World, tags: readonly number[]): Promise<void> {
  const all = items(world);
  const record = world.eim.queue(world.eid, dataRequest({ tags }));
  await world.run(until.idle());
  assert.deepEqual(bodies(world.eim), [dataBody(world, all, tags, record.transactionId)]);
}

const active = defineScenario({
  name: "the Emergency Profile is enabled: an IpaEuiccDataRequest is answered ecallActive, and the eUICC is asked for nothing",
  objectives: ["F6"],
  world: { profiles: [{ iccid: BOOTSTRAP, enabled: true, ecall: true }, { iccid: OPERATIONAL }] },
  prepare(world) {
    for (const tags of [TAGS, [0xa8], [0xa9]]) world.eim.queue(world.eid, dataRequest({ tags }));
  },
  claims(world) {
    const records = world.eim.device(world.eid).packages;
    assert.deepEqual(bodies(world.eim), records.map((record) => errorBody(world, 104, record.transactionId)));
    assert.deepEqual(complaints(world), []);
  },
  traffic: (world) => assert.deepEqual(world.euicc.functions.filter((tag) => [0xbf3c, 0xbf20, 0xbf56].includes(tag)), []),
});

/** Worlds in which there is no emergency, though it may look like one. */
const CALM: readonly [string, WorldOptions][] = [
  ["an Emergency Profile that is not enabled", { profiles: [{ iccid: BOOTSTRAP, enabled: true }, { iccid: OPERATIONAL, ecall: true }] }],
  ["an enabled Profile that says ecallIndication FALSE", { profiles: [{ iccid: BOOTSTRAP, enabled: true, ecall: false }], euicc: { quirks: ["explicit-defaults"] } }],
  ["a card whose Profiles say nothing of it", { profiles: [{ iccid: BOOTSTRAP, enabled: true }] }],
];

const calm = CALM.map(([what, options]) =>
  defineScenario({
    name: `no emergency with ${what}: the request is answered`,
    objectives: ["F6"],
    world: options,
    script: (world) => ask(world, TAGS),
    claims: (world) => assert.deepEqual(complaints(world), []),
  }));

const notAnnounced = (["ecall", "v1.0"] as const).map((what) =>
  defineScenario({
    name: `an eUICC that ${what === "ecall" ? "does not announce ecallSupported" : "has no iotSpecificInfo"} is not asked for its Profiles`,
    objectives: ["F6", "L5"],
    world: { euicc: what === "ecall" ? { features: { ecall: false } } : { quirks: ["info2-v1.0"] } },
    script: (world) => ask(world, [0xbf22, 0x83]),
    claims: (world) => assert.deepEqual(world.euicc.functions.filter((tag) => tag === 0xbf2d), []),
  }));

export const scenarios: readonly Scenario[] = [active, ...calm, ...notAnnounced];
