/**
 * The C host's own link (host/link: CoAP over DTLS, HTTPS, on Mbed TLS) behind the door `Link`: ESipa over CoAPS, ESipa over HTTPS, ES9+ over HTTPS
 * (sgp32-transport 1, 2.1, 3, 6), on the sockets of this computer or of a modem. An eIM is trusted by A6 of the eIM configuration, without it by
 * `caStore`; CoAPS by the PSK where there is one. SM-DP+ and SM-DS are trusted by `rspTrust`. Options are those of HttpsLink as far as C has them;
 * what it has not is refused at construction: the system's CAs, plain http.
 */
import { concat } from "../core/bytes.js";
import { failed, type AnswerPiece, type Ended, type Endpoint, type Failed, type Link, type SendHow } from "../core/doors.js";
import { splitAddress } from "../core/esipa-http.js";
import { SimError } from "../core/errors.js";
import { Binding, Peer } from "./abi.js";
import type { HttpsLinkOptions } from "./https-link.js";
import { doorsAddon, failureOf, repeated, type LinkConfig, type Result } from "./native-doors.js";

/** CoAP and DTLS timers of the link; what is left out is as NB-IoT wants it (coap-dtls 4). */
export type NativeTimers = Pick<LinkConfig, "lteM" | "ackTimeoutMs" | "maxRetransmit" | "responseMs" | "exchangeMs" | "handshakeMinMs" | "handshakeMaxMs" | "szx">;

export interface NativeLinkOptions extends Pick<HttpsLinkOptions, "caStore" | "rspTrust" | "resolve" | "date"> {
  /** Of eIMs: address, A6 and binding to use instead of those of the eIM configuration. */
  readonly instead?: { readonly address?: string; readonly trust?: Uint8Array; readonly binding?: "ESipa HTTPS" | "ESipa CoAPS" };
  /** CoAPS by PSK, and by nothing else. */
  readonly psk?: { readonly identity: string; readonly key: Uint8Array };
  readonly timers?: NativeTimers;
  /** Handle of a modem (NativeModem.handle) whose sockets are used. */
  readonly modem?: object;
  readonly bodyMax?: number;
}

const PEERS = { eIM: Peer.Eim, "SM-DP+": Peer.Smdp, "SM-DS": Peer.Smds } as const;
const BINDINGS = { "ESipa HTTPS": Binding.EsipaHttps, "ESipa CoAPS": Binding.EsipaCoaps, "ES9+ HTTPS": Binding.Es9pHttps } as const;
const LONGEST_MS = 16;

export class NativeLink implements Link {
  readonly #options: NativeLinkOptions;
  readonly #addon = doorsAddon();
  /** The C link has one list of CAs; eIMs without A6 and RSP servers are trusted by different ones, and so have a link each. */
  readonly #eim: object;
  readonly #rsp: object | undefined;
  #open: { readonly handle: object; readonly endpoint: Endpoint } | undefined;

  /** Throws SimError "no-engine" when the binding was not built, "unsupported" for what the C link can't do. */
  constructor(options: NativeLinkOptions = {}) {
    const { caStore, rspTrust, psk } = options;
    if (rspTrust === "system") throw new SimError("unsupported", "the C host's link has no system's store: name the CAs");
    this.#options = options;
    this.#eim = this.#make(caStore, psk);
    this.#rsp = rspTrust === undefined ? undefined : this.#make(rspTrust, undefined);
  }

  async open(wanted: Endpoint, waitMs: number): Promise<Ended> {
    const endpoint = wanted.peer === "eIM" ? { ...wanted, ...this.#options.instead } : { ...wanted, address: wanted.address.toLowerCase() };
    this.close();
    const handle = endpoint.peer === "eIM" ? this.#eim : this.#rsp;
    if (handle === undefined) return failed("trust", `there is no CI or CA by which an ${endpoint.peer} could be trusted`);
    const place = this.#place(endpoint);
    if ("failure" in place) return place;
    const { host, port } = place;
    const result = await repeated(() => this.#addon.linkOpen(handle, PEERS[endpoint.peer], BINDINGS[endpoint.binding], endpoint.address, endpoint.trust ?? null, host, port, waitMs), LONGEST_MS);
    if (result < 0) return this.#failure(result, endpoint);
    this.#open = { handle, endpoint };
    return undefined;
  }

  async send(piece: Uint8Array, how: SendHow): Promise<Ended> {
    const open = this.#open;
    if (open === undefined) return failed("link", "there is no connection");
    const result = await repeated(() => this.#addon.linkSend(open.handle, piece, Number(how.first), Number(how.last), how.total, how.fn, how.waitMs), LONGEST_MS);
    return result < 0 ? this.#failure(result, open.endpoint) : undefined;
  }

  async receive(max: number, waitMs: number): Promise<AnswerPiece | Failed> {
    const open = this.#open;
    if (open === undefined) return failed("link", "there is no connection");
    const result = await repeated(() => this.#addon.linkReceive(open.handle, max, waitMs), LONGEST_MS);
    return typeof result === "number" ? this.#failure(result, open.endpoint) : result;
  }

  /** A DTLS session with a connection id outlives it, until `dispose`. */
  close(): Ended {
    if (this.#open !== undefined) this.#addon.linkClose(this.#open.handle);
    this.#open = undefined;
    return undefined;
  }

  /** Most octets of memory that Mbed TLS has used. */
  get heapPeak(): number {
    return Math.max(...this.#handles().map((handle) => this.#addon.linkHeap(handle)));
  }

  /** Ends sessions and sockets; every later call throws. */
  dispose(): void {
    this.#open = undefined;
    for (const handle of this.#handles()) this.#addon.linkEnd(handle);
  }

  #handles(): object[] {
    return this.#rsp === undefined ? [this.#eim] : [this.#eim, this.#rsp];
  }

  #make(ca: readonly Uint8Array[] | undefined, psk: NativeLinkOptions["psk"]): object {
    const { timers, modem, bodyMax, date } = this.#options;
    return this.#addon.link({
      ...timers,
      ...(ca === undefined ? {} : { ca: concat(...ca) }),
      ...(psk === undefined ? {} : { pskIdentity: psk.identity, psk: psk.key }),
      ...(date === undefined ? {} : { utc: date === null ? 0 : Math.floor(date.getTime() / 1000) }),
      ...(modem === undefined ? {} : { modem }),
      ...(bodyMax === undefined ? {} : { bodyMax }),
    });
  }

  /** Where to connect, when that is not where the name leads. */
  #place({ address, binding }: Endpoint): { host: string | null; port: number } | Failed {
    const at = (this.#options.resolve ?? ((same) => same))(address);
    if (/^http:/.test(at)) return failed("trust", `${at} without TLS is not available on the C host's link`);
    if (at === address) return { host: null, port: 0 };
    try {
      return splitAddress(at, binding === "ESipa CoAPS" ? 5684 : 443);
    } catch (cause) {
      if (cause instanceof RangeError) return failed("name", cause.message);
      throw cause;
    }
  }

  #failure(result: Result, { address, binding }: Endpoint): Failed {
    return failureOf(result, `${binding} of the C host towards ${address}`, "link");
  }
}
