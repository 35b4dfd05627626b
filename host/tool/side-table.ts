/**
 * Makes the side table with which the in-place engine runs a module (format: host/src/wasm_inplace_parts.h), and the bound of
 * its stack. The C host's ipa_wasm_inplace_make() gives the same octets at install time, apart from the bound.
 * The module must be valid (V8 and wasm-validate say so in the gate); what is outside the engine's subset is refused by name.
 */
import { opcode, opcodeFc, type Immediate } from "./opcodes.js";
import { readModule, Reader, WasmError, type Body, type FunctionType, type Module } from "./wasm.js";

export interface SideTable {
  bytes: Uint8Array;
  /** Octets of stack that any function called from outside needs; 0: the module recurses, so that there is no bound. */
  stack: number;
  entries: number;
  /** Branches that don't fit the short form. */
  longs: number;
  functions: number;
}

const MAGIC = 0x31535049;
const HEADER = 24;
const FRAME_WORDS = 2;
/** Guard below the first frame and spare room above the last operand. */
const MARGIN_WORDS = 6;
const LIMIT = 0xffff;
const FLAG_WIDE = 4;
const FLAG_MAPPED = 8;
const I32 = 0x7f;
const I64 = 0x7e;

interface Jump {
  /** Octets from behind the opcode; of br_table, from behind the number of its targets. */
  octets: number;
  entries: number;
  drop: number;
  keep: number;
}

type Entry = number | Jump;

interface Shape {
  start: number;
  end: number;
  entry: number;
  params: number;
  locals: number;
  fast: number;
  flags: number;
  /** Most operand words at once. */
  height: number;
  /** Callee, and operand words below its parameters. */
  calls: { callee: number; below: number }[];
}

/** An open block, loop, if or function. */
interface Label {
  loop: boolean;
  /** Operand words below it, and words of its result. */
  height: number;
  result: number;
  /** Where a loop begins. */
  at: number;
  entry: number;
  /** Operands below it, by number. */
  operands: number;
  /** Code before it was unreachable. */
  deadBefore: boolean;
  dead: boolean;
  /** Entries that lead to its end, with the place behind their opcode. */
  pending: { entry: number; from: number }[];
  /** The if's own entry, until else. */
  otherwise?: { entry: number; from: number } | undefined;
}

/** Makes the table. Throws WasmError with what the module has outside the subset. */
export function makeSideTable(wasm: Uint8Array, options: { recursion?: "refuse" | "allow" } = {}): SideTable {
  const module = readModule(wasm);
  checkSubset(module, wasm);
  const entries: Entry[] = [];
  const shapes = module.bodies.map((body, index) => new FunctionWalk(wasm, module, body, index, entries).walk());
  if (entries.length > LIMIT) throw new WasmError(`${entries.length} places to branch from, and at most ${LIMIT} are supported`);
  const stack = 4 * stackWords(shapes, options.recursion ?? "refuse");
  const { bytes, longs } = encode(wasm.length, stack, entries, shapes);
  return { bytes, stack, entries: entries.length, longs, functions: shapes.length };
}

function checkSubset(module: Module, wasm: Uint8Array): void {
  const refuse = (what: string): never => {
    throw new WasmError(`${what}, which is outside the engine's subset`);
  };
  if (wasm.length > LIMIT) refuse(`module of ${wasm.length} octets, more than ${LIMIT}`);
  if (module.imports.length > 0) refuse(`import of ${module.imports[0]?.module}.${module.imports[0]?.name}`);
  if (module.tables > 0) refuse("table");
  if (module.elements > 0) refuse("element segment");
  if (module.start !== undefined) refuse("start function");
  if (module.memories.length > 1) refuse("more than one memory");
  if (module.memories.some(({ flags }) => flags > 1)) refuse("shared or 64-bit memory");
  if (module.segments.some(({ passive }) => passive)) refuse("passive data segment");
  const types = [...module.globals.map(({ type }) => type), ...module.functions.flatMap((index) => typeAt(module, index).parameters.concat(typeAt(module, index).results))];
  for (const type of types) if (type !== I32 && type !== I64) refuse(`value type ${type.toString(16)}`);
  if (module.functions.some((index) => typeAt(module, index).results.length > 1)) refuse("multi-value");
  if (module.functions.length !== module.bodies.length) throw new WasmError(`${module.functions.length} functions declared, and ${module.bodies.length} have code`);
}

