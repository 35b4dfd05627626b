/**
 * C on this computer: compiles a program from the sources that its first comment names, and runs the unit tests of the C modules.
 *
 *     sources: host/modem/at.c host/modem/uicc_at.c     what is compiled with it
 *     needs: mbedtls wasm3                              libraries (NEEDS)
 *     flags: -DIPA_CFG_X=1                              more compiler flags
 *
 * A program is built again when a source, any header, or the flags changed. Everything lands in dist/native/.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { files, hashFiles, root, run, StepError, which } from "./steps.mjs";
import { mbedtls, MbedtlsMissing, mbedtlsParts } from "./mbedtls.mjs";
import { wasm3, WASM3_FLAGS, wasm3Folder } from "./wasm3.mjs";

/** Warnings are errors in our own sources; gcc and clang both. */
export const STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror"];
export const SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"];
const INCLUDE = ["-Ihost/include", "-Ihost", "-Itest/host"];

/** Each gives { flags: compiler flags, objects: files to link } for a set of base flags, building itself first when it must. */
const NEEDS = { mbedtls, wasm3 };

export const compiler = () => process.env.CC ?? "gcc";

/** What the first comment of a C file says of it. */
export function recipe(path) {
  const comment = /\/\*[\s\S]*?\*\//.exec(readFileSync(join(root, path), "utf8"))?.[0] ?? "";
  const words = (name) => [...comment.matchAll(new RegExp(`^[ *]*${name}:(.*)$`, "gm"))].flatMap((match) => match[1].replace("*/", "").trim().split(/\s+/)).filter(Boolean);
  return { sources: words("sources"), needs: words("needs"), flags: words("flags") };
}

/** Builds `main` into dist/native/NAME and gives the path. `extra`: compiler flags, e.g. SANITIZE; they are part of the name's stamp. */
export async function program(main, { name = main.replace(/^.*\/|\.c$/g, ""), extra = ["-g", "-O1", ...SANITIZE], cc = compiler() } = {}) {
  const { sources, needs, flags } = recipe(main);
  const output = join("dist/native", name);
  for (const path of sources) if (!existsSync(join(root, path))) throw new StepError(`${main} names ${path}, which is not there`);
  for (const need of needs) if (NEEDS[need] === undefined) throw new StepError(`${main} needs ${need}; expected ${Object.keys(NEEDS).join(" or ")}`);
  const libraries = [];
  for (const need of needs) libraries.push(await NEEDS[need]({ flags: [...flags, ...extra], cc }));
  const all = [...flags, ...extra, ...libraries.flatMap((library) => library.flags)];
  const inputs = [main, ...sources, ...files("host", isHeader), ...files("test/host", isHeader)];
  const stamp = join(root, "dist/native", `.${name}.stamp`);
  const hash = createHash("sha256").update(JSON.stringify([cc, all, libraries.map((library) => library.stamp)])).update(hashFiles(inputs)).digest("hex");
  if (existsSync(join(root, output)) && existsSync(stamp) && readFileSync(stamp, "utf8") === hash) return output;
  mkdirSync(dirname(join(root, output)), { recursive: true });
  const args = [...STRICT, ...INCLUDE, ...all, main, ...sources, ...libraries.flatMap((library) => library.objects), "-o", output];
  const { status, output: text } = await run(cc, args);
  if (status !== 0) throw new StepError(`${main} does not compile:\n${text.trim()}`);
  writeFileSync(stamp, hash);
  return output;
}

/**
 * Every C file of host/, and of the boards that this computer can compile, read by gcc and clang with all warnings as errors. Gives { passed, failed, skipped }: one
 * for each compiler.
 */
export async function strictSources() {
  const total = { passed: 0, failed: 0, skipped: [] };
  let flags;
  try {
    ({ flags } = await mbedtlsParts());
  } catch (error) {
    if (!(error instanceof MbedtlsMissing)) throw error;
    total.skipped.push(`reading the C host with all warnings: ${error.message}`);
    return total;
  }
  const sources = [...files("host/src", isSource), ...files("host/store", isSource), ...files("host/modem", isSource), ...files("host/link", (name) => isSource(name) && name !== "mbedtls_ssl_tls.c"), ...files("boards/app", isSource), ...files("boards/posix", isSource)];
  for (const cc of ["gcc", "clang"]) {
    if (which(cc) === undefined) {
      total.skipped.push(`reading the C host with ${cc}: it is not installed`);
      continue;
    }
    const bad = [];
    for (const path of sources) {
      const board = path.startsWith("boards/") ? ['-DIPA_CONFIG_H="posix/ipa_config.h"'] : [];
      const { status, output } = await run(cc, ["-fsyntax-only", ...STRICT, ...INCLUDE, "-Iboards", "-Ihost/src", ...board, ...flags, "-isystem", wasm3Folder(), ...WASM3_FLAGS, path]);
      if (status !== 0) bad.push(`${path}:\n${output.trim()}`);
    }
    total[bad.length === 0 ? "passed" : "failed"] += 1;
    console.log(`  ${`${sources.length} C files read by ${cc}`.padEnd(52)} ${bad.length === 0 ? "without a warning" : `✖ ${bad.length} have warnings\n${bad.join("\n")}`}`);
  }
  return total;
}

/** Builds and runs test/host/test_*.c (those with one of `filter` in their path). Gives { passed, failed, skipped }. */
export async function nativeTests(filter = []) {
  const total = { passed: 0, failed: 0, skipped: [] };
  const wanted = files("test/host", (file) => /^test_.*\.c$/.test(file)).filter((path) => filter.length === 0 || filter.some((part) => path.includes(part)));
  if (wanted.length > 0 && which(compiler()) === undefined) {
    total.skipped.push(`unit tests of the C host: ${compiler()} is not installed`);
    return total;
  }
  for (const path of wanted) {
    const result = await nativeTest(path);
    total.passed += result.passed;
    total.failed += result.failed;
    if (result.skipped !== undefined) total.skipped.push(result.skipped);
    console.log(`  ${path.padEnd(52)} ${result.passed} passed${result.failed === 0 ? "" : `, ${result.failed} failed`}`);
    if (result.failed > 0) console.log(result.text.trim());
  }
  return total;
}

async function nativeTest(path) {
  let output;
  try {
    output = await program(path);
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    if (error instanceof MbedtlsMissing) return { passed: 0, failed: 0, text: "", skipped: `${path}: ${error.message}` };
    return { passed: 0, failed: 1, text: error.message };
  }
  const { status, output: text } = await run(join(root, output), []);
  const passed = text.match(/^ok /gm)?.length ?? 0;
  const failed = text.match(/^not ok /gm)?.length ?? 0;
  // A program that dies (sanitizer, signal) has failed whatever it printed before.
  return { passed, failed: status !== 0 && failed === 0 ? 1 : failed, text };
}

const isSource = (name) => name.endsWith(".c");
const isHeader = (name) => name.endsWith(".h");
