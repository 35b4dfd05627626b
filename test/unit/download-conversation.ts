/**
 * One whole profile download as it went over ESipa, ES9+ and ES10, read by asn1js schemas that nobody in the world uses (test/sim/codec/download-schemas.ts), and held
 * against what is known beforehand: device, order, certificates. Signatures are verified by node:crypto alone. (SGP.32 v1.2 3.2.3; SGP.22 v2.5 3.1.3, 5.6, 5.7; types 3, 7 to 10)
 */
import assert from "node:assert/strict";
import { createHash, verify, X509Certificate } from "node:crypto";
import { concat, fromHex, toHex, utf8 } from "../sim/core/bytes.js";
import {
  answerFields, authenticateServerRequest, authenticateServerResponse, boundProfilePackage, euiccChallenge, fieldsOf, FROM_EIM, FROM_IPA, installationResult, prepareDownloadRequest,
  prepareDownloadResponse, requestFields, type Field, type Fields,
} from "../sim/codec/download-schemas.js";
import type { Trace, World } from "../sim/index.js";

/** Who asked, by function. */
export interface Exchange {
  readonly name: string;
  readonly json: boolean;
  readonly request: Uint8Array;
  readonly response: Uint8Array;
}

/** A whole ES10 command with its whole answer. */
export interface Command {
  readonly command: Uint8Array;
  readonly answer: Uint8Array;
}

export interface Conversation {
  readonly exchanges: readonly Exchange[];
  readonly commands: readonly Command[];
}

/** What is known without any message. */
export interface Known {
  readonly eid: string;
  readonly imei: string;
  readonly address: string;
  readonly matchingId: string;
  readonly iccid: string;
  readonly confirmationCode?: string;
  /** DER. */
  readonly certificates: Readonly<Record<"dpAuth" | "dpPb" | "euicc" | "eum", Uint8Array>>;
  readonly metadata: Uint8Array;
  /** DER of the OID in CERT.DPauth, content alone. */
  readonly smdpOid: Uint8Array;
  readonly direct: boolean;
  /** How many 86 blocks the package has. */
  readonly blocks: number;
  readonly plmn: string;
}

const ESIPA: Readonly<Record<string, string>> = { BF4F: "GetEimPackage", BF39: "InitiateAuthentication", BF3B: "AuthenticateClient", BF3A: "GetBoundProfilePackage", BF3D: "HandleNotification", BF41: "CancelSession" };
const JSON_BEGINS = 0x7b;
const LAST_BLOCK = 0x91;

/** The conversation of a world's run; names of ES9+ functions as the SM-DP+ was asked for them. */
export function conversationOf(world: World, trace: Trace): Conversation {
  const functions = world.smdp.seen.map((entry) => entry.function);
  const exchanges = trace.exchanges.map(({ request, response }): Exchange => {
    const json = request[0] === JSON_BEGINS;
    return { name: (json ? functions.shift() : ESIPA[toHex(request.subarray(0, 2))]) ?? "unknown", json, request, response };
  });
  return { exchanges, commands: commandsOf(trace) };
}

/** STORE DATA chains with their answers (transport 5.4): blocks counted from 00, the last one marked, data fetched behind 61xx. */
function commandsOf(trace: Trace): Command[] {
  const found: { command: Uint8Array; answer: Uint8Array }[] = [];
  let parts: Uint8Array[] = [];
  for (const { command, response } of trace.apdus) {
    const data = response.subarray(0, -2);
    const last = found.at(-1);
    if (command[1] === 0xc0 && last !== undefined) last.answer = concat(last.answer, data);
    if (command[1] !== 0xe2) continue;
    assert.equal(command[3], parts.length, "block number");
    assert.ok(command[4] as number <= 255 && command.length <= 6 + (command[4] as number));
    parts.push(command.subarray(5, 5 + (command[4] as number)));
    if (command[2] !== LAST_BLOCK) continue;
    found.push({ command: concat(...parts), answer: data });
    parts = [];
  }
  return found;
}

