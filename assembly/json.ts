/**
 * ES9+ in JSON over HTTPS (SGP.22 6.5; transport 6): request bodies as segments, answers read while they come, at any split.
 *
 * The reader knows a few members by the hash of their name and by how deep they stand; all others are passed over. Base64 is decoded
 * into `work`, member behind member, each remembered in a slot; a bound package goes on to the eUICC instead (stream.ts).
 */
import { ACTIVATION_CODE, PAYLOAD, R, RSP_TEXT, RSP_TRANSACTION_ID, S, SLOTS, W } from "./memory";
import { setSegment } from "./segments";
import { write8, writeTo } from "./tlv";

/** Text of request bodies, in one piece; each is (offset, length). */
const TEXT: usize = memory.data<u8>([
  0x7b, 0x22, 0x73, 0x6d, 0x64, 0x70, 0x41, 0x64, 0x64, 0x72, 0x65, 0x73, 0x73, 0x22, 0x3a, 0x22, 0x22, 0x2c, 0x22, 0x65, 0x75, 0x69, 0x63,
  0x63, 0x43, 0x68, 0x61, 0x6c, 0x6c, 0x65, 0x6e, 0x67, 0x65, 0x22, 0x3a, 0x22, 0x22, 0x2c, 0x22, 0x65, 0x75, 0x69, 0x63, 0x63, 0x49, 0x6e,
  0x66, 0x6f, 0x31, 0x22, 0x3a, 0x22, 0x22, 0x7d, 0x7b, 0x22, 0x74, 0x72, 0x61, 0x6e, 0x73, 0x61, 0x63, 0x74, 0x69, 0x6f, 0x6e, 0x49, 0x64,
  0x22, 0x3a, 0x22, 0x22, 0x2c, 0x22, 0x61, 0x75, 0x74, 0x68, 0x65, 0x6e, 0x74, 0x69, 0x63, 0x61, 0x74, 0x65, 0x53, 0x65, 0x72, 0x76, 0x65,
  0x72, 0x52, 0x65, 0x73, 0x70, 0x6f, 0x6e, 0x73, 0x65, 0x22, 0x3a, 0x22, 0x22, 0x2c, 0x22, 0x70, 0x72, 0x65, 0x70, 0x61, 0x72, 0x65, 0x44,
  0x6f, 0x77, 0x6e, 0x6c, 0x6f, 0x61, 0x64, 0x52, 0x65, 0x73, 0x70, 0x6f, 0x6e, 0x73, 0x65, 0x22, 0x3a, 0x22, 0x22, 0x2c, 0x22, 0x63, 0x61,
  0x6e, 0x63, 0x65, 0x6c, 0x53, 0x65, 0x73, 0x73, 0x69, 0x6f, 0x6e, 0x52, 0x65, 0x73, 0x70, 0x6f, 0x6e, 0x73, 0x65, 0x22, 0x3a, 0x22, 0x7b,
  0x22, 0x70, 0x65, 0x6e, 0x64, 0x69, 0x6e, 0x67, 0x4e, 0x6f, 0x74, 0x69, 0x66, 0x69, 0x63, 0x61, 0x74, 0x69, 0x6f, 0x6e, 0x22, 0x3a, 0x22,
]);

export const enum Text {
  Address = 16, // {"smdpAddress":"
  Challenge = 4116, // ","euiccChallenge":"
  Info = 9232, // ","euiccInfo1":"
  End = 13314, // "}
  Transaction = 13842, // {"transactionId":"
  Authenticate = 18464, // ","authenticateServerResponse":"
  Prepare = 26653, // ","prepareDownloadResponse":"
  Cancel = 34075, // ","cancelSessionResponse":"
  Pending = 40984, // {"pendingNotification":"
}

/** FNV-1a of the names of members, as tlv.hash makes it. */
const enum Name {
  TransactionId = 0xbb5125cf,
  Status = 0xba4b77ef,
  ServerSigned1 = 0x47e596dd,
  ServerSignature1 = 0x967944eb,
  EuiccCiPKIdToBeUsed = 0x1a88692d,
  ServerCertificate = 0xd17d41fd,
  ProfileMetadata = 0x64f3183b,
  SmdpSigned2 = 0x58d00109,
  SmdpSignature2 = 0x84d600f1,
  SmdpCertificate = 0x32574f5d,
  BoundProfilePackage = 0xda8ee1ad,
  EventId = 0x8f3712f3,
  RspServerAddress = 0x51bc69bf,
}

