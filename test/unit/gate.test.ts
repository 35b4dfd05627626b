/** The build gate: a module that keeps all rules, and for each rule one that breaks just it. Modules are made by hand. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { checkModule } from "../../host/tool/gate.js";
import { instructions, readModule } from "../../host/tool/wasm.js";
import { opcode, opcodeFc } from "../../host/tool/opcodes.js";

const I32 = 0x7f;
const I64 = 0x7e;
const F32 = 0x7d;
const FUNC = 0;
const MEMORY = 2;
const STATIC_END = [0x80, 0x10]; // 2048, signed LEB128

const vector = (...items: number[][]): number[] => [items.length, ...items.flat()];
const text = (value: string): number[] => [value.length, ...Buffer.from(value)];
const size = (n: number): number[] => (n < 0x80 ? [n] : [(n & 0x7f) | 0x80, ...size(n >> 7)]);
const section = (id: number, content: number[]): number[] => [id, ...size(content.length), ...content];
const type = (parameters: number[], results: number[]): number[] => [0x60, ...vector(...parameters.map((t) => [t])), ...vector(...results.map((t) => [t]))];
const body = (code: number[], locals: number[][] = []): number[] => {
  const content = [...vector(...locals), ...code, 0x0b];
  return [...size(content.length), ...content];
};
const exported = (name: string, kind: number, index: number): number[] => [...text(name), kind, index];

interface Parts {
  types: number[][];
  imports?: number[][];
  functions: number[][];
  table?: number[];
  memory: number[][];
  globals: number[][];
  exports: number[][];
  start?: number;
  elements?: number[][];
  dataCount?: number;
  /** Bodies of functions 0..5: abi, mailbox, capacity, memory, step, and one that nobody calls. */
  code: number[][];
  data: number[][];
}

/** A module that keeps every rule. */
function good(): Parts {
  return {
    types: [type([], [I32]), type([I32], [I32]), type([], [])],
    functions: [[0], [0], [0], [0], [1], [2]],
    memory: [[0x01, 1, 1]],
    globals: [[I32, 1, 0x41, 0, 0x0b]],
    exports: [
      exported("memory", MEMORY, 0), exported("ipa_abi", FUNC, 0), exported("ipa_mailbox", FUNC, 1),
      exported("ipa_capacity", FUNC, 2), exported("ipa_memory", FUNC, 3), exported("ipa_step", FUNC, 4),
    ],
    code: [body([0x41, 0]), body([0x41, 8]), body([0x41, 8]), body([0x41, ...STATIC_END]), body([0x20, 0]), body([])],
    data: [[0, 0x41, 8, 0x0b, ...vector([1], [2], [3])]],
  };
}

function assemble(parts: Parts): Uint8Array {
  const optional = (id: number, content: number[] | undefined): number[] => (content === undefined ? [] : section(id, content));
  return Uint8Array.from([
    0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, vector(...parts.types)),
    ...optional(2, parts.imports && vector(...parts.imports)),
    ...section(3, vector(...parts.functions)),
    ...optional(4, parts.table && vector(parts.table)),
    ...section(5, vector(...parts.memory)),
    ...section(6, vector(...parts.globals)),
    ...section(7, vector(...parts.exports)),
    ...optional(8, parts.start === undefined ? undefined : [parts.start]),
    ...optional(9, parts.elements && vector(...parts.elements)),
    ...optional(12, parts.dataCount === undefined ? undefined : [parts.dataCount]),
    ...section(10, vector(...parts.code)),
    ...section(11, vector(...parts.data)),
  ]);
}

/** The good module with changes; `idle` replaces the body of the function that nobody calls. */
function problems(change: Partial<Parts> & { idle?: number[] }): string[] {
  const parts = { ...good(), ...change };
  if (change.idle) parts.code = [...parts.code.slice(0, 5), change.idle];
  return checkModule(assemble(parts)).problems;
}

/** Exactly one problem, and this one. (V8 may have its own words for the same.) */
function refuses(change: Parameters<typeof problems>[0], expected: RegExp): void {
  const found = problems(change);
  const ours = found.filter((problem) => !problem.startsWith("V8:"));
  assert.equal(ours.length, 1, `expected one problem, got ${JSON.stringify(found)}`);
  assert.match(ours[0] as string, expected);
}

