/**
 * Every form of trigger by direct download (SGP.32 v1.2 3.2.3.1, 3.2.4; SGP.22 v2.5 3.1.3, 3.6; procedures 7, 9, 11 to 17), and which way is taken for which
 * capabilities (procedures 7).
 */
import assert from "node:assert/strict";
import { ErrorReason } from "../../sim/euicc/index.js";
import { defineScenario, iccid, sampleProfile, SMDP_ADDRESS, type Scenario, type World, type WorldOptions } from "../../sim/index.js";
import { results } from "../esipa-view.js";
import { agree, allComplaints, askedBeside, DOWNLOADED, downloaded, endedWith, installedInTheEnd, MATCHING_ID, orderAndTrigger, outcomes, placeOrder, theOrder, trigger, WITH_SMDP } from "./view.js";

const QUIET = { metadata: {} };
const CODE = "a code of 16 oct";
const direct = (more: WorldOptions = {}): WorldOptions => ({ ...WITH_SMDP, smds: [{}, { address: "second.ds.example.com" }], ...more, configuration: { features: [0, 1, 2, 3], ...more.configuration } });

function installed(world: World): void {
  assert.deepEqual(outcomes(world), ["installed"]);
  agree(world, theOrder(world));
  assert.deepEqual(allComplaints(world), []);
}

/** The eIM relayed nothing. */
function notRelayed(world: World): void {
  assert.deepEqual(askedBeside(world).filter((name) => name !== "HandleNotification"), []);
}

const FEATURES = Array.from({ length: 32 }, (_, bits) => [0, 1, 2, 3, 4].filter((bit) => (bits & (1 << bit)) !== 0));
const DIRECT_BIT = 0;
const INDIRECT_BIT = 1;

const capabilities = FEATURES.map((features) =>
  defineScenario({
    name: `an activation code for an IPA with the features ${features.length === 0 ? "none" : features.join(" ")} goes ${features.includes(DIRECT_BIT) ? "to the SM-DP+ itself" : features.includes(INDIRECT_BIT) ? "through the eIM" : "nowhere"}`,
    objectives: ["I8"],
    world: { ...WITH_SMDP, configuration: { features } },
    prepare: (world) => void orderAndTrigger(world, QUIET),
    claims(world) {
      if (!features.includes(DIRECT_BIT) && !features.includes(INDIRECT_BIT)) {
        assert.deepEqual(results(world), ["eimPackageResultResponseError 1"]);
        assert.equal(downloaded(world), undefined);
        return;
      }
      installed(world);
      assert.equal(askedBeside(world).includes("GetBoundProfilePackage"), !features.includes(DIRECT_BIT));
    },
  }),
);

const failing = ([["insufficientMemory", ErrorReason.InsufficientMemory], ["iccidAlreadyExists", ErrorReason.IccidAlreadyExists], ["peProcessingError", ErrorReason.PeProcessingError]] as const).map(([name, errorReason]) =>
  defineScenario({
    name: `a direct download that fails in the eUICC with ${name}: SM-DP+ and eIM have the same PIR`,
    objectives: ["H11", "J4"],
    world: direct(),
    prepare(world) {
      orderAndTrigger(world, QUIET);
      world.euicc.failSegment(3, { errorReason });
    },
    claims(world) {
      endedWith(world, theOrder(world), `storeMetadata, ${name}`);
      assert.equal(world.smdp.notifications.length, 1);
      assert.match(world.smdp.notifications[0]?.installation?.error ?? "", new RegExp(`^${name}`));
    },
  }),
);

