/**
 * WebAssembly modules made for the in-place engine's tests: a small assembler, random modules with nested control, and one module with every
 * operator. The same seed gives the same octets.
 */
import { opcode } from "../../host/tool/opcodes.js";
import type { Rng } from "../sim/core/rng.js";

export const I32 = 0x7f;
export const I64 = 0x7e;
export type ValueType = typeof I32 | typeof I64;

export interface FunctionSpec {
  name: string;
  parameters: ValueType[];
  result: ValueType | undefined;
  locals: ValueType[];
  code: number[];
}

export interface ModuleSpec {
  functions: FunctionSpec[];
  globals: { type: ValueType; value: bigint }[];
  data: { at: number; bytes: Uint8Array }[];
}

export function u32(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...u32(Math.floor(value / 128))];
}

export function signed(value: bigint): number[] {
  const octet = Number(value & 0x7fn);
  const rest = value >> 7n;
  return (rest === 0n && octet < 0x40) || (rest === -1n && octet >= 0x40) ? [octet] : [octet | 0x80, ...signed(rest)];
}

export const constant = (type: ValueType, value: bigint): number[] =>
  type === I32 ? [0x41, ...signed(BigInt.asIntN(32, value))] : [0x42, ...signed(BigInt.asIntN(64, value))];

const section = (id: number, items: readonly number[][]): number[] => {
  if (items.length === 0) return [];
  const content = [...u32(items.length), ...items.flat()];
  return [id, ...u32(content.length), ...content];
};

const text = (value: string): number[] => [...u32(value.length), ...new TextEncoder().encode(value)];

/** One page of memory, exported as "memory"; functions by their name, globals as "g0", "g1"... */
export function assemble({ functions, globals, data }: ModuleSpec): Uint8Array {
  const body = ({ locals, code }: FunctionSpec): number[] => {
    const content = [...u32(locals.length), ...locals.flatMap((type) => [1, type]), ...code, 0x0b];
    return [...u32(content.length), ...content];
  };
  return Uint8Array.from([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, functions.map(({ parameters, result }) => [0x60, ...u32(parameters.length), ...parameters, ...(result === undefined ? [0] : [1, result])])),
    ...section(3, functions.map((_, index) => u32(index))),
    ...section(5, [[1, 1, 1]]),
    ...section(6, globals.map(({ type, value }) => [type, 1, ...constant(type, value), 0x0b])),
    ...section(7, [[...text("memory"), 2, 0], ...functions.map(({ name }, index) => [...text(name), 0, ...u32(index)]), ...globals.map((_, index) => [...text(`g${index}`), 3, ...u32(index)])]),
    ...section(10, functions.map(body)),
    ...section(11, data.map(({ at, bytes }) => [0, ...constant(I32, BigInt(at)), 0x0b, ...u32(bytes.length), ...bytes])),
  ]);
}

/** Values at the edges of both types, and of shifts and divisions. */
export const EDGES: readonly bigint[] = [
  0n, 1n, 2n, 3n, 7n, 31n, 32n, 33n, 63n, 64n, 65n, 127n, 128n, 255n, 256n, 0x7fffn, 0x8000n, 0xffffn, 0x10000n, 0x7ffffffen, 0x7fffffffn, 0x80000000n,
  0x80000001n, 0xffffffffn, 0x100000000n, 0x123456789abcdefn, 0x7fffffffffffffffn, 0x8000000000000000n, 0x8000000000000001n, -1n, -2n, -128n, -32768n,
];

export function anyValue(rng: Rng): bigint {
  if (rng.int(2) === 0) return EDGES[rng.int(EDGES.length)] as bigint;
  const wide = (BigInt(rng.u32()) << 32n) | BigInt(rng.u32());
  return wide >> BigInt(rng.int(64));
}

interface Operator {
  code: number;
  name: string;
  takes: ValueType[];
  gives: ValueType;
}

const typeOf = (name: string): ValueType => (name.startsWith("i64") ? I64 : I32);

