/** `node imports-run.js`, from the root of the checkout: checks the import rules on the files there; exit code 1 when one is broken. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { checkImports } from "./imports.js";

const tree = new Map<string, string>();
for (const folder of ["assembly", "test", "host/tool"]) {
  if (!existsSync(folder)) continue;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath ?? entry.path, entry.name);
    if (entry.isFile() && path.endsWith(".ts")) tree.set(path, readFileSync(path, "utf8"));
  }
}

const problems = checkImports(tree);
for (const problem of problems) console.log(problem);
console.log(`${tree.size} files, ${problems.length} broken import rules`);
process.exitCode = problems.length === 0 ? 0 : 1;
