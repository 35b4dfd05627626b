/** `tinyipa list`: the scenarios and what they cover. */
import { coverage } from "../scenarios/coverage.js";
import { scenarios } from "../scenarios/index.js";
import { chapters } from "../scenarios/objectives.js";
import { OK, readArgs, UsageError, type Command } from "./command.js";

const HELP = `Usage: tinyipa list [--json] [--objective ID]
       tinyipa list --coverage

Lists the scenarios: what each proves, the test objectives that it covers, and whether it is repeated with the power cut at every op.

  --objective ID   only the scenarios that cover it (A1 to O5)
  --json           as JSON
  --coverage       the objectives, what covers each and what is missing: the table of test/README.md, in Markdown
  -h, --help
`;

export const command: Command = {
  name: "list",
  summary: "the scenarios, and what they prove",
  help: HELP,
  async run(args, io) {
    const { values } = readArgs(args, { json: { type: "boolean", default: false }, objective: { type: "string" }, coverage: { type: "boolean", default: false } });
    if (values.coverage) {
      if (values.json || values.objective !== undefined) throw new UsageError("expected --coverage alone, got more");
      io.out(coverage(scenarios));
      return OK;
    }
    const rows = chosen(values.objective).map(({ name, objectives, replay }) => ({ name, objectives, cut: replay === "cut" }));
    if (values.json) io.out(JSON.stringify(rows));
    else for (const row of rows) io.out(`${row.cut ? "cut" : "   "}  ${row.objectives.join(" ").padEnd(20)}  ${row.name}`);
    return OK;
  },
};

function chosen(objective: string | undefined): typeof scenarios {
  if (objective === undefined) return scenarios;
  const known = chapters.some((chapter) => chapter.objectives.some(({ id }) => id === objective));
  if (!known) throw new UsageError(`expected an objective from A1 to O5 for --objective, got "${objective}"`);
  return scenarios.filter((scenario) => scenario.objectives.includes(objective));
}
