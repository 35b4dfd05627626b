/** 6881 and cards reset by another hand (sgp32-transport 5.5): the channel is opened again, the command repeated once, and no more. */
import assert from "node:assert/strict";
import { defineScenario, psmo, until, type Scenario, type World } from "../../sim/index.js";
import { commands, es10Of } from "../apdu-view.js";

const tags = [0xbf3e, 0xbf22, 0xbf55, 0xbf2b, 0xbf51, 0xbf30] as const;

/** All logical channels of the card are gone, as when another user of it had reset them. */
function loseChannels(world: World): void {
  const state = world.euicc.snapshot();
  state.volatile.channels = state.volatile.channels.map((channel, number) => (number === 0 ? channel : null));
  world.euicc.restore(state);
}

const goneBefore = defineScenario({
  name: "whichever command finds the channel gone, it is opened again and the command repeated",
  objectives: ["A9"],

  async script(world) {
    world.eim.queue(world.eid, psmo.setDefaultDpAddress("dp.example.com"));
    await world.run(until.ops(6));
    // So seldom that no command meets it twice.
    for (let n = 0; n < 6; n++) {
      loseChannels(world);
      await world.run(until.ops(9));
    }
    await world.run(until.idle());
  },

  claims(world, trace) {
    assert.deepEqual(world.eim.results(world.eid).map((result) => [result.kind, result.verified, result.commands?.[0]?.code]), [["euiccPackageResult", true, 0]]);
    assert.equal(world.euicc.eims[0]?.counterValue, 1);
    assert.deepEqual(world.euicc.pending, []);
    assert.ok(commands(trace).filter((command) => command === "0070000001").length > 2, "opened again");
    assert.ok(trace.reports.every((report) => report.name !== "CardFailed"));
  },
});

const refusedOnce = tags.map((tag) =>
  defineScenario({
    name: `6881 to ${tag.toString(16).toUpperCase()}: the channel is opened again and the command repeated once`,
    objectives: ["A9"],
    prepare(world) {
      world.eim.queue(world.eid, psmo.setDefaultDpAddress("dp.example.com"));
      world.euicc.failNext(tag, 0x6881);
    },
    claims(world) {
      assert.deepEqual(world.eim.results(world.eid).map((result) => [result.kind, result.commands?.[0]?.code]), [["euiccPackageResult", 0]]);
      assert.deepEqual(world.euicc.pending, []);
    },
    traffic(world, trace) {
      assert.equal(commands(trace).filter((command) => command === "0070000001").length, 2);
      assert.equal(trace.reports.filter((report) => report.name === "CardFailed").length, 0);
      assert.equal(world.eim.seen.filter((exchange) => exchange.function === "ProvideEimPackageResult").length, 1);
    },
  }));

const again = defineScenario({
  name: "6881 twice in a row ends the attempt: the card is reset after a pause, and not asked in a loop",
  objectives: ["A9", "A4"],
  prepare(world) {
    for (let n = 0; n < 2; n++) world.euicc.failNext(0xbf55, 0x6881);
  },
  until: until.polls(1),
  claims(world, trace) {
    assert.equal(world.eim.seen.at(-1)?.verdict, "ok");
    assert.ok(es10Of(trace, "BF55").length <= 6);
  },
  traffic(world, trace) {
    assert.equal(trace.reports.filter((report) => report.name === "CardFailed").length, 1);
    assert.deepEqual(world.euicc.terminalCapabilities, [0, 1, 1], "reset once");
  },
  replay: "cut",
});

/** The device's own doing, told with CARD_RESET: nothing is asked over a channel that is gone. */
const anotherHand = defineScenario({
  name: "a card that another hand has reset is announced to and opened again before it is asked",
  objectives: ["A9", "A2"],

  async script(world) {
    world.eim.queue(world.eid, psmo.setDefaultDpAddress("dp.example.com"));
    await world.run(until.ops(12));
    world.euicc.powerCycle();
    world.host.noteCardReset();
    await world.run(until.idle());
  },

  claims(world) {
    assert.deepEqual(world.eim.results(world.eid).map((result) => [result.kind, result.commands?.[0]?.code]), [["euiccPackageResult", 0]]);
    assert.deepEqual(world.euicc.pending, []);
    // What was on its way when the card was reset may fail; nothing else.
    assert.ok(world.euicc.refusals.length <= 1, JSON.stringify(world.euicc.refusals));
    assert.ok(world.euicc.terminalCapabilities.every((count) => count <= 1));
  },
});

export const scenarios: readonly Scenario[] = [goneBefore, ...refusedOnce, again, anotherHand];
