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
import { call, leave, next, Must, Proc } from "../flow";
import { PackageFlag, removeEndpoint, writeEndpoint, writePackage } from "../journal";
import { op, report, storeWrite } from "../mailbox";
import { E, S, T, WORK_BODY, WORK_END } from "../memory";
import { Status } from "../status";
import { Tag } from "../tags";
import { child, find, hash, isOne, isRow, readTlv, size, uint } from "../tlv";

export function euiccPackage(at: u32, r: i32): void {
  switch (at) {
    case 0:
      if (!check()) {
        S.errorCode = 1;
        return call(Proc.Refuse, 9);
      }
      return writePackage(1);
    case 1:
      // without a journal nothing is executed: a power cut could not be survived
      if (r < 0) return leave(r);
      if (!(S.packageFlags & PackageFlag.DeletesEim)) return next(3);
      return writeEndpoint(2 | Must);
    case 2:
    case 3:
      ask(S.packageAt, S.packageLen, WORK_BODY, WORK_END - RESPONSE_ROOM);
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
      if (r < 0 || !(S.packageFlags & PackageFlag.DeletesEim) || !S.departed) return leave(r);
      return removeEndpoint(11);
    case 10:
      return leave(Status.Switched);
    default:
      return leave(0);
  }
}

/** The minimal look at the package (procedures 4.2), and what must be known of it: S.journal..., S.packageFlags. */
function check(): bool {
  const end = S.packageAt + S.packageLen;
  S.resultHash = S.seqNumber = 0;
  if (!isOne(S.packageAt, end, Tag.EuiccPackage) || !readTlv(T.val, end) || T.tag != Tag.Sequence) return false;
  const p = T.val, e = T.next;
  if (!isRow(p, e) || !find(e, end, Tag.Signature)) return false;
  if (!find(p, e, Tag.Eid) || !find(p, e, Tag.C0)) return false;
  const eimHash = hash(T.val, T.len);
  if (!find(p, e, Tag.C1) || !T.len) return false;
  const counter = uint();
  const psmo = find(p, e, Tag.X0);
  if (!psmo && !find(p, e, Tag.X1)) return false;
  S.packageFlags = psmo ? PackageFlag.Psmo : 0;
  readCommands(T.val, T.next, psmo);
  S.journalHash = eimHash;
  S.journalCounter = counter;
  S.journalFlags = S.packageFlags;
  S.watch = 0; // a rollback grant ends with the next package (procedures 5.6)
  return true;
}

/** Unknown or damaged commands are the eUICC's business: it reports processingTerminated. */
function readCommands(p: usize, end: usize, psmo: bool): void {
  while (readTlv(p, end)) {
    p = T.next;
    if (!psmo) {
      if (T.tag == Tag.X9) S.packageFlags |= PackageFlag.DeletesEim;
    } else if (T.tag == Tag.X3) {
      S.packageFlags |= PackageFlag.Switches;
      if (child(Tag.Null)) S.packageFlags |= PackageFlag.Rollback;
    } else if (T.tag == Tag.X4) S.packageFlags |= PackageFlag.Switches;
  }
}

/** The result in hand is this package's, but not an EPR. */
function noEpr(): void {
  S.seqNumber = S.resultFlags = 0;
  S.counter = S.journalCounter;
  S.resultHash = S.journalHash;
}

/** What LoadEuiccPackage answered. */
function takeAnswer(): void {
  noEpr();
  if (E.result < 0 || !answerIs(Tag.EuiccPackage)) return lookUp(127); // the answer is lost, the execution may not be
  S.eprAt = WORK_BODY;
  S.eprLen = size();
  const whole = T.at + S.eprLen <= S.fill;
  if (readEpr()) {
    if (whole) return next(6);
    S.eprAt = 0;
    // a list that is too long to see its end: better one reset too many
    if (S.packageFlags & PackageFlag.Switches) S.resultFlags |= ResultFlag.Switched | ResultFlag.Changed;
    return next(6);
  }
  noEpr();
  if (!whole) return lookUp(127);
  S.fill = WORK_BODY + S.eprLen;
  // a signed replayError: the package was executed before, and its result may still be here (transport 3)
  const replay = wholeAnswerIs(Tag.EuiccPackage) && child(Tag.X1) && child(Tag.Sequence) && child(Tag.Integer) && uint() == 4;
  return replay ? lookUp(0) : next(7);
}

/** Looks for a stored EPR of this package. When there is none, `code` goes to the eIM, or with 0 the result that stands in front. */
function lookUp(code: u32): void {
  S.errorCode = code;
  if (code) S.fill = WORK_BODY;
  if (S.switches & Switch.NoInfo) {
    E.result = Status.NotFound;
    return takeLookup();
  }
  askList(Query.Eprs, S.fill, WORK_END - RESPONSE_ROOM);
  call(Proc.Card, 5);
}

function takeLookup(): void {
  const front = S.answer;
  if (E.result > 0 && findEpr(S.journalHash, S.journalCounter)) {
    if (!S.errorCode) S.resultFlags &= ~ResultFlag.Switched; // that switch is long over
    return next(6);
  }
  noEpr();
  S.eprAt = WORK_BODY;
  if (S.errorCode) return call(Proc.Refuse, 9);
  S.fill = front;
  return next(7);
}

function afterExecution(): void {
  if (S.packageFlags & PackageFlag.Psmo) S.notifications = 1;
  else S.tableStale = 1;
  if (!(S.resultFlags & ResultFlag.Changed)) return afterStateChange();
  noteStateChange(0, S.journalHash); // otherEim
  storeWrite(8, StoreKey.StateChanges, writeStateChanges());
}

function afterStateChange(): void {
  if (S.resultFlags & ResultFlag.Switched) {
    if (S.journalFlags & PackageFlag.Rollback) {
      S.watch = 1;
      S.watchUntil = S.seconds + S.watchTime;
      S.rollbackTries = 0;
    }
    if (!(S.switches & Switch.NoCardReset)) {
      setFlag(S.eim, EimFlag.Results);
      setDue(S.eim, S.seconds);
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
      return op(2, Op.UiccReset, Flag.AfterRefresh, 0, S.refreshGrace);
    case 2:
      S.restartBearer = 1;
      if (!S.linkOpen) return leave(0);
      S.linkOpen = 0;
      return op(3, Op.LinkClose, Flag.None, 0, 0);
    default:
      return leave(0);
  }
}
