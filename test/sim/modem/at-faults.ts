/**
 * What goes wrong on a modem's UART and on its network, each by name. Every fault prints itself as the text that `readFault` reads, and
 * counts from the modem's start, so that a printed line repeats it. Octets are counted from 1, in one direction or both.
 */
import { failed } from "../core/doors.js";
import type { Rng } from "../core/rng.js";
import type { Address, Net, NetEvents, NetSocket } from "./net.js";
import type { Timers } from "./timers.js";

export type Direction = "host" | "modem";

export interface Passing {
  /** Where the octet goes to. */
  readonly to: Direction;
  /** Which octet of this direction it is, from 1. */
  readonly n: number;
  /** Which octet of both directions it is, from 1. */
  readonly total: number;
}

/** Where a URC may come in the middle of an answer. */
export type Gap = "answer" | "final";

/** What happens to one call of a command. */
export interface Verdict {
  /** Not carried out, not answered. */
  readonly silent?: true;
  /** Carried out, not answered. */
  readonly unanswered?: true;
  readonly lateMs?: number;
  /** The prompt never comes, or ERROR comes instead. */
  readonly prompt?: "missing" | "ERROR";
  readonly sendFails?: true;
  /** Not carried out; refused with this number of +CME ERROR, or plain ERROR. */
  readonly error?: number | "ERROR";
}

export interface Fault {
  /** As readFault takes it. */
  readonly text: string;
  /** What of an octet arrives; "brown-out": the modem resets behind it. */
  readonly octet?: (octet: number, passing: Passing, rng: Rng) => readonly number[] | "brown-out";
  /** nth: which call of this command since the start, from 1. */
  readonly command?: (name: string, nth: number) => Verdict | undefined;
  readonly gap?: (name: string, nth: number, gap: Gap) => string | undefined;
  /** When a datagram arrives, in ms from now: none, one or several times. nth: of its direction, from 1. */
  readonly datagram?: (way: Way, nth: number, rng: Rng) => readonly number[] | undefined;
}

export type Way = "up" | "down";
/** The nth one, or so many of a hundred. */
export type Which = number | `${number}%`;

/** The nth octet in a direction is lost. */
export function byteLost(to: Direction, n: number): Fault {
  return { text: `byte-lost:${to}:${n}`, octet: (octet, at) => (at.to === to && at.n === n ? [] : [octet]) };
}

/** The nth octet in a direction arrives with one bit turned. */
export function byteGarbled(to: Direction, n: number): Fault {
  return { text: `byte-garbled:${to}:${n}`, octet: (octet, at, rng) => (at.to === to && at.n === n ? [octet ^ (1 << rng.int(8))] : [octet]) };
}

/** Supply fails behind the nth octet of both directions: the modem resets without a word. */
export function brownOut(n: number): Fault {
  return { text: `brown-out:${n}`, octet: (octet, at) => (at.total === n ? "brown-out" : [octet]) };
}

/** A URC comes within the nth answer to a command: "answer" before its first line, "final" before its result. */
export function urcInside(command: string, nth: number, gap: Gap, urc: string): Fault {
  return { text: `urc-inside:${command}:${nth}:${gap}:${urc}`, gap: (name, n, at) => (name === command && n === nth && at === gap ? urc : undefined) };
}

export function late(command: string, nth: number, ms: number): Fault {
  return onCall(`late:${command}:${nth}:${ms}`, command, nth, { lateMs: ms });
}

/** The nth call is neither carried out nor answered. */
export function silent(command: string, nth: number): Fault {
  return onCall(`silent:${command}:${nth}`, command, nth, { silent: true });
}

/** The nth call is carried out, but not answered. */
export function unanswered(command: string, nth: number): Fault {
  return onCall(`unanswered:${command}:${nth}`, command, nth, { unanswered: true });
}

export function promptMissing(command: string, nth: number): Fault {
  return onCall(`prompt-missing:${command}:${nth}`, command, nth, { prompt: "missing" });
}

export function promptError(command: string, nth: number): Fault {
  return onCall(`prompt-error:${command}:${nth}`, command, nth, { prompt: "ERROR" });
}

