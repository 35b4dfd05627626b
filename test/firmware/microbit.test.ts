/**
 * The flashable image of the microbit in QEMU: 16 KiB of RAM, DTLS by the modem's own sockets. Flash with its controller is emulated, so the
 * journal lies where it lies on silicon. A share of the power cuts; all of them: microbit.slow.test.ts.
 */
import { ok, rejects, strictEqual } from "node:assert/strict";
import { after, describe, test } from "node:test";
import { downloadTrigger, sampleProfile } from "../sim/index.js";
import { makePki } from "../sim/pki/pki.js";
import { Bench } from "./bench.js";
import { ARM, build, missing } from "./build.js";
import { BG95, failuresOf, NRF91, type Device } from "./microbit-cuts.js";
import { MicrobitBoard } from "./microbit.js";
import { checkZeroTouch, DOWNLOADED, STORY_WORLD, work, zeroTouch } from "./stories.js";

/** What link.ld reserves for the stack; what is left of 16 KiB is more. */
const STACK = 2048;
const LARGE = 100_000;
const ERR_TRUST_FORM = -67;

const skip = missing(...ARM) ?? false;

describe("the firmware of microbit in QEMU", { skip, concurrency: 4, timeout: 180_000 }, () => {
  const open: Bench[] = [];
  after(() => Promise.all(open.map((bench) => bench.close())));

  async function bench(device: Device): Promise<Bench & { readonly board: MicrobitBoard }> {
    const built = await build("microbit", device.firmware);
    const made = await Bench.open({ ...device.bench, board: (folder) => new MicrobitBoard({ built, folder, seed: 1 }) });
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
    await tellsTheWholeStory(await bench(BG95), "TLS_PSK_WITH_AES_128_CCM_8");
  });

  test("does the same over an nRF91's DTLS, which checks the certificate of the eIM configuration", async () => {
    const it = await bench(NRF91);
    await tellsTheWholeStory(it, "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8");
    strictEqual(it.modem.transcript.print().split("AT%CMNG=0,").length - 1, 1, "the modem was given it once");
  });

  test("downloads a profile of 100 kB by blocks of 512 octets", async () => {
    const it = await bench(NRF91);
    const { smdp, eim, eid, euicc } = it.world;
    const profile = sampleProfile({ iccid: DOWNLOADED, size: LARGE });
    const order = smdp.order({ profile, matchingId: "LARGE-1", eid, metadata: { serviceProviderName: "Home operator", profileName: "Large" } });
    eim.queue(eid, downloadTrigger({ activationCode: smdp.activationCode(order) }));
    await it.start();
    await work(it, "download");
    strictEqual(Buffer.compare(euicc.profilePackage(DOWNLOADED) ?? new Uint8Array(0), profile), 0, it.last());
    ok((await it.board.told()).stack <= STACK);
  });

  test("refuses a pinned key by name: no modem can check it", async () => {
    const it = await bench({ ...NRF91, bench: { family: "nrf91", world: STORY_WORLD } });
    await it.start();
    await it.until("the poll has failed", () => it.idle);
    strictEqual((await it.board.told()).error, ERR_TRUST_FORM, it.last());
    strictEqual(it.news.join() + it.world.eim.seen.length, "0", "nobody was spoken to");
  });

  test("never speaks to an eIM whose certificate is another", async () => {
    const trustCertificate = makePki({ seed: "somebody else" }).eimTls.certificate;
    const it = await bench({ ...NRF91, bench: { family: "nrf91", world: { ...STORY_WORLD, eims: [{ association: { trust: "certificate", trustCertificate } }] } } });
    await it.start();
    await it.until("the poll has failed", () => it.idle);
    ok((await it.board.told()).error < 0, it.last());
    strictEqual(it.world.eim.seen.length, 0, it.last());
  });

  test("power cuts around writes of the flash: recovers, nothing lost or doubled", async () => {
    // Before and behind the journal's first erase; in the middle of the download; around the story's last word.
    const { failures } = await failuresOf({ device: NRF91, choose: (steps) => [1, 2, Math.floor(steps / 2), steps - 1], atOnce: 4 });
    strictEqual(failures.join("\n"), "");
  });

  test("speaks CoAP without DTLS with the laboratory's option", async () => {
    const it = await bench({ firmware: { ...NRF91.firmware, define: ["IPA_CFG_LAB_PLAIN_COAP=1"], tag: "lab" }, bench: { ...NRF91.bench, esipa: "CoAP" } });
    await it.start();
    await it.until("the first poll", () => it.idle && it.world.eim.seen.length === 1);
  });

  test("a release image refuses the option that lets the power go, and CoAP without DTLS", async () => {
    await rejects(build("microbit", { release: true, emulated: true }), /release image refuses --emulated/);
    await rejects(build("microbit", { release: true, define: ["IPA_CFG_LAB_PLAIN_COAP=1"] }), /refuses .*--define IPA_CFG_LAB_PLAIN_COAP=1/);
  });
});
