/**
 * The flashable image of the Netduino Plus 2 in QEMU: it boots, and does over its UART what the desktop does, with trust from the eUICC's eIM
 * configuration and no laboratory switch; the emulation options that it has are named by its banner.
 */
import { ok, strictEqual } from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { concat } from "../sim/core/bytes.js";
import { psmo, World } from "../sim/index.js";
import { rspRoots } from "../sim/world-servers.js";
import { BOOTSTRAP, OPERATIONAL } from "../sim/world-options.js";
import { Bench, pskText, SENSOR, type BenchOptions } from "./bench.js";
import { ARM, build, missing } from "./build.js";
import { QemuBoard } from "./hosts.js";
import { checkZeroTouch, STORY_WORLD, work, zeroTouch } from "./stories.js";

const PSK = { identity: "device-1", key: Uint8Array.from({ length: 16 }, (_, i) => 17 * i) };
const SENSING = { emulated: true, sensor: SENSOR, "sensor-period": "1", tag: "sensing" };
/** The stack that link.ld reserves. */
const STACK = 4096;

const skip = missing(...ARM) ?? false;

describe("the firmware of netduinoplus2 in QEMU", { skip, concurrency: 2, timeout: 180_000 }, () => {
  const open: Bench[] = [];
  after(() => Promise.all(open.map((bench) => bench.close())));

  async function bench(options: Omit<BenchOptions, "board">, firmware: Readonly<Record<string, unknown>>): Promise<Bench> {
    const built = await build("netduinoplus2", firmware);
    const made = await Bench.open({ ...options, board: (folder) => new QemuBoard({ built, machine: "netduinoplus2", folder, seed: 1 }) });
    open.push(made);
    return made;
  }

  test("boots, names its emulation options, and an idle poll over CoAPS is one exchange", async () => {
    const it = await bench({}, SENSING);
    await it.start();
    await it.until("the first poll", () => it.idle && it.world.eim.seen.length > 0);
    strictEqual(it.board.lines.all[0], "tinyipa on netduinoplus2 emulated-clock seeded-entropy journal-in-ram");
    strictEqual(it.world.eim.seen.map((one) => `${one.function} ${one.verdict}`).join(), "GetEimPackage ok");
    ok(it.news.some((text) => text.includes("TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8")), it.last());
    strictEqual(it.modem.violations.join(), "", "no octet was sent while a command ran");
  });

  test("keeps its DTLS session over two polls by the connection id", async () => {
    const it = await bench({}, SENSING);
    await it.start();
    await it.until("the first poll", () => it.idle && it.world.eim.seen.length === 1);
    it.poll();
    await it.until("the second poll", () => it.idle && it.world.eim.seen.length === 2);
    strictEqual(it.news.filter((text) => text.includes(" connected ")).length, 1, it.last());
  });

  test("downloads a profile of 12 kB over CoAPS by ECDSA, enables it with rollback, delivers notifications; readings go on meanwhile", async () => {
    const it = await bench({ world: STORY_WORLD }, SENSING);
    const order = await zeroTouch(it);
    checkZeroTouch(it, order);
    await it.until("a reading after all that", () => it.readings.length > 3);
    strictEqual(new Set(it.readings).size, it.readings.length, "no reading came twice");
    const peak = it.board.lines.all.filter((line) => line.startsWith("idle")).at(-1) ?? "";
    const stack = Number(/stack (\d+)/.exec(peak)?.[1]);
    ok(stack > 0 && stack < STACK, `painted stack of at most ${STACK} octets, got "${peak}"`);
  });

  test("does the same with a pre-shared key, and no certificate passes", async () => {
    const it = await bench({ world: STORY_WORLD, psk: PSK }, { ...SENSING, psk: pskText(PSK), tag: "psk" });
    checkZeroTouch(it, await zeroTouch(it));
    ok(it.news.every((text) => !text.includes("connected") || text.includes("TLS_PSK_WITH_AES_128_CCM_8")), it.last());
  });

  test("downloads directly from the SM-DP+ over HTTPS, trusted by the CA in its flash", async () => {
    const folder = mkdtempSync(join(tmpdir(), "ca-"));
    writeFileSync(join(folder, "ca.der"), concat(...rspRoots(new World(STORY_WORLD).pki)));
    const it = await bench({ world: STORY_WORLD }, { ...SENSING, ca: join(folder, "ca.der"), tag: "direct" });
    rmSync(folder, { recursive: true });
    checkZeroTouch(it, await zeroTouch(it));
    const relayed = it.world.eim.seen.flatMap((one) => one.es9p ?? []).map((call) => call.function).filter((name) => name !== "handleNotification");
    strictEqual(relayed.join(), "", "the eIM relayed none of the download");
  });

  test("executes an eUICC package over HTTPS", async () => {
    const it = await bench({ esipa: "HTTPS" }, SENSING);
    it.world.eim.queue(it.world.eid, psmo.listProfileInfo());
    await it.start();
    await work(it, "the eUICC package");
    const [result] = it.world.eim.results(it.world.eid);
    ok(result?.verified === true && result.commands?.[0]?.profiles?.length === 2, it.last());
  });

  test("rolls back a profile whose network is not there, and the eIM knows", async () => {
    // watch 8 s, bearerWait 8 s
    const it = await bench({}, { ...SENSING, "agent-config": "850108870108", tag: "rollback" });
    it.modem.radio.coverage(OPERATIONAL, "none");
    it.world.eim.queue(it.world.eid, psmo.enable(OPERATIONAL, { rollback: true }));
    await it.start();
    await work(it, "enable and rollback");
    strictEqual(it.world.enabled, BOOTSTRAP, it.last());
    const standing = it.world.eim.results(it.world.eid).filter((one) => !one.replaced);
    ok(standing.length === 1 && standing[0]?.rollback === true && standing[0].verified, it.last());
    ok(it.board.lines.all.some((line) => line.startsWith("report rolled-back")), it.last());
  });
});
