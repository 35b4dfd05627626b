/**
 * The modem's own DTLS: drives a client without sockets over the modem's UDP. The client is given (rooms of the simulated world
 * don't import each other); modem-dtls.ts puts the world's own in.
 */
import { failed, isFailed, type Failed } from "../core/doors.js";
import type { Maybe } from "../core/maybe.js";
import type { Address, Net, NetEvents, NetSocket, SecureOpen, SecureOptions } from "./net.js";
import { chainProblem } from "./secure.js";
import type { Timers } from "./timers.js";

export type DtlsOutput =
  | { readonly kind: "datagram"; readonly datagram: Uint8Array }
  | { readonly kind: "connected"; readonly suite: string }
  | { readonly kind: "data"; readonly data: Uint8Array }
  | { readonly kind: "closed"; readonly reason: string };

/** A DTLS client: datagrams and time in, outputs out. */
export interface DtlsMachine {
  start(now: number): readonly DtlsOutput[];
  handle(datagram: Uint8Array, now: number): readonly DtlsOutput[];
  readonly nextTimer: number | undefined;
  tick(now: number): readonly DtlsOutput[];
  send(data: Uint8Array): readonly DtlsOutput[];
  close(): readonly DtlsOutput[];
}

/** verify: why a chain is not trusted; absent where the modem has nothing to know a server by but its PSK. Throws RangeError for what can't be. */
export type MakeDtls = (options: SecureOptions, verify: ((chain: readonly Uint8Array[]) => string | undefined) | undefined) => DtlsMachine;

/** DTLS sockets of a modem, on its own time. */
export function dtlsSockets(make: MakeDtls, timers: Timers): SecureOpen {
  return (net, peer, options, events) => {
    const verify = options.psk === undefined ? (chain: readonly Uint8Array[]) => chainProblem(chain, peer, options) : undefined;
    let machine: DtlsMachine;
    try {
      machine = make(options, verify);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return failed("unsupported", error.message);
    }
    return new Promise((resolve) => new DtlsSocket(machine, timers, peer, events, resolve).open(net, options.handshakeMs ?? HANDSHAKE_MS));
  };
}

const HANDSHAKE_MS = 60_000;

class DtlsSocket implements NetSocket {
  readonly #machine: DtlsMachine;
  readonly #timers: Timers;
  readonly #peer: Address;
  readonly #events: NetEvents;
  readonly #opened: (result: NetSocket | Failed) => void;
  #udp: NetSocket | undefined;
  #cancel: (() => void) | undefined;
  #connected = false;
  #ended = false;
  suite = "";

  constructor(machine: DtlsMachine, timers: Timers, peer: Address, events: NetEvents, opened: (result: NetSocket | Failed) => void) {
    this.#machine = machine;
    this.#timers = timers;
    this.#peer = peer;
    this.#events = events;
    this.#opened = opened;
  }

  async open(net: Net, mostMs: number): Promise<void> {
    const udp: NetSocket | Failed = await (net.udp(this.#peer, {
      data: (bytes) => this.#carry(() => this.#machine.handle(bytes, this.#timers.now())),
      closed: (reason) => this.#end(reason ?? "the socket was closed"),
    }) as Maybe<NetSocket | Failed>);
    if (isFailed(udp)) return this.#opened(udp);
    this.#udp = udp;
    this.#timers.after(mostMs, () => {
      if (!this.#connected) this.#end(`the server did not answer within ${mostMs} ms as it should`);
    });
    this.#carry(() => this.#machine.start(this.#timers.now()));
  }

  send(bytes: Uint8Array): Failed | undefined {
    if (this.#ended) return failed("link", "the association has ended");
    try {
      this.#carry(() => this.#machine.send(bytes));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return failed("too large", error.message);
    }
    return undefined;
  }

  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#cancel?.();
    for (const output of this.#machine.close()) if (output.kind === "datagram") void this.#udp?.send(output.datagram);
    this.#udp?.close();
  }

  #carry(step: () => readonly DtlsOutput[]): void {
    if (this.#ended) return;
    for (const output of step()) this.#output(output);
    this.#arm();
  }

  #output(output: DtlsOutput): void {
    if (output.kind === "datagram") void this.#udp?.send(output.datagram);
    else if (output.kind === "data") this.#events.data(output.data, this.#peer);
    else if (output.kind === "closed") this.#end(output.reason);
    else {
      this.#connected = true;
      this.suite = output.suite;
      this.#opened(this);
    }
  }

  #end(reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#cancel?.();
    // The alert that ends it is on its way still.
    this.#timers.after(0, () => this.#udp?.close());
    if (this.#connected) this.#events.closed(reason);
    else this.#opened(failed(/did not answer/.test(reason) ? "timeout" : "trust", reason));
  }

  #arm(): void {
    this.#cancel?.();
    const at = this.#machine.nextTimer;
    if (at === undefined || this.#ended) return;
    this.#cancel = this.#timers.after(Math.max(0, at - this.#timers.now()), () => this.#carry(() => this.#machine.tick(this.#timers.now())));
  }
}
