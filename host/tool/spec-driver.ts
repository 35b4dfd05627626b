/**
 * The in-place engine as a child process (test/host/inplace_driver.c): commands are written without waiting, answers come in
 * their order. For the spec runner and the differential tests.
 */
import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";

/** What one command gave: 0 or an ipa_err, and the words behind it. */
export interface Answer {
  code: number;
  words: string[];
  text: string;
}

export interface OpenOptions {
  /** Octets of linear memory and of stack. */
  memory: number;
  stack: number;
  /** Made by the engine's own maker when absent. */
  side?: Uint8Array;
}

export class EngineProcess {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting: { command: string; resolve: (answer: Answer) => void; reject: (error: Error) => void }[] = [];
  #rest = "";
  #errors = "";
  #gone: Error | undefined;

  /** program: what `program("test/host/inplace_driver.c")` of native.mjs built. */
  constructor(program: string) {
    this.#child = spawn(program, [], { stdio: "pipe" });
    this.#child.stdout.setEncoding("latin1").on("data", (text: string) => this.#received(text));
    this.#child.stderr.setEncoding("latin1").on("data", (text: string) => (this.#errors += text));
    this.#child.on("error", (error) => this.#fail(error));
    this.#child.on("close", (code, signal) => this.#fail(new Error(`the engine process ended (${signal ?? code}): ${this.#errors.slice(0, 2000)}`)));
    this.#child.stdin.on("error", () => undefined); // the close event says it
  }

  #received(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() as string;
    for (const line of lines) {
      const [code, ...words] = line.trim().split(" ");
      this.#waiting.shift()?.resolve({ code: Number(code), words, text: words.slice(1).join(" ") });
    }
  }

  #fail(error: Error): void {
    this.#gone ??= error;
    for (const { command, reject } of this.#waiting.splice(0)) reject(new Error(`${command.slice(0, 200)}: ${error.message}`));
  }

  send(command: string): Promise<Answer> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ command, resolve, reject });
      this.#child.stdin.write(`${command}\n`);
    });
  }

  open(wasm: Uint8Array, { memory, stack, side }: OpenOptions): Promise<Answer> {
    return this.send(`open ${memory.toString(16)} ${stack.toString(16)} ${hexOf(wasm)} ${side === undefined ? "-" : hexOf(side)}`);
  }

  /** Words are 32 bits, an i64 is two, low one first; so are the results in the answer's words from 1 on. */
  call(index: number, words: readonly number[], results: number): Promise<Answer> {
    return this.send(`call ${index.toString(16)} ${results} ${words.map((word) => (word >>> 0).toString(16)).join(" ")}`);
  }

  step(now: number): Promise<Answer> {
    return this.send(`step ${(now >>> 0).toString(16)}`);
  }

  write(at: number, bytes: Uint8Array): Promise<Answer> {
    return this.send(`write ${at.toString(16)} ${hexOf(bytes)}`);
  }

  async read(at: number, length: number): Promise<Uint8Array> {
    const { code, words } = await this.send(`read ${at.toString(16)} ${length.toString(16)}`);
    if (code !== 0) throw new RangeError(`expected [${at}, ${at + length}) to lie in linear memory`);
    return bytesOf(words[0] ?? "-");
  }

  /** FNV-1a of linear memory. */
  async hash(): Promise<number> {
    return Number.parseInt((await this.send("hash")).words[0] as string, 16);
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#gone !== undefined) return resolve();
      this.#child.once("close", () => resolve());
      this.#child.stdin.end();
    });
  }
}

export function hexOf(bytes: Uint8Array): string {
  return bytes.length === 0 ? "-" : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
}

export function bytesOf(hex: string): Uint8Array {
  return hex === "-" ? new Uint8Array() : Uint8Array.from(Buffer.from(hex, "hex"));
}

/** FNV-1a, 32 bits, as the engine process computes it. */
export function fnv(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const octet of bytes) hash = Math.imul(hash ^ octet, 0x01000193);
  return hash >>> 0;
}
