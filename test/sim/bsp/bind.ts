/**
 * Binding a profile to one eUICC, and the way back (SGP.22 v2.5 2.5.3, 2.5.4, 3.1.3; sgp32-types 9.1). The SM-DP+ calls `bindProfile`;
 * `unbindProfile` is all of what an eUICC does with a BPP at once (a card takes it block by block, with channel.ts).
 */
import { concat } from "../core/bytes.js";
import { tlv } from "../codec/tlv.js";
import type { Curve, KeyPair } from "../pki/keys.js";
import {
  CLEAR_LIMIT, encodeReplaceSessionKeys, openChannel, PLAINTEXT_LIMIT, protect, replaceSessionKeys, unprotect,
  type BlockTag, type SecureChannel, type UnprotectOptions,
} from "./channel.js";
import { sessionKeys, type SessionKeys } from "./keys.js";
import { splitBpp, type BppParts } from "./package.js";
import { checkSecureChannelRequest, encodeSecureChannelRequest, readSecureChannelRequest } from "./secure-channel-request.js";

export interface BindOptions {
  /** 32 digits. */
  readonly eid: string;
  readonly transactionId: Uint8Array;
  /** One-time key of the SM-DP+. */
  readonly smdpOt: KeyPair;
  /** otPK.EUICC: 65 octets 04||X||Y. */
  readonly euiccOtpk: Uint8Array;
  /** Key of CERT.DPpb. */
  readonly signer: KeyPair;
  /** Default 01020304. */
  readonly hostId?: Uint8Array;
  /** ConfigureISDP, BF24. Default BF24 00. */
  readonly configureIsdp?: Uint8Array;
  /** StoreMetadata, BF25. */
  readonly metadata: Uint8Array;
  /** The unprotected profile package. */
  readonly profile: Uint8Array;
  /** Profile protection keys: with them the BPP has A2, and 86 is protected by them. */
  readonly ppk?: SessionKeys;
  /** Octets of plaintext in one 86 block. Default 1007; 1008 is seen in the field and makes blocks of 1036. */
  readonly segment?: number;
  /** Number of 87 blocks that ConfigureISDP is cut into. Default 1; more is not valid for real packages, but seen in test suites. */
  readonly configureIsdpBlocks?: number;
}

const HOST_ID = Uint8Array.of(1, 2, 3, 4);

/** The parts of a BPP; `joinBpp` makes BF36 of them. Throws BppError when the eUICC's one-time key is no point of the curve. */
export function bindProfile(options: BindOptions): BppParts {
  const { eid, transactionId, smdpOt, euiccOtpk, signer, hostId = HOST_ID, configureIsdp = tlv(0xbf24), segment = PLAINTEXT_LIMIT } = options;
  const channel = openChannel(sessionKeys({ own: smdpOt, peer: euiccOtpk, hostId, eid }));
  const seal = (tag: BlockTag, pieces: readonly Uint8Array[]): Uint8Array[] => pieces.map((piece) => protect(channel, tag, piece));
  // One after another: the MAC chain runs through them in this order.
  const firstSequenceOf87 = seal(0x87, pieces(configureIsdp, Math.ceil(configureIsdp.length / (options.configureIsdpBlocks ?? 1))));
  const sequenceOf88 = seal(0x88, pieces(options.metadata, CLEAR_LIMIT));
  const secondSequenceOf87 = options.ppk && seal(0x87, [encodeReplaceSessionKeys(options.ppk)]);
  if (options.ppk !== undefined) Object.assign(channel, openChannel(options.ppk));
  return {
    initialiseSecureChannel: encodeSecureChannelRequest({ transactionId, hostId, smdpOtpk: smdpOt.publicKey, euiccOtpk, signer }),
    firstSequenceOf87,
    sequenceOf88,
    ...(secondSequenceOf87 && { secondSequenceOf87 }),
    sequenceOf86: seal(0x86, pieces(options.profile, segment)),
  };
}

export interface UnbindOptions extends UnprotectOptions {
  readonly eid: string;
  readonly transactionId: Uint8Array;
  /** One-time key of the eUICC. */
  readonly euiccOt: KeyPair;
  /** Of CERT.DPpb. */
  readonly curve: Curve;
  readonly publicKey: Uint8Array;
}

export interface Unbound {
  /** BF24. */
  readonly configureIsdp: Uint8Array;
  /** BF25. */
  readonly metadata: Uint8Array;
  /** BF26, when the BPP has A2. */
  readonly replaceSessionKeys?: Uint8Array;
  /** The profile package as it was before. */
  readonly profile: Uint8Array;
}

/** Checks and opens a whole BPP. Throws BppError with the errorReason of the card. */
export function unbindProfile(bpp: Uint8Array, options: UnbindOptions): Unbound {
  const parts = splitBpp(bpp);
  const channel = acceptSecureChannel(parts.initialiseSecureChannel, options);
  const open = (blocks: readonly Uint8Array[]): Uint8Array => concat(...blocks.map((block) => unprotect(channel, block, options)));
  const configureIsdp = open(parts.firstSequenceOf87);
  const metadata = open(parts.sequenceOf88);
  const keys = parts.secondSequenceOf87 && open(parts.secondSequenceOf87);
  if (keys !== undefined) replaceSessionKeys(channel, keys);
  return { configureIsdp, metadata, ...(keys && { replaceSessionKeys: keys }), profile: open(parts.sequenceOf86) };
}

/** What an eUICC does with BF23: checks it, and opens its side of the channel. Throws BppError. */
export function acceptSecureChannel(bf23: Uint8Array, options: UnbindOptions): SecureChannel {
  const request = readSecureChannelRequest(bf23);
  const { transactionId, curve, publicKey, euiccOt, eid } = options;
  checkSecureChannelRequest(request, { transactionId, curve, publicKey, euiccOtpk: euiccOt.publicKey });
  return openChannel(sessionKeys({ own: euiccOt, peer: request.smdpOtpk, hostId: request.hostId, eid }));
}

function pieces(bytes: Uint8Array, size: number): Uint8Array[] {
  if (!(size >= 1)) throw new RangeError(`expected pieces of 1 octet or more, got ${size}`);
  const out: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) out.push(bytes.subarray(at, at + size));
  return out;
}
