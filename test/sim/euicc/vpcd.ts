/**
 * The eUICC as the card in vsmartcard's virtual reader (vpcd): TCP, each message behind its length in two octets, big-endian. Messages of
 * one octet are control: 00 power off, 01 power on, 02 reset, 04 get ATR. Every other message is a C-APDU, answered by the R-APDU.
 * Connects as vpicc does; the reader's driver is the server. Runs in real time, outside of any simulated world.
 */
import { connect, type Socket } from "node:net";
import { concat } from "../core/bytes.js";
import type { Card } from "../core/card.js";
import { SimError } from "../core/errors.js";

enum Control {
  PowerOff = 0x00,
  PowerOn = 0x01,
  Reset = 0x02,
  GetAtr = 0x04,
}

export interface VpcdOptions {
  host: string;
  port: number;
  /** Told after each command that the card got. */
  exchanged?: (command: Uint8Array, response: Uint8Array) => void;
  /** Told when the card is in the reader. */
  connected?: () => void;
  /** Ends the connection. */
  signal?: AbortSignal;
}

/** Puts the card into the reader until the connection ends. Throws SimError "vpcd" when the reader is not there or the connection breaks. */
export function serveVpcd(card: Card, options: VpcdOptions): Promise<void> {
  const { host, port, signal } = options;
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const messages = new VpcdReader(card, options, socket);
    const abort = (): void => void socket.end();
    signal?.addEventListener("abort", abort, { once: true });
    socket.once("connect", () => {
      options.connected?.();
      if (signal?.aborted === true) abort();
    });
    socket.on("data", (piece) => messages.push(piece));
    socket.once("error", (cause) => reject(new SimError("vpcd", `expected a virtual reader at ${host}:${port}, got: ${cause.message}`, { host, port })));
    socket.once("close", () => {
      signal?.removeEventListener("abort", abort);
      resolve();
    });
  });
}

/** Messages out of a stream that may be cut anywhere. */
class VpcdReader {
  readonly #card: Card;
  readonly #options: VpcdOptions;
  readonly #socket: Socket;
  #received: Uint8Array = new Uint8Array(0);
  #atr: Uint8Array | undefined;

  constructor(card: Card, options: VpcdOptions, socket: Socket) {
    this.#card = card;
    this.#options = options;
    this.#socket = socket;
  }

  push(piece: Uint8Array): void {
    this.#received = concat(this.#received, piece);
    for (;;) {
      const [high, low] = this.#received;
      if (high === undefined || low === undefined) return;
      const end = 2 + high * 256 + low;
      if (this.#received.length < end) return;
      const message = this.#received.slice(2, end);
      this.#received = this.#received.slice(end);
      this.#take(message);
    }
  }

  #take(message: Uint8Array): void {
    if (message.length === 1) return this.#control(message[0] as Control);
    const response = this.#card.transmit(message);
    this.#answer(response);
    this.#options.exchanged?.(message, response);
  }

  #control(code: Control): void {
    if (code === Control.PowerOn || code === Control.Reset) this.#atr = this.#card.powerCycle();
    // The driver may ask for the ATR before it switches power on.
    if (code === Control.GetAtr) this.#answer((this.#atr ??= this.#card.powerCycle()));
  }

  #answer(message: Uint8Array): void {
    this.#socket.write(concat(Uint8Array.of(message.length >> 8, message.length & 0xff), message));
  }
}
