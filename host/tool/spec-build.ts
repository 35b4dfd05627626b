/** Builds the engine process (test/host/inplace_driver.c) in one of its variants, with the compiler's sanitizers. */
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { existsSync } from "node:fs";

export interface Variant {
  /** IPA_CFG_WASM_VALIDATE. */
  validate: 0 | 1;
  /** IPA_CFG_WASM_GOTO: computed goto, or switch. */
  goto?: 0 | 1;
  /** Without sanitizers: -O2. */
  fast?: boolean;
}

interface Native {
  program(main: string, options: { name: string; extra: string[] }): Promise<string>;
  SANITIZE: string[];
}

/** The repository's root, from wherever tsc put this file. */
export function repositoryRoot(): string {
  for (let at = dirname(fileURLToPath(import.meta.url)); ; at = dirname(at)) {
    if (existsSync(join(at, "package.json")) && existsSync(join(at, "host/tool/native.mjs"))) return at;
    if (at === dirname(at)) throw new Error("expected a package.json above this file, found none");
  }
}

/** Builds when it must; gives the program's path. */
export async function buildDriver({ validate, goto = 1, fast = false }: Variant, main = "test/host/inplace_driver.c"): Promise<string> {
  const root = repositoryRoot();
  const native = (await import(pathToFileURL(join(root, "host/tool/native.mjs")).href)) as Native;
  const name = `${main.replace(/^.*\/|\.c$/g, "")}-${validate === 1 ? "validate" : "small"}${goto === 1 ? "" : "-switch"}${fast ? "-fast" : ""}`;
  const defines = [`-DIPA_CFG_WASM_VALIDATE=${validate}`, `-DIPA_CFG_WASM_GOTO=${goto}`];
  const output = await native.program(main, { name, extra: [...defines, ...(fast ? ["-O2"] : ["-g", "-O1", ...native.SANITIZE])] });
  return join(root, output);
}
