/**
 * Notifications and stored package results: made, listed, retrieved, removed (SGP.32 v1.2 5.9.11; SGP.22 v2.5 5.7.9 to 5.7.11).
 * Both kinds take their seqNumber from one counter. The ProfileInstallationResult is made in download/result.ts.
 */
import { concat, toHex, utf8 } from "../core/bytes.js";
import { bits, find, integer, readAll, readBits, readInteger, readOne, readTlv, tlv, TlvError, type Tlv } from "../codec/tlv.js";
import { sign } from "../pki/keys.js";
import { refuse, type Context } from "./context.js";
import { NotificationEvent, type Pending, type Profile } from "./state.js";

const UNDEFINED_ERROR = 127;

export function takeSeqNumber(ctx: Context): number {
  return ctx.state.nonvolatile.nextSeqNumber++;
}

/** Makes the notifications that a Profile's notificationConfigurationInfo asks for: one for each address that wants the event. */
export function raise(ctx: Context, event: NotificationEvent, profile: Profile): void {
  for (const { events, address } of profile.metadata.notifications) {
    if (events.includes(event)) ctx.state.nonvolatile.pending.push(otherSignedNotification(ctx, event, address, profile.metadata.iccid));
  }
}

/** Stores an EPR; the oldest one gives way when there is no room. */
export function storeEpr(ctx: Context, seqNumber: number, raw: Uint8Array): void {
  const nonvolatile = ctx.state.nonvolatile;
  const eprs = nonvolatile.pending.filter((one) => one.kind === "epr");
  const oldest = eprs.length >= ctx.config.limits.eprs ? eprs[0] : undefined;
  const kept = nonvolatile.pending.filter((one) => one !== oldest);
  nonvolatile.pending = [...kept, Object.freeze({ kind: "epr" as const, seqNumber, raw })];
}

/** BF2B. */
export function retrieveNotificationsList(ctx: Context, command: Tlv): Uint8Array {
  const { kind, wanted } = criterion(ctx, command);
  if (wanted === undefined) return tlv(0xbf2b, tlv(0x81, [refuse(ctx, "RetrieveNotificationsList", UNDEFINED_ERROR, "the search criterion is malformed")]));
  const found = ctx.state.nonvolatile.pending.filter(wanted);
  const asEpr = kind === "epr" || found[0]?.kind === "epr";
  if (found.length === 0 && ctx.config.quirks.has("bf2b-empty")) return tlv(0xbf2b);
  return tlv(0xbf2b, tlv(asEpr ? 0xa2 : 0xa0, ...found.map((one) => one.raw)));
}

/** BF28: metadata of the notifications; EPRs are not listed. */
export function listNotification(ctx: Context, command: Tlv): Uint8Array {
  let event: number[] | undefined;
  if (command.value.length > 0) event = readBits(readOne(command.value, 0x81).value);
  const found = ctx.state.nonvolatile.pending.filter((one) => one.kind === "notification" && (event?.includes(one.event ?? -1) ?? true));
  return tlv(0xbf28, tlv(0xa0, ...found.flatMap((one) => one.metadata ?? [])));
}

/** BF30: takes away a notification or an EPR. */
export function removeNotificationFromList(ctx: Context, command: Tlv): Uint8Array {
  const nonvolatile = ctx.state.nonvolatile;
  const seqNumber = readInteger(readOne(command.value, 0x80).value);
  const left = nonvolatile.pending.filter((one) => one.seqNumber !== seqNumber);
  const removed = left.length < nonvolatile.pending.length;
  nonvolatile.pending = left;
  if (ctx.config.quirks.has("bf30-empty")) return tlv(0xbf30);
  const status = removed ? 0 : refuse(ctx, "RemoveNotificationFromList", 1, `nothing has the sequence number ${seqNumber}`);
  return tlv(0xbf30, tlv(0x80, [status]));
}

type Wanted = (one: Pending) => boolean;

function criterion(ctx: Context, { value }: Tlv): { kind: Pending["kind"]; wanted?: Wanted } {
  const kind = "notification";
  if (value.length === 0) return { kind, wanted: (one) => one.kind === "notification" };
  const outer = readOne(value);
  // Seen in the field: BF2B{82 00}.
  if (ctx.config.lenient && outer.tag === 0x82 && outer.value.length === 0) return { kind: "epr", wanted: (one) => one.kind === "epr" };
  if (outer.tag !== 0xa0) return { kind };
  const inner = readOne(outer.value);
  if (inner.tag === 0x80) {
    const seqNumber = readInteger(inner.value);
    return { kind, wanted: (one) => one.seqNumber === seqNumber };
  }
  if (inner.tag === 0x81) {
    const events = readBits(inner.value);
    return { kind, wanted: (one) => one.kind === "notification" && events.includes(one.event ?? -1) };
  }
  if (inner.tag === 0x82 && inner.value.length === 0) return { kind: "epr", wanted: (one) => one.kind === "epr" };
  return { kind };
}

/** OtherSignedNotification: 30{BF2F, 5F37 over BF2F, CERT.EUICC, CERT.EUM}. */
function otherSignedNotification(ctx: Context, event: NotificationEvent, address: string, iccid: Uint8Array): Pending {
  const seqNumber = takeSeqNumber(ctx);
  const chain = ctx.config.chains[0];
  const metadata = tlv(0xbf2f, tlv(0x80, integer(seqNumber)), tlv(0x81, bits(event)), tlv(0x0c, utf8(address)), tlv(0x5a, iccid));
  const raw = tlv(0x30, concat(metadata, tlv(0x5f37, sign(chain.key, metadata)), chain.euiccCertificate, chain.eumCertificate));
  return Object.freeze({ kind: "notification" as const, seqNumber, raw, event, metadata });
}

/** Sequence numbers of what waits, for people and tests: `3 enable 9800...`, `4 EPR`, `5 PIR 9800...` (`5 PIR` when no ICCID came). */
export function describePending(one: Pending): string {
  if (one.kind === "epr") return `${one.seqNumber} EPR`;
  if (one.metadata === undefined || one.event === undefined) throw new TlvError("tlv", `notification ${one.seqNumber} has no metadata`);
  const iccid = find(readAll(readOne(one.metadata, 0xbf2f).value), 0x5a)?.value;
  const what = readTlv(one.raw).tag === 0xbf37 ? "PIR" : NotificationEvent[one.event].toLowerCase();
  return `${one.seqNumber} ${what}${iccid === undefined ? "" : ` ${toHex(iccid)}`}`;
}
