/**
 * eUICC Package Download and Execution (SGP.32 v1.2 3.3.1; procedures 4).
 *
 * Package:  check -> journal -> LoadEuiccPackage -> (no usable answer, or replayError: look for a stored EPR of the same counter)
 *           -> deliver; or, when another profile is enabled now: reset the card, and a new session delivers what the eUICC stored.
 * The package's record is written before the eUICC executes, so that power may go anywhere: afterwards the EPR on the eUICC tells the rest.
 */
import { Flag, Op, Report, StoreKey, Switch } from "../abi";
import { ask } from "../apdu";
import { EimFlag, noteStateChange, setDue, setFlag, writeStateChanges } from "../eims";
import { answerIs, askList, findEpr, Query, readEpr, RESPONSE_ROOM, ResultFlag, wholeAnswerIs } from "../es10";
import { call, leave, Must, next, Proc } from "../flow";
import { PackageFlag, removeEndpoint, writeEndpoint, writePackage } from "../journal";
import { plainOp, report, resetCard, storeWrite } from "../mailbox";
import { E, R, S, T, WORK_BODY, WORK_END } from "../memory";
import { Status } from "../status";
import { Tag } from "../tags";
import { child, find, hash, isOne, isRow, readTlv, size, uint } from "../tlv";

export function euiccPackage(at: u32, r: i32): void {
  switch (at) {
    case 0:
      if (!check()) {
        R.errorCode = 1;
        return call(Proc.Refuse, 9);
      }
      return writePackage(1);
    case 1:
      // without a journal nothing is executed: a power cut could not be survived
      if (r < 0) return leave(r);
      if (!(R.packageFlags & PackageFlag.DeletesEim)) return next(3);
      return writeEndpoint(2 | Must);
    case 2:
    case 3:
      ask(R.packageAt, S.packageLen, WORK_BODY, WORK_END - RESPONSE_ROOM);
      return call(Proc.Card, 4);
    case 4:
      return takeAnswer();
    case 5:
      return takeLookup();
    case 6:
      return report(7, Report.PackageExecuted, S.counter);
    case 7:
      return afterExecution();
    case 8:
      return afterStateChange();
    case 9: // delivered, or not
      if (r < 0) setFlag(R.eim, EimFlag.Results); // what the eUICC stored goes with the next session
      if (r < 0 || !(R.packageFlags & PackageFlag.DeletesEim) || !S.departed) return leave(r);
      return removeEndpoint(11);
    case 10:
      return leave(Status.Switched);
    case 12:
      setFlag(R.eim, EimFlag.Results);
      return leave(Status.NoCard);
    default:
      return leave(0);
  }
}

/** The minimal look at the package (procedures 4.2), and what must be known of it: S.journal..., R.packageFlags. */
function check(): bool {
  const end = R.packageAt + S.packageLen;
  S.resultHash = R.seqNumber = 0;
  if (!isOne(R.packageAt, end, Tag.EuiccPackage) || !readTlv(T.val, end) || T.tag != Tag.Sequence) return false;
  const p = T.val, e = T.next;
  if (!isRow(p, e) || !find(e, end, Tag.Signature)) return false;
  if (!find(p, e, Tag.Eid) || !find(p, e, Tag.C0)) return false;
  const eimHash = hash(T.val, T.len);
  if (!find(p, e, Tag.C1) || !T.len) return false;
  const counter = uint();
  const psmo = find(p, e, Tag.X0);
  if (!psmo && !find(p, e, Tag.X1)) return false;
  R.packageFlags = psmo ? PackageFlag.Psmo : 0;
  readCommands(T.val, T.next, psmo);
  R.journalHash = eimHash;
  S.journalCounter = counter;
  S.journalFlags = R.packageFlags;
  S.watch = 0; // a rollback grant ends with the next package (procedures 5.6)
  return true;
}

/** Unknown or damaged commands are the eUICC's business: it reports processingTerminated. */
function readCommands(p: usize, end: usize, psmo: bool): void {
  while (readTlv(p, end)) {
    p = T.next;
    if (!psmo) {
      if (T.tag == Tag.X9) R.packageFlags |= PackageFlag.DeletesEim;
    } else if (T.tag == Tag.X3) {
      R.packageFlags |= PackageFlag.Switches;
      if (child(Tag.Null)) R.packageFlags |= PackageFlag.Rollback;
    } else if (T.tag == Tag.X4) R.packageFlags |= PackageFlag.Switches;
  }
}

