/**
 * The build gate: what the finished agent must be, so that any host can run it in place from flash (host/README.md).
 * No imports, exactly the six exports, one memory of one page, integers only, and within its budgets.
 */
import { instructions, readModule, WasmError, type FunctionType, type Module } from "./wasm.js";
import { hex } from "./opcodes.js";

/** Octets of the wasm file. */
export const SIZE_BUDGET = 30_720;
/** Octets of linear memory that a host must back: what ipa_memory() returns. */
export const STATIC_BUDGET = 9_216;

/** The exported functions with their signatures (host/README.md, "Exports"). */
const FUNCTIONS: Readonly<Record<string, string>> = {
  ipa_abi: "() -> i32",
  ipa_mailbox: "() -> i32",
  ipa_capacity: "() -> i32",
  ipa_memory: "() -> i32",
  ipa_step: "(i32) -> i32",
};

const TYPE_NAMES: Readonly<Record<number, string>> = { 0x7f: "i32", 0x7e: "i64", 0x7d: "f32", 0x7c: "f64", 0x7b: "v128", 0x70: "funcref", 0x6f: "externref" };

/** The part of V8's API used here; the types of @types/node don't have it. */
declare const WebAssembly: {
  Module: (new (bytes: Uint8Array) => object) & { imports(module: object): unknown[] };
  Instance: new (module: object) => { exports: Record<string, unknown> };
};

export interface Budget {
  size: number;
  static: number;
}

export interface GateReport {
  /** One sentence for each broken rule; empty: the module passes. */
  problems: string[];
  size: number;
  /** What ipa_memory() returned; undefined when it could not be called. */
  staticEnd: number | undefined;
  module: Module | undefined;
  /** Distinct instructions used, sorted. */
  instructions: string[];
}

/** Checks a module against all rules. */
export function checkModule(bytes: Uint8Array, budget: Budget = { size: SIZE_BUDGET, static: STATIC_BUDGET }): GateReport {
  const problems: string[] = [];
  const used = new Set<string>();
  let module: Module | undefined;
  try {
    module = readModule(bytes);
    checkStructure(module, problems);
    checkExports(module, problems);
    checkTypes(module, problems);
    checkCode(bytes, module, problems, used);
  } catch (error) {
    if (!(error instanceof WasmError)) throw error;
    problems.push(error.message);
  }
  if (bytes.length > budget.size) problems.push(`size: ${bytes.length} B, and the budget is ${budget.size} B`);
  const staticEnd = runMemory(bytes, problems);
  if (staticEnd !== undefined) checkMemory(staticEnd, budget.static, module, problems);
  return { problems, size: bytes.length, staticEnd, module, instructions: [...used].sort() };
}

function checkStructure(module: Module, problems: string[]): void {
  for (const { module: from, name } of module.imports) problems.push(`import: ${from}.${name}, and none is allowed`);
  if (module.memories.length !== 1) problems.push(`memory: ${module.memories.length} memories, and exactly one is allowed`);
  for (const { flags, minimum, maximum } of module.memories) {
    if (flags > 1) problems.push(`memory: flags ${hex(flags)} (shared or 64-bit), and only 00 and 01 are allowed`);
    if (minimum !== 1 || maximum !== 1) problems.push(`memory: ${minimum} to ${maximum ?? "any number of"} pages, and it must be one page, minimum and maximum`);
  }
  if (module.start !== undefined) problems.push(`start: function ${module.start} would run at instantiation, and none is allowed`);
  if (module.tables > 0) problems.push(`table: ${module.tables}, and none is allowed`);
  if (module.elements > 0) problems.push(`element segments: ${module.elements}, and none is allowed`);
  if (module.dataCount !== undefined && module.dataCount !== module.segments.length) {
    problems.push(`data count: ${module.dataCount}, and there are ${module.segments.length} data segments`);
  }
  for (const segment of module.segments) {
    if (segment.passive) problems.push(`data segment at offset ${segment.offset} is passive, and only active ones are allowed`);
    else if (segment.address === undefined) problems.push(`data segment at offset ${segment.offset} has no constant address`);
  }
}

