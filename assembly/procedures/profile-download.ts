/**
 * Profile download, indirect over ESipa and direct over ES9+ (SGP.32 v1.2 3.2.3; procedures 7-17).
 *
 *   trigger -> (default SM-DP+) -> EUICCInfo1 -> challenge -> InitiateAuthentication -> AuthenticateServer -> AuthenticateClient
 *           -> PrepareDownload -> GetBoundProfilePackage -> segment by segment onto the eUICC (bound-package.ts) -> PIR
 *           -> (ImmediateEnable) -> ProfileDownloadTriggerResult
 *   what goes wrong before a PIR: (CancelSession) -> ProfileDownloadTriggerResult with the answer that ended it
 *
 * One file, because it is one state machine with one set of ways out; what knows nothing of its states stands in rsp-session.ts.
 * Signed objects are relayed as they came: slices of one message become segments of the next.
 */
import { expectJson, trimInfo, writePending, locate, isSlot, areWhole, fromSlot, checkServerSigned, checkOid, setKeyId, writeContext } from "../rsp-session";
import { Feature, Op, Peer, Report, StoreKey, Switch } from "../abi";
import { readActivationCode } from "../activation-code";
import { askSegments } from "../apdu";
import { noteStateChange, setDue, writeStateChanges } from "../eims";
import { answerCode, askEmergency, askEmpty, askWith, emergencyEnabled, Query, wholeAnswerIs } from "../es10";
import { writeTriggerHead } from "../esipa";
import { responseEnd } from "../exchange";
import { call, leave, Loaded, Must, next, Proc } from "../flow";
import { isExecuted, setBase64, setText, Slot, slotAt, slotLen, takeTransactionId, Text } from "../json";
import { removeDownload, writeDownload } from "../journal";
import { op, plainOp, report, storeWrite } from "../mailbox";
import {
  ACTIVATION_CODE, CONFIRMATION_CODE, E, ERROR_RESPONSE, ERROR_RESPONSE_SIZE, PAYLOAD, R, RSP_TEXT, RSP_TRANSACTION_ID, S, T, TRANSACTION_ID, W, WORK, WORK_BODY, WORK_END,
} from "../memory";
import { firstBits, isAuthorised, Ppr } from "../policy";
import { clearSegments, segmentsSize, setSegment } from "../segments";
import { Status } from "../status";
import { STAGE } from "../stream";
import { Tag } from "../tags";
import { child, find, hash, isOne, isRow, readTlv, size, tlvSize, uint, writeHead, writeTlv, writeTo, writeUint } from "../tlv";

/** cancelSessionReason (SGP.22 5.7.14), and none at all. */
const REASON_POSTPONED: u32 = 1;
const REASON_PPR: u32 = 3;
const REASON_METADATA: u32 = 4;
const REASON_LOAD: u32 = 5;
const REASON_UNDEFINED: u32 = 127;
const NO_CANCEL: u32 = 255;

