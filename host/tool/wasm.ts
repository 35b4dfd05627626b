/**
 * Reads a WebAssembly module (core specification 2.0, chapter 5): sections, types, limits, exports, segments, function bodies.
 * A reader for tools, not a validator: V8 and wasm-validate check types; the subset of instructions is the gate's (gate.ts).
 * Offsets are octets from the start of the file, as wasm-objdump prints them.
 */
import { hex, opcode, opcodeFc, type Immediate } from "./opcodes.js";

/** The file is no module that this reader understands; the message has the offset. */
export class WasmError extends Error {}

export interface Section {
  id: number;
  name: string;
  offset: number;
  /** Octets with id and size. */
  size: number;
}

export interface FunctionType {
  parameters: number[];
  results: number[];
}

export interface Export {
  name: string;
  kind: "function" | "table" | "memory" | "global" | "tag";
  index: number;
}

export interface Import {
  module: string;
  name: string;
  kind: Export["kind"];
  /** Of a function: its type's index. Of a global: its value type, | 0x100 when mutable. Of a memory: its least number of pages. */
  type: number;
}

export interface Segment {
  passive: boolean;
  /** Of the constant i32 offset expression; undefined when it is something else, or when passive. */
  address: number | undefined;
  length: number;
  offset: number;
  /** Offset of its octets. */
  content: number;
}

export interface Body {
  offset: number;
  end: number;
  /** Value types of the locals, one entry a group. */
  localTypes: number[];
  /** Where the first instruction is. */
  start: number;
}

export interface Module {
  size: number;
  sections: Section[];
  types: FunctionType[];
  imports: Import[];
  /** Type index of each function that the module defines. */
  functions: number[];
  tables: number;
  memories: { flags: number; minimum: number; maximum: number | undefined }[];
  /** at, end: offsets of the initialiser with its end. */
  globals: { type: number; mutable: boolean; at: number; end: number }[];
  exports: Export[];
  start: number | undefined;
  elements: number;
  dataCount: number | undefined;
  segments: Segment[];
  bodies: Body[];
}

export interface Instruction {
  name: string;
  offset: number;
  /** Undefined: not of the subset; nothing behind it in this body can be read. */
  immediate: Immediate | undefined;
  /** The index of a local, global, function or label. */
  index?: number;
  /** The block type of block, loop, if (s33, as its first octet when negative): 0x40, a value type, or a type index as a number >= 0x100. */
  blockType?: number;
}

const SECTION_NAMES = ["custom", "type", "import", "function", "table", "memory", "global", "export", "start", "element", "code", "data", "data count", "tag"] as const;
const KINDS = ["function", "table", "memory", "global", "tag"] as const;

export class Reader {
  at: number;
  constructor(readonly bytes: Uint8Array, at = 0, readonly end = bytes.length) {
    this.at = at;
  }
  u8(): number {
    if (this.at >= this.end) throw new WasmError(`octet expected at offset ${this.at}, the file or section ends there`);
    return this.bytes[this.at++] as number;
  }
  /** LEB128, at most 32 bits. */
  u32(): number {
    const from = this.at;
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const b = this.u8();
      value += (b & 0x7f) * 2 ** shift;
      if (b < 0x80) return value;
    }
    throw new WasmError(`number at offset ${from} is longer than 5 octets`);
  }
  /** Signed LEB128, at most `bits` bits; exact up to 53. */
  signed(bits: number): number {
    const from = this.at;
    let value = 0;
    for (let shift = 0; shift < bits + 6; shift += 7) {
      const b = this.u8();
      value += (b & 0x7f) * 2 ** shift;
      if (b < 0x80) return (b & 0x40) !== 0 ? value - 2 ** (shift + 7) : value;
    }
    throw new WasmError(`number at offset ${from} is longer than ${Math.ceil(bits / 7)} octets`);
  }
  skip(length: number): void {
    if (this.at + length > this.end) throw new WasmError(`${length} octets expected at offset ${this.at}, ${this.end - this.at} are left`);
    this.at += length;
  }
  text(): string {
    const length = this.u32();
    const from = this.at;
    this.skip(length);
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(this.bytes.subarray(from, this.at));
  }
  list<T>(read: () => T): T[] {
    const out: T[] = [];
    for (let n = this.u32(); n > 0; n--) out.push(read());
    return out;
  }
}

/** Reads a whole module. Throws WasmError. */
export function readModule(bytes: Uint8Array): Module {
  const reader = new Reader(bytes);
  const header = Array.from(bytes.subarray(0, 8), hex).join("");
  if (header !== "0061736D01000000") throw new WasmError(`expected a WebAssembly module of version 1 (0061736D01000000), got ${header}`);
  reader.skip(8);
  const module: Module = {
    size: bytes.length, sections: [], types: [], imports: [], functions: [], tables: 0, memories: [], globals: [],
    exports: [], start: undefined, elements: 0, dataCount: undefined, segments: [], bodies: [],
  };
  while (reader.at < bytes.length) {
    const offset = reader.at;
    const id = reader.u8();
    const length = reader.u32();
    const content = new Reader(bytes, reader.at, reader.at + length);
    reader.skip(length);
    const name = SECTION_NAMES[id] ?? `section ${id}`;
    module.sections.push({ id, name: id === 0 ? `custom "${content.text()}"` : name, offset, size: reader.at - offset });
    if (id === 0) continue;
    readSection(module, id, content);
    if (content.at !== content.end) throw new WasmError(`${content.end - content.at} octets too many in the ${name} section at offset ${content.at}`);
  }
  return module;
}

