/** The in-place engine against V8: one module in both, the same calls, equal results, traps, memory and globals. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildDriver, type Variant } from "../../host/tool/spec-build.js";
import { EngineProcess, fnv } from "../../host/tool/spec-driver.js";
import { makeSideTable } from "../../host/tool/side-table.js";
import { anyValue, ARGUMENTS, asAgent, assemble, I64, operatorModule, randomModule, tinyModule, type FunctionSpec, type ModuleSpec } from "./inplace-modules.js";
import { Rng } from "../sim/core/rng.js";

/** The part of V8's API used here; the types of @types/node don't have it. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { exports: Record<string, unknown> };
  RuntimeError: new () => Error;
};

/** For node:test's `skip`: what must be there to build the engine for this computer, and to read .wast files. */
export const skip: string | false = ["gcc", "wast2json"].filter((program) => spawnSync("which", [program]).status !== 0).map((program) => `${program} is not installed`).join(", ") || false;

export async function startEngine(variant: Variant): Promise<EngineProcess> {
  return new EngineProcess(await buildDriver(variant));
}

/** wasm3 behind the same commands, as far as host/src/wasm.h goes; without sanitizers, since its tail calls need optimisation. */
export async function startWasm3(): Promise<EngineProcess> {
  return new EngineProcess(await buildDriver({ validate: 0, fast: true }, "test/host/engine_driver.c"));
}

export function inV8(wasm: Uint8Array): Record<string, unknown> {
  return new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(wasm))).exports;
}

/** V8's words for a trap, in the specification's. */
const TRAPS: readonly (readonly [RegExp, string])[] = [
  [/unreachable/, "unreachable"],
  [/memory access out of bounds/, "out of bounds memory access"],
  [/(divide|remainder) by zero/, "integer divide by zero"],
  [/divide result unrepresentable/, "integer overflow"],
  [/call stack size exceeded/, "call stack exhausted"],
];

export function trapOf(error: unknown): string {
  const message = (error as Error).message;
  return TRAPS.find(([pattern]) => pattern.test(message))?.[1] ?? message;
}

export const wordsOf = (type: number, value: bigint): number[] =>
  type === I64 ? [Number(BigInt.asUintN(32, value)), Number(BigInt.asUintN(32, value >> 32n))] : [Number(BigInt.asUintN(32, value))];

function callV8(exports: Record<string, unknown>, { name, result }: FunctionSpec, args: readonly (number | bigint)[]): string {
  try {
    const got = (exports[name] as (...args: readonly unknown[]) => unknown)(...args);
    return result === undefined ? "" : wordsOf(result, BigInt(got as number | bigint)).map((word) => word.toString(16)).join(" ");
  } catch (error) {
    if (!(error instanceof WebAssembly.RuntimeError) && !(error instanceof RangeError)) throw error;
    return trapOf(error);
  }
}

export interface Compared {
  calls: number;
  traps: number;
  /** One sentence for each difference. */
  differences: string[];
}

/** Calls functions in turn with chosen arguments, both engines alike. */
export async function compareModule(engine: EngineProcess, spec: ModuleSpec, rng: Rng, calls: number): Promise<Compared> {
  const wasm = assemble(spec);
  const exports = inV8(wasm);
  const memory = new Uint8Array((exports["memory"] as { buffer: ArrayBuffer }).buffer);
  const side = makeSideTable(wasm);
  const out: Compared = { calls: 0, traps: 0, differences: [] };
  const opened = await engine.open(wasm, { memory: 65536, stack: side.stack, side: side.bytes });
  if (opened.code !== 0) return { ...out, differences: [`not opened: ${opened.code} ${opened.text}`] };
  await engine.send("fuel 7fffffff");
  const pending: Promise<void>[] = [];
  const expect = (what: string, wanted: string, got: Promise<string>): void => {
    pending.push(got.then((text) => void (text !== wanted && out.differences.push(`${what}: expected ${wanted}, got ${text}`))));
  };
  for (let n = 0; n < calls; n++) {
    const target = spec.functions[rng.int(spec.functions.length)] as FunctionSpec;
    const values = target.parameters.map((type) => (type === I64 ? BigInt.asIntN(64, anyValue(rng)) : BigInt.asIntN(32, anyValue(rng))));
    const wanted = callV8(exports, target, values.map((value, index) => (target.parameters[index] === I64 ? value : Number(value))));
    const index = spec.functions.indexOf(target);
    const results = target.result === undefined ? 0 : target.result === I64 ? 2 : 1;
    const answer = engine.call(index, values.flatMap((value, at) => wordsOf(target.parameters[at] as number, value)), results);
    const what = `call ${n}, ${target.name}(${values.join(", ")})`;
    expect(what, wanted, answer.then(({ code, words, text }) => (code === 0 ? words.slice(1).join(" ") : text)));
    out.calls++;
    if (/[g-z]/.test(wanted)) out.traps++;
    if (n % 16 === 15 || n === calls - 1) expect(`memory after ${what}`, fnv(memory).toString(16), engine.send("hash").then(({ words }) => words[0] as string));
  }
  spec.globals.forEach(({ type }, index) => {
    const value = wordsOf(type, BigInt((exports[`g${index}`] as { value: number | bigint }).value)).map((word) => word.toString(16));
    expect(`global ${index}`, [...value, "0"].slice(0, 2).join(" "), engine.send(`global ${index.toString(16)}`).then(({ words }) => words.join(" ")));
  });
  await Promise.all(pending);
  const { words } = await engine.send("stack");
  const used = Number.parseInt(words[0] as string, 16);
  if (used > side.stack) out.differences.push(`stack: ${used} octets used, bound is ${side.stack}`);
  return out;
}

