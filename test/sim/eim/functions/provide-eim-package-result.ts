/**
 * ESipa.ProvideEimPackageResult BF50 (SGP.32 v1.2 5.14.6) and its acknowledgements BF53: exactly the sequence numbers of what was taken.
 * The v1.0 forms (a CHOICE without EID in place of the SEQUENCE; notifications without A0) are refused; a missing EID is the policy's.
 */
import { integer, tlv, type Tlv } from "../../codec/tlv.js";
import { identify, type Core, type Notes } from "../core.js";
import { readEuiccPackageResult } from "../euicc-result.js";
import { BadRequest, FunctionError, members, parts, required, tagText, UNDEFINED_ERROR } from "../refusal.js";
import type { DeviceState } from "../state.js";
import { takeEuiccPackageResult } from "./euicc-package-result.js";
import { takeIpaEuiccData } from "./ipa-euicc-data.js";
import { takeNotifications } from "./notifications.js";
import { takeResponseError, takeTriggerResult } from "./trigger-result.js";

const SECTION = "SGP.32 v1.2 5.14.6";

export function provideEimPackageResult(core: Core, message: Tlv, notes: Notes): Uint8Array {
  return eimAcknowledgements(takeResult(core, message, notes));
}

/** BF50 with BF53, or emptyResponse when there is nothing to acknowledge. */
export function eimAcknowledgements(numbers: readonly number[]): Uint8Array {
  if (numbers.length === 0) return tlv(0xbf50, tlv(0x30));
  return tlv(0xbf50, tlv(0xbf53, ...numbers.map((number) => tlv(0x80, integer(number)))));
}

/** BF50 with provideEimPackageResultError. */
export function provideEimPackageResultError(code: number): Uint8Array {
  return tlv(0xbf50, tlv(0x02, integer(code)));
}

/** Takes the result in a ProvideEimPackageResult, wherever it came. Returns the sequence numbers to acknowledge. */
export function takeResult(core: Core, message: Tlv, notes: Notes): number[] {
  const [first, ...rest] = parts(message.value, "ProvideEimPackageResult", true);
  const eid = first?.tag === 0x5a ? first : undefined;
  const [result, ...more] = eid === undefined && first !== undefined ? [first, ...rest] : rest;
  if (result === undefined) throw new BadRequest("ProvideEimPackageResult: eimPackageResult is missing", SECTION);
  const double = more.find((item) => item.tag === 0x5a || ALTERNATIVES.has(item.tag));
  if (double !== undefined) throw new BadRequest(`ProvideEimPackageResult: ${tagText(double.tag)} is doubled or out of order`, SECTION);
  if (more.length > 0) notes.warnings.push(`ProvideEimPackageResult: unknown members ${more.map((item) => tagText(item.tag)).join(" ")} are skipped`);
  const take = ALTERNATIVES.get(result.tag);
  if (take === undefined) throw new FunctionError(UNDEFINED_ERROR, `EimPackageResult: unknown alternative ${tagText(result.tag)}`, SECTION);
  return take(core, eid === undefined ? withoutEid(core, result, notes) : identify(core, eid, notes), result, notes);
}

type Take = (core: Core, device: DeviceState, result: Tlv, notes: Notes) => number[];

const ALTERNATIVES: ReadonlyMap<number, Take> = new Map<number, Take>([
  [0xbf51, takeEuiccPackageResult],
  [0x30, takeEprAndNotifications],
  [0xbf52, takeIpaEuiccData],
  [0xbf54, takeTriggerResult],
  [0xa0, takeResponseError],
]);

function takeEprAndNotifications(core: Core, device: DeviceState, item: Tlv, notes: Notes): number[] {
  const found = members(item.value, "EPRAndNotifications", [0xbf51, 0xa0], notes.warnings, true);
  const bf51 = required(found, 0xbf51, "euiccPackageResult");
  const list = parts(required(found, 0xa0, "notificationList").value, "notificationList", true);
  if (list.length === 0) notes.warnings.push("ePRAndNotifications without a notification: euiccPackageResult alone is expected then");
  if ([0xa1, 0xa2].includes(parts(bf51.value, "EuiccPackageResult", true)[0]?.tag ?? 0)) notes.warnings.push("an error result is bundled with notifications");
  const numbers = takeEuiccPackageResult(core, device, bf51, notes);
  return [...numbers, ...takeNotifications(core, device, list, notes)];
}

/** The only device that has an open package for this result, when the policy allows to look for it. */
function withoutEid(core: Core, result: Tlv, notes: Notes): DeviceState {
  const devices = [...core.state.devices.values()];
  if (core.identity.policy.missingEid === "refuse") return identify(core, undefined, notes);
  notes.warnings.push("eidValue (5A) is missing: matched by the result");
  const transactionId = transactionOf(result);
  const fitting = devices.filter((device) => device.packages.some((record) => record.given > 0 && (transactionId === undefined || record.transactionId === transactionId)));
  const [only] = fitting;
  if (only === undefined || fitting.length > 1) return identify(core, undefined, notes);
  notes.eid = only.eid;
  return only;
}

function transactionOf(result: Tlv): string | undefined {
  const bf51 = result.tag === 0xbf51 ? result : result.tag === 0x30 ? parts(result.value, "EPRAndNotifications", true)[0] : undefined;
  return bf51?.tag === 0xbf51 ? readEuiccPackageResult(bf51, []).transactionId : undefined;
}
