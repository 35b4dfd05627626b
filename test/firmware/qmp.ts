/** QEMU's machine protocol (QMP): one command at a time; resets are waited for; physical memory is read while the machine runs. */
import type { Socket } from "node:net";
import { SimError } from "../sim/core/errors.js";

type Answer = (message: Record<string, unknown>) => void;

export class Qmp {
  readonly #socket: Socket;
  #text = "";
  #answers: Answer[] = [];
  #resets: (() => void)[] = [];
  #unseenResets = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("utf8").on("data", (text) => this.#heard(String(text)));
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#ended());
  }

  static async on(socket: Promise<Socket>): Promise<Qmp> {
    const qmp = new Qmp(await socket);
    await qmp.ask("qmp_capabilities");
    return qmp;
  }

  /** Gives what the command returns; throws SimError "qmp" with what QEMU says against it. */
  ask(execute: string, given?: Readonly<Record<string, unknown>>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) return reject(new SimError("qmp", `${execute}: QEMU is gone`));
      this.#answers.push((message) => ("return" in message ? resolve(message["return"]) : reject(new SimError("qmp", `${execute}: ${JSON.stringify(message["error"])}`))));
      this.#socket.write(`${JSON.stringify({ execute, ...(given === undefined ? {} : { arguments: given }) })}\n`);
    });
  }

  /** Octets of physical memory. */
  async memory(address: number, length: number): Promise<Uint8Array> {
    const text = String(await this.ask("human-monitor-command", { "command-line": `xp /${length}bx ${address}` }));
    const octets = [...text.replace(/^[0-9a-f]+:/gm, "").matchAll(/0x([0-9a-f]{2})/g)].map((match) => Number.parseInt(match[1] as string, 16));
    if (octets.length !== length) throw new SimError("qmp", `expected ${length} octets at ${address}, got: ${text.trim()}`);
    return new Uint8Array(octets);
  }

  /** Resolves when a reset that was asked for is done. */
  reset(): Promise<void> {
    if (this.#unseenResets > 0) {
      this.#unseenResets--;
      return Promise.resolve();
    }
    return new Promise((resolve) => this.#resets.push(resolve));
  }

  close(): void {
    this.#socket.destroy();
  }

  #heard(text: string): void {
    const parts = (this.#text + text).split("\n");
    this.#text = parts.pop() ?? "";
    for (const part of parts) if (part.trim() !== "") this.#message(JSON.parse(part) as Record<string, unknown>);
  }

  #message(message: Record<string, unknown>): void {
    if ("return" in message || "error" in message) this.#answers.shift()?.(message);
    if (message["event"] !== "RESET") return;
    const waiting = this.#resets.shift();
    if (waiting === undefined) this.#unseenResets++;
    else waiting();
  }

  #ended(): void {
    for (const answer of this.#answers.splice(0)) answer({ error: "QEMU is gone" });
  }
}
