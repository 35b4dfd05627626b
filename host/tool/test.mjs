/**
 * Runs all tests: the unit tests of the C host, the as-pect specs of the agent's modules, the node:test files of what tsc built, and the import rules.
 * The last line is `N passed, N failed`. A test that is skipped is named; under CI=true it is a failure.
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fuzz } from "./fuzz.mjs";
import { missingTools } from "./install.mjs";
import { nativeTests, strictSources } from "./native.mjs";
import { ci, files, root, run } from "./steps.mjs";

const CONCURRENCY = 2;
/** Of each fuzz target in `npm test`; `npm run fuzz` takes longer. */
const FUZZ_SECONDS = 3;

/** `filter`: parts of paths; only test files with one of them in their path run. Gives the exit code. */
export async function test({ slow, filter }) {
  const start = performance.now();
  const total = { passed: 0, failed: 0, skipped: [] };
  const wanted = (path) => filter.length === 0 || filter.some((part) => path.includes(part));
  await cTests(total, filter);
  if (filter.length === 0) add(total, await fuzz({ seconds: slow ? 60 : FUZZ_SECONDS }));
  await specs(total, files("assembly/__tests__", (name) => name.endsWith(".spec.ts")).filter(wanted));
  await nodeTests(total, nodeTestFiles(slow).filter(wanted));
  if (filter.length === 0) {
    await importRules(total);
    total.skipped.push(...missingTools());
  }
  for (const sentence of total.skipped) console.log(`skipped: ${sentence}`);
  if (ci) total.failed += total.skipped.length;
  if (total.passed + total.failed === 0) {
    console.log(`no test file has ${filter.map((part) => `"${part}"`).join(" or ")} in its path`);
    total.failed = 1;
  }
  console.log(`${((performance.now() - start) / 1000).toFixed(1)} s`);
  console.log(`${total.passed} passed, ${total.failed} failed`);
  return total.failed === 0 ? 0 : 1;
}

/** Unit tests of the C host, under AddressSanitizer and UndefinedBehaviorSanitizer. */
async function cTests(total, filter) {
  add(total, await nativeTests(filter));
  if (filter.length === 0) add(total, await strictSources());
}

function add(total, { passed, failed, skipped }) {
  total.passed += passed;
  total.failed += failed;
  total.skipped.push(...skipped);
}

function nodeTestFiles(slow) {
  return files("dist/ts/test", (name) => name.endsWith(".test.js") && (slow || !name.endsWith(".slow.test.js")));
}

/** as-pect compiles and runs each spec; our reporter (assembly/as-pect.reporter.js) writes one line of JSON for each to a file. */
async function specs(total, paths) {
  if (paths.length === 0) return;
  const report = freshReport("as-pect");
  const { status, output } = await run(process.execPath, [
    "node_modules/@as-pect/cli/bin/asp.js", "--config", "assembly/as-pect.config.js", "--as-config", "assembly/as-pect.asconfig.json",
  ], { env: { TINYIPA_SPECS: paths.join(","), TINYIPA_REPORT: report } });
  const results = existsSync(report) ? readFileSync(report, "utf8").trim().split("\n").filter(Boolean).map((line) => JSON.parse(line)) : [];
  for (const result of results) {
    total.passed += result.passed;
    total.failed += result.failed;
    console.log(`  ${result.file.padEnd(52)} ${summary(result)}`);
    for (const failure of result.failures) console.log(`✖ ${result.file} › ${failure}`);
  }
  // A spec that does not compile, or a runner that dies, reports nothing.
  const silent = paths.filter((path) => !results.some((result) => result.file === path));
  if (silent.length > 0 || (status !== 0 && results.every((result) => result.failed === 0))) {
    console.log(`✖ as-pect ended (${status}) without a report for ${silent.join(", ") || "no spec"}:\n${output.trim()}`);
    total.failed += Math.max(1, silent.length);
  }
}

async function nodeTests(total, paths) {
  if (paths.length === 0) return;
  const report = freshReport("node");
  const { status } = await run(process.execPath, [
    "--enable-source-maps", "--test", `--test-concurrency=${CONCURRENCY}`, "--test-reporter=./host/tool/reporter.mjs", "--test-reporter-destination=stdout", ...paths,
  ], { show: true, env: { TINYIPA_REPORT: report } });
  const result = existsSync(report) ? JSON.parse(readFileSync(report, "utf8")) : { passed: 0, failed: 0, skipped: [] };
  total.passed += result.passed;
  total.failed += result.failed;
  total.skipped.push(...result.skipped);
  if (status !== 0 && result.failed === 0) {
    console.log(`✖ node --test ended with status ${status} and reported no failure`);
    total.failed += 1;
  }
}

async function importRules(total) {
  const { status, output } = await run(process.execPath, ["dist/ts/host/tool/imports-run.js"]);
  if (status !== 0) console.log(`✖ import rules\n${output.trim()}`);
  total[status === 0 ? "passed" : "failed"] += 1;
}

function freshReport(name) {
  const path = join(root, `dist/.report-${name}.json`);
  mkdirSync(join(root, "dist"), { recursive: true });
  rmSync(path, { force: true });
  return path;
}

function summary({ passed, failed }) {
  return failed === 0 ? `${passed} passed` : `${passed} passed, ${failed} failed`;
}
