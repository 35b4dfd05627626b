/**
 * Keys and record protection of DTLS 1.2: PRF with SHA-256 (RFC 5246 5), master secrets (RFC 5246 8.1, RFC 7627 4), premaster of PSK (RFC 4279 2)
 * and ECDHE, AES-128 in CCM, CCM_8 (RFC 6655) and GCM (RFC 5288). By node:crypto.
 */
import { createCipheriv, createDecipheriv, createECDH, createHash, createHmac, X509Certificate, verify as verifySignature, type CipherCCMTypes, type CipherGCMTypes } from "node:crypto";
import { concat, utf8 } from "../core/bytes.js";
import { tlv } from "../codec/tlv.js";
import { sign, type KeyPair } from "../pki/keys.js";
import { Alert, type Suite } from "./constants.js";
import { DtlsAlertError, uint } from "./wire.js";

/** One direction's keys. */
export interface Keys {
  readonly key: Uint8Array;
  /** The implicit 4 octets of the nonce. */
  readonly iv: Uint8Array;
}

export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

export function hmac(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  const mac = createHmac("sha256", key);
  for (const part of parts) mac.update(part);
  return new Uint8Array(mac.digest());
}

/** RFC 5246 5: P_SHA256(secret, label + seed). */
export function prf(secret: Uint8Array, label: string, seed: Uint8Array, length: number): Uint8Array {
  const labelled = concat(utf8(label), seed);
  const parts: Uint8Array[] = [];
  for (let a = labelled, got = 0; got < length; got += 32) {
    a = hmac(secret, a);
    parts.push(hmac(secret, a, labelled));
  }
  return concat(...parts).slice(0, length);
}

/** RFC 4279 2: as many zero octets as the PSK has, and the PSK, each with its length. */
export function pskPremaster(psk: Uint8Array): Uint8Array {
  return concat(uint(2, psk.length), new Uint8Array(psk.length), uint(2, psk.length), psk);
}

export function masterSecret(premaster: Uint8Array, clientRandom: Uint8Array, serverRandom: Uint8Array): Uint8Array {
  return prf(premaster, "master secret", concat(clientRandom, serverRandom), 48);
}

/** RFC 7627 4. sessionHash: SHA-256 over all handshake messages up to and with ClientKeyExchange. */
export function extendedMasterSecret(premaster: Uint8Array, sessionHash: Uint8Array): Uint8Array {
  return prf(premaster, "extended master secret", sessionHash, 48);
}

/** RFC 5246 6.3 for AEAD ciphers: two keys of 16 octets, two IVs of 4. */
export function keyBlock(master: Uint8Array, clientRandom: Uint8Array, serverRandom: Uint8Array): { client: Keys; server: Keys } {
  const block = prf(master, "key expansion", concat(serverRandom, clientRandom), 40);
  return { client: { key: block.slice(0, 16), iv: block.slice(32, 36) }, server: { key: block.slice(16, 32), iv: block.slice(36, 40) } };
}

/** Ciphertext and tag. nonce8: the explicit half of the nonce. */
export function seal(suite: Suite, keys: Keys, nonce8: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array {
  const nonce = concat(keys.iv, nonce8);
  const cipher = suite.cipher === "aes-128-ccm"
    ? createCipheriv(suite.cipher as CipherCCMTypes, keys.key, nonce, { authTagLength: suite.tagLength })
    : createCipheriv(suite.cipher as CipherGCMTypes, keys.key, nonce, { authTagLength: suite.tagLength });
  cipher.setAAD(aad, { plaintextLength: plaintext.length });
  const body = cipher.update(plaintext);
  return concat(body, cipher.final(), cipher.getAuthTag());
}

/** The plaintext; undefined when the tag does not match. */
export function open(suite: Suite, keys: Keys, nonce8: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
  const length = sealed.length - suite.tagLength;
  if (length < 0) return undefined;
  const nonce = concat(keys.iv, nonce8);
  const decipher = suite.cipher === "aes-128-ccm"
    ? createDecipheriv(suite.cipher as CipherCCMTypes, keys.key, nonce, { authTagLength: suite.tagLength })
    : createDecipheriv(suite.cipher as CipherGCMTypes, keys.key, nonce, { authTagLength: suite.tagLength });
  decipher.setAuthTag(sealed.subarray(length));
  decipher.setAAD(aad, { plaintextLength: length });
  try {
    return concat(decipher.update(sealed.subarray(0, length)), decipher.final());
  } catch {
    // node:crypto says by an exception that the tag does not match.
    return undefined;
  }
}

/** Our point of an ECDHE exchange on secp256r1, uncompressed. privateKey: 32 octets. */
export function ecdhPoint(privateKey: Uint8Array): Uint8Array {
  const ecdh = createECDH("prime256v1");
  ecdh.setPrivateKey(privateKey);
  return new Uint8Array(ecdh.getPublicKey());
}

/** The shared secret. Throws illegal_parameter when the peer's point is none of the curve. */
export function ecdhSecret(privateKey: Uint8Array, point: Uint8Array): Uint8Array {
  const ecdh = createECDH("prime256v1");
  ecdh.setPrivateKey(privateKey);
  if (point.length !== 65 || point[0] !== 4) throw new DtlsAlertError(Alert.IllegalParameter, `an uncompressed point of 65 octets expected, got ${point.length}`);
  try {
    return new Uint8Array(ecdh.computeSecret(point));
  } catch {
    throw new DtlsAlertError(Alert.IllegalParameter, "a point of secp256r1 expected, got one that is not on the curve");
  }
}

/** ecdsa_secp256r1_sha256 over `message`: Ecdsa-Sig-Value, DER. */
export function signEcdsa(key: KeyPair, message: Uint8Array): Uint8Array {
  const raw = sign(key, message);
  return tlv(0x30, tlv(0x02, integer(raw.subarray(0, 32))), tlv(0x02, integer(raw.subarray(32))));
}

function integer(value: Uint8Array): Uint8Array {
  let start = 0;
  while (start < value.length - 1 && value[start] === 0) start++;
  const rest = value.subarray(start);
  return (rest[0] as number) >= 0x80 ? Uint8Array.of(0, ...rest) : rest;
}

/** Why a signature does not hold, in words; undefined when it does. certificate: DER. */
export function signatureProblem(certificate: Uint8Array, message: Uint8Array, signature: Uint8Array): string | undefined {
  const { publicKey } = new X509Certificate(certificate);
  if (publicKey.asymmetricKeyType !== "ec") return `a certificate with an EC key expected, got ${publicKey.asymmetricKeyType ?? "none"}`;
  const curve = publicKey.asymmetricKeyDetails?.namedCurve;
  if (curve !== "prime256v1") return `a certificate with a key on P-256 expected, got ${curve ?? "another curve"}`;
  return verifySignature("sha256", message, publicKey, signature) ? undefined : "the signature does not hold";
}
