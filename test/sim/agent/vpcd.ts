/**
 * A reader for virtual cards: listens where vpcd (vsmartcard) would, so that any vpicc connects and is the eUICC.
 * Protocol: each message is a 2-octet big-endian length and that many octets. Reader to card: one octet is a control
 * (00 power off, 01 power on, 02 reset, 04 ATR wanted), more are a C-APDU. Card to reader: the ATR or the R-APDU.
 */
import { createServer, type Server, type Socket } from "node:net";
import { concat } from "../core/bytes.js";
import { CardGoneError, type AnyCard } from "./uicc-raw.js";

const Control = { off: 0x00, on: 0x01, atr: 0x04 } as const;

export interface VpcdOptions {
  /** TCP port; 35963 is vpcd's own, 0 takes a free one. */
  readonly port: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** How long an answer may take (default 30 s). */
  readonly timeoutMs?: number;
}

interface Pending {
  readonly resolve: (message: Uint8Array) => void;
  readonly reject: (error: Error) => void;
}

export class VpcdReader implements AnyCard {
  readonly #server: Server;
  readonly #timeoutMs: number;
  #socket: Socket | undefined;
  #received: Uint8Array = new Uint8Array(0);
  #pending: Pending | undefined;
  #waiting: (() => void)[] = [];

  private constructor(server: Server, timeoutMs: number) {
    this.#server = server;
    this.#timeoutMs = timeoutMs;
    server.on("connection", (socket) => this.#connected(socket));
  }

  /** Rejects with the system's error when the port cannot be had. */
  static listen(options: VpcdOptions): Promise<VpcdReader> {
    const server = createServer();
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(options.port, options.host ?? "127.0.0.1", () => {
        server.off("error", reject);
        resolve(new VpcdReader(server, options.timeoutMs ?? 30_000));
      });
    });
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  /** Resolves when a card is connected. */
  inserted(): Promise<void> {
    return this.#socket === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve();
  }

  async powerCycle(): Promise<Uint8Array> {
    this.#write(Uint8Array.of(Control.off));
    this.#write(Uint8Array.of(Control.on));
    return this.#exchange(Uint8Array.of(Control.atr));
  }

  transmit(command: Uint8Array): Promise<Uint8Array> {
    if (command.length < 4) throw new RangeError(`expected a C-APDU of 4 octets or more, got ${command.length}`);
    return this.#exchange(command);
  }

  close(): Promise<void> {
    this.#socket?.destroy();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #connected(socket: Socket): void {
    if (this.#socket !== undefined) {
      socket.destroy();
      return;
    }
    this.#socket = socket;
    this.#received = new Uint8Array(0);
    socket.setNoDelay(true);
    socket.on("data", (data) => this.#data(data));
    socket.on("error", () => socket.destroy()); // "close" follows and tells whoever waits
    socket.on("close", () => this.#gone());
    for (const wake of this.#waiting.splice(0)) wake();
  }

  #gone(): void {
    this.#socket = undefined;
    this.#pending?.reject(new CardGoneError("card-gone", "the virtual card disconnected"));
    this.#pending = undefined;
  }

  #data(data: Uint8Array): void {
    this.#received = concat(this.#received, data);
    while (this.#received.length >= 2) {
      const length = ((this.#received[0] as number) << 8) | (this.#received[1] as number);
      if (this.#received.length < 2 + length) return;
      const message = this.#received.slice(2, 2 + length);
      this.#received = this.#received.slice(2 + length);
      const pending = this.#pending;
      this.#pending = undefined;
      pending?.resolve(message);
    }
  }

  #write(message: Uint8Array): void {
    if (this.#socket === undefined) throw new CardGoneError("card-gone", "no virtual card is connected");
    this.#socket.write(concat(Uint8Array.of(message.length >> 8, message.length & 0xff), message));
  }

  async #exchange(message: Uint8Array): Promise<Uint8Array> {
    this.#write(message);
    let timer: NodeJS.Timeout | undefined;
    const answer = new Promise<Uint8Array>((resolve, reject) => {
      this.#pending = { resolve, reject };
      timer = setTimeout(() => reject(new CardGoneError("card-gone", `no answer within ${this.#timeoutMs} ms`)), this.#timeoutMs);
    });
    try {
      return await answer;
    } finally {
      clearTimeout(timer);
    }
  }
}
