/**
 * The one entry of `npm start`, `npm test` and every `npm run` (`test:slow`, `test:spec`, `build`, `size`, `figures`, `bench`, `firmware`, `fuzz`, `coverage`).
 * Plain JavaScript without dependencies, since it runs before anything is installed. It installs what is missing,
 * builds what is stale and then does what was asked for. Arguments behind the command go on: to the demo, to size, to figures,
 * or, for the tests, as parts of the paths of the test files to run.
 */
import { spawnSync } from "node:child_process";
import { build } from "./build.mjs";
import { writeCoverage } from "./coverage.mjs";
import { firmware, standardFirmware } from "./firmware.mjs";
import { main as fuzz } from "./fuzz.mjs";
import { checkNode, installPackages, installTools } from "./install.mjs";
import { root, StepError } from "./steps.mjs";
import { REPLAY_ENGINES, replayFirmware } from "./replay.mjs";
import { test } from "./test.mjs";

const COMMANDS = {
  start: { run: async (args) => { await build(); return tinyipa("demo", ...args); } },
  size: { run: async (args) => { await build(); await standardFirmware(); return tinyipa("size", ...args); } },
  figures: { run: async (args) => { await build(); return tinyipa("figures", ...args); } },
  coverage: { run: async () => { await build(); await writeCoverage(); return 0; } },
  bench: { tools: true, run: async () => { await build(); await bench(); return 0; } },
  firmware: { tools: true, run: async (args) => { await build(); return firmware(args); } },
  fuzz: { tools: true, run: async (args) => { await build(); return fuzz(args); } },
  build: { run: async () => { await build(); return 0; } },
  test: { tools: true, tests: true, run: async (args) => { await build(); return test({ slow: false, filter: args }); } },
  "test:spec": { tools: true, run: async (args) => { await build(); return spawnSync(process.execPath, ["dist/ts/host/tool/spec-run.js", ...args], { cwd: root, stdio: "inherit" }).status ?? 1; } },
  "test:slow": { tools: true, tests: true, run: async (args) => { await build(); return test({ slow: true, filter: args }); } },
};

function tinyipa(...args) {
  return spawnSync(process.execPath, ["dist/tinyipa.mjs", ...args], { cwd: root, stdio: "inherit" }).status ?? 1;
}

/** The agent's cost on a Cortex-M4: builds a firmware for each engine and replays recorded jobs on it (test/bench). */
async function bench() {
  const firmware = new Map();
  for (const name of Object.keys(REPLAY_ENGINES)) firmware.set(name, await replayFirmware(name));
  const { benchEngines } = await import("../../dist/ts/test/bench/main.js");
  await benchEngines(firmware, console.log);
  const { printAir } = await import("../../dist/ts/test/bench/air.js");
  console.log("");
  await printAir(console.log);
}

async function main([name, ...args]) {
  const command = COMMANDS[name];
  if (command === undefined) {
    console.error(`expected one of ${Object.keys(COMMANDS).join(", ")}; got ${name ?? "nothing"}`);
    return 2;
  }
  try {
    checkNode();
    await installPackages();
    if (command.tools) await installTools();
    return await command.run(args);
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    console.error(error.message);
    // Whoever reads only the last line of a test run must learn of a build that failed.
    if (command.tests) console.log("0 passed, 1 failed");
    return 1;
  }
}

process.exitCode = await main(process.argv.slice(2));