export function download(at: u32, r: i32): void {
  switch (at) {
    case 0:
      S.pir = S.errorLen = S.rspIdLen = S.triggers = R.seqNumber = S.serverErred = S.drained = 0;
      S.streamed = S.wrap = S.pirConfirmed = S.direct = 0;
      S.failReason = 127;
      if (!S.ecall || !(S.features & (Feature.Direct | Feature.Indirect))) return next(1);
      askEmergency(WORK_END - 512); // the trigger still stands in front
      return call(Proc.Card, 44 | Must);
    case 44:
      if (!emergencyEnabled()) return next(1);
      S.failReason = 104; // ecallActive
      return endWithout(NO_CANCEL);
    case 1:
      return readTrigger();
    case 2: // address of the default SM-DP+, or of the root SM-DS
      if (!takeAddress(S.level)) return endWithout(NO_CANCEL);
    case 3:
      askEmpty(Tag.EuiccInfo1, WORK_BODY);
      return call(Proc.Card, 4 | Must);
    case 4:
      if (!wholeAnswerIs(Tag.EuiccInfo1)) return leave(Status.CardMalformed);
      trimInfo();
      askEmpty(Tag.GetEuiccChallenge, R.fill);
      return call(Proc.Card, 5 | Must);
    case 5:
      if (!wholeAnswerIs(Tag.GetEuiccChallenge) || !child(Tag.C0) || T.len != 16) return leave(Status.CardMalformed);
      return sendInitiate();
    case 6:
      return r < 0 ? serverLost(r) : takeInitiate();
    case 7: // AuthenticateServer was answered
      if (r < 0 || !wholeAnswerIs(Tag.AuthenticateServer)) return endWithout(NO_CANCEL);
      moveAnswer();
      if (isError(Tag.AuthenticateServer, Tag.X1)) keepError(WORK_BODY, R.fill);
      return relay(8, Tag.AuthenticateClient);
    case 8:
      return r < 0 ? serverLost(r) : takeAuthenticate();
    case 9: // PrepareDownload was answered
      if (r < 0 || !wholeAnswerIs(Tag.PrepareDownload)) return endWithout(REASON_UNDEFINED);
      moveAnswer();
      if (isError(Tag.PrepareDownload, Tag.X1)) keepError(WORK_BODY, R.fill);
      S.streamed = 1;
      return relay(10, Tag.GetBoundProfilePackage);
    case 10:
      S.streamed = 0;
      if (r < 0) return serverLost(r);
      S.drained = S.left = 0;
      if (S.serverErred) return drain(18); // it was the eUICC's error that was relayed
      S.downloadHash = S.eimHash;
      return writeDownload(11);
    case 11: // the journal knows of it before the eUICC does
      if (r < 0) return leave(r);
      return call(Proc.BoundPackage, 12);
    case 12:
      if (r < 0) return lose(r);
      if (r == Loaded.Pir) return next(16);
      if (r == Loaded.Nothing) return endWithout(NO_CANCEL);
      S.cancelReason = load<u8>(STAGE + S.staged - 1) == 50 ? REASON_METADATA : NO_CANCEL; // getBoundProfilePackageError
      return drain(S.cancelReason == NO_CANCEL ? 18 : 29);
    case 15: // CancelSession was answered
      return sendCancel(r);
    case 16:
      return takePir();
    case 17:
      return S.direct ? sendPir() : afterPir();
    case 18: // the session is cancelled, whatever was answered
      return report(31, Report.DownloadFailed, S.cancelReason);
    case 20: // the link is closed, since the rest of the body is not wanted
      S.linkOpen = 0;
      return cancel();
    case 21: // ImmediateEnable was answered
      if (r < 0 || answerCode(Tag.ImmediateEnable, Tag.C0) != 0) return next(22);
      return storeWrite(23, StoreKey.StateChanges, stateChanged(5, 0));
    case 22: // a profile more, or less room: the other eIMs' view is old
      return storeWrite(24, StoreKey.StateChanges, stateChanged(0, S.eimHash));
    case 23:
      setDue(R.eim, R.seconds);
      S.peer = S.json = 0;
      return call(Proc.Switch, 25);
    case 24:
      if (backToEim(24)) return;
      return call(Proc.TriggerResult, 19);
    case 25:
      return leave(Status.Switched);
    case 26: // the link broke: all begins anew in another session, or the eIM decides
      S.linkOpen = 0;
      return serverLost(Status.Link);
    case 27: // the end of the body may still have to be fetched
      if (r < 0) return plainOp(28, Op.LinkClose);
      if (S.streamEnd) return next(S.drainTo);
      if (S.left || ++S.drained > 3) return plainOp(28, Op.LinkClose); // a result before the end of the package: the rest is not wanted
      return call(Proc.Pull, 27);
    case 28:
      S.linkOpen = 0;
      return next(S.drainTo);
    case 29:
      return cancel();
    case 30:
      return r < 0 ? leave(r) : removeDownload(32);
    case 31:
      if (backToEim(31)) return;
      return sendFailure();
    case 32:
      S.downloadHash = 0;
      return leave(0);
    case 34: // rules that the eUICC forbids at all
      if (r < 0 || !wholeAnswerIs(Tag.EuiccInfo2) || S.rules & ~(Ppr.UpdateControl | Ppr.Ppr1 | Ppr.Ppr2)) return endWithout(REASON_PPR);
      if (child(0x99) && firstBits() & S.rules) return endWithout(REASON_PPR);
      if (!(S.rules & Ppr.Ppr1)) return next(36);
      // BF2D{A0{95 02}}: PPR1 only while no operational profile is there
      store<u32>(PAYLOAD, 0x019503a0);
      store<u8>(PAYLOAD, 2, 4);
      askWith(Tag.ProfileInfoList, PAYLOAD, 5, R.answer);
      return call(Proc.Card, 35);
    case 35:
      if (r < 0 || !wholeAnswerIs(Tag.ProfileInfoList) || !child(Tag.X0) || T.len) return endWithout(REASON_PPR);
    case 36:
      askEmpty(Tag.GetRat, R.answer);
      return call(Proc.Card, 40);
    case 37:
      return prepare();
    case 38: // SHA-256 of the code: hashed once more, with the transactionId behind it
      if (E.length != 32) return endWithout(REASON_UNDEFINED);
      memory.copy(PAYLOAD + 32, RSP_TRANSACTION_ID, S.rspIdLen);
      return op(39 | Must, Op.Hash, 0, 32 + S.rspIdLen, 0);
    case 39:
      if (E.length != 32) return endWithout(REASON_UNDEFINED);
      writeTo(R.fill, R.fill + 34);
      writeTlv(Tag.OctetString, PAYLOAD, 32);
      setSegment(3, Query.None, <u32>R.fill, 34);
      S.level = 0;
      return next(37);
    case 40:
      if (r < 0 || !wholeAnswerIs(Tag.GetRat) || !child(Tag.X0)) return endWithout(REASON_PPR);
      if (!isAuthorised(S.rules, S.owner, S.ownerEnd, T.val, T.next)) return endWithout(REASON_PPR);
      return next(37);
    case 41: // the eIM's link is closed: the SM-DP+'s turn
      S.linkOpen = 0;
      return call(Proc.Exchange, 6);
    case 42: // the SM-DP+ has the PIR, or has not
      S.pirConfirmed = r >= 0 ? 1 : 0;
      return afterPir();
    case 43: // an SM-DS named another server
      S.linkOpen = 0;
      return next(3);
    case 33: // a malformed trigger
      return call(Proc.Refuse, 19);
    default: // 19
      return leave(r < 0 ? r : 0);
  }
}

