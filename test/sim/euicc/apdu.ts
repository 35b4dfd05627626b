/**
 * Command APDUs taken apart: cases 1 to 4 with short length, class bytes with channels 0 to 19 (ETSI TS 102 221 10.1; ISO 7816-4 5.4.1).
 * Left out: secure messaging, command chaining by class, extended length; all three are refused.
 */
import { toHex } from "../core/bytes.js";
import { StatusWord } from "./context.js";

export interface Apdu {
  /** As received. */
  raw: Uint8Array;
  channel: number;
  /** Class 8X or CX. */
  proprietary: boolean;
  ins: number;
  p1: number;
  p2: number;
  /** The fifth octet, 0 when there is none. */
  p3: number;
  /** Command data; empty in cases 1 and 2. */
  data: Uint8Array;
  /** Le of case 4; undefined in the others. */
  le: number | undefined;
}

export interface Reply {
  data: Uint8Array;
  sw: number;
}

/** Throws StatusWord 6700, 6E00, 6882, 6884 saying what is wrong. */
export function parseApdu(raw: Uint8Array): Apdu {
  if (raw.length < 4) throw new StatusWord(0x6700, `expected at least 4 octets, got ${toHex(raw)}`);
  const [cla, ins, p1, p2, p3 = 0] = raw as unknown as [number, number, number, number, number?];
  const base = { raw, ...parseClass(cla), ins, p1, p2, p3 };
  if (raw.length <= 5) return { ...base, data: raw.subarray(5), le: undefined };
  const extra = raw.length - 5 - p3;
  if (p3 === 0 || extra < 0 || extra > 1) throw new StatusWord(0x6700, `Lc ${p3} does not fit ${raw.length - 5} octets behind it`);
  return { ...base, data: raw.subarray(5, 5 + p3), le: extra === 1 ? raw[raw.length - 1] : undefined };
}

function parseClass(cla: number): { channel: number; proprietary: boolean } {
  const proprietary = (cla & 0x80) !== 0;
  const rest = cla & 0x7f;
  if (rest <= 0x03) return { channel: rest, proprietary };
  if (rest >= 0x40 && rest <= 0x4f) return { channel: (rest & 0x0f) + 4, proprietary };
  const name = `class ${toHex(Uint8Array.of(cla))}`;
  if (rest < 0x10 || (rest >= 0x60 && rest <= 0x6f)) throw new StatusWord(0x6882, `${name} asks for secure messaging`);
  if (rest < 0x20 && !proprietary) throw new StatusWord(0x6884, `${name} asks for command chaining`);
  throw new StatusWord(0x6e00, `${name} is not supported`);
}
