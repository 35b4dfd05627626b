/**
 * `node gate-run.js FILE`: passes a wasm through the gate and through wasm-validate (wabt), where that is installed;
 * prints a short table; exit code 1 when a rule is broken. Under CI=true wasm-validate must be there.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { checkModule, SIZE_BUDGET, STATIC_BUDGET, type GateReport } from "./gate.js";

/** What wasm-validate says: undefined when it accepts; "missing" when it is not installed. */
function wabtOpinion(file: string): string | undefined {
  const { status, error, stderr, stdout } = spawnSync("wasm-validate", [file], { encoding: "utf8" });
  if (error !== undefined) return (error as NodeJS.ErrnoException).code === "ENOENT" ? "missing" : error.message;
  return status === 0 ? undefined : `${stdout}${stderr}`.trim();
}

function table(report: GateReport, validated: string): string[] {
  const of = (value: number | undefined, budget: number): string => `${value ?? "?"} B of ${budget} B${value === undefined ? "" : ` (${Math.round((value / budget) * 100)} %)`}`;
  const section = (name: string): number => report.module?.sections.find((entry) => entry.name === name)?.size ?? 0;
  return [
    `  wasm          ${of(report.size, SIZE_BUDGET)}: code ${section("code")}, data ${section("data")}`,
    `  static data   ${of(report.staticEnd, STATIC_BUDGET)}`,
    `  functions     ${report.module?.functions.length ?? "?"}, ${report.module?.globals.length ?? "?"} globals, ${report.instructions.length} distinct instructions`,
    `  validated by  ${validated}`,
  ];
}

function main(file: string | undefined): number {
  if (file === undefined) {
    console.error("expected the path of a wasm file, got nothing");
    return 2;
  }
  const report = checkModule(readFileSync(file));
  const opinion = wabtOpinion(file);
  const mustHaveWabt = process.env["CI"] === "true";
  if (opinion !== undefined && (opinion !== "missing" || mustHaveWabt)) {
    report.problems.push(opinion === "missing" ? "wasm-validate (wabt) is not installed, and under CI=true it must be" : `wasm-validate: ${opinion}`);
  }
  for (const line of table(report, opinion === undefined ? "V8, wasm-validate" : "V8 (wasm-validate is not installed)")) console.log(line);
  for (const problem of report.problems) console.log(`✖ ${problem}`);
  return report.problems.length === 0 ? 0 : 1;
}

process.exitCode = main(process.argv[2]);
