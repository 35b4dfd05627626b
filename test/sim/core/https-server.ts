/**
 * A simulated server on real sockets: HTTPS (TLS 1.2 and up), or plain HTTP for a laboratory; HTTP/1.1 with keep-alive (sgp32-transport 1, 2, 6).
 * Carries out what an answer orders (delay, silence, dropping, breaking off). All decisions are those of the peer that it serves.
 */
import { createPrivateKey } from "node:crypto";
import { createServer as createHttpServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { concat } from "./bytes.js";
import type { EsipaRequest, EsipaResponse } from "./http.js";
import type { Maybe } from "./maybe.js";

/** Key and certificate of a TLS server, P-256. */
export interface TlsIdentity {
  /** Scalar of 32 octets, and the point 04||X||Y. */
  readonly key: { readonly privateKey: Uint8Array; readonly publicKey: Uint8Array };
  /** DER. */
  readonly certificate: Uint8Array;
}

export interface ServerOptions {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 0: any free port. */
  readonly port?: number;
  /** Absent: plain HTTP. */
  readonly tls?: TlsIdentity;
  /** Close the connection after each answer. */
  readonly connectionClose?: boolean;
  /** Transfer-Encoding: chunked in place of Content-Length. */
  readonly chunked?: boolean;
  /** Called after each exchange that the peer has seen. */
  readonly onExchange?: () => void;
}

export interface RunningServer {
  readonly host: string;
  readonly port: number;
  /** "https://127.0.0.1:8443" */
  readonly url: string;
  /** Closes all connections and the listener. */
  close(): Promise<void>;
}

/** Serves what `answer` answers; of a body beyond `bodyLimit` octets it sees one octet more than that. Rejects when the address can't be listened on. */
export function serveHttp(answer: (request: EsipaRequest) => Maybe<EsipaResponse>, bodyLimit: number, options: ServerOptions = {}): Promise<RunningServer> {
  const listener: RequestListener = (incoming, outgoing) => {
    readBody(incoming, bodyLimit).then(
      async (body) => {
        const response = await answer(requestOf(incoming, body));
        options.onExchange?.();
        reply(outgoing, response, options);
      },
      // The peer went away in the middle of its request: there is nobody to answer.
      () => outgoing.destroy(),
    );
  };
  const { tls } = options;
  const server = tls === undefined ? createHttpServer(listener) : createHttpsServer({ ...pem(tls), minVersion: "TLSv1.2" }, listener);
  return start(server, options.host ?? "127.0.0.1", options.port ?? 0, tls === undefined ? "http" : "https");
}

/** Starts a listener; resolves when it listens. */
export function start(server: Server, host: string, port: number, scheme: "http" | "https"): Promise<RunningServer> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      const at = (server.address() as AddressInfo).port;
      resolve({ host, port: at, url: `${scheme}://${host.includes(":") ? `[${host}]` : host}:${at}`, close: () => stop(server) });
    });
  });
}

/**
 * Collects a body of at most `limit` octets; of a longer one, `limit` + 1 octets, so that whoever judges it sees that it is too long.
 * Rejects when the peer breaks off.
 */
export function readBody(incoming: IncomingMessage, limit: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let length = 0;
    incoming.on("data", (chunk: Uint8Array) => {
      if (length <= limit) chunks.push(chunk);
      length += chunk.length;
      if (length > limit) resolve(concat(...chunks).subarray(0, limit + 1));
    });
    incoming.on("end", () => resolve(concat(...chunks)));
    incoming.on("error", reject);
    incoming.on("close", () => reject(new Error("the request broke off")));
  });
}

/** Header fields of a message, names in lower case, one value each. */
export function fieldsOf(message: IncomingMessage): Record<string, string> {
  return Object.fromEntries(Object.entries(message.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(", ") : value ?? ""]));
}

function requestOf(incoming: IncomingMessage, body: Uint8Array): EsipaRequest {
  return { method: incoming.method ?? "", path: incoming.url ?? "", headers: fieldsOf(incoming), body };
}

function reply(outgoing: ServerResponse, response: EsipaResponse, options: ServerOptions): void {
  if (response.silent === true) return;
  if (response.drop === true) {
    outgoing.socket?.destroy();
    return;
  }
  if (response.delayMs === undefined) return send(outgoing, response, options);
  const timer = setTimeout(() => send(outgoing, response, options), response.delayMs);
  outgoing.once("close", () => clearTimeout(timer));
}

function send(outgoing: ServerResponse, { status, headers, body, truncateTo }: EsipaResponse, options: ServerOptions): void {
  const bodyless = status === 204;
  const framing: Record<string, string> = bodyless || options.chunked === true ? {} : { "content-length": String(body.length) };
  // A body that was not read to its end can't be followed by another request.
  if (options.connectionClose === true || status === 413) framing.connection = "close";
  outgoing.writeHead(status, { ...headers, ...framing });
  if (truncateTo !== undefined) {
    outgoing.write(body.subarray(0, truncateTo), () => outgoing.socket?.destroy());
    return;
  }
  if (bodyless) return void outgoing.end();
  const half = body.length >> 1;
  if (options.chunked === true && half > 0) outgoing.write(body.subarray(0, half));
  outgoing.end(options.chunked === true ? body.subarray(half) : body);
}

function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** Key and certificate as TLS wants them. */
function pem(tls: TlsIdentity): { key: string; cert: string } {
  const base64url = (octets: Uint8Array): string => Buffer.from(octets).toString("base64url");
  const { privateKey, publicKey } = tls.key;
  const jwk = { kty: "EC", crv: "P-256", d: base64url(privateKey), x: base64url(publicKey.subarray(1, 33)), y: base64url(publicKey.subarray(33)) };
  const key = createPrivateKey({ key: jwk, format: "jwk" }).export({ format: "pem", type: "pkcs8" }) as string;
  const lines = Buffer.from(tls.certificate).toString("base64").match(/.{1,64}/g) ?? [];
  return { key, cert: `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n` };
}
