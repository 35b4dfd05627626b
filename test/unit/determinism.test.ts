/** The agent is a function of what it is told: same seed, same run; a copy of its memory is the whole agent; the clock may wrap. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { RawAgent, sameOp } from "../robustness/raw-agent.js";
import { record } from "../robustness/recordings.js";
import { equal } from "../sim/core/bytes.js";
import { Rng } from "../sim/core/rng.js";
import { Agent, behaviours, dataRequest, findAgent, OPERATIONAL, psmo, Report, until, World, type WorldOptions } from "../sim/index.js";

const DAY_MS = 86_400_000;
const WRAP = 2 ** 32;
const LONGEST_SLEEP_MS = 0x7fff_ffff;

/** A world where chance and time matter: pieces of random size, a failing eIM, a profile change, a poll with jitter. */
function busyWorld(options: WorldOptions = {}): World {
  const world = new World({ seed: 7, ...options });
  world.link.split("random");
  world.eim.use(behaviours.once(behaviours.status(503)));
  world.eim.queue(world.eid, [psmo.enable(OPERATIONAL, { rollback: true })]);
  world.eim.queue(world.eid, dataRequest({ tags: [0xa0, 0xa2, 0xbf20] }));
  return world;
}

/** The trace without its times, which begin at `from`. */
function story(world: World, from = 0): string {
  return JSON.stringify(world.trace.entries.map((entry) => ({ ...entry, at: entry.at - from })));
}

async function whole(options: WorldOptions = {}): Promise<World> {
  const world = busyWorld(options);
  await world.run(until.polls(4));
  return world;
}

function shuffled<T>(items: readonly T[]): T[] {
  const [rng, out] = [new Rng(1), [...items]];
  for (let i = out.length - 1; i > 0; i--) out.push(...out.splice(rng.int(i + 1), 1));
  return out;
}

describe("the same seed gives the same run", () => {
  test("octet by octet, twice", async () => {
    assert.equal(story(await whole()), story(await whole()));
  });

  test("another seed gives other entropy, and with it other waits", async () => {
    const waits = async (seed: number): Promise<string> => (await whole({ seed })).trace.ops.filter((op) => op.name === "Sleep").map((op) => op.waitMs).join();
    assert.notEqual(await waits(7), await waits(8));
  });
});

describe("a copy of the agent's memory is the whole agent", () => {
  test("at each event of many runs it makes the same op and ends in the same memory, in an instance that has just done something else", async () => {
    const wasm = new Uint8Array(readFileSync(findAgent()));
    const steps = (await record(new Agent(wasm))).flatMap((recording) => recording.steps.map((step, at) => ({ step, next: recording.steps[at + 1], where: `event ${at} of "${recording.name}"` })));
    const agent = new RawAgent(wasm);
    for (const { step, next, where } of shuffled(steps)) {
      agent.load(step.image);
      const op = agent.step(step.event, step.now);
      assert.ok(typeof op !== "number", where);
      if (next?.op == null) continue;
      assert.ok(sameOp(op, next.op), where);
      assert.ok(equal(agent.image(), next.image), `memory behind ${where}`);
    }
  });

  test("a world that was copied at any op goes on as the world itself", async () => {
    const reference = await whole();
    const world = busyWorld();
    let twin: World | undefined;
    for (let op = 0; op < reference.trace.opCount - 2; op += 2) {
      await world.run(until.ops(op === 0 ? 0 : 2));
      if (op % 6 !== 0) continue;
      twin = world.fork(twin);
      await twin.run(until.ops(reference.trace.opCount - twin.trace.opCount));
      assert.ok(story(twin) === story(reference), `copied at op ${op}`);
    }
  });
});

describe("time", () => {
  test("the clock's wrap at 2^32 ms changes nothing, wherever in the run it comes", async () => {
    const reference = await whole();
    const end = reference.clock.now();
    for (const part of [0, 0.01, 0.3, 0.5, 0.9]) {
      const from = WRAP - Math.floor(end * part) - 1;
      const world = busyWorld();
      world.clock.sleep(from);
      await world.run(until.polls(4));
      assert.ok(story(world, from) === story(reference), `wrap at ${part} of the run`);
    }
  });

  test("the wrap at 2^31 ms, where now_ms turns negative, changes nothing either", async () => {
    const reference = await whole();
    const from = 2 ** 31 - Math.floor(reference.clock.now() / 2);
    const world = busyWorld();
    world.clock.sleep(from);
    await world.run(until.polls(4));
    assert.ok(story(world, from) === story(reference));
  });

  test("a pollPeriod of 60 days is slept in sleeps of at most 2^31 - 1 ms, and not shortened", async () => {
    const world = new World({ configuration: { pollPeriodS: 60 * 86_400 } });
    await world.run(until.polls(1));
    const first = world.clock.now();
    const trace = await world.run(until.polls(1));
    const polls = trace.reports.filter((report) => report.code === Report.PollEnded);
    const waited = (polls.at(-1)?.at ?? 0) - first;
    assert.ok(waited >= 60 * DAY_MS && waited <= 60 * DAY_MS * (17 / 16) + DAY_MS, `second poll after ${waited / DAY_MS} days`);
    const sleeps = trace.ops.filter((op) => op.name === "Sleep");
    assert.ok(sleeps.length >= 2 && sleeps.length < 10, `${sleeps.length} sleeps`);
    assert.ok(sleeps.every((op) => op.waitMs > 0 && op.waitMs <= LONGEST_SLEEP_MS));
    assert.equal(trace.exchanges.length, 1, "nothing was sent while it slept");
  });

  test("a host that wakes the agent too early is sent back to sleep for the rest", async () => {
    const agent = new RawAgent(new Uint8Array(readFileSync(findAgent())));
    const world = new World();
    await world.run(until.idle());
    const { waitMs } = world.host.op;
    assert.ok(world.host.op.kind === 1 && waitMs > 3_600_000, "the agent sleeps");
    agent.load(world.host.snapshot().agent);
    const early = agent.step({ kind: 3, arg0: 1 }, world.clock.now() + 600_000);
    assert.ok(typeof early !== "number" && early.kind === 1, "it sleeps on");
    assert.ok(Math.abs(early.waitMs - (waitMs - 600_000)) <= 1000, `${early.waitMs} left of ${waitMs}`);
  });
});
