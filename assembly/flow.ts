/**
 * Calls between procedures without a native stack: a frame is (procedure, where it goes on). A procedure is one function with a
 * `switch`; it makes an op, calls another procedure, or leaves with a result, and nothing ever recurses.
 * This is why an agent can be cut at any op: what it waits for is data.
 */
import { E, FRAMES, FRAMES_MAX, S } from "./memory";

export const enum Proc {
  Main,
  CardOpen,
  Card,
  Command,
  Exchange,
  Eims,
  Associate,
  Leftovers,
  Session,
  Leftover,
  Package,
  Deliver,
  Result,
  Refuse,
  Remove,
  Switch,
  Rollback,
  Data,
  Notify,
  Pull,
  Download,
  TriggerResult,
  BoundPackage,
}

/** What BoundPackage leaves with. */
export const enum Loaded {
  Pir = 1, // it stands in the answer
  Error, // getBoundProfilePackageError: the answer is in ERROR_RESPONSE, its code staged last
  Nothing, // an SM-DP+ that did not carry out the function
}

/** Added to where a procedure goes on: a negative result of the op or call ends the procedure with that result. */
export const Must: u32 = 0x80;

function top(): usize {
  return FRAMES + ((S.depth - 1) << 1);
}

export function currentProc(): u32 {
  return load<u8>(top());
}

/** Where the procedure on top goes on. */
export function currentAt(): u32 {
  return load<u8>(top(), 1) & 0x7f;
}

/** The procedure on top goes on at `at` after the op that it has just made, or at its next turn. */
export function next(at: u32): void {
  store<u8>(top(), at, 1);
}

/** Starts `proc`; the caller goes on at `at` when it leaves, with E.result. */
export function call(proc: Proc, at: u32): void {
  if (S.depth) next(at);
  // the deepest chain is 8: Main, Session, Package, Deliver, Result, Exchange, Card, Command
  if (S.depth < FRAMES_MAX) S.depth++;
  store<u16>(top(), proc);
}

/** Ends the procedure on top. */
export function leave(result: i32): void {
  E.result = result;
  do S.depth--;
  while (mustEnd());
}

/** The procedure on top can't go on after what has ended. */
export function mustEnd(): bool {
  return E.result < 0 && load<u8>(top(), 1) >= Must;
}
