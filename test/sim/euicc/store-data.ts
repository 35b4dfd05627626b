/**
 * STORE DATA and GET RESPONSE: blocks in, answer out (SGP.22 v2.5 5.7.2; ETSI TS 102 221 7.3.1.1, 11.1.18).
 */
import { concat, equal } from "../core/bytes.js";
import type { Apdu, Reply } from "./apdu.js";
import { resultFetched } from "./cat.js";
import { StatusWord, type Context } from "./context.js";
import { execute, functionName, tagOf } from "./isd-r.js";
import { EMPTY, type Channel } from "./state.js";

const MORE_BLOCKS = 0x11;
const LAST_BLOCK = 0x91;

/** INS E2. */
export function storeData(ctx: Context, channel: Channel, apdu: Apdu): Reply {
  if (channel.selected !== "isd-r") throw new StatusWord(0x6d00, `STORE DATA while no ISD-R is selected on channel ${apdu.channel}`);
  checkReady(ctx, channel, apdu);
  const whole = collect(ctx, channel, apdu);
  if (whole === undefined) return { data: EMPTY, sw: 0x9000 };
  const told = ctx.state.volatile.proactive !== null;
  channel.response = execute(ctx, whole, apdu.channel);
  return firstAnswer(ctx, channel, apdu, !told);
}

/** INS C0: the next piece of the answer. */
export function getResponse(ctx: Context, channel: Channel, { proprietary, p1, p2, p3 }: Apdu): Reply {
  const allowed = ctx.config.apdu.getResponseClass;
  if (allowed !== "both" && (allowed === "8X") !== proprietary) throw new StatusWord(0x6e00, `GET RESPONSE is taken in class ${allowed} only, as configured`);
  if (p1 !== 0 || p2 !== 0) throw new StatusWord(0x6a86, "GET RESPONSE has P1 P2 00 00");
  if (channel.response.length === 0 || channel.repeat.length > 0) throw new StatusWord(0x6985, "GET RESPONSE without response data");
  const ready = Math.min(channel.response.length, ctx.config.apdu.responseChunk);
  if (p3 > ready) throw new StatusWord(0x6c00 | (ready & 0xff), `GET RESPONSE of ${p3} octets, ${ready} are ready`);
  return deliver(ctx, channel, p3 === 0 ? ready : p3);
}

/** Tells SELECT's response data the way that the card tells any. */
export function withResponse(ctx: Context, channel: Channel, apdu: Apdu, { data, sw }: Reply): Reply {
  if (data.length === 0) return { data, sw };
  channel.response = data;
  return firstAnswer(ctx, channel, apdu, false);
}

/** The command repeated with the Le that 6Cxx named; undefined when this is something else. */
export function repeated(ctx: Context, channel: Channel, { raw, le }: Apdu): Reply | undefined {
  const same = channel.repeat.length > 0 && le !== undefined && equal(raw.subarray(0, -1), channel.repeat);
  channel.repeat = EMPTY;
  if (!same) return undefined;
  const ready = Math.min(channel.response.length, ctx.config.apdu.responseChunk);
  if ((le === 0 ? 256 : le) > ready && le !== (ready & 0xff)) throw new StatusWord(0x6c00 | (ready & 0xff), `repeated with Le ${le}, ${ready} octets are ready`);
  return deliver(ctx, channel, le === 0 ? ready : le);
}

/** Another command on the channel: what was half done there is gone. */
export function abandon(channel: Channel): void {
  channel.chain = [];
  channel.response = EMPTY;
}

/** Refusals that concern every ES10 function. */
function checkReady(ctx: Context, channel: Channel, { data }: Apdu): void {
  const { volatile } = ctx.state;
  const { gate, terminalCapability, refuseAfterSwitch } = ctx.config.apdu;
  const name = channel.chain.length === 0 ? functionName(tagOf(data)) : "a further block";
  if (gate && terminalCapability === 0x9000 && !volatile.announced.lpa && !volatile.announced.ipad) {
    throw new StatusWord(0x6985, `${name} before TERMINAL CAPABILITY announced an IPAd (A9{84}) or an LPA (A9{83})`);
  }
  if (refuseAfterSwitch && volatile.switchPending) throw new StatusWord(0x6985, `${name} between a Profile switch and the reset`);
}

/** Adds a block; the whole command when it was the last one. */
function collect(ctx: Context, channel: Channel, { p1, p2, data, le }: Apdu): Uint8Array | undefined {
  const { blockSize, caseFour, response } = ctx.config.apdu;
  const expected = channel.chain.length;
  if (p1 !== MORE_BLOCKS && p1 !== LAST_BLOCK) throw new StatusWord(0x6a86, `STORE DATA with P1 ${hex(p1)}, expected 11 or 91`);
  if (p2 !== expected) throw new StatusWord(0x6a86, `STORE DATA block ${hex(p2)}, expected ${hex(expected)}`);
  if (data.length === 0) throw new StatusWord(0x6700, "STORE DATA without data");
  if (data.length > blockSize) throw new StatusWord(0x6700, `STORE DATA block of ${data.length} octets, at most ${blockSize} are taken`);
  if (le !== undefined && response === "61xx" && !caseFour) throw new StatusWord(0x6700, "STORE DATA is case 3: an Le octet follows the data");
  channel.chain.push(data);
  const total = channel.chain.reduce((sum, block) => sum + block.length, 0);
  if (total > ctx.config.limits.command) throw new StatusWord(0x6a84, `a command of more than ${ctx.config.limits.command} octets`);
  if (p1 === MORE_BLOCKS) return undefined;
  const whole = concat(...channel.chain);
  channel.chain = [];
  return whole;
}

/** What the last block answers: how much there is, or the data themselves. */
function firstAnswer(ctx: Context, channel: Channel, apdu: Apdu, early: boolean): Reply {
  const { response, refresh } = ctx.config.apdu;
  const proactive = ctx.state.volatile.proactive;
  const ready = Math.min(channel.response.length, ctx.config.apdu.responseChunk);
  if (ready === 0 || response === "9000") return deliver(ctx, channel, ready);
  if (early && refresh === "early" && proactive?.phase === "announced") return { data: EMPTY, sw: 0x9000 };
  if (response === "61xx") return { data: EMPTY, sw: 0x6100 | (ready & 0xff) };
  channel.repeat = apdu.le === undefined ? apdu.raw : apdu.raw.subarray(0, -1);
  return { data: EMPTY, sw: 0x6c00 | (ready & 0xff) };
}

function deliver(ctx: Context, channel: Channel, octets: number): Reply {
  const data = channel.response.subarray(0, octets);
  channel.response = channel.response.subarray(octets);
  const left = Math.min(channel.response.length, ctx.config.apdu.responseChunk);
  if (left > 0) return { data, sw: 0x6100 | (left & 0xff) };
  resultFetched(ctx);
  return { data, sw: 0x9000 };
}

/** Block 256 is 100: it has no number any more. */
function hex(number: number): string {
  return number.toString(16).toUpperCase().padStart(2, "0");
}
