/** Power cuts of the emulated board during the story: 20 seeded points here, 500 in power-cut.slow.test.ts. A failure's line repeats it. */
import { strictEqual } from "node:assert/strict";
import { describe, test } from "node:test";
import { ARM, missing } from "./build.js";
import { failuresOf } from "./cuts.js";

const CUTS = 20;
const SEED = 1;

const skip = missing(...ARM) ?? false;

describe("a power cut of the netduinoplus2 in QEMU, at any octet of the modem's UART", { skip, timeout: 600_000 }, () => {
  test(`${CUTS} cuts: always recovers, nothing lost or doubled`, async () => {
    strictEqual((await failuresOf({ count: CUTS, seed: SEED, atOnce: 7 })).join("\n"), "");
  });
});
