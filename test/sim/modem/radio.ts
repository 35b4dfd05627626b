/**
 * Registration, attach and PDP contexts inside a modem (3GPP TS 27.007 7.2, 10.1): coverage by the ICCID of the enabled Profile,
 * outages, and what the host is told of it. Notions as in modem.ts, which models the same in virtual time without AT commands.
 */
import { AtError, CME } from "./at-error.js";
import type { Unit } from "./family.js";
import { pause, type Run } from "./run.js";

/** Registration status of +CEREG. */
export const Stat = { idle: 0, home: 1, searching: 2, denied: 3, unknown: 4, roaming: 5, uiccFailure: 90 } as const;

export type Coverage = "none" | "denied" | number;

/** 001-01, the test network. */
const TEST_PLMN = "00101";
const PDP_STEP_MS = 100;
const PDP_MOST_MS = 150_000;

export class Radio {
  readonly #unit: Unit;
  readonly #coverage = new Map<string, Coverage>();
  readonly #plmns = new Map<string, string>();
  readonly #outages: (readonly [from: number, until: number])[] = [];
  readonly #active = new Set<number>();
  #cancel: (() => void) | undefined;
  #on = false;
  stat: number = Stat.idle;
  /** 0 to 5, of +CEREG. */
  reporting = 0;
  apns = new Map<number, { type: string; apn: string }>();
  roaming = false;
  /** Changes whenever connections die. */
  generation = 0;

  constructor(unit: Unit) {
    this.#unit = unit;
  }

  /** "none": never registers; "denied": is refused; a number: registers after so many milliseconds. */
  coverage(iccid: string, what: Coverage): void {
    this.#coverage.set(iccid, what);
    if (this.#unit.uicc.iccid === iccid && (typeof what === "string" || this.stat === Stat.searching || this.stat === Stat.denied)) this.#search();
  }

  /** Network of a Profile, 5 or 6 digits. */
  plmn(iccid: string, digits: string): void {
    this.#plmns.set(iccid, digits);
  }

  /** No network from one moment of the modem's time to another. */
  outage(fromMs: number, untilMs: number): void {
    const { timers } = this.#unit;
    this.#outages.push([fromMs, untilMs]);
    timers.after(Math.max(0, fromMs - timers.now()), () => {
      if (this.#on && this.registered) this.#search();
    });
  }

  /** The connection to the network breaks now; the modem searches anew. */
  drop(): void {
    if (this.#on) this.#search();
  }

  /** CFUN=1. */
  start(): void {
    if (this.#on) return;
    this.#on = true;
    if (this.#unit.uicc.ready) this.cardReady();
  }

  /** CFUN=0 or 4, power off. */
  stop(): void {
    this.#on = false;
    this.#lose();
    this.#become(Stat.idle);
  }

  get on(): boolean {
    return this.#on;
  }

  cardReady(): void {
    if (this.#on) this.#search();
  }

  cardGone(): void {
    this.#lose();
    this.#become(Stat.idle);
  }

  /** After a reset: settings of +CEREG are gone. */
  forget(): void {
    this.#cancel?.();
    this.#on = false;
    this.#active.clear();
    this.reporting = 0;
    this.stat = Stat.idle;
    this.apns = new Map();
    this.generation++;
  }

  get registered(): boolean {
    return this.stat === Stat.home || this.stat === Stat.roaming;
  }

  /** The network's number, digits. */
  get operator(): string {
    return this.#plmns.get(this.#unit.uicc.iccid ?? "") ?? TEST_PLMN;
  }

  active(cid: number): boolean {
    return this.#active.has(cid);
  }

  get contexts(): readonly number[] {
    return [...this.#active].sort((a, b) => a - b);
  }

  /** Waits for the registration, then activates a context. Throws AtError when there is none in time. */
  *activate(cid: number, mostMs = PDP_MOST_MS): Run<void> {
    const { timers } = this.#unit;
    const end = timers.now() + mostMs;
    while (!this.registered) {
      if (!this.#on || this.stat === Stat.denied || timers.now() >= end) throw new AtError("not registered", CME.noNetwork);
      yield* pause(PDP_STEP_MS);
    }
    this.#active.add(cid);
  }

  deactivate(cid: number): void {
    this.#active.delete(cid);
    this.#unit.sockets.loseContext(cid);
  }

  /** Address of a context. */
  address(cid: number): string {
    return `10.0.${this.generation & 0xff}.${cid + 1}`;
  }

  /** The read answer's fields behind <n>, or the URC's. */
  report(): string {
    const detail = this.reporting >= 2 && this.registered ? `,"0001","01A2D001",${this.#unit.settings.get("act") ?? "7"}` : "";
    const { psm } = this.#unit.power;
    const timers = this.reporting >= 4 && detail !== "" && psm !== undefined ? `,,,"${psm.active}","${psm.periodic}"` : "";
    const cause = (this.reporting === 3 || this.reporting === 5) && this.stat === Stat.denied ? `,,,,0,15` : "";
    return `${this.stat}${detail}${timers}${cause}`;
  }

  #become(stat: number): void {
    if (stat === this.stat) return;
    this.stat = stat;
    if (this.reporting > 0) this.#unit.urc(`+CEREG: ${this.report()}`);
  }

  #search(): void {
    this.#lose();
    const { uicc, timers, family } = this.#unit;
    if (uicc.iccid === undefined) return this.#become(family.name === "nrf91" ? Stat.uiccFailure : Stat.idle);
    const coverage = this.#coverage.get(uicc.iccid) ?? this.#unit.pace.registration;
    if (coverage === "denied") return this.#become(Stat.denied);
    this.#become(Stat.searching);
    if (coverage === "none") return;
    this.#cancel = timers.after(this.#readyAt(coverage) - timers.now(), () => this.#found());
  }

  #found(): void {
    this.#become(this.roaming ? Stat.roaming : Stat.home);
    if (this.#unit.family.automaticPdp) this.#active.add(this.#unit.family.cid);
    if (this.#unit.settings.get("cgerep") === "1") this.#unit.urc(`+CGEV: ME PDN ACT ${this.#unit.family.cid}`);
  }

  #readyAt(coverage: number): number {
    let at = this.#unit.timers.now() + coverage;
    for (const [from, until] of [...this.#outages].sort((a, b) => a[0] - b[0])) if (at >= from && at < until) at = until;
    return at;
  }

  /** Every connection is gone. */
  #lose(): void {
    this.#cancel?.();
    const lost = this.contexts;
    this.#active.clear();
    this.generation++;
    for (const cid of lost) {
      this.#unit.sockets.loseContext(cid);
      if (this.#unit.settings.get("cgerep") === "1") this.#unit.urc(`+CGEV: NW PDN DEACT ${cid}`);
    }
  }
}
