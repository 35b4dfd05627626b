/**
 * notifyStateChange and stateChangeCause (SGP.32 v1.2 5.14.5; procedures 3.4, 3.5 and 22): one pending cause for each eIM, durable, told with the next
 * GetEimPackage, cleared by any answer, and never told to the eIM whose package made the change.
 */
import assert from "node:assert/strict";
import { BOOTSTRAP, behaviours, defineScenario, eco, faults, iccid, OPERATIONAL, psmo, until, type Scenario, type World } from "../../sim/index.js";
import { complaints, GET_EIM_PACKAGE, gets, results, pending } from "../esipa-view.js";

/** Two eIMs; the profiles make no notifications, which would go to either of them. */
const TWO = { eims: [{ fqdn: "a.example.com" }, { fqdn: "b.example.com" }], profiles: [{ iccid: BOOTSTRAP, enabled: true }, { iccid: OPERATIONAL }] };
const HOUR = 3_600_000;

/** Causes told to the n-th eIM, in order. */
function told(world: World, n = 0): number[] {
  return world.eims[n]?.device(world.eid).stateChanges.map((change) => change.cause) ?? [];
}

const byApplication = ([[3, "local"], [4, "memory reset"], [127, "undefined"], [0, "otherEim"]] as const).map(([cause, what]) =>
  defineScenario({
    name: `a change made by another hand (${what}) is told at once, as stateChangeCause ${cause}, and once`,
    objectives: ["C4"],
    async script(world) {
      await world.run(until.idle());
      world.wake("stateChanged", cause);
      await world.run(until.idle());
      world.wake("poll");
      await world.run(until.idle());
    },
    claims(world) {
      const code = cause.toString(16).toUpperCase().padStart(2, "0");
      const plain = `BF4F175A10${world.eid}820300F110`;
      assert.deepEqual(gets(world.eim), [plain, `BF4F1C5A10${world.eid}80008101${code}820300F110`, plain]);
      const [, second] = world.eim.seen;
      assert.ok((second?.time ?? Infinity) < 60_000, "it does not wait for the poll period");
    },
  }));

const toAll = defineScenario({
  name: "a change made by another hand is told to every eIM",
  objectives: ["C4", "C8"],
  world: TWO,
  async script(world) {
    await world.run(until.idle());
    world.wake("stateChanged", 4);
    await world.run(until.idle());
  },
  claims: (world) => assert.deepEqual([told(world, 0), told(world, 1)], [[4], [4]]),
});

const kept = defineScenario({
  name: "a pending cause survives a restart, and is told when the eIM answers again",
  objectives: ["C4", "C7"],
  async script(world) {
    await world.run(until.idle());
    world.link.use(faults.refuses(Infinity));
    world.wake("stateChanged", 4);
    await world.run(until.time(HOUR / 2));
    world.powerCut();
    await world.run(until.time(HOUR / 2));
    world.link.heal();
    await world.run(until.time(2 * HOUR));
    world.powerCut();
    await world.run(until.idle());
  },
  claims(world) {
    assert.deepEqual(told(world), [4], "once: a later restart does not tell it again");
    assert.equal(world.store.records.get(3), undefined, "nothing is left in the journal");
  },
});

const newer = defineScenario({
  name: "a newer cause overwrites an older one that was not told yet",
  objectives: ["C4"],
  async script(world) {
    await world.run(until.idle());
    world.link.use(faults.refuses(Infinity));
    for (const cause of [3, 127, 4]) {
      world.wake("stateChanged", cause);
      await world.run(until.time(10_000));
    }
    world.link.heal();
    await world.run(until.time(4 * HOUR));
  },
  claims: (world) => assert.deepEqual(told(world), [4]),
});

