/**
 * The enabled Profile changes: the switch itself with its notifications and REFRESH, and the local commands that cause one: fallback
 * (SGP.32 v1.2 5.9.20, 5.9.21), emergency (5.9.22, 5.9.23), immediate enabling (5.9.15, 5.9.17).
 */
import { equal, toHex } from "../core/bytes.js";
import { find, readAll, tlv, TlvError, type Tlv } from "../codec/tlv.js";
import { refreshSupported } from "./cat.js";
import { readUtf8 } from "./coding.js";
import { catBusy, ecallActive, enabledProfile, profileByIccid, refuse, type Context } from "./context.js";
import { raise } from "./notifications.js";
import { NotificationEvent, type Profile } from "./state.js";

enum Code {
  Ok = 0,
  ProfileState = 2,
  CatBusy = 5,
  FallbackNotAvailable = 6,
  CommandError = 7,
  EcallNotAvailable = 8,
  EcallActive = 104,
  UndefinedError = 127,
}

export interface SwitchOptions {
  /** Make disable and enable notifications. */
  notify: boolean;
  /** Ask for REFRESH; without it the host resets the card. */
  refresh: boolean;
  /** The Profile that goes off; default: the enabled one. */
  former?: Profile | undefined;
}

/** Disables the enabled Profile, if any, and enables `next`, if any. It counts at once; the card wants a reset before it goes on. */
export function switchProfile(ctx: Context, next: Profile | undefined, { notify, refresh, former = enabledProfile(ctx.state.nonvolatile) }: SwitchOptions): void {
  if (former !== undefined) {
    former.enabled = false;
    if (notify) raise(ctx, NotificationEvent.Disable, former);
  }
  if (next !== undefined) {
    next.enabled = true;
    if (notify) raise(ctx, NotificationEvent.Enable, next);
  }
  pendSwitch(ctx, refresh);
}

/** The card has to be reset: by REFRESH when the terminal can do it, as configured. */
export function pendSwitch(ctx: Context, refresh: boolean): void {
  const { refresh: when, refreshQualifier } = ctx.config.apdu;
  const volatile = ctx.state.volatile;
  volatile.switchPending = true;
  if (!refresh || when === "never" || !refreshSupported(ctx)) return;
  const command = tlv(0xd0, tlv(0x81, [0x01, 0x01, refreshQualifier]), tlv(0x82, [0x81, 0x82]));
  const phase = { "after-result": "held-for-result", early: "announced", "after-status": "held-for-status" } as const;
  volatile.proactive = { command, phase: phase[when] };
}

/** Content of `80 01 FF` or `80 01 00`; undefined (and noted) for anything else. */
export function readRefreshFlag(ctx: Context, command: Tlv, what: string): boolean | undefined {
  const [flag, ...others] = readAll(command.value);
  const tagged = flag?.tag === 0x80 || (ctx.config.lenient && flag?.tag === 0x01);
  const octet = flag?.value[0];
  if (tagged && flag?.value.length === 1 && others.length === 0 && (octet === 0xff || octet === 0 || ctx.config.lenient)) return octet !== 0;
  refuse(ctx, what, Code.CommandError, `expected refreshFlag 80 01 FF or 80 01 00, got ${toHex(command.value)}`);
  return undefined;
}

/** BF5D. */
export function executeFallbackMechanism(ctx: Context, command: Tlv): Uint8Array {
  const nonvolatile = ctx.state.nonvolatile;
  const answer = answerTo(ctx, 0xbf5d, "ExecuteFallbackMechanism");
  const refresh = readRefreshFlag(ctx, command, "ExecuteFallbackMechanism");
  if (refresh === undefined) return tlv(0xbf5d, tlv(0x80, [Code.CommandError]));
  const current = enabledProfile(nonvolatile);
  const fallback = nonvolatile.profiles.find((profile) => profile.fallbackAttribute);
  if (current === undefined) return answer(Code.CommandError, "no Profile is enabled");
  if (!ctx.config.features.fallback || fallback === undefined) return answer(Code.FallbackNotAvailable, "no Profile has the fallback attribute");
  if (ecallActive(nonvolatile)) return answer(Code.EcallActive, "the Emergency Profile is enabled");
  if (fallback.enabled) return answer(Code.ProfileState, "the fallback Profile is enabled already");
  if (catBusy(ctx)) return answer(Code.CatBusy, "fault cat-busy");
  nonvolatile.fallbackReturn = toHex(current.metadata.iccid);
  nonvolatile.rollback = null;
  switchProfile(ctx, fallback, { notify: true, refresh });
  return answer(Code.Ok);
}

