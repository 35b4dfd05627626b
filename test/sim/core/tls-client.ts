/**
 * What every TLS client of the simulated world needs of Node's sockets: reaching a server, what certificates it sent, failures by their names,
 * time limits, and bodies that are read no faster than they are wanted. Leaves out: who is trusted, proxies.
 */
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { failed, isFailed, type Failed } from "./doors.js";
import { SimError } from "./errors.js";

/** A failure on its way through code that can only throw. */
export class LinkFailure extends SimError {
  constructor(readonly failed: Failed) {
    super("link", failed.reason);
  }
}

/** The failure behind an error of Node's sockets. */
export function whyFailed(error: Error): Failed {
  if (error instanceof LinkFailure) return error.failed;
  const code = (error as NodeJS.ErrnoException).code ?? "";
  const text = error.message || code || String(error);
  if (code === "ENOTFOUND" || code === "EAI_AGAIN" || code === "ENODATA") return failed("name", text);
  if (code.startsWith("ERR_SSL") || code.startsWith("ERR_TLS") || code === "EPROTO") return failed("trust", text);
  return failed("link", text);
}

/** The socket once it is connected, or why it is not. */
export function reach<S extends Socket>(socket: S, event: "connect" | "secureConnect"): Promise<S | Failed> {
  socket.setNoDelay(true);
  return new Promise((resolve) => {
    socket.once(event, () => resolve(socket));
    // Stays for the socket's life: an idle connection that breaks is found by the next request.
    socket.on("error", (error) => resolve(whyFailed(error)));
    socket.once("close", () => resolve(failed("link", "the connection was closed")));
  });
}

/** DER certificates that the server sent, its own first. */
export function peerChain(socket: TLSSocket): Uint8Array[] {
  const chain: Uint8Array[] = [];
  for (let at = socket.getPeerX509Certificate(); at !== undefined && chain.length < 10; at = at.issuerCertificate) {
    const der = new Uint8Array(at.raw);
    if (chain.some((seen) => Buffer.compare(seen, der) === 0)) break;
    chain.push(der);
  }
  return chain;
}

/** The next octets of a body, at most `max`; none at its end. Reads no further, so that the sender is held back. */
export function nextPiece(message: IncomingMessage, max: number): Promise<Uint8Array | Failed> {
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

/** The work's result, or a timeout after `ms`; what comes later goes to `late`. */
export async function within<T>(work: Promise<T>, ms: number, what: string, late?: (result: T) => void): Promise<T | Failed> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<Failed>((resolve) => {
    timer = setTimeout(() => resolve(failed("timeout", `${what} within ${ms} ms`)), ms);
  });
  const first = await Promise.race([work, timeout]);
  clearTimeout(timer);
  if (late !== undefined && isFailed(first) && first.failure === "timeout") void work.then(late);
  return first;
}
