/**
 * The AT modem: command lines in, answers and URCs out, over a stream of octets (ITU-T V.250, 3GPP TS 27.007). It opens no door itself:
 * time, network and card are given, `write` takes what the host sends and `onData` gives what it hears. One command at a time: what a
 * host sends while one runs is lost, and noted, since real modems drop, mix or abort.
 */
import { concat } from "../core/bytes.js";
import { Rng } from "../core/rng.js";
import { FaultyNet, type Fault, type Gap, type Verdict } from "./at-faults.js";
import { AtError, errorLine } from "./at-error.js";
import { parseCommands, type Call } from "./command-line.js";
import { DataEntry } from "./data-entry.js";
import { familyOf } from "./families/index.js";
import type { Family, FamilyName, UiccQuirks, Unit } from "./family.js";
import { LineReader } from "./line-reader.js";
import { LoopbackNet } from "./loopback.js";
import type { Net, Secure } from "./net.js";
import { QUICK_PACE, type Pace } from "./pace.js";
import { Power } from "./power.js";
import { Procedures } from "./procedures.js";
import { Radio } from "./radio.js";
import { UNTOLD, type Final, type Run, type Take } from "./run.js";
import { Sockets } from "./sockets.js";
import { RealTimers, type Timers } from "./timers.js";
import { Transcript } from "./transcript.js";
import { Uart } from "./uart.js";
import { UiccSide, type AnyCard } from "./uicc.js";

export interface AtModemOptions {
  readonly family: FamilyName;
  /** The card in it; without one the slot is empty. */
  readonly card?: AnyCard;
  /** Default: LoopbackNet without names. */
  readonly net?: Net;
  readonly secure?: Secure;
  /** Default: real time. */
  readonly timers?: Timers;
  readonly seed?: number;
  readonly pace?: Partial<Pace>;
  readonly uicc?: Partial<UiccQuirks>;
  readonly faults?: readonly Fault[];
  readonly imei?: string;
  /** Seconds since 1970 at the modem's time 0; default 2026-01-01, in real time the computer's clock. */
  readonly wallClock?: number;
  /** Echo at start (default: on). */
  readonly echo?: boolean;
  /** What ends lines to the host (default CR LF; some modems: CR CR LF). */
  readonly lineEnd?: "\r\n" | "\r\r\n";
  /** Most octets in one piece to the host (default: no bound). */
  readonly chunk?: number;
  /** Octets lost at start and at each waking, before the modem hears (autobaud, sleep). */
  readonly deafOctets?: number;
}

const NUMERIC: Readonly<Record<string, string>> = { OK: "0", CONNECT: "1", "NO CARRIER": "3", ERROR: "4" };
const DEFAULT_WAIT_MS = 30_000;
const WALL_CLOCK = 1_767_225_600;

type State = "off" | "booting" | "on" | "asleep";

interface Running {
  readonly call: Call;
  readonly nth: number;
  readonly verdict: Verdict;
  /** A line of its answer went out. */
  answered: boolean;
}

export class AtModem implements Unit {
  readonly transcript = new Transcript();
  readonly family: Family;
  readonly quirks: UiccQuirks;
  readonly pace: Pace;
  readonly timers: Timers;
  readonly rng: Rng;
  readonly uicc: UiccSide;
  readonly radio: Radio;
  readonly sockets: Sockets;
  readonly power: Power;
  readonly secure: Secure;
  readonly settings = new Map<string, string>();
  readonly files = new Map<string, Uint8Array>();
  readonly imei: string;
  readonly wallClock: number;
  echo = true;
  verbose = true;
  quiet = false;
  cmee = 0;
  /** What the host did that a modem need not bear: octets during a command, too early after a prompt. */
  readonly violations: string[] = [];
  readonly #options: AtModemOptions;
  readonly #faults: Fault[];
  readonly #reader: LineReader;
  readonly #uart: Uart;
  readonly #calls = new Map<string, number>();
  #state: State = "off";
  /** Changes with each reset; what was begun before ends unseen. */
  #epoch = 0;
  #deaf = 0;
  #rest: Call[] = [];
  #running: Running | undefined;
  #entry: { readonly data: DataEntry; readonly done: (bytes: Uint8Array | undefined) => void } | undefined;
  /** URCs that wait for the end of an answer or of data. */
  #urcs: { readonly text: string; readonly payload: Uint8Array | undefined }[] = [];
  #later: Run<void>[] = [];
  readonly #procedures: Procedures;

