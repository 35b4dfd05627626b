/**
 * The APDU layer: one command in, one response out; every refusal is logged by name (ETSI TS 102 221 7.3, 10, 11).
 */
import { concat, toHex } from "../core/bytes.js";
import { TlvError } from "../codec/tlv.js";
import { parseApdu, type Apdu, type Reply } from "./apdu.js";
import { toolkit, withProactive } from "./cat.js";
import { channelOf, manageChannel, readBinary, select } from "./channels.js";
import { note, StatusWord, swText, takeFault, type Context } from "./context.js";
import { interrupted } from "./download/load.js";
import { afterReset, EMPTY } from "./state.js";
import { abandon, getResponse, repeated, storeData, withResponse } from "./store-data.js";

const INS: Readonly<Record<number, string>> = {
  0x10: "TERMINAL PROFILE",
  0x12: "FETCH",
  0x14: "TERMINAL RESPONSE",
  0x70: "MANAGE CHANNEL",
  0xa4: "SELECT",
  0xaa: "TERMINAL CAPABILITY",
  0xb0: "READ BINARY",
  0xc0: "GET RESPONSE",
  0xc2: "ENVELOPE",
  0xe2: "STORE DATA",
  0xf2: "STATUS",
};

/** T=0 first, T=15 global: clock stop, eUICC functions; historical octets tell logical channels that the card assigns. */
const ATR = withCheck(Uint8Array.of(0x3b, 0x97, 0x96, 0x80, 0x3f, 0xc7, 0x82, 0x80, 0x31, 0xe0, 0x73, 0xfe, 0x21, 0x1f));

/** Resets the card. */
export function reset(ctx: Context): Uint8Array {
  interrupted(ctx);
  ctx.state.volatile = afterReset();
  ctx.state.observed.terminalCapabilities.push(0);
  return ATR;
}

/** One APDU; no octets when the card is silent. */
export function transmit(ctx: Context, received: Uint8Array): Uint8Array {
  // The caller may use its buffer again, and octets that came in are kept as they are.
  const raw = received.slice();
  if (takeFault(ctx, "silent", 0) !== undefined) {
    note(ctx, name(raw), "silence", "fault silent");
    return EMPTY;
  }
  try {
    const { data, sw } = route(ctx, parseApdu(raw));
    return withStatus(data, withProactive(ctx, sw));
  } catch (error) {
    return withStatus(EMPTY, refusal(ctx, raw, error));
  }
}

function route(ctx: Context, apdu: Apdu): Reply {
  const { ins, proprietary } = apdu;
  if (!(ins in INS)) throw new StatusWord(0x6d00, `INS ${toHex(Uint8Array.of(ins))} is not supported`);
  const channel = channelOf(ctx, apdu.channel);
  if (ins !== 0xe2) channel.chain = [];
  if (ins === 0xc0) return getResponse(ctx, channel, apdu);
  const again = repeated(ctx, channel, apdu);
  if (again !== undefined) return again;
  channel.response = EMPTY;
  if (ins === 0xe2 && proprietary) return chained(() => storeData(ctx, channel, apdu), () => abandon(channel));
  if (proprietary) return (apdu.channel === 0 ? toolkit(ctx, apdu) : undefined) ?? wrongClass(apdu);
  if (ins === 0x70) return manageChannel(ctx, apdu);
  if (ins === 0xa4) return withResponse(ctx, channel, apdu, select(ctx, channel, apdu));
  if (ins === 0xb0) return readBinary(ctx, channel, apdu);
  return wrongClass(apdu);
}

/** A block that is refused ends the whole chain. */
function chained(run: () => Reply, undo: () => void): Reply {
  try {
    return run();
  } catch (error) {
    undo();
    throw error;
  }
}

function wrongClass({ ins, raw }: Apdu): never {
  throw new StatusWord(0x6e00, `${INS[ins]} in class ${toHex(raw.subarray(0, 1))}`);
}

function refusal(ctx: Context, raw: Uint8Array, error: unknown): number {
  const known = error instanceof TlvError ? new StatusWord(0x6a80, error.message) : error;
  if (!(known instanceof StatusWord)) throw error;
  note(ctx, name(raw), swText(known.sw), known.message);
  return known.sw;
}

function name(raw: Uint8Array): string {
  return `${INS[raw[1] ?? 0] ?? "command"} ${toHex(raw.subarray(0, 5))}`;
}

function withStatus(data: Uint8Array, sw: number): Uint8Array {
  return concat(data, Uint8Array.of(sw >> 8, sw & 0xff));
}

function withCheck(atr: Uint8Array): Uint8Array {
  return concat(atr, Uint8Array.of(atr.subarray(1).reduce((sum, octet) => sum ^ octet, 0)));
}
