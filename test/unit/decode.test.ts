/** `tinyipa decode` and `tinyipa size` as a user meets them: input forms, output forms, exit codes. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { runCommand, type Command } from "../cli/command.js";
import { command as decode } from "../cli/decode.js";
import { command as size } from "../cli/size.js";
import { fromHex, toHex } from "../sim/core/bytes.js";
import { makePki } from "../sim/pki/pki.js";

async function run(command: Command, ...args: string[]): Promise<{ code: number; out: string[]; err: string[] }> {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runCommand(command, args, { out: (line) => out.push(line), err: (line) => err.push(line) });
  return { code, out, err };
}

async function withFile(content: string | Uint8Array, work: (path: string) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "tinyipa-decode-"));
  try {
    writeFileSync(join(dir, "input"), content);
    await work(join(dir, "input"));
  } finally {
    rmSync(dir, { recursive: true });
  }
}

const NOTHING = ["EsipaMessageFromEimToIpa: getEimPackageResponse [BF4F]", "  eimPackageError [02] 1 noEimPackageAvailable"];

describe("tinyipa decode", () => {
  test("hexadecimal in one argument or several, with white space and in lower case", async () => {
    for (const args of [["BF4F03020101"], ["bf 4f 03", "02 01 01"], ["BF4", "F03020101"]]) {
      assert.deepEqual(await run(decode, ...args), { code: 0, out: NOTHING, err: [] });
    }
  });

  test("a file with octets, and one with hexadecimal in lines", async () => {
    await withFile(fromHex("BF4F03020101"), async (path) => assert.deepEqual((await run(decode, path)).out, NOTHING));
    await withFile("BF4F 03\n020101\n", async (path) => assert.deepEqual((await run(decode, path)).out, NOTHING));
  });

  test("several objects one behind the other", async () => {
    const { out } = await run(decode, "BF4F03020101BF50023000");
    assert.deepEqual(out, [...NOTHING, "EsipaMessageFromEimToIpa: provideEimPackageResultResponse [BF50]", "  emptyResponse [30]"]);
  });

  test("--json gives the tree", async () => {
    const { code, out } = await run(decode, "--json", "BF4F03020101");
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(out.join("\n")), [{
      name: "EsipaMessageFromEimToIpa: getEimPackageResponse", tag: "BF4F", length: 3, children: [{ name: "eimPackageError", tag: "02", length: 1, value: "1 noEimPackageAvailable" }],
    }]);
  });

  test("a certificate is one line: role, names, EID, curve, validity", async () => {
    const { out } = await run(decode, toHex(makePki({ seed: "a" }).euicc.certificate));
    assert.equal(out.length, 1);
    assert.match(out[0] as string, /^Certificate \[30\] X\.509 euicc CN=eUICC, serialNumber 89049032123451234512345678901235, P-256, key id [0-9A-F]{40}, 2020-01-01 to 2049-12-31$/);
  });

  test("what is no TLV gives one line and exit code 1", async () => {
    const { code, out, err } = await run(decode, "BF4F0302");
    assert.equal(code, 1);
    assert.deepEqual(out, []);
    assert.equal(err.length, 1);
    assert.match(err[0] as string, /^tinyipa decode: expected BER-TLV data objects: content of tag BF4F is cut off|BER-TLV/);
  });

  test("neither hexadecimal nor a file, no argument, an unknown option: one line and exit code 2", async () => {
    for (const [args, expected] of [[["nosuchfile"], /expected an even number of hexadecimal digits or a file, got "nosuchfile"/], [["BF4"], /got "BF4"/], [[], /expected hexadecimal or a file, got nothing/], [[""], /got none/], [["--nope"], /--nope/]] as const) {
      const { code, err } = await run(decode, ...args);
      assert.equal(code, 2, args.join());
      assert.equal(err.length, 1);
      assert.match(err[0] as string, expected);
    }
  });
});

describe("tinyipa size", () => {
  const smallest = fromHex("0061736D01000000");

  test("a module that breaks the gate's rules is measured, its problems are named, exit code 1", async () => {
    await withFile(smallest, async (path) => {
      const { code, out } = await run(size, "--json", path);
      assert.equal(code, 1);
      const sizes = JSON.parse(out.join("\n")) as Record<string, unknown>;
      assert.equal(sizes["bytes"], 8);
      assert.equal(sizes["sha256"], "93a44bbb96c751218e4c00d479e4c14358122a389acca16205b1e4d0dc5f9476");
      assert.ok((sizes["problems"] as string[]).includes("export: ipa_step is missing"));
    });
  });

  test("the table has the size, the memory and the hash", async () => {
    await withFile(smallest, async (path) => {
      const { out } = await run(size, path);
      assert.match(out[0] as string, /^wasm +8 B of \d+ B$/);
      assert.ok(out.some((line) => /^sha256 +93a44bbb/.test(line)));
    });
  });

  test("a file that is not there is misuse", async () => {
    const { code, err } = await run(size, "nosuch.wasm");
    assert.equal(code, 2);
    assert.match(err.join(), /expected a wasm file, got "nosuch\.wasm" \(ENOENT\)/);
  });
});