/** All numeric operators of the subset. */
export const NUMERIC: readonly Operator[] = Array.from({ length: 0xc5 - 0x45 }, (_, index) => 0x45 + index).flatMap((code): Operator[] => {
  const { name, immediate } = opcode(code);
  if (immediate === undefined) return [];
  const own = typeOf(name);
  if (name === "i32.wrap_i64") return [{ code, name, takes: [I64], gives: I32 }];
  if (name.startsWith("i64.extend_i32")) return [{ code, name, takes: [I32], gives: I64 }];
  if (name.endsWith("eqz")) return [{ code, name, takes: [own], gives: I32 }];
  if (/clz|ctz|popcnt|extend/.test(name)) return [{ code, name, takes: [own], gives: own }];
  return [{ code, name, takes: [own, own], gives: /\.(eq|ne|[lg][te]_[su])$/.test(name) ? I32 : own }];
});

/** Loads and stores of the subset; `octets`: what they move. */
export const ACCESSES = Array.from({ length: 0x3f - 0x28 }, (_, index) => 0x28 + index).flatMap((code) => {
  const { name, immediate } = opcode(code);
  if (immediate === undefined) return [];
  const bits = /(8|16|32)/.exec(name.slice(4))?.[1];
  const type = typeOf(name);
  return [{ code, name, type, store: name.includes("store"), octets: bits === undefined ? (type === I64 ? 8 : 4) : Number(bits) / 8 }];
});

const get = (local: number): number[] => [0x20, ...u32(local)];

/** Every operator by parameters, by constants, and with one of each; every access at three offsets; drop, select, tee, globals of both types. */
export function operatorModule(rng: Rng): ModuleSpec {
  const functions: FunctionSpec[] = [];
  const add = (name: string, parameters: ValueType[], result: ValueType | undefined, code: number[], locals: ValueType[] = []): void => {
    functions.push({ name: `${functions.length} ${name}`, parameters, result, locals, code });
  };
  for (const { name, code, takes, gives } of NUMERIC) {
    add(name, takes, gives, [...takes.flatMap((_, index) => get(index)), code]);
    add(`${name} constants`, [], gives, [...takes.flatMap((type) => constant(type, anyValue(rng))), code]);
    if (takes.length === 2) add(`${name} mixed`, takes, gives, [...get(0), ...constant(takes[1] as ValueType, anyValue(rng)), code]);
  }
  for (const { name, code, type, store } of ACCESSES) {
    for (const offset of [0, 5, 0x1fff0]) {
      const access = [code, 0, ...u32(offset)];
      if (store) add(`${name} ${offset}`, [I32, type], undefined, [...get(0), ...get(1), ...access]);
      else add(`${name} ${offset}`, [I32], type, [...get(0), ...access]);
    }
  }
  for (const type of [I32, I64] as const) {
    add("select", [type, type, I32], type, [...get(0), ...get(1), ...get(2), 0x1b]);
    add("drop", [type, type], type, [...get(0), ...get(1), 0x1a]);
    add("tee", [type], type, [...get(0), 0x22, 1, 0x1a, ...get(1)], [type]);
    add("local", [type, I32, type], type, [...get(2), 0x21, 4, ...get(4)], [I64, type, I32]);
    add("global", [type], type, [...get(0), 0x24, type === I32 ? 0 : 1, 0x23, type === I32 ? 2 : 1]);
  }
  add("memory.size", [], I32, [0x3f, 0]);
  add("memory.copy", [I32, I32, I32], undefined, [...get(0), ...get(1), ...get(2), 0xfc, 10, 0, 0]);
  add("memory.fill", [I32, I32, I32], undefined, [...get(0), ...get(1), ...get(2), 0xfc, 11, 0]);
  return { functions, globals: [{ type: I32, value: 5n }, { type: I64, value: -6n }, { type: I32, value: 7n }], data: [{ at: 65530, bytes: Uint8Array.of(1, 2, 3, 4, 0xff, 0xfe) }] };
}

interface Label {
  /** What a branch to it carries. */
  carries: ValueType | undefined;
}

/** Writes one random function. */
class Writer {
  readonly #labels: Label[] = [];
  readonly locals: ValueType[] = [];
  #left: number;
  #loops = 0;

  constructor(readonly rng: Rng, readonly spec: ModuleSpec, readonly parameters: ValueType[], readonly result: ValueType | undefined, size: number) {
    this.#left = size;
    for (let n = rng.int(6); n > 0; n--) this.locals.push(rng.int(3) === 0 ? I64 : I32);
  }

