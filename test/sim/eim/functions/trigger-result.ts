/**
 * ProfileDownloadTriggerResult BF54 and eimPackageResultResponseError A0 (SGP.32 v1.2 3.2.3, types 3.2 and 4.9).
 */
import { equal, toHex } from "../../core/bytes.js";
import { readInteger, type Tlv } from "../../codec/tlv.js";
import { verify } from "../../pki/keys.js";
import type { Core, Notes } from "../core.js";
import { outcomeOfError, outcomeOfInstallation, type DownloadOutcome } from "../download-outcome.js";
import { coded, EIM_PACKAGE_RESULT_ERROR, TRIGGER_REASON } from "../names.js";
import { readPendingNotification, type PendingNotification } from "../notification.js";
import { finish, matchPackage, oldestOpen } from "../queue.js";
import { FunctionError, members, required, UNDEFINED_ERROR } from "../refusal.js";
import type { DeviceState, PackageRecord, ResultRecord } from "../state.js";
import { endSession } from "./download-result.js";
import { addResult, replaceResult } from "./euicc-package-result.js";
import { keep } from "./notifications.js";

const SECTION = "SGP.32 v1.2 3.2.3";

/** Takes BF54 of a device. Nothing in it is acknowledged. Throws FunctionError. */
export function takeTriggerResult(core: Core, device: DeviceState, bf54: Tlv, notes: Notes): number[] {
  const found = members(bf54.value, "ProfileDownloadTriggerResult", [0x82, [0xbf37, 0x30]], notes.warnings, true);
  const bf37 = found.get(0xbf37);
  const transactionId = hexOf(found.get(0x82));
  if (transactionId === undefined && bf37 !== undefined && wasResent(device, bf37, notes)) return [];
  const record = transactionId === undefined ? oldestOpen(device, ["profileDownloadTriggerRequest", "raw"]) : matchPackage(device, transactionId, undefined);
  // failures without an id all look alike: while a trigger waits for its result, one more is that result
  const anonymous = transactionId === undefined && bf37 === undefined && record !== undefined;
  if (!anonymous && wasResent(device, bf54, notes)) return [];
  if (record === undefined || (record.kind !== "profileDownloadTriggerRequest" && record.kind !== "raw")) {
    throw refuse(`no ProfileDownloadTriggerRequest was given with eimTransactionId ${transactionId ?? "(none)"}`);
  }
  const ended = bf37 === undefined ? readError(device, record, required(found, 0x30, "profileInstallationResult (BF37) or profileDownloadError"), notes) : takeInstallation(core, device, bf37, notes);
  if (device.download?.packageId === record.id) endSession(device);
  add(core, device, record, bf54, { kind: "profileDownloadTriggerResult", verified: false, ...(transactionId !== undefined && { transactionId }), ...ended });
  notes.reason = `package ${record.id}: ${outcomeText(ended.download)}`;
  return [];
}

type Ended = Partial<ResultRecord> & { readonly download: DownloadOutcome };

/** The PIR in a result: it is also a notification for its SM-DP+, whether it comes by itself too or not. */
function takeInstallation(core: Core, device: DeviceState, bf37: Tlv, notes: Notes): Ended {
  const notification = readPendingNotification(bf37, notes.warnings);
  const verified = verifyInstallation(device, notification, notes);
  keep(core, device, notification, verified, notes);
  const { installation, seqNumber } = notification;
  return { verified, seqNumber, ...(installation && { installation }), download: outcomeOfInstallation(notification) };
}

function readError(device: DeviceState, record: PackageRecord, item: Tlv, notes: Notes): Ended {
  const found = members(item.value, "profileDownloadError", [0x80, 0x04], notes.warnings);
  const error = coded(readInteger(required(found, 0x80, "profileDownloadErrorReason").value), TRIGGER_REASON);
  const cancelled = device.download?.packageId === record.id ? device.download.cancelled : undefined;
  return { error, download: outcomeOfError(error.name, found.get(0x04)?.value, cancelled) };
}

function outcomeText(outcome: DownloadOutcome): string {
  if ("installed" in outcome) return `installed ${outcome.installed}`;
  return [outcome.reason, outcome.error, outcome.cancelled && `cancelled: ${outcome.cancelled}`].filter((text) => text !== undefined).join(", ");
}

/** Takes A0, the IPA's word that a package is no package. It may be for one that a behaviour made up: then it fits none, and is kept so. */
export function takeResponseError(core: Core, device: DeviceState, a0: Tlv, notes: Notes): number[] {
  const found = members(a0.value, "EimPackageResultResponseError", [0x80, 0x02], notes.warnings);
  const transactionId = hexOf(found.get(0x80));
  const error = coded(readInteger(required(found, 0x02, "eimPackageResultErrorCode").value), EIM_PACKAGE_RESULT_ERROR);
  const kinds: readonly PackageRecord["kind"][] = ["euiccPackage", "ipaEuiccDataRequest", "profileDownloadTriggerRequest", "raw"];
  const record = transactionId === undefined ? oldestOpen(device, kinds) : matchPackage(device, transactionId, undefined);
  if (record !== undefined && wasResent(device, a0, notes)) return [];
  if (record === undefined) notes.warnings.push(`eimPackageResultResponseError ${error.name} fits no package that was given`);
  add(core, device, record, a0, { kind: "eimPackageResultResponseError", verified: false, ...(transactionId !== undefined && { transactionId }), error });
  notes.reason = `package ${record?.id ?? "(none)"}: ${error.name}`;
  return [];
}

function add(core: Core, device: DeviceState, record: PackageRecord | undefined, item: Tlv, result: Pick<ResultRecord, "kind" | "verified"> & Partial<ResultRecord>): void {
  addResult(device, { ...result, time: core.now(), rollback: false, replaced: false, resent: 0, der: item.raw, ...(record && { packageId: record.id }) });
  if (record !== undefined) finish(device, record);
}

function wasResent(device: DeviceState, item: Tlv, notes: Notes): boolean {
  const known = device.results.find((result) => equal(result.der, item.raw));
  if (known === undefined) return false;
  replaceResult(device, known, { ...known, resent: known.resent + 1 });
  notes.reason = `the same result of package ${known.packageId ?? "(none)"} again`;
  return true;
}

function verifyInstallation(device: DeviceState, installation: PendingNotification, notes: Notes): boolean {
  if (device.publicKey === undefined) {
    notes.warnings.push("euiccSignPIR is not verified: the eUICC's certificate is not known");
    return false;
  }
  if (!verify(device.curve, device.publicKey, installation.signed, installation.signature)) throw refuse("euiccSignPIR does not verify over BF27");
  return true;
}

function hexOf(item: Tlv | undefined): string | undefined {
  return item && toHex(item.value);
}

function refuse(reason: string): FunctionError {
  return new FunctionError(UNDEFINED_ERROR, reason, SECTION);
}
