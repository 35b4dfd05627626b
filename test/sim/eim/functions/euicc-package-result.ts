/**
 * What an eIM does with an EuiccPackageResult (SGP.32 v1.2 3.3.1, 3.3.2, 2.11.2; procedures 4 and 5): verify EPR and EPE over the received
 * octets and the association token, match them to a package, keep each result once, let a rollback's result stand for the first one.
 */
import { concat, equal } from "../../core/bytes.js";
import type { Tlv } from "../../codec/tlv.js";
import { verify } from "../../pki/keys.js";
import type { Core, Notes } from "../core.js";
import { readEuiccPackageResult, type EuiccPackageResult } from "../euicc-result.js";
import { finish, matchPackage, oldestOpen, tokenObject } from "../queue.js";
import { FunctionError, UNDEFINED_ERROR } from "../refusal.js";
import type { DeviceState, PackageRecord, ResultRecord } from "../state.js";

const SECTION = "SGP.32 v1.2 3.3.1";

type Epr = Extract<EuiccPackageResult, { kind: "euiccPackageResult" }>;
type Signed = Exclude<EuiccPackageResult, { kind: "euiccPackageErrorUnsigned" }>;

/** Takes BF51 of a device. Returns the sequence numbers to acknowledge: the EPR's, none for errors. Throws FunctionError. */
export function takeEuiccPackageResult(core: Core, device: DeviceState, bf51: Tlv, notes: Notes): number[] {
  const result = readEuiccPackageResult(bf51, notes.warnings);
  if (result.eimId !== core.identity.eimId) throw refuse(`the result is for eIM "${result.eimId}", this is "${core.identity.eimId}"`);
  const again = device.results.find((record) => equal(record.der, bf51.raw));
  if (again !== undefined) return resent(device, again, notes);
  if (result.kind === "euiccPackageErrorUnsigned") return takeUnsigned(core, device, result, bf51, notes);
  const verified = verifySigned(core, device, result, notes);
  const record = matchPackage(device, result.transactionId, result.counter);
  if (record === undefined) throw refuse(`no package was given with eimTransactionId ${result.transactionId ?? "(none)"} and counter ${result.counter}`);
  checkEcho(record, result, notes);
  const common = { time: core.now(), packageId: record.id, counter: result.counter, verified, replaced: false, resent: 0, der: bf51.raw };
  const transaction = result.transactionId === undefined ? {} : { transactionId: result.transactionId };
  if (result.kind === "euiccPackageErrorSigned") {
    addResult(device, { kind: result.kind, ...common, ...transaction, rollback: false, error: result.error });
    finish(device, record);
    notes.reason = `package ${record.id}: ${result.error.name}`;
    return [];
  }
  const rollback = takeItsPlace(device, record, result);
  checkCommands(record, result, notes);
  addResult(device, { kind: result.kind, ...common, ...transaction, rollback, seqNumber: result.seqNumber, commands: result.commands });
  finish(device, record);
  notes.reason = `package ${record.id}: ${result.commands.map((command) => `${command.command} ${command.name}`).join(", ")}`;
  return [result.seqNumber];
}

/** Adds a result to a device's. */
export function addResult(device: DeviceState, record: ResultRecord): void {
  device.results = [...device.results, record];
}

/** Puts `now` in the place of `before`. */
export function replaceResult(device: DeviceState, before: ResultRecord, now: ResultRecord): void {
  device.results = device.results.map((record) => (record === before ? now : record));
}

function resent(device: DeviceState, record: ResultRecord, notes: Notes): number[] {
  if (record.replaced) throw refuse(`the result with seqNumber ${record.seqNumber} was replaced by the result of a rollback`);
  replaceResult(device, record, { ...record, resent: record.resent + 1 });
  notes.reason = `the same result of package ${record.packageId} again`;
  return record.seqNumber === undefined ? [] : [record.seqNumber];
}

