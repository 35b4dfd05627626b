/**
 * ES10b.EuiccMemoryReset (SGP.32 v1.2 5.9.5): a local command of the device's owner. Profile policy rules don't stop it.
 */
import { toHex } from "../core/bytes.js";
import { readBits, readOne, tlv, type Tlv } from "../codec/tlv.js";
import { catBusy, ecallActive, enabledProfile, refuse, type Context } from "./context.js";
import { raise } from "./notifications.js";
import { NotificationEvent, ProfileClass, type Profile } from "./state.js";
import { pendSwitch } from "./switching.js";

/** Bits of resetOptions. */
enum Option {
  DeleteOperationalProfiles = 0,
  DeleteFieldLoadedTestProfiles = 1,
  ResetDefaultSmdpAddress = 2,
  DeletePreLoadedTestProfiles = 3,
  DeleteProvisioningProfiles = 4,
  ResetEimConfigData = 5,
  ResetImmediateEnableConfig = 6,
}

enum Code {
  Ok = 0,
  NothingToDelete = 1,
  NotSupported = 2,
  CatBusy = 5,
  EcallActive = 104,
}

/** BF64. */
export function euiccMemoryReset(ctx: Context, command: Tlv): Uint8Array {
  const options = readBits(readOne(command.value, 0x82).value);
  const fail = (code: Code, why: string): Uint8Array => tlv(0xbf64, tlv(0x80, [refuse(ctx, "EuiccMemoryReset", code, why)]));
  if (ecallActive(ctx.state.nonvolatile)) return fail(Code.EcallActive, "the Emergency Profile is enabled");
  if (catBusy(ctx)) return fail(Code.CatBusy, "fault cat-busy");
  const parts = [tlv(0x80, [resetProfiles(ctx, options)])];
  if (options.includes(Option.ResetEimConfigData)) parts.push(tlv(0x81, [resetEims(ctx)]));
  if (options.includes(Option.ResetImmediateEnableConfig)) parts.push(tlv(0x82, [resetImmediateEnable(ctx)]));
  return tlv(0xbf64, ...parts);
}

function resetProfiles(ctx: Context, options: readonly number[]): Code {
  const nonvolatile = ctx.state.nonvolatile;
  const doomed = nonvolatile.profiles.filter((profile) => options.includes(optionOf(profile)));
  const resetsAddress = options.includes(Option.ResetDefaultSmdpAddress);
  if (resetsAddress) nonvolatile.defaultDpAddress = "";
  if (doomed.length === 0) return resetsAddress ? Code.Ok : refuse(ctx, "EuiccMemoryReset", Code.NothingToDelete, "no Profile is of a class to be deleted");
  const losesEnabled = doomed.includes(enabledProfile(nonvolatile) as Profile);
  nonvolatile.profiles = nonvolatile.profiles.filter((profile) => !doomed.includes(profile));
  for (const profile of doomed) raise(ctx, NotificationEvent.Delete, profile);
  forget(ctx, doomed);
  if (losesEnabled) pendSwitch(ctx, true);
  return Code.Ok;
}

/** What leads back to a deleted Profile ends with it. */
function forget(ctx: Context, doomed: readonly Profile[]): void {
  const nonvolatile = ctx.state.nonvolatile;
  const gone = doomed.map((profile) => toHex(profile.metadata.iccid));
  if (nonvolatile.rollback !== null && gone.includes(nonvolatile.rollback.target)) nonvolatile.rollback = null;
  if (gone.includes(nonvolatile.fallbackReturn ?? "")) nonvolatile.fallbackReturn = null;
  if (gone.includes(nonvolatile.emergencyReturn ?? "")) nonvolatile.emergencyReturn = null;
}

function optionOf({ metadata }: Profile): Option {
  if (metadata.profileClass === ProfileClass.Operational) return Option.DeleteOperationalProfiles;
  if (metadata.profileClass === ProfileClass.Provisioning) return Option.DeleteProvisioningProfiles;
  return metadata.preloaded ? Option.DeletePreLoadedTestProfiles : Option.DeleteFieldLoadedTestProfiles;
}

function resetEims(ctx: Context): Code {
  const nonvolatile = ctx.state.nonvolatile;
  if (!ctx.config.features.eimReset) return refuse(ctx, "EuiccMemoryReset", Code.NotSupported, "this eUICC does not reset eIM configuration data");
  if (nonvolatile.eims.length === 0) return refuse(ctx, "EuiccMemoryReset", Code.NothingToDelete, "no eIM is associated");
  nonvolatile.eims = [];
  nonvolatile.rollback = null;
  return Code.Ok;
}

function resetImmediateEnable(ctx: Context): Code {
  const notSupported = 1;
  if (!ctx.config.features.immediateEnableReset) return refuse(ctx, "EuiccMemoryReset", notSupported, "this eUICC does not reset its immediate enable configuration");
  ctx.state.nonvolatile.immediateEnable = { allowed: false, smdpOid: null, smdpAddress: null };
  return Code.Ok;
}
