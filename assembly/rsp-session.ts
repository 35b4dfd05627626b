/**
 * What is common to the messages of an RSP session (SGP.22 3.0.1, 5.7.13; procedures 8): the members of a server's answer in slots, the checks that
 * the eUICC does not make, and what the IPA adds: EUICCInfo1 for one CI, the CI key id completed, ctxParams1.
 */
import { Switch } from "./abi";
import { encodeOid } from "./activation-code";
import { Query } from "./es10";
import { next } from "./flow";
import { beginJson, clearSlots, setBase64, setSlot, setText, Slot, slotAt, slotLen, Text } from "./json";
import { CI_PK_ID, PAYLOAD, R, RSP_TRANSACTION_ID, S, T, W, WORK_BODY, WORK_END } from "./memory";
import { clearSegments, setSegment } from "./segments";
import { Tag } from "./tags";
import { child, find, hash, isOne, readTlv, size, tlvSize, write8, writeHead, writeTlv, writeTo } from "./tlv";
import { writeDeviceInfo } from "./device-info";

/** An eIM that is bound to one CI sees only that one in EUICCInfo1 (procedures 8.3). */
export function trimInfo(): void {
  if (S.ciPkIdLen != 20 || !child(Tag.C2)) return;
  const svn = load<u32>(T.val);
  writeTo(WORK_BODY, WORK_END);
  writeHead(Tag.EuiccInfo1, 5 + 24 + 24);
  writeHead(Tag.C2, 3);
  write8(svn);
  write8(svn >> 8);
  write8(svn >> 16);
  for (let tag: u32 = 0xa9; tag < 0xab; tag++) {
    writeHead(tag, 22);
    writeTlv(Tag.OctetString, CI_PK_ID, 20);
  }
  R.fill = W.at;
}

/** Slots from the members of an ESipa answer in [p, end); what stands behind the certificate. The transactionId is kept when it is there. */
export function locate(p: usize, end: usize): usize {
  clearSlots();
  S.rspIdLen = 0;
  while (readTlv(p, end)) {
    p = T.next;
    if (T.tag == Tag.C0 && T.len - 1 < 16) {
      S.rspIdLen = T.len;
      memory.copy(RSP_TRANSACTION_ID, T.val, T.len);
    } else if (T.tag == Tag.StoreMetadata) setSlot(Slot.Metadata, T.at, size());
    else if (T.tag == Tag.Signature) setSlot(Slot.Signature, T.at, size());
    else if (T.tag == Tag.OctetString) setSlot(Slot.KeyId, T.at, size());
    else if (T.tag == Tag.Sequence) {
      if (!slotLen(Slot.Signed)) setSlot(Slot.Signed, T.at, size());
      else {
        setSlot(Slot.Certificate, T.at, size());
        if (find(p, end, Tag.OctetString)) setSlot(Slot.KeyId, T.at, size()); // hashCc
        return p;
      }
    }
  }
  return end;
}

/** The slot holds exactly one data object with `tag`; it is then in T. */
export function isSlot(slot: Slot, tag: u32): bool {
  const at = slotAt(slot);
  return isOne(at, at + slotLen(slot), tag);
}

/** What both servers' answers must have. */
export function areWhole(): bool {
  return isSlot(Slot.Certificate, Tag.Sequence) && isSlot(Slot.Signature, Tag.Signature) && isSlot(Slot.Signed, Tag.Sequence);
}

export function fromSlot(i: u32, slot: Slot): void {
  setSegment(i, Query.None, slotAt(slot), slotLen(slot));
}

/** serverSigned1 in [p, end): transactionId, challenge and address are those of this session. */
export function checkServerSigned(p: usize, end: usize): bool {
  if (!find(p, end, Tag.C0) || T.len - 1 > 15) return false;
  if (S.rspIdLen && hash(T.val, T.len) != hash(RSP_TRANSACTION_ID, S.rspIdLen)) return false;
  S.rspIdLen = T.len;
  memory.copy(RSP_TRANSACTION_ID, T.val, T.len);
  if (!find(p, end, Tag.C1) || T.len != 16 || hash(T.val, 16) != hash(S.slices, 16)) return false;
  return !S.addressLen || (find(p, end, Tag.C3) && T.len == S.addressLen && equalFold(T.val, S.addressAt, T.len));
}

/** Equal but for the case of letters. */
export function equalFold(a: usize, b: usize, len: u32): bool {
  for (let i: u32 = 0; i < len; i++) if (fold(load<u8>(a + i)) != fold(load<u8>(b + i))) return false;
  return true;
}

export function fold(c: u32): u32 {
  return c - 0x41 < 26 ? c | 0x20 : c;
}

/** The certificate names the OID of the activation code, when that has one: registeredID (88) in it. (procedures 8.5) */
export function checkOid(p: usize, end: usize): bool {
  if (!S.oidLen || R.switches & Switch.NoOidCheck) return true;
  const len = encodeOid(S.oidAt, S.oidAt + S.oidLen, PAYLOAD, 64);
  if (!len) return false;
  const wanted = hash(PAYLOAD, len);
  for (; p + 2 + len <= end; p++) {
    if (load<u8>(p) == Tag.C8 && load<u8>(p, 1) == len && hash(p + 2, len) == wanted) return true;
  }
  return false;
}

/** euiccCiPKIdToBeUsed as segment 3: a truncated one is completed from the verification list of EUICCInfo1, which still stands at WORK_BODY. */
export function setKeyId(at: usize, len: u32): void {
  const given = len - 2;
  if (given < 20 && readTlv(WORK_BODY, WORK_END) && T.tag == Tag.EuiccInfo1 && child(Tag.X9)) {
    let p = T.val;
    const end = T.next;
    while (find(p, end, Tag.OctetString)) {
      p = T.next;
      if (T.len != 20 || hash(T.val, given) != hash(at + 2, given)) continue;
      at = T.at;
      len = 22;
      break;
    }
  }
  setSegment(3, Query.None, <u32>at, len);
}

/** ctxParams1 A0{80 matchingId, A1 deviceInfo} as segment 5, at R.fill. (types 8.3) */
export function writeContext(): void {
  const at = R.fill;
  // deviceInfo first, for its size
  writeTo(at, at + 480);
  writeDeviceInfo(Tag.X1);
  const device = <u32>(W.at - at);
  const id = tlvSize(Tag.C0, S.matchingIdLen);
  const front = tlvSize(Tag.X0, id + device) - device;
  memory.copy(at + front, at, device);
  writeTo(at, at + front);
  writeHead(Tag.X0, id + device);
  writeTlv(Tag.C0, S.matchingIdAt, S.matchingIdLen);
  R.fill = at + front + device;
  setSegment(5, Query.None, <u32>at, front + device);
}

/** An answer in JSON is expected; it is decoded into `work` as far as there is room. */
export function expectJson(): void {
  S.limit = WORK_END;
  S.eventIdLen = S.eventAddressLen = 0;
  beginJson();
}

/** ES9+.HandleNotification: {"pendingNotification":"base64 of the `len` octets at `p`"}, as segments. (SGP.22 5.6.4) */
export function writePending(p: usize, len: u32): void {
  S.function = 4;
  clearSegments(3);
  setText(0, Text.Pending);
  setBase64(1, p, len);
  setText(2, Text.End);
  expectJson();
}
