/**
 * The eUICC door of a host that holds the card itself, without a modem: logical channel, SELECT, resets and, when the agent lets the
 * terminal act, proactive commands (sgp32-transport 5.3, 5.6; ETSI TS 102 221 and TS 102 223).
 * Leaves out: commands that need a user or a network (SEND SMS, OPEN CHANNEL): they are answered "beyond the terminal's capabilities".
 */
import { find, must, readAll, readOne } from "../codec/tlv.js";
import { concat, toHex } from "../core/bytes.js";
import type { Clock } from "../core/clock.js";
import { failed, isFailed, type Ended, type Failed, type Uicc } from "../core/doors.js";
import { SimError } from "../core/errors.js";
import { drive, wait, type Maybe, type Steps } from "../core/maybe.js";

/** A card whose answers may take their time: a simulated one answers at once. */
export interface AnyCard {
  /** Gives the ATR. */
  powerCycle(): Maybe<Uint8Array>;
  transmit(command: Uint8Array): Maybe<Uint8Array>;
}

/** The card or its reader is gone: thrown by cards, told to the agent as "no card". */
export class CardGoneError extends SimError {}

export interface RawUiccOptions {
  readonly card: AnyCard;
  readonly clock: Clock;
  /** TERMINAL PROFILE content (TS 102 223 5.2); without it none is sent, and the card will not ask for a REFRESH. */
  readonly terminalProfile?: Uint8Array;
  /** P2 of SELECT, 0x00 or 0x04 (default 0x00). */
  readonly selectP2?: number;
  /** Every C-APDU and its R-APDU. */
  readonly record?: (command: Uint8Array, response: Uint8Array) => void;
  /** Tells the terminal that the card went through a reset or REFRESH. */
  readonly onReset?: () => void;
}

/** Plain data. */
export interface RawUiccState {
  channel: number | null;
  /** Octets of a proactive command that waits for FETCH. */
  proactive: number;
}

const POLL_MS = 1000;
const MOST_PROACTIVE = 20;
const REFRESH = 0x01;
const UICC_RESET = 0x04;
/** Answered with "performed": MORE TIME, POLL INTERVAL, POLLING OFF, SET UP EVENT LIST, SET UP MENU, SET UP IDLE MODE TEXT. */
const HARMLESS = new Set([0x02, 0x03, 0x04, 0x05, 0x25, 0x28]);

/** TERMINAL PROFILE that announces profile download, MORE TIME, POLL INTERVAL and REFRESH (TS 102 223 5.2). */
export const TERMINAL_PROFILE_REFRESH = Uint8Array.of(0x01, 0x00, 0xc8);

export class RawUicc implements Uicc {
  readonly #options: RawUiccOptions;
  #state: RawUiccState = { channel: null, proactive: 0 };

  constructor(options: RawUiccOptions) {
    this.#options = options;
  }

  /** Powers the card and announces the terminal: what a device does at boot and after each reset. */
  boot(): Maybe<Ended> {
    return this.#guard(this.#powerCycle());
  }

  reset(how: { readonly afterRefresh: boolean; readonly waitMs: number }): Maybe<Ended> {
    return this.#guard(how.afterRefresh ? this.#afterRefresh(how.waitMs) : this.#powerCycle());
  }

  open(aid: Uint8Array, how: { readonly fixedChannel: boolean; readonly noFci: boolean }): Maybe<{ channel: number; fci: Uint8Array } | (Failed & { readonly sw?: number })> {
    return this.#guard(this.#open(aid, how));
  }

  transmit(apdu: Uint8Array): Maybe<Uint8Array | Failed> {
    return this.#guard(this.#send(apdu));
  }

  close(): Maybe<Ended> {
    return this.#guard(this.#close());
  }

  snapshot(): RawUiccState {
    return { ...this.#state };
  }

  restore(state: RawUiccState): void {
    this.#state = { ...state };
  }

  #guard<T>(steps: Steps<T>): Maybe<T | Failed> {
    const gone = (error: unknown): Failed => {
      if (error instanceof CardGoneError) return failed("no card", error.message);
      throw error;
    };
    try {
      const result = drive(steps);
      return result instanceof Promise ? result.catch(gone) : result;
    } catch (error) {
      return gone(error);
    }
  }

  *#send(command: Uint8Array): Steps<Uint8Array> {
    const response = yield* wait(this.#options.card.transmit(command));
    this.#options.record?.(command, response);
    if (response.length < 2) throw new CardGoneError("card-gone", `the card did not answer ${toHex(command)}`);
    const [sw1, sw2] = [response.at(-2) ?? 0, response.at(-1) ?? 0];
    if (sw1 === 0x91) this.#state.proactive = sw2 === 0 ? 256 : sw2;
    return response;
  }

