/**
 * The associated eIMs (procedures 2, 22): when each is due, what state change it has still to be told, and the endpoint of one.
 * The eUICC is the only source: it is read before each session, so that trust and address are never stale.
 *
 * An entry, 16 octets: u32 hash of the eimId, u32 due (R.seconds), u8 failures, u8 pending stateChangeCause + 1, u8 flags.
 */
import { Switch } from "./abi";
import { chooseBinding } from "./exchange";
import { CI_PK_ID, EIM_ID, EIMS, ENDPOINT, ENDPOINT_SIZE, PAYLOAD, R, S, T, W } from "./memory";
import { Tag } from "./tags";
import { find, hash, readHead, size, uint, writeBytes, writeTlv, writeTo } from "./tlv";

export const EIMS_MAX: u32 = 8; // one more entry is kept for an eIM that left

export const enum EimFlag {
  Listed = 1,
  Results = 2, // the eUICC may hold results for it
  Departed = 4, // no longer listed, but a result is owed: its endpoint is in the journal
}

export function entry(i: u32): usize {
  return EIMS + (i << 4);
}
export function entryHash(e: usize): u32 {
  return load<u32>(e);
}
export function entryDue(e: usize): u32 {
  return load<u32>(e, 4);
}
export function setDue(e: usize, due: u32): void {
  store<u32>(e, due, 4);
}
export function entryFails(e: usize): u32 {
  return load<u8>(e, 8);
}
export function setFails(e: usize, fails: u32): void {
  store<u8>(e, fails, 8);
}
export function entryCause(e: usize): u32 {
  return load<u8>(e, 9);
}
export function setCause(e: usize, cause: u32): void {
  store<u8>(e, cause, 9);
}
export function hasFlag(e: usize, flag: u32): bool {
  return (load<u8>(e, 10) & flag) != 0;
}
export function setFlag(e: usize, flag: u32): void {
  store<u8>(e, load<u8>(e, 10) | flag, 10);
}
export function clearFlag(e: usize, flag: u32): void {
  store<u8>(e, load<u8>(e, 10) & ~flag, 10);
}

/** Entry of the eIM with `h`, or 0. */
export function entryOf(h: u32): usize {
  for (let i: u32 = 0; i < R.eims; i++) if (entryHash(entry(i)) == h) return entry(i);
  return 0;
}

/** As entryOf; a new one, due at once, when there is none and room. 0 when there is no room. */
export function addEntry(h: u32): usize {
  let e = entryOf(h);
  if (!e && R.eims <= EIMS_MAX) {
    e = entry(R.eims++);
    memory.fill(e, 0, 16);
    store<u32>(e, h);
    setDue(e, R.seconds);
  }
  return e;
}

/** Due entry that waits longest, or 0. */
export function dueEntry(): usize {
  let best: usize = 0;
  for (let i: u32 = 0; i < R.eims; i++) {
    const e = entry(i);
    if (entryDue(e) <= R.seconds && (!best || entryDue(e) < entryDue(best))) best = e;
  }
  return best;
}

/** Seconds until the first entry is due, at most `longest`. */
export function untilDue(longest: u32): u32 {
  for (let i: u32 = 0; i < R.eims; i++) {
    const due = entryDue(entry(i));
    const wait = due > R.seconds ? due - R.seconds : 0;
    if (wait < longest) longest = wait;
  }
  return longest;
}

/** Some eIM's last session failed: nothing shortens its back-off but the application. */
export function inBackoff(): bool {
  for (let i: u32 = 0; i < R.eims; i++) if (entryFails(entry(i))) return true;
  return false;
}

/** All eIMs are due now. */
export function pollAll(): void {
  for (let i: u32 = 0; i < R.eims; i++) setDue(entry(i), R.seconds);
}

/** Notes `cause` for every eIM but the one with `except`, and makes them due. (procedures 22) */
export function noteStateChange(cause: u32, except: u32): void {
  for (let i: u32 = 0; i < R.eims; i++) {
    const e = entry(i);
    if (entryHash(e) == except || hasFlag(e, EimFlag.Departed)) continue;
    setCause(e, (cause > 127 ? 127 : cause) + 1);
    setDue(e, R.seconds);
  }
}

