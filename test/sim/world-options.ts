/**
 * What a world is made of, and what it is when nothing is said: a device whose bootstrap profile is enabled, an operational profile
 * beside it, one eIM associated.
 */
import { Agent, findAgent, type AgentLike, type Configuration } from "./agent/index.js";
import type { Clock } from "./core/clock.js";
import type { ConfigurationOptions, EimOptions } from "./eim/index.js";
import type { EuiccOptions, ProfileOptions } from "./euicc/index.js";
import type { HttpIdentity } from "./core/esipa-http.js";
import { makePki, type Pki, type PkiOptions } from "./pki/pki.js";
import type { SmdpOptions } from "./smdp/index.js";
import type { SmdsOptions } from "./smds/index.js";

/** One eIM of the world. */
export interface WorldEim extends Partial<Omit<EimOptions, "sign" | "tls" | "clock">> {
  /** How the card holds it; null: the card does not know it. */
  readonly association?: ConfigurationOptions | null;
}

/** One SM-DP+ of the world; what is left out is the world's own. */
export type WorldSmdp = Partial<Omit<SmdpOptions, "pki" | "clock">>;
export type WorldSmds = Partial<Omit<SmdsOptions, "pki" | "clock">>;

export interface WorldOptions {
  /** All chance of the world; the same seed gives the same run. Default 1. */
  readonly seed?: number;
  /** Default: the wasm that findAgent finds. */
  readonly agent?: AgentLike;
  readonly pki?: Pki;
  readonly profiles?: readonly ProfileOptions[];
  /** Default: one, eim.example.com. Names must be in the TLS certificate of `pki`; makePki knows those of the options. */
  readonly eims?: readonly WorldEim[];
  /** SM-DP+ to which the eIMs relay: the first one is smdp.example.com. Default: none, and the eIMs relay nothing. */
  readonly smdps?: readonly WorldSmdp[];
  /** SM-DS, likewise: the first one is the card's root SM-DS, lpa.ds.example.com. */
  readonly smds?: readonly WorldSmds[];
  /** Milliseconds of one round trip between eIM and SM-DP+ (default 20). */
  readonly es9pLatencyMs?: number;
  /** Further options of the card. */
  readonly euicc?: Omit<EuiccOptions, "pki" | "profiles" | "eims">;
  /** Configuration of the agent, over the world's own. */
  readonly configuration?: Partial<Configuration>;
  /** Record 16 of the store: an AddInitialEim request (BF57). */
  readonly provision?: Uint8Array;
  readonly terminalProfile?: Uint8Array | null;
  readonly selectP2?: number;
  readonly registrationMs?: number;
  readonly latencyMs?: number;
  /** The device switches card and modem off whenever the agent says IDLE. */
  readonly offWhenIdle?: boolean;
  readonly caStore?: readonly Uint8Array[];
  readonly date?: Date;
  readonly identity?: HttpIdentity;
  /** The host knows where the eIM is, or whom to trust: used in place of what the eIM configuration says. */
  readonly instead?: { readonly address?: string; readonly trust?: Uint8Array };
  /** Real sockets and real time, waiting compressed: see World.listen. */
  readonly real?: Clock;
}

export const EIM_FQDN = "eim.example.com";
export const SMDP_ADDRESS = "smdp.example.com";
export const SMDS_ADDRESS = "lpa.ds.example.com";

/** ICCID of 19 digits with its Luhn digit, for the n-th profile of a world. */
export function iccid(n: number): string {
  const digits = `8900101${String(n).padStart(11, "0")}`;
  const sum = [...digits].reverse().reduce((total, digit, index) => {
    const doubled = Number(digit) * (index % 2 === 0 ? 2 : 1);
    return total + (doubled > 9 ? doubled - 9 : doubled);
  }, 0);
  return digits + String((10 - (sum % 10)) % 10);
}

export const BOOTSTRAP = iccid(1);
export const OPERATIONAL = iccid(2);

/** Bootstrap profile (enabled) and operational profile (disabled), both telling the SM-DP+ when they are switched. */
export function defaultProfiles(): ProfileOptions[] {
  const notifications = [{ events: ["enable", "disable", "delete"] as const, address: SMDP_ADDRESS }];
  return [
    { iccid: BOOTSTRAP, enabled: true, class: "operational", profileName: "Bootstrap", serviceProviderName: "Bootstrap operator", notifications },
    { iccid: OPERATIONAL, enabled: false, class: "operational", profileName: "Operational", serviceProviderName: "Home operator", notifications },
  ];
}

const pkis = new Map<string, Pki>();

/** makePki, remembered: worlds of the same names share keys and certificates. */
export function sharedPki(options: PkiOptions): Pki {
  const key = JSON.stringify(options);
  const known = pkis.get(key);
  if (known !== undefined) return known;
  const pki = makePki(options);
  pkis.set(key, pki);
  return pki;
}

let shipped: Agent | undefined;

/** The agent as it is shipped, compiled once. */
export function shippedAgent(): Agent {
  shipped ??= Agent.load(findAgent());
  return shipped;
}
