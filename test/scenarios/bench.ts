/**
 * A device on the bench, for scenarios that need their own card or their own link: the shipped agent in its host, with the given eUICC
 * door and link door, a bearer that is always there, and rest that passes in virtual time.
 */
import { Flag, Host, MemoryStore, Op, RawUicc, type AnyCard, type OpMessage } from "../sim/agent/index.js";
import { VirtualClock } from "../sim/core/clock.js";
import type { Link } from "../sim/core/doors.js";
import type { Trace } from "../sim/index.js";
import { shippedAgent } from "../sim/world-options.js";

export interface BenchOptions {
  readonly card: AnyCard;
  readonly link: Link;
  readonly clock?: VirtualClock;
  /** Payload of Start. */
  readonly configuration: Uint8Array;
  /** P2 of SELECT (default 0). */
  readonly selectP2?: number;
  readonly terminalProfile?: Uint8Array;
  readonly plmn?: Uint8Array;
}

export class Bench {
  readonly host: Host;
  readonly clock: VirtualClock;
  readonly #uicc: RawUicc;
  readonly #configuration: Uint8Array;

  constructor(options: BenchOptions) {
    const clock = (this.clock = options.clock ?? new VirtualClock());
    this.#configuration = options.configuration;
    this.#uicc = new RawUicc({
      card: options.card, clock,
      ...(options.selectP2 === undefined ? {} : { selectP2: options.selectP2 }),
      ...(options.terminalProfile === undefined ? {} : { terminalProfile: options.terminalProfile }),
      record: (command, response) => this.trace.add({ kind: "apdu", at: clock.now(), command, response }),
    });
    this.host = new Host({
      agent: shippedAgent().fresh(), clock,
      doors: {
        uicc: this.#uicc, link: options.link, store: new MemoryStore(),
        bearer: { up: () => ({ plmn: options.plmn ?? new Uint8Array(0) }) },
        rest: { sleep: (waitMs) => (clock.sleep(waitMs), { reasons: 1, cause: 0, cardReset: false }) },
      },
    });
  }

  get trace(): Trace {
    return this.host.trace;
  }

  /** Powers the card and starts the agent. */
  async start(): Promise<void> {
    await this.#uicc.boot();
    this.host.start(this.#configuration);
  }

  /** Runs until the agent sleeps with IDLE; when it does already, lets that sleep end first. */
  async untilIdle(): Promise<Trace> {
    if (idle(this.host.op)) this.host.deliver(await this.host.carryOut());
    await this.host.run(idle);
    return this.trace;
  }
}

function idle(op: OpMessage): boolean {
  return op.kind === Op.Sleep && (op.flags & Flag.Idle) !== 0;
}
