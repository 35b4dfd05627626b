/**
 * Each check that the smallest build keeps is needed, and the mutated modules find it missing: with any one of them taken out of
 * host/src/wasm_inplace.c, AddressSanitizer or UndefinedBehaviorSanitizer stops the engine.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { repositoryRoot } from "../../host/tool/spec-build.js";
import { agentWasm } from "./inplace-agent.js";
import { writePairs } from "./inplace-kit.js";

const ENGINE = "host/src/wasm_inplace.c";
const MUTANTS = 150_000;
const SEEDS = [1, 2, 3, 4];

/** Every SURE(...), and the checks of both builds, each with what stands there instead. */
function checksOf(source: string): { what: string; at: number; length: number; instead: string }[] {
  const found = [...source.matchAll(/ SURE\(.*\);/g)].map((match) => ({ what: match[0].trim(), at: match.index, length: match[0].length, instead: ";" }));
  const always: [string, string][] = [
    ["if (pc >= end) goto leave;", "if (pc == end) goto leave;"],
    ["if (AS_OCTETS(sp - base) - (kind >> 4 & 12) > room) goto overflow;", ""],
    ["if (n >= w->n_functions) goto broken;", ""],
    ["if ((uint32_t)(w->stack_end - sp) < n + FRAME_WORDS + SPARE_WORDS) goto exhausted_stack;", ""],
    ["if (n >= w->n_entries) goto broken;", ""],
    ["if (n + a >= (uint32_t)f->params + f->locals) goto broken;", ""],
    ["if (n >= GLOBALS_END) goto broken;", ""],
    ["if (b < n || b > w->memory_len || w->memory_len - b < a) goto outside;", ""],
    ["if (sp[0] > w->memory_len || b > w->memory_len - sp[0]) goto outside;", ""],
    ["if (a != 0 && (sp[1] > w->memory_len || b > w->memory_len - sp[1])) goto outside;", ""],
  ];
  for (const [what, instead] of always) {
    const at = source.indexOf(what);
    assert.ok(at >= 0, `${ENGINE} has no longer: ${what}`);
    found.push({ what, at, length: what.length, instead });
  }
  return found;
}

const directory = mkdtempSync(join(tmpdir(), "inplace-"));
process.on("exit", () => rmSync(directory, { recursive: true, force: true }));

/** Compiles the mutation program with this text of the engine, and runs it until it dies. */
function dies(source: string, pairs: readonly string[]): boolean {
  const root = repositoryRoot();
  writeFileSync(join(directory, "engine.c"), source);
  const { status, stderr } = spawnSync("gcc", [
    "-std=c99", "-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-DIPA_CFG_WASM_GAP=64", "-Ihost/include", "-Ihost", "-Ihost/src",
    "test/host/mutate_inplace.c", join(directory, "engine.c"), "host/src/wasm_inplace_load.c", "host/src/wasm_inplace_check.c", "host/src/wasm_inplace_strict.c", "-o", join(directory, "fuzz"),
  ], { cwd: root, encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return SEEDS.some((seed) => spawnSync(join(directory, "fuzz"), [String(seed), String(MUTANTS), ...pairs], { encoding: "utf8", timeout: 120_000 }).status !== 0);
}

describe("the checks of the smallest build", () => {
  const source = readFileSync(join(repositoryRoot(), ENGINE), "utf8");
  const pairs = writePairs(directory, agentWasm(), 1);
  test("with all of them the mutants do no harm", () => assert.equal(dies(source, pairs), false));
  for (const { what, at, length, instead } of checksOf(source)) {
    test(`without "${what}" they do (offset ${at})`, () => assert.equal(dies(source.slice(0, at) + instead + source.slice(at + length), pairs), true));
  }
});
