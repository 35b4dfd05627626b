/**
 * The zero-touch story that `tinyipa demo` tells: from the factory to an operator's profile, with a lost network on the way. Every line is a claim
 * about what really happened at card, eIM and SM-DP+; one that does not hold is marked with "!" and spoils the verdict.
 */
import { tlv } from "../sim/codec/tlv.js";
import type { Trace } from "../sim/core/trace.js";
import { downloadTrigger, psmo, type Eim, type ResultRecord } from "../sim/eim/index.js";
import { iccidDigits } from "../sim/euicc/index.js";
import type { Order } from "../sim/smdp/index.js";
import { BOOTSTRAP } from "../sim/world-options.js";
import { until, type World } from "../sim/world.js";
import type { Io } from "./command.js";
import { endOf } from "./demo-end.js";
import { watchLoading } from "./progress.js";

const STORE_PROVISION = 16;
const MATCHING_ID = "TINYIPA-DEMO-1";

export interface StoryOptions {
  readonly world: World;
  readonly io: Io;
  /** Unprotected profile package that the operator has waiting at the SM-DP+, and what it is called. */
  readonly profile: Uint8Array;
  readonly profileName: string;
  /** The device speaks with the SM-DP+ itself. */
  readonly direct: boolean;
}

/** Each step: what is asked, a run until idle, and a line on what came of it. */
export class Story {
  readonly #world: World;
  readonly #io: Io;
  readonly #options: StoryOptions;
  readonly #problems: string[] = [];
  #shown = 0;

  constructor(options: StoryOptions) {
    this.#options = options;
    this.#world = options.world;
    this.#io = options.io;
  }

  /** Tells it; gives what was not as it should be. */
  async tell(): Promise<readonly string[]> {
    watchLoading(this.#world.trace, (text) => this.#line(text));
    await this.#associate();
    const order = await this.#download();
    await this.#rollBack(order);
    await this.#stay(order);
    await this.#deleteBootstrap();
    return [...this.#problems, ...endOf(this.#world, order, this.#options)];
  }

  async #associate(): Promise<void> {
    const { euicc, eim, eid, store } = this.#world;
    this.#line(`factory fresh: eUICC ${eid}, "${this.#enabledName()}" enabled, no eIM`, euicc.profiles.length === 1 && euicc.eims.length === 0);
    store.write(STORE_PROVISION, tlv(0xbf57, tlv(0xa0, eim.configurationData())));
    await this.#run();
    const last = eim.seen.at(-1);
    this.#line(`associated with ${euicc.eims.map((one) => one.eimId).join()} (AddInitialEim), its TLS key pinned; first poll: ${last?.reason ?? "nothing reached the eIM"}`, euicc.eims.length === 1 && last?.verdict === "ok");
  }

  async #download(): Promise<Order> {
    const { profile, profileName, direct } = this.#options;
    const { smdp, eim, eid, euicc } = this.#world;
    const notifications = [{ events: ["enable", "disable", "delete"] as const, address: smdp.address }];
    const order = smdp.order({ profile, matchingId: MATCHING_ID, eid, metadata: { serviceProviderName: "Home operator", profileName, notifications } });
    const activationCode = smdp.activationCode(order);
    this.#line(`the operator orders "${profileName}", ${profile.length} octets; the eIM's trigger: ${activationCode}`);
    const result = await this.#ask(downloadTrigger({ activationCode }));
    const installed = result?.download !== undefined && "installed" in result.download;
    const [calls, way] = direct ? [smdp.seen.length, "by the device itself"] : [eim.seen.flatMap((one) => one.es9p ?? []).length, "by the eIM"];
    this.#line(`installed: "${this.#name(order.iccid)}", disabled beside "${this.#enabledName()}"; ES9+ spoken ${way}, ${calls} calls`, installed && euicc.profilePackage(order.iccid) !== undefined);
    this.#line(`the eIM has the result, signature ${verified(result)}; the SM-DP+ has the installation notification, its order is ${smdp.orderById(order.id).state}`, result?.verified === true && smdp.orderById(order.id).state === "installed");
    return order;
  }

