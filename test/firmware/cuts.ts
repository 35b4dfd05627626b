/**
 * Power cuts of a board during a story, at seeded points counted in octets of the modem's UART, so that a line repeats the failure. Every other
 * cut takes the modem's power too. The end must be that of the uncut story, and nothing may be lost or done twice.
 */
import { SimError } from "../sim/core/errors.js";
import { Rng } from "../sim/core/rng.js";
import { differences, downloadTrigger, endState, iccid, psmo, sampleProfile, SMDP_ADDRESS, type EndState } from "../sim/index.js";
import { Bench, type BenchOptions } from "./bench.js";
import { build } from "./build.js";
import { QemuBoard } from "./hosts.js";
import { STORY_WORLD, work } from "./stories.js";

/** A cut: after so many octets of the story; `modem`: its power goes too. */
export interface Cut {
  readonly octets: number;
  readonly modem: boolean;
}

/** `count` cuts spread evenly over `octets`, each somewhere in its share. */
export function cutsOf(seed: number, count: number, octets: number): Cut[] {
  const rng = new Rng(seed);
  return Array.from({ length: count }, (_, i) => ({ octets: Math.floor(((i + rng.int(1000) / 1000) * octets) / count) + 1, modem: i % 2 === 0 }));
}

const PROFILE = sampleProfile({ iccid: iccid(8), size: 3000 });

/** What a story came to. */
export interface Told {
  /** Downloads that the cut interrupted on the card; the eIM then ordered anew. */
  readonly interrupted: number;
}

/** Download, enable with rollback, list; the first package waits at the eIM when the power comes. */
async function story(bench: Bench): Promise<Told> {
  const { smdp, eim, eid } = bench.world;
  const notifications = [{ events: ["enable", "disable", "delete"] as const, address: SMDP_ADDRESS }];
  const order = smdp.order({ profile: PROFILE, matchingId: "CUT-1", eid, metadata: { serviceProviderName: "Home operator", profileName: "Downloaded", notifications } });
  let interrupted = -1;
  let error: string | undefined;
  do {
    interrupted++;
    const trigger = eim.queue(eid, downloadTrigger({ activationCode: smdp.activationCode(order) }));
    if (interrupted === 0) await bench.start();
    await work(bench, "download", 120_000);
    error = errorOf(bench, trigger.id);
  } while (error === "interruption" && interrupted < 2);
  if (error !== undefined) throw new SimError("download", `the download failed: ${error}`);
  eim.queue(eid, psmo.enable(order.iccid, { rollback: true }));
  eim.queue(eid, psmo.listProfileInfo());
  await work(bench, "enable and list", 120_000);
  return { interrupted };
}

/** Why the card did not install the profile, in the eIM's words; undefined when it did. */
function errorOf(bench: Bench, packageId: number): string | undefined {
  const result = bench.world.eim.results(bench.world.eid).find((one) => one.packageId === packageId && !one.replaced)?.download;
  if (result === undefined) return "no result";
  return "installed" in result ? undefined : "error" in result ? String(result.error) : JSON.stringify(result);
}

/** What is not as it should be where the download was begun anew: ends differ then, but by what the card says of it and nothing else. */
function lostOrDoubled(bench: Bench, { interrupted }: Told, expected: EndState): string[] {
  const { world } = bench;
  const end = endState(world);
  const standing = world.eim.results(world.eid).filter((one) => !one.replaced);
  const numbers = world.smdp.notifications.map((one) => one.seqNumber);
  const wrong = (what: string, got: unknown, wanted: unknown): string[] => (String(got) === String(wanted) ? [] : [`${what}: ${String(wanted)} expected, got ${String(got)}`]);
  return [
    ...wrong("profiles", end.profiles, expected.profiles),
    ...wrong("eIMs on the card", end.eims, expected.eims),
    ...wrong("notifications left on the card", end.pending, []),
    ...wrong("next seqNumber", end.nextSeqNumber, expected.nextSeqNumber + interrupted),
    ...wrong("octets of the profile", Buffer.compare(world.euicc.profilePackage(iccid(8)) ?? new Uint8Array(0), PROFILE), 0),
    ...wrong("results", standing.map((one) => `${one.packageId} ${one.verified}`), world.eim.device(world.eid).packages.map((one) => `${one.id} true`)),
    ...wrong("notifications at the SM-DP+", world.smdp.notifications.map((one) => one.event).sort(), ["disable", "enable", ...Array.from({ length: interrupted + 1 }, () => "install")]),
    ...wrong("seqNumbers at the SM-DP+, each once", new Set(numbers).size, numbers.length),
  ];
}

