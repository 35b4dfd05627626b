/**
 * Octets and round trips on the air, over CoAP and DTLS: the agent with the C host's own link (CoAP, Mbed TLS) against the simulated eIM on
 * real UDP, through a relay that counts. IP octets: each datagram and 28 for its headers (IPv4, UDP).
 */
import { createSocket, type Socket } from "node:dgram";
import { downloadTrigger, psmo } from "../sim/eim/index.js";
import { sampleProfile } from "../sim/smdp/index.js";
import { iccid, OPERATIONAL, type WorldOptions } from "../sim/world-options.js";
import type { World } from "../sim/world.js";
import { coaps, Device, linkTo, world } from "../unit/native-kit.js";

const HEADERS = 28;

export interface AirFigures {
  readonly name: string;
  readonly up: number;
  readonly down: number;
  readonly datagramsUp: number;
  readonly datagramsDown: number;
  /** Times that the direction turned back to the device: what it waited for. */
  readonly trips: number;
}

interface Counter {
  up: number;
  down: number;
  datagramsUp: number;
  datagramsDown: number;
  trips: number;
}

class CountingRelay {
  readonly count: Counter = { up: 0, down: 0, datagramsUp: 0, datagramsDown: 0, trips: 0 };
  #lastUp = false;
  private constructor(readonly near: Socket, readonly far: Socket) {}

  static async start(port: number): Promise<CountingRelay> {
    const [near, far] = [createSocket("udp4"), createSocket("udp4")];
    const relay = new CountingRelay(near, far);
    let client = 0;
    near.on("message", (data, from) => {
      client = from.port;
      relay.#note(data.length, true);
      far.send(data, port, "127.0.0.1");
    });
    far.on("message", (data) => {
      relay.#note(data.length, false);
      near.send(data, client, "127.0.0.1");
    });
    await new Promise<void>((resolve) => near.bind(0, "127.0.0.1", resolve));
    return relay;
  }

  get port(): number {
    return this.near.address().port;
  }

  close(): void {
    this.near.close();
    this.far.close();
  }

  #note(octets: number, up: boolean): void {
    this.count[up ? "up" : "down"] += octets + HEADERS;
    this.count[up ? "datagramsUp" : "datagramsDown"]++;
    if (!up && this.#lastUp) this.count.trips++;
    this.#lastUp = up;
  }
}

interface Job {
  readonly name: string;
  prepare?(world: World): void;
}

const OPTIONS: WorldOptions = { smdps: [{}], euicc: { download: { freeMemory: 1_000_000 } } };

const JOBS: readonly Job[] = [
  { name: "idle poll with a new DTLS session (ECDSA)" },
  { name: "idle poll in a live session" },
  { name: "enable, with its notifications", prepare: (w) => void w.eim.queue(w.eid, psmo.enable(OPERATIONAL)) },
  {
    name: "indirect download, 12.5 kB",
    prepare(w) {
      const order = w.smdp.order({ profile: sampleProfile({ iccid: iccid(7), size: 12_079 }), matchingId: "AIR" });
      w.eim.queue(w.eid, downloadTrigger({ activationCode: w.smdp.activationCode(order) }));
    },
  },
];

/** Runs the jobs one after the other on one device; the DTLS session lives on. */
export async function measureAir(): Promise<AirFigures[]> {
  const w = world({}, OPTIONS);
  const server = await coaps(w);
  const relay = await CountingRelay.start(server.port);
  const link = linkTo(relay.port, { timers: { ackTimeoutMs: 5000, maxRetransmit: 3, handshakeMinMs: 9000, handshakeMaxMs: 60_000 } });
  const figures: AirFigures[] = [];
  try {
    for (const job of JOBS) {
      const before = { ...relay.count };
      job.prepare?.(w);
      await new Device(w, { link }).run();
      const now = relay.count;
      figures.push({
        name: job.name, up: now.up - before.up, down: now.down - before.down, datagramsUp: now.datagramsUp - before.datagramsUp, datagramsDown: now.datagramsDown - before.datagramsDown,
        trips: now.trips - before.trips,
      });
    }
  } finally {
    link.dispose();
    relay.close();
    await server.close();
  }
  return figures;
}

export async function printAir(out: (line: string) => void): Promise<void> {
  out(`${"CoAP over DTLS 1.2".padEnd(44)}${["IP up", "IP down", "in all", "datagrams", "trips"].map((text) => text.padStart(11)).join("")}`);
  for (const { name, up, down, datagramsUp, datagramsDown, trips } of await measureAir()) {
    out(name.padEnd(44) + [up, down, up + down, `${datagramsUp}+${datagramsDown}`, trips].map((value) => String(value).padStart(11)).join(""));
  }
  out("");
  out("IP octets: datagrams and 28 for the headers of IPv4 and UDP. C host's link, blocks of 1024, connection id of 4, AES_128_CCM_8, pinned key.");
}
