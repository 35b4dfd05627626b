/**
 * What a whole profile download costs the device (SGP.32 v1.2 3.2.3.1, 3.2.3.2), from real runs in virtual time: a Bound Profile Package of the size of a TS.48 profile and
 * one of 100 kB, through the eIM and from the SM-DP+ itself. Memory is what the agent wrote to, octet by octet, from its start on.
 */
import { Agent } from "../../sim/agent/index.js";
import type { WasmModule } from "../../sim/agent/webassembly.js";
import { SimError } from "../../sim/core/errors.js";
import type { Totals, Trace } from "../../sim/core/trace.js";
import { downloadTrigger } from "../../sim/eim/index.js";
import { sampleProfile } from "../../sim/smdp/index.js";
import { iccid } from "../../sim/world-options.js";
import { until, World } from "../../sim/world.js";
import { Recorder, stepTime, written } from "./step-time.js";

interface Download {
  readonly name: string;
  /** Octets of the profile package before it is bound. */
  readonly size: number;
  readonly direct: boolean;
  readonly blockSize: number;
}

export interface DownloadFigures extends Totals {
  readonly name: string;
  readonly blockSize: number;
  /** Octets of the Bound Profile Package. */
  readonly bpp: number;
  /** Of all APDUs those that carry the package, from its first segment to the result. */
  readonly loading: number;
  /** Median time inside ipa_step, in microseconds: depends on the machine. */
  readonly microseconds: number;
  /** Octets of linear memory that were ever written, and the end of the highest one. */
  readonly written: number;
  readonly highest: number;
}

/** Profiles whose bound packages have 12.5 kB and 100 kB. */
export const SMALL = 12_079;
export const LARGE = 98_466;

const DIRECT = [0, 1, 2, 3] as const;
const FREE_MEMORY = 1_000_000;

const DOWNLOADS: readonly Download[] = [
  { name: "indirect", size: SMALL, direct: false, blockSize: 255 },
  { name: "indirect", size: SMALL, direct: false, blockSize: 120 },
  { name: "indirect", size: LARGE, direct: false, blockSize: 255 },
  { name: "direct", size: SMALL, direct: true, blockSize: 255 },
  { name: "direct", size: LARGE, direct: true, blockSize: 255 },
];

/** Measures every download; `runs`: how often its time is measured. Throws SimError "figures" when a profile is not installed. */
export async function measureDownloads(wasm: Uint8Array, runs: number): Promise<DownloadFigures[]> {
  const module = Agent.compile(wasm);
  const figures: DownloadFigures[] = [];
  for (const download of DOWNLOADS) figures.push(await measure(download, module, runs));
  return figures;
}

/** A trigger finds the device up, behind a first poll; it ends with a GetEimPackage that finds nothing more. */
async function measure({ name, size, direct, blockSize }: Download, module: WasmModule, runs: number): Promise<DownloadFigures> {
  const recorder = new Recorder(new Agent(module));
  const world = new World({
    agent: recorder, smdps: [{}], euicc: { download: { freeMemory: FREE_MEMORY } }, configuration: { blockSize, ...(direct ? { features: DIRECT } : {}) },
  });
  await world.run(until.idle());
  const order = world.smdp.order({ profile: sampleProfile({ iccid: iccid(7), size }), matchingId: "FIGURES" });
  world.eim.queue(world.eid, downloadTrigger({ activationCode: world.smdp.activationCode(order) }));
  const from = recorder.steps.length;
  world.wake("poll");
  const trace = await world.run(until.idle());
  if (world.smdp.orderById(order.id).state !== "installed") throw new SimError("figures", `"${name}" did not install its profile:\n${trace.print()}`);
  const times = Array.from({ length: runs }, () => stepTime(module, recorder.steps, from)).sort((a, b) => a - b);
  const { bpp, loading } = loadingOf(trace);
  return { name, blockSize, bpp, loading, ...trace.totals(), microseconds: Math.round(times[times.length >> 1] as number), ...written(module, recorder.steps) };
}

/** Octets and APDUs between the first segment (BF36 in the first block) and the end of the PIR. */
function loadingOf({ apdus }: Trace): { bpp: number; loading: number } {
  const isStoreData = (command: Uint8Array): boolean => command[1] === 0xe2;
  const begins = (command: Uint8Array, tag: number): boolean => isStoreData(command) && command[3] === 0 && command[5] === 0xbf && command[6] === tag;
  const from = apdus.findIndex(({ command }) => begins(command, 0x36));
  const behind = apdus.findIndex(({ command }, n) => n > from && isStoreData(command) && command[3] === 0 && command[5] === 0xbf);
  const loading = apdus.slice(from, behind);
  return { loading: loading.length, bpp: loading.reduce((sum, { command }) => sum + (isStoreData(command) ? (command[4] as number) : 0), 0) };
}