const digits = (text: string): Uint8Array => fromHex((text.length % 2 === 0 ? text : `${text}F`).replace(/(.)(.)/g, "$2$1"));
const sha256 = (octets: Uint8Array): Uint8Array => new Uint8Array(createHash("sha256").update(octets).digest());

function same(field: Field | undefined, expected: Uint8Array, what: string): void {
  assert.equal(field && toHex(field.content), toHex(expected), what);
}

function sameObject(field: Field | undefined, expected: Field | Uint8Array | undefined, what: string): void {
  assert.equal(field && toHex(field.raw), expected && toHex(expected instanceof Uint8Array ? expected : expected.raw), what);
}

function raw(fields: Fields, name: string): Uint8Array {
  const field = fields[name];
  assert.ok(field !== undefined, `${name} is missing`);
  return field.raw;
}

function signedBy(certificate: Uint8Array, signature: Field | undefined, what: string, ...signed: Uint8Array[]): void {
  assert.equal(signature?.content.length, 64, what);
  const key = new X509Certificate(certificate).publicKey;
  assert.ok(verify("sha256", concat(...signed), { key, dsaEncoding: "ieee-p1363" }, signature?.content as Uint8Array), `${what} does not verify`);
}

interface Read {
  readonly request: Fields;
  readonly response: Fields;
}

const JSON_NAME: Readonly<Record<string, string>> = { InitiateAuthentication: "initiateAuthentication", AuthenticateClient: "authenticateClient", GetBoundProfilePackage: "getBoundProfilePackage" };

function readExchange(exchange: Exchange | undefined, name: string, direct: boolean): Read {
  const wanted = direct ? JSON_NAME[name] : name;
  assert.equal(exchange?.name, wanted);
  const { request, response } = exchange as Exchange;
  if (direct) return { request: requestFields(wanted as string, request), response: answerFields(response) };
  return { request: fieldsOf(request, (FROM_IPA[name] as () => never)()), response: fieldsOf(response, (FROM_EIM[name] as () => never)()) };
}

/** Throws AssertionError or SimError for the first field that is not what it must be. */
export function check({ exchanges, commands }: Conversation, known: Known): void {
  const { direct } = known;
  const queue = [...exchanges];
  const trigger = readExchange(queue.shift(), "GetEimPackage", false);
  const initiate = readExchange(queue.shift(), "InitiateAuthentication", direct);
  const authenticate = readExchange(queue.shift(), "AuthenticateClient", direct);
  const bound = readExchange(queue.shift(), "GetBoundProfilePackage", direct);
  const card = cardOf(commands);

  same(trigger.request["eidValue"], fromHex(known.eid), "eidValue");
  same(trigger.request["rPLMN"], fromHex(known.plmn), "rPLMN");
  same(trigger.response["activationCode"], utf8(`1$${known.address}$${known.matchingId}${known.confirmationCode === undefined ? "" : "$$1"}`), "activationCode");
  const transactionId = checkInitiate(initiate, card, known, trigger.response["eimTransactionId"]);
  checkAuthenticate(initiate, authenticate, card, known, transactionId);
  checkPrepare(authenticate, bound, card, known, transactionId);
  const pir = checkPackage(bound, card, known, transactionId);
  checkResult(queue, pir, known, trigger.response["eimTransactionId"]);
  checkRest(card, pir);
}

interface Card {
  readonly authenticate: Command;
  readonly challenge: Fields;
  readonly info1: Uint8Array;
  readonly prepare: Command;
  readonly segments: readonly Command[];
  /** All others, as they came. */
  readonly others: readonly string[];
}

function cardOf(commands: readonly Command[]): Card {
  const starts = (hex: string): Command => {
    const found = commands.filter(({ command }) => toHex(command).startsWith(hex));
    assert.equal(found.length, 1, `${hex} once`);
    return found[0] as Command;
  };
  const [authenticate, prepare, first] = [starts("BF38"), starts("BF21"), starts("BF36")];
  const from = commands.indexOf(first);
  const to = commands.findIndex(({ command }, n) => n > from && command[0] === 0xbf);
  return {
    authenticate, prepare, challenge: fieldsOf(starts("BF2E").answer, euiccChallenge()), info1: starts("BF20").answer, segments: commands.slice(from, to),
    others: commands.filter((one, n) => (n < from || n >= to) && one !== authenticate && one !== prepare).map(({ command }) => toHex(command)),
  };
}

