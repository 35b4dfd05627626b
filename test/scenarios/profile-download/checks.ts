/**
 * What the IPA compares by itself (SGP.22 v2.5 3.0.1, 2.9; SGP.32 v1.2 3.2.2; procedures 7, 8.3, 8.5, 8.10, 11, 15): before the eUICC authenticates the server
 * a session is just abandoned, behind it it is cancelled with a reason that the eUICC signs.
 */
import assert from "node:assert/strict";
import { fromHex, toHex } from "../../sim/core/bytes.js";
import { readAll, readOne, tlv } from "../../sim/codec/tlv.js";
import { BOOTSTRAP, defineScenario, faults, iccid, OPERATIONAL, rspBehaviours as dp, sharedPki, SMDP_ADDRESS, type Scenario, type World } from "../../sim/index.js";
import { parseCertificate } from "../../sim/pki/certificate.js";
import { results } from "../esipa-view.js";
import { agree, CANCEL_SESSION, downloaded, endedWith, endedWithOrCut, installedQuietly, LOAD_BPP, MATCHING_ID, orderAndTrigger, outcomes, placeOrder, requests, theOrder, trigger, WITH_SMDP } from "./view.js";

const AUTHENTICATE_SERVER = 0xbf38;
const SMDP_OID = "2.999.10";
const OTHER = iccid(8);
const ALL_FEATURES = { features: [1, 2, 3, 4] };

/** Another value for one member of serverSigned1. */
const signed1 = (tag: number, value: Uint8Array): ReturnType<typeof dp.once> =>
  dp.changeObject("serverSigned1", (der) => tlv(0x30, ...readAll(readOne(der).value).map((item) => (item.tag === tag ? tlv(tag, value) : item.raw))));

const before = ([what, prepare]: readonly [string, (world: World) => void]): Scenario =>
  defineScenario({
    name: `${what} ends the download before AuthenticateServer`,
    objectives: ["H4"],
    world: WITH_SMDP,
    prepare,
    claims: (world) => endedWith(world, theOrder(world), "undefinedError"),
    traffic(world) {
      assert.ok(!world.euicc.functions.includes(AUTHENTICATE_SERVER));
      assert.ok(!world.euicc.functions.includes(CANCEL_SESSION), "no session that could be cancelled");
    },
  });

const misbehaves = (behaviour: ReturnType<typeof dp.once>) => (world: World): void => {
  orderAndTrigger(world);
  world.smdp.use(behaviour);
};

const BEFORE: readonly (readonly [string, (world: World) => void])[] = [
  ["a euiccChallenge that is not the eUICC's", misbehaves(signed1(0x81, new Uint8Array(16).fill(1)))],
  ["a serverAddress that is not the one of the activation code", misbehaves(signed1(0x83, new TextEncoder().encode("other.example.com")))],
  ["a serverAddress that only begins alike", misbehaves(signed1(0x83, new TextEncoder().encode(`${SMDP_ADDRESS}.example.org`)))],
  ["a transactionId in serverSigned1 that is not the one beside it", misbehaves(signed1(0x80, fromHex("0102030405060708")))],
  ["a transactionId of 17 octets", misbehaves(signed1(0x80, new Uint8Array(17).fill(3)))],
  ["an SM-DP+ OID that is not the certificate's", (world) => (placeOrder(world), trigger(world, { activationCode: `1$${SMDP_ADDRESS}$${MATCHING_ID}$1.3.6.1.4.1.31746` }))],
  ["an SM-DP+ OID of which the certificate's is a beginning", (world) => (placeOrder(world), trigger(world, { activationCode: `1$${SMDP_ADDRESS}$${MATCHING_ID}$${SMDP_OID}.1` }))],
  ["an SM-DP+ OID that is no OID", (world) => (placeOrder(world), trigger(world, { activationCode: `1$${SMDP_ADDRESS}$${MATCHING_ID}$2..999` }))],
];

const RULES: readonly (readonly ["pprUpdateControl" | "ppr1" | "ppr2", ...string[]])[] = [["ppr1"], ["ppr2"], ["pprUpdateControl"]];