  async #rollBack({ iccid }: Order): Promise<void> {
    const { modem } = this.#world;
    modem.coverage(iccid, "none");
    this.#line(`the eIM: enable "${this.#name(iccid)}", rollback allowed; but its network is down just now`);
    const from = this.#world.trace.entries.length;
    const result = await this.#ask(psmo.enable(iccid, { rollback: true }));
    const waited = this.#world.trace.since(from).events.find((event) => event.reason?.includes("found no network"));
    this.#line(`enabled; but ${waited?.reason ?? "nothing was noticed"}`, waited !== undefined);
    this.#line(`ProfileRollback: "${this.#enabledName()}" is back; the eIM knows: ${codes(result)}, signature ${verified(result)}`, this.#world.enabled === BOOTSTRAP && result?.rollback === true && result.verified);
  }

  async #stay({ iccid }: Order): Promise<void> {
    this.#world.modem.coverage(iccid, 5000);
    this.#line(`its network is there again; the eIM asks the same once more`);
    const result = await this.#ask(psmo.enable(iccid, { rollback: true }));
    this.#line(`"${this.#enabledName()}" is enabled, and stays; the eIM knows: ${codes(result)}, signature ${verified(result)}`, this.#world.enabled === iccid && result?.rollback === false && allOk(result));
  }

  async #deleteBootstrap(): Promise<void> {
    const { smdp, euicc } = this.#world;
    const result = await this.#ask(psmo.delete(BOOTSTRAP));
    this.#line(`the eIM deletes the bootstrap profile: ${codes(result)}, signature ${verified(result)}`, allOk(result));
    const profiles = (await this.#ask(psmo.listProfileInfo()))?.commands?.[0]?.profiles ?? [];
    this.#line(`the eIM lists what is left: ${profiles.map((one) => `"${one.profileName}" ${one.state}`).join(", ")}`, profiles.length === 1);
    const told = smdp.notifications.map((one) => `${one.seqNumber} ${one.event}`);
    this.#line(`notifications verified at the SM-DP+: ${told.join(", ")}; ${euicc.pending.length} left on the card`, told.length > 0 && euicc.pending.length === 0);
  }

  /** Queues a package, lets the device poll, and gives the result that stands at the eIM. */
  async #ask(content: Parameters<Eim["queue"]>[1]): Promise<ResultRecord | undefined> {
    const { eim, eid } = this.#world;
    const record = eim.queue(eid, content);
    await this.#run();
    return eim.results(eid).filter((result) => result.packageId === record.id && !result.replaced).at(-1);
  }

  async #run(): Promise<Trace> {
    if (this.#world.host.started) this.#world.wake("poll");
    return this.#world.run(until.idle());
  }

  #line(text: string, good = true): void {
    const { trace, clock } = this.#world;
    const { roundTrips, bytesUp, bytesDown } = trace.since(this.#shown).totals();
    this.#shown = trace.entries.length;
    if (!good) this.#problems.push(text);
    const numbers = roundTrips === 0 ? "" : `${bytesUp}/${bytesDown}`;
    this.#io.out(`${(clock.now() / 1000).toFixed(2).padStart(8)} s ${numbers.padStart(15)} ${(roundTrips === 0 ? "" : String(roundTrips)).padStart(6)}  ${good ? " " : "!"} ${text}`);
  }

  #enabledName(): string {
    return this.#world.euicc.enabledProfile?.metadata.profileName ?? "no profile";
  }

  #name(iccid: string): string {
    return this.#world.euicc.profiles.find((one) => iccidDigits(one.metadata.iccid) === iccid)?.metadata.profileName ?? "no profile";
  }
}

function codes(result: ResultRecord | undefined): string {
  return result?.commands?.map((one) => `${one.command} ${one.name}`).join(", ") ?? "no result";
}

function allOk(result: ResultRecord | undefined): boolean {
  return result?.verified === true && (result.commands ?? []).every((one) => one.code === undefined || one.code === 0);
}

function verified(result: ResultRecord | undefined): string {
  return result?.verified === true ? "verified" : "NOT verified";
}
