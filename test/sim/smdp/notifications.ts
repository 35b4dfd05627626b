/**
 * HandleNotification (SGP.22 v2.5 5.6.4, 3.5; sgp32-types 10): ProfileInstallationResult moves its order on; the other notifications are kept.
 * The function has no failure of its own: what does not hold is refused with an HTTP status, and the eUICC keeps it.
 */
import { equal, toHex } from "../core/bytes.js";
import { readBits, readInteger, readOne, type Tlv } from "../codec/tlv.js";
import { ErrorReason } from "../bsp/index.js";
import { parseCertificate } from "../pki/certificate.js";
import { verify } from "../pki/keys.js";
import { BadRequest, decode, FunctionFailure, members, parts, required, tagText, utf8Text, verifyEuiccChain, type EuiccIdentity, type Notes, type RequestOf } from "../rsp/index.js";
import { iccidDigits, oidText } from "../rsp/coding.js";
import type { NotificationEvent } from "./metadata.js";
import { updateOrder, type SmdpCore } from "./orders.js";
import type { Bound, InstallationResult, NotificationRecord, Order } from "./state.js";

const SECTION = "SGP.22 v2.5 5.6.4";
const EVENTS: readonly NotificationEvent[] = ["install", "enable", "disable", "delete"];
const BPP_COMMANDS = ["initialiseSecureChannel", "configureISDP", "storeMetadata", "storeMetadata2", "replaceSessionKeys", "loadProfileElements"];

interface Metadata {
  readonly seqNumber: number;
  readonly event: NotificationEvent;
  readonly iccid?: string;
}

/** Takes a notification, once. Throws BadRequest. */
export function handleNotification(core: SmdpCore, request: RequestOf<"handleNotification">, notes: Notes): void {
  const item = decode("pendingNotification", () => readOne(request.pendingNotification, undefined, { lenient: true }));
  const again = core.state.notifications.find((record) => equal(record.der, item.raw));
  if (again !== undefined) {
    notes.eid = again.eid;
    replace(core, again, { ...again, resent: again.resent + 1 });
    return;
  }
  if (item.tag === 0xbf37) takeInstallationResult(core, item, notes);
  else takeOther(core, item, notes);
}

function takeInstallationResult(core: SmdpCore, bf37: Tlv, notes: Notes): void {
  const outer = members(bf37.value, "profileInstallationResult", [0xbf27, 0x5f37], notes.warnings);
  const data = required(outer, 0xbf27, "profileInstallationResultData");
  const found = members(data.value, "profileInstallationResultData", [0x80, 0xbf2f, 0x06, 0xa2], notes.warnings);
  const transactionId = toHex(required(found, 0x80, "transactionId").value);
  notes.transactionId = transactionId;
  const order = [...core.state.orders.values()].find((one) => one.transactions.includes(transactionId));
  const bound = order?.bound;
  if (order === undefined || bound === undefined) throw new BadRequest(`no BPP was given in transaction ${transactionId}`, SECTION);
  notes.eid = bound.eid;
  verifyWith(bound, data.raw, required(outer, 0x5f37, "euiccSignPIR").value, "BF27");
  const metadata = readMetadata(core, required(found, 0xbf2f, "notificationMetadata"), notes);
  if (metadata.event !== "install") throw new BadRequest(`profileManagementOperation: install expected, got ${metadata.event}`, SECTION);
  if (metadata.iccid !== undefined && metadata.iccid !== order.iccid) throw new BadRequest(`iccid: ${order.iccid} expected, got ${metadata.iccid}`, SECTION);
  checkOid(core, oidText(required(found, 0x06, "smdpOid").value));
  const earlier = core.state.notifications.find((record) => record.transactionId === transactionId);
  if (earlier !== undefined) throw new BadRequest(`transaction ${transactionId} has its result already, and it was another one (seqNumber ${earlier.seqNumber})`, SECTION);
  const installation = readFinalResult(required(found, 0xa2, "finalResult"), notes.warnings);
  moveOn(core, order, transactionId, installation, notes);
  keep(core, { ...metadata, eid: bound.eid, order: order.id, installation, transactionId, der: bf37.raw }, notes);
}

/** Errors of the moment leave the order as it was before the attempt: the profile can be had again (SGP.22 v2.5 3.1.3.3). */
const TEMPORARY: readonly string[] = [ErrorReason.InsufficientMemory, ErrorReason.Interruption].map(errorText);

function moveOn(core: SmdpCore, order: Order, transactionId: string, result: InstallationResult, notes: Notes): void {
  if (order.state !== "downloaded") notes.warnings.push(`order ${order.id} is ${order.state}, expected downloaded`);
  if (order.state === "installed") return;
  const session = core.state.sessions.get(transactionId);
  if (session !== undefined) core.state.sessions.set(transactionId, { ...session, state: "ended" });
  if (result.success) updateOrder(core, order, { state: "installed", reason: "installed" });
  else updateOrder(core, order, { state: TEMPORARY.includes(result.error ?? "") ? "released" : "error", reason: `installation failed: ${result.error}` });
}