/* ---- the trigger ---- */

/** Reads ProfileDownloadTriggerRequest (types 4.8) at S.package.... */
function readTrigger(): void {
  S.addressLen = S.matchingIdLen = S.oidLen = 0;
  S.matchingIdAt = S.oidAt = ACTIVATION_CODE;
  if (!isOne(R.packageAt, R.packageAt + S.packageLen, Tag.ProfileDownloadTrigger)) return invalid();
  const p = T.val, end = T.next;
  if (!(S.features & (Feature.Direct | Feature.Indirect)) || !isRow(p, end)) return invalid();
  if (!find(p, end, Tag.X0)) return S.features & Feature.Indirect && S.features & Feature.HeldByEim ? next(3) : invalid(); // the eIM holds the data
  const q = T.val, e = T.next;
  if (!readTlv(q, e)) return invalid();
  if (T.tag == Tag.C0) {
    if (T.len > 255) return invalid();
    memory.copy(ACTIVATION_CODE, T.val, T.len);
    return readActivationCode(T.len) ? next(3) : invalid();
  }
  if (T.tag == Tag.C1) return askAddress(Tag.C0);
  if (T.tag != Tag.X2) return invalid();
  if (!child(Tag.C0)) return askAddress(Tag.C1);
  if (T.len - 1 > 254) return invalid();
  keepAddress();
  next(3);
}

function invalid(): void {
  R.errorCode = 1;
  next(33);
}

function askAddress(tag: u32): void {
  S.level = tag;
  askEmpty(Tag.EuiccConfiguredAddresses, WORK_BODY);
  call(Proc.Card, 2 | Must);
}