/** The IPA without a Rules Authorisation Table that allows it. */
const rules = RULES.map(([rule]) =>
  defineScenario({
    name: `metadata with ${rule} are refused without a rule that allows it: the session is cancelled with pprNotAllowed`,
    objectives: ["H8", "I5"],
    world: WITH_SMDP,
    prepare: (world) => void orderAndTrigger(world, { metadata: { policyRules: [rule] } }),
    claims: (world) => endedWithOrCut(world, theOrder(world), "undefinedError, cancelled pprNotAllowed"),
    traffic(world) {
      assert.equal(theOrder(world).reason, "cancelSession pprNotAllowed");
      // The eUICC's answer travels under A1: 80 transactionId, A1{A0{..}}.
      const [request] = requests(world, "CancelSession");
      const [id, answer] = readAll(readOne(request as Uint8Array, CANCEL_SESSION).value);
      assert.deepEqual([id?.tag, answer?.tag, readAll((answer as { value: Uint8Array }).value)[0]?.tag], [0x80, 0xa1, 0xa0]);
    },
    ...(rule === "ppr1" ? { replay: "cut" as const, ends: "claimed" as const } : {}),
  }),
);

function ciPkId(): Uint8Array {
  const pki = sharedPki({ seed: "world", eimFqdns: ["eim.example.com"] });
  return parseCertificate(pki.ci.certificate).subjectKeyId as Uint8Array;
}

