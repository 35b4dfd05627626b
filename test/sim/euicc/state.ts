/**
 * What an eUICC remembers, as one plain object: numbers, strings, arrays, octets. `nonvolatile` survives power loss, `volatile` ends
 * with the reset, `observed` and `faults` belong to the experiment and not to the card.
 *
 * Octet strings and frozen objects are shared between copies and never changed in place: that keeps a snapshot cheap.
 */
import type { ErrorReason } from "../bsp/index.js";
import { fromHex, toHex } from "../core/bytes.js";
import type { Loading, OneTimeKey, Session } from "./download/state.js";

/** Bits of NotificationEvent (SGP.22 v2.5 4.1.1.11). */
export enum NotificationEvent {
  Install = 0,
  Enable = 1,
  Disable = 2,
  Delete = 3,
}

/** Values of ProfileClass, tag 95. */
export enum ProfileClass {
  Test = 0,
  Provisioning = 1,
  Operational = 2,
}

/** Bits of PprIds, tag 99. */
export enum Ppr {
  UpdateControl = 0,
  /** Disabling is not allowed. */
  Ppr1 = 1,
  /** Deletion is not allowed. */
  Ppr2 = 2,
}

/** What never changes during a Profile's life; frozen. */
export interface ProfileMetadata {
  /** 10 octets as in EF_ICCID: digits swapped in pairs. */
  readonly iccid: Uint8Array;
  /** AID of the ISD-P, 16 octets. */
  readonly aid: Uint8Array;
  readonly serviceProviderName: string;
  readonly profileName: string;
  readonly profileClass: ProfileClass;
  readonly icon?: { readonly type: 0 | 1; readonly data: Uint8Array };
  readonly notifications: readonly { readonly events: readonly NotificationEvent[]; readonly address: string }[];
  readonly owner?: { readonly mccMnc: Uint8Array; readonly gid1?: Uint8Array; readonly gid2?: Uint8Array };
  /** SM-DP+ OID, content octets. */
  readonly dpOid?: Uint8Array;
  readonly policyRules: readonly Ppr[];
  readonly ecallIndication?: boolean;
  readonly fallbackAllowed?: boolean;
  /** httpParams of GetConnectivityParameters. */
  readonly connectivity?: Uint8Array;
  /** Loaded by the manufacturer: memory reset tells such test Profiles from field-loaded ones. */
  readonly preloaded: boolean;
}

export interface Profile {
  metadata: ProfileMetadata;
  enabled: boolean;
  nickname: string;
  fallbackAttribute: boolean;
  /** Of a downloaded Profile: its unprotected Profile Package in the pieces in which it came. Frozen. */
  readonly loaded?: { readonly size: number; readonly chunks: readonly Uint8Array[] };
}

/** A member of EimConfigurationData as it was received; frozen. */
export interface EimMember {
  readonly tag: number;
  readonly raw: Uint8Array;
}

/** An associated eIM. */
export interface Eim {
  eimId: string;
  /** Without 83 and 84. */
  members: EimMember[];
  counterValue: number;
  /** Allocated by the card; null when none was requested. */
  associationToken: number | null;
}

/** A notification or an EPR that waits to be removed; frozen. */
export interface Pending {
  readonly kind: "notification" | "epr";
  readonly seqNumber: number;
  /** The signed object: 30, BF37 (ProfileInstallationResult) or BF51. */
  readonly raw: Uint8Array;
  /** Notifications: the event, and the metadata object BF2F. */
  readonly event?: NotificationEvent;
  readonly metadata?: Uint8Array;
}

/** Permission to go back once, left by enable with rollbackFlag (SGP.32 v1.2 3.3.2). */
export interface RollbackGrant {
  readonly eimId: string;
  readonly counterValue: number;
  readonly transactionId?: Uint8Array;
  readonly eprSeqNumber: number;
  /** ICCID to be enabled again, in hexadecimal. */
  readonly target: string;
}

export interface Nonvolatile {
  profiles: Profile[];
  eims: Eim[];
  /** Notifications and EPRs in ascending order of seqNumber; they share one counter. */
  pending: Pending[];
  nextSeqNumber: number;
  nextToken: number;
  /** Empty: none. */
  defaultDpAddress: string;
  immediateEnable: { allowed: boolean; smdpOid: Uint8Array | null; smdpAddress: string | null };
  rollback: RollbackGrant | null;
  /** ICCID (hexadecimal) of the Profile to return to. */
  fallbackReturn: string | null;
  emergencyReturn: string | null;
  ipaeActivated: boolean;
  /** Keys to which no package was bound yet. */
  oneTimeKeys: OneTimeKey[];
  /** State of the card's own Rng. */
  chance: [number, number, number, number];
}

