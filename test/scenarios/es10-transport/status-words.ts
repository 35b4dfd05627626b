/** Status words that refuse an ES10 command (sgp32-transport 5.5): at start the card is reset after a pause, a package is answered to the eIM. */
import assert from "node:assert/strict";
import { dataRequest, defineScenario, psmo, until, type Scenario } from "../../sim/index.js";

const REFUSALS = [0x6581, 0x6700, 0x6982, 0x6999, 0x6a80, 0x6a84, 0x6a86, 0x6a88, 0x6b00, 0x6d00, 0x6e00, 0x6f00, 0x6283, 0x6310, 0x6883, 0x9300, 0x9484] as const;
const START = [
  [0xbf3e, "GetEID"],
  [0xbf22, "GetEUICCInfo2"],
  [0xbf55, "GetEimConfigurationData"],
] as const;
const text = (sw: number): string => sw.toString(16).toUpperCase();

const atStart = START.flatMap(([tag, name]) =>
  [0x6a80, 0x6d00, 0x6f00].map((sw) =>
    defineScenario({
      name: `${text(sw)} to ${name} is reported; after a pause the card is reset and asked again`,
      objectives: ["A4", "A10"],
      prepare: (world) => world.euicc.failNext(tag, sw),
      until: until.polls(1),
      claims: (world) => assert.equal(world.eim.seen.at(-1)?.verdict, "ok"),
      traffic(world, trace) {
        const failures = trace.reports.filter((report) => report.name === "CardFailed");
        assert.ok(failures.length <= 1);
        assert.ok(failures.every((report) => report.detail === sw), "the status word is told");
        assert.deepEqual(world.euicc.terminalCapabilities, failures.length === 0 ? [0, 1] : [0, 1, 1]);
      },
    })));

/** The card has not executed it: 127 to the eIM, and the next package goes through. */
const refusedPackage = REFUSALS.map((sw) =>
  defineScenario({
    name: `${text(sw)} to LoadEuiccPackage is undefinedError 127 for the eIM, and the next package is executed`,
    objectives: ["D7", "A10"],
    prepare(world) {
      world.euicc.failNext(0xbf51, sw);
      for (const address of ["a.example.com", "b.example.com"]) world.eim.queue(world.eid, psmo.setDefaultDpAddress(address));
    },
    claims(world) {
      const results = world.eim.results(world.eid);
      assert.deepEqual(results.map((result) => [result.kind, result.packageId]), [["eimPackageResultResponseError", 1], ["euiccPackageResult", 2]]);
      assert.equal(results[0]?.error?.code, 127);
      assert.equal(world.euicc.snapshot().nonvolatile.defaultDpAddress, "b.example.com");
      assert.deepEqual(world.euicc.pending, []);
    },
    traffic: (_world, trace) => assert.ok(trace.reports.every((report) => report.name !== "CardFailed"), trace.print()),
  }));

/** 6985 asks for a reset: then the package goes through. */
const notNow = defineScenario({
  name: "6985 to LoadEuiccPackage: the card is reset, and the package executed",
  objectives: ["A9", "D7"],
  prepare(world) {
    world.euicc.failNext(0xbf51, 0x6985);
    world.eim.queue(world.eid, psmo.setDefaultDpAddress("a.example.com"));
  },
  claims(world) {
    assert.deepEqual(world.eim.results(world.eid).map((result) => [result.kind, result.verified]), [["euiccPackageResult", true]]);
    assert.equal(world.euicc.eims[0]?.counterValue, 1);
    assert.deepEqual(world.euicc.pending, []);
  },
  traffic: (world) => assert.deepEqual(world.euicc.terminalCapabilities, [0, 1, 1]),
  replay: "cut",
});

const inData = [0x6a88, 0x6f00].flatMap((sw) =>
  ([[0xbf3c, 0x83], [0xbf20, 0xbf20], [0xbf56, 0xa5]] as const).map(([tag, asked]) =>
    defineScenario({
      name: `${text(sw)} to ${text(tag)} within an IpaEuiccDataRequest is undefinedError 127 for the eIM`,
      objectives: ["F1", "A10"],
      prepare(world) {
        world.euicc.failNext(tag, sw);
        for (let n = 0; n < 2; n++) world.eim.queue(world.eid, dataRequest({ tags: [asked] }));
      },
      claims(world) {
        const results = world.eim.results(world.eid);
        assert.deepEqual(results.map((result) => result.kind), ["ipaEuiccDataError", "ipaEuiccData"]);
        assert.equal(results[0]?.error?.code, 127);
      },
    })));

/** What was acknowledged could not be removed: it is not lost, and the eIM is not troubled in a loop. */
const notRemoved = defineScenario({
  name: "6F00 to RemoveNotificationFromList: the result is delivered again later, and removed then",
  objectives: ["D17", "A10"],
  prepare(world) {
    world.euicc.failNext(0xbf30, 0x6f00);
    world.eim.queue(world.eid, psmo.setDefaultDpAddress("a.example.com"));
  },
  until: until.polls(2),
  claims(world) {
    assert.deepEqual(world.eim.results(world.eid).map((result) => result.kind), ["euiccPackageResult"]);
    assert.deepEqual(world.euicc.pending, []);
    assert.equal(world.euicc.eims[0]?.counterValue, 1);
  },
  replay: "cut",
});

export const scenarios: readonly Scenario[] = [...atStart, ...refusedPackage, notNow, ...inData, notRemoved];
