/**
 * Indirect profile download with an activation code (SGP.32 v1.2 3.2.3.2; procedures 7, 8, 10, 13): the whole of it, in the words of each side.
 */
import assert from "node:assert/strict";
import { toHex } from "../../sim/core/bytes.js";
import { find, readAll, readOne } from "../../sim/codec/tlv.js";
import { BOOTSTRAP, defineScenario, Report, type Scenario } from "../../sim/index.js";
import { askedBeside, chains, installedQuietly, orderAndTrigger, requests, theOrder, WITH_SMDP } from "./view.js";

export const scenarios: readonly Scenario[] = [
  defineScenario({
    name: "an activation code from the eIM is downloaded through the eIM, and SM-DP+, eUICC and eIM know it is installed",
    objectives: ["I1", "I4", "H5"],
    world: WITH_SMDP,
    prepare: (world) => void orderAndTrigger(world),
    claims(world) {
      installedQuietly(world, theOrder(world));
      assert.equal(world.enabled, BOOTSTRAP);
      assert.equal(world.euicc.profiles.length, 3);
    },
    traffic(world, trace) {
      assert.deepEqual(askedBeside(world), ["InitiateAuthentication", "AuthenticateClient", "GetBoundProfilePackage", "HandleNotification"]);
      assert.deepEqual(world.smdp.seen.map((entry) => entry.function), ["initiateAuthentication", "authenticateClient", "getBoundProfilePackage", "handleNotification"]);
      assert.deepEqual(trace.reports.filter((report) => report.code === Report.ProfileInstalled).map((report) => report.detail), [1]);
      assert.equal(trace.totals().connections, 1);
      // The result is BF54 with its eimTransactionId and the PIR, in a HandleNotification with the EID.
      const [result] = requests(world, "HandleNotification");
      const inner = readAll(readOne(readOne(result as Uint8Array, 0xbf3d).value, 0xbf50).value);
      assert.deepEqual(inner.map((item) => item.tag), [0x5a, 0xbf54]);
      assert.deepEqual(readAll((inner[1] as { value: Uint8Array }).value).map((item) => item.tag), [0x82, 0xbf37]);
      // ctxParams1: the matching id as it stands in the activation code, and the device's TAC and IMEI.
      const authenticate = chains(trace).find((chain) => chain[0] === 0xbf && chain[1] === 0x38) as Uint8Array;
      const context = readAll(readOne(authenticate).value).at(-1);
      assert.equal(context?.tag, 0xa0);
      const [matchingId, device] = readAll((context as { value: Uint8Array }).value);
      assert.equal(new TextDecoder().decode(matchingId?.value), "04386-AGYFT-A74Y8-3F815");
      assert.equal(toHex((find(readAll((device as { value: Uint8Array }).value), 0x80) as { value: Uint8Array }).value), "53968330");
    },
  }),
];

