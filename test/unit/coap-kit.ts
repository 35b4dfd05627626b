/** What the tests of CoAP share: a server and a client on a virtual clock, and the way between them. */
import assert from "node:assert/strict";
import { utf8 } from "../sim/core/bytes.js";
import { CoapClient, CoapServer, code, encode, Opt, parse, POST, Type, type ClientAnswer, type ClientOutput, type ClientRequest, type CoapClientOptions, type CoapOption, type CoapRequest, type CoapResponse, type Message, type ServerOutput } from "../sim/coap/index.js";
import type { CoapServerOptions } from "../sim/coap/index.js";

/** n octets that differ by place. */
export function octets(n: number, salt = 0): Uint8Array {
  return new Uint8Array(n).map((_, i) => (i * 7 + (i >> 8) + salt) & 0xff);
}

export interface Way {
  /** True when the nth datagram of this direction is lost (from 0). */
  readonly loses?: (n: number) => boolean;
  readonly doubles?: (n: number) => boolean;
}

export interface BenchOptions {
  readonly server?: CoapServerOptions;
  readonly client?: CoapClientOptions;
  readonly up?: Way;
  readonly down?: Way;
  /** Default: the request's payload, with 2.05. */
  readonly answer?: (request: CoapRequest) => CoapResponse;
}

export type Outcome = { readonly answer: ClientAnswer } | { readonly failed: string };

export class CoapBench {
  readonly server: CoapServer;
  readonly client: CoapClient;
  now = 0;
  /** Whole requests that reached the application. */
  readonly requests: CoapRequest[] = [];
  /** Messages that left either end, in order, lost or not. */
  readonly wire: { readonly from: "client" | "server"; readonly message: Message }[] = [];
  readonly #options: BenchOptions;
  readonly #count = { up: 0, down: 0 };
  readonly #due: { at: number; run: () => void }[] = [];
  #outcome: Outcome | undefined;

  constructor(options: BenchOptions = {}) {
    this.#options = options;
    this.server = new CoapServer(options.server);
    this.client = new CoapClient(options.client);
  }

  /** Runs one exchange to its end in virtual time: 10 ms a datagram. */
  run(request: Partial<ClientRequest> = {}): Outcome {
    this.#outcome = undefined;
    this.#fromClient(this.client.start({ method: POST, path: "/a/bc", ...request }, this.now));
    for (let steps = 0; this.#outcome === undefined; steps++) {
      assert.ok(steps < 10_000, "the exchange never ends");
      this.#step();
    }
    return this.#outcome;
  }

  /** As run, and wants an answer with this code. */
  answered(text: string, request: Partial<ClientRequest> = {}): Uint8Array {
    const outcome = this.run(request);
    if (!("answer" in outcome)) assert.fail(`expected ${text}, got: ${outcome.failed}`);
    assert.equal(outcome.answer.code, code(text));
    return outcome.answer.payload;
  }

  /** Lets everything that is still on its way arrive. */
  settle(ms = 300_000): void {
    const end = this.now + ms;
    while (Math.min(...this.#times()) <= end) this.#step();
    this.now = end;
  }

  #times(): number[] {
    return [this.server.nextTimer ?? Infinity, this.client.nextTimer ?? Infinity, ...this.#due.map(({ at }) => at)];
  }

  #step(): void {
    const at = Math.min(...this.#times());
    assert.ok(at < Infinity, "nothing is under way, and nothing has ended");
    this.now = Math.max(this.now, at);
    const due = this.#due.findIndex((entry) => entry.at <= this.now);
    if (due >= 0) return this.#due.splice(due, 1)[0]?.run();
    if ((this.server.nextTimer ?? Infinity) <= this.now) this.#fromServer(this.server.tick(this.now));
    if ((this.client.nextTimer ?? Infinity) <= this.now) this.#fromClient(this.client.tick(this.now));
  }

  #carry(direction: "up" | "down", run: () => void): void {
    const way = this.#options[direction];
    const n = this.#count[direction]++;
    if (way?.loses?.(n) === true) return;
    const times = way?.doubles?.(n) === true ? 2 : 1;
    for (let i = 0; i < times; i++) this.#due.push({ at: this.now + 10, run });
  }

  #fromClient(outputs: readonly ClientOutput[]): void {
    for (const output of outputs) {
      if (output.kind === "answer") this.#outcome = { answer: output.answer };
      else if (output.kind === "failed") this.#outcome = { failed: output.reason };
      else {
        this.wire.push({ from: "client", message: parse(output.datagram) });
        this.#carry("up", () => this.#fromServer(this.server.handle("peer", output.datagram, this.now)));
      }
    }
  }

  #fromServer(outputs: readonly ServerOutput[]): void {
    for (const output of outputs) {
      if (output.kind === "send") {
        this.wire.push({ from: "server", message: parse(output.datagram) });
        this.#carry("down", () => this.#fromClient(this.client.handle(output.datagram, this.now)));
      } else {
        this.requests.push(output.request);
        const answer = this.#options.answer ?? (({ payload }) => ({ code: code("2.05"), payload }));
        this.#fromServer(this.server.respond(output.request.exchange, answer(output.request), this.now));
      }
    }
  }
}

/** A server asked by hand, message by message. The application answers POST by its payload, with 2.04. */
export class HandBench {
  readonly server: CoapServer;
  readonly requests: CoapRequest[] = [];
  now = 0;
  readonly #answer: ((request: CoapRequest) => CoapResponse) | undefined;

  constructor(options: CoapServerOptions = {}, answer?: (request: CoapRequest) => CoapResponse) {
    this.server = new CoapServer(options);
    this.#answer = answer;
  }

  /** Sends octets; the datagrams that come back at once. */
  raw(datagram: Uint8Array, endpoint = "peer"): Message[] {
    return this.#sent(this.server.handle(endpoint, datagram, this.now));
  }

  ask(message: Partial<Message> & { readonly mid: number }, endpoint = "peer"): Message[] {
    return this.raw(encode(post(message)), endpoint);
  }

  tick(): Message[] {
    return this.#sent(this.server.tick(this.now));
  }

  #sent(outputs: readonly ServerOutput[]): Message[] {
    return outputs.flatMap((output) => {
      if (output.kind === "send") return [parse(output.datagram)];
      this.requests.push(output.request);
      const response = this.#answer?.(output.request) ?? { code: code("2.04"), payload: output.request.payload };
      return this.#sent(this.server.respond(output.request.exchange, response, this.now));
    });
  }
}

/** A POST to /a with a token of its Message ID. */
export function post(message: Partial<Message> & { readonly mid: number }): Message {
  return { type: Type.Con, code: POST, token: Uint8Array.of(message.mid >> 8, message.mid & 0xff), payload: new Uint8Array(0), ...message, options: [path("a"), ...(message.options ?? [])] };
}

export function path(segment: string): CoapOption {
  return { number: Opt.UriPath, value: utf8(segment) };
}
