/** An eIM that deletes itself (SGP.32 v1.2 3.5.1; procedures 4.3, 21.3): it gets its result all the same, and is not asked again. */
import assert from "node:assert/strict";
import { behaviours, defineScenario, eco, faults, psmo, Report, until, type Scenario, type World } from "../../sim/index.js";
import { asked, pending, PROVIDE_RESULT, results } from "../esipa-view.js";

const TWO = { eims: [{ fqdn: "a.example.com" }, { fqdn: "b.example.com" }] };
const ENDPOINT_RECORD = 2;
const HOUR = 3_600_000;

function gone(world: World, code: 0 | 2): void {
  assert.deepEqual([results(world), pending(world)], [[`deleteEim ${code}`], []]);
  assert.ok(world.eim.results(world.eid)[0]?.verified);
  assert.ok(!world.euicc.eims.some((eim) => eim.eimId === world.eim.eimId));
  assert.equal(world.store.records.get(ENDPOINT_RECORD), undefined, "the endpoint's record has served");
}

const last = defineScenario({
  name: "the last eIM deletes itself: lastEimDeleted reaches it, and there is no more ESipa traffic",
  objectives: ["D18", "D3"],
  async script(world) {
    world.eim.queue(world.eid, eco.deleteEim(world.eim.eimId));
    await world.run(until.time(HOUR));
    const before = world.eim.seen.length;
    await world.run(until.time(72 * HOUR));
    assert.equal(world.eim.seen.length, before);
  },
  claims: (world) => gone(world, 2),
  traffic(world, trace) {
    assert.deepEqual(asked(world.eim).slice(0, 2), ["GetEimPackage", "ProvideEimPackageResult"]);
    assert.ok(trace.reports.some((report) => report.code === Report.NoEim));
  },
});

const lastCut = defineScenario({
  name: "the last eIM deletes itself, and the power goes between deletion and delivery: it gets its result",
  objectives: ["D18", "D11"],
  prepare: (world) => void world.eim.queue(world.eid, eco.deleteEim(world.eim.eimId)),
  until: until.time(HOUR),
  claims: (world) => gone(world, 2),
  replay: "cut",
});

const oneOfTwo = defineScenario({
  name: "an eIM of two deletes itself: it gets its result, and the other one stays",
  objectives: ["D18", "C8"],
  world: TWO,
  prepare(world) {
    world.eims[0]?.queue(world.eid, eco.deleteEim("a.example.com"));
    world.eims[1]?.queue(world.eid, psmo.setDefaultDpAddress("dp.example.com"));
  },
  claims(world) {
    gone(world, 0);
    assert.deepEqual(results(world, world.eims[1]), ["setDefaultDpAddress 0"]);
  },
  until: until.time(HOUR),
  replay: "cut",
});

/** How the delivery of the result fails at first. */
const disturbed = ([
  ["the connection breaks", (world: World) => world.link.use(faults.resetAt(2, 2))],
  ["its answer is lost", (world: World) => world.link.use(faults.losesAnswer(2, 2))],
  ["it answers 500", (world: World) => void world.eim.use(behaviours.once(behaviours.forFunction(PROVIDE_RESULT, behaviours.status(500))))],
  ["it answers provideEimPackageResultError", (world: World) => void world.eim.use(behaviours.once(behaviours.resultError(127)))],
  ["it acknowledges nothing", (world: World) => void world.eim.use(behaviours.once(behaviours.forFunction(PROVIDE_RESULT, behaviours.emptyAcknowledgement())))],
  ["there is no network for half a day", (world: World) => world.modem.outage(5450, 12 * HOUR)],
] as readonly (readonly [string, (world: World) => void])[]).map(([what, begin], index) =>
  defineScenario({
    name: `the last eIM deletes itself and ${what}: the result is delivered by the endpoint that the agent kept`,
    objectives: ["D18", "D12"],
    prepare(world) {
      begin(world);
      world.eim.queue(world.eid, eco.deleteEim(world.eim.eimId));
    },
    until: until.time(48 * HOUR),
    claims(world) {
      assert.deepEqual(results(world), ["deleteEim 2"]);
      if (what !== "it acknowledges nothing") gone(world, 2);
    },
    ...(index === 2 ? { replay: "cut" } : {}),
  }));

const byAnother = defineScenario({
  name: "an eIM is deleted by another one while its own result waits: that result is not lost on the eUICC",
  objectives: ["D18"],
  world: TWO,
  prepare(world) {
    world.eims[0]?.use(behaviours.forFunction(PROVIDE_RESULT, behaviours.status(500)));
    world.eims[0]?.queue(world.eid, psmo.setDefaultDpAddress("dp.example.com"));
    world.eims[1]?.queue(world.eid, eco.deleteEim("a.example.com"));
  },
  until: until.time(HOUR),
  claims(world) {
    assert.deepEqual(results(world, world.eims[1]), ["deleteEim 0"]);
    assert.deepEqual(pending(world).length, 1, "an EPR is not removed without its eIM's acknowledgement");
  },
});

const failed = defineScenario({
  name: "a deleteEim that the eUICC refuses changes nothing: the next package is worked on, and no endpoint is kept",
  objectives: ["D18", "D16"],
  prepare(world) {
    world.eim.queue(world.eid, eco.deleteEim("nobody.example.com"));
    world.eim.queue(world.eid, psmo.setDefaultDpAddress("dp.example.com"));
  },
  claims(world) {
    assert.deepEqual([results(world), pending(world)], [["deleteEim 1", "setDefaultDpAddress 0"], []]);
    assert.equal(world.store.records.get(ENDPOINT_RECORD), undefined);
  },
  until: until.time(30 * HOUR),
  replay: "cut",
});

export const scenarios: readonly Scenario[] = [last, lastCut, oneOfTwo, ...disturbed, byAnother, failed];
