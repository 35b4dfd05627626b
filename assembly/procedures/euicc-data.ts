/**
 * IpaEuiccDataRequest (SGP.32 v1.2 2.11.1.2, 3.4; procedures 6): what the eUICC and the device are.
 * Each item is asked from the eUICC once and stays in memory where it came; segments put them in the order of the type.
 * Lists of notifications and EPRs that are too long for memory are read a second time while they are sent.
 *
 *   request -> (emergency?) -> addresses -> EUICCInfo1 -> EUICCInfo2 -> token -> certificates -> EPRs -> notifications -> own items -> result
 */
import { Switch } from "../abi";
import { ask } from "../apdu";
import { answerIs, askEmergency, askList, askWith, emergencyEnabled, Query, RESPONSE_ROOM, wholeAnswerIs } from "../es10";
import { writeDeviceInfo } from "../device-info";
import { writeRefusal } from "../esipa";
import { clearSegments, segmentsSize, setSegment } from "../segments";
import { call, leave, next, Proc } from "../flow";
import {
  CI_PK_ASKED, CI_PK_ID, CRITERION, CRITERION_EPR, CRITERION_SIZE, DEVICE_CAPABILITIES, EIM_ID, IMEI, PAYLOAD, R, S, T, TRANSACTION_ID, W, WORK_BODY, WORK_END,
} from "../memory";
import { Tag } from "../tags";
import {
  child, find, findCut, hash, isOne, isRow, lengthSize, readHead, readTlv, size, uint, write8, writeBytes, writeHead, writeTlv, writeTo, writeUint,
} from "../tlv";

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

/** Queries in the order in which they are made; the lists come last, because they may take all the room that is left. */
const enum Step {
  Emergency = 1,
  Addresses,
  Info1,
  Info2,
  Token,
  KeyId,
  Certificates,
  Eprs,
  Notifications,
}

/** start -> ( query -> what it brings )* -> result */
export function euiccData(at: u32, r: i32): void {
  switch (at) {
    case 0:
      S.resultHash = R.seqNumber = S.wrap = S.step = 0;
      R.fill = WORK_BODY;
      if (!readRequest()) {
        R.errorCode = 1;
        return call(Proc.Refuse, 3);
      }
      if (!S.items) return refuseData(INCORRECT_TAG_LIST);
      clearSegments(FIRST_SEGMENT + Item.Count);
    case 1:
      while (S.step < <u32>Step.Notifications) {
        S.step++;
        if (!query()) continue;
        S.limit = WORK_END - RESPONSE_ROOM;
        return call(Proc.Card, 2);
      }
      return send();
    case 2: {
      const code = r < 0 ? UNDEFINED : take();
      if (code) return refuseData(code);
      return next(1);
    }
    default:
      return leave(r);
  }
}

function wants(item: Item): bool {
  return ((S.items >> item) & 1) != 0;
}

/** The data object in T is the item. */
function setItem(item: Item): void {
  setSegment(FIRST_SEGMENT + item, Query.None, <u32>T.at, size());
}

/** Sets up the query of S.step; false when it is not needed. The answer goes behind what is stored. */
function query(): bool {
  let tag: u32 = 0, len: u32 = 0;
  let p = PAYLOAD;
  switch (S.step) {
    case Step.Emergency:
      if (!S.ecall) return false;
      askEmergency(R.fill);
      return true;
    case Step.Addresses:
      if (!wants(Item.DefaultSmdp) && !wants(Item.RootSmds)) return false;
      tag = Tag.EuiccConfiguredAddresses;
      break;
    case Step.Info1:
      if (!wants(Item.Info1)) return false;
      tag = Tag.EuiccInfo1;
      break;
    case Step.Info2:
      if (!wants(Item.Info2)) return false;
      tag = Tag.EuiccInfo2;
      break;
    case Step.Token:
      return wants(Item.Token) && askToken();
    case Step.KeyId: // a truncated key id is completed from the eUICC's own list
      if (!wantsCertificate() || S.ciPkAskedLen - 1 > 18) return false;
      tag = Tag.EuiccInfo1;
      break;
    case Step.Certificates: // for the key id asked for, else the eIM's own, else none
      if (!wantsCertificate()) return false;
      writeTo(p, p + 32);
      if (S.ciPkAskedLen) writeTlv(Tag.C0, CI_PK_ASKED, S.ciPkAskedLen);
      else if (S.ciPkIdLen) writeTlv(Tag.C0, CI_PK_ID, S.ciPkIdLen);
      len = <u32>(W.at - p);
      tag = Tag.GetCerts;
      break;
    case Step.Eprs:
      if (!wants(Item.Eprs) || R.switches & Switch.NoInfo) return false;
      askList(Query.EprsAsked, R.fill, WORK_END);
      return true;
    default:
      if (!wants(Item.Notifications)) return false;
      askList(Query.NotificationsAsked, R.fill, WORK_END);
      return true;
  }
  askWith(tag, p, len, R.fill);
  return true;
}

