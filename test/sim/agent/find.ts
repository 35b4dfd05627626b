/** Where the agent's wasm lies: beside this program (in the package), or in dist/ of the tree that it was built in. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { SimError } from "../core/errors.js";

/** Path of tinyipa.wasm. Throws SimError "no-agent" when there is none. */
export function findAgent(from = import.meta.url): string {
  for (let folder = dirname(fileURLToPath(from)); ; folder = dirname(folder)) {
    for (const path of [join(folder, "tinyipa.wasm"), join(folder, "dist", "tinyipa.wasm")]) if (existsSync(path)) return path;
    if (folder === dirname(folder)) throw new SimError("no-agent", "expected dist/tinyipa.wasm, found none: build the agent first (npm run build)");
  }
}
