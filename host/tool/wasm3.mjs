/**
 * wasm3's sources: the npm alias wasm3-sources (react-native-webassembly 0.3.3 carries them), or the tree that WASM3_DIR names
 * (the folder with wasm3.h, or a checkout with source/wasm3.h). Compiled with the settings of a device: integers only.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join, relative, resolve } from "node:path";
import { hashFiles, mustRun, root, StepError } from "./steps.mjs";

/** Files m3_PART.c; the last ones are only in newer trees. */
const PARTS = ["bind", "code", "compile", "core", "env", "exec", "function", "info", "module", "parse", "validate", "validation"];

/** Settings of the engine on every target (wasm-feasibility: what each is worth). */
export const WASM3_FLAGS = [
  "-Dd_m3HasFloat=0", "-Dd_m3NoFloatDynamic=0", "-Dd_m3VerboseErrorMessages=0", "-Dd_m3CascadedOpcodes=0", "-Dd_m3RecordBacktraces=0",
  "-Dd_m3MaxFunctionStackHeight=128", "-Dd_m3MaxConstantTableSize=64", "-Dd_m3CodePageAlignSize=1024", "-Dd_m3MaxDuplicateFunctionImpl=1", "-DNDEBUG",
];

/** Only for wasm3's own files: all its memory comes from the caller's arena (host/src/wasm_wasm3.c defines the three). */
export const WASM3_MEMORY = ["-Dcalloc=ipa_wasm3_calloc", "-Drealloc=ipa_wasm3_realloc", "-Dfree=ipa_wasm3_free"];

/** The folder with wasm3.h. Throws StepError when there is none. */
export function wasm3Folder() {
  const given = process.env.WASM3_DIR;
  const candidates = given === undefined ? [join(root, "node_modules/wasm3-sources/cpp")] : [resolve(given), resolve(given, "source")];
  const found = candidates.find((folder) => existsSync(join(folder, "wasm3.h")));
  if (found === undefined) throw new StepError(`wasm3.h is not in ${candidates.join(" or ")}${given === undefined ? "" : " (WASM3_DIR)"}`);
  return found;
}

/** wasm3's C files. */
export function wasm3Sources() {
  return PARTS.map((part) => join(wasm3Folder(), `m3_${part}.c`)).filter((path) => existsSync(path));
}

/** Builds wasm3 for this computer with `flags`; gives { flags, objects, stamp }. Its own warnings are its own. */
export async function wasm3({ flags, cc }) {
  const folder = wasm3Folder();
  const headers = readdirSync(folder).filter((name) => name.endsWith(".h")).map((name) => join(folder, name));
  // It adds and multiplies i32 in signed int: -fwrapv makes that what WebAssembly says.
  const settings = ["-std=gnu11", "-w", "-fwrapv", ...WASM3_FLAGS, ...WASM3_MEMORY, ...flags];
  const stamp = createHash("sha256").update(JSON.stringify([cc, settings])).update(hashFiles([...wasm3Sources(), ...headers].map((path) => relative(root, path)))).digest("hex");
  const out = join(root, "dist/native/wasm3", stamp.slice(0, 16));
  const objects = wasm3Sources().map((path) => join(out, basename(path).replace(/\.c$/, ".o")));
  if (!existsSync(join(out, "done"))) {
    mkdirSync(out, { recursive: true });
    for (const [i, source] of wasm3Sources().entries()) await mustRun(cc, [...settings, "-c", source, "-o", objects[i]]);
    writeFileSync(join(out, "done"), readFileSync(join(folder, "wasm3.h")).length.toString());
  }
  return { flags: ["-isystem", folder, ...WASM3_FLAGS], objects, stamp };
}
