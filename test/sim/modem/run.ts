/** How an AT command takes its time: a procedure that waits for milliseconds, for a promise, or for data from the host. */
import type { Maybe } from "../core/maybe.js";

/** Data that the host is to send behind a prompt. */
export interface Take {
  /** Sent before, as it is: "> ", "@", "\r\nCONNECT\r\n". */
  readonly prompt: string;
  /** Octets expected; undefined: until `terminator`. */
  readonly length?: number;
  readonly terminator?: Uint8Array;
  /** ESC ends it without data. Only while no length is known: counted data may hold any octet. */
  readonly escape?: boolean;
  /** What comes sooner after the prompt than this is lost. */
  readonly deafMs?: number;
  /** Ends the waiting for more. */
  readonly waitMs?: number;
  /** More than `length` may hold is thrown away, and so counted. */
  readonly most?: number;
}

export type Wait = { readonly ms: number } | { readonly promise: Promise<unknown> } | { readonly take: Take };

/** The final result line; undefined is OK. */
export type Final = string | undefined | void;

/** A final result that is none: the command's end is not told (SIM7000's CIFSR, silent modems). */
export const UNTOLD = "\0untold";

export type Run<T = Final> = Generator<Wait, T, unknown>;

/** Lets time pass. */
export function* pause(ms: number): Run<void> {
  if (ms > 0) yield { ms };
}

/** Waits for a value that may not be there yet. */
export function* settled<T>(value: Maybe<T>): Run<T> {
  return value instanceof Promise ? ((yield { promise: value }) as T) : value;
}

/** Takes data from the host; undefined when it was given up (ESC) or didn't come whole in time. */
export function* taken(take: Take): Run<Uint8Array | undefined> {
  return (yield { take }) as Uint8Array | undefined;
}