function readSection(module: Module, id: number, reader: Reader): void {
  switch (id) {
    case 1: module.types = reader.list(() => functionType(reader)); break;
    case 2: module.imports = reader.list(() => importOf(reader)); break;
    case 3: module.functions = reader.list(() => reader.u32()); break;
    case 4: module.tables = reader.list(() => (reader.u8(), limits(reader))).length; break;
    case 5: module.memories = reader.list(() => limits(reader)); break;
    case 6: module.globals = reader.list(() => globalOf(reader)); break;
    case 7: module.exports = reader.list(() => ({ name: reader.text(), kind: KINDS[reader.u8()] ?? "tag", index: reader.u32() })); break;
    case 8: module.start = reader.u32(); break;
    case 9: module.elements = reader.u32(); reader.skip(reader.end - reader.at); break;
    case 10: module.bodies = reader.list(() => bodyOf(reader)); break;
    case 11: module.segments = reader.list(() => segmentOf(reader)); break;
    case 12: module.dataCount = reader.u32(); break;
    default: throw new WasmError(`section ${id} at offset ${reader.at} is not known`);
  }
}

function functionType(reader: Reader): FunctionType {
  const form = reader.u8();
  if (form !== 0x60) throw new WasmError(`expected a function type (60) at offset ${reader.at - 1}, got ${hex(form)}`);
  return { parameters: reader.list(() => reader.u8()), results: reader.list(() => reader.u8()) };
}

function importOf(reader: Reader): Import {
  const names = { module: reader.text(), name: reader.text() };
  const kind = reader.u8();
  switch (kind) {
    case 0: return { ...names, kind: "function", type: reader.u32() };
    case 1: reader.u8(); limits(reader); return { ...names, kind: "table", type: 0 };
    case 2: return { ...names, kind: "memory", type: limits(reader).minimum };
    case 3: return { ...names, kind: "global", type: reader.u8() | (reader.u8() << 8) };
    default: throw new WasmError(`unknown kind of import at offset ${reader.at - 1}`);
  }
}

function limits(reader: Reader): { flags: number; minimum: number; maximum: number | undefined } {
  const flags = reader.u8();
  return { flags, minimum: reader.u32(), maximum: (flags & 1) !== 0 ? reader.u32() : undefined };
}

function globalOf(reader: Reader): Module["globals"][number] {
  const global = { type: reader.u8(), mutable: reader.u8() === 1, at: reader.at, end: 0 };
  constant(reader);
  return { ...global, end: reader.at };
}

/** A constant expression: its value when it is one i32.const. */
function constant(reader: Reader): number | undefined {
  let value: number | undefined;
  for (let first = true; ; first = false) {
    const code = reader.u8();
    switch (code) {
      case 0x0b: return value;
      case 0x41: { const number = reader.signed(32); value = first ? number >>> 0 : undefined; break; }
      case 0x42: reader.signed(64); break;
      case 0x43: reader.skip(4); break;
      case 0x44: reader.skip(8); break;
      case 0x23: reader.u32(); break;
      case 0xd0: reader.u8(); break;
      case 0xd2: reader.u32(); break;
      default: throw new WasmError(`${opcode(code).name} in a constant expression at offset ${reader.at - 1}`);
    }
    if (!first) value = undefined;
  }
}

function segmentOf(reader: Reader): Segment {
  const offset = reader.at;
  const flags = reader.u32();
  if (flags > 2) throw new WasmError(`data segment at offset ${offset} has flags ${flags}`);
  if (flags === 2) reader.u32();
  const address = flags === 1 ? undefined : constant(reader);
  const length = reader.u32();
  const content = reader.at;
  reader.skip(length);
  return { passive: flags === 1, address, length, offset, content };
}

function bodyOf(reader: Reader): Body {
  const size = reader.u32();
  const offset = reader.at;
  const end = offset + size;
  const locals = new Reader(reader.bytes, offset, end);
  reader.skip(size);
  const localTypes = locals.list(() => (locals.u32(), locals.u8()));
  return { offset, end, localTypes, start: locals.at };
}

/** The instructions of a body, up to its end or to the first one outside the subset (which is the last one given). */
export function* instructions(bytes: Uint8Array, body: Body): Generator<Instruction> {
  const reader = new Reader(bytes, body.start, body.end);
  while (reader.at < body.end) {
    const offset = reader.at;
    const code = reader.u8();
    const { name, immediate } = code === 0xfc ? opcodeFc(reader.u32()) : opcode(code);
    if (immediate === "block") yield { name, offset, immediate, blockType: readBlockType(reader) };
    else if (immediate === "index") yield { name, offset, immediate, index: reader.u32() };
    else {
      if (immediate !== undefined) skipImmediate(reader, immediate);
      yield { name, offset, immediate };
    }
    if (immediate === undefined) return;
  }
}

function readBlockType(reader: Reader): number {
  const type = reader.signed(33);
  return type < 0 ? type + 0x80 : 0x100 + type;
}

function skipImmediate(reader: Reader, immediate: Exclude<Immediate, "block" | "index">): void {
  switch (immediate) {
    case "none": break;
    case "memarg": reader.u32(); reader.u32(); break;
    case "table": reader.list(() => reader.u32()); reader.u32(); break;
    case "memory": reader.u8(); break;
    case "memory2": reader.skip(2); break;
    case "i32": reader.signed(32); break;
    case "i64": reader.signed(64); break;
  }
}