export const scenarios: readonly Scenario[] = [
  ...capabilities,
  ...failing,
  defineScenario({
    name: "the default SM-DP+ is asked by the device itself",
    objectives: ["H2", "J1"],
    world: direct({ euicc: { defaultDpAddress: SMDP_ADDRESS } }),
    prepare(world) {
      placeOrder(world, { ...QUIET, matchingId: "", eid: world.eid });
      trigger(world, { contactDefaultSmdp: true });
    },
    claims: installed,
    traffic: notRelayed,
  }),
  ...[CODE, "1234-äß", "4", "~~~~"].map((code) =>
    defineScenario({
      name: `a Confirmation Code of ${Buffer.byteLength(code)} octets in the configuration (${code}) is the one that the SM-DP+ wants`,
      objectives: ["H9", "J1"],
      world: direct({ configuration: { confirmationCode: code } }),
      prepare: (world) => void orderAndTrigger(world, { ...QUIET, confirmationCode: code }),
      claims: installed,
      traffic: notRelayed,
    }),
  ),
  defineScenario({
    name: "a direct download whose Confirmation Code nobody has is postponed, and the order can be had later",
    objectives: ["H9", "I5"],
    world: direct(),
    prepare: (world) => void orderAndTrigger(world, { ...QUIET, confirmationCode: CODE }),
    claims(world) {
      endedWith(world, theOrder(world), "undefinedError");
      assert.equal(theOrder(world).state, "released");
    },
    traffic: (world) => assert.equal(world.smdp.seen.at(-1)?.function, "cancelSession"),
  }),
  defineScenario({
    name: "a direct download of 100 kB in pieces of any size is the package that was ordered",
    objectives: ["I10", "J1"],
    world: direct({ euicc: { download: { freeMemory: 200_000 } } }),
    prepare(world) {
      orderAndTrigger(world, { ...QUIET, profile: sampleProfile({ iccid: DOWNLOADED, size: 100_000 }) });
      world.link.split("random");
    },
    claims: installed,
    traffic: notRelayed,
  }),
  defineScenario({
    name: "a directly downloaded profile is enabled at once: the eIM learns PIR and state change over it",
    objectives: ["L1", "J4"],
    world: direct({ configuration: { switches: ["ImmediateEnable"] }, euicc: { immediateEnable: true } }),
    prepare: (world) => void orderAndTrigger(world, QUIET),
    claims(world) {
      assert.equal(world.enabled, DOWNLOADED);
      assert.deepEqual(outcomes(world), ["installed"]);
      agree(world, theOrder(world));
      assert.ok(world.eim.device(world.eid).stateChanges.some((change) => change.cause === 5));
    },
  }),
  defineScenario({
    name: "an SM-DS that the device asks itself has no event: the trigger ends with undefinedError",
    objectives: ["J5"],
    world: direct(),
    prepare(world) {
      placeOrder(world, QUIET);
      trigger(world, { contactSmds: true });
    },
    claims: (world) => endedWith(world, theOrder(world), "undefinedError"),
    replay: "cut",
  }),
  defineScenario({
    name: "of several events of an SM-DS that the device asks itself one is downloaded for each trigger, and none twice",
    objectives: ["J5"],
    world: direct(),
    async script(world) {
      for (const n of [7, 8]) {
        placeOrder(world, { ...QUIET, matchingId: `EVENT-${n}`, iccid: iccid(n) });
        world.smds[0]?.register({ eid: world.eid, eventId: `EVENT-${n}`, address: SMDP_ADDRESS });
      }
      for (let triggers = 0; triggers < 2; triggers++) {
        trigger(world, { contactSmds: true });
        world.wake("poll");
        await world.run({ kind: "idle" });
        // The SM-DP+ takes its event back when it is done.
        world.smds[0]?.remove(world.smdp.orders.filter((order) => order.state === "installed")[triggers]?.matchingId ?? "none");
      }
    },
    claims(world) {
      assert.deepEqual(outcomes(world), ["installed", "installed"]);
      for (const order of world.smdp.orders) agree(world, order);
    },
  }),
  defineScenario({
    name: "a cascaded SM-DS is asked by the device itself, and leads to the SM-DP+; a circle of them ends",
    objectives: ["J5"],
    world: direct(),
    async script(world) {
      const [root, second] = world.smds;
      if (root === undefined || second === undefined) throw new TypeError("two SM-DS expected");
      placeOrder(world, QUIET);
      root.cascade(second, { eid: world.eid, eventId: MATCHING_ID, address: SMDP_ADDRESS });
      trigger(world, { contactSmds: true });
      await world.run({ kind: "idle" });
      assert.deepEqual(outcomes(world), ["installed"]);
      root.register({ eid: world.eid, eventId: "CIRCLE", address: second.address });
      second.register({ eid: world.eid, eventId: "CIRCLE", address: root.address });
      for (const ds of world.smds) ds.remove(MATCHING_ID);
      trigger(world, { contactSmds: true });
      world.wake("poll");
      await world.run({ kind: "idle" });
    },
    claims(world) {
      assert.deepEqual(outcomes(world), ["installed", "undefinedError"]);
      assert.equal(theOrder(world).state, "installed");
    },
  }),
  defineScenario({
    name: "a power cut at any op of a direct download by an SM-DS: the profile is installed once or not at all, and all know the truth",
    objectives: ["H16", "J5"],
    world: direct(),
    prepare(world) {
      placeOrder(world, QUIET);
      world.smds[0]?.register({ eid: world.eid, eventId: MATCHING_ID, address: SMDP_ADDRESS });
      trigger(world, { contactSmds: true });
    },
    claims: (world) => installedInTheEnd(world, theOrder(world)),
    replay: "cut",
    ends: "claimed",
  }),
];
