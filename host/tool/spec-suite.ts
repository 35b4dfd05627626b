/**
 * Runs one file of WebAssembly spec tests (.wast, through wabt's wast2json) on the in-place engine and counts: executed, skipped, differences.
 * Skipped is only what reaches something outside the engine's subset, texts of modules that wast2json keeps as text, and linking
 * between modules (assert_unlinkable, register). Each module's side table is made twice, by side-table.ts and by the C maker, and compared.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { adapt, type Adapted } from "./spec-adapt.js";
import { hexOf, type Answer, type EngineProcess } from "./spec-driver.js";
import { makeSideTable } from "./side-table.js";
import { WasmError } from "./wasm.js";

export interface FileResult {
  file: string;
  executed: number;
  /** How many, by reason. */
  skipped: Map<string, number>;
  differences: string[];
  /** What wast2json says when it can't read the file. */
  unreadable?: string;
}

interface Value {
  type: string;
  value?: string;
}

interface Action {
  type: "invoke" | "get";
  module?: string;
  field: string;
  args?: Value[];
}

interface Command {
  type: string;
  line: number;
  filename?: string;
  module_type?: string;
  name?: string;
  action?: Action;
  expected?: Value[];
  text?: string;
}

interface Instance {
  adapted: Adapted;
  tainted: boolean;
  side: Uint8Array;
}

const STACK = 262_140;
/** Modules with more linear memory than this are not run (512 MiB would be backed for a few size tests). */
const MOST_PAGES = 1024;
const STACK_EXHAUSTED = -33;
const REFUSED = -30;

const TYPES: Readonly<Record<string, number>> = { i32: 0x7f, i64: 0x7e };

/** wast2json's files for one .wast: first as wabt takes it by default, then with every proposal. */
function convert(file: string, directory: string): { commands: Command[] } | { problem: string } {
  const output = join(directory, "suite.json");
  let problem = "";
  for (const flags of [[], ["--enable-all"], ["--disable-reference-types", "--disable-bulk-memory"]]) {
    const { status, stderr, error } = spawnSync("wast2json", [...flags, file, "-o", output], { encoding: "utf8" });
    if (error !== undefined) throw error;
    if (status === 0) return JSON.parse(readFileSync(output, "utf8")) as { commands: Command[] };
    problem ||= stderr.split("\n").find((line) => line.includes("error")) ?? `exit code ${status}`;
  }
  return { problem: problem.trim() };
}

