/**
 * The wire between a board's modem UART and the simulated modem: a unix socket to which the board (QEMU's chardev, the posix program)
 * connects. Every octet of both directions is counted; at an ordered count the wire goes dead, between two octets.
 */
import { createServer, type Server, type Socket } from "node:net";
import type { AtModem } from "../sim/modem/index.js";

export class Wire {
  /** Octets that passed in both directions since the beginning. */
  octets = 0;
  readonly #modem: AtModem;
  readonly #server: Server;
  #host: Socket | undefined;
  #dead = true;
  #cut: { at: number; then: () => void } | undefined;

  constructor(modem: AtModem) {
    this.#modem = modem;
    modem.onData = (bytes) => this.#pass(bytes, (part) => void this.#host?.write(part));
    this.#server = createServer((socket) => {
      this.#host = socket;
      socket.setNoDelay(true);
      socket.on("data", (bytes) => this.#pass(new Uint8Array(bytes), (part) => this.#modem.write(part)));
      socket.on("error", () => socket.destroy());
      socket.on("close", () => {
        if (this.#host === socket) this.#host = undefined;
      });
    });
  }

  listen(path: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(path, () => resolve());
    });
  }

  /** Octets pass from now on. */
  up(): void {
    this.#dead = false;
  }

  /** Nothing passes any more. */
  down(): void {
    this.#dead = true;
  }

  /** Goes dead once `at` octets have passed in all, and calls `then`. */
  cutAt(at: number, then: () => void): void {
    this.#cut = { at, then };
  }

  close(): Promise<void> {
    this.#host?.destroy();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #pass(bytes: Uint8Array, to: (part: Uint8Array) => void): void {
    if (this.#dead) return;
    const cut = this.#cut;
    const most = cut === undefined ? bytes.length : Math.min(bytes.length, Math.max(0, cut.at - this.octets));
    this.octets += most;
    if (most > 0) to(bytes.subarray(0, most));
    if (cut === undefined || this.octets < cut.at || this.#cut !== cut) return;
    this.#cut = undefined;
    this.#dead = true;
    cut.then();
  }
}
