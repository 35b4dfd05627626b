/**
 * Notification delivery (SGP.32 v1.2 3.7; procedures 16): to the SM-DP+ itself by ES9+.HandleNotification when the host can direct download,
 * else through the eIM by ESipa.HandleNotification; also through it when the SM-DP+ can't be reached, or the notification is too large for memory.
 * In the order of their sequence numbers, each removed once it is confirmed; one that is refused is parked for a growing time
 * and does not stand in the way of later ones. Leaves with 0, or with what failed: then the rest waits for the next session.
 * The link may be left open to an SM-DP+ (S.peer): nothing follows in the session but its end.
 */
import { Feature, Op, Peer, Report } from "../abi";
import { answerIs, askEmpty, askList, askRemove, notificationSeq, Query, RESPONSE_ROOM } from "../es10";
import { writeHandleHead } from "../esipa";
import { clearSegments, setSegment } from "../segments";
import { call, leave, Must, next, Proc } from "../flow";
import { dropDue, isParked, park, unpark, writeParked } from "../journal";
import { plainOp, report } from "../mailbox";
import { writePending } from "../rsp-session";
import { R, S, T, WORK_BODY, WORK_END } from "../memory";
import { Status } from "../status";
import { Tag } from "../tags";
import { child, find, findCut, hash, readHead, size } from "../tlv";

export function notify(at: u32, r: i32): void {
  switch (at) {
    case 0:
      S.cursor = S.peerHash = S.viaEim = 0;
    case 1: // metadata only: 40 octets each instead of 1,300
      if (S.fullList) askList(Query.Notifications, WORK_BODY, WORK_END);
      else askEmpty(Tag.ListNotification, WORK_BODY);
      return call(Proc.Card, 2);
    case 2:
      if (r == Status.CardSw && !S.fullList) {
        S.fullList = 1; // an eUICC without ListNotification
        return next(1);
      }
      if (r < 0) return leave(r);
      S.notification = firstToSend();
      if (!S.notification) {
        S.notifications = 0;
        // what is due and was not found is not on the eUICC any more
        return dropDue() ? writeParked(7) : leave(0);
      }
      S.cursor = S.notification;
      askList(Query.NotificationBySeq, WORK_BODY, WORK_END - RESPONSE_ROOM);
      return call(Proc.Card, 3 | Must);
    case 3:
      return takeNotification() ? send() : next(1);
    case 8: // the link to another receiver is closed
      S.linkOpen = 0;
      return call(Proc.Exchange, 4);
    case 4:
      // an SM-DP+ that fails must not hold up what others wait for
      if (r == Status.HttpRefused || (S.peer && r == Status.HttpServer)) {
        park(S.notification);
        return writeParked(5);
      }
      if (r < 0) {
        if (!S.peer) return leave(r);
        S.viaEim = 1;
        S.cursor--;
        return next(1);
      }
      askRemove(S.notification, WORK_BODY);
      return call(Proc.Card, 6 | Must);
    case 5:
      return report(1, Report.NotificationParked, S.notification);
    case 7:
      return leave(0);
    default:
      if (!unpark(S.notification)) return next(1);
      return writeParked(1);
  }
}

/** Lowest sequence number above S.cursor in the stored list that is not parked, or 0. */
function firstToSend(): u32 {
  let best: u32 = 0;
  const end = R.fill;
  if (!answerIs(S.fullList ? Tag.RetrieveNotificationsList : Tag.ListNotification) || !findCut(T.val, end, Tag.X0)) return 0;
  let p = T.val;
  const listEnd = T.next;
  while (readHead(p, listEnd)) {
    p = T.next;
    if (T.next > listEnd) T.next = listEnd;
    const seqNumber = notificationSeq();
    if (seqNumber > S.cursor && (!best || seqNumber < best) && !isParked(seqNumber)) best = seqNumber;
  }
  return best;
}

/**
 * The request, and its receiver (S.peerHash, 0: the eIM): pendingNotification in JSON, or BF3D{A0{PendingNotification}}, where the value
 * of the eUICC's answer is the value of the request. False when there is no notification.
 */
function takeNotification(): bool {
  const stored = R.fill;
  if (!answerIs(Tag.RetrieveNotificationsList) || !readHead(T.val, stored) || T.tag != Tag.X0 || !T.len) return false;
  const p = T.val, whole = T.at, len = size();
  S.receiver = S.json = 0;
  if (whole + len > stored) {
    clearSegments(2);
    setSegment(1, Query.NotificationBySeq, <u32>(whole - R.answer), len);
    R.fill = WORK_BODY;
  } else {
    if (S.features & Feature.Direct && !S.viaEim && findReceiver(p, whole + len)) {
      S.receiver = hash(S.addressAt, S.addressLen);
      writePending(p, <u32>(whole + len - p));
      return true;
    }
    clearSegments(2);
    setSegment(1, Query.None, <u32>whole, len);
  }
  writeHandleHead();
  S.response = R.fill;
  return true;
}

/** notificationAddress (0C) of the PendingNotification in [p, end) as the address of the next link. */
function findReceiver(p: usize, end: usize): bool {
  if (find(p, end, Tag.ProfileInstallationResult)) {
    p = T.val;
    if (!child(Tag.ProfileInstallationResultData)) return false;
    p = T.val;
    end = T.next;
  } else if (find(p, end, Tag.Sequence)) {
    p = T.val;
    end = T.next;
  }
  if (!find(p, end, Tag.NotificationMetadata) || !child(Tag.Utf8) || T.len - 1 > 254) return false;
  S.addressAt = T.val;
  S.addressLen = T.len;
  return true;
}

/** Over the link that is open, when it leads to the same receiver. */
function send(): void {
  const same = S.receiver == S.peerHash;
  S.peerHash = S.receiver;
  S.peer = S.receiver ? Peer.Smdp : 0;
  if (S.linkOpen && !same) return plainOp(8, Op.LinkClose);
  call(Proc.Exchange, 4);
}
