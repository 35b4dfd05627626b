/**
 * The in-place engine: our own spec tests, differences from V8 (operators, random modules, the agent), mutated modules and side tables under
 * AddressSanitizer and UndefinedBehaviorSanitizer. Both builds: the one that ships, and the one with full validation. Seeds are printed.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { makeSideTable } from "../../host/tool/side-table.js";
import { buildDriver, repositoryRoot, type Variant } from "../../host/tool/spec-build.js";
import type { EngineProcess } from "../../host/tool/spec-driver.js";
import { runFile } from "../../host/tool/spec-suite.js";
import { Agent } from "../sim/agent/index.js";
import { Rng } from "../sim/core/rng.js";
import { AgentComparison, agentWasm, recordRuns } from "./inplace-agent.js";
import { POLLS } from "../robustness/recordings.js";
import { compareAsAgent, compareModule, skip, startEngine, startWasm3, writePairs } from "./inplace-kit.js";
import { operatorModule, randomModule } from "./inplace-modules.js";

const VARIANTS: readonly (readonly [string, Variant])[] = [
  ["as it ships", { validate: 0 }],
  ["as it ships, by switch", { validate: 0, goto: 0 }],
  ["with full validation", { validate: 1 }],
];
/** TINYIPA_SEED takes another. */
const SEED = Number(process.env["TINYIPA_SEED"] ?? 1);
const RANDOM_MODULES = 60;
const MUTANTS = 100_000;

async function withEngine(variant: Variant, use: (engine: EngineProcess) => Promise<void>): Promise<void> {
  const engine = await startEngine(variant);
  try {
    await use(engine);
  } finally {
    await engine.close();
  }
}

for (const [name, variant] of VARIANTS) {
  describe(`the in-place engine ${name}`, { skip }, () => {
    for (const file of readdirSync(join(repositoryRoot(), "test/wast")).sort()) {
      test(`gives what test/wast/${file} asserts`, () => withEngine(variant, async (engine) => {
        const { executed, skipped, differences, unreadable } = await runFile(join(repositoryRoot(), "test/wast", file), engine);
        assert.equal(unreadable, undefined);
        assert.deepEqual(differences, []);
        assert.ok(executed > 20 && skipped.size === 0, `${executed} executed, skipped: ${[...skipped.keys()].join()}`);
      }));
    }

    test(`does with every operator what V8 does (seed ${SEED})`, () => withEngine(variant, async (engine) => {
      const rng = new Rng(SEED);
      const { differences, calls, traps } = await compareModule(engine, operatorModule(rng), rng, 8000);
      assert.deepEqual(differences, []);
      assert.ok(traps > calls / 20 && traps < calls / 2, `${traps} traps in ${calls} calls`);
    }));

    test(`does in ${RANDOM_MODULES} random modules what V8 does, within the side table's stack bound (seeds from ${SEED})`, () => withEngine(variant, async (engine) => {
      let traps = 0;
      for (let seed = SEED; seed < SEED + RANDOM_MODULES; seed++) {
        const rng = new Rng(seed);
        const compared = await compareModule(engine, randomModule(rng), rng, 60);
        assert.deepEqual(compared.differences, [], `seed ${seed}`);
        traps += compared.traps;
      }
      assert.ok(traps > 0);
    }));

    test(`runs the agent as V8 does, with recorded and with mutated events (seed ${SEED})`, () => withEngine(variant, async (engine) => {
      const side = makeSideTable(agentWasm());
      const comparison = new AgentComparison(engine);
      const { code } = await engine.open(agentWasm(), { memory: new Agent(agentWasm()).memoryEnd, stack: side.stack, side: side.bytes });
      assert.equal(code, 0);
      const recordings = await recordRuns();
      for (const recording of recordings) await comparison.play(recording);
      const rng = new Rng(SEED);
      for (let n = 0; n < 300; n++) await comparison.mutate(recordings[rng.int(recordings.length)] as (typeof recordings)[number], rng, `seed ${SEED}`);
      assert.deepEqual(comparison.differences, []);
      assert.ok(comparison.steps > 600);
    }));
  });
}

/** wasm3's own limits refuse a few modules (its slots, its constant tables). */
const WASM3_REFUSES = /not opened/;

describe("three engines", { skip }, () => {
  test(`V8, wasm3 and the in-place engine agree on every operator and ${RANDOM_MODULES} random modules (seeds from ${SEED})`, async () => {
    const engines = [await startEngine({ validate: 0 }), await startWasm3()];
    let refused = 0;
    for (let seed = SEED; seed < SEED + RANDOM_MODULES; seed++) {
      for (const [n, engine] of engines.entries()) {
        const rng = new Rng(seed);
        const spec = seed === SEED ? operatorModule(rng) : randomModule(rng);
        const { differences } = await compareAsAgent(engine, spec, rng, seed === SEED ? 1000 : 25, 16_384);
        if (n === 1 && differences.every((text) => WASM3_REFUSES.test(text))) refused += differences.length;
        else assert.deepEqual(differences, [], `seed ${seed}, ${n === 1 ? "wasm3" : "in place"}`);
      }
    }
    for (const engine of engines) await engine.close();
    assert.ok(refused < RANDOM_MODULES / 10, `wasm3 refuses ${refused} modules`);
  });

  test(`wasm3 runs the agent as V8 does, with recorded and with mutated events (seed ${SEED})`, async () => {
    const engine = await startWasm3();
    assert.equal((await engine.open(agentWasm(), { memory: new Agent(agentWasm()).memoryEnd, stack: 4096 })).code, 0);
    const comparison = new AgentComparison(engine);
    const recordings = await recordRuns(POLLS.slice(0, 4));
    for (const recording of recordings) await comparison.play(recording);
    const rng = new Rng(SEED);
    for (let n = 0; n < 200; n++) await comparison.mutate(recordings[rng.int(recordings.length)] as (typeof recordings)[number], rng, `seed ${SEED}`);
    assert.deepEqual(comparison.differences, []);
    await engine.close();
  });
});

describe("mutated modules and side tables", { skip }, () => {
  for (const [name, variant] of VARIANTS.filter(([, { goto }]) => goto !== 0)) {
    test(`${MUTANTS} mutants never make the engine ${name} touch memory that is not theirs (seed ${SEED})`, async () => {
      const directory = mkdtempSync(join(tmpdir(), "inplace-"));
      try {
        const files = writePairs(directory, agentWasm(), 1);
        const program = await buildDriver(variant, "test/host/mutate_inplace.c");
        const { status, stdout, stderr } = spawnSync(program, [String(SEED), String(MUTANTS), ...files], { encoding: "utf8" });
        assert.equal(status, 0, `seed ${SEED}: ${stderr.slice(0, 2000)}`);
        const opened = Number(/(\d+) opened/.exec(stdout)?.[1]);
        assert.ok(opened > MUTANTS / 1000 && opened < MUTANTS, stdout);
      } finally {
        rmSync(directory, { recursive: true, force: true });
      }
    });
  }
});
