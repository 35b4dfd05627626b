/**
 * ESipa.GetBoundProfilePackage BF3A (SGP.32 v1.2 5.14.3, 3.2.3.2): relays the card's answer to PrepareDownload, and the Bound Profile Package back,
 * untouched whatever its size. Where the eIM verifies metadata it compares what the package stores with what was shown.
 */
import type { Steps } from "../../core/maybe.js";
import { integer, tlv, type Tlv } from "../../codec/tlv.js";
import type { Core, Notes } from "../core.js";
import { expandPrepareDownloadResponse } from "../download-compact.js";
import { callEs9p } from "../download-es9p.js";
import { metadataProblem } from "../download-metadata.js";
import { advanced, answeredBefore, expectPhase, findSession, updateSession } from "../download-session.js";
import { members, required, UNDEFINED_ERROR } from "../refusal.js";
import type { PackageRecord } from "../state.js";

const TAG = 0xbf3a;
const INVALID_TRANSACTION_ID = 95;
const METADATA_MISMATCH = 50;

export function* getBoundProfilePackage(core: Core, message: Tlv, notes: Notes): Steps<Uint8Array> {
  const found = members(message.value, "GetBoundProfilePackageRequest", [0x80, 0xbf21], notes.warnings, true);
  const id = required(found, 0x80, "transactionId");
  const given = required(found, 0xbf21, "prepareDownloadResponse");
  const { device, session } = findSession(core, id.value, INVALID_TRANSACTION_ID, notes);
  const before = answeredBefore(session, message.raw, notes);
  if (before !== undefined) return before;
  expectPhase(session, "authenticated", INVALID_TRANSACTION_ID);
  const { handling } = device.packages.find((one) => one.id === session.packageId) as PackageRecord;
  const bf21 = expandPrepareDownloadResponse(device, session, given);
  const reply = yield* callEs9p(core, notes, session.address, "getBoundProfilePackage", tlv(TAG, id.raw, bf21.raw), session.transactionText);
  if (reply.kind !== "ok") notes.reason = `${session.address}: ${reply.reason}`;
  // Not kept: when the same request comes again, the server is asked again.
  if (reply.kind === "failed") return getBoundProfilePackageError(UNDEFINED_ERROR);
  if (reply.kind === "error") {
    const response = getBoundProfilePackageError(reply.number);
    updateSession(core, device.eid, advanced(session, { phase: "ended" }, message.raw, response));
    return response;
  }
  const bpp = reply.members.boundProfilePackage as Uint8Array;
  const problem = handling?.verifyMetadata === true && session.metadata ? metadataProblem(bpp, session.metadata) : undefined;
  if (problem !== undefined) {
    const response = getBoundProfilePackageError(METADATA_MISMATCH);
    updateSession(core, device.eid, advanced(session, { phase: "refused" }, message.raw, response));
    notes.reason = `metadataMismatch: ${problem}`;
    return response;
  }
  const response = tlv(TAG, tlv(0xa0, handling?.omitTransactionId === true ? [] : tlv(0x80, reply.members.transactionId as Uint8Array), bpp));
  updateSession(core, device.eid, advanced(session, { phase: "bound" }, message.raw, response));
  notes.reason = `session ${session.transactionId}: a Bound Profile Package of ${bpp.length} octets`;
  return response;
}

/** BF3A with an error. */
export function getBoundProfilePackageError(code: number): Uint8Array {
  return tlv(TAG, tlv(0x81, integer(code)));
}
