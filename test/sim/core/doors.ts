/**
 * The doors between an agent's host and its world: eUICC, links, durable records, bearer, rest. Whoever implements one may answer
 * at once (simulated, virtual time) or later (sockets, readers). Failures are values with a name, not exceptions: the agent
 * is told, and decides. Written from host/README.md; the host turns the names into its status numbers.
 */
import type { Maybe } from "./maybe.js";

/** Why a door could not do what it was asked (host/README.md, status numbers). */
export type Failure =
  | "unsupported"
  | "timeout"
  | "not found"
  | "link"
  | "name"
  | "trust"
  | "no card"
  | "no ISD-R"
  | "channel"
  | "store"
  | "too large";

/** A named failure; `reason` is a sentence for the trace. */
export interface Failed {
  readonly failure: Failure;
  readonly reason: string;
}

/** True for a named failure. */
export function isFailed(value: unknown): value is Failed {
  return typeof value === "object" && value !== null && "failure" in value;
}

/** Makes a named failure. */
export function failed(failure: Failure, reason: string): Failed {
  return { failure, reason };
}

/** Success without data is `undefined`. */
export type Ended = Failed | undefined;

export interface Uicc {
  /** Resets the card; with `afterRefresh` lets the terminal carry out the REFRESH first, for at most `waitMs`. */
  reset(how: { readonly afterRefresh: boolean; readonly waitMs: number }): Maybe<Ended>;
  /** Opens a logical channel and selects `aid`. `sw` is the status word that refused, `fci` the answer to SELECT. */
  open(aid: Uint8Array, how: { readonly fixedChannel: boolean; readonly noFci: boolean }): Maybe<{ channel: number; fci: Uint8Array } | (Failed & { readonly sw?: number })>;
  /** One C-APDU with its CLA coded for the channel; the R-APDU ends with SW1 SW2. */
  transmit(apdu: Uint8Array, basic: boolean): Maybe<Uint8Array | Failed>;
  close(): Maybe<Ended>;
}

export interface Endpoint {
  readonly peer: "eIM" | "SM-DP+" | "SM-DS";
  readonly binding: "ESipa HTTPS" | "ESipa CoAPS" | "ES9+ HTTPS";
  /** FQDN[:port]; empty when the host knows it (host/README.md, HOST_ADDRESS). */
  readonly address: string;
  /** The whole trustedPublicKeyDataTls data object `A6` of the eIM configuration (SGP.32 EimConfigurationData), if there is one. */
  readonly trust?: Uint8Array;
}

export interface SendHow {
  readonly first: boolean;
  readonly last: boolean;
  /** Octets of the whole body. */
  readonly total: number;
  /** ESipa or ES9+ function; 0 is ESipa ASN.1. */
  readonly fn: number;
  readonly waitMs: number;
}

export interface AnswerPiece {
  /** HTTP status, or CoAP class * 100 + detail. */
  readonly code: number;
  /** Seconds, 0 when there was no Retry-After. */
  readonly retryAfter: number;
  readonly last: boolean;
  /** Empty only when `last`. */
  readonly payload: Uint8Array;
}

export interface Link {
  open(endpoint: Endpoint, waitMs: number): Maybe<Ended>;
  send(piece: Uint8Array, how: SendHow): Maybe<Ended>;
  /** At most `max` octets of the answer's body. */
  receive(max: number, waitMs: number): Maybe<AnswerPiece | Failed>;
  close(): Maybe<Ended>;
}

export interface Store {
  /** The whole record; undefined when there is none. */
  read(key: number): Maybe<Uint8Array | undefined | Failed>;
  /** Replaces the whole record, durably; an empty one removes it. */
  write(key: number, record: Uint8Array): Maybe<Ended>;
}

export interface Bearer {
  /** Brings the data bearer up within `waitMs`. `plmn`: last registered PLMN, 3 octets of TS 24.008, or empty when unknown. */
  up(how: { readonly restart: boolean; readonly waitMs: number }): Maybe<{ plmn: Uint8Array } | Failed>;
}

/** Why the agent's sleep ended (host/README.md, Wake). */
export interface Waking {
  readonly reasons: number;
  /** stateChangeCause (SGP.32 5.14.5) when the profiles were changed by another hand. */
  readonly cause: number;
  readonly cardReset: boolean;
}

export interface Rest {
  /** Lets the agent rest for at most `waitMs`; `idle`: nothing is in hand, card and modem may be switched off. */
  sleep(waitMs: number, idle: boolean): Maybe<Waking>;
}

export interface Doors {
  readonly uicc: Uicc;
  readonly link: Link;
  readonly store: Store;
  readonly bearer: Bearer;
  readonly rest: Rest;
}
