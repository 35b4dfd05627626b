/**
 * The link in virtual time: HTTPS towards simulated servers in this process (sgp32-transport 1, 2.1, 6), without bytes on a wire.
 * TLS is reduced to what decides: name, connection, the trust check of A6 (ES9+: of the host's roots) against the server's certificates.
 * Faults have names and strike at counted exchanges. Leaves out: bandwidth, CoAP.
 */
import { concat } from "../core/bytes.js";
import type { VirtualClock } from "../core/clock.js";
import { failed, type AnswerPiece, type Ended, type Endpoint, type Failed, type Link, type SendHow } from "../core/doors.js";
import { es9pHeaders, es9pPath } from "../core/es9p-http.js";
import { ESIPA_PATH, requestHeaders, retryAfter, splitAddress, type HttpIdentity } from "../core/esipa-http.js";
import type { EsipaRequest, EsipaResponse } from "../core/http.js";
import { Rng } from "../core/rng.js";
import { distrust, readAnchor } from "../pki/trust.js";
import { strikes, type Fault, type PendingFault } from "./faults.js";

/** A server that can be reached by name. */
export interface VirtualServer {
  handle(request: EsipaRequest): EsipaResponse;
  /** DER, the server's own first. */
  readonly certificates: readonly Uint8Array[];
}

/** State of the data bearer: a connection lives as long as its generation. */
export interface Network {
  readonly up: boolean;
  readonly generation: number;
}

export interface VirtualLinkOptions {
  readonly clock: Pick<VirtualClock, "now" | "sleep">;
  readonly network: () => Network;
  /** eIMs by FQDN[:port] as the eIM configuration says it, SM-DP+ and SM-DS by their address in lower case. */
  readonly servers: ReadonlyMap<string, VirtualServer>;
  readonly seed: number;
  /** Milliseconds of one round trip (default 100). */
  readonly latencyMs?: number;
  /** CA certificates that stand in where the eIM configuration has no A6; without any, such a server is not trusted. */
  readonly caStore?: readonly Uint8Array[];
  /** CA certificates by which SM-DP+ and SM-DS are trusted (default: caStore). */
  readonly rspRoots?: readonly Uint8Array[];
  /** Clock time for validity dates; they are not looked at without. */
  readonly date?: Date;
  readonly identity?: HttpIdentity;
  /** Address and A6 to use instead of those of the eIM configuration. */
  readonly instead?: { readonly address?: string; readonly trust?: Uint8Array };
  readonly note?: (text: string) => void;
}

interface Answer {
  readonly code: number;
  readonly retryAfter: number;
  readonly body: Uint8Array;
  readonly readyAt: number;
  /** Octets after which the connection dies. */
  readonly cut: number | null;
  at: number;
}

/** Plain data. */
export interface VirtualLinkState {
  endpoint: Endpoint | null;
  generation: number;
  /** The server has closed; the next request connects anew. */
  closedByServer: boolean;
  request: readonly Uint8Array[];
  /** Function of the request in hand: 0 is ESipa ASN.1. */
  fn: number;
  answer: Answer | "lost" | "silent" | null;
  /** Exchanges begun so far. */
  exchanges: number;
  /** Connection attempts so far. */
  connects: number;
  pieces: "whole" | "random" | "single";
  faults: readonly PendingFault[];
  rng: [number, number, number, number];
}

export class VirtualLink implements Link {
  readonly #options: VirtualLinkOptions;
  readonly #rng: Rng;
  #state: VirtualLinkState;

