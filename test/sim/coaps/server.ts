/**
 * A CoAP server on a real UDP socket, over DTLS 1.2 or plain (coap-dtls). Only the socket and the timers are here: the rules are those of
 * sim/dtls and sim/coap, and the answers somebody else's. An endpoint of CoAP is the DTLS session, not the address.
 */
import { createSocket } from "node:dgram";
import { isIPv6 } from "node:net";
import { CoapServer, type CoapRequest, type CoapResponse, type CoapServerOptions, type ServerOutput } from "../coap/index.js";
import { DtlsServer, type DtlsServerOptions, type DtlsServerOutput } from "../dtls/index.js";
import { chain, type Maybe } from "../core/maybe.js";

/** Answers a whole request, now or later; "drop": the session is closed in place of an answer. */
export type CoapHandler = (request: CoapRequest) => Maybe<CoapResponse | "drop">;

export interface CoapsOptions {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 0: any free port. */
  readonly port?: number;
  /** Keys and rules of DTLS; absent: plain CoAP, for tests only. */
  readonly dtls?: DtlsServerOptions;
  readonly coap?: CoapServerOptions;
  /** Told what is refused, dropped, connected and closed. */
  readonly onNews?: (text: string) => void;
}

export interface RunningCoaps {
  readonly host: string;
  readonly port: number;
  /** "coaps://127.0.0.1:5684" */
  readonly url: string;
  readonly coap: CoapServer;
  /** Undefined for plain CoAP. */
  readonly dtls: DtlsServer | undefined;
  /** Datagrams sent and received, and their octets. */
  readonly traffic: { received: number; sent: number; octetsReceived: number; octetsSent: number };
  close(): Promise<void>;
}

/** Serves `handler`. Rejects when the address can't be listened on. */
export function serveCoap(handler: CoapHandler, options: CoapsOptions = {}): Promise<RunningCoaps> {
  return new CoapsServer(handler, options).start();
}

class CoapsServer {
  readonly #handler: CoapHandler;
  readonly #options: CoapsOptions;
  readonly #coap: CoapServer;
  readonly #dtls: DtlsServer | undefined;
  readonly #socket;
  readonly #traffic = { received: 0, sent: 0, octetsReceived: 0, octetsSent: 0 };
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #told = { coap: 0, dtls: 0 };

  constructor(handler: CoapHandler, options: CoapsOptions) {
    this.#handler = handler;
    this.#options = options;
    this.#coap = new CoapServer(options.coap);
    this.#dtls = options.dtls && new DtlsServer(options.dtls);
    this.#socket = createSocket(isIPv6(options.host ?? "") ? "udp6" : "udp4");
  }

  start(): Promise<RunningCoaps> {
    const host = this.#options.host ?? "127.0.0.1";
    this.#socket.on("message", (datagram, { address, port }) => {
      this.#traffic.received++;
      this.#traffic.octetsReceived += datagram.length;
      this.#received(`${address}|${port}`, new Uint8Array(datagram));
    });
    return new Promise((resolve, reject) => {
      this.#socket.once("error", reject);
      this.#socket.bind(this.#options.port ?? 0, host, () => {
        this.#socket.off("error", reject);
        this.#socket.on("error", (error) => this.#options.onNews?.(`socket: ${error.message}`));
        const { port } = this.#socket.address();
        const scheme = this.#dtls === undefined ? "coap" : "coaps";
        const url = `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
        resolve({ host, port, url, coap: this.#coap, dtls: this.#dtls, traffic: this.#traffic, close: () => this.#close() });
      });
    });
  }

  #received(from: string, datagram: Uint8Array): void {
    const now = this.#now();
    if (this.#dtls === undefined) this.#fromCoap(this.#coap.handle(from, datagram, now));
    else this.#fromDtls(this.#dtls.handle(from, datagram, now));
    this.#settle();
  }

  #fromDtls(outputs: readonly DtlsServerOutput[]): void {
    for (const output of outputs) {
      if (output.kind === "datagram") this.#transmit(output.to, output.datagram);
      else if (output.kind === "data") this.#fromCoap(this.#coap.handle(output.session, output.data, this.#now()));
      else if (output.kind === "closed") {
        this.#coap.forget(output.session);
        this.#options.onNews?.(`${output.session} closed: ${output.reason}`);
      } else this.#options.onNews?.(`${output.session} connected from ${output.info.address.replace("|", ":")}: ${output.info.suite}`);
    }
  }

  #fromCoap(outputs: readonly ServerOutput[]): void {
    for (const output of outputs) {
      if (output.kind === "request") this.#ask(output.request);
      else if (this.#dtls === undefined) this.#transmit(output.endpoint, output.datagram);
      else this.#fromDtls(this.#dtls.send(output.endpoint, output.datagram));
    }
  }

  #ask(request: CoapRequest): void {
    void chain(this.#handler(request), (response) => this.#answer(request, response));
  }

  #answer(request: CoapRequest, response: CoapResponse | "drop"): void {
    if (this.#closed) return;
    const now = this.#now();
    if (response !== "drop") this.#fromCoap(this.#coap.respond(request.exchange, response, now));
    else if (this.#dtls === undefined) this.#coap.forget(request.endpoint);
    else this.#fromDtls(this.#dtls.close(request.endpoint, now));
    this.#settle();
  }

  #transmit(to: string, datagram: Uint8Array): void {
    const [address, port] = to.split("|");
    this.#traffic.sent++;
    this.#traffic.octetsSent += datagram.length;
    this.#socket.send(datagram, Number(port), address);
  }

  /** Tells the news, and sets the timer for what is due next. */
  #settle(): void {
    this.#tell();
    clearTimeout(this.#timer);
    if (this.#closed) return;
    const times = [this.#coap.nextTimer, this.#dtls?.nextTimer].filter((time) => time !== undefined);
    if (times.length === 0) return;
    this.#timer = setTimeout(() => this.#tick(), Math.max(0, Math.min(...times) - this.#now()));
  }

  #tick(): void {
    const now = this.#now();
    if (this.#dtls !== undefined) this.#fromDtls(this.#dtls.tick(now));
    this.#fromCoap(this.#coap.tick(now));
    this.#settle();
  }

  #tell(): void {
    const [coap, dtls] = [this.#coap.notes, this.#dtls?.notes ?? []];
    for (const { endpoint, text } of coap.slice(this.#told.coap)) this.#options.onNews?.(`coap ${endpoint.replace("|", ":")}: ${text}`);
    for (const { address, text } of dtls.slice(this.#told.dtls)) this.#options.onNews?.(`dtls ${address.replace("|", ":")}: ${text}`);
    this.#told = { coap: coap.length, dtls: dtls.length };
  }

  #now(): number {
    return Math.ceil(performance.now());
  }

  #close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    return new Promise((resolve) => this.#socket.close(() => resolve()));
  }
}
