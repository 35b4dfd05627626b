/** How the demo's story must have ended: card, eIM and SM-DP+ looked at, each for itself, and compared. */
import { equal } from "../sim/core/bytes.js";
import { iccidDigits } from "../sim/euicc/index.js";
import type { Order } from "../sim/smdp/index.js";
import type { World } from "../sim/world.js";

/** What the profile's SM-DP+ is told: installed; enabled, and disabled again by the rollback; enabled for good. */
const TOLD = ["install", "enable", "disable", "enable"];

/** One sentence for everything that is not as it should be. */
export function endOf(world: World, order: Order, { direct }: { readonly direct: boolean }): string[] {
  return [...card(world, order), ...eim(world), ...smdp(world, order), ...way(world, direct)];
}

function card({ euicc }: World, order: Order): string[] {
  const found = euicc.profiles.map((profile) => `${iccidDigits(profile.metadata.iccid)} ${profile.enabled ? "enabled" : "disabled"}`);
  const octets = euicc.profilePackage(order.iccid);
  return [
    ...expected("profiles on the eUICC", found.join(", "), `${order.iccid} enabled`),
    ...(octets !== undefined && equal(octets, order.profile) ? [] : ["the profile on the eUICC is not the operator's, octet by octet"]),
    ...expected("notifications left on the eUICC", euicc.pending.length, 0),
    ...euicc.refusals.map((refusal) => `the eUICC refused ${refusal.what}: ${refusal.why}`),
  ];
}

function eim({ eim: it, eid }: World): string[] {
  const standing = it.results(eid).filter((result) => !result.replaced);
  const unresolved = it.device(eid).packages.filter((one) => standing.filter((result) => result.packageId === one.id && result.verified).length !== 1);
  return [
    ...unresolved.map((one) => `package ${one.id} of the eIM has no verified result, or several`),
    ...expected("notifications left in the eIM's outbox", it.outbox().length, 0),
    ...it.seen.filter((exchange) => exchange.verdict !== "ok").map((exchange) => `the eIM refused ${exchange.function}: ${exchange.reason}`),
    ...it.seen.flatMap((exchange) => exchange.warnings.map((warning) => `the eIM warns of ${exchange.function}: ${warning}`)),
  ];
}

function smdp({ smdp: it, eid }: World, order: Order): string[] {
  const told = it.notifications.filter((one) => one.iccid === order.iccid && one.eid === eid).map((one) => one.event);
  return [
    ...expected("the order at the SM-DP+", it.orderById(order.id).state, "installed"),
    ...expected("notifications at the SM-DP+", told.join(), TOLD.join()),
    ...it.seen.filter((exchange) => exchange.verdict !== "ok").map((exchange) => `the SM-DP+ refused ${exchange.function}: ${exchange.reason}`),
    ...it.seen.flatMap((exchange) => exchange.warnings.map((warning) => `the SM-DP+ warns of ${exchange.function}: ${warning}`)),
  ];
}

/** Who spoke with the SM-DP+: the device, or the eIM for it. */
function way({ trace, eim: it }: World, direct: boolean): string[] {
  const own = trace.exchanges.some((exchange) => exchange.peer === "SM-DP+");
  const relayed = it.seen.some((exchange) => (exchange.es9p ?? []).some((call) => call.function === "getBoundProfilePackage"));
  return [...expected("the device speaks with the SM-DP+ itself", own, direct), ...expected("the eIM fetches the package", relayed, !direct)];
}

function expected<T>(what: string, got: T, wanted: T): string[] {
  return got === wanted ? [] : [`${what}: ${String(wanted)} expected, got ${String(got)}`];
}
