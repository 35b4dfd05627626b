/** `tinyipa run`: one scenario, with what makes its run repeatable. */
import { writeFileSync } from "node:fs";
import { cHost } from "../scenarios/c-host.image.js";
import { scenarios } from "../scenarios/index.js";
import type { AgentLike } from "../sim/agent/index.js";
import { cutScenario, runScenario, type Run, type RunOptions, type Scenario } from "../sim/index.js";
import { SimError } from "../sim/core/errors.js";
import { engineOf } from "./engine.js";
import { FAILED, MISUSE, OK, readArgs, UsageError, wholeNumber, type Command, type Io } from "./command.js";

const HELP = `Usage: tinyipa run SCENARIO [options]

Runs a scenario in the simulated world. SCENARIO is its name, or a part of it that no other has (see tinyipa list).

  --host ENGINE  what runs the agent: v8 (default), an engine of the C host, wasm3 or inplace, or c: the whole C host with its journal in emulated
                 flash (all built by npm run build)
  --seed N       all chance of the world (default: the scenario's own)
  --cut N        cut the power once: at op N/2, before it (even) or after it (odd)
  --cuts         cut the power at every op, before and after it
  --real         over real HTTPS sockets on 127.0.0.1 (device to eIM and SM-DP+, eIM to SM-DP+); the device's waits stay compressed, what a server
                 delays takes its time. Not for scenarios that order faults of the way or split answers
  --trace FILE   write what happened to FILE, as JSON
  --print        print what happened
  --json         the result as JSON
  -h, --help

Exit code: 0 its claims hold, 1 one failed, 2 misuse.
`;

const OPTIONS = {
  host: { type: "string" },
  seed: { type: "string" },
  cut: { type: "string" },
  cuts: { type: "boolean", default: false },
  real: { type: "boolean", default: false },
  trace: { type: "string" },
  print: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
} as const;

export const command: Command = {
  name: "run",
  summary: "run a scenario",
  help: HELP,
  async run(args, io) {
    const { values, positionals } = readArgs(args, OPTIONS, { min: 1, max: 1, what: "the name of one scenario" });
    const scenario = choose(positionals[0] as string);
    const seed = wholeNumber("seed", values.seed, 0, 0xffff_ffff);
    const cut = wholeNumber("cut", values.cut);
    if (values.real && (cut !== undefined || values.cuts)) throw new UsageError("expected --real or a power cut, got both: real time cannot be repeated op by op");
    const agent = agentOf(values.host, io);
    if (agent === "missing") return MISUSE;
    const options: RunOptions = { ...(agent === undefined ? {} : { agent }), ...(seed === undefined ? {} : { seed }), ...(cut === undefined ? {} : { cut }), real: values.real };
    try {
      return await (values.cuts ? runCuts(scenario, options, values.json, io) : runOnce(scenario, options, values, io));
    } finally {
      agent?.dispose?.();
    }
  },
};

/** The agent in `host`; undefined is the world's own, in V8. An engine that was not built is said. */
function agentOf(host: string | undefined, io: Io): AgentLike | undefined | "missing" {
  try {
    return host === undefined ? undefined : engineOf(host, { c: cHost });
  } catch (error) {
    if (!(error instanceof SimError) || error.code !== "no-engine") throw error;
    io.err(`tinyipa run: ${error.message}`);
    return "missing";
  }
}

function choose(name: string): Scenario {
  const exact = scenarios.find((scenario) => scenario.name === name);
  const alike = scenarios.filter((scenario) => scenario.name.includes(name));
  const chosen = exact ?? (alike.length === 1 ? alike[0] : undefined);
  if (chosen !== undefined) return chosen;
  throw new UsageError(alike.length === 0 ? `expected a scenario of tinyipa list, got "${name}"` : `expected one scenario, "${name}" is part of ${alike.length} names`);
}

async function runOnce(scenario: Scenario, options: RunOptions, values: { trace?: string | undefined; print: boolean; json: boolean }, io: Io): Promise<number> {
  const run = await runScenario(scenario, options);
  if (values.trace !== undefined) writeFileSync(values.trace, JSON.stringify(run.trace, undefined, 1) + "\n");
  if (values.print) io.err(run.trace.print());
  tell(scenario, options, run, values.json, io);
  return run.failure === undefined ? OK : FAILED;
}

function tell(scenario: Scenario, options: RunOptions, { world, trace, failure }: Run, json: boolean, io: Io): void {
  const totals = trace.totals();
  const ms = world.clock.now();
  if (json) {
    io.out(JSON.stringify({ scenario: scenario.name, seed: world.seed, ...(options.cut === undefined ? {} : { cut: options.cut }), holds: failure === undefined, ...(failure && { failure: failure.message }), ms, ...totals }));
    return;
  }
  io.out(failure === undefined ? `holds: ${scenario.name}` : `FAILS: ${scenario.name}\n${failure.message}`);
  io.err(`seed ${world.seed}, ${(ms / 1000).toFixed(1)} s of its time, ${totals.ops} ops, ${totals.apdus} APDUs, ${totals.connections} connections, ${totals.roundTrips} round trips, ${totals.bytesUp} octets up, ${totals.bytesDown} down`);
}

async function runCuts(scenario: Scenario, options: RunOptions, json: boolean, io: Io): Promise<number> {
  const { cuts, failures } = await cutScenario(scenario, options);
  if (json) io.out(JSON.stringify({ scenario: scenario.name, cuts, failures: failures.map((failure) => failure.message) }));
  else {
    io.out(`${failures.length === 0 ? "holds" : "FAILS"} with ${cuts} cuts: ${scenario.name}`);
    for (const failure of failures) io.out(failure.message);
  }
  return failures.length === 0 ? OK : FAILED;
}
