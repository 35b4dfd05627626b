/**
 * How a PIR ends a download (SGP.32 v1.2 3.2.3.2, procedures 10): its session is over, and where the trigger had no eimTransactionId, so that no
 * ProfileDownloadTriggerResult need follow, the package is closed by it.
 */
import type { Core } from "../core.js";
import { outcomeOfInstallation } from "../download-outcome.js";
import type { PendingNotification } from "../notification.js";
import { finish } from "../queue.js";
import type { DeviceState } from "../state.js";
import { addResult } from "./euicc-package-result.js";

/** Ends the session of a device; its answers, a whole Bound Profile Package among them, are forgotten. */
export function endSession(device: DeviceState): void {
  if (device.download !== undefined) device.download = { ...device.download, phase: "ended", answers: [] };
}

/** Takes note of a PIR that came by itself. */
export function noteInstallation(core: Core, device: DeviceState, notification: PendingNotification, verified: boolean): void {
  const { installation, seqNumber } = notification;
  const session = device.download;
  if (installation === undefined || session === undefined || session.transactionId !== installation.transactionId) return;
  endSession(device);
  const record = device.packages.find((one) => one.id === session.packageId);
  if (record === undefined || record.transactionId !== undefined || device.results.some((result) => result.packageId === record.id)) return;
  addResult(device, {
    kind: "profileDownloadTriggerResult", time: core.now(), packageId: record.id, seqNumber, verified, rollback: false, replaced: false, resent: 0,
    installation, download: outcomeOfInstallation(notification), der: notification.raw,
  });
  finish(device, record);
}
