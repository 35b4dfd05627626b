/**
 * The jobs whose cost `tinyipa figures` tells, each in a world of its own in virtual time: what leads up to it, and the job itself.
 * Counts are the trace's, and the same on every machine; the time inside the agent is measured afterwards, by replay.
 */
import { Agent } from "../../sim/agent/index.js";
import type { WasmModule } from "../../sim/agent/webassembly.js";
import { tlv } from "../../sim/codec/tlv.js";
import { SimError } from "../../sim/core/errors.js";
import type { Totals } from "../../sim/core/trace.js";
import { dataRequest, IPA_EUICC_DATA, psmo } from "../../sim/eim/index.js";
import { OPERATIONAL, type WorldOptions } from "../../sim/world-options.js";
import { until, World } from "../../sim/world.js";
import { Recorder, stepTime } from "./step-time.js";

interface Job {
  readonly name: string;
  readonly world?: WorldOptions;
  /** False: the job begins with the power; else behind a first poll, with the device up. */
  readonly cold?: boolean;
  prepare?(world: World): void;
  /** What must have come of it. */
  done(world: World): boolean;
}

export interface JobFigures extends Totals {
  readonly name: string;
  /** Median time inside ipa_step, in microseconds: depends on the machine. */
  readonly microseconds: number;
}

/** Record of the store that holds an AddInitialEim request. */
const PROVISION = 16;

const JOBS: readonly Job[] = [
  { name: "idle poll", done: (world) => world.eim.seen.length === 2 },
  { name: "cold start and poll", cold: true, done: (world) => world.eim.seen.length === 1 },
  {
    name: "enable, with its notifications",
    prepare: (world) => void world.eim.queue(world.eid, psmo.enable(OPERATIONAL)),
    done: (world) => world.enabled === OPERATIONAL && world.eim.notifications(world.eid).length === 2,
  },
  {
    name: "enable, no network, rollback",
    prepare(world) {
      world.modem.coverage(OPERATIONAL, "none");
      world.eim.queue(world.eid, psmo.enable(OPERATIONAL, { rollback: true }));
    },
    done: (world) => world.eim.results(world.eid).at(-1)?.rollback === true,
  },
  {
    name: "IpaEuiccDataRequest, all tags",
    prepare: (world) => void world.eim.queue(world.eid, dataRequest({ tags: Object.values(IPA_EUICC_DATA) })),
    done: (world) => world.eim.results(world.eid).at(-1)?.kind === "ipaEuiccData",
  },
  {
    name: "cold start, AddInitialEim, poll", cold: true,
    world: { eims: [{ association: null }] },
    prepare: (world) => world.store.write(PROVISION, tlv(0xbf57, tlv(0xa0, world.eim.configurationData()))),
    done: (world) => world.euicc.eims.length === 1 && world.eim.seen.length === 1,
  },
];

/** Runs every job; `runs`: how often each is measured. Throws SimError "figures" when a job did not do what it is there for. */
export async function measureJobs(wasm: Uint8Array, runs: number): Promise<JobFigures[]> {
  const module = Agent.compile(wasm);
  const figures: JobFigures[] = [];
  for (const job of JOBS) figures.push(await measure(job, module, runs));
  return figures;
}

async function measure(job: Job, module: WasmModule, runs: number): Promise<JobFigures> {
  const recorder = new Recorder(new Agent(module));
  const world = new World({ ...job.world, agent: recorder });
  if (job.cold !== true) await world.run(until.idle());
  job.prepare?.(world);
  const from = recorder.steps.length;
  if (job.cold !== true) world.wake("poll");
  const trace = await world.run(until.idle());
  if (!job.done(world)) throw new SimError("figures", `"${job.name}" did not end as it must:\n${trace.print()}`);
  const times = Array.from({ length: runs }, () => stepTime(module, recorder.steps, from)).sort((a, b) => a - b);
  return { name: job.name, ...trace.totals(), microseconds: Math.round(times[times.length >> 1] as number) };
}
