/**
 * An independent reading of a profile download's messages, field by field (SGP.32 v1.2 and SGP.22 v2.5 ASN.1; types 3, 4.8, 7, 8, 9, 10): schemas for asn1js
 * with a name for each field, written from the type tables and sharing nothing with the codecs of the simulated peers. Left out: compact forms, errors.
 */
import * as asn1js from "asn1js";
import { SimError } from "../core/errors.js";

type Schema = asn1js.AsnType | asn1js.Any | asn1js.Repeated;

/** A field as it was found: the whole data object, and its content. */
export interface Field {
  readonly raw: Uint8Array;
  readonly content: Uint8Array;
}
export type Fields = Readonly<Record<string, Field>>;

const [APPLICATION, CONTEXT] = [2, 3];
const [IDENTITY, AID, SIGNATURE, ONE_TIME_KEY] = [26, 15, 55, 73];

const primitive = (tagClass: number, tagNumber: number, name: string, optional = false): Schema => new asn1js.Primitive({ name, optional, idBlock: { tagClass, tagNumber } });
const tagged = (tagNumber: number, name: string, value: Schema[] = [], optional = false): Schema =>
  new asn1js.Constructed({ name, optional, idBlock: { tagClass: CONTEXT, tagNumber }, value: value as asn1js.AsnType[] });
const field = (n: number, name: string, optional = false): Schema => primitive(CONTEXT, n, name, optional);
const application = (n: number, name: string, optional = false): Schema => primitive(APPLICATION, n, name, optional);
const sequence = (name: string, value: Schema[] = [], optional = false): Schema => new asn1js.Sequence({ name, optional, value: value as asn1js.AsnType[] });
const octets = (name: string, optional = false): Schema => new asn1js.OctetString({ name, optional });
const text = (name: string): Schema => new asn1js.Utf8String({ name });
const oid = (name: string): Schema => new asn1js.ObjectIdentifier({ name });

/** 30: tbsCertificate, algorithm, signature. */
const certificate = (name: string): Schema => sequence(name, [sequence(`${name}.tbs`), sequence(`${name}.algorithm`), new asn1js.BitString({ name: `${name}.signature` })]);

// ES10b and the objects of the common mutual authentication (types 8).
const euiccInfo1 = (): Schema => tagged(32, "euiccInfo1", [field(2, "svn"), tagged(9, "forVerification"), tagged(10, "forSigning")]);
const serverSigned1 = (): Schema => sequence("serverSigned1", [field(0, "signed.transactionId"), field(1, "signed.euiccChallenge"), field(3, "signed.serverAddress"), field(4, "signed.serverChallenge")]);
const deviceInfo = (): Schema => tagged(1, "deviceInfo", [field(0, "tac"), tagged(1, "deviceCapabilities"), field(2, "imei", true)]);
const ctxParams1 = (): Schema => tagged(0, "ctxParams1", [field(0, "matchingId", true), deviceInfo()]);
const euiccSigned1 = (): Schema =>
  sequence("euiccSigned1", [field(0, "signed.transactionId"), field(3, "signed.serverAddress"), field(4, "signed.serverChallenge"), tagged(34, "euiccInfo2"), ctxParams1()]);
const smdpSigned2 = (): Schema => sequence("smdpSigned2", [field(0, "signed.transactionId"), new asn1js.Boolean({ name: "ccRequiredFlag" }), application(ONE_TIME_KEY, "bppEuiccOtpk", true)]);
const euiccSigned2 = (): Schema => sequence("euiccSigned2", [field(0, "signed.transactionId"), application(ONE_TIME_KEY, "euiccOtpk"), octets("hashCc", true)]);

export const euiccChallenge = (): Schema => tagged(46, "answer", [field(0, "euiccChallenge")]);
export const authenticateServerRequest = (): Schema =>
  tagged(56, "command", [serverSigned1(), application(SIGNATURE, "serverSignature1"), octets("euiccCiPKIdToBeUsed"), certificate("serverCertificate"), ctxParams1()]);
export const authenticateServerResponse = (): Schema =>
  tagged(56, "authenticateServerResponse", [tagged(0, "ok", [euiccSigned1(), application(SIGNATURE, "euiccSignature1"), certificate("euiccCertificate"), certificate("eumCertificate")])]);
export const prepareDownloadRequest = (): Schema =>
  tagged(33, "command", [smdpSigned2(), application(SIGNATURE, "smdpSignature2"), octets("hashCc", true), certificate("smdpCertificate")]);
export const prepareDownloadResponse = (): Schema => tagged(33, "prepareDownloadResponse", [tagged(0, "ok", [euiccSigned2(), application(SIGNATURE, "euiccSignature2")])]);
export const cancelSessionCommand = (): Schema => tagged(65, "command", [field(0, "transactionId"), field(1, "reason")]);

const cancelSessionSigned = (): Schema[] => [tagged(0, "ok", [sequence("cancelSessionSigned", [field(0, "signed.transactionId"), field(1, "smdpOid"), field(2, "reason")]), application(SIGNATURE, "signature")])];
/** As the eUICC gives it, and as ES9+ JSON carries it; ESipa puts A1 in the place of BF41. */
export const cancelSessionAnswer = (): Schema => tagged(65, "cancelSessionResponse", cancelSessionSigned());

