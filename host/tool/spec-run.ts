/**
 * `node spec-run.js DIR...`: runs every .wast file of the folders on both builds of the in-place engine (the one that ships, and the one with
 * full validation), prints executed and skipped for each file and in all; exit code 1 when anything differed, 2 for misuse.
 */
import { readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { EngineProcess } from "./spec-driver.js";
import { runFile, type FileResult } from "./spec-suite.js";
import { buildDriver } from "./spec-build.js";

function wastFiles(path: string): string[] {
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".wast")).sort().map((name) => join(path, name));
}

function line({ file, executed, skipped, differences, unreadable }: FileResult): string {
  const name = basename(file).padEnd(36);
  if (unreadable !== undefined) return `  ${name} not readable: ${unreadable}`;
  const without = [...skipped.values()].reduce((sum, count) => sum + count, 0);
  return `  ${name} ${String(executed).padStart(6)} executed ${String(without).padStart(6)} skipped${differences.length === 0 ? "" : ` ${differences.length} DIFFER`}`;
}

async function runAll(name: string, program: string, files: readonly string[]): Promise<number> {
  let engine = new EngineProcess(program);
  const results: FileResult[] = [];
  const reasons = new Map<string, number>();
  console.log(`${name}:`);
  for (const file of files) {
    const result = await runFile(file, engine).catch((error: Error): FileResult => ({ file, executed: 0, skipped: new Map(), differences: [error.message] }));
    if (result.differences.some((text) => text.includes("engine process ended"))) engine = new EngineProcess(program);
    results.push(result);
    console.log(line(result));
    for (const difference of result.differences.slice(0, 20)) console.log(`✖ ${difference}`);
    for (const [reason, count] of result.skipped) reasons.set(reason, (reasons.get(reason) ?? 0) + count);
  }
  await engine.close();
  const differ = results.reduce((sum, { differences }) => sum + differences.length, 0);
  const executed = results.reduce((sum, result) => sum + result.executed, 0);
  const skipped = [...reasons.values()].reduce((sum, count) => sum + count, 0);
  for (const [reason, count] of [...reasons].sort((a, b) => b[1] - a[1])) console.log(`  skipped ${String(count).padStart(6)}: ${reason}`);
  console.log(`${files.length} files, ${results.filter(({ unreadable }) => unreadable !== undefined).length} not readable; ${executed} executed, ${skipped} skipped, ${differ} different`);
  return differ + (executed === 0 ? 1 : 0);
}

async function main(folders: readonly string[]): Promise<number> {
  if (folders.length === 0) {
    console.error("expected a folder of .wast files, got nothing");
    return 2;
  }
  const files = folders.flatMap(wastFiles);
  let differ = 0;
  for (const [name, validate] of [["engine as it ships", 0], ["engine with full validation", 1]] as const) {
    differ += await runAll(name, await buildDriver({ validate }), files);
  }
  return differ === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
