/**
 * ESipa.AuthenticateClient BF3B (SGP.32 v1.2 5.14.2, 3.2.3.2, 3.9): relays the card's answer, be it an error, and hands on what an SM-DP+ (profile to
 * prepare) or an SM-DS (events) says. Where the eIM verifies metadata it refuses a profile by itself.
 */
import { equal, fromHex, fromUtf8, toHex } from "../../core/bytes.js";
import type { Steps } from "../../core/maybe.js";
import { find, integer, readAll, readOne, tlv, TlvError, type Tlv } from "../../codec/tlv.js";
import { certificateEid } from "../certificates.js";
import type { Core, Notes } from "../core.js";
import { eventActivationCode, hashCc } from "../download-data.js";
import { callEs9p, type EventEntry, type Reply } from "../download-es9p.js";
import { pprProblem } from "../download-metadata.js";
import { advanced, answeredBefore, dataOf, expectPhase, findSession, updateSession, type DownloadSession } from "../download-session.js";
import { expandAuthenticateServerResponse } from "../download-compact.js";
import { profileDownloadTriggerRequest } from "../packages.js";
import { enqueue, updatePackage } from "../queue.js";
import { BadRequest, FunctionError, members, parts, required, tagText, UNDEFINED_ERROR } from "../refusal.js";
import type { DeviceState, PackageRecord } from "../state.js";

const SECTION = "SGP.32 v1.2 5.14.2";
const TAG = 0xbf3b;
const INVALID_TRANSACTION_ID = 10;
const PPR_NOT_ALLOWED = 50;

type Ok = Extract<Reply, { kind: "ok" }>;

/** One exchange: the session, the package that it is for, and what came. */
interface Exchange {
  readonly eid: string;
  readonly session: DownloadSession;
  readonly record: PackageRecord;
  readonly request: Uint8Array;
  /** EUICCInfo2 content, when the card's answer is a good one. */
  readonly euiccInfo2?: Uint8Array;
}

export function* authenticateClient(core: Core, message: Tlv, notes: Notes): Steps<Uint8Array> {
  const found = members(message.value, "AuthenticateClientRequest", [0x80, 0xbf38], notes.warnings, true);
  const id = required(found, 0x80, "transactionId");
  const given = required(found, 0xbf38, "authenticateServerResponse");
  const { device, session } = findSession(core, id.value, INVALID_TRANSACTION_ID, notes);
  const before = answeredBefore(session, message.raw, notes);
  if (before !== undefined) return before;
  expectPhase(session, "initiated", INVALID_TRANSACTION_ID);
  const record = device.packages.find((one) => one.id === session.packageId) as PackageRecord;
  const bf38 = expandAuthenticateServerResponse(device, session, given);
  const euiccInfo2 = checkCard(device, session, record, bf38);
  const exchange: Exchange = { eid: device.eid, session, record, request: message.raw, ...(euiccInfo2 && { euiccInfo2 }) };
  const reply = yield* callEs9p(core, notes, session.address, "authenticateClient", tlv(TAG, id.raw, bf38.raw), session.transactionText);
  if (reply.kind === "failed") {
    // Not kept: when the same request comes again, the server is asked again.
    notes.reason = `${session.address}: ${reply.reason}`;
    return authenticateClientError(UNDEFINED_ERROR);
  }
  if (reply.kind === "error") return ended(core, exchange, authenticateClientError(reply.number), `${session.address}: ${reply.reason}`, notes);
  return reply.events === undefined ? fromSmdp(core, exchange, reply, notes) : fromSmds(core, exchange, reply.events, notes);
}

/** BF3B with an error. Its tag is 82 here, 81 on ES9+. */
export function authenticateClientError(code: number): Uint8Array {
  return tlv(TAG, tlv(0x82, integer(code)));
}

function ended(core: Core, { eid, session, request }: Exchange, response: Uint8Array, reason: string, notes: Notes): Uint8Array {
  updateSession(core, eid, advanced(session, { phase: "ended" }, request, response));
  notes.reason = reason;
  return response;
}

function fromSmdp(core: Core, exchange: Exchange, reply: Ok, notes: Notes): Uint8Array {
  const { eid, session, record, request } = exchange;
  const { profileMetadata, smdpSigned2, smdpSignature2, smdpCertificate } = reply.members as Record<string, Uint8Array>;
  const handling = record.handling ?? {};
  const known = { metadata: profileMetadata as Uint8Array, smdpSigned2: smdpSigned2 as Uint8Array, smdpSignature2: smdpSignature2 as Uint8Array };
  const problem = handling.verifyMetadata === true ? pprProblem(known.metadata, handling.allowedPprs ?? [], exchange.euiccInfo2) : undefined;
  if (problem !== undefined) {
    const response = authenticateClientError(PPR_NOT_ALLOWED);
    updateSession(core, eid, advanced(session, { ...known, phase: "refused" }, request, response));
    notes.reason = `pprNotAllowed: ${problem}`;
    return response;
  }
  const code = handling.confirmationCode;
  const hash = code !== undefined && wantsConfirmationCode(known.smdpSigned2) ? hashCc(code, reply.members.transactionId as Uint8Array) : undefined;
  const response = tlv(
    TAG,
    tlv(
      0xa0,
      handling.omitTransactionId === true ? [] : tlv(0x80, reply.members.transactionId as Uint8Array),
      handling.verifyMetadata === true && handling.sendMetadata !== true ? [] : known.metadata,
      known.smdpSigned2,
      known.smdpSignature2,
      smdpCertificate as Uint8Array,
      hash === undefined ? [] : tlv(0x04, hash),
    ),
  );
  updateSession(core, eid, advanced(session, { ...known, phase: "authenticated", ...(hash && { hashCc: hash }) }, request, response));
  notes.reason = `session ${session.transactionId}: authenticated by ${session.address}`;
  return response;
}

