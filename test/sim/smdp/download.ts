/**
 * The download functions of an SM-DP+ behind any binding: AuthenticateClient, GetBoundProfilePackage, CancelSession
 * (SGP.22 v2.5 5.6.2, 5.6.3, 5.6.5; sgp32-procedures 8, 9, 12, 15).
 */
import { createHash } from "node:crypto";
import { concat, equal, fromHex, toHex } from "../core/bytes.js";
import { readInteger, readOne, tlv } from "../codec/tlv.js";
import { bindProfile, joinBpp } from "../bsp/index.js";
import { keyObject, keyPair, sign, verify } from "../pki/keys.js";
import type { Identity } from "../pki/pki.js";
import {
  alternative, authenticateEuicc, BadRequest, decode, errorCode, findSession, FunctionFailure, members, oneTimeKey, parts, putSession, required, sameTransaction,
  type Answer, type Notes, type RequestOf, type TrustChain,
} from "../rsp/index.js";
import { oidText } from "../rsp/coding.js";
import { claimOrder, orderOf, refuseExpired, updateOrder, type SmdpCore } from "./orders.js";
import type { Bound, DownloadSession, Order } from "./state.js";

/** Names of CancelSessionReason. */
export const CANCEL_REASON: Readonly<Record<number, string>> = {
  0: "endUserRejection", 1: "postponed", 2: "timeout", 3: "pprNotAllowed", 4: "metadataMismatch", 5: "loadBppExecutionError", 127: "undefinedReason",
};

/** AuthenticateClient: the eUICC is verified, its order found. Throws FunctionFailure or BadRequest. */
export function authenticateClient(core: SmdpCore, request: RequestOf<"authenticateClient">, notes: Notes): Answer {
  const session = findSession(core, request.transactionId, ["initiated"], notes);
  return ending(core, session, () => {
    const euicc = authenticateEuicc(core, session, request.authenticateServerResponse, notes);
    const order = claimOrder(core, euicc);
    const pb = profileBinding(core, session);
    const otpk = order.bound && tlv(0x5f49, order.bound.euiccOtpk);
    const signed2 = tlv(0x30, tlv(0x80, request.transactionId), tlv(0x01, [order.confirmationCode === undefined ? 0 : 0xff]), ...(otpk ? [otpk] : []));
    const signature2 = tlv(0x5f37, sign(pb.key, concat(signed2, euicc.signature)));
    putSession(core, { ...session, state: "authenticated", eid: euicc.eid, curve: euicc.curve, publicKey: euicc.publicKey, order: order.id, smdpSignature2: signature2 });
    return {
      transactionId: request.transactionId,
      objects: [["profileMetadata", order.metadata], ["smdpSigned2", signed2], ["smdpSignature2", signature2], ["smdpCertificate", pb.certificate]],
    };
  });
}

/** GetBoundProfilePackage: the profile bound to the eUICC's one-time key. The same request again gets the same BPP. Throws FunctionFailure or BadRequest. */
export function getBoundProfilePackage(core: SmdpCore, request: RequestOf<"getBoundProfilePackage">, notes: Notes): Answer {
  const session = findSession(core, request.transactionId, ["authenticated", "bppSent"], notes);
  if (session.state === "bppSent" && !equal(session.answered ?? new Uint8Array(0), request.prepareDownloadResponse)) {
    throw new FunctionFailure("8.10.1/3.9", "the BPP of this session is given already, and the request is not the one that it was given for");
  }
  return ending(core, session, () => {
    const order = orderOf(core, session.order as number);
    const prepared = readPrepareDownloadResponse(session, request.prepareDownloadResponse, notes);
    if (session.state === "authenticated") {
      refuseExpired(core, order);
      checkConfirmationCode(core, session, order, prepared.hashCc, notes);
    }
    const bound = bind(core, session, order, prepared.otpk);
    const given = updateOrder(core, orderOf(core, order.id), { state: "downloaded", bound, transactions: [...new Set([...order.transactions, session.transactionId])] });
    putSession(core, { ...session, state: "bppSent", answered: request.prepareDownloadResponse });
    return { transactionId: request.transactionId, objects: [["boundProfilePackage", boundProfilePackage(core, session, given, bound)]] };
  });
}

