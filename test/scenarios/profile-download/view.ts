/**
 * What scenarios of the profile download (SGP.32 v1.2 3.2.3.2) share: an order at the SM-DP+ and its trigger at the eIM, and what must hold however a
 * download ended: card, SM-DP+ and eIM tell the same story.
 */
import assert from "node:assert/strict";
import { concat, fromHex, toHex } from "../../sim/core/bytes.js";
import { downloadTrigger, iccid, rspBehaviours, sampleProfile, SMDP_ADDRESS, until, type Trace, type World, type WorldOptions } from "../../sim/index.js";
import { iccidDigits } from "../../sim/euicc/index.js";
import type { DownloadHandling } from "../../sim/eim/index.js";
import type { DownloadTrigger } from "../../sim/eim/packages.js";
import type { Order, OrderOptions } from "../../sim/smdp/index.js";
import { complaints } from "../esipa-view.js";

export const DOWNLOADED = iccid(7);
export const MATCHING_ID = "04386-AGYFT-A74Y8-3F815";
export const WITH_SMDP: WorldOptions = { smdps: [{}] };

export const LOAD_BPP = 0xbf36;
/** A segment is noted by its own tag: 86 are the last ones. */
export const LAST_BLOCKS = 0x86;
export const CANCEL_SESSION = 0xbf41;
export const IMMEDIATE_ENABLE = 0xbf5a;

/** The product's own small profile, waiting at the first SM-DP+. */
export function placeOrder(world: World, options: Partial<OrderOptions> = {}): Order {
  return world.smdp.order({
    profile: sampleProfile({ iccid: options.iccid ?? DOWNLOADED }), matchingId: MATCHING_ID,
    metadata: { notifications: [{ events: ["enable", "disable", "delete"], address: SMDP_ADDRESS }] }, ...options,
  });
}

/** An order, and the eIM's trigger with its activation code. */
export function orderAndTrigger(world: World, options: Partial<OrderOptions> = {}, handling?: DownloadHandling): Order {
  const order = placeOrder(world, options);
  trigger(world, { activationCode: world.smdp.activationCode(order) }, handling);
  return order;
}

export function trigger(world: World, data: DownloadTrigger, handling?: DownloadHandling): void {
  world.eim.queue(world.eid, downloadTrigger(data, handling));
}

/** Octets of the downloaded profile on the card; undefined: none is there. */
export function downloaded(world: World, which = DOWNLOADED): string | undefined {
  assert.ok(world.euicc.profiles.filter((profile) => iccidDigits(profile.metadata.iccid) === which).length <= 1, "installed at most once");
  const octets = world.euicc.profilePackage(which);
  return octets && toHex(octets);
}

/** How the eIM was told that its triggers ended, in their order: "installed", or reason, error and cancel reason. */
export function outcomes(world: World): string[] {
  return world.eim.device(world.eid).packages.filter((one) => one.kind === "profileDownloadTriggerRequest").map((one) => {
    const results = world.eim.results(world.eid).filter((result) => result.packageId === one.id);
    assert.ok(results.length <= 1, `package ${one.id} has ${results.length} results`);
    const [result] = results;
    if (result?.download === undefined) return result === undefined ? "none" : `${result.kind} ${result.error?.code}`;
    const { download } = result;
    return "installed" in download ? "installed" : [download.reason, download.error, download.cancelled && `cancelled ${download.cancelled}`].filter((text) => text !== undefined).join(", ");
  });
}

/** Card, SM-DP+ and eIM agree about the order, nothing waits anywhere, and the card holds the very package. */
export function agree(world: World, order: Order): void {
  const octets = downloaded(world, order.iccid);
  const state = world.smdp.orderById(order.id).state;
  const last = outcomes(world).at(-1);
  assert.equal(last === "installed", octets !== undefined, `the card has ${octets === undefined ? "no profile" : "the profile"}, the eIM knows: ${last}`);
  assert.equal(state === "installed", octets !== undefined, `the card has ${octets === undefined ? "no profile" : "the profile"}, the order is ${state}`);
  if (octets !== undefined) assert.equal(octets, toHex(order.profile));
  nothingWaits(world);
}