function typeAt(module: Module, index: number): FunctionType {
  const type = module.types[index];
  if (type === undefined) throw new WasmError(`function type ${index} does not exist`);
  return type;
}

function functionTypeAt(module: Module, index: number): FunctionType {
  const type = module.functions[index];
  if (type === undefined) throw new WasmError(`function ${index} does not exist`);
  return typeAt(module, type);
}

const widthOf = (type: number): number => (type === I64 ? 2 : type === I32 ? 1 : 0);
const wordsOf = (types: readonly number[]): number => types.reduce((sum, type) => sum + widthOf(type), 0);

/** Operand widths that an operator takes (last one on top) and gives; by its name. */
function effectOf(name: string): { takes: number[]; gives: number[] } {
  const width = name.startsWith("i64") ? 2 : 1;
  const operator = name.slice(4);
  if (name === "memory.size") return { takes: [], gives: [1] };
  if (name.startsWith("memory.")) return { takes: [1, 1, 1], gives: [] };
  if (name === "i32.wrap_i64") return { takes: [2], gives: [1] };
  if (operator.startsWith("extend_i32")) return { takes: [1], gives: [2] };
  if (operator === "const") return { takes: [], gives: [width] };
  if (operator.startsWith("load")) return { takes: [1], gives: [width] };
  if (operator.startsWith("store")) return { takes: [1, width], gives: [] };
  if (operator === "eqz") return { takes: [width], gives: [1] };
  if (/^(clz|ctz|popcnt|extend\d+_s)$/.test(operator)) return { takes: [width], gives: [width] };
  if (/^(eq|ne|[lg][te]_[su])$/.test(operator)) return { takes: [width, width], gives: [1] };
  return { takes: [width, width], gives: [width] };
}

/** Reads one function: heights, branches, calls. */
class FunctionWalk {
  readonly #reader: Reader;
  readonly #shape: Shape;
  /** Types of parameters and locals. */
  readonly #locals: number[];
  readonly #labels: Label[] = [];
  /** Widths of the operands in words. */
  readonly #operands: number[] = [];
  #height = 0;

  constructor(wasm: Uint8Array, readonly module: Module, body: Body, readonly index: number, readonly entries: Entry[]) {
    this.#reader = new Reader(wasm, body.start, body.end);
    const { parameters, results } = functionTypeAt(module, index);
    const locals = localsOf(wasm, body);
    this.#locals = [...parameters, ...locals];
    const mapped = this.#locals.includes(I64);
    const fast = this.#locals.findIndex((type) => type !== I32);
    this.#shape = {
      start: body.start, end: body.end - 1, entry: entries.length, params: wordsOf(parameters), locals: wordsOf(locals),
      fast: fast < 0 ? this.#locals.length : fast, flags: wordsOf(results) | (mapped ? FLAG_MAPPED : 0), height: 0, calls: [],
    };
    if (this.#shape.params > 255 || this.#shape.locals > 255) throw new WasmError(`function ${index}: more than 255 words of parameters or of locals`);
    if (mapped) this.#mapLocals();
    this.#open(false, wordsOf(results));
  }

