/** SGP.32 v1.2 5.9, ETSI TS 102 221 11.1.17: a card without ISD-R, without a free channel, or without a voice. No loop, no eIM traffic. */
import assert from "node:assert/strict";
import { defineScenario, until, type Scenario, type World, type WorldOptions } from "../../sim/index.js";
import { commands } from "../apdu-view.js";

const DAY = 24 * 3_600_000;

/** A day with such a card: `detail` is reported each time, the pauses grow, the network is left alone. */
function hopeless(name: string, objectives: readonly string[], world: WorldOptions, detail: number): Scenario {
  return defineScenario({
    name,
    objectives,
    world,
    until: until.time(DAY),
    claims(here, trace) {
      const failures = trace.reports.filter((report) => report.name === "CardFailed");
      assert.ok(failures.length >= 3 && failures.length <= 14, `${failures.length} attempts in a day`);
      assert.ok(failures.every((report) => report.detail === detail), failures.map((report) => report.detail).join(" "));
      const pauses = failures.slice(1).map((report, index) => report.at - (failures[index]?.at ?? 0));
      assert.ok(pauses.every((pause, index) => index === 0 || pause > (pauses[index - 1] as number)), `pauses of ${pauses.join(", ")} ms`);
      assert.equal(trace.totals().connections, 0);
      assert.equal(here.eim.seen.length, 0);
      leavesNoChannel(here, commands(trace));
    },
  });
}

/** Every channel that was opened is closed again. */
function leavesNoChannel(world: World, sent: readonly string[]): void {
  const opened = sent.filter((command) => command === "0070000001").length;
  const closed = sent.filter((command) => /^007080..00$/.test(command)).length;
  const refused = world.euicc.refusals.filter((refusal) => refusal.what.startsWith("MANAGE CHANNEL")).length;
  assert.equal(opened - refused, closed);
}

const BOTH_SW = [
  ["6881", 0x6881],
  ["6A81", 0x6a81],
] as const;

export const scenarios: readonly Scenario[] = [
  hopeless("a UICC without ISD-R (6A82) is reported and asked again after ever longer pauses", ["A4"], { euicc: { apdu: { noIsdr: true } } }, -8),
  ...BOTH_SW.map(([text, sw]) => hopeless(`a refused logical channel (${text}) is reported and asked for again after ever longer pauses`, ["A5"], { euicc: { apdu: { refuseChannel: sw } } }, -9)),
  hopeless("a card whose channels are all taken is reported and asked again after ever longer pauses", ["A5"], { euicc: { apdu: { channels: 0 } } }, -9),

  defineScenario({
    name: "a card that does not answer for a while is reset and read",
    objectives: ["A4"],
    prepare(world) {
      world.euicc.silent(3);
    },
    until: until.polls(1),
    claims(world, trace) {
      assert.equal(world.eim.seen.at(-1)?.verdict, "ok");
      assert.ok(trace.reports.filter((report) => report.name === "CardFailed").length <= 3);
    },
    replay: "cut",
  }),

  defineScenario({
    name: "the basic channel is left to the modem: only TERMINAL CAPABILITY and channel management go there",
    objectives: ["A5"],
    world: { euicc: { apdu: { refuseBasicChannel: 0x6999 } } },
    claims(world, trace) {
      const basic = commands(trace).filter((command) => /^[08]0/.test(command));
      assert.ok(basic.every((command) => /^(8010|80AA|0070|80F2|8012)/.test(command)), basic.join(" "));
      assert.deepEqual(world.euicc.refusals, []);
    },
  }),
];
