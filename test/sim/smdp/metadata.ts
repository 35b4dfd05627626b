/**
 * Profile metadata, StoreMetadataRequest BF25 (SGP.22 v2.5 5.5.3, SGP.32 v1.2; sgp32-types 11).
 */
import { utf8 } from "../core/bytes.js";
import { bits, tlv } from "../codec/tlv.js";
import { iccidBytes, plmnBytes } from "../rsp/coding.js";

export type NotificationEvent = "install" | "enable" | "disable" | "delete";
export type PolicyRule = "pprUpdateControl" | "ppr1" | "ppr2";

const EVENTS: readonly NotificationEvent[] = ["install", "enable", "disable", "delete"];
const RULES: readonly PolicyRule[] = ["pprUpdateControl", "ppr1", "ppr2"];
const CLASSES = ["test", "provisioning", "operational"] as const;

export interface MetadataOptions {
  /** 18 to 20 digits. */
  readonly iccid: string;
  /** At most 32 octets. */
  readonly serviceProviderName?: string;
  /** At most 64 octets. */
  readonly profileName?: string;
  /** At most 1024 octets. */
  readonly icon?: { readonly type: "jpg" | "png"; readonly data: Uint8Array };
  /** Default operational, which is not encoded. */
  readonly profileClass?: (typeof CLASSES)[number];
  /** notificationConfigurationInfo: which events are told to whom. */
  readonly notifications?: readonly { readonly events: readonly NotificationEvent[]; readonly address: string }[];
  /** profileOwner; mccMnc as "262-01". A gid of no octets is encoded. */
  readonly owner?: { readonly mccMnc: string; readonly gid1?: Uint8Array; readonly gid2?: Uint8Array };
  readonly policyRules?: readonly PolicyRule[];
  readonly ecallIndication?: boolean;
  readonly fallbackAllowed?: boolean;
  /** Whole TLVs behind the members above. */
  readonly extra?: readonly Uint8Array[];
}

/** BF25. Throws TypeError or RangeError for values that don't fit. */
export function storeMetadata(options: MetadataOptions): Uint8Array {
  const { icon, profileClass, notifications, owner, policyRules, ecallIndication, fallbackAllowed } = options;
  return tlv(
    0xbf25,
    tlv(0x5a, iccidBytes(options.iccid)),
    tlv(0x91, bounded("serviceProviderName", utf8(options.serviceProviderName ?? "tinyipa"), 32)),
    tlv(0x92, bounded("profileName", utf8(options.profileName ?? "test profile"), 64)),
    ...(icon === undefined ? [] : [tlv(0x93, [icon.type === "jpg" ? 0 : 1]), tlv(0x94, bounded("icon", icon.data, 1024))]),
    ...(profileClass === undefined || profileClass === "operational" ? [] : [tlv(0x95, [CLASSES.indexOf(profileClass)])]),
    ...(notifications === undefined ? [] : [tlv(0xb6, ...notifications.map(notificationConfiguration))]),
    ...(owner === undefined ? [] : [operatorId(owner)]),
    ...(policyRules === undefined ? [] : [tlv(0x99, bits(...policyRules.map((rule) => RULES.indexOf(rule))))]),
    ...flag(0x9f7b, ecallIndication),
    ...flag(0x9f67, fallbackAllowed),
    ...(options.extra ?? []),
  );
}

function notificationConfiguration({ events, address }: NonNullable<MetadataOptions["notifications"]>[number]): Uint8Array {
  return tlv(0x30, tlv(0x80, bits(...events.map((event) => EVENTS.indexOf(event)))), tlv(0x81, utf8(address)));
}

function operatorId({ mccMnc, gid1, gid2 }: NonNullable<MetadataOptions["owner"]>): Uint8Array {
  return tlv(0xb7, tlv(0x80, plmnBytes(mccMnc)), ...(gid1 === undefined ? [] : [tlv(0x81, gid1)]), ...(gid2 === undefined ? [] : [tlv(0x82, gid2)]));
}

function flag(tag: number, value: boolean | undefined): Uint8Array[] {
  return value === undefined ? [] : [tlv(tag, [value ? 0xff : 0])];
}

function bounded(what: string, octets: Uint8Array, most: number): Uint8Array {
  if (octets.length > most) throw new RangeError(`expected a ${what} of at most ${most} octets, got ${octets.length}`);
  return octets;
}
