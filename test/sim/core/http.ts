/**
 * One ESipa exchange over HTTP as plain data (SGP.32 v1.2 6.3): what the link hands to an eIM, and what the eIM hands back.
 * The optional members of an answer are orders to the link: a simulated eIM has no sockets and no timers of its own.
 */
export interface EsipaRequest {
  /** "POST" when the peer keeps to the standard. */
  readonly method: string;
  /** Path with query, without the host: "/gsma/rsp2/asn1". */
  readonly path: string;
  /** Header fields, names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export interface EsipaResponse {
  readonly status: number;
  /** Header fields, names in lower case; the link adds Content-Length or chunks by itself. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** Milliseconds that pass before the answer leaves. */
  readonly delayMs?: number;
  /** The connection is closed instead of answering. */
  readonly drop?: boolean;
  /** Nothing is ever answered; the connection stays open. */
  readonly silent?: boolean;
  /** Only so many octets of the body are sent, although all are announced; then the connection is closed. */
  readonly truncateTo?: number;
}
