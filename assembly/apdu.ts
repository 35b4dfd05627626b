/**
 * ES10 over APDUs (SGP.32 v1.2 5.9, SGP.22 5.7; transport 5): logical channel, STORE DATA chaining, GET RESPONSE.
 *
 * Command: block --9000--> block ... last block --61xx--> GET RESPONSE --61xx--> ... --9000--> done
 *          6Cxx repeats the APDU with that Le, 91xx is success (its data may still have to be fetched), 6881 loses the channel.
 */
import { Flag, Op, Switch } from "./abi";
import { call, leave, Must, next, Proc } from "./flow";
import { op, payload8, plainOp, resetCard } from "./mailbox";
import { E, PAYLOAD, R, S, TERMINAL_CAPABILITY, WORK_END } from "./memory";
import { gather, segmentsSize } from "./segments";
import { Status } from "./status";
import { stage, STAGE, unstage } from "./stream";
import { readHead, size } from "./tlv";

/** Sets up a command of `len` octets at `command`; its answer is stored from `answer` on, as much as fits (with S.skip set then: what follows the first S.skip octets). */
export function ask(command: usize, len: u32, answer: usize, limit: usize = WORK_END): void {
  S.command = command;
  S.commandLen = len;
  R.answer = answer;
  S.limit = limit;
  S.source = Source.Memory;
  S.forward = S.skip = S.window = 0;
}

/** As ask, for the command in the segments. */
export function askSegments(answer: usize, limit: usize): void {
  ask(0, segmentsSize(0), answer, limit);
  S.source = Source.Segments;
}

/** As ask, for a command whose first octets are staged and whose others come with the stream (stream.ts). */
export function askStream(len: u32, answer: usize, limit: usize): void {
  ask(0, len, answer, limit);
  S.source = Source.Stream;
}

/** Where the octets of a command are. */
const enum Source {
  Memory,
  Segments,
  Stream,
}

/** Opens the ISD-R's channel when it is not open. Leaves with 0, or with what refused. (transport 5.2, 5.3) */
export function cardOpen(at: u32, r: i32): void {
  switch (at) {
    case 0:
      if (S.channelOpen) return leave(0);
      if (!S.capabilitySent && S.terminalCapabilityLen) {
        memory.copy(PAYLOAD, TERMINAL_CAPABILITY, S.terminalCapabilityLen);
        return op(1, Op.UiccTransmit, Flag.Basic, S.terminalCapabilityLen, 0);
      }
    // fall through: old cards refuse TERMINAL CAPABILITY, so its answer does not matter
    case 1:
      S.capabilitySent = 1;
      // ISD-R: A000000559 1010FFFFFFFF89 00000100
      store<u64>(PAYLOAD, 0xff_10_10_59_05_00_00_a0);
      store<u64>(PAYLOAD, 0x00_01_00_00_89_ff_ff_ff, 8);
      // switches NoFci and FixedChannel, bits 2 and 3, as flags 2 and 1
      return op(2 | Must, Op.UiccOpen, ((R.switches >> 1) & Flag.NoFci) | ((R.switches >> 3) & Flag.FixedChannel), 16, 0);
    default:
      if (E.flags & Flag.CardReset) return leave(Status.ChannelLost); // gone as it came
      S.channel = E.arg0;
      if (S.channel > 19) return leave(Status.Channel);
      S.channelOpen = 1;
      return leave(0);
  }
}

/** Runs the command that `ask` set up; a lost channel is opened again and the command repeated once, while that is harmless. */
export function card(at: u32, r: i32): void {
  switch (at) {
    case 0:
      S.tries = 0;
    case 1:
      return call(Proc.CardOpen, 2 | Must);
    case 2:
      return call(Proc.Command, 3);
    default: {
      const refused = r == Status.CardSw && R.sw == 0x6985;
      if ((r != Status.ChannelLost && !refused) || S.tries || S.forward || R.answerLen || S.source == Source.Stream) return leave(r);
      S.tries = 1;
      if (!S.channelOpen) return next(1); // a reset closed it
      S.channelOpen = 0;
      // 6985: a profile change is pending or TERMINAL CAPABILITY was lost; only a reset helps (transport 5.5)
      if (refused && !(R.switches & Switch.NoCardReset)) return resetCard(1, Flag.None);
      return plainOp(1, Op.UiccClose); // a modem would leak its session
    }
  }
}

/** CLA for the channel: `plain` for 0 to 3, `extended` for 4 to 19. */
function cla(plain: u32, extended: u32): u32 {
  return S.channel < 4 ? plain | S.channel : extended | (S.channel - 4);
}

function sendBlock(): void {
  const rest = S.commandLen - S.commandAt;
  const n = rest > S.blockSize ? S.blockSize : rest;
  if (S.source == Source.Stream && !stage(n)) return call(Proc.Pull, 1 | Must);
  if (!S.channelOpen) return leave(Status.ChannelLost); // a reset while the next piece came
  payload8(0, cla(0x80, 0xc0));
  payload8(1, 0xe2);
  payload8(2, n == rest ? 0x91 : 0x11);
  payload8(3, S.block);
  payload8(4, n);
  const to = PAYLOAD + 5;
  if (S.source == Source.Memory) memory.copy(to, S.command + S.commandAt, n);
  else if (S.source == Source.Segments) gather(to, S.commandAt, n);
  else memory.copy(to, STAGE, n);
  let len = n + 5;
  if (S.le >= 0) payload8(len++, S.le);
  S.blockLen = n;
  op(2 | Must, Op.UiccTransmit, Flag.None, len, 0);
}

