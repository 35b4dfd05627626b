/** The C host's AT driver under the agent in Node: card, bearer and sockets of the simulated modem over a unix socket (modem-at; host/modem). */
import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { NativeModem } from "../sim/agent/native-uicc.js";
import { isFailed, type Link } from "../sim/core/doors.js";
import { fromHex } from "../sim/core/bytes.js";
import { psmo } from "../sim/eim/index.js";
import { AtModem, IDEAL_PACE, LoopbackNet, serveUnix, type AtModemOptions, type Door } from "../sim/modem/index.js";
import type { World } from "../sim/index.js";
import { OPERATIONAL } from "../sim/world-options.js";
import { coaps, Device, EIM_FQDN, linkTo, skip, world } from "./native-kit.js";

const folder = mkdtempSync(join(tmpdir(), "tinyipa-native-"));
const ISDR = fromHex("A0000005591010FFFFFFFF8900000100");
let lines = 0;

interface Bench {
  readonly w: World;
  readonly at: AtModem;
  readonly modem: NativeModem;
  readonly door: Door;
  readonly port: number;
}

/** A world whose card is in a simulated modem, whose network leads to the eIM on CoAPS. */
async function bench(shape: Pick<AtModemOptions, "family"> & Partial<AtModemOptions>, run: (bench: Bench) => Promise<void>): Promise<void> {
  const w = world();
  const server = await coaps(w);
  const at = new AtModem({ pace: IDEAL_PACE, card: w.euicc, net: new LoopbackNet({ names: { [EIM_FQDN]: `127.0.0.1:${server.port}` } }), ...shape });
  const path = join(folder, `modem-${lines++}`);
  const door = await serveUnix(at, path);
  const modem = new NativeModem({ path: `unix:${path}` });
  try {
    assert.equal(await modem.boot(), undefined);
    await run({ w, at, modem, door, port: server.port });
  } finally {
    modem.dispose();
    await door.close();
    await server.close();
  }
}

async function enable({ w, modem }: Bench, link: Link): Promise<void> {
  w.eim.queue(w.eid, psmo.enable(OPERATIONAL));
  await new Device(w, { link, modem }).run();
  assert.equal(w.enabled, OPERATIONAL);
  assert.deepEqual(w.eim.results(w.eid).map((result) => result.verified), [true]);
}

describe("an eUICC Package (enable) with the card in a modem", { skip }, () => {
  test("generic: card by its AT commands, CoAPS by this computer's sockets", () =>
    bench({ family: "generic" }, async (b) => {
      const link = linkTo(b.port);
      await enable(b, link);
      link.dispose();
    }));

  test("bg95: card and CoAPS through the modem, whose family was asked", () =>
    bench({ family: "bg95" }, async (b) => {
      const link = linkTo(b.port, { resolve: (same) => same, modem: b.modem.handle });
      await enable(b, link);
      assert.equal(b.modem.family, "Quectel BG95/BG77");
      link.dispose();
    }));
});

describe("a modem that fails", { skip }, () => {
  test("the line's end is told as no card, not as silence", () =>
    bench({ family: "generic" }, async ({ modem, door }) => {
      await door.close();
      const opened = await modem.uicc.open(ISDR, { fixedChannel: false, noFci: false });
      assert.ok(isFailed(opened) && opened.failure === "no card", JSON.stringify(opened));
    }));
});
