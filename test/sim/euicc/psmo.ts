/**
 * PSMOs: Profile State Management Operations of an eUICC Package (SGP.32 v1.2 3.4.1 to 3.4.7; commands 2.11.1.1.3, results 2.11.2.1).
 */
import { equal, toHex } from "../core/bytes.js";
import { find, must, readAll, tlv, TlvError, type Tlv } from "../codec/tlv.js";
import { catBusy, note } from "./context.js";
import { rules } from "./info.js";
import { raise } from "./notifications.js";
import { outcome, type CommandHandler, type Execution, type Outcome } from "./execution.js";
import { profileInfoError, profileInfoList } from "./profiles.js";
import { NotificationEvent, Ppr, type Profile } from "./state.js";
import { setDefaultDpAddress, setImmediateEnable } from "./switching.js";

/** Codes of enableResult, disableResult and deleteResult. */
enum Code {
  Ok = 0,
  IccidOrAidNotFound = 1,
  ProfileState = 2,
  DisallowedByPolicy = 3,
  CatBusy = 5,
  RollbackNotAvailable = 20,
  ReturnFallbackProfile = 21,
  UndefinedError = 127,
}

enum FallbackCode {
  Ok = 0,
  IccidOrAidNotFound = 1,
  NotAllowedOrNone = 2,
  ProfileEnabled = 3,
}

const PROFILE_CHANGE_ONGOING = 11;

/** By tag of the command. */
export const psmos: ReadonlyMap<number, CommandHandler> = new Map<number, CommandHandler>([
  [0xa3, enable],
  [0xa4, disable],
  [0xa5, remove],
  [0xa6, getRat],
  [0xa7, configureImmediateEnable],
  [0xa8, setFallbackAttribute],
  [0xa9, unsetFallbackAttribute],
  [0xbf2d, listProfileInfo],
  [0xbf65, defaultDpAddress],
]);

function enable(execution: Execution, command: Tlv): Outcome {
  const items = readAll(command.value, { lenient: true });
  const profile = wanted(execution, items);
  const rollbackFlag = items.slice(1).some(({ tag, value }) => value.length === 0 && (tag === 0x05 || (tag === 0x81 && execution.ctx.config.lenient)));
  const former = enabledNow(execution);
  const back = former ?? execution.disable;
  const fail = (code: Code, why: string): Outcome => outcome(execution, "enable", 0x83, code, why);
  if (execution.enable !== undefined) return fail(Code.UndefinedError, "the package enables a second Profile");
  if (profile === undefined) return fail(Code.IccidOrAidNotFound, unknown(items));
  if (profile === former) return fail(Code.ProfileState, "the Profile is not in state disabled");
  if (profile.metadata.ecallIndication === true) return fail(Code.DisallowedByPolicy, "the Emergency Profile is not managed by eUICC Packages");
  if (former !== undefined && has(former, Ppr.Ppr1)) return fail(Code.DisallowedByPolicy, "PPR1 forbids to disable the enabled Profile");
  if (rollbackFlag && (back === undefined || back === profile)) return fail(Code.RollbackNotAvailable, "there is no Profile to go back to");
  if (catBusy(execution.ctx)) return fail(Code.CatBusy, "fault cat-busy");
  execution.enable = profile;
  execution.changed = true;
  if (rollbackFlag && back !== undefined) execution.rollbackTo = back;
  return outcome(execution, "enable", 0x83, Code.Ok);
}

function disable(execution: Execution, command: Tlv): Outcome {
  const items = readAll(command.value, { lenient: true });
  const profile = wanted(execution, items);
  const fail = (code: Code, why: string): Outcome => outcome(execution, "disable", 0x84, code, why);
  if (execution.disable !== undefined) return fail(Code.UndefinedError, "the package disables a second Profile");
  if (execution.enable !== undefined) return fail(Code.UndefinedError, "disable does not come before enable");
  if (profile === undefined) return fail(Code.IccidOrAidNotFound, unknown(items));
  if (profile !== enabledNow(execution)) return fail(Code.ProfileState, "the Profile is not in state enabled");
  if (has(profile, Ppr.Ppr1)) return fail(Code.DisallowedByPolicy, "PPR1 forbids to disable the Profile");
  if (catBusy(execution.ctx)) return fail(Code.CatBusy, "fault cat-busy");
  execution.disable = profile;
  execution.changed = true;
  return outcome(execution, "disable", 0x84, Code.Ok);
}

