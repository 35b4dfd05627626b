/**
 * Initial association (SGP.32 v1.2 3.5.2, ES10b.AddInitialEim 5.9.4): a device whose eUICC knows no eIM gives it the request that the manufacturer
 * provisioned (record 16), octet by octet, once; what the eUICC refuses is reported and not tried again and again.
 */
import assert from "node:assert/strict";
import { concat, fromHex, toHex } from "../../sim/core/bytes.js";
import { readAll, readOne, tlv } from "../../sim/codec/tlv.js";
import { dataRequest, defineScenario, OPERATIONAL, psmo, Report, until, type Scenario, type World, type WorldEim } from "../../sim/index.js";
import type { ConfigurationOptions } from "../../sim/eim/index.js";
import { es10Of } from "../apdu-view.js";
import { asked, complaints, results } from "../esipa-view.js";

const PROVISION = 16;
const UNKNOWN_EIM: WorldEim = { association: null };

/** AddInitialEim request BF57{A0{30..}}. */
export function addInitialEim(...configurations: readonly Uint8Array[]): Uint8Array {
  return tlv(0xbf57, tlv(0xa0, ...configurations));
}

function provision(world: World, request: Uint8Array): void {
  world.store.records.set(PROVISION, request);
}

function provisioned(world: World, ...options: readonly ConfigurationOptions[]): Uint8Array {
  return addInitialEim(...world.eims.map((eim, n) => eim.configurationData(options[n] ?? {})));
}

function reported(world: World, code: Report): number[] {
  return world.trace.reports.filter((report) => report.code === code).map((report) => report.detail);
}

const counts = [1, 2, 8].map((count) =>
  defineScenario({
    name: `${count} provisioned eIM${count === 1 ? "" : "s"}: associated at the first start by one AddInitialEim, and polled`,
    objectives: ["G1", "A12"],
    world: { eims: Array.from({ length: count }, (_, n) => ({ fqdn: `eim-${n + 1}.example.com`, association: null })) },
    prepare(world) {
      provision(world, provisioned(world));
      for (const eim of world.eims) eim.queue(world.eid, psmo.setDefaultDpAddress("dp.example.com"));
    },
    claims(world) {
      assert.deepEqual(world.euicc.eims.map((eim) => [eim.eimId, eim.associationToken]), world.eims.map((eim) => [eim.eimId, null]));
      for (const eim of world.eims) assert.deepEqual(results(world, eim), ["setDefaultDpAddress 0"]);
      assert.deepEqual(world.euicc.pending, []);
      assert.ok(world.store.read(PROVISION) !== undefined, "the manufacturer's record stays");
    },
    traffic(world, trace) {
      const commands = es10Of(trace, "BF57");
      assert.deepEqual(commands.map((one) => one.command), [toHex(provisioned(world))]);
      assert.equal(commands[0]?.answer, toHex(tlv(0xbf57, tlv(0xa0, ...world.eims.map(() => tlv(0x05))))));
      assert.deepEqual(reported(world, Report.Associated), [count]);
      assert.deepEqual(complaints(world), []);
    },
    ...(count === 2 ? { replay: "cut" } : {}),
  }));

const token = defineScenario({
  name: "an associationToken that the request asks for is allocated by the eUICC; the eIM learns it, and signs with it",
  objectives: ["G1", "F1"],
  world: { eims: [UNKNOWN_EIM] },
  prepare(world) {
    provision(world, provisioned(world, { associationToken: "request" }));
    world.eim.queue(world.eid, dataRequest({ tags: [0x84] }));
    world.eim.queue(world.eid, psmo.delete(OPERATIONAL));
  },
  claims(world) {
    assert.deepEqual(world.euicc.eims.map((eim) => eim.associationToken), [1]);
    assert.equal(world.eim.device(world.eid).associationToken, 1);
    assert.deepEqual(results(world), ["ipaEuiccData", "delete 0"]);
    assert.ok(world.eim.results(world.eid)[1]?.verified);
  },
  traffic(_world, trace) {
    assert.match(es10Of(trace, "BF57")[0]?.command ?? "", /8401FF/, "-1 asks for a token");
    assert.equal(es10Of(trace, "BF57")[0]?.answer, "BF5705A003840101");
  },
  replay: "cut",
});

