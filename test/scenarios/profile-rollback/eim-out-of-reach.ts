/** SGP.32 v1.2 3.3.2: over the new Profile the eIM can't be given the result, and it allowed a rollback: the IPA goes back, once. */
import assert from "node:assert/strict";
import { toHex } from "../../sim/core/bytes.js";
import { behaviours, BOOTSTRAP, defineScenario, faults, OPERATIONAL, psmo, Report, until, type Scenario, type World } from "../../sim/index.js";
import type { Behaviour } from "../../sim/eim/index.js";
import type { Fault } from "../../sim/link/index.js";
import { es10, es10Of } from "../apdu-view.js";
import { asked, complaints, provided, results } from "../esipa-view.js";
import { assertOneRollback, assertRolledBack, forFirstResult, HOUR, losesAnswerToFirstResult, QUIET_PROFILES, rollbacks, SHORT_WATCH, untilReport } from "./view.js";

function enableWithFlag(world: World): void {
  world.eim.queue(world.eid, psmo.enable(OPERATIONAL, { rollback: true }));
}

const events = (world: World): string[] => world.eim.notifications(world.eid).map((item) => `${item.event} ${item.iccid}`);

const unreachable = defineScenario({
  name: "the eIM can't be given the result of an enable with rollbackFlag: one ProfileRollback, and its result with all four notifications is delivered",
  objectives: ["E1", "E8", "E9"],
  world: { configuration: SHORT_WATCH },
  prepare(world) {
    world.eim.use(forFirstResult(behaviours.drop()));
    enableWithFlag(world);
  },
  claims(world) {
    assertRolledBack(world);
    assert.deepEqual(events(world).sort(), [`disable ${BOOTSTRAP}`, `disable ${OPERATIONAL}`, `enable ${BOOTSTRAP}`, `enable ${OPERATIONAL}`].sort());
  },
  traffic(world, trace) {
    assertOneRollback(world, trace);
    assert.equal(world.eim.results(world.eid).length, 1, "the first result is not delivered");
    assert.match(provided(world.eim).at(-1) ?? "", /^30/, "EPR and notifications together");
    const commands = es10(trace).map((one) => one.command);
    const rollback = commands.indexOf("BF58038001FF");
    assert.ok(commands.indexOf("BF2B00", rollback) > rollback, "the list of notifications is read afresh");
    const removed = commands.slice(rollback).filter((command) => command.startsWith("BF30"));
    assert.deepEqual(removed, [...world.eim.results(world.eid), ...world.eim.notifications(world.eid)].map((item) => `BF30038001${toHex(Uint8Array.of(item.seqNumber ?? 0))}`));
    assert.deepEqual(complaints(world).filter((text) => !text.includes("resent")), []);
  },
  replay: "cut",
});

/** What an eIM can do to the first result that is no valid ESipa answer. */
const ANSWERS: readonly [string, Behaviour][] = [
  ["closes the connection each time", behaviours.drop()],
  ["never answers", behaviours.silent()],
  ["answers 503 each time", behaviours.status(503)],
  ["answers 404 each time", behaviours.status(404)],
  ["answers something that is no ESipa message", { name: "garbage", answer: () => ({ status: 200, headers: { "content-type": "text/html" }, body: Uint8Array.of(0x3c, 0x68, 0x3e) }) }],
  ["answers without a body", { name: "empty", answer: () => ({ status: 200, headers: {}, body: new Uint8Array(0) }) }],
];

const noAnswer = ANSWERS.map(([what, behaviour]) =>
  defineScenario({
    name: `an eIM that ${what} when it is given the result of an enable with rollbackFlag: rolled back once`,
    objectives: ["E1"],
    prepare(world) {
      world.eim.use(forFirstResult(behaviour));
      enableWithFlag(world);
    },
    claims: assertRolledBack,
    traffic(world, trace) {
      assertOneRollback(world, trace);
      const at = trace.reports.find((report) => report.code === Report.RolledBack)?.at ?? 0;
      assert.ok(at > 300_000 && at < 400_000, `rolled back at ${at} ms, expected when the watch of 300 s is over`);
    },
  }));

/** Ways not to get to the eIM at all, from its second connection on; healed when the rollback is done. */
const CONNECTS: readonly [string, Fault][] = [
  ["is not resolved", faults.nameFails(Infinity, 2)],
  ["refuses connections", faults.refuses(Infinity, 2)],
  ["is not the one that is trusted", faults.untrusted(Infinity, 2)],
  ["lets connections hang", faults.connectHangs(Infinity, 2)],
];

const noConnection = CONNECTS.map(([what, fault]) =>
  defineScenario({
    name: `an eIM that ${what} over the new Profile: rolled back once`,
    objectives: ["E1"],
    prepare(world) {
      world.link.use(fault);
      enableWithFlag(world);
    },
    async script(world) {
      await untilReport(world, Report.RolledBack);
      world.link.heal();
      await world.run(until.idle());
    },
    claims: assertRolledBack,
    traffic(world, trace) {
      assertOneRollback(world, trace);
      assert.equal(world.eim.results(world.eid).length, 1);
    },
  }));

