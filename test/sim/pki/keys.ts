/**
 * Elliptic-curve keys of the simulated peers: ECDSA with SHA-256 on NIST P-256 (FIPS 186-4) and brainpoolP256r1 (RFC 5639),
 * the two curves of SGP.22 v2.5 2.6.7.2. Signatures are raw r||s (BSI TR-03111), as everywhere in SGP.22 and SGP.32.
 * Signing is deterministic (RFC 6979) and by @noble/curves; verifying is by node:crypto, a second implementation and faster.
 * Left out: frpV1, key agreement, certificates (certificate.ts).
 */
import { createPublicKey, verify as opensslVerify, type KeyObject } from "node:crypto";
import { p256 } from "@noble/curves/nist.js";
import { brainpoolP256r1 } from "@noble/curves/misc.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { concat, equal, fromHex, toHex, utf8 } from "../core/bytes.js";
import { SimError } from "../core/errors.js";
import { readAll, readOne, tlv } from "../codec/tlv.js";

export type Curve = "P-256" | "brainpoolP256r1";

export interface KeyPair {
  curve: Curve;
  /** 32 octets, big-endian scalar. */
  privateKey: Uint8Array;
  /** 65 octets: 04 || X || Y. */
  publicKey: Uint8Array;
}

const CURVES = { "P-256": p256, brainpoolP256r1 } as const;

/** AlgorithmIdentifier of SubjectPublicKeyInfo: id-ecPublicKey with the named curve (RFC 5480 2.1.1). */
const ALGORITHM: Readonly<Record<Curve, Uint8Array>> = {
  "P-256": fromHex("30 13 06 07 2A8648CE3D0201 06 08 2A8648CE3D030107"),
  brainpoolP256r1: fromHex("30 14 06 07 2A8648CE3D0201 06 09 2B2403030208010107"),
};

/** The key pair of a private key. Throws RangeError when it is not 32 octets of 1 .. n-1. */
export function keyPair(curve: Curve, privateKey: Uint8Array): KeyPair {
  const ec = CURVES[curve];
  if (!ec.utils.isValidSecretKey(privateKey)) {
    throw new RangeError(`expected a ${curve} private key: 32 octets, 1 to n-1; got ${privateKey.length} octets`);
  }
  return { curve, privateKey: Uint8Array.from(privateKey), publicKey: Uint8Array.from(ec.getPublicKey(privateKey, false)) };
}

/** The same key pair for the same seed, always: for test peers, never for anything real. */
export function keyPairFromSeed(curve: Curve, seed: string): KeyPair {
  for (let round = 0; ; round++) {
    const candidate = sha256(utf8(`tinyipa test key ${round} ${curve} ${seed}`));
    if (CURVES[curve].utils.isValidSecretKey(candidate)) return keyPair(curve, candidate);
  }
}

/** 64 octets r||s over SHA-256 of `message` (ECDSA, nonce by RFC 6979; s is not normalised, as in cards). */
export function sign(key: KeyPair, message: Uint8Array): Uint8Array {
  return Uint8Array.from(CURVES[key.curve].sign(message, key.privateKey, { prehash: true, lowS: false }));
}

/** True when `signature64` (r||s) is the key's over `message`. A key that is no point of the curve verifies nothing. */
export function verify(curve: Curve, publicKey65: Uint8Array, message: Uint8Array, signature64: Uint8Array): boolean {
  if (signature64.length !== 64) return false;
  const key = keyObject(curve, publicKey65);
  return key !== undefined && opensslVerify("sha256", message, { key, dsaEncoding: "ieee-p1363" }, signature64);
}

/** DER SubjectPublicKeyInfo (RFC 5480 2) of an uncompressed point. Throws RangeError when it is not 65 octets 04||X||Y. */
export function spki(curve: Curve, publicKey: Uint8Array): Uint8Array {
  if (publicKey.length !== 65 || publicKey[0] !== 0x04) {
    throw new RangeError(`expected a public key of 65 octets 04||X||Y, got ${publicKey.length} octets ${toHex(publicKey.subarray(0, 4))}…`);
  }
  return tlv(0x30, ALGORITHM[curve], tlv(0x03, [0], publicKey));
}

/** Curve and point of a DER SubjectPublicKeyInfo. Throws SimError "key" for other algorithms, curves or compressed points. */
export function fromSpki(der: Uint8Array): { curve: Curve; publicKey: Uint8Array } {
  const [algorithm, bits] = readAll(readOne(der, 0x30).value);
  const curve = (Object.keys(ALGORITHM) as Curve[]).find((name) => algorithm !== undefined && equal(algorithm.raw, ALGORITHM[name]));
  if (curve === undefined) {
    throw new SimError("key", `expected an EC public key on P-256 or brainpoolP256r1, got algorithm ${algorithm ? toHex(algorithm.raw) : "(none)"}`);
  }
  if (bits === undefined || bits.tag !== 0x03 || bits.value.length !== 66 || bits.value[0] !== 0 || bits.value[1] !== 0x04) {
    throw new SimError("key", `expected an uncompressed point in a BIT STRING of 66 octets, got ${bits ? toHex(bits.raw.subarray(0, 5)) : "nothing"}`);
  }
  return { curve, publicKey: Uint8Array.from(bits.value.subarray(1)) };
}

/** node:crypto's form of a public key; undefined when the point is not on the curve. */
export function keyObject(curve: Curve, publicKey: Uint8Array): KeyObject | undefined {
  const name = curve + toHex(publicKey);
  if (!keyObjects.has(name)) {
    if (keyObjects.size >= CACHE_LIMIT) keyObjects.clear();
    keyObjects.set(name, isPoint(curve, publicKey) ? createPublicKey({ key: Buffer.from(spki(curve, publicKey)), format: "der", type: "spki" }) : undefined);
  }
  return keyObjects.get(name);
}

/** A pure function's memory, not a peer's state: the same few keys verify thousands of times. */
const keyObjects = new Map<string, KeyObject | undefined>();
const CACHE_LIMIT = 256;

function isPoint(curve: Curve, publicKey: Uint8Array): boolean {
  return publicKey.length === 65 && CURVES[curve].utils.isValidPublicKey(publicKey, false);
}

/** Private key of ECPrivateKey (RFC 5915), as PEM and DER key files hold it. Throws TlvError when it is none. */
export function fromEcPrivateKey(curve: Curve, der: Uint8Array): KeyPair {
  const [version, secret] = readAll(readOne(der, 0x30).value);
  if (version?.tag !== 0x02 || secret?.tag !== 0x04) throw new SimError("key", "expected an ECPrivateKey (RFC 5915)");
  return keyPair(curve, concat(new Uint8Array(Math.max(0, 32 - secret.value.length)), secret.value));
}
