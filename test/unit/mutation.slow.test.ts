/** Half a million mutated messages of polls, and as many of downloads, under other seeds than mutation.test.ts. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { runGuarded } from "../robustness/guarded.js";
import { SETS, type SetName } from "../robustness/material.js";
import { findAgent } from "../sim/index.js";

const CASES = 250_000;
const wasm = new Uint8Array(readFileSync(findAgent()));

for (const set of Object.keys(SETS) as SetName[]) {
  for (const seed of [2, 3]) {
    test(`no damaged message of ${set} among ${CASES} of seed ${seed} breaks the agent`, async () => {
      const { failures } = await runGuarded({ wasm, set, seed, from: 0, count: CASES, talk: false });
      assert.deepEqual(failures, [], failures.join("\n"));
    });
  }
}
