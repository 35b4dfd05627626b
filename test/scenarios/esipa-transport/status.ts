/** HTTP answers other than 200 with one data object (sgp32-transport 2.1, sgp32-procedures 26): what is tried again, when, and that nothing is lost. */
import assert from "node:assert/strict";
import { behaviours, defineScenario, faults, psmo, until, type Scenario, type World } from "../../sim/index.js";

type Behaviour = Parameters<World["eim"]["use"]>[0];

const GET = 0xbf4f;
const PROVIDE = 0xbf50;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** The pauses between the polls that ended, in ms. */
function pauses(world: World): number[] {
  const ends = world.trace.reports.filter((report) => report.name === "PollEnded");
  return ends.map((report) => {
    const next = world.trace.ops.find((op) => op.at > report.at && (op.name === "LinkOpen" || op.name === "Bearer"));
    return next === undefined ? Infinity : next.at - report.at;
  });
}

interface Expected {
  /** detail of the first PollEnded. */
  readonly detail: number;
  /** When the next poll comes, in ms. */
  readonly pause: readonly [least: number, most: number];
}

const SOON: Expected["pause"] = [0.8 * MINUTE, 1.2 * MINUTE];
const NOT_SOON: Expected["pause"] = [10 * MINUTE, 24 * HOUR];

/** A package waits; the first answer to `fn` is bad. The package is executed once all the same, and the eIM has its result once. */
function survives(name: string, fn: number, behaviour: Behaviour, expected: Expected, objectives: readonly string[] = ["B5", "C7"]): Scenario {
  return defineScenario({
    name,
    objectives,
    prepare(world) {
      world.eim.use(behaviours.once(behaviours.forFunction(fn, behaviour)));
      world.eim.queue(world.eid, psmo.setDefaultDpAddress("dp.example.com"));
    },
    until: until.polls(2),
    claims(world) {
      assert.equal(world.euicc.eims[0]?.counterValue, 1);
      assert.deepEqual(world.eim.results(world.eid).map((result) => [result.kind, result.verified, result.commands?.[0]?.code]), [["euiccPackageResult", true, 0]]);
      assert.deepEqual(world.euicc.pending, []);
    },
    traffic(world, trace) {
      const [first] = trace.reports.filter((report) => report.name === "PollEnded");
      assert.equal(first?.detail, expected.detail);
      const [pause = 0] = pauses(world);
      assert.ok(pause >= expected.pause[0] && pause <= expected.pause[1], `the next poll comes after ${pause / 1000} s`);
      assert.equal(world.euicc.functions.filter((tag) => tag === 0xbf51).length, 1, "executed once");
    },
  });
}

const HTTP_REFUSED = -110;
const HTTP_SERVER = -111;
const BAD_BODY = -112;
const LINK = -4;
const TIMEOUT = -2;

const UNKNOWN_PACKAGE = 2;
const UNDEFINED = 127;

const client = [400, 401, 403, 404, 405, 413, 415].flatMap((code) => [
  survives(`${code} to GetEimPackage is a protocol problem: no fast retry`, GET, behaviours.status(code), { detail: HTTP_REFUSED, pause: NOT_SOON }),
]);
const server = [500, 502, 503, 504].map((code) => survives(`${code} to GetEimPackage is tried again with back-off`, GET, behaviours.status(code), { detail: HTTP_SERVER, pause: SOON }));

const retryAfter = ([[503, 7], [429, 120], [503, 3600]] as const).map(([code, seconds]) =>
  survives(`${code} with Retry-After ${seconds}: the eIM is left alone for so long`, GET, behaviours.status(code, { retryAfter: seconds }), { detail: HTTP_SERVER, pause: [seconds * 1000, seconds * 1000 + 1000] }));

const redirect = survives("a redirect is not followed: the pin is for this eIM", GET, behaviours.redirect(), { detail: HTTP_REFUSED, pause: NOT_SOON }, ["B5", "B4"]);

