/**
 * IpaEuiccDataRequest (SGP.32 v1.2 2.11.1.2, 3.4; procedures 6): what the eUICC and the device are.
 * Each item is asked from the eUICC once and stays in memory where it came; segments put them in the order of the type.
 * Lists of notifications and EPRs that are too long for memory are read a second time while they are sent.
 *
 *   request -> emergency? -> addresses -> EUICCInfo1 -> EUICCInfo2 -> token -> certificates -> own items -> EPRs -> notifications -> result
 */
import { Switch } from "../abi";
import { answerIs, askEmpty, askList, askWith, Query, RESPONSE_ROOM, wholeAnswerIs } from "../es10";
import { entryHash } from "../eims";
import { writeRefusal } from "../esipa";
import { clearSegments, segmentsSize, setSegment } from "../exchange";
import { call, leave, next, Proc } from "../flow";
import {
  CI_PK_ASKED, CI_PK_ID, COMMAND, CRITERION, CRITERION_EPR, CRITERION_SIZE, DEVICE_CAPABILITIES, EIM_ID, IMEI, PAYLOAD, S, T, TRANSACTION_ID, WORK_BODY,
  WORK_END,
} from "../memory";
import { Status } from "../status";
import { Tag } from "../tags";
import { child, find, findCut, hash, isOne, isRow, lengthSize, readHead, readTlv, size, uint, write8, writeBytes, writeHead, writeTlv, writeTo } from "../tlv";

/** Items in the order of the type; each has a segment, behind the head of the request and the head of the response. */
const enum Item {
  Notifications,
  DefaultSmdp,
  Eprs,
  Info1,
  Info2,
  RootSmds,
  Token,
  EumCertificate,
  EuiccCertificate,
  TransactionId,
  Capabilities,
  DeviceInfo,
  Count,
}

const FIRST_SEGMENT: u32 = 2;
const INCORRECT_TAG_LIST: u32 = 1;
const CI_PK_ID_NOT_FOUND: u32 = 5;
const ECALL_ACTIVE: u32 = 104;
const UNDEFINED: u32 = 127;

export function euiccData(at: u32, r: i32): void {
  switch (at) {
    case 0: {
      S.resultHash = S.seqNumber = S.wrap = 0;
      if (!readRequest()) {
        S.errorCode = 1;
        return call(Proc.Refuse, 99);
      }
      clearSegments(FIRST_SEGMENT + Item.Count);
      S.fill = WORK_BODY;
      if (!S.ecall) return next(2);
      // BF2D{5C 9F70 9F7B}: is a profile with ecallIndication enabled?
      store<u32>(PAYLOAD, 0x709f045c);
      store<u16>(PAYLOAD, 0x7b9f, 4);
      return askMore(1, Tag.ProfileInfoList, PAYLOAD, 6);
    }
    case 1:
      if (r < 0) return refuseData(UNDEFINED);
      if (emergencyEnabled()) return refuseData(ECALL_ACTIVE);
      S.fill = WORK_BODY;
    case 2:
      if (!S.items) return refuseData(INCORRECT_TAG_LIST);
      if (!wants(Item.DefaultSmdp) && !wants(Item.RootSmds)) return next(4);
      return askMore(3, Tag.EuiccConfiguredAddresses, 0, 0);
    case 3:
      if (!isStored(Tag.EuiccConfiguredAddresses)) return refuseData(UNDEFINED);
      // retagged in place, from the last to the first: 81 is what 80 becomes
      takeChild(Tag.EuiccConfiguredAddresses, Tag.C1, Tag.C3, Item.RootSmds);
      takeChild(Tag.EuiccConfiguredAddresses, Tag.C0, Tag.C1, Item.DefaultSmdp);
    case 4:
      if (!wants(Item.Info1)) return next(6);
      return askMore(5, Tag.EuiccInfo1, 0, 0);
    case 5:
      if (!isStored(Tag.EuiccInfo1)) return refuseData(UNDEFINED);
      setItem(Item.Info1, T.at, size());
    case 6:
      if (!wants(Item.Info2)) return next(8);
      return askMore(7, Tag.EuiccInfo2, 0, 0);
    case 7:
      if (!isStored(Tag.EuiccInfo2)) return refuseData(UNDEFINED);
      setItem(Item.Info2, T.at, size());
    case 8:
      if (!wants(Item.Token)) return next(10);
      return askToken();
    case 9:
      if (!isStored(Tag.GetEimConfigurationData)) return refuseData(UNDEFINED);
      takeToken();
    case 10:
      if (!wants(Item.EumCertificate) && !wants(Item.EuiccCertificate)) return next(13);
      // a truncated key id is completed from the eUICC's own list
      if (S.ciPkAskedLen && S.ciPkAskedLen < 20) return askMore(11, Tag.EuiccInfo1, 0, 0);
      return next(12);
    case 11: {
      const from = S.answer;
      if (!isStored(Tag.EuiccInfo1) || !completeKeyId()) return refuseData(CI_PK_ID_NOT_FOUND);
      S.fill = from;
    }
    case 12:
      return askCertificates();
    case 13:
      writeOwnItems();
      if (!wants(Item.Eprs)) return next(16);
      askList(Query.EprsAsked, S.fill, WORK_END - RESPONSE_ROOM);
      return call(Proc.Card, 15);
    case 14: // certificates
      if (!isStored(Tag.GetCerts)) return refuseData(UNDEFINED);
      if (child(Tag.C1)) return refuseData(uint() == 1 ? CI_PK_ID_NOT_FOUND : UNDEFINED);
      takeCertificates();
      return next(13);
    case 15:
      if (!takeList(Item.Eprs, Tag.X2, Query.EprsAsked)) return refuseData(UNDEFINED);
    case 16:
      if (!wants(Item.Notifications)) return next(18);
      askList(Query.NotificationsAsked, S.fill, WORK_END - RESPONSE_ROOM);
      return call(Proc.Card, 17);
    case 17:
      if (!takeList(Item.Notifications, Tag.X0, Query.NotificationsAsked)) return refuseData(UNDEFINED);
    case 18:
      return send();
    default:
      return leave(r);
  }
}

