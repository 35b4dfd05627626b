/**
 * The real link: ESipa over HTTPS with Node's TLS (sgp32-transport 1, 2.1; TLS >= 1.2, server authentication only). Trust comes from
 * A6 of the eIM configuration; without it from a configured CA file, or the system's store. One connection stays open for the
 * session; a server that closed it between two messages is connected to again. Redirects are not followed.
 * Plain http:// and unpinned servers exist only in the laboratory. Leaves out: CoAPS, ES9+.
 */
import { Agent as HttpAgent, request as httpRequest, type ClientRequest, type IncomingMessage } from "node:http";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { concat } from "../core/bytes.js";
import { failed, isFailed, type AnswerPiece, type Ended, type Endpoint, type Failed, type Link, type SendHow } from "../core/doors.js";
import { ESIPA_CONTENT_TYPE, ESIPA_PATH, requestHeaders, retryAfter, splitAddress, type HttpIdentity } from "../core/esipa-http.js";
import { SimError } from "../core/errors.js";
import { distrust, readAnchor, type Anchor } from "../pki/trust.js";

export interface HttpsLinkOptions {
  /** CA certificates (DER) for eIMs whose configuration has no A6; without any, the system's store counts. */
  readonly caStore?: readonly Uint8Array[];
  /** Laboratory: `http://` addresses are allowed, and servers without A6 are not checked. */
  readonly lab?: boolean;
  /** Where to connect instead of what the name resolves to: "127.0.0.1:8443" for "eim.example.com", in the laboratory also "http://…". Name and trust stay as they are. */
  readonly resolve?: (address: string) => string;
  /** Address (FQDN[:port], in the laboratory also "http://…") and A6 to use instead of those of the eIM configuration. */
  readonly instead?: { readonly address?: string; readonly trust?: Uint8Array };
  readonly identity?: HttpIdentity;
  /** Clock time for validity dates of a CA's chain (default: now); null looks at none. */
  readonly date?: Date | null;
  readonly note?: (text: string) => void;
}

