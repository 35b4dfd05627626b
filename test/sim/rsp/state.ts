/**
 * What every RSP server remembers, as one plain object (no classes, no functions), and its copy. Records are never changed in place: a change puts a
 * new record there. So a snapshot copies lists and maps, shares records and octets, and costs microseconds.
 */
import { fromHex, toHex } from "../core/bytes.js";
import type { Curve } from "../pki/keys.js";
import type { Binding } from "./message.js";

/** An RSP session, from InitiateAuthentication to its end. */
export interface Session {
  /** Upper-case hexadecimal. */
  readonly transactionId: string;
  /** "initiated": the eUICC is not authenticated yet; "ended": by success, by a failure or by CancelSession. */
  readonly state: "initiated" | "authenticated" | "bppSent" | "ended";
  readonly startedAt: number;
  readonly serverChallenge: Uint8Array;
  /** serverAddress as signed: what the eUICC must sign back. */
  readonly serverAddress: string;
  /** Index of the trust chain that both sides use. */
  readonly chain: number;
  /** Once authenticated. */
  readonly eid?: string;
  readonly curve?: Curve;
  /** Of CERT.EUICC: 65 octets. */
  readonly publicKey?: Uint8Array;
}

/** One exchange, as it was on the wire and as the server judged it. */
export interface AuditEntry {
  readonly time: number;
  readonly binding: Binding | "none";
  /** "none" when it did not come so far. */
  readonly function: string;
  readonly transactionId?: string;
  readonly eid?: string;
  /** Hexadecimal of the body. */
  readonly request: string;
  /** HTTP status; 0 when nothing was answered. */
  readonly status: number;
  /** Hexadecimal of the body. */
  readonly response: string;
  /** "refused": the peer broke a rule or the function failed, `reason` says why; "behaviour": a behaviour answered in the server's place. */
  readonly verdict: "ok" | "refused" | "behaviour";
  /** Subject and reason code of a failed function: "8.2.6/3.8". */
  readonly code?: string;
  readonly reason: string;
  /** Allowed, but not as a good peer does it. */
  readonly warnings: readonly string[];
  /** Names of the behaviours that took part, newest first. */
  readonly behaviours: readonly string[];
}

export interface RspState<S extends Session = Session> {
  /** Words of the server's own Rng. */
  rng: [number, number, number, number];
  /** By transaction id. */
  sessions: Map<string, S>;
  /** Append-only; entries never change. */
  audit: AuditEntry[];
  /** Ids of the behaviours in use, newest last. */
  behaviours: readonly number[];
  /** Counters of behaviours: "id/name". */
  counters: Map<string, number>;
}

/** A copy that later changes of `state` don't reach: maps and lists one level deep. */
export function copyState<T extends RspState>(state: T): T {
  const copies = Object.entries(state).map(([key, value]) => [key, copyOf(value)]);
  return Object.fromEntries(copies) as T;
}

function copyOf(value: unknown): unknown {
  if (value instanceof Map) return new Map(value);
  return Array.isArray(value) ? value.slice() : value;
}

/** State as JSON text: octets as {"$hex"}, maps as {"$map"}. */
export function stateToJson(state: RspState): string {
  return JSON.stringify(state, (_key, value: unknown) => {
    if (value instanceof Uint8Array) return { $hex: toHex(value) };
    if (value instanceof Map) return { $map: [...value] };
    return value;
  });
}

/** Inverse of stateToJson. Throws SyntaxError when the text is not JSON. */
export function stateFromJson<T extends RspState>(text: string): T {
  return JSON.parse(text, (_key, value: unknown) => {
    if (typeof value !== "object" || value === null) return value;
    if ("$hex" in value) return fromHex(value.$hex as string);
    if ("$map" in value) return new Map(value.$map as [unknown, unknown][]);
    return value;
  }) as T;
}
