/** An SM-DP+ or SM-DS on real sockets: ES9+ or ES11 over HTTPS, or plain HTTP for a laboratory (sgp32-transport 6). */
import { serveHttp, type RunningServer, type ServerOptions } from "../core/https-server.js";
import { BODY_LIMIT } from "./binding.js";
import type { HttpRequest, HttpResponse } from "./message.js";

export type { RunningServer, ServerOptions } from "../core/https-server.js";

/** Whoever answers HTTP requests as plain data. */
export interface Handler {
  handle(request: HttpRequest): HttpResponse;
}

/** Serves `handler`. Rejects when the address can't be listened on. */
export function serve(handler: Handler, options: ServerOptions = {}): Promise<RunningServer> {
  return serveHttp((request) => handler.handle(request), BODY_LIMIT, options);
}
