/** SGP.32 v1.2 3.3.2: the new profile finds no network, the eIM allowed a rollback: the IPA goes back once and tells. */
import assert from "node:assert/strict";
import { BOOTSTRAP, defineScenario, OPERATIONAL, psmo } from "../../sim/index.js";

export default defineScenario({
  name: "a profile without coverage is rolled back, and the eIM learns it",
  objectives: ["E2", "E8", "E9"],

  prepare(world) {
    world.modem.coverage(OPERATIONAL, "none");
    world.eim.queue(world.eid, psmo.enable(OPERATIONAL, { rollback: true }));
  },

  claims(world) {
    assert.equal(world.enabled, BOOTSTRAP);
    const standing = world.eim.results(world.eid).filter((result) => !result.replaced);
    assert.equal(standing.length, 1);
    assert.equal(standing[0]?.rollback, true);
    assert.deepEqual(standing[0]?.commands?.map((command) => [command.command, command.code]), [["rollback", 0]]);
    assert.equal(world.euicc.rollbackGranted, false);
    assert.deepEqual(world.euicc.pending, []);
  },

  traffic(world, trace) {
    const rollbacks = world.euicc.functions.filter((tag) => tag === 0xbf58);
    assert.equal(rollbacks.length, 1, "exactly one ProfileRollback");
    assert.ok(trace.apdus.some((apdu) => Buffer.from(apdu.command).toString("hex").includes("bf58038001ff")), "refreshFlag TRUE is 80 01 FF");
    assert.equal(world.eim.results(world.eid).length, 1, "the first EPR is not sent any more");
  },

  replay: "cut",
});
