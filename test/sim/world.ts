/**
 * One device and its world: clock, chance, card, modem, links, eIMs, durable store, and the agent in its host. Everything is
 * plain state underneath, so that a world can be copied at any op, cut, and run on (style 6: power cut at each op).
 */
import { configuration, Flag, Host, MemoryStore, Op, RawUicc, Report, StoreKey, TERMINAL_PROFILE_REFRESH, WakeReason, type Configuration, type EventMessage, type HostState, type RawUiccOptions } from "./agent/index.js";
import type { Clock } from "./core/clock.js";
import type { Link, Rest, Waking } from "./core/doors.js";
import { ScenarioError } from "./core/errors.js";
import { Rng } from "./core/rng.js";
import { Trace, type Entry } from "./core/trace.js";
import { Eim, type Behaviour, type EimOptions, type EimState, type Es9p } from "./eim/index.js";
import { Euicc, iccidDigits } from "./euicc/index.js";
import { VirtualLink, type VirtualEs9p, type VirtualLinkState, type VirtualServer } from "./link/index.js";
import { Modem, type ModemState } from "./modem/index.js";
import type { Pki } from "./pki/pki.js";
import { RealWorldLink } from "./real-link.js";
import type { Smdp } from "./smdp/index.js";
import type { Smds } from "./smds/index.js";
import { rspRoots, Servers, type ServersSnapshot } from "./world-servers.js";
import { defaultProfiles, EIM_FQDN, sharedPki, shippedAgent, type WorldOptions } from "./world-options.js";

/** When a run ends. */
export type Until =
  | { readonly kind: "idle" }
  | { readonly kind: "polls"; readonly n: number }
  | { readonly kind: "ops"; readonly n: number }
  | { readonly kind: "time"; readonly ms: number };

export const until = {
  /** The agent sleeps with flag IDLE and nothing waits for this device at any eIM. */
  idle: (): Until => ({ kind: "idle" }),
  /** So many polls have ended since the run began. */
  polls: (n: number): Until => ({ kind: "polls", n }),
  /** So many ops were carried out since the run began. */
  ops: (n: number): Until => ({ kind: "ops", n }),
  /** So much time has passed since the run began. */
  time: (ms: number): Until => ({ kind: "time", ms }),
};

/** Bounds of one run: beyond them it is taken for endless. */
export interface Bounds {
  readonly ops?: number;
  readonly ms?: number;
}

const MOST_OPS = 20_000;
const LONGEST_MS = 90 * 24 * 3_600_000;

/** A place in a run: the n-th op of the world, before it is carried out, or after, when its Done does not reach the agent any more. */
export interface Moment {
  readonly op: number;
  readonly phase: "before" | "after";
}

/** The n of `--cut`: twice the number of the op, and one more for "after". */
export function cutNumber(moment: Moment): number {
  return 2 * moment.op + (moment.phase === "after" ? 1 : 0);
}

class WorldClock implements Clock {
  at = 0;
  constructor(readonly real: Clock | undefined) {}
  now(): number {
    return this.at + (this.real?.now() ?? 0);
  }
  /** Waiting is skipped even where time is real: only sockets take theirs. */
  sleep(ms: number): void {
    if (!(ms >= 0)) throw new RangeError(`expected a time of 0 ms or more, got ${ms}`);
    this.at += ms;
  }
}

/** An eIM that remembers which behaviours it was given, so that a copy of it gets the same. */
class TrackedEim extends Eim {
  readonly used: Behaviour[] = [];
  override use(behaviour: Behaviour): () => void {
    this.used.push(behaviour);
    return super.use(behaviour);
  }
}

interface OwnState {
  started: boolean;
  wakes: readonly { readonly reasons: number; readonly cause: number }[];
  /** When the agent's sleep ends by itself; null while it is awake. */
  sleepUntil: number | null;
  /** A power cut ordered for later, as the n of --cut. */
  cutAt: number | null;
  cuts: number;
}

