/**
 * A CoAP server without sockets (RFC 7252, RFC 7959, Request-Tag and Echo of RFC 9175; coap-dtls 1, 2): datagrams and time come in,
 * datagrams and whole requests go out; the answer to a request may come later. An endpoint is a name: with DTLS the session, else the address.
 * Strict: what it refuses or ignores it notes by name (`notes`). All state is plain data.
 * Left out: Observe, Q-Block, extended tokens, proxying, No-Response.
 */
import { Rng } from "../core/rng.js";
import type { Behaviour,  Directive, Incoming, Memory } from "./behaviour.js";
import { blockOf, blockOffset, blockOption, blockSize, blockText } from "./block.js";
import { errorDraft, headOf, operationKey, slice, startDownload, takeBlock } from "./blockwise.js";
import { codeText, CoapFormatError, describeMessage, empty, encode, parse, Type, type Message } from "./codec.js";
import { duplicateOf, forgetExpired, newEndpoint, remember, retransmit, sendConfirmable, takeMid } from "./exchange-layer.js";
import { all, first, Opt, sortOut, uintOf } from "./options.js";
import { DEFAULTS, exchangeLifetime, type Parameters } from "./parameters.js";
import type { CoapRequest, CoapResponse, Draft, EndpointState, Exchange, Note, ServerOutput, ServerState } from "./state.js";

export interface CoapServerOptions {
  readonly seed?: number;
  readonly parameters?: Partial<Parameters>;
  /** Largest SZX taken and given; default 6: 1024 octets. */
  readonly szx?: number;
  /** Octets of the largest request body; default 65536. */
  readonly bodyLimit?: number;
  /** A request that is not answered after so long gets an empty ACK; default ACK_TIMEOUT / 2. */
  readonly ackAfterMs?: number;
  /** Refuses a request by its head, before its body is there. */
  readonly admit?: (request: CoapRequest) => CoapResponse | undefined;
}

/** Options of a request that this server knows. */
const KNOWN = new Set<number>([
  Opt.UriHost, Opt.UriPort, Opt.UriPath, Opt.UriQuery, Opt.ContentFormat, Opt.Accept, Opt.Block1, Opt.Block2, Opt.Size1, Opt.Size2, Opt.ETag, Opt.Echo,
  Opt.RequestTag, Opt.ProxyUri, Opt.ProxyScheme, Opt.NoResponse, Opt.Observe, Opt.HopLimit,
]);
const NONE = new Uint8Array(0);
const LAST_METHOD = 0x07;

export class CoapServer {
  readonly parameters: Parameters;
  readonly #options: CoapServerOptions;
  readonly #behaviours = new Map<number, Behaviour>();
  state: ServerState;

  constructor(options: CoapServerOptions = {}) {
    this.#options = options;
    this.parameters = { ...DEFAULTS, ...options.parameters };
    this.state = {
      rng: new Rng(options.seed ?? 0).state, nextExchange: 1, endpoints: new Map(), exchanges: new Map(), later: [], memory: new Map(), behaviours: [], notes: [],
    };
  }

  /** What was refused, ignored or odd, in order. */
  get notes(): readonly Note[] {
    return this.state.notes;
  }

  /** Puts a behaviour in front of all others. Returns a function that takes it away again. */
  use(behaviour: Behaviour): () => void {
    const id = this.#behaviours.size + 1;
    this.#behaviours.set(id, behaviour);
    this.state.memory.set(id, {});
    this.state.behaviours = [id, ...this.state.behaviours];
    return () => {
      this.state.behaviours = this.state.behaviours.filter((used) => used !== id);
    };
  }

