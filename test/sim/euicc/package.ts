/**
 * ES10b.LoadEuiccPackage (SGP.32 v1.2 3.3.1, 5.9.1; structures 2.11.1, 2.11.2): checks in their order, commands up to the first
 * failure, one signed result. All of it happens with the last APDU of the command, so that a power cut leaves nothing or all.
 */
import { concat, equal, toHex, utf8 } from "../core/bytes.js";
import { find, integer, must, readAll, readOne, readTlv, tlv, TlvError, type Tlv } from "../codec/tlv.js";
import { sign, verify } from "../pki/keys.js";
import { eidBytes } from "./coding.js";
import { chainFor, ecallActive, enabledProfile, note, refuse, type Context } from "./context.js";
import { eimKey, inRange, member, readCounter, reason, tokenObject } from "./eim-config.js";
import { ecos } from "./eco.js";
import type { CommandHandler, Execution, Outcome } from "./execution.js";
import { storeEpr, takeSeqNumber } from "./notifications.js";
import { psmos } from "./psmo.js";
import type { Eim } from "./state.js";
import { switchProfile } from "./switching.js";

/** euiccPackageErrorCode. */
enum PackageError {
  InvalidEid = 3,
  ReplayError = 4,
  CounterValueOutOfRange = 6,
  SizeOverflow = 15,
  EcallActive = 104,
}

/** processingTerminated. */
enum Terminated {
  ResultSizeOverflow = 1,
  UnknownOrDamagedCommand = 2,
}

interface Package {
  signed: Uint8Array;
  signature: Uint8Array;
  eid: Uint8Array;
  counterValue: number;
  /** A0 psmoList or A1 ecoList. */
  list: Tlv;
}

interface Received {
  eimId: Uint8Array;
  transactionId?: Uint8Array;
  package?: Package;
  /** Why there is no package. */
  why: string;
}

/** BF51. */
export function loadEuiccPackage(ctx: Context, command: Tlv): Uint8Array {
  const received = read(command);
  const eim = ctx.state.nonvolatile.eims.find((one) => equal(utf8(one.eimId), received.eimId));
  if (received.package === undefined) return unsignedError(ctx, received, eim, received.why);
  if (eim === undefined) return unsignedError(ctx, received, undefined, `eIM "${toHex(received.eimId)}" is not associated`);
  const { curve, publicKey } = eimKey(ctx, eim);
  const { signed, signature, counterValue } = received.package;
  if (signature.length !== 64 || !verify(curve, publicKey, concat(signed, tokenObject(eim)), signature)) {
    return unsignedError(ctx, received, eim, `eimSignature does not verify with the key of eIM "${eim.eimId}" and association token ${eim.associationToken ?? 0}`);
  }
  const [code, why] = check(ctx, eim, received.package);
  if (code !== 0) return signedError(ctx, eim, received, refuse(ctx, "LoadEuiccPackage", code, why));
  ctx.state.nonvolatile.rollback = null;
  const execution: Execution = { ctx, eim, current: enabledProfile(ctx.state.nonvolatile), changed: false, deletedEims: [], counterValue };
  const results = execute(execution, received.package.list);
  const seqNumber = takeSeqNumber(ctx);
  const data = resultData(eim, counterValue, received.transactionId, tlv(0x83, integer(seqNumber)), tlv(0x30, ...results));
  const epr = signedResult(ctx, eim, 0xa0, data);
  storeEpr(ctx, seqNumber, epr);
  takeEffect(execution, received, seqNumber);
  return epr;
}

/** `BF51{tag{data, 5F37}}`, signed over data and the association token object, under the CI that the eIM asked for. */
export function signedResult(ctx: Context, eim: Eim | undefined, tag: number, data: Uint8Array): Uint8Array {
  const ciPkId = eim === undefined ? undefined : member(eim, 0x88);
  const chain = chainFor(ctx, ciPkId && readOne(ciPkId, 0x88, { lenient: true }).value) ?? ctx.config.chains[0];
  const token = eim === undefined ? tlv(0x84, [0]) : tokenObject(eim);
  const signed = concat(data, tlv(0x5f37, sign(chain.key, concat(data, token))));
  return tlv(0xbf51, ctx.config.quirks.has("no-inner-a0") && tag === 0xa0 ? signed : tlv(tag, signed));
}

/** Lengths need not be minimal here: what counts is that the signature covers the octets as they came. */
const ANY_LENGTH = { lenient: true };

function read(command: Tlv): Received {
  const received: Received = { eimId: new Uint8Array(0), why: "" };
  try {
    const outer = readAll(command.value, ANY_LENGTH);
    const signed = outer[0];
    if (signed?.tag !== 0x30) throw new TlvError("tlv", "euiccPackageSigned (tag 30) does not come first");
    const items = readAll(signed.value, ANY_LENGTH);
    received.eimId = must(items, 0x80, "eimId").value;
    const transactionId = find(items, 0x82)?.value;
    if (transactionId !== undefined) received.transactionId = transactionId;
    if (outer[1]?.tag !== 0x5f37) throw new TlvError("tlv", "eimSignature (tag 5F37) does not come second");
    const list = items.find(({ tag }) => tag === 0xa0 || tag === 0xa1);
    if (list === undefined) throw new TlvError("tlv", "euiccPackage is neither psmoList (A0) nor ecoList (A1)");
    inOrder(items, list);
    const eid = must(items, 0x5a, "eidValue").value;
    const counterValue = readCounter(must(items, 0x81, "counterValue").value, true);
    received.package = { signed: signed.raw, signature: outer[1].value, eid, counterValue, list };
  } catch (error) {
    if (!(error instanceof TlvError)) throw error;
    received.why = error.message;
  }
  return received;
}