/** All of a world at one moment. Shares octets and records with the world; later changes do not reach it. */
export interface WorldSnapshot {
  readonly clock: number;
  readonly rng: [number, number, number, number];
  readonly own: OwnState;
  readonly euicc: ReturnType<Euicc["snapshot"]>;
  readonly uicc: ReturnType<RawUicc["snapshot"]>;
  readonly eims: readonly EimState[];
  readonly behaviours: readonly (readonly Behaviour[])[];
  readonly servers: ServersSnapshot;
  readonly modem: ModemState;
  readonly link: VirtualLinkState | null;
  readonly store: Map<number, Uint8Array>;
  readonly host: { agent: Uint8Array; host: HostState };
  readonly trace: readonly Entry[];
}

export class World {
  readonly options: WorldOptions;
  readonly seed: number;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly pki: Pki;
  readonly euicc: Euicc;
  readonly eims: readonly Eim[];
  readonly modem: Modem;
  readonly store: MemoryStore;
  readonly trace: Trace;
  readonly host: Host;
  /** Faults of the way to the eIMs; over real sockets there are none to order. */
  readonly link: VirtualLink;
  readonly #servers: Servers;
  readonly #real: RealWorldLink | undefined;
  readonly #uicc: RawUicc;
  readonly #clock: WorldClock;
  #own: OwnState = { started: false, wakes: [], sleepUntil: null, cutAt: null, cuts: 0 };
  #limit = Infinity;
  /** Asked at each moment of a run; what it does with the world must leave it as it was. */
  onMoment: ((moment: Moment) => void | Promise<void>) | undefined;