export interface Uncut {
  readonly end: EndState;
  /** Octets that the story took. */
  readonly octets: number;
}

/** The story as it goes without a cut. */
export function uncut(options: BenchOptions): Promise<Uncut> {
  return uncutBy(options, () => Promise.resolve());
}

/** The same; `look` sees the board at the end. */
export async function uncutBy(options: BenchOptions, look: (bench: Bench) => Promise<void>): Promise<Uncut> {
  const bench = await Bench.open(options);
  try {
    await story(bench);
    await look(bench);
    return { end: endState(bench.world), octets: bench.wire.octets };
  } finally {
    await bench.close();
  }
}

/** The story with one cut. Gives what is not as it should be, in a line that says how to repeat it; undefined when all is well. */
export function withCut(options: BenchOptions, cut: Cut, expected: EndState): Promise<string | undefined> {
  return withCutBy(options, `cut after ${cut.octets} octets${cut.modem ? ", modem too" : ""}`, (bench) => bench.cutAfter(cut.octets, cut.modem), expected);
}

/** The same with a cut of another kind: `happens` resolves when it is done. */
export async function withCutBy(options: BenchOptions, repeat: string, happens: (bench: Bench) => Promise<void>, expected: EndState): Promise<string | undefined> {
  const bench = await Bench.open(options);
  try {
    const happened = happens(bench);
    const told = await Promise.race([story(bench), happened.then(() => new Promise<never>(() => undefined))]);
    if (bench.cuts !== 1) return `${repeat}: the story ended before it, after ${bench.wire.octets} octets`;
    const wrong = told.interrupted === 0 ? differences(expected, endState(bench.world)) : lostOrDoubled(bench, told, expected).join(". ") || undefined;
    return wrong === undefined ? undefined : `${repeat}: ${wrong}\n${bench.last()}`;
  } catch (error) {
    return `${repeat}: ${(error as Error).message}`;
  } finally {
    await bench.close();
  }
}

export interface Sweep {
  readonly count: number;
  readonly seed: number;
  /** Boards at a time: they mostly wait. */
  readonly atOnce: number;
}

/** Cuts the emulated netduinoplus2 `count` times, each on a board and a world of its own. CUT="octets" or "octets+modem" in the environment: only that one. */
export async function failuresOf({ count, seed, atOnce }: Sweep): Promise<string[]> {
  const built = await build("netduinoplus2", { emulated: true });
  const options: BenchOptions = { world: STORY_WORLD, board: (folder) => new QemuBoard({ built, machine: "netduinoplus2", folder, seed }) };
  const base = await uncut(options);
  const [, only, modem] = /^(\d+)(\+modem)?$/.exec(process.env["CUT"] ?? "") ?? [];
  // The last octets close what is open: nothing is in hand then.
  const todo = only === undefined ? cutsOf(seed, count, base.octets - 300) : [{ octets: Number(only), modem: modem !== undefined }];
  const failures: string[] = [];
  const worker = async (): Promise<void> => {
    for (let cut = todo.shift(); cut !== undefined; cut = todo.shift()) {
      const failure = await withCut(options, cut, base.end);
      if (failure !== undefined) failures.push(`CUT=${cut.octets}${cut.modem ? "+modem" : ""} ${failure}`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return failures;
}