  walk(): Shape {
    const from = this.entries.length;
    if (this.#needsWidths()) this.#shape.flags |= FLAG_WIDE;
    this.entries.length = from;
    this.#restart();
    this.#run();
    return this.#shape;
  }

  #mapLocals(): void {
    this.entries.push(this.#locals.length);
    let at = 0;
    for (const type of this.#locals) {
      this.entries.push(at | (type === I64 ? 256 : 0));
      at += widthOf(type);
    }
  }

  /** A first reading: is there a drop or select of an i64? */
  #needsWidths(): boolean {
    return this.#run();
  }

  #restart(): void {
    this.#reader.at = this.#shape.start;
    this.#labels.length = 0;
    this.#operands.length = 0;
    this.#height = 0;
    this.#shape.calls = [];
    this.#open(false, this.#shape.flags & 3);
  }

  /** Reads to the end; true when a drop or select met an i64. */
  #run(): boolean {
    let wide = false;
    while (this.#labels.length > 0) {
      const offset = this.#reader.at;
      const code = this.#reader.u8();
      const { name, immediate } = code === 0xfc ? opcodeFc(this.#reader.u32()) : opcode(code);
      if (immediate === undefined) throw new WasmError(`${name} at offset ${offset} in function ${this.index}, which is outside the engine's subset`);
      wide = this.#instruction(name, immediate) || wide;
    }
    if (this.#reader.at !== this.#shape.end + 1) throw new WasmError(`function ${this.index} ends at offset ${this.#reader.at}, and its body at ${this.#shape.end + 1}`);
    return wide;
  }

  get #label(): Label {
    const label = this.#labels.at(-1);
    if (label === undefined) throw new WasmError(`function ${this.index} has more ends than blocks`);
    return label;
  }

  #open(loop: boolean, result: number): Label {
    const dead = this.#labels.at(-1)?.dead ?? false;
    const label = { loop, height: this.#height, result, at: this.#reader.at, entry: this.entries.length, operands: this.#operands.length, deadBefore: dead, dead, pending: [] };
    this.#labels.push(label);
    return label;
  }

  #push(width: number): void {
    if (width === 0 || this.#label.dead) return;
    this.#operands.push(width);
    this.#height += width;
    this.#shape.height = Math.max(this.#shape.height, this.#height);
  }

  #pop(): number {
    if (this.#label.dead) return 1;
    const width = this.#operands.pop();
    if (width === undefined) throw new WasmError(`operand missing before offset ${this.#reader.at} in function ${this.index}`);
    this.#height -= width;
    return width;
  }

  /** True when it is a drop or select of an i64. */
  #instruction(name: string, immediate: Immediate): boolean {
    switch (name) {
      case "block":
      case "loop":
      case "if": this.#begin(name); return false;
      case "else": this.#else(); return false;
      case "end": this.#end(); return false;
      case "br": case "br_if": case "br_table": this.#branches(name); return false;
      case "return":
      case "unreachable": this.#die(); return false;
      case "nop": return false;
      case "call": this.#call(); return false;
      case "drop": return this.#width(this.#pop());
      case "select": return this.#select();
      case "local.get": this.#push(this.#localWidth()); return false;
      case "local.set": this.#localWidth(); this.#pop(); return false;
      case "local.tee": this.#localWidth(); return false;
      case "global.get": this.#push(this.#globalWidth()); return false;
      case "global.set": this.#globalWidth(); this.#pop(); return false;
      default: this.#operator(name, immediate); return false;
    }
  }

  #operator(name: string, immediate: Immediate): void {
    if (immediate === "memarg") (this.#reader.u32(), this.#reader.u32());
    else if (immediate === "i32") this.#reader.signed(32);
    else if (immediate === "i64") this.#reader.signed(64);
    else if (immediate !== "none") this.#reader.skip(immediate === "memory2" ? 2 : 1);
    const { takes, gives } = effectOf(name);
    takes.forEach(() => this.#pop());
    gives.forEach((width) => this.#push(width));
  }

  /** An entry for a drop or select, where the function has such; whether the operand is an i64. */
  #width(width: number): boolean {
    const wide = width === 2 && !this.#label.dead;
    if ((this.#shape.flags & FLAG_WIDE) !== 0) this.entries.push(wide ? 1 : 0);
    return wide;
  }

  #select(): boolean {
    this.#pop();
    this.#pop();
    const width = this.#pop();
    this.#push(width);
    return this.#width(width);
  }

  #localWidth(): number {
    const index = this.#reader.u32();
    const type = this.#locals[index];
    if (type === undefined) throw new WasmError(`local ${index} does not exist in function ${this.index}`);
    return widthOf(type);
  }

  #globalWidth(): number {
    const index = this.#reader.u32();
    const global = this.module.globals[index];
    if (global === undefined) throw new WasmError(`global ${index} does not exist, in function ${this.index}`);
    return widthOf(global.type);
  }

  #call(): void {
    const callee = this.#reader.u32();
    const { parameters, results } = functionTypeAt(this.module, callee);
    parameters.forEach(() => this.#pop());
    if (!this.#label.dead) this.#shape.calls.push({ callee, below: this.#height });
    this.#push(wordsOf(results));
  }

  #begin(name: "block" | "loop" | "if"): void {
    const from = this.#reader.at;
    const type = this.#reader.u8();
    if (type !== 0x40 && type !== I32 && type !== I64) throw new WasmError(`block type ${type.toString(16)} (multi-value, or no integer) at offset ${from}, which is outside the engine's subset`);
    if (name === "if") this.#pop();
    const label = this.#open(name === "loop", widthOf(type));
    if (name === "if") label.otherwise = { entry: this.#reserve(), from };
  }

  #reserve(): number {
    return this.entries.push(0) - 1;
  }

  #else(): void {
    const label = this.#label;
    const out = this.#reserve();
    if (!label.dead) label.pending.push({ entry: out, from: this.#reader.at });
    if (label.otherwise === undefined) throw new WasmError(`else without if before offset ${this.#reader.at}`);
    if (!label.deadBefore) this.#land([label.otherwise]);
    label.otherwise = undefined;
    this.#cut(label);
    label.dead = label.deadBefore;
  }

  #end(): void {
    const label = this.#label;
    const last = this.#labels.length === 1;
    if (!label.deadBefore) {
      this.#land(label.otherwise === undefined ? label.pending : [...label.pending, label.otherwise], last ? -1 : 0);
      this.#cut(label);
    }
    this.#labels.pop();
    if (!last && !label.deadBefore) this.#push(label.result);
  }

  /** Back to the operands that were there when the label opened. */
  #cut(label: Label): void {
    this.#operands.length = label.operands;
    this.#height = label.height;
  }

  /** The entries lead here. */
  #land(jumps: readonly { entry: number; from: number }[], more = 0): void {
    for (const { entry, from } of jumps) {
      const jump = this.entries[entry];
      const { drop, keep } = typeof jump === "object" ? jump : { drop: 0, keep: 0 };
      this.entries[entry] = { octets: this.#reader.at + more - from, entries: this.entries.length - entry, drop, keep };
    }
  }

  #die(): void {
    const label = this.#label;
    if (!label.dead) this.#cut(label);
    label.dead = true;
  }

  #branches(name: string): void {
    if (name !== "br") this.#pop();
    const count = name === "br_table" ? this.#reader.u32() : 0;
    const from = this.#reader.at;
    for (let n = 0; n <= count; n++) this.#branch(this.#reader.u32(), from);
    if (name !== "br_if") this.#die();
  }

  #branch(depth: number, from: number): void {
    const label = this.#labels.at(-1 - depth);
    if (label === undefined) throw new WasmError(`branch before offset ${this.#reader.at} leads ${depth} blocks out, and there are ${this.#labels.length}`);
    const entry = this.#reserve();
    if (this.#label.dead) return;
    const result = label.loop ? 0 : label.result;
    const drop = this.#height - label.height - result;
    const keep = drop === 0 ? 0 : result;
    if (label.loop) {
      this.entries[entry] = { octets: label.at - from, entries: label.entry - entry, drop, keep };
    } else {
      this.entries[entry] = { octets: 0, entries: 0, drop, keep };
      label.pending.push({ entry, from });
    }
  }
}