  /** Takes one datagram. Never throws for what a peer sends. */
  handle(endpoint: string, datagram: Uint8Array, now: number): ServerOutput[] {
    let message: Message;
    try {
      message = parse(datagram);
    } catch (error) {
      if (!(error instanceof CoapFormatError)) throw error;
      this.#note(now, endpoint, error.message);
      return error.header?.type === Type.Con ? [send(endpoint, empty(Type.Rst, error.header.mid))] : [];
    }
    const state = this.#endpoint(endpoint);
    forgetExpired(state, now);
    if (message.type === Type.Ack || message.type === Type.Rst) return this.#acknowledged(endpoint, state, message, now);
    if (message.code === 0) return this.#refuseMessage(endpoint, message, now, message.type === Type.Con ? undefined : "an empty NON");
    if (message.code >> 5 !== 0) return this.#refuseMessage(endpoint, message, now, `a request expected, got the response ${codeText(message.code)}`);
    return this.#duplicate(endpoint, state, message, now) ?? this.#request(endpoint, state, message, now);
  }

  /** When `tick` wants to be called; undefined when nothing waits. */
  get nextTimer(): number | undefined {
    const times = this.state.later.map(({ at }) => at);
    for (const { outgoing } of this.state.endpoints.values()) for (const { at } of outgoing.values()) times.push(at);
    for (const { type, acked, ackAt } of this.state.exchanges.values()) if (type === Type.Con && !acked) times.push(ackAt);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** Does what is due: empty ACKs, answers that wait, retransmissions. */
  tick(now: number): ServerOutput[] {
    const outputs: ServerOutput[] = [];
    for (const exchange of this.state.exchanges.values()) {
      if (exchange.type === Type.Con && !exchange.acked && exchange.ackAt <= now) outputs.push(this.#acknowledge(exchange, now));
    }
    const due = this.state.later.filter(({ at }) => at <= now);
    this.state.later = this.state.later.filter(({ at }) => at > now);
    for (const { exchange, draft } of due) outputs.push(...this.#sendAnswer(exchange, draft, now));
    for (const [name, state] of this.state.endpoints) {
      const { outputs: again, given } = retransmit(state, name, now, this.parameters);
      outputs.push(...again);
      for (const mid of given) this.#note(now, name, `the separate response ${hex(mid)} was never acknowledged`);
    }
    return outputs;
  }

  /** The answer to a request that `handle` gave out. Answers to exchanges that are gone are dropped. */
  respond(id: number, response: CoapResponse, now: number): ServerOutput[] {
    const exchange = this.state.exchanges.get(id);
    if (exchange === undefined) return [];
    if (response.silent === true) {
      this.state.exchanges.delete(id);
      return [];
    }
    const state = this.#endpoint(exchange.endpoint);
    const incoming = incomingOf(exchange);
    const download = startDownload(response, exchange.block2, this.#szx(incoming), now + exchangeLifetime(this.parameters));
    const part = download === undefined ? whole(response) : slice(download, 0, download.szx);
    if (download === undefined) state.downloads.delete(exchange.key);
    else state.downloads.set(exchange.key, download);
    if (part === "silence") {
      this.state.exchanges.delete(id);
      return [];
    }
    const { block1 } = exchange;
    const draft = block1 === undefined ? part : { ...part, options: [...part.options, blockOption(Opt.Block1, { ...block1, more: false })] };
    return this.#answer(exchange, draft, now, response.delayMs ?? 0);
  }

  /** Forgets an endpoint with all that belongs to it: its DTLS session is gone. */
  forget(endpoint: string): void {
    this.state.endpoints.delete(endpoint);
    for (const [id, exchange] of this.state.exchanges) if (exchange.endpoint === endpoint) this.state.exchanges.delete(id);
  }

  #endpoint(name: string): EndpointState {
    let state = this.state.endpoints.get(name);
    if (state === undefined) this.state.endpoints.set(name, (state = newEndpoint(this.#rng())));
    return state;
  }

  /** The seeded chance, whose state belongs to the server's. */
  #rng(): Rng {
    const rng = new Rng(0);
    rng.state = this.state.rng;
    return rng;
  }

  #note(at: number, endpoint: string, text: string): void {
    this.state.notes.push({ at, endpoint, text });
  }

  #acknowledged(endpoint: string, state: EndpointState, message: Message, now: number): ServerOutput[] {
    const known = state.outgoing.delete(message.mid);
    if (message.type === Type.Rst && known) this.#note(now, endpoint, `the separate response ${hex(message.mid)} was reset`);
    if (message.type === Type.Ack && message.code !== 0) this.#note(now, endpoint, `an empty ACK expected, got ${codeText(message.code)}`);
    return [];
  }

  /** A CON that is no request of ours is reset; a ping is a CON that rightly expects just that. */
  #refuseMessage(endpoint: string, message: Message, now: number, why: string | undefined): ServerOutput[] {
    if (why !== undefined) this.#note(now, endpoint, `${describeMessage(message)}: ${why}`);
    return message.type === Type.Con ? [send(endpoint, empty(Type.Rst, message.mid))] : [];
  }

  #duplicate(endpoint: string, state: EndpointState, message: Message, now: number): ServerOutput[] | undefined {
    const seen = duplicateOf(state, message.mid, now);
    if (seen === undefined) return undefined;
    if (message.type !== Type.Con) return [];
    if (seen.reply !== undefined) return [{ kind: "send", endpoint, datagram: seen.reply }];
    const exchange = seen.exchange === undefined ? undefined : this.state.exchanges.get(seen.exchange);
    return exchange === undefined ? [] : [this.#acknowledge(exchange, now)];
  }

  #request(endpoint: string, state: EndpointState, message: Message, now: number): ServerOutput[] {
    const { usable, refused, skipped } = sortOut(message.options, KNOWN);
    for (const what of skipped) this.#note(now, endpoint, `${what}: skipped`);
    const exchange = this.#open(endpoint, message, usable, now);
    remember(state, message.mid, now, this.parameters, { exchange: exchange.id });
    if (refused.length > 0) return this.#badOption(exchange, refused.join("; "), now);
    const incoming = incomingOf(exchange, message);
    const directive = this.#directive(incoming);
    if (directive !== undefined) return this.#carryOut(directive, exchange, state, now);
    const outcome = this.#whole(exchange, state, incoming, now);
    if (outcome instanceof Uint8Array) return [{ kind: "request", request: requestOf(exchange, outcome) }];
    if (outcome === "silence") return this.#carryOut("silence", exchange, state, now);
    if (outcome.code >> 5 === 4) this.#note(now, endpoint, `${codeText(outcome.code)}: ${text(outcome.payload)}`);
    return this.#answer(exchange, outcome, now);
  }

  /** RFC 7252 5.4.1: 4.02 for a CON; a NON is rejected, here in silence. */
  #badOption(exchange: Exchange, why: string, now: number): ServerOutput[] {
    this.#note(now, exchange.endpoint, `4.02: ${why}`);
    if (exchange.type === Type.Con) return this.#answer(exchange, errorDraft("4.02", why), now);
    this.state.exchanges.delete(exchange.id);
    return [];
  }

