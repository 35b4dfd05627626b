/**
 * Codings of identifiers: EID, ICCID, PLMN, OBJECT IDENTIFIER, and EimConfigurationData by fields (SGP.32 v1.2 2.11.1.1.2).
 */
import { concat, fromHex, fromUtf8, toHex, utf8 } from "../core/bytes.js";
import { bits, integer, readOne, tlv, TlvError } from "../codec/tlv.js";
import type { EimOptions } from "./options.js";
import { Ppr } from "./state.js";

/** 16 octets of 32 digits, in normal order. */
export function eidBytes(digits: string): Uint8Array {
  if (!/^[0-9]{32}$/.test(digits)) throw new RangeError(`expected an EID of 32 digits, got "${digits}"`);
  return fromHex(digits);
}

/** 10 octets of 19 or 20 digits, swapped in pairs and padded with F (TS 102 221 13.2). */
export function iccidBytes(digits: string): Uint8Array {
  if (!/^[0-9]{19,20}$/.test(digits)) throw new RangeError(`expected an ICCID of 19 or 20 digits, got "${digits}"`);
  return fromHex(swap(digits.padEnd(20, "F")));
}

/** Digits of an ICCID's 10 octets. */
export function iccidDigits(iccid: Uint8Array): string {
  return swap(toHex(iccid)).replace(/F+$/, "");
}

/** 3 octets of "262-01" or "310-410" (TS 24.008 10.5.1.3); E stands for any digit. */
export function plmnBytes(plmn: string): Uint8Array {
  const [, mcc, mnc] = /^([0-9E]{3})-([0-9E]{2,3})$/.exec(plmn) ?? [];
  if (mcc === undefined || mnc === undefined) throw new RangeError(`expected an MCC-MNC such as 262-01, got "${plmn}"`);
  const third = mnc[2] ?? "F";
  return fromHex(`${mcc[1]}${mcc[0]}${third}${mcc[2]}${mnc[1]}${mnc[0]}`);
}

/** ISD-P AIDs count in octets 14 and 15, from 0010 upwards (SGP.02 annex H). */
export function isdpAid(index: number): Uint8Array {
  return fromHex(`A0000005591010FFFFFFFF8900${(0x0010 + index).toString(16).padStart(4, "0")}00`);
}

/** Content octets of a dotted OBJECT IDENTIFIER. */
export function oidBytes(dotted: string): Uint8Array {
  const arcs = dotted.split(".").map(Number);
  const [first, second, ...rest] = arcs;
  if (first === undefined || second === undefined || arcs.some((arc) => !Number.isSafeInteger(arc) || arc < 0)) {
    throw new RangeError(`expected an object identifier such as 2.999.10, got "${dotted}"`);
  }
  return concat(...[first * 40 + second, ...rest].map(septets));
}

/** PprIds content of rule names. */
export function pprBits(names: readonly ("pprUpdateControl" | "ppr1" | "ppr2")[]): Uint8Array {
  const numbers = { pprUpdateControl: Ppr.UpdateControl, ppr1: Ppr.Ppr1, ppr2: Ppr.Ppr2 };
  return bits(...names.map((name) => numbers[name]));
}

/** Text of UTF8String content; throws TlvError where it is none. */
export function readUtf8(content: Uint8Array, what: string): string {
  try {
    return fromUtf8(content);
  } catch {
    throw new TlvError("tlv", `${what} is not UTF-8: ${toHex(content)}`);
  }
}

/** EimConfigurationData, tag 30, from fields; certificates and keys lose their outer 30, as the ASN.1 has it. */
export function eimConfigurationData(fields: EimOptions): Uint8Array {
  const parts: Uint8Array[] = [tlv(0x80, utf8(fields.eimId))];
  if (fields.fqdn !== undefined) parts.push(tlv(0x81, utf8(fields.fqdn)));
  if (fields.idType !== undefined) parts.push(tlv(0x82, integer({ oid: 1, fqdn: 2, proprietary: 3 }[fields.idType])));
  parts.push(tlv(0x83, integer(fields.counterValue ?? 0)));
  if (fields.associationToken !== undefined) parts.push(tlv(0x84, integer(fields.associationToken)));
  const keys = [
    [0xa5, 0xa0, fields.publicKey],
    [0xa5, 0xa1, fields.certificate],
    [0xa6, 0xa0, fields.tlsPublicKey],
    [0xa6, 0xa1, fields.tlsCertificate],
  ] as const;
  for (const [outer, inner, der] of keys) {
    if (der !== undefined) parts.push(tlv(outer, tlv(inner, readOne(der, 0x30).value)));
  }
  if (fields.protocols !== undefined) parts.push(tlv(0x87, bits(...fields.protocols)));
  if (fields.euiccCiPkId !== undefined) parts.push(tlv(0x88, fields.euiccCiPkId));
  if (fields.indirectProfileDownload === true) parts.push(tlv(0x89));
  return tlv(0x30, ...parts);
}

function swap(digits: string): string {
  return digits.replace(/(.)(.)/g, "$2$1");
}

function septets(arc: number): Uint8Array {
  const out = [arc % 128];
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) out.unshift((rest % 128) | 0x80);
  return Uint8Array.from(out);
}
