/** The table of test/README.md: each objective, the scenarios and tests that cover it, and what is missing. Markdown. */
import type { Scenario } from "../sim/index.js";
import { chapters, type Objective } from "./objectives.js";

/** Lines between which the table stands in test/README.md; `npm run coverage` puts it there. */
export const BEGIN = "<!-- coverage: written by npm run coverage -->";
export const END = "<!-- end of coverage -->";

/** So many scenarios of an objective are named; the others are counted. */
const NAMED = 2;

/** The table with the lines around it. */
export function coverage(scenarios: readonly Scenario[]): string {
  const objectives = chapters.flatMap((chapter) => chapter.objectives);
  const count = (wanted: Status["kind"]): number => objectives.filter((objective) => status(objective, scenarios).kind === wanted).length;
  return [
    BEGIN,
    `${scenarios.length} scenarios; of ${objectives.length} objectives ${count("covered")} are covered, ${count("partly")} in part, ${count("later")} are for later${count("open") === 0 ? "" : `, ${count("open")} are open`}.`,
    "",
    "| objective | scenarios and tests | status |",
    "| --- | --- | --- |",
    ...chapters.flatMap((chapter) => [`| **${chapter.title}** | | |`, ...chapter.objectives.map((objective) => row(objective, scenarios))]),
    END,
  ].join("\n");
}

export interface Status {
  readonly kind: "covered" | "partly" | "later" | "open";
  readonly why?: string;
}

/** Covered by what names it or is named by it, unless it says what is missing; "open" when nothing covers it and nothing says why. */
export function status(objective: Objective, scenarios: readonly Scenario[]): Status {
  if (objective.later !== undefined) return { kind: "later", why: objective.later };
  if (objective.partly !== undefined) return { kind: "partly", why: objective.partly };
  const covered = covering(objective, scenarios).length > 0 || objective.tests !== undefined;
  return { kind: covered ? "covered" : "open" };
}

/** The scenarios that name an objective. */
export function covering(objective: Objective, scenarios: readonly Scenario[]): Scenario[] {
  return scenarios.filter((scenario) => scenario.objectives.includes(objective.id));
}

function row(objective: Objective, scenarios: readonly Scenario[]): string {
  const found = covering(objective, scenarios);
  const names = found.slice(0, NAMED).map((scenario) => `${escaped(scenario.name)}${scenario.replay === "cut" ? " ✂" : ""}`);
  const more = found.length > NAMED ? [`and ${found.length - NAMED} more`] : [];
  const tests = (objective.tests ?? []).map((path) => `\`${path.replace(/^scenarios\/|\.ts$/g, "").replace(/\.test$/, "")}\``);
  const { kind, why } = status(objective, scenarios);
  return `| ${objective.id} ${escaped(objective.title)} | ${[...names, ...more, ...tests].join("; ") || "–"} | ${why === undefined ? kind : `${kind}: ${escaped(why)}`} |`;
}

function escaped(text: string): string {
  return text.replaceAll("|", "\\|");
}