/** Journal record StateChanges in the payload, 5 octets an eIM: hash, cause + 1. Returns its length. */
export function writeStateChanges(): u32 {
  let p = PAYLOAD;
  for (let i: u32 = 0; i < R.eims; i++) {
    const e = entry(i);
    if (!entryCause(e)) continue;
    store<u32>(p, entryHash(e));
    store<u8>(p, entryCause(e), 4);
    p += 5;
  }
  return <u32>(p - PAYLOAD);
}

/** Takes the journal record StateChanges, `len` octets in the payload. */
export function readStateChanges(len: u32): void {
  for (let p = PAYLOAD; p + 5 <= PAYLOAD + len; p += 5) {
    const e = addEntry(load<u32>(p));
    if (e) setCause(e, load<u8>(p, 4));
  }
}

/**
 * Walks the configurations in the stored part [p, end) of a BF55 answer; returns where the first one starts that is not stored whole.
 * With `wanted` 0 they are listed in the table; else the endpoint of the eIM with that hash is taken.
 */
export function walkConfigurations(p: usize, end: usize, wanted: u32): usize {
  while (readHead(p, end)) {
    // one A0 with all of them, or an A0 each (types 6): their borders do not matter
    if (T.tag == Tag.GetEimConfigurationData || T.tag == Tag.X0) {
      p = T.val;
      continue;
    }
    const next = T.next, val = T.val;
    if (next > end) break;
    if (T.tag == Tag.Sequence && find(val, next, Tag.C0)) {
      const h = hash(T.val, T.len);
      if (!wanted) {
        const e = addEntry(h);
        if (e) setFlag(e, EimFlag.Listed);
      } else if (h == wanted) takeConfiguration(val, next);
    }
    p = next;
  }
  return p;
}

/** Before the list is read: entries keep their schedule and causes. */
export function beginList(): void {
  for (let i: u32 = 0; i < R.eims; i++) clearFlag(entry(i), EimFlag.Listed | EimFlag.Departed);
}

/** After the list was read: entries that are not in it go, but for one that is owed a result. */
export function endList(): void {
  const departed = S.departed ? addEntry(S.departed) : 0;
  if (departed && !hasFlag(departed, EimFlag.Listed)) setFlag(departed, EimFlag.Listed | EimFlag.Departed);
  let kept: u32 = 0;
  for (let i: u32 = 0; i < R.eims; i++) {
    const e = entry(i);
    if (hasFlag(e, EimFlag.Listed)) memory.copy(entry(kept++), e, 16);
  }
  R.eims = kept;
}

/** Takes one EimConfigurationData (SGP.32 2.11.1.1.2): S.reachable stays 0 when it has no address, no binding in common with this host, or its trust does not fit. */
function takeConfiguration(p: usize, end: usize): void {
  if (find(p, end, Tag.C0) && T.len <= 128) memory.copy(EIM_ID, T.val, (S.eimIdLen = T.len));
  if (find(p, end, Tag.C8) && T.len <= 20) memory.copy(CI_PK_ID, T.val, (S.ciPkIdLen = T.len));
  S.binding = chooseBinding(find(p, end, Tag.C7) && T.len > 1 ? load<u8>(T.val, 1) : 0);
  writeTo(ENDPOINT, ENDPOINT + ENDPOINT_SIZE);
  // the eimId is the address when there is no other and it is an FQDN
  let address = R.switches & Switch.HostAddress;
  if (find(p, end, Tag.C1) && T.len) {
    address = T.len;
    writeTlv(Tag.C0, T.val, address);
  } else if (find(p, end, Tag.C2) && uint() == 2) {
    address = S.eimIdLen;
    writeTlv(Tag.C0, EIM_ID, address);
  }
  if (find(p, end, Tag.X6)) writeBytes(T.at, size());
  S.endpointLen = <u32>(W.at - ENDPOINT);
  S.reachable = address && S.binding && !W.failed ? 1 : 0;
}
