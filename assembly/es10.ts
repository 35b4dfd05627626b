/** ES10a/b messages (SGP.32 v1.2 5.9, SGP.22 5.7): commands that the agent builds itself, and what it reads of the answers. */
import { ask } from "./apdu";
import { COMMAND, COMMAND_SIZE, CRITERION, CRITERION_EPR, PAYLOAD, R, S, T, W, WORK_END } from "./memory";
import { Tag } from "./tags";
import { child, find, findCut, hash, readHead, readTlv, size, uint, uintSize, writeBytes, writeHead, writeTo, writeUint } from "./tlv";

/** Room that a stored answer leaves for the eIM's answer to the body that it becomes part of. */
export const RESPONSE_ROOM: u32 = 768;

/** Queries for notifications and EPRs: what a segment of a body can be read again from. */
export const enum Query {
  None, // a segment in memory
  Notifications, // BF2B 00
  Eprs, // BF2B{A0{82 00}}
  EprBySeq, // BF2B{A0{80 n}}, n in R.seqNumber
  NotificationBySeq, // BF2B{A0{80 n}}, n in S.notification
  NotificationsAsked, // by the criterion of an IpaEuiccDataRequest
  EprsAsked,
}

/** Content of an answer's flags. */
export const enum ResultFlag {
  Switched = 1, // another profile is enabled now, or none
  Changed = 2, // the list of profiles changed
  RolledBack = 4,
  Psmo = 8,
}

function begin(): void {
  writeTo(COMMAND, COMMAND + COMMAND_SIZE);
}

function end(answer: usize, limit: usize): void {
  ask(COMMAND, <u32>(W.at - COMMAND), answer, limit);
}

/** A command without content: `tag` 00. */
export function askEmpty(tag: u32, answer: usize, limit: usize = WORK_END): void {
  begin();
  writeHead(tag, 0);
  end(answer, limit);
}

/** `tag`{ the data objects at [p, p + len) }. */
export function askWith(tag: u32, p: usize, len: u32, answer: usize): void {
  begin();
  writeHead(tag, len);
  writeBytes(p, len);
  end(answer, WORK_END);
}

/** GetEID: BF3E{5C 01 5A}. */
export function askEid(answer: usize): void {
  begin();
  writeHead(Tag.GetEuiccData, 3);
  writeUint(Tag.TagList, Tag.Eid);
  end(answer, WORK_END);
}

/** RemoveNotificationFromList: BF30{80 n}. */
export function askRemove(seqNumber: u32, answer: usize): void {
  begin();
  writeHead(Tag.RemoveNotification, 2 + uintSize(seqNumber));
  writeUint(Tag.C0, seqNumber);
  end(answer, WORK_END);
}

/** RetrieveNotificationsList with the criterion of `query`. */
export function askList(query: u32, answer: usize, limit: usize): void {
  let p: usize = 0, len: u32 = 0, seqNumber: u32 = 0;
  begin();
  switch (query) {
    case Query.EprBySeq: seqNumber = R.seqNumber; break;
    case Query.NotificationBySeq: seqNumber = S.notification; break;
    case Query.NotificationsAsked:
      p = CRITERION;
      len = S.criterionLen;
      break;
    case Query.EprsAsked:
      p = CRITERION_EPR;
      len = S.criterionEprLen;
      if (!len) query = Query.Eprs;
      break;
  }
  const empty = query == Query.Notifications || (query == Query.NotificationsAsked && !len);
  const inner = len ? len : seqNumber ? 2 + uintSize(seqNumber) : 2;
  writeHead(Tag.RetrieveNotificationsList, empty ? 0 : 2 + inner);
  if (!empty) {
    writeHead(Tag.X0, inner);
    if (len) writeBytes(p, len);
    else if (seqNumber) writeUint(Tag.C0, seqNumber);
    else writeHead(Tag.C2, 0);
  }
  end(answer, limit);
}

/** The stored answer is `tag`, perhaps cut by the end of the buffer; T is then the object. */
export function answerIs(tag: u32): bool {
  return findCut(R.answer, R.fill, tag) && R.answerLen >= <u32>(T.val - R.answer) + T.len;
}

/** The stored answer is `tag` and whole; T is then the object. */
export function wholeAnswerIs(tag: u32): bool {
  return readTlv(R.answer, R.fill) && T.tag == tag;
}

/** INTEGER `tag` directly in the whole stored answer `outer`, or -1. */
export function answerCode(outer: u32, tag: u32): i32 {
  return wholeAnswerIs(outer) && child(tag) && T.len ? <i32>uint() : -1;
}

