/** Block1 and Block2 values (RFC 7959 2.2): NUM << 4 | M << 3 | SZX. SZX 7 is reserved over datagrams. */
import type { CoapOption } from "./codec.js";
import { uint, uintOf } from "./options.js";

export interface Block {
  readonly num: number;
  readonly more: boolean;
  /** 0 to 6; 7 as received, to be refused. */
  readonly szx: number;
}

/** Octets of a block: 16 to 1024. */
export function blockSize(szx: number): number {
  return 1 << (szx + 4);
}

/** Where a block begins in its body. */
export function blockOffset(block: Block): number {
  return block.num * blockSize(block.szx);
}

/** The block option with this number (Opt.Block1, Opt.Block2). */
export function blockOf(options: readonly CoapOption[], number: number): Block | undefined {
  const value = uintOf(options, number);
  return value === undefined ? undefined : { num: Math.floor(value / 16), more: (value & 8) !== 0, szx: value & 7 };
}

export function blockOption(number: number, { num, more, szx }: Block): CoapOption {
  if (num > 0xfffff) throw new RangeError(`expected a block number of 20 bits, got ${num}`);
  return uint(number, num * 16 + (more ? 8 : 0) + szx);
}

/** "3/1/64" as in RFC 7959: number, more, size. */
export function blockText(block: Block): string {
  return `${block.num}/${block.more ? 1 : 0}/${blockSize(block.szx)}`;
}
