/**
 * Recorded events, replayed on an emulated Cortex-M4 (QEMU's netduinoplus2) that runs the agent in an engine of the C host, and nothing else
 * (boards/replay). With `-icount shift=0` an instruction takes 1 ns of the board's time, so that its SysTick counts instructions: the
 * same number each time, on any machine. They are instructions, not cycles of silicon.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SimError } from "../sim/core/errors.js";

/** One event as it lies in the mailbox, when it came, and the op that V8 answered it with. */
export interface ReplayStep {
  readonly event: Uint8Array;
  readonly nowMs: number;
  readonly op: Uint8Array;
}

export interface ReplayFigures {
  readonly steps: number;
  readonly instructions: number;
  /** Of the longest step. */
  readonly most: number;
  /** Octets. */
  readonly stack: number;
  readonly arena: number;
  /** To open the engine, once. */
  readonly opening: number;
}

/** Core and SysTick of QEMU's board: 168 MHz; an instruction is 1 ns. */
const PER_TICK = 1000 / 168;
const PATIENCE_MS = 60_000;
const FIGURES = 7;

export class ReplayBoard {
  readonly #qemu: ChildProcess;
  readonly #socket: Socket;
  readonly #folder: string;
  #chunks: Buffer = Buffer.alloc(0);
  #waiting: (() => void) | undefined;

  private constructor(qemu: ChildProcess, socket: Socket, folder: string) {
    this.#qemu = qemu;
    this.#socket = socket;
    this.#folder = folder;
    socket.on("data", (chunk) => {
      this.#chunks = Buffer.concat([this.#chunks, chunk]);
      this.#waiting?.();
    });
  }

  /** Starts QEMU with this firmware. Throws SimError "qemu" when it does not come up. */
  static async start(elf: string): Promise<ReplayBoard> {
    const folder = mkdtempSync(join(tmpdir(), "tinyipa-replay-"));
    const path = join(folder, "uart");
    const qemu = spawn("qemu-system-arm", [
      "-M", "netduinoplus2", "-nographic", "-monitor", "none", "-icount", "shift=0", "-serial", `file:${join(folder, "console")}`,
      "-chardev", `socket,id=uart,path=${path},server=on,wait=on`, "-serial", "chardev:uart", "-kernel", elf,
    ], { stdio: ["ignore", "ignore", "pipe"] });
    // an interrupted run must not leave it behind
    process.once("exit", () => qemu.kill("SIGKILL"));
    let complaint = "";
    qemu.stderr?.setEncoding("utf8").on("data", (text: string) => (complaint += text));
    for (let tries = 0; tries < 200 && qemu.exitCode === null; tries++) {
      const socket = await new Promise<Socket | undefined>((resolve) => {
        const one = connect(path, () => resolve(one)).on("error", () => setTimeout(resolve, 25, undefined));
      });
      if (socket === undefined) continue;
      const board = new ReplayBoard(qemu, socket, folder);
      await board.#read(4); // what is sent before it has set up its UART is lost
      return board;
    }
    qemu.kill();
    throw new SimError("qemu", `qemu-system-arm did not come up: ${complaint.trim() || "no word from it"}`);
  }

  /** Replays `steps`; throws SimError "replay" at the first op that differs. Figures are those of the steps from `from` on. */
  async run(steps: readonly ReplayStep[], from = 0): Promise<ReplayFigures> {
    for (const [at, step] of steps.entries()) {
      if (at === from) await this.#figures();
      const op = await this.#step(step);
      if (Buffer.compare(op, step.op) !== 0) throw new SimError("replay", `op ${at} differs: ${Buffer.from(step.op).toString("hex")} in V8, ${op.toString("hex")} here`);
    }
    return this.#figures();
  }

  /** What the board has said on its console. */
  get console(): string {
    return readFileSync(join(this.#folder, "console"), "utf8").trim();
  }

  stop(): void {
    this.#socket.destroy();
    this.#qemu.kill("SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #step({ event, nowMs }: ReplayStep): Promise<Buffer> {
    const head = Buffer.alloc(8);
    head.writeUInt32LE(event.length, 0);
    head.writeUInt32LE(nowMs >>> 0, 4);
    this.#socket.write(Buffer.concat([head, event]));
    const length = (await this.#read(4)).readInt32LE(0);
    if (length < 0) throw new SimError("replay", `the board answered ${length} (host/include/ipa/err.h); console: ${this.console}`);
    return this.#read(length);
  }

  async #figures(): Promise<ReplayFigures> {
    this.#socket.write(Buffer.alloc(8));
    const answer = await this.#read(4 * FIGURES);
    const [low = 0, high = 0, steps = 0, most = 0, stack = 0, arena = 0, opening = 0] = Array.from({ length: FIGURES }, (_, i) => answer.readUInt32LE(4 * i));
    return { steps, instructions: Math.round((high * 2 ** 32 + low) * PER_TICK), most: Math.round(most * PER_TICK), stack, arena, opening: Math.round(opening * PER_TICK) };
  }

  async #read(length: number): Promise<Buffer> {
    while (this.#chunks.length < length) await this.#more();
    const got = this.#chunks.subarray(0, length);
    this.#chunks = this.#chunks.subarray(length);
    return got;
  }

  #more(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new SimError("qemu", `no answer from the board within ${PATIENCE_MS} ms; console: ${this.console}`)), PATIENCE_MS);
      this.#waiting = (): void => {
        clearTimeout(timer);
        this.#waiting = undefined;
        resolve();
      };
    });
  }
}
