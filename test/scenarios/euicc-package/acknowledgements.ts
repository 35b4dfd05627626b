/** What the eIM acknowledges is removed, one by one, and nothing else is (SGP.32 v1.2 5.14.6; procedures 4.1, 4.6, 29). */
import assert from "node:assert/strict";
import { fromHex } from "../../sim/core/bytes.js";
import { behaviours, BOOTSTRAP, defineScenario, faults, OPERATIONAL, psmo, until, type Scenario } from "../../sim/index.js";
import { commands, es10Of } from "../apdu-view.js";
import { asked, GET_EIM_PACKAGE, pollsEnded, PROVIDE_RESULT, provided, results, pending } from "../esipa-view.js";

/** delete: the notification is number 1, the EPR number 2 (the delete comes before the signature). */
const NOTIFICATION = 1;
const EPR = 2;
const HOUR = 3_600_000;

const oneByOne = defineScenario({
  name: "every acknowledged number is removed by a BF30 of its own, in the order of the acknowledgement",
  objectives: ["D2"],
  prepare(world) {
    world.eim.use(behaviours.forFunction(PROVIDE_RESULT, behaviours.acknowledge([EPR, NOTIFICATION])));
    world.eim.queue(world.eid, psmo.delete(OPERATIONAL));
  },
  claims: (world) => assert.deepEqual([results(world), pending(world)], [["delete 0"], []]),
  traffic: (_world, trace) => assert.deepEqual(es10Of(trace, "BF30").map((one) => [one.command, one.answer]), [["BF3003800102", "BF3003800100"], ["BF3003800101", "BF3003800100"]]),
  replay: "cut",
});

const large = ([127, 128, 255, 256, 32_767, 32_768, 0x7f_ffff] as const).map((first) =>
  defineScenario({
    name: `sequence numbers from ${first} on are removed as they are coded`,
    objectives: ["D2", "N2"],
    world: { euicc: { firstSeqNumber: first } },
    prepare: (world) => void world.eim.queue(world.eid, psmo.delete(OPERATIONAL)),
    claims: (world) => assert.deepEqual([results(world), pending(world), world.euicc.refusals], [["delete 0"], [], []]),
  }));

const onlyEpr = defineScenario({
  name: "a notification that was bundled and not acknowledged stays, and is delivered by itself",
  objectives: ["D2", "K4"],
  prepare(world) {
    world.eim.use(behaviours.acknowledgeOnly([EPR]));
    world.eim.queue(world.eid, psmo.delete(OPERATIONAL));
  },
  claims(world) {
    assert.deepEqual([results(world), pending(world)], [["delete 0"], []]);
    assert.equal(world.eim.notifications(world.eid).length, 1);
  },
  traffic: (world) => assert.deepEqual(asked(world.eim), ["GetEimPackage", "ProvideEimPackageResult", "GetEimPackage", "HandleNotification"]),
  replay: "cut",
});

const onlyNotification = defineScenario({
  name: "an EPR that is not acknowledged is not removed, and goes to the eIM again after a restart",
  objectives: ["D2", "D5"],
  async script(world) {
    world.eim.use(behaviours.once(behaviours.acknowledgeOnly([NOTIFICATION])));
    world.eim.queue(world.eid, psmo.delete(OPERATIONAL));
    await world.run(until.idle());
    assert.deepEqual(pending(world), [EPR]);
    world.powerCut();
    await world.run(until.idle());
  },
  claims(world) {
    assert.deepEqual(world.eim.results(world.eid).map((result) => result.resent), [1]);
    assert.deepEqual(pending(world), []);
  },
});

const nothing = defineScenario({
  name: "emptyResponse: nothing is removed by it",
  objectives: ["D5"],
  prepare(world) {
    world.eim.use(behaviours.emptyAcknowledgement());
    world.eim.queue(world.eid, psmo.setDefaultDpAddress("dp.example.com"));
  },
  claims(world) {
    assert.deepEqual(results(world), ["setDefaultDpAddress 0"]);
    assert.deepEqual(world.euicc.pending.map((item) => item.kind), ["epr"]);
    assert.ok(!world.euicc.functions.includes(0xbf30));
  },
  traffic: (world, trace) => assert.deepEqual([asked(world.eim), pollsEnded(trace)], [["GetEimPackage", "ProvideEimPackageResult", "GetEimPackage"], [0]]),
  replay: "cut",
});

