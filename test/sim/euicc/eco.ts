/**
 * eCOs: eIM Configuration Operations of an eUICC Package (SGP.32 v1.2 3.5.1; commands 2.11.1.1.2, results 2.11.2.1).
 */
import { equal, utf8 } from "../core/bytes.js";
import { integer, readOne, tlv, type Tlv } from "../codec/tlv.js";
import { chainFor, refuse } from "./context.js";
import { addEim, checkAddable, eimById, EimCode, eimKey, inRange, member, readEimConfiguration, reason, tokenObject, type EimRequest } from "./eim-config.js";
import { outcome, type CommandHandler, type Execution, type Outcome } from "./execution.js";
import type { Eim, EimMember } from "./state.js";

enum Code {
  Ok = 0,
  EimNotFound = 1,
  LastEimDeleted = 2,
  CiPkUnknown = 3,
  CounterValueOutOfRange = 6,
  CommandError = 7,
}

/** By tag of the command. */
export const ecos: ReadonlyMap<number, CommandHandler> = new Map<number, CommandHandler>([
  [0xa8, add],
  [0xa9, remove],
  [0xaa, update],
  [0xab, list],
]);

function add(execution: Execution, command: Tlv): Outcome {
  const { ctx } = execution;
  const eims = ctx.state.nonvolatile.eims;
  const fail = (code: EimCode, why: string): Outcome => ({ result: tlv(0xa8, tlv(0x02, [refuse(ctx, "addEim", code, why)])), failed: true });
  let request: EimRequest;
  try {
    request = readEimConfiguration(ctx, command.value);
  } catch (error) {
    return fail(EimCode.CommandError, reason(error));
  }
  const taken = eims.map((eim) => eim.eimId);
  const [code, why] = checkAddable(ctx, request, taken, ctx.config.limits.eims - eims.length);
  if (code !== EimCode.Ok) return fail(code, why);
  const eim = addEim(ctx, request);
  return { result: tlv(0xa8, eim.associationToken === null ? tlv(0x02, [EimCode.Ok]) : tokenObject(eim)), failed: false };
}

/** Takes effect behind the signature; that the last one goes is told as 2 and is no failure. */
function remove(execution: Execution, command: Tlv): Outcome {
  const { ctx, deletedEims } = execution;
  const eims = ctx.state.nonvolatile.eims.filter((eim) => !deletedEims.includes(eim));
  const eimId = readOne(command.value, 0x80, { lenient: true }).value;
  const eim = eims.find((one) => equal(utf8(one.eimId), eimId));
  if (eim === undefined) return outcome(execution, "deleteEim", 0x89, Code.EimNotFound, "no such eIM is associated");
  deletedEims.push(eim);
  return outcome(execution, "deleteEim", 0x89, eims.length === 1 ? Code.LastEimDeleted : Code.Ok);
}

/** Members that are absent keep their stored value. */
function update(execution: Execution, command: Tlv): Outcome {
  const { ctx } = execution;
  const fail = (code: Code, why: string): Outcome => outcome(execution, "updateEim", 0x8a, code, why);
  let request: EimRequest;
  try {
    request = readEimConfiguration(ctx, command.value);
  } catch (error) {
    return fail(Code.CommandError, reason(error));
  }
  const eim = eimById(ctx, request.eimId);
  if (eim === undefined || execution.deletedEims.includes(eim)) return fail(Code.EimNotFound, `eIM "${request.eimId}" is not associated`);
  const { counterValue } = request;
  const newKey = request.key !== undefined && !equal(request.key.publicKey, eimKey(ctx, eim).publicKey);
  if (request.associationToken !== undefined) return fail(Code.CommandError, "associationToken can not be updated");
  if (request.members.length < 2 && counterValue === undefined) return fail(Code.CommandError, "there is nothing to update");
  if (request.ciPkId !== undefined && chainFor(ctx, request.ciPkId) === undefined) return fail(Code.CiPkUnknown, "euiccCiPKId is not in the list for signing");
  if (counterValue !== undefined && !inRange(ctx, counterValue)) return fail(Code.CounterValueOutOfRange, `counterValue ${counterValue} is out of range`);
  // The counter of this package is stored with the execution: here the one before it counts.
  if (counterValue !== undefined && counterValue < eim.counterValue && !newKey) return fail(Code.CommandError, `counterValue ${counterValue} is below ${eim.counterValue} without a new key`);
  eim.members = merge(eim.members, request.members);
  if (counterValue !== undefined) setCounter(execution, eim, counterValue, newKey);
  return outcome(execution, "updateEim", 0x8a, Code.Ok);
}

/** A requesting eIM that keeps its key must not open its own package to replay. */
function setCounter(execution: Execution, eim: Eim, counterValue: number, newKey: boolean): void {
  eim.counterValue = counterValue;
  if (eim === execution.eim) execution.counterValue = newKey ? counterValue : Math.max(counterValue, execution.counterValue);
}

function merge(stored: readonly EimMember[], news: readonly EimMember[]): EimMember[] {
  return [...stored.filter(({ tag }) => !news.some((one) => one.tag === tag)), ...news];
}

function list({ ctx }: Execution): Outcome {
  const { quirks } = ctx.config;
  const items = ctx.state.nonvolatile.eims.map((eim) => tlv(0x30, tlv(0x80, utf8(eim.eimId)), ...idType(eim, quirks.has("list-eim-type-84") ? 0x84 : 0x82)));
  const wrapper = quirks.has("list-eim-30") ? 0x30 : 0xa0;
  return { result: tlv(0xab, tlv(wrapper, ...items)), failed: false };
}

/** eimIdType is told for OID (1) and FQDN (2) only. */
function idType(eim: Eim, tag: number): Uint8Array[] {
  const raw = member(eim, 0x82);
  const type = raw && readOne(raw, 0x82, { lenient: true }).value[0];
  return type === 1 || type === 2 ? [tlv(tag, integer(type))] : [];
}
