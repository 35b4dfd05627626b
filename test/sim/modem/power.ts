/**
 * Power saving of a modem (3GPP TS 27.007 7.38, 7.40; timers TS 24.008 10.5.7.3, 10.5.7.4a, 10.5.5.32): PSM with its sleep, eDRX with
 * its late downlink. The modem sleeps when nothing went over its UART and its sockets for the active time.
 */
import { AtError, CME } from "./at-error.js";
import type { Unit } from "./family.js";

export interface Psm {
  /** T3412 extended and T3324, 8 bits each, as the host wrote them. */
  readonly periodic: string;
  readonly active: string;
}

const T3412_S = [600, 3600, 36_000, 2, 30, 60, 1_152_000, Infinity] as const;
const T3324_S = [2, 60, 360, 360, 360, 360, 360, Infinity] as const;
/** eDRX cycle in seconds by its 4 bits (LTE-M and NB-IoT). */
const EDRX_S: Readonly<Record<string, number>> = {
  "0000": 5.12, "0001": 10.24, "0010": 20.48, "0011": 40.96, "0101": 81.92, "1001": 163.84, "1010": 327.68, "1011": 655.36, "1100": 1310.72, "1101": 2621.44, "1110": 5242.88, "1111": 10_485.76,
};
/** How long after any traffic the downlink comes at once. */
const INACTIVITY_MS = 10_000;

export class Power {
  readonly #unit: Unit;
  readonly #sleep: () => void;
  #cancel: (() => void) | undefined;
  #lastTraffic = 0;
  psm: Psm | undefined;
  edrx: { readonly act: number; readonly bits: string; readonly report: boolean } | undefined;

  /** sleep: carries out PSM. */
  constructor(unit: Unit, sleep: () => void) {
    this.#unit = unit;
    this.#sleep = sleep;
  }

  /** Throws AtError for bits that are none. */
  setPsm(psm: Psm | undefined): void {
    if (psm !== undefined) {
      timerMs(psm.periodic, T3412_S);
      timerMs(psm.active, T3324_S);
    }
    this.psm = psm;
    this.traffic();
  }

  setEdrx(act: number, bits: string, report: boolean): void {
    if (EDRX_S[bits] === undefined) throw new AtError(`expected an eDRX cycle, got "${bits}"`, CME.incorrectParameters);
    this.edrx = { act, bits, report };
    if (report) this.#unit.urc(`+CEDRXP: ${act},"${bits}","${bits}","0001"`);
  }

  /** Something went over UART or radio: the active time begins anew. */
  traffic(): void {
    this.#lastTraffic = this.#unit.timers.now();
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.psm === undefined || !this.#unit.radio.registered) return;
    const active = timerMs(this.psm.active, T3324_S);
    if (Number.isFinite(active)) this.#cancel = this.#unit.timers.after(active, () => this.#sleep());
  }

  /** Milliseconds until the network pages the modem for a downlink datagram. */
  get downlinkMs(): number {
    const cycle = (EDRX_S[this.edrx?.bits ?? ""] ?? 0) * 1000;
    const now = this.#unit.timers.now();
    if (cycle === 0 || now - this.#lastTraffic < INACTIVITY_MS) return 0;
    return cycle - (now % cycle);
  }

  forget(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}

function timerMs(bits: string, units: readonly number[]): number {
  if (!/^[01]{8}$/.test(bits)) throw new AtError(`expected a timer of 8 bits, got "${bits}"`, CME.incorrectParameters);
  const octet = Number.parseInt(bits, 2);
  return (units[octet >> 5] as number) * (octet & 0x1f) * 1000;
}
