/**
 * The modem's own TLS 1.2: node:tls over the modem's TCP, trust by the files that the host put into the modem. DTLS is put in from
 * outside, by whoever has a client. Modems know certificates only: a pinned public key is nothing that one of them could check.
 * Left out: TLS 1.3, renegotiation, sessions.
 */
import { createSecureContext, connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import { X509Certificate } from "node:crypto";
import { Duplex } from "node:stream";
import { failed, isFailed, type Failed } from "../core/doors.js";
import { peerChain, reach, within } from "../core/tls-client.js";
import { distrust } from "../pki/trust.js";
import type { Address, Net, NetEvents, NetSocket, Secure, SecureOpen, SecureOptions } from "./net.js";

/** Suites by their IANA number, as OpenSSL calls them. */
const SUITES: Readonly<Record<number, string>> = {
  0x00a8: "PSK-AES128-GCM-SHA256",
  0x00ae: "PSK-AES128-CBC-SHA256",
  0xc023: "ECDHE-ECDSA-AES128-SHA256",
  0xc02b: "ECDHE-ECDSA-AES128-GCM-SHA256",
  0xc02c: "ECDHE-ECDSA-AES256-GCM-SHA384",
  0xc02f: "ECDHE-RSA-AES128-GCM-SHA256",
  0xc0a4: "PSK-AES128-CCM",
  0xc0a8: "PSK-AES128-CCM8",
  0xc0ac: "ECDHE-ECDSA-AES128-CCM",
  0xc0ae: "ECDHE-ECDSA-AES128-CCM8",
};
const WITH_CERTIFICATE = [0xc02b, 0xc02c, 0xc02f, 0xc023, 0xc0ac, 0xc0ae];
const WITH_PSK = [0x00a8, 0x00ae, 0xc0a4, 0xc0a8];
const HANDSHAKE_MS = 30_000;

/** What a modem with TLS, and with the given DTLS client, has. */
export function modemSecure(dtls?: SecureOpen): Secure {
  return { TLS: openTls, ...(dtls === undefined ? {} : { DTLS: dtls }) };
}

/** Opens TLS to a peer. Failures: "trust" for what the server is not, "link", "name", "timeout", "unsupported" for a suite or file that the modem can't use. */
export async function openTls(net: Net, peer: Address, options: SecureOptions, events: NetEvents): Promise<NetSocket | Failed> {
  const shape = connectionOptions(options);
  if (isFailed(shape)) return shape;
  const stream = new NetStream();
  const tcp = await net.tcp(peer, stream.events);
  if (isFailed(tcp)) return tcp;
  stream.over(tcp);
  const tls = connect({ ...shape, socket: stream });
  const reached = await within(reach(tls, "secureConnect"), options.handshakeMs ?? HANDSHAKE_MS, "no handshake");
  const wrong = isFailed(reached) ? reached : untrusted(tls, peer, options);
  if (wrong !== undefined) {
    tls.destroy();
    tcp.close();
    return wrong;
  }
  tls.on("data", (bytes: Uint8Array) => events.data(new Uint8Array(bytes), peer));
  tls.on("end", () => tls.end());
  tls.on("close", () => events.closed());
  return { send: (bytes) => void tls.write(bytes), close: () => void tls.destroy(), suite: tls.getCipher().standardName };
}

function connectionOptions(options: SecureOptions): ConnectionOptions | Failed {
  const { psk, serverName } = options;
  const numbers = options.suites.length > 0 ? options.suites : psk === undefined ? WITH_CERTIFICATE : WITH_PSK;
  const unknown = numbers.find((number) => SUITES[number] === undefined);
  if (unknown !== undefined) return failed("unsupported", `cipher suite 0x${unknown.toString(16)} is not known`);
  try {
    const secureContext = createSecureContext({
      minVersion: "TLSv1.2",
      maxVersion: "TLSv1.2",
      ciphers: numbers.map((number) => SUITES[number]).join(":"),
      ...(options.certificate === undefined ? {} : { cert: pemOf(options.certificate, "CERTIFICATE") }),
      ...(options.key === undefined ? {} : { key: pemOf(options.key, "PRIVATE KEY") }),
    });
    return {
      secureContext,
      // The check below is the modem's: anchors that are no CA count too.
      rejectUnauthorized: false,
      ...(serverName === undefined ? {} : { servername: serverName }),
      ...(psk === undefined ? {} : { pskCallback: () => ({ psk: psk.key, identity: psk.identity }), checkServerIdentity: () => undefined }),
    };
  } catch (error) {
    return failed("unsupported", `expected certificate and key that fit, got: ${(error as Error).message}`);
  }
}

function untrusted(tls: TLSSocket, peer: Address, options: SecureOptions): Failed | undefined {
  // Under PSK the key has spoken already.
  const why = options.psk === undefined ? chainProblem(peerChain(tls), peer, options) : undefined;
  return why === undefined ? undefined : failed("trust", why);
}

/** Why the server's certificates (DER, its own first) are not what the modem was told to trust; undefined when they are. */
export function chainProblem(chain: readonly Uint8Array[], peer: Address, options: SecureOptions): string | undefined {
  if (options.verify === "nothing") return undefined;
  const anchors = certificates(options.ca);
  if (anchors.length === 0) return "expected a CA certificate in the modem, got none";
  const host = options.verify === "chain" ? ownName(chain[0]) : (options.serverName ?? peer.host);
  return distrust({ anchors: anchors.map((der) => ({ kind: "certificate", der })), chain, host, ...(options.now === undefined ? {} : { now: options.now }) });
}

/** A name that the certificate has: the check of the name then always holds. */
function ownName(der: Uint8Array | undefined): string {
  const names = der === undefined ? undefined : new X509Certificate(der).subjectAltName;
  return /(?:DNS|IP Address):([^,]+)/.exec(names ?? "")?.[1] ?? "";
}

/** DER certificates of an uploaded file, PEM or DER. */
function certificates(file: Uint8Array | undefined): Uint8Array[] {
  if (file === undefined) return [];
  if (file[0] === 0x30) return [file];
  return [...Buffer.from(file).toString("latin1").matchAll(/-----BEGIN CERTIFICATE-----([^-]+)-----END/g)].map((match) => new Uint8Array(Buffer.from(match[1] as string, "base64")));
}

function pemOf(file: Uint8Array, label: string): string {
  const text = Buffer.from(file).toString("latin1");
  return text.includes("-----BEGIN") ? text : `-----BEGIN ${label}-----\n${Buffer.from(file).toString("base64").replace(/(.{64})/g, "$1\n")}\n-----END ${label}-----\n`;
}

/** A socket of the modem's network as a stream of Node's. */
class NetStream extends Duplex {
  #socket: NetSocket | undefined;
  readonly events: NetEvents = {
    data: (bytes) => void this.push(bytes),
    closed: () => void this.push(null),
  };

  over(socket: NetSocket): void {
    this.#socket = socket;
  }

  override _read(): void {
    // What comes is pushed as it comes.
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    const sent = this.#socket?.send(new Uint8Array(chunk));
    if (sent instanceof Promise) void sent.then((wrong) => done(wrong === undefined ? null : new Error(wrong.reason)));
    else done(sent === undefined ? null : new Error(sent.reason));
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket?.close();
    done(error);
  }
}
