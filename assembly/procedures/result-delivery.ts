/**
 * Delivery of results to the eIM (SGP.32 v1.2 3.3.1; procedures 4.1, 4.4-4.6).
 *
 * Deliver   an eUICC Package Result, with the notifications that belong to it
 * Result    any ProvideEimPackageResult, and what its answer says
 * Refuse    eimPackageResultResponseError
 * Remove    what the eIM acknowledged goes from the eUICC, one by one, and nothing else does
 * Leftover  EPRs for this eIM that an earlier session, or a life before a power cut, left on the eUICC
 * Leftovers what is left over at start: asked once
 */
import { Report, StoreKey, Switch } from "../abi";
import { clearFlag, EimFlag, entry, entryOf, hasFlag, noteStateChange, setFlag, writeStateChanges } from "../eims";
import { answerCode, answerIs, askList, askRemove, findEpr, Query, RESPONSE_ROOM, ResultFlag } from "../es10";
import { nextAcknowledgement, readAcknowledgements, writeProvideHead, writeRefusal } from "../esipa";
import { clearSegments, setSegment } from "../segments";
import { call, leave, Must, next, Proc } from "../flow";
import { PackageFlag, removeEndpoint, removePackage, RESTARTS, writePackage } from "../journal";
import { report, storeWrite } from "../mailbox";
import { R, S, T, WORK_BODY, WORK_END } from "../memory";
import { Status } from "../status";
import { Tag } from "../tags";
import { findCut, readHead, readTlv, size } from "../tlv";

/**
 * Delivers the result at R.eprAt (S.eprLen octets; 0: too large for memory, it is read again by R.seqNumber), stored before R.fill.
 * Leaves with 0 when the eIM has it.
 */
export function deliver(at: u32, r: i32): void {
  switch (at) {
    case 0:
      clearSegments(3);
      S.wrap = S.bundled = 0;
      if (R.eprAt) {
        setSegment(1, Query.None, <u32>R.eprAt, S.eprLen);
        return next(2);
      }
      // only its head is kept: it tells what to skip
      askList(Query.EprBySeq, WORK_BODY, WORK_BODY + 32);
      return call(Proc.Card, 1 | Must);
    case 1:
      if (!answerIs(Tag.RetrieveNotificationsList) || !findCut(T.val, R.fill, Tag.X2)) return leave(Status.CardMalformed);
      setSegment(1, Query.EprBySeq, <u32>(T.val - R.answer), T.len);
      R.fill = WORK_BODY;
    case 2:
      if (!R.seqNumber || !(R.resultFlags & ResultFlag.Psmo) || R.switches & Switch.NoBundle) return call(Proc.Result, 5);
      askList(Query.Notifications, R.fill, WORK_END - RESPONSE_ROOM);
      return call(Proc.Card, 4);
    case 4:
      if (r > 0 && answerIs(Tag.RetrieveNotificationsList)) takeNotifications(T.val);
      return call(Proc.Result, 5);
    default:
      // everything that was bundled, and the EPR, is gone: nothing to look for
      if (r >= 0 && S.bundled && S.removed > S.bundled) S.notifications = 0;
      return leave(r);
  }
}

/** The list of notifications, A0 at `p` in the stored answer, as segment 2; from memory, or from the eUICC again when it is too long. */
function takeNotifications(p: usize): void {
  const stored = R.fill;
  R.fill = R.answer;
  if (!readHead(p, stored) || T.tag != Tag.X0 || !T.len) return;
  S.wrap = 1;
  const len = size();
  if (p + len > stored) return setSegment(2, Query.Notifications, <u32>(p - R.answer), len);
  setSegment(2, Query.None, <u32>p, len);
  R.fill = p + len;
  let q = T.val;
  while (readTlv(q, R.fill)) {
    q = T.next;
    S.bundled++;
  }
}

/** Sends the segments from 1 on as an eIM package result. Leaves with 0, ResultRefused, or what failed. */
export function result(at: u32, r: i32): void {
  switch (at) {
    case 0:
      S.removed = 0;
      writeProvideHead();
      S.response = R.fill;
      return call(Proc.Exchange, 1 | Must);
    case 1: {
      R.errorCode = <u32>readAcknowledgements();
      if (<i32>R.errorCode == Status.BadBody) return leave(Status.BadBody);
      // any valid answer proves connectivity: no rollback any more (procedures 4.5)
      if (!R.journalHash || S.resultHash != R.journalHash || S.counter != S.journalCounter) return next(2);
      return removePackage(2);
    }
    case 2:
      if (R.errorCode) return leave(<i32>R.errorCode);
      return report(3, Report.ResultAccepted, S.counter);
    case 3:
      if (S.packageTag == Tag.IpaEuiccData && R.switches & Switch.NoDataRemoval) return leave(0);
      return call(Proc.Remove, 4);
    default:
      return leave(r);
  }
}