  code(): number[] {
    this.#labels.push({ carries: this.result });
    const out = this.#statements(1 + this.rng.int(4));
    return this.result === undefined ? out : [...out, ...this.value(this.result, 4)];
  }

  get #types(): ValueType[] {
    return [...this.parameters, ...this.locals];
  }

  #local(type: ValueType): number | undefined {
    const fitting = this.#types.flatMap((own, index) => (own === type && !this.#counters.has(index) ? [index] : []));
    return fitting.length === 0 ? undefined : fitting[this.rng.int(fitting.length)];
  }
  readonly #counters = new Set<number>();

  #global(type: ValueType): number | undefined {
    const fitting = this.spec.globals.flatMap((own, index) => (own.type === type ? [index] : []));
    return fitting.length === 0 ? undefined : fitting[this.rng.int(fitting.length)];
  }

  #statements(count: number): number[] {
    const out: number[] = [];
    for (let n = 0; n < count && this.#left > 0; n++) out.push(...this.#statement());
    return out;
  }

  #within(carries: ValueType | undefined, write: () => number[]): number[] {
    this.#labels.push({ carries });
    const out = write();
    this.#labels.pop();
    return out;
  }

  /** One instruction sequence that leaves a value. */
  value(type: ValueType, depth: number): number[] {
    this.#left--;
    if (depth <= 0 || this.#left <= 0) return this.#leaf(type);
    switch (this.rng.int(14)) {
      case 0: case 1: case 2: return this.#leaf(type);
      case 3: case 4: case 5: case 6: return this.#numeric(type, depth);
      case 7: return this.#load(type, depth);
      case 8: return [0x02, type, ...this.#within(type, () => [...this.#statements(2), ...this.value(type, depth - 1)]), 0x0b];
      case 9: {
        const condition = this.value(I32, depth - 1);
        return [...condition, 0x04, type, ...this.#within(type, () => [...this.#statements(1), ...this.value(type, depth - 1), 0x05, ...this.#statements(1), ...this.value(type, depth - 1)]), 0x0b];
      }
      case 10: return [...this.value(type, depth - 1), ...this.value(type, depth - 1), ...this.value(I32, depth - 1), 0x1b];
      case 11: return this.#call(type, depth) ?? this.#leaf(type);
      case 12: return this.#branchWith(type, depth) ?? this.#numeric(type, depth);
      default: {
        const local = this.#local(type);
        return local === undefined ? this.#leaf(type) : [...this.value(type, depth - 1), 0x22, ...u32(local)];
      }
    }
  }

  #leaf(type: ValueType): number[] {
    const local = this.#local(type);
    const global = this.#global(type);
    const choice = this.rng.int(3);
    if (choice === 0 && local !== undefined) return get(local);
    if (choice === 1 && global !== undefined) return [0x23, ...u32(global)];
    return constant(type, anyValue(this.rng));
  }

  #numeric(type: ValueType, depth: number): number[] {
    const fitting = NUMERIC.filter(({ gives }) => gives === type);
    const { code, takes } = fitting[this.rng.int(fitting.length)] as Operator;
    return [...takes.flatMap((own) => this.value(own, depth - 1)), code];
  }

  /** Mostly an address that is inside. */
  #address(depth: number): number[] {
    return this.rng.int(30) === 0 ? this.value(I32, depth - 1) : [...this.value(I32, depth - 1), ...constant(I32, 0xfff7n), 0x71];
  }

  #offset(): number[] {
    return [0, ...u32(this.rng.int(40) === 0 ? this.rng.u32() : this.rng.int(3) === 0 ? this.rng.int(300) : this.rng.int(8))];
  }

  #load(type: ValueType, depth: number): number[] {
    const fitting = ACCESSES.filter((access) => !access.store && access.type === type);
    return [...this.#address(depth), (fitting[this.rng.int(fitting.length)] as { code: number }).code, ...this.#offset()];
  }

  #call(type: ValueType | undefined, depth: number): number[] | undefined {
    const fitting = this.spec.functions.flatMap((callee, index) => (callee.result === type ? [index] : []));
    if (fitting.length === 0) return undefined;
    const index = fitting[this.rng.int(fitting.length)] as number;
    const callee = this.spec.functions[index] as FunctionSpec;
    return [...callee.parameters.flatMap((own) => this.value(own, depth - 1)), 0x10, ...u32(index)];
  }

  /** Labels that carry just this; by their depth. */
  #targets(carries: ValueType | undefined): number[] {
    return this.#labels.flatMap((label, index) => (label.carries === carries ? [this.#labels.length - 1 - index] : []));
  }

  /** A value through br, br_if or br_table, possibly out of several blocks and with operands left below. */
  #branchWith(type: ValueType, depth: number): number[] | undefined {
    const targets = this.#targets(type);
    if (targets.length === 0) return undefined;
    const target = (): number[] => u32(targets[this.rng.int(targets.length)] as number);
    const value = this.value(type, depth - 1);
    switch (this.rng.int(4)) {
      case 0: return [...value, 0x0c, ...target()];
      case 1: return [...value, ...this.value(I32, depth - 1), 0x0e, 2, ...target(), ...target(), ...target()];
      case 2: return this.result === type ? [...value, 0x0f] : undefined;
      default: return [...value, ...this.value(I32, depth - 1), 0x0d, ...target()];
    }
  }

  #statement(): number[] {
    this.#left--;
    const rng = this.rng;
    const depth = 3;
    const type = rng.int(3) === 0 ? I64 : I32;
    switch (rng.int(15)) {
      case 0: case 1: {
        const local = this.#local(type);
        return local === undefined ? [0x01] : [...this.value(type, depth), 0x21, ...u32(local)];
      }
      case 2: case 3: {
        const global = this.#global(type);
        return global === undefined ? [] : [...this.value(type, depth), 0x24, ...u32(global)];
      }
      case 4: case 5: return this.#store(type, depth);
      case 6: return [...this.value(type, depth), 0x1a];
      case 7: return [0x02, 0x40, ...this.#within(undefined, () => this.#statements(3)), 0x0b];
      case 8: return [...this.value(I32, depth), 0x04, 0x40, ...this.#within(undefined, () => [...this.#statements(2), ...(rng.int(2) === 0 ? [0x05, ...this.#statements(2)] : [])]), 0x0b];
      case 9: case 10: return this.#loop();
      case 11: return this.#branch(depth);
      case 12: return this.#call(undefined, depth) ?? [];
      case 13: return rng.int(12) === 0 ? [0x00] : this.#bulk(depth);
      default: {
        const callee = this.#call(type, depth);
        return callee === undefined ? [] : [...callee, 0x1a];
      }
    }
  }

  #store(type: ValueType, depth: number): number[] {
    const fitting = ACCESSES.filter((access) => access.store && access.type === type);
    return [...this.#address(depth), ...this.value(type, depth), (fitting[this.rng.int(fitting.length)] as { code: number }).code, ...this.#offset()];
  }

  #bulk(depth: number): number[] {
    const length = [...this.value(I32, 1), ...constant(I32, 0x3ffn), 0x71];
    const from = this.#address(depth);
    return this.rng.int(2) === 0 ? [...from, ...this.#address(depth), ...length, 0xfc, 10, 0, 0] : [...from, ...this.value(I32, 1), ...length, 0xfc, 11, 0];
  }

  #branch(depth: number): number[] {
    const targets = this.#targets(undefined).filter((target) => !this.#loopLabels.has(this.#labels.length - 1 - target));
    if (targets.length === 0) return [];
    const target = (): number[] => u32(targets[this.rng.int(targets.length)] as number);
    switch (this.rng.int(5)) {
      case 0: return [0x0c, ...target()];
      case 1: case 2: {
        const count = this.rng.int(5);
        return [...this.value(I32, depth), 0x0e, count, ...Array.from({ length: count + 1 }, target).flat()];
      }
      default: return [...this.value(I32, depth), 0x0d, ...target()];
    }
  }
  readonly #loopLabels = new Set<number>();

  /** Runs a few times, counted by a local of its own; its body may go on early or leave. */
  #loop(): number[] {
    if (this.#loops >= 2) return [];
    this.#loops++;
    const counter = this.#types.length;
    this.locals.push(I32);
    this.#counters.add(counter);
    const body = this.#within(undefined, () => this.#within(undefined, () => {
      this.#loopLabels.add(this.#labels.length - 1);
      const inside = [...this.#statements(3), ...(this.rng.int(3) === 0 ? [0x0c, 0] : [...this.value(I32, 2), 0x0d, 0])];
      this.#loopLabels.delete(this.#labels.length - 1);
      return inside;
    }));
    this.#loops--;
    return [
      ...constant(I32, BigInt(1 + this.rng.int(5))), 0x21, ...u32(counter), 0x02, 0x40, 0x03, 0x40,
      ...get(counter), 0x45, 0x0d, 1, ...get(counter), ...constant(I32, 1n), 0x6b, 0x21, ...u32(counter), ...body, 0x0b, 0x0b,
    ];
  }
}

