/** What microbit.test.ts shows a share of: power cuts at every write of the flash, with two modems; and the other modems. */
import { ok, strictEqual } from "node:assert/strict";
import { describe, test } from "node:test";
import { Bench } from "./bench.js";
import { ARM, build, missing } from "./build.js";
import { BG95, failuresOf, NRF91, SARA_R5, SIM7080 } from "./microbit-cuts.js";
import { MicrobitBoard } from "./microbit.js";
import { checkZeroTouch, zeroTouch } from "./stories.js";

const skip = missing(...ARM) ?? false;

describe("the firmware of microbit in QEMU", { skip, timeout: 5_400_000 }, () => {
  for (const [name, device] of Object.entries({ "a SIM7080's DTLS by PSK": SIM7080, "a SARA-R5's DTLS, which checks the certificate of the eIM configuration": SARA_R5 })) {
    test(`tells the zero-touch story over ${name}`, async () => {
      const built = await build("microbit", device.firmware);
      const bench = await Bench.open({ ...device.bench, board: (folder) => new MicrobitBoard({ built, folder, seed: 1 }) });
      try {
        checkZeroTouch(bench, await zeroTouch(bench));
        strictEqual(bench.modem.violations.join(), "", bench.last());
      } finally {
        await bench.close();
      }
    });
  }

  test("a power cut before and behind each program and each erase of its flash: always recovers, nothing lost or doubled", async () => {
    const { failures, cuts, steps } = await failuresOf({ device: NRF91, choose: (all) => Array.from({ length: all }, (_, i) => i + 1), atOnce: 5 });
    ok(steps > 50 && (cuts === steps || process.env["CUT"] !== undefined), `${cuts} cuts of ${steps} steps`);
    strictEqual(failures.join("\n"), "");
  });

  test("the same with a BG95", async () => {
    strictEqual((await failuresOf({ device: BG95, choose: (all) => Array.from({ length: all }, (_, i) => i + 1), atOnce: 5 })).failures.join("\n"), "");
  });
});