/** Sequence number of the PendingNotification or NotificationMetadata in T, or 0. T is lost. */
export function notificationSeq(): u32 {
  let p = T.val, e = T.next;
  if (T.tag == Tag.ProfileInstallationResult && findCut(p, e, Tag.ProfileInstallationResultData)) {
    p = T.val;
    e = T.next;
  }
  if (T.tag != Tag.NotificationMetadata) {
    if (!findCut(p, e, Tag.NotificationMetadata)) return 0;
    p = T.val;
    e = T.next;
  }
  return find(p, e, Tag.C0) ? uint() : 0;
}

/**
 * Reads the eUICC Package Result in T (BF51, perhaps cut): S.resultHash of its eimId, S.counter, R.seqNumber, R.resultFlags.
 * True when it is an EPR; false for the two error forms, or damage. T is lost. (SGP.32 2.11.2)
 */
export function readEpr(): bool {
  const p = T.val, e = T.next;
  R.seqNumber = 0;
  // A0 can be missing with some eUICCs (types 4.3)
  if (findCut(p, e, Tag.X0)) {
    if (!findCut(T.val, T.next, Tag.Sequence)) return false;
  } else if (!findCut(p, e, Tag.Sequence)) return false;
  const data = T.val, dataEnd = T.next;
  if (!findCut(data, dataEnd, Tag.C0)) return false;
  S.resultHash = hash(T.val, <u32>(T.next - T.val));
  if (!find(data, dataEnd, Tag.C1)) return false;
  S.counter = uint();
  if (!find(data, dataEnd, Tag.C3)) return false;
  R.seqNumber = uint();
  R.resultFlags = 0;
  if (findCut(data, dataEnd, Tag.Sequence)) readResults(T.val, T.next);
  return true;
}

function readResults(p: usize, end: usize): void {
  let flags: u32 = 0;
  while (readHead(p, end)) {
    p = T.next;
    const ok = T.len == 1 && p <= end && !load<u8>(T.val);
    switch (T.tag) {
      case Tag.X8: // addEim
      case Tag.C9: // deleteEim
      case Tag.CA: // updateEim
      case Tag.XB: // listEim
        continue;
      case Tag.C3: // enable
      case Tag.C4: // disable
        if (ok) flags |= ResultFlag.Switched | ResultFlag.Changed;
        break;
      case Tag.C5: // delete
        if (ok) flags |= ResultFlag.Changed;
        break;
      case Tag.CC: // rollback
        if (ok) flags |= ResultFlag.RolledBack;
        break;
    }
    flags |= ResultFlag.Psmo;
  }
  R.resultFlags = flags;
}

/**
 * Looks in the stored answer to a query for EPRs for one with `h` (and `counter`, when not 0; and a sequence number above S.cursor), and reads it.
 * R.eprAt is 0 when it is not stored whole.
 */
export function findEpr(h: u32, counter: u32): bool {
  if (!answerIs(Tag.RetrieveNotificationsList)) return false;
  const stored = R.fill;
  if (!findCut(T.val, stored, Tag.X2)) return false;
  let p = T.val;
  const end = T.next;
  while (findCut(p, end, Tag.EuiccPackage)) {
    const at = p;
    const len = size();
    p = T.next;
    if (readEpr() && S.resultHash == h && (counter ? S.counter == counter : R.seqNumber > S.cursor)) {
      R.eprAt = at + len <= stored ? at : 0;
      S.eprLen = len;
      if (R.eprAt) R.fill = at + len;
      return true;
    }
  }
  return false;
}

/** GetProfilesInfo BF2D{5C 9F70 9F7B}: is a profile with ecallIndication enabled? */
export function askEmergency(answer: usize): void {
  store<u64>(PAYLOAD, 0x7b9f709f045c);
  askWith(Tag.ProfileInfoList, PAYLOAD, 6, answer);
}

/** In the list of profiles: one is enabled (9F70 = 1) and has ecallIndication (9F7B) TRUE. */
export function emergencyEnabled(): bool {
  if (!answerIs(Tag.ProfileInfoList) || !findCut(T.val, T.next, Tag.X0)) return false;
  let p = T.val;
  const end = T.next;
  while (find(p, end, Tag.ProfileInfo)) {
    p = T.next;
    const q = T.val;
    if (find(q, p, Tag.EcallIndication) && uint() && find(q, p, Tag.ProfileState) && uint() == 1) return true;
  }
  return false;
}
