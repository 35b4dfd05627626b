/**
 * StoreMetadata BF25 and ConfigureISDP BF24: read and judged as the card does before it takes a Profile (SGP.22 v2.5 5.5.2, 5.5.3;
 * rules 2.9). Left out: serviceSpecificData (BF22, BF23), which is read over and not kept.
 */
import { ErrorReason } from "../../bsp/index.js";
import { equal, toHex } from "../../core/bytes.js";
import { find, must, readAll, readBits, readInteger, readOne, TlvError, type Tlv } from "../../codec/tlv.js";
import { oidBytes, plmnBytes, readUtf8 } from "../coding.js";
import { profileByIccid, type Context } from "../context.js";
import type { RuleOptions } from "../options.js";
import { Ppr, ProfileClass, type ProfileMetadata } from "../state.js";
import { InstallError } from "./install-error.js";

export type NewMetadata = Omit<ProfileMetadata, "aid">;

/** Bit of rspCapability. */
const TEST_PROFILE = 3;
const PPR_NAMES = { [Ppr.UpdateControl]: "pprUpdateControl", [Ppr.Ppr1]: "ppr1", [Ppr.Ppr2]: "ppr2" } as const;

/** Content octets of dpProprietaryData's dpOid, or null. Throws InstallError incorrectInputValues. */
export function readConfigureIsdp(bf24: Uint8Array, smdpOid: string): Uint8Array | null {
  return inputs("ConfigureISDP", () => {
    const proprietary = find(readAll(readOne(bf24, 0xbf24).value), 0xb8);
    if (proprietary === undefined) return null;
    const dpOid = must(readAll(proprietary.value), 0x80, "dpOid").value;
    if (!equal(dpOid, oidBytes(smdpOid))) throw new TlvError("tlv", `dpOid ${toHex(dpOid)} is not the OID ${smdpOid} of the SM-DP+'s certificates`);
    return dpOid;
  });
}

/** Throws InstallError incorrectInputValues for a malformed object; the judgement is `checkMetadata`. */
export function readMetadata(bf25: Uint8Array, dpOid: Uint8Array | null): NewMetadata {
  return inputs("StoreMetadata", () => {
    const items = readAll(readOne(bf25, 0xbf25).value);
    const flag = (tag: number): boolean | undefined => find(items, tag)?.value.some((octet) => octet !== 0);
    const [ecallIndication, fallbackAllowed] = [flag(0x9f7b), flag(0x9f67)];
    const owner = find(items, 0xb7);
    const icon = readIcon(items);
    return Object.freeze({
      iccid: sized(must(items, 0x5a, "iccid"), "iccid", 10, 10),
      serviceProviderName: readUtf8(sized(must(items, 0x91, "serviceProviderName"), "serviceProviderName", 0, 32), "serviceProviderName"),
      profileName: readUtf8(sized(must(items, 0x92, "profileName"), "profileName", 0, 64), "profileName"),
      profileClass: readInteger(find(items, 0x95)?.value ?? Uint8Array.of(ProfileClass.Operational)),
      notifications: readNotifications(find(items, 0xb6)),
      policyRules: readBits(find(items, 0x99)?.value ?? Uint8Array.of(0)),
      preloaded: false,
      ...(icon && { icon }),
      ...(owner && { owner: readOwner(owner) }),
      ...(dpOid && { dpOid }),
      ...(ecallIndication !== undefined && { ecallIndication }),
      ...(fallbackAllowed !== undefined && { fallbackAllowed }),
    });
  });
}

