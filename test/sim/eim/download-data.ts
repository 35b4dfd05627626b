/**
 * What an eIM knows of a download before it begins (SGP.32 v1.2 3.2.3.2, 4.8 of the types; SGP.22 v2.5 4.1): the activation code that it sent, or that
 * it holds (eimDownloadDataHandling), and how it takes part: confirmation code, ctxParams1, metadata, members that it leaves out.
 */
import { createHash } from "node:crypto";
import { concat, fromHex, toHex, utf8 } from "../core/bytes.js";
import { tlv } from "../codec/tlv.js";
import type { DeviceInfo } from "./euicc-data.js";
import type { DownloadTrigger } from "./packages.js";

/** How the eIM takes part in a download that it triggers; with none of these it only relays. Plain data. */
export interface DownloadHandling {
  /** The eIM holds the download data: the trigger goes without, and the IPA gives no address. Needs eimDownloadDataHandling. */
  readonly activationCode?: string;
  /** The eIM gives hashCc where the SM-DP+ wants a Confirmation Code. */
  readonly confirmationCode?: string;
  /** The eIM makes ctxParams1 from the deviceInfo that the IPA told. Needs eimCtxParams1Generation. */
  readonly ctxParams1?: boolean;
  /** The eIM checks metadata and PPRs in the IPA's place, and leaves the metadata out. Needs eimProfileMetadataVerification. */
  readonly verifyMetadata?: boolean;
  /** With verifyMetadata: bits of PprIds that a profile may have (1 ppr1, 2 ppr2); default none. */
  readonly allowedPprs?: readonly number[];
  /** Send the metadata all the same (default with verifyMetadata: false). */
  readonly sendMetadata?: boolean;
  /** Leave transactionId out where the signed data has it. */
  readonly omitTransactionId?: boolean;
  /** Octets that are left of euiccCiPKIdentifierToBeUsed. */
  readonly ciPkIdOctets?: number;
}

/** An activation code's fields (SGP.22 v2.5 4.1). */
export interface ActivationCode {
  readonly address: string;
  readonly matchingId: string;
  readonly oid?: string;
  readonly confirmationCodeRequired: boolean;
}

/** Fields of `[LPA:]1$address$matchingId[$oid][$1]`; undefined when it is none. */
export function parseActivationCode(text: string): ActivationCode | undefined {
  const [format, address, matchingId, oid, flag] = text.replace(/^LPA:/i, "").split("$");
  if (format !== "1" || address === undefined || address === "" || matchingId === undefined) return undefined;
  return { address, matchingId, ...(oid !== undefined && oid !== "" && { oid }), confirmationCodeRequired: flag === "1" };
}

/** The activation code of an event of an SM-DS: its EventID is the MatchingID at the server that it names. */
export function eventActivationCode(event: { readonly eventId: string; readonly rspServerAddress: string }): string {
  return `1$${event.rspServerAddress}$${event.eventId}`;
}

export interface DownloadData {
  /** The eIM holds it: the IPA doesn't know it. */
  readonly held: boolean;
  /** Absent: only the IPA knows. */
  readonly address?: string;
  readonly matchingId?: string;
  readonly oid?: string;
}

/** What a trigger says of the server to go to. */
export function downloadData(trigger: DownloadTrigger | undefined, handling: DownloadHandling | undefined): DownloadData {
  const held = handling?.activationCode !== undefined;
  const code = parseActivationCode((held ? handling.activationCode : trigger?.activationCode) ?? "");
  if (code !== undefined) return { held, address: code.address, matchingId: code.matchingId, ...(code.oid !== undefined && { oid: code.oid }) };
  return { held, ...(typeof trigger?.contactSmds === "string" && { address: trigger.contactSmds }) };
}

/** Throws TypeError for a handling that fits no trigger. */
export function checkHandling(trigger: DownloadTrigger, handling: DownloadHandling): void {
  const { activationCode, ciPkIdOctets } = handling;
  if (activationCode !== undefined && parseActivationCode(activationCode) === undefined) throw new TypeError(`expected an activation code like 1$smdp.example.com$ID to be held, got "${activationCode}"`);
  const sent = Object.values(trigger).some((value) => value !== undefined && value !== false);
  if (activationCode !== undefined && sent) throw new TypeError("expected an empty trigger where the eIM holds the download data, got one with data");
  if (ciPkIdOctets !== undefined && !(Number.isSafeInteger(ciPkIdOctets) && ciPkIdOctets >= 0 && ciPkIdOctets <= 20)) throw new RangeError(`expected 0 to 20 octets of euiccCiPKIdentifierToBeUsed, got ${ciPkIdOctets}`);
}

/** hashCc = SHA-256(SHA-256(code) || transactionId) (SGP.22 v2.5 3.1.3; types 8.8). */
export function hashCc(code: string, transactionId: Uint8Array): Uint8Array {
  const sha256 = (octets: Uint8Array): Uint8Array => new Uint8Array(createHash("sha256").update(octets).digest());
  return sha256(concat(sha256(utf8(code)), transactionId));
}

/** ctxParams1 A0 (SGP.22 v2.5 CtxParamsForCommonAuthentication) with what the IPA told of its device. */
export function ctxParams1(matchingId: string, device: DeviceInfo): Uint8Array {
  const capabilities = Object.entries(device.capabilities).map(([tag, octets]): [number, Uint8Array] => [parseInt(tag, 16), fromHex(octets)]);
  const inOrder = capabilities.toSorted(([a], [b]) => (a & 0x1f) - (b & 0x1f)).map(([tag, octets]) => tlv(tag, octets));
  const imei = device.imei === undefined ? [] : [tlv(0x82, imeiOctets(device.imei))];
  return tlv(0xa0, tlv(0x80, utf8(matchingId)), tlv(0xa1, tlv(0x80, swapped(device.tac)), tlv(0xa1, ...inOrder), ...imei));
}

function swapped(digits: string): Uint8Array {
  return fromHex(digits.replace(/(.)(.)/g, "$2$1"));
}

/** TBCD, but the last octet has the check digit in its high nibble and F in the low one (SGP.22 v2.5 4.2). */
function imeiOctets(imei: string): Uint8Array {
  return fromHex(toHex(swapped(imei.slice(0, 14))) + imei.slice(14).padEnd(2, "F"));
}
