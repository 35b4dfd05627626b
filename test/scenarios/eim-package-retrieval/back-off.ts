/**
 * When an eIM is asked again (procedures 26; transport 2.1): poll period, exponential back-off with jitter and a cap, Retry-After, and what ends a pause
 * early. Nothing is lost meanwhile.
 */
import assert from "node:assert/strict";
import { BOOTSTRAP, behaviours, defineScenario, faults, OPERATIONAL, psmo, Report, until, type Scenario, World } from "../../sim/index.js";
import { asked, pollsEnded, results, pending } from "../esipa-view.js";

const S = 1000;
const MINUTE = 60 * S;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** From the end of each poll to the beginning of the next one, in seconds. */
function pauses(world: World): number[] {
  const ends = world.trace.reports.filter((report) => report.code === Report.PollEnded);
  const begins = world.trace.ops.filter((op) => op.name === "Bearer");
  return ends.flatMap((end) => {
    const next = begins.find((op) => op.at > end.at);
    return next === undefined ? [] : [(next.at - end.at) / S];
  });
}

/** base * 2^n up to the cap, an eighth less or more (and a second of rounding). */
function followsSchedule(world: World, base: number, cap: number): void {
  for (const [n, pause] of pauses(world).entries()) {
    const wanted = Math.min(base * 2 ** n, cap);
    assert.ok(pause >= wanted * 0.87 - 1 && pause <= wanted * 1.13 + 1, `pause ${n} is ${pause} s, wanted ${wanted} s`);
  }
}

const outages = ([
  ["refuses connections", (world: World) => world.link.use(faults.refuses(Infinity))],
  ["has no name in the network", (world: World) => world.link.use(faults.nameFails(Infinity))],
  ["is played by a stranger", (world: World) => world.link.use(faults.untrusted(Infinity))],
  ["never answers a connection", (world: World) => world.link.use(faults.connectHangs(Infinity))],
  ["answers 503", (world: World) => void world.eim.use(behaviours.status(503))],
  ["closes instead of answering", (world: World) => void world.eim.use(behaviours.drop())],
] as const).map(([what, begin]) =>
  defineScenario({
    name: `an eIM that ${what} is tried again after 1, 2, 4 ... minutes, at last daily`,
    objectives: ["C7"],
    prepare: begin,
    until: until.polls(15),
    claims(world) {
      assert.equal(pauses(world).length, 14);
      followsSchedule(world, 60, 86_400);
      assert.equal(world.euicc.functions.filter((tag) => tag === 0xbf51).length, 0);
    },
  }));

const configured = defineScenario({
  name: "the back-off's first pause and its longest are configurable",
  objectives: ["C7"],
  world: { configuration: { backoffBaseS: 10, backoffCapS: 100 } },
  prepare: (world) => world.link.use(faults.refuses(Infinity)),
  until: until.polls(8),
  claims: (world) => followsSchedule(world, 10, 100),
});

const jitter = defineScenario({
  name: "devices that lost their eIM together do not come back together",
  objectives: ["C7"],
  world: { configuration: { backoffBaseS: 3600 } },
  prepare: (world) => world.link.use(faults.refuses(Infinity)),
  until: until.polls(3),
  async claims(world) {
    const first = [pauses(world)[0]];
    for (const seed of [2, 3, 4, 5]) {
      const other = new World({ ...world.options, seed });
      other.link.use(faults.refuses(Infinity));
      await other.run(until.polls(2));
      first.push(pauses(other)[0]);
    }
    assert.ok(new Set(first).size >= 4, `first pauses: ${first.join(", ")}`);
  },
});

const period = defineScenario({
  name: "without trouble the eIM is asked every poll period, up to a sixteenth later",
  objectives: ["C7", "C2"],
  world: { configuration: { pollPeriodS: 1600 } },
  until: until.polls(5),
  claims(world) {
    for (const pause of pauses(world)) assert.ok(pause >= 1599 && pause <= 1702, `a pause of ${pause} s`);
    assert.deepEqual(pollsEnded(world.trace), [0, 0, 0, 0, 0]);
  },
});

const anew = defineScenario({
  name: "a poll that succeeds ends the back-off: the next failure begins it anew",
  objectives: ["C7"],
  world: { configuration: { pollPeriodS: 7200 } },
  async script(world) {
    world.link.use(faults.refuses(3));
    await world.run(until.polls(4));
    world.link.use(faults.refuses(1));
    await world.run(until.polls(2));
  },
  claims(world) {
    const found = pauses(world);
    assert.ok((found[0] ?? 0) < 70 && (found[2] ?? 0) > 200, found.join(", "));
    assert.ok((found[4] ?? Infinity) < 70, `after the success: ${found.join(", ")}`);
  },
});

const wakes = (["poll", "bearer"] as const).map((reason) =>
  defineScenario({
    name: `${reason === "poll" ? "the application's wish for a poll" : "connectivity that comes back"} ends the pause at once`,
    objectives: ["C7"],
    async script(world) {
      world.link.use(faults.refuses(6));
      world.eim.queue(world.eid, psmo.setDefaultDpAddress("dp.example.com"));
      await world.run(until.polls(6));
      const before = world.clock.now();
      world.wake(reason);
      await world.run(until.polls(1));
      assert.ok(world.clock.now() - before < MINUTE, "it did not wait");
    },
    claims: (world) => assert.deepEqual(results(world), ["setDefaultDpAddress 0"]),
  }));

const noNetwork = defineScenario({
  name: "a day without network: the eIM is not given up, and its package is executed once afterwards",
  objectives: ["C7"],
  prepare(world) {
    world.modem.outage(0, DAY);
    world.eim.queue(world.eid, psmo.delete(OPERATIONAL));
  },
  claims(world) {
    assert.deepEqual(results(world), ["delete 0"]);
    assert.deepEqual([world.enabled, pending(world)], [BOOTSTRAP, []]);
    assert.ok((world.eim.seen[0]?.time ?? 0) >= DAY);
    assert.ok(world.clock.now() < 2.2 * DAY);
  },
  replay: "cut",
});

const retryAfterWins = defineScenario({
  name: "Retry-After counts more than the back-off, however often the eIM says it",
  objectives: ["C7"],
  prepare: (world) => void world.eim.use(behaviours.status(503, { retryAfter: 1234 })),
  until: until.polls(5),
  claims(world) {
    for (const pause of pauses(world)) assert.ok(pause >= 1233 && pause <= 1236, `a pause of ${pause} s`);
  },
});

const patient = defineScenario({
  name: "a 4xx is a protocol problem: at most a few tries a day, and the device goes on when the eIM is repaired",
  objectives: ["C7"],
  async script(world) {
    const repair = world.eim.use(behaviours.status(404));
    world.eim.queue(world.eid, psmo.setDefaultDpAddress("dp.example.com"));
    await world.run(until.time(2 * DAY));
    assert.ok(asked(world.eim).length >= 3 && asked(world.eim).length <= 10, `${asked(world.eim).length} tries in two days`);
    repair();
    await world.run(until.idle());
  },
  claims: (world) => assert.deepEqual(results(world), ["setDefaultDpAddress 0"]),
});

export const scenarios: readonly Scenario[] = [...outages, configured, jitter, period, anew, ...wakes, noNetwork, retryAfterWins, patient];
