/** What the tests of DTLS share: a server and clients on a virtual clock, and the way between them. */
import assert from "node:assert/strict";
import { fromHex, utf8 } from "../sim/core/bytes.js";
import { DtlsClient, DtlsServer, type DtlsClientOptions, type DtlsClientOutput, type DtlsServerOptions, type DtlsServerOutput, type SessionInfo } from "../sim/dtls/index.js";
import { splitRecords } from "../sim/dtls/record.js";
import { distrust } from "../sim/pki/trust.js";
import { makePki } from "../sim/pki/pki.js";

export const pki = makePki({ seed: "dtls tests" });
export const PSK = fromHex("30313233343536373839616263646566");
export const psk = { psk: { identity: "dev1", key: PSK } };
export const pskTable = { psk: { dev1: PSK } };
/** Trust by the eIM's CA, with the host name and a date. */
export const trusting = { verify: (chain: readonly Uint8Array[]) => distrust({ anchors: [{ kind: "certificate", der: pki.eimTls.certificate }], chain, host: "eim.example.com", now: new Date(Date.UTC(2026, 0, 1)) }), serverName: "eim.example.com" };

export interface Way {
  readonly loses?: (n: number, datagram: Uint8Array) => boolean;
  readonly doubles?: (n: number) => boolean;
  readonly reorders?: (n: number) => boolean;
}

export interface DtlsBenchOptions {
  readonly server?: DtlsServerOptions;
  readonly client?: DtlsClientOptions;
  readonly up?: Way;
  readonly down?: Way;
}

export class DtlsBench {
  readonly server: DtlsServer;
  readonly client: DtlsClient;
  now = 0;
  /** Where the client sends from; a test may change it. */
  address = "198.51.100.1|5000";
  readonly news: string[] = [];
  info: SessionInfo | undefined;
  readonly got = { server: [] as string[], client: [] as string[] };
  /** Datagrams that left either end. */
  readonly wire: { readonly from: "client" | "server"; readonly datagram: Uint8Array }[] = [];
  readonly #options: DtlsBenchOptions;
  readonly #count = { up: 0, down: 0 };
  #due: { at: number; run: () => void }[] = [];

  constructor(options: DtlsBenchOptions = {}) {
    this.#options = options;
    this.server = new DtlsServer(options.server ?? pskTable);
    this.client = new DtlsClient(options.client ?? psk);
  }

  /** Handshakes; true when both ends are connected. */
  connect(): boolean {
    this.fromClient(this.client.start(this.now));
    this.run();
    return this.client.connected && this.info !== undefined;
  }

  /** Lets everything happen that is under way, timers included. */
  run(): void {
    for (let steps = 0; this.#next() < Infinity; steps++) {
      assert.ok(steps < 5000, "it never ends");
      this.#step();
    }
  }

  /** Sends text from the client and back; what each end got. */
  chat(text = "hello"): void {
    this.fromClient(this.client.send(utf8(text)));
    this.run();
    this.fromServer(this.server.send(this.info?.session ?? "", utf8(`re: ${text}`)));
    this.run();
  }

  /** Gives octets to an end as if they came over the way. */
  toServer(datagram: Uint8Array, from = this.address): void {
    this.fromServer(this.server.handle(from, datagram, this.now));
    this.run();
  }

  toClient(datagram: Uint8Array): void {
    this.fromClient(this.client.handle(datagram, this.now));
    this.run();
  }

  fromClient(outputs: readonly DtlsClientOutput[]): void {
    for (const output of outputs) {
      if (output.kind === "datagram") {
        const from = this.address;
        this.wire.push({ from: "client", datagram: output.datagram });
        this.#carry("up", output.datagram, () => this.fromServer(this.server.handle(from, output.datagram, this.now)));
      } else if (output.kind === "data") this.got.client.push(new TextDecoder().decode(output.data));
      else this.news.push(output.kind === "connected" ? `client: connected, ${output.suite}` : `client: closed, ${output.reason}`);
    }
  }

  fromServer(outputs: readonly DtlsServerOutput[]): void {
    for (const output of outputs) {
      if (output.kind === "datagram") {
        this.wire.push({ from: "server", datagram: output.datagram });
        this.#carry("down", output.datagram, () => {
          if (output.to === this.address) this.fromClient(this.client.handle(output.datagram, this.now));
        });
      } else if (output.kind === "data") this.got.server.push(new TextDecoder().decode(output.data));
      else if (output.kind === "connected") {
        this.info = output.info;
        this.news.push(`server: connected, ${output.info.suite}`);
      } else this.news.push(`server: closed, ${output.reason}`);
    }
  }

  get notes(): string {
    return [...this.server.notes.map(({ text }) => `server: ${text}`), ...this.client.notes.map(({ text }) => `client: ${text}`), ...this.news].join("\n");
  }

  #next(): number {
    return Math.min(this.server.nextTimer ?? Infinity, this.client.nextTimer ?? Infinity, ...this.#due.map(({ at }) => at));
  }

  #step(): void {
    this.now = Math.max(this.now, this.#next());
    const due = this.#due.filter(({ at }) => at <= this.now);
    this.#due = this.#due.filter(({ at }) => at > this.now);
    for (const { run } of due) run();
    if (due.length > 0) return;
    this.fromServer(this.server.tick(this.now));
    this.fromClient(this.client.tick(this.now));
  }

  #carry(direction: "up" | "down", datagram: Uint8Array, run: () => void): void {
    const way = this.#options[direction];
    const n = this.#count[direction]++;
    if (way?.loses?.(n, datagram) === true) return;
    const late = way?.reorders?.(n) === true ? 15 : 0;
    for (let i = way?.doubles?.(n) === true ? 2 : 1; i > 0; i--) this.#due.push({ at: this.now + 10 + late, run });
  }
}

/** Types and lengths of the records of a datagram: "22/0:112 20/0:1 22/1:40". */
export function shape(datagram: Uint8Array, cidLength = 0): string {
  return splitRecords(datagram, cidLength).records.map(({ type, epoch, body }) => `${type}/${epoch}:${body.length}`).join(" ");
}