  *#powerCycle(): Steps<Ended> {
    this.#state = { channel: null, proactive: 0 };
    yield* wait(this.#options.card.powerCycle());
    this.#options.onReset?.();
    const profile = this.#options.terminalProfile;
    if (profile === undefined) return undefined;
    yield* this.#send(concat(Uint8Array.of(0x80, 0x10, 0x00, 0x00, profile.length), profile));
    for (let i = 0; i < MOST_PROACTIVE && this.#state.proactive > 0; i++) yield* this.#proactive();
    return undefined;
  }

  /** Grants the card its REFRESH, asking by STATUS whether it wants one; resets it when none has come in time. */
  *#afterRefresh(waitMs: number): Steps<Ended> {
    const clock = this.#options.clock;
    const end = clock.now() + waitMs;
    for (;;) {
      for (let i = 0; i < MOST_PROACTIVE && this.#state.proactive > 0; i++) {
        const done = yield* this.#proactive();
        if (done === "reset") return yield* this.#powerCycle();
        if (done === "refreshed") return undefined;
      }
      const left = end - clock.now();
      if (left <= 0) return yield* this.#powerCycle();
      yield* wait(clock.sleep(Math.min(POLL_MS, left)) ?? undefined);
      yield* this.#send(Uint8Array.of(0x80, 0xf2, 0x00, 0x00, 0x00));
    }
  }

  /** Fetches one proactive command and answers it. "reset": the card asked for a UICC reset, which replaces the answer. */
  *#proactive(): Steps<"answered" | "refreshed" | "reset"> {
    const length = this.#state.proactive;
    this.#state.proactive = 0;
    const fetched = yield* this.#send(Uint8Array.of(0x80, 0x12, 0x00, 0x00, length & 0xff));
    if (fetched.length < 4 || fetched[0] !== 0xd0) return "answered";
    const details = must(readAll(readOne(fetched.subarray(0, -2), 0xd0).value), 0x81, "command details").value;
    const [number, type, qualifier] = [details[0] ?? 0, details[1] ?? 0, details[2] ?? 0];
    if (type === REFRESH && qualifier === UICC_RESET) return "reset";
    yield* this.#send(terminalResponse(number, type, qualifier, fetched));
    if (type !== REFRESH) return "answered";
    yield* this.#close();
    this.#options.onReset?.();
    return "refreshed";
  }

  *#open(aid: Uint8Array, how: { readonly fixedChannel: boolean; readonly noFci: boolean }): Steps<{ channel: number; fci: Uint8Array } | (Failed & { readonly sw?: number })> {
    const answer = yield* this.#send(how.fixedChannel ? Uint8Array.of(0x00, 0x70, 0x00, 0x01, 0x00) : Uint8Array.of(0x00, 0x70, 0x00, 0x00, 0x01));
    const sw = statusWord(answer);
    if (!how.fixedChannel && (sw !== 0x9000 || answer.length !== 3)) {
      return { ...failed("channel", `MANAGE CHANNEL was answered ${toHex(answer)}`), sw };
    }
    const channel = how.fixedChannel ? 1 : (answer[0] as number);
    if (channel < 1 || channel > 19) return { ...failed("channel", `the card assigned channel ${channel}`), sw };
    this.#state.channel = channel;
    const selected = yield* this.#select(channel, aid, how.noFci);
    if (isFailed(selected)) yield* this.#close();
    return isFailed(selected) ? selected : { channel, fci: selected };
  }

  *#select(channel: number, aid: Uint8Array, noFci: boolean): Steps<Uint8Array | (Failed & { readonly sw?: number })> {
    const cla = interindustry(channel);
    const command = concat(Uint8Array.of(cla, 0xa4, 0x04, this.#options.selectP2 ?? 0x00, aid.length), aid);
    let selected = yield* this.#send(command);
    if (selected.at(-2) === 0x6c) selected = yield* this.#send(concat(command, selected.subarray(-1)));
    let fci = selected.subarray(0, -2);
    let sw = statusWord(selected);
    while (sw >> 8 === 0x61 && !noFci) {
      const more = yield* this.#send(Uint8Array.of(cla, 0xc0, 0x00, 0x00, sw & 0xff));
      fci = concat(fci, more.subarray(0, -2));
      sw = statusWord(more);
    }
    if (sw === 0x9000 || sw >> 8 === 0x61 || sw >> 8 === 0x91) return fci;
    return { ...failed("no ISD-R", `SELECT ${toHex(aid)} was answered ${sw.toString(16).toUpperCase()}`), sw };
  }

  *#close(): Steps<Ended> {
    const channel = this.#state.channel;
    this.#state.channel = null;
    if (channel !== null) yield* this.#send(Uint8Array.of(0x00, 0x70, 0x80, channel, 0x00));
    return undefined;
  }
}

/** Interindustry CLA for a logical channel (TS 102 221 10.1.1). */
export function interindustry(channel: number): number {
  return channel < 4 ? channel : 0x40 | (channel - 4);
}

function statusWord(response: Uint8Array): number {
  return ((response.at(-2) ?? 0) << 8) | (response.at(-1) ?? 0);
}

function terminalResponse(number: number, type: number, qualifier: number, fetched: Uint8Array): Uint8Array {
  const result = type === REFRESH || HARMLESS.has(type) ? 0x00 : 0x30;
  const interval = type === 0x03 ? duration(fetched) : new Uint8Array(0);
  const body = concat(Uint8Array.of(0x81, 0x03, number, type, qualifier, 0x82, 0x02, 0x82, 0x81, 0x83, 0x01, result), interval);
  return concat(Uint8Array.of(0x80, 0x14, 0x00, 0x00, body.length), body);
}

/** POLL INTERVAL: the terminal takes the interval that was asked for. */
function duration(fetched: Uint8Array): Uint8Array {
  return find(readAll(readOne(fetched.subarray(0, -2), 0xd0).value), 0x84)?.raw ?? new Uint8Array(0);
}
