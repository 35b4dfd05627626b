/**
 * The agent: takes an event, lets the procedure on top go on until it has made an op. Main is the life of a device:
 *
 *   journal -> card -> eIM list -> (associate) -> left over? -> session with the eIM that is due -> ... -> sleep -> ...
 */
import { ABI_VERSION, CAPACITY, Event, Field, Flag, Op, Report, StoreKey, Switch, WakeReason } from "./abi";
import { card, cardOpen, command } from "./apdu";
import { backoff, chance, configure } from "./config";
import { entryFails, entryHash, noteStateChange, inBackoff, pollAll, readStateChanges, setDue, setFails, untilDue, writeStateChanges } from "./eims";
import { askEid, askEmpty, wholeAnswerIs } from "./es10";
import { exchange } from "./exchange";
import { call, currentAt, currentProc, leave, mustEnd, next, Proc } from "./flow";
import { readDownload, readPackage, readParked, untilUnparked } from "./journal";
import { plainOp, report, resetCard, sleep, storeRead, storeWrite } from "./mailbox";
import { clearMemory, E, EID, EIM_ID, loadRegisters, MAILBOX, PAYLOAD, R, S, saveRegisters, T, WORK } from "./memory";
import { boundPackage } from "./procedures/bound-package";
import { associate, eims } from "./procedures/eim-configuration";
import { session } from "./procedures/eim-package-retrieval";
import { euiccData } from "./procedures/euicc-data";
import { euiccPackage, switchProfile } from "./procedures/euicc-package";
import { triggerResult } from "./procedures/download-result";
import { download } from "./procedures/profile-download";
import { pull } from "./stream";
import { notify } from "./procedures/notification-delivery";
import { rollback } from "./procedures/profile-rollback";
import { deliver, leftover, leftovers, refuse, remove, result } from "./procedures/result-delivery";
import { Status } from "./status";
import { Tag } from "./tags";
import { child, hash, isRow } from "./tlv";

/** Takes the event in the mailbox; the op's kind, or BadEvent, which leaves all as it was. */
export function step(now: u32): i32 {
  const kind: u32 = load<u8>(MAILBOX, Field.Kind);
  const length = load<u32>(MAILBOX, Field.Length);
  if (length > CAPACITY) return Status.BadEvent;
  if (kind == Event.Start) {
    if (!isRow(PAYLOAD, PAYLOAD + length)) return Status.BadEvent;
    clearMemory();
    S.now = now;
    S.seconds = 1;
    configure(PAYLOAD, PAYLOAD + length);
    call(Proc.Main, 0);
  } else if (!takeEvent(kind)) return Status.BadEvent;
  loadRegisters();
  E.length = length;
  pass(now);
  E.busy = 0;
  while (!E.busy) turn();
  saveRegisters();
  return S.op;
}

/** Takes the header of a Done or Wake; false when it answers nothing. */
function takeEvent(kind: u32): bool {
  const sleeping = S.op == Op.Sleep;
  if (!S.op || kind != (sleeping ? Event.Wake : Event.Done)) return false;
  if (!sleeping && load<u32>(MAILBOX, Field.Ref) != S.ref) return false;
  E.flags = load<u8>(MAILBOX, Field.Flags);
  E.result = load<i32>(MAILBOX, Field.WaitOrStatus);
  E.arg0 = load<u32>(MAILBOX, Field.Arg0);
  E.arg1 = load<u32>(MAILBOX, Field.Arg1);
  if (sleeping) {
    S.reasons |= E.arg0;
    if (E.arg0 & WakeReason.StateChanged) S.cause = E.arg1;
  }
  if (E.flags & Flag.CardReset || S.op == Op.UiccReset) S.channelOpen = S.capabilitySent = S.eidFresh = 0;
  if (mustEnd()) leave(E.result);
  return true;
}

/** Lets time pass up to `now`, which wraps. */
function pass(now: u32): void {
  S.milliseconds += now - S.now;
  S.now = now;
  R.seconds += S.milliseconds / 1000;
  S.milliseconds %= 1000;
}

function turn(): void {
  const at = currentAt(), r = E.result;
  switch (currentProc()) {
    case Proc.CardOpen: return cardOpen(at, r);
    case Proc.Card: return card(at, r);
    case Proc.Command: return command(at);
    case Proc.Exchange: return exchange(at, r);
    case Proc.Eims: return eims(at, r);
    case Proc.Associate: return associate(at, r);
    case Proc.Leftovers: return leftovers(at, r);
    case Proc.Session: return session(at, r);
    case Proc.Leftover: return leftover(at, r);
    case Proc.Package: return euiccPackage(at, r);
    case Proc.Deliver: return deliver(at, r);
    case Proc.Result: return result(at, r);
    case Proc.Refuse: return refuse(at, r);
    case Proc.Remove: return remove(at, r);
    case Proc.Switch: return switchProfile(at, r);
    case Proc.Rollback: return rollback(at, r);
    case Proc.Data: return euiccData(at, r);
    case Proc.Notify: return notify(at, r);
    case Proc.Pull: return pull(at);
    case Proc.Download: return download(at, r);
    case Proc.TriggerResult: return triggerResult(at, r);
    case Proc.BoundPackage: return boundPackage(at, r);
    default: return main(at, r);
  }
}

