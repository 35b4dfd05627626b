/**
 * Terminal and toolkit commands on the basic channel: TERMINAL CAPABILITY, TERMINAL PROFILE, STATUS, FETCH, TERMINAL RESPONSE
 * (ETSI TS 102 221 11.1.2, 11.1.19 and 11.2; TS 102 223). The card's own proactive command is REFRESH; a test may have it send any other.
 */
import { equal, toHex } from "../core/bytes.js";
import { find, readAll, readOne, TlvError, type Tlv } from "../codec/tlv.js";
import type { Apdu, Reply } from "./apdu.js";
import { note, StatusWord, swText, type Context } from "./context.js";
import { EMPTY, openChannel } from "./state.js";

/** Type of command (TS 102 223 9.4). */
const REFRESH = 0x01;

const DONE: Reply = { data: EMPTY, sw: 0x9000 };

/** By INS, class 80 on channel 0; undefined for any other. */
export function toolkit(ctx: Context, apdu: Apdu): Reply | undefined {
  switch (apdu.ins) {
    case 0xaa:
      return terminalCapability(ctx, apdu);
    case 0x10:
      ctx.state.volatile.terminalProfile = apdu.data;
      return DONE;
    case 0xf2:
      return status(ctx);
    case 0x12:
      return fetch(ctx, apdu);
    case 0x14:
      return terminalResponse(ctx, apdu);
    case 0xc2:
      // ENVELOPE: no toolkit applet is there to want it.
      return DONE;
    default:
      return undefined;
  }
}

/** TERMINAL PROFILE octet 3, bit 8: REFRESH (TS 102 223 5.2). */
export function refreshSupported(ctx: Context): boolean {
  return !ctx.config.apdu.refreshNeedsProfile || ((ctx.state.volatile.terminalProfile[2] ?? 0) & 0x80) !== 0;
}

/** The result was fetched whole: a REFRESH that waited for it is told from now on. */
export function resultFetched(ctx: Context): void {
  const proactive = ctx.state.volatile.proactive;
  if (proactive?.phase === "held-for-result") proactive.phase = "announced";
}

/** 9000 becomes 91xx while a proactive command waits to be fetched. */
export function withProactive(ctx: Context, sw: number): number {
  const proactive = ctx.state.volatile.proactive;
  return sw === 0x9000 && proactive?.phase === "announced" ? 0x9100 | proactive.command.length : sw;
}

function terminalCapability(ctx: Context, { p1, p2, data }: Apdu): Reply {
  const { terminalCapabilities } = ctx.state.observed;
  const count = (terminalCapabilities.at(-1) ?? 0) + 1;
  terminalCapabilities[terminalCapabilities.length - 1] = count;
  const sw = count > 1 ? ctx.config.apdu.terminalCapabilityAgain : ctx.config.apdu.terminalCapability;
  if (sw !== 0x9000) throw new StatusWord(sw, `TERMINAL CAPABILITY number ${count} since the reset is answered ${swText(sw)} as configured`);
  if (p1 !== 0 || p2 !== 0) throw new StatusWord(0x6a86, "TERMINAL CAPABILITY has P1 P2 00 00");
  const items = readAll(template(data));
  const octet = (tag: number): number => find(items, tag)?.value[0] ?? 0;
  // The last command overwrites what earlier ones said.
  ctx.state.volatile.announced = { lpa: octet(0x83) !== 0, ipad: (octet(0x84) & 0x01) !== 0 };
  return DONE;
}

function template(data: Uint8Array): Uint8Array {
  try {
    return readOne(data, 0xa9).value;
  } catch (error) {
    if (!(error instanceof TlvError)) throw error;
    throw new StatusWord(0x6a80, `TERMINAL CAPABILITY: ${error.message}`);
  }
}

function status(ctx: Context): Reply {
  const proactive = ctx.state.volatile.proactive;
  if (proactive?.phase === "held-for-status") proactive.phase = "announced";
  return DONE;
}

function fetch(ctx: Context, { p3 }: Apdu): Reply {
  const proactive = ctx.state.volatile.proactive;
  if (proactive === null || proactive.phase !== "announced") throw new StatusWord(0x6985, "FETCH without a proactive command pending");
  if (p3 !== proactive.command.length) throw new StatusWord(0x6c00 | proactive.command.length, `FETCH with Le ${p3}`);
  proactive.phase = "fetched";
  return { data: proactive.command, sw: 0x9000 };
}

function terminalResponse(ctx: Context, { data }: Apdu): Reply {
  const { proactive, channels } = ctx.state.volatile;
  if (proactive === null || proactive.phase !== "fetched") throw new StatusWord(0x6985, "TERMINAL RESPONSE without a proactive command fetched");
  // Comprehension-TLV: bit 8 of the tag may be either.
  const items = readAll(data).map((item) => ({ ...item, tag: item.tag | 0x80 }));
  const details = readOne(proactive.command, 0xd0).value.subarray(2, 5);
  const result = member(items, 0x83, "result");
  if (!equal(member(items, 0x81, "command details"), details)) throw new StatusWord(0x6a80, `TERMINAL RESPONSE is not to command ${toHex(details)}`);
  if (!equal(member(items, 0x82, "device identities"), Uint8Array.of(0x82, 0x81))) throw new StatusWord(0x6a80, "device identities are not 82 81");
  ctx.state.volatile.proactive = null;
  if (details[1] !== REFRESH) return DONE;
  const uiccReset = details[2] === 0x04;
  if ((result[0] ?? 0xff) >= 0x10) note(ctx, "REFRESH", toHex(result), "the terminal did not perform it");
  else if (!uiccReset) {
    channels.fill(null);
    channels[0] = openChannel();
    ctx.state.volatile.switchPending = false;
  }
  return DONE;
}

function member(items: readonly Pick<Tlv, "tag" | "value">[], tag: number, what: string): Uint8Array {
  const found = items.find((item) => item.tag === tag);
  if (found === undefined) throw new StatusWord(0x6a80, `TERMINAL RESPONSE without ${what}`);
  return found.value;
}
