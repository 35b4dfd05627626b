/**
 * Notifications on their way from an eIM to their SM-DP+ (SGP.32 v1.2 3.7; SGP.22 v2.5 3.5, ES9+.HandleNotification): the eIM has taken them over from the
 * IPA and keeps each until its receiver has confirmed it. In the order of their numbers for each receiver; one receiver that can't be reached does not hold
 * up the others, and one notification that is rejected does not hold up later ones.
 */
import { drive, type Maybe, type Steps } from "../core/maybe.js";
import { tlv } from "../codec/tlv.js";
import type { Core, Notes } from "./core.js";
import { callEs9p } from "./download-es9p.js";
import type { DeviceState, NotificationRecord } from "./state.js";

/** Notifications of a device that wait for their receiver. */
export function outbox(device: DeviceState): readonly NotificationRecord[] {
  return device.notifications.filter((record) => !record.delivered);
}

/** Tries to deliver what waits for a device; `rejected`: also what a receiver has rejected before. */
export function* deliver(core: Core, eid: string, notes: Notes, rejected = false): Steps<void> {
  if (core.identity.es9p === undefined) return;
  const waiting = deviceOf(core, eid).filter((record) => rejected || !record.rejected);
  for (const receiver of new Set(waiting.map((record) => record.receiver))) {
    const key = `${eid} ${receiver}`;
    // Another exchange is at it.
    if (core.delivering.has(key)) continue;
    core.delivering.add(key);
    try {
      yield* deliverTo(core, eid, receiver, waiting, notes);
    } finally {
      core.delivering.delete(key);
    }
  }
}

/** Everything of every device. */
export function deliverAll(core: Core, notes: Notes): Maybe<void> {
  return drive(
    (function* (): Steps<void> {
      for (const eid of [...core.state.devices.keys()]) yield* deliver(core, eid, notes, true);
    })(),
  );
}

function* deliverTo(core: Core, eid: string, receiver: string, waiting: readonly NotificationRecord[], notes: Notes): Steps<void> {
  const mine = waiting.filter((record) => record.receiver === receiver).toSorted((a, b) => a.seqNumber - b.seqNumber);
  for (const record of mine) {
    const reply = yield* callEs9p(core, notes, receiver, "handleNotification", tlv(0xbf3d, tlv(0xa0, record.relayed)));
    const taken = reply.kind === "ok";
    const rejected = reply.kind === "error" || (reply.kind === "failed" && reply.rejected === true);
    mark(core, eid, record.seqNumber, { delivered: taken, rejected, ...(!taken && { lastFailure: reply.reason }) });
    if (!taken) notes.warnings.push(`notification ${record.seqNumber} is not delivered to ${receiver}: ${reply.reason}`);
    if (!taken && !rejected) return;
  }
}

function deviceOf(core: Core, eid: string): readonly NotificationRecord[] {
  const device = core.state.devices.get(eid);
  return device === undefined ? [] : outbox(device);
}

/** Looked up anew: while a server was waited for, others may have changed the state. */
function mark(core: Core, eid: string, seqNumber: number, change: Pick<NotificationRecord, "delivered" | "rejected"> & Partial<NotificationRecord>): void {
  const device = core.state.devices.get(eid);
  if (device === undefined) return;
  device.notifications = device.notifications.map((record) => (record.seqNumber === seqNumber ? { ...record, ...change, attempts: record.attempts + 1 } : record));
}
