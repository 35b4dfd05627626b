/**
 * The way to simulated eIMs over real sockets on loopback: each has an HTTPS server, names resolve to it, and connections die with the
 * simulated bearer as they do in virtual time.
 */
import { HttpsLink } from "./agent/index.js";
import { failed, type AnswerPiece, type Ended, type Endpoint, type Failed, type Link, type SendHow } from "./core/doors.js";
import type { Maybe } from "./core/maybe.js";
import { serveEim, type Eim, type RunningServer } from "./eim/index.js";
import type { Network } from "./link/index.js";
import type { Identity } from "./pki/pki.js";

export class RealWorldLink implements Link {
  readonly #eims: readonly Eim[];
  readonly #tls: Identity;
  readonly #network: () => Network;
  readonly #link: HttpsLink;
  readonly #servers = new Map<string, RunningServer>();
  #generation = -1;

  constructor(eims: readonly Eim[], tls: Identity, network: () => Network, note: (text: string) => void) {
    this.#eims = eims;
    this.#tls = tls;
    this.#network = network;
    this.#link = new HttpsLink({ note, resolve: (address) => `127.0.0.1:${this.#servers.get(address)?.port ?? 1}` });
  }

  async listen(): Promise<void> {
    for (const eim of this.#eims) this.#servers.set(eim.fqdn, await serveEim(eim, { tls: this.#tls }));
  }

  async closeAll(): Promise<void> {
    this.close();
    for (const server of this.#servers.values()) await server.close();
  }

  /** "https://127.0.0.1:…" of an eIM, once it listens. */
  url(fqdn: string): string | undefined {
    return this.#servers.get(fqdn)?.url;
  }

  open(endpoint: Endpoint, waitMs: number): Maybe<Ended> {
    const now = this.#network();
    if (!now.up) return failed("link", "there is no bearer");
    if (!this.#servers.has(endpoint.address)) return failed("name", `${endpoint.address} is not known`);
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

  #died(): Failed | undefined {
    const now = this.#network();
    if (now.up && now.generation === this.#generation) return undefined;
    this.#link.close();
    return failed("link", "the connection died with its bearer");
  }
}
