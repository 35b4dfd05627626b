/**
 * What an eUICC holds when it leaves the factory: options turned into state.
 */
import { toHex } from "../core/bytes.js";
import { Rng } from "../core/rng.js";
import { readOne } from "../codec/tlv.js";
import { eimConfigurationData, iccidBytes, isdpAid, oidBytes, plmnBytes } from "./coding.js";
import { addEim, readEimConfiguration } from "./eim-config.js";
import type { Context } from "./context.js";
import type { Config, EuiccOptions, ProfileOptions } from "./options.js";
import { afterReset, NotificationEvent, Ppr, ProfileClass, type Nonvolatile, type Profile, type State } from "./state.js";

const EVENTS = { install: NotificationEvent.Install, enable: NotificationEvent.Enable, disable: NotificationEvent.Disable, delete: NotificationEvent.Delete };
const CLASSES = { test: ProfileClass.Test, provisioning: ProfileClass.Provisioning, operational: ProfileClass.Operational };
const RULES = { pprUpdateControl: Ppr.UpdateControl, ppr1: Ppr.Ppr1, ppr2: Ppr.Ppr2 };

/** State of a new card. Throws RangeError where the options contradict themselves. */
export function factory(config: Config, options: EuiccOptions): State {
  const nonvolatile: Nonvolatile = {
    profiles: [],
    eims: [],
    pending: [],
    nextSeqNumber: options.firstSeqNumber ?? 1,
    nextToken: 1,
    defaultDpAddress: options.defaultDpAddress ?? "",
    immediateEnable: { allowed: options.immediateEnable ?? false, smdpOid: null, smdpAddress: null },
    rollback: null,
    fallbackReturn: null,
    emergencyReturn: null,
    ipaeActivated: config.features.ipae === "active",
    oneTimeKeys: [],
    chance: new Rng(config.seed).state,
  };
  const state: State = { nonvolatile, volatile: afterReset(), observed: { refusals: [], terminalCapabilities: [0], functions: [] }, faults: [] };
  for (const profile of options.profiles ?? []) install(nonvolatile, profile);
  for (const eim of options.eims ?? []) {
    const data = eim instanceof Uint8Array ? eim : eimConfigurationData(eim);
    associate({ config, state }, data);
  }
  return state;
}

/** Puts a Profile on the card as a manufacturer does: no session, no notification. Throws RangeError when it cannot be there. */
export function install(nonvolatile: Nonvolatile, options: ProfileOptions): Profile {
  const profile = makeProfile(options, nonvolatile.profiles.length);
  const iccid = toHex(profile.metadata.iccid);
  for (const other of nonvolatile.profiles) {
    if (toHex(other.metadata.iccid) === iccid) throw new RangeError(`expected a new ICCID, got ${options.iccid} twice`);
    if (other.enabled && profile.enabled) throw new RangeError(`expected at most one enabled Profile, got ${options.iccid} as well`);
    if (other.fallbackAttribute && profile.fallbackAttribute) throw new RangeError(`expected at most one fallback Profile, got ${options.iccid} as well`);
  }
  nonvolatile.profiles.push(profile);
  return profile;
}

/** Associates an eIM at the factory: a token is taken as it is given, -1 has one allocated. */
export function associate(ctx: Context, data: Uint8Array): void {
  const request = readEimConfiguration(ctx, readOne(data, 0x30).value);
  if (request.key === undefined) throw new RangeError(`expected eimPublicKeyData of eIM "${request.eimId}", got none`);
  addEim(ctx, { ...request, counterValue: request.counterValue ?? 0 });
}

function makeProfile(options: ProfileOptions, index: number): Profile {
  const metadata = Object.freeze({
    iccid: iccidBytes(options.iccid),
    aid: options.aid ?? isdpAid(index),
    serviceProviderName: options.serviceProviderName ?? "Simulated",
    profileName: options.profileName ?? `Profile ${index + 1}`,
    profileClass: CLASSES[options.class ?? "operational"],
    notifications: (options.notifications ?? []).map((one) => ({ events: one.events.map((event) => EVENTS[event]), address: one.address })),
    policyRules: (options.policyRules ?? []).map((rule) => RULES[rule]),
    preloaded: options.preloaded ?? true,
    ...(options.icon && { icon: { type: options.icon.type === "jpg" ? (0 as const) : (1 as const), data: options.icon.data } }),
    ...(options.owner && { owner: { ...options.owner, mccMnc: plmnBytes(options.owner.mccMnc) } }),
    ...(options.dpOid !== undefined && { dpOid: oidBytes(options.dpOid) }),
    ...(options.ecall !== undefined && { ecallIndication: options.ecall }),
    ...(options.fallbackAllowed !== undefined && { fallbackAllowed: options.fallbackAllowed }),
    ...(options.connectivity && { connectivity: options.connectivity }),
  });
  return { metadata, enabled: options.enabled ?? false, nickname: options.nickname ?? "", fallbackAttribute: options.fallbackAttribute ?? false };
}
