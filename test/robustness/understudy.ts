/**
 * Stand-ins for card, eIM, SM-DP+, SM-DS, store and modem behind a recording: cheap, without keys, and plausible whatever the agent asks.
 * What was recorded is answered as it was recorded, in its order; anything else with the smallest valid answer.
 */
import { createHash } from "node:crypto";
import { Flag, Op, Status, WakeReason } from "../sim/agent/abi.js";
import type { OpMessage } from "../sim/agent/agent.js";
import { concat, fromHex, toHex } from "../sim/core/bytes.js";
import { written, type Recording, type Step } from "./recordings.js";

/** What an op is answered with: Done or Wake without its kind and ref. */
export interface Answer {
  readonly flags?: number;
  readonly status?: number;
  readonly arg0?: number;
  readonly arg1?: number;
  readonly payload?: Uint8Array;
}

/** An HTTP answer. */
export interface Reply {
  readonly code: number;
  readonly retryAfter: number;
  readonly body: Uint8Array;
}

interface Heard<T> {
  readonly at: number;
  readonly request: string;
  readonly tag: string;
  readonly answer: T;
}

/** Messages of one recording, put together from their pieces. */
export interface Script {
  readonly card: readonly Heard<Uint8Array>[];
  readonly eim: readonly Heard<Reply>[];
  readonly fci: Uint8Array;
}

const EMPTY = new Uint8Array(0);
const LAST_BLOCK = 0x91;
const HONEST: Readonly<Record<string, string>> = { BF30: "BF3003800100", BF2B: "BF2B02A000", BF28: "BF2802A000", BF2D: "BF2D02A000", BF41: "BF4103810105", BF5A: "BF5A03800101" };
const ASSOCIATION = "BF57";
/** Commands that change what the eUICC answers later. */
const CHANGES = ["BF51", "BF30", "BF57", "BF58", "BF36", "BF41", "BF5A"];
/** Commands of a download's session: with another server's words in them they are answered as the recorded ones. */
const SESSION = ["BF38", "BF21", "BF41"];
const ENDS_EXCHANGE: readonly Op[] = [Op.LinkSend, Op.LinkOpen, Op.LinkClose, Op.Sleep];
const HANDLE_NOTIFICATION = "ES9+ 4";
const NO_PACKAGE = fromHex("BF4F03020101");
const ACKNOWLEDGED_NOTHING = fromHex("BF5000");

export function tagOf(message: Uint8Array): string {
  return toHex(message.subarray(0, 2));
}

/** ES10 command or request by its tag; a request of ES9+ in JSON has none, and is told by its function. */
function requestTag(op: OpMessage, request: Uint8Array): string {
  return op.aux === 0 ? tagOf(request) : `ES9+ ${op.aux}`;
}

/** A segment of the Bound Profile Package behind the first one. */
function isSegment(tag: string): boolean {
  return /^(?:A[0-3]|8[678])/.test(tag);
}

function isChange(tag: string): boolean {
  return CHANGES.includes(tag) || isSegment(tag);
}

/** True for the C-APDU that ends an ES10 command. */
export function endsCommand(op: OpMessage | null): boolean {
  return op?.kind === Op.UiccTransmit && op.payload[1] === 0xe2 && op.payload[2] === LAST_BLOCK;
}

/** Reads the messages out of the events. */
export function scriptOf(recording: Recording): Script {
  const card: Heard<Uint8Array>[] = [];
  const eim: Heard<Reply>[] = [];
  let command: Uint8Array = EMPTY;
  let request: Uint8Array = EMPTY;
  recording.steps.forEach((step, at) => {
    const { op } = step;
    if (op?.kind === Op.UiccTransmit && op.payload[1] === 0xe2) {
      command = concat(op.payload[3] === 0 ? EMPTY : command, blockOf(op.payload));
      if (endsCommand(op)) card.push({ at, request: toHex(command), tag: tagOf(command), answer: cardAnswer(recording.steps, at) });
    }
    if (op?.kind !== Op.LinkSend) return;
    request = concat((op.flags & Flag.First) !== 0 ? EMPTY : request, op.payload);
    const reply = (op.flags & Flag.Last) !== 0 ? replyTo(recording.steps, at) : undefined;
    if (reply !== undefined) eim.push({ at, request: toHex(request), tag: requestTag(op, request), answer: reply });
  });
  return { card, eim, fci: recording.steps.find((step) => step.op?.kind === Op.UiccOpen)?.event.payload ?? EMPTY };
}

function blockOf(apdu: Uint8Array): Uint8Array {
  return apdu.subarray(5, 5 + (apdu[4] ?? 0));
}

/** Data of the R-APDUs from step `at` on that belong to one command. */
function cardAnswer(steps: readonly Step[], at: number): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let i = at; i < steps.length; i++) {
    const { op, event } = steps[i] as Step;
    if (i > at && op?.kind === Op.LinkSend) continue;
    if (i > at && !(op?.kind === Op.UiccTransmit && op.payload[1] === 0xc0)) break;
    parts.push((event.payload ?? EMPTY).subarray(0, -2));
  }
  return concat(...parts);
}

