/** SGP.32 v1.2 3.3.2: when there is no ProfileRollback: without the flag, without a switch, in time, after another package. */
import assert from "node:assert/strict";
import { behaviours, BOOTSTRAP, defineScenario, iccid, OPERATIONAL, psmo, Report, until, type Scenario } from "../../sim/index.js";
import { results } from "../esipa-view.js";
import { assertNotRolledBack, assertRolledBack, forFirstResult, forResultsUntil, HOUR, MINUTE, QUIET_PROFILES, rollbacks, SHORT_WATCH, untilReport } from "./view.js";

const BASE = { configuration: SHORT_WATCH, profiles: QUIET_PROFILES };

const noFlag = defineScenario({
  name: "without rollbackFlag there is no rollback: the result waits on the eUICC until the eIM can be reached",
  objectives: ["E3", "D10"],
  world: BASE,
  prepare(world) {
    world.eim.use(forResultsUntil(2 * HOUR, behaviours.drop()));
    world.eim.queue(world.eid, psmo.enable(OPERATIONAL));
  },
  claims: (world) => assertNotRolledBack(world),
  replay: "cut",
});

const noFlagNoNetwork = defineScenario({
  name: "without rollbackFlag there is no rollback, however long the new Profile finds no network",
  objectives: ["E3", "D10"],
  prepare(world) {
    world.modem.coverage(OPERATIONAL, "none");
    world.eim.queue(world.eid, psmo.enable(OPERATIONAL));
  },
  until: until.time(48 * HOUR),
  claims(world) {
    assert.equal(rollbacks(world), 0);
    assert.equal(world.enabled, OPERATIONAL);
    assert.deepEqual(world.euicc.pending.map((item) => item.kind).sort(), ["epr", "notification", "notification"], "nothing that was not acknowledged is removed");
    assert.equal(world.eim.results(world.eid).length, 0);
  },
});

const disableOnly = defineScenario({
  name: "a disable is never rolled back: its result waits, though no Profile is enabled",
  objectives: ["E3", "D10"],
  prepare: (world) => void world.eim.queue(world.eid, psmo.disable(BOOTSTRAP)),
  until: until.time(12 * HOUR),
  claims(world) {
    assert.equal(rollbacks(world), 0);
    assert.equal(world.enabled, undefined);
    assert.equal(world.euicc.pending.filter((item) => item.kind === "epr").length, 1);
  },
});

const notEnabled = defineScenario({
  name: "an enable with rollbackFlag that fails changed nothing: no rollback, however long its result can't be delivered",
  objectives: ["E3", "D13"],
  world: BASE,
  prepare(world) {
    world.eim.use(forResultsUntil(3 * HOUR, behaviours.drop()));
    world.eim.queue(world.eid, psmo.enable(BOOTSTRAP, { rollback: true }));
  },
  claims(world) {
    assert.equal(rollbacks(world), 0);
    assert.equal(world.enabled, BOOTSTRAP);
    assert.deepEqual(results(world), ["enable 2"]);
    assert.deepEqual(world.euicc.pending, []);
  },
  replay: "cut",
});

/** The new Profile's network comes so much later than the switch. */
const late = ([[30_000, false], [55_000, true]] as const).map(([ms, rolledBack]) =>
  defineScenario({
    name: `the new Profile registers ${ms / 1000} s after the switch, the watch is 40 s: ${rolledBack ? "rolled back" : "no rollback"}`,
    objectives: ["E2"],
    world: BASE,
    prepare(world) {
      world.modem.coverage(OPERATIONAL, ms);
      world.eim.queue(world.eid, psmo.enable(OPERATIONAL, { rollback: true }));
    },
    claims: (world) => (rolledBack ? assertRolledBack(world) : assertNotRolledBack(world)),
  }));

const timely = defineScenario({
  name: "when the new Profile finds no network the rollback comes when the watch is over, not before and not much later",
  objectives: ["E2"],
  prepare(world) {
    world.modem.coverage(OPERATIONAL, "none");
    world.eim.queue(world.eid, psmo.enable(OPERATIONAL, { rollback: true }));
  },
  claims(world) {
    assertRolledBack(world);
    const at = (code: Report): number => world.trace.reports.find((report) => report.code === code)?.at ?? 0;
    const watched = at(Report.RolledBack) - at(Report.ProfileChanged);
    assert.ok(watched >= 300_000 && watched < 330_000, `after ${watched} ms`);
  },
});

const restarted = defineScenario({
  name: "a restart in the middle of the watch: the decision goes on, and the rollback is done once",
  objectives: ["E8"],
  prepare(world) {
    world.modem.coverage(OPERATIONAL, "none");
    world.eim.queue(world.eid, psmo.enable(OPERATIONAL, { rollback: true }));
  },
  async script(world) {
    await untilReport(world, Report.ProfileChanged);
    for (let i = 0; i < 2; i++) {
      await world.run(until.time(2 * MINUTE));
      assert.equal(rollbacks(world), 0);
      world.powerCut(MINUTE);
    }
    await world.run(until.idle());
  },
  claims(world) {
    assertRolledBack(world);
    assert.equal(rollbacks(world), 1);
    assert.ok(world.clock.now() < 20 * MINUTE, `${world.clock.now()} ms`);
  },
});

const oldFlag = defineScenario({
  name: "a rollbackFlag holds for its own package only: the next enable without it is not rolled back",
  objectives: ["E3"],
  world: { ...BASE, profiles: [...QUIET_PROFILES, { iccid: iccid(3) }] },
  prepare(world) {
    world.eim.queue(world.eid, psmo.enable(iccid(3), { rollback: true }));
    world.eim.queue(world.eid, psmo.enable(OPERATIONAL));
    world.eim.use({
      name: "no second result before 2 h",
      answer: (request, context) => (request.body[1] === 0x50 && (context.device?.packages[1]?.given ?? 0) > 0 && context.time < 2 * HOUR ? { status: 0, headers: {}, body: new Uint8Array(0), drop: true } : undefined),
    });
  },
  claims: (world) => assertNotRolledBack(world, ["enable 0", "enable 0"]),
  replay: "cut",
});

const delivered = defineScenario({
  name: "a result with rollbackFlag that the eIM took is final: no rollback when the network is lost afterwards",
  objectives: ["E3", "E2"],
  world: BASE,
  prepare: (world) => void world.eim.queue(world.eid, psmo.enable(OPERATIONAL, { rollback: true })),
  async script(world) {
    await world.run(until.idle());
    world.modem.coverage(OPERATIONAL, "none");
    world.wake("poll");
    await world.run(until.time(24 * HOUR));
  },
  claims: (world) => assertNotRolledBack(world),
});

const inTime = defineScenario({
  name: "an eIM that comes back within the watch gets the first result, and nothing is rolled back",
  objectives: ["E2", "E8"],
  world: { ...BASE, configuration: { watchS: 200 } },
  prepare(world) {
    world.eim.use(behaviours.nth(2, forFirstResult(behaviours.drop())));
    world.eim.queue(world.eid, psmo.enable(OPERATIONAL, { rollback: true }));
  },
  claims: (world) => assertNotRolledBack(world),
  traffic: (world) => assert.equal(world.eim.seen.filter((exchange) => exchange.function === "ProvideEimPackageResult").length, 2),
  replay: "cut",
});

export const scenarios: readonly Scenario[] = [noFlag, noFlagNoNetwork, disableOnly, notEnabled, ...late, timely, restarted, oldFlag, delivered, inTime];
