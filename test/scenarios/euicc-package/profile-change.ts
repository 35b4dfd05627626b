/** After a profile change (SGP.32 v1.2 3.3.1; procedures 4.4): REFRESH or reset, everything reopened, and the result delivered over what bearer there is. */
import assert from "node:assert/strict";
import { BOOTSTRAP, defineScenario, faults, iccid, OPERATIONAL, psmo, until, type Scenario, type World, type WorldOptions } from "../../sim/index.js";
import { exchanges } from "../apdu-view.js";
import { asked, pending, provided, results } from "../esipa-view.js";

const HOUR = 3_600_000;

/** The profile is enabled, and its result and notifications are with the eIM, each once. */
function enabled(world: World): void {
  assert.equal(world.enabled, OPERATIONAL);
  assert.deepEqual([results(world), pending(world)], [["enable 0"], []]);
  assert.deepEqual(world.eim.notifications(world.eid).map((item) => item.event).sort(), ["disable", "enable"]);
  assert.equal(world.euicc.functions.filter((tag) => tag === 0xbf58).length, 0, "no rollback");
  assert.equal(world.euicc.switchPending, false);
}

/** Nothing but GET RESPONSE stands between the last block of the package and the last octet of its result. */
function resultFirst(trace: World["trace"]): void {
  const apdus = exchanges(trace);
  const last = apdus.findLastIndex((apdu) => apdu.command.startsWith("81E291") && apdu.command.slice(10, 14) === "BF51");
  let at = last + 1;
  while (apdus[at]?.command.startsWith("01C0") === true && apdus[at]?.response.slice(-4, -2) === "61") at++;
  const end = apdus[last]?.response.slice(-4, -2) === "61" || apdus[last]?.response.length === 4 ? at : last;
  assert.match(apdus[end]?.response.slice(-4) ?? "", /^9/, "the result was fetched whole");
  const reset = apdus.findIndex((apdu, index) => index > last && apdu.command.startsWith("8012"));
  assert.ok(reset === -1 || reset > end, "FETCH comes after the result");
}

const cards = (["after-result", "early", "after-status", "never"] as const).flatMap((refresh) =>
  ([4, 9] as const).flatMap((refreshQualifier) =>
    (["61xx", "9000"] as const).map((response) =>
      defineScenario({
        name: `enable on a card that tells its REFRESH ${refresh}, with qualifier ${refreshQualifier}, and answers by ${response}`,
        objectives: ["D9", "A8"],
        world: { euicc: { apdu: { refresh, refreshQualifier, response } } },
        prepare: (world) => void world.eim.queue(world.eid, psmo.enable(OPERATIONAL)),
        claims: enabled,
        traffic(world, trace) {
          resultFirst(trace);
          assert.equal(trace.totals().connections, 2);
          // behind a REFRESH that closed all channels the terminal closes its own once more
          assert.deepEqual(world.euicc.refusals.filter((refusal) => !refusal.what.startsWith("MANAGE CHANNEL 007080")), []);
          assert.ok(provided(world.eim)[0]?.startsWith("30"), "the notifications of the switch go with the result");
        },
        ...(response === "61xx" && refreshQualifier === (refresh === "never" ? 4 : 9) ? { replay: "cut" } : {}),
      }))));

const noTerminalProfile = defineScenario({
  name: "a terminal that announced no REFRESH resets the card itself",
  objectives: ["D9"],
  world: { terminalProfile: null },
  prepare: (world) => void world.eim.queue(world.eid, psmo.enable(OPERATIONAL)),
  claims: enabled,
  replay: "cut",
});

/** What happens to the network, or to the eIM, while the result waits. */
const waits = ([
  ["the new profile registers after two minutes", (world: World) => world.modem.coverage(OPERATIONAL, 120_000)],
  ["the new profile registers after twenty minutes", (world: World) => world.modem.coverage(OPERATIONAL, 1_200_000)],
  ["there is no network for six hours", (world: World) => world.modem.outage(5600, 6 * HOUR)],
  ["the eIM is out of reach at first", (world: World) => world.link.use(faults.refuses(4, 2))],
] as readonly (readonly [string, (world: World) => void])[]).map(([what, begin], index) =>
  defineScenario({
    name: `enable without rollbackFlag: ${what}, and the result is delivered then`,
    objectives: ["D9", "E3"],
    prepare(world) {
      begin(world);
      world.eim.queue(world.eid, psmo.enable(OPERATIONAL));
    },
    until: until.time(24 * HOUR),
    claims: enabled,
    ...(index === 1 ? { replay: "cut" } : {}),
  }));