function wantsCertificate(): bool {
  return wants(Item.EumCertificate) || wants(Item.EuiccCertificate);
}

/** Takes the answer to the query of S.step; an IpaEuiccData error code when it is unusable. */
function take(): u32 {
  const step = S.step;
  if (step == Step.Eprs) return takeList(Item.Eprs, Tag.X2, Query.EprsAsked) ? 0 : UNDEFINED;
  if (step == Step.Notifications) return takeList(Item.Notifications, Tag.X0, Query.NotificationsAsked) ? 0 : UNDEFINED;
  // any of the others must be there whole, and what was asked for
  readHead(S.command, S.command + S.commandLen);
  const stored = wholeAnswerIs(T.tag);
  if (step == Step.Emergency) {
    const active = emergencyEnabled();
    R.fill = R.answer;
    return active ? ECALL_ACTIVE : 0;
  }
  if (!stored) return UNDEFINED;
  switch (step) {
    case Step.Addresses:
      // retagged in place, from the last to the first: 81 is what 80 becomes
      takeAddress(Tag.C1, Tag.C3, Item.RootSmds);
      takeAddress(Tag.C0, Tag.C1, Item.DefaultSmdp);
      break;
    case Step.Info1:
      setItem(Item.Info1);
      break;
    case Step.Info2:
      setItem(Item.Info2);
      break;
    case Step.Token:
      takeToken();
      break;
    case Step.KeyId:
      R.fill = R.answer;
      return completeKeyId() ? 0 : CI_PK_ID_NOT_FOUND;
    default:
      if (child(Tag.C1)) return uint() == 1 ? CI_PK_ID_NOT_FOUND : UNDEFINED;
      takeCertificate(Tag.X5, Item.EumCertificate);
      takeCertificate(Tag.X6, Item.EuiccCertificate);
  }
  return 0;
}

