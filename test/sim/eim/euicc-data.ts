/**
 * IpaEuiccDataResponse BF52 (SGP.32 v1.2, types 4.6, 4.7; DeviceInfo SGP.22 v2.5 4.2): decoded into plain data.
 * Certificates are read in the implicit form and, with a warning, in the nested one that is seen in the field (types 4.6).
 */
import { toHex } from "../core/bytes.js";
import { readBits, readInteger, tlv, type Tlv } from "../codec/tlv.js";
import { defined } from "./euicc-result.js";
import { coded, IPA_EUICC_DATA_ERROR, type Coded } from "./names.js";
import { BadRequest, members, parts, required, tagText, utf8Text, type Members } from "./refusal.js";

export interface DeviceInfo {
  /** 8 digits. */
  readonly tac: string;
  /** 15 digits and what follows them, as coded. */
  readonly imei?: string;
  /** Version octets by capability tag, both hexadecimal: {"85": "0F0000"}. */
  readonly capabilities: Readonly<Record<string, string>>;
}

export interface IpaCapabilities {
  /** Bits of ipaFeatures. */
  readonly features: readonly number[];
  /** Bits of ipaSupportedProtocols. */
  readonly protocols?: readonly number[];
}

/** What an IPA told; members that it did not send are absent. */
export interface IpaEuiccData {
  readonly defaultSmdpAddress?: string;
  readonly rootSmdsAddress?: string;
  /** BF20, as received. */
  readonly euiccInfo1?: Uint8Array;
  /** BF22, as received. */
  readonly euiccInfo2?: Uint8Array;
  readonly associationToken?: number;
  readonly eumCertificate?: Uint8Array;
  readonly euiccCertificate?: Uint8Array;
  readonly ipaCapabilities?: IpaCapabilities;
  readonly deviceInfo?: DeviceInfo;
}

export type IpaEuiccDataResponse =
  | { readonly kind: "ipaEuiccDataError"; readonly transactionId?: string; readonly error: Coded }
  | {
      readonly kind: "ipaEuiccData";
      readonly transactionId?: string;
      readonly data: IpaEuiccData;
      /** Tags of the members that came. */
      readonly tags: readonly number[];
      readonly notifications: readonly Tlv[];
      /** BF51 each. */
      readonly euiccPackageResults: readonly Tlv[];
    };

const ORDER = [0xa0, 0x81, 0xa2, 0xbf20, 0xbf22, 0x83, 0x84, 0xa5, 0xa6, 0x87, 0xa8, 0xa9];

/** Decodes BF52 from an IPA. Throws BadRequest. */
export function readIpaEuiccDataResponse(bf52: Tlv, warnings: string[]): IpaEuiccDataResponse {
  const alternatives = parts(bf52.value, "IpaEuiccDataResponse");
  const [chosen] = alternatives;
  if (chosen === undefined || alternatives.length !== 1 || (chosen.tag !== 0xa0 && chosen.tag !== 0xa1)) {
    throw new BadRequest(`IpaEuiccDataResponse: expected A0 or A1, got ${alternatives.map((item) => tagText(item.tag)).join(" ") || "nothing"}`, "SGP.32 v1.2 IpaEuiccDataResponse");
  }
  return chosen.tag === 0xa0 ? readData(chosen, warnings) : readError(chosen, warnings);
}

function readError(a1: Tlv, warnings: string[]): IpaEuiccDataResponse {
  const found = members(a1.value, "IpaEuiccDataResponseError", [0x80, 0x02], warnings);
  const transactionId = found.get(0x80);
  return {
    kind: "ipaEuiccDataError",
    ...(transactionId && { transactionId: toHex(transactionId.value) }),
    error: coded(readInteger(required(found, 0x02, "ipaEuiccDataErrorCode").value), IPA_EUICC_DATA_ERROR),
  };
}