function localsOf(wasm: Uint8Array, body: Body): number[] {
  const reader = new Reader(wasm, body.offset, body.end);
  const groups = reader.list(() => ({ count: reader.u32(), type: reader.u8() }));
  for (const { count, type } of groups) {
    if (type !== I32 && type !== I64) throw new WasmError(`local of type ${type.toString(16)} at offset ${body.offset}, which is outside the engine's subset`);
    if (count > 255) throw new WasmError(`more than 255 words of locals at offset ${body.offset}`);
  }
  return groups.flatMap(({ count, type }) => new Array<number>(count).fill(type));
}

/** Words of stack for the deepest chain of calls from any function; 0 when there is recursion and that is allowed. */
function stackWords(shapes: readonly Shape[], recursion: "refuse" | "allow"): number {
  const known = new Map<number, number>();
  const open: number[] = [];
  const need = (index: number): number => {
    const before = known.get(index);
    if (before !== undefined) return before;
    if (open.includes(index)) throw new Recursion([...open.slice(open.indexOf(index)), index]);
    open.push(index);
    const shape = shapes[index] as Shape;
    const operands = Math.max(shape.height, ...shape.calls.map(({ callee, below }) => below + need(callee)));
    open.pop();
    const words = shape.params + shape.locals + FRAME_WORDS + operands;
    known.set(index, words);
    return words;
  };
  try {
    return MARGIN_WORDS + Math.max(FRAME_WORDS, ...shapes.map((_, index) => need(index)));
  } catch (error) {
    if (!(error instanceof Recursion) || recursion === "refuse") throw error;
    return 0;
  }
}

