/** A notification that the eIM refuses (procedures 16): it is parked for a growing time, and does not stand in the way of the others. */
import assert from "node:assert/strict";
import { BOOTSTRAP, dataRequest, defineScenario, OPERATIONAL, psmo, Report, until, type Scenario } from "../../sim/index.js";
import { asked, complaints } from "../esipa-view.js";
import { assertAllDelivered, handled, HOUR, LOUD_PROFILES, NO_BUNDLE, refuseNotification, timesOf } from "./view.js";

const notBlocking = defineScenario({
  name: "a notification that the eIM refuses is parked, and the later ones are delivered in the same connection",
  objectives: ["K2"],
  world: { configuration: NO_BUNDLE, profiles: LOUD_PROFILES },
  prepare(world) {
    world.eim.use(refuseNotification(3));
    world.eim.queue(world.eid, psmo.enable(OPERATIONAL));
  },
  claims(world) {
    assert.deepEqual(world.eim.notifications(world.eid).map((item) => item.seqNumber).sort(), [2, 4, 5, 6, 7]);
    assert.deepEqual(world.euicc.pending.map((item) => item.seqNumber), [3], "it stays on the eUICC");
  },
  traffic(world, trace) {
    assert.deepEqual(trace.reports.filter((report) => report.code === Report.NotificationParked).map((report) => report.detail), [3]);
    assert.equal(handled(world.eim).length, 6, "each was tried once");
    assert.equal(trace.totals().connections, 2);
  },
});

const spells = defineScenario({
  name: "a refused notification is tried again after 1, 2, 4, 8 and 16 hours and then daily, and removed when the eIM takes it",
  objectives: ["K2"],
  world: { configuration: { ...NO_BUNDLE, pollPeriodS: 30 * 86_400 } },
  prepare(world) {
    world.eim.use(refuseNotification(2, 120 * HOUR));
    world.eim.queue(world.eid, psmo.enable(OPERATIONAL));
  },
  until: until.time(200 * HOUR),
  claims(world) {
    assertAllDelivered(world, 2);
    const times = timesOf(world.eim, 2);
    const waits = times.slice(1).map((time, at) => (time - (times[at] ?? 0)) / HOUR);
    assert.deepEqual(waits.map((wait) => Math.round(wait)), [1, 2, 4, 8, 16, 24, 24, 24, 24]);
    assert.ok(waits.every((wait, at) => wait >= ([1, 2, 4, 8, 16][at] ?? 24)), "not before its time");
    assert.equal(timesOf(world.eim, 3).length, 1);
  },
});

const withCuts = defineScenario({
  name: "a refused notification stays parked over a power cut, and is delivered in the end",
  objectives: ["K2", "K3"],
  world: { configuration: { ...NO_BUNDLE, pollPeriodS: 30 * 86_400 } },
  prepare(world) {
    world.eim.use(refuseNotification(2, HOUR / 2));
    world.eim.queue(world.eid, psmo.enable(OPERATIONAL));
  },
  until: until.time(3 * HOUR),
  claims(world) {
    assertAllDelivered(world, 2);
    assert.ok(timesOf(world.eim, 2).length <= 4, `tried at ${timesOf(world.eim, 2).join(", ")} ms`);
    assert.equal(world.store.read(4), undefined, "nothing is parked any more");
  },
  replay: "cut",
});

const fetchedMeanwhile = defineScenario({
  name: "a parked notification that the eIM fetched by IpaEuiccDataRequest and acknowledged is not looked for again and again",
  objectives: ["K2", "K4", "F8"],
  world: { configuration: NO_BUNDLE },
  prepare(world) {
    world.eim.use(refuseNotification(2));
    world.eim.queue(world.eid, psmo.enable(OPERATIONAL));
  },
  async script(world) {
    await world.run(until.idle());
    world.eim.queue(world.eid, dataRequest({ tags: [0xa0] }));
    world.wake("poll");
    await world.run(until.idle());
    await world.run(until.time(100 * HOUR));
  },
  claims(world) {
    assertAllDelivered(world, 2);
    const polls = asked(world.eim).filter((name) => name === "GetEimPackage").length;
    assert.ok(polls < 15, `${polls} polls in 100 hours`);
    assert.equal(world.store.read(4), undefined, "nothing is parked any more");
  },
});

