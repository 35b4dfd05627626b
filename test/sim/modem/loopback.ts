/**
 * The modem's network on this computer: real UDP and TCP sockets, names by a given map. A name or name:port of the map may lead to
 * another port, as a NAT does; such a name gets an address of its own (192.0.2.0/24, RFC 5737), so that a host that
 * looks the name up by itself and opens a socket by address arrives at the same place.
 * Left out: servers (incoming TCP connections).
 */
import { createSocket } from "node:dgram";
import { isIP, connect } from "node:net";
import { failed, type Failed } from "../core/doors.js";
import type { Address, Net, NetEvents, NetSocket } from "./net.js";

export interface LoopbackOptions {
  /** "name" or "name:port" to "address" or "address:port" ([address]:port for IPv6). */
  readonly names?: Readonly<Record<string, string>>;
  /** Addresses outside of this computer may be reached (default: they are refused). */
  readonly anywhere?: boolean;
}

export class LoopbackNet implements Net {
  readonly #names: ReadonlyMap<string, string>;
  readonly #anywhere: boolean;
  /** Names by the address that they were given here. */
  readonly #given = new Map<string, string>();

  constructor(options: LoopbackOptions = {}) {
    this.#names = new Map(Object.entries(options.names ?? {}));
    this.#anywhere = options.anywhere ?? false;
    for (const name of this.#names.keys()) {
      const bare = name.replace(/:\d+$/, "");
      if (![...this.#given.values()].includes(bare)) this.#given.set(`192.0.2.${this.#given.size + 1}`, bare);
    }
  }

  resolve(host: string): string | undefined {
    if (isIP(host) !== 0) return host;
    for (const [address, name] of this.#given) if (name === host) return address;
    return undefined;
  }

  udp(peer: Address | undefined, events: NetEvents): Promise<NetSocket | Failed> | Failed {
    const to = peer && this.#real(peer);
    if (to !== undefined && "failure" in to) return to;
    const socket = createSocket(to !== undefined && isIP(to.host) === 6 ? "udp6" : "udp4");
    const seen = new Map<string, Address>();
    socket.on("message", (bytes, from) => {
      const real = { host: from.address, port: from.port };
      if (to !== undefined && peer !== undefined && (to.host !== real.host || to.port !== real.port)) return;
      events.data(new Uint8Array(bytes), peer === undefined ? (seen.get(key(real)) ?? real) : { host: this.resolve(peer.host) ?? real.host, port: peer.port });
    });
    // Port unreachable: a datagram socket does not tell its modem.
    socket.on("error", () => undefined);
    const send = (bytes: Uint8Array, target?: Address): Failed | undefined => {
      const real = to ?? (target && this.#real(target));
      if (real === undefined) return failed("link", "expected an address to send to, got none");
      if ("failure" in real) return real;
      if (target !== undefined) seen.set(key(real), { host: this.resolve(target.host) ?? target.host, port: target.port });
      socket.send(bytes, real.port, real.host);
      return undefined;
    };
    return new Promise((resolve) => socket.bind(0, () => resolve({ send, close: () => void socket.close() })));
  }

  tcp(peer: Address, events: NetEvents): Promise<NetSocket | Failed> | Failed {
    const to = this.#real(peer);
    if ("failure" in to) return to;
    return new Promise((resolve) => {
      const socket = connect({ host: to.host, port: to.port, noDelay: true });
      let reason: string | undefined;
      socket.once("connect", () => resolve({ send: (bytes) => void socket.write(bytes), close: () => void socket.destroy() }));
      socket.on("data", (bytes) => events.data(new Uint8Array(bytes), peer));
      socket.on("error", (error) => (reason = error.message));
      socket.on("end", () => socket.end());
      socket.on("close", () => {
        resolve(failed("link", reason ?? "the connection was closed"));
        events.closed(reason);
      });
    });
  }

  /** Where an address of the modem's world really leads. */
  #real({ host, port }: Address): Address | Failed {
    const name = this.#given.get(host) ?? host;
    const mapped = this.#names.get(`${name}:${port}`) ?? this.#names.get(name);
    const real = mapped === undefined ? { host: name, port } : split(mapped, port);
    if (isIP(real.host) === 0) return failed("name", `no address is known for ${name}:${port}`);
    if (!this.#anywhere && mapped === undefined && !/^(127\.|::1$)/.test(real.host)) return failed("link", `${host} is not on this computer`);
    return real;
  }
}

function split(text: string, port: number): Address {
  const [, v6, v4, digits] = /^(?:\[(.+)\]|([^:]+))(?::(\d+))?$/.exec(text) ?? [];
  return { host: v6 ?? v4 ?? text, port: digits === undefined ? port : Number(digits) };
}

function key({ host, port }: Address): string {
  return `${host} ${port}`;
}
