/**
 * eIM Package Retrieval (SGP.32 v1.2 3.1.1.1; procedures 3): one session with one eIM.
 *
 *   bearer -> results left over -> ( GetEimPackage -> package -> result )* -> notifications -> link closed
 *
 * Leaves with 0, Switched (the profile changed: the card is reset, a new session delivers the result), or what went wrong.
 */
import { Flag, Op, Report, StoreKey, Switch } from "../abi";
import { EimFlag, entryCause, hasFlag, setCause, writeStateChanges } from "../eims";
import { keepTransactionId, writeGetEimPackage } from "../esipa";
import { responseEnd } from "../exchange";
import { clearSegments } from "../segments";
import { call, leave, next, Proc } from "../flow";
import { PackageFlag, untilUnparked } from "../journal";
import { milliseconds, op, plainOp, report, storeWrite } from "../mailbox";
import { E, PAYLOAD, R, S, T, WORK_BODY, WORK_END } from "../memory";
import { Status } from "../status";
import { Tag } from "../tags";
import { child, findCut, hash, isOne, readHead, uint } from "../tlv";

function finish(result: i32): void {
  S.sessionResult = result;
  next(8);
}

export function session(at: u32, r: i32): void {
  switch (at) {
    case 0: {
      S.peer = S.json = 0;
      S.packages = S.bodyHash = S.bodyRepeats = R.packageFlags = 0;
      if (!S.reachable) return finish(Status.NotFound); // before the bearer costs anything
      const left = S.watch && S.watchUntil > R.seconds ? S.watchUntil - R.seconds : 1;
      const wait = S.watch && left < S.bearerWait ? left : S.bearerWait;
      return op(1, Op.Bearer, S.restartBearer ? Flag.Restart : Flag.None, 0, milliseconds(wait));
    }
    case 1:
      S.restartBearer = 0; // once is enough: a registration in progress must not be torn down
      if (r < 0) return finish(r);
      S.rPlmnLen = E.length == 3 ? 3 : 0;
      S.rPlmn = load<u32>(PAYLOAD);
      if (!hasFlag(R.eim, EimFlag.Results)) return next(3);
      return call(Proc.Leftover, 2);
    case 2:
      if (r < 0 || hasFlag(R.eim, EimFlag.Departed)) return finish(r);
    case 3:
      if (S.downloadHash != S.eimHash) return next(12);
      return call(Proc.TriggerResult, 13);
    case 13:
      if (r < 0) return finish(r);
    case 12:
      clearSegments(1);
      writeGetEimPackage();
      R.fill = WORK_BODY;
      S.response = WORK_BODY;
      return call(Proc.Exchange, 4);
    case 4:
      if (r < 0) return finish(r);
      if (!readPackage()) return finish(Status.BadBody);
      if (!entryCause(R.eim)) return next(5);
      // any valid answer: the state change is told (procedures 3.4)
      setCause(R.eim, 0);
      return storeWrite(5, StoreKey.StateChanges, writeStateChanges());
    case 5:
      return dispatch();
    case 6:
      if (r < 0) return finish(r);
      if (R.switches & Switch.OnePackage || R.packageFlags & PackageFlag.DeletesEim) return finish(0);
      return next(12);
    case 7:
      return finish(r);
    case 8:
      if (!S.linkOpen) return leave(S.sessionResult);
      S.linkOpen = 0;
      return plainOp(9, Op.LinkClose);
    case 10:
      return finish(Status.EimError);
    case 11: // a guard that strikes each time must not starve the notifications
      if (!S.notifications) return finish(Status.LoopGuard);
      return call(Proc.Notify, 14);
    case 14:
      return finish(Status.LoopGuard);
    default:
      return leave(S.sessionResult);
  }
}

/**
 * Reads the answer to GetEimPackage: S.packageTag, R.packageAt, S.packageLen of the one object in it, S.transactionIdLen when it is readable.
 * R.errorCode is not 0 when the package can't be worked on. False when the body is not an answer at all.
 */
function readPackage(): bool {
  const end = responseEnd();
  S.transactionIdLen = R.errorCode = 0;
  if (!readHead(S.response, end) || T.tag != Tag.GetEimPackage || T.next != S.response + S.received) return false;
  const whole = T.next;
  const p = T.val;
  if (!readHead(p, end)) return false;
  S.packageTag = T.tag;
  R.packageAt = p;
  S.packageLen = <u32>(T.next - p);
  if (whole > WORK_END) R.errorCode = 127; // larger than this device can take
  else if (T.next != whole) R.errorCode = 1;
  readTransactionId(end);
  return true;
}

function readTransactionId(end: usize): void {
  if (T.next > end) T.next = end;
  switch (S.packageTag) {
    case Tag.EuiccPackage:
      if (findCut(T.val, T.next, Tag.Sequence) && findCut(T.val, T.next, Tag.C2)) keepTransactionId();
      break;
    case Tag.IpaEuiccData:
      if (child(Tag.C3)) keepTransactionId();
      break;
    case Tag.ProfileDownloadTrigger:
      if (child(Tag.C2)) keepTransactionId();
      break;
  }
}

function dispatch(): void {
  S.resultHash = 0;
  const tag = S.packageTag;
  if (tag == Tag.Integer) return R.errorCode ? finish(Status.BadBody) : eimPackageError();
  const bodyHash = hash(R.packageAt, <u32>(responseEnd() - R.packageAt));
  S.bodyRepeats = bodyHash == S.bodyHash ? S.bodyRepeats + 1 : 0;
  S.bodyHash = bodyHash;
  if (S.bodyRepeats > 1 || ++S.packages > S.maxPackages) return report(11, Report.LoopGuard, S.packages);
  if (!R.errorCode) {
    if (tag == Tag.EuiccPackage) return call(Proc.Package, 6);
    if (tag == Tag.IpaEuiccData) return call(Proc.Data, 6);
    if (tag == Tag.ProfileDownloadTrigger) return call(Proc.Download, 6);
    R.errorCode = 2;
  }
  call(Proc.Refuse, 6);
}

/** eimPackageError: 1 noEimPackageAvailable, 2 eidNotFound, 3 invalidEid, 4 missingEid, 127. (procedures 3.3) */
function eimPackageError(): void {
  isOne(R.packageAt, R.packageAt + S.packageLen, Tag.Integer);
  const code = uint();
  R.errorCode = code;
  if (code == 1) {
    if (!untilUnparked(1)) S.notifications = 1;
    if (!S.notifications) return finish(0);
    return call(Proc.Notify, 7);
  }
  if (code - 2 < 3) return report(10, Report.DeviceRefused, code);
  finish(Status.EimError);
}