/** The address under `tag` of GetEuiccConfiguredAddresses; false when there is none. */
function takeAddress(tag: u32): bool {
  if (!wholeAnswerIs(Tag.EuiccConfiguredAddresses) || !child(tag) || T.len - 1 > 254) return false;
  keepAddress();
  return true;
}

function keepAddress(): void {
  S.addressAt = ACTIVATION_CODE;
  S.addressLen = T.len;
  memory.copy(ACTIVATION_CODE, T.val, T.len);
}

/* ---- common mutual authentication ---- */

/** BF39{81 euiccChallenge, [83 smdpAddress], BF20, [82 eimTransactionId]}: EUICCInfo1 at WORK_BODY, the challenge in T. */
function sendInitiate(): void {
  const info = <u32>(R.answer - WORK_BODY);
  const challenge = T.val;
  const at = R.fill;
  writeTo(at, at + 320);
  writeTlv(Tag.C1, challenge, 16);
  if (S.addressLen) writeTlv(Tag.C3, S.addressAt, S.addressLen);
  const middle = W.at;
  if (S.transactionIdLen) writeTlv(Tag.C2, TRANSACTION_ID, S.transactionIdLen);
  R.fill = W.at;
  S.slices = at + 2; // the challenge
  if (S.addressLen && S.features & Feature.Direct) return sendInitiateDirect(info);
  clearSegments(4);
  setSegment(1, Query.None, <u32>at, <u32>(middle - at));
  setSegment(2, Query.None, <u32>WORK_BODY, info);
  setSegment(3, Query.None, <u32>middle, <u32>(W.at - middle));
  head(Tag.InitiateAuthentication);
  S.response = R.fill;
  call(Proc.Exchange, 6);
}

/** The same as JSON, to the SM-DP+ itself. */
function sendInitiateDirect(info: u32): void {
  S.direct = 1;
  S.peer = Peer.Smdp;
  S.function = 1;
  clearSegments(7);
  setText(0, Text.Address);
  setSegment(1, Query.None, <u32>S.addressAt, S.addressLen);
  setText(2, Text.Challenge);
  setBase64(3, S.slices, 16);
  setText(4, Text.Info);
  setBase64(5, WORK_BODY, info);
  setText(6, Text.End);
  expectJson();
  if (S.linkOpen) return plainOp(41, Op.LinkClose);
  call(Proc.Exchange, 6);
}

/** Head `tag` over the segments from 1 on, as segment 0. */
function head(tag: u32): void {
  writeTo(WORK, WORK_BODY);
  writeHead(tag, segmentsSize(1));
  setSegment(0, Query.None, <u32>WORK, <u32>(W.at - WORK));
}

/** Answer to InitiateAuthentication: checks what the eUICC does not, and hands the rest to it. (procedures 8.5-8.7) */
function takeInitiate(): void {
  const end = responseEnd();
  let tail = end; // members behind the certificate (ESipa only)
  if (S.direct) {
    if (!isExecuted()) return endWithout(NO_CANCEL);
    takeTransactionId();
  } else {
    if (!isOne(S.response, end, Tag.InitiateAuthentication) || !readTlv(T.val, end)) return leave(Status.BadBody);
    if (T.tag != Tag.X0) return failWith(S.response, end, NO_CANCEL);
    tail = locate(T.val, end);
    R.fill = end;
  }
  if (!areWhole() || !isSlot(Slot.KeyId, Tag.OctetString)) return endWithout(NO_CANCEL);
  isSlot(Slot.Signed, Tag.Sequence);
  if (!checkServerSigned(T.val, T.next)) return endWithout(NO_CANCEL);
  const certificate = slotAt(Slot.Certificate);
  if (!checkOid(certificate, certificate + slotLen(Slot.Certificate))) return endWithout(NO_CANCEL);
  if (!S.addressLen && find(tail, end, Tag.Utf8) && T.len < 256) {
    // the eIM holds the download data
    memory.copy(ACTIVATION_CODE, T.val, T.len);
    S.matchingIdAt = ACTIVATION_CODE;
    S.matchingIdLen = T.len;
  }
  clearSegments(6);
  fromSlot(1, Slot.Signed);
  fromSlot(2, Slot.Signature);
  setKeyId(slotAt(Slot.KeyId), slotLen(Slot.KeyId));
  fromSlot(4, Slot.Certificate);
  if (find(tail, end, Tag.X2) && T.len) setSegment(5, Query.None, <u32>T.val, T.len);
  else writeContext();
  head(Tag.AuthenticateServer);
  askSegments(R.fill, WORK_END);
  call(Proc.Card, 7);
}