/** An answer, as far as the agent took it: between its pieces a Bound Profile Package goes on to the eUICC. */
function replyTo(steps: readonly Step[], at: number): Reply | undefined {
  const parts: Uint8Array[] = [];
  let head = { code: 0, retryAfter: 0 };
  for (let i = at + 1; i < steps.length; i++) {
    const { event, op } = steps[i] as Step;
    if (op === null || ENDS_EXCHANGE.includes(op.kind)) break;
    if (op.kind !== Op.LinkReceive) continue;
    if ((event.status ?? 0) < 0) return undefined;
    parts.push(event.payload ?? EMPTY);
    head = { code: event.arg0 ?? 0, retryAfter: event.arg1 ?? 0 };
    if (((event.flags ?? 0) & Flag.Last) !== 0) break;
  }
  return parts.length === 0 ? undefined : { ...head, body: concat(...parts) };
}

export class Understudy {
  readonly #script: Script;
  /** Behind the last request and the last change that were played. */
  #at: number;
  #changedAt: number;
  #command: Uint8Array = EMPTY;
  #request: Uint8Array = EMPTY;
  #cardRest: Uint8Array = EMPTY;
  #reply: Reply = { code: 200, retryAfter: 0, body: EMPTY };
  #store: ReadonlyMap<number, Uint8Array>;
  /** Data octets of one R-APDU, octets of one piece from the link. */
  chunk = 256;
  piece = 1024;
  /** Data come with the command's own answer instead of behind 61xx. */
  atOnce = false;
  /** How the next whole message is to be answered instead; used up by it. */
  nextCard: Uint8Array | undefined;
  nextReply: Reply | undefined;
  /** Where the next message is split: so many octets come before, the rest behind; used up by it. */
  splitCard: number | undefined;
  splitReply: number | undefined;
  /** The link breaks under the request behind the next one. */
  breaksLater = false;
  #breaks = false;
  #beforeSplit = Infinity;
  #firstPiece = Infinity;

  /** Goes on from the step `at`, whose op is to be answered. */
  constructor(script: Script, recording: Recording, at: number) {
    const step = recording.steps[at] as Step;
    this.#script = script;
    this.#at = at;
    this.#changedAt = at;
    this.#store = step.store;
    if (step.op?.kind === Op.UiccTransmit && step.op.payload[1] === 0xc0) this.#cardRest = cardAnswer(recording.steps, at);
    if (step.op?.kind === Op.LinkReceive) this.#reply = replyTo(recording.steps, at - 1) ?? this.#reply;
    for (let i = at - 1; i >= 0 && step.op?.kind === Op.UiccTransmit && step.op.payload[1] === 0xe2 && (step.op.payload[3] ?? 0) > 0; i--) {
      const { op } = recording.steps[i] as Step;
      if (op?.kind !== Op.UiccTransmit || op.payload[1] !== 0xe2) break;
      this.#command = concat(blockOf(op.payload), this.#command);
      if (op.payload[3] === 0) break;
    }
    for (let i = at - 1; i >= 0 && step.op?.kind === Op.LinkSend && (step.op.flags & Flag.First) === 0; i--) {
      const { op } = recording.steps[i] as Step;
      if (op?.kind !== Op.LinkSend) continue;
      this.#request = concat(op.payload, this.#request);
      if ((op.flags & Flag.First) !== 0) break;
    }
  }

