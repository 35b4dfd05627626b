/**
 * Time as an input. The virtual clock moves only when somebody sleeps, so that simulated weeks take milliseconds;
 * the real one is for live runs over sockets.
 */
export interface Clock {
  /** Milliseconds since the clock's start: monotonic, never negative. */
  now(): number;
  /** Lets `ms` pass (0 or more). The virtual clock returns at once. */
  sleep(ms: number): void | Promise<void>;
}

export class VirtualClock implements Clock {
  #now: number;
  constructor(startMs = 0) {
    this.#now = startMs;
  }
  now(): number {
    return this.#now;
  }
  sleep(ms: number): void {
    if (!(ms >= 0)) throw new RangeError(`expected a time of 0 ms or more, got ${ms}`);
    this.#now += ms;
  }
}

export class RealClock implements Clock {
  readonly #start = performance.now();
  now(): number {
    return Math.floor(performance.now() - this.#start);
  }
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }
}