/** SEND FAIL, or what the family has for it. */
export function sendFails(command: string, nth: number): Fault {
  return onCall(`send-fails:${command}:${nth}`, command, nth, { sendFails: true });
}

/** The nth call is not carried out, but refused. */
export function refused(command: string, nth: number, error: number | "ERROR"): Fault {
  return onCall(`refused:${command}:${nth}:${error}`, command, nth, { error });
}

function onCall(text: string, command: string, nth: number, verdict: Verdict): Fault {
  return { text, command: (name, n) => (name === command && n === nth ? verdict : undefined) };
}

export function datagramLost(way: Way, which: Which): Fault {
  return onDatagram(`datagram-lost:${way}:${which}`, way, which, () => []);
}

export function datagramDoubled(way: Way, which: Which): Fault {
  return onDatagram(`datagram-doubled:${way}:${which}`, way, which, () => [0, 0]);
}

/** It arrives after `ms`. */
export function datagramDelayed(way: Way, which: Which, ms: number): Fault {
  return onDatagram(`datagram-delayed:${way}:${which}:${ms}`, way, which, () => [ms]);
}

/** It arrives behind the next one, or after a second when none follows. */
export function datagramReordered(way: Way, which: Which): Fault {
  return onDatagram(`datagram-reordered:${way}:${which}`, way, which, () => [BEHIND_THE_NEXT]);
}

/** A time that means: behind the next datagram of this direction. */
const BEHIND_THE_NEXT = -1;
const REORDER_MS = 1000;

function onDatagram(text: string, way: Way, which: Which, times: () => readonly number[]): Fault {
  const share = typeof which === "string" ? Number.parseFloat(which) : undefined;
  const struck = (nth: number, rng: Rng): boolean => (share === undefined ? nth === which : rng.int(10_000) < share * 100);
  return { text, datagram: (at, nth, rng) => (at === way && struck(nth, rng) ? times() : undefined) };
}

const COMMAND = "[+#%^A-Za-z0-9]+";
const READERS: readonly (readonly [form: string, pattern: RegExp, make: (...args: string[]) => Fault])[] = [
  ["byte-lost:host|modem:N", /^byte-lost:(host|modem):(\d+)$/, (to, n) => byteLost(to as Direction, Number(n))],
  ["byte-garbled:host|modem:N", /^byte-garbled:(host|modem):(\d+)$/, (to, n) => byteGarbled(to as Direction, Number(n))],
  ["brown-out:N", /^brown-out:(\d+)$/, (n) => brownOut(Number(n))],
  ["urc-inside:COMMAND:N:answer|final:URC", new RegExp(`^urc-inside:(${COMMAND}):(\\d+):(answer|final):(.+)$`), (name = "", n, gap, urc = "") => urcInside(name, Number(n), gap as Gap, urc)],
  ["late:COMMAND:N:MS", new RegExp(`^late:(${COMMAND}):(\\d+):(\\d+)$`), (name = "", n, ms) => late(name, Number(n), Number(ms))],
  ["silent:COMMAND:N", new RegExp(`^silent:(${COMMAND}):(\\d+)$`), (name = "", n) => silent(name, Number(n))],
  ["unanswered:COMMAND:N", new RegExp(`^unanswered:(${COMMAND}):(\\d+)$`), (name = "", n) => unanswered(name, Number(n))],
  ["prompt-missing:COMMAND:N", new RegExp(`^prompt-missing:(${COMMAND}):(\\d+)$`), (name = "", n) => promptMissing(name, Number(n))],
  ["prompt-error:COMMAND:N", new RegExp(`^prompt-error:(${COMMAND}):(\\d+)$`), (name = "", n) => promptError(name, Number(n))],
  ["send-fails:COMMAND:N", new RegExp(`^send-fails:(${COMMAND}):(\\d+)$`), (name = "", n) => sendFails(name, Number(n))],
  ["refused:COMMAND:N:CME|ERROR", new RegExp(`^refused:(${COMMAND}):(\\d+):(\\d+|ERROR)$`), (name = "", n, error) => refused(name, Number(n), error === "ERROR" ? error : Number(error))],
  ["datagram-lost:up|down:N|P%", /^datagram-lost:(up|down):(\d+|[\d.]+%)$/, (way, which = "") => datagramLost(way as Way, whichOf(which))],
  ["datagram-doubled:up|down:N|P%", /^datagram-doubled:(up|down):(\d+|[\d.]+%)$/, (way, which = "") => datagramDoubled(way as Way, whichOf(which))],
  ["datagram-reordered:up|down:N|P%", /^datagram-reordered:(up|down):(\d+|[\d.]+%)$/, (way, which = "") => datagramReordered(way as Way, whichOf(which))],
  ["datagram-delayed:up|down:N|P%:MS", /^datagram-delayed:(up|down):(\d+|[\d.]+%):(\d+)$/, (way, which = "", ms) => datagramDelayed(way as Way, whichOf(which), Number(ms))],
];

