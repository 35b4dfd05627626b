/**
 * ESipa.InitiateAuthentication BF39 (SGP.32 v1.2 5.14.1, 3.2.3.2): finds the download that it belongs to, checks it against the download data, asks
 * the SM-DP+ or SM-DS, and answers with what the server said, matchingId and ctxParams1 added where the eIM has them.
 */
import { fromUtf8, toHex } from "../../core/bytes.js";
import type { Steps } from "../../core/maybe.js";
import { find, integer, readAll, readOne, tlv, TlvError, type Tlv } from "../../codec/tlv.js";
import { parseCertificate } from "../../pki/certificate.js";
import type { Core, Notes } from "../core.js";
import { ctxParams1, type DownloadData } from "../download-data.js";
import { callEs9p, type Reply } from "../download-es9p.js";
import { answeredBefore, beginSession, dataOf, openTrigger, type DownloadSession } from "../download-session.js";
import { BadRequest, FunctionError, members, required, UNDEFINED_ERROR, utf8Text, type Members } from "../refusal.js";
import type { DeviceState, PackageRecord } from "../state.js";
import { boundedUtf8 } from "../identifiers.js";

const SECTION = "SGP.32 v1.2 5.14.1";
const TAG = 0xbf39;

type Ok = Extract<Reply, { kind: "ok" }>;

export function* initiateAuthentication(core: Core, message: Tlv, notes: Notes): Steps<Uint8Array> {
  const found = members(message.value, "InitiateAuthenticationRequest", [0x81, 0x83, 0xbf20, 0x82], notes.warnings, true);
  const challenge = required(found, 0x81, "euiccChallenge");
  if (challenge.value.length !== 16) throw new BadRequest(`euiccChallenge: 16 octets expected, got ${challenge.value.length}`, SECTION);
  const { device, record } = openTrigger(core, found.get(0x82)?.value);
  notes.eid = device.eid;
  const before = answeredBefore(device.download, message.raw, notes);
  if (before !== undefined) return before;
  const data = dataOf(record);
  const address = addressOf(found, data);
  warnOfCapabilities(device, record, notes);
  const request = tlv(TAG, challenge.raw, tlv(0x83, boundedUtf8(address, "an address", 1, 255)), info1Of(found, device, notes));
  const reply = yield* callEs9p(core, notes, address, "initiateAuthentication", request);
  if (reply.kind !== "ok") return failed(reply, address, notes);
  const oid = oidOf(reply.members.serverCertificate as Uint8Array);
  const problem = data.held ? serverProblem(reply, address, data, oid) : undefined;
  if (problem !== undefined) {
    notes.reason = `${address}: ${problem.reason}`;
    return initiateAuthenticationError(problem.code);
  }
  const made = record.handling?.ctxParams1 === true ? makeCtxParams1(core, device.eid, data) : undefined;
  const response = compose(reply, record, data, made);
  beginSession(core, device.eid, session(core, record, address, reply, message.raw, response, { ...(oid !== undefined && { oid }), ...(made && { ctxParams1: made }) }));
  notes.reason = `package ${record.id}: session ${toHex(reply.members.transactionId as Uint8Array)} with ${address}`;
  return response;
}

/** BF39 with an error. */
export function initiateAuthenticationError(code: number): Uint8Array {
  return tlv(TAG, tlv(0x81, integer(code)));
}

/** A server that can't be found is an invalid address; any other trouble on the way is undefinedError. */
function failed(reply: Exclude<Reply, Ok>, address: string, notes: Notes): Uint8Array {
  notes.reason = `${address}: ${reply.reason}`;
  if (reply.kind === "error") return initiateAuthenticationError(reply.number);
  return initiateAuthenticationError(reply.failure === "name" ? 1 : UNDEFINED_ERROR);
}

/** The server to go to: the IPA's word where the eIM has none, the eIM's where it holds the download data. */
function addressOf(found: Members, data: DownloadData): string {
  const item = found.get(0x83);
  const given = item && utf8Text(item, "smdpAddress");
  if (data.held && given !== undefined) throw new FunctionError(50, `smdpAddress: none expected, as the eIM holds the download data, got ${given}`, SECTION);
  if (!data.held && given === undefined) throw new FunctionError(UNDEFINED_ERROR, "smdpAddress (83) is missing, and this eIM does not hold the download data", SECTION);
  if (given !== undefined && data.address !== undefined && given.toLowerCase() !== data.address.toLowerCase()) {
    throw new FunctionError(50, `smdpAddress: ${data.address} expected, got ${given}`, SECTION);
  }
  const address = given ?? data.address ?? "";
  if (address === "") throw new FunctionError(1, "smdpAddress is empty", SECTION);
  return address;
}

