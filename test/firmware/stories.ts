/**
 * What a device is for, told against a board: zero-touch, from an empty poll over an indirect download to the profile that stays. Every step is a
 * package of the eIM; what came of it is read at eIM, eUICC and SM-DP+.
 */
import { ok, strictEqual } from "node:assert/strict";
import { downloadTrigger, iccid, psmo, sampleProfile, SMDP_ADDRESS, type WorldOptions } from "../sim/index.js";
import { EIM_FQDN } from "../sim/world-options.js";
import type { Order } from "../sim/smdp/index.js";
import type { Bench } from "./bench.js";

/** Octets of the profile package that is downloaded. */
export const PROFILE_OCTETS = 12_000;

/** ICCID of that profile. */
export const DOWNLOADED = iccid(7);

/** An SM-DP+ behind the eIM. */
export const STORY_WORLD: WorldOptions = { smdps: [{}], seed: 4 };

/** An order at the SM-DP+, its trigger at the eIM. */
export function orderDownload(bench: Bench): Order {
  const { smdp, eim, eid } = bench.world;
  const notifications = [{ events: ["enable", "disable", "delete"] as const, address: SMDP_ADDRESS }];
  const order = smdp.order({ profile: sampleProfile({ iccid: DOWNLOADED, size: PROFILE_OCTETS }), matchingId: "FIRMWARE-1", eid, metadata: { serviceProviderName: "Home operator", profileName: "Downloaded", notifications } });
  eim.queue(eid, downloadTrigger({ activationCode: smdp.activationCode(order) }));
  return order;
}

/** The whole story; power may go at any time. Gives the order of the downloaded profile. */
export async function zeroTouch(bench: Bench): Promise<Order> {
  const { eim, eid } = bench.world;
  await bench.start();
  await bench.until("the first poll finds nothing", () => bench.idle && eim.seen.length > 0);
  const order = orderDownload(bench);
  eim.queue(eid, psmo.enable(order.iccid, { rollback: true }));
  eim.queue(eid, psmo.listProfileInfo());
  await work(bench, "download, enable and list");
  return order;
}

/** Polls until all packages are done and the card has no notification left; a board that was cut meanwhile polls by itself. */
export async function work(bench: Bench, what: string, ms = 120_000): Promise<void> {
  bench.poll();
  let asked = performance.now();
  await bench.until(what, () => {
    if (bench.settled) return true;
    // Idle, and yet not done: it would go on with its next poll by itself, a day from now.
    if (bench.idle && performance.now() - asked > 500) {
      asked = performance.now();
      bench.poll();
    }
    return false;
  }, ms);
}

/** What must be true after zeroTouch, wherever one looks. */
export function checkZeroTouch(bench: Bench, order: Order): void {
  const { world } = bench;
  const profile = world.euicc.profilePackage(order.iccid);
  ok(profile !== undefined, "the eUICC holds the profile");
  strictEqual(Buffer.compare(profile, order.profile), 0, "octet by octet");
  strictEqual(world.enabled, order.iccid, "and it is enabled");
  strictEqual(world.euicc.pending.length, 0, "no notification is left on the card");
  strictEqual(world.smdp.orderById(order.id).state, "installed");
  const told = world.smdp.notifications.filter((one) => one.iccid === order.iccid).map((one) => one.event);
  strictEqual(told.join(), "install,enable", "the SM-DP+ was told of each event once");
  const results = world.eim.results(world.eid).filter((one) => !one.replaced);
  strictEqual(results.length, world.eim.device(world.eid).packages.length, "one result stands for each package");
  ok(results.every((one) => one.verified), "signed by the eUICC");
  strictEqual(new Set(results.map((one) => one.packageId)).size, results.length, "and for each another");
  const refused = world.eim.seen.filter((one) => one.verdict !== "ok");
  if (bench.cuts === 0) strictEqual(refused.map((one) => `${one.function}: ${one.reason}`).join(), "", `${EIM_FQDN} refused nothing`);
}
