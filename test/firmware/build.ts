/** Firmware for the tests, built by host/tool/firmware.mjs; what is missing on the machine is a reason to skip, by name. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** A program and what goes with it. */
export interface Built {
  readonly program: string;
  /** The signed container that it was made with. */
  readonly image: string;
  /** Its public key as "ID:HEX". */
  readonly key: string;
  /** Where the entropy's seed lies in the RAM of an emulated board. */
  readonly seedAt?: number;
}

interface FirmwareTool {
  buildFirmware(board: string, options: Readonly<Record<string, unknown>>): Promise<{ folder: string; program: string; keyId: number; point: string }>;
}

/** The checkout. */
export const root = checkout(dirname(fileURLToPath(import.meta.url)));

function checkout(folder: string): string {
  return existsSync(join(folder, "package.json")) ? folder : checkout(dirname(folder));
}

let last: Promise<unknown> = Promise.resolve();

/** Builds a board's firmware, one at a time; quick when nothing changed. `options` as in `npm run firmware -- --help`. */
export function build(board: string, options: Readonly<Record<string, unknown>> = {}): Promise<Built> {
  const next = last.then(() => buildNow(board, options));
  last = next.catch(() => undefined);
  return next;
}

async function buildNow(board: string, options: Readonly<Record<string, unknown>>): Promise<Built> {
  const tool = (await import(pathToFileURL(join(root, "host/tool/firmware.mjs")).href)) as FirmwareTool;
  const { folder, program, keyId, point } = await tool.buildFirmware(board, options);
  const seedAt = seedOf(join(root, program.replace(/\.elf$/, ".map")));
  return { program: join(root, program), image: join(root, folder, "agent.tipa"), key: `${keyId}:${point}`, ...(seedAt === undefined ? {} : { seedAt }) };
}

/** Address of the symbol _seed, from the linker's map. */
function seedOf(map: string): number | undefined {
  if (!map.endsWith(".map") || !existsSync(map)) return undefined;
  const address = /0x([0-9a-f]+)\s+_seed\b/.exec(readFileSync(map, "utf8"))?.[1];
  return address === undefined ? undefined : parseInt(address, 16);
}

/** Why a test that needs these programs can't run here; undefined when it can. */
export function missing(...programs: readonly string[]): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(":");
  const absent = programs.filter((program) => !folders.some((folder) => folder !== "" && existsSync(join(folder, program))));
  return absent.length === 0 ? undefined : `${absent.join(", ")} not installed`;
}

/** What a firmware for the STM32F405 and its emulation need. */
export const ARM = ["arm-none-eabi-gcc", "qemu-system-arm"] as const;