// The Bound Profile Package (types 9) and its result (types 10).
export const initialiseSecureChannel = (): Schema =>
  tagged(35, "initialiseSecureChannel", [
    field(2, "remoteOpId"), field(0, "bpp.transactionId"), tagged(6, "controlRefTemplate", [field(0, "keyType"), field(1, "keyLen"), field(4, "hostId")]),
    application(ONE_TIME_KEY, "smdpOtpk"), application(SIGNATURE, "smdpSign"),
  ]);
const bppMembers = (): Schema[] => [initialiseSecureChannel(), tagged(0, "firstSequenceOf87"), tagged(1, "sequenceOf88"), tagged(2, "secondSequenceOf87", [], true), tagged(3, "sequenceOf86")];
export const boundProfilePackage = (): Schema => tagged(54, "boundProfilePackage", bppMembers());

const notificationMetadata = (): Schema =>
  tagged(47, "notificationMetadata", [field(0, "seqNumber"), field(1, "profileManagementOperation"), text("notificationAddress"), application(IDENTITY, "iccid", true)]);
export const installationResult = (): Schema =>
  tagged(55, "profileInstallationResult", [
    tagged(39, "data", [field(0, "transactionId"), notificationMetadata(), oid("smdpOid"), tagged(2, "finalResult", [tagged(0, "success", [application(AID, "aid"), octets("simaResponse")])])]),
    application(SIGNATURE, "euiccSignPIR"),
  ]);

// ESipa (types 3, 4.8, 4.9).
export const FROM_IPA: Readonly<Record<string, () => Schema>> = {
  GetEimPackage: () => tagged(79, "request", [application(IDENTITY, "eidValue"), field(2, "rPLMN", true)]),
  InitiateAuthentication: () => tagged(57, "request", [field(1, "euiccChallenge"), field(3, "smdpAddress", true), euiccInfo1(), field(2, "eimTransactionId", true)]),
  AuthenticateClient: () => tagged(59, "request", [field(0, "transactionId"), authenticateServerResponse()]),
  GetBoundProfilePackage: () => tagged(58, "request", [field(0, "transactionId"), prepareDownloadResponse()]),
  CancelSession: () => tagged(65, "request", [field(0, "transactionId"), tagged(1, "cancelSessionResponse", cancelSessionSigned())]),
  HandleNotification: () =>
    tagged(61, "request", [tagged(80, "provideEimPackageResult", [application(IDENTITY, "eidValue"), tagged(84, "profileDownloadTriggerResult", [field(2, "eimTransactionId"), installationResult()])])]),
  HandleFailure: () =>
    tagged(61, "request", [tagged(80, "provideEimPackageResult", [application(IDENTITY, "eidValue"), tagged(84, "profileDownloadTriggerResult", [field(2, "eimTransactionId"), sequence("error", [field(0, "reason"), octets("errorResponse", true)])])])]),
};

export const FROM_EIM: Readonly<Record<string, () => Schema>> = {
  GetEimPackage: () => tagged(79, "response", [tagged(84, "trigger", [tagged(0, "profileDownloadData", [field(0, "activationCode")]), field(2, "eimTransactionId")])]),
  InitiateAuthentication: () =>
    tagged(57, "response", [tagged(0, "ok", [field(0, "transactionId"), serverSigned1(), application(SIGNATURE, "serverSignature1"), octets("euiccCiPKIdToBeUsed"), certificate("serverCertificate")])]),
  AuthenticateClient: () =>
    tagged(59, "response", [tagged(0, "ok", [field(0, "transactionId"), tagged(37, "profileMetadata", [], true), smdpSigned2(), application(SIGNATURE, "smdpSignature2"), certificate("smdpCertificate"), octets("hashCc", true)])]),
  GetBoundProfilePackage: () => tagged(58, "response", [tagged(0, "ok", [field(0, "transactionId"), boundProfilePackage()])]),
};

// Members of ES9+ JSON that are data objects (SGP.22 v2.5 6.5.2), by function; "" is base64 of octets, "text" no base64 at all.
const OBJECTS: Readonly<Record<string, (() => Schema) | "" | "text">> = {
  smdpAddress: "text", transactionId: "text", euiccChallenge: "", euiccInfo1, serverSigned1, serverSignature1: () => application(SIGNATURE, "serverSignature1"),
  euiccCiPKIdToBeUsed: () => octets("euiccCiPKIdToBeUsed"), serverCertificate: () => certificate("serverCertificate"), authenticateServerResponse,
  profileMetadata: () => tagged(37, "profileMetadata"), smdpSigned2, smdpSignature2: () => application(SIGNATURE, "smdpSignature2"), smdpCertificate: () => certificate("smdpCertificate"),
  prepareDownloadResponse, boundProfilePackage, pendingNotification: installationResult, cancelSessionResponse: cancelSessionAnswer,
};

