/**
 * BSP blocks (SGP.22 v2.5 2.6.4.3, 2.6.4.4, Annex G.2; sgp32-types 9.1, steps 4 to 8): 87 and 86 are encrypted and MACed, 88 is MACed only.
 * One block counter and one MAC chain run through all of them. The SM-DP+ protects, the eUICC unprotects, each with a channel of its own.
 */
import { createCipheriv, createDecipheriv } from "node:crypto";
import { concat, equal } from "../core/bytes.js";
import { must, readAll, readOne, readTlv, tlv, TlvError } from "../codec/tlv.js";
import { cmac } from "./cmac.js";
import { BppError, ErrorReason } from "./errors.js";
import type { SessionKeys } from "./keys.js";

/** Octets of MAC at the end of a block. */
export const MAC_LENGTH = 8;
/** Octets of the longest block, tag and length included (step 7). */
export const BLOCK_LIMIT = 1020;
/** Octets of plaintext in the longest encrypted block: padding takes at least one. */
export const PLAINTEXT_LIMIT = 1007;
/** Octets of data in the longest block that is only MACed. */
export const CLEAR_LIMIT = 1008;

export type BlockTag = 0x86 | 0x87 | 0x88;

/**
 * One direction of a secure channel. Plain data; the octet strings are replaced, never changed in place, so that a shallow copy is a snapshot.
 */
export interface SecureChannel {
  sEnc: Uint8Array;
  sMac: Uint8Array;
  /** MAC chaining value: the full CMAC of the block before. */
  chain: Uint8Array;
  /** Number of the next block, from 1. */
  counter: number;
}

/** A channel that stands before its first block. */
export function openChannel(keys: SessionKeys): SecureChannel {
  return { sEnc: keys.sEnc, sMac: keys.sMac, chain: keys.chain, counter: 1 };
}

/** One protected block: tag, length, data, 8 octets of MAC. The channel moves on. */
export function protect(channel: SecureChannel, tag: BlockTag, plain: Uint8Array): Uint8Array {
  const data = tag === 0x88 ? plain : encrypt(channel, plain);
  const head = tlv(tag, data, new Uint8Array(MAC_LENGTH)).subarray(0, -MAC_LENGTH);
  const mac = advance(channel, head);
  return concat(head, mac.subarray(0, MAC_LENGTH));
}

export interface UnprotectOptions {
  /** Refuse blocks of more than 1020 octets (default: take them, as one open SM-DP+ makes them). */
  readonly strict?: boolean;
}

/**
 * What one block protects. The channel moves on only when the block is good. Throws BppError: scp03tSecurityError for MAC or padding,
 * scp03tStructureError for anything else.
 */
export function unprotect(channel: SecureChannel, block: Uint8Array, options: UnprotectOptions = {}): Uint8Array {
  const { tag, data } = openBlock(block, options);
  const next = { ...channel };
  const mac = advance(next, block.subarray(0, -MAC_LENGTH));
  if (!equal(mac.subarray(0, MAC_LENGTH), block.subarray(-MAC_LENGTH))) {
    throw new BppError(ErrorReason.Scp03tSecurityError, `block ${channel.counter} (tag ${tag.toString(16)}): the MAC does not verify`);
  }
  const plain = tag === 0x88 ? data.slice() : decrypt(channel, data);
  Object.assign(channel, next);
  return plain;
}

/** Keys of ReplaceSessionKeys (BF26): the channel goes on with them, from block 1. Throws BppError when it is malformed. */
export function replaceSessionKeys(channel: SecureChannel, bf26: Uint8Array): void {
  Object.assign(channel, openChannel(readReplaceSessionKeys(bf26)));
}

/** BF26 of ReplaceSessionKeys: 80 initialMacChainingValue, 81 ppkEnc, 82 ppkCmac. */
export function encodeReplaceSessionKeys(keys: SessionKeys): Uint8Array {
  return tlv(0xbf26, tlv(0x80, keys.chain), tlv(0x81, keys.sEnc), tlv(0x82, keys.sMac));
}