/** Functions that call each other in a circle: their stack has no bound. */
class Recursion extends WasmError {
  constructor(circle: readonly number[]) {
    super(`recursion: function ${circle.join(" calls ")}, so that the stack has no bound`);
  }
}

const fits = ({ octets, entries, drop }: Jump): boolean =>
  octets >= -8192 && octets < 8192 && entries >= -2048 && entries < 2048 && drop < 8;

function encode(wasmLength: number, stack: number, entries: readonly Entry[], shapes: readonly Shape[]): { bytes: Uint8Array; longs: number } {
  const longs = entries.filter((entry): entry is Jump => typeof entry === "object" && !fits(entry));
  const size = HEADER + entries.length * 4 + longs.length * 12 + shapes.length * 10;
  const bytes = new Uint8Array((size + 3) & ~3);
  const view = new DataView(bytes.buffer);
  [MAGIC, wasmLength, stack, entries.length, longs.length, shapes.length].forEach((word, index) => view.setUint32(4 * index, word, true));
  let at = HEADER;
  let far = 0;
  for (const entry of entries) {
    view.setUint32(at, typeof entry === "number" ? entry : fits(entry) ? short(entry) : 0x80000000 + far++, true);
    at += 4;
  }
  for (const { octets, entries: skip, drop, keep } of longs) {
    view.setInt32(at, octets, true);
    view.setInt32(at + 4, skip, true);
    view.setUint16(at + 8, drop, true);
    view.setUint16(at + 10, keep, true);
    at += 12;
  }
  for (const { start, end, entry, params, locals, fast, flags } of shapes) {
    [start, end, entry].forEach((value, index) => view.setUint16(at + 2 * index, value, true));
    bytes.set([params, locals, fast, flags], at + 6);
    at += 10;
  }
  return { bytes, longs: longs.length };
}

function short({ octets, entries, drop, keep }: Jump): number {
  return ((octets & 0x3fff) | ((entries & 0xfff) << 14) | (drop << 26) | (keep << 29)) >>> 0;
}
