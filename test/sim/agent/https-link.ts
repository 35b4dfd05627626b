/**
 * The real link: ESipa and ES9+ over HTTPS with Node's TLS (sgp32-transport 1, 2.1, 6; TLS >= 1.2, server authentication only). An eIM is trusted by A6 of
 * the eIM configuration; without it by a configured CA file, or the system's store. SM-DP+ and SM-DS are trusted by the host's own list (rsp-trust.ts).
 * One connection stays open for the session; a server that closed it between two messages is connected to again. Redirects are not followed: their
 * status goes to the agent. Answers are read no faster than the agent takes them. Plain http:// and unpinned servers exist only in the laboratory.
 * Leaves out: CoAPS.
 */
import { Agent as HttpAgent, request as httpRequest, type ClientRequest, type IncomingMessage } from "node:http";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { concat } from "../core/bytes.js";
import { failed, isFailed, type AnswerPiece, type Ended, type Endpoint, type Failed, type Link, type SendHow } from "../core/doors.js";
import { es9pHeaders, es9pPath, ES9P_CONTENT_TYPE } from "../core/es9p-http.js";
import { ESIPA_CONTENT_TYPE, ESIPA_PATH, requestHeaders, retryAfter, splitAddress, type HttpIdentity } from "../core/esipa-http.js";
import { LinkFailure, nextPiece, peerChain, reach, whyFailed, within } from "../core/tls-client.js";
import { TlvError } from "../codec/tlv.js";
import { distrust, readAnchor, type Anchor } from "../pki/trust.js";
import { distrustRsp } from "./rsp-trust.js";

export interface HttpsLinkOptions {
  /** CA certificates (DER) for eIMs whose configuration has no A6; without any, the system's store counts. */
  readonly caStore?: readonly Uint8Array[];
  /**
   * How SM-DP+ and SM-DS are trusted: certificates (DER) of CIs and CAs, or of the very servers; "system": this computer's CAs. Without it
   * there is no ES9+.
   */
  readonly rspTrust?: readonly Uint8Array[] | "system";
  /** Laboratory: `http://` addresses are allowed, and servers for which nothing is configured are not checked. */
  readonly lab?: boolean;
  /** Where to connect instead of what the name resolves to: "127.0.0.1:8443" for "eim.example.com", in the laboratory also "http://…". Name and trust stay as they are. */
  readonly resolve?: (address: string) => string;
  /** Of eIMs: address (FQDN[:port], in the laboratory also "http://…") and A6 to use instead of those of the eIM configuration. */
  readonly instead?: { readonly address?: string; readonly trust?: Uint8Array };
  readonly identity?: HttpIdentity;
  /** Clock time for validity dates of a CA's chain (default: now); null looks at none. */
  readonly date?: Date | null;
  readonly note?: (text: string) => void;
}

export class HttpsLink implements Link {
  readonly #options: HttpsLinkOptions;
  #endpoint: Endpoint | undefined;
  #agent: HttpAgent | undefined;
  #ready: Socket | undefined;
  #request: Uint8Array[] = [];
  #answer: Promise<IncomingMessage | Failed> | undefined;
  #message: IncomingMessage | undefined;
  #left = 0;
  /** Connections that have carried an answer: Node's own reusedSocket misses requests that waited for theirs. */
  readonly #served = new WeakSet<Socket>();

  constructor(options: HttpsLinkOptions = {}) {
    this.#options = options;
  }

