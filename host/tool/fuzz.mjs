/**
 * `npm run fuzz [-- [--seconds N] [--runs N] [part of a path]...]`: the libFuzzer targets test/host/fuzz_*.c under AddressSanitizer and
 * UndefinedBehaviorSanitizer, one after the other; a target's first comment says what is compiled with it (host/tool/native.mjs).
 * Seeds are the files in test/vectors/fuzz/NAME/, when there are any; what a run finds of new ways is kept in dist/fuzz/NAME/ for the next.
 * An input that fails is left in dist/fuzz/ and named; `dist/native/fuzz_NAME FILE` repeats it.
 */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { program } from "./native.mjs";
import { files, root, run, StepError, which } from "./steps.mjs";

const FLAGS = ["-g", "-O1", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"];
const LONGEST_INPUT = 4096;

/** Runs each target for `seconds`, or `runs` inputs, whichever ends first. Gives { passed, failed, skipped }. */
export async function fuzz({ seconds = 60, runs = -1, filter = [], seed = 1 } = {}) {
  const total = { passed: 0, failed: 0, skipped: [] };
  const wanted = files("test/host", (file) => /^fuzz_.*\.c$/.test(file)).filter((path) => filter.length === 0 || filter.some((part) => path.includes(part)));
  if (wanted.length > 0 && which("clang") === undefined) {
    total.skipped.push("fuzzing of the C host: clang is not installed");
    return total;
  }
  for (const path of wanted) {
    const { ok, text } = await target(path, { seconds, runs, seed });
    total[ok ? "passed" : "failed"] += 1;
    console.log(`  ${path.padEnd(52)} ${text}`);
  }
  return total;
}

async function target(path, { seconds, runs, seed }) {
  const name = path.replace(/^.*\/fuzz_|\.c$/g, "");
  const folder = join(root, "dist/fuzz", name), seeds = join(root, "test/vectors/fuzz", name);
  let output;
  try {
    output = await program(path, { cc: "clang", extra: FLAGS });
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    return { ok: false, text: error.message };
  }
  mkdirSync(folder, { recursive: true });
  const folders = [folder, ...(existsSync(seeds) ? [seeds] : [])];
  const limits = [`-max_total_time=${seconds}`, `-runs=${runs}`, `-seed=${seed}`, `-max_len=${LONGEST_INPUT}`, "-timeout=10", "-rss_limit_mb=1024"];
  const { status, output: text } = await run(join(root, output), [...limits, "-print_final_stats=1", `-artifact_prefix=dist/fuzz/${name}-`, ...folders]);
  const executed = /stat::number_of_executed_units:\s*(\d+)/.exec(text)?.[1];
  if (status === 0 && executed !== undefined) return { ok: true, text: `${executed} inputs` };
  return { ok: false, text: `failed (${status})\n${text.trim().split("\n").slice(-60).join("\n")}` };
}

/** Arguments of the command line; throws StepError for misuse. */
function options(args) {
  const result = { filter: [] };
  for (let i = 0; i < args.length; i++) {
    if (args[i] !== "--seconds" && args[i] !== "--runs") {
      if (args[i].startsWith("-")) throw new StepError(`expected --seconds, --runs or a part of a path, got ${args[i]}`);
      result.filter.push(args[i]);
      continue;
    }
    const value = Number(args[i + 1]);
    if (!Number.isInteger(value) || value < 1) throw new StepError(`expected a whole number for ${args[i]}, got ${args[i + 1] ?? "nothing"}`);
    result[args[i].slice(2)] = value;
    i++;
  }
  return result;
}

/** The command; gives the exit code. */
export async function main(args) {
  try {
    const { passed, failed, skipped } = await fuzz(options(args));
    for (const sentence of skipped) console.log(`skipped: ${sentence}`);
    console.log(`${passed} passed, ${failed} failed`);
    return failed === 0 && passed > 0 ? 0 : 1;
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    console.error(error.message);
    return 2;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await main(process.argv.slice(2));
