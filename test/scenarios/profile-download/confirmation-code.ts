/** The Confirmation Code of a download (SGP.22 v2.5 3.1.3; SGP.32 v1.2 5.14.2; procedures 12): the eIM has it, or nobody has. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { concat, fromHex, toHex } from "../../sim/core/bytes.js";
import { find, readAll, readOne } from "../../sim/codec/tlv.js";
import { defineScenario, type Scenario } from "../../sim/index.js";
import { agree, chains, endedWith, endedWithOrCut, installedQuietly, orderAndTrigger, outcomes, placeOrder, theOrder, trigger, WITH_SMDP } from "./view.js";

const CODE = "1234-äß";

export const scenarios: readonly Scenario[] = [
  defineScenario({
    name: "a Confirmation Code that the eIM has goes as hashCc into PrepareDownload, and the profile is installed",
    objectives: ["H9", "I3"],
    world: WITH_SMDP,
    prepare: (world) => void orderAndTrigger(world, { confirmationCode: CODE }, { confirmationCode: CODE }),
    claims: (world) => endedWithOrCut(world, theOrder(world), "installed"),
    traffic(world, trace) {
      installedQuietly(world, theOrder(world));
      const prepare = chains(trace).find((chain) => chain[0] === 0xbf && chain[1] === 0x21) as Uint8Array;
      const transactionId = fromHex(world.smdp.sessions[0]?.transactionId ?? "");
      const sha256 = (octets: Uint8Array): Uint8Array => new Uint8Array(createHash("sha256").update(octets).digest());
      const expected = sha256(concat(sha256(new TextEncoder().encode(CODE)), transactionId));
      assert.equal(toHex((find(readAll(readOne(prepare).value), 0x04) as { value: Uint8Array }).value), toHex(expected));
    },
    replay: "cut",
    ends: "claimed",
  }),
  defineScenario({
    name: "a Confirmation Code of a held activation code is the eIM's too",
    objectives: ["H9", "I2"],
    world: WITH_SMDP,
    prepare(world) {
      const order = placeOrder(world, { confirmationCode: CODE });
      trigger(world, {}, { activationCode: world.smdp.activationCode(order), confirmationCode: CODE });
    },
    claims: (world) => installedQuietly(world, theOrder(world)),
  }),
  defineScenario({
    name: "a Confirmation Code that nobody has: the session is cancelled with postponed, and the order can be had later",
    objectives: ["H9", "I5"],
    world: WITH_SMDP,
    prepare: (world) => void orderAndTrigger(world, { confirmationCode: CODE }),
    claims(world) {
      endedWith(world, theOrder(world), "undefinedError, cancelled postponed");
      assert.equal(theOrder(world).state, "released");
    },
    replay: "cut",
    ends: "claimed",
  }),
  defineScenario({
    name: "a wrong Confirmation Code is told as confirmationCodeRefused, the right one installs the profile",
    objectives: ["H9"],
    world: WITH_SMDP,
    prepare: (world) => void orderAndTrigger(world, { confirmationCode: CODE }, { confirmationCode: "0000" }),
    async claims(world) {
      assert.deepEqual(outcomes(world), ["undefinedError, getBoundProfilePackage: confirmationCodeRefused"]);
      const order = theOrder(world);
      assert.equal(order.codeFailures, 1);
      trigger(world, { activationCode: world.smdp.activationCode(order) }, { confirmationCode: CODE });
      world.wake("poll");
      await world.run({ kind: "idle" });
      assert.deepEqual(outcomes(world).slice(1), ["installed"]);
      agree(world, order);
    },
  }),
  defineScenario({
    name: "too many wrong Confirmation Codes are told as confirmationCodeRetriesExceeded",
    objectives: ["H9", "H7"],
    world: WITH_SMDP,
    prepare: (world) => void orderAndTrigger(world, { confirmationCode: CODE, maxCodeRetries: 0 }, { confirmationCode: "0000" }),
    claims(world) {
      endedWith(world, theOrder(world), "undefinedError, getBoundProfilePackage: confirmationCodeRetriesExceeded");
      assert.equal(theOrder(world).state, "error");
    },
  }),
];