function takeUnsigned(core: Core, device: DeviceState, result: Exclude<EuiccPackageResult, Signed>, bf51: Tlv, notes: Notes): number[] {
  const record = result.transactionId === undefined ? oldestOpen(device, ["euiccPackage", "raw"]) : matchPackage(device, result.transactionId, undefined);
  if (record === undefined) throw refuse(`no package was given with eimTransactionId ${result.transactionId ?? "(none)"}`);
  if (result.associationToken !== device.associationToken) {
    notes.warnings.push(`euiccPackageErrorUnsigned: associationToken ${result.associationToken ?? "(none)"}, known is ${device.associationToken ?? "(none)"}`);
  }
  addResult(device, {
    kind: result.kind,
    time: core.now(),
    packageId: record.id,
    ...(result.transactionId !== undefined && { transactionId: result.transactionId }),
    verified: false,
    rollback: false,
    replaced: false,
    resent: 0,
    ...(result.error && { error: result.error }),
    der: bf51.raw,
  });
  finish(device, record);
  notes.reason = `package ${record.id}: unsigned error`;
  return [];
}

function verifySigned(core: Core, device: DeviceState, result: Signed, notes: Notes): boolean {
  const name = result.kind === "euiccPackageResult" ? "euiccSignEPR" : "euiccSignEPE";
  if (device.publicKey === undefined) {
    if (core.identity.policy.unverifiable === "refuse") throw refuse(`${name} can't be verified: the eUICC's certificate is not known`);
    notes.warnings.push(`${name} is not verified: the eUICC's certificate is not known`);
    return false;
  }
  if (!verify(device.curve, device.publicKey, concat(result.data, tokenObject(device.associationToken)), result.signature)) {
    throw refuse(`${name} does not verify over the received 30 and associationToken ${device.associationToken ?? 0}`);
  }
  return true;
}

function checkEcho(record: PackageRecord, result: Signed, notes: Notes): void {
  if (record.counter !== undefined && record.counter !== result.counter) {
    throw refuse(`eimTransactionId ${result.transactionId ?? "(none)"} belongs to counter ${record.counter}, the result has ${result.counter}`);
  }
  if (record.transactionId !== result.transactionId) {
    notes.warnings.push(`eimTransactionId ${record.transactionId ?? "(none)"} expected, the result has ${result.transactionId ?? "(none)"}`);
  }
}

/** Makes room for an EPR among the results of its package; true when it is a rollback's. */
function takeItsPlace(device: DeviceState, record: PackageRecord, result: Epr): boolean {
  const rollback = result.commands.some((command) => command.command === "rollback");
  const first = device.results.find((known) => known.packageId === record.id && known.kind === "euiccPackageResult" && !known.replaced);
  const taken = device.results.some((known) => known.seqNumber === result.seqNumber) || device.notifications.some((known) => known.seqNumber === result.seqNumber);
  if (taken) throw refuse(`seqNumber ${result.seqNumber} is that of another result or notification`);
  if (rollback && !record.rollback && record.kind !== "raw") throw refuse(`a rollbackResult for package ${record.id}, which grants no rollback`);
  if (first === undefined) return rollback;
  if (!rollback) throw refuse(`a second, different result for package ${record.id}: seqNumber ${first.seqNumber} came before`);
  if (first.rollback) throw refuse(`a second rollback for package ${record.id}`);
  replaceResult(device, first, { ...first, replaced: true });
  return true;
}

function checkCommands(record: PackageRecord, result: Epr, notes: Notes): void {
  result.commands.forEach((done, index) => {
    if (done.command === "rollback" || done.command === "processingTerminated") return;
    const asked = record.commands[index];
    if (asked !== done.command && record.kind === "euiccPackage") notes.warnings.push(`euiccResult ${index}: ${asked ?? "nothing"} was asked, ${done.command} is answered`);
  });
}

function refuse(reason: string): FunctionError {
  return new FunctionError(UNDEFINED_ERROR, reason, SECTION);
}