/** The forms of all faults, for a help text. */
export const FAULT_FORMS: readonly string[] = READERS.map(([form]) => form);

/** A fault from its text; throws RangeError for one that is none. */
export function readFault(text: string): Fault {
  for (const [, pattern, make] of READERS) {
    const found = pattern.exec(text);
    if (found !== null) return make(...found.slice(1));
  }
  throw new RangeError(`expected a fault (${FAULT_FORMS.join(", ")}), got "${text}"`);
}

function whichOf(text: string): Which {
  return text.endsWith("%") ? (text as Which) : Number(text);
}

/** A network whose datagrams meet the faults. Streams pass as they are. */
export class FaultyNet implements Net {
  readonly #net: Net;
  readonly #faults: readonly Fault[];
  readonly #rng: Rng;
  readonly #timers: Timers;
  readonly #told: (text: string) => void;
  readonly #count = { up: 0, down: 0 };
  readonly #held: Record<Way, (() => void)[]> = { up: [], down: [] };

  constructor(net: Net, faults: readonly Fault[], rng: Rng, timers: Timers, told: (text: string) => void) {
    this.#net = net;
    this.#faults = faults;
    this.#rng = rng;
    this.#timers = timers;
    this.#told = told;
  }

  resolve(host: string) {
    return this.#net.resolve(host);
  }

  tcp(peer: Address, events: NetEvents) {
    return this.#net.tcp(peer, events);
  }

  udp(peer: Address | undefined, events: NetEvents) {
    const opened = this.#net.udp(peer, { ...events, data: (bytes, from) => this.#pass("down", () => events.data(bytes, from)) });
    return opened instanceof Promise ? opened.then((socket) => this.#wrapped(socket)) : this.#wrapped(opened);
  }

  #wrapped<T extends object>(socket: T): T | NetSocket {
    if (!("send" in socket)) return socket;
    const inner = socket as unknown as NetSocket;
    let open = true;
    return {
      send: (bytes, to) => {
        if (!open) return failed("link", "the socket is closed");
        const copy = bytes.slice();
        this.#pass("up", () => void (open && inner.send(copy, to)));
        return undefined;
      },
      close: () => {
        open = false;
        inner.close();
      },
    };
  }

  #pass(way: Way, arrive: () => void): void {
    const nth = ++this.#count[way];
    const held = this.#held[way].splice(0);
    for (const ms of this.#times(way, nth)) {
      if (ms === 0) arrive();
      else if (ms === BEHIND_THE_NEXT) this.#hold(way, arrive);
      else this.#timers.after(ms, arrive);
    }
    for (const release of held) release();
  }

  #times(way: Way, nth: number): readonly number[] {
    for (const fault of this.#faults) {
      const times = fault.datagram?.(way, nth, this.#rng);
      if (times === undefined) continue;
      this.#told(`fault ${fault.text}: datagram ${nth} ${way}`);
      return times;
    }
    return [0];
  }

  #hold(way: Way, arrive: () => void): void {
    let waiting = true;
    const release = (): void => {
      if (waiting) arrive();
      waiting = false;
    };
    this.#held[way].push(release);
    this.#timers.after(REORDER_MS, release);
  }
}
