/**
 * The build, in the order of its parts: TypeScript (dist/ts), the agent (dist/tinyipa.wasm, only when it passes the gate),
 * the Node binding of the C host's engines (dist/native/ipa_*.node), the command line in one file (dist/tinyipa.mjs). Each is done only when its inputs changed.
 */
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { addons } from "./addon.mjs";
import { files, mustRun, root, run, step, StepError, whenStale, which } from "./steps.mjs";

const WASM = "dist/tinyipa.wasm";
const SIDE = "dist/tinyipa.side";
const CANDIDATE = "dist/.candidate.wasm";
const BUNDLE = "dist/tinyipa.mjs";

export async function build() {
  mkdirSync(join(root, "dist"), { recursive: true });
  await step("typescript", typescript);
  await step("agent", agent);
  console.log(`  sha256        ${createHash("sha256").update(readFileSync(join(root, WASM))).digest("hex")}`);
  await step("side table", sideTable);
  await step("engines", addons);
  await step("bundle", bundle);
}

async function typescript() {
  const sources = [...files("test", isTypeScript), ...files("host/tool", isTypeScript)].filter((path) => !path.startsWith("test/probe/"));
  return whenStale("typescript", [...sources, "tsconfig.json", "package-lock.json"], ["dist/ts/host/tool/gate.js"], async () => {
    removeOrphans(new Set(sources));
    await mustRun(process.execPath, ["node_modules/typescript/bin/tsc", "-p", ".", "--pretty", "false"]);
    return `${sources.length} files`;
  });
}

/** What an earlier build made of a source that is gone would go on being tested. */
function removeOrphans(sources) {
  for (const path of files("dist/ts", (name) => name.endsWith(".js"))) {
    if (!sources.has(path.slice("dist/ts/".length).replace(/\.js$/, ".ts"))) rmSync(join(root, path));
  }
}

async function agent() {
  const sources = files("assembly", (name) => name.endsWith(".ts")).filter((path) => !path.includes("__tests__"));
  const gate = files("dist/ts/host/tool", (name) => name.endsWith(".js"));
  // wasm-validate counts as an input: once it is installed, the gate runs again with it.
  const validator = which("wasm-validate") === undefined ? "unvalidated" : "validated";
  const detail = await whenStale(`agent-${validator}`, [...sources, ...gate, "asconfig.json", "package-lock.json"], [WASM], async () => {
    await mustRun(process.execPath, ["node_modules/assemblyscript/bin/asc.js", "--config", "asconfig.json", "--target", "release", "--outFile", CANDIDATE]);
    await passGate();
    renameSync(join(root, CANDIDATE), join(root, WASM));
    return "built";
  });
  const wasm = readFileSync(join(root, WASM));
  return `${WASM}, ${wasm.length} B, ${detail}`;
}

/** What the engine in place needs beside the wasm; it goes into the signed container. */
async function sideTable() {
  const detail = await whenStale("side-table", [WASM, "dist/ts/host/tool/side-table.js"], [SIDE], async () => {
    const { makeSideTable } = await import("../../dist/ts/host/tool/side-table.js");
    const table = makeSideTable(new Uint8Array(readFileSync(join(root, WASM))));
    writeFileSync(join(root, SIDE), table.bytes);
    return `stack ${table.stack} B`;
  });
  return `${SIDE}, ${readFileSync(join(root, SIDE)).length} B, ${detail}`;
}

async function passGate() {
  const { status, output } = await run(process.execPath, ["dist/ts/host/tool/gate-run.js", CANDIDATE]);
  if (status !== 0) throw new StepError(`the build gate refuses the agent:\n${output.trimEnd()}`);
  console.log(output.trimEnd());
}

async function bundle() {
  const sources = [...files("dist/ts/test/cli", (name) => name.endsWith(".js")), ...files("dist/ts/test/sim", (name) => name.endsWith(".js")), ...files("dist/ts/test/scenarios", (name) => name.endsWith(".js")), ...files("dist/ts/host/tool", (name) => name.endsWith(".js"))];
  const entry = "test/cli.ts";
  if (!existsSync(join(root, entry))) throw new StepError(`${entry} is not there`);
  return whenStale("bundle", [...sources, "dist/ts/test/cli.js", "package-lock.json"], [BUNDLE], async () => {
    const esbuild = await import("esbuild");
    const result = await esbuild.build({
      absWorkingDir: root, entryPoints: [entry], outfile: BUNDLE, bundle: true, platform: "node", format: "esm", target: "node20",
      // esbuild keeps the entry's own #! line; what it bundles may still call require() for a builtin.
      banner: { js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);' },
      legalComments: "eof", logLevel: "silent",
    }).catch((error) => { throw new StepError(`esbuild: ${error.message}`); });
    if (result.warnings.length > 0) throw new StepError(`esbuild warns: ${result.warnings.map(({ text }) => text).join("; ")}`);
    chmodSync(join(root, BUNDLE), 0o755);
    return BUNDLE;
  });
}

function isTypeScript(name) {
  return name.endsWith(".ts");
}
