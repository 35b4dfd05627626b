/** Numbers of DTLS 1.2 (RFC 5246, RFC 6347, RFC 7925, RFC 9146; coap-dtls 5). */

export const DTLS_1_0 = 0xfeff;
export const DTLS_1_2 = 0xfefd;

export const Content = { ChangeCipherSpec: 20, Alert: 21, Handshake: 22, Data: 23, Tls12Cid: 25 } as const;

export const Handshake = {
  HelloRequest: 0, ClientHello: 1, ServerHello: 2, HelloVerifyRequest: 3, NewSessionTicket: 4, Certificate: 11, ServerKeyExchange: 12,
  CertificateRequest: 13, ServerHelloDone: 14, CertificateVerify: 15, ClientKeyExchange: 16, Finished: 20,
} as const;

export const Extension = {
  ServerName: 0, MaxFragmentLength: 1, SupportedGroups: 10, PointFormats: 11, SignatureAlgorithms: 13, ExtendedMasterSecret: 23,
  SupportedVersions: 43, ConnectionId: 54, RenegotiationInfo: 0xff01,
} as const;

export const Alert = {
  CloseNotify: 0, UnexpectedMessage: 10, BadRecordMac: 20, RecordOverflow: 22, HandshakeFailure: 40, BadCertificate: 42, CertificateExpired: 45,
  CertificateUnknown: 46, IllegalParameter: 47, UnknownCa: 48, DecodeError: 50, DecryptError: 51, ProtocolVersion: 70, InsufficientSecurity: 71,
  InternalError: 80, NoRenegotiation: 100, UnsupportedExtension: 110, UnknownPskIdentity: 115,
} as const;

export const SECP256R1 = 23;
export const ECDSA_SECP256R1_SHA256 = 0x0403;
export const RENEGOTIATION_SCSV = 0x00ff;
export const VERIFY_DATA_LENGTH = 12;

/** Octets of a fragment by the code of max_fragment_length (RFC 6066 4). */
export const FRAGMENT_LENGTHS: Readonly<Record<number, number>> = { 1: 512, 2: 1024, 3: 2048, 4: 4096 };
export const MAX_FRAGMENT = 16_384;

export interface Suite {
  readonly id: number;
  readonly name: string;
  readonly keyExchange: "PSK" | "ECDHE_ECDSA";
  readonly cipher: "aes-128-ccm" | "aes-128-gcm";
  readonly tagLength: 8 | 16;
}

/** In the server's order of preference. */
export const SUITES: readonly Suite[] = [
  { id: 0xc0ae, name: "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8", keyExchange: "ECDHE_ECDSA", cipher: "aes-128-ccm", tagLength: 8 },
  { id: 0xc02b, name: "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", keyExchange: "ECDHE_ECDSA", cipher: "aes-128-gcm", tagLength: 16 },
  { id: 0xc0ac, name: "TLS_ECDHE_ECDSA_WITH_AES_128_CCM", keyExchange: "ECDHE_ECDSA", cipher: "aes-128-ccm", tagLength: 16 },
  { id: 0xc0a8, name: "TLS_PSK_WITH_AES_128_CCM_8", keyExchange: "PSK", cipher: "aes-128-ccm", tagLength: 8 },
  { id: 0x00a8, name: "TLS_PSK_WITH_AES_128_GCM_SHA256", keyExchange: "PSK", cipher: "aes-128-gcm", tagLength: 16 },
  { id: 0xc0a4, name: "TLS_PSK_WITH_AES_128_CCM", keyExchange: "PSK", cipher: "aes-128-ccm", tagLength: 16 },
];

/** Throws RangeError for a name or number that is not in SUITES. */
export function suiteOf(key: number | string): Suite {
  const found = SUITES.find(({ id, name }) => id === key || name === key);
  if (found === undefined) throw new RangeError(`expected one of ${SUITES.map(({ name }) => name).join(", ")}, got ${key}`);
  return found;
}

/** "UnexpectedMessage" for 10. */
export function alertName(description: number): string {
  return Object.entries(Alert).find(([, number]) => number === description)?.[0] ?? `alert ${description}`;
}

export function handshakeName(type: number): string {
  return Object.entries(Handshake).find(([, number]) => number === type)?.[0] ?? `handshake message ${type}`;
}