/** The eUICC's answer moves to the front of `work`, so that the server's has room behind it. */
function moveAnswer(): void {
  const len = <u32>(R.fill - R.answer);
  memory.copy(WORK_BODY, R.answer, len);
  R.answer = WORK_BODY;
  R.fill = WORK_BODY + len;
}

function isError(outer: u32, tag: u32): bool {
  return readTlv(WORK_BODY, R.fill) && T.tag == outer && child(tag);
}

/** `tag`{80 transactionId, the eUICC's answer at WORK_BODY}. */
function relay(at: u32, tag: u32): void {
  const answer = <u32>(R.fill - WORK_BODY);
  if (S.direct) {
    const second = tag == Tag.AuthenticateClient;
    return sendJson(at, second ? 2 : 3, second ? Text.Authenticate : Text.Prepare, answer);
  }
  clearSegments(2);
  setSegment(1, Query.None, <u32>WORK_BODY, answer);
  writeTo(WORK, WORK_BODY);
  writeHead(tag, 2 + S.rspIdLen + answer);
  writeTlv(Tag.C0, RSP_TRANSACTION_ID, S.rspIdLen);
  setSegment(0, Query.None, <u32>WORK, <u32>(W.at - WORK));
  S.response = R.fill;
  call(Proc.Exchange, at);
}

/** {"transactionId":"..", `text` base64 of `len` octets at WORK_BODY}, as ES9+ function `number`. */
function sendJson(at: u32, number: u32, text: Text, len: u32): void {
  S.function = number;
  clearSegments(5);
  setText(0, Text.Transaction);
  setSegment(1, Query.None, <u32>RSP_TEXT, S.rspTextLen);
  setText(2, text);
  setBase64(3, WORK_BODY, len);
  setText(4, Text.End);
  const id = S.rspTextLen;
  expectJson();
  S.rspTextLen = id;
  call(Proc.Exchange, at);
}

/** ES9+.HandleNotification with the PIR at WORK_BODY; whether it arrives or not, the eIM is told as well. */
function sendPir(): void {
  writePending(WORK_BODY, R.answerLen);
  call(Proc.Exchange, 42);
}

/** The link to the SM-DP+ is closed before the eIM is spoken to; true when that takes an op, and goes on at `at`. */
function backToEim(at: u32): bool {
  S.json = 0;
  if (!S.peer) return false;
  S.peer = 0;
  if (!S.linkOpen) return false;
  S.linkOpen = 0;
  plainOp(at, Op.LinkClose);
  return true;
}

/** The exchange failed: over ESipa the session ends and the eIM gives the trigger again; of an SM-DP+ the eIM is told. */
function serverLost(r: i32): void {
  if (!S.direct) return leave(r);
  endWithout(NO_CANCEL);
}