/** Profile changes in all forms. */
const forms = ([
  ["disable and enable in one package", [psmo.disable(BOOTSTRAP), psmo.enable(OPERATIONAL)], "disable 0, enable 0", 2],
  ["commands behind the enable", [psmo.enable(OPERATIONAL), psmo.setDefaultDpAddress("dp.example.com"), psmo.getRAT()], "enable 0, setDefaultDpAddress 0, getRAT 0", 2],
  ["a failing command behind the enable", [psmo.enable(OPERATIONAL), psmo.delete(iccid(77))], "enable 0, delete 1", 2],
  ["a failing enable", [psmo.enable(iccid(77))], "enable 1", 1],
  ["a failing enable behind a disable", [psmo.disable(BOOTSTRAP), psmo.enable(iccid(77))], "disable 0, enable 1", 0],
] as const).map(([what, commands, expected, connections]) =>
  defineScenario({
    name: `${what}: "${expected}" is delivered${connections === 2 ? " over the new profile" : connections === 1 ? " over the same connection" : " when there is a bearer again"}`,
    objectives: ["D9", "D13"],
    async script(world) {
      world.eim.queue(world.eid, commands);
      await world.run(connections === 0 ? until.time(2 * HOUR) : until.idle());
      if (connections > 0) return;
      assert.deepEqual(results(world), []);
      enableByHand(world, BOOTSTRAP);
      await world.run(until.time(24 * HOUR));
    },
    claims: (world) => assert.deepEqual([results(world), pending(world)], [[expected], []]),
    traffic: (_world, trace) => assert.ok(connections === 0 || trace.totals().connections === connections),
  }));

/** Somebody at the device enables a profile, and the card is reset. */
function enableByHand(world: World, which: string): void {
  const state = world.euicc.snapshot();
  state.nonvolatile.profiles.forEach((profile, n) => (profile.enabled = (which === BOOTSTRAP ? 0 : 1) === n));
  world.euicc.restore(state);
  world.modem.cardReset();
  world.wake("bearer");
}

const disabled = defineScenario({
  name: "disable alone leaves no bearer: the EPR is kept over restarts, there is no rollback, and it is delivered when there is a bearer again",
  objectives: ["D10"],
  async script(world) {
    world.eim.queue(world.eid, psmo.disable(BOOTSTRAP));
    await world.run(until.time(HOUR));
    if (world.enabled === undefined) {
      assert.deepEqual([results(world), world.euicc.pending.map((item) => item.kind).sort()], [[], ["epr", "notification"]]);
      world.powerCut();
      await world.run(until.time(6 * HOUR));
      assert.equal(world.enabled, undefined);
      enableByHand(world, OPERATIONAL);
    }
    await world.run(until.time(24 * HOUR));
  },
  claims(world) {
    assert.deepEqual([results(world), pending(world)], [["disable 0"], []]);
    assert.equal(world.enabled, OPERATIONAL);
    assert.ok(!world.euicc.functions.includes(0xbf58), "no rollback");
    assert.deepEqual(world.eim.notifications(world.eid).map((item) => item.event), ["disable"]);
  },
});

const busy = defineScenario({
  name: "catBusy to enable is told to the eIM, and changes nothing",
  objectives: ["D9", "D13"],
  prepare(world) {
    world.euicc.catBusy(1);
    world.eim.queue(world.eid, psmo.enable(OPERATIONAL));
  },
  claims: (world) => assert.deepEqual([results(world), pending(world)], [["enable 5"], []]),
  traffic: (world) => assert.deepEqual([world.enabled, asked(world.eim)], [BOOTSTRAP, ["GetEimPackage", "ProvideEimPackageResult", "GetEimPackage"]]),
});

const toAndFro = defineScenario({
  name: "a profile is enabled, and the former one again by the next package: two results, four notifications, in order",
  objectives: ["D9", "D2"],
  prepare(world) {
    world.eim.queue(world.eid, psmo.enable(OPERATIONAL));
    world.eim.queue(world.eid, psmo.enable(BOOTSTRAP));
  },
  claims(world) {
    assert.deepEqual([results(world), pending(world), world.enabled], [["enable 0", "enable 0"], [], BOOTSTRAP]);
    assert.equal(world.eim.notifications(world.eid).length, 4);
  },
  traffic: (world) => assert.ok(world.eim.notifications(world.eid).every((item) => item.inOrder)),
  replay: "cut",
});

/** The device switches card and modem off whenever nothing is in hand. */
const offWhenIdle: WorldOptions = { offWhenIdle: true };
const sleepy = defineScenario({
  name: "a device that is switched off between polls enables a profile all the same",
  objectives: ["D9"],
  world: offWhenIdle,
  async script(world) {
    await world.run(until.idle());
    world.eim.queue(world.eid, psmo.enable(OPERATIONAL));
    await world.run(until.idle());
  },
  claims: enabled,
});

export const scenarios: readonly Scenario[] = [...cards, noTerminalProfile, ...waits, ...forms, disabled, busy, toAndFro, sleepy];
