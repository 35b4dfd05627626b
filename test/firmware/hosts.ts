/**
 * Boards that run the firmware: the posix program, and QEMU's netduinoplus2. Each connects its modem UART to a unix socket, gives console
 * lines, takes keys, and can lose its power and get it back: a killed process with its flash file, a system reset with its RAM.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { SimError } from "../sim/core/errors.js";
import type { Built } from "./build.js";
import { Lines } from "./lines.js";
import { Qmp } from "./qmp.js";

/** A board with firmware. */
export interface Board {
  readonly name: string;
  readonly lines: Lines;
  /** Power on, or on again. Resolves when the wire may carry octets. */
  start(): Promise<void>;
  /** Power goes now. Resolves when nothing runs any more. */
  cut(): Promise<void>;
  key(text: string): void;
  close(): Promise<void>;
}

export interface PosixOptions {
  readonly built: Built;
  /** Folder for sockets and flash. */
  readonly folder: string;
  readonly seed: number;
  readonly args: readonly string[];
}

export class PosixBoard implements Board {
  readonly name = "posix";
  readonly lines = new Lines();
  readonly #options: PosixOptions;
  #child: ChildProcess | undefined;
  #starts = 0;
  #errors = "";

  constructor(options: PosixOptions) {
    this.#options = options;
  }

  start(): Promise<void> {
    const { built, folder, seed, args } = this.#options;
    // A device has new entropy after each reset.
    const own = ["--uart", `unix:${join(folder, "uart")}`, "--flash", join(folder, "flash.bin"), "--image", built.image, "--key", built.key, "--entropy-seed", String(seed * 1000 + this.#starts++)];
    const child = spawn(built.program, [...own, ...args], { stdio: ["pipe", "pipe", "pipe"] });
    this.#child = child;
    child.stdout.setEncoding("utf8").on("data", (text: string) => this.lines.push(text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#errors += text;
      this.lines.push(text);
    });
    child.stdin.on("error", () => undefined);
    return new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("spawn", () => resolve());
    });
  }

  cut(): Promise<void> {
    return this.#end("SIGKILL");
  }

  key(text: string): void {
    this.#child?.stdin?.write(text);
  }

  /** Resolves when the program has ended by itself. */
  ended(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
    return new Promise((resolve) => child.once("close", () => resolve()));
  }

  /** Ends it as a planned power-off; throws SimError "board" when it had ended by itself, or a sanitizer spoke. */
  async close(): Promise<void> {
    const code = this.#child?.exitCode ?? null;
    await this.#end("SIGTERM");
    if (code !== null && code !== 0) throw new SimError("board", `the posix board ended with ${code}: ${this.#errors.trim()}`);
    if (/AddressSanitizer|runtime error/.test(this.#errors)) throw new SimError("board", this.#errors.trim());
  }

  #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
    return new Promise((resolve) => {
      child.once("close", () => resolve());
      child.kill(signal);
    });
  }
}

export interface QemuOptions {
  readonly built: Built;
  readonly machine: string;
  readonly folder: string;
  readonly seed: number;
  /** Further arguments, e.g. -icount. */
  readonly args?: readonly string[];
}

/** The console is the first serial line, the modem's UART the second one. */
export class QemuBoard implements Board {
  readonly name: string;
  readonly lines = new Lines();
  readonly #options: QemuOptions;
  readonly #servers: Server[] = [];
  #child: ChildProcess | undefined;
  #console: Socket | undefined;
  #qmp: Qmp | undefined;
  #errors = "";

  constructor(options: QemuOptions) {
    this.#options = options;
    this.name = options.machine;
  }

  async start(): Promise<void> {
    if (this.#child !== undefined) return void (await this.#qmp?.ask("cont"));
    const { built, machine, folder, seed, args = [] } = this.#options;
    const [console, qmp] = await Promise.all([this.#listen("console"), this.#listen("qmp")]);
    const line = (id: string): string[] => ["-chardev", `socket,id=${id},path=${join(folder, id)},server=off`, "-serial", `chardev:${id}`];
    const seeded = built.seedAt === undefined ? [] : ["-device", `loader,addr=0x${built.seedAt.toString(16)},data=${(seed * 2654435761) % 4294967296 || 1},data-len=4`];
    const child = spawn("qemu-system-arm", [
      "-M", machine, "-nodefaults", "-display", "none", ...line("console"), ...line("uart"), "-qmp", `unix:${join(folder, "qmp")},server=off`, "-kernel", built.program, ...seeded, ...args,
    ], { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (this.#errors += text));
    const gone = new Promise<never>((_resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code) => reject(new SimError("board", `QEMU ended with ${code}: ${this.#errors.trim()}`)));
    });
    gone.catch(() => undefined);
    this.#console = await Promise.race([console.first, gone]);
    this.#console.setEncoding("latin1").on("data", (text) => this.lines.push(String(text)));
    this.#qmp = await Promise.race([Qmp.on(qmp.first), gone]);
  }

  /** The machine stands still at once; its reset is done when this resolves. RAM and flash keep what they hold. */
  async cut(): Promise<void> {
    await this.#qmp?.ask("stop");
    await this.#qmp?.ask("system_reset");
    await this.#qmp?.reset();
  }

  key(text: string): void {
    this.#console?.write(text);
  }

  async close(): Promise<void> {
    const child = this.#child;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      await new Promise<void>((resolve) => {
        child.once("close", () => resolve());
        child.kill("SIGKILL");
      });
    }
    this.#console?.destroy();
    this.#qmp?.close();
    await Promise.all(this.#servers.map((server) => new Promise((resolve) => server.close(resolve))));
  }

  /** Listens, and gives the promise of who connects. */
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