/** BF5E. */
export function returnFromFallback(ctx: Context, command: Tlv): Uint8Array {
  const nonvolatile = ctx.state.nonvolatile;
  const answer = answerTo(ctx, 0xbf5e, "ReturnFromFallback");
  const refresh = readRefreshFlag(ctx, command, "ReturnFromFallback");
  if (refresh === undefined) return tlv(0xbf5e, tlv(0x80, [Code.CommandError]));
  if (enabledProfile(nonvolatile)?.fallbackAttribute !== true) return answer(Code.FallbackNotAvailable, "the enabled Profile is not the fallback Profile");
  const former = profileByIccid(nonvolatile, nonvolatile.fallbackReturn);
  if (former === undefined) {
    const code = ctx.config.quirks.has("no-return-profile-7") ? Code.CommandError : Code.FallbackNotAvailable;
    return answer(code, "no Profile to return to is remembered");
  }
  if (catBusy(ctx)) return answer(Code.CatBusy, "fault cat-busy");
  nonvolatile.fallbackReturn = null;
  nonvolatile.rollback = null;
  switchProfile(ctx, former, { notify: true, refresh });
  return answer(Code.Ok);
}

/** BF5B. The switch to the Emergency Profile makes no notifications. */
export function enableEmergencyProfile(ctx: Context, command: Tlv): Uint8Array {
  const nonvolatile = ctx.state.nonvolatile;
  const answer = answerTo(ctx, 0xbf5b, "EnableEmergencyProfile");
  const refresh = readRefreshFlag(ctx, command, "EnableEmergencyProfile");
  if (refresh === undefined) return tlv(0xbf5b, tlv(0x80, [Code.UndefinedError]));
  const emergency = nonvolatile.profiles.find((profile) => profile.metadata.ecallIndication === true);
  if (!ctx.config.features.ecall || emergency === undefined) return answer(Code.EcallNotAvailable, "there is no Emergency Profile");
  if (emergency.enabled) return answer(Code.ProfileState, "the Emergency Profile is enabled already");
  if (catBusy(ctx)) return answer(Code.CatBusy, "fault cat-busy");
  const current = enabledProfile(nonvolatile);
  nonvolatile.emergencyReturn = current === undefined ? null : toHex(current.metadata.iccid);
  if (refresh) nonvolatile.rollback = null;
  switchProfile(ctx, emergency, { notify: false, refresh });
  return answer(Code.Ok);
}

/** BF5C. */
export function disableEmergencyProfile(ctx: Context, command: Tlv): Uint8Array {
  const nonvolatile = ctx.state.nonvolatile;
  const answer = answerTo(ctx, 0xbf5c, "DisableEmergencyProfile");
  const refresh = readRefreshFlag(ctx, command, "DisableEmergencyProfile");
  if (refresh === undefined) return tlv(0xbf5c, tlv(0x80, [Code.UndefinedError]));
  if (!ecallActive(nonvolatile)) return answer(Code.ProfileState, "no Emergency Profile is enabled");
  if (catBusy(ctx)) return answer(Code.CatBusy, "fault cat-busy");
  const former = profileByIccid(nonvolatile, nonvolatile.emergencyReturn);
  nonvolatile.emergencyReturn = null;
  if (refresh) nonvolatile.rollback = null;
  switchProfile(ctx, former, { notify: true, refresh });
  return answer(Code.Ok);
}

