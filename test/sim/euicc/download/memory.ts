/**
 * Memory for downloaded Profiles: what the factory card had free (extCardResource 82, ETSI TS 102 226 8.2.1.7.2) less what they take.
 */
import { concat } from "../../core/bytes.js";
import { find, readAll, tlv, TlvError, type Tlv } from "../../codec/tlv.js";
import type { Context } from "../context.js";

const FREE_NVM = 0x82;

/** Octets; Infinity when extCardResource does not tell. */
export function freeMemory(ctx: Context): number {
  const free = find(members(ctx.config.info.extCardResource), FREE_NVM);
  if (free === undefined) return Infinity;
  const total = free.value.reduce((sum, octet) => sum * 256 + octet, 0);
  return Math.max(0, ctx.state.nonvolatile.profiles.reduce((left, profile) => left - (profile.loaded?.size ?? 0), total));
}

/** Content of EUICCInfo2 84 as it is now. */
export function extCardResource(ctx: Context): Uint8Array {
  const factory = ctx.config.info.extCardResource;
  const items = members(factory);
  if (items.length === 0) return factory;
  return concat(...items.map((item) => (item.tag === FREE_NVM ? tlv(FREE_NVM, octets(freeMemory(ctx), item.value.length)) : item.raw)));
}

/** extCardResource with other free memory, for a factory card. Throws RangeError. */
export function withFreeMemory(resource: Uint8Array, free: number): Uint8Array {
  if (!(free >= 0 && free < 2 ** 32)) throw new RangeError(`expected free memory from 0 to ${2 ** 32 - 1} octets, got ${free}`);
  return concat(...members(resource).map((item) => (item.tag === FREE_NVM ? tlv(FREE_NVM, octets(free, 4)) : item.raw)));
}

/** None where the octets are no data objects: a card may tell anything. */
function members(resource: Uint8Array): Tlv[] {
  try {
    return readAll(resource);
  } catch (error) {
    if (!(error instanceof TlvError)) throw error;
    return [];
  }
}

function octets(value: number, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_none, at) => Math.floor(value / 256 ** (count - 1 - at)) % 256);
}