const refused = ([1, 2, 3, 127] as const).map((code) =>
  defineScenario({
    name: `provideEimPackageResultError ${code}: the result is kept, the poll ends, and the same result is sent again after a pause`,
    objectives: ["D5", "E7"],
    prepare(world) {
      world.eim.use(behaviours.once(behaviours.resultError(code)));
      world.eim.queue(world.eid, psmo.delete(OPERATIONAL));
    },
    claims(world) {
      assert.deepEqual([results(world), pending(world)], [["delete 0"], []]);
      assert.equal(world.euicc.functions.filter((tag) => tag === 0xbf58).length, 0);
    },
    traffic(world, trace) {
      const [first, second] = provided(world.eim);
      assert.equal(first, second);
      assert.deepEqual(asked(world.eim).slice(0, 3), ["GetEimPackage", "ProvideEimPackageResult", "ProvideEimPackageResult"]);
      assert.ok((world.eim.seen[2]?.time ?? 0) - (world.eim.seen[1]?.time ?? 0) > 30_000);
      assert.equal(pollsEnded(trace)[0], -114);
    },
    ...(code === 127 ? { replay: "cut" } : {}),
  }));

const strangeNumbers = defineScenario({
  name: "acknowledged numbers that the eUICC does not know (nothingToDelete) are tolerated",
  objectives: ["D17"],
  prepare(world) {
    world.eim.use(behaviours.acknowledge([77, EPR, 4711, NOTIFICATION]));
    world.eim.queue(world.eid, psmo.delete(OPERATIONAL));
    world.eim.queue(world.eid, psmo.getRAT());
  },
  claims: (world) => assert.deepEqual(results(world), ["delete 0", "getRAT 0"]),
  traffic(world, trace) {
    assert.deepEqual(pollsEnded(trace), [0]);
    assert.deepEqual(es10Of(trace, "BF30").slice(0, 4).map((one) => one.answer.slice(-2)), ["01", "00", "01", "00"]);
    assert.equal(world.euicc.pending.length, 1, "the second EPR was not acknowledged");
  },
});

const emptyRemoval = defineScenario({
  name: "an eUICC that answers RemoveNotificationFromList with BF30 00 is taken as done",
  objectives: ["D17"],
  world: { euicc: { quirks: ["bf30-empty"] } },
  prepare: (world) => void world.eim.queue(world.eid, psmo.delete(OPERATIONAL)),
  claims: (world) => assert.deepEqual([results(world), pending(world)], [["delete 0"], []]),
  traffic: (_world, trace) => assert.deepEqual(pollsEnded(trace), [0]),
});

const removalFails = ([0x6f00, 0x6985, 0x6a80] as const).map((sw) =>
  defineScenario({
    name: `a removal that fails with ${sw.toString(16).toUpperCase()}: the acknowledged result is sent again, and removed then`,
    objectives: ["D17", "D12"],
    prepare(world) {
      world.euicc.failNext(0xbf30, sw);
      world.eim.queue(world.eid, psmo.delete(OPERATIONAL));
    },
    claims: (world) => assert.deepEqual([results(world), pending(world)], [["delete 0"], []]),
    until: until.time(3 * HOUR),
    replay: "cut",
  }));

