/**
 * The host of an agent: takes its one pending op, checks it against the contract, has a door carry it out, and gives back the event
 * (host/README.md, ABI 1.0). Synchronous as long as the doors are. Everything goes into the trace.
 */
import { createHash } from "node:crypto";
import { find, readAll } from "../codec/tlv.js";
import { concat, fromUtf8, toHex } from "../core/bytes.js";
import type { Clock } from "../core/clock.js";
import { isFailed, type AnswerPiece, type Doors, type Endpoint, type Failed, type Failure } from "../core/doors.js";
import { SimError } from "../core/errors.js";
import { chain, type Maybe } from "../core/maybe.js";
import { Trace } from "../core/trace.js";
import type { AgentLike, EventMessage, OpMessage } from "./agent.js";
import { Binding, Event, Flag, Op, Peer, Report, Status, Switch } from "./abi.js";
import { checkOp, initialOpRules, settleOp, type OpRulesState } from "./op-rules.js";

const STATUS: Record<Failure, Status> = {
  unsupported: Status.Unsupported,
  timeout: Status.Timeout,
  "not found": Status.NotFound,
  link: Status.Link,
  name: Status.Name,
  trust: Status.Trust,
  "no card": Status.NoCard,
  "no ISD-R": Status.NoIsdr,
  channel: Status.Channel,
  store: Status.Store,
  "too large": Status.TooLarge,
};

const PEERS: Record<Peer, Endpoint["peer"]> = { [Peer.Eim]: "eIM", [Peer.Smdp]: "SM-DP+", [Peer.Smds]: "SM-DS" };
const BINDINGS: Record<Binding, Endpoint["binding"]> = {
  [Binding.EsipaHttps]: "ESipa HTTPS",
  [Binding.EsipaCoaps]: "ESipa CoAPS",
  [Binding.Es9pHttps]: "ES9+ HTTPS",
};

/** An event, and why it is a failure where it is one. */
export type Outcome = Omit<EventMessage, "kind" | "ref"> & { readonly reason?: string };

export interface HostOptions {
  readonly agent: AgentLike;
  readonly doors: Doors;
  readonly clock: Clock;
  readonly trace?: Trace;
}

/** Bodies of the exchange in progress, for the trace. */
interface ExchangeState {
  since: number;
  request: readonly Uint8Array[];
  response: readonly Uint8Array[];
}

/** All that a host remembers beside the agent; plain data. */
export interface HostState {
  op: OpMessage | null;
  rules: OpRulesState;
  exchange: ExchangeState;
  peer: string;
  address: string;
  cardReset: boolean;
}

export class Host {
  agent: AgentLike;
  readonly trace: Trace;
  readonly #doors: Doors;
  readonly #clock: Clock;
  #state: HostState = { op: null, rules: initialOpRules(), exchange: noExchange(0), peer: "", address: "", cardReset: false };

  constructor(options: HostOptions) {
    this.agent = options.agent;
    this.trace = options.trace ?? new Trace();
    this.#doors = options.doors;
    this.#clock = options.clock;
  }

