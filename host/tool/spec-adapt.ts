/**
 * Makes a module of a WebAssembly spec test fit for the in-place engine: functions with anything outside the subset (host/tool/opcodes.ts)
 * are replaced by `unreachable`, tables and element segments dropped, imports given a body or a value of their own. What "spectest" of the
 * test suite's host offers to integers is really there; any other import counts as outside the subset. A global set before
 * each such `unreachable` tells the runner that a call got there.
 */
import { instructions, readModule, Reader, type Body, type Module } from "./wasm.js";

export interface Adapted {
  bytes: Uint8Array;
  /** Index of the global that is 1 once a replaced function was called. */
  marker: number;
  /** Functions of the export's name; undefined: its type is outside the subset, so that it can't be called. */
  exports: Map<string, { index: number; parameters: number[]; results: number[] } | undefined>;
  globals: Map<string, { index: number; type: number } | undefined>;
  /** Run after instantiation. */
  start: number | undefined;
  pages: number;
  replaced: number;
  /** A call that got to a replaced function may have left memory or globals as they should not be. */
  stateful: boolean;
  /** Part of the memory's or globals' first contents is outside the subset. */
  tainted: boolean;
}

const I32 = 0x7f;
const I64 = 0x7e;
const isInteger = (type: number): boolean => type === I32 || type === I64;

const number = (value: number): number[] => (value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...number(Math.floor(value / 128))]);
const section = (id: number, items: readonly (readonly number[])[]): number[] => {
  const content = [...number(items.length), ...items.flat()];
  return items.length === 0 ? [] : [id, ...number(content.length), ...content];
};

/** Values and functions of the suite's own host. */
const SPECTEST_VALUE = [0x9a, 0x05]; // 666, signed LEB128

export function adapt(bytes: Uint8Array): Adapted {
  return new Adapter(bytes).adapted();
}

class Adapter {
  readonly #module: Module;
  /** Types of all functions, imported ones first. */
  readonly #types: number[];
  readonly #importedFunctions: Module["imports"];
  readonly #importedGlobals: Module["imports"];
  readonly #hasMemory: boolean;
  #tainted = false;

  constructor(readonly bytes: Uint8Array) {
    this.#module = readModule(bytes);
    this.#importedFunctions = this.#module.imports.filter(({ kind }) => kind === "function");
    this.#importedGlobals = this.#module.imports.filter(({ kind }) => kind === "global");
    this.#types = [...this.#importedFunctions.map(({ type }) => type), ...this.#module.functions];
    const memory = this.#module.imports.find(({ kind }) => kind === "memory");
    this.#hasMemory = this.#module.memories.length === 0 ? memory?.module === "spectest" : (this.#module.memories[0]?.flags ?? 0) <= 1;
  }