export function randomModule(rng: Rng): ModuleSpec {
  const spec: ModuleSpec = { functions: [], globals: [], data: [] };
  for (let n = rng.int(6); n > 0; n--) spec.globals.push({ type: rng.int(3) === 0 ? I64 : I32, value: anyValue(rng) });
  for (let n = rng.int(3); n > 0; n--) spec.data.push({ at: rng.int(65000), bytes: Uint8Array.from({ length: rng.int(200) }, () => rng.int(256)) });
  const any = (): ValueType => (rng.int(3) === 0 ? I64 : I32);
  for (let n = 3 + rng.int(5), index = 0; index < n; index++) {
    const parameters = Array.from({ length: rng.int(5) }, any);
    const result = rng.int(4) === 0 ? undefined : any();
    const writer = new Writer(rng, spec, parameters, result, 40 + rng.int(160));
    const code = writer.code();
    spec.functions.push({ name: `f${index}`, parameters, result, locals: writer.locals, code });
  }
  return spec;
}

/** Where ipa_step of a wrapped module finds its arguments, eight octets each, and behind them leaves the result. */
export const ARGUMENTS = 0xff00;
export const RESULT = 0xff80;

/**
 * The same module as an agent to any engine behind host/src/wasm.h: ipa_step(n) calls function n with arguments from memory,
 * and leaves its result there.
 */
