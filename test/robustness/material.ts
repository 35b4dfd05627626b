/** What the mutations begin from: the recordings, their messages put together, and every payload in them. */
import { Agent } from "../sim/agent/agent.js";
import { RawAgent } from "./raw-agent.js";
import { DOWNLOADS } from "./download-runs.js";
import { POLLS, record, type Recording } from "./recordings.js";
import { endsCommand, scriptOf, type Script } from "./understudy.js";

/** A recording with the places where whole messages begin. */
export interface Scene extends Recording {
  readonly script: Script;
  /** Events that answer an ES10 command, by its tag. */
  readonly commands: readonly (readonly number[])[];
  /** Events behind which an answer of the eIM, an SM-DP+ or an SM-DS is received. */
  readonly requests: readonly number[];
}

export interface Material {
  readonly agent: RawAgent;
  readonly scenes: readonly Scene[];
  readonly payloads: readonly Uint8Array[];
  readonly starts: readonly Uint8Array[];
}

/** Runs that belong together, by name: each is mutated by itself. */
export const SETS = { polls: POLLS, downloads: DOWNLOADS };
export type SetName = keyof typeof SETS;

export async function prepare(wasm: Uint8Array, set: SetName = "polls"): Promise<Material> {
  const scenes = (await record(new Agent(wasm), SETS[set])).map(sceneOf);
  const events = scenes.flatMap((scene) => scene.steps).map((step) => ({ op: step.op, payload: step.event.payload ?? new Uint8Array(0) }));
  const payloads = [
    ...events.map((event) => event.payload).filter((payload) => payload.length > 2),
    ...scenes.flatMap(({ script }) => [...script.card.map((item) => item.answer), ...script.eim.map((item) => item.answer.body)]),
  ];
  return { agent: new RawAgent(wasm), scenes, payloads, starts: events.filter((event) => event.op === null).map((event) => event.payload) };
}

function sceneOf(recording: Recording): Scene {
  const script = scriptOf(recording);
  const ends = recording.steps.flatMap((step, at) => (endsCommand(step.op) ? [at] : []));
  const tags = [...new Set(script.card.map((item) => item.tag))];
  const commands = tags.map((tag) => ends.filter((at) => script.card.find((item) => item.at === at)?.tag === tag));
  return { ...recording, script, commands, requests: script.eim.map((item) => item.at) };
}