function sendGetResponse(): void {
  payload8(0, S.classOther ? cla(0x80, 0xc0) : cla(0x00, 0x40));
  payload8(1, 0xc0);
  payload8(2, 0);
  payload8(3, 0);
  payload8(4, S.le);
  op(4 | Must, Op.UiccTransmit, Flag.None, 5, 0);
}

/** Reads what the card answered: SW in R.sw, data octets in S.dataLen. When the command is over by that it leaves, and returns a negative Status. */
function received(): i32 {
  const status = readAnswer();
  if (status < 0) leave(status);
  return status;
}

function readAnswer(): i32 {
  if (!S.channelOpen) return Status.ChannelLost;
  if (E.length < 2) return Status.CardMalformed;
  S.dataLen = E.length - 2;
  const p = PAYLOAD + S.dataLen;
  R.sw = (load<u8>(p) << 8) | load<u8>(p, 1);
  if (R.sw == 0x6881) return Status.ChannelLost;
  if (S.dataLen) S.fruitless = 0;
  else if (++S.fruitless > 3) return Status.CardMalformed; // neither data nor an end
  return 0;
}

/** Stores the data that came, or passes it to the link. True when the command has to wait for the link. */
function take(): bool {
  const n = S.dataLen;
  R.answerLen += n;
  const from = n > S.skip ? S.skip : n;
  S.skip -= from;
  const room = S.forward ? S.want : <u32>(S.limit - R.fill);
  const m = n - from > room ? room : n - from;
  if (!S.forward) {
    memory.copy(R.fill, PAYLOAD + from, m);
    R.fill += m;
    return false;
  }
  if (!m) return false;
  memory.copy(PAYLOAD, PAYLOAD + from, m);
  S.want -= m;
  linkSend(5 | Must, m);
  return true;
}

/** Sends `n` octets of the payload as the next piece of the request. */
export function linkSend(at: u32, n: u32): void {
  const flags = (S.sent ? 0 : Flag.First) | (S.sent + n == S.total ? Flag.Last : 0);
  S.sent += n;
  op(at, Op.LinkSend, flags, n, S.exchangeTimeout, S.total, 0, S.peer ? S.function : 0);
}

/**
 * One STORE DATA chain with its answer. Leaves with the octets of the answer (R.answerLen; stored at R.answer up to R.fill),
 * or with CardSw (R.sw), CardMalformed, ChannelLost, CommandTooLong, a host's status, or the link's when forwarding.
 */
export function command(at: u32): void {
  switch (at) {
    case 0:
      if (S.commandLen > S.blockSize << 8) return leave(Status.CommandTooLong);
      S.commandAt = S.block = R.answerLen = S.fruitless = S.speculative = 0;
      R.fill = R.answer;
      S.le = -1;
      S.classOther = R.switches & Switch.ProprietaryGetResponse;
    case 1:
      return sendBlock();
    case 2: // a block was answered
      if (received() < 0) return;
      if (R.sw >> 8 == 0x6c && S.le < 0) {
        S.le = R.sw & 0xff;
        return next(1);
      }
      S.le = -1;
      if (S.source == Source.Stream) unstage(S.blockLen);
      if (S.commandAt + S.blockLen < S.commandLen) {
        if (R.sw != 0x9000 && R.sw >> 8 != 0x91) return leave(Status.CardSw);
        S.commandAt += S.blockLen;
        S.block++;
        S.fruitless = 0;
        return next(1);
      }
      break;
    case 3: // repeat GET RESPONSE
      return sendGetResponse();
    case 4: // GET RESPONSE was answered
      if (received() < 0) return;
      if (R.sw >> 8 == 0x6c) {
        S.le = R.sw & 0xff;
        return next(3);
      }
      if ((R.sw == 0x6d00 || R.sw == 0x6e00) && !S.speculative) {
        S.classOther = S.classOther ? 0 : 1;
        return next(3);
      }
      break;
    default: // the link took a piece
      if (!S.channelOpen) return leave(Status.ChannelLost);
      return finish();
  }
  const waits = take();
  if (isTooLong()) return leave(Status.CardMalformed);
  if (!waits) finish();
}

/** More came than the answer's own length says, or than any answer has: it would never end. */
function isTooLong(): bool {
  if (S.forward || S.window) return R.answerLen > 0xfffff;
  return R.answerLen > (readHead(R.answer, R.fill) ? size() : 16);
}

/** After the data of an answer: is there more? */
function finish(): void {
  const sw1 = R.sw >> 8;
  // 91xx on the last block: the card has a proactive command, and the answer may still wait (transport 5.4)
  if (sw1 == 0x61 || (sw1 == 0x91 && !R.answerLen && S.fruitless < 3)) {
    S.le = sw1 == 0x61 ? R.sw & 0xff : 0;
    // behind a segment of a bound package there is mostly nothing to fetch, and cards refuse in many ways
    S.speculative = sw1 == 0x91 && S.source == Source.Stream ? 1 : 0;
    return next(3);
  }
  if (sw1 != 0x90 && sw1 != 0x91 && !(sw1 - 0x62 < 2 && R.answerLen)) return leave(S.speculative && !R.answerLen ? 0 : Status.CardSw);
  if ((!R.answerLen && S.source != Source.Stream) || (S.forward && S.want)) return leave(Status.CardMalformed);
  leave(R.answerLen);
}
