/**
 * AES-CMAC with a 128-bit key (NIST SP 800-38B, RFC 4493), on OpenSSL's AES-CBC: fast enough for Bound Profile Packages of megabytes.
 */
import { createCipheriv } from "node:crypto";

const ZERO = new Uint8Array(16);

/** 16 octets of CMAC over `message`. key: 16 octets. */
export function cmac(key: Uint8Array, message: Uint8Array): Uint8Array {
  const k1 = double(cbc(key, ZERO));
  const blocks = Math.max(1, Math.ceil(message.length / 16));
  const whole = message.length === blocks * 16;
  const padded = new Uint8Array(blocks * 16);
  padded.set(message);
  if (!whole) padded[message.length] = 0x80;
  const mask = whole ? k1 : double(k1);
  const last = padded.subarray(-16);
  for (let i = 0; i < 16; i++) last[i] = (last[i] as number) ^ (mask[i] as number);
  return cbc(key, padded).slice(-16);
}

/** Multiplication by x in GF(2^128) (RFC 4493 2.3). */
function double(block: Uint8Array): Uint8Array {
  const out = new Uint8Array(16);
  for (let i = 0; i < 16; i++) out[i] = ((block[i] as number) << 1) | ((block[i + 1] ?? 0) >> 7);
  if ((block[0] as number) >= 0x80) out[15] = (out[15] as number) ^ 0x87;
  return out;
}

function cbc(key: Uint8Array, data: Uint8Array): Uint8Array {
  return new Uint8Array(createCipheriv("aes-128-cbc", key, ZERO).setAutoPadding(false).update(data));
}