/** CancelSession: ends a session; what becomes of the order depends on the reason. Throws FunctionFailure or BadRequest. */
export function cancelSession(core: SmdpCore, request: RequestOf<"cancelSession">, notes: Notes): Answer {
  const session = findSession(core, request.transactionId, ["authenticated", "bppSent"], notes);
  const outer = decode("cancelSessionResponse", () => readOne(request.cancelSessionResponse, 0xbf41, { lenient: true }));
  const [chosen] = parts(outer.value, "cancelSessionResponse");
  if (chosen?.tag === 0x81) throw new FunctionFailure("8.10.1/3.9", `the eUICC refused to sign: error ${toHex(chosen.value)}`, "SGP.22 v2.5 5.6.5");
  const [signed, signature] = parts(alternative(request.cancelSessionResponse, 0xbf41, "cancelSessionResponse").value, "cancelSessionResponseOk");
  if (signed?.tag !== 0x30 || signature?.tag !== 0x5f37) throw new BadRequest("cancelSessionResponseOk: 30 5F37 expected", "SGP.22 v2.5 5.7.14");
  requireSignature(session, signed.raw, signature.value, "euiccCancelSessionSignature");
  const found = members(signed.value, "euiccCancelSessionSigned", [0x80, 0x81, 0x82], notes.warnings);
  sameTransaction(session, required(found, 0x80, "transactionId").value, "euiccCancelSessionSigned");
  const { oid } = core.identity.chains[session.chain] as TrustChain;
  const named = oidText(required(found, 0x81, "smdpOid").value);
  if (named !== oid) throw new FunctionFailure("8.8/3.10", `smdpOid: ${oid} expected, got ${named}`, "SGP.22 v2.5 5.6.5");
  const code = decode("reason", () => readInteger(required(found, 0x82, "reason").value, { lenient: true }));
  const name = CANCEL_REASON[code];
  if (name === undefined) throw new BadRequest(`reason: one of ${Object.keys(CANCEL_REASON).join(", ")} expected, got ${code}`, "SGP.22 v2.5 5.7.14");
  closeOrder(core, orderOf(core, session.order as number), name);
  putSession(core, { ...session, state: "ended" });
  return { objects: [] };
}

/** Postponed and timeout keep the order; the user's refusal cancels it; anything else is an error. */
function closeOrder(core: SmdpCore, order: Order, reason: string): void {
  const text = `cancelSession ${reason}`;
  if (order.state === "installed") return;
  if (reason === "postponed" || reason === "timeout") updateOrder(core, order, { state: "released", reason: text });
  else updateOrder(core, order, { state: reason === "endUserRejection" ? "cancelled" : "error", reason: text });
}

/** Runs a step of a session that ends with any failure of it. */
function ending<T>(core: SmdpCore, session: DownloadSession, step: () => T): T {
  try {
    return step();
  } catch (cause) {
    if (cause instanceof FunctionFailure) putSession(core, { ...session, state: "ended" });
    throw cause;
  }
}

function readPrepareDownloadResponse(session: DownloadSession, bf21: Uint8Array, notes: Notes): { otpk: Uint8Array; hashCc?: Uint8Array } {
  const chosen = alternative(bf21, 0xbf21, "prepareDownloadResponse");
  if (chosen.tag === 0xa1) throw new FunctionFailure("8.1/6.1", `prepareDownloadResponse: the eUICC answered error ${errorCode(chosen, "downloadResponseError")}`);
  const [signed, signature] = parts(chosen.value, "downloadResponseOk");
  if (signed?.tag !== 0x30 || signature?.tag !== 0x5f37) throw new BadRequest("downloadResponseOk: 30 5F37 expected", "SGP.22 v2.5 5.7.5");
  requireSignature(session, concat(signed.raw, session.smdpSignature2 as Uint8Array), signature.value, "euiccSignature2");
  const found = members(signed.value, "euiccSigned2", [0x80, 0x5f49, 0x04], notes.warnings);
  sameTransaction(session, required(found, 0x80, "transactionId").value, "euiccSigned2");
  const hashCc = found.get(0x04);
  if (hashCc !== undefined) required(found, 0x04, "hashCc", 32);
  const otpk = required(found, 0x5f49, "euiccOtpk", 65).value;
  if (keyObject(session.curve as Bound["curve"], otpk) === undefined) throw new FunctionFailure("8.1/6.1", `euiccOtpk: a point of ${session.curve} expected, got ${toHex(otpk.subarray(0, 8))}…`);
  return { otpk, ...(hashCc && { hashCc: hashCc.value }) };
}

