/**
 * ES10b.PrepareDownload (SGP.22 v2.5 5.7.5): the card agrees to the download and gives the one-time key to which the package will be bound.
 */
import { concat, equal, toHex } from "../../core/bytes.js";
import { find, must, readAll, tlv, TlvError, type Tlv } from "../../codec/tlv.js";
import { keyPairFromSeed, sign, verify } from "../../pki/keys.js";
import { refuse, type Context } from "../context.js";
import { CertificateError, verifyServer, type ServerCertificate } from "./certificate.js";
import { faultCode, FunctionError, functionError, random, signer } from "./session.js";
import type { OneTimeKey, ServerContext, Session } from "./state.js";

enum Code {
  NoSessionContext = 4,
  InvalidTransactionId = 5,
  UndefinedError = 127,
}

interface Request {
  signed: Tlv;
  signature: Tlv;
  hashCc: Tlv | undefined;
  certificate: Uint8Array;
  transactionId: Uint8Array;
  ccRequired: boolean;
  bppEuiccOtpk: Uint8Array | undefined;
}

/** BF21. A failure leaves the session to CancelSession. */
export function prepareDownload(ctx: Context, command: Tlv): Uint8Array {
  const request = read(command);
  try {
    faultCode(ctx, 0xbf21);
    const { session, server, pb } = check(ctx, request);
    const key = oneTimeKey(ctx, request.bppEuiccOtpk, pb, server);
    ctx.state.volatile.session = Object.freeze({ ...session, prepared: Object.freeze({ key, dpPbKey: pb.certificate.publicKey }) });
    return tlv(0xbf21, answer(ctx, request, server, key));
  } catch (error) {
    if (!(error instanceof FunctionError)) throw error;
    return tlv(0xbf21, tlv(0xa1, tlv(0x80, request.transactionId), tlv(0x02, [refuse(ctx, "PrepareDownload", error.result, error.message)])));
  }
}

/** hashCc stands between the signature and the certificate. Throws TlvError. */
function read({ value }: Tlv): Request {
  const items = readAll(value);
  const hashCc = items[2]?.tag === 0x04 ? items[2] : undefined;
  const [signed, signature, certificate] = [items[0], items[1], items[hashCc === undefined ? 2 : 3]];
  if (signed?.tag !== 0x30 || signature?.tag !== 0x5f37 || certificate?.tag !== 0x30) {
    throw new TlvError("tlv", `expected smdpSigned2 30, smdpSignature2 5F37, hashCc 04 if any, smdpCertificate 30, got ${items.map(({ tag }) => tag.toString(16).toUpperCase()).join(" ")}`);
  }
  if (hashCc !== undefined && hashCc.value.length !== 32) throw new TlvError("tlv", `hashCc of ${hashCc.value.length} octets, expected 32`);
  const members = readAll(signed.value);
  const ccRequired = must(members, 0x01, "ccRequiredFlag").value;
  if (ccRequired.length !== 1) throw new TlvError("tlv", `ccRequiredFlag ${toHex(ccRequired)} is no BOOLEAN`);
  return {
    signed, signature, hashCc, certificate: certificate.raw,
    transactionId: must(members, 0x80, "transactionId").value,
    ccRequired: ccRequired[0] !== 0,
    bppEuiccOtpk: find(members, 0x5f49)?.value,
  };
}

/** Throws FunctionError. */
function check(ctx: Context, request: Request): { session: Session; server: ServerContext; pb: ServerCertificate } {
  const session = ctx.state.volatile.session;
  const server = session?.server ?? null;
  if (session === null || server === null || session.prepared !== null) throw functionError(Code.NoSessionContext, "no session waits for PrepareDownload");
  if (server.role !== "dp") throw functionError(Code.NoSessionContext, "the session is one with an SM-DS");
  const pb = verifyServer(ctx, request.certificate, "dpPb");
  if (pb.oid !== server.oid || !equal(pb.ci.ciPkId, server.serverCiPkId)) {
    throw functionError(CertificateError.InvalidCertificate, `CERT.DPpb is of SM-DP+ ${pb.oid ?? "(no OID)"}, CERT.DPauth was of ${server.oid}`);
  }
  const signed = concat(request.signed.raw, server.euiccSignature1);
  if (!verify(pb.certificate.curve, pb.certificate.publicKey, signed, request.signature.value)) {
    throw functionError(CertificateError.InvalidSignature, "smdpSignature2 does not verify over smdpSigned2 and euiccSignature1");
  }
  if (!equal(request.transactionId, server.transactionId)) {
    throw functionError(Code.InvalidTransactionId, `the session is ${toHex(server.transactionId)}, got ${toHex(request.transactionId)}`);
  }
  if (request.ccRequired && request.hashCc === undefined) throw functionError(Code.UndefinedError, "a confirmation code is required, and hashCc is missing");
  return { session, server, pb };
}

/** The kept key that bppEuiccOtpk names, or a new one, which is kept until a package comes that is bound to it. */
function oneTimeKey(ctx: Context, wanted: Uint8Array | undefined, pb: ServerCertificate, { oid }: ServerContext): OneTimeKey {
  const { nonvolatile } = ctx.state;
  const curve = pb.certificate.curve;
  const kept = nonvolatile.oneTimeKeys.find((key) => wanted !== undefined && equal(key.publicKey, wanted) && key.smdpOid === oid && key.curve === curve);
  if (kept !== undefined) return kept;
  const key = Object.freeze({ ...keyPairFromSeed(curve, `one-time ${toHex(random(ctx, 16))}`), smdpOid: oid });
  nonvolatile.oneTimeKeys = [...nonvolatile.oneTimeKeys, key].slice(-ctx.config.download.oneTimeKeys);
  return key;
}

function answer(ctx: Context, { transactionId, hashCc, signature }: Request, server: ServerContext, key: OneTimeKey): Uint8Array {
  const signed = tlv(0x30, tlv(0x80, transactionId), tlv(0x5f49, key.publicKey), hashCc?.raw ?? concat());
  return tlv(0xa0, signed, tlv(0x5f37, sign(signer(ctx, server).key, concat(signed, signature.raw))));
}
