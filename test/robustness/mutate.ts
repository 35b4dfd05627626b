/**
 * Seeded damage to messages: as BER-TLV where they are such (delete, empty, double, swap, retag, lie about lengths), as JSON (mutate-json.ts), as octets else.
 * The lengths around a change are made right or left wrong, by chance.
 */
import { concat } from "../sim/core/bytes.js";
import type { Rng } from "../sim/core/rng.js";
import { mutateJson } from "./mutate-json.js";

interface Node {
  tag: Uint8Array;
  value: Uint8Array;
  children: Node[] | undefined;
  /** Length octets to write instead of the right ones. */
  length: Uint8Array | undefined;
}

const TAGS = [0x02, 0x04, 0x05, 0x30, 0x5a, 0x5c, 0x80, 0x81, 0x82, 0x83, 0xa0, 0xa1, 0xa2, 0xbf20, 0xbf22, 0xbf28, 0xbf2b, 0xbf2f, 0xbf37, 0xbf50, 0xbf51, 0xbf52, 0xbf53, 0xbf54, 0xbf55, 0x5f37, 0x9f70, 0xe3];
const LIES = ["80", "81FF", "8200FF", "82FFFF", "83FFFFFF", "84FFFFFFFF", "8480000000", "84000000FF", "85", "FF", "7F", "00"];
const NUMBERS = ["", "00", "7F", "80", "FF", "00FF", "7FFFFF", "FFFFFFFF", "00FFFFFFFF", "7FFFFFFF", "80000000", "0102030405060708", "00000000000000000001"];
const DEEPEST = 8;
const BRACE = 0x7b;

/** One to three changes of `bytes`; `others` may stand in for it. */
export function mutate(rng: Rng, bytes: Uint8Array, others: readonly Uint8Array[]): Uint8Array {
  let out = bytes;
  for (let changes = 1 + rng.int(3); changes > 0; changes--) out = once(rng, out, others);
  return out;
}

function once(rng: Rng, bytes: Uint8Array, others: readonly Uint8Array[]): Uint8Array {
  const json = bytes[0] === BRACE && rng.int(8) > 0 ? mutateJson(rng, bytes, (der) => once(rng, der, others)) : undefined;
  if (json !== undefined) return json;
  const tree = rng.int(4) > 0 ? parse(bytes, 0) : undefined;
  if (tree !== undefined && tree.length > 0) {
    structural(rng, tree, others);
    return serialise(tree);
  }
  switch (rng.int(8)) {
    case 0:
      return bytes.slice(0, rng.int(bytes.length + 1));
    case 1:
      return flip(rng, bytes, 1);
    case 2:
      return flip(rng, bytes, 1 + rng.int(16));
    case 3:
      return rng.bytes(rng.int(rng.int(8) === 0 ? 6000 : 300));
    case 4:
      return splice(rng, bytes, rng.bytes(1 + rng.int(4)), 0);
    case 5:
      return splice(rng, bytes, new Uint8Array(0), 1 + rng.int(4));
    case 6:
      return others.length === 0 ? new Uint8Array(0) : rng.pick(others);
    default:
      return concat(bytes, rng.int(2) === 0 ? bytes : rng.bytes(1 + rng.int(2000)));
  }
}

export function flip(rng: Rng, bytes: Uint8Array, count: number): Uint8Array {
  const out = bytes.slice();
  for (let i = 0; i < count && out.length > 0; i++) {
    const at = rng.int(out.length);
    out[at] = (out[at] as number) ^ (1 << rng.int(8));
  }
  return out;
}

function splice(rng: Rng, bytes: Uint8Array, put: Uint8Array, take: number): Uint8Array {
  const at = rng.int(bytes.length + 1);
  return concat(bytes.subarray(0, at), put, bytes.subarray(Math.min(bytes.length, at + take)));
}

