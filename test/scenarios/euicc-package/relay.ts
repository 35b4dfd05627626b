/** What is relayed is relayed byte-exact (SGP.32 v1.2 3.3.1; procedures 0): package to the eUICC, result to the eIM, however they are coded. */
import assert from "node:assert/strict";
import { concat, fromHex, toHex } from "../../sim/core/bytes.js";
import { sign } from "../../sim/pki/keys.js";
import { BOOTSTRAP, defineScenario, eco, iccid, OPERATIONAL, psmo, rawPackage, type Scenario, type World } from "../../sim/index.js";
import { es10Of } from "../apdu-view.js";
import { complaints, provided, results, pending } from "../esipa-view.js";

/** A data object whose length takes `octets` octets behind its first one, needed or not. */
function longForm(tag: string, content: Uint8Array, octets: number): Uint8Array {
  const length = content.length.toString(16).padStart(2 * octets, "0");
  return concat(fromHex(`${tag}8${octets}${length.toUpperCase()}`), content);
}

/** A signed eUICC Package whose lengths are not minimal; everything else is as it must be. */
function longLengths(world: World, list: Uint8Array): Uint8Array {
  const eimId = Uint8Array.from(Buffer.from(world.eim.eimId));
  const data = longForm("30", concat(longForm("80", eimId, 1), longForm("5A", fromHex(world.eid), 2), longForm("81", fromHex("01"), 1), longForm("82", fromHex("A1B2"), 3), list), 2);
  const signature = sign(world.pki.eimSign.key, concat(data, fromHex("840100")));
  return longForm("BF51", concat(data, longForm("5F37", signature, 1)), 3);
}

/** Bytes of the package on the card's side, and of the result on the eIM's side, are those of their makers. */
function byteExact(world: World, trace: World["trace"]): void {
  const given = world.eim.device(world.eid).packages.map((record) => toHex(record.der));
  const loaded = es10Of(trace, "BF51");
  assert.deepEqual(loaded.map((one) => one.command), given);
  for (const [n, one] of loaded.entries()) {
    const sent = provided(world.eim)[n] ?? "";
    assert.ok(sent === one.answer || (sent.startsWith("30") && sent.includes(one.answer)), `the eUICC answered ${one.answer}, the eIM got ${sent}`);
  }
}

const exact = (["61xx", "9000", "6Cxx"] as const).map((response) =>
  defineScenario({
    name: `package and result are relayed byte-exact (answers by ${response})`,
    objectives: ["D1", "D2"],
    world: { euicc: { apdu: { response } } },
    prepare: (world) => void world.eim.queue(world.eid, [psmo.listProfileInfo(), psmo.delete(OPERATIONAL)]),
    claims: (world) => assert.deepEqual([results(world), pending(world)], [["listProfileInfo 0, delete 0"], []]),
    traffic(world, trace) {
      byteExact(world, trace);
      assert.deepEqual(complaints(world), []);
    },
    replay: "cut",
  }));

const nonCanonical = ([
  ["a PSMO", longForm("A0", longForm("A5", longForm("5A", psmo.delete(OPERATIONAL).der.slice(4), 1), 2), 1), "delete 0"],
  ["an eCO", longForm("A1", longForm("AB", new Uint8Array(0), 1), 2), "listEim 0"],
] as const).map(([what, list, expected]) =>
  defineScenario({
    name: `a package of ${what} whose lengths are not minimal reaches the eUICC as it was signed`,
    objectives: ["D1"],
    prepare: (world) => void world.eim.queue(world.eid, rawPackage(longLengths(world, list))),
    claims(world) {
      assert.deepEqual(results(world), [expected]);
      assert.ok(world.eim.results(world.eid)[0]?.verified);
      assert.deepEqual(pending(world), []);
    },
    traffic: byteExact,
    replay: "cut",
  }));

const cards = (["non-minimal-lengths", "unknown-trailing", "no-inner-a0", "bf2b-empty", "bf30-empty", "list-eim-30", "profile-info-error-02"] as const).map((quirk) =>
  defineScenario({
    name: `a card with the deviation ${quirk}: its result is relayed as it made it`,
    objectives: ["D1", "D17"],
    world: { euicc: { quirks: [quirk] } },
    prepare: (world) => void world.eim.queue(world.eid, psmo.setDefaultDpAddress("dp.example.com"), { giveOnce: true }),
    claims(world, trace) {
      const [loaded] = es10Of(trace, "BF51");
      assert.equal(provided(world.eim)[0], loaded?.answer);
      assert.equal(world.euicc.snapshot().nonvolatile.defaultDpAddress, "dp.example.com");
    },
  }));

/** Octets of the eimTransactionId; null: none. */
const transactions = ([null, 1, 8, 16] as const).map((octets) =>
  defineScenario({
    name: `eimTransactionId ${octets === null ? "absent" : `of ${octets} octets`}: the result is matched to its package`,
    objectives: ["D8"],
    prepare(world) {
      const transactionId = octets === null ? null : new Uint8Array(octets).fill(0x80);
      world.eim.queue(world.eid, psmo.delete(OPERATIONAL), { transactionId });
      world.eim.queue(world.eid, psmo.enable(iccid(77)), { transactionId: null });
    },
    claims(world) {
      assert.deepEqual(results(world), ["delete 0", "enable 1"]);
      assert.equal(world.eim.results(world.eid)[0]?.transactionId, octets === null ? undefined : "80".repeat(octets));
      assert.deepEqual(pending(world), []);
    },
    traffic: byteExact,
    ...(octets === null ? { replay: "cut" } : {}),
  }));

/** Tag of a command that may exist one day, and what stands around it. */
const future = ([
  ["PSMO BF66", [psmo.delete(OPERATIONAL), psmo.raw(fromHex("BF6603800101")), psmo.enable(BOOTSTRAP)], "delete 0, processingTerminated 2"],
  ["PSMO AE", [psmo.raw(fromHex("AE00"))], "processingTerminated 2"],
  ["PSMO 9F8101", [psmo.raw(fromHex("9F81010101"))], "processingTerminated 2"],
  ["damaged PSMO", [psmo.setDefaultDpAddress("dp.example.com"), psmo.raw(fromHex("A5025A0A"))], "setDefaultDpAddress 0, processingTerminated 2"],
  ["eCO AC", [eco.listEim(), eco.raw(fromHex("AC03800101"))], "listEim 0, processingTerminated 2"],
] as const).map(([what, commands, expected]) =>
  defineScenario({
    name: `an unknown ${what} is the eUICC's business: it is passed on, and processingTerminated passed back`,
    objectives: ["D13", "D16"],
    prepare: (world) => void world.eim.queue(world.eid, commands),
    claims(world) {
      assert.deepEqual(results(world), [expected]);
      assert.deepEqual(pending(world), []);
    },
    traffic: byteExact,
  }));

export const scenarios: readonly Scenario[] = [...exact, ...nonCanonical, ...cards, ...transactions, ...future];