/** euiccInfo1 as the IPA sent it, else as it told before (minimizeEsipaBytes). */
function info1Of(found: Members, device: DeviceState, notes: Notes): Uint8Array {
  const given = found.get(0xbf20);
  if (given !== undefined) return given.raw;
  const known = device.data.euiccInfo1;
  if (known === undefined) throw new FunctionError(UNDEFINED_ERROR, "euiccInfo1 (BF20) is missing, and not known here", SECTION);
  if (device.data.ipaCapabilities?.features.includes(5) !== true) notes.warnings.push("euiccInfo1 is left out without minimizeEsipaBytes in the IPA's features");
  return known;
}

/** What the eIM does in the IPA's place, the IPA must be able to leave to it. Bits of ipaFeatures. */
function warnOfCapabilities(device: DeviceState, { handling }: PackageRecord, notes: Notes): void {
  const features = device.data.ipaCapabilities?.features;
  if (features === undefined) return;
  const needed: [boolean, number, string][] = [
    [handling?.activationCode !== undefined, 2, "eimDownloadDataHandling"],
    [handling?.ctxParams1 === true, 3, "eimCtxParams1Generation"],
    [handling?.verifyMetadata === true, 4, "eimProfileMetadataVerification"],
  ];
  for (const [used, bit, name] of needed) if (used && !features.includes(bit)) notes.warnings.push(`the IPA did not tell ${name}, and this download uses it`);
}

/** Where the eIM holds the data, the IPA can't compare: the eIM does. */
function serverProblem(reply: Ok, address: string, data: DownloadData, oid: string | undefined): { code: number; reason: string } | undefined {
  const named = serverAddress(reply.members.serverSigned1 as Uint8Array);
  if (named?.toLowerCase() !== address.toLowerCase()) return { code: 50, reason: `serverAddress in serverSigned1: ${address} expected, got ${named ?? "none"}` };
  if (data.oid !== undefined && oid !== data.oid) return { code: 51, reason: `SM-DP+ OID: ${data.oid} expected, got ${oid ?? "none"}` };
  return undefined;
}

function serverAddress(serverSigned1: Uint8Array): string | undefined {
  try {
    const item = find(readAll(readOne(serverSigned1, 0x30, { lenient: true }).value, { lenient: true }), 0x83);
    return item && fromUtf8(item.value);
  } catch (cause) {
    if (!(cause instanceof TlvError) && !(cause instanceof TypeError)) throw cause;
    return undefined;
  }
}

/** The registered id of a certificate; a certificate that can't be read has none. It is the card that judges it. */
function oidOf(certificate: Uint8Array): string | undefined {
  try {
    return parseCertificate(certificate).registeredId;
  } catch {
    return undefined;
  }
}

function makeCtxParams1(core: Core, eid: string, data: DownloadData): Uint8Array {
  const deviceInfo = core.state.devices.get(eid)?.data.deviceInfo;
  if (deviceInfo === undefined) throw new FunctionError(UNDEFINED_ERROR, "ctxParams1 can't be made: deviceInfo (A9) was never told", SECTION);
  return ctxParams1(data.matchingId ?? "", deviceInfo);
}

function compose(reply: Ok, { handling }: PackageRecord, data: DownloadData, made: Uint8Array | undefined): Uint8Array {
  const { transactionId, serverSigned1, serverSignature1, euiccCiPKIdToBeUsed, serverCertificate } = reply.members as Record<string, Uint8Array>;
  const octets = handling?.ciPkIdOctets;
  const ciPkId = octets === undefined ? (euiccCiPKIdToBeUsed as Uint8Array) : tlv(0x04, readOne(euiccCiPKIdToBeUsed as Uint8Array, 0x04, { lenient: true }).value.subarray(0, octets));
  return tlv(
    TAG,
    tlv(
      0xa0,
      handling?.omitTransactionId === true ? [] : tlv(0x80, transactionId as Uint8Array),
      serverSigned1 as Uint8Array,
      serverSignature1 as Uint8Array,
      ciPkId,
      serverCertificate as Uint8Array,
      data.held ? tlv(0x0c, boundedUtf8(data.matchingId ?? "", "a matchingId", 0, 255)) : [],
      made === undefined ? [] : tlv(0xa2, made),
    ),
  );
}

function session(core: Core, record: PackageRecord, address: string, reply: Ok, request: Uint8Array, response: Uint8Array, more: Partial<DownloadSession>): DownloadSession {
  return {
    packageId: record.id,
    address,
    transactionId: toHex(reply.members.transactionId as Uint8Array),
    transactionText: reply.transactionText ?? "",
    phase: "initiated",
    time: core.now(),
    serverSigned1: reply.members.serverSigned1 as Uint8Array,
    ...more,
    answers: [{ request, response }],
  };
}