function wants(item: Item): bool {
  return ((S.items >> item) & 1) != 0;
}

function setItem(item: Item, at: usize, len: u32, query: Query = Query.None): void {
  setSegment(FIRST_SEGMENT + item, query, <u32>at, len);
}

/** Asks `tag`{content}; the answer goes behind what is stored already. */
function askMore(at: u32, tag: u32, p: usize, len: u32): void {
  askWith(tag, p, len, S.fill);
  S.limit = WORK_END - RESPONSE_ROOM;
  call(Proc.Card, at);
}

/** The answer came, is `tag`, and all of it is stored; T is then the object. */
function isStored(tag: u32): bool {
  return S.result > 0 && wholeAnswerIs(tag);
}

/** Reads the request; false when it is damaged. S.items stays 0 for a wrong tagList. */
function readRequest(): bool {
  const end = S.packageAt + S.packageLen;
  if (!isOne(S.packageAt, end, Tag.IpaEuiccData)) return false;
  const p = T.val;
  if (!isRow(p, end)) return false;
  S.items = S.criterionLen = S.criterionEprLen = S.ciPkAskedLen = 0;
  if (find(p, end, Tag.OctetString)) {
    if (T.len - 1 > 19) return false;
    S.ciPkAskedLen = T.len;
    memory.copy(CI_PK_ASKED, T.val, T.len);
  }
  if (find(p, end, Tag.X1)) S.criterionLen = keepCriterion(CRITERION, Tag.C1);
  if (find(p, end, Tag.X2)) S.criterionEprLen = keepCriterion(CRITERION_EPR, Tag.C0);
  if (<i32>(S.criterionLen | S.criterionEprLen) < 0) return false;
  if (find(p, end, Tag.TagList) && !readTagList(T.val, T.next)) S.items = 0;
  return true;
}

/** Keeps the criterion in T: one data object with tag 80 up to `most`. Its length, or -1 when it is none. */
function keepCriterion(to: usize, most: u32): u32 {
  const p = T.val, len = T.len;
  if (len > CRITERION_SIZE || !isOne(p, T.next, load<u8>(p)) || T.tag - Tag.C0 > most - Tag.C0 || !T.len) return -1;
  memory.copy(to, p, len);
  return len;
}

function readTagList(p: usize, end: usize): bool {
  const legacy = S.switches & Switch.LegacyTags;
  while (p < end) {
    let tag: u32 = load<u8>(p++);
    if ((tag & 0x1f) == 0x1f) {
      if (p == end) return false;
      tag = (tag << 8) | load<u8>(p++);
    }
    if (legacy) {
      if (tag == Tag.C0) tag = Tag.C1;
      else if (tag == Tag.C8) tag = Tag.X8;
      else if (tag == Tag.RetrieveNotificationsList) tag = Tag.X0;
    }
    const item = itemOf(tag);
    if (item == Item.Count) return false;
    S.items |= 1 << item;
  }
  return true;
}

