/**
 * Mutated messages of eIM, SM-DP+, eUICC, journal and host against the shipping wasm (test/robustness). TINYIPA_MUTATION=set:seed:index repeats one
 * case and prints its ops and events.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { runGuarded } from "../robustness/guarded.js";
import { SETS, type SetName } from "../robustness/material.js";
import { findAgent } from "../sim/index.js";

const SEED = 1;
const CASES = 20_000;
const WHAT: Record<SetName, string> = { polls: "whatever message is damaged", downloads: "whatever message of a profile download is damaged" };
const wasm = new Uint8Array(readFileSync(findAgent()));
const [only, seed, index] = (process.env["TINYIPA_MUTATION"] ?? "").split(":");
const one = index !== undefined;

for (const set of (Object.keys(SETS) as SetName[]).filter((name) => !one || name === only)) {
  test(`${WHAT[set]}, the agent neither traps nor hangs, keeps to the mailbox's rules, comes to rest and polls again`, async (t) => {
    const { counts, failures } = await runGuarded({ wasm, set, seed: one ? Number(seed) : SEED, from: one ? Number(index) : 0, count: one ? 1 : CASES, talk: one });
    t.diagnostic(`${counts.cases} cases, ${counts.ops} ops, ${counts.polls} polls afterwards`);
    assert.deepEqual(failures, [], failures.join("\n"));
  });
}
