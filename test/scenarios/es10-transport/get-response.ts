/** GET RESPONSE (ETSI TS 102 221 7.3.1.1, 11.1.18; sgp32-transport 5.4): answers in pieces of any size, told in each of the three ways. */
import assert from "node:assert/strict";
import { toHex } from "../../sim/core/bytes.js";
import { BOOTSTRAP, defineScenario, iccid, OPERATIONAL, psmo, type Scenario, type WorldOptions } from "../../sim/index.js";
import type { ApduOptions } from "../../sim/euicc/options.js";
import { cla, es10Of, type Es10Command } from "../apdu-view.js";

const PROFILES = 12;

/** A card with many profiles: its list takes over a thousand octets. */
const profiles = Array.from({ length: PROFILES }, (_, n) => ({ iccid: iccid(n + 1), enabled: n === 0, class: "operational" as const, profileName: `Profile ${n + 1}`, serviceProviderName: "Operator of the simulated network" }));

/** listProfileInfo over a card of this behaviour: the whole list arrives, in pieces as the card tells them. */
function listed(name: string, objectives: readonly string[], apdu: Partial<ApduOptions>, more: Omit<WorldOptions, "euicc" | "profiles"> = {}, pieces?: (sws: readonly string[]) => void): Scenario {
  return defineScenario({
    name,
    objectives: ["A7", "D15", ...objectives],
    world: { ...more, profiles, euicc: { apdu } },
    prepare: (world) => void world.eim.queue(world.eid, psmo.listProfileInfo()),

    claims(world) {
      const [result] = world.eim.results(world.eid);
      assert.deepEqual([result?.kind, result?.verified], ["euiccPackageResult", true]);
      const [command] = result?.commands ?? [];
      assert.equal(command?.profiles?.length, PROFILES);
      assert.deepEqual(world.euicc.pending, []);
    },

    traffic(world, trace) {
      const executed = es10Of(trace, "BF51");
      assert.equal(executed.length, 1, "executed once");
      const { answer, sws } = executed[0] as Es10Command;
      assert.ok(answer.length / 2 > 1024, `${answer.length / 2} octets`);
      assert.ok(answer.startsWith("BF51"));
      assert.equal(toHex(world.eim.results(world.eid)[0]?.der ?? new Uint8Array(0)), answer, "relayed byte-exact");
      assert.equal(sws.at(-1), "9000");
      pieces?.(sws);
      assert.deepEqual(world.euicc.refusals.filter((refusal) => refusal.answer !== "6E00" && !refusal.answer.startsWith("6C")), []);
    },
  });
}

const chunks = [1, 2, 16, 127, 128, 129, 255, 256].map((responseChunk) =>
  listed(`an answer in pieces of ${responseChunk} octet${responseChunk === 1 ? "" : "s"} by 61xx arrives whole`, [], { responseChunk }, {}, (sws) => {
    const told = (responseChunk & 0xff).toString(16).toUpperCase().padStart(2, "0");
    assert.equal(sws[0], `61${told}`, "61 00 is 256 octets");
    assert.ok(sws.slice(0, -2).every((sw) => sw === `61${told}`));
  }));

const alongside = [1, 100, 256].map((responseChunk) =>
  listed(`data that come with the status word, ${responseChunk} octet${responseChunk === 1 ? "" : "s"} at a time, arrive whole`, [], { response: "9000", responseChunk }));

const repeated = [1, 100, 255, 256].map((responseChunk) =>
  listed(`a card that wants the command again by 6Cxx, for ${responseChunk} octet${responseChunk === 1 ? "" : "s"} at a time, is given it`, [], { response: "6Cxx", responseChunk }, {}, (sws) => assert.match(sws[0] ?? "", /^6C/)));

const classes = (["0X", "8X"] as const).flatMap((getResponseClass) => [false, true].map((first8X) =>
  listed(`GET RESPONSE finds the class ${getResponseClass} that the card takes, trying ${first8X ? "8X" : "0X"} first`, [], { getResponseClass, noFci: getResponseClass === "8X" }, { configuration: { ...(first8X ? { switches: ["ProprietaryGetResponse"] as const } : {}) } })));

const caseFour = listed("a card that takes an Le octet behind STORE DATA gets none unasked", [], { caseFour: true }, {}, () => undefined);

/** Short and long answers, each just at an edge of 256 octets. */
const noRoom = listed("blocks of 120 octets both ways, as over an AT command line", [], { responseChunk: 120, blockSize: 120 }, { configuration: { blockSize: 120 } });

/** A11: channels are coded in each of the two ways. */
const channels = [1, 2, 3, 4, 5, 11, 18, 19].map((firstChannel) =>
  defineScenario({
    name: `on channel ${firstChannel} STORE DATA is class ${hex(cla(firstChannel, true))} and GET RESPONSE class ${hex(cla(firstChannel, false))}`,
    objectives: ["A11"],
    world: { euicc: { apdu: { firstChannel, channels: 1 } } },
    prepare: (world) => void world.eim.queue(world.eid, psmo.enable(OPERATIONAL)),

    claims(world) {
      assert.equal(world.enabled, OPERATIONAL);
      assert.deepEqual(world.euicc.pending, []);
    },

    traffic(world, trace) {
      const all = es10Of(trace, "BF");
      assert.ok(all.length > 8);
      assert.ok(all.every((one) => one.blocks.every((block) => block.cla === cla(firstChannel, true))));
      assert.ok(all.every((one) => one.getResponseClasses.every((octet) => octet === cla(firstChannel, false))));
      assert.ok(all.some((one) => one.getResponseClasses.length > 0));
      assert.deepEqual(world.euicc.refusals, []);
    },
  }));

/** Where a piece ends within the R-APDU makes no difference to what survives a power cut. */
const cut = defineScenario({
  name: "an enable whose answers come in pieces of 48 octets holds",
  objectives: ["A7", "D9", "D11"],
  world: { euicc: { apdu: { responseChunk: 48 } } },
  prepare: (world) => void world.eim.queue(world.eid, psmo.enable(OPERATIONAL)),
  claims(world) {
    assert.equal(world.enabled, OPERATIONAL);
    assert.deepEqual(world.eim.notifications(world.eid).map((item) => [item.event, item.iccid]).sort(), [["disable", BOOTSTRAP], ["enable", OPERATIONAL]]);
    assert.deepEqual(world.euicc.pending, []);
  },
  replay: "cut",
});

function hex(octet: number): string {
  return octet.toString(16).toUpperCase().padStart(2, "0");
}

export const scenarios: readonly Scenario[] = [...chunks, ...alongside, ...repeated, ...classes, caseFour, noRoom, ...channels, cut];
