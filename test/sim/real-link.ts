/**
 * The ways to simulated eIMs, SM-DP+ and SM-DS over real sockets on loopback: each has an HTTPS server, names resolve to it, and the device's
 * connections die with the simulated bearer as they do in virtual time. The eIMs' own way to SM-DP+ and SM-DS knows no bearer.
 */
import { HttpsLink, type HttpsLinkOptions } from "./agent/index.js";
import { failed, type AnswerPiece, type Ended, type Endpoint, type Failed, type Link, type SendHow } from "./core/doors.js";
import type { RunningServer } from "./core/https-server.js";
import type { Maybe } from "./core/maybe.js";
import { httpsEs9p, serveEim, type Eim, type Es9p } from "./eim/index.js";
import type { Network } from "./link/index.js";
import type { Identity } from "./pki/pki.js";
import type { ReachedServer } from "./world-servers.js";
import { serveSmdp } from "./smdp/index.js";

export interface RealLinkOptions {
  readonly eims: readonly Eim[];
  readonly eimTls: Identity;
  /** SM-DP+ and SM-DS. */
  readonly servers: readonly ReachedServer[];
  /** What they are trusted by, DER. */
  readonly rspTrust: readonly Uint8Array[];
  readonly network: () => Network;
  readonly note: (text: string) => void;
  /** What else the device's host is told. */
  readonly https?: Pick<HttpsLinkOptions, "caStore" | "instead" | "identity" | "date">;
}

export class RealWorldLink implements Link {
  readonly #options: RealLinkOptions;
  readonly #link: HttpsLink;
  readonly #running = new Map<string, RunningServer>();
  #generation = -1;

  constructor(options: RealLinkOptions) {
    this.#options = options;
    const { note, rspTrust, https } = options;
    this.#link = new HttpsLink({ ...https, note, rspTrust, resolve: (address) => this.#place(address) });
  }

  async listen(): Promise<void> {
    const { eims, eimTls, servers } = this.#options;
    for (const eim of eims) this.#running.set(eim.fqdn, await serveEim(eim, { tls: eimTls }));
    for (const { address, server, tls } of servers) this.#running.set(address.toLowerCase(), await serveSmdp(server, { tls }));
  }

  async closeAll(): Promise<void> {
    this.close();
    for (const server of this.#running.values()) await server.close();
  }

  /** "https://127.0.0.1:…" of a server, once it listens. */
  url(address: string): string | undefined {
    return this.#running.get(address)?.url;
  }

  /** The eIMs' way out. */
  es9p(): Es9p {
    const door = httpsEs9p({ trust: this.#options.rspTrust, resolve: (address) => this.#place(address.toLowerCase()) });
    return { call: (address, request) => (this.#running.has(address.toLowerCase()) ? door.call(address, request) : failed("name", `${address} is not known`)) };
  }

  open(endpoint: Endpoint, waitMs: number): Maybe<Ended> {
    const now = this.#options.network();
    if (!now.up) return failed("link", "there is no bearer");
    const address = endpoint.peer === "eIM" ? (this.#options.https?.instead?.address ?? endpoint.address) : endpoint.address.toLowerCase();
    if (!this.#running.has(address)) return failed("name", `${address} is not known`);
    this.#generation = now.generation;
    return this.#link.open(endpoint, waitMs);
  }

  send(piece: Uint8Array, how: SendHow): Maybe<Ended> {
    return this.#died() ?? this.#link.send(piece, how);
  }

  receive(max: number, waitMs: number): Maybe<AnswerPiece | Failed> {
    return this.#died() ?? this.#link.receive(max, waitMs);
  }

  close(): Ended {
    return this.#link.close();
  }

  /** Where a name leads; one that nobody has leads nowhere. */
  #place(address: string): string {
    return `127.0.0.1:${this.#running.get(address)?.port ?? 1}`;
  }

  #died(): Failed | undefined {
    const now = this.#options.network();
    if (now.up && now.generation === this.#generation) return undefined;
    this.#link.close();
    return failed("link", "the connection died with its bearer");
  }
}
