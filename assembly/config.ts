/** Configuration that Start carries (host/README.md): a row of data objects, all with a default but the entropy. */
import { DEVICE_CAPABILITIES, IMEI, S, T, TERMINAL_CAPABILITY } from "./memory";
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

function takeNumber(tag: u32, value: u32): void {
  switch (tag) {
    case 0x81: S.switches = value; break;
    case 0x82: S.pollPeriod = value; break;
    case 0x83: S.backoffBase = value; break;
    case 0x84: S.backoffCap = value; break;
    case 0x85: S.watchTime = value; break;
    case 0x86: S.refreshGrace = value; break;
    case 0x87: S.bearerWait = value; break;
    case 0x88: S.exchangeTimeout = value; break;
    case 0x89: if (value - 1 < 255) S.blockSize = value; break;
    case 0x8b: S.protocols = value; break;
    case 0x91: S.maxPackages = value; break;
  }
}

/** Takes the row of data objects in [p, end), which is known to be whole. */
export function configure(p: usize, end: usize): void {
  defaults();
  while (readTlv(p, end)) {
    p = T.next;
    switch (T.tag) {
      case 0x80: S.chance = hash(T.val, T.len); break;
      case 0x8a: S.terminalCapabilityLen = keep(TERMINAL_CAPABILITY, 32); break;
      case 0x8c:
      case 0x8d: S.imeiLen = keep(IMEI, 16); break;
      case 0xae: S.deviceCapabilitiesLen = keep(DEVICE_CAPABILITIES, 64); break;
      default: takeNumber(T.tag, uint());
    }
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
export function jitter(seconds: u32): u32 {
  const range = (seconds >> 2) + 1;
  return seconds - (range >> 1) + (chance() % range);
}
