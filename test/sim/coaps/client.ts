/**
 * A CoAP client on a real UDP socket, over DTLS 1.2 or plain: for tests and tools. Sockets and timers are here, the rules in sim/coap and sim/dtls.
 * One request at a time.
 */
import { createSocket, type Socket } from "node:dgram";
import { CoapClient, type ClientAnswer, type ClientOutput, type ClientRequest, type CoapClientOptions } from "../coap/index.js";
import { SimError } from "../core/errors.js";
import { DtlsClient, type DtlsClientOptions, type DtlsClientOutput } from "../dtls/index.js";

export interface CoapsClientOptions {
  readonly host?: string;
  readonly port: number;
  /** Absent: plain CoAP. */
  readonly dtls?: DtlsClientOptions;
  readonly coap?: CoapClientOptions;
}

interface Waiting {
  readonly resolve: (answer: ClientAnswer) => void;
  readonly reject: (error: Error) => void;
}

/** A client that has connected: with DTLS the handshake is complete. */
export class CoapsClient {
  readonly coap: CoapClient;
  readonly dtls: DtlsClient | undefined;
  readonly #options: CoapsClientOptions;
  #socket: Socket;
  #timer: NodeJS.Timeout | undefined;
  #connecting: { readonly resolve: () => void; readonly reject: (error: Error) => void } | undefined;
  #waiting: Waiting | undefined;
  #closed = false;

  private constructor(options: CoapsClientOptions) {
    this.#options = options;
    this.coap = new CoapClient(options.coap);
    this.dtls = options.dtls && new DtlsClient(options.dtls);
    this.#socket = this.#open();
  }

  /** Rejects with SimError "dtls" when the handshake fails. */
  static async connect(options: CoapsClientOptions): Promise<CoapsClient> {
    const client = new CoapsClient(options);
    await client.#handshake();
    return client;
  }

  /** One exchange. Rejects with SimError "coap" when the client gives it up, "dtls" when the session ends. */
  request(request: ClientRequest): Promise<ClientAnswer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#fromCoap(this.coap.start(request, this.#now()));
      this.#settle();
    });
  }

  /** Goes on from another port, as after a NAT has forgotten the old one. */
  move(): void {
    this.#socket.close();
    this.#socket = this.#open();
  }

  close(): void {
    if (this.dtls !== undefined) this.#fromDtls(this.dtls.close());
    this.#closed = true;
    clearTimeout(this.#timer);
    // The close_notify leaves first: datagrams are sent in the next turn.
    setImmediate(() => this.#socket.close());
  }

  #open(): Socket {
    const socket = createSocket("udp4");
    socket.on("message", (datagram) => this.#received(new Uint8Array(datagram)));
    socket.on("error", (error) => this.#end(new SimError("socket", error.message)));
    return socket;
  }

  #handshake(): Promise<void> {
    const { dtls } = this;
    if (dtls === undefined) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#connecting = { resolve, reject };
      this.#fromDtls(dtls.start(this.#now()));
      this.#settle();
    });
  }

  #received(datagram: Uint8Array): void {
    if (this.dtls === undefined) this.#fromCoap(this.coap.handle(datagram, this.#now()));
    else this.#fromDtls(this.dtls.handle(datagram, this.#now()));
    this.#settle();
  }

  #fromDtls(outputs: readonly DtlsClientOutput[]): void {
    for (const output of outputs) {
      if (output.kind === "datagram") this.#transmit(output.datagram);
      else if (output.kind === "data") this.#fromCoap(this.coap.handle(output.data, this.#now()));
      else if (output.kind === "connected") this.#connecting?.resolve();
      else this.#end(new SimError("dtls", output.reason));
    }
  }

  #fromCoap(outputs: readonly ClientOutput[]): void {
    for (const output of outputs) {
      if (output.kind === "answer") this.#waiting?.resolve(output.answer);
      else if (output.kind === "failed") this.#waiting?.reject(new SimError("coap", output.reason));
      else if (this.dtls === undefined) this.#transmit(output.datagram);
      else if (this.dtls.connected) this.#fromDtls(this.dtls.send(output.datagram));
    }
  }

  #end(error: Error): void {
    this.#connecting?.reject(error);
    this.#waiting?.reject(error);
  }

  #transmit(datagram: Uint8Array): void {
    if (!this.#closed) this.#socket.send(datagram, this.#options.port, this.#options.host ?? "127.0.0.1");
  }

  #settle(): void {
    clearTimeout(this.#timer);
    const times = [this.coap.nextTimer, this.dtls?.nextTimer].filter((time) => time !== undefined);
    if (this.#closed || times.length === 0) return;
    this.#timer = setTimeout(() => {
      if (this.dtls !== undefined) this.#fromDtls(this.dtls.tick(this.#now()));
      this.#fromCoap(this.coap.tick(this.#now()));
      this.#settle();
    }, Math.max(0, Math.min(...times) - this.#now()));
  }

  #now(): number {
    return Math.ceil(performance.now());
  }
}
