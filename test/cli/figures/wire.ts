/**
 * What an idle poll and a whole indirect download cost on the wire: the shipped agent and the simulated eIM over real TLS on loopback, with a relay between them
 * that counts the octets of the TCP payload and whose turn it was. Segments are not seen from here: they are counted as below.
 */
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import tls from "node:tls";
import { Agent, configuration, Flag, Host, HttpsLink, MemoryStore, Op, RawUicc, TERMINAL_PROFILE_REFRESH, WakeReason } from "../../sim/agent/index.js";
import { RealClock } from "../../sim/core/clock.js";
import type { Doors } from "../../sim/core/doors.js";
import { SimError } from "../../sim/core/errors.js";
import { downloadTrigger, Eim, serveEim, type Es9p } from "../../sim/eim/index.js";
import { Euicc } from "../../sim/euicc/index.js";
import { sampleProfile, Smdp } from "../../sim/smdp/index.js";
import { defaultProfiles, EIM_FQDN, iccid, sharedPki, SMDP_ADDRESS } from "../../sim/world-options.js";

export interface WireFigures {
  readonly tls: tls.SecureVersion;
  /** Octets of TCP payload, the whole connection. */
  readonly up: number;
  readonly down: number;
  /** How many of `up` and `down` are spent before the request leaves: handshake, and session tickets behind it. */
  readonly handshake: number;
  /** TCP's, TLS's, and the exchange. */
  readonly roundTrips: number;
  /** Segments as countSegments has it, and octets with 40 for each. */
  readonly segments: number;
  readonly ipOctets: number;
}

/** IPv4 and TCP headers without options. */
const HEADERS = 40;
/** Payload of one segment at an MTU of 1,400, as mobile networks have it. */
const SEGMENT = 1360;
/** GetEimPackage, three of the download, its result, and GetEimPackage again. */
const DOWNLOAD_EXCHANGES = 6;
const FREE_MEMORY = 1_000_000;
/** SYN, SYN-ACK, ACK; FIN and ACK both ways. */
const SETUP_AND_CLOSE = 7;
/** So long is nothing on the way any more, on loopback. */
const SETTLED_MS = 40;

/**
 * A second poll of a device that is up, with at most this version of TLS: idle, or one that finds a trigger for the download of a profile of `size` octets. What goes
 * between eIM and SM-DP+ is not counted: the device has no part in it.
 */
export async function measureWire(wasm: Uint8Array, version: tls.SecureVersion, size?: number): Promise<WireFigures> {
  const pki = sharedPki({ seed: "world", eimFqdns: [EIM_FQDN] });
  const smdp = new Smdp({ address: SMDP_ADDRESS, clock: new RealClock(), pki });
  const es9p: Es9p = { call: (address, request) => smdp.handle({ ...request, headers: { ...request.headers, host: address } }) };
  const eim = new Eim({ sign: pki.eimSign, tls: pki.eimTls, clock: new RealClock(), fqdn: EIM_FQDN, ...(size === undefined ? {} : { es9p }) });
  eim.addDevice({ eid: pki.eid, ciCertificates: [pki.ci.certificate], eumCertificate: pki.eum.certificate, euiccCertificate: pki.euicc.certificate });
  const before = tls.DEFAULT_MAX_VERSION;
  // The server takes the default when it is made; nobody else makes one meanwhile.
  tls.DEFAULT_MAX_VERSION = version;
  const server = await serveEim(eim, { tls: pki.eimTls }).finally(() => (tls.DEFAULT_MAX_VERSION = before));
  const relay = await Relay.to(server.port);
  try {
    const euicc = new Euicc({ pki, profiles: defaultProfiles(), eims: [eim.configurationData()], download: { freeMemory: FREE_MEMORY } });
    return await secondPoll(new Agent(wasm), euicc, relay, version, () => {
      if (size === undefined) return 1;
      const order = smdp.order({ profile: sampleProfile({ iccid: iccid(7), size }), matchingId: "FIGURES" });
      eim.queue(pki.eid, downloadTrigger({ activationCode: smdp.activationCode(order) }));
      return DOWNLOAD_EXCHANGES;
    });
  } finally {
    await relay.close();
    await server.close();
  }
}