/** No notification waits on the card or at the eIM. */
export function nothingWaits(world: World): void {
  assert.deepEqual(world.euicc.pending.map((item) => `${item.seqNumber} ${item.kind}`), []);
  assert.deepEqual(world.eim.outbox().map((item) => `${item.seqNumber} ${item.lastFailure ?? ""}`), []);
}

/** The profile is on the card, disabled, and all know it; nobody complains. */
export function installedQuietly(world: World, order: Order): void {
  assert.deepEqual(outcomes(world).slice(-1), ["installed"]);
  agree(world, order);
  assert.deepEqual(allComplaints(world), []);
}

/** Complaints of eIM, card, SM-DP+ and SM-DS. */
export function allComplaints(world: World): string[] {
  const servers = [...world.smdps, ...world.smds].flatMap((server) => server.seen.flatMap((entry) => [...(entry.verdict === "refused" ? [entry.reason] : []), ...entry.warnings]));
  return [...complaints(world), ...servers];
}

/** Nothing was installed; the eIM knows why. */
export function endedWith(world: World, order: Order, outcome: string): void {
  assert.deepEqual(outcomes(world), [outcome]);
  agree(world, order);
}

/**
 * As endedWith where nothing was cut. A cut may come before what strikes once, which then strikes another
 * time or not at all, or behind a CancelSession that has closed the order; the story is one all the same.
 */
export function endedWithOrCut(world: World, order: Order, outcome: string): void {
  const [only, ...more] = outcomes(world);
  assert.deepEqual(more, []);
  const cancelled = order.reason?.startsWith("cancelSession") === true && only === "undefinedError, authenticateClient: matchingIdRefused";
  assert.ok(only === outcome || only === "installed" || /interruption$/.test(only ?? "") || cancelled, `${outcome} expected, got ${only}`);
  agree(world, order);
}

/**
 * However the download ended, the story is one; where it failed for the moment, the eIM orders it once more, and then the profile is installed. So the
 * failure was no lasting one, and it is installed exactly once in the end.
 */
export async function installedInTheEnd(world: World, order: Order): Promise<void> {
  await settled(world);
  for (let more = 0; more < 3 && outcomes(world).at(-1) !== "installed"; more++) {
    agree(world, order);
    trigger(world, { activationCode: world.smdp.activationCode(order) });
    world.wake("poll");
    await world.run(until.idle());
    await settled(world);
  }
  assert.equal(outcomes(world).at(-1), "installed");
  agree(world, order);
}

/** The eIM may have everything before the device knows that it has: a few polls more, and nothing waits on the card. */
export async function settled(world: World): Promise<void> {
  for (let polls = 0; polls < 4 && world.euicc.pending.length > 0; polls++) await world.run(until.polls(1));
}

export function theOrder(world: World): Order {
  const [order] = world.smdp.orders;
  assert.ok(order !== undefined);
  return order;
}

/** What the eIM was asked, in order, without GetEimPackage. */
export function askedBeside(world: World): string[] {
  return world.eim.seen.map((exchange) => exchange.function).filter((name) => name !== "GetEimPackage");
}

/** Bodies of one ESipa function's requests. */
export function requests(world: World, name: string): Uint8Array[] {
  return world.eim.seen.filter((exchange) => exchange.function === name).map((exchange) => fromHex(exchange.request));
}

/** SW1 that asks for the same command with another Le. */
const REPEAT = 0x6c;

/** ES10 commands in whole STORE DATA chains, in the order of a trace. */
export function chains(trace: Trace): Uint8Array[] {
  const found: Uint8Array[] = [];
  let parts: Uint8Array[] = [];
  for (const { command, response } of trace.apdus) {
    if (command[1] !== 0xe2 || response.at(-2) === REPEAT) continue;
    if (command[3] === 0) parts = [];
    parts.push(command.subarray(5, 5 + (command[4] as number)));
    if (command[2] === 0x91) found.push(concat(...parts));
  }
  return found;
}

/** Segments of the Bound Profile Package that went to the card. */
export function loadedSegments(trace: Trace): Uint8Array[] {
  const all = chains(trace);
  const from = all.findIndex((chain) => chain[0] === 0xbf && chain[1] === 0x36);
  const to = all.findIndex((chain, index) => index > from && chain[0] === 0xbf);
  return from < 0 ? [] : all.slice(from, to < 0 ? undefined : to);
}

export { rspBehaviours };