export interface Channel {
  selected: "isd-r" | "file";
  /** File identifier, where a file is selected. */
  file: number;
  /** STORE DATA blocks received so far. */
  chain: Uint8Array[];
  /** Response data that wait for GET RESPONSE. */
  response: Uint8Array;
  /** The command that was answered 6Cxx, to be repeated with that Le; empty when none. */
  repeat: Uint8Array;
}

export interface Volatile {
  /** Indexed by channel number, 0 to 19. */
  channels: (Channel | null)[];
  /** The last TERMINAL CAPABILITY announced an LPA (83) or IPAd (84). */
  announced: { lpa: boolean; ipad: boolean };
  /** Content of TERMINAL PROFILE; empty when none came. */
  terminalProfile: Uint8Array;
  /** held-for-*: pending, but not told by 91xx yet. */
  proactive: { command: Uint8Array; phase: "held-for-result" | "held-for-status" | "announced" | "fetched" } | null;
  /** Profiles were switched and the card was not reset since. */
  switchPending: boolean;
  /** The Profile installed by the session that just ended, until the next session command: context of ImmediateEnable. */
  installed: { iccid: string; smdpOid: Uint8Array; smdpAddress: string } | null;
  session: Session | null;
  loading: Loading | null;
}

/** A refusal: what was asked, what was answered (SW or code), and why; frozen. */
export interface Refusal {
  readonly what: string;
  readonly answer: string;
  readonly why: string;
}

/** A named fault that waits for its occasion. tag 0: any ES10 function; segments of a Bound Profile Package count from 0. */
export type Fault =
  | { kind: "cat-busy"; left: number }
  | { kind: "silent"; left: number }
  | { kind: "memory-full"; left: number }
  | { kind: "code"; left: number; tag: number; code: number }
  | { kind: "segment"; left: number; segment: number; sw: number }
  | { kind: "segment"; left: number; segment: number; sw: null; errorReason: ErrorReason }
  | { kind: "proactive"; left: number; segment: number; command: Uint8Array }
  | { kind: "status-word"; left: number; tag: number; sw: number }
  | { kind: "truncate"; left: number; tag: number; keep: number }
  | { kind: "garbage"; left: number; tag: number; bytes: Uint8Array };

export interface Observed {
  refusals: Refusal[];
  /** How many TERMINAL CAPABILITY commands came after each reset; the last entry is the current session. */
  terminalCapabilities: number[];
  /** Tags of the ES10 functions that were called, in order. */
  functions: number[];
}

export interface State {
  nonvolatile: Nonvolatile;
  volatile: Volatile;
  observed: Observed;
  faults: Fault[];
}

/** A copy that shares octet strings and frozen objects. */
export function clone<T>(value: T): T {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array || Object.isFrozen(value)) return value;
  if (Array.isArray(value)) return value.map(clone) as T;
  const source = value as Record<string, unknown>;
  const out: Record<string, unknown> = {};
  for (const key in source) out[key] = clone(source[key]);
  return out as T;
}

/** Volatile state right after a reset. */
export function afterReset(): Volatile {
  const channels: (Channel | null)[] = Array.from({ length: 20 }, () => null);
  channels[0] = openChannel();
  return {
    channels,
    announced: { lpa: false, ipad: false },
    terminalProfile: EMPTY,
    proactive: null,
    switchPending: false,
    installed: null,
    session: null,
    loading: null,
  };
}

/** A channel right after it was opened: the MF is selected. */
export function openChannel(): Channel {
  return { selected: "file", file: 0x3f00, chain: [], response: EMPTY, repeat: EMPTY };
}

export const EMPTY = new Uint8Array(0);

/** The state as JSON text; octets become {"hex": "..."}. */
export function toJson(state: State): string {
  return JSON.stringify(state, (_key, value: unknown) => (value instanceof Uint8Array ? { hex: toHex(value) } : value), 1);
}

/** The state of toJson's text. Throws SyntaxError or TypeError when it is none. */
export function fromJson(text: string): State {
  const state = JSON.parse(text, (_key, value: unknown) => {
    if (typeof value === "object" && value !== null && "hex" in value) return fromHex(String(value.hex));
    return value;
  }) as State;
  for (const part of ["nonvolatile", "volatile", "observed", "faults"] as const) {
    if (typeof state?.[part] !== "object") throw new TypeError(`expected the state of an eUICC, got no member "${part}"`);
  }
  return state;
}
