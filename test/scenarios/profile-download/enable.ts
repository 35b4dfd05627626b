/** What follows a download: the profile is enabled by a package, with rollback, or at once (SGP.32 v1.2 3.3.1, 3.3.2, 3.4.4, 5.9.15; procedures 14). */
import assert from "node:assert/strict";
import { BOOTSTRAP, defineScenario, psmo, type Scenario } from "../../sim/index.js";
import { results } from "../esipa-view.js";
import { agree, DOWNLOADED, endedWithOrCut, IMMEDIATE_ENABLE, LAST_BLOCKS, nothingWaits, orderAndTrigger, outcomes, theOrder, WITH_SMDP } from "./view.js";

const QUIET = { metadata: {} };
const IMMEDIATELY = { ...WITH_SMDP, configuration: { switches: ["ImmediateEnable"] as const }, euicc: { immediateEnable: true } };

export const scenarios: readonly Scenario[] = [
  defineScenario({
    name: "a downloaded profile is enabled by a package, and the eIM is told over it",
    objectives: ["I1", "D9"],
    world: WITH_SMDP,
    prepare(world) {
      orderAndTrigger(world, QUIET);
      world.eim.queue(world.eid, psmo.enable(DOWNLOADED, { rollback: true }));
    },
    claims(world) {
      assert.deepEqual(outcomes(world), ["installed"]);
      assert.equal(world.enabled, DOWNLOADED);
      assert.deepEqual(results(world).slice(-1), ["enable 0"]);
      agree(world, theOrder(world));
    },
  }),
  defineScenario({
    name: "a downloaded profile without coverage is rolled back, and stays installed",
    objectives: ["E2", "I1"],
    world: { ...WITH_SMDP, registrationMs: 2_000, configuration: { watchS: 60 } },
    prepare(world) {
      world.modem.coverage(DOWNLOADED, "none");
      orderAndTrigger(world);
      world.eim.queue(world.eid, psmo.enable(DOWNLOADED, { rollback: true }));
    },
    claims(world) {
      assert.deepEqual(outcomes(world), ["installed"]);
      assert.equal(world.enabled, BOOTSTRAP);
      const result = world.eim.results(world.eid).find((one) => one.kind === "euiccPackageResult" && !one.replaced);
      assert.equal(result?.rollback, true);
      agree(world, theOrder(world));
    },
  }),
  defineScenario({
    name: "ImmediateEnable follows the PIR at once, and every eIM is told a state change of cause 5",
    objectives: ["L1"],
    world: IMMEDIATELY,
    prepare: (world) => void orderAndTrigger(world, QUIET),
    claims(world) {
      assert.equal(world.enabled, DOWNLOADED);
      agree(world, theOrder(world));
      assert.ok(world.eim.device(world.eid).stateChanges.some((change) => change.cause === 5), JSON.stringify(world.eim.device(world.eid).stateChanges));
    },
    traffic(world) {
      const { functions } = world.euicc;
      const at = functions.indexOf(IMMEDIATE_ENABLE);
      assert.ok(at > 0, "ImmediateEnable was called");
      assert.equal(functions[at - 1], LAST_BLOCKS, "directly behind the Bound Profile Package");
    },
  }),
  defineScenario({
    name: "ImmediateEnable that the eUICC is not configured for changes nothing",
    objectives: ["L1"],
    world: { ...IMMEDIATELY, euicc: {} },
    prepare: (world) => void orderAndTrigger(world, QUIET),
    claims(world) {
      assert.equal(world.enabled, BOOTSTRAP);
      endedWithOrCut(world, theOrder(world), "installed");
    },
    traffic: (world) => assert.deepEqual(outcomes(world), ["installed"]),
  }),
  defineScenario({
    name: "ImmediateEnable while the card is busy changes nothing, and the result is told",
    objectives: ["L1"],
    world: IMMEDIATELY,
    prepare(world) {
      orderAndTrigger(world, QUIET);
      world.euicc.catBusy(1);
    },
    claims(world) {
      assert.deepEqual(outcomes(world), ["installed"]);
      agree(world, theOrder(world));
    },
  }),
  defineScenario({
    name: "a power cut at any op around ImmediateEnable: the profile is there once, and all know it",
    objectives: ["L1", "H16"],
    world: IMMEDIATELY,
    prepare: (world) => void orderAndTrigger(world, QUIET),
    claims(world) {
      // Cut between the PIR and ImmediateEnable the profile stays disabled: that session is over.
      assert.ok(world.enabled === DOWNLOADED || world.enabled === BOOTSTRAP);
      if (outcomes(world).at(-1) === "installed") agree(world, theOrder(world));
      else nothingWaits(world);
    },
    replay: "cut",
    ends: "claimed",
  }),
];
