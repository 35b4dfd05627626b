/**
 * The card's side of a trace, as claims of scenarios want it: APDUs in hexadecimal, STORE DATA chains and their answers put together
 * (SGP.22 v2.5 5.7.2; ETSI TS 102 221 7.3).
 */
import { toHex } from "../sim/core/bytes.js";
import type { Trace } from "../sim/index.js";

export interface Block {
  readonly cla: number;
  readonly p1: number;
  readonly p2: number;
  readonly lc: number;
}

/** One ES10 command with its answer. */
export interface Es10Command {
  readonly blocks: readonly Block[];
  /** Hexadecimal of all data. */
  readonly command: string;
  /** Hexadecimal of all data that came back, with the last block or by GET RESPONSE. */
  readonly answer: string;
  /** Status words of everything from the last block on, in order. */
  readonly sws: readonly string[];
  /** Classes of the GET RESPONSE commands. */
  readonly getResponseClasses: readonly number[];
}

/** Command and response of each APDU. */
export function exchanges(trace: Trace): { readonly command: string; readonly response: string }[] {
  return trace.apdus.map(({ command, response }) => ({ command: toHex(command), response: toHex(response) }));
}

export function commands(trace: Trace): string[] {
  return exchanges(trace).map((apdu) => apdu.command);
}

/** The ES10 commands in order. A block that was repeated with an Le octet (6Cxx) counts once. */
export function es10(trace: Trace): Es10Command[] {
  const found: { blocks: Block[]; command: string; answer: string; sws: string[]; getResponseClasses: number[] }[] = [];
  let answering = false;
  let repeat = false;
  for (const { command, response } of exchanges(trace)) {
    const [cla, ins, p1, p2, lc] = [...Buffer.from(command.slice(0, 10), "hex")] as [number, number, number, number, number];
    const [data, sw] = [response.slice(0, -4), response.slice(-4)];
    if (ins === 0xe2 && p2 === 0 && !repeat) found.push({ blocks: [], command: "", answer: "", sws: [], getResponseClasses: [] });
    const last = found.at(-1);
    if (ins === 0xe2 && last !== undefined) {
      if (!repeat) {
        last.blocks.push({ cla, p1, p2, lc });
        last.command += command.slice(10, 10 + 2 * lc);
      }
      repeat = sw.startsWith("6C");
      answering = p1 === 0x91;
    } else if (ins === 0xc0 && answering) last?.getResponseClasses.push(cla);
    else answering = false; // GET RESPONSE for the FCI of SELECT is not an answer of the ISD-R
    if (!answering || last === undefined) continue;
    last.answer += data;
    last.sws.push(sw);
  }
  return found;
}

/** The ES10 commands with this tag. */
export function es10Of(trace: Trace, tag: string): Es10Command[] {
  return es10(trace).filter((one) => one.command.startsWith(tag));
}

/** CLA for a logical channel (TS 102 221 10.1.1): interindustry, and proprietary where `proprietary`. */
export function cla(channel: number, proprietary: boolean): number {
  if (channel < 4) return (proprietary ? 0x80 : 0x00) | channel;
  return (proprietary ? 0xc0 : 0x40) | (channel - 4);
}