const answerLost = defineScenario({
  name: "the eIM took the first result and every answer to it was lost: the rollback's result takes its place",
  objectives: ["E1", "D12"],
  world: { configuration: SHORT_WATCH, profiles: QUIET_PROFILES },
  prepare(world) {
    world.eim.use(losesAnswerToFirstResult());
    enableWithFlag(world);
  },
  claims: assertRolledBack,
  traffic(world, trace) {
    assertOneRollback(world, trace);
    assert.deepEqual(world.eim.results(world.eid).map((result) => [result.rollback, result.replaced]), [[false, true], [true, false]]);
    assert.equal(new Set(world.eim.results(world.eid).map((result) => result.counter)).size, 1, "same counter");
    assert.equal(new Set(world.eim.results(world.eid).map((result) => result.transactionId)).size, 1, "same eimTransactionId");
  },
  replay: "cut",
});

const disableFirst = defineScenario({
  name: "a package that disables one Profile and enables another with rollbackFlag is rolled back to the one that it disabled",
  objectives: ["E1"],
  world: { configuration: SHORT_WATCH },
  prepare(world) {
    world.eim.use(forFirstResult(behaviours.drop()));
    world.eim.queue(world.eid, [psmo.disable(BOOTSTRAP), psmo.enable(OPERATIONAL, { rollback: true })]);
  },
  claims: assertRolledBack,
  traffic: assertOneRollback,
});

const longResult = defineScenario({
  name: "a rollback is not missed because the first result is too long for memory",
  objectives: ["E1", "D15", "N2"],
  world: {
    configuration: SHORT_WATCH,
    profiles: [
      { iccid: BOOTSTRAP, enabled: true, icon: { type: "png", data: new Uint8Array(1000).fill(1) } },
      { iccid: OPERATIONAL, icon: { type: "jpg", data: new Uint8Array(1000).fill(2) } },
      { iccid: "8900101000000000031", icon: { type: "jpg", data: new Uint8Array(1000).fill(3) } },
      { iccid: "8900101000000000049", icon: { type: "jpg", data: new Uint8Array(1000).fill(4) } },
      { iccid: "8900101000000000056", icon: { type: "jpg", data: new Uint8Array(1000).fill(5) } },
    ],
  },
  prepare(world) {
    world.eim.use(forFirstResult(behaviours.drop()));
    world.eim.queue(world.eid, [psmo.listProfileInfo(undefined, [0x5a, 0x94]), psmo.enable(OPERATIONAL, { rollback: true })]);
  },
  claims: assertRolledBack,
  traffic: assertOneRollback,
});

function told(eim: World["eim"], world: World): number[] {
  return eim.device(world.eid).stateChanges.map((change) => change.cause);
}

const toldToOthers = defineScenario({
  name: "the other eIMs are told of the change and of the rollback as otherEim, the one that asked for it is not",
  objectives: ["E1", "C4", "C8"],
  world: { configuration: SHORT_WATCH, profiles: QUIET_PROFILES, eims: [{ fqdn: "eim-1.example.com" }, { fqdn: "eim-2.example.com" }] },
  prepare(world) {
    world.eim.use(forFirstResult(behaviours.drop()));
    enableWithFlag(world);
  },
  claims(world) {
    assertRolledBack(world);
    assert.deepEqual(told(world.eims[0] ?? world.eim, world), []);
    const others = told(world.eims[1] ?? world.eim, world);
    assert.ok(others.length >= 1 && others.every((cause) => cause === 0), `told ${others.join(", ")}`);
  },
  traffic: (world) => assert.deepEqual(told(world.eims[1] ?? world.eim, world), [0, 0], "once of the change, once of the way back"),
});

const notAgain = defineScenario({
  name: "an eIM that is out of reach after the rollback as well: no second attempt, and the result is delivered later",
  objectives: ["E6"],
  world: { configuration: SHORT_WATCH, profiles: QUIET_PROFILES },
  prepare(world) {
    const drop = behaviours.drop();
    world.eim.use({ name: "no results before 3 h", answer: (request, context) => (request.body[1] === 0x50 && (context.time < 3 * HOUR || !toHex(request.body).includes("30038C0100")) ? drop.answer?.(request, context) : undefined) });
    enableWithFlag(world);
  },
  claims: assertRolledBack,
  traffic(world, trace) {
    assertOneRollback(world, trace);
    assert.equal(rollbacks(world), 1);
    const tries = asked(world.eim).filter((name) => name === "ProvideEimPackageResult").length;
    assert.ok(tries < 30, `${tries} tries in 3 hours: with growing waits`);
  },
  replay: "cut",
});

const twice = defineScenario({
  name: "each package has a rollback of its own: two packages one after the other are both rolled back",
  objectives: ["E1", "E6"],
  world: { configuration: SHORT_WATCH, profiles: QUIET_PROFILES },
  prepare(world) {
    world.eim.use(forFirstResult(behaviours.drop()));
    enableWithFlag(world);
    enableWithFlag(world);
  },
  claims(world) {
    assert.equal(world.enabled, BOOTSTRAP);
    assert.deepEqual(results(world), ["rollback 0", "rollback 0"]);
    assert.deepEqual(world.euicc.pending, []);
  },
  traffic: (_world, trace) => assert.equal(es10Of(trace, "BF58").length, 2),
});

export const scenarios: readonly Scenario[] = [unreachable, ...noAnswer, ...noConnection, answerLost, disableFirst, longResult, toldToOthers, notAgain, twice];