/** ccRequiredFlag. What can't be read is the card's to judge. */
function wantsConfirmationCode(smdpSigned2: Uint8Array): boolean {
  try {
    const flag = find(readAll(readOne(smdpSigned2, 0x30, { lenient: true }).value, { lenient: true }), 0x01);
    return flag?.value[0] !== undefined && flag.value[0] !== 0;
  } catch (cause) {
    if (!(cause instanceof TlvError)) throw cause;
    return false;
  }
}

/** The first event is the new trigger of this package; others wait their turn as packages of their own, so that none is lost. */
function fromSmds(core: Core, exchange: Exchange, events: readonly EventEntry[], notes: Notes): Uint8Array {
  const { eid, session, record } = exchange;
  const device = core.state.devices.get(eid) as DeviceState;
  const [first, ...others] = events;
  const head = tlv(0x80, transactionIdOf(session));
  if (first === undefined) return ended(core, exchange, tlv(TAG, tlv(0xa1, head)), `${session.address} has no event`, notes);
  for (const event of others) {
    enqueue(core, device, { kind: "profileDownloadTriggerRequest", trigger: { activationCode: eventActivationCode(event) }, ...(record.handling && { handling: withoutCode(record) }) });
  }
  const activationCode = eventActivationCode(first);
  const held = dataOf(record).held;
  // Who held the data holds it on: the trigger then goes without.
  const trigger = held ? {} : { activationCode };
  const der = profileDownloadTriggerRequest(trigger, record.transactionId === undefined ? undefined : fromHex(record.transactionId));
  updatePackage(device, held ? { ...record, handling: { ...record.handling, activationCode } } : { ...record, trigger, der });
  const response = tlv(TAG, tlv(0xa1, head, profileDownloadTriggerRequest(trigger, undefined)));
  return ended(core, exchange, response, `${session.address}: event ${first.eventId} at ${first.rspServerAddress}${others.length > 0 ? `, ${others.length} more queued` : ""}`, notes);
}

function withoutCode({ handling }: PackageRecord): NonNullable<PackageRecord["handling"]> {
  const { activationCode: _held, ...rest } = handling ?? {};
  return rest;
}

function transactionIdOf(session: DownloadSession): Uint8Array {
  return new Uint8Array(Buffer.from(session.transactionId, "hex"));
}

/** Looks into BF38 for what must hold whatever server it goes to. Returns the content of euiccInfo2; undefined for an error of the card. Throws FunctionError. */
function checkCard(device: DeviceState, session: DownloadSession, record: PackageRecord, bf38: Tlv): Uint8Array | undefined {
  const [chosen] = parts(bf38.value, "AuthenticateServerResponse", true);
  if (chosen?.tag === 0xa1) return undefined;
  if (chosen?.tag !== 0xa0) throw new BadRequest(`AuthenticateServerResponse: A0, A1 or A2 expected, got ${chosen ? tagText(chosen.tag) : "nothing"}`, SECTION);
  const [signed, signature, euicc, eum] = parts(chosen.value, "authenticateResponseOk", true);
  if (signed?.tag !== 0x30 || signature?.tag !== 0x5f37 || euicc?.tag !== 0x30 || eum?.tag !== 0x30) throw new BadRequest("authenticateResponseOk: 30 5F37 30 30 expected", SECTION);
  const inside = members(signed.value, "euiccSigned1", [0x80, 0x83, 0x84, 0xbf22, 0xa0], [], true);
  const id = toHex(required(inside, 0x80, "transactionId").value);
  if (id !== session.transactionId) throw new FunctionError(INVALID_TRANSACTION_ID, `euiccSigned1: transactionId ${session.transactionId} expected, got ${id}`, SECTION);
  const eid = certificateEid(euicc.raw);
  if (eid !== device.eid) throw new FunctionError(7, `CERT.EUICC: EID ${device.eid} expected, got ${eid ?? "none"}`, SECTION);
  checkCtxParams1(session, record, required(inside, 0xa0, "ctxParams1"));
  return required(inside, 0xbf22, "euiccInfo2").value;
}

/** The card signs what the IPA gave it: the eIM's own ctxParams1 to the octet, or the matchingId that the eIM chose. */
function checkCtxParams1(session: DownloadSession, record: PackageRecord, given: Tlv): void {
  if (session.ctxParams1 !== undefined) {
    if (!equal(given.raw, session.ctxParams1)) throw new FunctionError(UNDEFINED_ERROR, `ctxParams1: ${toHex(session.ctxParams1)} expected, as the eIM made it, got ${toHex(given.raw)}`, SECTION);
    return;
  }
  const { matchingId } = dataOf(record);
  const item = find(parts(given.value, "ctxParams1", true), 0x80);
  const sent = item && textOf(item);
  if (matchingId !== undefined && (sent ?? "") !== matchingId) throw new FunctionError(6, `matchingId: "${matchingId}" expected, got ${sent === undefined ? "none" : `"${sent}"`}`, SECTION);
}

function textOf(item: Tlv): string {
  try {
    return fromUtf8(item.value);
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    return toHex(item.value);
  }
}