const certificates = defineScenario({
  name: "a request of more octets than the host gives at a time is put together, and the eIMs' certificates are trusted",
  objectives: ["G1", "G3", "N2"],
  world: { eims: [{ fqdn: "eim-1.example.com", association: null }, { fqdn: "eim-2.example.com", association: null }] },
  prepare(world) {
    const request = provisioned(world, { signer: "certificate", trust: "certificate" }, { signer: "certificate", trust: "certificate" });
    assert.ok(request.length > 1900, `${request.length} octets`);
    provision(world, request);
    for (const eim of world.eims) eim.queue(world.eid, psmo.setDefaultDpAddress("dp.example.com"));
  },
  claims(world) {
    for (const eim of world.eims) assert.deepEqual(results(world, eim), ["setDefaultDpAddress 0"]);
  },
});

const nothing = defineScenario({
  name: "without a provisioned request an eUICC without eIMs stays as it is, and nobody is called",
  objectives: ["A12", "G1"],
  world: { eims: [UNKNOWN_EIM] },
  until: until.time(72 * 3_600_000),
  claims(world) {
    assert.deepEqual(es10Of(world.trace, "BF57"), []);
    assert.equal(world.trace.totals().connections, 0);
    assert.ok(reported(world, Report.NoEim).length >= 1);
  },
});

const associated = defineScenario({
  name: "an eUICC that has an eIM is never given another one by AddInitialEim, at no start",
  objectives: ["G2"],
  prepare(world) {
    provision(world, addInitialEim(fromHex("3000")));
  },
  async script(world) {
    await world.run(until.idle());
    world.powerCut();
    await world.run(until.idle());
    world.wake("poll");
    await world.run(until.idle());
  },
  claims: (world) => assert.deepEqual(es10Of(world.trace, "BF57"), []),
});

/** Members of a configuration, with some put in the place of others or left out (undefined). */
function changed(configuration: Uint8Array, changes: Readonly<Record<number, Uint8Array | undefined>>): Uint8Array {
  const members = readAll(readOne(configuration, 0x30).value).map(({ tag, raw }) => (tag in changes ? (changes[tag] ?? new Uint8Array(0)) : raw));
  return tlv(0x30, ...members);
}

/** Code, why, and the request that gets it. */
const REFUSED: readonly [number, string, (world: World) => Uint8Array][] = [
  [1, "there is no room for so many eIMs", (world) => addInitialEim(world.eim.configurationData(), ...[1, 2].map((n) => changed(world.eim.configurationData(), { 0x80: tlv(0x80, [0x61, n + 0x30]) })))],
  [2, "an eimId is there twice", (world) => addInitialEim(world.eim.configurationData(), world.eim.configurationData())],
  [3, "the euiccCiPKId is unknown", (world) => provisioned(world, { euiccCiPkId: new Uint8Array(20) })],
  [5, "it brings an associationToken of its own", (world) => provisioned(world, { associationToken: 7 })],
  [6, "the counterValue is out of range", (world) => provisioned(world, { counter: 0x800000 })],
  [7, "there is no counterValue", (world) => provisioned(world, { counter: null })],
  [7, "there is no eimPublicKeyData", (world) => provisioned(world, { signer: "none" })],
  [7, "the list is empty", () => addInitialEim()],
  [7, "members are out of order", (world) => addInitialEim(tlv(0x30, tlv(0x81, [0x61]), readAll(readOne(world.eim.configurationData(), 0x30).value)[0]?.raw ?? []))],
];

