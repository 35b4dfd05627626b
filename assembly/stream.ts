/**
 * A body of any size, taken while it comes: pieces as the link gives them, staged into what one STORE DATA block or one TLV header needs.
 * Nothing depends on where a piece is split. Both buffers stand at the end of `work`.
 */
import { CAPACITY, Flag, Op } from "./abi";
import { leave, Must } from "./flow";
import { feed } from "./json";
import { op } from "./mailbox";
import { E, PAYLOAD, S, T, WORK_END } from "./memory";
import { Status } from "./status";
import { readHead } from "./tlv";

const RX: usize = WORK_END - 1024;
const STAGE_SIZE: u32 = 288;
/** Octets for the next block, or the header in work. */
export const STAGE: usize = RX - 288;
/** Longest TLV header: 3 identifier and 5 length octets. */
const HEAD_MOST: u32 = 8;

/** Takes the piece in the payload. */
export function takePiece(): void {
  memory.copy(RX, PAYLOAD, E.length);
  S.rx = RX;
  S.rxEnd = RX + E.length;
  S.streamEnd = E.flags & Flag.Last;
}

/** Gets the next piece. Leaves with 0, or BadBody when there is none. */
export function pull(at: u32): void {
  if (!at) {
    if (S.streamEnd) return leave(Status.BadBody);
    return op(1 | Must, Op.LinkReceive, Flag.None, 0, S.exchangeTimeout, CAPACITY);
  }
  takePiece();
  leave(!E.length && !S.streamEnd ? Status.BadBody : 0);
}

/** Before the body: nothing staged. */
export function beginStream(): void {
  S.staged = S.headAt = 0;
}

/** Stages octets until there are `n`; false when another piece is needed. */
export function stage(n: u32): bool {
  if (S.json) {
    while (S.staged < n && S.rx < S.rxEnd) {
      const octet = feed(load<u8>(S.rx++));
      if (octet >= 0) store<u8>(STAGE + S.staged++, octet);
    }
    return S.staged >= n;
  }
  const want = n > S.staged ? n - S.staged : 0;
  const have = <u32>(S.rxEnd - S.rx);
  const m = want > have ? have : want;
  if (S.staged + m > STAGE_SIZE) return true;
  memory.copy(STAGE + S.staged, S.rx, m);
  S.staged += m;
  S.rx += m;
  return S.staged >= n;
}

/** The first `n` staged octets are done with. */
export function unstage(n: u32): void {
  S.staged -= n;
  memory.copy(STAGE, STAGE + n, S.staged);
}

/** Reads a TLV header behind what is staged, into T (lengths only: the content is still to come). 1, or 0: another piece is needed, or BadBody. */
export function stageHead(): i32 {
  while (!readHead(STAGE + S.headAt, STAGE + S.staged)) {
    if (S.staged - S.headAt >= HEAD_MOST) return Status.BadBody;
    if (!stage(S.staged + 1)) return 0;
  }
  S.headAt = S.staged;
  return 1;
}

/** Passes over `n` octets of content that nobody needs; how many are left when the piece ends. */
export function passOver(n: u32): u32 {
  const have = <u32>(S.rxEnd - S.rx);
  const m = n > have ? have : n;
  S.rx += m;
  return n - m;
}

/** Octets that the header in T took. */
export function headSize(): u32 {
  return <u32>(T.val - T.at);
}
