/**
 * What every part of the simulated eUICC works on: its configuration and its state. Also how it refuses.
 */
import { toHex } from "../core/bytes.js";
import { PeerError } from "../core/errors.js";
import type { Chain, Config } from "./options.js";
import type { Nonvolatile, Profile, State } from "./state.js";

export interface Context {
  readonly config: Config;
  state: State;
}

/** Ends a command with a status word other than success. */
export class StatusWord extends PeerError {
  readonly sw: number;
  constructor(sw: number, why: string) {
    super("status-word", why, { who: "euicc", sw: swText(sw) });
    this.sw = sw;
  }
}

/** Answers of ES10 functions have their codes; each use is told to the log of refusals. */
export function refuse(ctx: Context, what: string, code: number, why: string): number {
  note(ctx, what, String(code), why);
  return code;
}

/** Adds to the log of refusals. */
export function note(ctx: Context, what: string, answer: string, why: string): void {
  ctx.state.observed.refusals.push(Object.freeze({ what, answer, why }));
}

export function swText(sw: number): string {
  return sw.toString(16).toUpperCase().padStart(4, "0");
}

/** The chain of a CI key id, or the default one. */
export function chainFor(ctx: Context, ciPkId?: Uint8Array): Chain | undefined {
  if (ciPkId === undefined) return ctx.config.chains[0];
  return ctx.config.chains.find((chain) => toHex(chain.ciPkId) === toHex(ciPkId));
}

export function enabledProfile(nonvolatile: Nonvolatile): Profile | undefined {
  return nonvolatile.profiles.find((profile) => profile.enabled);
}

/** The Profile with an ICCID in hexadecimal (as stored, digits swapped). */
export function profileByIccid(nonvolatile: Nonvolatile, iccid: string | null): Profile | undefined {
  return iccid === null ? undefined : nonvolatile.profiles.find((profile) => toHex(profile.metadata.iccid) === iccid);
}

/** True while the enabled Profile is the Emergency Profile. */
export function ecallActive(nonvolatile: Nonvolatile): boolean {
  return enabledProfile(nonvolatile)?.metadata.ecallIndication === true;
}

/** Uses up one "cat busy" fault; true when there was one. */
export function catBusy(ctx: Context): boolean {
  return takeFault(ctx, "cat-busy", 0) !== undefined;
}

/** Uses up one fault of a kind that fits the ES10 tag (0 fits all). */
export function takeFault<K extends State["faults"][number]["kind"]>(ctx: Context, kind: K, tag: number): Extract<State["faults"][number], { kind: K }> | undefined {
  const fault = ctx.state.faults.find((one) => one.kind === kind && (!("tag" in one) || one.tag === 0 || one.tag === tag));
  if (fault === undefined) return undefined;
  fault.left -= 1;
  if (fault.left <= 0) ctx.state.faults = ctx.state.faults.filter((one) => one !== fault);
  return fault as Extract<State["faults"][number], { kind: K }>;
}
