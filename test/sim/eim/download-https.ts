/**
 * The eIM's way to real SM-DP+ and SM-DS servers: HTTPS with Node's TLS (SGP.22 v2.5 6; transport 6; TLS >= 1.2, server authentication only), one
 * connection for each call. The server is trusted by a CA or by its own certificate, given by whoever runs the eIM, else by the system's store.
 * Failures are values. Left out: keep-alive, proxies, revocation.
 */
import { request as httpRequest, type IncomingMessage } from "node:http";
import { isIP, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { concat } from "../core/bytes.js";
import { failed, isFailed, type Failed } from "../core/doors.js";
import { splitAddress } from "../core/esipa-http.js";
import { fieldsOf } from "../core/https-server.js";
import { peerChain, reach, whyFailed } from "../core/tls-client.js";
import { distrust } from "../pki/trust.js";
import { ES9P_ANSWER_LIMIT, ES9P_TIMEOUT_MS, type Es9p, type HttpRequest, type HttpResponse } from "./download-es9p.js";

export interface HttpsEs9pOptions {
  /** DER: CAs, or certificates of the very servers. Absent: the system's store. */
  readonly trust?: readonly Uint8Array[];
  /** Where to connect instead of what the name resolves to: "127.0.0.1:8444" for "smdp.example.com". Name and trust stay as they are. */
  readonly resolve?: (address: string) => string;
  /** Milliseconds for a whole call. Default ES9P_TIMEOUT_MS. */
  readonly timeoutMs?: number;
}

/** A door to real servers. Its calls never reject. */
export function httpsEs9p(options: HttpsEs9pOptions = {}): Es9p {
  return { call: (address, request) => within(options.timeoutMs ?? ES9P_TIMEOUT_MS, (abort) => callOnce(address, request, options, abort)) };
}

async function callOnce(address: string, request: HttpRequest, options: HttpsEs9pOptions, abort: AbortSignal): Promise<HttpResponse | Failed> {
  const socket = await connect(address, options);
  if (isFailed(socket)) return socket;
  const end = (): void => void socket.destroy();
  abort.addEventListener("abort", end);
  if (abort.aborted) end();
  try {
    return await exchange(socket, address, request);
  } finally {
    abort.removeEventListener("abort", end);
    socket.destroy();
  }
}

async function connect(address: string, options: HttpsEs9pOptions): Promise<TLSSocket | Failed> {
  let name: { host: string };
  let at: { host: string; port: number };
  try {
    name = splitAddress(address, 443);
    at = splitAddress(options.resolve?.(address) ?? address, 443);
  } catch (cause) {
    return failed("name", (cause as Error).message);
  }
  const socket = connectTls({ ...at, minVersion: "TLSv1.2", rejectUnauthorized: false, ALPNProtocols: ["http/1.1"], ...(isIP(name.host) === 0 && { servername: name.host }) });
  const reached = await reach(socket, "secureConnect");
  if (isFailed(reached)) return reached;
  const reason = untrusted(socket, name.host, options.trust);
  if (reason === undefined) return socket;
  socket.destroy();
  return failed("trust", reason);
}

function untrusted(socket: TLSSocket, host: string, trust: readonly Uint8Array[] | undefined): string | undefined {
  if (trust === undefined) return socket.authorized ? undefined : `the system's store does not vouch for ${host}: ${String(socket.authorizationError)}`;
  return distrust({ anchors: trust.map((der) => ({ kind: "certificate", der })), chain: peerChain(socket), host, now: new Date() });
}

function exchange(socket: Socket, address: string, { method, path, headers, body }: HttpRequest): Promise<HttpResponse | Failed> {
  return new Promise((resolve) => {
    const fields = { host: address, ...headers, "content-length": String(body.length), connection: "close" };
    const request = httpRequest({ createConnection: () => socket, method, path, headers: fields });
    request.on("error", (error) => resolve(whyFailed(error)));
    request.on("response", (answer) => readAnswer(answer, resolve));
    request.end(body);
  });
}

function readAnswer(answer: IncomingMessage, resolve: (result: HttpResponse | Failed) => void): void {
  const chunks: Uint8Array[] = [];
  let length = 0;
  answer.on("data", (chunk: Uint8Array) => {
    chunks.push(chunk);
    length += chunk.length;
    if (length > ES9P_ANSWER_LIMIT) resolve(failed("too large", `an answer of more than ${ES9P_ANSWER_LIMIT} octets`));
  });
  answer.on("end", () => resolve({ status: answer.statusCode ?? 0, headers: fieldsOf(answer), body: concat(...chunks) }));
  answer.on("error", (error) => resolve(whyFailed(error)));
  answer.on("close", () => resolve(failed("link", "the answer broke off")));
}

async function within<T>(ms: number, work: (abort: AbortSignal) => Promise<T>): Promise<T | Failed> {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<Failed>((resolve) => {
    timer = setTimeout(() => resolve(failed("timeout", `no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work(controller.signal), timeout]);
  } finally {
    clearTimeout(timer);
    controller.abort();
  }
}