const noBody = [
  survives("200 without a body where a data object must be is a failed exchange", GET, behaviours.emptyBody(), { detail: BAD_BODY, pause: SOON }),
  survives("204 to GetEimPackage is a failed exchange", GET, behaviours.status(204), { detail: BAD_BODY, pause: SOON }),
];

const damaged = [
  survives("an answer with another outer tag is a failed exchange", GET, behaviours.wrongTag(), { detail: BAD_BODY, pause: SOON }),
  survives("octets behind the one data object are a failed exchange", GET, behaviours.trailingGarbage(), { detail: BAD_BODY, pause: SOON }),
  survives("an answer that breaks off is a failed link", GET, behaviours.truncated(10), { detail: LINK, pause: SOON }),
  survives("a connection closed instead of an answer is a failed link", GET, behaviours.drop(), { detail: LINK, pause: SOON }),
  survives("an answer that never comes is given up after the exchange's time", GET, behaviours.silent(), { detail: TIMEOUT, pause: SOON }),
];

/** The result is kept until the eIM has it, whatever it answered at first. */
const results = [
  survives("500 to ProvideEimPackageResult: the result is kept and sent again", PROVIDE, behaviours.status(500), { detail: HTTP_SERVER, pause: SOON }, ["B5", "D12"]),
  survives("400 to ProvideEimPackageResult: the result is kept, and sent again later", PROVIDE, behaviours.status(400), { detail: HTTP_REFUSED, pause: NOT_SOON }, ["B5", "D5"]),
  survives("503 with Retry-After to ProvideEimPackageResult: the result waits for so long", PROVIDE, behaviours.status(503, { retryAfter: 900 }), { detail: HTTP_SERVER, pause: [900_000, 901_000] }, ["B5", "D12"]),
  survives("200 without a body to ProvideEimPackageResult: the result is sent again", PROVIDE, behaviours.emptyBody(), { detail: BAD_BODY, pause: SOON }, ["B5", "D12"]),
  survives("garbage behind the acknowledgement: the result is sent again", PROVIDE, behaviours.trailingGarbage(), { detail: BAD_BODY, pause: SOON }, ["B5", "D12"]),
];

const wrongType = defineScenario({
  name: "another Content-Type on the answer does no harm",
  objectives: ["B5"],
  prepare(world) {
    world.eim.use(behaviours.wrongContentType("text/html; charset=utf-8"));
    world.eim.queue(world.eid, psmo.setDefaultDpAddress("dp.example.com"));
  },
  claims(world) {
    assert.deepEqual(world.eim.results(world.eid).map((result) => [result.kind, result.verified]), [["euiccPackageResult", true]]);
    assert.deepEqual(world.euicc.pending, []);
  },
  traffic: (_world, trace) => assert.deepEqual(trace.reports.filter((report) => report.name === "PollEnded").map((report) => report.detail), [0]),
});

const brokenAcknowledgement = defineScenario({
  name: "an answer to ProvideEimPackageResult that breaks off: the result is sent again in the same poll",
  objectives: ["B5", "B6", "D12"],
  prepare(world) {
    world.eim.use(behaviours.once(behaviours.forFunction(PROVIDE, behaviours.truncated(3))));
    world.eim.queue(world.eid, psmo.setDefaultDpAddress("dp.example.com"));
  },
  until: until.polls(1),
  claims(world, trace) {
    assert.deepEqual(world.eim.results(world.eid).map((result) => [result.kind, result.resent]), [["euiccPackageResult", 1]]);
    assert.deepEqual(world.euicc.pending, []);
    assert.deepEqual(trace.reports.filter((report) => report.name === "PollEnded").map((report) => report.detail), [0]);
  },
});

