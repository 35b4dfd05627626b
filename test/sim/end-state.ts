/**
 * How a world ends, as far as a power cut must not change it: the card's profiles, eIMs, counters and numbers, and what each eIM has
 * received. Also says in words where two ends differ.
 */
import { toHex } from "./core/bytes.js";
import type { NotificationRecord, ResultRecord } from "./eim/index.js";
import type { World } from "./world.js";

export interface EndState {
  /** "8900… enabled" in order; of a downloaded one also its octets. */
  readonly profiles: readonly string[];
  /** eimId, counterValue and associationToken. */
  readonly eims: readonly string[];
  /** seqNumbers that wait on the card. */
  readonly pending: readonly number[];
  readonly nextSeqNumber: number;
  /** Results that stand, one line each: eIM, package, kind, counter, codes. */
  readonly results: readonly string[];
  /** Notifications that the eIMs have: eIM, seqNumber, event; "waiting" as long as the SM-DP+ has not confirmed it. */
  readonly notifications: readonly string[];
  /** Download orders, and notifications, that the SM-DP+ have. */
  readonly orders: readonly string[];
}

export function endState(world: World): EndState {
  const card = world.euicc.snapshot().nonvolatile;
  return {
    profiles: card.profiles.map((profile) => `${toHex(profile.metadata.iccid)} ${profile.enabled ? "enabled" : "disabled"}${profile.loaded === undefined ? "" : ` ${profile.loaded.size} octets`}`),
    eims: card.eims.map((eim) => `${eim.eimId} counter ${eim.counterValue} token ${eim.associationToken ?? "none"}`),
    pending: card.pending.map((item) => item.seqNumber),
    nextSeqNumber: card.nextSeqNumber,
    results: world.eims.flatMap((eim) => eim.results(world.eid).filter((result) => !result.replaced).map((result) => `${eim.eimId}: ${describe(result)}`)),
    notifications: world.eims.flatMap((eim) => eim.notifications(world.eid).map((item) => `${eim.eimId}: ${item.seqNumber} ${item.event}${relayed(world, item)}`)).sort(),
    orders: world.smdps.flatMap((smdp) => [
      ...smdp.orders.map((order) => `${smdp.address}: order ${order.id} ${order.state}${order.reason === undefined ? "" : ` (${order.reason})`}`),
      ...smdp.notifications.map((item) => `${smdp.address}: ${item.seqNumber} ${item.event}`),
    ]),
  };
}

/** Only where there is an SM-DP+ that it could be relayed to. */
function relayed(world: World, item: NotificationRecord): string {
  const known = world.smdps.some((smdp) => smdp.address === item.receiver);
  return known && !item.delivered ? " waiting" : "";
}

function describe(result: ResultRecord): string {
  const commands = (result.commands ?? []).map((command) => JSON.stringify(command, (_key, value: unknown) => (value instanceof Uint8Array ? toHex(value) : value)));
  return [`package ${result.packageId ?? "none"}`, result.kind, `counter ${result.counter ?? "none"}`, ...(result.rollback ? ["rolled back"] : []), ...commands, ...(result.download === undefined ? [] : [JSON.stringify(result.download)])].join(" ");
}

/** Where `end` differs from `expected`, in one line; undefined when it is as good. */
export function differences(expected: EndState, end: EndState): string | undefined {
  const found: string[] = [];
  for (const part of ["profiles", "eims", "results", "notifications", "orders"] as const) {
    const [missing, extra] = [without(expected[part], end[part]), without(end[part], expected[part])];
    if (missing.length > 0) found.push(`${part}: ${missing.join("; ")} expected`);
    if (extra.length > 0) found.push(`${part}: ${extra.join("; ")} not expected`);
  }
  const left = end.pending.filter((number) => !expected.pending.includes(number));
  if (left.length > 0) found.push(`seqNumber ${left.join(", ")} left on the card, which the uncut run removed`);
  if (end.nextSeqNumber !== expected.nextSeqNumber) found.push(`the card's next seqNumber is ${end.nextSeqNumber}, expected ${expected.nextSeqNumber}: something was done twice or not at all`);
  return found.length === 0 ? undefined : found.join(". ");
}

/** Members of `list` beyond those in `other`, counting each as often as it stands there. */
function without(list: readonly string[], other: readonly string[]): string[] {
  const rest = [...other];
  return list.filter((item) => {
    const at = rest.indexOf(item);
    if (at < 0) return true;
    rest.splice(at, 1);
    return false;
  });
}
