/** `npm run bench`: what the agent costs on a Cortex-M4, engine by engine, by replaying recorded events under QEMU. */
import { readFileSync } from "node:fs";
import { findAgent } from "../sim/agent/index.js";
import { recordJobs, type RecordedJob } from "./jobs.js";
import { ReplayBoard, type ReplayFigures } from "./replay.js";

/** Firmware by the name of its engine, as host/tool/replay.mjs built it. */
export async function benchEngines(firmware: ReadonlyMap<string, string>, out: (line: string) => void): Promise<void> {
  const jobs = await recordJobs(new Uint8Array(readFileSync(findAgent())));
  out(`${"million instructions".padEnd(34)}${[...firmware.keys()].map((name) => name.padStart(20)).join("")}`);
  const columns: ReplayFigures[][] = [];
  for (const elf of firmware.values()) columns.push(await column(elf, jobs));
  jobs.forEach((job, row) => out(line(job.name, columns.map((figures) => millions(figures[row] as ReplayFigures)))));
  const last = columns.map((figures) => figures.at(-1) as ReplayFigures);
  out(line("opening the engine, once", last.map((one) => (one.opening / 1e6).toFixed(2))));
  out(line("longest step", columns.map((figures) => (Math.max(...figures.map((one) => one.most)) / 1e6).toFixed(2))));
  out(line("octets: engine, globals, stack, memory", last.map((one) => String(one.arena))));
  out(line("octets: native stack, painted", last.map((one) => String(one.stack))));
  out("");
  out("Cortex-M4, QEMU netduinoplus2, -icount shift=0; agent and engine alone, recorded events, every op compared with V8's octet by octet.");
  out("Instructions under emulation, not cycles of silicon. The native stack counts this firmware's own main besides.");
}

async function column(elf: string, jobs: readonly RecordedJob[]): Promise<ReplayFigures[]> {
  const figures: ReplayFigures[] = [];
  const board = await ReplayBoard.start(elf);
  try {
    for (const job of jobs) figures.push(await board.run(job.steps, job.from));
  } finally {
    board.stop();
  }
  return figures;
}

function line(name: string, values: readonly string[]): string {
  return `${name.padEnd(34)}${values.map((value) => value.padStart(20)).join("")}`;
}

function millions({ instructions }: ReplayFigures): string {
  return (instructions / 1e6).toFixed(2);
}
