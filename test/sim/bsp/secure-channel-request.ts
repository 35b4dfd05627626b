/**
 * InitialiseSecureChannelRequest, BF23 (SGP.22 v2.5 5.5.1; sgp32-types 8.8, 9): who wants to talk, with which one-time key, signed by CERT.DPpb.
 */
import { concat } from "../core/bytes.js";
import { must, readAll, readInteger, readOne, tlv } from "../codec/tlv.js";
import { sign, verify, type Curve, type KeyPair } from "../pki/keys.js";
import { structure } from "./channel.js";
import { BppError, ErrorReason } from "./errors.js";
import { KEY_LENGTH, KEY_TYPE_AES } from "./keys.js";

/** remoteOpId installBoundProfilePackage. */
export const INSTALL_BPP = 1;

export interface SecureChannelRequest {
  readonly remoteOpId: number;
  readonly transactionId: Uint8Array;
  readonly keyType: number;
  readonly keyLength: number;
  readonly hostId: Uint8Array;
  /** 65 octets 04||X||Y. */
  readonly smdpOtpk: Uint8Array;
  /** 64 octets r||s. */
  readonly smdpSign: Uint8Array;
  /** The members before smdpSign, as received: the beginning of what is signed. */
  readonly signedPart: Uint8Array;
}

export interface SecureChannelOptions {
  readonly transactionId: Uint8Array;
  readonly hostId: Uint8Array;
  readonly smdpOtpk: Uint8Array;
  readonly euiccOtpk: Uint8Array;
  /** Key of CERT.DPpb. */
  readonly signer: KeyPair;
}

/** BF23 with smdpSign over 82, 80, A6, 5F49 of the SM-DP+ and 5F49 of the eUICC. */
export function encodeSecureChannelRequest(options: SecureChannelOptions): Uint8Array {
  const crt = tlv(0xa6, tlv(0x80, [KEY_TYPE_AES]), tlv(0x81, [KEY_LENGTH]), tlv(0x84, options.hostId));
  const members = concat(tlv(0x82, [INSTALL_BPP]), tlv(0x80, options.transactionId), crt, tlv(0x5f49, options.smdpOtpk));
  const signature = sign(options.signer, concat(members, tlv(0x5f49, options.euiccOtpk)));
  return tlv(0xbf23, members, tlv(0x5f37, signature));
}

/** Reads BF23. Throws BppError scp03tStructureError. */
export function readSecureChannelRequest(bf23: Uint8Array): SecureChannelRequest {
  return structure("InitialiseSecureChannelRequest", () => {
    const { value } = readOne(bf23, 0xbf23);
    const items = readAll(value);
    const crt = readAll(must(items, 0xa6, "controlRefTemplate").value);
    const signature = must(items, 0x5f37, "smdpSign");
    return {
      remoteOpId: readInteger(must(items, 0x82, "remoteOpId").value),
      transactionId: must(items, 0x80, "transactionId").value,
      keyType: readInteger(must(crt, 0x80, "keyType").value) & 0xff,
      keyLength: readInteger(must(crt, 0x81, "keyLen").value),
      hostId: must(crt, 0x84, "hostId").value,
      smdpOtpk: must(items, 0x5f49, "smdpOtpk").value,
      smdpSign: signature.value,
      signedPart: value.subarray(0, value.length - signature.raw.length),
    };
  });
}

export interface Expected {
  readonly transactionId: Uint8Array;
  readonly euiccOtpk: Uint8Array;
  /** Of CERT.DPpb. */
  readonly curve: Curve;
  readonly publicKey: Uint8Array;
}

/** What the eUICC checks, in its order: signature, transactionId, CRT values, remoteOpId (sgp32-types 9.1, step 1). Throws BppError. */
export function checkSecureChannelRequest(request: SecureChannelRequest, expected: Expected): void {
  const signed = concat(request.signedPart, tlv(0x5f49, expected.euiccOtpk));
  if (!verify(expected.curve, expected.publicKey, signed, request.smdpSign)) throw new BppError(ErrorReason.InvalidSignature, "smdpSign does not verify with CERT.DPpb");
  const hex = (octets: Uint8Array): string => Buffer.from(octets).toString("hex");
  if (hex(request.transactionId) !== hex(expected.transactionId)) {
    throw new BppError(ErrorReason.InvalidTransactionId, `transactionId: ${hex(expected.transactionId)} expected, got ${hex(request.transactionId)}`);
  }
  if (request.keyType !== KEY_TYPE_AES || request.keyLength !== KEY_LENGTH) {
    throw new BppError(ErrorReason.UnsupportedCrtValues, `keyType 88 and keyLen 10 expected, got ${request.keyType.toString(16)} and ${request.keyLength.toString(16)}`);
  }
  if (request.remoteOpId !== INSTALL_BPP) throw new BppError(ErrorReason.UnsupportedRemoteOperationType, `remoteOpId 1 expected, got ${request.remoteOpId}`);
}
