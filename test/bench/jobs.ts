/** The jobs that are measured on a device: their events and ops, recorded from V8 in the simulated world. */
import { Agent, type AgentLike, type EventMessage, type OpMessage } from "../sim/agent/index.js";
import { encodeEvent } from "../sim/agent/mailbox.js";
import { downloadTrigger, psmo } from "../sim/eim/index.js";
import { sampleProfile } from "../sim/smdp/index.js";
import { iccid, OPERATIONAL, type WorldOptions } from "../sim/world-options.js";
import { until, World } from "../sim/world.js";
import type { ReplayStep } from "./replay.js";

export interface RecordedJob {
  readonly name: string;
  readonly steps: readonly ReplayStep[];
  /** The job itself begins here; before it stands what leads up to it. */
  readonly from: number;
}

/** An agent that notes its steps. */
class Recorder implements AgentLike {
  readonly steps: ReplayStep[] = [];
  constructor(readonly agent: Agent) {}
  get capacity(): number {
    return this.agent.capacity;
  }
  step(event: EventMessage, nowMs: number): OpMessage {
    const op = this.agent.step(event, nowMs);
    this.steps.push({ event: encodeEvent(event), nowMs, op: encodeOp(op) });
    return op;
  }
  snapshot(): Uint8Array {
    return this.agent.snapshot();
  }
  restore(state: Uint8Array): void {
    this.agent.restore(state);
  }
  fresh(): AgentLike {
    return this;
  }
}

/** An op as it lies in the mailbox (host/README.md). */
function encodeOp(op: OpMessage): Uint8Array {
  const bytes = new Uint8Array(24 + op.payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, op.kind);
  view.setUint8(1, op.flags);
  view.setUint16(2, op.aux, true);
  view.setUint32(4, op.payload.length, true);
  view.setInt32(8, op.waitMs, true);
  view.setUint32(12, op.ref, true);
  view.setUint32(16, op.arg0, true);
  view.setUint32(20, op.arg1, true);
  bytes.set(op.payload, 24);
  return bytes;
}

/** Profile packages whose bound packages have 12.5 kB and 100 kB. */
const PACKAGES = [["download, 12.5 kB", 12_079], ["download, 100 kB", 98_466]] as const;

export async function recordJobs(wasm: Uint8Array): Promise<RecordedJob[]> {
  const jobs = [
    await record(wasm, "idle poll", {}, () => undefined),
    await record(wasm, "enable, with its notifications", {}, (world) => void world.eim.queue(world.eid, psmo.enable(OPERATIONAL))),
  ];
  for (const [name, size] of PACKAGES) {
    jobs.push(await record(wasm, name, { smdps: [{}], euicc: { download: { freeMemory: 1_000_000 } } }, (world) => {
      const order = world.smdp.order({ profile: sampleProfile({ iccid: iccid(7), size }), matchingId: "BENCH" });
      world.eim.queue(world.eid, downloadTrigger({ activationCode: world.smdp.activationCode(order) }));
    }));
  }
  return jobs;
}

async function record(wasm: Uint8Array, name: string, options: WorldOptions, prepare: (world: World) => void): Promise<RecordedJob> {
  const recorder = new Recorder(new Agent(wasm));
  const world = new World({ ...options, agent: recorder });
  await world.run(until.idle());
  prepare(world);
  const from = recorder.steps.length;
  world.wake("poll");
  await world.run(until.idle());
  return { name, steps: recorder.steps, from };
}
