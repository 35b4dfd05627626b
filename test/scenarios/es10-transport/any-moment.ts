/**
 * What another hand may do to the card at any moment (sgp32-transport 5.5, 5.7): its channels are taken, it is reset, it is silent once. Before every
 * single op of an enable with its notifications the world is copied, and the copy's card struck: the copy must end as if nothing had been.
 */
import assert from "node:assert/strict";
import { BOOTSTRAP, defineScenario, OPERATIONAL, psmo, until, type Scenario, type World, type WorldOptions } from "../../sim/index.js";

/** All logical channels are gone, as when a modem had closed them. */
function channelsGone(world: World): void {
  const state = world.euicc.snapshot();
  state.volatile.channels = state.volatile.channels.map((channel, number) => (number === 0 ? channel : null));
  world.euicc.restore(state);
}

/** The card was reset behind the agent's back; the device tells it with the next event. */
function resetAndTold(world: World): void {
  world.euicc.powerCycle();
  world.host.noteCardReset();
}

/** Nobody tells: the first command over the lost channel finds out. */
function resetUntold(world: World): void {
  world.euicc.powerCycle();
}

function silentOnce(world: World): void {
  world.euicc.silent(1);
}

function endsWell(world: World, when: string): void {
  assert.equal(world.enabled, OPERATIONAL, when);
  const standing = world.eim.results(world.eid).filter((result) => result.kind === "euiccPackageResult");
  assert.deepEqual(standing.map((result) => [result.verified, result.commands?.[0]?.code]), [[true, 0]], when);
  assert.ok(world.eim.seen.every((exchange) => exchange.verdict === "ok"), `${when}: ${JSON.stringify(world.eim.seen.find((exchange) => exchange.verdict !== "ok"))}`);
  assert.equal(world.euicc.eims[0]?.counterValue, 1, when);
  assert.deepEqual(world.eim.notifications(world.eid).map((item) => [item.event, item.iccid]).sort(), [["disable", BOOTSTRAP], ["enable", OPERATIONAL]], when);
  assert.deepEqual(world.euicc.pending, [], when);
}

function struck(name: string, objectives: readonly string[], strike: (world: World) => void, options: WorldOptions = {}): Scenario {
  return defineScenario({
    name: `${name} before any op of an enable: it ends as if nothing had been`,
    objectives,
    world: options,
    async script(world) {
      world.eim.queue(world.eid, psmo.enable(OPERATIONAL));
      world.start();
      let twin: World | undefined;
      for (let op = 0; op < 400; op++) {
        twin = world.fork(twin);
        strike(twin);
        // A day behind, whatever was put off has been done.
        await twin.run(until.time(36 * 3_600_000));
        endsWell(twin, `struck before op ${op}`);
        const at = world.trace.opCount;
        await world.run(until.ops(1));
        if (world.trace.ops.at(-1)?.name === "Sleep" && at > 60) break;
      }
      await world.run(until.idle());
    },
    claims: (world) => endsWell(world, "not struck"),
  });
}

export const scenarios: readonly Scenario[] = [
  struck("the card's channels are taken", ["A9"], channelsGone),
  struck("the card's channels are taken, with answers in pieces of 60 octets,", ["A9", "A7"], channelsGone, { euicc: { apdu: { responseChunk: 60 } } }),
  struck("the card is reset, and the agent told,", ["A9", "A2"], resetAndTold),
  struck("the card is reset behind the agent's back", ["A9", "A2"], resetUntold),
  struck("the card does not answer once", ["A9", "A4"], silentOnce),
];
