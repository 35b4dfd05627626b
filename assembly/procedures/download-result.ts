/** Outcome of a profile download, told to the eIM (SGP.32 v1.2 3.2.3; procedures 7, 10): also after a power cut, by the journal and the PIR on the eUICC. */
import { StoreKey } from "../abi";
import { answerIs, askList, askRemove, askWith, notificationSeq, Query, RESPONSE_ROOM } from "../es10";
import { writeHandleHead, writeTriggerHead } from "../esipa";
import { call, leave, Must, next, Proc } from "../flow";
import { readDownload, removeDownload } from "../journal";
import { storeRead } from "../mailbox";
import { PAYLOAD, R, RSP_TRANSACTION_ID, S, T, WORK_BODY, WORK_END } from "../memory";
import { clearSegments, setSegment } from "../segments";
import { Status } from "../status";
import { Tag } from "../tags";
import { find, findCut, hash, size } from "../tlv";

/**
 * Tells the eIM the outcome of the download in the journal: its PIR is looked for on the eUICC by the RSP transactionId, and goes as a
 * ProfileDownloadTriggerResult in a HandleNotification, or without an eimTransactionId by itself. Leaves with 0, or what failed.
 */
export function triggerResult(at: u32, r: i32): void {
  switch (at) {
    case 0:
      return storeRead(1, StoreKey.Download, 0);
    case 1:
      readDownload();
      S.cursor = 0;
      S.notification = S.pir;
      if (S.pir) return next(9);
    case 7: // after a power cut: which of the install notifications is it? Metadata first, they are 40 octets each
      store<u32>(PAYLOAD, 0x80070281); // 81 02 07 80
      askWith(Tag.ListNotification, PAYLOAD, 4, WORK_BODY);
      return call(Proc.Card, 8);
    case 8:
      if (r < 0 && r != Status.CardSw) return leave(r);
      S.notification = r < 0 ? 0 : nextListed();
      if (!S.notification) return removeDownload(6);
      S.cursor = S.notification;
    case 9:
      S.notifications = 1;
      askList(Query.NotificationBySeq, WORK_BODY, WORK_END - RESPONSE_ROOM);
      return call(Proc.Card, 3 | Must);
    case 3: {
      const stored = R.fill;
      if (!answerIs(Tag.RetrieveNotificationsList) || !findCut(T.val, stored, Tag.X0) || !T.len) return next(7);
      if (!isPir()) return next(7);
      answerIs(Tag.RetrieveNotificationsList);
      findCut(T.val, stored, Tag.X0);
      // without an eimTransactionId BF3D{A0{BF37}}, and the A0 is here as well
      // (over ESipa; an eIM that relayed no session needs to be told which trigger it was)
      const id = S.transactionIdLen | S.direct;
      const p = id ? T.val : T.at, len = id ? T.len : size();
      clearSegments(2);
      if (p + len > stored) {
        setSegment(1, Query.NotificationBySeq, <u32>(p - R.answer), len);
        R.fill = WORK_BODY;
      } else setSegment(1, Query.None, <u32>p, len);
      if (id) writeTriggerHead();
      else writeHandleHead();
      S.response = R.fill;
      return call(Proc.Exchange, 4);
    }
    case 4:
      if (r == Status.HttpRefused) return removeDownload(6); // the PIR is still delivered as a notification
      if (r < 0) return leave(r);
      if (S.direct && !S.pirConfirmed) return removeDownload(6); // the SM-DP+ still has to get it, with the notifications
      askRemove(S.notification, WORK_BODY);
      return call(Proc.Card, 5 | Must);
    case 5:
      return removeDownload(6);
    default:
      S.downloadHash = S.pir = 0;
      return leave(0);
  }
}

/** Lowest sequence number above S.cursor in the stored answer to ListNotification, or 0. */
function nextListed(): u32 {
  if (!answerIs(Tag.ListNotification) || !findCut(T.val, R.fill, Tag.X0)) return 0;
  let best: u32 = 0;
  let p = T.val;
  const end = T.next;
  while (find(p, end, Tag.NotificationMetadata)) {
    p = T.next;
    const seqNumber = notificationSeq();
    if (seqNumber > S.cursor && (!best || seqNumber < best)) best = seqNumber;
  }
  return best;
}

/** The A0 in T holds the PIR of this RSP transactionId. */
function isPir(): bool {
  const end = T.next;
  if (!findCut(T.val, end, Tag.ProfileInstallationResult) || !findCut(T.val, end, Tag.ProfileInstallationResultData)) return false;
  return find(T.val, T.next, Tag.C0) && hash(T.val, T.len) == hash(RSP_TRANSACTION_ID, S.rspIdLen);
}