  async open(wanted: Endpoint, waitMs: number): Promise<Ended> {
    this.close();
    const endpoint = wanted.peer === "eIM" ? { ...wanted, ...this.#options.instead } : { ...wanted, address: wanted.address.toLowerCase() };
    const refused = this.#refuses(endpoint);
    if (refused !== undefined) return refused;
    this.#endpoint = endpoint;
    const socket = await within(this.#connect(endpoint), waitMs, `no connection to ${endpoint.address}`, (late) => isFailed(late) || late.destroy());
    if (isFailed(socket)) return socket;
    this.#ready = socket;
    this.#agent = this.#keepAlive(endpoint);
    return undefined;
  }

  send(piece: Uint8Array, how: SendHow): Ended {
    if (this.#agent === undefined) return failed("link", "there is no connection");
    const path = this.#path(how.fn);
    if (path === undefined) return failed("unsupported", `function ${how.fn} is not in ${this.#endpoint?.binding}`);
    if (how.first) this.#request = [];
    this.#request.push(piece);
    if (how.last) this.#answer = this.#exchange(path, concat(...this.#request));
    return undefined;
  }

  async receive(max: number, waitMs: number): Promise<AnswerPiece | Failed> {
    if (this.#message === undefined) {
      const begun = await within(this.#answer ?? Promise.resolve(failed("link", "nothing was sent")), waitMs, "no answer");
      if (isFailed(begun)) return this.#drop(begun);
      this.#begin(begun);
    }
    const message = this.#message as IncomingMessage;
    const payload = await within(nextPiece(message, max), waitMs, "the answer stopped");
    if (isFailed(payload)) return this.#drop(payload);
    this.#left -= payload.length;
    const last = payload.length === 0 || this.#left === 0;
    if (last) this.#finish(message);
    return { code: message.statusCode ?? 0, retryAfter: retryAfter(message.headers["retry-after"]), last, payload };
  }

  close(): Ended {
    this.#ready?.destroy();
    this.#agent?.destroy();
    this.#message?.destroy();
    this.#answer?.then((message) => isFailed(message) || message.destroy());
    this.#ready = this.#agent = this.#message = this.#answer = undefined;
    this.#request = [];
    return undefined;
  }

  #drop(failure: Failed): Failed {
    this.close();
    return failure;
  }

  /** What can be said before any socket is opened. */
  #refuses(endpoint: Endpoint): Ended {
    const { binding, peer, trust } = endpoint;
    if (binding === "ESipa CoAPS") return failed("unsupported", `${binding} is not available here`);
    if ((binding === "ES9+ HTTPS") !== (peer !== "eIM")) return failed("unsupported", `${binding} towards an ${peer} is not available here`);
    const at = this.#resolved(endpoint);
    if (plain(at) && this.#options.lab !== true) return failed("trust", `${at} without TLS is for the laboratory only`);
    try {
      target(endpoint.address);
      target(at);
      if (trust !== undefined) readAnchor(trust);
    } catch (cause) {
      if (cause instanceof RangeError) return failed("name", cause.message);
      if (cause instanceof TlvError) return failed("trust", `trustedPublicKeyDataTls: ${cause.message}`);
      throw cause;
    }
    return peer === "eIM" || this.#options.rspTrust !== undefined || plain(at) || this.#options.lab === true ? undefined : failed("trust", `there is no CI or CA by which an ${peer} could be trusted`);
  }

  /** Path of the agent's function in the binding that was opened. */
  #path(fn: number): string | undefined {
    if (this.#endpoint?.binding === "ES9+ HTTPS") return es9pPath(fn);
    return fn === 0 ? ESIPA_PATH : undefined;
  }

  #begin(message: IncomingMessage): void {
    this.#message = message;
    const length = message.headers["content-length"];
    this.#left = message.statusCode === 204 ? 0 : length === undefined ? Infinity : Number(length);
    const type = message.headers["content-type"];
    const expected = this.#endpoint?.binding === "ES9+ HTTPS" ? ES9P_CONTENT_TYPE : ESIPA_CONTENT_TYPE;
    if (this.#left !== 0 && type?.split(";")[0]?.trim() !== expected) this.#options.note?.(`the answer's Content-Type is ${type ?? "absent"}, expected ${expected}`);
  }

  /** Lets Node see the end of the message, so that the connection is free for the next one. */
  #finish(message: IncomingMessage): void {
    message.resume();
    this.#message = this.#answer = undefined;
    this.#request = [];
  }

  #keepAlive(endpoint: Endpoint): HttpAgent {
    const agent = new HttpAgent({ keepAlive: true, maxSockets: 1 });
    const create = (_options: unknown, done: (error: Error | null, socket?: Socket) => void): undefined => {
      const ready = this.#ready;
      this.#ready = undefined;
      if (ready !== undefined && !ready.destroyed && ready.readyState === "open") return void done(null, ready);
      this.#options.note?.(`${endpoint.address} had closed the connection: connecting again`);
      this.#connect(endpoint).then(
        (socket) => (isFailed(socket) ? done(new LinkFailure(socket)) : done(null, socket)),
        (error: Error) => done(error),
      );
      return undefined;
    };
    (agent as unknown as { createConnection: typeof create }).createConnection = create;
    return agent;
  }

