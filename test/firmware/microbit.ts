/**
 * QEMU's microbit as a board. Its one UART is the modem's, so it tells of itself by words in its RAM (boards/microbit/board.h): read over QMP
 * while it runs, written over the gdb stub, which halts it for a moment. Its flash is emulated with its controller: a power cut can be ordered
 * at any step of a program or an erase; the core then stops by itself, between two instructions.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { SimError } from "../sim/core/errors.js";
import type { Built } from "./build.js";
import type { Board } from "./hosts.js";
import { Lines } from "./lines.js";
import { Gdb } from "./gdb.js";
import { Qmp } from "./qmp.js";

export interface MicrobitOptions {
  readonly built: Built;
  readonly folder: string;
  readonly seed: number;
  /** Step of the flash at which the core stops, counted from 1 over all resets; each program and each erase is two, before and behind it. */
  readonly cutAt?: number;
  /** Further arguments of QEMU, e.g. -icount. */
  readonly args?: readonly string[];
}

/** What board_told says. */
export interface Told {
  readonly idles: number;
  readonly polls: number;
  readonly stack: number;
  /** The newest report of the agent or the host (host/README.md). */
  readonly report: number;
  readonly detail: number;
  /** The newest error of the host (enum ipa_err), 0: none. */
  readonly error: number;
  /** Longest turn of the main loop in ms of the board's time. */
  readonly longest: number;
  readonly idle: boolean;
  readonly resting: boolean;
}

const TOLD_OCTETS = 32;
const KEY_OFFSET = 30;
const WATCH_MS = 10;

export class MicrobitBoard implements Board {
  readonly name = "microbit";
  readonly lines = new Lines();
  /** Resolves when the core stands at the step that was ordered. */
  readonly stopped: Promise<void>;
  readonly #options: MicrobitOptions;
  readonly #symbols: ReadonlyMap<string, number>;
  readonly #servers: Server[] = [];
  #child: ChildProcess | undefined;
  #qmp: Qmp | undefined;
  #watching: Promise<void> = Promise.resolve();
  #watch = false;
  #idles = 0;
  #stopped: () => void = () => undefined;
  #errors = "";

  constructor(options: MicrobitOptions) {
    this.#options = options;
    this.#symbols = symbolsOf(options.built.program.replace(/\.elf$/, ".map"));
    this.stopped = new Promise((resolve) => (this.#stopped = resolve));
  }

  /** RAM begins as zeros, and so does the flash behind the image. */
  async start(): Promise<void> {
    if (this.#child === undefined) await this.#boot();
    else await this.#qmp?.ask("cont");
    this.#idles = 0;
    this.#watch = true;
    this.#watching = this.#watchIt();
  }

  /** The machine stands still at once; its reset is done when this resolves. RAM and flash keep what they hold. */
  async cut(): Promise<void> {
    await this.#rest();
    await this.#qmp?.ask("stop");
    await this.#qmp?.ask("system_reset");
    await this.#qmp?.reset();
  }

  key(text: string): void {
    const code = (text.codePointAt(0) as number) + 1;
    this.#gdb((gdb) => gdb.write(this.address("board_told") + KEY_OFFSET, new Uint8Array([code]))).catch((error: Error) => this.lines.push(`error gdb ${error.message}\n`));
  }

  async told(): Promise<Told> {
    const bytes = await this.read("board_told", TOLD_OCTETS);
    const view = new DataView(bytes.buffer);
    return { idles: view.getUint32(0, true), polls: view.getUint32(4, true), stack: view.getUint32(8, true), report: view.getUint32(12, true), detail: view.getInt32(16, true), error: view.getInt32(20, true), longest: view.getUint32(24, true), idle: bytes[28] === 1, resting: bytes[29] === 1 };
  }

  /** Steps of the flash so far, over all resets. */
  async steps(): Promise<number> {
    return new DataView((await this.read("board_cut", 8)).buffer).getUint32(4, true);
  }

  /** Octets at a symbol of the image. */
  async read(symbol: string, length: number): Promise<Uint8Array> {
    if (this.#qmp === undefined) throw new SimError("board", "the microbit has not been started");
    return this.#qmp.memory(this.address(symbol), length);
  }

  address(symbol: string): number {
    const address = this.#symbols.get(symbol);
    if (address === undefined) throw new SimError("board", `the map has no symbol ${symbol}`);
    return address;
  }

  async close(): Promise<void> {
    await this.#rest();
    const child = this.#child;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      await new Promise<void>((resolve) => {
        child.once("close", () => resolve());
        child.kill("SIGKILL");
      });
    }
    this.#qmp?.close();
    await Promise.all(this.#servers.map((server) => new Promise((resolve) => server.close(resolve))));
  }

  async #boot(): Promise<void> {
    const { built, folder, seed, cutAt, args = [] } = this.#options;
    const qmp = await this.#listen("qmp");
    const ordered = cutAt === undefined ? [] : ["-device", `loader,addr=${this.address("board_cut")},data=${cutAt},data-len=4`];
    const child = spawn("qemu-system-arm", [
      "-M", "microbit", "-nodefaults", "-display", "none", "-seed", String(seed), "-chardev", `socket,id=uart,path=${join(folder, "uart")},server=off`, "-serial", "chardev:uart",
      "-qmp", `unix:${join(folder, "qmp")},server=off`, "-gdb", `unix:${join(folder, "gdb")},server=on,wait=off`, "-kernel", built.program, ...ordered, ...args,
    ], { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (this.#errors += text));
    const gone = new Promise<never>((_resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code) => reject(new SimError("board", `QEMU ended with ${code}: ${this.#errors.trim()}`)));
    });
    gone.catch(() => undefined);
    this.#qmp = await Promise.race([Qmp.on(qmp.first), gone]);
  }

  /** Turns what the words in RAM say into lines as other boards' consoles have them. */
  async #watchIt(): Promise<void> {
    let before: Told | undefined;
    while (this.#watch) {
      const told = await this.told();
      if (told.idle && told.idles !== this.#idles) this.lines.push(`idle stack ${told.stack}\n`);
      else if (!told.idle && !(told.report === before?.report && told.detail === before.detail)) this.lines.push(`report ${told.report} ${told.detail}\n`);
      if (before?.resting === false && told.resting) this.lines.push("error\n");
      before = told;
      this.#idles = told.idles;
      if (this.#options.cutAt !== undefined && (await this.steps()) === this.#options.cutAt) this.#stopped();
      await new Promise((resolve) => setTimeout(resolve, WATCH_MS));
    }
  }

  async #rest(): Promise<void> {
    this.#watch = false;
    await this.#watching;
  }

  async #gdb(work: (gdb: Gdb) => Promise<void>): Promise<void> {
    const gdb = await Gdb.on(connect(join(this.#options.folder, "gdb")));
    try {
      await work(gdb);
    } finally {
      await gdb.detach();
    }
  }

  #listen(name: string): Promise<{ readonly first: Promise<Socket> }> {
    const server = createServer();
    this.#servers.push(server);
    const first = new Promise<Socket>((resolve) => server.once("connection", resolve));
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(join(this.#options.folder, name), () => resolve({ first }));
    });
  }
}

/** Global symbols with their addresses, from GNU ld's map. */
function symbolsOf(map: string): ReadonlyMap<string, number> {
  const found = readFileSync(map, "utf8").matchAll(/^ {16}0x([0-9a-f]+) +([A-Za-z_]\w*)$/gm);
  return new Map([...found].map((match) => [match[2] as string, Number.parseInt(match[1] as string, 16)]));
}