function checkConfirmationCode(core: SmdpCore, session: DownloadSession, order: Order, hashCc: Uint8Array | undefined, notes: Notes): void {
  if (order.confirmationCode === undefined) {
    if (hashCc !== undefined) notes.warnings.push("hashCc is there, and no confirmation code is required");
    return;
  }
  if (hashCc === undefined) throw new FunctionFailure("8.2.7/2.2", "hashCc expected, none came");
  if (equal(hashCc, hashOfCode(order.confirmationCode, fromHex(session.transactionId)))) return;
  const codeFailures = order.codeFailures + 1;
  if (codeFailures <= order.maxCodeRetries) {
    updateOrder(core, order, { codeFailures });
    throw new FunctionFailure("8.2.7/3.8", `wrong confirmation code, ${order.maxCodeRetries - codeFailures + 1} tries are left`);
  }
  updateOrder(core, order, { codeFailures, state: "error", reason: "confirmation code retries exceeded" });
  throw new FunctionFailure("8.2.7/6.4", `wrong confirmation code for the ${codeFailures}. time, ${order.maxCodeRetries} retries allowed`);
}

/** hashCc of a confirmation code in a session: SHA-256(SHA-256(code) || transactionId). */
export function hashOfCode(code: string, transactionId: Uint8Array): Uint8Array {
  const inner = createHash("sha256").update(code, "utf8").digest();
  return new Uint8Array(createHash("sha256").update(inner).update(transactionId).digest());
}

/** One-time keys: those of an earlier attempt when the eUICC still has its own, else new ones. Throws FunctionFailure 8.2/3.7, 8.1/6.1. */
function bind(core: SmdpCore, session: DownloadSession, order: Order, euiccOtpk: Uint8Array): Bound {
  const { bound } = order;
  if (bound !== undefined && equal(bound.euiccOtpk, euiccOtpk)) return bound;
  if (bound !== undefined && !order.rebinding) throw new FunctionFailure("8.2/3.7", `order ${order.id} is bound to another one-time key of the eUICC, and may not be bound again`);
  const curve = profileBinding(core, session).key.curve;
  return { eid: session.eid as string, curve: session.curve as Bound["curve"], publicKey: session.publicKey as Uint8Array, euiccOtpk, smdpOtsk: oneTimeKey(core, curve).privateKey };
}

/** BF36. The blocks are the same in every attempt with the same one-time keys; only BF23 is signed for the session. */
function boundProfilePackage(core: SmdpCore, session: DownloadSession, order: Order, bound: Bound): Uint8Array {
  const { key: signer } = profileBinding(core, session);
  const { metadata = order.metadata, ...bpp } = order.bpp;
  return joinBpp(bindProfile({
    eid: bound.eid, transactionId: fromHex(session.transactionId), smdpOt: keyPair(signer.curve, bound.smdpOtsk), euiccOtpk: bound.euiccOtpk,
    signer, metadata, profile: order.profile, ...(order.ppk && { ppk: order.ppk }), ...bpp,
  }));
}

function profileBinding(core: SmdpCore, session: DownloadSession): Identity {
  return (core.identity.chains[session.chain] as TrustChain).pb as Identity;
}

function requireSignature(session: DownloadSession, signed: Uint8Array, signature: Uint8Array, what: string): void {
  const { curve, publicKey } = session;
  if (curve === undefined || publicKey === undefined || !verify(curve, publicKey, signed, signature)) throw new FunctionFailure("8.1/6.1", `${what} does not verify`);
}