/** How the exchange ends that carries the cause, and whether it was told by that. */
const answers = ([
  ["a 500", behaviours.status(500), false],
  ["silence", behaviours.silent(), false],
  ["a broken connection", behaviours.drop(), false],
  ["an empty body", behaviours.emptyBody(), false],
  ["a wrong tag", behaviours.wrongTag(), false],
  ["eimPackageError 127", behaviours.eimPackageError(127), true],
  ["eimPackageError 2", behaviours.eimPackageError(2), true],
  ["an unknown package", behaviours.unknownPackage(), true],
] as const).map(([what, behaviour, counts]) =>
  defineScenario({
    name: `${what} as answer ${counts ? "counts: the cause is told" : "does not count: the cause stays pending"}`,
    objectives: ["C4"],
    async script(world) {
      await world.run(until.idle());
      world.eim.use(behaviours.once(behaviours.forFunction(GET_EIM_PACKAGE, behaviour)));
      world.wake("stateChanged", 4);
      await world.run(until.time(HOUR));
      if (counts) world.wake("poll");
      await world.run(until.time(HOUR));
    },
    claims(world) {
      const carried = gets(world.eim).map((body) => body.includes("80008101"));
      const expected = counts ? [false, true, false] : [false, true, true];
      assert.deepEqual(carried.slice(0, 3), expected);
      assert.ok(carried.slice(3).every((carries) => !carries), "never again after an answer");
    },
  }));

const otherEim = defineScenario({
  name: "a change by a package of one eIM is told to the others as otherEim, and not to itself",
  objectives: ["C4", "C8", "D11"],
  world: TWO,
  prepare: (world) => void world.eims[0]?.queue(world.eid, psmo.delete(OPERATIONAL)),
  claims(world) {
    assert.deepEqual(results(world, world.eims[0]), ["delete 0"]);
    assert.deepEqual(told(world, 0), []);
    assert.ok(told(world, 1).length >= 1 && told(world, 1).every((cause) => cause === 0), `eIM b was told ${told(world, 1).join(", ") || "nothing"}`);
    assert.deepEqual(pending(world), []);
  },
  traffic: (world) => assert.deepEqual([told(world, 1), complaints(world)], [[0], []]),
  replay: "cut",
});

const otherEimSwitch = defineScenario({
  name: "an enabled profile is told to the other eIM over the new profile",
  objectives: ["C4", "D9"],
  world: TWO,
  prepare: (world) => void world.eims[1]?.queue(world.eid, psmo.enable(OPERATIONAL)),
  claims(world) {
    assert.equal(world.enabled, OPERATIONAL);
    assert.deepEqual(results(world, world.eims[1]), ["enable 0"]);
    assert.deepEqual(told(world, 1), []);
    assert.ok(told(world, 0).length >= 1 && told(world, 0).every((cause) => cause === 0), `eIM a was told ${told(world, 0).join(", ") || "nothing"}`);
  },
  replay: "cut",
});

/** Packages of eIM a, and whether they changed a profile's state or the list of profiles. */
const kinds = ([
  ["a package whose only successful command is a delete", [psmo.delete(OPERATIONAL), psmo.enable(iccid(77))], true],
  ["a package that only lists", [psmo.listProfileInfo()], false],
  ["a package whose delete fails", [psmo.delete(BOOTSTRAP)], false],
  ["a package whose enable fails", [psmo.enable(BOOTSTRAP)], false],
  ["a package with eCOs", [eco.listEim()], false],
  ["a package that sets the default SM-DP+", [psmo.setDefaultDpAddress("dp.example.com")], false],
] as const).map(([what, commands, change]) =>
  defineScenario({
    name: `${what} is ${change ? "a" : "no"} state change to the other eIM`,
    objectives: ["C4"],
    world: TWO,
    prepare: (world) => void world.eims[0]?.queue(world.eid, commands),
    claims: (world) => assert.deepEqual([told(world, 0), told(world, 1)], [[], change ? [0] : []]),
  }));

const otherUnreachable = defineScenario({
  name: "otherEim stays pending for an eIM that is unreachable, over a restart, and is told once it answers",
  objectives: ["C4", "C7", "C8"],
  world: TWO,
  async script(world) {
    const repair = world.eims[1]?.use(behaviours.status(503));
    world.eims[0]?.queue(world.eid, psmo.delete(OPERATIONAL));
    await world.run(until.time(HOUR));
    world.powerCut();
    await world.run(until.time(HOUR));
    assert.deepEqual(told(world, 1), []);
    repair?.();
    await world.run(until.time(26 * HOUR));
  },
  claims(world) {
    assert.deepEqual([told(world, 0), told(world, 1)], [[], [0]]);
    assert.deepEqual(results(world, world.eims[0]), ["delete 0"]);
  },
});

export const scenarios: readonly Scenario[] = [...byApplication, toAll, kept, newer, ...answers, otherEim, otherEimSwitch, ...kinds, otherUnreachable];