  adapted(): Adapted {
    const globals = this.#globals();
    const functions = [...this.#importedFunctions.map((_, index) => this.#importBody(index)), ...this.#module.bodies.map((body, index) => this.#body(body, index))];
    const pages = this.#hasMemory ? (this.#module.memories[0]?.minimum ?? 1) : 0;
    const voidType = this.#module.types.length;
    const wasm = [
      0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
      ...section(1, [...this.#module.types.map(({ parameters, results }, index) => !this.#typeFits(index) ? [0x60, 0, 0] : [0x60, ...number(parameters.length), ...parameters, ...number(results.length), ...results]), [0x60, 0, 0]]),
      ...section(3, this.#types.map((type, index) => number(this.#callable(index) ? type : voidType))),
      ...section(5, this.#hasMemory ? [[0, ...number(pages)]] : []),
      ...section(6, [...globals, [I32, 1, 0x41, 0, 0x0b]]),
      ...section(10, functions.map((code) => [...number(code.length), ...code])),
      ...section(11, this.#segments()),
    ];
    return {
      bytes: Uint8Array.from(wasm), marker: globals.length, pages, exports: this.#exports(), globals: this.#exportedGlobals(), start: this.#module.start, tainted: this.#tainted,
      replaced: functions.filter((code) => code === this.#stub).length,
      stateful: this.#hasMemory || this.#module.globals.some(({ mutable }) => mutable) || this.#module.tables > 0 || this.#module.imports.length > 0,
    };
  }

  /** Sets the marker and traps. */
  get #stub(): number[] {
    return (this.#stubOnce ??= [0, 0x41, 1, 0x24, ...number(this.#importedGlobals.length + this.#module.globals.length), 0x00, 0x0b]);
  }
  #stubOnce: number[] | undefined;

  /** The function's type is of the subset; otherwise it becomes () -> (). */
  #callable(index: number): boolean {
    return this.#typeFits(this.#types[index] ?? -1);
  }

  #typeFits(index: number): boolean {
    const type = this.#module.types[index];
    return type !== undefined && type.results.length <= 1 && [...type.parameters, ...type.results].every(isInteger);
  }

  #importBody(index: number): number[] {
    const { module, name } = this.#importedFunctions[index] as Module["imports"][number];
    return module === "spectest" && name.startsWith("print") && this.#callable(index) ? [0, 0x0b] : this.#stub;
  }

  #body(body: Body, index: number): number[] {
    const fits = this.#callable(this.#importedFunctions.length + index) && body.localTypes.every(isInteger) && this.#codeFits(body);
    return fits ? [...this.bytes.subarray(body.offset, body.end)] : this.#stub;
  }

  #codeFits(body: Body): boolean {
    for (const { name, immediate, blockType, index } of instructions(this.bytes, body)) {
      if (immediate === undefined) return false;
      if (blockType !== undefined && blockType !== 0x40 && !isInteger(blockType)) return false;
      if (name === "call" && !this.#callable(index as number)) return false;
      if (name.startsWith("global.") && !this.#globalFits(index as number)) return false;
      if ((immediate === "memarg" || name.startsWith("memory.")) && !this.#hasMemory) return false;
    }
    return true;
  }

  #globalFits(index: number): boolean {
    const imported = this.#importedGlobals[index];
    if (imported !== undefined) return imported.module === "spectest" && isInteger(imported.type);
    const at = index - this.#importedGlobals.length;
    return isInteger(this.#module.globals[at]?.type ?? 0) && this.#initialiser(at) !== undefined;
  }

  /** The initialiser of a global as the engine can take it: one constant. */
  #initialiser(index: number): number[] | undefined {
    const { at, end } = this.#module.globals[index] as Module["globals"][number];
    const first = this.bytes[at];
    if (first === 0x23) {
      const source = new Reader(this.bytes, at + 1).u32();
      return this.#importedGlobals[source] !== undefined && this.#globalFits(source) ? [(this.#importedGlobals[source]?.type ?? 0) === I64 ? 0x42 : 0x41, ...SPECTEST_VALUE, 0x0b] : undefined;
    }
    const constant = new Reader(this.bytes, at + 1);
    if (first === 0x41) constant.signed(32);
    else if (first === 0x42) constant.signed(64);
    else return undefined;
    return constant.at === end - 1 ? [...this.bytes.subarray(at, end)] : undefined;
  }

  #globals(): number[][] {
    const zero = (type: number): number[] => [isInteger(type) ? type : I32, 1, type === I64 ? 0x42 : 0x41, 0, 0x0b];
    return [
      ...this.#importedGlobals.map(({ type }, index) => (this.#globalFits(index) ? [type, 0, type === I64 ? 0x42 : 0x41, ...SPECTEST_VALUE, 0x0b] : zero(type & 0xff))),
      ...this.#module.globals.map(({ type, mutable }, index) => {
        const initialiser = isInteger(type) ? this.#initialiser(index) : undefined;
        return initialiser === undefined ? zero(type) : [type, mutable ? 1 : 0, ...initialiser];
      }),
    ];
  }

  #segments(): number[][] {
    return this.#module.segments.flatMap(({ passive, address, length, content }) => {
      if (passive) return [];
      if (address === undefined || !this.#hasMemory) {
        this.#tainted = true;
        return [];
      }
      return [[0, 0x41, ...signed(address), 0x0b, ...number(length), ...this.bytes.subarray(content, content + length)]];
    });
  }

  #exports(): Adapted["exports"] {
    const functions = this.#module.exports.filter(({ kind }) => kind === "function");
    return new Map(functions.map(({ name, index }) => {
      const type = this.#module.types[this.#types[index] ?? -1];
      return [name, this.#callable(index) && type !== undefined ? { index, ...type } : undefined];
    }));
  }

  #exportedGlobals(): Adapted["globals"] {
    const globals = this.#module.exports.filter(({ kind }) => kind === "global");
    return new Map(globals.map(({ name, index }) => {
      const type = index < this.#importedGlobals.length ? (this.#importedGlobals[index]?.type ?? 0) & 0xff : (this.#module.globals[index - this.#importedGlobals.length]?.type ?? 0);
      return [name, this.#globalFits(index) ? { index, type } : undefined];
    }));
  }
}

/** Signed LEB128 of a u32 address. */
function signed(address: number): number[] {
  const out: number[] = [];
  for (let value = address | 0; ; value >>= 7) {
    const octet = value & 0x7f;
    const last = value >> 6 === 0 || value >> 6 === -1;
    out.push(last ? octet : octet | 0x80);
    if (last) return out;
  }
}
