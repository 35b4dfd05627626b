/**
 * Common mutual authentication, the server's side (SGP.22 v2.5 3.0.1, 5.6.1, 5.6.3, 5.8; sgp32-procedures 8): InitiateAuthentication, and what
 * AuthenticateClient verifies before it looks for a download order or an Event.
 */
import { equal, toHex, utf8 } from "../core/bytes.js";
import { readInteger, readOne, tlv, type Tlv } from "../codec/tlv.js";
import { sign, verify } from "../pki/keys.js";
import { verifyEuiccChain, type EuiccIdentity } from "./chain.js";
import { compareVersions } from "./coding.js";
import { putSession, randomBytes, type Notes, type RspCore, type TrustChain } from "./core.js";
import { readCtxParams1, readEuiccInfo1, readEuiccInfo2, type CtxParams1, type EuiccInfo1, type EuiccInfo2 } from "./euicc-info.js";
import type { Answer, RequestOf } from "./message.js";
import { BadRequest, decode, FunctionFailure, members, parts, required, tagText, utf8Text } from "./refusal.js";
import type { Session } from "./state.js";

/** InitiateAuthentication: opens a session. Throws FunctionFailure. */
export function initiateAuthentication(core: RspCore, request: RequestOf<"initiateAuthentication">, notes: Notes): Answer {
  const info = readEuiccInfo1(request.euiccInfo1);
  const { address, policy } = core.identity;
  const chain = chooseChain(core, request.smdpAddress, info);
  const { auth, ciPkId } = core.identity.chains[chain] as TrustChain;
  const transactionId = randomBytes(core, policy.transactionIdLength);
  const serverChallenge = randomBytes(core, 16);
  notes.transactionId = toHex(transactionId);
  putSession(core, { transactionId: toHex(transactionId), state: "initiated", startedAt: core.now(), serverChallenge, serverAddress: address, chain });
  const signed1 = tlv(0x30, tlv(0x80, transactionId), tlv(0x81, request.euiccChallenge), tlv(0x83, utf8(address)), tlv(0x84, serverChallenge));
  return {
    transactionId,
    objects: [
      ["serverSigned1", signed1],
      ["serverSignature1", tlv(0x5f37, sign(auth.key, signed1))],
      ["euiccCiPKIdToBeUsed", tlv(0x04, ciPkId)],
      ["serverCertificate", auth.certificate],
    ],
  };
}

/** Index of the chain to use: the first CI that the eUICC signs under, that we trust, and whose certificate of ours it can verify. */
function chooseChain(core: RspCore, asked: string, info: EuiccInfo1): number {
  const { role, address, chains, policy } = core.identity;
  const subject = role === "smdp" ? "8.8" : "8.9";
  const section = role === "smdp" ? "SGP.22 v2.5 5.6.1" : "SGP.22 v2.5 5.8.1";
  const fail = (status: "1/3.8" | "2/3.1" | "3/3.1" | "4/3.7", reason: string): never => {
    throw new FunctionFailure(`${subject}.${status}`, reason, section);
  };
  if (asked.toLowerCase() !== address.toLowerCase()) return fail("1/3.8", `smdpAddress: ${address} expected, got ${asked}`);
  if (info.svn.split(".")[0] !== policy.lowestSvn.split(".")[0] || compareVersions(info.svn, policy.lowestSvn) < 0) {
    return fail("3/3.1", `svn: ${policy.lowestSvn} or a later one of the same major version expected, got ${info.svn}`);
  }
  const within = (ids: readonly Uint8Array[], { ciPkId }: TrustChain): boolean => ids.some((id) => equal(id, ciPkId));
  const text = (ids: readonly Uint8Array[]): string => ids.map(toHex).join(" ") || "none";
  const signing = info.forSigning.map((id) => chains.findIndex(({ ciPkId }) => equal(id, ciPkId))).filter((index) => index >= 0);
  if (signing.length === 0) return fail("2/3.1", `euiccCiPKIdListForSigning: one of ${text(chains.map(({ ciPkId }) => ciPkId))} expected, got ${text(info.forSigning)}`);
  const chosen = signing.find((index) => within(info.forVerification, chains[index] as TrustChain));
  return chosen ?? fail("4/3.7", `euiccCiPKIdListForVerification: one of ${text(signing.map((index) => (chains[index] as TrustChain).ciPkId))} expected, got ${text(info.forVerification)}`);
}

