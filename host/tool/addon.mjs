/** The Node binding: host/node/addon.c with an engine of the C host, one dist/native/ipa_ENGINE.node for each. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { compiler, STRICT } from "./native.mjs";
import { files, hashFiles, mustRun, root, StepError, which } from "./steps.mjs";
import { wasm3 } from "./wasm3.mjs";

const FLAGS = ["-O2", "-g", "-fPIC", "-fvisibility=hidden"];

/** Engines that the binding is built with: their own sources, and libraries. */
export const ENGINES = {
  wasm3: { sources: ["host/src/wasm_wasm3.c"], libraries: [wasm3], flags: [] },
  inplace: { sources: files("host/src", (name) => /^wasm_inplace.*\.c$/.test(name)), libraries: [], flags: ["-DIPA_CFG_WASM_VALIDATE=1"] },
};

export const addonPath = (engine) => `dist/native/ipa_${engine}.node`;

/** The folder with node_api.h: beside the running node, else that of the package node-api-headers. */
function nodeHeaders() {
  const candidates = [join(dirname(process.execPath), "../include/node"), join(root, "node_modules/node-api-headers/include")];
  const found = candidates.find((folder) => existsSync(join(folder, "node_api.h")));
  if (found === undefined) throw new StepError(`node_api.h is not in ${candidates.join(" or ")}`);
  return found;
}

/** Builds the bindings that are stale. Gives a sentence for the build's line. */
export async function addons() {
  const cc = compiler();
  if (which(cc) === undefined) return `left out: ${cc} is not installed`;
  const done = [];
  for (const [engine, part] of Object.entries(ENGINES)) if (await addon(cc, engine, part)) done.push(engine);
  return done.length === 0 ? "up to date" : done.join(", ");
}

async function addon(cc, engine, { sources, libraries, flags }) {
  const built = [];
  for (const library of libraries) built.push(await library({ flags: FLAGS, cc }));
  const all = ["-shared", ...FLAGS, ...flags, "-Ihost/include", "-Ihost", "-isystem", nodeHeaders(), ...built.flatMap((one) => one.flags)];
  const own = ["host/node/addon.c", "host/src/err.c", ...sources];
  const headers = files("host", (name) => name.endsWith(".h"));
  const output = addonPath(engine);
  const stamp = join(root, `dist/.stamp/addon-${engine}`);
  const hash = createHash("sha256").update(JSON.stringify([cc, all, process.version, built.map((one) => one.stamp)])).update(hashFiles([...own, ...headers])).digest("hex");
  if (existsSync(join(root, output)) && existsSync(stamp) && readFileSync(stamp, "utf8") === hash) return false;
  mkdirSync(join(root, "dist/native"), { recursive: true });
  mkdirSync(dirname(stamp), { recursive: true });
  await mustRun(cc, [...STRICT.filter((flag) => flag !== "-Wpedantic"), ...all, ...own, ...built.flatMap((one) => one.objects), "-o", output]);
  writeFileSync(stamp, hash);
  return true;
}
