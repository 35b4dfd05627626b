/**
 * Notifications delivered by the device itself over ES9+.HandleNotification, which a device that can must do (SGP.32 v1.2 3.7; procedures 16); through
 * the eIM where the SM-DP+ can't be reached.
 */
import assert from "node:assert/strict";
import { BOOTSTRAP, defineScenario, faults, OPERATIONAL, psmo, Report, rspBehaviours as dp, SMDP_ADDRESS, until, type Scenario, type World, type WorldOptions } from "../../sim/index.js";
import { assertAllDelivered, handled, HOUR } from "./view.js";

const OTHER = "other-smdp.example.com";
const EVENTS = ["enable", "disable", "delete"] as const;
const DIRECT: WorldOptions = { smdps: [{}], configuration: { features: [0, 1, 2, 3], switches: ["NoBundle"] } };

/** The profiles tell one more SM-DP+, which is not in this world. */
const TWO_RECEIVERS: WorldOptions = {
  ...DIRECT,
  profiles: [BOOTSTRAP, OPERATIONAL].map((iccid) => ({ iccid, enabled: iccid === BOOTSTRAP, notifications: [SMDP_ADDRESS, OTHER].map((address) => ({ events: EVENTS, address })) })),
};

function enable(world: World): void {
  world.eim.queue(world.eid, psmo.enable(OPERATIONAL));
}

/** Sequence numbers that the SM-DP+ has, in the order of their coming. */
function atSmdp(world: World): number[] {
  return world.smdp.notifications.map((item) => item.seqNumber);
}

const straight = defineScenario({
  name: "a device that can reach the SM-DP+ delivers its notifications there, in one connection, and the eIM gets none",
  objectives: ["K1"],
  world: DIRECT,
  prepare: enable,
  claims(world) {
    assert.equal(new Set(atSmdp(world)).size, 2);
    assert.deepEqual(world.euicc.pending, []);
    assert.deepEqual(world.eim.notifications(world.eid), []);
  },
  traffic(world, trace) {
    assert.deepEqual(atSmdp(world), [2, 3]);
    assert.deepEqual(trace.exchanges.filter((one) => one.peer === "SM-DP+").map((one) => one.code), [204, 204]);
    assert.equal(trace.totals().connections, 3, "to the eIM before and behind the switch, and one to the SM-DP+");
  },
  replay: "cut",
});

const fallback = defineScenario({
  name: "notifications for an SM-DP+ that can't be reached go through the eIM",
  objectives: ["K1", "K2"],
  world: TWO_RECEIVERS,
  prepare: enable,
  claims(world) {
    const through = world.eims.flatMap((eim) => eim.notifications(world.eid)).map((item) => item.seqNumber);
    assert.equal(new Set([...through, ...atSmdp(world)]).size, 4, "each arrived");
    assert.deepEqual(world.euicc.pending, []);
  },
  // which of the two ways one takes depends on where the power went
  replay: "cut",
  ends: "claimed",
});

const untrusted = defineScenario({
  name: "notifications for an SM-DP+ whose certificate is not trusted go through the eIM, and nothing is sent to it",
  objectives: ["K1"],
  world: DIRECT,
  prepare(world) {
    enable(world);
    world.link.use(faults.untrusted(1, 3));
  },
  claims: (world) => assertAllDelivered(world, 2),
  traffic(world, trace) {
    assert.equal(handled(world.eim).length, 2);
    assert.deepEqual(trace.exchanges.filter((one) => one.peer === "SM-DP+"), []);
  },
});

const refused = ([400, 500] as const).map((code) =>
  defineScenario({
    name: `a notification that the SM-DP+ answers with HTTP ${code} is parked, does not stand in the way of the next one, and arrives an hour later`,
    objectives: ["K2"],
    world: { ...DIRECT, configuration: { ...DIRECT.configuration, pollPeriodS: 30 * 86_400 } },
    prepare(world) {
      enable(world);
      world.smdp.use(dp.once(dp.forFunction("handleNotification", dp.status(code))));
    },
    until: until.time(2 * HOUR),
    claims(world, trace) {
      assert.deepEqual(atSmdp(world), [3, 2]);
      assert.deepEqual(trace.reports.filter((report) => report.code === Report.NotificationParked).map((report) => report.detail), [2]);
      assert.deepEqual(world.eim.notifications(world.eid), []);
      assert.deepEqual(world.euicc.pending, []);
    },
  }),
);

export const scenarios: readonly Scenario[] = [straight, fallback, untrusted, ...refused];
