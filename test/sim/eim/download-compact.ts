/**
 * Compact forms of the card's answers (SGP.32 v1.2, minimizeEsipaBytes; types 5, procedures 23): what the IPA left out is put back from what the eIM
 * knows of the session and the device, and the card's signature proves that the result is the object that it signed. Full forms pass as they are.
 */
import { concat, equal, fromHex, utf8 } from "../core/bytes.js";
import { find, integer, readAll, readOne, tlv, type Tlv } from "../codec/tlv.js";
import { parseCertificate } from "../pki/certificate.js";
import { verify } from "../pki/keys.js";
import type { DownloadSession } from "./download-session.js";
import { oidBytes } from "./identifiers.js";
import { CANCEL_SESSION_REASON } from "./names.js";
import { FunctionError, members, parts, required, UNDEFINED_ERROR } from "./refusal.js";
import type { DeviceState } from "./state.js";

const SECTION = "SGP.32 v1.2 compact forms";
const LENIENT = { lenient: true } as const;

/** simaResponse that is left out, and the ISD-P AID around the two octets that are sent. */
const SIMA_OK = fromHex("3007A0053003800100");
const ISDP_AID = fromHex("A0000005591010FFFFFFFF8900000000");

/** BF38 in full: compactAuthenticateResponseOk (A2) becomes authenticateResponseOk (A0). */
export function expandAuthenticateServerResponse(device: DeviceState, session: DownloadSession, bf38: Tlv): Tlv {
  const a2 = compact(bf38);
  if (a2 === undefined) return bf38;
  const found = members(a2.value, "compactAuthenticateResponseOk", [[0x30, 0xa0], 0x5f37, 0xa1, 0xa2], [], true);
  const signature = required(found, 0x5f37, "euiccSignature1");
  const euicc = certificate(found.get(0xa1)) ?? device.euiccCertificate;
  const eum = certificate(found.get(0xa2)) ?? device.eumCertificate;
  if (euicc === undefined || eum === undefined) throw lost("the certificates that it leaves out are not known here");
  const signed = found.get(0x30)?.raw ?? euiccSigned1(device, session, required(found, 0xa0, "compactEuiccSigned1"));
  prove(keyOf(device, euicc), signed, signature, "euiccSigned1", 5);
  return readOne(tlv(0xbf38, tlv(0xa0, signed, signature.raw, euicc, eum)));
}

/** BF21 in full. */
export function expandPrepareDownloadResponse(device: DeviceState, session: DownloadSession, bf21: Tlv): Tlv {
  const a2 = compact(bf21);
  if (a2 === undefined) return bf21;
  const { data, signature } = dataAndSignature(a2, [0x5f49, 0x04]);
  const otpk = data.get(0x5f49)?.raw ?? find(inside(session.smdpSigned2), 0x5f49)?.raw;
  if (otpk === undefined) throw lost("euiccOtpk is left out, and smdpSigned2 has none to use again");
  const hashCc = data.get(0x04)?.raw ?? (session.hashCc && tlv(0x04, session.hashCc)) ?? [];
  const signed = tlv(0x30, tlv(0x80, fromHex(session.transactionId)), otpk, hashCc);
  prove(keyOf(device), concat(signed, session.smdpSignature2 ?? new Uint8Array(0)), signature, "euiccSigned2", 1);
  return readOne(tlv(0xbf21, tlv(0xa0, signed, signature.raw)));
}

/** CancelSessionResponse in full, under its A1. */
export function expandCancelSessionResponse(device: DeviceState, session: DownloadSession, a1: Tlv): Tlv {
  const a2 = compact(a1);
  if (a2 === undefined) return a1;
  const { data, signature } = dataAndSignature(a2, [0x80]);
  if (session.oid === undefined) throw lost("smdpOid is not in the server's certificate");
  const head = [tlv(0x80, fromHex(session.transactionId)), tlv(0x81, oidBytes(session.oid))];
  // A reason that is left out is found by the signature.
  const given = data.get(0x80);
  const reasons = given ? [given.value] : Object.keys(CANCEL_SESSION_REASON).map((reason) => integer(Number(reason)));
  const key = keyOf(device);
  const signed = reasons.map((reason) => tlv(0x30, ...head, tlv(0x82, reason))).find((one) => verify(key.curve, key.publicKey, one, signature.value));
  if (signed === undefined) throw new FunctionError(2, "the compact CancelSessionResponse can't be rebuilt: the signature verifies no euiccCancelSessionSigned", SECTION);
  return readOne(tlv(0xa1, tlv(0xa0, signed, signature.raw)));
}

