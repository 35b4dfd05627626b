/** Makes ops: the only place that writes the mailbox header. */
import { Field, Flag, Op } from "./abi";
import { next } from "./flow";
import { E, MAILBOX, PAYLOAD, S } from "./memory";

/** Leaves one op in the mailbox; the payload, `length` octets, must be in place. The procedure on top goes on at `at`. */
export function op(at: u32, kind: Op, flags: u32, length: u32, wait: u32, arg0: u32 = 0, arg1: u32 = 0, aux: u32 = 0): void {
  store<u32>(MAILBOX, (aux << 16) | (flags << 8) | kind, Field.Kind);
  store<u32>(MAILBOX, length, Field.Length);
  store<u32>(MAILBOX, wait, Field.WaitOrStatus);
  store<u32>(MAILBOX, ++S.ref, Field.Ref);
  store<u32>(MAILBOX, arg0, Field.Arg0);
  store<u32>(MAILBOX, arg1, Field.Arg1);
  S.op = kind;
  E.busy = 1;
  next(at);
}

/** An op without arguments. */
export function plainOp(at: u32, kind: Op): void {
  op(at, kind, Flag.None, 0, 0);
}

/** Resets the card: at once, or with AfterRefresh when the terminal has had time for a REFRESH. */
export function resetCard(at: u32, flags: u32): void {
  op(at, Op.UiccReset, flags, 0, S.refreshGrace);
}

/** Reads the record `key` from `offset` on. */
export function storeRead(at: u32, key: u32, offset: u32): void {
  op(at, Op.StoreRead, Flag.None, 0, 0, key, offset);
}

/** Tells the application. */
export function report(at: u32, code: u32, detail: u32, length: u32 = 0): void {
  op(at, Op.Report, Flag.None, length, 0, code, detail);
}

/** Writes the record `key`, whose `length` octets are in the payload; 0 removes it. */
export function storeWrite(at: u32, key: u32, length: u32): void {
  op(at, Op.StoreWrite, Flag.None, length, 0, key);
}

/** Sleeps `seconds`. */
export function sleep(at: u32, seconds: u32, flags: u32): void {
  op(at, Op.Sleep, flags, 0, milliseconds(seconds));
}

/** As many of the `seconds` as an i32 of milliseconds holds. */
export function milliseconds(seconds: u32): u32 {
  return (seconds > 2147483 ? 2147483 : seconds) * 1000;
}

export function payload8(offset: usize, value: u32): void {
  store<u8>(PAYLOAD + offset, value);
}
