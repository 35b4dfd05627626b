/** `tinyipa list`: the scenarios and what they cover. */
import { scenarios } from "../scenarios/index.js";
import { OK, readArgs, type Command } from "./command.js";

const HELP = `Usage: tinyipa list [--json]

Lists the scenarios: what each proves, the test objectives that it covers, and whether it is repeated with the power cut at every op.

  --json      as JSON
  -h, --help
`;

export const command: Command = {
  name: "list",
  summary: "the scenarios, and what they prove",
  help: HELP,
  async run(args, io) {
    const { values } = readArgs(args, { json: { type: "boolean", default: false } });
    const rows = scenarios.map(({ name, objectives, replay }) => ({ name, objectives, cut: replay === "cut" }));
    if (values.json) io.out(JSON.stringify(rows));
    else for (const row of rows) io.out(`${row.cut ? "cut" : "   "}  ${row.objectives.join(" ").padEnd(20)}  ${row.name}`);
    return OK;
  },
};