/** Slots of decoded members: u32 address, u32 octets (0: not there). */
export const enum Slot {
  Signed,
  Signature,
  KeyId,
  Certificate,
  Metadata,
  Count,
}

const enum State {
  Between,
  String,
  Escape,
  Unicode,
}

/** What becomes of a value's characters. */
const enum Mode {
  Skip,
  Status,
  TransactionId,
  EventId,
  EventAddress,
  Slot,
  Stream,
}

export function slotAt(slot: Slot): u32 {
  return load<u32>(SLOTS + (slot << 3));
}

export function slotLen(slot: Slot): u32 {
  return load<u32>(SLOTS + (slot << 3), 4);
}

/** Puts a data object into a slot. */
export function setSlot(slot: Slot, at: usize, len: u32): void {
  const p = SLOTS + (slot << 3);
  store<u32>(p, <u32>at);
  store<u32>(p, len, 4);
}

/** No slot holds anything. */
export function clearSlots(): void {
  memory.fill(SLOTS, 0, Slot.Count << 3);
}

/** Before an answer: decoded members go to R.fill and on. */
export function beginJson(): void {
  clearSlots();
  S.json = 1;
  S.jsonState = State.Between;
  S.jsonStatus = S.jsonIsKey = S.jsonDepth = S.rspTextLen = 0;
}

/** The function was carried out ("Executed-Success", "Executed-WithWarning"). */
export function isExecuted(): bool {
  return S.jsonStatus == 0x63657845; // "Exec"
}

/** Takes one character; a decoded octet of a bound package, or -1. */
export function feed(c: u32): i32 {
  switch (S.jsonState) {
    case State.Between:
      if (c == 0x22) {
        S.jsonState = State.String;
        S.jsonHash = 0x811c9dc5;
        if (!S.jsonIsKey) beginValue();
      } else if (c == 0x3a) S.jsonIsKey = 0;
      else if (c == 0x2c) S.jsonIsKey = 1;
      else if ((c | 0x20) == 0x7b) {
        // { or [
        S.jsonDepth++;
        S.jsonIsKey = 1;
      } else if ((c | 0x20) == 0x7d) S.jsonDepth--;
      return -1;
    case State.Escape:
      S.jsonState = State.String;
      if (c == 0x75) {
        S.jsonState = State.Unicode;
        S.jsonCount = 4;
        return -1;
      }
      // \" \\ \/ stand for themselves, the others for white space
      return c == 0x22 || c == 0x5c || c == 0x2f ? take(c) : -1;
    case State.Unicode: // no name and no base64 needs one
      if (!--S.jsonCount) S.jsonState = State.String;
      return -1;
    default:
      if (c == 0x5c) S.jsonState = State.Escape;
      else if (c != 0x22) return take(c);
      else {
        S.jsonState = State.Between;
        if (S.jsonIsKey) S.jsonName = S.jsonHash | 1;
      }
      return -1;
  }
}

function beginValue(): void {
  let slot: Slot = Slot.Count;
  S.jsonMode = Mode.Skip;
  S.jsonCount = S.jsonBits = 0;
  if (S.jsonDepth == 3) return beginInner();
  if (S.jsonDepth != 1) return;
  switch (S.jsonName) {
    case Name.TransactionId:
      S.jsonMode = Mode.TransactionId;
      S.rspTextLen = 0;
      break;
    case Name.BoundProfilePackage: S.jsonMode = Mode.Stream; break;
    case Name.ServerSigned1:
    case Name.SmdpSigned2: slot = Slot.Signed; break;
    case Name.ServerSignature1:
    case Name.SmdpSignature2: slot = Slot.Signature; break;
    case Name.EuiccCiPKIdToBeUsed: slot = Slot.KeyId; break;
    case Name.ServerCertificate:
    case Name.SmdpCertificate: slot = Slot.Certificate; break;
    case Name.ProfileMetadata: slot = Slot.Metadata; break;
  }
  if (slot == Slot.Count) return;
  S.jsonMode = Mode.Slot;
  S.jsonSlot = SLOTS + (slot << 3);
  store<u32>(S.jsonSlot, <u32>R.fill);
  store<u32>(S.jsonSlot, 0, 4);
}

/** header.functionExecutionStatus.status, and the first event of an SM-DS: its eventId and address, where the activation code was. */
function beginInner(): void {
  const name = S.jsonName;
  if (name == Name.Status) S.jsonMode = Mode.Status;
  else if (name == Name.EventId && !S.eventIdLen) S.jsonMode = Mode.EventId;
  else if (name == Name.RspServerAddress && !S.eventAddressLen) S.jsonMode = Mode.EventAddress;
}

