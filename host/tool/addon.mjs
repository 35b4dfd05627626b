/**
 * The Node bindings: host/node/addon.c with an engine of the C host, one dist/native/ipa_ENGINE.node for each, and host/node/doors.c with its links and
 * its AT driver, dist/native/ipa_doors.node, and host/node/host_addon.c with all of the C host, dist/native/ipa_host.node.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { mbedtls, MbedtlsMissing } from "./mbedtls.mjs";
import { compiler, STRICT } from "./native.mjs";
import { files, hashFiles, mustRun, root, StepError, which } from "./steps.mjs";
import { wasm3 } from "./wasm3.mjs";

const FLAGS = ["-O2", "-g", "-fPIC", "-fvisibility=hidden"];

/** Engines that the binding is built with: their own sources, and libraries. */
export const ENGINES = {
  wasm3: { sources: ["host/src/wasm_wasm3.c"], libraries: [wasm3], flags: [] },
  inplace: { sources: files("host/src", (name) => /^wasm_inplace.*\.c$/.test(name)), libraries: [], flags: ["-DIPA_CFG_WASM_VALIDATE=1"] },
};

/** mbedtls_*.c stand in for sources of Mbed TLS, and are built with it. */
const isC = (name) => name.endsWith(".c") && !name.startsWith("mbedtls_");
const isDoors = (name) => /^doors.*\.c$/.test(name);

/** The second binding: every link and every family of modems on this computer's sockets and serial lines. */
const DOORS = {
  sources: [...files("host/node", isDoors), ...files("host/link", isC), ...files("host/modem", isC), "boards/posix/net_posix.c", "boards/posix/uart_posix.c"],
  libraries: [mbedtls],
  flags: ["-D_DEFAULT_SOURCE", "-Iboards/posix"],
};

/** The third binding: the whole C host with the engine in place, as a machine of events and ops. */
const HOST = {
  sources: [
    ...files("host/node", (name) => /^host_.*\.c$/.test(name)), ...["agent", "ops", "container", "crypto_mbedtls"].map((name) => `host/src/${name}.c`), ...ENGINES.inplace.sources,
    "host/store/flash_journal.c", "host/link/tls_heap.c",
  ],
  libraries: [mbedtls],
  flags: ENGINES.inplace.flags,
};

export const addonPath = (name) => `dist/native/ipa_${name}.node`;

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
  for (const [engine, part] of Object.entries(ENGINES)) if (await addon(cc, engine, { ...part, sources: ["host/node/addon.c", ...part.sources] })) done.push(engine);
  for (const [name, part] of [["doors", DOORS], ["host", HOST]]) {
    try {
      if (await addon(cc, name, part)) done.push(name);
    } catch (error) {
      if (!(error instanceof MbedtlsMissing)) throw error;
      done.push(`${name} left out (${error.message})`);
    }
  }
  return done.length === 0 ? "up to date" : done.join(", ");
}

async function addon(cc, name, { sources, libraries, flags }) {
  const built = [];
  for (const library of libraries) built.push(await library({ flags: FLAGS, cc }));
  const all = ["-shared", ...FLAGS, ...flags, "-Ihost/include", "-Ihost", "-isystem", nodeHeaders(), ...built.flatMap((one) => one.flags)];
  const own = ["host/node/values.c", "host/src/err.c", ...sources];
  const headers = [...files("host", isHeader), ...files("boards/posix", isHeader)];
  const output = addonPath(name);
  const stamp = join(root, `dist/.stamp/addon-${name}`);
  const hash = createHash("sha256").update(JSON.stringify([cc, all, process.version, built.map((one) => one.stamp)])).update(hashFiles([...own, ...headers])).digest("hex");
  if (existsSync(join(root, output)) && existsSync(stamp) && readFileSync(stamp, "utf8") === hash) return false;
  mkdirSync(join(root, "dist/native"), { recursive: true });
  mkdirSync(dirname(stamp), { recursive: true });
  await mustRun(cc, [...STRICT.filter((flag) => flag !== "-Wpedantic"), ...all, ...own, ...built.flatMap((one) => one.objects), "-o", output]);
  writeFileSync(stamp, hash);
  return true;
}

const isHeader = (name) => name.endsWith(".h");
