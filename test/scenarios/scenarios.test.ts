/** All scenarios as tests: each holds and tells no secret in its reports, and those marked `replay: "cut"` hold with the power cut at every op. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { registerScenario, type Scenario } from "../sim/index.js";
import { scenarios } from "./index.js";
import { withQuietReports } from "./quiet-reports.js";

describe("list of scenarios", () => {
  test("every file of a scenario is in test/scenarios/index.ts, and every name is there once", async () => {
    const folder = fileURLToPath(new URL(".", import.meta.url));
    for (const file of readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => /[\\/][^.]*\.js$/.test(name))) {
      const { default: scenario } = (await import(join(folder, file))) as { default?: Scenario };
      if (scenario !== undefined) assert.ok(scenarios.includes(scenario), `${file} is not in test/scenarios/index.ts`);
    }
    assert.equal(new Set(scenarios.map((scenario) => scenario.name)).size, scenarios.length);
  });
});

for (const scenario of scenarios) registerScenario(withQuietReports(scenario));
