/**
 * A modem on a serial line, driven by the C host's AT driver (host/modem): the eUICC in it behind the door `Uicc` (+CCHO/+CGLA, or +CSIM), its
 * registration behind `Bearer`, its sockets for NativeLink. The line is a serial device or a unix socket (boards/posix/uart_posix).
 */
import { failed, isFailed, type Bearer, type Ended, type Failed, type Uicc } from "../core/doors.js";
import { SimError } from "../core/errors.js";
import { doorsAddon, failureOf, MODEM_FAMILIES, repeated, type ModemConfig, type Result } from "./native-doors.js";

export interface NativeModemOptions extends ModemConfig {
  /** Every C-APDU and its R-APDU. */
  readonly record?: (command: Uint8Array, response: Uint8Array) => void;
  /** Tells that the card went through a reset or REFRESH. */
  readonly onReset?: () => void;
}

const Open = { fixedChannel: 1, noFci: 2 } as const;
const BASIC = 1;
const AFTER_REFRESH = 1;
const LONGEST_MS = 4;
/** How often the modem is listened to while nothing is asked of it. */
const LISTEN_MS = 100;

export class NativeModem {
  readonly uicc: Uicc;
  readonly bearer: Bearer;
  /** For NativeLink's option `modem`. */
  readonly handle: object;
  readonly #options: NativeModemOptions;
  readonly #addon = doorsAddon();
  readonly #listening: NodeJS.Timeout;
  #ops = 0;

  /** Opens the line. Throws SimError "line" when it can't be had, "no-engine" when the binding was not built; RangeError for an unknown family. */
  constructor(options: NativeModemOptions) {
    const { family, path } = options;
    if (family !== undefined && !(MODEM_FAMILIES as readonly string[]).includes(family)) throw new RangeError(`expected one of ${MODEM_FAMILIES.join(", ")}, got "${family}"`);
    this.#options = options;
    try {
      this.handle = this.#addon.modem(options);
    } catch (cause) {
      throw new SimError("line", `expected a modem at ${path}, got ${(cause as Error).message}`, { path });
    }
    this.uicc = {
      reset: ({ afterRefresh, waitMs }) => this.#ended("reset of the card", () => this.#addon.uiccReset(this.handle, afterRefresh ? AFTER_REFRESH : 0, waitMs)),
      open: (aid, how) => this.#open(aid, (how.fixedChannel ? Open.fixedChannel : 0) | (how.noFci ? Open.noFci : 0)),
      transmit: (apdu, basic) => this.#transmit(apdu, basic ? BASIC : 0),
      close: () => this.#ended("closing the channel", () => this.#addon.uiccClose(this.handle)),
    };
    this.bearer = { up: ({ restart, waitMs }) => this.#up(Number(restart), waitMs) };
    this.#listening = setInterval(() => this.#listen(), LISTEN_MS).unref();
  }

  /** Finds the modem and its family; a failure when there is none, or it is silent. */
  async boot(): Promise<Ended> {
    const imei = await this.imei();
    return isFailed(imei) && imei.failure !== "not found" ? imei : undefined;
  }

  /** 15 digits. */
  async imei(): Promise<string | Failed> {
    const result = await this.#op(() => this.#addon.imei(this.handle));
    return typeof result === "number" ? this.#failure(result, "the modem's IMEI") : result;
  }

  /** What the driver takes the modem for; empty until it was asked. */
  get family(): string {
    return this.#addon.state(this.handle).family;
  }

  /** The agent has nothing in hand: the modem may sleep. */
  idle(idle: boolean): void {
    this.#addon.idle(this.handle, Number(idle));
  }

  /** Closes the line; every later call throws. Links on its sockets fail from then on. */
  dispose(): void {
    clearInterval(this.#listening);
    this.#addon.modemEnd(this.handle);
  }

  async #open(aid: Uint8Array, flags: number): Promise<{ channel: number; fci: Uint8Array } | (Failed & { readonly sw?: number })> {
    const result = await this.#op(() => this.#addon.uiccOpen(this.handle, aid, flags));
    if (typeof result === "number") return this.#failure(result, "opening the channel");
    return "sw" in result ? { ...this.#failure(result.result, "opening the channel"), sw: result.sw } : result;
  }

  async #transmit(apdu: Uint8Array, flags: number): Promise<Uint8Array | Failed> {
    const result = await this.#op(() => this.#addon.uiccTransmit(this.handle, apdu, flags));
    if (typeof result === "number") return this.#failure(result, "an APDU");
    this.#options.record?.(apdu, result);
    return result;
  }

  async #up(restart: number, waitMs: number): Promise<{ plmn: Uint8Array } | Failed> {
    const result = await this.#op(() => this.#addon.bearer(this.handle, restart, waitMs));
    if (typeof result !== "number") return { plmn: result };
    const failure = failureOf(result, "the modem's bearer", "link");
    return this.#broken ?? failure;
  }

  async #ended(what: string, call: () => Result): Promise<Ended> {
    const result = await this.#op(call);
    return result < 0 ? this.#failure(result, what) : undefined;
  }

  /** One op of the modem; a reset of the card that it found is told before its outcome. */
  async #op<T>(call: () => T): Promise<T> {
    this.#ops++;
    try {
      return await repeated(call, LONGEST_MS);
    } finally {
      this.#ops--;
      if (this.#addon.uiccWasReset(this.handle)) this.#options.onReset?.();
    }
  }

  #listen(): void {
    if (this.#ops > 0) return;
    this.#addon.poll(this.handle);
    if (this.#addon.uiccWasReset(this.handle)) this.#options.onReset?.();
  }

  #failure(result: Result, what: string): Failed {
    return this.#broken ?? failureOf(result, `${what} over the modem`, "no card");
  }

  get #broken(): Failed | undefined {
    const { broken } = this.#addon.state(this.handle);
    return broken === 0 ? undefined : failed("no card", `the line to the modem at ${this.#options.path} ${broken < 0 ? "ended" : `broke (errno ${broken})`}`);
  }
}
