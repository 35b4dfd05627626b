/**
 * A live IPA on this computer: the agent's wasm in its host, with real time, real HTTPS (ESipa; ES9+ where SM-DP+ and SM-DS can be trusted), a journal
 * file, and any card. What a device's firmware is to the C host, this is to Node.
 */
import { randomBytes } from "node:crypto";
import { configuration, FileStore, Flag, Host, HttpsLink, MemoryStore, Op, RawUicc, TERMINAL_PROFILE_REFRESH, WakeReason, type AgentLike, type AnyCard, type Configuration, type HttpsLinkOptions } from "./agent/index.js";
import { RealClock } from "./core/clock.js";
import type { Bearer, Rest, Waking } from "./core/doors.js";
import { Trace } from "./core/trace.js";

export interface LiveOptions {
  readonly agent: AgentLike;
  readonly card: AnyCard;
  /** Where the agent's durable records are kept; without it they end with the program. */
  readonly journal?: string;
  readonly configuration?: Partial<Configuration>;
  readonly link?: Omit<HttpsLinkOptions, "note">;
}

/** ipaFeatures of a host with ES9+: what the agent has by itself (indirect download in two forms, data held by the eIM), and direct download. */
const DIRECT_TOO = [0, 1, 2, 3] as const;

/** The longest timer of Node (2^31 - 1 ms). */
const LONGEST_TIMER = 0x7fff_ffff;

export class LiveIpa {
  readonly trace = new Trace();
  readonly #host: Host;
  readonly #uicc: RawUicc;
  readonly #link: HttpsLink;
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
    this.#uicc = new RawUicc({
      card: options.card, clock: this.#clock, terminalProfile: TERMINAL_PROFILE_REFRESH,
      record: (command, response) => this.trace.add({ kind: "apdu", at: at(), command, response }),
    });
    this.#link = new HttpsLink({ ...options.link, note: (text) => this.trace.note(at(), text) });
    const store = options.journal === undefined ? new MemoryStore() : new FileStore(options.journal);
    // This computer is connected, or it is not: there is nothing to bring up, and no registered PLMN to tell.
    const bearer: Bearer = { up: () => ({ plmn: new Uint8Array(0) }) };
    const rest: Rest = { sleep: (waitMs) => this.#sleep(waitMs) };
    this.#host = new Host({ agent: options.agent, clock: this.#clock, trace: this.trace, doors: { uicc: this.#uicc, link: this.#link, store, bearer, rest } });
  }

  /** Runs until the agent is idle (`once`), or until it is stopped. */
  async run(once: boolean): Promise<void> {
    await this.#uicc.boot();
    this.#host.start(configuration({ ...this.#configuration, entropy: new Uint8Array(randomBytes(32)) }));
    await this.#host.run((op) => this.#stopped || (once && op.kind === Op.Sleep && (op.flags & Flag.Idle) !== 0));
    this.#link.close();
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

  #sleep(waitMs: number): Promise<Waking> {
    return new Promise((resolve) => {
      const end = (reasons: number): void => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve({ reasons, cause: 0, cardReset: false });
      };
      const timer = setTimeout(() => end(WakeReason.Timer), Math.min(waitMs, LONGEST_TIMER));
      this.#wake = end;
    });
  }
}
