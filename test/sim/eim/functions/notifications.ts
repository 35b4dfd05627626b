/**
 * What an eIM does with a PendingNotification (SGP.32 v1.2 3.7; procedures 16): find whose it is, verify the eUICC's signature, keep it once per
 * (EID, seqNumber), in full form, for its receiver. The relay to the SM-DP+ itself is download-relay.ts's.
 */
import { toHex } from "../../core/bytes.js";
import { tlv, type Tlv } from "../../codec/tlv.js";
import { verify } from "../../pki/keys.js";
import { certificateEid, keyFromCertificates, type EuiccKey } from "../certificates.js";
import type { Core, Notes } from "../core.js";
import { expandInstallationResult } from "../download-compact.js";
import { eidDigits } from "../identifiers.js";
import { readPendingNotification, type PendingNotification } from "../notification.js";
import { BadRequest, FunctionError } from "../refusal.js";
import type { DeviceState, NotificationRecord } from "../state.js";
import { noteInstallation } from "./download-result.js";

const SECTION = "SGP.32 v1.2 3.7";

/** Takes one notification, of `device` or of the device that it proves to be of. Returns its sequence number. Throws BadRequest. */
export function takeNotification(core: Core, device: DeviceState | undefined, item: Tlv, notes: Notes): number {
  const full = item.tag === 0xa0 ? expand(core, item) : item;
  const notification = readPendingNotification(full, notes.warnings);
  const owner = device ?? ownerOf(core, notification);
  if (notification.eid !== undefined && eidDigits(notification.eid) !== owner.eid) {
    throw new BadRequest(`the notification names EID ${toHex(notification.eid)}, expected ${owner.eid}`, SECTION);
  }
  notes.eid = owner.eid;
  const verified = verifyNotification(core, owner, notification, notes);
  keep(core, owner, notification, verified, notes, item.tag !== full.tag);
  noteInstallation(core, owner, notification, verified);
  return notification.seqNumber;
}

/** A compact PIR in full, if its session is known; else as it is, to be refused by name. Throws BadRequest. */
function expand(core: Core, item: Tlv): Tlv {
  try {
    return expandInstallationResult(core.state.devices.values(), item) ?? item;
  } catch (cause) {
    if (!(cause instanceof FunctionError)) throw cause;
    throw new BadRequest(cause.message, SECTION);
  }
}

/** Takes a list; what is refused is named in the warnings and not acknowledged. Returns the numbers to acknowledge. */
export function takeNotifications(core: Core, device: DeviceState, items: readonly Tlv[], notes: Notes): number[] {
  const taken: number[] = [];
  for (const item of items) {
    try {
      taken.push(takeNotification(core, device, item, notes));
    } catch (cause) {
      if (!(cause instanceof BadRequest)) throw cause;
      notes.warnings.push(`not acknowledged: ${cause.message}`);
    }
  }
  return taken;
}

/** A notification that comes alone: by the EID in its certificate or compact form, else by the key that verifies it. */
function ownerOf(core: Core, notification: PendingNotification): DeviceState {
  const devices = [...core.state.devices.values()];
  const certificate = notification.euiccCertificate;
  const eid = notification.eid ? eidDigits(notification.eid) : certificate && certificateEid(certificate);
  if (certificate !== undefined && eid === undefined) throw new BadRequest("the notification's CERT.EUICC names no EID", SECTION);
  if (eid !== undefined) {
    const named = core.state.devices.get(eid);
    if (named === undefined) throw new BadRequest(`the notification is of EID ${eid}, which is not registered here`, SECTION);
    return named;
  }
  const proven = devices.find((device) => device.publicKey && verify(device.curve, device.publicKey, notification.signed, notification.signature));
  if (proven !== undefined) return proven;
  const session = devices.find((device) => device.download !== undefined && device.download.transactionId === notification.installation?.transactionId);
  if (session !== undefined) return session;
  const unknown = devices.filter((device) => device.publicKey === undefined);
  if (unknown.length === 1) return unknown[0] as DeviceState;
  throw new BadRequest(`the ${notification.form} carries no EID, and no registered eUICC's key verifies it`, SECTION);
}

function verifyNotification(core: Core, device: DeviceState, notification: PendingNotification, notes: Notes): boolean {
  const key = keyOf(device, notification);
  if (typeof key === "string") throw new BadRequest(`notification ${notification.seqNumber}: ${key}`, SECTION);
  if (key === undefined) {
    const reason = `notification ${notification.seqNumber} is not verified: the eUICC's certificate is not known`;
    if (core.identity.policy.unverifiable === "refuse") throw new BadRequest(reason, SECTION);
    notes.warnings.push(reason);
    return false;
  }
  if (!verify(key.curve, key.publicKey, notification.signed, notification.signature)) {
    throw new BadRequest(`notification ${notification.seqNumber}: the signature does not verify over ${notification.form === "profileInstallationResult" ? "BF27" : "BF2F"}`, SECTION);
  }
  return true;
}

function keyOf(device: DeviceState, notification: PendingNotification): EuiccKey | string | undefined {
  if (notification.euiccCertificate && notification.eumCertificate) return keyFromCertificates(device, notification.euiccCertificate, notification.eumCertificate);
  return device.publicKey && { curve: device.curve, publicKey: device.publicKey };
}

/** Keeps a notification once, for its receiver. Throws BadRequest when its number is another's. */
export function keep(core: Core, device: DeviceState, notification: PendingNotification, verified: boolean, notes: Notes, compact = false): void {
  const identity = toHex(notification.signed) + toHex(notification.signature);
  const known = device.notifications.find((record) => record.seqNumber === notification.seqNumber);
  if (known !== undefined) {
    if (known.identity !== identity) throw new BadRequest(`seqNumber ${notification.seqNumber} is that of another notification`, SECTION);
    device.notifications = device.notifications.map((record) => (record === known ? { ...known, resent: known.resent + 1 } : record));
    return;
  }
  if (device.results.some((result) => result.kind === "euiccPackageResult" && result.seqNumber === notification.seqNumber)) {
    throw new BadRequest(`seqNumber ${notification.seqNumber} is that of an eUICC Package Result`, SECTION);
  }
  const before = device.notifications.filter((record) => record.receiver === notification.receiver);
  const inOrder = before.every((record) => record.seqNumber < notification.seqNumber);
  if (!inOrder) notes.warnings.push(`notification ${notification.seqNumber} for ${notification.receiver} comes after a higher number`);
  const record: NotificationRecord = {
    time: core.now(),
    seqNumber: notification.seqNumber,
    event: notification.event,
    receiver: notification.receiver,
    ...(notification.iccid !== undefined && { iccid: notification.iccid }),
    verified,
    compact: compact || notification.form === "compactOtherSignedNotification",
    inOrder,
    resent: 0,
    ...(notification.installation && { installation: notification.installation }),
    relayed: fullForm(device, notification),
    delivered: false,
    rejected: false,
    attempts: 0,
    identity,
  };
  device.notifications = [...device.notifications, record];
}

/** What the SM-DP+ gets: a compact form is rebuilt with the certificates that it left out (types 5). */
function fullForm(device: DeviceState, notification: PendingNotification): Uint8Array {
  if (notification.form !== "compactOtherSignedNotification") return notification.raw;
  if (device.euiccCertificate === undefined || device.eumCertificate === undefined) {
    throw new BadRequest("compactOtherSignedNotification: the certificates that it leaves out are not known here", SECTION);
  }
  return tlv(0x30, notification.signed, notification.signatureTlv, device.euiccCertificate, device.eumCertificate);
}