/** Names and order of the members of each ES9+ request (SGP.22 v2.5 6.5.2). */
const REQUESTS: Readonly<Record<string, readonly string[]>> = {
  initiateAuthentication: ["euiccChallenge", "euiccInfo1", "smdpAddress"],
  authenticateClient: ["authenticateServerResponse", "transactionId"],
  getBoundProfilePackage: ["prepareDownloadResponse", "transactionId"],
  handleNotification: ["pendingNotification"],
  cancelSession: ["cancelSessionResponse", "transactionId"],
};

/** Reads `bytes`, the whole of it, as one data object of that schema. Throws SimError "reading". */
export function fieldsOf(bytes: Uint8Array, schema: Schema): Fields {
  const buffer = Uint8Array.from(bytes).buffer;
  const { offset, result } = asn1js.fromBER(buffer);
  const refuse = (why: string): never => {
    throw new SimError("reading", why);
  };
  if (offset === -1) return refuse(`not BER: ${result.error}`);
  if (offset !== bytes.length) return refuse(`${bytes.length - offset} octets follow`);
  nested(bytes, 0, bytes.length);
  const compared = asn1js.compareSchema(result, result, schema as asn1js.AsnType);
  if (!compared.verified) return refuse(`does not fit the schema ${compared.result.error ?? ""}`);
  const found = Object.entries(compared.result as unknown as Record<string, unknown>).filter((entry): entry is [string, asn1js.BaseBlock] => entry[1] instanceof asn1js.BaseBlock);
  return Object.fromEntries(found.map(([name, block]) => [name, fieldOf(block)]));
}

/** asn1js lets members reach beyond their parent: lengths must nest exactly, in their shortest form. */
function nested(bytes: Uint8Array, from: number, to: number): void {
  for (let at = from; at < to; ) {
    const isConstructed = ((bytes[at] as number) & 0x20) !== 0;
    if (((bytes[at++] as number) & 0x1f) === 0x1f) while (((bytes[at++] ?? 0) & 0x80) !== 0);
    const first = bytes[at++] ?? 0x80;
    const octetsOfLength = first < 0x80 ? 0 : first & 0x7f;
    const length = first < 0x80 ? first : bytes.subarray(at, at + octetsOfLength).reduce((sum, octet) => sum * 256 + octet, 0);
    at += octetsOfLength;
    const shortest = length < 0x80 ? 0 : length < 0x100 ? 1 : length < 0x1_0000 ? 2 : 3;
    if (at + length > to || octetsOfLength !== shortest) throw new SimError("reading", `length ${length} in ${octetsOfLength} octets at offset ${at}, ${to - at} are left`);
    if (isConstructed) nested(bytes, at, at + length);
    at += length;
  }
}

function fieldOf(block: asn1js.BaseBlock): Field {
  const raw = Uint8Array.from(block.valueBeforeDecodeView);
  return { raw, content: raw.slice(block.idBlock.blockLength + block.lenBlock.blockLength) };
}

/** Reads an ES9+ request in JSON. Throws SimError "reading" for members that don't belong there and base64 that is not canonical. */
export function requestFields(name: string, body: Uint8Array): Fields {
  const members = JSON.parse(Buffer.from(body).toString("utf8")) as Record<string, unknown>;
  const [got, expected] = [Object.keys(members).sort().join(), (REQUESTS[name] ?? []).join()];
  if (got !== expected) throw new SimError("reading", `${name}: members ${expected} expected, got ${got}`);
  return memberFields(members);
}

/** Reads an ES9+ answer in JSON: header and members. */
export function answerFields(body: Uint8Array): Fields {
  const { header, ...members } = JSON.parse(Buffer.from(body).toString("utf8")) as Record<string, unknown>;
  const status = (header as { functionExecutionStatus?: { status?: unknown } } | undefined)?.functionExecutionStatus?.status;
  if (status !== "Executed-Success") throw new SimError("reading", `functionExecutionStatus ${String(status)}`);
  return memberFields(members);
}

function memberFields(members: Record<string, unknown>): Fields {
  return Object.assign({}, ...Object.entries(members).map(([name, value]) => {
    const kind = OBJECTS[name];
    if (kind === undefined || typeof value !== "string") throw new SimError("reading", `member ${name} is not of ES9+`);
    if (kind === "text") return { [name]: textField(name, value) };
    const octetsOf = new Uint8Array(Buffer.from(value, "base64"));
    if (Buffer.from(octetsOf).toString("base64") !== value) throw new SimError("reading", `${name} is not canonical base64`);
    return kind === "" ? { [name]: { raw: octetsOf, content: octetsOf } } : fieldsOf(octetsOf, kind());
  })) as Fields;
}

/** A transactionId is hexadecimal in upper case; an address is itself. */
function textField(name: string, value: string): Field {
  if (name === "transactionId" && !/^([0-9A-F]{2}){1,16}$/.test(value)) throw new SimError("reading", `transactionId ${value}`);
  const content = new Uint8Array(name === "transactionId" ? Buffer.from(value, "hex") : Buffer.from(value, "utf8"));
  return { raw: content, content };
}
