/**
 * The ISD-R: which ES10 function a command is for, when it is refused as a whole, and how its answer leaves (SGP.32 v1.2 5.8, 5.9).
 * A function throws before it changes anything, or completes: with one APDU it is done or not. Segments of a Bound Profile Package are no functions of the table: they are parts of one data object.
 */
import { concat } from "../core/bytes.js";
import { readAll, readOne, tlv, TlvError, type Tlv } from "../codec/tlv.js";
import { note, StatusWord, takeFault, type Context } from "./context.js";
import { authenticateServer } from "./download/authenticate.js";
import { loadSegment } from "./download/load.js";
import { prepareDownload } from "./download/prepare.js";
import { SEGMENT_TAGS } from "./download/segment.js";
import { cancelSession, getEuiccChallenge } from "./download/session.js";
import { addInitialEim, getEimConfigurationData } from "./eim-config.js";
import * as info from "./info.js";
import { euiccMemoryReset } from "./memory-reset.js";
import { listNotification, removeNotificationFromList, retrieveNotificationsList } from "./notifications.js";
import { loadEuiccPackage } from "./package.js";
import { getProfilesInfo } from "./profiles.js";
import { profileRollback } from "./rollback.js";
import * as switching from "./switching.js";

interface Es10Function {
  name: string;
  run(ctx: Context, command: Tlv): Uint8Array;
  /** Its command has no content. */
  empty?: true;
  /** Answered while the IPAe is active. */
  ipae?: true;
  /** Doesn't end the context that ImmediateEnable needs. */
  keepsSession?: true;
}

const FUNCTIONS: ReadonlyMap<number, Es10Function> = new Map<number, Es10Function>([
  [0xbf20, { name: "GetEUICCInfo1", run: info.getEuiccInfo1, empty: true, ipae: true, keepsSession: true }],
  [0xbf21, { name: "PrepareDownload", run: prepareDownload }],
  [0xbf22, { name: "GetEUICCInfo2", run: info.getEuiccInfo2, empty: true, ipae: true, keepsSession: true }],
  [0xbf28, { name: "ListNotification", run: listNotification, keepsSession: true }],
  [0xbf2b, { name: "RetrieveNotificationsList", run: retrieveNotificationsList, keepsSession: true }],
  [0xbf2d, { name: "GetProfilesInfo", run: getProfilesInfo, keepsSession: true }],
  [0xbf2e, { name: "GetEUICCChallenge", run: getEuiccChallenge, empty: true }],
  [0xbf30, { name: "RemoveNotificationFromList", run: removeNotificationFromList }],
  [0xbf38, { name: "AuthenticateServer", run: authenticateServer }],
  [0xbf3c, { name: "GetEuiccConfiguredAddresses", run: info.getEuiccConfiguredAddresses, empty: true, keepsSession: true }],
  [0xbf3e, { name: "GetEID", run: info.getEuiccData, ipae: true, keepsSession: true }],
  [0xbf3f, { name: "SetDefaultDpAddress", run: switching.setDefaultDpAddress }],
  [0xbf41, { name: "CancelSession", run: cancelSession }],
  [0xbf42, { name: "IpaeActivation", run: info.ipaeActivation, ipae: true }],
  [0xbf43, { name: "GetRAT", run: info.getRat, empty: true, keepsSession: true }],
  [0xbf51, { name: "LoadEuiccPackage", run: loadEuiccPackage }],
  [0xbf55, { name: "GetEimConfigurationData", run: getEimConfigurationData, keepsSession: true }],
  [0xbf56, { name: "GetCerts", run: info.getCerts, keepsSession: true }],
  [0xbf57, { name: "AddInitialEim", run: addInitialEim }],
  [0xbf58, { name: "ProfileRollback", run: profileRollback }],
  [0xbf59, { name: "ConfigureImmediateProfileEnabling", run: switching.configureImmediateProfileEnabling }],
  [0xbf5a, { name: "ImmediateEnable", run: switching.immediateEnable, keepsSession: true }],
  [0xbf5b, { name: "EnableEmergencyProfile", run: switching.enableEmergencyProfile }],
  [0xbf5c, { name: "DisableEmergencyProfile", run: switching.disableEmergencyProfile }],
  [0xbf5d, { name: "ExecuteFallbackMechanism", run: switching.executeFallbackMechanism }],
  [0xbf5e, { name: "ReturnFromFallback", run: switching.returnFromFallback }],
  [0xbf5f, { name: "GetConnectivityParameters", run: info.getConnectivityParameters, empty: true, keepsSession: true }],
  [0xbf64, { name: "EuiccMemoryReset", run: euiccMemoryReset }],
  [0xbf65, { name: "SetDefaultDpAddress", run: switching.setDefaultDpAddress }],
]);