/**
 * As compareModule, through host/src/wasm.h alone and so with any engine: calls go through ipa_step, a trap is followed by a reset.
 * Traps are compared as such, not by kind.
 */
export async function compareAsAgent(engine: EngineProcess, spec: ModuleSpec, rng: Rng, calls: number, stack: number): Promise<Compared> {
  const wasm = assemble(asAgent(spec));
  const out: Compared = { calls: 0, traps: 0, differences: [] };
  const opened = await engine.open(wasm, { memory: 65536, stack });
  if (opened.code !== 0) return { ...out, differences: [`not opened: ${opened.code} ${opened.text}`] };
  let exports = inV8(wasm);
  const pending: Promise<void>[] = [];
  for (let n = 0; n < calls; n++) {
    const index = rng.int(spec.functions.length);
    const memory = new Uint8Array((exports["memory"] as { buffer: ArrayBuffer }).buffer);
    const args = new Uint8Array((spec.functions[index] as FunctionSpec).parameters.length * 8);
    for (let at = 0; at < args.length; at += 8) new DataView(args.buffer).setBigInt64(at, BigInt.asIntN(64, anyValue(rng)), true);
    memory.set(args, ARGUMENTS);
    let wanted: number | undefined;
    try {
      wanted = (exports["ipa_step"] as (n: number) => number)(index);
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError) && !(error instanceof RangeError)) throw error;
      out.traps++;
    }
    const expected = `${wanted === undefined ? "trap" : wanted}, memory ${fnv(memory).toString(16)}`;
    const [, stepped, hashed] = [engine.write(ARGUMENTS, args), engine.step(index), engine.send("hash")];
    pending.push(Promise.all([stepped, hashed]).then(([{ code, words }, hash]) => {
      const got = `${code !== 0 ? "trap" : Number.parseInt(words[0] as string, 16)}, memory ${hash.words[0]}`;
      if (got !== expected) out.differences.push(`call ${n}, ${spec.functions[index]?.name}: expected ${expected}, got ${got}`);
    }));
    out.calls++;
    if (wanted !== undefined) continue;
    pending.push(engine.send("reset").then(() => undefined));
    exports = inV8(wasm);
  }
  await Promise.all(pending);
  return out;
}

/** What test/host/mutate_inplace.c mutates, as pairs of files: the agent, every operator, random modules, and very short ones. */
export function writePairs(directory: string, agent: Uint8Array, seed: number): string[] {
  const specs = [operatorModule(new Rng(seed)), ...Array.from({ length: 20 }, (_, n) => randomModule(new Rng(seed + n))), ...Array.from({ length: 12 }, (_, n) => tinyModule(new Rng(seed + n)))];
  return [agent, ...specs.map(assemble)].flatMap((wasm, n) => {
    const pair = [join(directory, `${n}.wasm`), join(directory, `${n}.side`)] as const;
    writeFileSync(pair[0], wasm);
    writeFileSync(pair[1], makeSideTable(wasm).bytes);
    return pair;
  });
}
