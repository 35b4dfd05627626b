/** One connection for a poll (sgp32-transport 1): kept over all its messages, and made again without losing a step when the server closes it. */
import assert from "node:assert/strict";
import { behaviours, dataRequest, defineScenario, faults, OPERATIONAL, psmo, type Scenario, type World } from "../../sim/index.js";

/** Three packages of mixed kind. */
function queueThree(world: World): void {
  world.eim.queue(world.eid, psmo.setDefaultDpAddress("dp.example.com"));
  world.eim.queue(world.eid, dataRequest({ tags: [0xbf20, 0xbf22] }));
  world.eim.queue(world.eid, psmo.listProfileInfo());
}

function threeServed(world: World): void {
  assert.deepEqual(world.eim.results(world.eid).map((result) => result.kind), ["euiccPackageResult", "ipaEuiccData", "euiccPackageResult"]);
  assert.ok(world.eim.results(world.eid).every((result) => result.resent === 0 || result.kind === "euiccPackageResult"));
  assert.equal(world.euicc.eims[0]?.counterValue, 2);
  assert.deepEqual(world.euicc.pending, []);
}

const MESSAGES = ["GetEimPackage", "ProvideEimPackageResult", "GetEimPackage", "ProvideEimPackageResult", "GetEimPackage", "ProvideEimPackageResult", "GetEimPackage"];

const reused = defineScenario({
  name: "one connection carries all messages of a poll",
  objectives: ["B6", "C2"],
  prepare: queueThree,
  claims: threeServed,
  traffic(world, trace) {
    assert.equal(trace.totals().connections, 1);
    assert.deepEqual(world.eim.seen.map((exchange) => exchange.function), MESSAGES);
    const link = trace.of("link").map((entry) => entry.what);
    assert.deepEqual(link, ["open", "close"], "and it is closed behind them");
  },
  replay: "cut",
});

const closing = [1, 2, 3, 4, 5, 6].map((nth) =>
  defineScenario({
    name: `a server that closes behind answer ${nth} is connected to again, and no message is sent twice`,
    objectives: ["B6"],
    prepare(world) {
      world.link.use(faults.closesAfter(nth));
      queueThree(world);
    },
    claims: threeServed,
    traffic: (world) => assert.deepEqual(world.eim.seen.map((exchange) => exchange.function), MESSAGES),
  }));

const alwaysCloses = defineScenario({
  name: "a server that closes behind every answer costs connections, and nothing else",
  objectives: ["B6"],
  prepare(world) {
    world.link.use(faults.closesAfter(1, Infinity));
    queueThree(world);
  },
  claims: threeServed,
  traffic: (world) => assert.deepEqual(world.eim.seen.map((exchange) => exchange.function), MESSAGES),
  replay: "cut",
});

/** Each message meets a broken connection once; the step is done again and nothing is done twice at the card. */
const broken = (["resetAt", "losesAnswer", "hangs"] as const).flatMap((kind) =>
  [1, 2, 3, 4, 5, 6].map((nth) =>
    defineScenario({
      name: `message ${nth} of a poll ${{ resetAt: "is reset on its way", losesAnswer: "arrives, and its answer is lost", hangs: "is never answered" }[kind]}: the step is done again`,
      objectives: ["B6", "D12"],
      prepare(world) {
        world.link.use(faults[kind](nth));
        queueThree(world);
      },
      claims(world) {
        assert.deepEqual([...new Set(world.eim.results(world.eid).map((result) => result.packageId))], [1, 2, 3]);
        assert.equal(world.eim.results(world.eid).filter((result) => result.kind === "euiccPackageResult").length, 2);
        assert.equal(world.euicc.eims[0]?.counterValue, 2, "each package executed once");
        assert.deepEqual(world.euicc.pending, []);
      },
      ...(kind === "losesAnswer" && nth === 2 ? { replay: "cut" as const } : {}),
    })));

const inPieces = (["random", "single"] as const).map((pieces) =>
  defineScenario({
    name: `answers that arrive ${pieces === "single" ? "octet by octet" : "in pieces of any size"} are the same answers`,
    objectives: ["B5", "B6"],
    prepare(world) {
      world.link.split(pieces);
      queueThree(world);
      world.eim.queue(world.eid, psmo.enable(OPERATIONAL));
    },
    claims(world) {
      assert.equal(world.enabled, OPERATIONAL);
      assert.equal(world.eim.results(world.eid).length, 4);
      assert.deepEqual(world.euicc.pending, []);
    },
  }));

const late = defineScenario({
  name: "an eIM that takes its time within the exchange's is waited for",
  objectives: ["B5", "B6"],
  prepare(world) {
    world.eim.use(behaviours.lateBy(55_000));
    queueThree(world);
  },
  claims: threeServed,
  traffic: (_world, trace) => assert.equal(trace.totals().connections, 1),
});

export const scenarios: readonly Scenario[] = [reused, ...closing, alwaysCloses, ...broken, ...inPieces, late];