function readFinalResult(a2: Tlv, warnings: string[]): InstallationResult {
  const [chosen] = parts(a2.value, "finalResult");
  if (chosen?.tag === 0xa0) {
    const found = members(chosen.value, "successResult", [0x4f, 0x04], warnings);
    required(found, 0x04, "simaResponse");
    return { success: true, isdpAid: toHex(required(found, 0x4f, "aid").value) };
  }
  if (chosen?.tag !== 0xa1) throw new BadRequest(`finalResult: A0 or A1 expected, got ${chosen ? tagText(chosen.tag) : "nothing"}`, SECTION);
  const found = members(chosen.value, "errorResult", [0x80, 0x81, 0x82], warnings);
  const number = (tag: number, what: string): number => decode(what, () => readInteger(required(found, tag, what).value, { lenient: true }));
  const command = number(0x80, "bppCommandId");
  return { success: false, bppCommand: `${BPP_COMMANDS[command] ?? "unknown"} ${command}`, error: errorText(number(0x81, "errorReason")) };
}

function errorText(reason: number): string {
  const name = ErrorReason[reason] ?? "Unknown";
  return `${name[0]?.toLowerCase()}${name.slice(1)} ${reason}`;
}

function takeOther(core: SmdpCore, item: Tlv, notes: Notes): void {
  const [metadata, signature, euicc, eum] = parts(item.value, "otherSignedNotification");
  if (metadata?.tag !== 0xbf2f || signature?.tag !== 0x5f37 || euicc?.tag !== 0x30 || eum?.tag !== 0x30) {
    throw new BadRequest(`otherSignedNotification: BF2F 5F37 30 30 expected, got ${parts(item.value, "").map(({ tag }) => tagText(tag)).join(" ")}`, SECTION);
  }
  const owner = signer(core, euicc.raw, eum.raw);
  notes.eid = owner.eid;
  verifyWith(owner, metadata.raw, signature.value, "BF2F");
  const read = readMetadata(core, metadata, notes);
  const order = [...core.state.orders.values()].find((one) => one.iccid === read.iccid && one.bound?.eid === owner.eid);
  if (order === undefined) notes.warnings.push(`ICCID ${read.iccid ?? "(none)"} was not downloaded from here by EID ${owner.eid}`);
  else if (order.state !== "installed") notes.warnings.push(`order ${order.id} is ${order.state}, expected installed`);
  keep(core, { ...read, eid: owner.eid, ...(order && { order: order.id }), der: item.raw }, notes);
}

/** The eUICC of two certificates; here a wrong chain is no failed function but a refused notification. */
function signer(core: SmdpCore, euicc: Uint8Array, eum: Uint8Array): EuiccIdentity {
  try {
    return verifyEuiccChain(euicc, eum, core.identity.chains, core.date());
  } catch (cause) {
    if (!(cause instanceof FunctionFailure)) throw cause;
    throw new BadRequest(cause.message, SECTION);
  }
}

function verifyWith({ curve, publicKey }: Pick<Bound, "curve" | "publicKey">, signed: Uint8Array, signature: Uint8Array, what: string): void {
  if (!verify(curve, publicKey, signed, signature)) throw new BadRequest(`the eUICC's signature does not verify over ${what}`, SECTION);
}

function readMetadata(core: SmdpCore, bf2f: Tlv, notes: Notes): Metadata {
  const found = members(bf2f.value, "notificationMetadata", [0x80, 0x81, 0x0c, 0x5a], notes.warnings);
  const events = decode("profileManagementOperation", () => readBits(required(found, 0x81, "profileManagementOperation").value));
  const event = EVENTS[events[0] ?? -1];
  if (events.length !== 1 || event === undefined) {
    throw new BadRequest(`profileManagementOperation: exactly one of install, enable, disable, delete expected, got bits {${events.join(",")}}`, SECTION);
  }
  const address = utf8Text(required(found, 0x0c, "notificationAddress"), "notificationAddress");
  if (address.toLowerCase() !== core.identity.address.toLowerCase()) throw new BadRequest(`notificationAddress: ${core.identity.address} expected, got ${address}`, SECTION);
  const iccid = found.get(0x5a);
  return {
    seqNumber: decode("seqNumber", () => readInteger(required(found, 0x80, "seqNumber").value, { lenient: true })),
    event,
    ...(iccid && { iccid: iccidDigits(iccid.value) }),
  };
}

/** smdpOid is that of CERT.DPpb, which is the same server's as that of CERT.DPauth. */
function checkOid(core: SmdpCore, named: string): void {
  const own = core.identity.chains.flatMap(({ oid, pb }) => [oid, pb && parseCertificate(pb.certificate).registeredId]);
  if (!own.includes(named)) throw new BadRequest(`smdpOid: ${own[0]} expected, got ${named}`, SECTION);
}

function keep(core: SmdpCore, record: Omit<NotificationRecord, "time" | "resent">, notes: Notes): void {
  const before = core.state.notifications.filter(({ eid }) => eid === record.eid);
  if (before.some(({ seqNumber }) => seqNumber === record.seqNumber)) throw new BadRequest(`seqNumber ${record.seqNumber} is that of another notification`, SECTION);
  if (before.some(({ seqNumber }) => seqNumber > record.seqNumber)) notes.warnings.push(`notification ${record.seqNumber} comes after a higher number`);
  core.state.notifications = [...core.state.notifications, { time: core.now(), resent: 0, ...record }];
}

function replace(core: SmdpCore, old: NotificationRecord, record: NotificationRecord): void {
  core.state.notifications = core.state.notifications.map((one) => (one === old ? record : one));
}
