/**
 * A small strict CoAP client without sockets (RFC 7252, RFC 7959, RFC 9175; coap-dtls 6): one exchange at a time, block-wise both ways.
 * For tests of the server, and of the way between. It fails by name where a peer breaks a rule.
 * Left out: Observe, NON requests, Q-Block; a download whose ETag changes is not begun again, since a POST must not be repeated.
 */
import { concat, equal, fromHex, toHex, utf8 } from "../core/bytes.js";
import { Rng } from "../core/rng.js";
import { blockOf, blockOption, blockSize, blockText, type Block } from "./block.js";
import { code, codeText, CoapFormatError, empty, encode, parse, Type, type CoapOption, type Message } from "./codec.js";
import { first, opaque, Opt, sortOut, uint, uintOf } from "./options.js";
import { DEFAULTS, firstTimeout, type Parameters } from "./parameters.js";

export interface CoapClientOptions {
  readonly seed?: number;
  readonly parameters?: Partial<Parameters>;
  /** Largest SZX of both ways; default 6. */
  readonly szx?: number;
  /** Octets of the largest answer; default 65536. */
  readonly bodyLimit?: number;
  /** How long a separate response is waited for; default 60 s. */
  readonly separateMs?: number;
  /** Request-Tag with bodies of several blocks; default true. */
  readonly requestTag?: boolean;
}

export interface ClientRequest {
  readonly method: number;
  /** "/gsma/rsp2/asn1" */
  readonly path: string;
  readonly host?: string;
  readonly contentFormat?: number;
  readonly payload?: Uint8Array;
}

export interface ClientAnswer {
  readonly code: number;
  readonly payload: Uint8Array;
  /** Options of the last message. */
  readonly options: readonly CoapOption[];
}

export type ClientOutput =
  | { readonly kind: "send"; readonly datagram: Uint8Array }
  | { readonly kind: "answer"; readonly answer: ClientAnswer }
  | { readonly kind: "failed"; readonly reason: string };

/** The exchange that goes on; plain data. */
interface Exchange {
  readonly request: ClientRequest;
  phase: "upload" | "download";
  /** Octets acknowledged of the body. */
  offset: number;
  szx: number;
  tag: number;
  restarts: number;
  echo: Uint8Array | undefined;
  /** Of the download. */
  parts: Uint8Array[];
  received: number;
  etag: Uint8Array | undefined;
  code: number;
  /** The message that waits for its answer. */
  datagram: Uint8Array;
  mid: number;
  token: Uint8Array;
  block1: Block | undefined;
  block2: Block | undefined;
  acked: boolean;
  attempts: number;
  timeout: number;
  at: number;
}

const KNOWN = new Set<number>([Opt.ETag, Opt.ContentFormat, Opt.MaxAge, Opt.Block1, Opt.Block2, Opt.Size1, Opt.Size2, Opt.Echo, Opt.LocationPath, Opt.LocationQuery, Opt.Observe]);
const NONE = new Uint8Array(0);
const RESTARTS = 3;

export class CoapClient {
  readonly #options: CoapClientOptions;
  readonly #parameters: Parameters;
  readonly #rng: Rng;
  #exchange: Exchange | undefined;
  #nextMid: number;
  #nextToken = 1;
  /** Message IDs of separate responses that were acknowledged. */
  readonly #acknowledged = new Set<number>();
  /** Request messages sent, without retransmissions, and with them. */
  readonly count = { messages: 0, datagrams: 0 };

  constructor(options: CoapClientOptions = {}) {
    this.#options = options;
    this.#parameters = { ...DEFAULTS, ...options.parameters };
    this.#rng = new Rng(options.seed ?? 0);
    this.#nextMid = this.#rng.int(0x10000);
  }

