/** A visit at QEMU's gdb stub (GDB Remote Serial Protocol): the machine stands still from the connection until `detach`. Left out: breakpoints, registers. */
import type { Socket } from "node:net";
import { toHex } from "../sim/core/bytes.js";
import { SimError } from "../sim/core/errors.js";

const PACKET = /\$([^#]*)#[0-9a-f]{2}/;

export class Gdb {
  readonly #socket: Socket;
  #text = "";
  #halted = false;
  #waiting: ((packet: string) => void) | undefined;
  #failed: ((error: Error) => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("latin1").on("data", (text) => this.#heard(String(text)));
    socket.on("error", (error) => this.#failed?.(error));
    socket.on("close", () => this.#failed?.(new SimError("gdb", "the stub hung up")));
  }

  static async on(socket: Socket): Promise<Gdb> {
    const gdb = new Gdb(socket);
    await gdb.#ask("?");
    return gdb;
  }

  /** Throws SimError "gdb" when the stub refuses. */
  async write(address: number, bytes: Uint8Array): Promise<void> {
    const answer = await this.#ask(`M${address.toString(16)},${bytes.length.toString(16)}:${toHex(bytes)}`);
    if (answer !== "OK") throw new SimError("gdb", `expected OK to a write at 0x${address.toString(16)}, got ${answer}`);
  }

  /** The machine runs on. */
  async detach(): Promise<void> {
    await this.#ask("D");
    this.#failed = undefined;
    this.#socket.destroy();
  }

  #ask(packet: string): Promise<string> {
    const sum = [...packet].reduce((total, character) => total + (character.codePointAt(0) as number), 0) & 255;
    return new Promise((resolve, reject) => {
      this.#waiting = resolve;
      this.#failed = reject;
      this.#socket.write(`$${packet}#${sum.toString(16).padStart(2, "0")}`);
    });
  }

  #heard(text: string): void {
    this.#text += text;
    for (let found = PACKET.exec(this.#text); found !== null; found = PACKET.exec(this.#text)) {
      this.#text = this.#text.slice(found.index + found[0].length);
      this.#socket.write("+");
      // A halt is told of once more where the stub and the machine cross.
      if (this.#halted && /^[TS]/.test(found[1] as string)) continue;
      this.#halted = true;
      this.#waiting?.(found[1] as string);
    }
  }
}
