/** SGP.32 v1.2 3.1, ETSI TS 102 221 11.1.19: what an IPAd says to the eUICC before it says anything to an eIM, octet by octet. */
import assert from "node:assert/strict";
import { BOOTSTRAP, defineScenario } from "../../sim/index.js";
import { commands, es10Of } from "../apdu-view.js";

export default defineScenario({
  name: "at start the IPAd announces itself, opens the ISD-R, and reads EID, EUICCInfo2, the eIMs and what was left over",
  objectives: ["A1", "A2"],

  claims(world) {
    assert.equal(world.enabled, BOOTSTRAP);
    assert.deepEqual(world.euicc.refusals, []);
  },

  traffic(world, trace) {
    const fci = trace.apdus.findIndex(({ response }) => response[0] === 0x6f);
    assert.ok(fci > 0, "the FCI of the ISD-R is fetched");
    const order = commands(trace).filter((command) => !/^..C00000/.test(command));
    assert.deepEqual(order, [
      "801000000301" + "00C8", // TERMINAL PROFILE, the device's own
      "80AA000008A906830107840101", // TERMINAL CAPABILITY: LPA functions of SGP.22, and IPAd
      "0070000001", // MANAGE CHANNEL: the card assigns the number
      "01A4040010A0000005591010FFFFFFFF8900000100", // SELECT ISD-R
      "81E2910006BF3E035C015A", // GetEID
      "81E2910003BF2200", // GetEUICCInfo2
      "81E2910003BF5500", // GetEimConfigurationData
      "81E2910003BF2B00", // RetrieveNotificationsList: notifications
      "81E2910007BF2B04A0028200", // RetrieveNotificationsList: eUICC Package Results
      "0070800100", // MANAGE CHANNEL: closed while nothing is in hand
    ]);
    assert.equal(es10Of(trace, "BF3E")[0]?.answer, `BF3E125A10${world.eid}`);
    const firstSent = trace.entries.findIndex((entry) => entry.kind === "link");
    const lastRead = trace.entries.findLastIndex((entry) => entry.kind === "apdu" && entry.command[1] === 0xe2);
    assert.ok(firstSent > lastRead, "the eIM is asked when the card was read");
  },

  replay: "cut",
});
