/**
 * Notification delivery through the eIM (SGP.32 v1.2 3.7, ESipa.HandleNotification; procedures 16): in the order of their numbers, octet by octet, removed
 * from the eUICC when the eIM has confirmed, and not before.
 */
import assert from "node:assert/strict";
import { fromHex, toHex } from "../../sim/core/bytes.js";
import { tlv } from "../../sim/codec/tlv.js";
import { behaviours, BOOTSTRAP, defineScenario, faults, OPERATIONAL, psmo, until, type Scenario, type World } from "../../sim/index.js";
import { es10Of } from "../apdu-view.js";
import { asked, complaints, results } from "../esipa-view.js";
import { assertAllDelivered, dropNotifications, handled, HOUR, LOUD_PROFILES, NO_BUNDLE } from "./view.js";

/** The seqNumbers of the BF30 commands. */
function removed(world: World): number[] {
  return es10Of(world.trace, "BF30").map((one) => parseInt(one.command.slice(10), 16));
}

const inOrder = defineScenario({
  name: "notifications that don't travel with the result are delivered by HandleNotification in the order of their numbers, as the eUICC signed them",
  objectives: ["K1", "K3"],
  world: { configuration: NO_BUNDLE, profiles: LOUD_PROFILES },
  prepare: (world) => void world.eim.queue(world.eid, psmo.enable(OPERATIONAL)),
  claims(world) {
    assertAllDelivered(world, 6);
    assert.ok(world.eim.notifications(world.eid).every((item) => item.inOrder), "in order for each receiver");
  },
  traffic(world) {
    const taken = world.eim.notifications(world.eid);
    assert.deepEqual(taken.map((item) => item.seqNumber), [2, 3, 4, 5, 6, 7]);
    assert.deepEqual(handled(world.eim), taken.map((item) => toHex(tlv(0xbf3d, tlv(0xa0, item.relayed)))));
    assert.deepEqual(world.eim.seen.filter((exchange) => exchange.function === "HandleNotification").map((exchange) => [exchange.status, exchange.response]), taken.map(() => [204, ""]));
    assert.deepEqual(removed(world), [1, 2, 3, 4, 5, 6, 7], "the EPR first, by its acknowledgement, then each one once");
    assert.deepEqual(complaints(world), []);
  },
});

const twoWithCuts = defineScenario({
  name: "a notification is removed from the eUICC after the eIM confirmed it, and reaches the eIM whenever the power goes",
  objectives: ["K1", "K3", "D11"],
  world: { configuration: NO_BUNDLE },
  prepare: (world) => void world.eim.queue(world.eid, psmo.enable(OPERATIONAL)),
  claims: (world) => assertAllDelivered(world, 2),
  traffic: (world) => assert.deepEqual(asked(world.eim), ["GetEimPackage", "ProvideEimPackageResult", "GetEimPackage", "HandleNotification", "HandleNotification"]),
  replay: "cut",
});

/** Ways in which HandleNotification is not confirmed; none of them may remove anything. */
const UNCONFIRMED: readonly [string, (world: World) => void][] = [
  ["is answered 503", (world) => void world.eim.use(behaviours.forFunction(0xbf3d, behaviours.status(503)))],
  ["is answered 500", (world) => void world.eim.use(behaviours.forFunction(0xbf3d, behaviours.status(500)))],
  ["is answered 400", (world) => void world.eim.use(behaviours.forFunction(0xbf3d, behaviours.status(400)))],
  ["is answered 302", (world) => void world.eim.use(behaviours.forFunction(0xbf3d, behaviours.redirect()))],
  ["is never answered", (world) => void world.eim.use(behaviours.forFunction(0xbf3d, behaviours.silent()))],
  ["ends with the connection", (world) => void world.eim.use(behaviours.forFunction(0xbf3d, behaviours.drop()))],
  ["arrives, and its confirmation is lost", (world) => void world.eim.use(behaviours.forFunction(0xbf3d, behaviours.lostAnswer()))],
];

const unconfirmed = UNCONFIRMED.map(([what, strike]) =>
  defineScenario({
    name: `HandleNotification ${what}: nothing is removed, and the eIM is not asked all the time`,
    objectives: ["K1"],
    world: { configuration: NO_BUNDLE },
    prepare(world) {
      strike(world);
      world.eim.queue(world.eid, psmo.enable(OPERATIONAL));
    },
    until: until.time(24 * HOUR),
    claims(world) {
      assert.deepEqual(world.euicc.pending.map((item) => item.seqNumber), [2, 3]);
      assert.deepEqual(removed(world), [1]);
      assert.deepEqual(results(world), ["enable 0"]);
      const tries = handled(world.eim).length;
      assert.ok(tries >= 2 && tries <= 40, `${tries} tries in a day`);
    },
  }));

