/**
 * GetProfilesInfo and PSMO listProfileInfo: ProfileInfo E3, search criteria and tag list (SGP.32 v1.2 5.9.14; SGP.22 v2.5 5.7.15).
 */
import { concat, equal, utf8 } from "../core/bytes.js";
import { bits, find, integer, readAll, readInteger, readOne, tlv, TlvError, type Tlv } from "../codec/tlv.js";
import { note, type Context } from "./context.js";
import type { Profile, ProfileMetadata } from "./state.js";

/** What ProfileInfo holds when no tag list says otherwise. */
const DEFAULT_TAGS = [0x5a, 0x4f, 0x9f70, 0x91, 0x92, 0x95, 0x9f7b, 0x9f26, 0x9f67];

const INCORRECT_INPUT_VALUES = 1;

/** BF2D. */
export function getProfilesInfo(ctx: Context, command: Tlv): Uint8Array {
  return profileInfoList(ctx, command).result;
}

/** The answer, and whether it is an error. */
export function profileInfoList(ctx: Context, command: Tlv): { result: Uint8Array; failed: boolean } {
  try {
    const [wanted, tags] = readRequest(command.value);
    const list = ctx.state.nonvolatile.profiles.filter(wanted).map((profile) => profileInfo(ctx, profile, tags));
    return { result: tlv(0xbf2d, ctx.config.quirks.has("no-inner-a0") ? concat(...list) : tlv(0xa0, ...list)), failed: false };
  } catch (error) {
    if (!(error instanceof TlvError)) throw error;
    note(ctx, "GetProfilesInfo", String(INCORRECT_INPUT_VALUES), error.message);
    return { result: profileInfoError(ctx, INCORRECT_INPUT_VALUES), failed: true };
  }
}

export function profileInfoError(ctx: Context, code: number): Uint8Array {
  return tlv(0xbf2d, tlv(ctx.config.quirks.has("profile-info-error-02") ? 0x02 : 0x81, [code]));
}

type Wanted = (profile: Profile) => boolean;

function readRequest(content: Uint8Array): [Wanted, number[]] {
  const items = readAll(content);
  for (const { tag } of items) {
    if (tag !== 0xa0 && tag !== 0x5c) throw new TlvError("tlv", `expected a search criterion A0 or a tag list 5C, got tag ${tag.toString(16).toUpperCase()}`);
  }
  const criterion = find(items, 0xa0);
  const list = find(items, 0x5c);
  return [criterion === undefined ? () => true : readCriterion(criterion.value), list === undefined ? DEFAULT_TAGS : readTagList(list.value)];
}

function readCriterion(content: Uint8Array): Wanted {
  const { tag, value } = readOne(content);
  if (tag === 0x4f) return (profile) => equal(profile.metadata.aid, value);
  if (tag === 0x5a) return (profile) => equal(profile.metadata.iccid, value);
  if (tag === 0x95) {
    const wanted = readInteger(value);
    return (profile) => profile.metadata.profileClass === wanted;
  }
  throw new TlvError("tlv", `expected a search by 4F, 5A or 95, got tag ${tag.toString(16).toUpperCase()}`);
}

/** Tags one behind the other, of one or two octets. */
function readTagList(content: Uint8Array): number[] {
  if (content.length === 0) throw new TlvError("tlv", "the tag list is empty");
  const tags: number[] = [];
  for (let at = 0; at < content.length; at++) {
    let tag = content[at] as number;
    if ((tag & 0x1f) === 0x1f) {
      const second = content[++at];
      if (second === undefined) throw new TlvError("tlv", "the tag list ends within a tag");
      tag = tag * 256 + second;
    }
    tags.push(tag);
  }
  return tags;
}

function profileInfo(ctx: Context, profile: Profile, tags: readonly number[]): Uint8Array {
  const always = ctx.config.quirks.has("explicit-defaults");
  const { metadata } = profile;
  const flag = (value: boolean | undefined): Uint8Array | undefined => (value === undefined && !always ? undefined : Uint8Array.of(value === true ? 0xff : 0));
  // In the order of the type. undefined leaves the member out.
  const members: [number, Uint8Array | undefined][] = [
    [0x5a, metadata.iccid],
    [0x4f, metadata.aid],
    [0x9f70, Uint8Array.of(profile.enabled ? 1 : 0)],
    [0x90, profile.nickname === "" ? undefined : utf8(profile.nickname)],
    [0x91, utf8(metadata.serviceProviderName)],
    [0x92, utf8(metadata.profileName)],
    [0x93, metadata.icon && integer(metadata.icon.type)],
    [0x94, metadata.icon?.data],
    [0x95, integer(metadata.profileClass)],
    [0xb6, notificationConfiguration(metadata)],
    [0xb7, owner(metadata)],
    [0xb8, metadata.dpOid && tlv(0x80, metadata.dpOid)],
    [0x99, metadata.policyRules.length === 0 ? undefined : bits(...metadata.policyRules)],
    [0x9f7b, flag(metadata.ecallIndication)],
    // fallbackAttribute has a DEFAULT: FALSE is not encoded in DER.
    [0x9f26, flag(profile.fallbackAttribute ? true : undefined)],
    [0x9f67, flag(metadata.fallbackAllowed)],
  ];
  return tlv(0xe3, ...members.flatMap(([tag, value]) => (value !== undefined && tags.includes(tag) ? [tlv(tag, value)] : [])));
}

function notificationConfiguration(metadata: ProfileMetadata): Uint8Array | undefined {
  if (metadata.notifications.length === 0) return undefined;
  return concat(...metadata.notifications.map(({ events, address }) => tlv(0x30, tlv(0x80, bits(...events)), tlv(0x81, utf8(address)))));
}

function owner({ owner: operator }: ProfileMetadata): Uint8Array | undefined {
  if (operator === undefined) return undefined;
  const gid = (tag: number, value: Uint8Array | undefined): Uint8Array => (value === undefined ? concat() : tlv(tag, value));
  return concat(tlv(0x80, operator.mccMnc), gid(0x81, operator.gid1), gid(0x82, operator.gid2));
}
