/**
 * Messages below requests and responses (RFC 7252 4): Message IDs that were seen, and CONs of ours that wait for their ACK.
 * Works on plain state; what goes out is returned.
 */
import type { Rng } from "../core/rng.js";
import { encode, type Message } from "./codec.js";
import { exchangeLifetime, firstTimeout, type Parameters } from "./parameters.js";
import type { EndpointState, Outgoing, Seen, ServerOutput } from "./state.js";

/** State of a new endpoint: its first Message ID is random (RFC 7252 4.4). */
export function newEndpoint(rng: Rng): EndpointState {
  return { nextMid: rng.int(0x10000), seen: new Map(), uploads: new Map(), downloads: new Map(), outgoing: new Map() };
}

/** What is known of a Message ID; undefined when it is new, or so old that it may come again. */
export function duplicateOf(state: EndpointState, mid: number, now: number): Seen | undefined {
  const seen = state.seen.get(mid);
  return seen !== undefined && seen.expires > now ? seen : undefined;
}

/** Remembers a Message ID and what was sent for it. */
export function remember(state: EndpointState, mid: number, now: number, parameters: Parameters, what: Omit<Seen, "expires">): void {
  state.seen.set(mid, { expires: now + exchangeLifetime(parameters), ...what });
}

/** Forgets what has expired: Message IDs, and bodies that nobody went on with. */
export function forgetExpired(state: EndpointState, now: number): void {
  for (const map of [state.seen, state.uploads, state.downloads] as Map<unknown, { expires: number }>[]) {
    for (const [key, { expires }] of map) if (expires <= now) map.delete(key);
  }
}

export function takeMid(state: EndpointState): number {
  const mid = state.nextMid;
  state.nextMid = (mid + 1) & 0xffff;
  return mid;
}

/** Sends a CON and keeps it until it is acknowledged. */
export function sendConfirmable(state: EndpointState, endpoint: string, message: Message, now: number, parameters: Parameters, rng: Rng): ServerOutput {
  const datagram = encode(message);
  const timeout = firstTimeout(parameters, rng.int(1000) / 1000);
  state.outgoing.set(message.mid, { datagram, attempts: 0, timeout, at: now + timeout });
  return { kind: "send", endpoint, datagram };
}

/** Sends again what is due; what was sent MAX_RETRANSMIT times is given up, and named. */
export function retransmit(state: EndpointState, endpoint: string, now: number, parameters: Parameters): { outputs: ServerOutput[]; given: number[] } {
  const outputs: ServerOutput[] = [];
  const given: number[] = [];
  for (const [mid, outgoing] of state.outgoing) {
    if (outgoing.at > now) continue;
    if (outgoing.attempts >= parameters.maxRetransmit) {
      state.outgoing.delete(mid);
      given.push(mid);
    } else {
      state.outgoing.set(mid, again(outgoing, now));
      outputs.push({ kind: "send", endpoint, datagram: outgoing.datagram });
    }
  }
  return { outputs, given };
}

function again({ datagram, attempts, timeout }: Outgoing, now: number): Outgoing {
  return { datagram, attempts: attempts + 1, timeout: timeout * 2, at: now + timeout * 2 };
}