/** Gives the transactionId of the session. */
function checkInitiate({ request, response }: Read, card: Card, known: Known, eimTransactionId: Field | undefined): Uint8Array {
  const challenge = card.challenge["euiccChallenge"]?.content as Uint8Array;
  assert.equal(challenge.length, 16);
  same(request["euiccChallenge"], challenge, "euiccChallenge is the eUICC's");
  same(request["smdpAddress"], utf8(known.address), "smdpAddress");
  sameObject(request["euiccInfo1"], card.info1, "EUICCInfo1 as the eUICC gave it");
  if (!known.direct) same(request["eimTransactionId"], eimTransactionId?.content as Uint8Array, "eimTransactionId");
  const transactionId = response["transactionId"]?.content as Uint8Array;
  assert.ok(transactionId.length >= 1 && transactionId.length <= 16);
  same(response["signed.transactionId"], transactionId, "transactionId in serverSigned1");
  same(response["signed.euiccChallenge"], challenge, "euiccChallenge in serverSigned1");
  same(response["signed.serverAddress"], utf8(known.address), "serverAddress in serverSigned1");
  sameObject(response["serverCertificate"], known.certificates.dpAuth, "CERT.DPauth");
  signedBy(known.certificates.dpAuth, response["serverSignature1"], "serverSignature1", raw(response, "serverSigned1"));
  return transactionId;
}

function checkAuthenticate({ response: server }: Read, { request, response }: Read, card: Card, known: Known, transactionId: Uint8Array): void {
  const command = fieldsOf(card.authenticate.command, authenticateServerRequest());
  for (const name of ["serverSigned1", "serverSignature1", "euiccCiPKIdToBeUsed", "serverCertificate"]) sameObject(command[name], server[name], `${name} goes to the eUICC as it came`);
  same(command["matchingId"], utf8(known.matchingId), "matchingId of the activation code");
  same(command["tac"], digits(known.imei.slice(0, 8)), "TAC");
  same(command["deviceCapabilities"], new Uint8Array(0), "deviceCapabilities");
  // 14 digits in pairs, and behind them the check digit in the high nibble with F in the low one (types 8.3)
  same(command["imei"], concat(digits(known.imei.slice(0, 14)), fromHex(`${known.imei[14]}F`)), "IMEI");
  same(request["transactionId"], transactionId, "transactionId of AuthenticateClient");
  sameObject(request["authenticateServerResponse"], card.authenticate.answer, "AuthenticateServerResponse as the eUICC gave it");
  const answer = fieldsOf(card.authenticate.answer, authenticateServerResponse());
  same(answer["signed.transactionId"], transactionId, "transactionId in euiccSigned1");
  same(answer["signed.serverAddress"], utf8(known.address), "serverAddress in euiccSigned1");
  sameObject(answer["signed.serverChallenge"], server["signed.serverChallenge"], "serverChallenge in euiccSigned1");
  sameObject(answer["ctxParams1"], command["ctxParams1"], "ctxParams1 in euiccSigned1");
  sameObject(answer["euiccCertificate"], known.certificates.euicc, "CERT.EUICC");
  sameObject(answer["eumCertificate"], known.certificates.eum, "CERT.EUM");
  signedBy(known.certificates.euicc, answer["euiccSignature1"], "euiccSignature1", raw(answer, "euiccSigned1"));
  same(response["transactionId"], transactionId, "transactionId in the answer to AuthenticateClient");
  same(response["signed.transactionId"], transactionId, "transactionId in smdpSigned2");
  same(response["ccRequiredFlag"], fromHex(known.confirmationCode === undefined ? "00" : "FF"), "ccRequiredFlag");
  sameObject(response["profileMetadata"], known.metadata, "profileMetadata of the order");
  sameObject(response["smdpCertificate"], known.certificates.dpPb, "CERT.DPpb");
  signedBy(known.certificates.dpPb, response["smdpSignature2"], "smdpSignature2", raw(response, "smdpSigned2"), raw(answer, "euiccSignature1"));
}

