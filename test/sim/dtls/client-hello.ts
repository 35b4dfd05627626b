/** What a client offers in its ClientHello, and what it accepts in the ServerHello: nothing that it did not offer (RFC 5246 7.4.1.3, RFC 7627 5.2, RFC 9146 3). */
import { equal, toHex } from "../core/bytes.js";
import { Alert, DTLS_1_2, ECDSA_SECP256R1_SHA256, Extension, FRAGMENT_LENGTHS, MAX_FRAGMENT, SECP256R1, type Suite } from "./constants.js";
import { hostNameExtension, opaqueIn, type ServerHello } from "./messages.js";
import { DtlsAlertError, list16, uint, vector } from "./wire.js";

export interface HelloOptions {
  /** Sent as server_name. */
  readonly serverName?: string;
  /** What we want in the server's records: empty for "none, but I put yours into mine"; absent: no connection ids. */
  readonly connectionId?: Uint8Array;
  /** Code of max_fragment_length: 1 (512 octets) to 4 (4096). */
  readonly maxFragmentLength?: number;
  /** Default "required" (RFC 7925 16): offered, and a server that does not answer it is refused. "off": not offered. */
  readonly extendedMasterSecret?: "required" | "optional" | "off";
}

export function clientExtensions(options: HelloOptions, suites: readonly Suite[]): Map<number, Uint8Array> {
  const extensions = new Map<number, Uint8Array>([[Extension.RenegotiationInfo, uint(1, 0)]]);
  if (options.extendedMasterSecret !== "off") extensions.set(Extension.ExtendedMasterSecret, new Uint8Array(0));
  if (options.serverName !== undefined) extensions.set(Extension.ServerName, hostNameExtension(options.serverName));
  if (options.maxFragmentLength !== undefined) extensions.set(Extension.MaxFragmentLength, uint(1, options.maxFragmentLength));
  if (options.connectionId !== undefined) extensions.set(Extension.ConnectionId, vector(1, options.connectionId));
  if (suites.some(({ keyExchange }) => keyExchange === "ECDHE_ECDSA")) {
    extensions.set(Extension.SupportedGroups, list16(2, [SECP256R1]));
    extensions.set(Extension.PointFormats, vector(1, uint(1, 0)));
    extensions.set(Extension.SignatureAlgorithms, list16(2, [ECDSA_SECP256R1_SHA256]));
  }
  return extensions;
}

export interface Terms {
  readonly suite: Suite;
  readonly extendedMasterSecret: boolean;
  readonly fragmentLimit: number;
  /** What the server wants in our records; undefined without connection ids. */
  readonly serverCid: Uint8Array | undefined;
}

/** Throws DtlsAlertError where the server goes outside what was offered. */
export function agreedTerms(hello: ServerHello, options: HelloOptions, offered: readonly Suite[]): Terms {
  const { extensions } = hello;
  if (hello.version !== DTLS_1_2) throw new DtlsAlertError(Alert.ProtocolVersion, `DTLS 1.2 (FEFD) expected, got ${hello.version.toString(16).toUpperCase()}`);
  const suite = offered.find(({ id }) => id === hello.suite);
  if (suite === undefined) throw new DtlsAlertError(Alert.IllegalParameter, `one of the suites offered expected, got ${hello.suite.toString(16).toUpperCase().padStart(4, "0")}`);
  if (hello.compression !== 0) throw new DtlsAlertError(Alert.IllegalParameter, `compression method null expected, got ${hello.compression}`);
  const sent = clientExtensions(options, offered);
  for (const type of extensions.keys()) {
    if (!sent.has(type)) throw new DtlsAlertError(Alert.UnsupportedExtension, `extension ${type} was not offered, but is answered`);
  }
  const info = opaqueIn(extensions, Extension.RenegotiationInfo);
  if (info !== undefined && info.length > 0) throw new DtlsAlertError(Alert.HandshakeFailure, "an empty renegotiation_info expected in a first handshake");
  const extendedMasterSecret = extensions.has(Extension.ExtendedMasterSecret);
  if (!extendedMasterSecret && (options.extendedMasterSecret ?? "required") === "required") throw new DtlsAlertError(Alert.HandshakeFailure, "extended_master_secret expected (RFC 7925 16), got none: a downgrade");
  return { suite, extendedMasterSecret, fragmentLimit: fragmentLimit(extensions, sent), serverCid: opaqueIn(extensions, Extension.ConnectionId) };
}

/** A server that does not answer max_fragment_length keeps the full size. */
function fragmentLimit(extensions: ServerHello["extensions"], sent: ReadonlyMap<number, Uint8Array>): number {
  const value = extensions.get(Extension.MaxFragmentLength);
  if (value === undefined) return MAX_FRAGMENT;
  if (!equal(value, sent.get(Extension.MaxFragmentLength) as Uint8Array)) throw new DtlsAlertError(Alert.IllegalParameter, `max_fragment_length as offered expected, got ${toHex(value)}`);
  return FRAGMENT_LENGTHS[value[0] as number] ?? MAX_FRAGMENT;
}
