/** The 500 power cuts of the emulated board: see power-cut.test.ts. */
import { strictEqual } from "node:assert/strict";
import { describe, test } from "node:test";
import { ARM, missing } from "./build.js";
import { failuresOf } from "./cuts.js";

const skip = missing(...ARM) ?? false;

describe("a power cut of the netduinoplus2 in QEMU, at any octet of the modem's UART", { skip, timeout: 5_400_000 }, () => {
  test("500 cuts: always recovers, nothing lost or doubled", async () => {
    strictEqual((await failuresOf({ count: 500, seed: 2, atOnce: 6 })).join("\n"), "");
  });
});
