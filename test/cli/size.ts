/**
 * `tinyipa size`: what the agent costs: octets of wasm by section, linear memory, functions, and the hash of the very file; and what the
 * firmware that was built (npm run size, npm run firmware) costs by part.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { SIZE_BUDGET, STATIC_BUDGET, checkModule } from "../../host/tool/gate.js";
import { findAgent } from "../sim/agent/find.js";
import { FAILED, OK, readArgs, UsageError, type Command, type Io } from "./command.js";

const HELP = `Usage: tinyipa size [--json] [FILE]

Sizes of the agent's wasm (default: the built dist/tinyipa.wasm) and the rules of the build gate; without FILE also the flash and RAM by part
of the firmware images in dist/firmware.

  --json    { file, bytes, budget, sha256, sections: [{ name, bytes }], functions, globals, exports, pages, staticEnd, staticBudget, problems, firmware }
  -h, --help

Exit code 0: the file passes the gate; 1: it breaks a rule.
`;

async function run(args: string[], io: Io): Promise<number> {
  const { values, positionals } = readArgs(args, { json: { type: "boolean", default: false } }, { max: 1, what: "at most one file" });
  const file = positionals[0] ?? findAgent();
  const sizes = { ...measure(file), firmware: positionals[0] === undefined ? images(join(dirname(file), "firmware")) : [] };
  if (values.json) io.out(JSON.stringify(sizes, null, 2));
  else for (const line of [...table(sizes), ...sizes.firmware.flatMap(imageTable)]) io.out(line);
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

/** What host/tool/firmware-size.mjs read from a linker's map. */
interface Image {
  readonly variant: string;
  /** Octets by part. */
  readonly flash: Readonly<Record<string, number>>;
  readonly ram: Readonly<Record<string, number>>;
  readonly arenas: readonly { readonly name: string; readonly bytes: number }[];
  readonly stack: number;
  readonly total: { readonly flash: number; readonly ram: number };
}

/** Images that stand in dist/firmware; those for emulators and tests are no product. */
function images(folder: string): Image[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => existsSync(join(folder, name, "size.json"))).sort();
  return names.map((name) => JSON.parse(readFileSync(join(folder, name, "size.json"), "utf8")) as Image).filter((image) => !/emulated|sanitized/.test(image.variant));
}

function imageTable({ variant, flash, ram, arenas, stack, total }: Image): string[] {
  const row = (name: string, a: number | string, b: number | string): string => `  ${name.padEnd(30)}${String(a).padStart(8)}${String(b).padStart(9)}`;
  const parts = [...new Set([...Object.keys(flash), ...Object.keys(ram)])].sort((a, b) => (flash[b] ?? 0) - (flash[a] ?? 0));
  return [
    "", `firmware ${variant}`, row("octets", "flash", "RAM"), ...parts.map((part) => row(PARTS[part] ?? part, flash[part] ?? 0, ram[part] ?? 0)),
    ...arenas.map(({ name, bytes }) => row(name.replace("_", " "), "", bytes)), row("stack, reserved", "", stack), row("in all", total.flash, total.ram),
  ];
}

const PARTS: Readonly<Record<string, string>> = {
  agent: "agent: wasm, side table", engine: "engine", host: "host: ops, journal, container", modem: "AT driver", link: "CoAP, HTTP, trust", tls: "Mbed TLS", app: "device, console, sensor", libc: "libc, libgcc",
};

export const command: Command = { name: "size", summary: "show what the agent's wasm costs", help: HELP, run };