describe("the gate", () => {
  test("a module that keeps every rule passes, and its figures are read", () => {
    const report = checkModule(assemble(good()));
    assert.deepEqual(report.problems, []);
    assert.equal(report.staticEnd, 2048);
    assert.equal(report.module?.functions.length, 6);
    assert.deepEqual(report.instructions, ["end", "i32.const", "local.get"]);
  });

  test("an import is refused", () => {
    const shifted = { exports: good().exports.map((entry, i) => (i === 0 ? entry : [...entry.slice(0, -1), (entry.at(-1) as number) + 1])) };
    refuses({ ...shifted, imports: [[...text("env"), ...text("abort"), FUNC, 2]] }, /^import: env\.abort/);
  });

  test("a missing export, one too many, one of another kind and one of another type are refused", () => {
    const { exports } = good();
    refuses({ exports: exports.slice(0, -1) }, /^export: ipa_step is missing/);
    refuses({ exports: [...exports, exported("__heap_base", 3, 0)] }, /^export: global __heap_base, and only/);
    refuses({ exports: [...exports.slice(0, -1), exported("ipa_step", 3, 0)] }, /^export: ipa_step is a global/);
    refuses({ exports: [...exports.slice(0, -1), exported("ipa_step", FUNC, 0)] }, /^export: ipa_step is \(\) -> i32, and must be \(i32\) -> i32/);
  });

  test("a memory of two pages, without a maximum, or shared is refused", () => {
    refuses({ memory: [[0x01, 1, 2]] }, /^memory: 1 to 2 pages/);
    refuses({ memory: [[0x01, 2, 2]] }, /^memory: 2 to 2 pages/);
    refuses({ memory: [[0x00, 1]] }, /^memory: 1 to any number of pages/);
    refuses({ memory: [[0x03, 1, 1]] }, /^memory: flags 03/);
  });

  test("two memories, and none, are refused", () => {
    refuses({ memory: [[0x01, 1, 1], [0x01, 1, 1]] }, /^memory: 2 memories/);
    refuses({ memory: [], exports: good().exports }, /^memory: 0 memories/);
  });

  test("a start function, a table and element segments are refused", () => {
    refuses({ start: 5 }, /^start: function 5/);
    refuses({ table: [0x70, 0x01, 1, 1] }, /^table: 1/);
    const found = problems({ table: [0x70, 0x01, 1, 1], elements: [[0, 0x41, 0, 0x0b, ...vector([5])]] });
    assert.ok(found.some((problem) => /^element segments: 1/.test(problem)), JSON.stringify(found));
  });

  test("a passive data segment, and one whose address is no constant, are refused", () => {
    refuses({ data: [[1, ...vector([1])]] }, /^data segment at offset \d+ is passive/);
    refuses({ globals: [[I32, 0, 0x41, 0, 0x0b]], data: [[0, 0x23, 0, 0x0b, ...vector([1])]] }, /^data segment at offset \d+ has no constant address/);
  });

  test("a data count that is the number of segments passes, another is refused", () => {
    assert.deepEqual(problems({ dataCount: 1 }), []);
    refuses({ dataCount: 2 }, /^data count: 2, and there are 1/);
  });

  test("a data segment above ipa_memory() is refused", () => {
    refuses({ data: [[0, 0x41, 0xff, 0x0f, 0x0b, ...vector([1], [2])]] }, /fills memory up to 2049, above ipa_memory\(\) 2048/);
  });

  test("a float in a type, a global or a local, and a second result, are refused", () => {
    refuses({ types: [...good().types, type([F32], [])] }, /^type: f32 in function type 3/);
    refuses({ globals: [[F32, 0, 0x43, 0, 0, 0, 0, 0x0b]] }, /^type: f32 in global 0/);
    refuses({ idle: body([], [[1, F32]]) }, /^type: f32 in the locals/);
    refuses({ types: [...good().types, type([], [I32, I64])] }, /^multi-value: function type 3 has 2 results/);
  });

  test("the size and the static data have budgets", () => {
    const bytes = assemble(good());
    assert.deepEqual(checkModule(bytes, { size: bytes.length, static: 2048 }).problems, []);
    assert.match(checkModule(bytes, { size: bytes.length - 1, static: 2048 }).problems.join(), /^size: \d+ B, and the budget is/);
    assert.match(checkModule(bytes, { size: bytes.length, static: 2047 }).problems.join(), /^static data: ipa_memory\(\) is 2048, and the budget is 2047 B/);
  });

  test("what V8 does not validate is refused", () => {
    assert.ok(problems({ idle: body([0x6a]) }).some((problem) => problem.startsWith("V8: ")), "i32.add without operands");
  });

  test("a file that is no module, and each truncation of a good one that loses more than its data, are refused", () => {
    assert.match(checkModule(Uint8Array.from([1, 2, 3])).problems.join(), /expected a WebAssembly module of version 1 .* got 010203/);
    const bytes = assemble(good());
    const withoutData = readModule(bytes).sections.at(-1)?.offset as number;
    assert.deepEqual(checkModule(bytes.subarray(0, withoutData)).problems, [], "still a whole module");
    for (let length = 0; length < bytes.length; length++) if (length !== withoutData) assert.notDeepEqual(checkModule(bytes.subarray(0, length)).problems, [], `${length} octets`);
  });
});

