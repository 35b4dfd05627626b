/**
 * The second Node binding, host/node/doors.c: links and AT driver of the C host. Here is how it is found, how its calls are repeated until they are done,
 * and which failure of a door each IPA_ERR_... is.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { failed, type Failed, type Failure } from "../core/doors.js";
import { SimError } from "../core/errors.js";
import { findAgent } from "./find.js";

/** 0 or a count, or a negative enum ipa_err (host/include/ipa/err.h). */
export type Result = number;

/** IPA_AGAIN: not ready, call again. */
export const AGAIN = -1000;

/** Options of a link; numbers that are left out are the C host's own (host/link/links.h). */
export interface LinkConfig {
  readonly pskIdentity?: string;
  readonly psk?: Uint8Array;
  /** DER certificates, one behind the other. */
  readonly ca?: Uint8Array;
  /** Seconds since 1970; 0: unknown. Default: this computer's clock. */
  readonly utc?: number;
  /** A modem's handle: its sockets are used. */
  readonly modem?: object;
  /** 1: timers of LTE-M in place of NB-IoT's. */
  readonly lteM?: number;
  readonly ackTimeoutMs?: number;
  readonly maxRetransmit?: number;
  readonly responseMs?: number;
  readonly exchangeMs?: number;
  readonly handshakeMinMs?: number;
  readonly handshakeMaxMs?: number;
  /** Longest answer that is taken. */
  readonly bodyMax?: number;
  readonly szx?: number;
}

/** Options of a modem (host/modem/modem.h, boards/posix/uart_posix.h). */
export interface ModemConfig {
  /** Serial device, or "unix:PATH". */
  readonly path: string;
  readonly baud?: number;
  /** 1: RTS/CTS. */
  readonly flow?: number;
  /** One of MODEM_FAMILIES; without it the modem is asked. */
  readonly family?: string;
  readonly apn?: string;
  readonly psm?: string;
  readonly edrx?: string;
  readonly cid?: number;
}

export const MODEM_FAMILIES = ["quectel", "ublox", "simcom", "nordic", "generic"] as const;

/** What host/node/doors.c exports. */
export interface DoorsAddon {
  errName(result: Result): string;
  link(config: LinkConfig): object;
  linkOpen(link: object, peer: number, binding: number, fqdn: string, trust: Uint8Array | null, host: string | null, port: number, waitMs: number): Result;
  linkSend(link: object, piece: Uint8Array, first: number, last: number, total: number, fn: number, waitMs: number): Result;
  linkReceive(link: object, max: number, waitMs: number): Result | { code: number; retryAfter: number; last: boolean; payload: Uint8Array };
  linkClose(link: object): Result;
  linkHeap(link: object): number;
  linkEnd(link: object): void;
  modem(config: ModemConfig): object;
  uiccOpen(modem: object, aid: Uint8Array, flags: number): Result | { channel: number; fci: Uint8Array } | { result: Result; sw: number };
  uiccTransmit(modem: object, apdu: Uint8Array, flags: number): Result | Uint8Array;
  uiccClose(modem: object): Result;
  uiccReset(modem: object, flags: number, waitMs: number): Result;
  uiccWasReset(modem: object): boolean;
  bearer(modem: object, restart: number, waitMs: number): Result | Uint8Array;
  imei(modem: object): Result | string;
  idle(modem: object, idle: number): void;
  poll(modem: object): Result;
  state(modem: object): { family: string; broken: number };
  modemEnd(modem: object): void;
}

let loaded: DoorsAddon | undefined;

/** Throws SimError "no-engine" when the binding was not built. */
export function doorsAddon(): DoorsAddon {
  if (loaded !== undefined) return loaded;
  const path = addonPath();
  if (!existsSync(path)) throw new SimError("no-engine", `expected ${path}: it is built by npm run build where a C compiler and the sources of Mbed TLS can be had`);
  loaded = createRequire(import.meta.url)(path) as DoorsAddon;
  return loaded;
}

/** True when the binding was built. */
export function hasNativeDoors(): boolean {
  return existsSync(addonPath());
}

function addonPath(): string {
  return join(dirname(findAgent()), "native", "ipa_doors.node");
}

const SHORTEST_MS = 1;

/** Calls again while it says IPA_AGAIN: after 1 ms, then twice as long each time, up to `longestMs`. The C host keeps the deadlines. */
export async function repeated<T>(call: () => T, longestMs: number): Promise<T> {
  let result = call();
  for (let ms = SHORTEST_MS; (result as unknown) === AGAIN; ms = Math.min(2 * ms, longestMs)) {
    await new Promise((resolve) => setTimeout(resolve, ms));
    result = call();
  }
  return result;
}

/** Failures of doors by the names of err.h; IPA_ERR_TRUST_... are all "trust". */
const FAILURES: Readonly<Record<string, Failure>> = {
  IPA_ERR_UNSUPPORTED: "unsupported", IPA_ERR_TIMEOUT: "timeout", IPA_ERR_MODEM_SILENT: "timeout", IPA_ERR_NOT_FOUND: "not found", IPA_ERR_NAME: "name",
  IPA_ERR_NO_CARD: "no card", IPA_ERR_NO_ISDR: "no ISD-R", IPA_ERR_CHANNEL: "channel", IPA_ERR_TOO_LARGE: "too large",
};

/** A negative result as a failure, with the C name in its reason. `otherwise`: of names that the agent knows no number for. */
export function failureOf(result: Result, what: string, otherwise: Failure): Failed {
  const name = doorsAddon().errName(result);
  const failure = name.startsWith("IPA_ERR_TRUST") ? "trust" : (FAILURES[name] ?? otherwise);
  return failed(failure, `${what}: ${name}${name === "IPA_ERR_CME" || name === "IPA_ERR_DRIVER" ? ` (${result})` : ""}`);
}
