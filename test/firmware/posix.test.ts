/** The posix board, built with sanitizers: the same story over the same driver and links, with a file as flash; and its planned power-off. */
import { ok, strictEqual } from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { concat } from "../sim/core/bytes.js";
import { rspRoots } from "../sim/world-servers.js";
import { Bench, pskText, SENSOR, type BenchOptions } from "./bench.js";
import { build, missing } from "./build.js";
import { PosixBoard } from "./hosts.js";
import { checkZeroTouch, STORY_WORLD, zeroTouch } from "./stories.js";

const PSK = { identity: "device-1", key: Uint8Array.from({ length: 16 }, (_, i) => 255 - i) };
const READINGS = ["--sensor", SENSOR, "--sensor-period", "1"];

const skip = missing(process.env["CC"] ?? "gcc") ?? false;

describe("the posix board", { skip, concurrency: 2, timeout: 180_000 }, () => {
  const open: Bench[] = [];
  after(() => Promise.all(open.map((bench) => bench.close())));

  async function bench(options: Omit<BenchOptions, "board">, args: readonly string[], firmware: Readonly<Record<string, unknown>> = {}): Promise<Bench> {
    const built = await build("posix", { sanitize: true, ...firmware });
    const made = await Bench.open({ ...options, board: (folder) => new PosixBoard({ built, folder, seed: 1, args }) });
    open.push(made);
    return made;
  }

  test("tells the zero-touch story over CoAPS by ECDSA with the engine in place", async () => {
    const it = await bench({ world: STORY_WORLD }, ["--family", "quectel", ...READINGS]);
    checkZeroTouch(it, await zeroTouch(it));
    await it.until("readings", () => it.readings.length > 3);
  });

  test("tells it in wasm3, by PSK, on a modem that it finds out itself", async () => {
    const it = await bench({ world: STORY_WORLD, psk: PSK, family: "sara-r5" }, ["--psk", pskText(PSK)], { engine: "wasm3" });
    checkZeroTouch(it, await zeroTouch(it));
  });

  test("tells it over HTTPS", async () => {
    const it = await bench({ world: STORY_WORLD, esipa: "HTTPS" }, ["--family", "quectel"]);
    checkZeroTouch(it, await zeroTouch(it));
  });

  test("downloads directly from the SM-DP+, trusted by the CA of its settings", async () => {
    const built = await build("posix", { sanitize: true });
    const it = await Bench.open({
      world: STORY_WORLD,
      board: (folder, world) => {
        writeFileSync(join(folder, "ca.der"), concat(...rspRoots(world.pki)));
        return new PosixBoard({ built, folder, seed: 1, args: ["--family", "quectel", "--ca", join(folder, "ca.der")] });
      },
    });
    open.push(it);
    checkZeroTouch(it, await zeroTouch(it));
    const relayed = it.world.eim.seen.flatMap((one) => one.es9p ?? []).map((call) => call.function).filter((name) => name !== "handleNotification");
    strictEqual(relayed.join(), "", "the eIM relayed none of the download");
  });

  test("ends when a poll is over, its DTLS session in the journal; the next start goes on with that session, and only once", async () => {
    const it = await bench({}, ["--family", "quectel", "--exit-when-idle"]);
    const polls = async (n: number): Promise<void> => {
      await it.start();
      await it.until(`poll ${n}`, () => it.idle && it.world.eim.seen.length === n);
      await (it.board as PosixBoard).ended();
      it.modem.powerOff();
    };
    await polls(1);
    await polls(2);
    strictEqual(it.news.filter((text) => text.includes(" connected ")).length, 1, it.last());
    // A cut right behind the use of the saved session: it is gone, and there is a new handshake.
    await it.start();
    await it.until("the third poll", () => it.world.eim.seen.length === 3);
    await it.board.cut();
    it.modem.powerOff();
    await polls(4);
    ok(it.news.filter((text) => text.includes(" connected ")).length === 2, it.last());
  });

  test("refuses an image that is signed by another key, and says so; the application goes on without the agent", async () => {
    const built = await build("posix", { sanitize: true });
    const [id, point] = built.key.split(":") as [string, string];
    const other = { ...built, key: `${Number(id) + 1}:${point}` };
    const it = await Bench.open({ board: (folder) => new PosixBoard({ built: other, folder, seed: 1, args: ["--family", "quectel", ...READINGS] }) });
    open.push(it);
    await it.start();
    await it.until("the refusal", () => it.board.lines.all.some((line) => line === "error agent IPA_ERR_IMAGE_KEY"));
    await it.until("readings", () => it.readings.length > 1);
    strictEqual(it.world.eim.seen.length, 0);
  });
});