function itemOf(tag: u32): Item {
  switch (tag) {
    case Tag.X0: return Item.Notifications;
    case Tag.C1: return Item.DefaultSmdp;
    case Tag.X2: return Item.Eprs;
    case Tag.EuiccInfo1: return Item.Info1;
    case Tag.EuiccInfo2: return Item.Info2;
    case Tag.C3: return Item.RootSmds;
    case Tag.C4: return Item.Token;
    case Tag.X5: return Item.EumCertificate;
    case Tag.X6: return Item.EuiccCertificate;
    case Tag.X8: return Item.Capabilities;
    case Tag.X9: return Item.DeviceInfo;
    default: return Item.Count;
  }
}

/** In the list of profiles: one is enabled (9F70 = 1) and has ecallIndication (9F7B) TRUE. */
function emergencyEnabled(): bool {
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

/** Makes the child `from` of the stored answer `outer` the item, under the tag `to`. */
function takeChild(outer: u32, from: u32, to: u32, item: Item): void {
  if (!wants(item) || !wholeAnswerIs(outer) || !child(from)) return;
  store<u8>(T.at, to);
  setItem(item, T.at, size());
}

/** GetEimConfigurationData of this eIM. */
function askToken(): void {
  if (!S.eimIdLen) return next(10);
  // BF55{A0{80 eimId}}: longer than the room for commands, so it stands before its answer
  const at = S.fill;
  const inner = 1 + lengthSize(S.eimIdLen) + S.eimIdLen;
  writeTo(at, WORK_END);
  writeHead(Tag.GetEimConfigurationData, 1 + lengthSize(inner) + inner);
  writeHead(Tag.X0, inner);
  writeTlv(Tag.C0, EIM_ID, S.eimIdLen);
  S.command = at;
  S.commandLen = <u32>(S.write - at);
  S.answer = S.write;
  S.limit = WORK_END - RESPONSE_ROOM;
  S.forward = 0;
  call(Proc.Card, 9);
}

/** Keeps only the associationToken of the configuration in T. */
function takeToken(): void {
  const to = S.command;
  S.fill = to;
  if (!child(Tag.X0) || !child(Tag.Sequence) || !child(Tag.C4)) return;
  const len = size();
  memory.copy(to, T.at, len);
  setItem(Item.Token, to, len);
  S.fill = to + len;
}

/** Completes a truncated key id from euiccCiPKIdListForSigning of the EUICCInfo1 in T. (procedures 6) */
function completeKeyId(): bool {
  if (!child(0xaa)) return false;
  let p = T.val;
  const end = T.next;
  while (find(p, end, Tag.OctetString)) {
    p = T.next;
    if (T.len == 20 && hash(T.val, S.ciPkAskedLen) == hash(CI_PK_ASKED, S.ciPkAskedLen)) {
      memory.copy(CI_PK_ASKED, T.val, (S.ciPkAskedLen = 20));
      return true;
    }
  }
  return false;
}

/** GetCerts for the key id asked for, else the eIM's own, else none. */
function askCertificates(): void {
  const asked = S.ciPkAskedLen;
  const len = asked ? asked : S.ciPkIdLen;
  writeTo(PAYLOAD, PAYLOAD + 32);
  if (len) writeTlv(Tag.C0, asked ? CI_PK_ASKED : CI_PK_ID, len);
  askMore(14, Tag.GetCerts, PAYLOAD, <u32>(S.write - PAYLOAD));
}

/** A5 and A6 as they are in the answer in T; some answer A1{A6} for the second (types 6). */
function takeCertificates(): void {
  takeCertificate(Tag.X5, Item.EumCertificate);
  takeCertificate(Tag.X6, Item.EuiccCertificate);
}

function takeCertificate(tag: u32, item: Item): void {
  if (!wants(item)) return;
  let p = S.answer;
  if (!wholeAnswerIs(Tag.GetCerts)) return;
  p = T.val;
  const end = T.next;
  while (readTlv(p, end)) {
    p = T.next;
    if (child(tag)) return setItem(item, T.at, size());
  }
}

/** Items that the IPA knows itself, and the echo of eimTransactionId. */
function writeOwnItems(): void {
  writeTo(S.fill, WORK_END);
  let at = S.write;
  if (S.transactionIdLen) {
    writeTlv(Tag.C7, TRANSACTION_ID, S.transactionIdLen);
    setItem(Item.TransactionId, at, <u32>(S.write - at));
    at = S.write;
  }
  if (wants(Item.Capabilities)) {
    // ipaFeatures: none of the download functions yet; ipaSupportedProtocols: bits 0 retrieveHttps, 1 retrieveCoaps
    const bits = S.protocols & 3;
    writeHead(Tag.X8, 7);
    writeHead(Tag.C0, 1);
    write8(0);
    writeHead(Tag.C1, 2);
    write8(bits & 2 ? 6 : 7);
    write8(((bits & 1) << 7) | ((bits & 2) << 5));
    setItem(Item.Capabilities, at, <u32>(S.write - at));
    at = S.write;
  }
  if (wants(Item.DeviceInfo) && S.imeiLen >= 8) {
    writeDeviceInfo();
    setItem(Item.DeviceInfo, at, <u32>(S.write - at));
  }
  S.fill = S.write;
}

function digit(i: u32): u32 {
  return load<u8>(IMEI + i) & 0xf;
}

/** DeviceInfo under A9: 80 tac, A1 deviceCapabilities, [82 imei]. (SGP.22 4.2; coding: types 8.3) */
function writeDeviceInfo(): void {
  const caps = S.deviceCapabilitiesLen;
  const hasImei = S.imeiLen >= 14;
  writeHead(Tag.X9, 6 + 1 + lengthSize(caps) + caps + (hasImei ? 10 : 0));
  writeHead(Tag.C0, 4);
  writeDigits(4);
  writeHead(Tag.X1, caps);
  writeBytes(DEVICE_CAPABILITIES, caps);
  if (!hasImei) return;
  writeHead(Tag.C2, 8);
  writeDigits(7);
  write8((checkDigit() << 4) | 0xf);
}

/** `count` octets TBCD: the first digit in the low nibble. */
function writeDigits(count: u32): void {
  for (let i: u32 = 0; i < count; i++) write8((digit(2 * i + 1) << 4) | digit(2 * i));
}

/** The 15th digit as it was given, else the Luhn digit of the 14 (an IMEISV has another meaning there). */
function checkDigit(): u32 {
  if (S.imeiLen == 15) return digit(14);
  let sum: u32 = 0;
  for (let i: u32 = 0; i < 14; i++) {
    const d = digit(i) << (i & 1);
    sum += d > 9 ? d - 9 : d;
  }
  return (100000 - sum) % 10;
}

/** The list under `tag` in the answer becomes the item; empty when there is none. False when the card failed. */
function takeList(item: Item, tag: u32, query: Query): bool {
  if (S.result < 0 || !answerIs(Tag.RetrieveNotificationsList)) return false;
  const stored = S.fill, end = T.next;
  if (T.len && readHead(T.val, stored) && T.tag == Tag.C1) return false;
  if (!T.len || T.tag != tag) {
    // nothing there, or the number is one of the other kind: an empty list
    store<u8>(S.answer, tag);
    store<u8>(S.answer, 0, 1);
    setItem(item, S.answer, 2);
    S.fill = S.answer + 2;
    return true;
  }
  const at = T.at, len = size();
  if (at + len > stored) {
    if (tag == Tag.X2 && S.eims > 1) return false; // other eIMs' results can't be told apart while they stream
    setItem(item, at - S.answer, len, query);
    S.fill = S.answer;
  } else if (tag == Tag.X2 && S.eims > 1) takeOwnEprs(item, end);
  else {
    setItem(item, at, len);
    S.fill = at + len;
  }
  return true;
}

/** Of the EPRs in the A2 in T only those of this eIM. */
function takeOwnEprs(item: Item, end: usize): void {
  const list = T.val;
  let p = list, to = list;
  while (readTlv(p, end)) {
    const at = p, len = size();
    p = T.next;
    if (ownEpr()) {
      memory.copy(to, at, len);
      to += len;
    }
  }
  const sum = <u32>(to - list);
  const at = list - 1 - lengthSize(sum);
  writeTo(at, list);
  writeHead(Tag.X2, sum);
  setItem(item, at, <u32>(to - at));
  S.fill = to;
}

function ownEpr(): bool {
  if (!child(Tag.X0) || !child(Tag.Sequence) || !child(Tag.C0)) return false;
  return hash(T.val, T.len) == S.eimHash;
}

/** BF52{A0{items}}. */
function send(): void {
  const at = S.fill;
  const inner = segmentsSize(FIRST_SEGMENT);
  writeTo(at, at + 16);
  writeHead(Tag.IpaEuiccData, 1 + lengthSize(inner) + inner);
  writeHead(Tag.X0, inner);
  setSegment(1, Query.None, <u32>at, <u32>(S.write - at));
  S.fill = S.write;
  call(Proc.Result, 99);
}

/** BF52{A1{[80 eimTransactionId], 02 code}}. */
function refuseData(code: u32): void {
  S.fill = WORK_BODY;
  clearSegments(2);
  writeRefusal(Tag.IpaEuiccData, Tag.X1, code);
  call(Proc.Result, 99);
}