const parkedKeepsPolling = defineScenario({
  name: "polls while a notification is parked don't try it before its time",
  objectives: ["K2"],
  world: { configuration: { ...NO_BUNDLE, pollPeriodS: 600 } },
  prepare(world) {
    world.eim.use(refuseNotification(2));
    world.eim.queue(world.eid, psmo.enable(OPERATIONAL));
  },
  until: until.time(16 * HOUR),
  claims(world) {
    assert.equal(timesOf(world.eim, 2).length, 5, `tried at ${timesOf(world.eim, 2).join(", ")} ms, expected after 0, 1, 3, 7 and 15 hours`);
    assert.ok(asked(world.eim).filter((name) => name === "GetEimPackage").length > 80);
  },
});

const newOnes = defineScenario({
  name: "new notifications are delivered while an older one is parked, and that one is not tried before its time",
  objectives: ["K2", "K3"],
  world: { configuration: NO_BUNDLE },
  prepare(world) {
    world.eim.use(refuseNotification(2));
    world.eim.queue(world.eid, psmo.enable(OPERATIONAL));
  },
  async script(world) {
    await world.run(until.idle());
    for (const iccid of [BOOTSTRAP, OPERATIONAL]) {
      world.eim.queue(world.eid, psmo.enable(iccid));
      world.wake("poll");
      await world.run(until.idle());
    }
    assert.ok(world.clock.now() < HOUR);
  },
  claims(world) {
    assert.deepEqual(world.euicc.pending.map((item) => item.seqNumber), [2]);
    assert.equal(timesOf(world.eim, 2).length, 1);
    assert.equal(world.eim.notifications(world.eid).length, 5);
  },
});

const many = defineScenario({
  name: "twelve notifications that are all refused, more than can be parked: no endless loop, and all are delivered in the end",
  objectives: ["K2", "N2"],
  world: {
    configuration: NO_BUNDLE,
    profiles: [BOOTSTRAP, OPERATIONAL].map((iccid, n) => ({ iccid, enabled: n === 0, notifications: Array.from({ length: 6 }, (_, address) => ({ events: ["enable", "disable"] as const, address: `smdp-${address}.example.com` })) })),
  },
  prepare(world) {
    world.eim.use(refuseNotification(undefined, 20 * HOUR));
    world.eim.queue(world.eid, psmo.enable(OPERATIONAL));
  },
  until: until.time(100 * HOUR),
  claims(world) {
    assertAllDelivered(world, 12);
    assert.ok(handled(world.eim).length < 300, `${handled(world.eim).length} tries`);
  },
});

const oneOfTwoEims = defineScenario({
  name: "a notification that one eIM refuses does not keep the other one from its packages",
  objectives: ["K2", "C8"],
  world: { configuration: NO_BUNDLE, eims: [{ fqdn: "eim-1.example.com" }, { fqdn: "eim-2.example.com" }] },
  prepare(world) {
    for (const eim of world.eims) eim.use(refuseNotification(2, 10 * HOUR));
    world.eim.queue(world.eid, psmo.enable(OPERATIONAL));
    world.eims[1]?.queue(world.eid, psmo.setDefaultDpAddress("dp.example.com"));
  },
  until: until.time(72 * HOUR),
  claims(world) {
    assertAllDelivered(world, 2);
    assert.deepEqual(complaints(world).filter((text) => !text.includes("comes after")), []);
  },
});

export const scenarios: readonly Scenario[] = [notBlocking, spells, withCuts, fetchedMeanwhile, parkedKeepsPolling, newOnes, many, oneOfTwoEims];
