/** Transmission parameters (RFC 7252 4.8; coap-dtls 1.1, 4). All times in milliseconds. */

export interface Parameters {
  readonly ackTimeoutMs: number;
  readonly ackRandomFactor: number;
  readonly maxRetransmit: number;
  readonly maxLatencyMs: number;
}

export const DEFAULTS: Parameters = { ackTimeoutMs: 2000, ackRandomFactor: 1.5, maxRetransmit: 4, maxLatencyMs: 100_000 };

/** MAX_TRANSMIT_SPAN: from the first transmission to the last retransmission. */
export function maxTransmitSpan(p: Parameters): number {
  return p.ackTimeoutMs * (2 ** p.maxRetransmit - 1) * p.ackRandomFactor;
}

/** How long a Message ID is remembered: MAX_TRANSMIT_SPAN + 2 * MAX_LATENCY + PROCESSING_DELAY (= ACK_TIMEOUT). */
export function exchangeLifetime(p: Parameters): number {
  return maxTransmitSpan(p) + 2 * p.maxLatencyMs + p.ackTimeoutMs;
}

/** First timeout of a CON: uniform in ACK_TIMEOUT .. ACK_TIMEOUT * ACK_RANDOM_FACTOR. chance: 0 <= chance < 1. */
export function firstTimeout(p: Parameters, chance: number): number {
  return Math.round(p.ackTimeoutMs * (1 + (p.ackRandomFactor - 1) * chance));
}
