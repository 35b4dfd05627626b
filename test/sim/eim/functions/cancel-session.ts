/**
 * ESipa.CancelSession BF41 (SGP.32 v1.2 5.14.4, 3.2.4): relays the card's signed word that a session ends. The card's BF41 travels as A1 (types 3.8);
 * on the JSON binding of ES9+ it is BF41 again. Whatever the server answers, the session is over.
 */
import type { Steps } from "../../core/maybe.js";
import { integer, readInteger, tlv, type Tlv } from "../../codec/tlv.js";
import type { Core, Notes } from "../core.js";
import { expandCancelSessionResponse } from "../download-compact.js";
import { callEs9p } from "../download-es9p.js";
import { advanced, answeredBefore, findSession, updateSession } from "../download-session.js";
import { CANCEL_SESSION_REASON } from "../names.js";
import { BadRequest, FunctionError, members, parts, required, tagText, UNDEFINED_ERROR } from "../refusal.js";

const SECTION = "SGP.32 v1.2 5.14.4";
const TAG = 0xbf41;
const INVALID_TRANSACTION_ID = 1;

export function* cancelSession(core: Core, message: Tlv, notes: Notes): Steps<Uint8Array> {
  const found = members(message.value, "CancelSessionRequest", [0x80, 0xa1], notes.warnings, true);
  const id = required(found, 0x80, "transactionId");
  const given = required(found, 0xa1, "cancelSessionResponse");
  const { device, session } = findSession(core, id.value, INVALID_TRANSACTION_ID, notes);
  const before = answeredBefore(session, message.raw, notes);
  if (before !== undefined) return before;
  if (session.cancelled !== undefined) throw new FunctionError(INVALID_TRANSACTION_ID, `session ${session.transactionId} is cancelled already: ${session.cancelled}`, SECTION);
  const a1 = expandCancelSessionResponse(device, session, given);
  const cancelled = reasonOf(a1);
  const reply = yield* callEs9p(core, notes, session.address, "cancelSession", tlv(TAG, id.raw, a1.raw), session.transactionText);
  if (reply.kind === "failed") {
    // Not kept: when the same request comes again, the server is asked again.
    notes.reason = `${session.address}: ${reply.reason}`;
    return cancelSessionError(UNDEFINED_ERROR);
  }
  const response = reply.kind === "ok" ? tlv(TAG, tlv(0xa0)) : cancelSessionError(reply.number);
  updateSession(core, device.eid, advanced(session, { phase: "ended", cancelled }, message.raw, response));
  notes.reason = `session ${session.transactionId} is cancelled: ${cancelled}${reply.kind === "error" ? `; ${session.address}: ${reply.reason}` : ""}`;
  return response;
}

/** BF41 with an error. */
export function cancelSessionError(code: number): Uint8Array {
  return tlv(TAG, tlv(0x81, integer(code)));
}

/** Name of the reason that the card signed, or of its own error. */
function reasonOf(a1: Tlv): string {
  const [chosen] = parts(a1.value, "CancelSessionResponse", true);
  if (chosen?.tag === 0x81) return `the card's error ${readInteger(chosen.value, { lenient: true })}`;
  if (chosen?.tag !== 0xa0) throw new BadRequest(`CancelSessionResponse: A0, 81 or A2 expected, got ${chosen ? tagText(chosen.tag) : "nothing"}`, SECTION);
  const [signed, signature] = parts(chosen.value, "cancelSessionResponseOk", true);
  if (signed?.tag !== 0x30 || signature?.tag !== 0x5f37) throw new BadRequest("cancelSessionResponseOk: 30 5F37 expected", SECTION);
  const inside = members(signed.value, "euiccCancelSessionSigned", [0x80, 0x81, 0x82], [], true);
  const reason = readInteger(required(inside, 0x82, "reason").value, { lenient: true });
  return CANCEL_SESSION_REASON[reason] ?? `reason ${reason}`;
}
