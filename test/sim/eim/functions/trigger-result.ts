/**
 * ProfileDownloadTriggerResult BF54 and eimPackageResultResponseError A0 (SGP.32 v1.2 3.2.3, types 3.2 and 4.9).
 */
import { equal, toHex } from "../../core/bytes.js";
import { readInteger, type Tlv } from "../../codec/tlv.js";
import { verify } from "../../pki/keys.js";
import type { Core, Notes } from "../core.js";
import { coded, EIM_PACKAGE_RESULT_ERROR, TRIGGER_REASON } from "../names.js";
import { readPendingNotification, type PendingNotification } from "../notification.js";
import { finish, matchPackage, oldestOpen } from "../queue.js";
import { FunctionError, members, required, UNDEFINED_ERROR } from "../refusal.js";
import type { DeviceState, PackageRecord, ResultRecord } from "../state.js";
import { addResult, replaceResult } from "./euicc-package-result.js";

const SECTION = "SGP.32 v1.2 3.2.3";

/** Takes BF54 of a device. Nothing in it is acknowledged. Throws FunctionError. */
export function takeTriggerResult(core: Core, device: DeviceState, bf54: Tlv, notes: Notes): number[] {
  const found = members(bf54.value, "ProfileDownloadTriggerResult", [0x82, [0xbf37, 0x30]], notes.warnings, true);
  const bf37 = found.get(0xbf37);
  const transactionId = hexOf(found.get(0x82));
  const record = transactionId === undefined ? oldestOpen(device, ["profileDownloadTriggerRequest", "raw"]) : matchPackage(device, transactionId, undefined);
  if (wasResent(device, bf54, notes)) return [];
  if (record === undefined || (record.kind !== "profileDownloadTriggerRequest" && record.kind !== "raw")) {
    throw refuse(`no ProfileDownloadTriggerRequest was given with eimTransactionId ${transactionId ?? "(none)"}`);
  }
  const installation = bf37 && readPendingNotification(bf37, notes.warnings);
  const verified = installation !== undefined && verifyInstallation(device, installation, notes);
  const error = installation ? {} : { error: readReason(required(found, 0x30, "profileInstallationResult (BF37) or profileDownloadError"), notes) };
  add(core, device, record, bf54, {
    kind: "profileDownloadTriggerResult",
    verified,
    ...(transactionId !== undefined && { transactionId }),
    ...(installation?.installation && { installation: installation.installation, seqNumber: installation.seqNumber }),
    ...error,
  });
  notes.reason = `package ${record.id}: ${installation ? `installed: ${installation.installation?.success}` : error.error?.name}`;
  return [];
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

function readReason(item: Tlv, notes: Notes): ReturnType<typeof coded> {
  const found = members(item.value, "profileDownloadError", [0x80, 0x04], notes.warnings);
  return coded(readInteger(required(found, 0x80, "profileDownloadErrorReason").value), TRIGGER_REASON);
}

function hexOf(item: Tlv | undefined): string | undefined {
  return item && toHex(item.value);
}

function refuse(reason: string): FunctionError {
  return new FunctionError(UNDEFINED_ERROR, reason, SECTION);
}
