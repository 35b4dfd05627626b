/** What the IPA knows of its device: deviceInfo (SGP.22 4.2; coding: types 8.3). */
import { DEVICE_CAPABILITIES, IMEI, S } from "./memory";
import { Tag } from "./tags";
import { lengthSize, write8, writeBytes, writeHead } from "./tlv";

function digit(i: u32): u32 {
  return load<u8>(IMEI + i) & 0xf;
}

/** DeviceInfo under `tag` (A1 in ctxParams1, A9 in IpaEuiccData): 80 tac, A1 deviceCapabilities, [82 imei]. (SGP.22 4.2; coding: types 8.3) */
export function writeDeviceInfo(tag: u32): void {
  const caps = S.deviceCapabilitiesLen;
  const hasImei = S.imeiLen >= 14;
  writeHead(tag, 6 + 1 + lengthSize(caps) + caps + (hasImei ? 10 : 0));
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

