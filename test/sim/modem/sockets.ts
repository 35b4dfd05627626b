/** The sockets of a modem: their numbers, what was received and not yet read, what was told of it. */
import { concat } from "../core/bytes.js";
import { failed, isFailed, type Failed } from "../core/doors.js";
import type { Unit } from "./family.js";
import type { Address, Net, NetEvents, NetSocket, SecureOptions } from "./net.js";
import { settled, type Run } from "./run.js";

export type SocketKind = "UDP" | "TCP" | "TLS" | "DTLS";

export interface Received {
  readonly bytes: Uint8Array;
  readonly from: Address;
}

/** Octets and datagrams that a socket keeps for its host; what comes then is lost (UDP). */
const DATAGRAMS_MOST = 32;

export class ModemSocket {
  readonly id: number;
  /** Becomes secure where the family decides that late. */
  kind: SocketKind;
  readonly cid: number;
  peer: Address | undefined;
  net: NetSocket | undefined;
  readonly queue: Received[] = [];
  /** The host was told of data and did not read them all. */
  told = false;
  closed = false;
  /** Access mode of the family, where it has several. */
  mode = 0;
  sent = 0;
  received = 0;
  /** The family's own settings of this socket. */
  readonly settings = new Map<string, string>();

  constructor(id: number, kind: SocketKind, cid: number) {
    this.id = id;
    this.kind = kind;
    this.cid = cid;
  }

  get datagrams(): boolean {
    return this.kind === "UDP" || this.kind === "DTLS";
  }

  /** Octets not yet read. */
  get pending(): number {
    return this.queue.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  /**
   * At most `most` octets: of one datagram, or of the stream. What of a datagram is left over is kept or, with `whole`, lost.
   * Undefined when there is nothing.
   */
  read(most: number, whole = false): Received | undefined {
    const first = this.queue.shift();
    if (first === undefined) return undefined;
    let bytes = first.bytes;
    while (!this.datagrams && bytes.length < most && this.queue.length > 0) bytes = concat(bytes, (this.queue.shift() as Received).bytes);
    const got = bytes.subarray(0, most);
    if (got.length < bytes.length && !(this.datagrams && whole)) this.queue.unshift({ bytes: bytes.subarray(most), from: first.from });
    this.received += got.length;
    return { bytes: got, from: first.from };
  }
}

export class Sockets {
  readonly #unit: Unit;
  readonly #net: Net;
  readonly #table = new Map<number, ModemSocket>();

  constructor(unit: Unit, net: Net) {
    this.#unit = unit;
    this.#net = net;
  }

  get all(): readonly ModemSocket[] {
    return [...this.#table.values()].sort((a, b) => a.id - b.id);
  }

  get(id: number): ModemSocket | undefined {
    return this.#table.get(id);
  }

  /** The first free number; undefined when all are in use. */
  get free(): number | undefined {
    const { firstSocket, sockets } = this.#unit.family;
    for (let id = firstSocket; id < firstSocket + sockets; id++) if (!this.#table.has(id)) return id;
    return undefined;
  }

  /** A new socket without connection. */
  create(id: number, kind: SocketKind, cid: number): ModemSocket {
    const socket = new ModemSocket(id, kind, cid);
    this.#table.set(id, socket);
    return socket;
  }

  /** Gives it a connection, or a way to send for a datagram socket without peer. Undefined is success. */
  *connect(socket: ModemSocket, peer: Address | undefined, secure?: SecureOptions): Run<Failed | undefined> {
    if (!this.#unit.radio.active(socket.cid)) return failed("link", "the context is not active");
    socket.net?.close();
    const net = yield* settled(this.#reach(socket, peer, secure));
    if (isFailed(net)) {
      this.#unit.note(`socket ${socket.id}: ${net.reason}`);
      return net;
    }
    if (this.#table.get(socket.id) !== socket) net.close();
    socket.net = net;
    socket.peer = peer;
    return undefined;
  }

  /** Sends; undefined is success. */
  *send(socket: ModemSocket, bytes: Uint8Array, to?: Address): Run<Failed | undefined> {
    if (socket.net === undefined || socket.closed) return failed("link", "the socket has no connection");
    this.#unit.power.traffic();
    const sent = yield* settled(socket.net.send(bytes, to));
    if (sent === undefined) socket.sent += bytes.length;
    else this.#unit.note(`socket ${socket.id}: ${sent.reason}`);
    return sent;
  }

  *resolve(host: string): Run<string | undefined> {
    return yield* settled(this.#net.resolve(host));
  }

  close(id: number): void {
    this.#table.get(id)?.net?.close();
    this.#table.delete(id);
  }

  /** All of them without a word: reset, power off. */
  forget(): void {
    for (const { id } of this.all) this.close(id);
  }

  /** A context is gone, and its sockets' connections. */
  loseContext(cid: number): void {
    const lost = this.all.filter((socket) => socket.cid === cid && !socket.closed);
    for (const socket of lost) {
      socket.net?.close();
      socket.net = undefined;
      socket.closed = true;
    }
    this.#unit.family.hooks.bearerLost(this.#unit, cid, lost);
  }

  #reach(socket: ModemSocket, peer: Address | undefined, secure: SecureOptions | undefined) {
    const events = this.#events(socket);
    if (socket.kind === "UDP") return this.#net.udp(peer, events);
    if (peer === undefined) return failed("link", "expected a peer, got none");
    if (socket.kind === "TCP") return this.#net.tcp(peer, events);
    const open = this.#unit.secure[socket.kind];
    if (open === undefined || secure === undefined) return failed("unsupported", `this modem has no ${socket.kind}`);
    return open(this.#net, peer, secure, events);
  }

  #events(socket: ModemSocket): NetEvents {
    const alive = (): boolean => this.#table.get(socket.id) === socket && !socket.closed;
    return {
      data: (bytes, from) => {
        if (!alive()) return;
        const ms = this.#unit.power.downlinkMs;
        if (ms === 0) this.#arrived(socket, bytes, from);
        else this.#unit.timers.after(ms, () => alive() && this.#arrived(socket, bytes, from));
      },
      closed: () => {
        if (!alive() || socket.net === undefined) return;
        socket.closed = true;
        this.#unit.family.hooks.closed(this.#unit, socket);
      },
    };
  }

  #arrived(socket: ModemSocket, bytes: Uint8Array, from: Address): void {
    if (socket.datagrams && socket.queue.length >= DATAGRAMS_MOST) return this.#unit.note(`socket ${socket.id}: full, a datagram is lost`);
    if (bytes.length === 0) return;
    if (!this.#unit.reachable) return this.#unit.note(`socket ${socket.id}: the modem sleeps, data are lost`);
    this.#unit.power.traffic();
    socket.queue.push({ bytes, from });
    this.#unit.family.hooks.data(this.#unit, socket);
  }
}
