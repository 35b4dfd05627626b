/**
 * What a ProfileDownloadTriggerRequest may hold (SGP.32 v1.2 3.2.3; SGP.22 v2.5 4.1; procedures 7): activation codes in every form, the default SM-DP+,
 * an SM-DS, or nothing because the eIM holds the data.
 */
import assert from "node:assert/strict";
import { fromHex, utf8 } from "../../sim/core/bytes.js";
import { tlv } from "../../sim/codec/tlv.js";
import { dataRequest, defineScenario, iccid, rawPackage, SMDP_ADDRESS, SMDS_ADDRESS, until, type Scenario, type World } from "../../sim/index.js";
import { results } from "../esipa-view.js";
import { agree, allComplaints, askedBeside, downloaded, endedWith, endedWithOrCut, installedQuietly, MATCHING_ID, orderAndTrigger, outcomes, placeOrder, theOrder, trigger, WITH_SMDP } from "./view.js";

const SMDP_OID = "2.999.10";

/** Codes that lead to the order. */
const GOOD: readonly (readonly [what: string, code: string])[] = [
  ["as it stands", `1$${SMDP_ADDRESS}$${MATCHING_ID}`],
  ["with the prefix LPA:", `LPA:1$${SMDP_ADDRESS}$${MATCHING_ID}`],
  ["with the prefix in small letters", `lpa:1$${SMDP_ADDRESS}$${MATCHING_ID}`],
  ["with the SM-DP+ OID of the certificate", `1$${SMDP_ADDRESS}$${MATCHING_ID}$${SMDP_OID}`],
  ["with an empty OID", `1$${SMDP_ADDRESS}$${MATCHING_ID}$`],
  ["with fields of SGP.22 v3 behind it", `1$${SMDP_ADDRESS}$${MATCHING_ID}$$$81370F5125D0B1D408D4C3B232E6D25E795BEBFB`],
  ["with the address in capitals", `1$${SMDP_ADDRESS.toUpperCase()}$${MATCHING_ID}`],
];

/** Codes that are none. */
const BAD: readonly (readonly [what: string, code: string])[] = [
  ["of format 2", `2$${SMDP_ADDRESS}$${MATCHING_ID}`],
  ["without matchingId", `1$${SMDP_ADDRESS}`],
  ["without address", `1$$${MATCHING_ID}`],
  ["of no octets", ""],
  ["with an odd flag", `1$${SMDP_ADDRESS}$${MATCHING_ID}$$x`],
  ["without format", `${SMDP_ADDRESS}$${MATCHING_ID}`],
  ["with an address of other letters than ASCII", `1$smdp.exämple.com$${MATCHING_ID}`],
  ["with a line feed in the matchingId", `1$${SMDP_ADDRESS}$AB\nCD`],
  ["with other letters than ASCII in the matchingId", `1$${SMDP_ADDRESS}$ÄÖÜ`],
];

const good = GOOD.map(([what, code]) =>
  defineScenario({
    name: `an activation code ${what} is downloaded`,
    objectives: ["H1"],
    world: WITH_SMDP,
    prepare(world) {
      placeOrder(world);
      trigger(world, { activationCode: code });
    },
    claims: (world) => installedQuietly(world, theOrder(world)),
  }),
);

function refused(world: World): void {
  assert.deepEqual(results(world), ["eimPackageResultResponseError 1"]);
  assert.equal(downloaded(world), undefined);
  assert.deepEqual(world.smdp.seen, []);
}

const bad = BAD.map(([what, code]) =>
  defineScenario({
    name: `an activation code ${what} is answered invalidPackageFormat, and nothing is asked of the SM-DP+`,
    objectives: ["H1"],
    world: WITH_SMDP,
    prepare(world) {
      placeOrder(world);
      trigger(world, { activationCode: code });
    },
    claims: refused,
  }),
);

const raw = (what: string, content: Uint8Array): Scenario =>
  defineScenario({
    name: `a download trigger ${what} is answered invalidPackageFormat`,
    objectives: ["H1"],
    world: WITH_SMDP,
    prepare(world) {
      world.eim.queue(world.eid, rawPackage(content));
    },
    claims: refused,
  });

const ID = tlv(0x82, fromHex("0102030405060708"));