  answer(op: OpMessage): Answer {
    switch (op.kind) {
      case Op.Sleep:
        return { arg0: WakeReason.Timer };
      case Op.UiccOpen:
        return { arg0: 1, payload: this.#script.fci };
      case Op.UiccTransmit:
        return { payload: this.#transmit(op.payload) };
      case Op.Bearer:
        return { payload: Uint8Array.of(0x00, 0xf1, 0x10) };
      case Op.LinkSend:
        return this.#send(op);
      case Op.LinkReceive:
        return this.#receive(op);
      case Op.StoreRead:
        return this.#read(op);
      case Op.StoreWrite:
        this.#store = written(this.#store, op);
        return {};
      case Op.Hash:
        return { payload: new Uint8Array(createHash("sha256").update(op.payload).digest()) };
      default:
        return {};
    }
  }

  #transmit(apdu: Uint8Array): Uint8Array {
    if (apdu[1] === 0xc0) return this.#chunk(apdu[4] === 0 ? 256 : (apdu[4] ?? 0));
    if (apdu[1] !== 0xe2) return fromHex("9000");
    this.#command = concat(apdu[3] === 0 ? EMPTY : this.#command, blockOf(apdu));
    if (apdu[2] !== LAST_BLOCK) return fromHex("9000");
    const heard = this.#heard(this.#command) ?? this.#fallback();
    const answer = this.nextCard ?? heard;
    this.nextCard = undefined;
    if (answer === undefined) return fromHex("6A88");
    this.#cardRest = answer;
    this.#beforeSplit = this.splitCard ?? Infinity;
    this.splitCard = undefined;
    return this.atOnce || answer.length === 0 ? this.#chunk(this.chunk) : more(this.#offered());
  }

  #chunk(wanted: number): Uint8Array {
    const data = this.#cardRest.subarray(0, Math.min(wanted, this.#offered()));
    this.#cardRest = this.#cardRest.subarray(data.length);
    this.#beforeSplit = this.#beforeSplit === data.length ? Infinity : this.#beforeSplit - data.length;
    return concat(data, this.#cardRest.length === 0 ? Uint8Array.of(0x90, 0x00) : more(this.#offered()));
  }

  #offered(): number {
    return Math.min(this.#cardRest.length, this.chunk, this.#beforeSplit);
  }

  /**
   * What this command was answered with in the present state of the eUICC, which is counted by the commands that changed it; else in the
   * state nearest to it. A change is recorded once: asked again, it answers as it did.
   */
  #heard(command: Uint8Array): Uint8Array | undefined {
    const hex = toHex(command);
    const same = this.#script.card.filter((item) => item.request === hex);
    const changes = isChange(tagOf(command));
    const next = same.find((item) => item.at >= this.#changedAt);
    if (changes && next !== undefined) this.#changedAt = next.at + 1;
    if (changes) return (next ?? same.at(-1))?.answer;
    const state = this.#stateAt(this.#changedAt);
    return same.toSorted((a, b) => Math.abs(this.#stateAt(a.at) - state) - Math.abs(this.#stateAt(b.at) - state))[0]?.answer;
  }

  /** How many changes were recorded before event `at`. */
  #stateAt(at: number): number {
    return this.#script.card.filter((item) => item.at < at && isChange(item.tag)).length;
  }

  #fallback(): Uint8Array | undefined {
    const tag = tagOf(this.#command);
    if (isSegment(tag)) return EMPTY;
    const session = SESSION.includes(tag) ? this.#script.card.find((item) => item.tag === tag) : undefined;
    if (session !== undefined) return session.answer;
    const hex = HONEST[tag];
    const recorded = tag === ASSOCIATION ? this.#script.card.find((item) => item.tag === tag) : undefined;
    if (recorded !== undefined) this.#changedAt = Math.max(this.#changedAt, recorded.at + 1);
    return hex === undefined ? recorded?.answer : fromHex(hex);
  }

  #send(op: OpMessage): Answer {
    const broken = this.#breaks;
    this.#breaks = !broken && this.breaksLater && (op.flags & Flag.Last) !== 0;
    if (broken) this.breaksLater = false;
    if (broken) return { status: Status.Link };
    this.#request = concat((op.flags & Flag.First) !== 0 ? EMPTY : this.#request, op.payload);
    if ((op.flags & Flag.Last) === 0) return {};
    const heard = this.#replyTo(requestTag(op, this.#request));
    this.#reply = this.nextReply ?? heard;
    this.nextReply = undefined;
    this.#firstPiece = this.splitReply ?? Infinity;
    this.splitReply = undefined;
    return {};
  }

  #replyTo(tag: string): Reply {
    const next = this.#script.eim.find((item) => item.at >= this.#at && item.tag === tag && item.answer.code < 300);
    if (next !== undefined) this.#at = next.at + 1;
    if (next !== undefined) return next.answer;
    const code = tag === "BF3D" || tag === HANDLE_NOTIFICATION ? 204 : 200;
    return { code, retryAfter: 0, body: tag === "BF4F" ? NO_PACKAGE : tag === "BF50" ? ACKNOWLEDGED_NOTHING : EMPTY };
  }

  #receive(op: OpMessage): Answer {
    const { code, retryAfter, body } = this.#reply;
    const payload = body.subarray(0, Math.min(op.arg0, this.piece, this.#firstPiece));
    const split = payload.length === this.#firstPiece;
    this.#firstPiece = split ? Infinity : this.#firstPiece - payload.length;
    this.#reply = { code, retryAfter, body: body.subarray(payload.length) };
    // split behind its last octet, an answer's end comes alone
    return { arg0: code, arg1: retryAfter, payload, flags: this.#reply.body.length === 0 && !split ? Flag.Last : 0 };
  }

  #read(op: OpMessage): Answer {
    const record = this.#store.get(op.arg0);
    if (record === undefined || op.arg1 > record.length) return { status: Status.NotFound };
    const payload = record.subarray(op.arg1, op.arg1 + 1024);
    return { payload, flags: op.arg1 + payload.length === record.length ? Flag.Last : 0 };
  }
}

/** SW 61xx: so many octets wait. */
function more(octets: number): Uint8Array {
  return Uint8Array.of(0x61, octets & 0xff);
}
