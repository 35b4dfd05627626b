/** DeviceInfo (SGP.22 v2.5 4.2; types 8.3) and IpaCapabilities (types 4.7): what the device was configured with, in its coding. */
import assert from "node:assert/strict";
import { fromHex, toHex } from "../../sim/core/bytes.js";
import { bits, tlv } from "../../sim/codec/tlv.js";
import { dataRequest, defineScenario, type Configuration, type Scenario } from "../../sim/index.js";
import { complaints, provided } from "../esipa-view.js";

/** Without the IMEI that a world configures by itself. */
const NO_IMEI = { imei: undefined } as unknown as Partial<Configuration>;

/** Configuration and DeviceInfo, octet by octet. */
const VECTORS: readonly [string, Partial<Configuration>, string][] = [
  ["IMEI 352906112345675", { imei: "352906112345675" }, "A9128004539260 11A1008208539260113254765F"],
  ["IMEI 490154203237518", { imei: "490154203237518" }, "A912800494104502A100820894104502 2373158F"],
  ["an IMEI of 14 digits, to which the check digit is added", { imei: "49015420323751" }, "A912800494104502A100820894104502 2373158F"],
  ["an IMEISV of 16 digits, whose software version gives way to the check digit", { imei: "4901542032375199" }, "A912800494104502A100820894104502 2373158F"],
  ["a check digit that is 0", { imei: "100000000000080" }, "A912800401000000A1008208010000000000800F"],
  ["TAC alone", { ...NO_IMEI, tac: "35290611" }, "A908800453926011A100"],
  ["an IMEI beside a TAC", { imei: "352906112345675", tac: "35290611" }, "A912800453926011A1008208539260113254765F"],
  ["deviceCapabilities octet by octet", { imei: "352906112345675", deviceCapabilities: fromHex("85030F0000 88030F0000 8C0203A8") }, "A920800453926011A10E85030F000088030F00008C0203A88208539260113254765F"],
  ["deviceCapabilities with a TAC alone", { ...NO_IMEI, tac: "35290611", deviceCapabilities: fromHex("85030F0000") }, "A90D800453926011A10585030F0000"],
];

const device = VECTORS.map(([what, configuration, expected]) =>
  defineScenario({
    name: `deviceInfo: ${what}`,
    objectives: ["F10"],
    world: { configuration },
    prepare: (world) => void world.eim.queue(world.eid, dataRequest({ tags: [0xa9] }), { transactionId: null }),
    claims(world) {
      const item = expected.replaceAll(" ", "");
      assert.deepEqual(provided(world.eim), [toHex(tlv(0xbf52, tlv(0xa0, fromHex(item))))]);
      assert.deepEqual(complaints(world), []);
    },
  }));

const noDevice = defineScenario({
  name: "deviceInfo: a device that has neither IMEI nor TAC leaves it out",
  objectives: ["F7", "F10"],
  world: { configuration: NO_IMEI },
  prepare: (world) => void world.eim.queue(world.eid, dataRequest({ tags: [0xa9, 0xa8] }), { transactionId: null }),
  claims: (world) => assert.match(provided(world.eim)[0] ?? "none", /^BF52..A0..A8/),
});

/** ipaSupportedProtocols is what the host's links can do. */
const PROTOCOLS: readonly [readonly ("HTTPS" | "CoAPS")[], Uint8Array][] = [
  [["HTTPS"], bits(0)],
  [["HTTPS", "CoAPS"], bits(0, 1)],
];

const capabilities = PROTOCOLS.map(([protocols, coded]) =>
  defineScenario({
    name: `ipaCapabilities: ipaSupportedProtocols of a device with ${protocols.join(" and ")}`,
    objectives: ["F10"],
    world: { configuration: { protocols } },
    prepare: (world) => void world.eim.queue(world.eid, dataRequest({ tags: [0xa8] }), { transactionId: null }),
    claims(world) {
      assert.ok((provided(world.eim)[0] ?? "").endsWith(toHex(tlv(0x81, coded))), provided(world.eim)[0]);
      assert.deepEqual(complaints(world), []);
    },
  }));

export const scenarios: readonly Scenario[] = [...device, noDevice, ...capabilities];
