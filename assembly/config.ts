/** Configuration that Start carries (host/README.md): a row of data objects, all with a default but the entropy. */
import { CONFIRMATION_CODE, DEVICE_CAPABILITIES, IMEI, S, State, T, TERMINAL_CAPABILITY } from "./memory";
import { hash, readTlv, uint } from "./tlv";

function defaults(): void {
  S.pollPeriod = 86400;
  S.backoffBase = 60;
  S.backoffCap = 86400;
  S.watchTime = 300;
  S.refreshGrace = 5000;
  S.bearerWait = 300;
  S.exchangeTimeout = 60000;
  S.blockSize = 255;
  S.protocols = 1;
  S.maxPackages = 50;
  S.features = 0x70; // indirectRspServerCommunication, eimDownloadDataHandling, eimCtxParams1Generation
  // 80AA000008 A906 830107 840101: LPA functions of SGP.22 and the IPAd of SGP.32 (transport 5.2)
  store<u64>(TERMINAL_CAPABILITY, 0x83_06_a9_08_00_00_aa_80);
  store<u64>(TERMINAL_CAPABILITY, 0x00_00_00_01_01_84_07_01, 8);
  S.terminalCapabilityLen = 13;
}

/** Copies the content in T to `to`; its length, or 0 when there is no room. */
function keep(to: usize, size: u32): u32 {
  const len = T.len;
  if (len > size) return 0;
  memory.copy(to, T.val, len);
  return len;
}

/** A number that can't be meant keeps the default: a period of 0 would poll for ever, a huge one would wrap. */
function isUsable(tag: u32, value: u32): bool {
  if (tag == 0x81) return true;
  if (!value) return tag == 0x85 || tag == 0x86 || tag == 0x8b || tag == 0x92;
  return value <= (tag == 0x89 ? 255 : 0x3fffffff);
}

/** Takes the row of data objects in [p, end), which is known to be whole. */
export function configure(p: usize, end: usize): void {
  defaults();
  while (readTlv(p, end)) {
    p = T.next;
    const tag = T.tag;
    let field = tag - 0x81;
    let value = uint();
    if (tag == 0x80) S.chance = hash(T.val, T.len);
    else if (tag == 0x8a) value = keep(TERMINAL_CAPABILITY, 32);
    else if (tag == 0x8c) value = keep(IMEI, 16);
    else if (tag == 0x8d) {
      if (S.imeiLen > 8) continue; // the IMEI says more
      field = 0x8c - 0x81;
      value = keep(IMEI, 8);
    } else if (tag == 0xae) {
      field = 0x8e - 0x81;
      value = keep(DEVICE_CAPABILITIES, 64);
    } else if (tag == 0x93) S.confirmationCodeLen = keep(CONFIRMATION_CODE, 16);
    else if (!isUsable(tag, value)) continue;
    if (tag == 0x92) S.features = value & 0xff;
    if (field <= 0x91 - 0x81) store<u32>(changetype<usize>(S) + offsetof<State>("switches") + (field << 2), value);
  }
}

/** The next chance (xorshift32), for the jitter of timers. */
export function chance(): u32 {
  let x = S.chance;
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  return (S.chance = x);
}

/** `seconds` less or more up to an eighth: devices that start together must not stay together. */
function jitter(seconds: u32): u32 {
  const range = (seconds >> 2) + 1;
  return seconds - (range >> 1) + (chance() % range);
}

/** base * 2^fails with jitter, at most the cap. (procedures 26) */
export function backoff(fails: u32): u32 {
  let wait = S.backoffBase;
  while (fails-- && wait < S.backoffCap) wait <<= 1;
  return jitter(wait < S.backoffCap ? wait : S.backoffCap);
}