/** Something of no known kind, of any size, and a good package behind it. */
const tooLarge = [100, 3000, 3900, 4096, 5000, 20_000, 60_000].map((octets) =>
  defineScenario({
    name: `something unknown of ${octets} octets is refused to the eIM, and the next package is executed`,
    objectives: ["B5", "C6", "N2"],
    prepare(world) {
      world.eim.use(behaviours.once(behaviours.forFunction(GET, behaviours.oversized(octets))));
      for (const address of ["a.example.com", "b.example.com"]) world.eim.queue(world.eid, psmo.setDefaultDpAddress(address));
    },
    claims(world) {
      const [refused, executed] = world.eim.results(world.eid);
      assert.equal(refused?.kind, "eimPackageResultResponseError");
      assert.equal(refused.error?.code, octets < 3500 ? UNKNOWN_PACKAGE : octets > 4096 ? UNDEFINED : refused.error?.code);
      assert.deepEqual([executed?.kind, executed?.verified], ["euiccPackageResult", true]);
      assert.equal(world.euicc.snapshot().nonvolatile.defaultDpAddress, "b.example.com");
      assert.deepEqual(world.euicc.pending, []);
    },
    traffic: (world) => assert.ok(world.clock.now() < MINUTE, "without a pause"),
  }));

const endless = defineScenario({
  name: "an answer of 200 000 octets is given up, and the package fetched in the next poll",
  objectives: ["B5", "N2"],
  prepare(world) {
    world.eim.use(behaviours.once(behaviours.forFunction(GET, behaviours.oversized(200_000))));
    world.eim.queue(world.eid, psmo.setDefaultDpAddress("a.example.com"));
  },
  until: until.polls(2),
  claims(world, trace) {
    assert.deepEqual(world.eim.results(world.eid).map((result) => [result.kind, result.verified]), [["euiccPackageResult", true]]);
    assert.ok(trace.ops.filter((op) => op.name === "LinkReceive").length < 100, "the rest is not taken");
    assert.deepEqual(world.euicc.pending, []);
  },
});

const largePackage = defineScenario({
  name: "an eUICC Package that the device has no room for is refused with its eimTransactionId, and the next one is executed",
  objectives: ["B5", "N2", "C6"],
  prepare(world) {
    const one = psmo.setDefaultDpAddress("x".repeat(250));
    world.eim.queue(world.eid, new Array(30).fill(one) as (typeof one)[], { transactionId: Uint8Array.of(0xab, 0xcd) });
    world.eim.queue(world.eid, psmo.setDefaultDpAddress("b.example.com"));
  },
  claims(world) {
    const [refused, executed] = world.eim.results(world.eid);
    assert.deepEqual([refused?.kind, refused?.transactionId, refused?.error?.code], ["eimPackageResultResponseError", "ABCD", UNDEFINED]);
    assert.deepEqual([executed?.kind, executed?.verified], ["euiccPackageResult", true]);
    assert.equal(world.euicc.snapshot().nonvolatile.defaultDpAddress, "b.example.com");
  },
  replay: "cut",
});

/** A day of trouble: the attempts grow rarer, and none is lost. */
const down = defineScenario({
  name: "an eIM that is down for a day is asked ever more rarely, and served at once when it is back",
  objectives: ["B5", "C7"],
  world: { configuration: { backoffBaseS: 60, backoffCapS: 4 * 3600 } },
  async script(world) {
    world.link.use(faults.refuses(Infinity));
    world.eim.queue(world.eid, psmo.setDefaultDpAddress("dp.example.com"));
    await world.run({ kind: "time", ms: 24 * HOUR });
    world.link.heal();
    await world.run({ kind: "idle" });
  },
  claims(world) {
    const waits = pauses(world).filter((wait) => wait !== Infinity);
    assert.ok(waits.length > 8 && waits.length < 24, `${waits.length} attempts`);
    for (const [n, wait] of waits.entries()) {
      const nominal = Math.min(MINUTE * 2 ** n, 4 * HOUR);
      assert.ok(wait >= 0.86 * nominal && wait <= 1.14 * nominal + 10_000, `pause ${n} is ${wait / 1000} s`);
    }
    assert.deepEqual(world.eim.results(world.eid).map((result) => result.kind), ["euiccPackageResult"]);
  },
});

export const scenarios: readonly Scenario[] = [...client, ...server, ...retryAfter, redirect, ...noBody, ...damaged, ...results, brokenAcknowledgement, wrongType, ...tooLarge, endless, largePackage, down];