  /** The op that waits to be carried out. Throws SimError "host" before `start`. */
  get op(): OpMessage {
    if (this.#state.op === null) throw new SimError("host", "the agent was not started");
    return this.#state.op;
  }

  get started(): boolean {
    return this.#state.op !== null;
  }

  /** Starts the agent, or starts it anew: the answer to any op in hand is forgotten. */
  start(configuration: Uint8Array): OpMessage {
    this.#state = { ...this.#state, op: null, rules: initialOpRules(knowsAddress(configuration)), exchange: noExchange(this.#clock.now()), cardReset: false };
    return this.deliver({ kind: Event.Start, payload: configuration });
  }

  /** Gives the agent an event and takes its next op. Throws OpError when that breaks the contract. */
  deliver(event: EventMessage & { readonly reason?: string }): OpMessage {
    const at = this.#clock.now();
    this.trace.add({
      kind: "event", at, name: Event[event.kind] ?? String(event.kind), flags: event.flags ?? 0, status: event.status ?? 0, ref: event.ref ?? 0,
      arg0: event.arg0 ?? 0, arg1: event.arg1 ?? 0, payload: event.payload ?? new Uint8Array(0), ...(event.reason === undefined ? {} : { reason: event.reason }),
    });
    const op = this.agent.step(event, at);
    this.trace.add({
      kind: "op", at, n: this.trace.opCount, name: Op[op.kind] ?? String(op.kind), flags: op.flags, aux: op.aux, waitMs: op.waitMs,
      ref: op.ref, arg0: op.arg0, arg1: op.arg1, payload: op.payload,
    });
    checkOp(this.#state.rules, op, this.agent.capacity);
    this.#state.op = op;
    return op;
  }

  /** Has the pending op carried out; the event is the caller's to deliver (or to lose, when the power goes). */
  carryOut(): Maybe<EventMessage> {
    const op = this.op;
    return chain(this.#perform(op), (outcome) => this.#event(op, outcome));
  }

  /** Carries out ops until `until` holds for the pending one. */
  async run(until: (op: OpMessage) => boolean): Promise<OpMessage> {
    while (!until(this.op)) {
      const event = this.carryOut();
      this.deliver(event instanceof Promise ? await event : event);
    }
    return this.op;
  }

  /** The card was reset by another hand: the agent learns it with its next event. */
  noteCardReset(): void {
    this.#state.cardReset = true;
  }

  snapshot(): { agent: Uint8Array; host: HostState } {
    const s = this.#state;
    return { agent: this.agent.snapshot(), host: { ...s, rules: { ...s.rules }, exchange: { ...s.exchange } } };
  }

  restore(state: { agent: Uint8Array; host: HostState }): void {
    this.agent.restore(state.agent);
    this.#state = { ...state.host, rules: { ...state.host.rules }, exchange: { ...state.host.exchange } };
  }

  #event(op: OpMessage, outcome: Outcome): EventMessage {
    const ok = (outcome.status ?? 0) === 0;
    const last = ((outcome.flags ?? 0) & Flag.Last) !== 0;
    if (op.kind !== Op.Sleep) settleOp(this.#state.rules, op, { ok, channel: outcome.arg0 ?? 0, last });
    let flags = outcome.flags ?? 0;
    if (this.#state.cardReset) {
      flags |= Flag.CardReset;
      this.#state.rules.channel = null;
      this.#state.cardReset = false;
    }
    return op.kind === Op.Sleep ? { kind: Event.Wake, ...outcome, flags } : { kind: Event.Done, ref: op.ref, ...outcome, flags };
  }

  #perform(op: OpMessage): Maybe<Outcome> {
    const doors = this.#doors;
    switch (op.kind) {
      case Op.Sleep:
        return chain(doors.rest.sleep(op.waitMs, (op.flags & Flag.Idle) !== 0), (waking) => {
          if (waking.cardReset) this.#state.cardReset = true;
          return { arg0: waking.reasons, arg1: waking.cause };
        });
      case Op.UiccReset:
        return chain(doors.uicc.reset({ afterRefresh: (op.flags & Flag.AfterRefresh) !== 0, waitMs: op.waitMs }), ended);
      case Op.UiccOpen:
        return this.#open(op);
      case Op.UiccTransmit:
        return chain(doors.uicc.transmit(op.payload, (op.flags & Flag.Basic) !== 0), (response) => (isFailed(response) ? refused(response) : { payload: responseOf(response) }));
      case Op.UiccClose:
        return chain(doors.uicc.close(), ended);
      case Op.Bearer:
        return chain(doors.bearer.up({ restart: (op.flags & Flag.Restart) !== 0, waitMs: op.waitMs }), (up) => (isFailed(up) ? refused(up) : { payload: up.plmn }));
      case Op.LinkOpen:
        return this.#linkOpen(op);
      case Op.LinkSend:
        return this.#linkSend(op);
      case Op.LinkReceive:
        return chain(doors.link.receive(op.arg0, op.waitMs), (piece) => this.#received(op, piece));
      case Op.LinkClose:
        this.trace.add({ kind: "link", at: this.#clock.now(), what: "close", peer: this.#state.peer, address: this.#state.address });
        return chain(doors.link.close(), ended);
      case Op.StoreRead:
        return chain(doors.store.read(op.arg0), (record) => this.#record(op, record));
      case Op.StoreWrite:
        return chain(doors.store.write(op.arg0, op.payload), ended);
      case Op.Report:
        this.trace.add({ kind: "report", at: this.#clock.now(), code: op.arg0, name: Report[op.arg0] ?? String(op.arg0), detail: op.arg1 | 0, payload: op.payload });
        return {};
      case Op.Hash:
        return { payload: new Uint8Array(createHash("sha256").update(op.payload).digest()) };
    }
  }

  #open(op: OpMessage): Maybe<Outcome> {
    const noFci = (op.flags & Flag.NoFci) !== 0;
    const result = this.#doors.uicc.open(op.payload, { fixedChannel: (op.flags & Flag.FixedChannel) !== 0, noFci });
    return chain(result, (opened) => {
      if (isFailed(opened)) return { ...refused(opened), arg1: (opened as { sw?: number }).sw ?? 0 };
      return { arg0: opened.channel, payload: opened.fci };
    });
  }

  #linkOpen(op: OpMessage): Maybe<Outcome> {
    const items = readAll(op.payload, { lenient: true });
    const trust = find(items, 0xa6);
    const address = find(items, 0x80);
    const endpoint: Endpoint = {
      peer: PEERS[(op.aux & 0xff) as Peer],
      binding: BINDINGS[(op.aux >> 8) as Binding],
      address: address === undefined ? "" : fromUtf8(address.value),
      ...(trust === undefined ? {} : { trust: trust.raw }),
    };
    this.#state.peer = endpoint.peer;
    this.#state.address = endpoint.address;
    return chain(this.#doors.link.open(endpoint, op.waitMs), (result) => {
      const at = this.#clock.now();
      const { peer, address } = endpoint;
      if (result === undefined) this.trace.add({ kind: "link", at, what: "open", peer, address });
      else this.trace.add({ kind: "link", at, what: "refused", peer, address, reason: `${result.failure}: ${result.reason}` });
      return ended(result);
    });
  }

  #linkSend(op: OpMessage): Maybe<Outcome> {
    const first = (op.flags & Flag.First) !== 0;
    if (first) this.#state.exchange = noExchange(this.#clock.now());
    this.#state.exchange.request = [...this.#state.exchange.request, op.payload];
    const how = { first, last: (op.flags & Flag.Last) !== 0, total: op.arg0, fn: op.aux, waitMs: op.waitMs };
    return chain(this.#doors.link.send(op.payload, how), (result) => {
      if (result !== undefined) this.#traceExchange(0, result);
      return ended(result);
    });
  }

  #received(op: OpMessage, piece: AnswerPiece | Failed): Outcome {
    if (isFailed(piece)) {
      this.#traceExchange(0, piece);
      return refused(piece);
    }
    if (piece.payload.length > op.arg0 || (piece.payload.length === 0 && !piece.last)) {
      throw new SimError("host", `the link gave ${piece.payload.length} octets, ${op.arg0} were wanted${piece.last ? "" : ", and more will follow"}`);
    }
    this.#state.exchange.response = [...this.#state.exchange.response, piece.payload];
    if (piece.last) this.#traceExchange(piece.code);
    return { flags: piece.last ? Flag.Last : 0, arg0: piece.code, arg1: piece.retryAfter, payload: piece.payload };
  }

  #traceExchange(code: number, failure?: Failed): void {
    const { since, request, response } = this.#state.exchange;
    const at = this.#clock.now();
    this.trace.add({
      kind: "exchange", at, ms: at - since, peer: this.#state.peer, address: this.#state.address, code,
      request: concat(...request), response: concat(...response), ...(failure === undefined ? {} : { reason: `${failure.failure}: ${failure.reason}` }),
    });
    this.#state.exchange = noExchange(at);
  }

  #record(op: OpMessage, record: Uint8Array | undefined | Failed): Outcome {
    if (isFailed(record)) return refused(record);
    if (record === undefined || record.length === 0) return { status: Status.NotFound, reason: "no such record" };
    if (op.arg1 > record.length) throw new SimError("op", `StoreRead #${op.ref}: offset ${op.arg1} lies beyond record ${op.arg0} of ${record.length} octets (host/README.md)`);
    const payload = record.slice(op.arg1, op.arg1 + this.agent.capacity);
    return { flags: op.arg1 + payload.length === record.length ? Flag.Last : 0, payload };
  }
}

/** Switch HOST_ADDRESS of a configuration. */
function knowsAddress(configuration: Uint8Array): boolean {
  const switches = find(readAll(configuration, { lenient: true }), 0x81)?.value ?? new Uint8Array(0);
  return (switches.reduce((value, octet) => value * 256 + octet, 0) & Switch.HostAddress) !== 0;
}

function noExchange(since: number): ExchangeState {
  return { since, request: [], response: [] };
}

function refused(failure: Failed): Outcome {
  return { status: STATUS[failure.failure], reason: failure.reason };
}

function ended(result: Failed | undefined): Outcome {
  return result === undefined ? {} : refused(result);
}

function responseOf(response: Uint8Array): Uint8Array {
  if (response.length < 2 || response.length > 258) throw new SimError("host", `expected an R-APDU of 2 to 258 octets, got ${response.length}: ${toHex(response)}`);
  return response;
}
