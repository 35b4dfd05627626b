/** SGP.32 v1.2 3.1.1.1: a poll that finds nothing costs one exchange and leaves everything as it was. */
import assert from "node:assert/strict";
import { BOOTSTRAP, defineScenario, Report } from "../../sim/index.js";

export default defineScenario({
  name: "a poll that finds no eIM Package is one exchange and changes nothing",
  objectives: ["A1", "A2", "B1", "C1", "C5"],

  claims(world) {
    assert.equal(world.enabled, BOOTSTRAP);
    assert.equal(world.euicc.pending.length, 0);
    assert.deepEqual(world.euicc.refusals, []);
    assert.ok(world.eim.seen.every((exchange) => exchange.verdict === "ok" && exchange.warnings.length === 0), JSON.stringify(world.eim.seen));
  },

  traffic(world, trace) {
    assert.deepEqual(world.eim.seen.map((exchange) => exchange.function), ["GetEimPackage"]);
    assert.equal(trace.totals().connections, 1);
    assert.deepEqual(trace.reports.map((report) => report.code).slice(-1), [Report.PollEnded]);
    // EID, and the registered PLMN 001-01; no state change is told.
    assert.match(world.eim.seen[0]?.request ?? "", new RegExp(`^BF4F175A10${world.eid}820300F110$`));
    assert.deepEqual(world.euicc.terminalCapabilities, [0, 1]);
  },

  replay: "cut",
});
