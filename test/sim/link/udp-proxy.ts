/**
 * A way of UDP datagrams on real sockets that loses, doubles, reorders and delays them, for each direction apart, by seeded chance:
 * the same seed and the same order of datagrams give the same faults. Each client address has its own socket towards the server,
 * and can be given a new one (`rebind`), as a NAT does after a silence.
 */
import { createSocket, type Socket } from "node:dgram";
import { Rng } from "../core/rng.js";

/** Chances from 0 to 1; times in milliseconds. */
export interface Weather {
  readonly loss?: number;
  readonly duplicate?: number;
  /** A datagram is held back until the next one of its direction has gone, or for `holdMs`. */
  readonly reorder?: number;
  readonly holdMs?: number;
  readonly delayMs?: number;
  /** Added to the delay: 0 to this. */
  readonly jitterMs?: number;
}

export interface ProxyOptions {
  readonly to: { readonly host?: string; readonly port: number };
  readonly host?: string;
  readonly port?: number;
  readonly seed?: number;
  readonly up?: Weather;
  readonly down?: Weather;
}

export interface RunningProxy {
  readonly port: number;
  /** Datagrams by direction: how many came, and what became of them. */
  readonly count: { readonly up: Count; readonly down: Count };
  /** Gives every client a new address towards the server; what the server still sends to the old one is lost. */
  rebind(): void;
  /** Changes the weather from now on. */
  weather(up: Weather, down?: Weather): void;
  close(): Promise<void>;
}

interface Count {
  came: number;
  lost: number;
  doubled: number;
  reordered: number;
}

type Send = () => void;

/** One direction: decides what becomes of each datagram. */
class Way {
  readonly count: Count = { came: 0, lost: 0, doubled: 0, reordered: 0 };
  weather: Weather;
  readonly #rng: Rng;
  readonly #timers = new Set<NodeJS.Timeout>();
  #held: Send | undefined;

  constructor(seed: number, weather: Weather) {
    this.#rng = new Rng(seed);
    this.weather = weather;
  }

  pass(send: Send): void {
    this.count.came++;
    if (this.#happens(this.weather.loss)) return void this.count.lost++;
    if (this.#happens(this.weather.duplicate)) {
      this.count.doubled++;
      this.#later(send);
    }
    if (this.#held === undefined && this.#happens(this.weather.reorder)) {
      this.count.reordered++;
      this.#held = send;
      this.#at(this.weather.holdMs ?? 50, () => this.#release());
      return;
    }
    this.#later(send);
    this.#release();
  }

  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #release(): void {
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined) this.#later(held);
  }

  #later(send: Send): void {
    const { delayMs = 0, jitterMs = 0 } = this.weather;
    const ms = delayMs + (jitterMs > 0 ? this.#rng.int(jitterMs + 1) : 0);
    if (ms === 0) send();
    else this.#at(ms, send);
  }

  #at(ms: number, run: Send): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, ms);
    this.#timers.add(timer);
  }

  #happens(chance = 0): boolean {
    return chance > 0 && this.#rng.int(1_000_000) < chance * 1_000_000;
  }
}

/** Starts a proxy on loopback. Rejects when the address can't be listened on. */
export function startUdpProxy(options: ProxyOptions): Promise<RunningProxy> {
  const { to, host = "127.0.0.1", seed = 0 } = options;
  const up = new Way(seed * 2 + 1, options.up ?? {});
  const down = new Way(seed * 2 + 2, options.down ?? options.up ?? {});
  const front = createSocket("udp4");
  const backs = new Map<string, Socket>();
  let closed = false;

  const back = (address: string, port: number): Socket => {
    const name = `${address}|${port}`;
    const known = backs.get(name);
    if (known !== undefined) return known;
    const socket = createSocket("udp4");
    socket.on("message", (datagram) => down.pass(() => closed || front.send(datagram, port, address)));
    // A port that nobody listens on any more answers by ICMP: on a lossy way that is one more loss.
    socket.on("error", () => undefined);
    backs.set(name, socket);
    return socket;
  };
  const closeBacks = (): void => {
    for (const socket of backs.values()) socket.close();
    backs.clear();
  };

  front.on("message", (datagram, { address, port }) => up.pass(() => closed || back(address, port).send(datagram, to.port, to.host ?? "127.0.0.1")));
  return new Promise((resolve, reject) => {
    front.once("error", reject);
    front.bind(options.port ?? 0, host, () => {
      resolve({
        port: front.address().port,
        count: { up: up.count, down: down.count },
        rebind: closeBacks,
        weather: (way, other) => void ((up.weather = way), (down.weather = other ?? way)),
        close: () => {
          closed = true;
          up.stop();
          down.stop();
          closeBacks();
          return new Promise((done) => front.close(() => done()));
        },
      });
    });
  });
}
