/**
 * A live IPA on this computer: the agent's wasm in its host, with real time, real HTTPS (ESipa; ES9+ where SM-DP+ and SM-DS can be trusted) or another
 * link, a journal file, and any card, held by this computer or by a modem. What a device's firmware is to the C host, this is to Node.
 */
import { randomBytes } from "node:crypto";
import { configuration, FileStore, Flag, Host, HttpsLink, MemoryStore, Op, RawUicc, TERMINAL_PROFILE_REFRESH, WakeReason, type AgentLike, type AnyCard, type Configuration, type HttpsLinkOptions } from "./agent/index.js";
import { RealClock } from "./core/clock.js";
import type { Bearer, Ended, Link, Rest, Uicc, Waking } from "./core/doors.js";
import type { Maybe } from "./core/maybe.js";
import { Trace } from "./core/trace.js";

/** What a device tells while it runs. */
export interface DeviceHooks {
  /** Every C-APDU and its R-APDU. */
  readonly record: (command: Uint8Array, response: Uint8Array) => void;
  /** The card went through a reset or REFRESH by another hand. */
  readonly onReset: () => void;
}

/** A modem that holds the card and has the bearer. */
export interface Device {
  readonly uicc: Uicc;
  readonly bearer: Bearer;
  boot(): Maybe<Ended>;
  /** The agent sleeps with nothing in hand, or has work again. */
  idle?(idle: boolean): void;
}

export interface LiveOptions {
  readonly agent: AgentLike;
  /** A card in this computer's own hands, or a device that holds it. */
  readonly card: AnyCard | ((hooks: DeviceHooks) => Device);
  /** Where the agent's durable records are kept; without it they end with the program. */
  readonly journal?: string;
  readonly configuration?: Partial<Configuration>;
  readonly link?: Omit<HttpsLinkOptions, "note">;
  /** Another link than Node's HTTPS, made with the same options. */
  readonly makeLink?: (options: HttpsLinkOptions) => Link;
}

/** ipaFeatures of a host with ES9+: what the agent has by itself (indirect download in two forms, data held by the eIM), and direct download. */
const DIRECT_TOO = [0, 1, 2, 3] as const;

/** The longest timer of Node (2^31 - 1 ms). */
const LONGEST_TIMER = 0x7fff_ffff;

export class LiveIpa {
  readonly trace = new Trace();
  readonly #host: Host;
  readonly #device: Device;
  readonly #link: Link;
  readonly #clock = new RealClock();
  readonly #configuration: Partial<Configuration>;
  #wake: ((reasons: number) => void) | undefined;
  #stopped = false;

  constructor(options: LiveOptions) {
    const at = (): number => this.#clock.now();
    const switches = options.configuration?.switches ?? [];
    this.#configuration = {
      ...(options.link?.rspTrust === undefined ? {} : { features: DIRECT_TOO }), ...options.configuration,
      switches: options.link?.instead?.address === undefined ? switches : [...switches, "HostAddress"],
    };
    const hooks: DeviceHooks = {
      record: (command, response) => this.trace.add({ kind: "apdu", at: at(), command, response }),
      onReset: () => this.#host.noteCardReset(),
    };
    this.#device = typeof options.card === "function" ? options.card(hooks) : this.#cardHere(options.card, hooks);
    const makeLink = options.makeLink ?? ((link) => new HttpsLink(link));
    this.#link = makeLink({ ...options.link, note: (text) => this.trace.note(at(), text) });
    const store = options.journal === undefined ? new MemoryStore() : new FileStore(options.journal);
    const rest: Rest = { sleep: (waitMs, idle) => this.#sleep(waitMs, idle) };
    const { uicc, bearer } = this.#device;
    this.#host = new Host({ agent: options.agent, clock: this.#clock, trace: this.trace, doors: { uicc, link: this.#link, store, bearer, rest } });
  }

  /** This computer is connected, or it is not: there is nothing to bring up, and no registered PLMN to tell. */
  #cardHere(card: AnyCard, { record }: DeviceHooks): Device {
    const uicc = new RawUicc({ card, clock: this.#clock, terminalProfile: TERMINAL_PROFILE_REFRESH, record });
    return { uicc, bearer: { up: () => ({ plmn: new Uint8Array(0) }) }, boot: () => uicc.boot() };
  }

  /** Runs until the agent is idle (`once`), or until it is stopped. */
  async run(once: boolean): Promise<void> {
    await this.#device.boot();
    this.#host.start(configuration({ ...this.#configuration, entropy: new Uint8Array(randomBytes(32)) }));
    await this.#host.run((op) => this.#stopped || (once && op.kind === Op.Sleep && (op.flags & Flag.Idle) !== 0));
    await this.#link.close();
  }

  /** The application wants a poll now. */
  poll(): void {
    this.#wake?.(WakeReason.Poll);
  }

  /** Ends `run` at the next op. */
  stop(): void {
    this.#stopped = true;
    this.#wake?.(WakeReason.Timer);
  }

  #sleep(waitMs: number, idle: boolean): Promise<Waking> {
    if (idle) this.#device.idle?.(true);
    return new Promise((resolve) => {
      const end = (reasons: number): void => {
        clearTimeout(timer);
        if (idle) this.#device.idle?.(false);
        this.#wake = undefined;
        resolve({ reasons, cause: 0, cardReset: false });
      };
      const timer = setTimeout(() => end(WakeReason.Timer), Math.min(waitMs, LONGEST_TIMER));
      this.#wake = end;
    });
  }
}