/** The session of a transaction id, in one of `states`. Throws FunctionFailure 8.10.1/3.9. */
export function findSession<S extends Session>(core: RspCore<S>, transactionId: Uint8Array, states: readonly Session["state"][], notes: Notes): S {
  const id = toHex(transactionId);
  notes.transactionId = id;
  const session = core.state.sessions.get(id);
  const fail = (why: string): never => {
    throw new FunctionFailure("8.10.1/3.9", `transactionId ${id}: ${why}`);
  };
  if (session === undefined) return fail("there is no such session");
  if (session.eid !== undefined) notes.eid = session.eid;
  if (core.now() - session.startedAt > core.identity.policy.sessionMs) return fail("the session is over its time");
  if (!states.includes(session.state)) return fail(`a session that is ${states.join(" or ")} expected, it is ${session.state}`);
  return session;
}

/** What an eUICC has proved. */
export interface Authenticated extends EuiccIdentity {
  readonly info: EuiccInfo2;
  readonly context: CtxParams1;
  /** 5F37 TLV of euiccSignature1: a part of what smdpSignature2 signs. */
  readonly signature: Uint8Array;
}

/** Verifies BF38 against its session. Throws FunctionFailure or BadRequest. */
export function authenticateEuicc(core: RspCore, session: Session, bf38: Uint8Array, notes: Notes): Authenticated {
  const chosen = alternative(bf38, 0xbf38, "authenticateServerResponse");
  if (chosen.tag === 0xa1) throw new FunctionFailure("8.1/6.1", `authenticateServerResponse: the eUICC answered error ${errorCode(chosen, "authenticateResponseError")}`);
  const [signed, signature, euiccCertificate, eumCertificate] = parts(chosen.value, "authenticateResponseOk");
  if (signed?.tag !== 0x30 || signature?.tag !== 0x5f37 || euiccCertificate?.tag !== 0x30 || eumCertificate?.tag !== 0x30) {
    throw new BadRequest(`authenticateResponseOk: 30 5F37 30 30 expected, got ${parts(chosen.value, "").map(({ tag }) => tagText(tag)).join(" ")}`, "SGP.22 v2.5 5.7.13");
  }
  const chain = core.identity.chains[session.chain] as TrustChain;
  const euicc = verifyEuiccChain(euiccCertificate.raw, eumCertificate.raw, [chain], core.date());
  notes.eid = euicc.eid;
  if (!verify(euicc.curve, euicc.publicKey, signed.raw, signature.value)) throw new FunctionFailure("8.1/6.1", "euiccSignature1 does not verify over euiccSigned1");
  return { ...euicc, ...readSigned1(session, signed, notes), signature: signature.raw };
}

function readSigned1(session: Session, signed: Tlv, notes: Notes): Pick<Authenticated, "info" | "context"> {
  const found = members(signed.value, "euiccSigned1", [0x80, 0x83, 0x84, 0xbf22, 0xa0], notes.warnings);
  sameTransaction(session, required(found, 0x80, "transactionId").value, "euiccSigned1");
  const address = utf8Text(required(found, 0x83, "serverAddress"), "serverAddress");
  if (address !== session.serverAddress) throw new FunctionFailure("8.1/6.1", `euiccSigned1: serverAddress ${session.serverAddress} expected, got ${address}`);
  const challenge = required(found, 0x84, "serverChallenge", 16).value;
  if (!equal(challenge, session.serverChallenge)) throw new FunctionFailure("8.1/6.1", `euiccSigned1: serverChallenge ${toHex(session.serverChallenge)} expected, got ${toHex(challenge)}`);
  return { info: readEuiccInfo2(required(found, 0xbf22, "euiccInfo2"), notes.warnings), context: readCtxParams1(required(found, 0xa0, "ctxParams1"), notes.warnings) };
}

/** The transaction id inside signed data must be the session's. Throws FunctionFailure 8.10.1/3.9. */
export function sameTransaction(session: Session, inside: Uint8Array, what: string): void {
  if (toHex(inside) !== session.transactionId) throw new FunctionFailure("8.10.1/3.9", `${what}: transactionId ${session.transactionId} expected, got ${toHex(inside)}`);
}

/** The one alternative of a card's answer: A0 ok or A1 error. */
export function alternative(der: Uint8Array, tag: number, what: string): Tlv {
  const outer = decode(what, () => readOne(der, tag, { lenient: true }));
  const [chosen, ...others] = parts(outer.value, what);
  if (chosen === undefined || others.length > 0 || (chosen.tag !== 0xa0 && chosen.tag !== 0xa1)) {
    throw new BadRequest(`${what}: A0 or A1 expected, got ${[chosen, ...others].map((item) => (item ? tagText(item.tag) : "nothing")).join(" ")}`, "SGP.22 v2.5 ASN.1");
  }
  return chosen;
}

/** Code of A1{80 transactionId, 02 code}. */
export function errorCode(a1: Tlv, what: string): number {
  const found = members(a1.value, what, [0x80, 0x02], []);
  return decode(what, () => readInteger(required(found, 0x02, "code").value, { lenient: true }));
}
