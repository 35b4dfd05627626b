/**
 * What the eUICC answers to ProfileRollback (SGP.32 v1.2 5.9.16; procedures 5): refused, busy, garbled, silent, in other codings.
 * No answer may lead to a second rollback, or lose the result.
 */
import assert from "node:assert/strict";
import { fromHex } from "../../sim/core/bytes.js";
import { behaviours, defineScenario, OPERATIONAL, psmo, Report, until, type Scenario, type World } from "../../sim/index.js";
import { es10Of } from "../apdu-view.js";
import { assertNotRolledBack, assertRolledBack, forFirstResult, forResultsUntil, HOUR, QUIET_PROFILES, rollbacks, SHORT_WATCH, untilReport } from "./view.js";

const BASE = { configuration: SHORT_WATCH, profiles: QUIET_PROFILES };

function enableWithFlag(world: World): void {
  world.eim.queue(world.eid, psmo.enable(OPERATIONAL, { rollback: true }));
}

/** When ProfileRollback came to the card, in ms. */
function times(world: World): number[] {
  return world.trace.apdus.filter((apdu) => Buffer.from(apdu.command).toString("hex").includes("bf5803")).map((apdu) => apdu.at);
}

const notAllowed = defineScenario({
  name: "rollbackNotAllowed: the first result is kept, ProfileRollback is not tried again, and the result is delivered later",
  objectives: ["E4"],
  world: BASE,
  prepare(world) {
    world.eim.use(forResultsUntil(HOUR, behaviours.drop()));
    enableWithFlag(world);
  },
  async script(world) {
    await untilReport(world, Report.ProfileChanged);
    const state = world.euicc.snapshot();
    state.nonvolatile.rollback = null; // the grant ended by another hand
    world.euicc.restore(state);
    await world.run(until.idle());
  },
  claims(world) {
    assert.equal(rollbacks(world), 1);
    assert.equal(world.enabled, OPERATIONAL);
    assert.deepEqual(world.eim.results(world.eid).map((result) => [result.rollback, result.commands?.[0]?.code]), [[false, 0]]);
    assert.deepEqual(world.euicc.pending, []);
    assert.deepEqual(world.trace.reports.filter((report) => report.code === Report.RollbackRefused).map((report) => report.detail), [1]);
  },
});

const unknownToCard = ["6D00", "6A88", "6F00"].map((sw) =>
  defineScenario({
    name: `an eUICC that refuses ProfileRollback with ${sw} for good is not asked without end, and the first result is delivered later`,
    objectives: ["E4", "D7"],
    world: BASE,
    prepare(world) {
      world.eim.use(forResultsUntil(24 * HOUR, behaviours.drop()));
      enableWithFlag(world);
    },
    async script(world) {
      await untilReport(world, Report.ProfileChanged);
      for (let i = 0; i < 200; i++) world.euicc.failNext(0xbf58, parseInt(sw, 16));
      await world.run(until.idle());
    },
    claims(world) {
      assert.ok(rollbacks(world) >= 1 && rollbacks(world) < 30, `${rollbacks(world)} times in a day`);
      assertNotRolledBackBut(world);
    },
  }));

/** As assertNotRolledBack, where ProfileRollback was asked and refused. */
function assertNotRolledBackBut(world: World): void {
  assert.equal(world.enabled, OPERATIONAL);
  assert.deepEqual(world.eim.results(world.eid).map((result) => result.commands?.[0]?.command), ["enable"]);
  assert.deepEqual(world.euicc.pending, []);
}

const busy = [1, 2].map((n) =>
  defineScenario({
    name: `catBusy ${n} time${n === 1 ? "" : "s"}: ProfileRollback is tried again some seconds later, and executed once`,
    objectives: ["E5"],
    world: BASE,
    prepare(world) {
      world.eim.use(forFirstResult(behaviours.drop()));
      enableWithFlag(world);
    },
    async script(world) {
      await untilReport(world, Report.ProfileChanged);
      world.euicc.catBusy(n);
      await world.run(until.idle());
    },
    claims(world) {
      assertRolledBack(world);
      assert.equal(rollbacks(world), n + 1);
      const at = times(world);
      for (let i = 1; i < at.length; i++) assert.ok((at[i] ?? 0) - (at[i - 1] ?? 0) >= 5000, `tries at ${at.join(", ")} ms`);
    },
  }));

const busyForLong = defineScenario({
  name: "catBusy again and again: ProfileRollback is tried at growing intervals, and the eIM is not asked more often because of it",
  objectives: ["E5"],
  world: { ...BASE, configuration: { watchS: 40 } },
  prepare(world) {
    world.eim.use(forFirstResult(behaviours.drop()));
    enableWithFlag(world);
  },
  async script(world) {
    await untilReport(world, Report.ProfileChanged);
    world.euicc.catBusy(7);
    await world.run(until.idle());
  },
  claims(world) {
    assertRolledBack(world);
    const at = times(world);
    const waits = at.slice(1).map((ms, i) => Math.round((ms - (at[i] ?? 0)) / 1000));
    assert.equal(at.length, 8);
    assert.ok((waits[2] ?? 0) >= 40 && (waits[6] ?? 0) > (waits[2] ?? 0), `waits of ${waits.join(", ")} s`);
    const asked = world.eim.seen.filter((exchange) => exchange.function === "ProvideEimPackageResult").length;
    assert.ok(asked < 100, `the result was tried ${asked} times in ${waits.reduce((sum, wait) => sum + wait, 0)} s`);
  },
});

