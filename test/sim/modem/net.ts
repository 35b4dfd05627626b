/**
 * The network behind a modem's sockets, as the modem sees it. Tests give a fake; LoopbackNet (loopback.ts) is the real one.
 * Secure sockets are put in from outside: TLS by secure.ts, DTLS by whoever has a client.
 */
import type { Failed } from "../core/doors.js";
import type { Maybe } from "../core/maybe.js";

export interface Address {
  /** A name or a literal address. */
  readonly host: string;
  readonly port: number;
}

export interface NetEvents {
  /** A datagram, or the next octets of a stream. `from`: literal address. */
  data(bytes: Uint8Array, from: Address): void;
  /** The peer closed, or the connection broke. */
  closed(reason?: string): void;
}

export interface NetSocket {
  /** Sends one datagram, or octets of a stream. `to`: for sockets without a peer. */
  send(bytes: Uint8Array, to?: Address): Maybe<Failed | undefined>;
  close(): void;
  /** The cipher suite in use, on secure sockets. */
  readonly suite?: string;
}

export interface Net {
  /** Literal address of a name; undefined when there is none. */
  resolve(host: string): Maybe<string | undefined>;
  /** Without `peer` it sends to anyone and hears anyone. */
  udp(peer: Address | undefined, events: NetEvents): Maybe<NetSocket | Failed>;
  tcp(peer: Address, events: NetEvents): Maybe<NetSocket | Failed>;
}

/** What a modem was told about a secure connection. Octets are DER or PEM as they were uploaded. */
export interface SecureOptions {
  readonly transport: "TLS" | "DTLS";
  /** What of the server is checked. */
  readonly verify: "nothing" | "chain" | "chain and name";
  readonly ca?: Uint8Array;
  readonly certificate?: Uint8Array;
  readonly key?: Uint8Array;
  readonly psk?: { readonly identity: string; readonly key: Uint8Array };
  /** Server name indication; undefined sends none. */
  readonly serverName?: string;
  /** IANA numbers; empty: whatever the modem has. */
  readonly suites: readonly number[];
  /** The modem's clock; without it validity times are not looked at. */
  readonly now?: Date;
  /** Offers a connection id (RFC 9146). */
  readonly connectionId?: boolean;
  readonly handshakeMs?: number;
}

/** Opens one kind of secure socket over the modem's network. */
export type SecureOpen = (net: Net, peer: Address, options: SecureOptions, events: NetEvents) => Maybe<NetSocket | Failed>;

export interface Secure {
  readonly TLS?: SecureOpen;
  readonly DTLS?: SecureOpen;
}
