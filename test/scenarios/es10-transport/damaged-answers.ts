/**
 * Answers of the card that are not what they must be: garbage, cut off, lengths that reach beyond the end. Never a crash (a trap of the
 * agent fails the run), never a read beyond what came, never a loop; what the card did carry out is not done twice.
 */
import assert from "node:assert/strict";
import { fromHex } from "../../sim/core/bytes.js";
import { BOOTSTRAP, dataRequest, defineScenario, OPERATIONAL, psmo, type Scenario, type World } from "../../sim/index.js";

/** `tag` stands for the answer's own tag. */
const GARBAGE = [
  "", "00", "FF", "0000000000", "DEADBEEF", "FFFFFFFFFFFFFFFFFFFFFFFF", "3000", "0500", "BF7E00", "1F8181818100",
  "tag", "tag00", "tag01", "tag80", "tag800000", "tag8100", "tag81", "tag8481", "tag84FFFFFFFF", "tag84FFFFFFFFA000", "tag83FFFFFFA0", "tag84000000", "tag8700000000000001",
  "tag05A083FFFFFF", "tag02A001", "tag04A0023000", "tag04A0803000", "tag0330817F", "tag05A084FFFFFF", "tag0281FF", "tag025A10", "tag035A0101", "tag02A0FF", "tag82FFFFA081FF",
] as const;

function spoil(world: World, tag: number): void {
  const text = tag.toString(16).toUpperCase();
  for (const garbage of GARBAGE) world.euicc.garbage(fromHex(garbage.replace("tag", text)), tag);
}

/** Whatever the card says to a function at start, in the end it is read and the eIM polled. */
const atStart = ([
  [0xbf3e, "GetEID"],
  [0xbf22, "GetEUICCInfo2"],
  [0xbf55, "GetEimConfigurationData"],
  [0xbf2b, "RetrieveNotificationsList"],
] as const).map(([tag, name]) =>
  defineScenario({
    name: `damaged answers to ${name} are survived: the card is asked again after a pause, and the eIM is polled in the end`,
    objectives: ["A10", "N1"],
    prepare: (world) => spoil(world, tag),
    async script(world) {
      // Each wake asks the card anew; so many that all damage was met.
      for (let n = 0; n < GARBAGE.length + 4; n++) {
        await world.run({ kind: "idle" });
        world.wake("poll");
      }
      world.powerCut();
      for (let n = 0; n < GARBAGE.length + 4; n++) {
        await world.run({ kind: "idle" });
        world.wake("poll");
        if (n % 4 === 0) world.powerCut();
      }
      world.powerCut();
      await world.run({ kind: "idle" });
    },
    claims(world) {
      assert.equal(world.enabled, BOOTSTRAP);
      assert.equal(world.eim.seen.at(-1)?.verdict, "ok");
      assert.ok(world.eim.seen.every((exchange) => exchange.verdict === "ok"), JSON.stringify(world.eim.seen.filter((exchange) => exchange.verdict !== "ok")));
    },
  }));

/** LoadEuiccPackage was carried out, its answer is damaged: the stored EPR is the result. */
const executed = GARBAGE.map((garbage) =>
  defineScenario({
    name: `an enable that is answered ${garbage === "" ? "nothing but 9000" : garbage.replace("tag", "BF51")}: the eUICC's stored result reaches the eIM, once`,
    objectives: ["A10", "D7", "N1"],
    prepare(world) {
      world.eim.queue(world.eid, psmo.enable(OPERATIONAL));
      world.euicc.garbage(fromHex(garbage.replace("tag", "BF51")), 0xbf51);
    },
    claims(world) {
      assert.equal(world.enabled, OPERATIONAL);
      const good = world.eim.results(world.eid).filter((result) => result.kind === "euiccPackageResult");
      assert.deepEqual(good.map((result) => [result.verified, result.commands?.[0]?.code]), [[true, 0]]);
      assert.equal(world.euicc.eims[0]?.counterValue, 1, "not executed twice");
      assert.deepEqual(world.euicc.pending, []);
    },
    ...(garbage === "tag84FFFFFFFFA000" ? { replay: "cut" as const } : {}),
  }));

const cutOff = [0, 1, 2, 3, 5, 12, 40, -1].map((keep) =>
  defineScenario({
    name: `an answer to LoadEuiccPackage cut off ${keep < 0 ? "in the middle" : `behind ${keep} octets`} is not taken for a result`,
    objectives: ["A10", "D7"],
    prepare(world) {
      world.eim.queue(world.eid, psmo.setDefaultDpAddress("dp.example.com"));
      world.euicc.truncate(0xbf51, keep);
    },
    claims(world) {
      assert.equal(world.euicc.eims[0]?.counterValue, 1);
      const good = world.eim.results(world.eid).filter((result) => result.kind === "euiccPackageResult");
      assert.deepEqual(good.map((result) => [result.verified, result.commands?.[0]?.code]), [[true, 0]]);
      assert.deepEqual(world.euicc.pending, []);
      assert.ok(world.eim.seen.every((exchange) => exchange.verdict === "ok"), "nothing damaged was sent");
    },
  }));

/** What the device is asked for is not there: undefined error 127, and the next request is answered. */
const dataTags = [
  [0xbf20, "euiccInfo1", 0xbf20],
  [0xbf22, "euiccInfo2", 0xbf22],
  [0xbf3c, "GetEuiccConfiguredAddresses", 0x83],
  [0xbf56, "GetCerts", 0xa5],
] as const;

const inData = dataTags.map(([tag, name, asked]) =>
  defineScenario({
    name: `damaged answers to ${name} within an IpaEuiccDataRequest are told to the eIM or left out, and the next request is answered`,
    objectives: ["A10", "F1", "N1"],
    prepare(world) {
      // The EUICCInfo2 of the start is not meant.
      if (tag === 0xbf22) world.euicc.garbage(fromHex("BF2200"), tag);
      spoil(world, tag);
      for (let n = 0; n < GARBAGE.length + 1; n++) world.eim.queue(world.eid, dataRequest({ tags: [asked] }));
    },
    claims(world) {
      const results = world.eim.results(world.eid);
      assert.equal(results.length, GARBAGE.length + 1);
      assert.equal(results.at(-1)?.kind, "ipaEuiccData");
      assert.ok(world.eim.seen.every((exchange) => exchange.verdict === "ok"), JSON.stringify(world.eim.seen.filter((exchange) => exchange.verdict !== "ok")[0]));
    },
    traffic(_world, trace) {
      assert.ok(trace.reports.every((report) => report.name !== "CardFailed"));
    },
  }));

export const scenarios: readonly Scenario[] = [...atStart, ...executed, ...cutOff, ...inData];