const LOAD = "LoadBoundProfilePackage";

/** Runs one ES10 function; command: the data of a whole STORE DATA chain on a logical channel. Returns its answer, or throws StatusWord. */
export function execute(ctx: Context, command: Uint8Array, logicalChannel: number): Uint8Array {
  const tag = tagOf(command);
  ctx.state.observed.functions.push(tag);
  const fault = takeFault(ctx, "status-word", tag);
  if (fault !== undefined) throw new StatusWord(fault.sw, `fault status-word at ${functionName(tag)}`);
  if (SEGMENT_TAGS.has(tag)) return loadPackage(ctx, command, tag, logicalChannel);
  const known = FUNCTIONS.get(tag);
  if (known === undefined) throw new StatusWord(ctx.config.apdu.unknownFunction, `no function has the tag ${hex(tag)}`);
  if (info.ipaeActive(ctx) && known.ipae !== true) throw new StatusWord(0x6985, `${known.name} while the IPAe is active`);
  if (known.keepsSession !== true) ctx.state.volatile.installed = null;
  return spoil(ctx, tag, deviate(ctx, known.run(ctx, parse(ctx, command, tag, known))));
}

function loadPackage(ctx: Context, segment: Uint8Array, tag: number, logicalChannel: number): Uint8Array {
  if (info.ipaeActive(ctx)) throw new StatusWord(0x6985, `${LOAD} while the IPAe is active`);
  ctx.state.volatile.installed = null;
  const answer = loadSegment(ctx, segment, logicalChannel);
  return spoil(ctx, tag, answer.length === 0 ? answer : deviate(ctx, answer));
}

/** Name of a function by the tag of its command, for logs. */
export function functionName(tag: number): string {
  return SEGMENT_TAGS.has(tag) ? LOAD : (FUNCTIONS.get(tag)?.name ?? `unknown function ${hex(tag)}`);
}

/** The tag that a command begins with, 0 for none. */
export function tagOf(command: Uint8Array): number {
  const [first = 0, second = 0] = command;
  return (first & 0x1f) === 0x1f ? first * 256 + second : first;
}

/** LoadEuiccPackage reads its content without demanding minimal lengths, and says itself what it does not understand. */
function parse(ctx: Context, command: Uint8Array, tag: number, known: Es10Function): Tlv {
  const parsed = readOne(command, tag, { lenient: ctx.config.lenient || tag === 0xbf51 });
  if (known.empty === true && parsed.value.length > 0) throw new TlvError("tlv", `${parsed.value.length} octets where none are expected`);
  return parsed;
}

function spoil(ctx: Context, tag: number, answer: Uint8Array): Uint8Array {
  const garbage = takeFault(ctx, "garbage", tag);
  // Segments are answered with nothing: there is nothing to cut off.
  const truncate = answer.length === 0 ? undefined : takeFault(ctx, "truncate", tag);
  if (garbage !== undefined) note(ctx, functionName(tag), "garbage", "fault garbage");
  if (truncate !== undefined) note(ctx, functionName(tag), "truncated", "fault truncate");
  const whole = garbage?.bytes ?? answer;
  return truncate === undefined ? whole : whole.subarray(0, truncate.keep < 0 ? whole.length >> 1 : truncate.keep);
}

/** Quirks that concern any answer. The content of signed objects is never touched. */
function deviate(ctx: Context, answer: Uint8Array): Uint8Array {
  const { quirks } = ctx.config;
  let out = answer;
  if (quirks.has("unknown-trailing")) {
    const { tag, value } = readOne(out);
    out = tlv(tag, value, [0x9f, 0x7a, 0x01, 0x00]);
  }
  // BF27 is signed with its length, right below BF37.
  return quirks.has("non-minimal-lengths") ? stretch(out, tagOf(out) === 0xbf37 ? 1 : 2) : out;
}

/** The data object with lengths one octet longer than needed, down to `depth` levels of context-tagged objects. */
function stretch(object: Uint8Array, depth: number): Uint8Array {
  const { tag, value } = readOne(object);
  const constructed = ((tag > 0xff ? tag >> 8 : tag) & 0x20) !== 0 && tag !== 0x30;
  const content = constructed && depth > 1 ? concat(...readAll(value).map((item) => stretch(item.raw, depth - 1))) : value;
  const identifier = tag > 0xff ? [tag >> 8, tag & 0xff] : [tag];
  const octets = content.length < 0x80 ? [content.length] : content.length < 0x100 ? [0, content.length] : [0, content.length >> 8, content.length & 0xff];
  return concat(Uint8Array.of(...identifier, 0x80 | octets.length, ...octets), content);
}

function hex(tag: number): string {
  return tag.toString(16).toUpperCase().padStart(2, "0");
}
