/** The UART of a modem: every octet is counted, meets the faults, and is written down. */
import type { Rng } from "../core/rng.js";
import type { Direction, Fault } from "./at-faults.js";
import type { Timers } from "./timers.js";
import type { Transcript } from "./transcript.js";

export interface UartOptions {
  readonly faults: readonly Fault[];
  readonly rng: Rng;
  readonly timers: Timers;
  readonly transcript: Transcript;
  /** Most octets in one piece to the host. */
  readonly chunk: number;
  /** The modem takes part: it is neither off nor asleep. */
  readonly alive: () => boolean;
  /** Supply fails now. */
  readonly brownOut: () => void;
}

export class Uart {
  /** Hears what goes to the host. */
  onData: (bytes: Uint8Array) => void = () => undefined;
  /** Octets that passed so far. */
  readonly octets = { host: 0, modem: 0, total: 0 };
  readonly #options: UartOptions;

  constructor(options: UartOptions) {
    this.#options = options;
  }

  /** From the host; `take` gets what arrives. */
  receive(bytes: Uint8Array, take: (octet: number) => void): void {
    const { transcript, timers } = this.#options;
    if (bytes.length > 0) transcript.add(timers.now(), "host", bytes);
    for (const octet of bytes) for (const one of this.#pass(octet, "modem")) take(one);
  }

  /** To the host; a brown-out cuts it short. */
  send(bytes: Uint8Array): void {
    const { transcript, timers, alive, chunk } = this.#options;
    const arriving: number[] = [];
    for (const octet of bytes) {
      if (!alive()) break;
      arriving.push(...this.#pass(octet, "host"));
    }
    if (arriving.length === 0) return;
    const out = Uint8Array.from(arriving);
    transcript.add(timers.now(), "modem", out);
    for (let at = 0; at < out.length; at += chunk) this.onData(out.subarray(at, at + chunk));
  }

  /** What of an octet arrives. */
  #pass(octet: number, to: Direction): readonly number[] {
    const { faults, rng, timers, transcript } = this.#options;
    const passing = { to, n: ++this.octets[to], total: ++this.octets.total };
    for (const fault of faults) {
      const after = fault.octet?.(octet, passing, rng);
      if (after === undefined || (after.length === 1 && after[0] === octet)) continue;
      transcript.note(timers.now(), `fault ${fault.text}`);
      if (after !== "brown-out") return after;
      this.#options.brownOut();
      return to === "host" ? [octet] : [];
    }
    return [octet];
  }
}
