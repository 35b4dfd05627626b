/** ETSI TS 102 221 11.1.19 TERMINAL CAPABILITY: once after each reset, before ES10; cards that refuse it, gate on it, or forget it. */
import assert from "node:assert/strict";
import { fromHex } from "../../sim/core/bytes.js";
import { BOOTSTRAP, defineScenario, OPERATIONAL, psmo, until, type Scenario, type WorldOptions } from "../../sim/index.js";
import { commands } from "../apdu-view.js";

const CAPABILITY = "80AA0000";
const BASIC = /^80AA0000/;

const afterEachReset = defineScenario({
  name: "TERMINAL CAPABILITY is sent once after each reset of the card, before the first ES10 command",
  objectives: ["A2"],

  prepare(world) {
    world.eim.queue(world.eid, psmo.enable(OPERATIONAL));
  },

  claims(world) {
    assert.equal(world.enabled, OPERATIONAL);
    assert.ok(world.euicc.terminalCapabilities.every((count) => count <= 1), `after each reset: ${world.euicc.terminalCapabilities.join(" ")}`);
    assert.ok(world.euicc.refusals.every((refusal) => !/TERMINAL CAPABILITY/.test(refusal.why)), JSON.stringify(world.euicc.refusals));
  },

  traffic(world, trace) {
    // The time before any reset, switching on, the reset behind the REFRESH.
    assert.deepEqual(world.euicc.terminalCapabilities, [0, 1, 1]);
    assert.deepEqual(commands(trace).filter((command) => BASIC.test(command)), ["80AA000008A906830107840101", "80AA000008A906830107840101"]);
  },

  replay: "cut",
});

const switchedOff = defineScenario({
  name: "a device that switches the card off between polls announces itself again at each poll",
  objectives: ["A2"],
  world: { offWhenIdle: true, configuration: { pollPeriodS: 3600 } },
  until: until.polls(3),

  claims(world, trace) {
    const { terminalCapabilities } = world.euicc;
    assert.deepEqual(terminalCapabilities.slice(1, 4), [1, 1, 1]);
    assert.ok(terminalCapabilities.slice(1).every((count) => count === 1));
    // The EID is read anew after each reset: the card may be another one.
    assert.equal(trace.apdus.filter(({ command }) => Buffer.from(command).toString("hex").includes("bf3e035c015a")).length, 3);
    assert.equal(world.eim.seen.length, 3);
  },
});

/** A device that announces itself in some way, against a card that answers in some way, polls all the same. */
function polls(name: string, objectives: readonly string[], world: WorldOptions, sent: readonly string[]): Scenario {
  return defineScenario({
    name,
    objectives,
    world,
    claims(here) {
      assert.equal(here.enabled, BOOTSTRAP);
      assert.equal(here.eim.seen.at(-1)?.verdict, "ok");
    },
    traffic(here, trace) {
      assert.deepEqual(commands(trace).filter((command) => command.startsWith(CAPABILITY)), sent);
      assert.equal(here.eim.seen.length, 1);
    },
  });
}

const BOTH = "80AA000008A906830107840101";
const IPAD = "80AA000005A903840101";
const LPA = "80AA000005A903830107";

const refused = [0x6e00, 0x6d00, 0x6a86].map((sw) =>
  polls(`a card that answers ${sw.toString(16).toUpperCase()} to TERMINAL CAPABILITY is used all the same`, ["A3"], { euicc: { apdu: { terminalCapability: sw } } }, [BOTH]));

const configured = [
  polls("an announcement of the IPAd alone opens a card that gates on it", ["A2"], { configuration: { terminalCapability: fromHex(IPAD) } }, [IPAD]),
  polls("an announcement of LPA functions alone is sent as configured", ["A1"], { configuration: { terminalCapability: fromHex(LPA) } }, [LPA]),
  polls("no TERMINAL CAPABILITY is sent where the modem has done so", ["A2"], { configuration: { terminalCapability: new Uint8Array(0) }, euicc: { apdu: { gate: false } } }, []),
];

const forgotten = defineScenario({
  name: "a card that forgot the announcement and answers 6985 is reset once, told again, and read",
  objectives: ["A2", "A9"],

  prepare(world) {
    world.euicc.failNext(0xbf55, 0x6985);
  },

  claims(world) {
    assert.equal(world.eim.seen.at(-1)?.verdict, "ok");
  },

  traffic(world, trace) {
    assert.deepEqual(world.euicc.terminalCapabilities, [0, 1, 1]);
    assert.deepEqual(trace.reports.map((report) => report.name), ["Started", "PollEnded"]);
  },

  replay: "cut",
});

const gatedForGood = defineScenario({
  name: "a card that stays gated is reported and left alone between ever longer pauses",
  objectives: ["A2", "A4"],
  world: { configuration: { terminalCapability: new Uint8Array(0) } },
  until: until.time(24 * 3_600_000),

  claims(world, trace) {
    const failures = trace.reports.filter((report) => report.name === "CardFailed");
    assert.ok(failures.length >= 3 && failures.length <= 14, `${failures.length} attempts in a day`);
    assert.ok(failures.every((report) => report.detail === 0x6985));
    assert.ok(trace.apdus.length < 150, `${trace.apdus.length} APDUs in a day`);
    assert.equal(trace.totals().connections, 0);
    assert.equal(world.eim.seen.length, 0);
  },
});

export const scenarios: readonly Scenario[] = [afterEachReset, switchedOff, ...refused, ...configured, forgotten, gatedForGood];