function structural(rng: Rng, tree: Node[], others: readonly Uint8Array[]): void {
  const places = flatten(tree);
  const { list, index } = rng.pick(places);
  const node = list[index] as Node;
  switch (rng.int(14)) {
    case 0:
      list.splice(index, 1);
      return;
    case 1:
      Object.assign(node, { value: new Uint8Array(0), children: undefined });
      return;
    case 2:
      for (let copies = rng.int(16) === 0 ? 200 : 1; copies > 0; copies--) list.splice(index, 0, node);
      return;
    case 3:
      list.splice(rng.int(list.length), 0, ...list.splice(index, 1));
      return;
    case 4:
      node.tag = tagBytes(rng.pick(TAGS));
      return;
    case 5:
      node.tag = flip(rng, node.tag, 1);
      return;
    case 6:
      node.length = lengthOf(contentOf(node).length + (rng.int(2) === 0 ? 1 : -1));
      return;
    case 7:
      node.length = hex(rng.pick(LIES));
      return;
    case 8:
      node.length = padded(contentOf(node).length, 1 + rng.int(4));
      return;
    case 9:
      Object.assign(node, { value: hex(rng.pick(NUMBERS)), children: undefined });
      return;
    case 10:
      Object.assign(node, { value: concat(contentOf(node), rng.bytes(rng.int(8) === 0 ? 5000 : 1 + rng.int(40))), children: undefined });
      return;
    case 11:
      Object.assign(node, { value: flip(rng, contentOf(node), 1 + rng.int(3)), children: undefined });
      return;
    case 12:
      list.splice(index, 0, { tag: tagBytes(rng.pick(TAGS)), value: rng.bytes(rng.int(24)), children: undefined, length: undefined });
      return;
    default:
      if (others.length > 0) Object.assign(node, { value: rng.pick(others), children: undefined });
  }
}

function flatten(list: Node[]): { list: Node[]; index: number }[] {
  return list.flatMap((node, index) => [{ list, index }, ...(node.children === undefined ? [] : flatten(node.children))]);
}

/** The row of data objects that `bytes` is, or undefined. */
function parse(bytes: Uint8Array, depth: number): Node[] | undefined {
  const out: Node[] = [];
  for (let at = 0; at < bytes.length; ) {
    const start = at;
    if (((bytes[at++] as number) & 0x1f) === 0x1f) while (at < bytes.length && ((bytes[at++] as number) & 0x80) !== 0);
    const tag = bytes.slice(start, at);
    let length = bytes[at++] ?? 0x80;
    if (length === 0x80 || length > 0x83) return undefined;
    if (length > 0x80) {
      const octets = bytes.subarray(at, (at += length & 0x7f));
      length = octets.reduce((sum, octet) => sum * 256 + octet, 0);
    }
    if (at + length > bytes.length) return undefined;
    const value = bytes.slice(at, (at += length));
    out.push({ tag, value, children: ((tag[0] as number) & 0x20) !== 0 && depth < DEEPEST ? parse(value, depth + 1) : undefined, length: undefined });
  }
  return out;
}

function contentOf(node: Node): Uint8Array {
  return node.children === undefined ? node.value : serialise(node.children);
}

function serialise(nodes: readonly Node[]): Uint8Array {
  return concat(...nodes.map((node) => {
    const content = contentOf(node);
    return concat(node.tag, node.length ?? lengthOf(content.length), content);
  }));
}

function lengthOf(length: number): Uint8Array {
  const n = Math.max(0, length);
  if (n < 0x80) return Uint8Array.of(n);
  return n < 0x100 ? Uint8Array.of(0x81, n) : n < 0x1_0000 ? Uint8Array.of(0x82, n >> 8, n & 0xff) : Uint8Array.of(0x83, n >> 16, (n >> 8) & 0xff, n & 0xff);
}

/** The right length in `octets` octets behind the first one. */
function padded(length: number, octets: number): Uint8Array {
  const out = new Uint8Array(1 + octets);
  out[0] = 0x80 | octets;
  for (let i = octets, rest = length; i > 0; i--, rest = Math.floor(rest / 256)) out[i] = rest % 256;
  return out;
}

function tagBytes(tag: number): Uint8Array {
  return tag > 0xff ? Uint8Array.of(tag >> 8, tag & 0xff) : Uint8Array.of(tag);
}

function hex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}
