/** What microbit.test.ts shows a share of: power cuts at every write of the flash; and a profile of 100 kB within 16 KiB of RAM. */
import { ok, strictEqual } from "node:assert/strict";
import { describe, test } from "node:test";
import { downloadTrigger, iccid, sampleProfile } from "../sim/index.js";
import { Bench } from "./bench.js";
import { ARM, build, missing } from "./build.js";
import { failuresOf, NRF91, NRF91_FIRMWARE } from "./microbit-cuts.js";
import { MicrobitBoard } from "./microbit.js";
import { work } from "./stories.js";

const LARGE = 100_000;

const skip = missing(...ARM) ?? false;

describe("the firmware of microbit in QEMU", { skip, timeout: 5_400_000 }, () => {
  test("a power cut before and behind each program and each erase of its flash: always recovers, nothing lost or doubled", async () => {
    const { failures, cuts, steps } = await failuresOf({ choose: (all) => Array.from({ length: all }, (_, i) => i + 1), atOnce: 5 });
    ok(steps > 50 && (cuts === steps || process.env["CUT"] !== undefined), `${cuts} cuts of ${steps} steps`);
    strictEqual(failures.join("\n"), "");
  });

  test(`downloads a profile of ${LARGE} octets`, async () => {
    const built = await build("microbit", NRF91_FIRMWARE);
    const bench = await Bench.open({ ...NRF91, board: (folder) => new MicrobitBoard({ built, folder, seed: 1 }) });
    try {
      const { smdp, eim, eid, euicc } = bench.world;
      const profile = sampleProfile({ iccid: iccid(9), size: LARGE });
      const order = smdp.order({ profile, matchingId: "LARGE-1", eid, metadata: { serviceProviderName: "Home operator", profileName: "Large" } });
      eim.queue(eid, downloadTrigger({ activationCode: smdp.activationCode(order) }));
      await bench.start();
      await work(bench, "download", 600_000);
      strictEqual(Buffer.compare(euicc.profilePackage(order.iccid) ?? new Uint8Array(0), profile), 0, bench.last());
      const { stack, error } = await (bench.board as MicrobitBoard).told();
      ok(stack <= 2048 && error === 0, `stack ${stack}, error ${error}`);
    } finally {
      await bench.close();
    }
  });
});