function checkExports(module: Module, problems: string[]): void {
  const wanted = new Set(["memory", ...Object.keys(FUNCTIONS)]);
  for (const { name, kind, index } of module.exports) {
    if (!wanted.delete(name)) problems.push(`export: ${kind} ${name}, and only memory, ${Object.keys(FUNCTIONS).join(", ")} are allowed`);
    else if (kind !== (name === "memory" ? "memory" : "function")) problems.push(`export: ${name} is a ${kind}`);
    else if (name !== "memory") checkSignature(name, module.types[module.functions[index - module.imports.length] ?? -1], problems);
  }
  for (const name of wanted) problems.push(`export: ${name} is missing`);
}

function checkSignature(name: string, type: FunctionType | undefined, problems: string[]): void {
  const list = (types: readonly number[]): string => types.map(typeName).join(", ");
  const got = type === undefined ? "no type" : `(${list(type.parameters)}) -> ${list(type.results) || "nothing"}`;
  if (got !== FUNCTIONS[name]) problems.push(`export: ${name} is ${got}, and must be ${FUNCTIONS[name]}`);
}

/** Integers only, one result at most. */
function checkTypes(module: Module, problems: string[]): void {
  const refuse = (type: number, where: string): void => {
    if (type !== 0x7f && type !== 0x7e) problems.push(`type: ${typeName(type)} in ${where}, and only i32 and i64 are allowed`);
  };
  module.types.forEach(({ parameters, results }, index) => {
    for (const type of [...parameters, ...results]) refuse(type, `function type ${index}`);
    if (results.length > 1) problems.push(`multi-value: function type ${index} has ${results.length} results`);
  });
  module.globals.forEach(({ type }, index) => refuse(type, `global ${index}`));
  module.bodies.forEach(({ localTypes, offset }) => localTypes.forEach((type) => refuse(type, `the locals of the function at offset ${offset}`)));
}

function checkCode(bytes: Uint8Array, module: Module, problems: string[], used: Set<string>): void {
  module.bodies.forEach((body, index) => {
    for (const { name, offset, immediate, blockType } of instructions(bytes, body)) {
      used.add(name);
      const where = `at offset ${offset} (0x${hex(offset)}) in function ${module.imports.length + index}`;
      if (immediate === undefined) problems.push(`instruction: ${name} ${where} is not of the subset`);
      else if (blockType !== undefined && blockType >= 0x100) problems.push(`multi-value: ${name} ${where} has function type ${blockType - 0x100} as its block type`);
      else if (blockType !== undefined && blockType !== 0x40 && blockType !== 0x7f && blockType !== 0x7e) problems.push(`type: ${typeName(blockType)} as block type ${where}`);
    }
  });
}

/** V8's opinion, and what ipa_memory() returns. */
function runMemory(bytes: Uint8Array, problems: string[]): number | undefined {
  try {
    const compiled = new WebAssembly.Module(Uint8Array.from(bytes));
    if (WebAssembly.Module.imports(compiled).length > 0) return undefined;
    const memory = new WebAssembly.Instance(compiled).exports["ipa_memory"];
    return typeof memory === "function" ? Number(memory()) : undefined;
  } catch (error) {
    problems.push(`V8: ${(error as Error).message}`);
    return undefined;
  }
}

function checkMemory(staticEnd: number, budget: number, module: Module | undefined, problems: string[]): void {
  if (staticEnd <= 0 || staticEnd > budget) problems.push(`static data: ipa_memory() is ${staticEnd}, and the budget is ${budget} B`);
  for (const { address, length, offset } of module?.segments ?? []) {
    if (address !== undefined && address + length > staticEnd) {
      problems.push(`data segment at offset ${offset} fills memory up to ${address + length}, above ipa_memory() ${staticEnd}`);
    }
  }
}

function typeName(type: number): string {
  return TYPE_NAMES[type] ?? `type ${hex(type)}`;
}
