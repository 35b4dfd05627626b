/** The objectives, the scenarios that name them, and the table of test/README.md agree. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { coverage, covering, status } from "../scenarios/coverage.js";
import { scenarios } from "../scenarios/index.js";
import { chapters } from "../scenarios/objectives.js";
import { defineScenario } from "../sim/index.js";

const ROOT = new URL("../../../../", import.meta.url);
const objectives = chapters.flatMap((chapter) => chapter.objectives);
const scenario = (name: string, id: string) => defineScenario({ name, objectives: [id], claims: () => undefined });

describe("objectives", () => {
  test("each is there once, counted through in its chapter", () => {
    for (const { title, objectives } of chapters) assert.deepEqual(objectives.map(({ id }) => id), objectives.map((_, n) => `${title[0]}${n + 1}`));
  });

  test("a scenario names only objectives that exist", () => {
    const unknown = scenarios.flatMap(({ name, objectives: ids }) => ids.filter((id) => !objectives.some((objective) => objective.id === id)).map((id) => `${id} of "${name}"`));
    assert.deepEqual(unknown, []);
  });

  test("every scenario covers one", () => {
    assert.deepEqual(scenarios.filter((scenario) => scenario.objectives.length === 0).map((scenario) => scenario.name), []);
  });

  test("the test files that they name are there", () => {
    const missing = objectives.flatMap(({ id, tests = [] }) => tests.filter((path) => !existsSync(new URL(`test/${path}`, ROOT))).map((path) => `${path} of ${id}`));
    assert.deepEqual(missing, []);
  });

  test("each is covered, or says what is missing", () => {
    assert.deepEqual(objectives.filter((objective) => status(objective, scenarios).kind === "open").map(({ id, title }) => `${id} ${title}`), []);
  });

  test("what is left for later has no scenario and no test yet", () => {
    const early = objectives.filter((objective) => objective.later !== undefined && (objective.tests !== undefined || covering(objective, scenarios).length > 0));
    assert.deepEqual(early.map(({ id }) => id), []);
  });
});

describe("the coverage table", () => {
  test("names scenarios of an objective, counts those beyond two, and marks those that are cut", () => {
    const cut = { ...scenario("one", "A3"), replay: "cut" } as const;
    const lines = coverage([cut, scenario("two | both", "A3"), scenario("three", "A3")]).split("\n");
    assert.ok(lines.includes("| A3 Cards that don't know TERMINAL CAPABILITY | one ✂; two \\| both; and 1 more | covered |"), lines.join("\n"));
    assert.ok(lines.some((line) => /^\| A4 .* \| – \| open \|$/.test(line)));
    assert.ok(lines.some((line) => /^\| B7 .* \| – \| later: ESipa over CoAPS \|$/.test(line)));
  });

  test("in test/README.md is up to date: npm run coverage writes it", () => {
    assert.ok(readFileSync(new URL("test/README.md", ROOT), "utf8").includes(`\n${coverage(scenarios)}\n`), "test/README.md differs: run npm run coverage");
  });
});