  #open(endpoint: string, message: Message, options: Exchange["options"], now: number): Exchange {
    const ackAfter = this.#options.ackAfterMs ?? this.parameters.ackTimeoutMs / 2;
    const exchange: Exchange = {
      id: this.state.nextExchange++, endpoint, type: message.type, mid: message.mid, token: message.token, options, method: message.code,
      key: operationKey(message.code, options), block1: blockOf(options, Opt.Block1), block2: blockOf(options, Opt.Block2), acked: false, ackAt: now + ackAfter,
    };
    this.state.exchanges.set(exchange.id, exchange);
    return exchange;
  }

  /** The whole body of a request; or the answer to this one message. */
  #whole(exchange: Exchange, state: EndpointState, incoming: Incoming, now: number): Uint8Array | Draft | "silence" {
    const { block1, block2, key, options } = exchange;
    const { payload } = incoming.message;
    const szx = this.#szx(incoming);
    const wrong = this.#shape(exchange, payload, szx);
    if (wrong !== undefined) return wrong;
    if (block2 !== undefined && block2.num > 0 && block1 === undefined) return this.#goOn(exchange, state, payload, szx, now);
    const refused = this.#options.admit?.(requestOf(exchange, payload));
    if (refused !== undefined) return whole(refused);
    if (block1 === undefined) return payload;
    const expires = now + exchangeLifetime(this.parameters);
    const taken = takeBlock(state, { key, block: block1, options, payload, szx, bodyLimit: this.#options.bodyLimit ?? 65_536, expires });
    return "body" in taken ? taken.body : taken;
  }

  #shape({ block1, block2, method, options }: Exchange, payload: Uint8Array, szx: number): Draft | undefined {
    if (method > LAST_METHOD) return errorDraft("4.05", `a method 0.01 to 0.07 expected, got ${codeText(method)}`);
    if (first(options, Opt.ProxyUri) !== undefined || first(options, Opt.ProxyScheme) !== undefined) return errorDraft("5.05", "this is no proxy");
    if (block1?.szx === 7 || block2?.szx === 7) return errorDraft("4.00", "SZX 0 to 6 expected, got the reserved 7");
    if (block2?.more === true) return errorDraft("4.00", `Block2 ${blockText(block2)}: M = 0 expected in a request`);
    if (block1 !== undefined || payload.length <= blockSize(szx)) return undefined;
    return errorDraft("4.13", `Block1 expected for more than ${blockSize(szx)} octets`, [blockOption(Opt.Block1, { num: 0, more: false, szx })]);
  }

  /** A later block of an answer that was begun (RFC 7959 2.4, 3.3). */
  #goOn(exchange: Exchange, state: EndpointState, payload: Uint8Array, szxLimit: number, now: number): Draft | "silence" {
    const block = exchange.block2;
    const download = state.downloads.get(exchange.key);
    if (block === undefined || download === undefined) return errorDraft("4.08", `Block2: no answer is known to go on with; block 0 expected first`);
    if (payload.length > 0) return errorDraft("4.00", `Block2 ${blockText(block)}: no payload expected, got ${payload.length} octets`);
    state.downloads.set(exchange.key, { ...download, expires: now + exchangeLifetime(this.parameters) });
    return slice(download, blockOffset(block), Math.min(block.szx, szxLimit));
  }

  #answer(exchange: Exchange, draft: Draft, now: number, delayMs = 0): ServerOutput[] {
    const incoming = incomingOf(exchange);
    const changed = [...this.#inUse()].reverse().reduce((now_, [behaviour, memory]) => behaviour.reply?.(now_, incoming, memory) ?? now_, draft);
    const delivery = this.#first((behaviour, memory) => behaviour.delivery?.(changed, incoming, memory));
    if (exchange.type !== Type.Con || exchange.acked || delivery === undefined) {
      return delayMs > 0 ? this.#wait(exchange, changed, now + delayMs) : this.#sendAnswer(exchange.id, changed, now);
    }
    const acknowledgement = this.#acknowledge(exchange, now);
    if (delivery.how === "early") return [...this.#sendAnswer(exchange.id, changed, now), acknowledgement];
    const wait = delayMs + delivery.delayMs;
    return [acknowledgement, ...(wait > 0 ? this.#wait(exchange, changed, now + wait) : this.#sendAnswer(exchange.id, changed, now))];
  }

  #wait(exchange: Exchange, draft: Draft, at: number): ServerOutput[] {
    this.state.later.push({ at, exchange: exchange.id, draft });
    return [];
  }

  /** The empty ACK that makes the answer a separate one. */
  #acknowledge(exchange: Exchange, now: number): ServerOutput {
    exchange.acked = true;
    const datagram = encode(empty(Type.Ack, exchange.mid));
    remember(this.#endpoint(exchange.endpoint), exchange.mid, now, this.parameters, { reply: datagram });
    return { kind: "send", endpoint: exchange.endpoint, datagram };
  }

  #sendAnswer(id: number, draft: Draft, now: number): ServerOutput[] {
    const exchange = this.state.exchanges.get(id);
    if (exchange === undefined) return [];
    this.state.exchanges.delete(id);
    const { endpoint, token } = exchange;
    const state = this.#endpoint(endpoint);
    if (exchange.type === Type.Con && !exchange.acked) {
      const datagram = encode({ ...draft, type: Type.Ack, mid: exchange.mid, token });
      remember(state, exchange.mid, now, this.parameters, { reply: datagram });
      return [{ kind: "send", endpoint, datagram }];
    }
    const type = exchange.type === Type.Con ? Type.Con : Type.Non;
    const message: Message = { ...draft, type, mid: takeMid(state), token };
    return [type === Type.Con ? sendConfirmable(state, endpoint, message, now, this.parameters, this.#rng()) : send(endpoint, message)];
  }

  #carryOut(directive: Directive, exchange: Exchange, state: EndpointState, now: number): ServerOutput[] {
    if (typeof directive === "object") {
      if (directive.forget === true) state.uploads.delete(exchange.key);
      return this.#answer(exchange, directive.answer, now);
    }
    this.state.exchanges.delete(exchange.id);
    if (directive === "silence" || exchange.type !== Type.Con) return [];
    const datagram = encode(empty(Type.Rst, exchange.mid));
    remember(state, exchange.mid, now, this.parameters, { reply: datagram });
    return [{ kind: "send", endpoint: exchange.endpoint, datagram }];
  }

  #directive(incoming: Incoming): Directive | undefined {
    return this.#first((behaviour, memory) => behaviour.request?.(incoming, memory));
  }

  #szx(incoming: Incoming): number {
    return Math.min(this.#options.szx ?? 6, ...this.#inUse().map(([behaviour, memory]) => behaviour.szx?.(incoming, memory) ?? 6));
  }

  /** Newest first. */
  #inUse(): [Behaviour, Memory][] {
    return this.state.behaviours.map((id) => [this.#behaviours.get(id) as Behaviour, this.state.memory.get(id) as Memory]);
  }

  #first<T>(ask: (behaviour: Behaviour, memory: Memory) => T | undefined): T | undefined {
    let found: T | undefined;
    for (const [behaviour, memory] of this.#inUse()) found ??= ask(behaviour, memory);
    return found;
  }
}

function send(endpoint: string, message: Message): ServerOutput {
  return { kind: "send", endpoint, datagram: encode(message) };
}

function hex(mid: number): string {
  return mid.toString(16).padStart(4, "0");
}

function whole(response: CoapResponse): Draft {
  return { code: response.code, options: headOf(response), payload: response.payload ?? NONE };
}

/** What behaviours see; without the message, its payload is not there. */
function incomingOf(exchange: Exchange, message?: Message): Incoming {
  const { endpoint, options, block1, block2, type, mid, token, method } = exchange;
  return { endpoint, options, block1, block2, message: message ?? { type, code: method, mid, token, options, payload: NONE } };
}

function requestOf(exchange: Exchange, payload: Uint8Array): CoapRequest {
  const { id, endpoint, method, options } = exchange;
  const host = first(options, Opt.UriHost);
  const contentFormat = uintOf(options, Opt.ContentFormat);
  const accept = uintOf(options, Opt.Accept);
  return {
    exchange: id, endpoint, method, options, payload,
    path: "/" + all(options, Opt.UriPath).map(segment).join("/"),
    query: all(options, Opt.UriQuery).map(text),
    ...(host && { host: text(host) }), ...(contentFormat !== undefined && { contentFormat }), ...(accept !== undefined && { accept }),
  };
}

/** A path segment as in a URI: "/" and "%" in it are encoded. */
function segment(value: Uint8Array): string {
  return text(value).replace(/[%/]/g, encodeURIComponent);
}

/** UTF-8 of a string option; octets that are none become the replacement character, which matches nothing. */
function text(value: Uint8Array): string {
  return new TextDecoder().decode(value);
}