describe("the subset of instructions", () => {
  const REFUSED: Record<string, number[]> = {
    "f32.const": [0x43, 0, 0, 0, 0, 0x1a],
    "f64.const": [0x44, 0, 0, 0, 0, 0, 0, 0, 0, 0x1a],
    "f32.load": [0x41, 0, 0x2a, 2, 0, 0x1a],
    "i32.trunc_sat_f32_s": [0xfc, 0],
    "f32.convert_i32_s": [0x41, 0, 0xb2, 0x1a],
    "memory.grow": [0x41, 0, 0x40, 0, 0x1a],
    "memory.init": [0xfc, 8, 0, 0],
    "data.drop": [0xfc, 9, 0],
    "call_indirect": [0x41, 0, 0x11, 2, 0],
    "return_call": [0x12, 5],
    "select (typed)": [0x41, 0, 0x41, 0, 0x41, 0, 0x1c, 1, I32, 0x1a],
    "ref.null": [0xd0, 0x70, 0x1a],
    "table.get": [0x41, 0, 0x25, 0, 0x1a],
    "SIMD (prefix FD)": [0xfd, 0x0c, ...new Array<number>(16).fill(0), 0x1a],
    "threads (prefix FE)": [0xfe, 0x03, 0],
    "throw": [0x08, 0],
  };
  for (const [name, code] of Object.entries(REFUSED)) {
    test(`${name} is refused by name and offset`, () => {
      const expected = new RegExp(`^instruction: ${name.replace(/[().]/g, "\\$&")} at offset \\d+ \\(0x[0-9A-F]+\\) in function 5 is not of the subset`);
      refuses({ idle: body(code) }, expected);
    });
  }

  test("the offset is that of the opcode in the file", () => {
    const bytes = assemble({ ...good(), code: [...good().code.slice(0, 5), body([0x01, 0x41, 0, 0x40, 0, 0x1a])] });
    const offset = Number(/at offset (\d+)/.exec(checkModule(bytes).problems.join())?.[1]);
    assert.equal(bytes[offset], 0x40);
    assert.equal(bytes[offset - 2], 0x41);
  });

  test("a block with a function type is refused as multi-value, one with a float result as a float", () => {
    refuses({ idle: body([0x02, 2, 0x0b]) }, /^multi-value: block at offset/);
    const found = problems({ idle: body([0x02, F32, 0x00, 0x0b, 0x1a]) });
    assert.match(found.join(), /^type: f32 as block type/);
  });

  test("control, i32, i64, sign extension, select, br_table, memory.copy and memory.fill pass", () => {
    const code = [
      0x03, 0x40, 0x02, 0x40, 0x41, 0, 0x0e, 1, 0, 1, 0x0b, 0x0b, // loop block br_table
      0x41, 1, 0x04, I64, 0x42, 0x7f, 0x05, 0x42, 0x80, 0x80, 0x80, 0x80, 0x10, 0x0b, 0xc4, 0xa7, 0xc0, 0x1a, // if else, extend32_s, wrap, extend8_s
      0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 10, 0, 0, 0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 11, 0, // memory.copy, memory.fill
      0x41, 1, 0x41, 2, 0x41, 3, 0x1b, 0x1a, 0x3f, 0, 0x1a, 0x41, 0, 0x2d, 0, 0x80, 0x01, 0x1a, // select, memory.size, load8_u
      0x10, 5,
    ];
    assert.deepEqual(problems({ idle: body(code) }), []);
  });

  test("of all opcodes of one octet, exactly the integer ones and control are of the subset", () => {
    const allowed = Array.from({ length: 256 }, (_, code) => code).filter((code) => opcode(code).immediate !== undefined);
    // 22 of control, variables, constants and memory.size; 19 accesses; 22 comparisons; 36 operations; 3 conversions; 5 extensions.
    assert.equal(allowed.length, 22 + 19 + 22 + 36 + 3 + 5);
    assert.equal(opcode(0xa7).name, "i32.wrap_i64");
    assert.equal(opcode(0xc4).name, "i64.extend32_s");
    assert.equal(opcode(0x3e).name, "i64.store32");
    assert.deepEqual(Array.from({ length: 18 }, (_, code) => opcodeFc(code)).filter(({ immediate }) => immediate).map(({ name }) => name), ["memory.copy", "memory.fill"]);
  });

  test("instructions end where the body ends", () => {
    const bytes = assemble(good());
    const { bodies } = readModule(bytes);
    for (const item of bodies) assert.equal([...instructions(bytes, item)].at(-1)?.offset, item.end - 1);
  });
});