  constructor(options: AtModemOptions) {
    this.#options = options;
    this.family = familyOf(options.family);
    this.quirks = { ...this.family.uicc, ...options.uicc };
    this.pace = { ...QUICK_PACE, ...options.pace };
    this.timers = options.timers ?? new RealTimers();
    this.rng = new Rng(options.seed ?? 1);
    this.#faults = [...(options.faults ?? [])];
    this.secure = options.secure ?? {};
    this.imei = options.imei ?? "356938035643809";
    this.wallClock = options.wallClock ?? (options.timers === undefined ? (Date.now() - this.timers.now()) / 1000 : WALL_CLOCK);
    this.#uart = new Uart({
      faults: this.#faults, rng: this.rng, timers: this.timers, transcript: this.transcript,
      chunk: options.chunk ?? Number.MAX_SAFE_INTEGER,
      alive: () => this.#state === "on",
      brownOut: () => this.brownOut(),
    });
    this.#procedures = new Procedures(this.timers, (take, got) => this.#take(take, got), () => this.#flush());
    this.uicc = new UiccSide(this, options.card);
    this.radio = new Radio(this);
    this.sockets = new Sockets(this, new FaultyNet(options.net ?? new LoopbackNet(), this.#faults, this.rng, this.timers, (text) => this.note(text)));
    this.power = new Power(this, () => this.#sleep());
    this.#reader = new LineReader(this.family.lineMost, this.family.quotedLines);
  }

  /** Hears what the modem sends. */
  set onData(hears: (bytes: Uint8Array) => void) {
    this.#uart.onData = hears;
  }

  /** Octets that passed so far, to each side and in all: what byte faults count. */
  get octets(): { readonly host: number; readonly modem: number; readonly total: number } {
    return this.#uart.octets;
  }

  get state(): State {
    return this.#state;
  }

  /** The newest fault is asked first. */
  use(fault: Fault): void {
    this.#faults.unshift(fault);
  }

  /** Power, or the PWRKEY. */
  powerOn(): void {
    if (this.#state !== "off") return;
    this.#state = "booting";
    this.#reset();
    const epoch = this.#epoch;
    this.timers.after(this.pace.boot, () => {
      if (epoch === this.#epoch) this.#booted();
    });
  }

  powerOff(): void {
    this.#state = "off";
    this.#reset();
    this.uicc.stop();
  }

  /** Supply fails for a moment: reset without a word. */
  brownOut(): void {
    this.note("brown-out");
    this.powerOff();
    this.powerOn();
  }

  restart(ms: number): void {
    const epoch = this.#epoch;
    this.timers.after(ms, () => {
      if (epoch !== this.#epoch) return;
      this.powerOff();
      this.powerOn();
    });
  }

  /** Wakes it from PSM as a pin does, without the loss of octets. */
  wake(): void {
    if (this.#state !== "asleep") return;
    this.#state = "off";
    if (this.family.psm === "deep") this.powerOn();
    else this.#state = "on";
  }

  /** What the host sends. */
  write(bytes: Uint8Array): void {
    this.#uart.receive(bytes, (octet) => this.#octet(octet));
  }

  line(text: string): void {
    this.#gap("answer");
    this.#out(this.verbose ? `${this.#end}${text}${this.#end}` : `${text}${this.#end}`);
  }

  raw(...parts: readonly (string | Uint8Array)[]): void {
    this.#gap("answer");
    this.#out(...parts);
  }

  urc(text: string, payload?: Uint8Array): void {
    if (this.#state !== "on") return;
    this.#urcs.push({ text, payload });
    this.#flush();
  }

  tellSim(ready: boolean): void {
    const { simReady, simGone, simAsked } = this.family;
    if (simAsked !== undefined && this.settings.get(simAsked) !== "1") return;
    for (const text of ready ? simReady : simGone) this.urc(text);
  }

  get reachable(): boolean {
    return this.#state === "on";
  }

  get date(): Date {
    return new Date(this.wallClock * 1000 + this.timers.now());
  }

  note(text: string): void {
    this.transcript.note(this.timers.now(), text);
  }

  background(run: Run<void>): void {
    // The answer comes first: a URC of the background never precedes its command's OK.
    if (this.#running !== undefined) this.#later.push(run);
    else this.#aside(run);
  }

  #aside(run: Run<void>): void {
    this.#procedures.run(run, this.#alive(), (final) => {
      if (final instanceof AtError) this.note(final.message);
      this.#flush();
    });
  }

  get #end(): string {
    return this.#options.lineEnd ?? "\r\n";
  }

  #alive(): () => boolean {
    const epoch = this.#epoch;
    return () => epoch === this.#epoch;
  }

  #reset(): void {
    this.#epoch++;
    this.#running = undefined;
    this.#entry = undefined;
    this.#rest = [];
    this.#urcs = [];
    this.#later = [];
    this.#reader.clear();
    this.settings.clear();
    this.sockets.forget();
    this.radio.forget();
    this.power.forget();
    this.echo = this.#options.echo ?? true;
    this.verbose = true;
    this.quiet = false;
    this.cmee = 0;
    this.#deaf = this.#options.deafOctets ?? 0;
  }

  #booted(): void {
    this.#state = "on";
    for (const text of this.family.boot) this.urc(text);
    if (!this.uicc.inserted) this.tellSim(false);
    this.settings.set("cfun", String(this.family.startsAt));
    if (this.family.startsAt === 0) return;
    this.uicc.start();
    this.radio.start();
  }

  #sleep(): void {
    if (this.#running !== undefined || this.#state !== "on") return this.power.traffic();
    this.family.hooks.asleep(this);
    this.note("asleep");
    if (this.family.psm === "deep") this.powerOff();
    this.#state = "asleep";
    this.#deaf = Math.max(1, this.#options.deafOctets ?? 1);
  }

  #octet(octet: number): void {
    if (this.#state === "asleep") this.wake();
    if (this.#state !== "on") return;
    if (this.#deaf > 0) return void this.#deaf--;
    this.power.traffic();
    if (this.#entry !== undefined) return this.#data(octet);
    if (this.#running !== undefined) return this.#violated(`octets while ${this.#running.call.name} was running`);
    if (this.echo) this.#out(Uint8Array.of(octet));
    const line = this.#reader.push(octet);
    if (line !== undefined) this.#execute(line);
  }

  #violated(what: string): void {
    if (this.violations.at(-1) === what) return;
    this.violations.push(what);
    this.note(`the host sent ${what}`);
  }

  #data(octet: number): void {
    const entry = this.#entry;
    if (entry === undefined) return;
    const before = entry.data.deaf;
    const bytes = entry.data.push(octet, this.timers.now());
    if (entry.data.deaf > before) this.#violated("data too soon after the prompt");
    if (bytes === undefined) return;
    entry.done(bytes ?? undefined);
  }

  #execute(line: string): void {
    try {
      this.#rest = parseCommands(line);
    } catch (error) {
      if (!(error instanceof AtError)) throw error;
      this.note(error.message);
      return this.#final(errorLine(error, this.cmee), {});
    }
    this.#next();
  }

  #next(): void {
    const call = this.#rest.shift();
    if (call === undefined) return this.#final("OK", {});
    const nth = (this.#calls.get(call.name) ?? 0) + 1;
    this.#calls.set(call.name, nth);
    const verdict = this.#verdict(call.name, nth);
    this.#running = { call, nth, verdict, answered: false };
    if (verdict.silent === true) return this.#final(UNTOLD, verdict);
    const delay = this.pace.command + (verdict.lateMs ?? 0);
    const alive = this.#alive();
    if (delay === 0) return this.#begin(call, verdict);
    this.timers.after(delay, () => {
      if (alive()) this.#begin(call, verdict);
    });
  }

  #verdict(name: string, nth: number): Verdict {
    for (const fault of this.#faults) {
      const verdict = fault.command?.(name, nth);
      if (verdict === undefined) continue;
      this.note(`fault ${fault.text}`);
      return verdict;
    }
    return {};
  }

  #begin(call: Call, verdict: Verdict): void {
    const end = (final: Final | AtError): void => {
      if (final instanceof AtError) this.note(`${call.name}: ${final.message}`);
      const text = final instanceof AtError ? errorLine(final, this.cmee) : (final ?? "OK");
      if (text === "OK" && this.#rest.length > 0) return this.#next();
      this.#final(text, verdict);
    };
    this.#procedures.run(this.#handled(call), this.#alive(), end);
  }

  *#handled(call: Call): Run {
    const error = this.#running?.verdict.error;
    if (error !== undefined) throw new AtError("fault", error === "ERROR" ? undefined : error);
    const entry = this.family.commands[call.name];
    const handler = entry?.[call.form];
    if (handler === undefined) {
      if (entry !== undefined && call.form === "test") return "OK";
      throw new AtError(entry === undefined ? "the command is not known" : `the command has no form "${call.form}"`);
    }
    const result = handler(this, call.params);
    return typeof result === "object" ? yield* result : result;
  }

  #take(take: Take, got: (bytes: Uint8Array | undefined) => void): void {
    const prompt = this.#running?.verdict.prompt;
    if (prompt === "ERROR") return this.#final("ERROR", {});
    const alive = this.#alive();
    const entry = {
      data: new DataEntry(take, this.timers.now() + (take.deafMs ?? 0)),
      done: (bytes: Uint8Array | undefined): void => {
        if (this.#entry !== entry) return;
        this.#entry = undefined;
        got(bytes);
      },
    };
    this.#entry = entry;
    this.timers.after(take.waitMs ?? DEFAULT_WAIT_MS, () => {
      if (!alive() || this.#entry !== entry) return;
      this.note(`data ended after ${entry.data.count} octets: no more came`);
      entry.done(undefined);
    });
    if (prompt !== "missing") this.#out(take.prompt);
  }

  /** Whether the running command's sending is to fail. */
  get sendFails(): boolean {
    return this.#running?.verdict.sendFails === true;
  }

  #final(text: string, verdict: Verdict): void {
    if (text !== UNTOLD && verdict.unanswered !== true) this.#gap("final");
    const told = text !== UNTOLD && !this.quiet && this.#running?.verdict.unanswered !== true;
    if (told) this.#out(this.#finalText(text));
    this.#running = undefined;
    this.#rest = [];
    this.#flush();
    for (const run of this.#later.splice(0)) this.#aside(run);
  }

  #finalText(text: string): string {
    const numeric = NUMERIC[text];
    return !this.verbose && numeric !== undefined ? `${numeric}\r` : `${this.#end}${text}${this.#end}`;
  }

  #gap(gap: Gap): void {
    const running = this.#running;
    if (running === undefined || (gap === "answer" && running.answered)) return;
    if (gap === "answer") running.answered = true;
    for (const fault of this.#faults) {
      const urc = fault.gap?.(running.call.name, running.nth, gap);
      if (urc === undefined) continue;
      this.note(`fault ${fault.text}`);
      this.#out(`${this.#end}${urc}${this.#end}`);
    }
  }

  #flush(): void {
    if (this.#entry !== undefined || this.#procedures.stepping) return;
    for (const { text, payload } of this.#urcs.splice(0)) {
      this.#uart.send(concat(latin1(`${this.#end}${text}${this.#end}`), payload ?? new Uint8Array(0), latin1(payload === undefined ? "" : this.#end)));
    }
  }

  #out(...parts: readonly (string | Uint8Array)[]): void {
    if (this.#running?.verdict.unanswered === true) return;
    this.#uart.send(concat(...parts.map((part) => (typeof part === "string" ? latin1(part) : part))));
  }
}

function latin1(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "latin1"));
}
