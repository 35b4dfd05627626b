/** The simulated eIM on real sockets: ESipa over HTTPS, or plain HTTP for a laboratory (SGP.32 v1.2 6.3; transport 1 and 2). */
import { serveHttp, type RunningServer, type ServerOptions } from "../core/https-server.js";
import { BODY_LIMIT } from "./binding.js";
import type { Eim } from "./eim.js";

export { readBody, start, type RunningServer, type ServerOptions } from "../core/https-server.js";

/** Serves ESipa for `eim`. Rejects when the address can't be listened on. */
export function serveEim(eim: Eim, options: ServerOptions = {}): Promise<RunningServer> {
  return serveHttp((request) => eim.exchange(request), BODY_LIMIT, options);
}