/** The result in hand is this package's, but not an EPR. */
function noEpr(): void {
  R.seqNumber = R.resultFlags = 0;
  S.counter = S.journalCounter;
  S.resultHash = R.journalHash;
}

/** What LoadEuiccPackage answered. */
function takeAnswer(): void {
  noEpr();
  // the answer is lost, the execution may not be
  const silent = E.result < 0 && E.result != Status.CardSw && E.result != Status.CardMalformed && E.result != Status.CommandTooLong;
  if (E.result < 0 || !answerIs(Tag.EuiccPackage)) return lookUp(silent ? TRY_AGAIN : UNDEFINED);
  R.eprAt = WORK_BODY;
  S.eprLen = size();
  const whole = T.at + S.eprLen <= R.fill;
  if (readEpr()) {
    // it answers this package, whatever it says of itself
    S.counter = S.journalCounter;
    S.resultHash = R.journalHash;
    if (whole) return next(6);
    R.eprAt = 0;
    // a list that is too long to see its end: better one reset too many
    if (R.packageFlags & PackageFlag.Switches) R.resultFlags |= ResultFlag.Switched | ResultFlag.Changed;
    return next(6);
  }
  noEpr();
  if (!whole) return lookUp(UNDEFINED);
  R.fill = WORK_BODY + S.eprLen;
  // a signed replayError: the package was executed before, and its result may still be here (transport 3)
  const replay = wholeAnswerIs(Tag.EuiccPackage) && child(Tag.X1) && child(Tag.Sequence) && child(Tag.Integer) && uint() == 4;
  return replay ? lookUp(0) : next(7);
}

const UNDEFINED: u32 = 127;
const TRY_AGAIN: u32 = 255;

/** Looks for a stored EPR of this package. When there is none, `code` goes to the eIM (TRY_AGAIN: nothing does), or with 0 the result that stands in front. */
function lookUp(code: u32): void {
  R.errorCode = code;
  if (code) R.fill = WORK_BODY;
  if (R.switches & Switch.NoInfo) {
    E.result = 0;
    R.answer = R.fill;
    return takeLookup();
  }
  askList(Query.Eprs, R.fill, WORK_END - RESPONSE_ROOM);
  call(Proc.Card, 5);
}

function takeLookup(): void {
  const front = R.answer;
  if (E.result > 0 && findEpr(R.journalHash, S.journalCounter)) {
    if (!R.errorCode) R.resultFlags &= ~ResultFlag.Switched; // that switch is long over
    return next(6);
  }
  // a card that does not answer gets the package once more: the eIM gives it again
  if (R.errorCode == TRY_AGAIN || (R.errorCode && E.result < 0 && E.result != Status.CardSw)) return next(12);
  noEpr();
  R.eprAt = WORK_BODY;
  if (R.errorCode) return call(Proc.Refuse, 9);
  R.fill = front;
  return next(7);
}

function afterExecution(): void {
  if (R.packageFlags & PackageFlag.Psmo) S.notifications = 1;
  else S.tableStale = 1;
  if (!(R.resultFlags & ResultFlag.Changed)) return afterStateChange();
  noteStateChange(0, R.journalHash); // otherEim
  storeWrite(8, StoreKey.StateChanges, writeStateChanges());
}

function afterStateChange(): void {
  if (R.resultFlags & ResultFlag.Switched) {
    if (S.journalFlags & PackageFlag.Rollback) {
      S.watch = 1;
      S.watchUntil = R.seconds + S.watchTime;
      S.rollbackTries = 0;
    }
    if (!(R.switches & Switch.NoCardReset)) {
      setFlag(R.eim, EimFlag.Results);
      setDue(R.eim, R.seconds);
      return call(Proc.Switch, 10);
    }
  }
  call(Proc.Deliver, 9);
}

/** What follows a profile change (procedures 4.4): REFRESH or a reset, and the link is dead. */
export function switchProfile(at: u32, r: i32): void {
  switch (at) {
    case 0:
      return report(1, Report.ProfileChanged, S.counter);
    case 1:
      return resetCard(2, Flag.AfterRefresh);
    case 2:
      S.restartBearer = 1;
      if (!S.linkOpen) return leave(0);
      S.linkOpen = 0;
      return plainOp(3, Op.LinkClose);
    default:
      return leave(0);
  }
}
