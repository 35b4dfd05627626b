/**
 * Notification delivery through the eIM (SGP.32 v1.2 3.7, ESipa.HandleNotification; procedures 16).
 * In the order of their sequence numbers, each removed once the eIM has confirmed it; one that the eIM refuses is parked for a growing time
 * and does not stand in the way of later ones. Leaves with 0, or with what failed: then the rest waits for the next session.
 */
import { Report } from "../abi";
import { answerIs, askEmpty, askList, askRemove, notificationSeq, Query, RESPONSE_ROOM } from "../es10";
import { writeHandleHead } from "../esipa";
import { clearSegments, setSegment } from "../segments";
import { call, leave, Must, next, Proc } from "../flow";
import { dropDue, isParked, park, unpark, writeParked } from "../journal";
import { report } from "../mailbox";
import { R, S, T, WORK_BODY, WORK_END } from "../memory";
import { Status } from "../status";
import { Tag } from "../tags";
import { findCut, readHead, size } from "../tlv";

export function notify(at: u32, r: i32): void {
  switch (at) {
    case 0:
      S.cursor = 0;
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
      if (!takeNotification()) return next(1);
      return call(Proc.Exchange, 4);
    case 4:
      if (r == Status.HttpRefused) {
        park(S.notification);
        return writeParked(5);
      }
      if (r < 0) return leave(r);
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

/** BF3D{A0{PendingNotification}}: the value of the eUICC's answer is the value of the request. False when there is none. */
function takeNotification(): bool {
  const stored = R.fill;
  if (!answerIs(Tag.RetrieveNotificationsList) || !readHead(T.val, stored) || T.tag != Tag.X0 || !T.len) return false;
  const len = size();
  clearSegments(2);
  if (T.at + len > stored) {
    setSegment(1, Query.NotificationBySeq, <u32>(T.at - R.answer), len);
    R.fill = WORK_BODY;
  } else setSegment(1, Query.None, <u32>T.at, len);
  writeHandleHead();
  S.response = R.fill;
  return true;
}