export const scenarios: readonly Scenario[] = [
  ...good,
  ...bad,
  raw("with an activation code of more than 255 octets", tlv(0xbf54, tlv(0xa0, tlv(0x80, utf8(`1$${SMDP_ADDRESS}$${"A".repeat(250)}`))), ID)),
  raw("with data of an unknown kind", tlv(0xbf54, tlv(0xa0, tlv(0x85, [1])), ID)),
  raw("with empty profileDownloadData", tlv(0xbf54, tlv(0xa0), ID)),
  defineScenario({
    name: "an activation code with an empty matchingId sends an empty one, and the order for this eUICC is found",
    objectives: ["H1"],
    world: WITH_SMDP,
    prepare(world) {
      placeOrder(world, { matchingId: "", eid: world.eid });
      trigger(world, { activationCode: `1$${SMDP_ADDRESS}$` });
    },
    claims: (world) => installedQuietly(world, theOrder(world)),
  }),
  defineScenario({
    name: "without an eimTransactionId the PIR goes by itself, and closes the trigger",
    objectives: ["I4"],
    world: WITH_SMDP,
    prepare(world) {
      const order = placeOrder(world);
      world.eim.queue(world.eid, { kind: "profileDownloadTriggerRequest", trigger: { activationCode: world.smdp.activationCode(order) } }, { transactionId: null });
    },
    claims: (world) => endedWithOrCut(world, theOrder(world), "installed"),
    traffic(world) {
      installedQuietly(world, theOrder(world));
      assert.deepEqual(askedBeside(world), ["InitiateAuthentication", "AuthenticateClient", "GetBoundProfilePackage", "HandleNotification"]);
      assert.match(world.eim.seen.find((exchange) => exchange.function === "HandleNotification")?.request ?? "", /^BF3D..(..)?A0/);
    },
    replay: "cut",
    ends: "claimed",
  }),
  defineScenario({
    name: "contactDefaultSmdp goes to the default SM-DP+ that the eUICC has",
    objectives: ["H2"],
    world: { ...WITH_SMDP, euicc: { defaultDpAddress: SMDP_ADDRESS } },
    prepare(world) {
      placeOrder(world, { matchingId: "", eid: world.eid });
      trigger(world, { contactDefaultSmdp: true });
    },
    claims: (world) => installedQuietly(world, theOrder(world)),
  }),
  defineScenario({
    name: "contactDefaultSmdp without a default SM-DP+ ends with undefinedError",
    objectives: ["H2"],
    world: WITH_SMDP,
    prepare(world) {
      placeOrder(world, { matchingId: "", eid: world.eid });
      trigger(world, { contactDefaultSmdp: true });
    },
    claims(world) {
      endedWith(world, theOrder(world), "undefinedError");
      assert.deepEqual(world.smdp.seen, []);
    },
    replay: "cut",
  }),
  defineScenario({
    name: "an empty trigger is downloaded with the data that the eIM holds: no smdpAddress goes up, the matchingId comes down",
    objectives: ["I2", "I8"],
    world: WITH_SMDP,
    prepare(world) {
      const order = placeOrder(world);
      trigger(world, {}, { activationCode: world.smdp.activationCode(order) });
    },
    claims: (world) => installedQuietly(world, theOrder(world)),
    traffic(world) {
      const [request] = world.eim.seen.filter((exchange) => exchange.function === "InitiateAuthentication").map((exchange) => exchange.request);
      assert.doesNotMatch(request ?? "", new RegExp(Buffer.from(SMDP_ADDRESS).toString("hex"), "i"));
    },
  }),
  defineScenario({
    name: "an empty trigger with an order for the EID alone: the empty matchingId of the eIM is used",
    objectives: ["I2"],
    world: WITH_SMDP,
    prepare(world) {
      placeOrder(world, { matchingId: "", eid: world.eid });
      trigger(world, {}, { activationCode: `1$${SMDP_ADDRESS}$` });
    },
    claims: (world) => installedQuietly(world, theOrder(world)),
  }),
  defineScenario({
    name: "an empty trigger is answered invalidPackageFormat where the IPA does not tell eimDownloadDataHandling",
    objectives: ["I2", "I8"],
    world: { ...WITH_SMDP, configuration: { features: [1] } },
    prepare(world) {
      const order = placeOrder(world);
      trigger(world, {}, { activationCode: world.smdp.activationCode(order) });
    },
    claims: refused,
  }),
  defineScenario({
    name: "a trigger is answered invalidPackageFormat where the IPA does not tell indirectRspServerCommunication",
    objectives: ["I8"],
    world: { ...WITH_SMDP, configuration: { features: [] } },
    prepare: (world) => void orderAndTrigger(world),
    claims: refused,
  }),
  defineScenario({
    name: "ctxParams1 that the eIM makes from the device's own deviceInfo goes to the eUICC as it is",
    objectives: ["I8", "H5"],
    world: WITH_SMDP,
    prepare(world) {
      world.eim.queue(world.eid, dataRequest({ tags: [0xa8, 0xa9] }));
      const order = placeOrder(world);
      trigger(world, {}, { activationCode: world.smdp.activationCode(order), ctxParams1: true });
    },
    claims: (world) => installedQuietly(world, theOrder(world)),
  }),
  defineScenario({
    name: "what the eIM leaves out is not missed: transactionId, and most of euiccCiPKIdentifierToBeUsed",
    objectives: ["I3"],
    world: WITH_SMDP,
    prepare: (world) => void orderAndTrigger(world, {}, { omitTransactionId: true, ciPkIdOctets: 2 }),
    claims: (world) => installedQuietly(world, theOrder(world)),
  }),
  defineScenario({
    name: "metadata that the eIM has verified and left out is not missed",
    objectives: ["I3", "I8"],
    world: { ...WITH_SMDP, configuration: { features: [1, 2, 3, 4] } },
    prepare(world) {
      world.eim.queue(world.eid, dataRequest({ tags: [0xa8] }));
      orderAndTrigger(world, {}, { verifyMetadata: true });
    },
    claims: (world) => installedQuietly(world, theOrder(world)),
  }),
  ...[true, SMDS_ADDRESS].map((contactSmds) =>
    defineScenario({
      name: `contactSmds ${contactSmds === true ? "without an address asks the root SM-DS" : "asks the SM-DS that it names"} through the eIM, and its event is downloaded`,
      objectives: ["I7"],
      world: { ...WITH_SMDP, smds: [{}] },
      prepare(world) {
        placeOrder(world);
        world.smds[0]?.register({ eid: world.eid, eventId: MATCHING_ID, address: SMDP_ADDRESS });
        trigger(world, { contactSmds });
      },
      claims: (world) => endedWithOrCut(world, theOrder(world), "installed"),
      traffic(world) {
        installedQuietly(world, theOrder(world));
        assert.equal(world.smds[0]?.seen.length, 2);
      },
      ...(contactSmds === true ? { replay: "cut" as const, ends: "claimed" as const } : {}),
    }),
  ),
  defineScenario({
    name: "an SM-DS without an event ends the trigger with undefinedError",
    objectives: ["I7"],
    world: { ...WITH_SMDP, smds: [{}] },
    prepare(world) {
      placeOrder(world);
      trigger(world, { contactSmds: true });
    },
    claims: (world) => endedWith(world, theOrder(world), "undefinedError"),
    replay: "cut",
  }),
  defineScenario({
    name: "several events of an SM-DS are downloaded one after the other, each once",
    objectives: ["I7", "H17"],
    world: { ...WITH_SMDP, smds: [{}] },
    prepare(world) {
      for (const n of [7, 8, 9]) {
        placeOrder(world, { matchingId: `EVENT-${n}`, ...(n === 7 ? {} : { iccid: iccid(n) }) });
        world.smds[0]?.register({ eid: world.eid, eventId: `EVENT-${n}`, address: SMDP_ADDRESS });
      }
      trigger(world, { contactSmds: true });
    },
    claims(world) {
      assert.deepEqual(outcomes(world), ["installed", "installed", "installed"]);
      for (const order of world.smdp.orders) agree(world, order);
      assert.deepEqual(allComplaints(world), []);
    },
  }),
  defineScenario({
    name: "cascaded SM-DS lead to the SM-DP+ at last, and a circle of them ends",
    objectives: ["I7"],
    world: { ...WITH_SMDP, smds: [{}, { address: "second.ds.example.com" }] },
    async script(world) {
      const [root, second] = world.smds;
      if (root === undefined || second === undefined) throw new TypeError("two SM-DS expected");
      placeOrder(world);
      root.cascade(second, { eid: world.eid, eventId: MATCHING_ID, address: SMDP_ADDRESS });
      trigger(world, { contactSmds: true });
      await world.run(until.idle());
      assert.deepEqual(outcomes(world), ["installed"]);
      root.register({ eid: world.eid, eventId: "CIRCLE", address: second.address });
      second.register({ eid: world.eid, eventId: "CIRCLE", address: root.address });
      for (const ds of world.smds) ds.remove(MATCHING_ID);
      trigger(world, { contactSmds: true });
      world.wake("poll");
      await world.run(until.idle());
    },
    claims(world) {
      assert.deepEqual(outcomes(world), ["installed", "undefinedError"]);
      assert.equal(theOrder(world).state, "installed");
    },
  }),
];
