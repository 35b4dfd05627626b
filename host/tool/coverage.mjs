/** Writes the coverage table into test/README.md: what `tinyipa list --coverage` prints, from its first line to its last. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mustRun, root, StepError } from "./steps.mjs";

const README = "test/README.md";

export async function writeCoverage() {
  const table = (await mustRun(process.execPath, ["dist/tinyipa.mjs", "list", "--coverage"])).trimEnd();
  const [begin, end] = [table.slice(0, table.indexOf("\n")), table.slice(table.lastIndexOf("\n") + 1)];
  const text = readFileSync(join(root, README), "utf8");
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new StepError(`expected a line ${begin} and below it a line ${end} in ${README}`);
  writeFileSync(join(root, README), text.slice(0, from) + table + text.slice(to + end.length));
  console.log(`${README} ${text.slice(from, to + end.length) === table ? "was up to date" : "is written"}`);
}
