/**
 * For tests of the HTTPS link: an HTTPS server with any handler, answers in small chunks, connections closed at will; and one exchange over a link.
 */
import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { Socket } from "node:net";
import { concat, utf8 } from "../sim/core/bytes.js";
import { isFailed, type Failed, type Link } from "../sim/core/doors.js";
import type { EsipaRequest, EsipaResponse } from "../sim/core/http.js";
import type { KeyPair } from "../sim/pki/keys.js";

export interface HttpsServerOptions {
  readonly handle: (request: EsipaRequest) => EsipaResponse;
  readonly key: KeyPair;
  /** DER, the server's own first. */
  readonly certificates: readonly Uint8Array[];
  /** Default 0: a free one. */
  readonly port?: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Send answers in pieces of this size, chunked, without Content-Length. */
  readonly chunk?: number;
  /** Close the connection behind each answer. */
  readonly closeAfterAnswer?: boolean;
}

const LARGEST_REQUEST = 1 << 20;

export class HttpsServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #timers = new Set<NodeJS.Timeout>();
  /** Connections accepted so far. */
  connections = 0;

  private constructor(readonly options: HttpsServerOptions) {
    this.#server = createServer({ key: pem(options.key), cert: options.certificates.map(certificatePem).join(""), minVersion: "TLSv1.2" }, (request, response) => {
      this.#answer(request, response).catch((error: Error) => request.destroy(error));
    });
    this.#server.keepAliveTimeout = 0;
    this.#server.on("secureConnection", (socket: Socket) => {
      this.connections++;
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
  }

  static listen(options: HttpsServerOptions): Promise<HttpsServer> {
    const made = new HttpsServer(options);
    return new Promise((resolve, reject) => {
      made.#server.once("error", reject);
      made.#server.listen(options.port ?? 0, options.host ?? "127.0.0.1", () => resolve(made));
    });
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  /** Closes the connections that are open now; the server goes on. */
  closeConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    this.closeConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  async #answer(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(message);
    const headers = Object.fromEntries(Object.entries(message.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(", ") : (value ?? "")]));
    const answer = this.options.handle({ method: message.method ?? "", path: message.url ?? "", headers, body });
    if (answer.silent === true) return;
    if (answer.drop === true) return void message.socket.destroy();
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#send(response, answer);
    }, answer.delayMs ?? 0);
    this.#timers.add(timer);
  }

  #send(response: ServerResponse, answer: EsipaResponse): void {
    const { chunk, closeAfterAnswer } = this.options;
    const sent = answer.body.subarray(0, answer.truncateTo ?? answer.body.length);
    const length = answer.status === 204 || chunk !== undefined ? {} : { "content-length": String(answer.body.length) };
    response.writeHead(answer.status, { ...answer.headers, ...length, ...(closeAfterAnswer === true ? { connection: "close" } : {}) });
    for (let at = 0; at < sent.length; at += chunk ?? sent.length) response.write(sent.subarray(at, at + (chunk ?? sent.length)));
    if (answer.truncateTo !== undefined) response.flushHeaders();
    if (answer.truncateTo !== undefined) setImmediate(() => response.socket?.destroy());
    else response.end();
  }
}

async function readBody(message: IncomingMessage): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of message as AsyncIterable<Uint8Array>) {
    length += part.length;
    if (length > LARGEST_REQUEST) throw new RangeError(`expected a request of at most ${LARGEST_REQUEST} octets`);
    parts.push(part);
  }
  return new Uint8Array(Buffer.concat(parts));
}

/** PKCS #8 PEM of a P-256 key. */
function pem(key: KeyPair): string {
  const part = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url");
  const jwk = { kty: "EC", crv: "P-256", d: part(key.privateKey), x: part(key.publicKey.subarray(1, 33)), y: part(key.publicKey.subarray(33)) };
  return createPrivateKey({ key: jwk, format: "jwk" }).export({ type: "pkcs8", format: "pem" }) as string;
}

function certificatePem(der: Uint8Array): string {
  return `-----BEGIN CERTIFICATE-----\n${(Buffer.from(der).toString("base64").match(/.{1,64}/g) ?? []).join("\n")}\n-----END CERTIFICATE-----\n`;
}

/** Sends one request and takes the whole answer, in pieces of at most `max` octets. */
export async function ask(link: Link, body: string, options: { max?: number; waitMs?: number; fn?: number } = {}): Promise<{ code: number; retryAfter: number; body: string; pieces: number } | Failed> {
  const { max = 1000, waitMs = 5000, fn = 0 } = options;
  const sent = await link.send(utf8(body), { first: true, last: true, total: body.length, fn, waitMs });
  if (sent !== undefined) return sent;
  const parts: Uint8Array[] = [];
  for (;;) {
    const piece = await link.receive(max, waitMs);
    if (isFailed(piece)) return piece;
    assert.ok(piece.payload.length <= max && (piece.payload.length > 0 || piece.last));
    parts.push(piece.payload);
    if (piece.last) return { code: piece.code, retryAfter: piece.retryAfter, body: new TextDecoder().decode(concat(...parts)), pieces: parts.length };
  }
}