/** A failure on its way through code that can only throw. */
class LinkFailure extends SimError {
  constructor(readonly failed: Failed) {
    super("link", failed.reason);
  }
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
    const endpoint = { ...wanted, ...this.#options.instead };
    if (endpoint.binding !== "ESipa HTTPS") return failed("unsupported", `${endpoint.binding} is not available here`);
    if (plain(this.#resolved(endpoint)) && this.#options.lab !== true) return failed("trust", `${this.#resolved(endpoint)} without TLS is for the laboratory only`);
    this.#endpoint = endpoint;
    const socket = await within(this.#connect(endpoint), waitMs, `no connection to ${endpoint.address}`, (late) => isFailed(late) || late.destroy());
    if (isFailed(socket)) return socket;
    this.#ready = socket;
    this.#agent = this.#keepAlive(endpoint);
    return undefined;
  }

  send(piece: Uint8Array, how: SendHow): Ended {
    if (this.#agent === undefined) return failed("link", "there is no connection");
    if (how.fn !== 0) return failed("unsupported", `function ${how.fn} is not ESipa ASN.1`);
    this.#request = how.first ? [piece] : [...this.#request, piece];
    if (how.last) this.#answer = this.#exchange(concat(...this.#request));
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

  #begin(message: IncomingMessage): void {
    this.#message = message;
    const length = message.headers["content-length"];
    this.#left = message.statusCode === 204 ? 0 : length === undefined ? Infinity : Number(length);
    const type = message.headers["content-type"];
    if (this.#left !== 0 && type?.split(";")[0]?.trim() !== ESIPA_CONTENT_TYPE) this.#options.note?.(`the answer's Content-Type is ${type ?? "absent"}, expected ${ESIPA_CONTENT_TYPE}`);
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

  async #exchange(body: Uint8Array): Promise<IncomingMessage | Failed> {
    const first = await this.#once(body);
    // A kept connection may close while the request is on its way: the request is sent again, once. ESipa takes a message twice.
    const kept = first.request.socket !== null && this.#served.has(first.request.socket);
    if (isFailed(first.answer) && kept && first.answer.failure === "link" && this.#agent !== undefined) {
      this.#options.note?.(`${this.#endpoint?.address} closed the connection: sending again`);
      return (await this.#once(body)).answer;
    }
    return first.answer;
  }

  #once(body: Uint8Array): Promise<{ request: ClientRequest; answer: IncomingMessage | Failed }> {
    const { address } = this.#endpoint as Endpoint;
    const { host, port } = target(address);
    const headers = { ...requestHeaders(address.replace(/^https?:\/\//, ""), body.length, this.#options.identity), connection: "keep-alive" };
    return new Promise((resolve) => {
      const request = httpRequest({ agent: this.#agent, host, port, method: "POST", path: ESIPA_PATH, headers });
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
    const anchors = this.#anchors(endpoint);
    const socket = connectTls({
      host: at.host, port: at.port, minVersion: "TLSv1.2", rejectUnauthorized: false, ALPNProtocols: ["http/1.1"],
      ...(isIP(host) === 0 ? { servername: host } : {}),
    });
    const reached = await reach(socket, "secureConnect");
    if (isFailed(reached)) return reached;
    const reason = this.#distrust(socket, anchors, host);
    if (reason === undefined) return socket;
    socket.destroy();
    return failed("trust", reason);
  }

  #resolved(endpoint: Endpoint): string {
    return this.#options.resolve?.(endpoint.address) ?? endpoint.address;
  }

  #anchors(endpoint: Endpoint): Anchor[] | undefined {
    if (endpoint.trust !== undefined) return [readAnchor(endpoint.trust)];
    return this.#options.caStore?.map((der) => ({ kind: "certificate", der }) as const);
  }

  #distrust(socket: TLSSocket, anchors: Anchor[] | undefined, host: string): string | undefined {
    if (anchors === undefined) {
      if (socket.authorized || this.#options.lab === true) return undefined;
      return `the system's store does not vouch for ${host}: ${String(socket.authorizationError)}`;
    }
    const date = this.#options.date === undefined ? new Date() : this.#options.date;
    return distrust({ anchors, chain: peerChain(socket), host, ...(date === null ? {} : { now: date }) });
  }
}

function plain(address: string): boolean {
  return address.startsWith("http://");
}

function target(address: string): { host: string; port: number } {
  return splitAddress(address.replace(/^https?:\/\//, "").replace(/\/$/, ""), plain(address) ? 80 : 443);
}

/** What the server sent, its own certificate first. */
function peerChain(socket: TLSSocket): Uint8Array[] {
  const chain: Uint8Array[] = [];
  for (let at = socket.getPeerX509Certificate(); at !== undefined && chain.length < 10; at = at.issuerCertificate) {
    const der = new Uint8Array(at.raw);
    if (chain.some((seen) => Buffer.compare(seen, der) === 0)) break;
    chain.push(der);
  }
  return chain;
}

function reach<S extends Socket>(socket: S, event: "connect" | "secureConnect"): Promise<S | Failed> {
  socket.setNoDelay(true);
  return new Promise((resolve) => {
    socket.once(event, () => resolve(socket));
    // Stays for the socket's life: an idle connection that breaks is found by the next request.
    socket.on("error", (error) => resolve(whyFailed(error)));
  });
}

/** The failure behind an error of Node's sockets. */
function whyFailed(error: Error): Failed {
  if (error instanceof LinkFailure) return error.failed;
  const code = (error as NodeJS.ErrnoException).code ?? "";
  const text = error.message || code || String(error);
  if (code === "ENOTFOUND" || code === "EAI_AGAIN" || code === "ENODATA") return failed("name", text);
  if (code.startsWith("ERR_SSL") || code.startsWith("ERR_TLS") || code === "EPROTO") return failed("trust", text);
  return failed("link", text);
}

/** The next octets of a body, at most `max`; none at its end. Reads no further, so that the sender is held back. */
function nextPiece(message: IncomingMessage, max: number): Promise<Uint8Array | Failed> {
  return new Promise((resolve) => {
    const end = (result: Uint8Array | Failed): void => {
      message.off("readable", look).off("end", atEnd).off("close", atClose).off("error", atError);
      resolve(result);
    };
    const look = (): void => {
      const piece = message.readableLength > 0 ? (message.read(Math.min(max, message.readableLength)) as Buffer | null) : null;
      if (piece !== null) end(Uint8Array.from(piece));
      else if (message.readableLength === 0 && !message.readableEnded) message.read(0);
    };
    const atEnd = (): void => end(new Uint8Array(0));
    const atClose = (): void => end(message.complete ? new Uint8Array(0) : failed("link", "the connection was closed within the answer"));
    const atError = (error: Error): void => end(whyFailed(error));
    if (message.readableEnded) return end(new Uint8Array(0));
    if (message.destroyed) return atClose();
    message.on("readable", look).on("end", atEnd).on("close", atClose).on("error", atError);
    look();
  });
}

async function within<T>(work: Promise<T>, ms: number, what: string, late?: (result: T) => void): Promise<T | Failed> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<Failed>((resolve) => {
    timer = setTimeout(() => resolve(failed("timeout", `${what} within ${ms} ms`)), ms);
  });
  const first = await Promise.race([work, timeout]);
  clearTimeout(timer);
  if (late !== undefined && isFailed(first) && first.failure === "timeout") void work.then(late);
  return first;
}
