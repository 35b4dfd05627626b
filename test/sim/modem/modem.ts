/**
 * The device around the card in virtual time: registration with the network of the enabled profile, the data bearer on top, and
 * what a profile switch, a REFRESH or a lost network does to them (sgp32-procedures 4.4). No AT commands: those are the host's.
 */
import type { VirtualClock } from "../core/clock.js";
import { failed, type Bearer, type Failed } from "../core/doors.js";

export interface ModemOptions {
  readonly clock: Pick<VirtualClock, "now" | "sleep">;
  /** ICCID of the eUICC's enabled profile, if one is. */
  readonly enabledProfile: () => string | undefined;
  /** Time from a card's reset to the data bearer where nothing else is said (default 5 s). */
  readonly registrationMs?: number;
}

/** Plain data. */
export interface ModemState {
  /** Profile with which the bearer is up. */
  registered: string | null;
  /** Changes whenever connections die: card reset, profile switch, new address. */
  generation: number;
  /** Since when the present profile is being tried; null when nobody asked. */
  since: number | null;
  coverage: Map<string, "none" | number>;
  plmns: Map<string, Uint8Array>;
  outages: readonly (readonly [from: number, until: number])[];
}

/** 001-01, the test network, as in TS 24.008. */
const TEST_PLMN = Uint8Array.of(0x00, 0xf1, 0x10);

export class Modem implements Bearer {
  readonly #options: ModemOptions;
  #state: ModemState = { registered: null, generation: 0, since: null, coverage: new Map(), plmns: new Map(), outages: [] };

  constructor(options: ModemOptions) {
    this.#options = options;
  }

  /** "none": the profile never registers; a number: it does after so many milliseconds. */
  coverage(iccid: string, what: "none" | number): void {
    this.#state.coverage = new Map(this.#state.coverage).set(iccid, what);
    if (what === "none" && this.#state.registered === iccid) this.drop();
  }

  /** Network that a profile registers with: 3 octets as in TS 24.008, empty for unknown. */
  plmn(iccid: string, plmn: Uint8Array): void {
    this.#state.plmns = new Map(this.#state.plmns).set(iccid, plmn);
  }

  /** No network at all from one moment to another (ms of the world's clock). */
  outage(fromMs: number, untilMs: number): void {
    this.#state.outages = [...this.#state.outages, [fromMs, untilMs]];
  }

  /** The card was reset or refreshed: the modem registers anew when a bearer is wanted, with whatever profile is enabled then. */
  cardReset(): void {
    this.drop();
  }

  /** The bearer goes down, and every connection with it. */
  drop(): void {
    this.#state.registered = null;
    this.#state.since = null;
    this.#state.generation++;
  }

  /** The bearer holds only as long as its profile is the enabled one. */
  get network(): { readonly up: boolean; readonly generation: number } {
    const { registered, generation } = this.#state;
    const up = registered !== null && registered === this.#options.enabledProfile() && !this.#outageAt(this.#options.clock.now());
    return { up, generation };
  }

  up(how: { readonly restart: boolean; readonly waitMs: number }): { plmn: Uint8Array } | Failed {
    const { clock, enabledProfile } = this.#options;
    const iccid = enabledProfile();
    if (how.restart || (this.#state.registered !== null && this.#state.registered !== iccid)) this.drop();
    if (this.network.up) return this.#registered(iccid as string);
    const now = clock.now();
    this.#state.since ??= now;
    const readyAt = this.#readyAt(iccid, this.#state.since);
    if (readyAt > now + how.waitMs) {
      clock.sleep(how.waitMs);
      return failed("timeout", iccid === undefined ? "no profile is enabled" : `profile ${iccid} found no network within ${how.waitMs} ms`);
    }
    if (readyAt > now) clock.sleep(readyAt - now);
    this.#state.registered = iccid as string;
    return this.#registered(iccid as string);
  }

  snapshot(): ModemState {
    return { ...this.#state };
  }

  restore(state: ModemState): void {
    this.#state = { ...state };
  }

  #registered(iccid: string): { plmn: Uint8Array } {
    return { plmn: this.#state.plmns.get(iccid) ?? TEST_PLMN };
  }

  #readyAt(iccid: string | undefined, since: number): number {
    const coverage = iccid === undefined ? "none" : (this.#state.coverage.get(iccid) ?? this.#options.registrationMs ?? 5000);
    if (coverage === "none") return Infinity;
    let at = since + coverage;
    for (const [from, until] of [...this.#state.outages].sort((a, b) => a[0] - b[0])) if (at >= from && at < until) at = until;
    return at;
  }

  #outageAt(now: number): boolean {
    return this.#state.outages.some(([from, until]) => now >= from && now < until);
  }
}
