/** Guard of the loop (procedures 3.3): the same package again without progress, or too many packages, end the poll and back off. */
import assert from "node:assert/strict";
import { fromHex } from "../../sim/core/bytes.js";
import { behaviours, dataRequest, defineScenario, psmo, Report, until, type Scenario, type World } from "../../sim/index.js";
import { asked, pollsEnded, results, pending } from "../esipa-view.js";

type Behaviour = Parameters<World["eim"]["use"]>[0];
const LOOP_GUARD = -115;

/** What the eIM gives again and again. */
const repeated = ([
  ["the same eUICC Package", behaviours.replayedPackage(), (world: World) => world.eim.queue(world.eid, psmo.setDefaultDpAddress("dp.example.com"))],
  ["the same IpaEuiccDataRequest", behaviours.replayedPackage(), (world: World) => world.eim.queue(world.eid, dataRequest({ tags: [0x81] }))],
  ["the same unknown package", behaviours.unknownPackage(fromHex("BF7F03800101")), () => undefined],
  ["the same malformed package", behaviours.malformedPackage("packageEmpty"), () => undefined],
] as readonly (readonly [string, Behaviour, (world: World) => unknown])[]).map(([what, behaviour, queue]) =>
  defineScenario({
    name: `an eIM that gives ${what} again and again is left alone after a few times`,
    objectives: ["C9"],
    prepare(world) {
      world.eim.use(behaviour);
      queue(world);
    },
    until: until.polls(1),
    claims(world, trace) {
      assert.equal(pollsEnded(trace)[0], LOOP_GUARD);
      assert.ok(trace.reports.some((report) => report.code === Report.LoopGuard));
      assert.ok(asked(world.eim).filter((name) => name === "GetEimPackage").length <= 4, asked(world.eim).join(" "));
      assert.ok((world.euicc.eims[0]?.counterValue ?? 0) <= 1, "executed at most once");
    },
  }));

const backsOff = defineScenario({
  name: "after the loop guard the eIM is asked again with growing pauses, not at once",
  objectives: ["C9", "C7"],
  prepare: (world) => void world.eim.use(behaviours.unknownPackage(fromHex("BF7F03800101"))),
  until: until.time(6 * 3_600_000),
  claims(_world, trace) {
    const polls = pollsEnded(trace).length;
    assert.ok(polls >= 3 && polls <= 12, `${polls} polls in six hours`);
  },
});

const tooMany = defineScenario({
  name: "more packages than maxPackages in one poll: the rest is worked on in later polls, each package once",
  objectives: ["C9", "C2"],
  world: { configuration: { maxPackages: 3 } },
  prepare(world) {
    for (let n = 0; n < 7; n++) world.eim.queue(world.eid, psmo.setDefaultDpAddress(`dp${n}.example.com`));
  },
  claims(world, trace) {
    assert.deepEqual(results(world), Array.from({ length: 7 }, () => "setDefaultDpAddress 0"));
    assert.ok(pollsEnded(trace).filter((detail) => detail === LOOP_GUARD).length >= 2);
    assert.equal(world.euicc.snapshot().nonvolatile.defaultDpAddress, "dp6.example.com");
    assert.deepEqual(pending(world), []);
  },
});

const fifty = defineScenario({
  name: "fifty packages wait: all are worked on in one poll",
  objectives: ["C9", "C2"],
  prepare(world) {
    for (let n = 0; n < 50; n++) world.eim.queue(world.eid, n % 2 === 0 ? psmo.getRAT() : psmo.setDefaultDpAddress(`dp${n}.example.com`));
  },
  claims(world, trace) {
    assert.equal(results(world).length, 50);
    assert.deepEqual(pollsEnded(trace), [0]);
    assert.deepEqual(pending(world), []);
  },
});

const alike = defineScenario({
  name: "packages that differ in nothing but their counter are no loop",
  objectives: ["C9"],
  prepare(world) {
    for (let n = 0; n < 6; n++) world.eim.queue(world.eid, psmo.getRAT(), { transactionId: null });
  },
  claims: (world, trace) => assert.deepEqual([results(world).length, pollsEnded(trace)], [6, [0]]),
});

const twice = defineScenario({
  name: "the same package twice is no loop yet: the second time may be an answer that was lost",
  objectives: ["C9", "C6"],
  prepare(world) {
    world.eim.use(behaviours.nth(2, behaviours.replayedPackage()));
    world.eim.queue(world.eid, psmo.setDefaultDpAddress("dp.example.com"));
    world.eim.queue(world.eid, psmo.getRAT());
  },
  claims: (world, trace) => assert.deepEqual([results(world).slice(-1), pollsEnded(trace)], [["getRAT 0"], [0]]),
});

export const scenarios: readonly Scenario[] = [...repeated, backsOff, tooMany, fifty, alike, twice];
