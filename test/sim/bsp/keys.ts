/**
 * Session keys of a Bound Profile Package (SGP.22 v2.5 2.6.4.1, 2.5.4.2 and Annex G; sgp32-types 9.1, steps 1 to 3): key agreement on the
 * two one-time keys, X9.63 key derivation with SHA-256. Both curves of SGP.22. Left out: frpV1.
 */
import { createECDH, createHash } from "node:crypto";
import { concat, fromHex, toHex } from "../core/bytes.js";
import type { Curve, KeyPair } from "../pki/keys.js";
import { BppError, ErrorReason } from "./errors.js";

/** Control reference template values that everybody uses: AES, 16 octets. */
export const KEY_TYPE_AES = 0x88;
export const KEY_LENGTH = 0x10;

/** What one secure channel starts with: 16 octets each. */
export interface SessionKeys {
  readonly sEnc: Uint8Array;
  readonly sMac: Uint8Array;
  /** Initial MAC chaining value. */
  readonly chain: Uint8Array;
}

export interface Agreement {
  /** Our own one-time key. */
  readonly own: KeyPair;
  /** The other side's one-time public key: 65 octets 04||X||Y. */
  readonly peer: Uint8Array;
  /** Content of A6 84 in BF23: 0 to 16 octets. */
  readonly hostId: Uint8Array;
  /** 32 digits. */
  readonly eid: string;
}

const OPENSSL_NAME: Readonly<Record<Curve, string>> = { "P-256": "prime256v1", brainpoolP256r1: "brainpoolP256r1" };

/** Z: the x coordinate of the shared point, 32 octets. Throws BppError invalidSignature when `peer` is no point of the curve. */
export function sharedSecret(own: KeyPair, peer: Uint8Array): Uint8Array {
  const ecdh = createECDH(OPENSSL_NAME[own.curve]);
  ecdh.setPrivateKey(own.privateKey);
  try {
    return new Uint8Array(ecdh.computeSecret(peer));
  } catch (cause) {
    throw new BppError(ErrorReason.InvalidSignature, `one-time key: a point of ${own.curve} expected, got ${toHex(peer.subarray(0, 8))}… (${peer.length} octets): ${(cause as Error).message}`);
  }
}

/** SharedInfo: keyType || keyLen || hostId with its length || EID with its length. */
export function sharedInfo(hostId: Uint8Array, eid: string, keyType = KEY_TYPE_AES, keyLength = KEY_LENGTH): Uint8Array {
  if (!/^[0-9]{32}$/.test(eid)) throw new RangeError(`expected an EID of 32 digits, got "${eid}"`);
  const digits = fromHex(eid);
  return concat(Uint8Array.of(keyType, keyLength, hostId.length), hostId, Uint8Array.of(digits.length), digits);
}

/** X9.63 key derivation with SHA-256: `length` octets. */
export function x963Kdf(secret: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  const out = new Uint8Array(Math.ceil(length / 32) * 32);
  for (let at = 0, counter = 1; at < length; at += 32, counter++) {
    const number = Uint8Array.of(counter >>> 24, counter >>> 16, counter >>> 8, counter);
    out.set(createHash("sha256").update(secret).update(number).update(info).digest(), at);
  }
  return out.slice(0, length);
}

/** The session keys that both sides come to. Throws BppError when the peer's key is no point of our curve. */
export function sessionKeys({ own, peer, hostId, eid }: Agreement): SessionKeys {
  const block = x963Kdf(sharedSecret(own, peer), sharedInfo(hostId, eid), 48);
  return { chain: block.slice(0, 16), sEnc: block.slice(16, 32), sMac: block.slice(32, 48) };
}
