/**
 * One request and its answer over the link (decisions 2, transport 2 and 3).
 * A body is a row of segments: octets in memory, or an answer of the eUICC that is too large for memory and is read again,
 * piece by piece, while it is sent. The answer's body is stored behind S.response, as much as fits.
 *
 * (LinkOpen) -> LinkSend ... LinkSend LAST -> LinkReceive ... LAST.  A link that was used before and broke is opened again once.
 */
import { Binding, CAPACITY, Flag, Op, Peer } from "./abi";
import { linkSend } from "./apdu";
import { BASE64, encode, feed } from "./json";
import { takePiece } from "./stream";
import { Tag } from "./tags";
import { writeTlv, writeTo } from "./tlv";
import { askList, Query } from "./es10";
import { call, leave, Must, next, Proc } from "./flow";
import { op, plainOp } from "./mailbox";
import { E, ENDPOINT, PAYLOAD, S, W, WORK_END } from "./memory";
import { segmentAt, segmentsSize } from "./segments";
import { Status } from "./status";

/** End of the answer's body, as far as it is stored. */
export function responseEnd(): usize {
  const end = S.response + S.received;
  return end < WORK_END ? end : WORK_END;
}

/** Sends the segments and stores the answer at S.response. Leaves with the octets of the answer's body, or a negative Status. */
export function exchange(at: u32, r: i32): void {
  switch (at) {
    case 0:
      S.segment = S.segmentAt = S.sent = S.received = 0;
      S.total = segmentsSize(0);
      if (S.linkOpen) return next(2);
      if (S.peer) {
        writeTo(PAYLOAD, PAYLOAD + CAPACITY);
        writeTlv(Tag.C0, S.addressAt, S.addressLen);
        return op(1 | Must, Op.LinkOpen, Flag.None, <u32>(W.at - PAYLOAD), S.exchangeTimeout, 0, 0, (Binding.Es9pHttps << 8) | Peer.Smdp);
      }
      memory.copy(PAYLOAD, ENDPOINT, S.endpointLen);
      return op(1 | Must, Op.LinkOpen, Flag.None, S.endpointLen, S.exchangeTimeout, 0, 0, (S.binding << 8) | Peer.Eim);
    case 1:
      S.linkOpen = 1;
      S.linkReused = 0;
    case 2:
      return send();
    case 3: // a piece from memory was sent
      if (r < 0) return fail(r);
      return next(2);
    case 4: // a segment from the eUICC was sent
      S.forward = 0;
      if (r < 0) return fail(r);
      return next(2);
    case 5:
      return op(6, Op.LinkReceive, Flag.None, 0, S.exchangeTimeout, CAPACITY);
    case 6:
      return receive();
    case 7: // open the link again
      S.linkOpen = 0;
      return next(0);
    default: // the link is closed
      S.linkOpen = 0;
      return leave(S.linkFailure);
  }
}

function send(): void {
  if (S.segment == S.segments) return next(5);
  const p = segmentAt(S.segment);
  const query = load<u32>(p);
  const from = load<u32>(p, 4);
  const rest = load<u32>(p, 8) - S.segmentAt;
  if (query && query < BASE64 && rest) {
    S.segment++;
    askList(query, 0, 0);
    S.forward = 1;
    S.skip = from;
    S.want = rest;
    return call(Proc.Card, 4);
  }
  if (!rest) {
    S.segment++;
    S.segmentAt = 0;
    return next(2);
  }
  const n = rest > CAPACITY ? CAPACITY : rest;
  if (query) encode(from + (S.segmentAt >> 2) * 3, n, n == rest ? query - BASE64 : 0);
  else memory.copy(PAYLOAD, from + S.segmentAt, n);
  S.segmentAt += n;
  linkSend(3, n);
}

function receive(): void {
  if (E.result < 0) return fail(E.result);
  const code = E.arg0;
  if (S.streamed && code - 200 < 100) {
    // the body is taken piece by piece, while it comes
    S.linkReused = 1;
    takePiece();
    return leave(1);
  }
  if (S.json) {
    for (let p = PAYLOAD; p < PAYLOAD + E.length; p++) feed(load<u8>(p));
  } else {
    const at = responseEnd();
    const room = <u32>(WORK_END - at);
    memory.copy(at, PAYLOAD, E.length > room ? room : E.length);
  }
  S.received += E.length;
  if (!(E.flags & Flag.Last)) return S.received > 0xffff || !E.length ? fail(Status.TooLarge) : next(5);
  S.linkReused = 1;
  S.retryAfter = E.arg1;
  leave(code - 200 < 100 ? <i32>S.received : code == 429 || code >= 500 ? Status.HttpServer : Status.HttpRefused);
}

/** The exchange failed with `status`. */
function fail(status: i32): void {
  S.forward = 0;
  S.linkFailure = status;
  const again = status == Status.Link && S.linkReused;
  S.linkReused = 0;
  plainOp(again ? 7 : 8, Op.LinkClose);
}

/**
 * Chooses the binding from the first octet of eimSupportedProtocol's bits: what the eIM can (80 retrieveHttps, 40 retrieveCoaps) and this host can,
 * CoAPS first, since it costs less airtime. An eIM that names neither retrieval nor injection is tried all the same (procedures 2). 0: none.
 */
export function chooseBinding(bits: u32): u32 {
  const https = bits & 0xf0 ? bits & 0x80 : 1;
  const coaps = bits & 0xf0 ? bits & 0x40 : 1;
  if (coaps && S.protocols & 2) return Binding.EsipaCoaps;
  return https && S.protocols & 1 ? Binding.EsipaHttps : 0;
}