/** BF5A: right behind the installation, while the session's context is there. */
export function immediateEnable(ctx: Context, command: Tlv): Uint8Array {
  const { nonvolatile, volatile } = ctx.state;
  const answer = answerTo(ctx, 0xbf5a, "ImmediateEnable");
  const refresh = readRefreshFlag(ctx, command, "ImmediateEnable");
  if (refresh === undefined) return tlv(0xbf5a, tlv(0x80, [Code.UndefinedError]));
  const { allowed, smdpOid, smdpAddress } = nonvolatile.immediateEnable;
  if (!allowed) return answer(1, "immediate enabling is not configured");
  const installed = volatile.installed;
  const profile = profileByIccid(nonvolatile, installed?.iccid ?? null);
  if (installed === null || profile === undefined) return answer(4, "no Profile was installed by the session just before");
  const otherSmdp = (smdpOid !== null && !equal(smdpOid, installed.smdpOid)) || (smdpAddress !== null && smdpAddress !== installed.smdpAddress);
  if (otherSmdp) return answer(1, `immediate enabling is not allowed for SM-DP+ ${installed.smdpAddress}`);
  if (catBusy(ctx)) return answer(Code.CatBusy, "fault cat-busy");
  volatile.installed = null;
  nonvolatile.rollback = null;
  nonvolatile.fallbackReturn = null;
  switchProfile(ctx, profile, { notify: true, refresh });
  return answer(Code.Ok);
}

/** BF59: by the IPA only while no eIM is associated. */
export function configureImmediateProfileEnabling(ctx: Context, command: Tlv): Uint8Array {
  const answer = answerTo(ctx, 0xbf59, "ConfigureImmediateProfileEnabling");
  if (ctx.state.nonvolatile.eims.length > 0) return answer(2, "an eIM is associated");
  setImmediateEnable(ctx, command.value);
  return answer(Code.Ok);
}

/**
 * Flag 80 present allows immediate enabling, absent forbids it; 81 and 82, when present, name the one SM-DP+ for which it is, and stay
 * when absent. Throws TlvError when the members are malformed. Also PSMO configureImmediateEnable.
 */
export function setImmediateEnable(ctx: Context, content: Uint8Array): void {
  const items = readAll(content);
  const flag = find(items, 0x80);
  const oid = find(items, 0x81);
  const address = find(items, 0x82);
  if (flag !== undefined && flag.value.length > 0) throw new TlvError("tlv", "immediateEnableFlag (NULL) has content");
  if (oid?.value.length === 0) throw new TlvError("tlv", "defaultSmdpOid is empty");
  const stored = ctx.state.nonvolatile.immediateEnable;
  const smdpAddress = address === undefined ? stored.smdpAddress : readUtf8(address.value, "defaultSmdpAddress");
  ctx.state.nonvolatile.immediateEnable = { allowed: flag !== undefined, smdpOid: oid?.value ?? stored.smdpOid, smdpAddress };
}

/** BF65 and SGP.22's BF3F; an empty string takes the address away. */
export function setDefaultDpAddress(ctx: Context, command: Tlv): Uint8Array {
  ctx.state.nonvolatile.defaultDpAddress = readAddress(command.value);
  return tlv(command.tag, tlv(0x80, [Code.Ok]));
}

/** `80` UTF8String. Throws TlvError. */
export function readAddress(content: Uint8Array): string {
  const [address, ...others] = readAll(content);
  if (address?.tag !== 0x80 || others.length > 0) throw new TlvError("tlv", `expected one address 80, got ${toHex(content)}`);
  return readUtf8(address.value, "defaultDpAddress");
}

function answerTo(ctx: Context, tag: number, what: string): (code: number, why?: string) => Uint8Array {
  return (code, why) => tlv(tag, tlv(0x80, [why === undefined ? code : refuse(ctx, what, code, why)]));
}
