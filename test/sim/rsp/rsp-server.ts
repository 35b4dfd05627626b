/**
 * What SM-DP+ and SM-DS are alike in: a pure machine from one HTTP request to one answer, with behaviours, audit log, snapshots. No sockets, no
 * timers: whoever serves it carries out what an answer orders.
 */
import { toHex } from "../core/bytes.js";
import type { Clock } from "../core/clock.js";
import { SimError } from "../core/errors.js";
import { Rng } from "../core/rng.js";
import { memoryIn, type Behaviour, type BehaviourContext } from "./behaviour.js";
import { answer, open, peek, refusal } from "./binding.js";
import type { Notes, RspCore, RspIdentity } from "./core.js";
import type { Binding, HttpRequest, HttpResponse, Outcome, RspRequest } from "./message.js";
import { BadRequest, FunctionFailure } from "./refusal.js";
import { copyState, type AuditEntry, type RspState, type Session } from "./state.js";
import { STATUS, type FunctionName } from "./status.js";

interface Own {
  readonly response: HttpResponse;
  readonly verdict: "ok" | "refused";
  readonly code?: string;
}

export abstract class RspServer<S extends Session, T extends RspState<S>> {
  protected readonly core: RspCore<S> & { state: T };
  readonly #behaviours = new Map<number, Behaviour>();

  /** date: calendar time at 0 of the clock; absent, validity of certificates is not looked at. */
  protected constructor(identity: RspIdentity, state: T, clock: Clock, date: Date | undefined) {
    const calendar = (): Date | undefined => date && new Date(date.getTime() + clock.now());
    this.core = { identity, state, now: () => clock.now(), date: calendar };
  }

  /** Carries out one function. Throws FunctionFailure or BadRequest; undefined: 204. What BadRequest finds changed is undone. */
  protected abstract run(request: RspRequest, notes: Notes): Outcome;

  get address(): string {
    return this.core.identity.address;
  }

  /** Every exchange so far. */
  get seen(): readonly AuditEntry[] {
    return this.core.state.audit;
  }

  /** Sessions, oldest first. */
  get sessions(): readonly S[] {
    return [...this.core.state.sessions.values()];
  }

  /** Puts a behaviour in front of all others. Returns a function that takes it away again. */
  use(behaviour: Behaviour): () => void {
    const id = this.#behaviours.size + 1;
    this.#behaviours.set(id, behaviour);
    this.core.state.behaviours = [...this.core.state.behaviours, id];
    return () => {
      this.core.state.behaviours = this.core.state.behaviours.filter((used) => used !== id);
    };
  }

  /** All that the server remembers, as plain data that later exchanges don't change. */
  snapshot(): T {
    return copyState(this.core.state);
  }

  /** Goes back to a snapshot. Throws SimError "state" when it uses behaviours that this server never had. */
  restore(state: T): void {
    const missing = state.behaviours.find((id) => !this.#behaviours.has(id));
    if (missing !== undefined) throw new SimError("state", `the snapshot uses behaviour ${missing}, which this server does not have`);
    this.core.state = copyState(state);
  }

  /** Answers one request. Pure but for the server's own state; never throws for what a peer sends. */
  handle(request: HttpRequest): HttpResponse {
    const about = peek(request);
    const notes: Notes = { reason: "", warnings: [] };
    const used = this.#used(about);
    let own: Own | undefined;
    const respond = (index: number, asked: HttpRequest): HttpResponse => {
      const entry = used[index];
      if (entry === undefined) return (own = this.#answer(asked, used, notes)).response;
      const [behaviour, context] = entry;
      const changed = behaviour.request?.(asked, context) ?? asked;
      const response = behaviour.answer?.(changed, context) ?? respond(index + 1, changed);
      return behaviour.response?.(response, context) ?? response;
    };
    const response = respond(0, request);
    this.core.state.audit.push({
      time: this.core.now(),
      binding: about.binding ?? "none",
      function: about.function ?? "none",
      ...(notes.transactionId !== undefined && { transactionId: notes.transactionId }),
      ...(notes.eid !== undefined && { eid: notes.eid }),
      request: toHex(request.body),
      status: response.drop === true || response.silent === true ? 0 : response.status,
      response: toHex(response.body),
      verdict: own?.verdict ?? "behaviour",
      ...(own?.code !== undefined && { code: own.code }),
      reason: notes.reason,
      warnings: notes.warnings,
      behaviours: used.map(([behaviour]) => behaviour.name),
    });
    return response;
  }

  #answer(request: HttpRequest, used: readonly [Behaviour, BehaviourContext][], notes: Notes): Own {
    const { role, policy } = this.core.identity;
    const before = copyState(this.core.state);
    try {
      const asked = open(request, notes.warnings);
      const own = this.#outcome(asked, notes);
      const outcome = used.reduceRight((result, [behaviour, context]) => behaviour.outcome?.(result, context) ?? result, own);
      const response = answer(peek(request).binding as Binding, role, asked.function, outcome, policy.adminProtocol);
      return { response, verdict: own.kind === "failed" ? "refused" : "ok", ...(own.kind === "failed" && { code: own.code }) };
    } catch (cause) {
      if (!(cause instanceof BadRequest)) throw cause;
      // What is refused leaves no trace but the audit log.
      this.core.state = { ...before, audit: this.core.state.audit };
      notes.reason = cause.message;
      return { response: refusal(cause, policy.adminProtocol), verdict: "refused" };
    }
  }

  #outcome(request: RspRequest, notes: Notes): Outcome {
    try {
      return this.run(request, notes);
    } catch (cause) {
      if (!(cause instanceof FunctionFailure)) throw cause;
      notes.reason = cause.message;
      return { kind: "failed", status: "Failed", code: cause.status, message: STATUS[cause.status] };
    }
  }

  #used(about: { binding?: Binding; function?: FunctionName }): [Behaviour, BehaviourContext][] {
    const { state } = this.core;
    const used: [Behaviour, BehaviourContext][] = [];
    for (const id of state.behaviours.toReversed()) {
      const behaviour = this.#behaviours.get(id) as Behaviour;
      const context: BehaviourContext = { function: about.function, binding: about.binding, time: this.core.now(), memory: memoryIn(state.counters, String(id)) };
      if (behaviour.applies?.(context) !== false) used.push([behaviour, context]);
    }
    return used;
  }
}

/** State of a server that has seen nothing yet. */
export function freshState<S extends Session>(seed: number): RspState<S> {
  return { rng: new Rng(seed).state, sessions: new Map(), audit: [], behaviours: [], counters: new Map() };
}
