/** The side table's maker: what it refuses by name, the stack bound, the long form, and that the engine's own maker gives the same octets. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { makeSideTable } from "../../host/tool/side-table.js";
import { hexOf } from "../../host/tool/spec-driver.js";
import { Rng } from "../sim/core/rng.js";
import { agentWasm } from "./inplace-agent.js";
import { skip, startEngine } from "./inplace-kit.js";
import { assemble, I32, I64, operatorModule, randomModule, type FunctionSpec } from "./inplace-modules.js";

const of = (code: number[], more: Partial<FunctionSpec> = {}): FunctionSpec => ({ name: "f", parameters: [], result: undefined, locals: [], code, ...more });
const moduleOf = (...functions: FunctionSpec[]): Uint8Array => assemble({ functions: functions.map((one, n) => ({ ...one, name: `f${n}` })), globals: [], data: [] });
const stackOf = (...functions: FunctionSpec[]): number => makeSideTable(moduleOf(...functions)).stack / 4;

/** Guard, frame and spare words of one function that does nothing. */
const LEAST = 4 + 2 + 2;

describe("makeSideTable", () => {
  test("refuses by name what is outside the subset", () => {
    const cases: [RegExp, number[]][] = [
      [/memory\.grow/, [0x41, 0, 0x40, 0, 0x1a]], [/f32\.const/, [0x43, 0, 0, 0, 0, 0x1a]], [/call_indirect/, [0x41, 0, 0x11, 0, 0]], [/ref\.null/, [0xd0, 0x70, 0x1a]],
      [/SIMD/, [0xfd, 0x0c]], [/memory\.init/, [0xfc, 8, 0, 0]], [/select \(typed\)/, [0x1c, 1, I32]], [/multi-value/, [0x02, 0x00, 0x0b]], [/return_call/, [0x12, 0]],
    ];
    for (const [pattern, code] of cases) assert.throws(() => makeSideTable(moduleOf(of(code))), pattern);
    assert.throws(() => makeSideTable(moduleOf(of([], { locals: new Array<127>(256).fill(I32) }))), /255 words/);
  });

  test("refuses recursion, and names the circle", () => {
    const wasm = moduleOf(of([0x10, 1]), of([0x10, 2]), of([0x10, 1]));
    assert.throws(() => makeSideTable(wasm), /recursion: function 1 calls 2 calls 1/);
    assert.equal(makeSideTable(wasm, { recursion: "allow" }).stack, 0);
  });

  test("bounds the stack to the word: locals, operands, the deepest call, operands below it", () => {
    assert.equal(stackOf(of([])), LEAST);
    assert.equal(stackOf(of([], { parameters: [I32, I64], locals: [I64] })), LEAST + 5);
    assert.equal(stackOf(of([0x41, 1, 0x42, 2, 0x1a, 0x1a])), LEAST + 3);
    // one operand stays below the callee, whose parameter is the caller's operand
    const caller = of([0x42, 1, 0x41, 1, 0x10, 1, 0x1a]);
    assert.equal(stackOf(caller, of([], { parameters: [I32], locals: [I32, I32] })), LEAST + 2 + 1 + 2 + 2);
  });

  test("takes the long form for a branch over more than 8 kB, and for more than seven words to drop", () => {
    const nops = new Array<number>(9000).fill(1);
    assert.equal(makeSideTable(moduleOf(of([0x02, 0x40, 0x0c, 0, ...nops, 0x0b]))).longs, 1);
    assert.equal(makeSideTable(moduleOf(of([0x02, 0x40, 0x0c, 0, ...nops.slice(1000), 0x0b]))).longs, 0);
    const operands = new Array<number[]>(8).fill([0x41, 1]).flat();
    assert.equal(makeSideTable(moduleOf(of([0x02, 0x40, ...operands, 0x0c, 0, 0x0b]))).longs, 1);
    assert.equal(makeSideTable(moduleOf(of([0x02, 0x40, ...operands.slice(2), 0x0c, 0, 0x0b]))).longs, 0);
  });

  test("gives the octets that the engine's own maker gives: for the agent, every operator, random modules, long branches", { skip }, async () => {
    const engine = await startEngine({ validate: 1 });
    const long = moduleOf(of([0x02, 0x40, 0x03, 0x40, ...new Array<number>(9000).fill(1), 0x41, 1, 0x0d, 0, 0x0c, 1, 0x0b, 0x0b]));
    const modules = [agentWasm(), long, assemble(operatorModule(new Rng(3))), ...Array.from({ length: 150 }, (_, seed) => assemble(randomModule(new Rng(seed))))];
    for (const [n, wasm] of modules.entries()) {
      const { bytes, stack } = makeSideTable(wasm);
      const { code, words, text } = await engine.send(`make ${hexOf(wasm)} ${stack.toString(16)}`);
      assert.equal(code, 0, text);
      assert.ok(words[0] === hexOf(bytes), `module ${n}`);
    }
    await engine.close();
  });

  test("the agent fits: a stack bound below 512 octets, no long entries", () => {
    const { stack, longs } = makeSideTable(agentWasm());
    assert.ok(stack > 0 && stack <= 512 && longs === 0, `${stack} octets, ${longs} long entries`);
  });
});
