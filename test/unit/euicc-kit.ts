/**
 * A reader and an eIM's pen for tests of the simulated eUICC: sends ES10 commands as an IPA does, signs packages as an eIM does.
 */
import { concat, fromHex, toHex, utf8 } from "../sim/core/bytes.js";
import type { Card } from "../sim/core/card.js";
import { integer, must, readAll, readOne, tlv, type Tlv } from "../sim/codec/tlv.js";
import { describePending, eidBytes, Euicc, iccidBytes, type EuiccOptions } from "../sim/euicc/index.js";
import { sign, spki, type KeyPair } from "../sim/pki/keys.js";
import { makePki, type Pki } from "../sim/pki/pki.js";

/** Vectors write N more copies of an octet as `[..xN]`. */
export function vector(text: string): Uint8Array {
  return fromHex(text.replace(/([0-9A-F]{2})\s*\[\.\.x([0-9]+)\]/g, (_all, octet: string, n: string) => octet.repeat(Number(n) + 1)));
}

let shared: Pki | undefined;
/** One PKI for all tests of a file: making one takes time. */
export function pki(): Pki {
  return (shared ??= makePki({ seed: "test" }));
}

export const EIM_ID = "eim.example.com";
export const A = "89000123456789012341";
export const B = "8900012345678901235";
export const C = "8900012345678901236";
const ALL = ["install", "enable", "disable", "delete"] as const;

/** A is enabled, B disabled; both tell every event to smdp.example.com. One eIM, counter 0. */
export function ordinary(more: EuiccOptions = {}): EuiccOptions {
  const notifications = [{ events: ALL, address: "smdp.example.com" }];
  return {
    pki: pki(),
    profiles: [
      { iccid: A, enabled: true, notifications },
      { iccid: B, notifications },
    ],
    eims: [{ eimId: EIM_ID, publicKey: spki("P-256", pki().eimSign.key.publicKey) }],
    ...more,
  };
}

export interface PackageFields {
  psmos?: Uint8Array[];
  ecos?: Uint8Array[];
  counter?: number | Uint8Array;
  eid?: string;
  eimId?: string;
  transactionId?: Uint8Array;
  token?: number;
  key?: KeyPair;
}

export const TRANSACTION = fromHex("0102030405060708");

/** A signed EuiccPackageRequest, BF51. */
export function euiccPackage(fields: PackageFields): Uint8Array {
  const counter = fields.counter ?? 1;
  const data = tlv(
    0x30,
    tlv(0x80, utf8(fields.eimId ?? EIM_ID)),
    tlv(0x5a, eidBytes(fields.eid ?? pki().eid)),
    tlv(0x81, counter instanceof Uint8Array ? counter : integer(counter)),
    tlv(0x82, fields.transactionId ?? TRANSACTION),
    fields.ecos === undefined ? tlv(0xa0, ...(fields.psmos ?? [])) : tlv(0xa1, ...fields.ecos),
  );
  return signedPackage(data, fields);
}

/** BF51{data, 5F37 over data and token}. */
export function signedPackage(data: Uint8Array, { key = pki().eimSign.key, token = 0 }: Pick<PackageFields, "key" | "token"> = {}): Uint8Array {
  return tlv(0xbf51, data, tlv(0x5f37, sign(key, concat(data, tlv(0x84, integer(token))))));
}

export const psmo = {
  enable: (iccid: string, rollback = false): Uint8Array => tlv(0xa3, tlv(0x5a, iccidBytes(iccid)), rollback ? tlv(0x05) : concat()),
  disable: (iccid: string): Uint8Array => tlv(0xa4, tlv(0x5a, iccidBytes(iccid))),
  delete: (iccid: string): Uint8Array => tlv(0xa5, tlv(0x5a, iccidBytes(iccid))),
  setFallback: (iccid: string): Uint8Array => tlv(0xa8, tlv(0x5a, iccidBytes(iccid))),
  unsetFallback: tlv(0xa9),
  list: tlv(0xbf2d),
};

export class ApduError extends Error {
  readonly sw: number;
  constructor(sw: number) {
    super(`SW ${sw.toString(16).toUpperCase()}`);
    this.sw = sw;
  }
}

const ISDR = fromHex("A0000005591010FFFFFFFF8900000100");
export const TERMINAL_CAPABILITY = fromHex("80AA000008A906830107840101");
export const TERMINAL_PROFILE = fromHex("8010000003000080");