function checkPrepare({ response: server }: Read, { request }: Read, card: Card, known: Known, transactionId: Uint8Array): void {
  const command = fieldsOf(card.prepare.command, prepareDownloadRequest());
  for (const name of ["smdpSigned2", "smdpSignature2", "smdpCertificate"]) sameObject(command[name], server[name], `${name} goes to the eUICC as it came`);
  const code = known.confirmationCode;
  const hashCc = code === undefined ? undefined : sha256(concat(sha256(utf8(code)), transactionId));
  assert.equal(command["hashCc"] && toHex(command["hashCc"].content), hashCc && toHex(hashCc), "hashCc = SHA-256(SHA-256(code) | transactionId)");
  same(request["transactionId"], transactionId, "transactionId of GetBoundProfilePackage");
  sameObject(request["prepareDownloadResponse"], card.prepare.answer, "PrepareDownloadResponse as the eUICC gave it");
  const answer = fieldsOf(card.prepare.answer, prepareDownloadResponse());
  same(answer["signed.transactionId"], transactionId, "transactionId in euiccSigned2");
  sameObject(answer["hashCc"], command["hashCc"], "hashCc in euiccSigned2");
  assert.deepEqual([answer["euiccOtpk"]?.content.length, answer["euiccOtpk"]?.content[0]], [65, 4], "otPK.EUICC");
  signedBy(known.certificates.euicc, answer["euiccSignature2"], "euiccSignature2", raw(answer, "euiccSigned2"), raw(command, "smdpSignature2"));
}

/** Blocks in a list, as [tag, whole object]. */
function blocksOf(field: Field | undefined): { tag: number; raw: Uint8Array }[] {
  const out: { tag: number; raw: Uint8Array }[] = [];
  for (let rest = field?.content ?? new Uint8Array(0); rest.length > 0; ) {
    const long = (rest[1] as number) & 0x80 ? (rest[1] as number) & 0x7f : 0;
    const length = long === 0 ? (rest[1] as number) : Number.parseInt(toHex(rest.subarray(2, 2 + long)), 16);
    out.push({ tag: rest[0] as number, raw: rest.subarray(0, 2 + long + length) });
    rest = rest.subarray(2 + long + length);
  }
  return out;
}

const header = (field: Field): Uint8Array => field.raw.subarray(0, field.raw.length - field.content.length);

/** The package as it came, cut for the eUICC by SGP.22 2.5.5: gives the PIR. */
function checkPackage({ response }: Read, card: Card, known: Known, transactionId: Uint8Array): Fields {
  const bpp = fieldsOf(raw(response, "boundProfilePackage"), boundProfilePackage());
  same(response["transactionId"], transactionId, "transactionId beside the Bound Profile Package");
  same(bpp["bpp.transactionId"], transactionId, "transactionId in BF23");
  same(bpp["remoteOpId"], fromHex("01"), "remoteOpId installBoundProfilePackage");
  same(bpp["keyType"], fromHex("88"), "keyType AES");
  same(bpp["keyLen"], fromHex("10"), "keyLen");
  const otpk = fieldsOf(card.prepare.answer, prepareDownloadResponse())["euiccOtpk"] as Field;
  const members = ["remoteOpId", "bpp.transactionId", "controlRefTemplate", "smdpOtpk"].map((name) => raw(bpp, name));
  signedBy(known.certificates.dpPb, bpp["smdpSign"], "smdpSign", ...members, otpk.raw);
  const [first, metadata, second, profile] = ["firstSequenceOf87", "sequenceOf88", "secondSequenceOf87", "sequenceOf86"].map((name) => bpp[name]);
  const [clear, elements] = [blocksOf(metadata), blocksOf(profile)];
  assert.deepEqual([...new Set(blocksOf(first).map((one) => one.tag))], [0x87]);
  assert.ok(clear.every((one) => one.tag === 0x88) && elements.every((one) => one.tag === 0x86));
  assert.equal(elements.length, known.blocks, "86 blocks");
  const whole = bpp["boundProfilePackage"] as Field;
  const expected = [
    concat(header(whole), raw(bpp, "initialiseSecureChannel")), raw(bpp, "firstSequenceOf87"), header(metadata as Field), ...clear.map((one) => one.raw),
    ...(second === undefined ? [] : [second.raw]), header(profile as Field), ...elements.map((one) => one.raw),
  ];
  assert.deepEqual(card.segments.map((one) => toHex(one.command)), expected.map(toHex), "segments are those of SGP.22 2.5.5");
  assert.ok(card.segments.slice(0, -1).every((one) => one.answer.length === 0));
  return checkInstallation((card.segments.at(-1) as Command).answer, known, transactionId);
}