function inOrder(items: readonly Tlv[], list: Tlv): void {
  const order = [0x80, 0x5a, 0x81, 0x82, list.tag];
  const got = items.map(({ tag }) => order.indexOf(tag)).filter((at) => at >= 0);
  if (got.some((at, index) => index > 0 && at <= (got[index - 1] as number))) throw new TlvError("tlv", "members of euiccPackageSigned are out of order or repeated");
}

/** Procedures 4.2 (c) to (f), in that order. */
function check(ctx: Context, eim: Eim, { eid, counterValue, signed }: Package): [PackageError | 0, string] {
  if (!equal(eid, eidBytes(ctx.config.eid))) return [PackageError.InvalidEid, `the package is for EID ${toHex(eid)}`];
  if (counterValue <= eim.counterValue) return [PackageError.ReplayError, `counterValue ${counterValue} is not above ${eim.counterValue}`];
  if (!inRange(ctx, counterValue)) return [PackageError.CounterValueOutOfRange, `counterValue ${counterValue} is above ${ctx.config.limits.counterValue}`];
  if (signed.length > ctx.config.limits.package) return [PackageError.SizeOverflow, `${signed.length} octets are more than ${ctx.config.limits.package}`];
  if (ecallActive(ctx.state.nonvolatile)) return [PackageError.EcallActive, "the Emergency Profile is enabled"];
  return [0, ""];
}

/** Runs the commands in order until one fails. */
function execute(execution: Execution, list: Tlv): Uint8Array[] {
  const handlers = list.tag === 0xa0 ? psmos : ecos;
  const results: Uint8Array[] = [];
  let size = 0;
  for (let at = 0; at < list.value.length; ) {
    const { result, failed, end } = executeOne(execution, handlers, list.value, at);
    size += result.length;
    const overflow = size > execution.ctx.config.limits.result;
    results.push(overflow ? terminate(execution, Terminated.ResultSizeOverflow, `results take more than ${execution.ctx.config.limits.result} octets`) : result);
    if (failed || overflow) break;
    at = end;
  }
  return results;
}

function executeOne(execution: Execution, handlers: ReadonlyMap<number, CommandHandler>, list: Uint8Array, at: number): Outcome & { end: number } {
  try {
    const command = readTlv(list, at, ANY_LENGTH);
    const handler = handlers.get(command.tag);
    if (handler === undefined) throw new TlvError("tlv", `command ${command.tag.toString(16).toUpperCase()} is unknown`);
    return { ...handler(execution, command), end: command.end };
  } catch (error) {
    return { result: terminate(execution, Terminated.UnknownOrDamagedCommand, reason(error)), failed: true, end: list.length };
  }
}

function terminate({ ctx }: Execution, code: Terminated, why: string): Uint8Array {
  return tlv(0x02, [refuse(ctx, "LoadEuiccPackage processingTerminated", code, why)]);
}

function takeEffect(execution: Execution, received: Received, eprSeqNumber: number): void {
  const { ctx, eim, current, enable, disable, rollbackTo, deletedEims, counterValue } = execution;
  const nonvolatile = ctx.state.nonvolatile;
  eim.counterValue = counterValue;
  nonvolatile.eims = nonvolatile.eims.filter((one) => !deletedEims.includes(one));
  if (enable !== undefined || disable !== undefined) switchProfile(ctx, enable, { notify: true, refresh: true, former: current });
  if (enable !== undefined) nonvolatile.fallbackReturn = null;
  if (rollbackTo === undefined) return;
  const target = toHex(rollbackTo.metadata.iccid);
  const packageCounter = (received.package as Package).counterValue;
  const { transactionId } = received;
  nonvolatile.rollback = Object.freeze({ eimId: eim.eimId, counterValue: packageCounter, ...(transactionId && { transactionId }), eprSeqNumber, target });
}

function resultData(eim: Eim, counterValue: number, transactionId: Uint8Array | undefined, ...rest: Uint8Array[]): Uint8Array {
  return tlv(0x30, tlv(0x80, utf8(eim.eimId)), tlv(0x81, integer(counterValue)), transaction(transactionId), ...rest);
}

/** A1: signed, not stored, no sequence number; the counter stays as it was. */
function signedError(ctx: Context, eim: Eim, received: Received, code: number): Uint8Array {
  const { counterValue } = received.package as Package;
  // A counter beyond any integer of ours is told as the greatest one.
  const told = Number.isSafeInteger(counterValue) ? counterValue : ctx.config.limits.counterValue;
  return signedResult(ctx, eim, 0xa1, resultData(eim, told, received.transactionId, tlv(0x02, [code])));
}

/** A2: the eIM is unknown, its signature wrong, or the package unreadable. 84 only for a known eIM that has a token. */
function unsignedError(ctx: Context, received: Received, eim: Eim | undefined, why: string): Uint8Array {
  note(ctx, "LoadEuiccPackage", "euiccPackageErrorUnsigned", why);
  const known = eim !== undefined && eim.associationToken !== null;
  return tlv(0xbf51, tlv(0xa2, tlv(0x80, received.eimId), transaction(received.transactionId), known ? tokenObject(eim) : concat()));
}

function transaction(id: Uint8Array | undefined): Uint8Array {
  return id === undefined ? concat() : tlv(0x82, id);
}