export const scenarios: readonly Scenario[] = [
  ...BEFORE.map(before),
  ...rules,
  defineScenario({
    name: "the switch NO_OID_CHECK lets an SM-DP+ OID pass that is not the certificate's",
    objectives: ["H4"],
    world: { ...WITH_SMDP, configuration: { switches: ["NoOidCheck"] } },
    prepare(world) {
      placeOrder(world);
      trigger(world, { activationCode: `1$${SMDP_ADDRESS}$${MATCHING_ID}$1.3.6.1.4.1.31746` });
    },
    claims(world) {
      assert.deepEqual(outcomes(world), ["installed"]);
      agree(world, theOrder(world));
    },
  }),
  defineScenario({
    name: "an eIM that is bound to one CI sees that one alone in EUICCInfo1, and the profile is installed",
    objectives: ["H3"],
    world: () => ({ ...WITH_SMDP, eims: [{ association: { euiccCiPkId: ciPkId() } }] }),
    prepare: (world) => void orderAndTrigger(world),
    claims: (world) => installedQuietly(world, theOrder(world)),
    traffic(world) {
      const [request] = requests(world, "InitiateAuthentication");
      const info = readAll(readOne(request as Uint8Array, 0xbf39).value).find((item) => item.tag === 0xbf20);
      const lists = readAll((info as { value: Uint8Array }).value).filter((item) => item.tag !== 0x82);
      assert.deepEqual(lists.map((item) => `${item.tag.toString(16)} ${toHex(item.value)}`), ["a9", "aa"].map((tag) => `${tag} 0414${toHex(ciPkId())}`));
    },
  }),
  defineScenario({
    name: "a transactionId of smdpSigned2 that is another one cancels the session",
    objectives: ["H7", "I5"],
    world: WITH_SMDP,
    prepare(world) {
      orderAndTrigger(world);
      world.smdp.use(dp.changeObject("smdpSigned2", (der) => tlv(0x30, ...readAll(readOne(der).value).map((item) => (item.tag === 0x80 ? tlv(0x80, fromHex("0102030405060708")) : item.raw)))));
    },
    claims: (world) => endedWithOrCut(world, theOrder(world), "undefinedError, cancelled undefinedReason"),
    replay: "cut",
    ends: "claimed",
  }),
  defineScenario({
    name: "metadata that the eIM verifies are not looked at: PPRs that it allows are installed",
    objectives: ["H8", "I8"],
    world: { ...WITH_SMDP, configuration: ALL_FEATURES, euicc: { rat: [{ pprIds: ["ppr2"], allowedOperators: [{ mccMnc: "EEE-EEE" }] }] } },
    prepare: (world) => void orderAndTrigger(world, { metadata: { policyRules: ["ppr2"], owner: { mccMnc: "001-01" } } }, { verifyMetadata: true, allowedPprs: [2] }),
    claims: (world) => installedQuietly(world, theOrder(world)),
  }),
  ...([
    ["the SM-DP+ can't be reached for the CancelSession", (world: World) => world.es9p.use(faults.refuses(1, 3)), undefined],
    ["the eUICC refuses CancelSession", (world: World) => world.euicc.refuseNext(CANCEL_SESSION, 127), "undefinedError, cancelled the card's error 127"],
    ["the answer to CancelSession is lost", (world: World) => world.link.use(faults.losesAnswer(4)), undefined],
  ] as const).map(([what, prepare, outcome]) =>
    defineScenario({
      name: `${what}: the download ends all the same`,
      objectives: ["I5"],
      world: WITH_SMDP,
      prepare(world) {
        orderAndTrigger(world, { metadata: { policyRules: ["ppr1"] } });
        prepare(world);
      },
      claims(world) {
        const [only, ...more] = outcomes(world);
        assert.deepEqual(more, []);
        if (outcome !== undefined) assert.equal(only, outcome);
        assert.match(only ?? "", /^undefinedError/);
        assert.equal(downloaded(world), undefined);
        assert.deepEqual(world.euicc.pending, []);
      },
    }),
  ),
  defineScenario({
    name: "a trigger while the Emergency Profile is enabled is answered ecallActive",
    objectives: ["H15"],
    world: { ...WITH_SMDP, profiles: [{ iccid: BOOTSTRAP, enabled: true, ecall: true }, { iccid: OPERATIONAL }] },
    prepare: (world) => void orderAndTrigger(world),
    claims(world) {
      assert.deepEqual(outcomes(world), ["ecallActive"]);
      assert.deepEqual(world.smdp.seen, []);
      assert.ok(!world.euicc.functions.includes(LOAD_BPP));
    },
  }),
  defineScenario({
    name: "a PIR behind many notifications that the eIM refuses is found and told",
    objectives: ["I4", "K2"],
    world: WITH_SMDP,
    async script(world) {
      const addresses = ["a.example.com", "b.example.com", "c.example.com", "d.example.com", "e.example.com"];
      const order = placeOrder(world, { metadata: { notifications: addresses.map((address) => ({ events: ["install"], address })) } });
      world.eim.use({
        name: "refusesOtherNotifications()",
        answer: (request) => (/^BF3D(8.)?(..){1,3}A0(8.)?(..){1,3}30/.test(toHex(request.body.subarray(0, 12))) ? { status: 400, headers: {}, body: new Uint8Array(0) } : undefined),
      });
      trigger(world, { activationCode: world.smdp.activationCode(order) });
      await world.run({ kind: "idle" });
      assert.deepEqual(results(world).length, 1);
      placeOrder(world, { iccid: OTHER, matchingId: "SECOND" });
      trigger(world, { activationCode: `1$${SMDP_ADDRESS}$SECOND` });
      world.wake("poll");
      await world.run({ kind: "idle" });
    },
    claims(world) {
      assert.deepEqual(outcomes(world), ["installed", "installed"]);
      assert.deepEqual(world.smdp.orders.map((order) => order.state), ["installed", "installed"]);
      assert.ok(world.euicc.pending.length >= 5, "the refused ones stay");
    },
  }),
  defineScenario({
    name: "an eIM that refuses the ProfileDownloadTriggerResult gets the PIR as a notification",
    objectives: ["I4"],
    world: WITH_SMDP,
    prepare(world) {
      orderAndTrigger(world);
      world.eim.use({
        name: "refusesTriggerResult()",
        answer: (request) => (toHex(request.body.subarray(0, 8)).includes("BF50") && request.body[1] === 0x3d ? { status: 400, headers: {}, body: new Uint8Array(0) } : undefined),
      });
    },
    until: { kind: "polls", n: 2 },
    claims(world) {
      assert.equal(theOrder(world).state, "installed");
      assert.deepEqual(world.euicc.pending, []);
    },
  }),
];
