/**
 * Bodies of the handshake messages (RFC 5246 7.4, RFC 6347 4.2.1, RFC 4279 2, RFC 8422 5): read strictly, written canonically.
 * Left out: session tickets, raw public keys, RSA.
 */
import { concat, equal, utf8 } from "../core/bytes.js";
import { Alert, DTLS_1_0, DTLS_1_2, ECDSA_SECP256R1_SHA256, Extension, handshakeName, SECP256R1, type Handshake } from "./constants.js";
import { DtlsAlertError, list16, uint, vector, WireReader } from "./wire.js";

export type Extensions = ReadonlyMap<number, Uint8Array>;

export interface ClientHello {
  readonly version: number;
  readonly random: Uint8Array;
  readonly sessionId: Uint8Array;
  readonly cookie: Uint8Array;
  readonly suites: readonly number[];
  readonly compressions: Uint8Array;
  readonly extensions: Extensions;
}

export interface ServerHello {
  readonly version: number;
  readonly random: Uint8Array;
  readonly sessionId: Uint8Array;
  readonly suite: number;
  readonly compression: number;
  readonly extensions: Extensions;
}

const NONE = new Uint8Array(0);

export function readClientHello(body: Uint8Array): ClientHello {
  const reader = new WireReader(body, "ClientHello");
  const version = reader.uint(2);
  const random = reader.take(32);
  const sessionId = reader.vector(1);
  if (sessionId.length > 32) throw new DtlsAlertError(Alert.DecodeError, `ClientHello: a session id of at most 32 octets expected, got ${sessionId.length}`);
  const cookie = reader.vector(1);
  const suites = numbers(reader.vector(2, 2), "cipher suites");
  const compressions = reader.vector(1, 1);
  return { version, random, sessionId, cookie, suites, compressions, extensions: readExtensions(reader) };
}

export function writeClientHello(hello: ClientHello): Uint8Array {
  const { version, random, sessionId, cookie, suites, compressions, extensions } = hello;
  return concat(uint(2, version), random, vector(1, sessionId), vector(1, cookie), list16(2, suites), vector(1, compressions), writeExtensions(extensions));
}

export function readServerHello(body: Uint8Array): ServerHello {
  const reader = new WireReader(body, "ServerHello");
  const head = { version: reader.uint(2), random: reader.take(32), sessionId: reader.vector(1), suite: reader.uint(2), compression: reader.uint(1) };
  return { ...head, extensions: readExtensions(reader) };
}

export function writeServerHello({ version, random, sessionId, suite, compression, extensions }: ServerHello): Uint8Array {
  return concat(uint(2, version), random, vector(1, sessionId), uint(2, suite), uint(1, compression), writeExtensions(extensions));
}

/** Throws decode_error, and illegal_parameter for an extension that is there twice. */
function readExtensions(reader: WireReader): Map<number, Uint8Array> {
  const found = new Map<number, Uint8Array>();
  if (reader.left === 0) return found;
  const extensions = new WireReader(reader.vector(2), "extensions");
  reader.end();
  while (extensions.left > 0) {
    const type = extensions.uint(2);
    if (found.has(type)) throw new DtlsAlertError(Alert.IllegalParameter, `extension ${type} expected once, got it again`);
    found.set(type, extensions.vector(2));
  }
  return found;
}

function writeExtensions(extensions: Extensions): Uint8Array {
  if (extensions.size === 0) return NONE;
  return vector(2, ...[...extensions].map(([type, value]) => concat(uint(2, type), vector(2, value))));
}

function numbers(value: Uint8Array, what: string): number[] {
  if (value.length % 2 !== 0) throw new DtlsAlertError(Alert.DecodeError, `${what}: an even number of octets expected, got ${value.length}`);
  return Array.from({ length: value.length / 2 }, (_, i) => ((value[2 * i] as number) << 8) | (value[2 * i + 1] as number));
}

/** A list of 16-bit numbers in an extension (supported_groups, signature_algorithms); undefined when the extension is not there. */
export function listIn(extensions: Extensions, type: number, lengthOctets = 2): number[] | undefined {
  const value = extensions.get(type);
  if (value === undefined) return undefined;
  const reader = new WireReader(value, `extension ${type}`);
  const found = numbers(reader.vector(lengthOctets, 2), `extension ${type}`);
  reader.end();
  return found;
}

/** A vector with one octet of length in an extension (connection_id, renegotiation_info). */
export function opaqueIn(extensions: Extensions, type: number): Uint8Array | undefined {
  const value = extensions.get(type);
  if (value === undefined) return undefined;
  const reader = new WireReader(value, `extension ${type}`);
  const found = reader.vector(1);
  reader.end();
  return found;
}

