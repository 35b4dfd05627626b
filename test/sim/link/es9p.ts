/**
 * The eIM's way to SM-DP+ and SM-DS in virtual time (SGP.32 v1.2 3.2.3.2; transport 6): one connection and one exchange for each call. What servers and
 * faults cost of time is handed on in `delayMs`, for the eIM's own link to count. Faults are those of the device's link, by the same names.
 * Leaves out: the eIM's trust in the server, bandwidth, connections that are kept.
 */
import { failed, type Failed } from "../core/doors.js";
import type { EsipaRequest, EsipaResponse } from "../core/http.js";
import { strikes, type Fault, type PendingFault } from "./faults.js";

export interface Es9pServer {
  handle(request: EsipaRequest): EsipaResponse;
}

export interface VirtualEs9pOptions {
  /** By FQDN[:port], in lower case. */
  readonly servers: ReadonlyMap<string, Es9pServer>;
  /** Milliseconds of one round trip (default 20); a call has four: TCP, TLS, request. */
  readonly latencyMs?: number;
  readonly note?: (text: string) => void;
}

/** Plain data. */
export interface VirtualEs9pState {
  /** Calls so far. */
  calls: number;
  faults: readonly PendingFault[];
}

const ROUND_TRIPS = 4;
const SILENT: EsipaResponse = { status: 0, headers: {}, body: new Uint8Array(0), silent: true };

export class VirtualEs9p {
  readonly #options: VirtualEs9pOptions;
  #state: VirtualEs9pState = { calls: 0, faults: [] };

  constructor(options: VirtualEs9pOptions) {
    this.#options = options;
  }

  /** Lets a fault strike; its counting begins now: 1 is the next call. */
  use(fault: Fault): void {
    const { calls, faults } = this.#state;
    this.#state.faults = [...faults, { ...fault, from: calls + fault.nth, to: calls + fault.nth + fault.times - 1 }];
  }

  /** Removes all faults. */
  heal(): void {
    this.#state.faults = [];
  }

  get calls(): number {
    return this.#state.calls;
  }

  call(address: string, request: EsipaRequest): EsipaResponse | Failed {
    const number = ++this.#state.calls;
    const fault = (at: Fault["at"], what: Fault["what"]): PendingFault | undefined => this.#state.faults.find((one) => strikes([one], at, what, number));
    const server = this.#options.servers.get(address.toLowerCase());
    if (server === undefined || fault("connect", "name") !== undefined) return this.#noted(failed("name", `${address} is not known`));
    if (fault("connect", "refuse") !== undefined) return this.#noted(failed("link", `${address} refused the connection`));
    if (fault("connect", "untrusted") !== undefined) return this.#noted(failed("trust", "a stranger answered"));
    if (fault("exchange", "reset") !== undefined) return this.#noted(failed("link", "the connection was reset while the request was sent"));
    if (fault("connect", "hang") !== undefined || fault("exchange", "hang") !== undefined) return SILENT;
    const response = server.handle({ ...request, headers: { ...request.headers, host: address } });
    if (fault("exchange", "lose") !== undefined) return { ...response, drop: true };
    const late = fault("exchange", "late")?.ms ?? 0;
    return { ...response, delayMs: (response.delayMs ?? 0) + late + ROUND_TRIPS * (this.#options.latencyMs ?? 20) };
  }

  snapshot(): VirtualEs9pState {
    return { ...this.#state };
  }

  restore(state: VirtualEs9pState): void {
    this.#state = { ...state };
  }

  #noted(failure: Failed): Failed {
    this.#options.note?.(`ES9+: ${failure.failure}: ${failure.reason}`);
    return failure;
  }
}
