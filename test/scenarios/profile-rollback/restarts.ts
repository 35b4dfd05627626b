/** SGP.32 v1.2 3.3.2 on a device that starts anew again and again: the watch over the new profile must end all the same. */
import assert from "node:assert/strict";
import { BOOTSTRAP, defineScenario, OPERATIONAL, psmo, until } from "../../sim/index.js";

/** Shorter than the watch (300 s), so that none runs to its end. */
const BETWEEN_CUTS_MS = 200_000;

export default defineScenario({
  name: "a profile without coverage is rolled back even when the power goes before each watch is over",
  objectives: ["E2", "E9"],

  prepare(world) {
    world.modem.coverage(OPERATIONAL, "none");
    world.eim.queue(world.eid, psmo.enable(OPERATIONAL, { rollback: true }));
  },

  async script(world) {
    for (let cut = 0; cut < 10 && (cut === 0 || world.enabled === OPERATIONAL); cut++) {
      await world.run(until.time(BETWEEN_CUTS_MS));
      world.powerCut();
    }
    assert.equal(world.enabled, BOOTSTRAP, "rolled back between two cuts");
    await world.run(until.idle());
  },

  claims(world) {
    assert.equal(world.enabled, BOOTSTRAP);
    const standing = world.eim.results(world.eid).filter((result) => !result.replaced);
    assert.deepEqual(standing.map((result) => [result.rollback, result.commands?.map((command) => command.code)]), [[true, [0]]]);
    assert.equal(world.euicc.functions.filter((tag) => tag === 0xbf58).length, 1, "exactly one ProfileRollback");
    assert.deepEqual(world.euicc.pending, []);
  },
});
