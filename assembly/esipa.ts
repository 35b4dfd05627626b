/** ESipa messages (SGP.32 v1.2 5.14, 6): the bodies that the agent builds itself, and what it reads of the answers. */
import { entryCause } from "./eims";
import { Query } from "./es10";
import { responseEnd } from "./exchange";
import { segmentsSize, setSegment } from "./segments";
import { EID, R, S, T, TRANSACTION_ID, W, WORK, WORK_BODY } from "./memory";
import { Status } from "./status";
import { Tag } from "./tags";
import { isOne, readTlv, tlvSize, uint, write8, writeHead, writeTlv, writeTo, writeUint } from "./tlv";

const EID_SIZE: u32 = 18;

/** Segment 0 is what was written since writeTo(WORK, ...). */
function headSegment(): void {
  setSegment(0, Query.None, <u32>WORK, <u32>(W.at - WORK));
}

/** GetEimPackageRequest as segment 0: BF4F{5A eid, [80 notifyStateChange, 81 stateChangeCause], [82 rPLMN]}. (5.14.5) */
export function writeGetEimPackage(): void {
  const cause = entryCause(R.eim);
  writeTo(WORK, WORK_BODY);
  writeHead(Tag.GetEimPackage, EID_SIZE + (cause ? 5 : 0) + (S.rPlmnLen ? 5 : 0));
  writeTlv(Tag.Eid, EID, 16);
  if (cause) {
    writeHead(Tag.C0, 0);
    writeUint(Tag.C1, cause - 1);
  }
  if (S.rPlmnLen) {
    writeHead(Tag.C2, 3);
    write8(S.rPlmn);
    write8(S.rPlmn >> 8);
    write8(S.rPlmn >> 16);
  }
  headSegment();
}

/** Head of ProvideEimPackageResult as segment 0, for the content in the segments from 1 on: BF50{5A eid, content}, or with S.wrap BF50{5A eid, 30{content}}. (5.14.6) */
export function writeProvideHead(): void {
  const size = segmentsSize(1);
  writeTo(WORK, WORK_BODY);
  writeHead(Tag.ProvideEimPackageResult, EID_SIZE + (S.wrap ? tlvSize(Tag.Sequence, size) : size));
  writeTlv(Tag.Eid, EID, 16);
  if (S.wrap) writeHead(Tag.Sequence, size);
  headSegment();
}

/** Head of HandleNotification as segment 0: BF3D{content}. (5.14.7) */
export function writeHandleHead(): void {
  writeTo(WORK, WORK_BODY);
  writeHead(Tag.HandleNotification, segmentsSize(1));
  headSegment();
}

/** Head of a ProfileDownloadTriggerResult in a HandleNotification as segment 0: BF3D{BF50{5A eid, BF54{[82 eimTransactionId], content}}}. (types 3.4, 4.9) */
export function writeTriggerHead(): void {
  const id = S.transactionIdLen;
  const inner = segmentsSize(1) + (id ? 2 + id : 0);
  const result = EID_SIZE + tlvSize(Tag.ProfileDownloadTrigger, inner);
  writeTo(WORK, WORK_BODY);
  writeHead(Tag.HandleNotification, tlvSize(Tag.ProvideEimPackageResult, result));
  writeHead(Tag.ProvideEimPackageResult, result);
  writeTlv(Tag.Eid, EID, 16);
  writeHead(Tag.ProfileDownloadTrigger, inner);
  if (id) writeTlv(Tag.C2, TRANSACTION_ID, id);
  headSegment();
}

/**
 * A small answer of the IPA's own as segment 1, at R.fill: `outer`{ [txTag eimTransactionId], 02 code }, in a further `around` when that is not 0.
 */
export function writeRefusal(around: u32, outer: u32, code: u32): void {
  const at = R.fill;
  const inner = 3 + (S.transactionIdLen ? 2 + S.transactionIdLen : 0);
  writeTo(at, at + 32);
  if (around) writeHead(around, inner + 2);
  writeHead(outer, inner);
  if (S.transactionIdLen) writeTlv(Tag.C0, TRANSACTION_ID, S.transactionIdLen);
  writeUint(Tag.Integer, code);
  R.fill = W.at;
  setSegment(1, Query.None, <u32>at, <u32>(W.at - at));
}

/** Keeps the eimTransactionId in T, when it has a valid length. */
export function keepTransactionId(): void {
  if (T.len - 1 > 15) return;
  S.transactionIdLen = T.len;
  memory.copy(TRANSACTION_ID, T.val, T.len);
}

/**
 * Reads the answer to ProvideEimPackageResult: S.acknowledgements up to S.acknowledgementsEnd, a row of `80 seqNumber` (perhaps empty).
 * Returns 0, ResultRefused for a provideEimPackageResultError, or BadBody.
 */
export function readAcknowledgements(): i32 {
  const end = responseEnd();
  S.acknowledgements = S.acknowledgementsEnd = end;
  if (!isOne(S.response, end, Tag.ProvideEimPackageResult)) return Status.BadBody;
  if (!T.len) return 0; // v1.0 eIMs (types 3.2)
  const p = T.val;
  if (isOne(p, end, Tag.EimAcknowledgements)) {
    S.acknowledgements = T.val;
    return 0;
  }
  if (isOne(p, end, Tag.Sequence)) return 0;
  return isOne(p, end, Tag.Integer) ? Status.ResultRefused : Status.BadBody;
}

/** Next acknowledged sequence number, or 0 behind the last. */
export function nextAcknowledgement(): u32 {
  while (readTlv(S.acknowledgements, S.acknowledgementsEnd)) {
    S.acknowledgements = T.next;
    if (T.tag == Tag.C0) return uint();
  }
  return 0;
}