/** A character inside a string. */
function take(c: u32): i32 {
  if (S.jsonIsKey) {
    S.jsonHash = (S.jsonHash ^ c) * 0x01000193;
    return -1;
  }
  switch (S.jsonMode) {
    case Mode.Status:
      if (S.jsonCount < 4) S.jsonStatus |= c << (S.jsonCount++ << 3);
      return -1;
    case Mode.TransactionId:
      if (S.rspTextLen < 32) store<u8>(RSP_TEXT + S.rspTextLen++, c);
      return -1;
    case Mode.EventId:
      if (S.eventIdLen < 128) store<u8>(ACTIVATION_CODE + 128 + S.eventIdLen++, c);
      return -1;
    case Mode.EventAddress:
      if (S.eventAddressLen < 128) store<u8>(ACTIVATION_CODE + S.eventAddressLen++, c);
      return -1;
    case Mode.Slot: {
      const octet = decode(c);
      if (octet >= 0 && R.fill < S.limit) {
        store<u8>(R.fill++, octet);
        store<u32>(S.jsonSlot, load<u32>(S.jsonSlot, 4) + 1, 4);
      }
      return -1;
    }
    case Mode.Stream:
      return decode(c);
    default:
      return -1;
  }
}

/** Value of a base64 digit; 64 for anything else, which is passed over. */
function digitOf(c: u32): u32 {
  if (c - 0x41 < 26) return c - 0x41;
  if (c - 0x61 < 26) return c - 0x61 + 26;
  if (c - 0x30 < 10) return c - 0x30 + 52;
  return c == 0x2b ? 62 : c == 0x2f ? 63 : 64;
}

/** Takes a base64 character; an octet when one is complete, or -1. */
function decode(c: u32): i32 {
  const digit = digitOf(c);
  if (digit > 63) return -1;
  S.jsonBits = (S.jsonBits << 6) | digit;
  S.jsonCount += 6;
  if (S.jsonCount < 8) return -1;
  S.jsonCount -= 8;
  return (S.jsonBits >> S.jsonCount) & 0xff;
}

/** transactionId of the answer, hexadecimal, as octets at RSP_TRANSACTION_ID: S.rspIdLen. */
export function takeTransactionId(): void {
  S.rspIdLen = S.rspTextLen >> 1;
  for (let i: u32 = 0; i < S.rspIdLen; i++) {
    const p = RSP_TEXT + (i << 1);
    store<u8>(RSP_TRANSACTION_ID + i, (hexOf(load<u8>(p)) << 4) | hexOf(load<u8>(p, 1)));
  }
}

function hexOf(c: u32): u32 {
  return c < 0x40 ? c & 0xf : (c & 0xf) + 9;
}

/* ---- requests ---- */

/** First of the query values that stand for base64 of octets in memory: 0, 1 or 2 pad characters. */
export const BASE64: u32 = 16;

export function setText(i: u32, text: Text): void {
  setSegment(i, 0, <u32>TEXT + (text >> 8), text & 0xff);
}

export function setBase64(i: u32, at: usize, len: u32): void {
  setSegment(i, BASE64 + (3 - (len % 3)) % 3, <u32>at, ((len + 2) / 3) << 2);
}

function letterOf(digit: u32): u32 {
  return digit < 26 ? digit + 0x41 : digit < 52 ? digit + 0x61 - 26 : digit < 62 ? digit + 0x30 - 52 : digit == 62 ? 0x2b : 0x2f;
}

/** Writes `chars` characters (a multiple of 4) of base64 of the octets at `from` to the payload; the last `pad` are '='. */
export function encode(from: usize, chars: u32, pad: u32): void {
  writeTo(PAYLOAD, PAYLOAD + chars);
  for (let i: u32 = 0; i < chars; i += 4) {
    const bits: u32 = ((<u32>load<u8>(from)) << 16) | ((<u32>load<u8>(from, 1)) << 8) | load<u8>(from, 2);
    const last = i + 4 == chars;
    from += 3;
    // beyond the end stands other memory: what is not octets of ours must not be sent
    const keep: u32 = last ? 0xffffff << (pad << 3) : 0xffffff;
    for (let shift = 18; shift >= 0; shift -= 6) write8(letterOf(((bits & keep) >> shift) & 63));
  }
  for (; pad; pad--) store<u8>(W.at - pad, 0x3d);
}