const otherCodes = [200, 202].map((code) =>
  defineScenario({
    name: `HandleNotification answered ${code} without a body is a confirmation like 204`,
    objectives: ["K1"],
    world: { configuration: NO_BUNDLE },
    prepare(world) {
      world.eim.use(behaviours.forFunction(0xbf3d, { name: `${code}`, response: (response) => ({ ...response, status: code }) }));
      world.eim.queue(world.eid, psmo.enable(OPERATIONAL));
    },
    claims: (world) => assertAllDelivered(world, 2),
  }));

const confirmationLost = defineScenario({
  name: "a confirmation is lost: the notification is sent again, and the eIM has it once",
  objectives: ["K1"],
  world: { configuration: NO_BUNDLE },
  prepare(world) {
    world.link.use(faults.losesAnswer(4));
    world.eim.queue(world.eid, psmo.enable(OPERATIONAL));
  },
  until: until.time(2 * HOUR),
  claims: (world) => assertAllDelivered(world, 2),
  traffic: (world) => assert.deepEqual(world.eim.notifications(world.eid).map((item) => item.resent), [1, 0]),
  replay: "cut",
});

const afterOutage = defineScenario({
  name: "an eIM that is down for hours gets all notifications in their order when it is back, and nothing twice",
  objectives: ["K1", "K2", "K3"],
  world: { configuration: NO_BUNDLE, profiles: LOUD_PROFILES },
  prepare(world) {
    world.eim.use(dropNotifications(4 * HOUR));
    world.eim.queue(world.eid, psmo.enable(OPERATIONAL));
  },
  until: until.time(30 * HOUR),
  claims(world) {
    assertAllDelivered(world, 6);
    assert.ok(world.eim.notifications(world.eid).every((item) => item.inOrder && item.resent === 0));
  },
});

const atStart = defineScenario({
  name: "notifications that are left on the eUICC are delivered at the next start, behind the first GetEimPackage",
  objectives: ["K3"],
  world: { configuration: NO_BUNDLE },
  prepare(world) {
    world.eim.use(dropNotifications(HOUR));
    world.eim.queue(world.eid, psmo.enable(OPERATIONAL));
  },
  async script(world) {
    await world.run(until.polls(1));
    assert.equal(world.euicc.pending.length, 2);
    const before = world.eim.seen.length;
    world.powerCut(2 * HOUR);
    await world.run(until.idle());
    assert.deepEqual(asked(world.eim).slice(before), ["GetEimPackage", "HandleNotification", "HandleNotification"]);
  },
  claims: (world) => assertAllDelivered(world, 2),
});

const newDevice = defineScenario({
  name: "an eUICC that was switched by another hand: its notifications are delivered at the first start, without any package",
  objectives: ["K3"],
  async script(world) {
    // the fallback mechanism, carried out before this IPA ran for the first time
    world.euicc.powerCycle();
    const commands = ["80AA000008A906830107840101", "0070000001", "01A4040010A0000005591010FFFFFFFF8900000100", "81E2910006BF5D03800100"];
    for (const command of commands) world.euicc.transmit(fromHex(command));
    assert.equal(world.enabled, OPERATIONAL);
    await world.run(until.idle());
  },
  world: {
    profiles: [
      { iccid: BOOTSTRAP, enabled: true, notifications: [{ events: ["disable"], address: "smdp.example.com" }] },
      { iccid: OPERATIONAL, fallbackAttribute: true, notifications: [{ events: ["enable"], address: "smdp.example.com" }] },
    ],
  },
  claims(world) {
    assertAllDelivered(world, 2);
    assert.deepEqual(asked(world.eim), ["GetEimPackage", "HandleNotification", "HandleNotification"]);
  },
});

const manyInOneConnection = defineScenario({
  name: "notifications of more octets than the device has memory are delivered one by one in one connection",
  objectives: ["K1", "N2"],
  world: { configuration: NO_BUNDLE, profiles: LOUD_PROFILES.map((profile) => ({ ...profile, notifications: Array.from({ length: 6 }, (_, n) => ({ events: ["enable", "disable"] as const, address: `smdp-${n}.example.com` })) })) },
  prepare: (world) => void world.eim.queue(world.eid, psmo.enable(OPERATIONAL)),
  claims: (world) => assertAllDelivered(world, 12),
  traffic: (_world, trace) => assert.equal(trace.totals().connections, 2, "one before the switch, one after it"),
});

export const scenarios: readonly Scenario[] = [inOrder, twoWithCuts, ...unconfirmed, ...otherCodes, confirmationLost, afterOutage, atStart, newDevice, manyInOneConnection];
