/**
 * Scenarios: a world, what happens in it, and claims about how it ends. One marked `replay: "cut"` is run again with the power cut
 * before and after every op; the end must be the same and nothing done twice. Every failure ends in one line that repeats it.
 */
import { describe, test } from "node:test";
import type { AgentLike } from "./agent/index.js";
import { RealClock } from "./core/clock.js";
import { AgentTrapError, ScenarioError } from "./core/errors.js";
import type { Trace } from "./core/trace.js";
import { differences, endState, type EndState } from "./end-state.js";
import { cutNumber, until, World, type Moment, type Until } from "./world.js";
import type { WorldOptions } from "./world-options.js";

export interface Scenario {
  /** The sentence that it proves, in the spec's words. */
  readonly name: string;
  /** Test objectives that it covers: "D9", "E2". */
  readonly objectives: readonly string[];
  /** Default 1. */
  readonly seed?: number;
  readonly world?: WorldOptions | ((seed: number) => WorldOptions);
  /** Before the device is switched on: packages, behaviours, faults, coverage. */
  prepare?(world: World): void;
  /** How long it runs then; default: until idle. */
  readonly until?: Until;
  /** More than one run: instead of `until`, after `prepare`. A cut scenario with a script is run from the start for every cut. */
  script?(world: World): Promise<void>;
  /** What holds in the end, cut or not. */
  claims(world: World, trace: Trace): void | Promise<void>;
  /** What holds of the traffic when nothing was cut. */
  traffic?(world: World, trace: Trace): void | Promise<void>;
  readonly replay?: "cut";
  /** Of a cut run: "same" (default) as the uncut one, or "claimed": several ends are right, and the claims tell which. */
  readonly ends?: "same" | "claimed";
}

/** Types the scenario; throws TypeError when it claims nothing. */
export function defineScenario(scenario: Scenario): Scenario {
  if (typeof scenario.claims !== "function") throw new TypeError(`scenario "${scenario.name}" makes no claims`);
  return scenario;
}

export interface RunOptions {
  readonly seed?: number;
  /** n of `--cut`: see cutNumber. */
  readonly cut?: number;
  /** What carries the agent: V8 when it is left out. */
  readonly agent?: AgentLike;
  /** Over real sockets on loopback, waits compressed. */
  readonly real?: boolean;
}

export interface Run {
  readonly world: World;
  readonly trace: Trace;
  /** Why its claims don't hold; undefined when they do. */
  readonly failure: Error | undefined;
}

/** Runs a scenario once. A claim that fails, an endless run and a defect of the agent come back as `failure`, all else is thrown. */
export async function runScenario(scenario: Scenario, options: RunOptions = {}): Promise<Run> {
  const world = makeWorld(scenario, options);
  try {
    await world.listen();
    const failure = await outcome(async () => {
      scenario.prepare?.(world);
      if (options.cut !== undefined) world.cutAt(options.cut);
      await play(scenario, world);
      if (options.cut !== undefined && !world.cutDone) throw new ScenarioError("cut", `expected a cut before ${2 * world.trace.opCount}, got ${options.cut}`);
      await scenario.claims(world, world.trace);
      if (options.cut === undefined) await scenario.traffic?.(world, world.trace);
    });
    return { world, trace: world.trace, failure: failure && explain(scenario, options, failure) };
  } finally {
    await world.close();
  }
}

export interface CutReport {
  readonly cuts: number;
  /** One per cut that did not end as it must. */
  readonly failures: readonly Error[];
}

/** Cuts the power at every op, before and after it. */
export async function cutScenario(scenario: Scenario, options: RunOptions = {}): Promise<CutReport> {
  return scenario.script === undefined ? cutByForks(scenario, options) : cutByReruns(scenario, options);
}

/** One uncut run; at each moment a copy of the world loses its power and runs on by itself. */
async function cutByForks(scenario: Scenario, options: RunOptions): Promise<CutReport> {
  const world = makeWorld(scenario, options);
  let twin: World | undefined;
  const ends: { readonly cut: number; readonly end: EndState | Error }[] = [];
  scenario.prepare?.(world);
  world.onMoment = async (moment: Moment) => {
    twin = world.fork(twin);
    twin.powerCut();
    ends.push({ cut: cutNumber(moment), end: await endOf(scenario, twin) });
  };
  await play(scenario, world);
  return report(scenario, options, endState(world), ends);
}

