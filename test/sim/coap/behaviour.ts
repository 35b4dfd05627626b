/** How a simulated CoAP server is made to misbehave, by name. A behaviour is pure but for `memory`, which belongs to the server's state. */
import type { Block } from "./block.js";
import type { CoapOption, Message } from "./codec.js";
import type { Draft } from "./state.js";

/** One request message, as a behaviour sees it. */
export interface Incoming {
  readonly endpoint: string;
  readonly message: Message;
  readonly options: readonly CoapOption[];
  readonly block1: Block | undefined;
  readonly block2: Block | undefined;
}

export type Memory = Record<string, number>;

/** Instead of looking at the request: an answer, a Reset, or nothing at all. `forget`: what was collected for this request so far is dropped. */
export type Directive = { readonly answer: Draft; readonly forget?: boolean } | "reset" | "silence";

/** How an answer leaves. "early": the separate response comes before the empty ACK. */
export type Delivery = { readonly how: "separate"; readonly delayMs: number } | { readonly how: "early" };

export interface Behaviour {
  readonly name: string;
  /** Before the server looks at a request message; repeated messages (same Message ID) never come here. */
  request?(incoming: Incoming, memory: Memory): Directive | undefined;
  /** The largest SZX that the server takes and gives in this message. */
  szx?(incoming: Incoming, memory: Memory): number | undefined;
  /** Changes an answer. */
  reply?(draft: Draft, incoming: Incoming, memory: Memory): Draft;
  /** Changes how an answer leaves. */
  delivery?(draft: Draft, incoming: Incoming, memory: Memory): Delivery | undefined;
}
