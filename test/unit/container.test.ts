/** The signed container: what the tool makes is what it reads, and everything that was not signed is refused by the code that the C host gives. */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { ContainerError, makeContainer, readContainer, signingKey, verifyContainer, versionNumber, versionText } from "../../host/tool/container.js";
import { command } from "../cli/sign.js";
import { runCommand } from "../cli/command.js";

const pem = (): string => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" }).toString();
const key = signingKey(pem());
const parts = { wasm: Uint8Array.from({ length: 301 }, (_, i) => i), sideTable: Uint8Array.of(1, 2, 3), version: versionNumber("1.2.3"), abi: 0x10000, memory: 8352, stack: 700 };
const good = makeContainer(parts, key);
const refused = (code: string) => (error: unknown): boolean => error instanceof ContainerError && error.code === code;

describe("container", () => {
  test("what goes in comes out, sections aligned to 8", () => {
    const container = verifyContainer(good, key.point, key.id);
    assert.deepEqual({ ...container, hash: undefined }, { ...parts, keyId: key.id, length: good.length, headerLength: 160, hash: undefined, sections: [{ kind: 1, offset: 160, length: 301 }, { kind: 2, offset: 464, length: 3 }] });
  });

  test("octets behind it do not matter: a slot is larger", () => {
    assert.equal(verifyContainer(Uint8Array.of(...good, 255, 255), key.point).length, good.length);
  });

  test("every turned bit is refused", () => {
    for (let at = 0; at < good.length; at++) {
      const bad = Uint8Array.from(good);
      bad[at] = (bad[at] ?? 0) ^ (1 << at % 8);
      assert.throws(() => verifyContainer(bad, key.point, key.id), ContainerError, `octet ${at}`);
    }
  });

  test("each refusal has the code of the C host", () => {
    const changed = (at: number, value: number): Uint8Array => {
      const bytes = Uint8Array.from(good);
      bytes[at] = value;
      return bytes;
    };
    assert.throws(() => readContainer(new Uint8Array()), refused("IPA_ERR_IMAGE_MAGIC"));
    assert.throws(() => readContainer(changed(0, 0)), refused("IPA_ERR_IMAGE_MAGIC"));
    assert.throws(() => readContainer(changed(4, 2)), refused("IPA_ERR_IMAGE_FORMAT"));
    assert.throws(() => readContainer(good.subarray(0, good.length - 1)), refused("IPA_ERR_IMAGE_FORMAT"));
    assert.throws(() => verifyContainer(good, signingKey(pem()).point), refused("IPA_ERR_IMAGE_KEY"));
    assert.throws(() => verifyContainer(good, signingKey(pem()).point, key.id), refused("IPA_ERR_IMAGE_SIGNATURE"));
    assert.throws(() => verifyContainer(changed(good.length - 1, 77), key.point), refused("IPA_ERR_IMAGE_HASH"));
    assert.throws(() => verifyContainer(changed(16, 9), key.point), refused("IPA_ERR_IMAGE_SIGNATURE"));
  });

  test("a version is three numbers that compare as one", () => {
    assert.equal(versionNumber("1.2.3"), 0x01020003);
    assert.equal(versionText(0xff02ffff), "255.2.65535");
    assert.ok(versionNumber("1.10.0") > versionNumber("1.9.65535"));
    for (const text of ["1.2", "256.0.0", "1.2.65536", "a.b.c", "1.2.3.4", "-1.0.0"]) assert.throws(() => versionNumber(text), RangeError);
  });

  test("numbers that don't fit are refused before anything is signed", () => {
    assert.throws(() => makeContainer({ ...parts, memory: 65_537 }, key), RangeError);
    assert.throws(() => makeContainer({ ...parts, wasm: new Uint8Array() }, key), RangeError);
  });
});

describe("tinyipa sign", () => {
  const folder = mkdtempSync(join(tmpdir(), "tinyipa-sign-"));
  after(() => rmSync(folder, { recursive: true }));
  const sign = async (...args: string[]): Promise<{ code: number; out: string; err: string }> => {
    const out: string[] = [], err: string[] = [];
    const code = await runCommand(command, args, { out: (line) => out.push(line), err: (line) => err.push(line) });
    return { code, out: out.join("\n"), err: err.join("\n") };
  };
  const at = (name: string): string => join(folder, name);

  test("a new key signs the agent, and the container is checked by its public half", async () => {
    const made = await sign("--new-key", at("key.pem"));
    assert.equal(made.code, 0);
    assert.match(made.out, /static const uint8_t image_point\[65\] = \{\n {4}0x04, /);
    assert.match(made.err, /the private key is in/);
    const signed = await sign("--key", at("key.pem"), "--agent-version", "1.0.0", "--out", at("agent.ipa"));
    assert.equal(signed.code, 0, signed.err);
    assert.match(signed.out, /^version +1\.0\.0 \(ABI 1\.0\)$/m);
    assert.equal((await sign("--check", at("agent.ipa"), "--key", at("key.pem"))).code, 0);
    assert.match((await sign("--check", at("agent.ipa"))).out, /not verified/);
    const json = JSON.parse((await sign("--check", at("agent.ipa"), "--key", at("key.pem"), "--json")).out) as { sections: { kind: number }[]; verdict: string };
    assert.deepEqual(json.sections.map(({ kind }) => kind), [1, 2]);
    assert.equal(json.verdict, "hash and signature hold");
  });

  test("a key is never overwritten", async () => {
    writeFileSync(at("old.pem"), "precious");
    const { code, err } = await sign("--new-key", at("old.pem"));
    assert.equal(code, 2);
    assert.match(err, /EEXIST/);
    assert.equal(readFileSync(at("old.pem"), "utf8"), "precious");
  });

  test("a container that was changed is refused by its code, with exit code 1", async () => {
    const bytes = makeContainer(parts, key);
    bytes[200] = 0;
    writeFileSync(at("bad.ipa"), bytes);
    writeFileSync(at("public.pem"), pem());
    const { code, out } = await sign("--check", at("bad.ipa"), "--key", at("public.pem"), "--key-id", String(key.id));
    assert.equal(code, 1);
    assert.match(out, /IPA_ERR_IMAGE_HASH/);
  });

  test("misuse says what was expected", async () => {
    for (const args of [[], ["--key", at("none.pem"), "--public"], ["--key", at("old.pem"), "--agent-version", "1", "--out", at("x")], ["--check", at("nothing")]]) {
      const { code, err } = await sign(...args);
      assert.equal(code, 2, args.join(" "));
      assert.match(err, /expected /);
    }
  });

  test("a module that the gate refuses is not signed", async () => {
    writeFileSync(at("bad.wasm"), Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0));
    const { code, out } = await sign("--key", at("key.pem"), "--agent-version", "1.0.0", "--out", at("no.ipa"), at("bad.wasm"));
    assert.equal(code, 1);
    assert.match(out, /✖/);
  });
});
