/**
 * RSP sessions that pass through an eIM (SGP.32 v1.2 3.2.3.2; SGP.22 v2.5 3.0.1): at most one for each EID, as on the card; a new
 * InitiateAuthentication takes the place of an older one. BF3B, BF3A and BF41 carry no EID: the transactionId leads to the session.
 */
import { equal, toHex } from "../core/bytes.js";
import type { Core, Notes } from "./core.js";
import { downloadData, type DownloadData } from "./download-data.js";
import { FunctionError } from "./refusal.js";
import type { DeviceState, PackageRecord } from "./state.js";

const SECTION = "SGP.32 v1.2 3.2.3.2";

/** An answered request: the very same octets get the very same answer again. */
export interface Answered {
  readonly request: Uint8Array;
  readonly response: Uint8Array;
}

/**
 * initiated: the server's authentication was handed on. authenticated: so was the profile to prepare. bound: so was the package. refused: the eIM itself
 * refused profile or package, a cancel session is expected. ended: installed, cancelled, refused by the server, or answered by an SM-DS.
 */
export type SessionPhase = "initiated" | "authenticated" | "bound" | "refused" | "ended";

/** Plain data; a change puts a new record in its place. */
export interface DownloadSession {
  readonly packageId: number;
  /** SM-DP+ or SM-DS. */
  readonly address: string;
  /** Hexadecimal, upper case. */
  readonly transactionId: string;
  /** As the server wrote it. */
  readonly transactionText: string;
  readonly phase: SessionPhase;
  /** ms of the eIM's clock when it began. */
  readonly time: number;
  /** serverSigned1, as received. */
  readonly serverSigned1: Uint8Array;
  /** Registered id in the server's certificate. */
  readonly oid?: string;
  /** ctxParams1 A0 that the eIM made. */
  readonly ctxParams1?: Uint8Array;
  /** BF25. */
  readonly metadata?: Uint8Array;
  readonly smdpSigned2?: Uint8Array;
  /** Whole TLV. */
  readonly smdpSignature2?: Uint8Array;
  readonly hashCc?: Uint8Array;
  /** Name of the reason of a CancelSession. */
  readonly cancelled?: string;
  readonly answers: readonly Answered[];
}

/** The device and the open download trigger that a BF39 belongs to. Throws FunctionError 52 invalidEimTransactionId. */
export function openTrigger(core: Core, transactionId: Uint8Array | undefined): { device: DeviceState; record: PackageRecord } {
  const wanted = transactionId && toHex(transactionId);
  const open = [...core.state.devices.values()].flatMap((device) => device.packages.filter((record) => isOpen(device, record)).map((record) => ({ device, record })));
  const fitting = open.filter(({ record }) => record.transactionId === wanted);
  const [only] = fitting;
  if (only !== undefined && fitting.length === 1) return only;
  if (fitting.length > 1) throw new FunctionError(52, `eimTransactionId ${wanted ?? "(none)"}: ${fitting.length} download triggers are open with it`, SECTION);
  const expected = open.map(({ record }) => record.transactionId ?? "none").join(" or ");
  throw new FunctionError(52, `eimTransactionId: ${expected === "" ? "no download trigger is open" : `${expected} expected`}, got ${wanted ?? "none"}`, SECTION);
}

function isOpen(device: DeviceState, record: PackageRecord): boolean {
  const trigger = record.kind === "profileDownloadTriggerRequest" || (record.kind === "raw" && record.der[0] === 0xbf && record.der[1] === 0x54);
  return trigger && record.given > 0 && !device.results.some((result) => result.packageId === record.id);
}

/** What a package's trigger says of the server. */
export function dataOf(record: PackageRecord): DownloadData {
  return downloadData(record.trigger, record.handling);
}

/** The device whose session has this transactionId. Throws FunctionError `code` (the function's invalidTransactionId) when there is none. */
export function findSession(core: Core, transactionId: Uint8Array, code: number, notes: Notes): { device: DeviceState; session: DownloadSession } {
  const id = toHex(transactionId);
  const fitting = [...core.state.devices.values()].filter((device) => device.download?.transactionId === id);
  // Two servers may choose the same id: the session that still goes on, and began last, is meant.
  const [device] = fitting.toSorted((a, b) => rank(b.download as DownloadSession) - rank(a.download as DownloadSession));
  if (device === undefined) throw new FunctionError(code, `transactionId ${id || "(empty)"} belongs to no download session`, SECTION);
  if (fitting.length > 1) notes.warnings.push(`transactionId ${id} belongs to ${fitting.length} sessions: that of ${device.eid} is taken`);
  notes.eid = device.eid;
  return { device, session: device.download as DownloadSession };
}

function rank(session: DownloadSession): number {
  return (session.phase === "ended" ? 0 : 2 ** 40) + session.time;
}

/** The answer that these very octets got before. */
export function answeredBefore(session: DownloadSession | undefined, request: Uint8Array, notes: Notes): Uint8Array | undefined {
  const known = session?.answers.find((answered) => equal(answered.request, request));
  if (known !== undefined) notes.reason = `session ${session?.transactionId}: the same request again, the same answer again`;
  return known?.response;
}

/** A new session of a device, in the place of an older one. */
export function beginSession(core: Core, eid: string, session: DownloadSession): void {
  const device = core.state.devices.get(eid);
  if (device !== undefined) device.download = session;
}

/** Keeps what became of a session. Looked up anew: while a server was waited for, another InitiateAuthentication may have taken its place. */
export function updateSession(core: Core, eid: string, session: DownloadSession): void {
  const device = core.state.devices.get(eid);
  if (device?.download?.transactionId === session.transactionId) device.download = session;
}

/** `session` in another phase, with one more answer to repeat. */
export function advanced(session: DownloadSession, change: Partial<DownloadSession>, request: Uint8Array, response: Uint8Array): DownloadSession {
  return { ...session, ...change, answers: [...session.answers, { request, response }] };
}

/** Refuses a message that comes in the wrong phase. */
export function expectPhase(session: DownloadSession, phase: SessionPhase, code: number): void {
  if (session.phase !== phase) throw new FunctionError(code, `session ${session.transactionId} is ${session.phase}, ${phase} expected`, SECTION);
}