/** host_name of server_name (RFC 6066 3). */
export function hostNameIn(extensions: Extensions): string | undefined {
  const value = extensions.get(Extension.ServerName);
  if (value === undefined || value.length === 0) return undefined;
  const reader = new WireReader(value, "server_name");
  const names = new WireReader(reader.vector(2, 1), "server_name");
  reader.end();
  if (names.uint(1) !== 0) return undefined;
  return new TextDecoder().decode(names.vector(2, 1));
}

export function hostNameExtension(name: string): Uint8Array {
  return vector(2, uint(1, 0), vector(2, utf8(name)));
}

/** server_version of a HelloVerifyRequest says nothing about the version that will be used (RFC 6347 4.2.1). */
export function writeHelloVerifyRequest(cookie: Uint8Array): Uint8Array {
  return concat(uint(2, DTLS_1_0), vector(1, cookie));
}

export function readHelloVerifyRequest(body: Uint8Array): Uint8Array {
  const reader = new WireReader(body, "HelloVerifyRequest");
  const version = reader.uint(2);
  if (version !== DTLS_1_0 && version !== DTLS_1_2) throw new DtlsAlertError(Alert.ProtocolVersion, `HelloVerifyRequest: version FEFF or FEFD expected, got ${version.toString(16).toUpperCase()}`);
  const cookie = reader.vector(1, 1);
  reader.end();
  return cookie;
}

/** The chain of a Certificate message, the owner's first; DER. */
export function readCertificates(body: Uint8Array): Uint8Array[] {
  const reader = new WireReader(body, "Certificate");
  const list = new WireReader(reader.vector(3), "Certificate");
  reader.end();
  const chain: Uint8Array[] = [];
  while (list.left > 0) chain.push(list.vector(3, 1));
  return chain;
}

export function writeCertificates(chain: readonly Uint8Array[]): Uint8Array {
  return vector(3, ...chain.map((der) => vector(3, der)));
}

/** ServerECDHParams: named_curve secp256r1 and a point. */
export function ecdhParams(point: Uint8Array): Uint8Array {
  return concat(uint(1, 3), uint(2, SECP256R1), vector(1, point));
}

/** ServerKeyExchange of ECDHE_ECDSA: parameters (as signed), their point, and the signature. */
export function readEcdhe(body: Uint8Array): { params: Uint8Array; point: Uint8Array; signature: Uint8Array } {
  const reader = new WireReader(body, "ServerKeyExchange");
  const [type, curve] = [reader.uint(1), reader.uint(2)];
  if (type !== 3 || curve !== SECP256R1) throw new DtlsAlertError(Alert.IllegalParameter, `ServerKeyExchange: named curve ${SECP256R1} expected, got type ${type}, curve ${curve}`);
  const point = reader.vector(1, 1);
  const params = body.slice(0, body.length - reader.left);
  const signature = readSignature(reader);
  reader.end();
  return { params, point, signature };
}

/** A signature with its algorithm in front, which must be ecdsa_secp256r1_sha256. */
function readSignature(reader: WireReader): Uint8Array {
  const algorithm = reader.uint(2);
  if (algorithm !== ECDSA_SECP256R1_SHA256) throw new DtlsAlertError(Alert.IllegalParameter, `signature algorithm 0403 expected, got ${algorithm.toString(16).padStart(4, "0")}`);
  return reader.vector(2, 1);
}

export function writeSignature(signature: Uint8Array): Uint8Array {
  return concat(uint(2, ECDSA_SECP256R1_SHA256), vector(2, signature));
}

export function readCertificateVerify(body: Uint8Array): Uint8Array {
  const reader = new WireReader(body, "CertificateVerify");
  const signature = readSignature(reader);
  reader.end();
  return signature;
}

/** ecdsa_sign, ecdsa_secp256r1_sha256, any CA. */
export function writeCertificateRequest(): Uint8Array {
  return concat(vector(1, uint(1, 64)), list16(2, [ECDSA_SECP256R1_SHA256]), vector(2));
}

/** One vector that is the whole body: ClientKeyExchange of both kinds, ServerKeyExchange of PSK. */
export function readOnly(body: Uint8Array, lengthOctets: number, what: string): Uint8Array {
  const reader = new WireReader(body, what);
  const value = reader.vector(lengthOctets);
  reader.end();
  return value;
}

/** Throws unexpected_message unless the message is the one that is due. */
export function expectType(got: number, ...expected: readonly (typeof Handshake)[keyof typeof Handshake][]): void {
  if (expected.some((type) => type === got)) return;
  throw new DtlsAlertError(Alert.UnexpectedMessage, `${expected.map(handshakeName).join(" or ")} expected, got ${handshakeName(got)}`);
}

/** Throws decrypt_error when verify_data is not what it must be. */
export function checkFinished(got: Uint8Array, expected: Uint8Array): void {
  if (!equal(got, expected)) throw new DtlsAlertError(Alert.DecryptError, "Finished: verify_data does not match the handshake");
}