/** Answers a package with eimPackageResultResponseError R.errorCode. */
export function refuse(at: u32, r: i32): void {
  if (at) return leave(r);
  R.fill = WORK_BODY;
  S.wrap = R.seqNumber = 0;
  clearSegments(2);
  writeRefusal(0, Tag.X0, R.errorCode);
  call(Proc.Result, 1);
}

/** Removes what was acknowledged. Leaves with 0, or with what the card did. */
export function remove(at: u32, r: i32): void {
  switch (at) {
    case 0:
      if (!(R.switches & Switch.RemoveOwnEpr) || !R.seqNumber || S.acknowledgements == S.acknowledgementsEnd) return next(1);
      return removeOne(R.seqNumber);
    case 1: {
      const seqNumber = nextAcknowledgement();
      if (!seqNumber) return leave(0);
      if (seqNumber == R.seqNumber && R.switches & Switch.RemoveOwnEpr) return next(1);
      return removeOne(seqNumber);
    }
    default:
      // 1 nothingToDelete, and an answer without code, are as good as 0
      if (answerCode(Tag.RemoveNotification, Tag.C0) < 2) S.removed++;
      return next(1);
  }
}

function removeOne(seqNumber: u32): void {
  askRemove(seqNumber, S.acknowledgementsEnd);
  call(Proc.Card, 2 | Must);
}

/** Delivers all EPRs on the eUICC that are for this eIM. Leaves with 0 when none is left, or was left unacknowledged. */
export function leftover(at: u32, r: i32): void {
  switch (at) {
    case 0:
      S.cursor = 0;
    case 1:
      askList(Query.Eprs, WORK_BODY, WORK_END - RESPONSE_ROOM);
      return call(Proc.Card, 2 | Must);
    case 2:
      if (!findEpr(S.eimHash, 0)) {
        clearFlag(R.eim, EimFlag.Results);
        if (S.departed != S.eimHash) return leave(0);
        S.tableStale = 1;
        return removeEndpoint(4);
      }
      S.cursor = R.seqNumber;
      S.packageTag = Tag.EuiccPackage;
      return call(Proc.Deliver, 3 | Must);
    case 3:
      return next(1);
    default:
      return leave(0);
  }
}

/** Asks the eUICC what it still holds from before: notifications, and EPRs, which decide on the watch. Leaves with 0. (procedures 1.6, 1.7) */
export function leftovers(at: u32, r: i32): void {
  switch (at) {
    case 0:
      askList(Query.Notifications, WORK_BODY, WORK_END);
      return call(Proc.Card, 1 | Must);
    case 1:
      S.notifications = answerIs(Tag.RetrieveNotificationsList) && findCut(T.val, R.fill, Tag.X0) && T.len ? 1 : 0;
      if (R.switches & Switch.NoInfo) return leave(0);
      askList(Query.Eprs, WORK_BODY, WORK_END);
      return call(Proc.Card, 2 | Must);
    case 2:
      markResults();
      if (!R.journalHash) return next(3);
      if (!findEpr(R.journalHash, S.journalCounter)) return removePackage(3);
      if (!(R.resultFlags & ResultFlag.Changed)) return next(5);
      // the power may have gone before the other eIMs' causes were written; telling them twice is harmless
      noteStateChange(0, R.journalHash);
      return storeWrite(5, StoreKey.StateChanges, writeStateChanges());
    case 5:
      if (S.journalFlags & PackageFlag.Rollback && R.resultFlags & ResultFlag.Switched) {
        // the profile was changed and its result is not delivered yet
        // A device that restarts again and again must roll back as well: from its third restart on, each watch is half as long.
        const restarts = S.journalFlags >> RESTARTS;
        S.watch = 1;
        S.watchUntil = R.seconds + (restarts > 2 ? S.watchTime >> (restarts - 2) : S.watchTime);
        if (restarts < 32) S.journalFlags += 1 << RESTARTS;
        return writePackage(3);
      }
      return removePackage(3);
    case 3: {
      // an eIM that is owed nothing needs no endpoint of its own any more
      const e = S.departed ? entryOf(S.departed) : 0;
      if (!e || hasFlag(e, EimFlag.Results)) return leave(0);
      S.tableStale = 1;
      return removeEndpoint(4);
    }
    default:
      return leave(0);
  }
}

/** Every eIM that an EPR on the eUICC names has a result coming; when not all fit into memory, any may. */
function markResults(): void {
  const all = R.answerLen > <u32>(R.fill - R.answer);
  for (let i: u32 = 0; i < R.eims; i++) {
    S.cursor = 0;
    const fill = R.fill;
    if (all || findEpr(load<u32>(entry(i)), 0)) setFlag(entry(i), EimFlag.Results);
    R.fill = fill;
  }
}
