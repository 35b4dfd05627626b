/**
 * The simulated SM-DS (SGP.22 v2.5 3.6, 5.8, ES11; sgp32-procedures 17, sgp32-transport 6): tells an authenticated eUICC its Events. JSON binding as ES9+,
 * ASN.1 binding with BF40. Left out: ES12 and ES15 as interfaces: whoever registers calls `register`; `cascade` registers at a second SM-DS.
 */
import { SimError } from "../core/errors.js";
import type { Clock } from "../core/clock.js";
import type { Identity, Issuer } from "../pki/pki.js";
import {
  authenticateEuicc, BadRequest, findSession, freshState, FunctionFailure, initiateAuthentication, POLICY, putSession, RspServer, trustChain,
  type Answer, type EventEntry, type Notes, type Outcome, type Policy, type RequestOf, type RspRequest, type RspState, type Session,
} from "../rsp/index.js";

/** What an SM-DS needs of certificates; `makeSmdsIdentity` makes them. */
export interface SmdsPki {
  readonly ci: Issuer;
  readonly dsAuth: Identity;
}

export interface SmdsOptions {
  /** One, or several for several CIs. */
  readonly pki: SmdsPki | readonly SmdsPki[];
  readonly clock: Clock;
  /** FQDN, with port where there is one. Default "smds.example.com". */
  readonly address?: string;
  /** Default 0. */
  readonly seed?: number;
  /** Calendar time at 0 of the clock; absent: validity of certificates is not looked at. */
  readonly date?: Date;
  readonly policy?: Partial<Policy>;
}

/** An Event Record. */
export interface EventRecord extends EventEntry {
  /** 32 digits. */
  readonly eid: string;
  /** How often it was told. */
  readonly told: number;
}

export interface SmdsState extends RspState {
  /** By eventId. */
  events: Map<string, EventRecord>;
}

export class Smds extends RspServer<Session, SmdsState> {
  constructor(options: SmdsOptions) {
    const pkis = "ci" in options.pki ? [options.pki] : options.pki;
    if (pkis.length === 0) throw new RangeError("expected at least one PKI, got none");
    const chains = pkis.map(({ ci, dsAuth }) => trustChain(ci.certificate, dsAuth));
    const identity = { role: "smds" as const, address: options.address ?? "smds.example.com", chains, policy: { ...POLICY, ...options.policy } };
    super(identity, { ...freshState(options.seed ?? 0), events: new Map() }, options.clock, options.date);
  }

  /** Registers an Event: an eUICC is awaited at `address` with matchingId `eventId`. Throws TypeError, SimError "event". */
  register(event: { readonly eid: string; readonly eventId: string; readonly address: string }): void {
    const { eid, eventId, address } = event;
    if (!/^[0-9]{32}$/.test(eid)) throw new TypeError(`expected an EID of 32 digits, got "${eid}"`);
    if (eventId === "" || address === "") throw new TypeError(`expected an eventId and an address, got "${eventId}" and "${address}"`);
    if (this.core.state.events.has(eventId)) throw new SimError("event", `event ${eventId} is registered already`, { eventId });
    this.core.state.events.set(eventId, { eid, eventId, rspServerAddress: address, told: 0 });
  }

  /** Registers an Event here that leads to `other`, where the Event itself is registered: a cascaded SM-DS. */
  cascade(other: Smds, event: { readonly eid: string; readonly eventId: string; readonly address: string }): void {
    other.register(event);
    this.register({ ...event, address: other.address });
  }

  /** Takes an Event away. Throws SimError "event" when it is not there. */
  remove(eventId: string): void {
    if (!this.core.state.events.delete(eventId)) throw new SimError("event", `there is no event ${eventId}`, { eventId });
  }

  /** Events in the order of their registration. */
  get events(): readonly EventRecord[] {
    return [...this.core.state.events.values()];
  }

  protected override run(request: RspRequest, notes: Notes): Outcome {
    if (request.function === "initiateAuthentication") return { kind: "ok", answer: initiateAuthentication(this.core, request, notes) };
    if (request.function === "authenticateClient") return { kind: "ok", answer: this.#authenticateClient(request, notes) };
    throw new BadRequest(`an SM-DS has no function ${request.function}`, "SGP.22 v2.5 5.8", 404);
  }

  /** The Event of the eventId in matchingId, or all of the eUICC. The session is over after it. */
  #authenticateClient(request: RequestOf<"authenticateClient">, notes: Notes): Answer {
    const session = findSession(this.core, request.transactionId, ["initiated"], notes);
    const end = (eid?: string): void => putSession(this.core, { ...session, ...(eid !== undefined && { eid }), state: "ended" });
    try {
      const { eid, context } = authenticateEuicc(this.core, session, request.authenticateServerResponse, notes);
      const told = this.#eventsFor(eid, context.matchingId);
      end(eid);
      return { transactionId: request.transactionId, objects: [], events: told.map(({ eventId, rspServerAddress }) => ({ eventId, rspServerAddress })) };
    } catch (cause) {
      if (cause instanceof FunctionFailure) end();
      throw cause;
    }
  }

  #eventsFor(eid: string, eventId: string): EventRecord[] {
    const found = this.events.filter((event) => event.eid === eid && (eventId === "" || event.eventId === eventId));
    if (eventId !== "" && found.length === 0) throw new FunctionFailure("8.9.5/3.9", `no event ${eventId} for EID ${eid}`, "SGP.22 v2.5 5.8.2");
    for (const event of found) this.core.state.events.set(event.eventId, { ...event, told: event.told + 1 });
    return found;
  }
}
