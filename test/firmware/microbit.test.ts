/**
 * The flashable image of the microbit in QEMU: 16 KiB of RAM, DTLS by the modem's own sockets. Flash with its controller is emulated, so the
 * journal lies where it lies on silicon. A share of the power cuts; all of them and a profile of 100 kB: microbit.slow.test.ts.
 */
import { ok, rejects, strictEqual } from "node:assert/strict";
import { after, describe, test } from "node:test";
import { makePki } from "../sim/pki/pki.js";
import { Bench, pskText, type BenchOptions } from "./bench.js";
import { ARM, build, missing } from "./build.js";
import { failuresOf, NRF91, NRF91_FIRMWARE } from "./microbit-cuts.js";
import { MicrobitBoard } from "./microbit.js";
import { checkZeroTouch, STORY_WORLD, zeroTouch } from "./stories.js";

const PSK = { identity: "device-1", key: Uint8Array.from({ length: 16 }, (_, i) => 17 * i) };
/** What link.ld reserves for the stack; what is left of 16 KiB is more. */
const STACK = 2048;
const ERR_TRUST_FORM = -67;

const skip = missing(...ARM) ?? false;

describe("the firmware of microbit in QEMU", { skip, concurrency: 4, timeout: 180_000 }, () => {
  const open: Bench[] = [];
  after(() => Promise.all(open.map((bench) => bench.close())));

  async function bench(options: Omit<BenchOptions, "board">, firmware: Readonly<Record<string, unknown>>): Promise<Bench & { readonly board: MicrobitBoard }> {
    const built = await build("microbit", firmware);
    const made = await Bench.open({ ...options, board: (folder) => new MicrobitBoard({ built, folder, seed: 1 }) });
    open.push(made);
    return made as Bench & { readonly board: MicrobitBoard };
  }

  async function tellsTheWholeStory(it: Bench & { readonly board: MicrobitBoard }, suite: string): Promise<void> {
    checkZeroTouch(it, await zeroTouch(it));
    const sessions = it.news.filter((text) => text.includes(" connected "));
    ok(sessions.length > 0 && sessions.every((text) => text.includes(suite)), it.last());
    strictEqual(it.modem.violations.join(), "", "no octet was sent while a command ran");
    const { stack, error } = await it.board.told();
    ok(stack > 0 && stack <= STACK, `painted stack of at most ${STACK} octets, got ${stack}`);
    strictEqual(error, 0, "nothing failed on the way");
    ok((await it.board.steps()) > 50, "the journal was programmed into the flash");
  }

  test("downloads a profile of 12 kB over a BG95's DTLS by PSK, enables it with rollback, delivers notifications, within 16 KiB", async () => {
    await tellsTheWholeStory(await bench({ world: STORY_WORLD, psk: PSK }, { emulated: true, psk: pskText(PSK), tag: "psk" }), "TLS_PSK_WITH_AES_128_CCM_8");
  });

  test("does the same over an nRF91's DTLS, which checks the certificate of the eIM configuration", async () => {
    const it = await bench(NRF91, NRF91_FIRMWARE);
    await tellsTheWholeStory(it, "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8");
    strictEqual(it.modem.transcript.print().split("AT%CMNG=0,").length - 1, 1, "the modem was given it once");
  });

  test("refuses a pinned key by name: no modem can check it", async () => {
    const it = await bench({ ...NRF91, world: STORY_WORLD }, NRF91_FIRMWARE);
    await it.start();
    await it.until("the poll has failed", () => it.idle);
    strictEqual((await it.board.told()).error, ERR_TRUST_FORM, it.last());
    strictEqual(it.news.join() + it.world.eim.seen.length, "0", "nobody was spoken to");
  });

  test("never speaks to an eIM whose certificate is another", async () => {
    const trustCertificate = makePki({ seed: "somebody else" }).eimTls.certificate;
    const it = await bench({ ...NRF91, world: { ...STORY_WORLD, eims: [{ association: { trust: "certificate", trustCertificate } }] } }, NRF91_FIRMWARE);
    await it.start();
    await it.until("the poll has failed", () => it.idle);
    ok((await it.board.told()).error < 0, it.last());
    strictEqual(it.world.eim.seen.length, 0, it.last());
  });

  test("power cuts around writes of the flash: recovers, nothing lost or doubled", async () => {
    // Before and behind the journal's first erase; in the middle of the download; around the story's last word.
    const { failures } = await failuresOf({ choose: (steps) => [1, 2, Math.floor(steps / 2), steps - 1], atOnce: 4 });
    strictEqual(failures.join("\n"), "");
  });

  test("a release image refuses the option that lets the power go", async () => {
    await rejects(build("microbit", { release: true, emulated: true }), /release image refuses --emulated/);
  });
});