export function asAgent(spec: ModuleSpec): ModuleSpec {
  const value = (name: string, result: number): FunctionSpec => ({ name, parameters: [], result: I32, locals: [], code: constant(I32, BigInt(result)) });
  const cases = spec.functions.map(({ parameters, result }, index) => {
    const args = parameters.flatMap((type, n) => [...constant(I32, BigInt(ARGUMENTS + 8 * n)), type === I32 ? 0x28 : 0x29, 0, 0]);
    const call = [...args, 0x10, ...u32(index)];
    return result === undefined ? call : [...constant(I32, BigInt(RESULT)), ...call, result === I32 ? 0x36 : 0x37, 0, 0];
  });
  // block for each case, innermost the br_table; behind the end of block n stands case n
  const table = [...get(0), 0x0e, ...u32(cases.length), ...cases.flatMap((_, n) => u32(n)), ...u32(cases.length)];
  const blocks = cases.reduce<number[]>((inside, code, n) => [0x02, 0x40, ...inside, 0x0b, ...code, ...constant(I32, BigInt(n)), 0x0f], table);
  const step: FunctionSpec = { name: "ipa_step", parameters: [I32], result: I32, locals: [], code: [0x02, 0x40, ...blocks, 0x0b, ...constant(I32, -1n)] };
  return { ...spec, functions: [...spec.functions, value("ipa_abi", 65536), value("ipa_mailbox", 0), value("ipa_capacity", 64), value("ipa_memory", 65536), step] };
}

/** A few instructions at the very end of the file, where an immediate that runs on would leave the module. */
export function tinyModule(rng: Rng): ModuleSpec {
  const endings = [[0x41, 0, 0x28, 0, 0, 0x1a], [0x41, 0, 0x41, 0, 0x36, 2, 0], [0x42, 0x80, 0x80, 0, 0x1a], [0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 10, 0, 0], [0x02, 0x40, 0x41, 1, 0x0d, 0, 0x0b], [0x42, 1, 0x42, 2, 0x41, 0, 0x1b, 0x1a], []];
  const code = [...(endings[rng.int(endings.length)] as number[]), ...(endings[rng.int(endings.length)] as number[])];
  return { functions: [{ name: "f0", parameters: [], result: undefined, locals: rng.int(2) === 0 ? [] : [I32, I64], code }], globals: [], data: [] };
}
