/**
 * The eIM as a client of ES9+ and ES11 (SGP.32 v1.2 3.2.3.2; SGP.22 v2.5 5.6, 5.8, 6): one call to an SM-DP+ or SM-DS through a door that others
 * give it, in either binding. A message goes in as its ASN.1 (BF39, BF3B, BF3A, BF41, BF3D) and comes back as members by their JSON names, so that
 * the functions above don't know which binding was used. Left out: several requests at once, redirects.
 */
import { toHex } from "../core/bytes.js";
import { isFailed, type Failed, type Failure } from "../core/doors.js";
import type { EsipaRequest, EsipaResponse } from "../core/http.js";
import { wait, type Maybe, type Steps } from "../core/maybe.js";
import { decodeAsn1, encodeAsn1 } from "./download-asn1.js";
import { decodeJson, encodeJson } from "./download-json.js";
import type { Core, Notes } from "./core.js";

export type HttpRequest = EsipaRequest;
export type HttpResponse = EsipaResponse;

/** The way out. `address`: FQDN[:port] of an SM-DP+ or SM-DS. Answers at once (virtual world) or later (sockets); what went wrong is a value. */
export interface Es9p {
  call(address: string, request: HttpRequest): Maybe<HttpResponse | Failed>;
}

export type Es9pBinding = "json" | "asn1";

export type FunctionName = "initiateAuthentication" | "authenticateClient" | "getBoundProfilePackage" | "cancelSession" | "handleNotification";

export interface Es9pFunction {
  readonly name: FunctionName;
  /** Tag of the message in ASN.1. */
  readonly tag: number;
  /** Members of a good answer, in order: JSON name and tag. */
  readonly answer: readonly (readonly [string, number])[];
}

export const ES9P: Readonly<Record<FunctionName, Es9pFunction>> = {
  initiateAuthentication: {
    name: "initiateAuthentication",
    tag: 0xbf39,
    answer: [["transactionId", 0x80], ["serverSigned1", 0x30], ["serverSignature1", 0x5f37], ["euiccCiPKIdToBeUsed", 0x04], ["serverCertificate", 0x30]],
  },
  authenticateClient: {
    name: "authenticateClient",
    tag: 0xbf3b,
    answer: [["transactionId", 0x80], ["profileMetadata", 0xbf25], ["smdpSigned2", 0x30], ["smdpSignature2", 0x5f37], ["smdpCertificate", 0x30]],
  },
  getBoundProfilePackage: { name: "getBoundProfilePackage", tag: 0xbf3a, answer: [["transactionId", 0x80], ["boundProfilePackage", 0xbf36]] },
  cancelSession: { name: "cancelSession", tag: 0xbf41, answer: [] },
  handleNotification: { name: "handleNotification", tag: 0xbf3d, answer: [] },
};

/** An event of an SM-DS (SGP.22 v2.5 3.6.2). */
export interface EventEntry {
  readonly eventId: string;
  readonly rspServerAddress: string;
}

/** What a call came to. */
export type Reply =
  | {
      readonly kind: "ok";
      /** Whole TLVs by JSON name; transactionId: its octets. */
      readonly members: Readonly<Record<string, Uint8Array>>;
      /** transactionId as the server wrote it, to be sent back so. */
      readonly transactionText?: string;
      /** Of an SM-DS. */
      readonly events?: readonly EventEntry[];
    }
  /** The server's own refusal, as the ESipa function's error code. */
  | { readonly kind: "error"; readonly number: number; readonly reason: string }
  /** Nothing that could be read. `rejected`: HTTP 4xx, another try is of no use. */
  | { readonly kind: "failed"; readonly reason: string; readonly failure?: Failure; readonly rejected?: boolean };

/** One exchange with a server, for the audit log. */
export interface Es9pExchange {
  readonly address: string;
  readonly function: FunctionName;
  readonly path: string;
  /** Hexadecimal of the bodies. */
  readonly request: string;
  /** HTTP status; 0 when nothing was answered. */
  readonly status: number;
  readonly response: string;
  readonly outcome: string;
}

/** Milliseconds that an eIM waits for a server that stays silent. */
export const ES9P_TIMEOUT_MS = 30_000;

/** Octets of the largest answer that is read; a Bound Profile Package of 1 MB fits in base64. */
export const ES9P_ANSWER_LIMIT = 2 ** 21;

/** Calls a function of the server at `address`. `message`: the request in ASN.1. */
export function* callEs9p(core: Core, notes: Notes, address: string, name: FunctionName, message: Uint8Array, transactionText?: string): Steps<Reply> {
  const { es9p } = core.identity;
  if (es9p === undefined) return { kind: "failed", reason: "this eIM relays nothing: it has no way to an SM-DP+" };
  const wanted = ES9P[name];
  const request = es9p.binding === "json" ? encodeJson(wanted, message, transactionText) : encodeAsn1(message);
  const answer = yield* wait(es9p.door.call(address, request));
  const response = isFailed(answer) ? answer : orders(answer, notes);
  const reply: Reply = isFailed(response) ? { kind: "failed", reason: response.reason, failure: response.failure } : read(wanted, response, es9p.binding, notes);
  notes.es9p.push({
    address,
    function: name,
    path: request.path,
    request: toHex(request.body),
    status: isFailed(response) ? 0 : response.status,
    response: isFailed(response) ? "" : toHex(response.body),
    outcome: reply.kind === "ok" ? "ok" : `${reply.kind}: ${reply.reason}`,
  });
  return reply;
}

/** What an answer of the simulated world orders its link to do, as an eIM at the other end of that link sees it. */
function orders(response: HttpResponse, notes: Notes): HttpResponse | Failed {
  const late = response.silent === true ? Infinity : response.delayMs ?? 0;
  notes.delayMs += Math.min(late, ES9P_TIMEOUT_MS);
  if (late >= ES9P_TIMEOUT_MS) return { failure: "timeout", reason: `no answer within ${ES9P_TIMEOUT_MS} ms` };
  if (response.drop === true) return { failure: "link", reason: "the connection was closed instead of an answer" };
  if (response.truncateTo !== undefined && response.truncateTo < response.body.length) return { failure: "link", reason: `the answer broke off after ${response.truncateTo} octets` };
  return response;
}

function read(wanted: Es9pFunction, response: HttpResponse, binding: Es9pBinding, notes: Notes): Reply {
  const { status, body } = response;
  if (status >= 400) return { kind: "failed", reason: `HTTP status ${status}`, rejected: status < 500 && status !== 408 && status !== 429 };
  if (wanted.name === "handleNotification" && (status === 204 || (status === 200 && body.length === 0))) return { kind: "ok", members: {} };
  if (status !== 200) return { kind: "failed", reason: `HTTP status ${status}, 200 expected` };
  if (body.length === 0) return { kind: "failed", reason: "an answer without a body" };
  return binding === "json" ? decodeJson(wanted, response, notes.warnings) : decodeAsn1(wanted, response, notes.warnings);
}
