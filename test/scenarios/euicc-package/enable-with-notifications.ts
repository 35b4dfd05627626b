/** SGP.32 v1.2 3.3.1: enable, REFRESH, and the result delivered over the new profile together with the notifications of the switch. */
import assert from "node:assert/strict";
import { BOOTSTRAP, defineScenario, OPERATIONAL, psmo } from "../../sim/index.js";

export default defineScenario({
  name: "an enabled profile takes over, and its result and notifications reach the eIM over it",
  objectives: ["D2", "D9", "D11"],

  prepare(world) {
    world.eim.queue(world.eid, psmo.enable(OPERATIONAL));
  },

  claims(world) {
    assert.equal(world.enabled, OPERATIONAL);
    const results = world.eim.results(world.eid);
    assert.equal(results.length, 1);
    assert.equal(results[0]?.kind, "euiccPackageResult");
    assert.equal(results[0]?.verified, true);
    assert.deepEqual(results[0]?.commands?.map((command) => [command.command, command.code]), [["enable", 0]]);
    assert.deepEqual(world.eim.notifications(world.eid).map((item) => [item.event, item.iccid, item.verified]).sort(), [["disable", BOOTSTRAP, true], ["enable", OPERATIONAL, true]]);
    assert.deepEqual(world.euicc.pending, [], "everything acknowledged is removed from the eUICC");
  },

  traffic(world, trace) {
    assert.deepEqual(world.eim.seen.map((exchange) => exchange.function), ["GetEimPackage", "ProvideEimPackageResult", "GetEimPackage"]);
    assert.equal(trace.totals().connections, 2, "the old connection died with the old profile");
    assert.deepEqual(world.euicc.refusals, []);
  },

  replay: "cut",
});
