/** What a port rests on: the self-test, the template, the same ops for the same events on the posix board, and a release image that takes no shortcut. */
import { deepStrictEqual, match, ok, rejects, strictEqual } from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, test } from "node:test";
import { recordJobs } from "../bench/jobs.js";
import { findAgent } from "../sim/index.js";
import { Bench } from "./bench.js";
import { ARM, build, missing } from "./build.js";
import { PosixBoard, QemuBoard } from "./hosts.js";

const CC = process.env["CC"] ?? "gcc";
const GOOD = ["selftest clock ok", "selftest entropy ok", "selftest flash ok", "selftest modem imei 356938035643809", "selftest modem ok", "selftest eUICC ok", "selftest failed 0"];

const said = (bench: Bench): string[] => bench.board.lines.all.filter((line) => line.startsWith("selftest"));

describe("the port self-test", { timeout: 120_000 }, () => {
  const open: Bench[] = [];
  after(() => Promise.all(open.map((bench) => bench.close())));

  test("finds the posix board in order, and its flash again at the second start", { skip: missing(CC) ?? false }, async () => {
    const built = await build("posix", { sanitize: true });
    const it = await Bench.open({ board: (folder) => new PosixBoard({ built, folder, seed: 1, args: ["--family", "quectel", "--self-test"] }) });
    open.push(it);
    for (const starts of [1, 2]) {
      const from = it.board.lines.all.length;
      await it.start();
      await (it.board as PosixBoard).ended();
      it.modem.powerOff();
      const lines = it.board.lines.all.slice(from).filter((line) => line.startsWith("selftest"));
      deepStrictEqual(lines, [...GOOD.slice(0, 2), `selftest flash starts ${starts}`, ...GOOD.slice(2)], it.last());
    }
  });

  test("finds the netduinoplus2 in QEMU in order", { skip: missing(...ARM) ?? false }, async () => {
    const built = await build("netduinoplus2", { emulated: true, tag: "selftest", define: ["IPA_CFG_SELFTEST=1"] });
    const it = await Bench.open({ board: (folder) => new QemuBoard({ built, machine: "netduinoplus2", folder, seed: 1 }) });
    open.push(it);
    await it.start();
    await it.until("the end of the self-test", () => said(it).some((line) => line.startsWith("selftest failed")));
    deepStrictEqual(said(it).filter((line) => !line.includes("starts")), GOOD, it.last());
  });

  test("names what the template does not have yet", { skip: missing(CC) ?? false }, async () => {
    const { program } = await build("template");
    const { stdout, status } = spawnSync(program, { encoding: "utf8" });
    strictEqual(stdout.replaceAll("\r", ""), "tinyipa on template\nselftest clock IPA_ERR_SELFTEST\n");
    strictEqual(status, 1);
  });
});

describe("events recorded in V8, replayed on the posix board", { skip: missing(CC) ?? false, timeout: 120_000 }, () => {
  for (const engine of ["inplace", "wasm3"]) {
    test(`${engine} gives the same ops, octet by octet`, async () => {
      const built = await build("posix", { engine });
      const jobs = await recordJobs(new Uint8Array(readFileSync(findAgent())));
      for (const { name, steps } of jobs) {
        const frames = steps.map(({ event, nowMs }) => {
          const head = Buffer.alloc(8);
          head.writeUInt32LE(event.length, 0);
          head.writeUInt32LE(nowMs >>> 0, 4);
          return Buffer.concat([head, event]);
        });
        const { stdout, stderr } = spawnSync(built.program, ["--image", built.image, "--key", built.key, "--replay"], { input: Buffer.concat(frames), maxBuffer: 1 << 26 });
        const expected = steps.map(({ op }) => {
          const length = Buffer.alloc(4);
          length.writeUInt32LE(op.length, 0);
          return Buffer.concat([length, op]);
        });
        strictEqual(stderr.toString(), "");
        ok(Buffer.concat([Buffer.alloc(4), ...expected]).equals(stdout), `${name}: ${steps.length} ops`);
      }
    });
  }
});

describe("the size table", { skip: missing(...ARM) ?? false }, () => {
  test("counts what the linker laid out, and the whole device takes less than 32 KiB of RAM", async () => {
    const { program } = await build("netduinoplus2");
    const { total, noinit } = JSON.parse(readFileSync(join(dirname(program), "size.json"), "utf8")) as { total: { flash: number; ram: number }; noinit: number };
    const { stdout } = spawnSync("arm-none-eabi-size", ["-A", program], { encoding: "utf8" });
    const octets = (...names: readonly string[]): number => names.reduce((sum, name) => sum + Number(new RegExp(`^\\${name}\\s+(\\d+)`, "m").exec(stdout)?.[1] ?? 0), 0);
    const [flash, ram] = [octets(".vectors", ".agent", ".text", ".ARM.exidx", ".data"), octets(".data", ".bss", ".stack")];
    // Padding between sections is nobody's.
    ok(total.flash <= flash && flash - total.flash < 1024, `${total.flash} of ${flash} octets of flash`);
    ok(total.ram <= ram && ram - total.ram < 256, `${total.ram} of ${ram} octets of RAM`);
    ok(ram < 32 * 1024, `${ram} octets of RAM`);
    ok(noinit <= 16, "nothing for an emulator");
  });
});

describe("a release image", { skip: missing(...ARM) ?? false }, () => {
  test("refuses emulation, laboratory options and the development key by name", async () => {
    await rejects(build("netduinoplus2", { release: true, emulated: true, define: ["IPA_CFG_LAB_PLAIN_COAP=1"] }), (error: Error) => {
      match(error.message, /^a release image refuses --emulated, the development key \(expected --key FILE\), --define IPA_CFG_LAB_PLAIN_COAP=1$/);
      return true;
    });
  });

  test("is signed by a key of its own, and holds no word of the emulation", async () => {
    const { pem, close } = keyFile();
    try {
      const built = await build("netduinoplus2", { release: true, key: pem, tag: "release" });
      const image = readFileSync(built.program.replace(/\.elf$/, ".bin"));
      ok(!image.includes("emulated-clock") && !image.includes("seeded-entropy"), "no word of the emulation is in it");
    } finally {
      close();
    }
  });
});

/** A signing key of its own. */
function keyFile(): { readonly pem: string; close(): void } {
  const folder = mkdtempSync(join(tmpdir(), "key-"));
  const pem = join(folder, "release.pem");
  writeFileSync(pem, generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" }));
  return { pem, close: () => rmSync(folder, { recursive: true }) };
}
