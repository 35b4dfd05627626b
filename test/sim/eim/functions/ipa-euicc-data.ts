/**
 * What an eIM does with IpaEuiccDataResponse BF52 (SGP.32 v1.2 3.4, procedures 6): match it, verify certificates and learn the eUICC's key and token,
 * take the results and notifications that it lists.
 */
import { equal } from "../../core/bytes.js";
import type { Tlv } from "../../codec/tlv.js";
import { euiccKey } from "../certificates.js";
import type { Core, Notes } from "../core.js";
import { readIpaEuiccDataResponse, type IpaEuiccData, type IpaEuiccDataResponse } from "../euicc-data.js";
import { adoptToken, finish, matchPackage, oldestOpen } from "../queue.js";
import { FunctionError, tagText, UNDEFINED_ERROR } from "../refusal.js";
import type { DeviceState, PackageRecord } from "../state.js";
import { addResult, replaceResult, takeEuiccPackageResult } from "./euicc-package-result.js";
import { takeNotifications } from "./notifications.js";

const SECTION = "SGP.32 v1.2 3.4";

/** Takes BF52 of a device. Returns the sequence numbers of the results and notifications in it that hold. Throws FunctionError. */
export function takeIpaEuiccData(core: Core, device: DeviceState, bf52: Tlv, notes: Notes): number[] {
  const response = readIpaEuiccDataResponse(bf52, notes.warnings);
  const record = findRequest(device, response);
  if (response.kind === "ipaEuiccData") {
    checkTags(record, response.tags, notes);
    learn(core, device, response.data, notes);
  }
  const acknowledged = response.kind === "ipaEuiccData" ? takeLists(core, device, response, notes) : [];
  const known = device.results.find((result) => result.packageId === record.id && (equal(result.der, bf52.raw) || result.kind === "ipaEuiccData"));
  if (known !== undefined) {
    replaceResult(device, known, { ...known, resent: known.resent + 1 });
    return acknowledged;
  }
  addResult(device, {
    kind: response.kind,
    time: core.now(),
    packageId: record.id,
    ...(response.transactionId !== undefined && { transactionId: response.transactionId }),
    verified: false,
    rollback: false,
    replaced: false,
    resent: 0,
    ...(response.kind === "ipaEuiccData" ? { data: response.data } : { error: response.error }),
    der: bf52.raw,
  });
  finish(device, record);
  notes.reason = `package ${record.id}: ${response.kind === "ipaEuiccData" ? response.tags.map(tagText).join(" ") : response.error.name}`;
  return acknowledged;
}

function findRequest(device: DeviceState, response: IpaEuiccDataResponse): PackageRecord {
  const { transactionId } = response;
  const record = transactionId === undefined ? oldestOpen(device, ["ipaEuiccDataRequest", "raw"]) : matchPackage(device, transactionId, undefined);
  if (record === undefined || (record.kind !== "ipaEuiccDataRequest" && record.kind !== "raw")) {
    throw refuse(`no IpaEuiccDataRequest was given with eimTransactionId ${transactionId ?? "(none)"}`);
  }
  if (transactionId === undefined && record.transactionId !== undefined) throw refuse(`eimTransactionId ${record.transactionId} is not echoed`);
  return record;
}

/** What was asked for and always exists must be there; nothing else may be. */
function checkTags(record: PackageRecord, tags: readonly number[], notes: Notes): void {
  const asked = record.tags ?? tags;
  const always = [0xbf20, 0xbf22, 0x83, 0xa5, 0xa6, 0xa8, 0xa9];
  for (const tag of tags) if (!asked.includes(tag)) notes.warnings.push(`IpaEuiccData: ${tagText(tag)} was not asked for`);
  for (const tag of asked) if (always.includes(tag) && !tags.includes(tag)) notes.warnings.push(`IpaEuiccData: ${tagText(tag)} was asked for and is missing`);
}

/** What the IPA tells is not signed: it fills gaps, and never takes the place of what the eIM knows. */
function learn(core: Core, device: DeviceState, data: IpaEuiccData, notes: Notes): void {
  const { euiccCertificate, eumCertificate, associationToken } = data;
  if (euiccCertificate !== undefined && eumCertificate !== undefined) {
    const key = euiccKey(device.eid, euiccCertificate, eumCertificate, device.ciCertificates);
    if (typeof key === "string") throw refuse(key);
    if (device.publicKey === undefined) Object.assign(device, { euiccCertificate, eumCertificate, publicKey: key.publicKey, curve: key.curve });
  }
  if (associationToken !== undefined && device.associationToken === undefined) adoptToken(core, device, associationToken);
  if (associationToken !== undefined && device.associationToken !== associationToken) notes.warnings.push(`associationToken ${associationToken}, known is ${device.associationToken}`);
  device.data = { ...device.data, ...data };
}

function takeLists(core: Core, device: DeviceState, response: Extract<IpaEuiccDataResponse, { kind: "ipaEuiccData" }>, notes: Notes): number[] {
  const acknowledged: number[] = [];
  for (const bf51 of response.euiccPackageResults) {
    try {
      acknowledged.push(...takeEuiccPackageResult(core, device, bf51, notes));
    } catch (cause) {
      if (!(cause instanceof FunctionError)) throw cause;
      notes.warnings.push(`not acknowledged: ${cause.message}`);
    }
  }
  return [...acknowledged, ...takeNotifications(core, device, response.notifications, notes)];
}

function refuse(reason: string): FunctionError {
  return new FunctionError(UNDEFINED_ERROR, reason, SECTION);
}
