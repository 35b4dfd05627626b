/** Runs the procedures of commands (run.ts): until they end, or wait for time, a promise or data. */
import { SimError } from "../core/errors.js";
import { AtError, CME } from "./at-error.js";
import type { Final, Run, Take, Wait } from "./run.js";
import type { Timers } from "./timers.js";

type At = IteratorResult<Wait, Final>;

export class Procedures {
  readonly #timers: Timers;
  readonly #take: (take: Take, got: (bytes: Uint8Array | undefined) => void) => void;
  readonly #waits: () => void;
  #depth = 0;

  /** take: gets data from the host. waits: told before a procedure waits for time or a promise. */
  constructor(timers: Timers, take: (take: Take, got: (bytes: Uint8Array | undefined) => void) => void, waits: () => void) {
    this.#timers = timers;
    this.#take = take;
    this.#waits = waits;
  }

  /** A procedure is in the middle of a step. */
  get stepping(): boolean {
    return this.#depth > 0;
  }

  /** Goes on while `alive`; `end` gets the final result, or the error that ended it. */
  run(run: Run, alive: () => boolean, end: (final: Final | AtError) => void): void {
    this.#step(run, alive, end, () => run.next());
  }

  #step(run: Run, alive: () => boolean, end: (final: Final | AtError) => void, step: () => At): void {
    const at = this.#guarded(step);
    if (!alive()) return;
    if (at instanceof AtError) return end(at);
    if (at.done === true) return end(at.value);
    const go = (next: () => At): void => {
      if (alive()) this.#step(run, alive, end, next);
    };
    const wait = at.value;
    if ("take" in wait) return this.#take(wait.take, (bytes) => go(() => run.next(bytes)));
    this.#waits();
    if ("ms" in wait) return void this.#timers.after(wait.ms, () => go(() => run.next()));
    wait.promise.then(
      (value) => go(() => run.next(value)),
      (error) => go(() => run.throw(error)),
    );
  }

  /** A card or reader that fails in the middle is a SIM failure. */
  #guarded(step: () => At): At | AtError {
    this.#depth++;
    try {
      return step();
    } catch (error) {
      if (error instanceof AtError) return error;
      if (error instanceof SimError) return new AtError(error.message, CME.simFailure);
      throw error;
    } finally {
      this.#depth--;
    }
  }
}
