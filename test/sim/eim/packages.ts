/**
 * eIM Packages as their author writes them: PSMO and eCO commands, IpaEuiccDataRequest, ProfileDownloadTriggerRequest
 * (SGP.32 v1.2 2.11.1, 3.3 to 3.5; types BF51, BF52, BF54). Only the coding is here; numbers and signatures are the eIM's (queue.ts).
 * `raw` forms carry any octets, for negative tests.
 */
import { concat } from "../core/bytes.js";
import { bits, integer, readOne, tlv } from "../codec/tlv.js";
import type { DownloadHandling } from "./download-data.js";
import { boundedUtf8, iccidBytes, oidBytes } from "./identifiers.js";

/** One PSMO or eCO. All commands of one eUICC Package are of the same list. */
export interface Command {
  readonly list: "psmo" | "eco";
  /** Name in the ASN.1: "enable", "addEim"; "raw" for octets as given. */
  readonly name: string;
  readonly der: Uint8Array;
  /** enable with rollbackFlag. */
  readonly rollback?: boolean;
}

/** ICCID as 18 to 20 digits, or its 10 coded octets. */
export type Iccid = string | Uint8Array;

/** searchCriteria of ProfileInfoListRequest: exactly one. */
export type ProfileSearch = { readonly isdpAid: Uint8Array } | { readonly iccid: Iccid } | { readonly profileClass: number };

const psmoCommand = (name: string, der: Uint8Array): Command => ({ list: "psmo", name, der });
const ecoCommand = (name: string, der: Uint8Array): Command => ({ list: "eco", name, der });

/** Profile State Management Operations (SGP.32 v1.2 3.4). */
export const psmo = {
  /** rollback: carry the rollbackFlag, so that the IPA may go back when it can't reach the eIM any more. */
  enable(iccid: Iccid, options: { rollback?: boolean } = {}): Command {
    const rollback = options.rollback === true;
    return { ...psmoCommand("enable", tlv(0xa3, iccidTlv(iccid), rollback ? tlv(0x05) : [])), rollback };
  },
  disable: (iccid: Iccid): Command => psmoCommand("disable", tlv(0xa4, iccidTlv(iccid))),
  delete: (iccid: Iccid): Command => psmoCommand("delete", tlv(0xa5, iccidTlv(iccid))),
  getRAT: (): Command => psmoCommand("getRAT", tlv(0xa6)),
  /** immediateEnable false leaves the flag out: immediate enabling is switched off. */
  configureImmediateEnable(options: { immediateEnable?: boolean; defaultSmdpOid?: string; defaultSmdpAddress?: string }): Command {
    const flag = options.immediateEnable === false ? [] : tlv(0x80);
    const oid = options.defaultSmdpOid === undefined ? [] : tlv(0x81, oidBytes(options.defaultSmdpOid));
    const address = options.defaultSmdpAddress === undefined ? [] : tlv(0x82, boundedUtf8(options.defaultSmdpAddress, "an SM-DP+ address", 0, 255));
    return psmoCommand("configureImmediateEnable", tlv(0xa7, flag, oid, address));
  },
  setFallbackAttribute: (iccid: Iccid): Command => psmoCommand("setFallbackAttribute", tlv(0xa8, iccidTlv(iccid))),
  unsetFallbackAttribute: (): Command => psmoCommand("unsetFallbackAttribute", tlv(0xa9)),
  /** tags: of ProfileInfo, as numbers (0x5A, 0x9F70) or as the content of 5C. */
  listProfileInfo(search?: ProfileSearch, tags?: readonly number[] | Uint8Array): Command {
    const criteria = search === undefined ? [] : tlv(0xa0, searchTlv(search));
    return psmoCommand("listProfileInfo", tlv(0xbf2d, criteria, tags === undefined ? [] : tlv(0x5c, tagListBytes(tags))));
  },
  /** An empty address removes the default SM-DP+. */
  setDefaultDpAddress: (address: string): Command => psmoCommand("setDefaultDpAddress", tlv(0xbf65, tlv(0x80, boundedUtf8(address, "an SM-DP+ address", 0, 255)))),
  /** Any octets in the place of a PSMO. */
  raw: (der: Uint8Array): Command => psmoCommand("raw", der),
};

/** eIM Configuration Operations (SGP.32 v1.2 3.5.1). `configuration`: members of EimConfigurationData, or the whole 30. */
export const eco = {
  addEim: (configuration: Uint8Array): Command => ecoCommand("addEim", tlv(0xa8, membersOf(configuration))),
  deleteEim: (eimId: string): Command => ecoCommand("deleteEim", tlv(0xa9, tlv(0x80, boundedUtf8(eimId, "an eimId", 1, 128)))),
  updateEim: (configuration: Uint8Array): Command => ecoCommand("updateEim", tlv(0xaa, membersOf(configuration))),
  listEim: (): Command => ecoCommand("listEim", tlv(0xab)),
  /** Any octets in the place of an eCO. */
  raw: (der: Uint8Array): Command => ecoCommand("raw", der),
};

/** Tags that a tagList of IpaEuiccDataRequest may hold (SGP.32 v1.2, IpaEuiccData). */
export const IPA_EUICC_DATA = {
  notificationsList: 0xa0,
  defaultSmdpAddress: 0x81,
  euiccPackageResultList: 0xa2,
  euiccInfo1: 0xbf20,
  euiccInfo2: 0xbf22,
  rootSmdsAddress: 0x83,
  associationToken: 0x84,
  eumCertificate: 0xa5,
  euiccCertificate: 0xa6,
  ipaCapabilities: 0xa8,
  deviceInfo: 0xa9,
} as const;