/** An IPA's hand on a card. */
export class Reader {
  readonly card: Card;
  channel = 0;
  blockSize = 255;
  /** SW of the last command. */
  sw = 0;
  constructor(card: Card) {
    this.card = card;
  }

  /** Response data; `sw` is kept. */
  send(command: Uint8Array | string): Uint8Array {
    const response = this.card.transmit(typeof command === "string" ? fromHex(command) : command);
    this.sw = response.length < 2 ? 0 : (response[response.length - 2] as number) * 256 + (response[response.length - 1] as number);
    return response.subarray(0, -2);
  }

  /** Reset, TERMINAL PROFILE, TERMINAL CAPABILITY, a channel, the ISD-R. */
  start(): this {
    this.card.powerCycle();
    this.send(TERMINAL_PROFILE);
    this.send(TERMINAL_CAPABILITY);
    return this.open();
  }

  open(): this {
    this.channel = this.send("0070000001")[0] ?? 0;
    this.send(concat(this.header(0x00, "A4040010"), ISDR));
    return this;
  }

  /** Class for the channel, then the rest of the header. */
  header(cla: number, rest: string): Uint8Array {
    const coded = this.channel < 4 ? cla | this.channel : cla | 0x40 | (this.channel - 4);
    return concat(Uint8Array.of(coded), fromHex(rest));
  }

  /** STORE DATA blocks of one command, without fetching its answer. */
  store(command: Uint8Array): Uint8Array {
    let data: Uint8Array = new Uint8Array(0);
    const count = Math.ceil(command.length / this.blockSize);
    for (let block = 0; block < count; block++) {
      const part = command.subarray(block * this.blockSize, (block + 1) * this.blockSize);
      const last = block === count - 1;
      data = this.send(concat(this.header(0x80, "E2"), Uint8Array.of(last ? 0x91 : 0x11, block, part.length), part));
      if (!last && this.sw !== 0x9000) throw new ApduError(this.sw);
    }
    return data;
  }

  /** Answer of one ES10 command. Throws ApduError for any SW but 9000 and 91xx. */
  es10(command: Uint8Array | string): Uint8Array {
    let data = this.store(typeof command === "string" ? vector(command) : command);
    while (this.sw >> 8 === 0x61) data = concat(data, this.send(concat(this.header(0x00, "C00000"), Uint8Array.of(this.sw & 0xff))));
    if (this.sw !== 0x9000 && this.sw >> 8 !== 0x91) throw new ApduError(this.sw);
    return data;
  }

  /** The one value below the answer's tag: `BF58{02 xx}` gives xx. */
  code(command: Uint8Array | string): number | undefined {
    return readOne(this.es10(command)).value[2];
  }
}

/** A started reader on a new card. */
export function started(options: EuiccOptions = ordinary()): { euicc: Euicc; reader: Reader } {
  const euicc = new Euicc(options);
  return { euicc, reader: new Reader(euicc).start() };
}

/** A BF51 answer taken apart. alternative: A0 EPR, A1 signed error, A2 unsigned error (its members are then those of A2). */
export function opened(answer: Uint8Array): { alternative: number; data: Uint8Array; signature: Uint8Array; members: Tlv[] } {
  const { tag, value } = readOne(readOne(answer, 0xbf51).value);
  const items = readAll(value);
  if (tag === 0xa2) return { alternative: tag, data: value, signature: new Uint8Array(0), members: items };
  const data = must(items, 0x30, "data");
  return { alternative: tag, data: data.raw, signature: must(items, 0x5f37, "signature").value, members: readAll(data.value) };
}

/** Results of an EPR in hexadecimal, one string each. */
export function results(answer: Uint8Array): string[] {
  const { alternative, members } = opened(answer);
  if (alternative !== 0xa0) throw new Error(`expected an EPR, got ${toHex(answer)}`);
  return readAll(must(members, 0x30, "euiccResult").value).map(({ raw }) => toHex(raw));
}

/** Has a package executed and gives its results. */
export function run(reader: Reader, fields: PackageFields): string[] {
  return results(reader.es10(euiccPackage(fields)));
}

/** What waits on the card: `2 disable <iccid>`. */
export function pendingOf(euicc: Euicc): string[] {
  return euicc.pending.map(describePending);
}

export function iccidHex(digits: string): string {
  return toHex(iccidBytes(digits));
}
