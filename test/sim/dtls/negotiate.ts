/** What a server makes of a ClientHello (RFC 5246 7.4.1, RFC 7925, RFC 7627 5.2, RFC 9146 3): suite and extensions, or the alert that refuses it. */
import { toHex } from "../core/bytes.js";
import { Alert, DTLS_1_2, ECDSA_SECP256R1_SHA256, Extension, FRAGMENT_LENGTHS, MAX_FRAGMENT, RENEGOTIATION_SCSV, SECP256R1, SUITES, type Suite } from "./constants.js";
import { hostNameIn, listIn, opaqueIn, type ClientHello } from "./messages.js";
import { DtlsAlertError, uint, vector } from "./wire.js";

export interface Policy {
  /** Suites in order of preference. */
  readonly suites: readonly Suite[];
  readonly extendedMasterSecret: "required" | "optional" | "off";
  /** Our connection id for this association; absent: the extension is not answered. */
  readonly connectionId?: Uint8Array;
}

export interface Agreement {
  readonly suite: Suite;
  readonly extendedMasterSecret: boolean;
  readonly fragmentLimit: number;
  readonly hostName: string | undefined;
  /** What the client wants in our records; undefined without connection ids. */
  readonly clientCid: Uint8Array | undefined;
  /** Of the ServerHello. */
  readonly extensions: ReadonlyMap<number, Uint8Array>;
}

/** Throws DtlsAlertError. */
export function negotiate(hello: ClientHello, policy: Policy): Agreement {
  checkVersion(hello);
  if (!hello.compressions.includes(0)) throw new DtlsAlertError(Alert.IllegalParameter, `compression method null expected among ${toHex(hello.compressions)}`);
  const suite = chooseSuite(hello, policy.suites);
  const ems = masterSecretExtension(hello, policy);
  const answered = new Map<number, Uint8Array>();
  if (ems) answered.set(Extension.ExtendedMasterSecret, new Uint8Array(0));
  if (renegotiationInfo(hello)) answered.set(Extension.RenegotiationInfo, uint(1, 0));
  const fragmentLimit = fragmentLength(hello, answered);
  const clientCid = opaqueIn(hello.extensions, Extension.ConnectionId);
  const withCid = clientCid !== undefined && policy.connectionId !== undefined;
  if (withCid) answered.set(Extension.ConnectionId, vector(1, policy.connectionId as Uint8Array));
  if (suite.keyExchange === "ECDHE_ECDSA" && hello.extensions.has(Extension.PointFormats)) answered.set(Extension.PointFormats, vector(1, uint(1, 0)));
  return { suite, extendedMasterSecret: ems, fragmentLimit, hostName: hostNameIn(hello.extensions), clientCid: withCid ? clientCid : undefined, extensions: answered };
}

/** DTLS numbers fall: FEFD is 1.2, FEFF 1.0. A client of 1.3 says so by supported_versions. */
function checkVersion({ version, extensions }: ClientHello): void {
  const supported = listIn(extensions, Extension.SupportedVersions, 1);
  const ok = supported === undefined ? version >>> 8 === 0xfe && version <= DTLS_1_2 : supported.includes(DTLS_1_2);
  if (ok) return;
  const got = supported === undefined ? [version] : supported;
  throw new DtlsAlertError(Alert.ProtocolVersion, `DTLS 1.2 (FEFD) expected, got ${got.map((one) => one.toString(16).toUpperCase()).join(", ")}`);
}

function chooseSuite({ suites, extensions }: ClientHello, ours: readonly Suite[]): Suite {
  const problems: string[] = [];
  for (const suite of ours) {
    if (!suites.includes(suite.id)) continue;
    const problem = suite.keyExchange === "ECDHE_ECDSA" ? ecdsaProblem(extensions) : undefined;
    if (problem === undefined) return suite;
    problems.push(problem);
  }
  const names = ours.map(({ name }) => name).join(", ");
  const why = problems[0] ?? `one of ${names || "(no suite: neither key nor PSK)"} expected, got ${suites.map((id) => id.toString(16).toUpperCase().padStart(4, "0")).join(" ")}`;
  throw new DtlsAlertError(Alert.HandshakeFailure, why);
}

/** Without signature_algorithms a client means SHA-1 (RFC 5246 7.4.1.4.1), which is refused; without supported_groups, any group. */
function ecdsaProblem(extensions: ClientHello["extensions"]): string | undefined {
  const algorithms = listIn(extensions, Extension.SignatureAlgorithms);
  if (algorithms === undefined || !algorithms.includes(ECDSA_SECP256R1_SHA256)) return "ecdsa_secp256r1_sha256 (0403) expected in signature_algorithms";
  const groups = listIn(extensions, Extension.SupportedGroups);
  if (groups !== undefined && !groups.includes(SECP256R1)) return "secp256r1 (23) expected in supported_groups";
  const formats = extensions.get(Extension.PointFormats);
  return formats === undefined || formats.subarray(1).includes(0) ? undefined : "uncompressed (0) expected in ec_point_formats";
}

function masterSecretExtension({ extensions }: ClientHello, { extendedMasterSecret: policy }: Policy): boolean {
  const value = extensions.get(Extension.ExtendedMasterSecret);
  if (value !== undefined && value.length > 0) throw new DtlsAlertError(Alert.DecodeError, `extended_master_secret: no content expected, got ${value.length} octets`);
  if (value === undefined && policy === "required") throw new DtlsAlertError(Alert.HandshakeFailure, "extended_master_secret expected (RFC 7925 16), got none");
  return value !== undefined && policy !== "off";
}

/** RFC 5746 3.6: an empty renegotiation_info, or the signalling suite. */
function renegotiationInfo({ suites, extensions }: ClientHello): boolean {
  const info = opaqueIn(extensions, Extension.RenegotiationInfo);
  if (info !== undefined && info.length > 0) throw new DtlsAlertError(Alert.HandshakeFailure, "an empty renegotiation_info expected in a first handshake");
  return info !== undefined || suites.includes(RENEGOTIATION_SCSV);
}

function fragmentLength({ extensions }: ClientHello, answered: Map<number, Uint8Array>): number {
  const value = extensions.get(Extension.MaxFragmentLength);
  if (value === undefined) return MAX_FRAGMENT;
  const limit = value.length === 1 ? FRAGMENT_LENGTHS[value[0] as number] : undefined;
  if (limit === undefined) throw new DtlsAlertError(Alert.IllegalParameter, `max_fragment_length 1 to 4 expected, got ${toHex(value)}`);
  answered.set(Extension.MaxFragmentLength, value);
  return limit;
}

/** The suites by number or name, or all of SUITES, for which there is a key. */
export function usableSuites(wanted: readonly Suite[] | undefined, has: { readonly psk: boolean; readonly certificate: boolean }): Suite[] {
  return (wanted ?? SUITES).filter(({ keyExchange }) => (keyExchange === "PSK" ? has.psk : has.certificate));
}