function checkInstallation(answer: Uint8Array, known: Known, transactionId: Uint8Array): Fields {
  const pir = fieldsOf(answer, installationResult());
  same(pir["transactionId"], transactionId, "transactionId in the PIR");
  same(pir["profileManagementOperation"], fromHex("0780"), "install");
  same(pir["notificationAddress"], utf8(known.address), "notificationAddress");
  same(pir["iccid"], digits(known.iccid), "iccid");
  same(pir["smdpOid"], known.smdpOid, "smdpOid");
  assert.match(toHex(pir["aid"]?.content as Uint8Array), /^A0000005591010FFFFFFFF8900[0-9A-F]{4}00$/);
  signedBy(known.certificates.euicc, pir["euiccSignPIR"], "euiccSignPIR", raw(pir, "data"));
  return pir;
}

function checkResult(queue: readonly Exchange[], pir: Fields, known: Known, eimTransactionId: Field | undefined): void {
  const left = [...queue];
  if (known.direct) {
    const told = left.shift();
    assert.equal(told?.name, "handleNotification");
    sameObject(requestFields("handleNotification", (told as Exchange).request)["profileInstallationResult"], pir["profileInstallationResult"], "the PIR goes to the SM-DP+ as it came");
    assert.equal(told?.response.length, 0);
  }
  const [result, last, ...more] = left;
  assert.deepEqual([result?.name, last?.name, more.length], ["HandleNotification", "GetEimPackage", 0]);
  const told = fieldsOf((result as Exchange).request, (FROM_IPA["HandleNotification"] as () => never)());
  same(told["eidValue"], fromHex(known.eid), "eidValue of the result");
  same(told["eimTransactionId"], eimTransactionId?.content as Uint8Array, "eimTransactionId of the result");
  sameObject(told["profileInstallationResult"], pir["profileInstallationResult"], "the PIR goes to the eIM as it came");
  const again = fieldsOf((last as Exchange).request, (FROM_IPA["GetEimPackage"] as () => never)());
  same(again["eidValue"], fromHex(known.eid), "eidValue of the next GetEimPackage");
  same(again["rPLMN"], fromHex(known.plmn), "rPLMN of the next GetEimPackage");
}

/** What is asked beside the download itself, octet by octet (types 6, 7; procedures 1, 2, 7, 13). */
function checkRest(card: Card, pir: Fields): void {
  const number = toHex(pir["seqNumber"]?.raw as Uint8Array);
  assert.deepEqual(card.others, [
    "BF3E035C015A", "BF2200", "BF5500", "BF2B00", "BF2B04A0028200", // start: EID, EUICCInfo2, eIMs, notifications, EPRs
    "BF2D065C049F709F7B", "BF2000", "BF2E00", // is the Emergency Profile enabled; EUICCInfo1; challenge
    `BF2B05A003${number}`, `BF3003${number}`, "BF2800", // the PIR, its removal, what else waits
  ]);
}