function readData(a0: Tlv, warnings: string[]): IpaEuiccDataResponse {
  const found = members(a0.value, "IpaEuiccData", ORDER, warnings, true);
  const transactionId = found.get(0x87);
  const list = (tag: number, what: string): Tlv[] => parts(found.get(tag)?.value ?? new Uint8Array(0), what, true);
  const results = list(0xa2, "euiccPackageResultList");
  for (const item of results) {
    if (item.tag !== 0xbf51) throw new BadRequest(`euiccPackageResultList: expected BF51, got ${tagText(item.tag)}`, "SGP.32 v1.2 IpaEuiccData");
  }
  return {
    kind: "ipaEuiccData",
    ...(transactionId && { transactionId: toHex(transactionId.value) }),
    data: readMembers(found, warnings),
    tags: [...found.keys()].filter((tag) => tag !== 0x87),
    notifications: list(0xa0, "notificationsList"),
    euiccPackageResults: results,
  };
}

function readMembers(found: Members, warnings: string[]): IpaEuiccData {
  const text = (tag: number): string | undefined => (found.has(tag) ? utf8Text(found.get(tag) as Tlv, "address") : undefined);
  const token = found.get(0x84);
  const capabilities = found.get(0xa8);
  const device = found.get(0xa9);
  return defined({
    defaultSmdpAddress: text(0x81),
    rootSmdsAddress: text(0x83),
    euiccInfo1: found.get(0xbf20)?.raw,
    euiccInfo2: found.get(0xbf22)?.raw,
    associationToken: token && readInteger(token.value, { lenient: true }),
    eumCertificate: certificate(found.get(0xa5), "eumCertificate", warnings),
    euiccCertificate: certificate(found.get(0xa6), "euiccCertificate", warnings),
    ipaCapabilities: capabilities && readCapabilities(capabilities, warnings),
    deviceInfo: device && readDeviceInfo(device, warnings),
  }) as IpaEuiccData;
}

/** Certificate content under a context tag, put back under its 30. */
function certificate(item: Tlv | undefined, what: string, warnings: string[]): Uint8Array | undefined {
  if (item === undefined) return undefined;
  const children = parts(item.value, what, true);
  const [only] = children;
  if (children.length === 1 && only?.tag === 0x30) {
    warnings.push(`${what}: nested form ${tagText(item.tag)}{30}, the ASN.1 has ${tagText(item.tag)}{30 30 03}`);
    return only.raw;
  }
  return tlv(0x30, item.value);
}

function readCapabilities(a8: Tlv, warnings: string[]): IpaCapabilities {
  const found = members(a8.value, "IpaCapabilities", [0x80, 0x81, 0xa2], warnings);
  const protocols = found.get(0x81);
  return { features: readBits(required(found, 0x80, "ipaFeatures").value), ...(protocols && { protocols: readBits(protocols.value) }) };
}

function readDeviceInfo(a9: Tlv, warnings: string[]): DeviceInfo {
  const found = members(a9.value, "DeviceInfo", [0x80, 0xa1, 0x82], warnings);
  const tac = required(found, 0x80, "tac");
  const imei = found.get(0x82);
  if (tac.value.length !== 4) throw new BadRequest(`tac: expected 4 octets, got ${tac.value.length}`, "SGP.22 v2.5 4.2");
  if (imei !== undefined && imei.value.length !== 8) throw new BadRequest(`imei: expected 8 octets, got ${imei.value.length}`, "SGP.22 v2.5 4.2");
  const capabilities = parts(required(found, 0xa1, "deviceCapabilities").value, "deviceCapabilities").map((item): [string, string] => [tagText(item.tag), toHex(item.value)]);
  return { tac: tbcd(tac.value), ...(imei && { imei: imeiDigits(imei.value) }), capabilities: Object.fromEntries(capabilities) };
}

function tbcd(octets: Uint8Array): string {
  return toHex(octets).replace(/(.)(.)/g, "$2$1");
}

/** TBCD, but the last octet has the check digit in its high nibble and F in the low one (SGP.22 v2.5 4.2). */
function imeiDigits(octets: Uint8Array): string {
  return (tbcd(octets.subarray(0, 7)) + toHex(octets.subarray(7))).replace(/F$/, "");
}
