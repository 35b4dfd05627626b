/** Errors of an AT command: final results ERROR and +CME ERROR (3GPP TS 27.007 9.2). */
import { SimError } from "../core/errors.js";

/** Numbers of +CME ERROR that the simulated modems use, with their texts (27.007 9.2.1 and 9.2.2). */
export const CME = {
  phoneFailure: 0,
  notAllowed: 3,
  notSupported: 4,
  simNotInserted: 10,
  simFailure: 13,
  simBusy: 14,
  memoryFull: 20,
  invalidIndex: 21,
  notFound: 22,
  textTooLong: 24,
  noNetwork: 30,
  networkTimeout: 31,
  incorrectParameters: 50,
  unknown: 100,
  pdpUnspecified: 148,
} as const;

const TEXTS: Readonly<Record<number, string>> = {
  0: "phone failure",
  3: "operation not allowed",
  4: "operation not supported",
  10: "SIM not inserted",
  13: "SIM failure",
  14: "SIM busy",
  20: "memory full",
  21: "invalid index",
  22: "not found",
  24: "text string too long",
  30: "no network service",
  31: "network timeout",
  50: "incorrect parameters",
  100: "unknown",
  148: "unspecified GPRS error",
};

/** Ends a command: with `cme` as the CMEE setting wants it told, without it as bare ERROR. */
export class AtError extends SimError {
  readonly cme: number | undefined;
  constructor(reason: string, cme?: number) {
    super("at", reason, { cme });
    this.cme = cme;
  }
}

/** The final result line for CMEE 0, 1 or 2. */
export function errorLine(error: AtError, cmee: number): string {
  if (error.cme === undefined || cmee === 0) return "ERROR";
  return `+CME ERROR: ${cmee === 2 ? (TEXTS[error.cme] ?? String(error.cme)) : error.cme}`;
}
