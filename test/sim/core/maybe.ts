/**
 * Results that may be there at once or later. The simulated world answers synchronously, real sockets and readers don't;
 * code written with `drive` serves both, and never waits for a promise that it doesn't need.
 */
export type Maybe<T> = T | Promise<T>;

/** Applies `next` to the value, now or when it arrives. */
export function chain<T, U>(value: Maybe<T>, next: (value: T) => Maybe<U>): Maybe<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** A procedure that waits by `yield* wait(...)`. */
export type Steps<T> = Generator<Maybe<unknown>, T, unknown>;

/** Waits for one value inside a procedure that `drive` runs. */
export function* wait<T>(value: Maybe<T>): Steps<T> {
  return (yield value) as T;
}

/** Runs a procedure to its end: synchronously as long as every value is there at once. */
export function drive<T>(steps: Steps<T>): Maybe<T> {
  let at = steps.next();
  while (at.done !== true) {
    const value = at.value;
    if (value instanceof Promise) return finish(steps, value);
    at = steps.next(value);
  }
  return at.value;
}

async function finish<T>(steps: Steps<T>, first: Promise<unknown>): Promise<T> {
  let pending: Maybe<unknown> = first;
  for (;;) {
    let at: IteratorResult<Maybe<unknown>, T>;
    let value: unknown;
    try {
      value = await pending;
    } catch (error) {
      at = steps.throw(error);
      if (at.done === true) return at.value;
      pending = at.value;
      continue;
    }
    at = steps.next(value);
    if (at.done === true) return at.value;
    pending = at.value;
  }
}
