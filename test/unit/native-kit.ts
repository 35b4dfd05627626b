/**
 * What the tests of the C host's doors share: a device whose agent, eUICC, eIM and SM-DP+ are a world's, but whose link, or whose card's and bearer's
 * door, is the C host's, over real sockets. Waits of the agent are skipped, sockets take their time.
 */
import { configuration, Flag, Host, MemoryStore, Op, RawUicc, TERMINAL_PROFILE_REFRESH, WakeReason, type AgentLike, type Configuration } from "../sim/agent/index.js";
import { hasNativeDoors } from "../sim/agent/native-doors.js";
import { NativeLink, type NativeLinkOptions, type NativeTimers } from "../sim/agent/native-link.js";
import type { RunningCoaps } from "../sim/coaps/index.js";
import { RealClock, type Clock } from "../sim/core/clock.js";
import type { Bearer, Link, Uicc } from "../sim/core/doors.js";
import { Trace } from "../sim/core/trace.js";
import type { DtlsServerOptions } from "../sim/dtls/index.js";
import { EimProtocol, type ConfigurationOptions } from "../sim/eim/index.js";
import { serveEimCoaps } from "../sim/eim/coaps.js";
import { EIM_FQDN, World, type WorldOptions } from "../sim/index.js";
import { shippedAgent } from "../sim/world-options.js";

/** For node:test's `skip`. */
export const skip = hasNativeDoors() ? false : "the binding of the C host's links was not built: it needs a C compiler and the sources of Mbed TLS";

/** Short, so that what is lost costs little. */
export const TIMERS: NativeTimers = { ackTimeoutMs: 80, maxRetransmit: 8, handshakeMinMs: 100, handshakeMaxMs: 800 };
export const PARAMETERS = { ackTimeoutMs: 80, maxRetransmit: 8 };

/** A world whose card holds its eIM as one that is reached over CoAPS (or HTTPS), with A6 of that form. */
export function world(association: ConfigurationOptions = {}, more: WorldOptions = {}): World {
  return new World({ ...more, eims: [{ association: { protocols: [EimProtocol.RetrieveCoaps], ...association } }] });
}

/** The world's eIM on CoAPS: with its TLS certificate, or by what `dtls` says. */
export async function coaps(w: World, dtls: DtlsServerOptions = { identity: w.pki.eimTls, connectionId: 4 }): Promise<RunningCoaps & { readonly news: readonly string[] }> {
  const news: string[] = [];
  const server = await serveEimCoaps(w.eim, { dtls, coap: { parameters: PARAMETERS }, onNews: (text) => news.push(text) });
  return Object.assign(server, { news });
}

/** A link of the C host whose only way leads to that port, whatever the name. */
export function linkTo(port: number, more: NativeLinkOptions = {}): NativeLink {
  return new NativeLink({ timers: TIMERS, resolve: () => `127.0.0.1:${port}`, ...more });
}

class SkippingClock implements Clock {
  readonly #real = new RealClock();
  #skipped = 0;
  now(): number {
    return this.#skipped + this.#real.now();
  }
  sleep(ms: number): void {
    this.#skipped += ms;
  }
}

export interface DeviceOptions {
  readonly link: Link;
  readonly agent?: AgentLike;
  readonly modem?: { readonly uicc: Uicc; readonly bearer: Bearer };
  readonly configuration?: Partial<Configuration>;
}

export class Device {
  readonly trace = new Trace();
  readonly host: Host;
  readonly clock = new SkippingClock();
  readonly #world: World;
  readonly #configuration: Partial<Configuration>;
  readonly #raw: RawUicc;

  constructor(w: World, options: DeviceOptions) {
    this.#world = w;
    this.#configuration = { protocols: ["CoAPS", "HTTPS"], ...options.configuration };
    this.#raw = new RawUicc({ card: w.euicc, clock: this.clock, terminalProfile: TERMINAL_PROFILE_REFRESH });
    const { uicc, bearer } = options.modem ?? { uicc: this.#raw, bearer: { up: () => ({ plmn: new Uint8Array(0) }) } };
    const rest = { sleep: (waitMs: number) => ({ reasons: (this.clock.sleep(waitMs), WakeReason.Timer), cause: 0, cardReset: false }) };
    this.host = new Host({ agent: (options.agent ?? shippedAgent()).fresh(), clock: this.clock, trace: this.trace, doors: { uicc, link: options.link, store: new MemoryStore(), bearer, rest } });
  }

  /** Runs until the agent has nothing in hand and the eIM nothing for it; at most `polls` polls. */
  async run(polls = 6): Promise<Trace> {
    this.#raw.boot();
    this.host.start(configuration({ imei: "356938035643809", ...this.#configuration, entropy: this.#world.rng.bytes(32) }));
    const { eim, eid } = this.#world;
    const ended = (): number => this.trace.reports.filter((report) => report.name === "PollEnded").length;
    await this.host.run((op) => op.kind === Op.Sleep && (op.flags & Flag.Idle) !== 0 && (eim.device(eid).packages.every((record) => record.state === "done") || ended() >= polls));
    return this.trace;
  }
}

/** Why links were refused. */
export function refusals(trace: Trace): string[] {
  return trace.entries.flatMap((entry) => (entry.kind === "link" && entry.what === "refused" ? [entry.reason ?? ""] : []));
}

export { EIM_FQDN };
