/**
 * Mutated messages of eIM, eUICC, journal and host against the shipping wasm (test/robustness). TINYIPA_MUTATION=seed:index repeats one
 * case and prints its ops and events.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { runGuarded } from "../robustness/guarded.js";
import { findAgent } from "../sim/index.js";

const SEED = 1;
const CASES = 20_000;
const wasm = new Uint8Array(readFileSync(findAgent()));

test("whatever message is damaged, the agent neither traps nor hangs, keeps to the mailbox's rules, comes to rest and polls again", async (t) => {
  const [seed, index] = (process.env["TINYIPA_MUTATION"] ?? "").split(":").map(Number);
  const one = index !== undefined && Number.isInteger(index);
  const { counts, failures } = await runGuarded({ wasm, seed: one ? (seed ?? SEED) : SEED, from: one ? index : 0, count: one ? 1 : CASES, talk: one });
  t.diagnostic(`${counts.cases} cases, ${counts.ops} ops, ${counts.polls} polls afterwards`);
  assert.deepEqual(failures, [], failures.join("\n"));
});