/** The eIM has the result, its answer is lost. */
const lost = ([
  ["the connection breaks", faults.losesAnswer(2)],
  ["the answer comes too late", faults.lateBy(120_000, 2)],
] as const).map(([what, fault]) =>
  defineScenario({
    name: `the eIM has the result but its answer is lost (${what}): the result is sent again, and the eIM counts it once`,
    objectives: ["D12"],
    prepare(world) {
      world.link.use(fault);
      world.eim.queue(world.eid, psmo.delete(OPERATIONAL));
    },
    claims: (world) => assert.deepEqual([results(world), pending(world)], [["delete 0"], []]),
    traffic(world) {
      assert.deepEqual(world.eim.results(world.eid).map((result) => result.resent), [1]);
      assert.equal(world.euicc.functions.filter((tag) => tag === 0xbf51).length, 1);
      assert.equal(new Set(provided(world.eim)).size, 1);
    },
    until: until.time(3 * HOUR),
    replay: "cut",
  }));

const packageLost = defineScenario({
  name: "the answer that carries a package is lost: the package is given again and executed once",
  objectives: ["D12"],
  prepare(world) {
    world.eim.use(behaviours.once(behaviours.forFunction(GET_EIM_PACKAGE, behaviours.lostAnswer())));
    world.eim.queue(world.eid, psmo.enable(OPERATIONAL));
  },
  claims(world) {
    assert.deepEqual([results(world), world.enabled], [["enable 0"], OPERATIONAL]);
    assert.equal(world.euicc.eims[0]?.counterValue, 1);
  },
  replay: "cut",
});

const replayed = defineScenario({
  name: "the same package again while its EPR is still on the eUICC: the EPR is delivered, not the replayError",
  objectives: ["D12"],
  prepare(world) {
    world.eim.use(behaviours.once(behaviours.forFunction(PROVIDE_RESULT, behaviours.emptyAcknowledgement())));
    world.eim.use(behaviours.nth(2, behaviours.forFunction(GET_EIM_PACKAGE, behaviours.replayedPackage())));
    world.eim.queue(world.eid, psmo.delete(OPERATIONAL));
  },
  claims(world) {
    assert.deepEqual(results(world), ["delete 0"]);
    assert.deepEqual([pending(world), world.enabled], [[], BOOTSTRAP]);
  },
  traffic(world, trace) {
    assert.deepEqual(es10Of(trace, "BF51").map((one) => one.answer.slice(6, 10).includes("A1")), [false, true]);
    assert.deepEqual(world.eim.results(world.eid).map((result) => result.resent), [1]);
    assert.ok(commands(trace).some((command) => command.endsWith("BF2B04A0028200")));
  },
});

const replayedAndGone = defineScenario({
  name: "the same package again after its EPR was removed: the eUICC's replayError goes to the eIM",
  objectives: ["D12", "D6"],
  prepare(world) {
    world.eim.use(behaviours.nth(2, behaviours.forFunction(GET_EIM_PACKAGE, behaviours.replayedPackage())));
    world.eim.queue(world.eid, psmo.setDefaultDpAddress("dp.example.com"));
  },
  claims(world) {
    assert.deepEqual(results(world), ["setDefaultDpAddress 0", "euiccPackageErrorSigned 4"]);
    assert.ok(world.eim.results(world.eid)[1]?.verified);
    assert.deepEqual(pending(world), []);
  },
});

/** What LoadEuiccPackage answers is lost or damaged, though the eUICC has executed. */
const executedSilently = ([
  ["is garbage", fromHex("0102030405")],
  ["is another data object", fromHex("BF2B02A000")],
] as const).map(([what, bytes]) =>
  defineScenario({
    name: `LoadEuiccPackage's answer ${what}: the stored EPR of that counter is delivered`,
    objectives: ["D7", "D12"],
    prepare(world) {
      world.euicc.garbage(bytes, 0xbf51);
      world.eim.queue(world.eid, psmo.delete(OPERATIONAL));
    },
    claims(world) {
      assert.deepEqual([results(world), pending(world)], [["delete 0"], []]);
      assert.equal(world.eim.notifications(world.eid).length, 1);
    },
    replay: "cut",
  }));

export const scenarios: readonly Scenario[] = [
  oneByOne, ...large, onlyEpr, onlyNotification, nothing, ...refused, strangeNumbers, emptyRemoval, ...removalFails, ...lost, packageLost, replayed, replayedAndGone, ...executedSilently,
];