/** engine: a build of test/host/inplace_driver.c. */
export async function runFile(file: string, engine: EngineProcess): Promise<FileResult> {
  const directory = mkdtempSync(join(tmpdir(), "spec-"));
  try {
    const converted = convert(file, directory);
    if ("problem" in converted) return { file, executed: 0, skipped: new Map(), differences: [], unreadable: converted.problem };
    return await new SuiteRun(file, directory, engine).run(converted.commands);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

class SuiteRun {
  readonly #result: FileResult;
  /** The engine holds one instance; another one is opened anew, and its state is gone. */
  #current: Instance | undefined;
  #currentName: string | undefined;
  #why = "";

  constructor(file: string, readonly directory: string, readonly engine: EngineProcess) {
    this.#result = { file, executed: 0, skipped: new Map(), differences: [] };
  }

  async run(commands: readonly Command[]): Promise<FileResult> {
    for (const command of commands) await this.#command(command);
    return this.#result;
  }

  async #command(command: Command): Promise<void> {
    switch (command.type) {
      case "module": return this.#module(command);
      case "assert_return":
      case "assert_trap":
      case "assert_exhaustion":
      case "action": return command.action === undefined ? this.#instantiationTraps(command) : this.#action(command, command.action);
      case "assert_uninstantiable": return this.#instantiationTraps(command);
      case "assert_invalid":
      case "assert_malformed": return this.#refused(command);
      default: return this.#skip(command.type);
    }
  }

  #skip(reason: string): void {
    this.#result.skipped.set(reason, (this.#result.skipped.get(reason) ?? 0) + 1);
  }

  #judge(command: Command, holds: boolean, what: string): void {
    this.#result.executed++;
    if (!holds) this.#result.differences.push(`${basename(this.#result.file)}:${command.line}: ${command.type} ${command.action?.field ?? ""}: ${what}`);
  }

  #bytes(command: Command): Uint8Array {
    return readFileSync(join(this.directory, command.filename as string));
  }

  async #module(command: Command): Promise<void> {
    this.#current = undefined;
    this.#currentName = command.name;
    const opened = await this.#open(command);
    if (opened === undefined) return this.#skip(this.#why);
    const { answer, instance } = opened;
    this.#judge(command, answer.code === 0, `the module is refused: ${answer.text}`);
    if (answer.code !== 0) return;
    this.#current = instance;
    if (instance.adapted.start === undefined) return;
    const started = await this.engine.call(instance.adapted.start, [], 0);
    if (await this.#wentOutside()) instance.tainted = true;
    else this.#judge(command, started.code === 0, `the start function gave ${started.text}`);
  }

  /** Undefined: not for this engine, for the reason in #why. */
  async #open(command: Command): Promise<{ answer: Answer; instance: Instance } | undefined> {
    try {
      const adapted = adapt(this.#bytes(command));
      if (adapted.pages > MOST_PAGES) throw new WasmError("memory too large to be backed");
      const { bytes: side } = makeSideTable(adapted.bytes, { recursion: "allow" });
      const made = await this.engine.send(`make ${hexOf(adapted.bytes)} ${new DataView(side.buffer).getUint32(8, true).toString(16)}`);
      this.#judge(command, made.words[0] === hexOf(side), `the side tables of side-table.ts and of the C maker differ: ${made.text}`);
      const answer = await this.engine.open(adapted.bytes, { memory: adapted.pages * 65536, stack: STACK, side });
      await this.engine.send("fuel 7fffffff");
      return { answer, instance: { adapted, tainted: adapted.tainted, side } };
    } catch (error) {
      if (!(error instanceof WasmError) && !(error instanceof TypeError)) throw error;
      this.#why = `module: ${error.message.replace(/\d+/g, "N")}`;
      return undefined;
    }
  }

  /** Whether the last call got to a replaced function; the marker is cleared. */
  async #wentOutside(): Promise<boolean> {
    const instance = this.#current as Instance;
    const { words } = await this.engine.send(`global ${instance.adapted.marker.toString(16)}`);
    if (words[0] !== "1") return false;
    await this.engine.send(`setglobal ${instance.adapted.marker.toString(16)} 0`);
    if (instance.adapted.stateful) instance.tainted = true;
    return true;
  }

  async #action(command: Command, action: Action): Promise<void> {
    const instance = this.#current;
    if (instance === undefined) return this.#skip("module that could not be run");
    if (action.module !== undefined && action.module !== this.#currentName) return this.#skip("action on an earlier module");
    const values = action.args ?? [];
    if ([...values, ...(command.expected ?? [])].some(({ type }) => TYPES[type] === undefined)) return this.#skip("value outside the subset");
    const before = instance.tainted;
    const differs = action.type === "get" ? await this.#get(command, action) : await this.#invoke(command, action, values);
    if (differs === undefined) return;
    if (differs !== "" && before) return this.#skip("state changed by something outside the subset");
    this.#judge(command, differs === "", differs);
  }

  /** What is different, "" for nothing, undefined: skipped. */
  async #get({ expected }: Command, { field }: Action): Promise<string | undefined> {
    const global = this.#current?.adapted.globals.get(field);
    if (global === undefined) return this.#skip("global outside the subset"), undefined;
    const { words } = await this.engine.send(`global ${global.index.toString(16)}`);
    return compare(expected ?? [], words);
  }

  async #invoke(command: Command, { field }: Action, values: readonly Value[]): Promise<string | undefined> {
    const target = this.#current?.adapted.exports.get(field);
    if (target === undefined) return this.#skip("function type outside the subset"), undefined;
    const answer = await this.engine.call(target.index, values.flatMap(wordsOf), target.results.reduce((sum, type) => sum + (type === 0x7e ? 2 : 1), 0));
    if (await this.#wentOutside()) return this.#skip("reaches a function outside the subset"), undefined;
    switch (command.type) {
      case "assert_trap": return answer.code === -31 && sameTrap(command.text ?? "", answer.text) ? "" : `expected the trap "${command.text}", got ${shown(answer)}`;
      case "assert_exhaustion": return answer.code === STACK_EXHAUSTED ? "" : `expected an exhausted stack, got ${shown(answer)}`;
      case "action": return answer.code === 0 ? "" : shown(answer);
      default: return answer.code === 0 ? compare(command.expected ?? [], answer.words.slice(1)) : `expected results, got ${shown(answer)}`;
    }
  }

  /** A module whose instantiation traps: by its start function, or data outside memory. */
  async #instantiationTraps(command: Command): Promise<void> {
    const kept = this.#current;
    const opened = await this.#open(command);
    if (opened === undefined) return this.#skip(this.#why);
    this.#current = opened.instance;
    let traps = opened.answer.code !== 0;
    if (!traps && opened.instance.adapted.start !== undefined) traps = (await this.engine.call(opened.instance.adapted.start, [], 0)).code !== 0;
    if (traps || !opened.instance.tainted) this.#judge(command, traps || opened.instance.adapted.replaced > 0, "instantiation did not trap");
    else this.#skip("instantiation outside the subset");
    this.#current = undefined;
    if (kept === undefined) return;
    const { adapted, side } = kept;
    await this.engine.open(adapted.bytes, { memory: adapted.pages * 65536, stack: STACK, side });
    this.#current = { ...kept, tainted: true };
  }

  /** A module that validation must refuse. */
  async #refused(command: Command): Promise<void> {
    if (command.module_type !== "binary") return this.#skip("module in text form");
    const bytes = this.#bytes(command);
    if (bytes.length > 65535) return this.#skip("module too large");
    const { code, text } = await this.engine.send(`make ${hexOf(bytes)} 0`);
    this.#judge(command, code === REFUSED, `expected "${command.text}", and the module is accepted (${code} ${text})`);
  }
}

function shown({ code, words, text }: Answer): string {
  return code === 0 ? `results ${words.slice(1).join(" ")}` : `${code} "${text}"`;
}

/** Texts of older suites are longer: "unreachable executed". */
function sameTrap(expected: string, got: string): boolean {
  return expected.startsWith(got) || got.startsWith(expected);
}

function wordsOf({ type, value }: Value): number[] {
  const number = BigInt.asUintN(64, BigInt(value as string));
  const low = Number(number & 0xffffffffn);
  return type === "i64" ? [low, Number(number >> 32n)] : [low];
}

function compare(expected: readonly Value[], got: readonly string[]): string {
  const words = expected.flatMap(wordsOf).map((word) => word.toString(16));
  return words.every((word, index) => word === got[index]) ? "" : `expected ${words.join(" ")}, got ${got.join(" ")}`;
}

