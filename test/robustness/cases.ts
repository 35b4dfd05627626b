/**
 * One mutated message, told by (seed, index): the agent begins from the image before an event of a scene, gets the damage, and
 * runs on among stand-ins. It never traps, touches nothing above its end, breaks no rule of the mailbox, comes to rest, and polls again.
 */
import type { OpMessage } from "../sim/agent/agent.js";
import { Event, Flag, Op, Report, StoreKey, WakeReason } from "../sim/agent/abi.js";
import { checkOp, initialOpRules, type OpRulesState } from "../sim/agent/op-rules.js";
import { concat, fromHex } from "../sim/core/bytes.js";
import { Rng } from "../sim/core/rng.js";
import { flip, mutate } from "./mutate.js";
import { Broken, describe, describeOp, sameOp, type AnyEvent } from "./raw-agent.js";
import type { Material, Scene } from "./material.js";
import { settle, type Step } from "./recordings.js";
import { Understudy, type Answer, type Reply } from "./understudy.js";

const TERMINAL_CAPABILITY = fromHex("80AA000000");
const ENDPOINT = fromHex("800161");
const HTTPS_EIM = 0x101;
const MOST_OPS = 4000;
const TROUBLED_OPS = 60;
const MOST_OCTETS = 70_000;
const MS_PER_OP = 5;
const NUMBERS = [0, 1, 2, 19, 20, 127, 128, 200, 204, 255, 256, 299, 300, 400, 429, 500, 1024, 65_535, 65_536, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff];
const STATUS_WORDS = ["9000", "6100", "6101", "61FF", "6C00", "6C01", "6CFF", "9100", "91FF", "9FFF", "6881", "6882", "6985", "6A80", "6A82", "6A88", "6D00", "6E00", "6282", "6283", "6310", "63CF", "6400", "6F00", "0000", "FFFF", "60", ""];

/** How often things went where; told at the end of a run. */
export interface Counts {
  cases: number;
  ops: number;
  polls: number;
}

export class Case {
  readonly rng: Rng;
  readonly material: Material;
  readonly log: string[] = [];
  readonly #talk: boolean;
  readonly #counts: Counts;
  #now = 0;
  #rules: OpRulesState = initialOpRules();
  #troubled = 0;
  /** Ops whose payload comes from what was damaged beyond the agent's care: a journal record, the configuration. */
  readonly #spoilt = new Set<Op>();
  #polled = false;
  /** The damage can't have taken what a poll needs: only a wrong configuration or journal could. */
  #mustPoll = true;
  what = "";

  constructor(material: Material, seed: number, index: number, counts: Counts, talk = false) {
    this.rng = new Rng(Math.imul(seed, 0x9e37_79b1) ^ Math.imul(index + 1, 0x85eb_ca6b));
    this.material = material;
    this.#counts = counts;
    this.#talk = talk;
  }

  /** Throws Broken, or OpError where a rule of the mailbox was broken. */
  run(): void {
    this.#counts.cases++;
    const scene = this.rng.pick(this.material.scenes);
    const kind = this.rng.int(20);
    if (kind < 8) this.#cardMessage(scene);
    else if (kind < 13 && scene.requests.length > 0) this.#serverMessage(scene);
    else if (kind < 17) this.#event(scene);
    else if (kind < 18) this.#start(scene);
    else if (kind < 19) this.#illFormed(scene);
    else this.#walk(scene);
  }

