/**
 * Power cuts of the emulated microbit before and behind each program and each erase of its flash, during the story of cuts.ts. The flash begins
 * as zeros there, so the journal's first erases are among them.
 */
import { pskText, type Bench, type BenchOptions } from "./bench.js";
import { build } from "./build.js";
import { uncutBy, withCutBy, type Uncut } from "./cuts.js";
import { MicrobitBoard } from "./microbit.js";
import { STORY_WORLD } from "./stories.js";

const PSK = { identity: "device-1", key: Uint8Array.from({ length: 16 }, (_, i) => 17 * i) };

/** A microbit with a modem: its firmware, its world. */
export interface Device {
  readonly firmware: Readonly<Record<string, unknown>>;
  readonly bench: Omit<BenchOptions, "board">;
}

/** DTLS checks the certificate of the eIM configuration. */
export const NRF91: Device = {
  firmware: { emulated: true, family: ["nordic"], tag: "nordic" },
  bench: { family: "nrf91", world: { ...STORY_WORLD, eims: [{ association: { trust: "certificate" } }] } },
};

/** DTLS by PSK. */
export const BG95: Device = { firmware: { emulated: true, psk: pskText(PSK), tag: "psk" }, bench: { family: "bg95", world: STORY_WORLD, psk: PSK } };

export const SIM7080: Device = { firmware: { emulated: true, family: ["simcom"], psk: pskText(PSK), tag: "simcom" }, bench: { family: "sim7080", world: STORY_WORLD, psk: PSK } };
export const SARA_R5: Device = { firmware: { emulated: true, family: ["ublox"], tag: "ublox" }, bench: { ...NRF91.bench, family: "sara-r5" } };

export interface Sweep {
  readonly device: Device;
  /** Chooses from the steps of the story, 1 to `steps`; odd ones are before a program or an erase, even ones behind it. */
  readonly choose: (steps: number) => readonly number[];
  /** Boards at a time: they mostly wait. */
  readonly atOnce: number;
}

/** Cuts at the chosen steps, each on a board and a world of its own; every other one takes the modem's power too. CUT="step" in the environment: only that one. */
export async function failuresOf({ device, choose, atOnce }: Sweep): Promise<{ readonly failures: readonly string[]; readonly cuts: number; readonly steps: number }> {
  const built = await build("microbit", device.firmware);
  const options = (cutAt?: number): BenchOptions => ({ ...device.bench, board: (folder) => new MicrobitBoard({ built, folder, seed: 1, ...(cutAt === undefined ? {} : { cutAt }) }) });
  let steps = 0;
  const base: Uncut = await uncutBy(options(), async (bench) => void (steps = await boardOf(bench).steps()));
  const only = process.env["CUT"];
  const todo = only === undefined ? [...choose(steps)] : [Number(only)];
  const cuts = todo.length;
  const failures: string[] = [];
  const worker = async (): Promise<void> => {
    for (let step = todo.shift(); step !== undefined; step = todo.shift()) {
      const modem = step % 4 >= 2;
      const repeat = `CUT=${step} ${step % 2 === 1 ? "before" : "behind"} write ${Math.ceil(step / 2)} of the flash${modem ? ", modem too" : ""}`;
      const failure = await withCutBy(options(step), repeat, (bench) => boardOf(bench).stopped.then(() => bench.cut(modem)), base.end);
      if (failure !== undefined) failures.push(failure);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return { failures, cuts, steps };
}

function boardOf(bench: Bench): MicrobitBoard {
  return bench.board as MicrobitBoard;
}