  constructor(options: WorldOptions = {}) {
    this.options = options;
    this.seed = options.seed ?? 1;
    this.clock = this.#clock = new WorldClock(options.real);
    this.rng = new Rng(this.seed);
    const eims = options.eims ?? [{}];
    this.pki = options.pki ?? sharedPki({ seed: "world", eimFqdns: [...new Set(eims.map((eim) => eim.fqdn ?? EIM_FQDN))] });
    this.#servers = new Servers(options, this.pki, this.#clock, (text) => this.note(text));
    this.eims = eims.map(({ association: _association, ...eim }, index) => this.#makeEim({ seed: this.seed + index, ...eim }));
    this.euicc = new Euicc({
      ...options.euicc,
      pki: this.pki,
      profiles: options.profiles ?? defaultProfiles(),
      eims: eims.flatMap((eim, index) => (eim.association === null ? [] : [(this.eims[index] as Eim).configurationData(eim.association ?? {})])),
    });
    this.modem = new Modem({ clock: this.#clock, enabledProfile: () => enabledProfile(this.euicc), ...(options.registrationMs === undefined ? {} : { registrationMs: options.registrationMs }) });
    this.store = new MemoryStore(options.provision === undefined ? [] : [[StoreKey.Provision, options.provision]]);
    this.trace = new Trace();
    this.#uicc = new RawUicc(this.#uiccOptions());
    this.link = new VirtualLink(this.#linkOptions());
    this.#real = options.real === undefined ? undefined : this.#realLink();
    const link: Link = this.#real ?? this.link;
    const rest: Rest = { sleep: (waitMs, idle) => this.#sleep(waitMs, idle) };
    this.host = new Host({
      agent: (options.agent ?? shippedAgent()).fresh(), clock: this.#clock, trace: this.trace,
      doors: { uicc: this.#uicc, link, store: this.store, bearer: this.modem, rest },
    });
  }

  /** The first eIM. */
  get eim(): Eim {
    const [first] = this.eims;
    if (first === undefined) throw new ScenarioError("world", "this world has no eIM");
    return first;
  }

  /** SM-DP+ of this world. */
  get smdps(): readonly Smdp[] {
    return this.#servers.smdps;
  }

  /** The first SM-DP+. */
  get smdp(): Smdp {
    const [first] = this.#servers.smdps;
    if (first === undefined) throw new ScenarioError("world", "this world has no SM-DP+");
    return first;
  }

  /** SM-DS of this world. */
  get smds(): readonly Smds[] {
    return this.#servers.smds;
  }

  /** Faults of the way from the eIMs to SM-DP+ and SM-DS. */
  get es9p(): VirtualEs9p {
    return this.#servers.es9p;
  }

  get eid(): string {
    return this.pki.eid;
  }

  /** ICCID of the enabled profile. */
  get enabled(): string | undefined {
    return enabledProfile(this.euicc);
  }

  /** A remark in the trace. */
  note(text: string): void {
    this.trace.note(this.clock.now(), text);
  }

  /** Opens the eIMs' real sockets (worlds of real time only). */
  async listen(): Promise<void> {
    await this.#real?.listen();
  }

  async close(): Promise<void> {
    await this.#real?.closeAll();
  }

  /** Powers the device: the card gets its reset, the agent its Start with fresh entropy. `run` does it by itself. */
  start(): void {
    this.#uicc.boot();
    this.#own.started = true;
    this.#own.sleepUntil = null;
    this.host.start(configuration(this.#configuration()));
  }

  /** Ends the agent's sleep as soon as it sleeps. `cause`: stateChangeCause (SGP.32 5.14.5) of "stateChanged". */
  wake(reason: "timer" | "poll" | "stateChanged" | "bearer", cause = 0): void {
    const reasons = { timer: WakeReason.Timer, poll: WakeReason.Poll, stateChanged: WakeReason.StateChanged, bearer: WakeReason.Bearer }[reason];
    this.#own.wakes = [...this.#own.wakes, { reasons, cause }];
  }

  /** The power goes and comes back: agent, card session, bearer and connections are gone; store and peers stay. */
  powerCut(offMs = 1000): void {
    this.#own.cuts++;
    this.note(`power cut ${this.#own.cuts}`);
    this.link.cut();
    this.#real?.close();
    this.modem.drop();
    this.#own.wakes = [];
    const before = this.host.agent;
    this.host.agent = before.fresh();
    before.dispose?.();
    this.#clock.sleep(offMs);
    this.start();
  }

  /** Orders a power cut at the n of `--cut`. */
  cutAt(n: number): void {
    this.#own.cutAt = n;
  }

  /** True when an ordered cut was carried out. */
  get cutDone(): boolean {
    return this.#own.cuts > 0;
  }

  /** Runs the world. Throws ScenarioError "endless" when the bounds are passed. Gives the trace from the run's beginning. */
  async run(what: Until, bounds: Bounds = {}): Promise<Trace> {
    const from = this.trace.entries.length;
    this.#refuseFaults();
    if (!this.#own.started) this.start();
    const begin = { op: this.trace.opCount, time: this.clock.now() };
    this.#limit = what.kind === "time" ? begin.time + what.ms : Infinity;
    while (!this.#reached(what, from, begin)) {
      if (this.trace.opCount - begin.op > (bounds.ops ?? MOST_OPS)) throw this.#endless(what, `${bounds.ops ?? MOST_OPS} ops`);
      if (this.clock.now() - begin.time > (bounds.ms ?? LONGEST_MS)) throw this.#endless(what, `${bounds.ms ?? LONGEST_MS} ms`);
      await this.#oneOp();
    }
    return this.trace.since(from);
  }

  snapshot(): WorldSnapshot {
    return {
      clock: this.#clock.at, rng: [...this.rng.state], own: { ...this.#own }, euicc: this.euicc.snapshot(), uicc: this.#uicc.snapshot(),
      eims: this.eims.map((eim) => eim.snapshot()), behaviours: this.eims.map((eim) => [...(eim as TrackedEim).used]),
      servers: this.#servers.snapshot(), modem: this.modem.snapshot(),
      link: this.link.snapshot(), store: this.store.snapshot(), host: this.host.snapshot(), trace: this.trace.entries.slice(),
    };
  }

  /** Goes on from a snapshot of this world or of its twin (same options). */
  restore(from: WorldSnapshot): void {
    this.#clock.at = from.clock;
    this.rng.state = [...from.rng];
    this.#own = { ...from.own };
    this.euicc.restore(from.euicc);
    this.#uicc.restore(from.uicc);
    this.eims.forEach((eim, index) => this.#restoreEim(eim as TrackedEim, from.eims[index] as EimState, from.behaviours[index] ?? []));
    this.#servers.restore(from.servers);
    this.modem.restore(from.modem);
    if (from.link !== null) this.link.restore(from.link);
    this.store.restore(from.store);
    this.host.restore(from.host);
    this.trace.reset(from.trace);
  }

  /** A deep, independent copy at this moment. `into`: a world of the same options to be overwritten, which is cheaper. */
  fork(into?: World): World {
    if (this.#real !== undefined) throw new ScenarioError("world", "a world over real sockets cannot be forked");
    const twin = into ?? new World(this.options);
    twin.restore(this.snapshot());
    return twin;
  }

  async #oneOp(): Promise<void> {
    const op = this.trace.opCount - 1;
    if (await this.#moment({ op, phase: "before" })) return;
    const carried = this.host.carryOut();
    const event: EventMessage = carried instanceof Promise ? await carried : carried;
    if (this.#unfinishedSleep()) return;
    if (await this.#moment({ op, phase: "after" })) return;
    this.host.deliver(event);
  }

  /** Carries out an ordered cut; true when the power went. */
  async #moment(moment: Moment): Promise<boolean> {
    if (this.onMoment !== undefined) await this.onMoment(moment);
    if (this.#own.cutAt !== cutNumber(moment)) return false;
    this.#own.cutAt = null;
    this.powerCut();
    return true;
  }

  /** Sleep comes to the world as an op like others; the run's time limit may end before it does. */
  #sleep(waitMs: number, idle: boolean): Waking {
    const [wake, ...others] = this.#own.wakes;
    this.#own.sleepUntil ??= this.clock.now() + waitMs;
    const end = wake === undefined ? Math.min(this.#own.sleepUntil, this.#limit) : this.clock.now();
    if (end > this.clock.now()) this.#clock.sleep(end - this.clock.now());
    if (wake === undefined && this.clock.now() < this.#own.sleepUntil) return { reasons: 0, cause: 0, cardReset: false };
    this.#own.wakes = others;
    this.#own.sleepUntil = null;
    const cardReset = idle && this.options.offWhenIdle === true;
    if (cardReset) this.#switchedOff();
    return { reasons: wake?.reasons ?? WakeReason.Timer, cause: wake?.cause ?? 0, cardReset };
  }

  #unfinishedSleep(): boolean {
    return this.host.op.kind === Op.Sleep && this.#own.sleepUntil !== null;
  }

  #switchedOff(): void {
    this.link.cut();
    this.#real?.close();
    this.#uicc.boot();
  }

  #reached(what: Until, from: number, begin: { readonly op: number; readonly time: number }): boolean {
    switch (what.kind) {
      case "idle":
        return this.#idle();
      case "polls":
        return this.trace.entries.slice(from).filter((entry) => entry.kind === "report" && entry.code === Report.PollEnded).length >= what.n;
      case "ops":
        return this.trace.opCount - begin.op >= what.n;
      case "time":
        return this.clock.now() - begin.time >= what.ms;
    }
  }

  #idle(): boolean {
    const op = this.host.op;
    const resting = op.kind === Op.Sleep && (op.flags & Flag.Idle) !== 0 && this.#own.wakes.length === 0;
    return resting && this.eims.every((eim) => eim.device(this.eid).packages.every((record) => record.state === "done"));
  }

  #endless(what: Until, bound: string): ScenarioError {
    const last = this.trace.entries.slice(-12);
    return new ScenarioError("endless", `not ${what.kind} after ${bound}; at last:\n${new Trace(last).print({ all: true, width: 40 })}`, { seed: this.seed });
  }

  #configuration(): Configuration {
    return { imei: "356938035643809", ...this.options.configuration, entropy: this.rng.bytes(32) };
  }

  #makeEim(options: Partial<EimOptions>): TrackedEim {
    const es9p = this.#servers.any ? { es9p: this.options.real === undefined ? this.#servers.es9p : this.#realEs9p() } : {};
    const eim = new TrackedEim({ fqdn: EIM_FQDN, ...es9p, ...options, sign: this.pki.eimSign, tls: this.pki.eimTls, clock: this.#clock });
    eim.addDevice({ eid: this.pki.eid, ciCertificates: [this.pki.ci.certificate], eumCertificate: this.pki.eum.certificate, euiccCertificate: this.pki.euicc.certificate });
    return eim;
  }

  #restoreEim(eim: TrackedEim, state: EimState, used: readonly Behaviour[]): void {
    for (const behaviour of used.slice(eim.used.length)) eim.use(behaviour);
    eim.restore(state);
  }

  /** Faults strike by counted exchanges of virtual time; real sockets have none to order. */
  #refuseFaults(): void {
    if (this.#real === undefined) return;
    const { faults, pieces } = this.link.snapshot();
    const asked = faults.length + this.es9p.snapshot().faults.length > 0 ? "faults of the way" : pieces === "whole" ? undefined : "split answers";
    if (asked !== undefined) throw new ScenarioError("real", `expected a scenario without ${asked}, which real sockets do not have`);
  }

  /** The eIMs are made before the way out is there. */
  #realEs9p(): Es9p {
    return { call: (address, request) => (this.#real as RealWorldLink).es9p().call(address, request) };
  }

  #realLink(): RealWorldLink {
    const { caStore, date, identity, instead } = this.options;
    return new RealWorldLink({
      eims: this.eims, eimTls: this.pki.eimTls, servers: this.#servers.reached(this.pki), rspTrust: rspRoots(this.pki),
      network: () => this.modem.network, note: (text) => this.note(text),
      https: { date: date ?? null, ...(caStore === undefined ? {} : { caStore }), ...(identity === undefined ? {} : { identity }), ...(instead === undefined ? {} : { instead }) },
    });
  }

  #uiccOptions(): RawUiccOptions {
    const profile = this.options.terminalProfile;
    return {
      card: this.euicc, clock: this.#clock,
      ...(profile === null ? {} : { terminalProfile: profile ?? TERMINAL_PROFILE_REFRESH }),
      ...(this.options.selectP2 === undefined ? {} : { selectP2: this.options.selectP2 }),
      record: (command, response) => this.trace.add({ kind: "apdu", at: this.clock.now(), command, response }),
      onReset: () => this.modem.cardReset(),
    };
  }

  #linkOptions(): ConstructorParameters<typeof VirtualLink>[0] {
    const { latencyMs, caStore, date, identity, instead } = this.options;
    const servers = new Map<string, VirtualServer>(this.eims.map((eim) => [eim.fqdn, { handle: (request) => eim.handle(request), certificates: [this.pki.eimTls.certificate] }]));
    for (const { address, server, tls } of this.#servers.reached(this.pki)) servers.set(address.toLowerCase(), { handle: (request) => server.handle(request), certificates: [tls.certificate] });
    return {
      clock: this.#clock, network: () => this.modem.network, servers, seed: this.seed, rspRoots: rspRoots(this.pki), note: (text) => this.note(text),
      ...(latencyMs === undefined ? {} : { latencyMs }), ...(caStore === undefined ? {} : { caStore }),
      ...(date === undefined ? {} : { date }), ...(identity === undefined ? {} : { identity }), ...(instead === undefined ? {} : { instead }),
    };
  }
}

function enabledProfile(euicc: Euicc): string | undefined {
  const profile = euicc.enabledProfile;
  return profile === undefined ? undefined : iccidDigits(profile.metadata.iccid);
}