/** Inverse of encodeReplaceSessionKeys. Throws BppError scp03tStructureError. */
export function readReplaceSessionKeys(bf26: Uint8Array): SessionKeys {
  return structure("ReplaceSessionKeys", () => {
    const items = readAll(readOne(bf26, 0xbf26).value);
    const key = (tag: number, what: string): Uint8Array => {
      const { value } = must(items, tag, what);
      if (value.length !== 16) throw new TlvError("tlv", `${what}: 16 octets expected, got ${value.length}`);
      return value.slice();
    };
    return { chain: key(0x80, "initialMacChainingValue"), sEnc: key(0x81, "ppkEnc"), sMac: key(0x82, "ppkCmac") };
  });
}

/** Runs `read`; what does not decode becomes a BppError scp03tStructureError naming `what`. */
export function structure<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof TlvError)) throw cause;
    throw new BppError(ErrorReason.Scp03tStructureError, `${what}: ${cause.message}`);
  }
}

function openBlock(block: Uint8Array, { strict = false }: UnprotectOptions): { tag: BlockTag; data: Uint8Array } {
  const { tag, value } = structure("block", () => {
    const item = readTlv(block);
    if (item.end !== block.length) throw new TlvError("tlv", `${block.length - item.end} octets follow it`);
    return item;
  });
  const fail = (why: string): never => {
    throw new BppError(ErrorReason.Scp03tStructureError, why);
  };
  if (tag !== 0x86 && tag !== 0x87 && tag !== 0x88) return fail(`block: tag 86, 87 or 88 expected, got ${tag.toString(16).toUpperCase()}`);
  if (strict && block.length > BLOCK_LIMIT) return fail(`block: at most ${BLOCK_LIMIT} octets expected, got ${block.length}`);
  const length = value.length - MAC_LENGTH;
  if (length < 0) return fail(`block: 8 octets of MAC expected, got ${value.length}`);
  if (tag !== 0x88 && (length === 0 || length % 16 !== 0)) return fail(`block: whole cipher blocks of 16 octets expected, got ${length} octets`);
  return { tag, data: value.subarray(0, length) };
}

/** MAC of a block up to its MAC; the channel's chain and counter move on. */
function advance(channel: SecureChannel, head: Uint8Array): Uint8Array {
  const mac = cmac(channel.sMac, concat(channel.chain, head));
  channel.chain = mac;
  channel.counter++;
  return mac;
}

function encrypt(channel: SecureChannel, plain: Uint8Array): Uint8Array {
  const padded = new Uint8Array((Math.floor(plain.length / 16) + 1) * 16);
  padded.set(plain);
  padded[plain.length] = 0x80;
  const cipher = createCipheriv("aes-128-cbc", channel.sEnc, icv(channel)).setAutoPadding(false);
  return new Uint8Array(cipher.update(padded));
}

function decrypt(channel: SecureChannel, data: Uint8Array): Uint8Array {
  const padded = new Uint8Array(createDecipheriv("aes-128-cbc", channel.sEnc, icv(channel)).setAutoPadding(false).update(data));
  const end = padded.findLastIndex((octet) => octet !== 0);
  if (padded[end] !== 0x80 || end < padded.length - 16) throw new BppError(ErrorReason.Scp03tSecurityError, `block ${channel.counter}: the padding is not 80 00…`);
  return padded.slice(0, end);
}

/** The counter as 16 octets big-endian, encrypted with S-ENC. */
function icv(channel: SecureChannel): Uint8Array {
  const block = new Uint8Array(16);
  new DataView(block.buffer).setUint32(12, channel.counter);
  return new Uint8Array(createCipheriv("aes-128-ecb", channel.sEnc, null).setAutoPadding(false).update(block));
}
