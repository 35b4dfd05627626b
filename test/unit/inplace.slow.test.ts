/** The long form of inplace.test.ts: thousands of random modules, mutated events of all recorded runs, millions of mutants. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { makeSideTable } from "../../host/tool/side-table.js";
import { buildDriver } from "../../host/tool/spec-build.js";
import { Agent } from "../sim/agent/index.js";
import { Rng } from "../sim/core/rng.js";
import { DOWNLOADS } from "../robustness/download-runs.js";
import { POLLS } from "../robustness/recordings.js";
import { AgentComparison, agentWasm, recordRuns } from "./inplace-agent.js";
import { compareModule, startEngine, writePairs } from "./inplace-kit.js";
import { operatorModule, randomModule } from "./inplace-modules.js";

const SEED = Number(process.env["TINYIPA_SEED"] ?? Date.now() % 1_000_000_000);
const MODULES = 3000;
const MUTANTS = 1_000_000;
const EVENTS = 20_000;

describe("the in-place engine, long", () => {
  for (const validate of [0, 1] as const) {
    test(`${MODULES} random modules and 20 of every operator, IPA_CFG_WASM_VALIDATE=${validate} (seeds from ${SEED})`, async () => {
      const engine = await startEngine({ validate });
      for (let seed = SEED; seed < SEED + MODULES; seed++) {
        const rng = new Rng(seed);
        const spec = seed % 150 === 0 ? operatorModule(rng) : randomModule(rng);
        const { differences } = await compareModule(engine, spec, rng, seed % 150 === 0 ? 10_000 : 150);
        assert.deepEqual(differences, [], `seed ${seed}`);
      }
      await engine.close();
    });

    test(`${MUTANTS} mutants, IPA_CFG_WASM_VALIDATE=${validate} (seed ${SEED})`, async () => {
      const directory = mkdtempSync(join(tmpdir(), "inplace-"));
      const files = writePairs(directory, agentWasm(), SEED);
      const { status, stderr } = spawnSync(await buildDriver({ validate }, "test/host/mutate_inplace.c"), [String(SEED), String(MUTANTS), ...files], { encoding: "utf8" });
      rmSync(directory, { recursive: true, force: true });
      assert.equal(status, 0, stderr.slice(0, 2000));
    });
  }

  test(`all recorded runs, and ${EVENTS} mutated events (seed ${SEED})`, async () => {
    const engine = await startEngine({ validate: 0, fast: true });
    const side = makeSideTable(agentWasm());
    await engine.open(agentWasm(), { memory: new Agent(agentWasm()).memoryEnd, stack: side.stack, side: side.bytes });
    const comparison = new AgentComparison(engine);
    const recordings = await recordRuns([...POLLS, ...DOWNLOADS]);
    for (const recording of recordings) await comparison.play(recording);
    const rng = new Rng(SEED);
    for (let n = 0; n < EVENTS; n++) await comparison.mutate(recordings[rng.int(recordings.length)] as (typeof recordings)[number], rng, `seed ${SEED}`);
    assert.deepEqual(comparison.differences, []);
    await engine.close();
  });
});
