/**
 * Notifications that travel with the EPR (SGP.32 v1.2 3.3.1, ePRAndNotifications), and cards without ListNotification (types 7): what was acknowledged is
 * not sent again, what was not is.
 */
import assert from "node:assert/strict";
import { behaviours, BOOTSTRAP, defineScenario, OPERATIONAL, psmo, until, type Scenario } from "../../sim/index.js";
import { es10Of } from "../apdu-view.js";
import { asked, complaints, provided } from "../esipa-view.js";
import { assertAllDelivered, handled, LOUD_PROFILES, NO_BUNDLE } from "./view.js";

const bundled = defineScenario({
  name: "notifications that were bundled with the EPR and acknowledged are not sent again, now or at the next start",
  objectives: ["K4", "D2"],
  prepare: (world) => void world.eim.queue(world.eid, psmo.enable(OPERATIONAL)),
  async script(world) {
    await world.run(until.idle());
    world.powerCut();
    await world.run(until.idle());
  },
  claims(world) {
    assertAllDelivered(world, 2);
    assert.deepEqual(handled(world.eim), []);
    assert.ok(world.eim.notifications(world.eid).every((item) => item.resent === 0));
  },
});

const someAcknowledged = defineScenario({
  name: "bundled notifications that the eIM did not acknowledge are delivered by HandleNotification, the acknowledged ones are not",
  objectives: ["K4", "K1"],
  world: { profiles: LOUD_PROFILES },
  prepare(world) {
    world.eim.use(behaviours.acknowledgeOnly([1, 2, 4, 6]));
    world.eim.queue(world.eid, psmo.enable(OPERATIONAL));
  },
  claims: (world) => assertAllDelivered(world, 6),
  traffic(world) {
    assert.deepEqual(world.eim.notifications(world.eid).map((item) => [item.seqNumber, item.resent]), [[2, 0], [3, 1], [4, 0], [5, 1], [6, 0], [7, 1]]);
    assert.equal(handled(world.eim).length, 3);
  },
});

const noneAcknowledged = defineScenario({
  name: "the eIM took EPR and notifications and acknowledged nothing: the notifications are delivered once more, the EPR stays",
  objectives: ["K4", "D5"],
  prepare(world) {
    world.eim.use(behaviours.once(behaviours.emptyAcknowledgement()));
    world.eim.queue(world.eid, psmo.delete(OPERATIONAL));
  },
  until: until.polls(1),
  claims(world) {
    assert.deepEqual(world.eim.notifications(world.eid).map((item) => item.event), ["delete"]);
    assert.deepEqual(world.euicc.pending.filter((item) => item.kind === "notification"), []);
  },
  traffic: (world) => assert.deepEqual(asked(world.eim), ["GetEimPackage", "ProvideEimPackageResult", "GetEimPackage", "HandleNotification"]),
});

const byData = defineScenario({
  name: "an EPR without notifications is sent alone, and nothing is handled behind it",
  objectives: ["K4", "D4"],
  world: { profiles: [{ iccid: BOOTSTRAP, enabled: true }, { iccid: OPERATIONAL }] },
  prepare: (world) => void world.eim.queue(world.eid, psmo.delete(OPERATIONAL)),
  claims: (world) => assertAllDelivered(world, 0),
  traffic(world) {
    assert.match(provided(world.eim)[0] ?? "", /^BF51/);
    assert.deepEqual(handled(world.eim), []);
    assert.deepEqual(complaints(world), []);
  },
});

/** Status words of cards that don't know BF28. */
const noList = ["6A88", "6D00", "6A80"].map((sw) =>
  defineScenario({
    name: `an eUICC that answers ListNotification with ${sw}: its notifications are found in the whole list, and delivered in order`,
    objectives: ["K1", "A10"],
    world: { configuration: NO_BUNDLE, profiles: LOUD_PROFILES },
    prepare(world) {
      for (let i = 0; i < 20; i++) world.euicc.failNext(0xbf28, parseInt(sw, 16));
      world.eim.queue(world.eid, psmo.enable(OPERATIONAL));
    },
    claims: (world) => assertAllDelivered(world, 6),
    traffic(world, trace) {
      assert.deepEqual(world.eim.notifications(world.eid).map((item) => item.seqNumber), [2, 3, 4, 5, 6, 7]);
      assert.equal(es10Of(trace, "BF28").length, 1, "it is not asked again");
    },
  }));

const cardFails = defineScenario({
  name: "the eUICC can't give one of its notifications once: all are delivered in the end, in their order",
  objectives: ["K2", "A10"],
  world: { configuration: { ...NO_BUNDLE, pollPeriodS: 3600 }, profiles: LOUD_PROFILES },
  prepare: (world) => void world.eim.queue(world.eid, psmo.enable(OPERATIONAL)),
  async script(world) {
    await world.run(until.ops(1));
    while (!Buffer.from(world.host.op.payload).toString("hex").includes("bf2b05a003800103")) await world.run(until.ops(1));
    world.euicc.failNext(0xbf2b, 0x6f00);
    await world.run(until.time(6 * 3_600_000));
  },
  claims(world) {
    assertAllDelivered(world, 6);
    assert.ok(world.eim.notifications(world.eid).every((item) => item.inOrder));
  },
});

const quirks = (["bf2b-empty", "bf30-empty", "non-minimal-lengths", "unknown-trailing"] as const).map((quirk) =>
  defineScenario({
    name: `notifications of a card with the quirk ${quirk} are delivered and removed`,
    objectives: ["K1", "D17", "A10"],
    world: { configuration: NO_BUNDLE, euicc: { quirks: [quirk] } },
    prepare: (world) => void world.eim.queue(world.eid, psmo.enable(OPERATIONAL)),
    claims: (world) => assertAllDelivered(world, 2),
  }));

export const scenarios: readonly Scenario[] = [bundled, someAcknowledged, noneAcknowledged, byData, ...noList, cardFails, ...quirks];