/** Reads the request; false when it is damaged. S.items stays 0 for a wrong tagList. */
function readRequest(): bool {
  const end = R.packageAt + S.packageLen;
  if (!isOne(R.packageAt, end, Tag.IpaEuiccData)) return false;
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
  const legacy = R.switches & Switch.LegacyTags;
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

/** Makes the child `from` of the stored answer the item, under the tag `to`. */
function takeAddress(from: u32, to: u32, item: Item): void {
  readTlv(R.answer, R.fill);
  if (!wants(item) || !child(from)) return;
  store<u8>(T.at, to);
  setItem(item);
}

/** GetEimConfigurationData of this eIM: BF55{A0{80 eimId}}; longer than the room for commands, so it stands before its answer. */
function askToken(): bool {
  const at = R.fill;
  const inner = 1 + lengthSize(S.eimIdLen) + S.eimIdLen;
  writeTo(at, WORK_END);
  writeHead(Tag.GetEimConfigurationData, 1 + lengthSize(inner) + inner);
  writeHead(Tag.X0, inner);
  writeTlv(Tag.C0, EIM_ID, S.eimIdLen);
  ask(at, <u32>(W.at - at), W.at);
  return true;
}

/** Keeps only the associationToken of the configuration in T. */
function takeToken(): void {
  const to = S.command;
  R.fill = to;
  if (!child(Tag.X0) || !child(Tag.Sequence) || !child(Tag.C4)) return;
  const len = size();
  memory.copy(to, T.at, len);
  T.at = to;
  T.val = to + len - T.len;
  setItem(Item.Token);
  R.fill = to + len;
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

/** A5 or A6 as it is in the stored answer; some answer A1{A6} (types 6). */
function takeCertificate(tag: u32, item: Item): void {
  if (!wants(item)) return;
  readTlv(R.answer, R.fill);
  let p = T.val;
  const end = T.next;
  while (readTlv(p, end)) {
    p = T.next;
    if (child(tag)) return setItem(item);
  }
}

/** Items that the IPA knows itself, and the echo of eimTransactionId. */
function writeOwnItems(): void {
  writeTo(R.fill, WORK_END);
  if (S.transactionIdLen) {
    writeTlv(Tag.C7, TRANSACTION_ID, S.transactionIdLen);
    endItem(Item.TransactionId);
  }
  if (wants(Item.Capabilities)) {
    // ipaFeatures as configured; ipaSupportedProtocols: bits 0 retrieveHttps, 1 retrieveCoaps
    const bits = S.protocols & 3;
    const features = S.features;
    writeHead(Tag.X8, features ? 8 : 7);
    writeHead(Tag.C0, features ? 2 : 1);
    write8(features ? ctz(features) : 0);
    if (features) write8(features);
    writeHead(Tag.C1, 2);
    write8(bits & 2 ? 6 : 7);
    write8(((bits & 1) << 7) | ((bits & 2) << 5));
    endItem(Item.Capabilities);
  }
  if (wants(Item.DeviceInfo) && S.imeiLen >= 8) {
    writeDeviceInfo(Tag.X9);
    endItem(Item.DeviceInfo);
  }
}

/** What was written behind R.fill is the item. */
function endItem(item: Item): void {
  setSegment(FIRST_SEGMENT + item, Query.None, <u32>R.fill, <u32>(W.at - R.fill));
  R.fill = W.at;
}

/** The list under `tag` in the answer becomes the item; empty when there is none. False when the card failed. */
function takeList(item: Item, tag: u32, query: Query): bool {
  const answer = R.answer, stored = R.fill;
  if (!answerIs(Tag.RetrieveNotificationsList)) return false;
  if (T.len && (!readHead(T.val, stored) || T.tag == Tag.C1)) return false;
  if (T.tag != tag) {
    // nothing there, or the number is one of the other kind: an empty list
    writeTo(answer, answer + 2);
    writeHead(tag, 0);
    R.fill = answer;
    endItem(item);
    return true;
  }
  const own = tag == Tag.X2 && R.eims > 1; // of several eIMs' results only this one's
  R.fill = answer;
  if (T.next > stored) {
    if (own) return false; // they can't be told apart while they stream
    setSegment(FIRST_SEGMENT + item, query, <u32>(T.at - answer), size());
    return true;
  }
  if (own) return takeOwnEprs(item);
  setItem(item);
  R.fill = T.next;
  return true;
}

/** Of the EPRs in the A2 in T only those of this eIM. */
function takeOwnEprs(item: Item): bool {
  const list = T.val, end = T.next;
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
  R.fill = list - 1 - lengthSize(sum);
  writeTo(R.fill, list);
  writeHead(Tag.X2, sum);
  W.at = to;
  endItem(item);
  return true;
}

function ownEpr(): bool {
  if (!child(Tag.X0) || !child(Tag.Sequence) || !child(Tag.C0)) return false;
  return hash(T.val, T.len) == S.eimHash;
}

/** BF52{A0{items}}. */
function send(): void {
  writeOwnItems();
  const at = R.fill;
  const inner = segmentsSize(FIRST_SEGMENT);
  writeTo(at, at + 16);
  writeHead(Tag.IpaEuiccData, 1 + lengthSize(inner) + inner);
  writeHead(Tag.X0, inner);
  setSegment(1, Query.None, <u32>at, <u32>(W.at - at));
  R.fill = W.at;
  call(Proc.Result, 99);
}

/** BF52{A1{[80 eimTransactionId], 02 code}}. */
function refuseData(code: u32): void {
  R.fill = WORK_BODY;
  clearSegments(2);
  writeRefusal(Tag.IpaEuiccData, Tag.X1, code);
  call(Proc.Result, 99);
}
