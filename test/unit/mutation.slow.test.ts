/** Half a million mutated messages, under other seeds than mutation.test.ts. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { runGuarded } from "../robustness/guarded.js";
import { findAgent } from "../sim/index.js";

const CASES = 250_000;
const wasm = new Uint8Array(readFileSync(findAgent()));

for (const seed of [2, 3]) {
  test(`no damaged message among ${CASES} of seed ${seed} breaks the agent`, async () => {
    const { failures } = await runGuarded({ wasm, seed, from: 0, count: CASES, talk: false });
    assert.deepEqual(failures, [], failures.join("\n"));
  });
}