/** Answer to AuthenticateClient: an SM-DP+'s, an SM-DS's, or an error. (procedures 8.10, 17) */
function takeAuthenticate(): void {
  const end = responseEnd();
  if (S.direct) {
    if (S.serverErred || !isExecuted()) return endWithout(NO_CANCEL);
    if (S.eventAddressLen) return takeEvent();
  } else {
    if (!isOne(S.response, end, Tag.AuthenticateClient) || !readTlv(T.val, end)) return endWithout(REASON_UNDEFINED);
    if (S.serverErred) return endWithout(NO_CANCEL); // it was the eUICC's error that was relayed
    if (T.tag == Tag.C2) return failWith(S.response, end, uint() == 50 ? REASON_PPR : NO_CANCEL);
    if (T.tag == Tag.X1) return takeEvents();
    if (T.tag != Tag.X0) return endWithout(REASON_UNDEFINED);
    const id = hash(RSP_TRANSACTION_ID, S.rspIdLen), idLen = S.rspIdLen;
    locate(T.val, end);
    if (S.rspIdLen && hash(RSP_TRANSACTION_ID, S.rspIdLen) != id) return endWithout(REASON_UNDEFINED);
    S.rspIdLen = idLen;
    R.fill = end;
  }
  // of an answer that broke off the SM-DP+ must not learn: it would end the order
  if (!areWhole()) return endWithout(S.direct ? NO_CANCEL : REASON_UNDEFINED);
  const p = T.val, e = T.next; // smdpSigned2
  if (!find(p, e, Tag.C0) || hash(T.val, T.len) != hash(RSP_TRANSACTION_ID, S.rspIdLen)) return endWithout(REASON_UNDEFINED);
  S.level = 0;
  clearSegments(5);
  fromSlot(1, Slot.Signed);
  fromSlot(2, Slot.Signature);
  fromSlot(4, Slot.Certificate);
  if (find(p, e, Tag.Boolean) && uint()) {
    // a confirmation code is needed: the eIM's hash of it, else the configured code (procedures 12)
    if (isSlot(Slot.KeyId, Tag.OctetString) && T.len == 32) fromSlot(3, Slot.KeyId);
    else if (S.confirmationCodeLen) S.level = 1;
    else return endWithout(REASON_POSTPONED);
  }
  checkRules();
}

/** An SM-DS named an event: its server is asked next, with the eventId as matchingId. (procedures 17) */
function takeEvent(): void {
  if (++S.triggers > 3) return endWithout(NO_CANCEL);
  S.addressAt = ACTIVATION_CODE;
  S.addressLen = S.eventAddressLen;
  S.matchingIdAt = ACTIVATION_CODE + 128;
  S.matchingIdLen = S.eventIdLen;
  S.oidLen = S.rspIdLen = 0;
  plainOp(43, Op.LinkClose);
}

/** An SM-DS answered: a trigger to go on with, or nothing. */
function takeEvents(): void {
  if (!child(Tag.ProfileDownloadTrigger) || ++S.triggers > 3) return endWithout(NO_CANCEL);
  const len = size();
  memory.copy(WORK_BODY, T.at, len);
  R.packageAt = WORK_BODY;
  S.packageLen = len;
  next(1);
}

/** Profile Policy Rules of the metadata: are there any? (procedures 11) */
function checkRules(): void {
  S.rules = 0;
  if ((S.direct || !(S.features & Feature.VerifiedByEim)) && isSlot(Slot.Metadata, Tag.StoreMetadata)) {
    const q = T.val, e = T.next;
    S.owner = S.ownerEnd = 0;
    if (find(q, e, 0xb7)) {
      S.owner = T.val;
      S.ownerEnd = T.next;
    }
    if (find(q, e, 0x99)) S.rules = firstBits();
  }
  if (!S.rules) return next(37);
  askEmpty(Tag.EuiccInfo2, R.fill);
  call(Proc.Card, 34);
}

/** PrepareDownload with what the segments hold; first the hash of a configured confirmation code. */
function prepare(): void {
  if (S.level) {
    memory.copy(PAYLOAD, CONFIRMATION_CODE, S.confirmationCodeLen);
    return op(38 | Must, Op.Hash, 0, S.confirmationCodeLen, 0);
  }
  head(Tag.PrepareDownload);
  // behind the members: they are still being sent
  askSegments(R.fill, WORK_END);
  call(Proc.Card, 9);
}

/* ---- the bound package was loaded, or was not ---- */

/** Takes the end of the answer's body, which carries nothing more, and goes on at `at`; a server that does not end is left. */
function drain(at: u32): void {
  S.drainTo = at;
  next(27);
}

/** The rest of the package is not wanted, or does not come. */
function lose(status: i32): void {
  S.cancelReason = status == Status.CardSw ? REASON_LOAD : REASON_UNDEFINED;
  // a body that ends too early is a link that broke
  plainOp(status > Status.BadEvent || (status == Status.BadBody && S.streamEnd) ? 26 : 20, Op.LinkClose);
}

/* ---- the result ---- */