export interface DataRequest {
  /** Tags as numbers, or the content of 5C as it shall be sent. */
  readonly tags: readonly number[] | Uint8Array;
  /** euiccCiPKIdentifierToBeUsed, possibly truncated. */
  readonly ciPkId?: Uint8Array;
  /** searchCriteriaNotification; `event`: bits of NotificationEvent (0 install, 1 enable, 2 disable, 3 delete). */
  readonly notification?: { readonly seqNumber: number } | { readonly event: readonly number[] };
  /** searchCriteriaEuiccPackageResult. */
  readonly euiccPackageResult?: { readonly seqNumber: number };
}

/** Exactly one, or none of them: the eIM holds the download data. */
export interface DownloadTrigger {
  readonly activationCode?: string;
  readonly contactDefaultSmdp?: boolean;
  /** true: the root SM-DS; a string: that SM-DS. */
  readonly contactSmds?: boolean | string;
}

/** What can be queued for a device. */
export type PackageContent =
  | { readonly kind: "euiccPackage"; readonly commands: readonly Command[] }
  | { readonly kind: "ipaEuiccDataRequest"; readonly request: DataRequest }
  | { readonly kind: "profileDownloadTriggerRequest"; readonly trigger: DownloadTrigger; readonly handling?: DownloadHandling }
  | { readonly kind: "raw"; readonly der: Uint8Array };

export type PackageKind = PackageContent["kind"];

export const dataRequest = (request: DataRequest): PackageContent => ({ kind: "ipaEuiccDataRequest", request });
/** `handling`: what the eIM holds and does in this download; absent: it relays. */
export const downloadTrigger = (trigger: DownloadTrigger = {}, handling?: DownloadHandling): PackageContent => ({ kind: "profileDownloadTriggerRequest", trigger, ...(handling && { handling }) });
/** The octets between BF4F and its end, exactly so. */
export const rawPackage = (der: Uint8Array): PackageContent => ({ kind: "raw", der });

/** euiccPackageSigned: the 30 that is signed. `transactionId` undefined leaves it out. */
export function euiccPackageSigned(head: { eimId: string; eid: Uint8Array; counterValue: number; transactionId: Uint8Array | undefined }, commands: readonly Command[]): Uint8Array {
  const lists = new Set(commands.map((command) => command.list));
  if (lists.size > 1) throw new TypeError("expected PSMOs only or eCOs only in one eUICC Package, got both");
  const list = lists.has("eco") ? 0xa1 : 0xa0;
  return tlv(
    0x30,
    tlv(0x80, boundedUtf8(head.eimId, "an eimId", 1, 128)),
    tlv(0x5a, head.eid),
    tlv(0x81, integer(head.counterValue)),
    optional(0x82, head.transactionId),
    tlv(list, ...commands.map((command) => command.der)),
  );
}

/** BF52 as the eIM sends it. */
export function ipaEuiccDataRequest(request: DataRequest, transactionId: Uint8Array | undefined): Uint8Array {
  const { notification, euiccPackageResult } = request;
  const criteria = notification && ("seqNumber" in notification ? tlv(0x80, integer(notification.seqNumber)) : tlv(0x81, bits(...notification.event)));
  return tlv(
    0xbf52,
    tlv(0x5c, tagListBytes(request.tags)),
    optional(0x04, request.ciPkId),
    optional(0xa1, criteria),
    optional(0xa2, euiccPackageResult && tlv(0x80, integer(euiccPackageResult.seqNumber))),
    optional(0x83, transactionId),
  );
}

/** BF54 as the eIM sends it. Throws TypeError when more than one form of profileDownloadData is given. */
export function profileDownloadTriggerRequest(trigger: DownloadTrigger, transactionId: Uint8Array | undefined): Uint8Array {
  const forms = [
    trigger.activationCode === undefined ? [] : [tlv(0x80, boundedUtf8(trigger.activationCode, "an activation code", 0, 255))],
    trigger.contactDefaultSmdp === true ? [tlv(0x81)] : [],
    trigger.contactSmds === undefined || trigger.contactSmds === false ? [] : [tlv(0xa2, smdsAddress(trigger.contactSmds))],
  ].flat();
  if (forms.length > 1) throw new TypeError(`expected one form of profileDownloadData, got ${Object.keys(trigger).join(", ")}`);
  return tlv(0xbf54, optional(0xa0, forms[0]), optional(0x82, transactionId));
}

/** Concatenated tags: the content of 5C. */
function tagListBytes(tags: readonly number[] | Uint8Array): Uint8Array {
  if (tags instanceof Uint8Array) return tags;
  return concat(...tags.map((tag) => Uint8Array.from(tag > 0xff ? [tag >> 8, tag & 0xff] : [tag])));
}

function optional(tag: number, content: Uint8Array | undefined): Uint8Array {
  return content === undefined ? new Uint8Array(0) : tlv(tag, content);
}

function smdsAddress(to: true | string): Uint8Array {
  return to === true ? new Uint8Array(0) : tlv(0x80, boundedUtf8(to, "an SM-DS address", 1, 255));
}

function iccidTlv(iccid: Iccid): Uint8Array {
  return tlv(0x5a, iccidBytes(iccid));
}

function searchTlv(search: ProfileSearch): Uint8Array {
  if ("isdpAid" in search) return tlv(0x4f, search.isdpAid);
  return "iccid" in search ? iccidTlv(search.iccid) : tlv(0x95, integer(search.profileClass));
}

/** Members of an EimConfigurationData, which may come as the whole 30. */
function membersOf(configuration: Uint8Array): Uint8Array {
  return configuration[0] === 0x30 ? readOne(configuration, 0x30).value : configuration;
}
