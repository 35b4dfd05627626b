/** Faults of the virtual link, by name. `nth` counts from when the fault is put to use: 1 is the next connection or exchange. */

export interface Fault {
  readonly at: "connect" | "exchange";
  readonly what: "name" | "refuse" | "untrusted" | "hang" | "reset" | "lose" | "late" | "close";
  readonly nth: number;
  /** How many times in a row; Infinity until healed. */
  readonly times: number;
  readonly ms: number;
}

/** A fault with the numbers of the connections or exchanges that it strikes. */
export interface PendingFault extends Fault {
  readonly from: number;
  readonly to: number;
}

const fault = (at: Fault["at"], what: Fault["what"], nth: number, times: number, ms = 0): Fault => ({ at, what, nth, times, ms });

/** The name does not resolve. */
export const nameFails = (times = 1, nth = 1): Fault => fault("connect", "name", nth, times);
/** The server refuses the connection. */
export const refuses = (times = 1, nth = 1): Fault => fault("connect", "refuse", nth, times);
/** A stranger answers: the TLS check fails. */
export const untrusted = (times = 1, nth = 1): Fault => fault("connect", "untrusted", nth, times);
/** The connection is never established. */
export const connectHangs = (times = 1, nth = 1): Fault => fault("connect", "hang", nth, times);
/** The connection is reset before the server has the request. */
export const resetAt = (nth = 1, times = 1): Fault => fault("exchange", "reset", nth, times);
/** The server has the request and acts on it, the answer is lost with the connection. */
export const losesAnswer = (nth = 1, times = 1): Fault => fault("exchange", "lose", nth, times);
/** The request never arrives, and nothing ever answers. */
export const hangs = (nth = 1, times = 1): Fault => fault("exchange", "hang", nth, times);
/** The answer comes `ms` later; beyond the agent's patience it is lost although the server acted. */
export const lateBy = (ms: number, nth = 1, times = 1): Fault => fault("exchange", "late", nth, times, ms);
/** The server closes the connection behind its answer. */
export const closesAfter = (nth = 1, times = 1): Fault => fault("exchange", "close", nth, times);

/** True when one of `faults` strikes the connection or exchange of this number. */
export function strikes(faults: readonly PendingFault[], at: Fault["at"], what: Fault["what"], number: number): boolean {
  return faults.some((f) => f.at === at && f.what === what && number >= f.from && number <= f.to);
}
