/**
 * `tinyipa size`: what the agent costs: octets of wasm by section, linear memory, functions, and the hash of the very file.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { SIZE_BUDGET, STATIC_BUDGET, checkModule } from "../../host/tool/gate.js";
import { findAgent } from "../sim/agent/find.js";
import { FAILED, OK, readArgs, UsageError, type Command, type Io } from "./command.js";

const HELP = `Usage: tinyipa size [--json] [FILE]

Sizes of the agent's wasm (default: the built dist/tinyipa.wasm) and the rules of the build gate.

  --json    { file, bytes, budget, sha256, sections: [{ name, bytes }], functions, globals, exports, pages, staticEnd, staticBudget, problems }
  -h, --help

Exit code 0: the file passes the gate; 1: it breaks a rule.
`;

async function run(args: string[], io: Io): Promise<number> {
  const { values, positionals } = readArgs(args, { json: { type: "boolean", default: false } }, { max: 1, what: "at most one file" });
  const file = positionals[0] ?? findAgent();
  const sizes = measure(file);
  if (values.json) io.out(JSON.stringify(sizes, null, 2));
  else for (const line of table(sizes)) io.out(line);
  return sizes.problems.length === 0 ? OK : FAILED;
}

function measure(file: string) {
  const bytes = read(file);
  const { module, problems, staticEnd } = checkModule(bytes);
  return {
    file,
    bytes: bytes.length,
    budget: SIZE_BUDGET,
    sha256: createHash("sha256").update(bytes).digest("hex"),
    sections: (module?.sections ?? []).map(({ name, size }) => ({ name, bytes: size })),
    functions: module?.functions.length ?? null,
    globals: module?.globals.length ?? null,
    exports: (module?.exports ?? []).map(({ name }) => name),
    pages: module?.memories[0]?.minimum ?? null,
    staticEnd: staticEnd ?? null,
    staticBudget: STATIC_BUDGET,
    problems,
  };
}

function read(file: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(file));
  } catch (error) {
    throw new UsageError(`expected a wasm file, got "${file}" (${(error as NodeJS.ErrnoException).code ?? (error as Error).message})`);
  }
}

function table(sizes: ReturnType<typeof measure>): string[] {
  const row = (name: string, text: string | number): string => `${name.padEnd(14)} ${text}`;
  return [
    row("wasm", `${sizes.bytes} B of ${sizes.budget} B`),
    ...sizes.sections.map(({ name, bytes }) => row(`  ${name}`, `${bytes} B`)),
    row("linear memory", `${sizes.staticEnd ?? "?"} B of ${sizes.staticBudget} B, ${sizes.pages ?? "?"} page declared`),
    row("functions", `${sizes.functions ?? "?"}, ${sizes.globals ?? "?"} globals`),
    row("exports", sizes.exports.join(" ")),
    row("sha256", sizes.sha256),
    ...sizes.problems.map((problem) => `✖ ${problem}`),
  ];
}

export const command: Command = { name: "size", summary: "show what the agent's wasm costs", help: HELP, run };