/** ProfileInstallationResult in the answer: its sequence number, and whether the profile is installed. */
function takePir(): void {
  R.resultFlags = 0;
  S.notification = 0;
  if (wholeAnswerIs(Tag.ProfileInstallationResult) && child(Tag.ProfileInstallationResultData)) {
    const p = T.val, end = T.next;
    if (find(p, end, Tag.NotificationMetadata) && child(Tag.C0)) S.notification = S.pir = uint();
    if (find(p, end, Tag.X2) && child(Tag.X0)) R.resultFlags = 1;
  }
  S.notifications = 1;
  S.drainTo = 17;
  report(27, R.resultFlags ? Report.ProfileInstalled : Report.DownloadFailed, S.notification);
}

function afterPir(): void {
  if (!R.resultFlags || !(R.switches & Switch.ImmediateEnable)) return next(22);
  store<u32>(PAYLOAD, R.switches & Switch.RefreshFalse ? 0x000180 : 0xff0180); // 80 01 refreshFlag
  askWith(Tag.ImmediateEnable, PAYLOAD, 3, WORK_BODY);
  call(Proc.Card, 21);
}

/** Every eIM learns it. */
function stateChanged(cause: u32, except: u32): u32 {
  noteStateChange(cause, except);
  return writeStateChanges();
}

/* ---- the way out without a PIR ---- */

function endWithout(reason: u32): void {
  S.cancelReason = reason;
  next(reason == NO_CANCEL ? 18 : 29);
}

function failWith(p: usize, end: usize, reason: u32): void {
  keepError(p, end);
  endWithout(reason);
}

/** Keeps the answer that ended the procedure, for the eIM; one that is too long is left out. */
function keepError(p: usize, end: usize): void {
  const len = <u32>(end - p);
  S.errorLen = len > ERROR_RESPONSE_SIZE ? 0 : len;
  memory.copy(ERROR_RESPONSE, p, S.errorLen);
  S.serverErred = 1;
}

/** CancelSession BF41{80 transactionId, 81 reason}. (procedures 15) */
function cancel(): void {
  writeTo(PAYLOAD, PAYLOAD + 32);
  writeTlv(Tag.C0, RSP_TRANSACTION_ID, S.rspIdLen);
  writeUint(Tag.C1, S.cancelReason);
  askWith(Tag.CancelSession, PAYLOAD, <u32>(W.at - PAYLOAD), WORK_BODY);
  call(Proc.Card, 15);
}

/** BF41{80 transactionId, A1{what the eUICC answered under BF41}}. */
function sendCancel(r: i32): void {
  if (r < 0 || !wholeAnswerIs(Tag.CancelSession)) return next(18);
  if (S.direct) return sendJson(18, 5, Text.Cancel, R.answerLen);
  const value = T.val, len = T.len;
  clearSegments(2);
  setSegment(1, Query.None, <u32>value, len);
  writeTo(WORK, WORK_BODY);
  writeHead(Tag.CancelSession, 2 + S.rspIdLen + tlvSize(Tag.X1, len));
  writeTlv(Tag.C0, RSP_TRANSACTION_ID, S.rspIdLen);
  writeHead(Tag.X1, len);
  setSegment(0, Query.None, <u32>WORK, <u32>(W.at - WORK));
  S.response = R.fill;
  call(Proc.Exchange, 18);
}

/** ProfileDownloadTriggerResult without a PIR: 30{80 undefinedError, [04 the answer that ended it]}. (types 4.9) */
function sendFailure(): void {
  const error = S.errorLen;
  const inner = 3 + (error ? tlvSize(Tag.OctetString, error) : 0);
  writeTo(WORK_BODY, WORK_BODY + 64);
  writeHead(Tag.Sequence, inner);
  writeUint(Tag.C0, S.failReason);
  if (error) writeTlv(Tag.OctetString, ERROR_RESPONSE, error);
  R.fill = W.at;
  clearSegments(2);
  setSegment(1, Query.None, <u32>WORK_BODY, <u32>(W.at - WORK_BODY));
  writeTriggerHead();
  S.response = R.fill;
  call(Proc.Exchange, 30);
}
