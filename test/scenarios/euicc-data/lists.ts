/**
 * The two lists of IpaEuiccData (SGP.32 v1.2 3.4; procedures 6, 4.6): acknowledged members are removed from the eUICC, of several eIMs each gets
 * its own EPRs only, and lists too long for the device's memory are passed on all the same. Also: the card fails.
 */
import assert from "node:assert/strict";
import { concat, toHex } from "../../sim/core/bytes.js";
import { tlv } from "../../sim/codec/tlv.js";
import { behaviours, BOOTSTRAP, dataRequest, defineScenario, faults, iccid, OPERATIONAL, psmo, until, type Scenario, type World } from "../../sim/index.js";
import type { Eim, ResultRecord } from "../../sim/eim/index.js";
import { es10Of } from "../apdu-view.js";
import { complaints, provided } from "../esipa-view.js";
import { bodies, dataBody, errorBody, items, keepAll, leaveSomething, TAGS } from "./view.js";

const fetched = defineScenario({
  name: "notifications and EPRs that the eIM fetches and acknowledges are removed from the eUICC, each once",
  objectives: ["F8"],
  prepare(world) {
    world.eim.use(behaviours.once(behaviours.emptyAcknowledgement()));
    world.eim.queue(world.eid, psmo.delete(OPERATIONAL));
    world.eim.queue(world.eid, dataRequest({ tags: [0xa0, 0xa2] }));
  },
  claims(world) {
    assert.deepEqual(world.euicc.pending, []);
    assert.deepEqual(world.eim.results(world.eid).map((result) => result.kind), ["euiccPackageResult", "ipaEuiccData"]);
    assert.deepEqual(world.eim.notifications(world.eid).map((item) => item.event), ["delete"]);
  },
  traffic(world, trace) {
    assert.equal(bodies(world.eim).length, 2);
    assert.match(bodies(world.eim)[1] ?? "", /BF52.*A0.*BF51/, "both lists are in the answer");
    assert.equal(world.eim.seen[3]?.response, "BF5009BF5306800102800101", "EPR 2 and notification 1 are acknowledged");
    assert.deepEqual(es10Of(trace, "BF30").map((one) => [one.command, one.answer]), [["BF3003800102", "BF3003800100"], ["BF3003800101", "BF3003800100"]]);
    assert.deepEqual(complaints(world), []);
  },
  replay: "cut",
});

const onlyAcknowledged = defineScenario({
  name: "what the eIM fetched and did not acknowledge stays on the eUICC",
  objectives: ["F8"],
  async script(world) {
    keepAll(world);
    leaveSomething(world);
    await world.run(until.idle());
    world.eim.use(behaviours.acknowledge([1, 3, 77]));
    world.eim.queue(world.eid, dataRequest({ tags: [0xa0, 0xa2] }));
    world.wake("poll");
    await world.run(until.idle());
  },
  claims(world) {
    assert.deepEqual(world.euicc.pending.map((item) => item.seqNumber), [2], "1 and 3 went, 77 was never there");
  },
});

/** EPRs of a record, as the eIM took them. */
function epr(record: ResultRecord | undefined): Uint8Array {
  return record?.der ?? new Uint8Array(0);
}

const ownOnly = defineScenario({
  name: "each of several eIMs gets its own EPRs only, by the whole list and by number",
  objectives: ["F1", "F4", "C8"],
  world: { eims: [{ fqdn: "eim-1.example.com" }, { fqdn: "eim-2.example.com" }, { fqdn: "eim-3.example.com" }] },
  async script(world) {
    keepAll(world);
    for (const [n, eim] of world.eims.slice(0, 2).entries()) {
      for (let i = 0; i <= n; i++) eim.queue(world.eid, psmo.setDefaultDpAddress(`dp${n}${i}.example.com`));
    }
    await world.run(until.idle());
    assert.equal(world.euicc.pending.length, 3);
    const numbers = world.euicc.pending.map((item) => item.seqNumber);
    for (const eim of world.eims) {
      eim.queue(world.eid, dataRequest({ tags: [0xa2] }), { transactionId: null });
      for (const seqNumber of numbers) eim.queue(world.eid, dataRequest({ tags: [0xa2], euiccPackageResult: { seqNumber } }), { transactionId: null });
    }
    world.wake("poll");
    await world.run(until.idle());
    for (const eim of world.eims) assertOwn(world, eim, numbers);
  },
  claims: (world) => assert.equal(world.euicc.pending.length, 3),
});

function assertOwn(world: World, eim: Eim, numbers: readonly number[]): void {
  const own = eim.results(world.eid).filter((result) => result.kind === "euiccPackageResult");
  const list = (records: readonly (ResultRecord | undefined)[]): string => toHex(tlv(0xbf52, tlv(0xa0, tlv(0xa2, concat(...records.map(epr))))));
  const expected = [list(own), ...numbers.map((number) => list(own.filter((record) => record.seqNumber === number)))];
  assert.deepEqual(provided(eim).filter((body) => body.startsWith("BF52")), expected, eim.eimId);
}