  constructor(options: VirtualLinkOptions) {
    this.#options = options;
    this.#rng = new Rng(options.seed);
    this.#state = {
      endpoint: null, generation: -1, closedByServer: false, request: [], fn: 0, answer: null,
      exchanges: 0, connects: 0, pieces: "whole", faults: [], rng: this.#rng.state,
    };
  }

  /** Lets a fault strike; its counting begins now. */
  use(fault: Fault): void {
    const base = fault.at === "connect" ? this.#state.connects : this.#state.exchanges;
    this.#state.faults = [...this.#state.faults, { ...fault, from: base + fault.nth, to: base + fault.nth + fault.times - 1 }];
  }

  /** Removes all faults. */
  heal(): void {
    this.#state.faults = [];
  }

  /** How answers arrive: as wanted, in pieces of seeded random size, or octet by octet. */
  split(pieces: VirtualLinkState["pieces"]): void {
    this.#state.pieces = pieces;
  }

  /** The connection dies, as by a power cut or a lost bearer. */
  cut(): void {
    Object.assign(this.#state, { endpoint: null, generation: -1, closedByServer: false, request: [], answer: null });
  }

  open(wanted: Endpoint, waitMs: number): Ended {
    this.cut();
    const endpoint = wanted.peer === "eIM" ? { ...wanted, ...this.#options.instead } : { ...wanted, address: wanted.address.toLowerCase() };
    if (endpoint.binding === "ESipa CoAPS") return failed("unsupported", `${endpoint.binding} is not in this world`);
    const problem = this.#connect(endpoint, waitMs);
    if (problem !== undefined) return problem;
    this.#state.endpoint = endpoint;
    return undefined;
  }

  send(piece: Uint8Array, how: SendHow): Ended {
    const broken = this.#alive();
    if (broken !== undefined) return broken;
    const es9p = this.#state.endpoint?.binding === "ES9+ HTTPS";
    if (es9p ? es9pPath(how.fn) === undefined : how.fn !== 0) return failed("unsupported", `function ${how.fn} is not in ${this.#state.endpoint?.binding ?? "it"}`);
    this.#state.fn = how.fn;
    this.#state.request = how.first ? [piece] : [...this.#state.request, piece];
    return how.last ? this.#exchange(how.waitMs) : undefined;
  }

  receive(max: number, waitMs: number): AnswerPiece | Failed {
    const broken = this.#alive();
    if (broken !== undefined) return broken;
    const answer = this.#state.answer;
    if (answer === "lost") return this.#broken("the connection was closed instead of an answer");
    if (answer === null || answer === "silent") return this.#timeout(waitMs);
    const { clock } = this.#options;
    if (answer.readyAt - clock.now() > waitMs) return this.#timeout(waitMs);
    if (answer.readyAt > clock.now()) clock.sleep(answer.readyAt - clock.now());
    return this.#piece(answer, max);
  }

  close(): Ended {
    this.cut();
    return undefined;
  }

  snapshot(): VirtualLinkState {
    const s = this.#state;
    return { ...s, rng: [...this.#rng.state], answer: typeof s.answer === "object" && s.answer !== null ? { ...s.answer } : s.answer };
  }

  restore(state: VirtualLinkState): void {
    this.#rng.state = [...state.rng];
    this.#state = { ...state, answer: typeof state.answer === "object" && state.answer !== null ? { ...state.answer } : state.answer };
  }

  get #latency(): number {
    return this.#options.latencyMs ?? 100;
  }

  #connect(endpoint: Endpoint, waitMs: number): Ended {
    const { clock, network, servers } = this.#options;
    const number = ++this.#state.connects;
    const fault = (what: Fault["what"]): boolean => strikes(this.#state.faults, "connect", what, number);
    const now = network();
    if (!now.up) return failed("link", "there is no bearer");
    const server = servers.get(endpoint.address);
    if (server === undefined || fault("name")) return failed("name", `${endpoint.address} is not known`);
    if (fault("hang")) {
      clock.sleep(waitMs);
      return failed("timeout", `no connection to ${endpoint.address} within ${waitMs} ms`);
    }
    clock.sleep(this.#latency * 3); // TCP and TLS 1.2 handshakes
    if (fault("refuse")) return failed("link", `${endpoint.address} refused the connection`);
    const untrusted = fault("untrusted") ? "a stranger answered" : this.#distrust(endpoint, server);
    if (untrusted !== undefined) return failed("trust", untrusted);
    this.#state.generation = now.generation;
    this.#state.closedByServer = false;
    return undefined;
  }

  #distrust(endpoint: Endpoint, server: VirtualServer): string | undefined {
    const { caStore = [], rspRoots = caStore } = this.#options;
    const anchors = endpoint.trust === undefined
      ? (endpoint.peer === "eIM" ? caStore : rspRoots).map((der) => ({ kind: "certificate", der }) as const)
      : [readAnchor(endpoint.trust)];
    const { date } = this.#options;
    return distrust({ anchors, chain: server.certificates, host: splitAddress(endpoint.address, 443).host, ...(date === undefined ? {} : { now: date }) });
  }

  #alive(): Ended {
    const now = this.#options.network();
    if (this.#state.endpoint === null) return failed("link", "there is no connection");
    if (!now.up || now.generation !== this.#state.generation) return this.#broken("the connection died with its bearer");
    return undefined;
  }

  #exchange(waitMs: number): Ended {
    const endpoint = this.#state.endpoint as Endpoint;
    if (this.#state.closedByServer) {
      this.#options.note?.(`${endpoint.address} had closed the connection: connecting again`);
      const problem = this.#connect(endpoint, waitMs);
      if (problem !== undefined) return problem;
    }
    const { clock, servers } = this.#options;
    const number = ++this.#state.exchanges;
    const fault = (what: Fault["what"]): PendingFault | undefined => this.#state.faults.find((f) => strikes([f], "exchange", what, number));
    if (fault("reset") !== undefined) return this.#broken("the connection was reset while the request was sent");
    if (fault("hang") !== undefined) {
      this.#state.answer = "silent";
      return undefined;
    }
    clock.sleep(this.#latency / 2);
    const body = concat(...this.#state.request);
    const server = servers.get(endpoint.address) as VirtualServer;
    const response = server.handle({ method: "POST", ...this.#head(endpoint, body.length), body });
    this.#state.answer = fault("lose") !== undefined ? "lost" : this.#answer(response, fault("late")?.ms ?? 0);
    this.#state.closedByServer = fault("close") !== undefined || response.headers["connection"]?.toLowerCase() === "close";
    return undefined;
  }

  #head(endpoint: Endpoint, length: number): { path: string; headers: Record<string, string> } {
    const { identity } = this.#options;
    if (endpoint.binding === "ES9+ HTTPS") return { path: es9pPath(this.#state.fn) as string, headers: es9pHeaders(endpoint.address, length, identity?.userAgent) };
    return { path: ESIPA_PATH, headers: requestHeaders(endpoint.address, length, identity) };
  }

  #answer(response: EsipaResponse, lateMs: number): Answer | "lost" | "silent" {
    if (response.silent === true) return "silent";
    if (response.drop === true) return "lost";
    const body = response.body.slice(0, response.truncateTo ?? response.body.length);
    const readyAt = this.#options.clock.now() + this.#latency / 2 + (response.delayMs ?? 0) + lateMs;
    return { code: response.status, retryAfter: retryAfter(response.headers["retry-after"]), body, readyAt, cut: response.truncateTo === undefined ? null : body.length, at: 0 };
  }

  #piece(answer: Answer, max: number): AnswerPiece | Failed {
    if (answer.cut !== null && answer.at === answer.cut) return this.#broken(`the connection was closed after ${answer.cut} octets of the answer`);
    const { pieces } = this.#state;
    const wanted = pieces === "whole" ? max : pieces === "single" ? 1 : 1 + this.#rng.int(max);
    const payload = answer.body.slice(answer.at, answer.at + wanted);
    answer.at += payload.length;
    // With random pieces LAST sometimes comes alone, as it does where a body's end shows only at its end.
    const last = answer.at === answer.body.length && answer.cut === null && !(pieces === "random" && payload.length > 0 && this.#rng.int(4) === 0);
    if (last) {
      this.#state.answer = null;
      this.#state.request = [];
    }
    return { code: answer.code, retryAfter: answer.retryAfter, last, payload };
  }

  #broken(reason: string): Failed {
    this.cut();
    return failed("link", reason);
  }

  #timeout(waitMs: number): Failed {
    this.#options.clock.sleep(waitMs);
    return failed("timeout", `no answer within ${waitMs} ms`);
  }
}
