/**
 * PendingNotification as it reaches an eIM (SGP.32 v1.2, types 3.4 and 10; SGP.22 v2.5 3.5): profileInstallationResult BF37, otherSignedNotification 30,
 * compactOtherSignedNotification A1. compactProfileInstallationResult A0 needs the download session that it leaves things out of: refused by name.
 * Decoding only; signatures are checked in functions/notifications.ts.
 */
import { toHex } from "../core/bytes.js";
import { readBits, readInteger, type Tlv } from "../codec/tlv.js";
import { iccidDigits, oidText } from "./identifiers.js";
import { BPP_COMMAND, coded, INSTALLATION_ERROR, NOTIFICATION_EVENT, type Coded } from "./names.js";
import { BadRequest, members, parts, required, tagText, utf8Text } from "./refusal.js";

export interface InstallationResult {
  /** Hexadecimal transaction id of the download session. */
  readonly transactionId: string;
  readonly smdpOid: string;
  readonly success: boolean;
  readonly isdpAid?: string;
  readonly bppCommand?: Coded;
  readonly error?: Coded;
}

export interface Metadata {
  readonly seqNumber: number;
  readonly event: (typeof NOTIFICATION_EVENT)[number];
  readonly receiver: string;
  readonly iccid?: string;
}

export interface PendingNotification extends Metadata {
  readonly form: "profileInstallationResult" | "otherSignedNotification" | "compactOtherSignedNotification";
  /** BF27 or BF2F, as received. */
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
  /** The signature's TLV. */
  readonly signatureTlv: Uint8Array;
  readonly euiccCertificate?: Uint8Array;
  readonly eumCertificate?: Uint8Array;
  /** EID of a compact form. */
  readonly eid?: Uint8Array;
  readonly installation?: InstallationResult;
  readonly raw: Uint8Array;
}

/** Decodes one alternative of PendingNotification. Throws BadRequest. */
export function readPendingNotification(item: Tlv, warnings: string[]): PendingNotification {
  switch (item.tag) {
    case 0xbf37:
      return readInstallation(item, warnings);
    case 0x30:
      return readOther(item, warnings);
    case 0xa1:
      return readCompactOther(item, warnings);
    case 0xa0:
      throw new BadRequest("compactProfileInstallationResult: there is no download session to rebuild it from", "SGP.32 v1.2 compact forms");
    default:
      throw new BadRequest(`PendingNotification: expected BF37, 30, A0 or A1, got ${tagText(item.tag)}`, "SGP.32 v1.2 PendingNotification");
  }
}

/** Decodes ProfileInstallationResultData BF27 with its metadata. */
function readInstallation(bf37: Tlv, warnings: string[]): PendingNotification {
  const found = members(bf37.value, "ProfileInstallationResult", [0xbf27, 0x5f37], warnings, true);
  const data = required(found, 0xbf27, "profileInstallationResultData");
  const signature = required(found, 0x5f37, "euiccSignPIR");
  const inside = members(data.value, "ProfileInstallationResultData", [0x80, 0xbf2f, 0x06, 0xa2], warnings, true);
  return {
    form: "profileInstallationResult",
    ...readMetadata(required(inside, 0xbf2f, "notificationMetadata"), warnings),
    signed: data.raw,
    signature: signature.value,
    signatureTlv: signature.raw,
    installation: {
      transactionId: toHex(required(inside, 0x80, "transactionId").value),
      smdpOid: oidText(required(inside, 0x06, "smdpOid").value),
      ...readFinalResult(required(inside, 0xa2, "finalResult")),
    },
    raw: bf37.raw,
  };
}

function readFinalResult(a2: Tlv): Pick<InstallationResult, "success" | "isdpAid" | "bppCommand" | "error"> {
  const [chosen] = parts(a2.value, "finalResult", true);
  if (chosen === undefined || (chosen.tag !== 0xa0 && chosen.tag !== 0xa1)) {
    throw new BadRequest(`finalResult: expected A0 or A1, got ${chosen ? tagText(chosen.tag) : "nothing"}`, "SGP.22 v2.5 2.5.6");
  }
  const success = chosen.tag === 0xa0;
  const found = members(chosen.value, "finalResult", success ? [0x4f, 0x04] : [0x80, 0x81, 0x82], [], true);
  if (success) return { success, isdpAid: toHex(required(found, 0x4f, "aid").value) };
  return {
    success,
    bppCommand: coded(readInteger(required(found, 0x80, "bppCommandId").value, { lenient: true }), BPP_COMMAND),
    error: coded(readInteger(required(found, 0x81, "errorReason").value, { lenient: true }), INSTALLATION_ERROR),
  };
}

function readOther(item: Tlv, warnings: string[]): PendingNotification {
  // Two certificates follow each other under the same tag: read by place, not by tag.
  const [metadata, signature, euicc, eum] = parts(item.value, "OtherSignedNotification", true);
  if (metadata?.tag !== 0xbf2f || signature?.tag !== 0x5f37 || euicc?.tag !== 0x30 || eum?.tag !== 0x30) {
    throw new BadRequest(`OtherSignedNotification: expected BF2F 5F37 30 30, got ${parts(item.value, "", true).map((part) => tagText(part.tag)).join(" ")}`, "SGP.22 v2.5 3.5");
  }
  return {
    form: "otherSignedNotification",
    ...readMetadata(metadata, warnings),
    signed: metadata.raw,
    signature: signature.value,
    signatureTlv: signature.raw,
    euiccCertificate: euicc.raw,
    eumCertificate: eum.raw,
    raw: item.raw,
  };
}

function readCompactOther(item: Tlv, warnings: string[]): PendingNotification {
  const found = members(item.value, "CompactOtherSignedNotification", [0x5a, 0xbf2f, 0x5f37], warnings, true);
  const metadata = required(found, 0xbf2f, "tbsOtherNotification");
  const signature = required(found, 0x5f37, "euiccNotificationSignature");
  const eid = found.get(0x5a);
  return {
    form: "compactOtherSignedNotification",
    ...readMetadata(metadata, warnings),
    signed: metadata.raw,
    signature: signature.value,
    signatureTlv: signature.raw,
    ...(eid && { eid: eid.value }),
    raw: item.raw,
  };
}

function readMetadata(bf2f: Tlv, warnings: string[]): Metadata {
  const found = members(bf2f.value, "NotificationMetadata", [0x80, 0x81, 0x0c, 0x5a], warnings, true);
  const events = readBits(required(found, 0x81, "profileManagementOperation").value);
  const event = NOTIFICATION_EVENT[events[0] ?? -1];
  if (events.length !== 1 || event === undefined) {
    throw new BadRequest(`profileManagementOperation: expected exactly one of install, enable, disable, delete, got bits {${events.join(",")}}`, "SGP.22 v2.5 NotificationMetadata");
  }
  const iccid = found.get(0x5a);
  return {
    seqNumber: readInteger(required(found, 0x80, "seqNumber").value, { lenient: true }),
    event,
    receiver: utf8Text(required(found, 0x0c, "notificationAddress"), "notificationAddress"),
    ...(iccid && { iccid: iccidDigits(iccid.value) }),
  };
}
