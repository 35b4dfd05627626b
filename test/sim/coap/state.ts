/** What a CoAP server remembers, all of it plain data, and what it takes and gives. */
import type { Block } from "./block.js";
import type { CoapOption } from "./codec.js";

/** One whole request, when all its blocks are there. */
export interface CoapRequest {
  /** Number to answer by: `respond(exchange, …)`. */
  readonly exchange: number;
  readonly endpoint: string;
  /** Method code: 0x02 for POST. */
  readonly method: number;
  /** Uri-Path as text, "/gsma/rsp2/asn1"; segments are percent-encoded where they hold "/" or "%". */
  readonly path: string;
  readonly query: readonly string[];
  readonly host?: string;
  readonly contentFormat?: number;
  readonly accept?: number;
  readonly options: readonly CoapOption[];
  readonly payload: Uint8Array;
}

export interface CoapResponse {
  readonly code: number;
  readonly payload?: Uint8Array;
  readonly contentFormat?: number;
  /** Seconds. */
  readonly maxAge?: number;
  /** The answer is given so much later; an empty ACK goes out meanwhile. */
  readonly delayMs?: number;
  /** Nothing is ever answered. */
  readonly silent?: boolean;
  /** Blocks that begin at this octet or behind are never answered. */
  readonly cutAfter?: number;
}

/** Code, options and payload of an answer, before it has a type, a Message ID and a token. */
export interface Draft {
  readonly code: number;
  readonly options: readonly CoapOption[];
  readonly payload: Uint8Array;
}

export type ServerOutput =
  | { readonly kind: "send"; readonly endpoint: string; readonly datagram: Uint8Array }
  | { readonly kind: "request"; readonly request: CoapRequest };

/** Something that was refused, ignored or looked odd. */
export interface Note {
  readonly at: number;
  readonly endpoint: string;
  readonly text: string;
}

/** A request body on its way in. */
export interface Upload {
  readonly parts: readonly Uint8Array[];
  readonly length: number;
  readonly contentFormat: number | undefined;
  readonly expires: number;
}

/** A response body on its way out. */
export interface Download {
  readonly body: Uint8Array;
  readonly head: readonly CoapOption[];
  readonly code: number;
  readonly szx: number;
  readonly cutAfter: number | undefined;
  readonly expires: number;
}

/** A request that waits for its answer. */
export interface Exchange {
  readonly id: number;
  readonly endpoint: string;
  readonly type: number;
  readonly mid: number;
  readonly token: Uint8Array;
  readonly key: string;
  readonly options: readonly CoapOption[];
  readonly method: number;
  readonly block1: Block | undefined;
  readonly block2: Block | undefined;
  /** An empty ACK has gone out: the answer will be separate. */
  acked: boolean;
  readonly ackAt: number;
}

/** A Message ID that was seen. `reply` is what was sent for it. */
export interface Seen {
  readonly expires: number;
  readonly reply?: Uint8Array;
  readonly exchange?: number;
}

/** A CON of ours that waits for its ACK. */
export interface Outgoing {
  readonly datagram: Uint8Array;
  readonly attempts: number;
  readonly timeout: number;
  readonly at: number;
}

export interface EndpointState {
  nextMid: number;
  readonly seen: Map<number, Seen>;
  readonly uploads: Map<string, Upload>;
  readonly downloads: Map<string, Download>;
  readonly outgoing: Map<number, Outgoing>;
}

export interface ServerState {
  rng: [number, number, number, number];
  nextExchange: number;
  readonly endpoints: Map<string, EndpointState>;
  readonly exchanges: Map<number, Exchange>;
  /** Answers that are due later. */
  later: { readonly at: number; readonly exchange: number; readonly draft: Draft }[];
  /** Numbers that behaviours keep, by behaviour and name. */
  readonly memory: Map<number, Record<string, number>>;
  behaviours: number[];
  notes: Note[];
}
