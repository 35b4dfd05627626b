/** What scenarios of notification delivery share (SGP.32 v1.2 3.7). */
import assert from "node:assert/strict";
import { fromHex } from "../../sim/core/bytes.js";
import { readAll, readInteger, readOne, type Tlv } from "../../sim/codec/tlv.js";
import { BOOTSTRAP, OPERATIONAL, type Eim, type World } from "../../sim/index.js";
import type { Behaviour } from "../../sim/eim/index.js";
import { results } from "../esipa-view.js";

export const HOUR = 3_600_000;
export const NO_BUNDLE = { switches: ["NoBundle"] as const };
const HANDLE_NOTIFICATION = 0xbf3d;

/** Each switch tells three SM-DP+s. */
const LOUD = [1, 2, 3].map((n) => ({ events: ["enable", "disable", "delete"] as const, address: `smdp-${n}.example.com` }));
export const LOUD_PROFILES = [
  { iccid: BOOTSTRAP, enabled: true, notifications: LOUD },
  { iccid: OPERATIONAL, notifications: LOUD },
];

/** Bodies of HandleNotification in hexadecimal. */
export function handled(eim: Eim): string[] {
  return eim.seen.filter((exchange) => exchange.function === "HandleNotification").map((exchange) => exchange.request);
}

/** seqNumber of the notification in a HandleNotification: BF3D{A0{30{BF2F{80}}}}. */
export function seqNumberOf(body: Uint8Array): number {
  const first = (item: Tlv): Tlv => readAll(item.value)[0] as Tlv;
  return readInteger(first(first(first(first(readOne(body))))).value);
}

/** When the notification with this number came to the eIM, in ms of its clock. */
export function timesOf(eim: Eim, seqNumber: number): number[] {
  return eim.seen.filter((exchange) => exchange.function === "HandleNotification" && seqNumberOf(fromHex(exchange.request)) === seqNumber).map((exchange) => exchange.time);
}

/** 400 for this notification (undefined: for any), up to a moment of the eIM's clock. */
export function refuseNotification(seqNumber: number | undefined, untilMs = Infinity): Behaviour {
  return {
    name: `refuseNotification(${seqNumber ?? "any"}, ${untilMs})`,
    answer: (request, context) => (context.function === HANDLE_NOTIFICATION && context.time < untilMs && (seqNumber === undefined || seqNumberOf(request.body) === seqNumber) ? { status: 400, headers: {}, body: new Uint8Array(0) } : undefined),
  };
}

/** Closes the connection instead of answering HandleNotification, up to a moment of the eIM's clock. */
export function dropNotifications(untilMs: number): Behaviour {
  return {
    name: `dropNotifications(${untilMs})`,
    answer: (_request, context) => (context.function === HANDLE_NOTIFICATION && context.time < untilMs ? { status: 0, headers: {}, body: new Uint8Array(0), drop: true } : undefined),
  };
}

/** So many notifications reached the eIM, each verified and once; nothing is left on the card. */
export function assertAllDelivered(world: World, count: number): void {
  const taken = world.eims.flatMap((eim) => eim.notifications(world.eid));
  assert.equal(taken.length, count);
  assert.equal(new Set(taken.map((item) => item.seqNumber)).size, count);
  assert.ok(taken.every((item) => item.verified));
  assert.deepEqual(world.euicc.pending, []);
  assert.ok(results(world).every((result) => result.endsWith(" 0") || result === "ipaEuiccData"), results(world).join("; "));
}
