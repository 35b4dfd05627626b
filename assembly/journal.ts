/**
 * What must survive a power cut (procedures 28), as records that the host stores. Little-endian.
 *
 *   Package       u32 hash of eimId, u32 counter, u32 flags, with the restarts above bit 8      written before the eUICC executes it, removed when the eIM has the result
 *   Endpoint      u32 hash of eimId, u8 binding, payload of LinkOpen      of an eIM that may delete itself
 *   StateChanges  see eims.ts
 *   Download      u32 hash of eimId, u8 length + 16 transactionId (RSP), u8 length + 16 eimTransactionId, u8 direct
 *   Parked        u32 sequence number, u32 level              notifications that the eIM refused
 *
 * The rollback watch needs no record of its own: the package's record and the EPR on the eUICC tell all. Restarts during the watch are counted.
 */
import { StoreKey } from "./abi";
import { storeWrite } from "./mailbox";
import { E, ENDPOINT, PARKED, PAYLOAD, R, RSP_TRANSACTION_ID, S, TRANSACTION_ID } from "./memory";

/** Flags of a package, kept in its record. */
export const enum PackageFlag {
  Psmo = 1,
  Rollback = 2, // an enable with rollbackFlag
  Switches = 4, // an enable or a disable
  DeletesEim = 8,
}

/** Bits of the flags from here on: how often the device started anew during the rollback watch. */
export const RESTARTS: u32 = 8;

export const PARKED_MAX: u32 = 8;

export function writePackage(at: u32): void {
  store<u32>(PAYLOAD, R.journalHash);
  store<u32>(PAYLOAD, S.journalCounter, 4);
  store<u32>(PAYLOAD, S.journalFlags, 8);
  storeWrite(at, StoreKey.Package, 12);
}

export function readPackage(): void {
  if (E.result < 0 || E.length < 12) return;
  R.journalHash = load<u32>(PAYLOAD);
  S.journalCounter = load<u32>(PAYLOAD, 4);
  S.journalFlags = load<u32>(PAYLOAD, 8);
}

/** The package's record has served: nothing to watch any more. */
export function removePackage(at: u32): void {
  R.journalHash = S.watch = 0;
  storeWrite(at, StoreKey.Package, 0);
}

export function writeEndpoint(at: u32): void {
  S.departed = S.eimHash;
  store<u32>(PAYLOAD, S.eimHash);
  store<u8>(PAYLOAD, S.binding, 4);
  memory.copy(PAYLOAD + 5, ENDPOINT, S.endpointLen);
  storeWrite(at, StoreKey.Endpoint, 5 + S.endpointLen);
}

export function removeEndpoint(at: u32): void {
  S.departed = 0;
  storeWrite(at, StoreKey.Endpoint, 0);
}

/** Endpoint record in the payload: becomes the session's endpoint. */
export function takeEndpointRecord(): void {
  if (E.result < 0 || E.length < 5) return;
  S.reachable = load<u8>(PAYLOAD, 4) - 1 < 2 ? 1 : 0; // damaged flash must not choose a binding
  S.binding = load<u8>(PAYLOAD, 4);
  S.endpointLen = E.length - 5;
  memory.copy(ENDPOINT, PAYLOAD + 5, S.endpointLen);
}

/** A download is about to reach the eUICC: how to find its PIR again, and whom it is for. */
export function writeDownload(at: u32): void {
  store<u32>(PAYLOAD, S.eimHash);
  store<u8>(PAYLOAD, S.rspIdLen, 4);
  memory.copy(PAYLOAD + 5, RSP_TRANSACTION_ID, 16);
  store<u8>(PAYLOAD, S.transactionIdLen, 21);
  memory.copy(PAYLOAD + 22, TRANSACTION_ID, 16);
  store<u8>(PAYLOAD, S.direct, 38);
  storeWrite(at, StoreKey.Download, 39);
}

export function readDownload(): void {
  if (E.result < 0 || E.length < 39) return;
  S.direct = load<u8>(PAYLOAD, 38) & 1;
  S.downloadHash = load<u32>(PAYLOAD);
  S.rspIdLen = load<u8>(PAYLOAD, 4) & 0x1f;
  memory.copy(RSP_TRANSACTION_ID, PAYLOAD + 5, 16);
  S.transactionIdLen = load<u8>(PAYLOAD, 21) & 0x1f;
  memory.copy(TRANSACTION_ID, PAYLOAD + 22, 16);
}

export function removeDownload(at: u32): void {
  storeWrite(at, StoreKey.Download, 0);
}

/* Parked notifications, 12 octets each: u32 sequence number, u32 level, u32 due (R.seconds). */

function parkedAt(i: u32): usize {
  return PARKED + i * 12;
}

/** Parking spell: 1, 2, 4, 8, 16 hours, then a day. (procedures 16) */
function spell(level: u32): u32 {
  return level > 4 ? 86400 : 3600 << level;
}

function indexOfParked(seqNumber: u32): u32 {
  let i: u32 = 0;
  while (i < R.parked && load<u32>(parkedAt(i)) != seqNumber) i++;
  return i;
}

/** The notification waits in its parking spell. */
export function isParked(seqNumber: u32): bool {
  const i = indexOfParked(seqNumber);
  return i < R.parked && load<u32>(parkedAt(i), 8) > R.seconds;
}

/** Parks the notification, or parks it longer. When all places are taken, the one parked first leaves. */
export function park(seqNumber: u32): void {
  let i = indexOfParked(seqNumber);
  let level: u32 = 0;
  if (i < R.parked) level = load<u32>(parkedAt(i), 4) + 1;
  else {
    if (i == PARKED_MAX) unpark(load<u32>(PARKED));
    i = R.parked++;
  }
  const p = parkedAt(i);
  store<u32>(p, seqNumber);
  store<u32>(p, level, 4);
  store<u32>(p, R.seconds + spell(level), 8);
}

export function unpark(seqNumber: u32): bool {
  const i = indexOfParked(seqNumber);
  if (i == R.parked) return false;
  R.parked--;
  const p = parkedAt(i);
  memory.copy(p, p + 12, (R.parked - i) * 12);
  return true;
}

/** Forgets parked notifications whose spell is over; true when there were any. */
export function dropDue(): bool {
  const before = R.parked;
  for (let i = before; i--; ) if (load<u32>(parkedAt(i), 8) <= R.seconds) unpark(load<u32>(parkedAt(i)));
  return R.parked != before;
}

/** Seconds until the first parked notification may be tried again, at most `longest`. */
export function untilUnparked(longest: u32): u32 {
  for (let i: u32 = 0; i < R.parked; i++) {
    const due = load<u32>(parkedAt(i), 8);
    const wait = due > R.seconds ? due - R.seconds : 0;
    if (wait < longest) longest = wait;
  }
  return longest;
}

export function writeParked(at: u32): void {
  for (let i: u32 = 0; i < R.parked; i++) store<u64>(PAYLOAD + (i << 3), load<u64>(parkedAt(i)));
  storeWrite(at, StoreKey.Parked, R.parked << 3);
}

export function readParked(): void {
  if (E.result < 0) return;
  for (let p = PAYLOAD; p + 8 <= PAYLOAD + E.length && R.parked < PARKED_MAX; p += 8) {
    const to = parkedAt(R.parked++);
    store<u64>(to, load<u64>(p));
    store<u32>(to, R.seconds + spell(load<u32>(p, 4)), 8);
  }
}