/** `prepare` tells how many exchanges the poll is to have. */
async function secondPoll(agent: Agent, euicc: Euicc, relay: Relay, version: tls.SecureVersion, prepare: () => number): Promise<WireFigures> {
  const host = new Host({ agent, clock: new RealClock(), doors: doors(euicc, relay.port) });
  host.start(configuration({ imei: "356938035643809", entropy: new Uint8Array(32) }));
  await host.run((op) => op.kind === Op.Sleep && (op.flags & Flag.Idle) !== 0);
  await relay.settled();
  relay.flights.length = 0;
  const expected = prepare();
  host.deliver(await host.carryOut());
  await host.run((op) => op.kind === Op.LinkSend);
  // The client holds the server's last word of the handshake here, and has sent nothing that it waits for.
  const tlsRoundTrips = relay.flights.filter((flight) => flight.way === "down").length;
  await relay.settled();
  const handshake = relay.octets("up") + relay.octets("down");
  await host.run((op) => op.kind === Op.Sleep && (op.flags & Flag.Idle) !== 0);
  await relay.settled();
  const exchanges = host.trace.exchanges.slice(1);
  if (exchanges.length !== expected || exchanges.some(({ code }) => code !== 200 && code !== 204)) throw new SimError("figures", `the second poll is not ${expected} exchanges answered by 200 or 204:\n${host.trace.print()}`);
  const [up, down, segments] = [relay.octets("up"), relay.octets("down"), countSegments(relay.flights)];
  return { tls: version, up, down, handshake, roundTrips: 1 + tlsRoundTrips + exchanges.length, segments, ipOctets: up + down + HEADERS * segments };
}

function doors(euicc: Euicc, port: number): Doors {
  const uicc = new RawUicc({ card: euicc, clock: new RealClock(), terminalProfile: TERMINAL_PROFILE_REFRESH });
  uicc.boot();
  return {
    uicc, store: new MemoryStore(),
    link: new HttpsLink({ resolve: () => `127.0.0.1:${port}` }),
    bearer: { up: () => ({ plmn: new Uint8Array(0) }) },
    rest: { sleep: () => ({ reasons: WakeReason.Poll, cause: 0, cardReset: false }) },
  };
}

/** Octets that went one way without any the other way in between. */
interface Flight {
  readonly way: "up" | "down";
  octets: number;
}

/** Conservative: each flight in segments of its own, each of them acknowledged by a segment of its own. */
function countSegments(flights: readonly Flight[]): number {
  const data = flights.reduce((sum, flight) => sum + Math.ceil(flight.octets / SEGMENT), 0);
  return SETUP_AND_CLOSE + 2 * data;
}

/** A TCP relay on loopback that counts. */
class Relay {
  readonly flights: Flight[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #last = performance.now();

  private constructor(port: number) {
    this.#server = createServer((near) => {
      const far = connect({ host: "127.0.0.1", port, noDelay: true });
      near.setNoDelay(true);
      this.#pass(near, far, "up");
      this.#pass(far, near, "down");
    });
  }

  static to(port: number): Promise<Relay> {
    const relay = new Relay(port);
    return new Promise((resolve, reject) => {
      relay.#server.once("error", reject).listen(0, "127.0.0.1", () => resolve(relay));
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  octets(way: Flight["way"]): number {
    return this.flights.reduce((sum, flight) => sum + (flight.way === way ? flight.octets : 0), 0);
  }

  /** Waits until nothing has passed for a while. */
  async settled(): Promise<void> {
    this.#last = performance.now();
    while (performance.now() - this.#last < SETTLED_MS) await new Promise((resolve) => setTimeout(resolve, SETTLED_MS / 4));
  }

  close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #pass(from: Socket, to: Socket, way: Flight["way"]): void {
    this.#sockets.add(from);
    from.on("data", (octets) => {
      this.#count(way, octets.length);
      to.write(octets);
    });
    from.on("end", () => to.end());
    // A connection that one side breaks off is broken off on the other side as well.
    from.on("error", () => to.destroy()).on("close", () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }

  #count(way: Flight["way"], octets: number): void {
    this.#last = performance.now();
    const last = this.flights.at(-1);
    if (last?.way === way) last.octets += octets;
    else this.flights.push({ way, octets });
  }
}