/** Whether this card takes such a Profile. Throws InstallError unsupportedProfileClass, iccidAlreadyExists or pprNotAllowed. */
export function checkMetadata(ctx: Context, metadata: NewMetadata): void {
  const { profileClass, iccid, policyRules } = metadata;
  const testProfiles = readBits(ctx.config.info.rspCapability).includes(TEST_PROFILE);
  if (ProfileClass[profileClass] === undefined || (profileClass === ProfileClass.Test && !testProfiles)) {
    throw new InstallError(ErrorReason.UnsupportedProfileClass, `Profiles of class ${ProfileClass[profileClass]?.toLowerCase() ?? profileClass} are not supported`);
  }
  if (profileByIccid(ctx.state.nonvolatile, toHex(iccid)) !== undefined) {
    throw new InstallError(ErrorReason.IccidAlreadyExists, `ICCID ${toHex(iccid)} is installed already`);
  }
  for (const rule of policyRules) {
    const why = againstRule(ctx, rule, metadata);
    if (why !== undefined) throw new InstallError(ErrorReason.PprNotAllowed, why);
  }
}

function againstRule(ctx: Context, rule: Ppr, { owner }: NewMetadata): string | undefined {
  const name = PPR_NAMES[rule];
  if (name === undefined) return `profile policy rule ${rule} is unknown`;
  if (ctx.config.info.forbiddenPolicyRules.includes(name)) return `${name} is a forbidden profile policy rule`;
  const operational = ctx.state.nonvolatile.profiles.some(({ metadata }) => metadata.profileClass === ProfileClass.Operational);
  if (rule === Ppr.Ppr1 && operational) return "ppr1 while an operational Profile is installed";
  const allowed = ctx.config.rat.some(({ pprIds, allowedOperators }) => pprIds.includes(name) && allowedOperators.some((operator) => matches(operator, owner)));
  return allowed ? undefined : `no rule of the Rules Authorisation Table allows ${name} to this profile owner`;
}

/** A nibble E is any digit; a gid that the rule has not, the owner must not have; an empty one is any or none. */
function matches(operator: RuleOptions["allowedOperators"][number], owner: ProfileMetadata["owner"]): boolean {
  if (owner === undefined) return false;
  const [rule, own] = [toHex(plmnBytes(operator.mccMnc)), toHex(owner.mccMnc)];
  const plmn = [...rule].every((digit, at) => digit === "E" || digit === own[at]);
  const gid = (wanted: Uint8Array | undefined, got: Uint8Array | undefined): boolean =>
    wanted === undefined ? got === undefined : wanted.length === 0 || (got !== undefined && equal(wanted, got));
  return plmn && gid(operator.gid1, owner.gid1) && gid(operator.gid2, owner.gid2);
}

function readIcon(items: readonly Tlv[]): ProfileMetadata["icon"] {
  const [type, data] = [find(items, 0x93), find(items, 0x94)];
  if (type === undefined && data === undefined) return undefined;
  const number = readInteger(must(items, 0x93, "iconType").value);
  if (number !== 0 && number !== 1) throw new TlvError("tlv", `iconType ${number}`);
  return { type: number, data: sized(must(items, 0x94, "icon"), "icon", 0, 1024) };
}

function readNotifications(list: Tlv | undefined): ProfileMetadata["notifications"] {
  return readAll(list?.value ?? new Uint8Array(0)).map(({ tag, value }) => {
    if (tag !== 0x30) throw new TlvError("tlv", `notificationConfigurationInfo holds ${tag.toString(16)}, expected 30`);
    const items = readAll(value);
    return { events: readBits(must(items, 0x80, "profileManagementOperation").value), address: readUtf8(must(items, 0x81, "notificationAddress").value, "notificationAddress") };
  });
}

function readOwner({ value }: Tlv): NonNullable<ProfileMetadata["owner"]> {
  const items = readAll(value);
  const [gid1, gid2] = [find(items, 0x81)?.value, find(items, 0x82)?.value];
  return { mccMnc: sized(must(items, 0x80, "mccMnc"), "mccMnc", 3, 3), ...(gid1 && { gid1 }), ...(gid2 && { gid2 }) };
}

function sized({ value }: Tlv, what: string, least: number, most: number): Uint8Array {
  if (value.length < least || value.length > most) throw new TlvError("tlv", `${what} of ${value.length} octets, expected ${least} to ${most}`);
  return value;
}

function inputs<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof TlvError)) throw error;
    throw new InstallError(ErrorReason.IncorrectInputValues, `${what}: ${error.message}`);
  }
}
