/** How quick a modem is. Times in ms. */
export interface Pace {
  /** From power to the first URC. */
  readonly boot: number;
  /** From there, or from a reset of the card, to the card's readiness. */
  readonly sim: number;
  /** An APDU. */
  readonly apdu: number;
  /** Any command, before it is carried out. */
  readonly command: number;
  /** From searching to registered, where the coverage says nothing else. */
  readonly registration: number;
  /** From 91xx to the FETCH and what it asks for. */
  readonly refresh: number;
  /** Between STATUS commands on the basic channel, with which the card can tell of a proactive command. */
  readonly status: number;
}

/** Quick, but in the order of a real one. */
export const QUICK_PACE: Pace = { boot: 20, sim: 30, apdu: 0, command: 0, registration: 100, refresh: 200, status: 2000 };
/** No delays at all. */
export const IDEAL_PACE: Pace = { boot: 0, sim: 0, apdu: 0, command: 0, registration: 0, refresh: 0, status: 2000 };
/** As seen in the field (modem-at 1.8, 3), towards the quick end. */
export const REAL_PACE: Pace = { boot: 3000, sim: 1500, apdu: 40, command: 5, registration: 8000, refresh: 500, status: 30_000 };
