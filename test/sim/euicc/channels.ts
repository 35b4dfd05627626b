/**
 * Logical channels and what is selected on them: MANAGE CHANNEL (ETSI TS 102 221 11.1.17), SELECT (11.1.1) of the ISD-R and of the two
 * files that a terminal reads to know the card. Left out: every other file and application of the UICC.
 */
import { equal, fromHex, toHex } from "../core/bytes.js";
import { tlv } from "../codec/tlv.js";
import type { Apdu, Reply } from "./apdu.js";
import { enabledProfile, StatusWord, type Context } from "./context.js";
import { channelLost } from "./download/session.js";
import { isdrFci } from "./info.js";
import { EMPTY, openChannel, type Channel } from "./state.js";

export const ISDR_AID = fromHex("A0000005591010FFFFFFFF8900000100");

const MF = 0x3f00;
const EF_ICCID = 0x2fe2;

/** The channel of a command. Throws StatusWord 6881 when it is not open. */
export function channelOf(ctx: Context, number: number): Channel {
  const channel = ctx.state.volatile.channels[number] ?? null;
  if (channel === null) throw new StatusWord(0x6881, `channel ${number} is not open`);
  return channel;
}

/** INS 70. */
export function manageChannel(ctx: Context, { p1, p2, p3, raw }: Apdu): Reply {
  if (p1 === 0x80) return close(ctx, p2);
  if (p1 !== 0x00) throw new StatusWord(0x6a86, `MANAGE CHANNEL with P1 ${toHex(Uint8Array.of(p1))}`);
  if (ctx.config.apdu.refuseChannel !== null) throw new StatusWord(ctx.config.apdu.refuseChannel, "MANAGE CHANNEL open is refused as configured");
  const { channels } = ctx.state.volatile;
  if (channels.filter((one) => one !== null).length > ctx.config.apdu.channels) throw new StatusWord(0x6a81, `all ${ctx.config.apdu.channels} channels are open`);
  if (p2 !== 0) {
    if (p2 > 19 || channels[p2] != null) throw new StatusWord(0x6a86, `channel ${p2} is open already or does not exist`);
    channels[p2] = openChannel();
    return { data: EMPTY, sw: 0x9000 };
  }
  if (raw.length !== 5 || p3 !== 1) throw new StatusWord(0x6c01, "the number of the opened channel takes one octet");
  const number = firstFree(ctx);
  channels[number] = openChannel();
  return { data: Uint8Array.of(number), sw: 0x9000 };
}

function firstFree(ctx: Context): number {
  const { channels } = ctx.state.volatile;
  for (let number = ctx.config.apdu.firstChannel; number < 20; number++) if (channels[number] === null) return number;
  throw new StatusWord(0x6a81, "no channel number is free");
}

function close(ctx: Context, number: number): Reply {
  const { channels } = ctx.state.volatile;
  if (number === 0 || number > 19) throw new StatusWord(0x6a86, `channel ${number} can not be closed`);
  if (channels[number] === null) throw new StatusWord(0x6881, `channel ${number} is not open`);
  channels[number] = null;
  channelLost(ctx, number);
  return { data: EMPTY, sw: 0x9000 };
}

/** INS A4: the response data are the FCI, or none. */
export function select(ctx: Context, channel: Channel, apdu: Apdu): Reply {
  channelLost(ctx, apdu.channel);
  if (apdu.p1 === 0x04) return selectApplication(ctx, channel, apdu);
  return selectFile(ctx, channel, apdu);
}

function selectApplication(ctx: Context, channel: Channel, { p2, data, channel: number }: Apdu): Reply {
  if (p2 !== 0x00 && p2 !== 0x04 && p2 !== 0x0c) throw new StatusWord(0x6a86, `SELECT by AID with P2 ${toHex(Uint8Array.of(p2))}`);
  if (ctx.config.apdu.noIsdr || !equal(data, ISDR_AID)) throw new StatusWord(0x6a82, `no application has AID ${toHex(data)}`);
  const refused = ctx.config.apdu.refuseBasicChannel;
  if (number === 0 && refused !== null) throw new StatusWord(refused, "the ISD-R is not to be selected on the basic channel, as configured");
  channel.selected = "isd-r";
  return { data: p2 === 0x0c || ctx.config.apdu.noFci ? EMPTY : isdrFci(ctx, ISDR_AID), sw: 0x9000 };
}

function selectFile(ctx: Context, channel: Channel, { p1, p2, data }: Apdu): Reply {
  const file = data.length >= 2 ? (data[data.length - 2] as number) * 256 + (data[data.length - 1] as number) : MF;
  const known = (p1 === 0x00 || p1 === 0x08 || p1 === 0x09) && (file === MF || (file === EF_ICCID && enabledProfile(ctx.state.nonvolatile) !== undefined));
  if (!known) throw new StatusWord(0x6a82, `no file ${toHex(data)}`);
  channel.selected = "file";
  channel.file = file;
  const descriptor = file === MF ? tlv(0x82, [0x78, 0x21]) : tlv(0x82, [0x41, 0x21]);
  const size = file === MF ? EMPTY : tlv(0x80, [0x00, 0x0a]);
  return { data: p2 === 0x0c ? EMPTY : tlv(0x62, descriptor, tlv(0x83, [file >> 8, file & 0xff]), size), sw: 0x9000 };
}

/** INS B0: EF ICCID of the enabled Profile. */
export function readBinary(ctx: Context, channel: Channel, { p1, p2, p3 }: Apdu): Reply {
  const iccid = enabledProfile(ctx.state.nonvolatile)?.metadata.iccid;
  if (channel.selected !== "file" || channel.file !== EF_ICCID || iccid === undefined) throw new StatusWord(0x6986, "READ BINARY without a transparent file selected");
  const offset = p1 * 256 + p2;
  if (offset > iccid.length) throw new StatusWord(0x6b00, `offset ${offset} is behind the file's end`);
  const left = iccid.length - offset;
  if (p3 !== 0 && p3 > left) throw new StatusWord(0x6c00 | left, `READ BINARY of ${p3} octets, ${left} are there`);
  return { data: iccid.subarray(offset, p3 === 0 ? undefined : offset + p3), sw: 0x9000 };
}
