/** Time for the AT modem: something is done later, by real time or by a test that lets virtual time pass. */

export interface Timers {
  /** Milliseconds, monotonic. */
  now(): number;
  /** Does `what` after `ms`; the result takes it back. */
  after(ms: number, what: () => void): () => void;
}

/** Real time; nothing that waits here keeps the process alive. */
export class RealTimers implements Timers {
  now(): number {
    return performance.now();
  }
  after(ms: number, what: () => void): () => void {
    const timer = setTimeout(what, ms);
    timer.unref();
    return () => clearTimeout(timer);
  }
}

interface Due {
  readonly at: number;
  readonly order: number;
  readonly what: () => void;
}

/** Time that passes when a test says so; what is due at the same moment happens in the order it was asked for. */
export class VirtualTimers implements Timers {
  #now = 0;
  #order = 0;
  readonly #due = new Set<Due>();

  now(): number {
    return this.#now;
  }

  after(ms: number, what: () => void): () => void {
    if (!(ms >= 0)) throw new RangeError(`expected a time of 0 ms or more, got ${ms}`);
    const due = { at: this.#now + ms, order: this.#order++, what };
    this.#due.add(due);
    return () => void this.#due.delete(due);
  }

  /** Lets `ms` pass and does what falls due, also what that asks for. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (let next = this.#first(end); next !== undefined; next = this.#first(end)) {
      this.#due.delete(next);
      this.#now = next.at;
      next.what();
    }
    this.#now = end;
  }

  #first(end: number): Due | undefined {
    let first: Due | undefined;
    for (const due of this.#due) {
      if (due.at > end) continue;
      if (first === undefined || due.at < first.at || (due.at === first.at && due.order < first.order)) first = due;
    }
    return first;
  }
}