/** Faults of the answer: the eUICC rolled back all the same. */
const DAMAGED: readonly [string, (world: World) => void][] = [
  ["is garbage", (world) => world.euicc.garbage(fromHex("DEADBEEF"), 0xbf58)],
  ["is cut off", (world) => world.euicc.truncate(0xbf58)],
  ["has no cmdResult", (world) => world.euicc.garbage(fromHex("BF5800"), 0xbf58)],
];

const damaged = DAMAGED.map(([what, strike]) =>
  defineScenario({
    name: `the answer to ProfileRollback ${what}: the rollback is executed once, and its result delivered`,
    objectives: ["E1", "A10"],
    world: BASE,
    prepare(world) {
      world.eim.use(forFirstResult(behaviours.drop()));
      enableWithFlag(world);
    },
    async script(world) {
      await untilReport(world, Report.ProfileChanged);
      strike(world);
      await world.run(until.idle());
    },
    claims(world) {
      assertRolledBack(world);
      assert.equal(rollbacks(world), 1, "the result on the eUICC tells that it was executed");
    },
  }));

const silentCard = defineScenario({
  name: "an eUICC that does not answer ProfileRollback, and has not executed it, is reset and asked again",
  objectives: ["E1", "A10"],
  world: BASE,
  prepare(world) {
    world.eim.use(forFirstResult(behaviours.drop()));
    enableWithFlag(world);
  },
  async script(world) {
    await untilReport(world, Report.ProfileChanged);
    while (!Buffer.from(world.host.op.payload).toString("hex").includes("bf5803")) await world.run(until.ops(1));
    world.euicc.silent();
    await world.run(until.idle());
  },
  claims(world) {
    assertRolledBack(world);
    assert.equal(rollbacks(world), 1, "the first command did not get to the eUICC");
  },
});

const tag80 = defineScenario({
  name: "cmdResult of ProfileRollback is taken with tag 80 as well as 02",
  objectives: ["E10"],
  world: { ...BASE, euicc: { quirks: ["rollback-result-80"] } },
  prepare(world) {
    world.eim.use(forFirstResult(behaviours.drop()));
    enableWithFlag(world);
  },
  claims: assertRolledBack,
  traffic(world, trace) {
    assert.equal(rollbacks(world), 1);
    assert.match(es10Of(trace, "BF58")[0]?.answer ?? "", /^BF58(81..|82....|..)800100BF51/);
  },
});

/** refreshFlag by the switch, on a card that asks for a REFRESH and on one that never does. */
const flags = (["after-result", "early", "after-status", "never"] as const).flatMap((refresh) => ([false, true] as const).map((refreshFalse) =>
  defineScenario({
    name: `refreshFlag ${refreshFalse ? "FALSE is 80 01 00" : "TRUE is 80 01 FF"}, on an eUICC whose REFRESH comes ${refresh}`,
    objectives: ["E9"],
    world: { ...BASE, configuration: { ...SHORT_WATCH, ...(refreshFalse ? { switches: ["RefreshFalse"] } : {}) }, euicc: { apdu: { refresh } } },
    prepare(world) {
      world.eim.use(forFirstResult(behaviours.drop()));
      enableWithFlag(world);
    },
    claims: assertRolledBack,
    traffic(world, trace) {
      assert.deepEqual(es10Of(trace, "BF58").map((one) => one.command), [refreshFalse ? "BF5803800100" : "BF58038001FF"]);
      assert.equal(world.euicc.switchPending, false, "the card was reset");
    },
    ...(refresh === "never" && refreshFalse ? { replay: "cut" } : {}),
  })));

/** A valid negative answer proves that the eIM is there. */
const negative = [2, 3, 4, 127].map((code) =>
  defineScenario({
    name: `provideEimPackageResultError ${code} proves connectivity: no rollback, and the result is given again later`,
    objectives: ["E7", "D5"],
    world: BASE,
    prepare(world) {
      world.eim.use(forResultsUntil(2 * HOUR, behaviours.resultError(code)));
      enableWithFlag(world);
    },
    claims: (world) => assertNotRolledBack(world),
    ...(code === 127 ? { replay: "cut" } : {}),
  }));

const negativeThenSilence = defineScenario({
  name: "after a valid negative answer the eIM gets out of reach for longer than the watch: still no rollback",
  objectives: ["E7"],
  world: BASE,
  prepare(world) {
    world.eim.use(forResultsUntil(2 * HOUR, behaviours.drop()));
    world.eim.use(behaviours.once(behaviours.resultError(127)));
    enableWithFlag(world);
  },
  claims: (world) => assertNotRolledBack(world),
});

export const scenarios: readonly Scenario[] = [notAllowed, ...unknownToCard, ...busy, busyForLong, ...damaged, silentCard, tag80, ...flags, ...negative, negativeThenSilence];