async function cutByReruns(scenario: Scenario, options: RunOptions): Promise<CutReport> {
  const uncut = makeWorld(scenario, options);
  scenario.prepare?.(uncut);
  await play(scenario, uncut);
  const ends: { readonly cut: number; readonly end: EndState | Error }[] = [];
  for (let cut = 0; cut < 2 * uncut.trace.opCount; cut++) {
    const world = makeWorld(scenario, options);
    scenario.prepare?.(world);
    world.cutAt(cut);
    const end = await endOf(scenario, world, true);
    if (world.cutDone) ends.push({ cut, end });
  }
  return report(scenario, options, endState(uncut), ends);
}

async function endOf(scenario: Scenario, world: World, script = false): Promise<EndState | Error> {
  const failure = await outcome(async () => {
    await (script ? play(scenario, world) : world.run(scenario.until ?? until.idle()));
    await scenario.claims(world, world.trace);
  });
  return failure ?? endState(world);
}

function report(scenario: Scenario, options: RunOptions, expected: EndState, ends: readonly { cut: number; end: EndState | Error }[]): CutReport {
  const failures = ends.flatMap(({ cut, end }) => {
    const differing = end instanceof Error ? end : scenario.ends === "claimed" ? undefined : differences(expected, end);
    if (differing === undefined) return [];
    return [explain(scenario, { ...options, cut }, differing instanceof Error ? differing : new ScenarioError("cut", differing))];
  });
  return { cuts: ends.length, failures };
}

async function play(scenario: Scenario, world: World): Promise<void> {
  if (scenario.script === undefined) await world.run(scenario.until ?? until.idle());
  else await scenario.script(world);
}

function makeWorld(scenario: Scenario, options: RunOptions): World {
  const seed = options.seed ?? scenario.seed ?? 1;
  const own = typeof scenario.world === "function" ? scenario.world(seed) : scenario.world;
  return new World({ ...own, seed, ...(options.agent === undefined ? {} : { agent: options.agent }), ...(options.real === true ? { real: new RealClock() } : {}) });
}

/** The failure of a claim (AssertionError), of the world's bounds or of the agent; undefined when all held. Other errors are thrown on. */
async function outcome(work: () => Promise<void>): Promise<Error | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    const known = error instanceof ScenarioError || error instanceof AgentTrapError || (error instanceof Error && ["AssertionError", "OpError", "SimError"].includes(error.name));
    if (!known) throw error;
    return error;
  }
}

function explain(scenario: Scenario, options: RunOptions, failure: Error): ScenarioError {
  const line = repeatLine(scenario, options);
  const error = new ScenarioError("claims", `${failure.message}\n  repeat: ${line}`, { scenario: scenario.name, repeat: line });
  error.cause = failure;
  return error;
}

/** The one line that repeats a run. */
export function repeatLine(scenario: Scenario, options: RunOptions): string {
  const cut = options.cut === undefined ? "" : ` --cut ${options.cut}`;
  return `tinyipa run "${scenario.name}" --seed ${options.seed ?? scenario.seed ?? 1}${cut}${options.real === true ? " --real" : ""}`;
}

/** Registers the scenario's tests with node:test. */
export function registerScenario(scenario: Scenario): void {
  describe(scenario.name, () => {
    test(`holds (${scenario.objectives.join(", ")})`, async () => {
      const { failure } = await runScenario(scenario);
      if (failure !== undefined) throw failure;
    });
    if (scenario.replay !== "cut") return;
    test("holds with the power cut at every op", async (t) => {
      const { cuts, failures } = await cutScenario(scenario);
      t.diagnostic(`${cuts} cuts`);
      if (cuts === 0) throw new ScenarioError("cut", `"${scenario.name}" had no op to cut at`);
      if (failures.length > 0) throw new ScenarioError("cut", `${failures.length} of ${cuts} cuts end differently; the first: ${(failures[0] as Error).message}`);
    });
  });
}
