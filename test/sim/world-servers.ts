/**
 * SM-DP+ and SM-DS of a world, and the ways to them: from its eIMs, and from the device itself. In a world that asks for none there are none, and its eIMs relay nothing.
 */
import type { Clock } from "./core/clock.js";
import { ScenarioError } from "./core/errors.js";
import { VirtualEs9p, type VirtualEs9pState } from "./link/index.js";
import type { Identity, Pki } from "./pki/pki.js";
import { Smdp, type Behaviour, type SmdpState } from "./smdp/index.js";
import { makeSmdsIdentity, Smds, type SmdsState } from "./smds/index.js";
import { SMDP_ADDRESS, SMDS_ADDRESS, type WorldOptions } from "./world-options.js";

/** A server that remembers which behaviours it was given, so that a copy of it gets the same. */
interface Tracked<S> {
  readonly used: Behaviour[];
  use(behaviour: Behaviour): () => void;
  snapshot(): S;
  restore(state: S): void;
}

class TrackedSmdp extends Smdp implements Tracked<SmdpState> {
  readonly used: Behaviour[] = [];
  override use(behaviour: Behaviour): () => void {
    this.used.push(behaviour);
    return super.use(behaviour);
  }
}

class TrackedSmds extends Smds implements Tracked<SmdsState> {
  readonly used: Behaviour[] = [];
  override use(behaviour: Behaviour): () => void {
    this.used.push(behaviour);
    return super.use(behaviour);
  }
}

interface ServerSnapshot<S> {
  readonly state: S;
  readonly used: readonly Behaviour[];
}

export interface ServersSnapshot {
  readonly smdps: readonly ServerSnapshot<SmdpState>[];
  readonly smds: readonly ServerSnapshot<SmdsState>[];
  readonly es9p: VirtualEs9pState;
}

/** A server, and what it shows of itself. */
export interface ReachedServer {
  readonly address: string;
  readonly server: Smdp | Smds;
  readonly tls: Identity;
}

export class Servers {
  readonly smdps: readonly Smdp[];
  readonly smds: readonly Smds[];
  readonly es9p: VirtualEs9p;
  readonly #smdsTls: Identity[] = [];

  constructor(options: WorldOptions, pki: Pki, clock: Clock, note: (text: string) => void) {
    const { seed = 1, smdps = [], smds = [], date, es9pLatencyMs } = options;
    const common = { clock, ...(date === undefined ? {} : { date }) };
    this.smdps = smdps.map((one, index) => new TrackedSmdp({ address: SMDP_ADDRESS, seed: seed + 100 + index, ...common, ...one, pki }));
    this.smds = smds.map((one, index) => {
      const address = one.address ?? SMDS_ADDRESS;
      const identity = makeSmdsIdentity(pki.ci, { seed: "world", curve: pki.curve, address: address.split(":")[0] as string });
      this.#smdsTls.push(identity.dsTls);
      return new TrackedSmds({ seed: seed + 200 + index, ...common, ...one, address, pki: identity });
    });
    const all = [...this.smdps, ...this.smds];
    const servers = new Map(all.map((server) => [server.address.toLowerCase(), server]));
    if (servers.size < all.length) throw new ScenarioError("world", `expected servers of different addresses, got ${all.map((server) => server.address).join(", ")}`);
    this.es9p = new VirtualEs9p({ servers, note, ...(es9pLatencyMs === undefined ? {} : { latencyMs: es9pLatencyMs }) });
  }

  /** All of them, with their TLS certificates. */
  reached(pki: Pki): ReachedServer[] {
    const smdps = this.smdps.map((server) => ({ address: server.address, server, tls: pki.dpTls }));
    return [...smdps, ...this.smds.map((server, index) => ({ address: server.address, server, tls: this.#smdsTls[index] as Identity }))];
  }

  get any(): boolean {
    return this.smdps.length + this.smds.length > 0;
  }

  snapshot(): ServersSnapshot {
    return { smdps: this.smdps.map((one) => snapshotOf(one as TrackedSmdp)), smds: this.smds.map((one) => snapshotOf(one as TrackedSmds)), es9p: this.es9p.snapshot() };
  }

  restore(from: ServersSnapshot): void {
    this.smdps.forEach((one, index) => restoreTo(one as TrackedSmdp, from.smdps[index] as ServerSnapshot<SmdpState>));
    this.smds.forEach((one, index) => restoreTo(one as TrackedSmds, from.smds[index] as ServerSnapshot<SmdsState>));
    this.es9p.restore(from.es9p);
  }
}

/** What SM-DP+ and SM-DS are trusted by: the CI; where its key is not there, the SM-DP+'s own TLS certificate too, which then nobody has issued. */
export function rspRoots(pki: Pki): Uint8Array[] {
  return [pki.ci.certificate, ...(pki.ci.key === undefined ? [pki.dpTls.certificate] : [])];
}

function snapshotOf<S>(server: Tracked<S>): ServerSnapshot<S> {
  return { state: server.snapshot(), used: [...server.used] };
}

function restoreTo<S>(server: Tracked<S>, { state, used }: ServerSnapshot<S>): void {
  for (const behaviour of used.slice(server.used.length)) server.use(behaviour);
  server.restore(state);
}
