/**
 * Bound Profile Packages of all sizes and shapes (SGP.22 v2.5 2.5.4, 2.5.5; SGP.32 v1.2 3.2.3.2; procedures 13): segment by segment onto the eUICC while the
 * body comes, whatever pieces the link makes of it and whatever its TLV lengths look like. Memory does not grow with the package.
 */
import assert from "node:assert/strict";
import { toHex } from "../../sim/core/bytes.js";
import { loadSegments } from "../../sim/bsp/index.js";
import { readAll, readOne } from "../../sim/codec/tlv.js";
import { defineScenario, sampleProfile, type Scenario, type World } from "../../sim/index.js";
import type { OrderOptions } from "../../sim/smdp/index.js";
import type { Trace } from "../../sim/core/trace.js";
import { DOWNLOADED, installedQuietly, loadedSegments, orderAndTrigger, theOrder, WITH_SMDP } from "./view.js";

/** The segments on the card are those that SGP.22 2.5.5 makes of the package, octet by octet. */
export function exactly(world: World, trace: Trace): void {
  const answer = world.eim.seen.find((exchange) => exchange.function === "GetBoundProfilePackage")?.response ?? "";
  const bpp = readAll(readOne(readOne(Buffer.from(answer, "hex"), 0xbf3a).value, 0xa0).value).find((item) => item.tag === 0xbf36)?.raw as Uint8Array;
  assert.deepEqual(loadedSegments(trace).map(toHex), loadSegments(bpp).map(toHex));
}

const SHAPES: readonly (readonly [what: string, options: Partial<OrderOptions>])[] = [
  ["in one block of a few octets", {}],
  ["with ReplaceSessionKeys (A2)", { ppk: true }],
  ["of 86 blocks of 16 octets", { bpp: { segment: 1 } }],
  ["of 86 blocks of 128 octets of content (length 81 80)", { profile: profile(1000), bpp: { segment: 119 } }],
  ["of 86 blocks of 1020 octets", { profile: profile(5000), bpp: { segment: 1007 } }],
  ["of 86 blocks of 1036 octets", { profile: profile(5000), bpp: { segment: 1023 } }],
  ["with lists of 127 and 128 octets", { profile: profile(105) }],
  ["with metadata in several 88 blocks", { metadata: { icon: { type: "png", data: new Uint8Array(1024).fill(0x5a) }, profileName: "x".repeat(64), serviceProviderName: "y".repeat(32) } }],
  ["of 20 kB", { profile: profile(20_000) }],
  ["of 70 kB: lengths of three octets", { profile: profile(70_000) }],
];

function profile(size: number): Uint8Array {
  const smallest = sampleProfile({ iccid: DOWNLOADED });
  return size < smallest.length + 40 ? smallest : sampleProfile({ iccid: DOWNLOADED, size });
}

const shapes = SHAPES.map(([what, options]) =>
  defineScenario({
    name: `a Bound Profile Package ${what} is loaded segment by segment`,
    objectives: ["H10"],
    world: WITH_SMDP,
    prepare: (world) => void orderAndTrigger(world, options),
    claims: (world) => installedQuietly(world, theOrder(world)),
    traffic: exactly,
  }),
);

const PIECES: readonly (readonly [what: string, seed: number, pieces: "random" | "single", size?: number])[] = [
  ...[1, 2, 3, 4, 5, 6].map((seed) => [`in pieces of random size, seed ${seed}`, seed, "random", 4000] as const),
  ["octet by octet", 1, "single"],
];

const pieces = PIECES.map(([what, seed, how, size]) =>
  defineScenario({
    name: `answers that come ${what} give the same segments`,
    objectives: ["I9"],
    seed,
    world: WITH_SMDP,
    prepare(world) {
      orderAndTrigger(world, { ...(size === undefined ? {} : { profile: profile(size) }), bpp: { segment: 100 + seed * 37 } });
      world.link.split(how);
    },
    claims: (world) => installedQuietly(world, theOrder(world)),
    traffic: exactly,
  }),
);

const blocks = [255, 254, 128, 120, 64, 16].map((blockSize) =>
  defineScenario({
    name: `STORE DATA blocks of ${blockSize} octets: the chains are the segments all the same`,
    objectives: ["H10", "I9"],
    world: { ...WITH_SMDP, configuration: { blockSize } },
    prepare(world) {
      orderAndTrigger(world, { profile: profile(3000), bpp: { segment: 1000 } });
      world.link.split("random");
    },
    claims: (world) => installedQuietly(world, theOrder(world)),
    traffic: exactly,
  }),
);

const cards = (["61xx", "9000", "6Cxx"] as const).map((response) =>
  defineScenario({
    name: `a card that answers by ${response} installs a profile`,
    objectives: ["H10"],
    world: { ...WITH_SMDP, euicc: { apdu: { response } } },
    prepare: (world) => void orderAndTrigger(world, { profile: profile(2000) }),
    claims: (world) => installedQuietly(world, theOrder(world)),
    traffic: exactly,
  }),
);

const peaks: Record<number, number> = {};

/** Highest address that the agent has written: what an MCU would have to have. */
function peak(world: World): number {
  const memory = world.host.agent.snapshot();
  let at = memory.length;
  while (at > 0 && memory[at - 1] === 0) at--;
  return at;
}

const large = [1_000, 30_000, 100_000, 300_000].map((size) =>
  defineScenario({
    name: `a profile of ${size} octets takes no more memory than a small one`,
    objectives: ["I10", "I9"],
    world: { ...WITH_SMDP, euicc: { download: { freeMemory: 1_000_000 } } },
    prepare: (world) => void orderAndTrigger(world, { profile: profile(size) }),
    claims: (world) => installedQuietly(world, theOrder(world)),
    traffic(world) {
      peaks[size] = peak(world);
      assert.ok((world.host.agent as unknown as { memoryEnd: number }).memoryEnd <= 16_384, "the agent's memory is fixed");
      assert.deepEqual([...new Set(Object.values(peaks))].length, 1, JSON.stringify(peaks));
    },
  }),
);

export const scenarios: readonly Scenario[] = [...shapes, ...pieces, ...blocks, ...cards, ...large];
