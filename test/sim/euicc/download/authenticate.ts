/**
 * ES10b.AuthenticateServer (SGP.22 v2.5 5.7.13): the card verifies the server and proves itself over what the server and the IPA said.
 */
import { concat, equal, toHex } from "../../core/bytes.js";
import { find, must, readAll, tlv, TlvError, type Tlv } from "../../codec/tlv.js";
import { sign, verify } from "../../pki/keys.js";
import { readUtf8 } from "../coding.js";
import { chainFor, refuse, type Context } from "../context.js";
import { getEuiccInfo2 } from "../info.js";
import type { Chain } from "../options.js";
import { CertificateError, verifyServer } from "./certificate.js";
import { endSession, faultCode, FunctionError, functionError } from "./session.js";
import type { ServerContext } from "./state.js";

enum Code {
  NoSessionContext = 4,
  InvalidOid = 5,
  EuiccChallengeMismatch = 6,
  CiPkUnknown = 7,
  UndefinedError = 127,
}

interface Request {
  signed: Tlv;
  signature: Uint8Array;
  ciPkId: Uint8Array;
  certificate: Uint8Array;
  ctxParams1: Tlv;
  transactionId: Uint8Array;
  challenge: Uint8Array;
  address: Uint8Array;
  serverChallenge: Uint8Array;
}

/** BF38. A failure ends the session: its challenge is used up. */
export function authenticateServer(ctx: Context, command: Tlv): Uint8Array {
  const request = read(command);
  try {
    faultCode(ctx, 0xbf38);
    const { chain, server } = check(ctx, request);
    return tlv(0xbf38, answer(ctx, request, chain, server));
  } catch (error) {
    if (!(error instanceof FunctionError)) throw error;
    endSession(ctx);
    return tlv(0xbf38, tlv(0xa1, tlv(0x80, request.transactionId), tlv(0x02, [refuse(ctx, "AuthenticateServer", error.result, error.message)])));
  }
}

/** Throws TlvError. */
function read({ value }: Tlv): Request {
  const [signed, signature, ciPkId, certificate, ctxParams1] = readAll(value);
  const expected = [[signed, 0x30, "serverSigned1"], [signature, 0x5f37, "serverSignature1"], [ciPkId, 0x04, "euiccCiPKIdToBeUsed"], [certificate, 0x30, "serverCertificate"], [ctxParams1, 0xa0, "ctxParams1"]] as const;
  for (const [item, tag, what] of expected) {
    if (item?.tag !== tag) throw new TlvError("tlv", `expected ${what} (tag ${tag.toString(16).toUpperCase()}), got ${item === undefined ? "nothing" : `tag ${item.tag.toString(16).toUpperCase()}`}`);
  }
  const items = readAll((signed as Tlv).value);
  return {
    signed: signed as Tlv,
    signature: (signature as Tlv).value,
    ciPkId: (ciPkId as Tlv).value,
    certificate: (certificate as Tlv).raw,
    ctxParams1: ctxParams1 as Tlv,
    transactionId: sized(must(items, 0x80, "transactionId"), 1),
    challenge: sized(must(items, 0x81, "euiccChallenge"), 16),
    address: must(items, 0x83, "serverAddress").value,
    serverChallenge: sized(must(items, 0x84, "serverChallenge"), 16),
  };
}

function sized({ tag, value }: Tlv, least: number): Uint8Array {
  if (value.length < least || value.length > 16) throw new TlvError("tlv", `${tag.toString(16)} of ${value.length} octets, expected ${least} to 16`);
  return value;
}

/** In the order of SGP.22. Throws FunctionError. */
function check(ctx: Context, request: Request): { chain: Chain; server: Omit<ServerContext, "euiccSignature1"> } {
  const session = ctx.state.volatile.session;
  if (session === null || session.server !== null) throw functionError(Code.NoSessionContext, "no session waits for a server: GetEuiccChallenge comes first");
  const chain = chainFor(ctx, request.ciPkId);
  if (chain === undefined) throw functionError(Code.CiPkUnknown, `the card can not sign under CI ${toHex(request.ciPkId)}`);
  const { certificate, ci, role, oid } = verifyServer(ctx, request.certificate, "dpAuth", "dsAuth");
  if (oid === undefined) throw functionError(Code.InvalidOid, "the server's certificate has no registeredID in subjectAltName");
  if (!verify(certificate.curve, certificate.publicKey, request.signed.raw, request.signature)) {
    throw functionError(CertificateError.InvalidSignature, "serverSignature1 does not verify with the server's certificate");
  }
  if (!equal(session.challenge, request.challenge)) throw functionError(Code.EuiccChallengeMismatch, `the challenge was ${toHex(session.challenge)}, got ${toHex(request.challenge)}`);
  checkCtxParams1(request.ctxParams1);
  const { transactionId, ciPkId } = request;
  const server = { transactionId, address: readUtf8(request.address, "serverAddress"), oid, role: role === "dpAuth" ? ("dp" as const) : ("ds" as const), ciPkId, serverCiPkId: ci.ciPkId };
  return { chain, server };
}

/** matchingId 80 may be there, deviceInfo A1 with TAC and capabilities must. Nothing of it is coded anew. */
function checkCtxParams1({ value }: Tlv): void {
  try {
    const items = readAll(value);
    const deviceInfo = readAll(must(items, 0xa1, "deviceInfo").value);
    const tac = must(deviceInfo, 0x80, "tac").value;
    if (tac.length !== 4) throw new TlvError("tlv", `tac of ${tac.length} octets, expected 4`);
    readAll(must(deviceInfo, 0xa1, "deviceCapabilities").value);
    const imei = find(deviceInfo, 0x82)?.value;
    if (imei !== undefined && imei.length !== 8) throw new TlvError("tlv", `imei of ${imei.length} octets, expected 8`);
  } catch (error) {
    if (!(error instanceof TlvError)) throw error;
    throw functionError(Code.UndefinedError, `ctxParams1: ${error.message}`);
  }
}

function answer(ctx: Context, request: Request, chain: Chain, server: Omit<ServerContext, "euiccSignature1">): Uint8Array {
  const { transactionId, address, serverChallenge, ctxParams1 } = request;
  const signed = tlv(0x30, tlv(0x80, transactionId), tlv(0x83, address), tlv(0x84, serverChallenge), getEuiccInfo2(ctx), ctxParams1.raw);
  const euiccSignature1 = tlv(0x5f37, sign(chain.key, signed));
  const challenge = request.challenge;
  ctx.state.volatile.session = Object.freeze({ challenge, server: Object.freeze({ ...server, euiccSignature1 }), prepared: null });
  return tlv(0xa0, concat(signed, euiccSignature1, chain.euiccCertificate, chain.eumCertificate));
}
