/**
 * What the card tells about itself: EID, EUICCInfo1 and 2, configured addresses, rules, certificates, connectivity
 * (SGP.32 v1.2 5.9.2, 5.9.10, 5.9.24; SGP.22 v2.5 5.7.3, 5.7.8, 5.7.20, 5.7.22), and IPAe activation.
 */
import { equal, fromHex, utf8 } from "../core/bytes.js";
import { bits, find, readAll, readBits, readOne, tlv, type Tlv } from "../codec/tlv.js";
import { eidBytes, plmnBytes, pprBits } from "./coding.js";
import { chainFor, enabledProfile, refuse, StatusWord, type Context } from "./context.js";
import { extCardResource } from "./download/memory.js";
import type { RuleOptions } from "./options.js";

/** BF3E: the one data object that can be asked for is 5A. */
export function getEuiccData(ctx: Context, command: Tlv): Uint8Array {
  if (!equal(command.value, fromHex("5C015A"))) throw new StatusWord(0x6a80, "GetEID is BF3E 03 5C 01 5A and nothing else");
  return tlv(0xbf3e, tlv(0x5a, eidBytes(ctx.config.eid)));
}

/** BF20. */
export function getEuiccInfo1(ctx: Context): Uint8Array {
  return tlv(0xbf20, tlv(0x82, ctx.config.info.svn), ...ciLists(ctx));
}

/** BF22. */
export function getEuiccInfo2(ctx: Context): Uint8Array {
  const { info, quirks, features } = ctx.config;
  const iot = tlv(
    0xb4,
    tlv(0xa0, ...info.iotVersions.map((version) => tlv(0x04, version))),
    ...(features.ecall ? [tlv(0x81)] : []),
    ...(features.fallback ? [tlv(0x82)] : []),
  );
  return tlv(
    0xbf22,
    tlv(0x81, info.profileVersion),
    tlv(0x82, info.svn),
    tlv(0x83, info.firmware),
    tlv(0x84, extCardResource(ctx)),
    tlv(0x85, info.uiccCapability),
    tlv(0x88, info.rspCapability),
    ...ciLists(ctx),
    ...(info.forbiddenPolicyRules.length === 0 ? [] : [tlv(0x99, pprBits(info.forbiddenPolicyRules))]),
    tlv(0x04, info.ppVersion),
    tlv(0x0c, utf8(info.sasAccreditationNumber)),
    ...(quirks.has("info2-v1.0") ? [] : [tlv(0x90, [ipaeActive(ctx) ? 1 : 0]), iot]),
  );
}

/** True while the IPAe runs: it is there, wanted, and no IPAd was announced since the reset. */
export function ipaeActive(ctx: Context): boolean {
  const { nonvolatile, volatile } = ctx.state;
  return ctx.config.features.ipae !== "absent" && nonvolatile.ipaeActivated && !volatile.announced.ipad;
}

/** BF42. */
export function ipaeActivation(ctx: Context, command: Tlv): Uint8Array {
  const wanted = readBits(readOne(command.value, 0x80).value);
  const supported = ctx.config.features.ipae !== "absent";
  if (!supported) return tlv(0xbf42, tlv(0x80, [refuse(ctx, "IpaeActivation", 1, "this eUICC has no IPAe")]));
  ctx.state.nonvolatile.ipaeActivated = wanted.includes(0);
  return tlv(0xbf42, tlv(0x80, [0]));
}

/** BF3C. */
export function getEuiccConfiguredAddresses(ctx: Context): Uint8Array {
  const address = ctx.state.nonvolatile.defaultDpAddress;
  return tlv(0xbf3c, ...(address === "" ? [] : [tlv(0x80, utf8(address))]), tlv(0x81, utf8(ctx.config.rootDsAddress)));
}

/** BF43. */
export function getRat(ctx: Context): Uint8Array {
  const list = rules(ctx);
  return tlv(0xbf43, tlv(list.length === 0 && ctx.config.quirks.has("rat-30") ? 0x30 : 0xa0, ...list));
}

/** The Rules Authorisation Table's rules, tag 30 each. */
export function rules(ctx: Context): Uint8Array[] {
  return ctx.config.rat.map(rule);
}

/** BF56: certificates stand as their content under A5 and A6. */
export function getCerts(ctx: Context, command: Tlv): Uint8Array {
  const items = readAll(command.value);
  const asked = find(items, 0x80) ?? (ctx.config.lenient ? find(items, 0x04) : undefined);
  const chain = chainFor(ctx, asked?.value);
  if (chain === undefined || (asked === undefined && items.length > 0)) {
    return tlv(0xbf56, tlv(0x81, [refuse(ctx, "GetCerts", 1, "the CI key id is not in the list for signing")]));
  }
  const { eumCertificate, euiccCertificate } = chain;
  if (ctx.config.quirks.has("certificates-nested")) return tlv(0xbf56, tlv(0xa0, tlv(0xa5, eumCertificate)), tlv(0xa1, tlv(0xa6, euiccCertificate)));
  return tlv(0xbf56, tlv(0xa0, tlv(0xa5, readOne(eumCertificate, 0x30).value), tlv(0xa6, readOne(euiccCertificate, 0x30).value)));
}

/** BF5F: httpParams of the enabled Profile. */
export function getConnectivityParameters(ctx: Context): Uint8Array {
  const bare = ctx.config.quirks.has("connectivity-bare");
  const parameters = enabledProfile(ctx.state.nonvolatile)?.metadata.connectivity;
  if (parameters === undefined) return tlv(0xbf5f, tlv(bare ? 0x80 : 0x81, [refuse(ctx, "GetConnectivityParameters", 1, "the enabled Profile has none")]));
  return tlv(0xbf5f, bare ? tlv(0x81, parameters) : tlv(0xa0, tlv(0x81, parameters)));
}

/** FCI of the ISD-R: 6F{84 AID, A5{E0 (SGP.22), E1 (SGP.32: bit 0 IPAe supported, bit 1 a Profile is enabled)}}. */
export function isdrFci(ctx: Context, aid: Uint8Array): Uint8Array {
  const flags = [...(ctx.config.features.ipae === "absent" ? [] : [0]), ...(enabledProfile(ctx.state.nonvolatile) === undefined ? [] : [1])];
  return tlv(0x6f, tlv(0x84, aid), tlv(0xa5, tlv(0xe0, tlv(0x82, ctx.config.info.svn)), tlv(0xe1, tlv(0x80, bits(...flags)))));
}

function ciLists(ctx: Context): [Uint8Array, Uint8Array] {
  const ids = ctx.config.chains.map((chain) => tlv(0x04, chain.ciPkId));
  return [tlv(0xa9, ...ids), tlv(0xaa, ...ids)];
}

function rule({ pprIds, allowedOperators, consentRequired }: RuleOptions): Uint8Array {
  const operators = allowedOperators.map(({ mccMnc, gid1, gid2 }) =>
    tlv(0x30, tlv(0x80, plmnBytes(mccMnc)), ...(gid1 === undefined ? [] : [tlv(0x81, gid1)]), ...(gid2 === undefined ? [] : [tlv(0x82, gid2)])),
  );
  return tlv(0x30, tlv(0x80, pprBits(pprIds)), tlv(0xa1, ...operators), tlv(0x82, consentRequired === true ? bits(0) : bits()));
}