const refused = REFUSED.map(([code, why, request]) =>
  defineScenario({
    name: `AddInitialEim is refused with ${code} because ${why}: reported, nothing is associated, nobody is called`,
    objectives: ["G2"],
    world: { eims: [UNKNOWN_EIM], euicc: { limits: { eims: 2 } } },
    prepare: (world) => provision(world, request(world)),
    until: until.time(72 * 3_600_000),
    claims(world) {
      assert.deepEqual(es10Of(world.trace, "BF57").map((one) => one.answer), [`BF570381010${code}`], "and it is not tried again");
      assert.deepEqual(reported(world, Report.AssociationRefused), [code]);
      assert.deepEqual(world.euicc.eims, []);
      assert.equal(world.trace.totals().connections, 0);
    },
  }));

const onDemand = defineScenario({
  name: "a request that was refused is tried again when the application wants a poll, and at the next start",
  objectives: ["G2"],
  world: { eims: [UNKNOWN_EIM] },
  prepare: (world) => provision(world, provisioned(world, { associationToken: 7 })),
  async script(world) {
    await world.run(until.time(3_600_000));
    world.wake("poll");
    await world.run(until.time(3_600_000));
    assert.equal(es10Of(world.trace, "BF57").length, 2);
    provision(world, provisioned(world));
    world.powerCut();
    await world.run(until.idle());
  },
  claims(world) {
    assert.deepEqual(world.euicc.eims.map((eim) => eim.eimId), [world.eim.eimId]);
    assert.ok(asked(world.eim).includes("GetEimPackage"));
  },
});

/** Records that are no AddInitialEim request. */
const DAMAGED: readonly [string, (request: Uint8Array) => Uint8Array][] = [
  ["cut off", (request) => request.slice(0, -1)],
  ["followed by further octets", (request) => concat(request, Uint8Array.of(0))],
  ["another command", (request) => concat(Uint8Array.of(0xbf, 0x58), request.slice(2))],
  ["without the list", () => fromHex("BF5703800101")],
  ["one octet", () => Uint8Array.of(0xbf)],
];

const damaged = DAMAGED.map(([what, damage]) =>
  defineScenario({
    name: `a provisioned request that is ${what} is not given to the eUICC, and reported`,
    objectives: ["G2", "N1"],
    world: { eims: [UNKNOWN_EIM] },
    prepare: (world) => provision(world, damage(provisioned(world))),
    until: until.time(48 * 3_600_000),
    claims(world) {
      assert.deepEqual(es10Of(world.trace, "BF57"), []);
      assert.equal(es10Of(world.trace, "BF58").length, 0);
      assert.equal(reported(world, Report.AssociationRefused).length, 1);
      assert.deepEqual(world.euicc.eims, []);
    },
  }));

const cardFails = defineScenario({
  name: "an eUICC that fails once at AddInitialEim is reset, and the eIM is associated then",
  objectives: ["G1", "A10"],
  world: { eims: [UNKNOWN_EIM] },
  prepare(world) {
    provision(world, provisioned(world));
    world.euicc.failNext(0xbf57, 0x6f00);
    world.eim.queue(world.eid, psmo.setDefaultDpAddress("dp.example.com"));
  },
  claims: (world) => assert.deepEqual(results(world), ["setDefaultDpAddress 0"]),
});

const answerLost = defineScenario({
  name: "the answer to AddInitialEim is garbage: the eIM is associated all the same, and not twice",
  objectives: ["G1", "A10"],
  world: { eims: [UNKNOWN_EIM] },
  prepare(world) {
    provision(world, provisioned(world));
    world.euicc.garbage(fromHex("0102"), 0xbf57);
    world.eim.queue(world.eid, psmo.setDefaultDpAddress("dp.example.com"));
  },
  claims(world) {
    assert.deepEqual(results(world), ["setDefaultDpAddress 0"]);
    assert.equal(es10Of(world.trace, "BF57").length, 1);
  },
});

export const scenarios: readonly Scenario[] = [...counts, token, certificates, nothing, associated, ...refused, onDemand, ...damaged, cardFails, answerLost];
