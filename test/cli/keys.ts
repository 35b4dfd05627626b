/**
 * Whose keys a command uses: one rule for all, so that `tinyipa eim`, `tinyipa euicc` and `tinyipa agent`, each started with the same
 * --seed or --pki (or neither), belong to one world.
 */
import { loadPki, makePki, type Pki } from "../sim/pki/pki.js";
import type { Curve } from "../sim/pki/keys.js";
import { UsageError, wholeNumber } from "./command.js";

export interface KeyOptions {
  readonly pki?: string | undefined;
  readonly seed?: string | undefined;
  readonly curve?: string | undefined;
  readonly eid?: string | undefined;
}

const CURVES: Readonly<Record<string, Curve>> = { "P-256": "P-256", brainpool: "brainpoolP256r1", brainpoolP256r1: "brainpoolP256r1" };

/** --seed; default 0. */
export function seedOf(options: KeyOptions): number {
  return wholeNumber("seed", options.seed, 0, 0xffff_ffff) ?? 0;
}

/** Keys and certificates of --pki, what is missing there made from --seed; `fqdns`: names in the eIM's TLS certificate. Throws UsageError. */
export function keysOf(options: KeyOptions, fqdns: readonly string[]): Pki {
  const curve = CURVES[options.curve ?? "P-256"];
  if (curve === undefined) throw new UsageError(`expected P-256 or brainpoolP256r1 for --curve, got "${options.curve}"`);
  const wanted = { seed: `tinyipa ${seedOf(options)}`, curve, eimFqdns: [...fqdns], ...(options.eid !== undefined && { eid: options.eid }) };
  try {
    return options.pki === undefined ? makePki(wanted) : loadPki(options.pki, wanted);
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError(`${options.pki === undefined ? "--eid" : `--pki ${options.pki}`}: ${(error as Error).message}`);
  }
}
