/** 91xx (ETSI TS 102 221 7.4.2; sgp32-transport 5.4, 5.6): a REFRESH that comes early, late, in another form, or never. The result comes first. */
import assert from "node:assert/strict";
import { BOOTSTRAP, defineScenario, OPERATIONAL, psmo, type Scenario, type Trace, type WorldOptions } from "../../sim/index.js";
import type { ApduOptions } from "../../sim/euicc/options.js";
import { es10Of, exchanges } from "../apdu-view.js";

/** The result of LoadEuiccPackage is read to its end before the card is given its FETCH, or is reset. */
function resultFirst(trace: Trace): void {
  const all = exchanges(trace);
  const load = all.findIndex(({ command }) => /^..E291..(..)BF51/.test(command));
  const rest = all.slice(load + 1);
  const end = rest.findIndex(({ command }) => !/^..C00000/.test(command));
  assert.ok(load >= 0 && end >= 0);
  const last = rest[end - 1] ?? all[load];
  assert.match(last?.response ?? "", /(9000|91..)$/, "read to its end");
  assert.ok(es10Of(trace, "BF51")[0]?.answer.startsWith("BF51"));
}

function enables(name: string, apdu: Partial<ApduOptions>, options: { readonly world?: WorldOptions; readonly cut?: boolean; readonly traffic?: (trace: Trace) => void } = {}): Scenario {
  return defineScenario({
    name,
    objectives: ["A8", "D9"],
    world: { ...options.world, euicc: { apdu } },
    prepare: (world) => void world.eim.queue(world.eid, psmo.enable(OPERATIONAL)),

    claims(world) {
      assert.equal(world.enabled, OPERATIONAL);
      assert.equal(world.euicc.switchPending, false);
      const standing = world.eim.results(world.eid).filter((result) => !result.replaced);
      assert.deepEqual(standing.map((result) => [result.kind, result.verified, result.commands?.[0]?.code]), [["euiccPackageResult", true, 0]]);
      assert.deepEqual(world.eim.notifications(world.eid).map((item) => [item.event, item.iccid]).sort(), [["disable", BOOTSTRAP], ["enable", OPERATIONAL]]);
      assert.deepEqual(world.euicc.pending, []);
    },

    traffic(world, trace) {
      resultFirst(trace);
      assert.equal(es10Of(trace, "BF51").length, 1, "executed once");
      assert.deepEqual(world.eim.seen.map((exchange) => exchange.function), ["GetEimPackage", "ProvideEimPackageResult", "GetEimPackage"]);
      options.traffic?.(trace);
    },

    ...(options.cut === true ? { replay: "cut" as const } : {}),
  });
}

const fetched = (trace: Trace): number => exchanges(trace).filter(({ command }) => command.startsWith("8012")).length;
const answered = (trace: Trace): number => exchanges(trace).filter(({ command }) => command.startsWith("8014")).length;
const pieces = [1, 16, 100, 256].map((responseChunk) =>
  enables(`91xx on the last block, with the result still to be fetched in pieces of ${responseChunk}: the result is read first`, { refresh: "early", responseChunk }, {
    cut: responseChunk === 100,
    traffic: (trace) => {
      assert.match(es10Of(trace, "BF51")[0]?.sws[0] ?? "", /^91/);
      assert.equal(fetched(trace), 1);
    },
  }));

export const scenarios: readonly Scenario[] = [
  ...pieces,
  enables("91xx on the last block together with the data: the result is taken, then the REFRESH", { refresh: "early", response: "9000" }),
  enables("91xx behind the last piece of the result: the REFRESH is fetched, and the UICC reset replaces its answer", { refresh: "after-result" }, {
    traffic: (trace) => assert.deepEqual([fetched(trace), answered(trace)], [1, 0]),
  }),
  enables("a REFRESH that STATUS has to ask for is waited for", { refresh: "after-status" }, { cut: true, traffic: (trace) => assert.equal(fetched(trace), 1) }),
  enables("a card that never sends REFRESH is reset after the grace time", { refresh: "never" }, { traffic: (trace) => assert.equal(fetched(trace), 0) }),
  enables("REFRESH of type eUICC profile state change is answered, and the channel opened again", { refreshQualifier: 9 }, {
    cut: true,
    traffic: (trace) => assert.deepEqual([fetched(trace), answered(trace)], [1, 1]),
  }),
  enables("an early REFRESH of type eUICC profile state change waits for the result too", { refresh: "early", refreshQualifier: 9 }),
  enables("a terminal without TERMINAL PROFILE gets no REFRESH and resets the card by itself", {}, { world: { terminalProfile: null }, traffic: (trace) => assert.equal(fetched(trace), 0) }),
  enables("a card that still answers between the switch and the reset is reset all the same", { refuseAfterSwitch: false, refresh: "never" }),
];
