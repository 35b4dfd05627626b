/**
 * What an eUICC and a device tell about themselves, as far as a server looks at it: EUICCInfo1, EUICCInfo2, ctxParams1 (SGP.22 v2.5 4.3, 4.2, 5.7.13;
 * sgp32-types 8.1 to 8.3).
 */
import { readOne, type Tlv } from "../codec/tlv.js";
import { tacDigits, versionText } from "./coding.js";
import { BadRequest, decode, members, parts, required, utf8Text } from "./refusal.js";

export interface EuiccInfo1 {
  /** "2.5.0" */
  readonly svn: string;
  /** CI key ids that the eUICC verifies with. */
  readonly forVerification: readonly Uint8Array[];
  /** CI key ids that it signs under, most wanted first. */
  readonly forSigning: readonly Uint8Array[];
}

export interface EuiccInfo2 {
  /** "2.3.1": profileVersion, then additionalEuiccProfilePackageVersions. */
  readonly profileVersions: readonly string[];
  /** Octets of free non-volatile memory; absent where extCardResource does not say. */
  readonly freeMemory?: number;
}

export interface CtxParams1 {
  /** Empty where absent. */
  readonly matchingId: string;
  /** 8 digits. */
  readonly tac: string;
}

export function readEuiccInfo1(bf20: Uint8Array): EuiccInfo1 {
  const found = members(decode("euiccInfo1", () => readOne(bf20, 0xbf20, { lenient: true })).value, "euiccInfo1", [0x82, 0xa9, 0xaa], []);
  return {
    svn: versionText(required(found, 0x82, "svn", 3).value),
    forVerification: keyIds(required(found, 0xa9, "euiccCiPKIdListForVerification"), "euiccCiPKIdListForVerification"),
    forSigning: keyIds(required(found, 0xaa, "euiccCiPKIdListForSigning"), "euiccCiPKIdListForSigning"),
  };
}

const EUICC_INFO2 = [
  0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0xa9, 0xaa, 0x8b, 0x99, 0x04, 0x0c, 0xac, 0x8d, 0x8e, 0xaf, 0x90, 0xb1, 0x92, 0x93, 0xb4, 0x95,
];

const MANDATORY = [
  [0x82, "svn"], [0x83, "euiccFirmwareVer"], [0x85, "uiccCapability"], [0x88, "rspCapability"], [0xa9, "euiccCiPKIdListForVerification"],
  [0xaa, "euiccCiPKIdListForSigning"], [0x04, "ppVersion"], [0x0c, "sasAcreditationNumber"],
] as const;

export function readEuiccInfo2(info: Tlv, warnings: string[]): EuiccInfo2 {
  const found = members(info.value, "euiccInfo2", EUICC_INFO2, warnings);
  for (const [tag, what] of MANDATORY) required(found, tag, what);
  const memory = parts(required(found, 0x84, "extCardResource").value, "extCardResource").find((item) => item.tag === 0x82);
  const additional = found.get(0xaf);
  const others = additional ? parts(additional.value, "additionalEuiccProfilePackageVersions") : [];
  return {
    profileVersions: [required(found, 0x81, "profileVersion", 3), ...others].map((item) => versionText(item.value)),
    ...(memory && { freeMemory: memory.value.reduce((sum, octet) => sum * 256 + octet, 0) }),
  };
}

const CAPABILITIES = [0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x8c, 0x8d, 0xae];
const NOT_A_VERSION = [0x8c, 0x8d, 0xae];

export function readCtxParams1(a0: Tlv, warnings: string[]): CtxParams1 {
  const found = members(a0.value, "ctxParams1", [0x80, 0xa1], warnings);
  const matchingId = found.get(0x80);
  const device = members(required(found, 0xa1, "deviceInfo").value, "deviceInfo", [0x80, 0xa1, 0x82], warnings);
  const tac = required(device, 0x80, "tac", 4).value;
  for (const [tag, item] of members(required(device, 0xa1, "deviceCapabilities").value, "deviceCapabilities", CAPABILITIES, warnings)) {
    if (!NOT_A_VERSION.includes(tag) && item.value.length !== 3) throw new BadRequest(`deviceCapabilities: a version of 3 octets expected, got ${item.value.length}`, "SGP.22 v2.5 4.2");
  }
  if (device.has(0x82)) required(device, 0x82, "imei", 8);
  return { matchingId: matchingId ? utf8Text(matchingId, "matchingId") : "", tac: tacDigits(tac) };
}

function keyIds(list: Tlv, what: string): Uint8Array[] {
  return parts(list.value, what).map((item) => {
    if (item.tag !== 0x04) throw new BadRequest(`${what}: tag 04 expected, got ${item.tag.toString(16)}`, "SGP.22 v2.5 4.3");
    return item.value;
  });
}
