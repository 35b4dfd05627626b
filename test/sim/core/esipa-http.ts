/**
 * What an IPA's HTTP client sends on ESipa and reads from an answer's head (sgp32-transport 2.1; SGP.32 v1.2 6.3): one text for the
 * virtual link and for real sockets.
 */
export const ESIPA_PATH = "/gsma/rsp2/asn1";
export const ESIPA_CONTENT_TYPE = "application/x-gsma-rsp-asn1";

export interface HttpIdentity {
  /** X-Admin-Protocol (default gsma/rsp/v2.1.0, which strict servers derived from SM-DP+ accept). */
  readonly adminProtocol?: string;
  /** User-Agent (default gsma-rsp-ipad). */
  readonly userAgent?: string;
}

/** Header fields of a request, names in lower case. */
export function requestHeaders(address: string, length: number, identity: HttpIdentity = {}): Record<string, string> {
  return {
    host: address,
    "user-agent": identity.userAgent ?? "gsma-rsp-ipad",
    "x-admin-protocol": identity.adminProtocol ?? "gsma/rsp/v2.1.0",
    "content-type": ESIPA_CONTENT_TYPE,
    "content-length": String(length),
  };
}

/** Retry-After in seconds, 0 when there is none or when it is a date. */
export function retryAfter(value: string | undefined): number {
  return value !== undefined && /^\s*\d{1,9}\s*$/.test(value) ? Number(value) : 0;
}

/** Host and port of FQDN[:port]; `[v6]:port` too. Throws RangeError for anything else. */
export function splitAddress(address: string, defaultPort: number): { host: string; port: number } {
  const match = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?$/.exec(address);
  const port = match?.[2] === undefined ? defaultPort : Number(match[2]);
  if (match === null || port < 1 || port > 65_535) throw new RangeError(`expected FQDN[:port], got "${address}"`);
  return { host: (match[1] as string).replace(/^\[|\]$/g, ""), port };
}