  #begin(scene: Scene, at: number, what: string): { step: Step; peers: Understudy } {
    const step = scene.steps[at] as Step;
    this.what = `${what} at event ${at} of "${scene.name}"`;
    this.material.agent.load(step.image);
    this.#rules = { ...step.rules };
    this.#now = step.now;
    const peers = new Understudy(scene.script, scene, at);
    peers.chunk = this.rng.pick([256, 256, 256, 100, 17]);
    peers.piece = this.rng.pick([1024, 1024, 300, 50]);
    peers.atOnce = this.rng.int(2) === 0;
    this.#troubled = this.rng.int(3) === 0 ? TROUBLED_OPS : 0;
    return { step, peers };
  }

  #mutated(bytes: Uint8Array): Uint8Array {
    return mutate(this.rng, bytes, this.material.payloads).subarray(0, MOST_OCTETS);
  }

  #cardMessage(scene: Scene): void {
    const at = this.rng.pick(this.rng.pick(scene.commands));
    const { step, peers } = this.#begin(scene, at, "card message");
    const heard = scene.script.card.find((item) => item.at === at);
    peers.nextCard = this.#mutated(heard?.answer ?? new Uint8Array(0));
    peers.chunk = Math.max(peers.chunk, Math.min(256, Math.ceil(peers.nextCard.length / 300)));
    this.what += ` (${heard?.tag})`;
    this.#on(step.op as OpMessage, peers);
  }

  #serverMessage(scene: Scene): void {
    const at = this.rng.pick(scene.requests);
    const { step, peers } = this.#begin(scene, at, "server message");
    const heard = scene.script.eim.find((item) => item.at === at)?.answer as Reply;
    peers.nextReply = {
      code: this.rng.int(6) === 0 ? this.rng.pick(NUMBERS) : heard.code,
      retryAfter: this.rng.int(6) === 0 ? this.rng.pick(NUMBERS) : heard.retryAfter,
      body: this.#mutated(heard.body),
    };
    peers.piece = Math.max(peers.piece, Math.ceil(peers.nextReply.body.length / 200));
    this.#on(step.op as OpMessage, peers);
  }

  #event(scene: Scene): void {
    const at = this.rng.int(scene.steps.length);
    const { step, peers } = this.#begin(scene, at, "event");
    if (step.op === null) return this.#start(scene);
    peers.answer(step.op);
    this.#on(this.#give(step.op, this.#damaged(step.op, step.event)), peers);
  }

  /** An answer with some of its fields changed. */
  #damaged(op: OpMessage, answer: Answer): Answer {
    const { rng } = this;
    const out: { -readonly [K in keyof Answer]: Answer[K] } = { ...answer };
    const payload = answer.payload ?? new Uint8Array(0);
    for (let changes = 1 + rng.int(2); changes > 0; changes--) {
      switch (rng.int(7)) {
        case 0:
          out.status = rng.int(4) === 0 ? -1 - rng.int(0x7fff_ffff) : -1 - rng.int(12);
          break;
        case 1:
          out.flags = rng.int(2) === 0 ? (answer.flags ?? 0) ^ Flag.CardReset : rng.int(256);
          break;
        case 2:
          out.arg0 = rng.pick(NUMBERS);
          break;
        case 3:
          out.arg1 = rng.pick(NUMBERS);
          break;
        case 4:
          out.payload = op.kind === Op.UiccTransmit ? concat(payload.slice(0, -2), fromHex(rng.pick(STATUS_WORDS))) : this.#mutated(payload);
          break;
        case 5:
          out.payload = rng.int(2) === 0 ? flip(rng, payload, 1 + rng.int(4)) : rng.pick(this.material.payloads);
          break;
        default:
          out.payload = op.kind === Op.UiccTransmit ? concat(this.#mutated(payload.slice(0, -2)).subarray(0, 256), payload.slice(-2)) : payload.slice(0, rng.int(payload.length + 1));
      }
    }
    if (out.payload !== undefined) out.payload = out.payload.subarray(0, this.material.agent.capacity);
    if (op.kind === Op.StoreRead && op.arg0 === StoreKey.Endpoint) this.#spoil(Op.LinkOpen);
    return out;
  }

  /** Start at any moment, with another configuration. */
  #start(scene: Scene): void {
    const at = this.rng.int(scene.steps.length);
    const { peers } = this.#begin(scene, at, "Start");
    this.#spoil(Op.UiccTransmit);
    const payload = this.#mutated(this.rng.pick(this.material.starts)).subarray(0, this.material.agent.capacity);
    const before = this.material.agent.image();
    const op = this.#step({ kind: Event.Start, payload });
    this.#rules = initialOpRules();
    if (typeof op === "number") {
      this.#refusedStart(before, payload);
      return;
    }
    this.#on(op, peers, true);
  }

  #refusedStart(before: Uint8Array, payload: Uint8Array): void {
    const mailbox = this.material.agent.mailbox();
    this.material.agent.load(before);
    this.material.agent.put({ kind: Event.Start, payload });
    if (Buffer.compare(mailbox, this.material.agent.mailbox()) !== 0) throw new Broken("a refused Start changed the mailbox");
  }

  /** Events that answer nothing: a negative status, the mailbox untouched, and everything goes on as if they had not been. */
  #illFormed(scene: Scene): void {
    const { rng } = this;
    const { step } = this.#begin(scene, rng.int(scene.steps.length), "ill-formed event");
    const next: AnyEvent = { ...step.event };
    const expected = this.#expectOp(this.material.agent.step(next, this.#now));
    this.material.agent.load(step.image);
    for (let tries = 1 + rng.int(4); tries > 0; tries--) this.#refused(step, this.#illFormedEvent(step));
    const op = this.#expectOp(this.#step(next));
    if (!sameOp(op, expected)) throw new Broken(`after refused events the agent asks another op: ${op.kind}, expected ${expected.kind}`);
  }

  #expectOp(op: OpMessage | number): OpMessage {
    if (typeof op === "number") throw new Broken(`a recorded event was refused with ${op}`);
    return op;
  }

  #refused(step: Step, event: AnyEvent): void {
    const { agent } = this.material;
    agent.put(event);
    const before = agent.mailbox();
    const result = this.#step(event);
    if (typeof result !== "number") throw new Broken(`${describe(event)} is ill-formed (the op in hand is ${step.op?.kind} #${step.op?.ref}) and was taken for one`);
    if (Buffer.compare(before, agent.mailbox()) !== 0) throw new Broken(`a refused event changed the mailbox: ${describe(event)}`);
  }

  #illFormedEvent(step: Step): AnyEvent {
    const { rng } = this;
    const noise = { flags: rng.int(256), status: rng.u32() | 0, arg0: rng.u32(), arg1: rng.u32(), payload: rng.bytes(rng.int(60)) };
    const sleeping = step.op?.kind === Op.Sleep;
    const forms: AnyEvent[] = [
      { ...noise, kind: rng.pick([0, 4, 5, 17, 128, 255]) },
      { ...noise, kind: sleeping ? Event.Done : Event.Wake, ref: step.op?.ref ?? 0 },
      { ...noise, kind: rng.pick([Event.Done, Event.Wake, Event.Start]), ref: step.op?.ref ?? 0, length: 1025 + rng.int(2) * rng.u32() % 0x7fff_ffff },
      { kind: Event.Start, payload: Uint8Array.of(0x80, 0x20, ...rng.bytes(rng.int(0x20))) },
    ];
    if (!sleeping && step.op !== null) forms.push({ ...noise, kind: Event.Done, ref: step.op.ref + 1 + rng.int(1000) }, { ...noise, kind: Event.Done, ref: 0 });
    return rng.pick(forms);
  }

  /** Any events in any order: what is not refused must leave a good op. */
  #walk(scene: Scene): void {
    const { rng } = this;
    const { step, peers } = this.#begin(scene, rng.int(scene.steps.length), "random walk");
    this.#spoil(Op.LinkOpen, Op.UiccTransmit);
    let op = step.op;
    for (let ops = 20 + rng.int(100); ops > 0; ops--) {
      const event = this.#anyEvent(op);
      const result = this.#step(event);
      if (typeof result === "number") continue;
      if (event.kind === Event.Start) this.#rules = initialOpRules();
      else if (op !== null) settle(this.#rules, op, event);
      this.#check(result);
      op = result;
    }
    this.#troubled = 0;
    if (op !== null) this.#on(op, peers);
  }

  #anyEvent(op: OpMessage | null): AnyEvent {
    const { rng } = this;
    const fields = { flags: rng.pick([0, 0, 2, 2, 4, 6, rng.int(256)]), status: rng.pick([0, 0, 0, -1, -3, -4, rng.u32() | 0]), arg0: rng.pick([0, 1, 200, rng.pick(NUMBERS)]), arg1: rng.pick(NUMBERS) };
    const payload = (rng.int(3) === 0 ? this.#mutated(rng.pick(this.material.payloads)) : rng.pick(this.material.payloads)).subarray(0, this.material.agent.capacity);
    const kind = rng.int(12) === 0 ? rng.int(6) : op?.kind === Op.Sleep ? Event.Wake : Event.Done;
    return { kind, ...fields, payload: kind === Event.Start ? rng.pick(this.material.starts) : payload, ref: rng.int(10) === 0 ? rng.u32() : (op?.ref ?? 0) };
  }

  /** Lets stand-ins carry out ops until the agent rests, wakes it for a poll, and lets it come to rest again. */
  #on(first: OpMessage, peers: Understudy, checkFirst = false): void {
    if (checkFirst) this.#check(first);
    let op = this.#rest(first, peers);
    this.#polled = false;
    op = this.#expectOp(this.#step({ kind: Event.Wake, arg0: WakeReason.Poll }));
    this.#check(op);
    this.#rest(op, peers);
    if (this.#polled) this.#counts.polls++;
    else if (this.#mustPoll) throw new Broken("the poll that the application wanted did not come to its end");
  }

  #rest(first: OpMessage, peers: Understudy): OpMessage {
    let op = first;
    for (let ops = 0; ops < MOST_OPS; ops++) {
      if (op.kind === Op.Sleep && (op.flags & Flag.Idle) !== 0 && this.#troubled === 0) return op;
      let answer = peers.answer(op);
      if (this.#troubled > 0) {
        this.#troubled--;
        if (this.rng.int(8) === 0) answer = this.#damaged(op, answer);
      }
      op = this.#give(op, answer);
    }
    throw new Broken(`no rest after ${MOST_OPS} ops`);
  }

  #give(op: OpMessage, answer: Answer): OpMessage {
    const event: AnyEvent = op.kind === Op.Sleep ? { ...answer, kind: Event.Wake, ref: 0, status: 0 } : { ...answer, kind: Event.Done, ref: op.ref };
    if (op.kind === Op.Sleep) this.#now += op.waitMs;
    if (op.kind === Op.Report && op.arg0 === Report.PollEnded && op.arg1 === 0) this.#polled = true;
    const next = this.#step(event);
    if (typeof next === "number") throw new Broken(`a well-formed event was refused with ${next}: ${describe(event)}`);
    settle(this.#rules, op, event);
    this.#check(next);
    return next;
  }

  #step(event: AnyEvent): OpMessage | number {
    this.#now += MS_PER_OP;
    this.#counts.ops++;
    if (this.#talk) this.log.push(`  > ${describe(event)}`);
    const result = this.material.agent.step(event, this.#now);
    if (this.#talk) this.log.push(typeof result === "number" ? `  < status ${result}` : `  < ${describeOp(result)}`);
    return result;
  }

  #spoil(...kinds: readonly Op[]): void {
    this.#mustPoll = false;
    for (const kind of kinds) this.#spoilt.add(kind);
  }

  #check(op: OpMessage): void {
    const configured = op.kind === Op.UiccTransmit && (op.flags & Flag.Basic) !== 0;
    const spoilt = this.#spoilt.has(op.kind) && (op.kind === Op.LinkOpen || configured);
    const payload = spoilt ? (configured ? TERMINAL_CAPABILITY : ENDPOINT) : op.payload;
    const aux = spoilt && !configured ? HTTPS_EIM : op.aux;
    checkOp(this.#rules, { ...op, payload, aux }, this.material.agent.capacity);
  }
}
