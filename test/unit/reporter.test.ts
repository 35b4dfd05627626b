/** The reporter of `npm test`: what it counts, what it names, and that nothing that fails is lost. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";

interface Outcome {
  passed: number;
  failed: number;
  skipped: string[];
  text: string;
  status: number | null;
}

function report(files: Record<string, string>): Outcome {
  const dir = mkdtempSync(join(tmpdir(), "tinyipa-reporter-"));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), `import { describe, test } from "node:test";\n${text}`);
    const env = { ...process.env, TINYIPA_REPORT: join(dir, "report.json") };
    delete (env as Record<string, string | undefined>)["NODE_TEST_CONTEXT"];
    const { status, stdout } = spawnSync(process.execPath, [
      "--test", "--test-reporter=./host/tool/reporter.mjs", "--test-reporter-destination=stdout", ...Object.keys(files).map((name) => join(dir, name)),
    ], { env, encoding: "utf8" });
    return { ...JSON.parse(readFileSync(join(dir, "report.json"), "utf8")) as Omit<Outcome, "text" | "status">, text: stdout, status };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

describe("the reporter", () => {
  test("tests are counted and suites are not, over several files", () => {
    const { passed, failed, status } = report({
      "a.test.mjs": `describe("s", () => { describe("t", () => { test("1", () => {}); test("2", () => {}); }); }); test("3", () => {});`,
      "b.test.mjs": `test("4", () => {});`,
    });
    assert.deepEqual({ passed, failed, status }, { passed: 4, failed: 0, status: 0 });
  });

  test("a failure has its titles, expected and got, and its error's detail", () => {
    const { failed, text } = report({
      "a.test.mjs": `import assert from "node:assert/strict";
        describe("outer", () => { describe("inner", () => { test("sentence", () => assert.equal(1, 2)); }); });
        test("refusal", () => { throw Object.assign(new Error("no"), { detail: { who: "eim" } }); });`,
    });
    assert.equal(failed, 2);
    assert.match(text, /a\.test\.mjs › outer › inner › sentence/);
    assert.match(text, /1 !== 2/);
    assert.match(text, /detail: \{ who: 'eim' \}/);
  });

  test("a failing subtest counts once, and so do a suite that throws and an error after the test", () => {
    assert.equal(report({ "a.test.mjs": `test("t", async (t) => { await t.test("sub", () => { throw new Error("x"); }); });` }).failed, 1);
    assert.equal(report({ "a.test.mjs": `describe("s", () => { throw new Error("x"); });` }).failed, 1);
    assert.equal(report({ "a.test.mjs": `test("t", () => new Promise((done) => { setImmediate(() => { throw new Error("x"); }); setTimeout(done, 20); }));` }).failed, 1);
  });

  test("a file that throws while loading, or exits in the middle, is a failure", () => {
    assert.equal(report({ "a.test.mjs": `throw new Error("x");` }).failed, 1);
    const { passed, failed, status } = report({ "a.test.mjs": `test("1", () => {}); setTimeout(() => process.exit(3), 20); await new Promise(() => {});` });
    assert.deepEqual({ passed, failed, status }, { passed: 1, failed: 1, status: 1 });
  });

  test("skipped and todo tests are named with their reason and count as neither", () => {
    const { passed, failed, skipped } = report({ "a.test.mjs": `describe("s", () => { test("no tool", { skip: "openssl is not installed" }, () => {}); test("later", { todo: true }, () => {}); });` });
    assert.deepEqual({ passed, failed, skipped }, { passed: 0, failed: 0, skipped: ["s › no tool: openssl is not installed", "s › later: todo"] });
  });
});