function main(at: u32, r: i32): void {
  switch (at) {
    case 0:
      return storeRead(1, StoreKey.Package, 0);
    case 1:
      readPackage();
      return storeRead(2, StoreKey.Endpoint, 0);
    case 2:
      if (r >= 0 && E.length > 4) S.departed = load<u32>(PAYLOAD);
      return storeRead(3, StoreKey.StateChanges, 0);
    case 3:
      if (r >= 0) readStateChanges(E.length);
      return storeRead(4, StoreKey.Parked, 0);
    case 4:
      readParked();
      return storeRead(22, StoreKey.Download, 0);
    case 22:
      readDownload();
      return report(5, Report.Started, ABI_VERSION);
    case 5:
      if (!S.cardSick) return next(6);
      S.cardSick = 0;
      return resetCard(6, Flag.None);
    case 6: // the card
      if (S.eidFresh) return next(9);
      askEid(WORK);
      return call(Proc.Card, 7);
    case 7:
      if (r < 0 || !takeEid()) return cardFailed();
      if (S.infoKnown || R.switches & Switch.NoInfo) return next(9);
      askEmpty(Tag.EuiccInfo2, WORK);
      return call(Proc.Card, 8);
    case 8:
      if (r < 0) return cardFailed();
      S.infoKnown = 1;
      S.ecall = wholeAnswerIs(Tag.EuiccInfo2) && child(Tag.IotSpecificInfo) && child(Tag.C1) ? 1 : 0;
    case 9: // the eIMs
      return call(Proc.Eims, 10);
    case 10:
      if (r < 0) return cardFailed();
      S.cardFails = 0;
      if (r) {
        S.associationTried = 1; // an eIM that deletes itself must not come back by that: only a start or the application may ask for it
        return next(12);
      }
      if (S.associationTried) return report(16, Report.NoEim, 0);
      S.associationTried = 1;
      return call(Proc.Associate, 11);
    case 11:
      if (r >= 0) return next(9);
      S.associationTried = 0; // it was the card, not the request
      return cardFailed();
    case 12: // left over from before
      if (S.leftoversKnown) return next(14);
      return call(Proc.Leftovers, 13);
    case 13:
      if (r < 0) return cardFailed();
      S.leftoversKnown = 1;
    case 14: // the eIM that is due
      if (!R.eim) return next(16);
      return call(Proc.Session, 15);
    case 15:
      return afterSession();
    case 16:
      if (S.reasons) return wake();
    case 17:
      if (S.cardSick) return next(5);
      if (S.watch && S.watchUntil <= R.seconds) return call(Proc.Rollback, 18);
    case 18:
      if (S.cardSick || S.tableStale || !untilDue(1)) return next(5);
      // nothing to do
      if (!S.channelOpen) return next(19);
      S.channelOpen = 0;
      return plainOp(19, Op.UiccClose);
    case 19: {
      let wait = untilDue(R.eims ? 0xffffffff : S.pollPeriod);
      if (!inBackoff()) wait = untilUnparked(wait);
      if (S.watch && S.watchUntil - R.seconds < wait) wait = S.watchUntil - R.seconds;
      return sleep(16, wait ? wait : 1, S.watch && !S.rollbackTries ? Flag.None : Flag.Idle);
    }
    default: // the card failed: reset it after a while
      S.cardSick = 1;
      return sleep(16, backoff(S.cardFails++), Flag.Idle);
  }
}

/** The card, or what it answers, is unusable: report, wait, reset it, and begin again. */
function cardFailed(): void {
  report(21, Report.CardFailed, E.result == Status.CardSw ? R.sw : <u32>E.result);
}

/** Takes the EID from the answer; another card than before makes what was known of it void. */
function takeEid(): bool {
  if (!wholeAnswerIs(Tag.GetEuiccData) || !child(Tag.Eid) || T.len != 16) {
    E.result = Status.CardMalformed;
    return false;
  }
  if (S.eidKnown && hash(T.val, 16) != hash(EID, 16)) S.infoKnown = S.leftoversKnown = R.eims = S.associationTried = 0;
  memory.copy(EID, T.val, 16);
  S.eidKnown = S.eidFresh = 1;
  return true;
}

/** Schedules the eIM's next session by the outcome of this one. */
function afterSession(): void {
  const outcome = E.result;
  const e = R.eim;
  if (outcome == Status.Switched) return next(16);
  let fails: u32 = 0;
  let wait = S.pollPeriod + chance() % ((S.pollPeriod >> 4) + 1);
  if (outcome < 0) {
    fails = entryFails(e);
    // a peer that refuses is not asked again soon
    if ((outcome == Status.HttpRefused || (outcome == Status.EimError && R.errorCode < 5)) && fails < 4) fails = 4;
    wait = backoff(fails);
    if (fails < 31) fails++;
    if (outcome == Status.HttpServer && S.retryAfter) wait = S.retryAfter;
    // until the watch time is over, the result is tried again and again
    if (S.watch && !S.rollbackTries && entryHash(e) == R.journalHash && wait > 15) wait = 15;
    if (outcome <= Status.CardSw) S.cardSick = 1;
  }
  setFails(e, fails);
  setDue(e, R.seconds + wait);
  const len = S.eimIdLen;
  memory.copy(PAYLOAD, EIM_ID, len);
  report(16, Report.PollEnded, <u32>outcome, len);
}

/** Why the host woke us, whichever sleep it was. */
function wake(): void {
  const reasons = S.reasons;
  S.reasons = 0;
  if (!R.eims) S.tableStale = 1;
  if (reasons & WakeReason.Poll) {
    S.associationTried = 0;
    S.tableStale = 1;
  }
  if (reasons & (WakeReason.Poll | WakeReason.Bearer) || (!inBackoff() && !untilUnparked(1))) pollAll();
  if (!(reasons & WakeReason.StateChanged)) return next(17);
  noteStateChange(S.cause, 0);
  storeWrite(17, StoreKey.StateChanges, writeStateChanges());
}
