/**
 * A body, or an ES10 command, as a row of segments: octets in memory, or an answer of the eUICC that is too large for memory and is
 * read again while it is sent (exchange.ts).
 *
 * A segment: u32 query (0: memory), u32 address in memory or octets of the answer to skip, u32 octets.
 */
import { S, SEGMENTS } from "./memory";

export function segmentAt(i: u32): usize {
  return SEGMENTS + i * 12;
}

/** Sets segment `i`. */
export function setSegment(i: u32, query: u32, at: u32, len: u32): void {
  const p = segmentAt(i);
  store<u32>(p, query);
  store<u32>(p, at, 4);
  store<u32>(p, len, 8);
}

/** Makes room for `count` segments, all empty. */
export function clearSegments(count: u32): void {
  memory.fill(SEGMENTS, 0, count * 12);
  S.segments = count;
}

/** Octets of the segments from `first` on. */
export function segmentsSize(first: u32): u32 {
  let sum: u32 = 0;
  for (let i = first; i < S.segments; i++) sum += load<u32>(segmentAt(i), 8);
  return sum;
}

/** Copies `n` octets from octet `from` of the segments, all in memory, to `to`. */
export function gather(to: usize, from: u32, n: u32): void {
  for (let i: u32 = 0; n; i++) {
    const p = segmentAt(i);
    const len = load<u32>(p, 8);
    if (from >= len) {
      from -= len;
      continue;
    }
    const m = len - from > n ? n : len - from;
    memory.copy(to, load<u32>(p, 4) + from, m);
    to += m;
    n -= m;
    from = 0;
  }
}