/** compactProfileInstallationResult A0 as BF37; undefined when no session of `devices` has its transactionId. */
export function expandInstallationResult(devices: Iterable<DeviceState>, a0: Tlv): Tlv | undefined {
  const found = members(a0.value, "CompactProfileInstallationResult", [0xa0, 0x5f37], [], true);
  const data = members(required(found, 0xa0, "compactProfileInstallationResultData").value, "compactProfileInstallationResultData", [0x80, 0x02, 0x01, 0xa2], [], true);
  const signature = required(found, 0x5f37, "euiccSignPIR");
  const id = required(data, 0x80, "transactionId");
  const device = [...devices].find((one) => one.download !== undefined && equal(fromHex(one.download.transactionId), id.value));
  if (device?.download === undefined) return undefined;
  const { address, oid, metadata } = device.download;
  if (oid === undefined || metadata === undefined) throw lost("smdpOid and metadata of its session are not known here");
  const iccid = data.get(0x01)?.value[0] === 0 ? [] : required(new Map(inside(metadata).map((item) => [item.tag, item])), 0x5a, "iccid").raw;
  const notification = tlv(0xbf2f, tlv(0x80, required(data, 0x02, "seqNumber").value), tlv(0x81, [0x07, 0x80]), tlv(0x0c, utf8(address)), iccid);
  const signed = tlv(0xbf27, id.raw, notification, tlv(0x06, oidBytes(oid)), finalResult(required(data, 0xa2, "compactFinalResult")));
  prove(keyOf(device), signed, signature, "profileInstallationResultData", UNDEFINED_ERROR);
  return readOne(tlv(0xbf37, signed, signature.raw));
}

function finalResult(a2: Tlv): Uint8Array {
  const [chosen] = parts(a2.value, "compactFinalResult", true);
  if (chosen?.tag !== 0xa0) return a2.raw;
  const found = members(chosen.value, "compactSuccessResult", [0x4f, 0x04], [], true);
  const aid = Uint8Array.from(ISDP_AID);
  aid.set(required(found, 0x4f, "compactAid").value.subarray(0, 2), 13);
  return tlv(0xa2, tlv(0xa0, tlv(0x4f, aid), found.get(0x04)?.raw ?? tlv(0x04, SIMA_OK)));
}

/** euiccSigned1: addresses and challenge from the server's own words, euiccInfo2 as known but for extCardResource, ctxParams1 as given or made here. */
function euiccSigned1(device: DeviceState, session: DownloadSession, a0: Tlv): Uint8Array {
  const found = members(a0.value, "compactEuiccSigned1", [0x84, 0xa2], [], true);
  const resource = required(found, 0x84, "extCardResource");
  const server = new Map(inside(session.serverSigned1).map((item) => [item.tag, item]));
  const known = device.data.euiccInfo2;
  if (known === undefined) throw lost("euiccInfo2 was never told");
  const info2 = tlv(0xbf22, ...inside(known).map((item) => (item.tag === 0x84 ? resource.raw : item.raw)));
  const ctxParams1 = found.get(0xa2)?.value ?? session.ctxParams1;
  if (ctxParams1 === undefined) throw lost("ctxParams1 is left out, and this eIM has made none");
  const [id, address, challenge] = [0x80, 0x83, 0x84].map((tag) => required(server, tag, "serverSigned1's member").raw) as [Uint8Array, Uint8Array, Uint8Array];
  return tlv(0x30, id, address, challenge, info2, ctxParams1);
}

/** The compact alternative A2 of a CHOICE, if that was chosen. */
function compact(choice: Tlv): Tlv | undefined {
  const [chosen] = parts(choice.value, "CHOICE", true);
  return chosen?.tag === 0xa2 ? chosen : undefined;
}

function dataAndSignature(a2: Tlv, order: readonly number[]): { data: ReturnType<typeof members>; signature: Tlv } {
  const found = members(a2.value, "compact form", [0x30, 0x5f37], [], true);
  return { data: members(required(found, 0x30, "signed data").value, "compact form", order, [], true), signature: required(found, 0x5f37, "signature") };
}

/** Certificate content under a context tag, put back under its 30. */
function certificate(item: Tlv | undefined): Uint8Array | undefined {
  return item && tlv(0x30, item.value);
}

function inside(object: Uint8Array | undefined): Tlv[] {
  return object === undefined ? [] : readAll(readOne(object, undefined, LENIENT).value, LENIENT);
}

type Key = Pick<ReturnType<typeof parseCertificate>, "curve" | "publicKey">;

function keyOf(device: DeviceState, certificate = device.euiccCertificate): Key {
  if (device.publicKey !== undefined) return { curve: device.curve, publicKey: device.publicKey };
  if (certificate === undefined) throw lost("the eUICC's certificate is not known here");
  return parseCertificate(certificate);
}

function prove(key: Key, signed: Uint8Array, signature: Tlv, what: string, code: number): void {
  if (!verify(key.curve, key.publicKey, signed, signature.value)) throw new FunctionError(code, `the compact form can't be rebuilt: its signature does not verify over the ${what} put together here`, SECTION);
}

function lost(reason: string): FunctionError {
  return new FunctionError(UNDEFINED_ERROR, `the compact form can't be rebuilt: ${reason}`, SECTION);
}