  /** Begins an exchange. Throws RangeError while another one goes on. */
  start(request: ClientRequest, now: number): ClientOutput[] {
    if (this.#exchange !== undefined) throw new RangeError("expected no exchange that goes on, got one (NSTART is 1)");
    const exchange: Exchange = {
      request, phase: "upload", offset: 0, szx: this.#options.szx ?? 6, tag: this.#rng.int(0x10000), restarts: 0, echo: undefined, parts: [], received: 0, etag: undefined,
      code: 0, datagram: NONE, mid: 0, token: NONE, block1: undefined, block2: undefined, acked: false, attempts: 0, timeout: 0, at: 0,
    };
    this.#exchange = exchange;
    return this.#send(exchange, now);
  }

  get nextTimer(): number | undefined {
    return this.#exchange?.at;
  }

  tick(now: number): ClientOutput[] {
    const exchange = this.#exchange;
    if (exchange === undefined || exchange.at > now) return [];
    if (exchange.acked) return this.#fail("the request was acknowledged, but never answered");
    if (exchange.attempts >= this.#parameters.maxRetransmit) return this.#fail(`no acknowledgement after ${exchange.attempts + 1} transmissions`);
    exchange.attempts++;
    exchange.timeout *= 2;
    exchange.at = now + exchange.timeout;
    this.count.datagrams++;
    return [{ kind: "send", datagram: exchange.datagram }];
  }

  /** Takes one datagram. Never throws for what a peer sends. */
  handle(datagram: Uint8Array, now: number): ClientOutput[] {
    let message: Message;
    try {
      message = parse(datagram);
    } catch (error) {
      if (!(error instanceof CoapFormatError)) throw error;
      return error.header?.type === Type.Con ? [send(empty(Type.Rst, error.header.mid))] : [];
    }
    const exchange = this.#exchange;
    const mine = exchange !== undefined && exchange.mid === message.mid;
    if (message.type === Type.Rst) return mine ? this.#fail("the server reset the request") : [];
    if (message.type === Type.Ack && message.code === 0) return mine ? this.#emptyAck(exchange, now) : [];
    if (message.type === Type.Con && this.#acknowledged.has(message.mid)) return [send(empty(Type.Ack, message.mid))];
    const answers = exchange !== undefined && message.code >> 5 >= 2 && equal(message.token, exchange.token) && (message.type !== Type.Ack || mine);
    if (!answers) return message.type === Type.Con ? [send(empty(Type.Rst, message.mid))] : [];
    const { usable, refused } = sortOut(message.options, KNOWN);
    if (refused.length > 0) return [...(message.type === Type.Con ? [send(empty(Type.Rst, message.mid))] : []), ...this.#fail(`an answer with ${refused.join("; ")}`)];
    const outputs = this.#answer(exchange, { ...message, options: usable }, now);
    if (message.type !== Type.Con) return outputs;
    this.#acknowledged.add(message.mid);
    return [send(empty(Type.Ack, message.mid)), ...outputs];
  }

  #emptyAck(exchange: Exchange, now: number): ClientOutput[] {
    if (!exchange.acked) exchange.at = now + (this.#options.separateMs ?? 60_000);
    exchange.acked = true;
    return [];
  }

  #fail(reason: string): ClientOutput[] {
    this.#exchange = undefined;
    return [{ kind: "failed", reason }];
  }

  /** The next message of the exchange: a new Message ID and token, the block that is due. */
  #send(exchange: Exchange, now: number): ClientOutput[] {
    const { request, phase, offset, szx, echo } = exchange;
    const body = request.payload ?? NONE;
    const size = blockSize(szx);
    const blocks = phase === "upload" && (body.length > size || offset > 0);
    exchange.block1 = blocks ? { num: offset / size, more: offset + size < body.length, szx } : undefined;
    exchange.block2 = phase === "download" ? { num: exchange.received / size, more: false, szx } : szx < 6 ? { num: 0, more: false, szx } : undefined;
    const options = [
      ...(request.host === undefined ? [] : [opaque(Opt.UriHost, utf8(request.host))]),
      ...request.path.split("/").slice(1).map((part) => opaque(Opt.UriPath, utf8(part))),
      ...(phase === "upload" && request.contentFormat !== undefined ? [uint(Opt.ContentFormat, request.contentFormat)] : []),
      ...(exchange.block1 === undefined ? [] : [blockOption(Opt.Block1, exchange.block1), ...(offset === 0 ? [uint(Opt.Size1, body.length)] : [])]),
      ...(exchange.block2 === undefined ? [] : [blockOption(Opt.Block2, exchange.block2)]),
      ...(body.length > blockSize(this.#options.szx ?? 6) && this.#options.requestTag !== false ? [uint(Opt.RequestTag, exchange.tag)] : []),
      ...(echo === undefined ? [] : [opaque(Opt.Echo, echo)]),
    ];
    exchange.mid = this.#nextMid;
    this.#nextMid = (this.#nextMid + 1) & 0xffff;
    exchange.token = fromHex((this.#nextToken++).toString(16).padStart(8, "0"));
    const payload = phase === "download" ? NONE : blocks ? body.slice(offset, offset + size) : body;
    exchange.datagram = encode({ type: Type.Con, code: request.method, mid: exchange.mid, token: exchange.token, options, payload });
    exchange.timeout = firstTimeout(this.#parameters, this.#rng.int(1000) / 1000);
    Object.assign(exchange, { acked: false, attempts: 0, at: now + exchange.timeout });
    this.count.messages++;
    this.count.datagrams++;
    return [{ kind: "send", datagram: exchange.datagram }];
  }

  #answer(exchange: Exchange, message: Message, now: number): ClientOutput[] {
    const { options } = message;
    const text = codeText(message.code);
    const echo = first(options, Opt.Echo);
    if (text === "4.01" && echo !== undefined && exchange.echo === undefined) {
      exchange.echo = echo;
      return this.#send(exchange, now);
    }
    if (exchange.phase === "upload" && exchange.block1 !== undefined) {
      const next = this.#uploaded(exchange, message, now);
      if (next !== undefined) return next;
    }
    if (text === "4.13" && exchange.block1 === undefined && exchange.phase === "upload") {
      const smaller = blockOf(options, Opt.Block1);
      if (smaller !== undefined && blockSize(smaller.szx) < (exchange.request.payload?.length ?? 0)) return this.#restart(exchange, smaller.szx, now);
    }
    if (text === "2.31") return this.#fail("2.31 Continue, although nothing is left to send");
    return message.code >> 5 === 2 ? this.#downloaded(exchange, message, now) : this.#done(message, message.payload);
  }

  /** What an answer to a block means; undefined: it is the final one. */
  #uploaded(exchange: Exchange, message: Message, now: number): ClientOutput[] | undefined {
    const sent = exchange.block1 as Block;
    const text = codeText(message.code);
    const got = blockOf(message.options, Opt.Block1);
    if (text === "4.08") return this.#restart(exchange, exchange.szx, now);
    if (text === "4.13" && got !== undefined && got.szx < exchange.szx) return this.#restart(exchange, got.szx, now);
    if (message.code >> 5 !== 2) return undefined;
    // libcoap 4.3.1 leaves Block1 out of its final answers.
    if (got === undefined && !sent.more && text !== "2.31") return undefined;
    if (got === undefined || got.num !== sent.num || got.szx > sent.szx) return this.#fail(`Block1 ${blockText(sent)} acknowledged by ${got === undefined ? "no Block1" : blockText(got)}`);
    if (sent.more !== (text === "2.31")) return sent.more ? this.#fail(`2.31 Continue expected for block ${blockText(sent)}, got ${text}`) : this.#fail("a final answer expected for the last block, got 2.31 Continue");
    if (!sent.more) return undefined;
    exchange.offset += blockSize(sent.szx);
    exchange.szx = got.szx;
    return this.#send(exchange, now);
  }

  /** From octet 0 once more, under a new Request-Tag. */
  #restart(exchange: Exchange, szx: number, now: number): ClientOutput[] {
    if (++exchange.restarts > RESTARTS) return this.#fail(`the upload was begun ${RESTARTS + 1} times`);
    Object.assign(exchange, { offset: 0, szx, tag: (exchange.tag + 1) & 0xffff });
    return this.#send(exchange, now);
  }

  #downloaded(exchange: Exchange, message: Message, now: number): ClientOutput[] {
    const block = blockOf(message.options, Opt.Block2);
    if (block === undefined) return exchange.phase === "upload" ? this.#done(message, message.payload) : this.#fail("Block2 expected, got none");
    const problem = this.#blockProblem(exchange, block, message);
    if (problem !== undefined) return this.#fail(problem);
    exchange.parts.push(message.payload);
    exchange.received += message.payload.length;
    if (exchange.received > (this.#options.bodyLimit ?? 65_536)) return this.#fail(`an answer of at most ${this.#options.bodyLimit ?? 65_536} octets expected, got more`);
    if (!block.more) return this.#done(message, concat(...exchange.parts));
    exchange.etag = first(message.options, Opt.ETag);
    Object.assign(exchange, { phase: "download", szx: block.szx, code: message.code });
    return this.#send(exchange, now);
  }

  #blockProblem(exchange: Exchange, block: Block, { options, payload, code: got }: Message): string | undefined {
    const size = blockSize(block.szx);
    if (block.szx === 7 || block.szx > (exchange.block2?.szx ?? 6)) return `Block2 of at most ${blockSize(exchange.block2?.szx ?? 6)} octets expected, got SZX ${block.szx}`;
    if (block.num * size !== exchange.received) return `Block2 at octet ${exchange.received} expected, got ${blockText(block)}`;
    if (block.more ? payload.length !== size : payload.length > size) return `Block2 ${blockText(block)}: ${size} octets expected, got ${payload.length}`;
    if (exchange.phase === "upload") return undefined;
    const etag = first(options, Opt.ETag);
    if (got !== exchange.code) return `${codeText(exchange.code)} expected in all blocks, got ${codeText(got)}`;
    return equal(etag ?? NONE, exchange.etag ?? NONE) ? undefined : `ETag ${toHex(exchange.etag ?? NONE)} expected in all blocks, got ${toHex(etag ?? NONE)}`;
  }

  #done(message: Message, payload: Uint8Array): ClientOutput[] {
    this.#exchange = undefined;
    return [{ kind: "answer", answer: { code: message.code, payload, options: message.options } }];
  }
}

/** Max-Age of an answer in seconds; 60 when there is none (RFC 7252 5.10.5). */
export function maxAgeOf(answer: ClientAnswer): number {
  return uintOf(answer.options, Opt.MaxAge) ?? 60;
}

export const POST = code("0.02");

function send(message: Message): ClientOutput {
  return { kind: "send", datagram: encode(message) };
}