function remove(execution: Execution, command: Tlv): Outcome {
  const { ctx } = execution;
  const nonvolatile = ctx.state.nonvolatile;
  const items = readAll(command.value, { lenient: true });
  const profile = wanted(execution, items);
  const fail = (code: Code, why: string): Outcome => outcome(execution, "delete", 0x85, code, why);
  if (profile === undefined) return fail(Code.IccidOrAidNotFound, unknown(items));
  if (profile === enabledNow(execution)) return fail(Code.ProfileState, "the Profile is not in state disabled");
  if (profile.metadata.ecallIndication === true) return fail(Code.DisallowedByPolicy, "the Emergency Profile is not managed by eUICC Packages");
  if (has(profile, Ppr.Ppr2)) return fail(Code.DisallowedByPolicy, "PPR2 forbids to delete the Profile");
  if (profile === execution.rollbackTo) return fail(Code.RollbackNotAvailable, "the Profile is the rollback target");
  const inFallback = enabledNow(execution)?.fallbackAttribute === true;
  if (inFallback && nonvolatile.fallbackReturn === toHex(profile.metadata.iccid)) return fail(Code.ReturnFallbackProfile, "fallback is to return to the Profile");
  nonvolatile.profiles = nonvolatile.profiles.filter((one) => one !== profile);
  raise(ctx, NotificationEvent.Delete, profile);
  execution.changed = true;
  return outcome(execution, "delete", 0x85, Code.Ok);
}

function getRat({ ctx }: Execution): Outcome {
  return { result: tlv(0xa6, ...rules(ctx)), failed: false };
}

function configureImmediateEnable(execution: Execution, command: Tlv): Outcome {
  const commandError = 7;
  try {
    setImmediateEnable(execution.ctx, command.value);
  } catch (error) {
    if (!(error instanceof TlvError)) throw error;
    return outcome(execution, "configureImmediateEnable", 0x87, commandError, error.message);
  }
  return outcome(execution, "configureImmediateEnable", 0x87, 0);
}

function setFallbackAttribute(execution: Execution, command: Tlv): Outcome {
  const profiles = execution.ctx.state.nonvolatile.profiles;
  const items = readAll(command.value, { lenient: true });
  const profile = wanted(execution, items);
  const former = profiles.find((one) => one.fallbackAttribute);
  const fail = (code: FallbackCode, why: string): Outcome => outcome(execution, "setFallbackAttribute", 0x8d, code, why);
  if (profile === undefined) return fail(FallbackCode.IccidOrAidNotFound, unknown(items));
  if (profile === former) return outcome(execution, "setFallbackAttribute", 0x8d, FallbackCode.Ok);
  if (profile.metadata.fallbackAllowed !== true) return fail(FallbackCode.NotAllowedOrNone, "fallbackAllowed of the Profile is not TRUE");
  if (former !== undefined && former === enabledNow(execution)) return fail(FallbackCode.ProfileEnabled, "the fallback Profile is enabled");
  for (const one of profiles) one.fallbackAttribute = one === profile;
  return outcome(execution, "setFallbackAttribute", 0x8d, FallbackCode.Ok);
}

function unsetFallbackAttribute(execution: Execution): Outcome {
  const former = execution.ctx.state.nonvolatile.profiles.find((one) => one.fallbackAttribute);
  const fail = (code: FallbackCode, why: string): Outcome => outcome(execution, "unsetFallbackAttribute", 0x8e, code, why);
  if (former === undefined) return fail(FallbackCode.NotAllowedOrNone, "no Profile has the fallback attribute");
  if (former === enabledNow(execution)) return fail(FallbackCode.ProfileEnabled, "the fallback Profile is enabled");
  former.fallbackAttribute = false;
  return outcome(execution, "unsetFallbackAttribute", 0x8e, FallbackCode.Ok);
}

function listProfileInfo({ ctx, changed }: Execution, command: Tlv): Outcome {
  if (changed) {
    note(ctx, "listProfileInfo", String(PROFILE_CHANGE_ONGOING), "a Profile was enabled, disabled or deleted before in the same package");
    return { result: profileInfoError(ctx, PROFILE_CHANGE_ONGOING), failed: true };
  }
  return profileInfoList(ctx, command);
}

function defaultDpAddress({ ctx }: Execution, command: Tlv): Outcome {
  return { result: setDefaultDpAddress(ctx, command), failed: false };
}

/** The Profile that counts as enabled after the commands so far. */
function enabledNow({ current, enable: marked, disable: off }: Execution): Profile | undefined {
  return marked ?? (current === off ? undefined : current);
}

/** The Profile that `5A` names. Throws TlvError when there is no ICCID of 10 octets. */
function wanted({ ctx }: Execution, items: readonly Tlv[]): Profile | undefined {
  const iccid = must(items, 0x5a, "iccid").value;
  if (iccid.length !== 10) throw new TlvError("tlv", `iccid has ${iccid.length} octets, expected 10`);
  return ctx.state.nonvolatile.profiles.find((profile) => equal(profile.metadata.iccid, iccid));
}

function unknown(items: readonly Tlv[]): string {
  return `no Profile has ICCID ${toHex(find(items, 0x5a)?.value ?? new Uint8Array(0))}`;
}

function has(profile: Profile, rule: Ppr): boolean {
  return profile.metadata.policyRules.includes(rule);
}
