/**
 * A board in the simulated world: its UART at the AT modem, which holds the world's eUICC and whose sockets go over real loopback to the
 * world's eIM (CoAPS or HTTPS), behind which the SM-DP+ stands, and to a server that collects the application's readings.
 * Time is real here; the peers' own clocks stand still, since nothing in these stories hangs on them.
 */
import { createSocket, type Socket } from "node:dgram";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toHex } from "../sim/core/bytes.js";
import { SimError } from "../sim/core/errors.js";
import { serveEimCoaps } from "../sim/eim/coaps.js";
import { EimProtocol, serveEim } from "../sim/eim/index.js";
import { secureModem } from "../sim/modem-dtls.js";
import { AtModem, IDEAL_PACE, LoopbackNet, type FamilyName, type Fault } from "../sim/modem/index.js";
import { serveSmdp } from "../sim/smdp/index.js";
import { EIM_FQDN, World, type WorldOptions } from "../sim/index.js";
import type { Board } from "./hosts.js";
import { Wire } from "./wire.js";

export const SENSOR = "sensor.example.com:4711";

export interface BenchOptions {
  /** Makes the board; `folder` is for its sockets (its UART is "uart") and flash; `world`: whom it may have to trust. */
  readonly board: (folder: string, world: World) => Board;
  /** CoAP: without DTLS, for an image with the laboratory's option. */
  readonly esipa?: "CoAPS" | "CoAP" | "HTTPS";
  readonly psk?: { readonly identity: string; readonly key: Uint8Array };
  readonly world?: WorldOptions;
  readonly family?: FamilyName;
  readonly faults?: readonly Fault[];
}

type Closer = () => Promise<unknown> | void;

export class Bench {
  readonly world: World;
  readonly modem: AtModem;
  readonly board: Board;
  readonly wire: Wire;
  /** Readings of the application, as they came. */
  readonly readings: string[] = [];
  /** What the eIM's server said of sessions and refusals. */
  readonly news: readonly string[];
  /** The agent sleeps with nothing in hand. */
  idle = false;
  /** Power cuts so far. */
  cuts = 0;
  readonly #closers: readonly Closer[];

  private constructor(parts: Pick<Bench, "world" | "modem" | "board" | "wire" | "news">, sensor: Socket, closers: readonly Closer[]) {
    this.world = parts.world;
    this.modem = parts.modem;
    this.board = parts.board;
    this.wire = parts.wire;
    this.news = parts.news;
    this.#closers = closers;
    sensor.on("message", (bytes) => this.readings.push(bytes.toString("utf8")));
    this.board.lines.onLine = (line) => {
      if (line.startsWith("idle")) this.idle = true;
      else if (line.startsWith("report")) this.idle = false;
    };
  }

  static async open(options: BenchOptions): Promise<Bench> {
    const { esipa = "CoAPS", family = "bg95", faults = [] } = options;
    const folder = mkdtempSync(join(tmpdir(), "bench-"));
    const protocols = [esipa === "HTTPS" ? EimProtocol.RetrieveHttps : EimProtocol.RetrieveCoaps];
    const [first = {}, ...others] = options.world?.eims ?? [{}];
    const world = new World({ ...options.world, eims: [{ ...first, association: { protocols, ...first.association } }, ...others] });
    const news: string[] = [];
    const identity = { key: world.pki.eimTls.key, certificate: world.pki.eimTls.certificate };
    const dtls = options.psk === undefined ? { identity, connectionId: 4 } : { psk: { [options.psk.identity]: options.psk.key }, connectionId: 4 };
    const secured = esipa === "CoAP" ? {} : { dtls };
    const server = esipa === "HTTPS" ? await serveEim(world.eim, { tls: identity }) : await serveEimCoaps(world.eim, { ...secured, onNews: (text) => news.push(text) });
    const sensor = createSocket("udp4");
    await new Promise<void>((resolve) => sensor.bind(0, "127.0.0.1", resolve));
    // The SM-DP+ for devices that download directly; the eIM's own way to it is inside the world.
    const smdps = await Promise.all(world.smdps.map(async (smdp) => ({ address: smdp.address, server: await serveSmdp(smdp, { tls: world.pki.dpTls }) })));
    const names = { ...Object.fromEntries(smdps.map((one) => [one.address, `127.0.0.1:${one.server.port}`])), [EIM_FQDN]: `127.0.0.1:${server.port}`, [SENSOR]: `127.0.0.1:${sensor.address().port}` };
    const modem = new AtModem({ family, card: world.euicc, net: new LoopbackNet({ names }), pace: IDEAL_PACE, secure: secureModem(), seed: world.seed, faults });
    const wire = new Wire(modem);
    await wire.listen(join(folder, "uart"));
    const board = options.board(folder, world);
    const closers = [() => board.close(), () => modem.powerOff(), () => wire.close(), () => server.close(), ...smdps.map((one) => () => one.server.close()), () => new Promise<void>((resolve) => sensor.close(() => resolve())), () => rmSync(folder, { recursive: true, force: true })];
    return new Bench({ world, modem, board, wire, news }, sensor, closers);
  }

  /** Power for board and modem. */
  async start(): Promise<void> {
    this.idle = false;
    this.wire.up();
    await this.board.start();
    this.modem.powerOn();
  }

  /** Orders a power cut once `octets` more have passed on the UART. `modem`: its power goes too. */
  cutAfter(octets: number, modem: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.wire.cutAt(this.wire.octets + octets, () => void this.cut(modem).then(resolve, reject));
    });
  }

  /** The power goes now, and comes back. `modem`: its power too. */
  async cut(modem: boolean): Promise<void> {
    this.cuts++;
    if (modem) this.modem.powerOff();
    await this.board.cut();
    this.idle = false;
    this.wire.up();
    await this.board.start();
    if (modem) this.modem.powerOn();
  }

  /** The application asks for a poll. */
  poll(): void {
    this.idle = false;
    this.board.key("p");
  }

  /** All packages of the eIM are done, and the agent is idle. */
  get settled(): boolean {
    const { eims, eid } = this.world;
    return this.idle && eims.every((eim) => eim.device(eid).packages.every((record) => record.state === "done"));
  }

  /** Waits until it is so. Throws SimError "timeout" with what was said last. */
  async until(what: string, isSo: () => boolean, ms = 60_000): Promise<void> {
    const end = performance.now() + ms;
    while (!isSo()) {
      if (performance.now() > end) throw new SimError("timeout", `not after ${ms} ms: ${what}\n${this.last()}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** The last words of all, for a failure. */
  last(): string {
    const refusals = this.world.eims.flatMap((eim) => eim.seen.filter((one) => one.verdict !== "ok").map((one) => `eIM refused ${one.function}: ${one.reason}`));
    return [
      ...this.board.lines.all.slice(-20).map((line) => `console: ${line}`), ...this.news.slice(-5).map((text) => `eIM's server: ${text}`), ...refusals.slice(-3),
      ...this.world.euicc.refusals.slice(-3).map((one) => `eUICC refused ${one.what}: ${one.why}`), ...this.modem.transcript.print().split("\n").slice(-12),
      `${this.wire.octets} octets on the UART, ${this.cuts} cuts, EID ${this.world.eid}`,
    ].join("\n");
  }

  async close(): Promise<void> {
    for (const close of this.#closers) await close();
  }
}

/** "ID:HEX" as the boards take it. */
export function pskText({ identity, key }: { readonly identity: string; readonly key: Uint8Array }): string {
  return `${identity}:${toHex(key)}`;
}