  async #exchange(path: string, body: Uint8Array): Promise<IncomingMessage | Failed> {
    const first = await this.#once(path, body);
    // A kept connection may close while the request is on its way: the request is sent again, once. ESipa takes a message twice; an SM-DP+ that
    // has seen the first one refuses the second by its session or answers the same, so that nothing is worse than with a lost answer.
    const kept = first.request.socket !== null && this.#served.has(first.request.socket);
    if (isFailed(first.answer) && kept && first.answer.failure === "link" && this.#agent !== undefined) {
      this.#options.note?.(`${this.#endpoint?.address} closed the connection: sending again`);
      return (await this.#once(path, body)).answer;
    }
    return first.answer;
  }

  #once(path: string, body: Uint8Array): Promise<{ request: ClientRequest; answer: IncomingMessage | Failed }> {
    const { address, binding } = this.#endpoint as Endpoint;
    const { host, port } = target(address);
    const { identity } = this.#options;
    const name = address.replace(/^https?:\/\//, "");
    const fields = binding === "ES9+ HTTPS" ? es9pHeaders(name, body.length, identity?.userAgent) : requestHeaders(name, body.length, identity);
    const headers = { ...fields, connection: "keep-alive" };
    return new Promise((resolve) => {
      const request = httpRequest({ agent: this.#agent, host, port, method: "POST", path, headers });
      request.once("response", (answer) => {
        this.#served.add(answer.socket);
        resolve({ request, answer });
      });
      request.on("error", (error) => resolve({ request, answer: whyFailed(error) }));
      request.end(body);
    });
  }

  async #connect(endpoint: Endpoint): Promise<Socket | Failed> {
    const { host } = target(endpoint.address);
    const at = target(this.#resolved(endpoint));
    if (plain(this.#resolved(endpoint))) return reach(connectTcp({ host: at.host, port: at.port }), "connect");
    const socket = connectTls({
      host: at.host, port: at.port, minVersion: "TLSv1.2", rejectUnauthorized: false, ALPNProtocols: ["http/1.1"],
      ...(isIP(host) === 0 ? { servername: host } : {}),
    });
    const reached = await reach(socket, "secureConnect");
    if (isFailed(reached)) return reached;
    const reason = this.#whyNot(socket, endpoint, host);
    if (reason === undefined) return socket;
    socket.destroy();
    return failed("trust", reason);
  }

  #resolved(endpoint: Endpoint): string {
    return this.#options.resolve?.(endpoint.address) ?? endpoint.address;
  }

  /** A certificate that nobody can read, on either side, vouches for nothing. */
  #whyNot(socket: TLSSocket, endpoint: Endpoint, host: string): string | undefined {
    try {
      return this.#distrust(socket, endpoint, host);
    } catch (error) {
      return `the certificates can't be compared: ${(error as Error).message}`;
    }
  }

  #distrust(socket: TLSSocket, { peer, trust }: Endpoint, host: string): string | undefined {
    const { caStore, rspTrust } = this.#options;
    const date = this.#options.date === undefined ? new Date() : this.#options.date;
    const check = { chain: peerChain(socket), host, ...(date === null ? {} : { now: date }) };
    if (peer !== "eIM") return rspTrust === undefined || rspTrust === "system" ? this.#bySystem(socket, host, rspTrust === "system") : distrustRsp({ ...check, peer, roots: rspTrust });
    const anchors: Anchor[] | undefined = trust !== undefined ? [readAnchor(trust)] : caStore?.map((der) => ({ kind: "certificate", der }));
    return anchors === undefined ? this.#bySystem(socket, host, false) : distrust({ ...check, anchors });
  }

  /** By the system's store; in the laboratory anybody is trusted, unless the store was `asked` for. */
  #bySystem(socket: TLSSocket, host: string, asked: boolean): string | undefined {
    if (socket.authorized || (this.#options.lab === true && !asked)) return undefined;
    return `the system's store does not vouch for ${host}: ${String(socket.authorizationError)}`;
  }
}

function plain(address: string): boolean {
  return address.startsWith("http://");
}

function target(address: string): { host: string; port: number } {
  return splitAddress(address.replace(/^https?:\/\//, "").replace(/\/$/, ""), plain(address) ? 80 : 443);
}
