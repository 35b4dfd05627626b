/** Nothing wears out: after 10,000 polls in virtual time a poll costs what it cost, the agent's memory is as it was, and a package is executed. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OPERATIONAL, psmo, until, World, type Trace } from "../sim/index.js";

const POLLS = 10_000;
/** Head of the mailbox, clock and chance: what is different at each poll. */
const OCTETS_THAT_MOVE = 32;

async function poll(world: World): Promise<Trace> {
  world.wake("poll");
  const trace = await world.run(until.idle());
  world.trace.reset([]);
  return trace;
}

describe(`${POLLS} polls`, () => {
  test("the last one costs what the first one did, and leaves the same memory; then a package is executed", async () => {
    const world = new World({ seed: 3 });
    await world.run(until.idle());
    await poll(world);
    const [first, memory] = [await poll(world), world.host.agent.snapshot()];
    for (let n = 0; n < POLLS; n++) await poll(world);
    const last = await poll(world);
    const after = world.host.agent.snapshot();
    assert.deepEqual(last.totals(), first.totals());
    assert.deepEqual(last.apdus.map(({ command }) => command), first.apdus.map(({ command }) => command));
    const moved = [...memory.keys()].filter((at) => memory[at] !== after[at]);
    assert.ok(moved.length <= OCTETS_THAT_MOVE, `${moved.length} octets differ: ${moved.join(" ")}`);

    world.eim.queue(world.eid, psmo.enable(OPERATIONAL));
    await poll(world);
    assert.equal(world.enabled, OPERATIONAL);
    assert.deepEqual(world.eim.results(world.eid).map(({ verified }) => verified), [true]);
  });
});