/** Every switch tells four SM-DP+s: 8 notifications of 1.3 kB. */
const LOUD = [1, 2, 3, 4].map((n) => ({ events: ["enable", "disable"] as const, address: `dp${n}.example.com` }));
const ICON = { type: "png" as const, data: new Uint8Array(1024).fill(0xa5) };

const tooLong = defineScenario({
  name: "notifications and EPRs of more octets than the device has memory are passed on whole, between the other items",
  objectives: ["F1", "N2", "D15"],
  world: {
    profiles: [
      { iccid: BOOTSTRAP, enabled: true, notifications: LOUD, icon: ICON },
      { iccid: OPERATIONAL, notifications: LOUD, icon: ICON },
      ...[3, 4, 5, 6].map((n) => ({ iccid: iccid(n), icon: ICON })),
    ],
  },
  async script(world) {
    keepAll(world);
    world.eim.queue(world.eid, psmo.listProfileInfo(undefined, [0x94]));
    leaveSomething(world);
    await world.run(until.idle());
    const all = items(world);
    assert.ok((all.get(0xa0)?.length ?? 0) > 8000 && (all.get(0xa2)?.length ?? 0) > 6000, "both are too long");
    const before = bodies(world.eim).length;
    const sets = [TAGS, [0xa0], [0xa2], [0xa0, 0xa2], [0x81, 0xa0, 0x83], [0xa2, 0xbf22, 0xa5, 0xa6, 0xa9]];
    const records = sets.map((tags) => world.eim.queue(world.eid, dataRequest({ tags })));
    world.wake("poll");
    await world.run(until.idle());
    sets.forEach((tags, n) => assert.equal(bodies(world.eim)[before + n], dataBody(world, all, tags, records[n]?.transactionId), String(n)));
  },
  claims: (world) => assert.equal(world.euicc.pending.length, 10),
});

const tooLongAndCut = defineScenario({
  name: "lists that are too long for memory are read again where the connection broke, and nothing is lost or mixed up",
  objectives: ["F8", "B6", "N2"],
  world: { profiles: [{ iccid: BOOTSTRAP, enabled: true, notifications: LOUD }, { iccid: OPERATIONAL, notifications: LOUD }], latencyMs: 10 },
  prepare(world) {
    world.eim.use(behaviours.once(behaviours.emptyAcknowledgement()));
    world.link.use(faults.resetAt(4)); // GetEimPackage, EPR with notifications, GetEimPackage, and this
    world.eim.queue(world.eid, psmo.enable(OPERATIONAL));
    world.eim.queue(world.eid, dataRequest({ tags: [0xa0, 0xa2] }));
  },
  traffic(world, trace) {
    assert.equal(trace.totals().connections, 3, "before the switch, after it, and after the reset");
    assert.equal(bodies(world.eim).length, 2, "the eIM got EPR and data once each");
  },
  claims(world) {
    assert.deepEqual(world.euicc.pending, []);
    assert.equal(world.eim.notifications(world.eid).length, 8);
    assert.ok(world.eim.notifications(world.eid).every((item) => item.verified));
  },
});

/** What a card can do instead of an answer, and what it is asked. */
const FAILING: readonly [string, number, number][] = [
  ["GetEuiccConfiguredAddresses", 0xbf3c, 0x83],
  ["GetEUICCInfo1", 0xbf20, 0xbf20],
  ["GetEUICCInfo2", 0xbf22, 0xbf22],
  ["GetCerts", 0xbf56, 0xa5],
  ["GetEimConfigurationData", 0xbf55, 0x84],
  ["RetrieveNotificationsList for notifications", 0xbf2b, 0xa0],
  ["RetrieveNotificationsList for EPRs", 0xbf2b, 0xa2],
];

const failing = FAILING.map(([what, command, tag]) =>
  defineScenario({
    name: `the eUICC refuses ${what}: the answer is undefinedError, and the next request is served`,
    objectives: ["F1", "D7"],
    async script(world) {
      const all = items(world);
      await world.run(until.idle());
      const records = [[tag, 0xa8], [tag, 0xa8]].map((tags) => world.eim.queue(world.eid, dataRequest({ tags })));
      world.wake("poll");
      while (!toHex(world.host.op.payload).includes(`${command.toString(16).toUpperCase()}`) || world.eim.seen.length < 2) await world.run(until.ops(1));
      world.euicc.failNext(command, 0x6f00);
      await world.run(until.idle());
      assert.deepEqual(bodies(world.eim), [errorBody(world, 127, records[0]?.transactionId), dataBody(world, all, [tag, 0xa8], records[1]?.transactionId)]);
    },
    claims: (world) => assert.ok(world.eim.seen.every((exchange) => exchange.verdict === "ok")),
  }));

export const scenarios: readonly Scenario[] = [fetched, onlyAcknowledged, ownOnly, tooLong, tooLongAndCut, ...failing];
