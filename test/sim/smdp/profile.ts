/**
 * Unprotected profile packages (TCA Interoperable Profile specification v2.3, ProfileElement): a small one of our own, filled up to any size, and the
 * ICCID in the ProfileHeader. Our own has a ProfileHeader, an MF with the files that every profile has, and PE-End; padding stands in PE-NonStandard.
 * Left out: anything that would make it work in a network.
 */
import { concat, fromHex, toHex, utf8 } from "../core/bytes.js";
import { must, readAll, readOne, readTlv, tlv, TlvError } from "../codec/tlv.js";
import { SimError } from "../core/errors.js";
import { iccidBytes, iccidDigits, oidBytes } from "../rsp/coding.js";

export interface ProfileOptions {
  /** 18 to 20 digits. */
  readonly iccid: string;
  /** Default "tinyipa test profile". */
  readonly profileType?: string;
  /** Octets of the whole package; default: as small as it gets. */
  readonly size?: number;
}

const MF_TEMPLATE = "2.23.143.1.2.1";
const ISSUER = "2.999.5";

/** A profile package: valid DER, ProfileElements one after another. Throws RangeError when `size` is too small. */
export function sampleProfile(options: ProfileOptions): Uint8Array {
  const { size } = options;
  const head = concat(header(options), masterFile(options.iccid));
  const end = tlv(0xaa, peHeader(3));
  if (size === undefined) return concat(head, end);
  const rest = size - head.length - end.length;
  const smallest = padding(0).length;
  // A length field that grows by one octet makes some sizes impossible for one element; two of them reach every size.
  for (const first of [undefined, 0, 1]) {
    const before = first === undefined ? new Uint8Array(0) : padding(first);
    const element = exactly(rest - before.length, smallest);
    if (element !== undefined) return concat(head, before, element, end);
  }
  throw new RangeError(`expected a size of at least ${head.length + end.length + smallest} octets, got ${size}`);
}

/** ICCID in the ProfileHeader, as digits. Throws SimError "profile" when the package does not begin with a ProfileHeader. */
export function profileIccid(profile: Uint8Array): string {
  return iccidDigits(swapped(headerIccid(profile).value));
}

/** The package with another ICCID in its ProfileHeader; EF_ICCID and all else stay as they are. Throws SimError "profile", TypeError. */
export function withIccid(profile: Uint8Array, iccid: string): Uint8Array {
  const { value } = headerIccid(profile);
  const copy = profile.slice();
  copy.set(swapped(iccidBytes(iccid)), value.byteOffset - profile.byteOffset);
  return copy;
}

/** Tags of the ProfileElements. Throws SimError "profile" when the octets are no sequence of DER data objects. */
export function profileElements(profile: Uint8Array): number[] {
  return decode(() => readAll(profile).map((item) => item.tag));
}

/** ProfileHeader: major-version, minor-version, profileType, iccid in the order of its digits, mandatory services, file systems. */
function header({ iccid, profileType = "tinyipa test profile" }: ProfileOptions): Uint8Array {
  const services = tlv(0xa5, tlv(0x81), tlv(0x8b));
  const templates = tlv(0xa6, tlv(0x06, oidBytes(MF_TEMPLATE)));
  return tlv(0xa0, tlv(0x80, [2]), tlv(0x81, [3]), tlv(0x82, utf8(profileType)), tlv(0x83, swapped(iccidBytes(iccid))), services, templates);
}

/** PE-MF by template: MF and EF_ICCID. */
function masterFile(iccid: string): Uint8Array {
  const mf = tlv(0xa2, tlv(0xa1, tlv(0x8b, fromHex("2F0601")), tlv(0xc6, fromHex("01 0A"))));
  const efIccid = tlv(0xa4, tlv(0x81, iccidBytes(iccid)));
  return tlv(0xb0, peHeader(1), tlv(0x81, oidBytes(MF_TEMPLATE)), mf, efIccid);
}

/** PE-NonStandard with `octets` of content. */
function padding(octets: number): Uint8Array {
  const content = Uint8Array.from({ length: octets }, (_value, index) => (index * 31 + (index >> 8)) & 0xff);
  return tlv(0xa9, peHeader(2), tlv(0x81, oidBytes(ISSUER)), tlv(0x82, content));
}

/** A padding element of exactly `size` octets, or undefined where there is none. */
function exactly(size: number, smallest: number): Uint8Array | undefined {
  for (let content = size - smallest; content >= Math.max(0, size - smallest - 10); content--) {
    const element = padding(content);
    if (element.length === size) return element;
  }
  return undefined;
}

/** PEHeader: mandated, identification. */
function peHeader(identification: number): Uint8Array {
  return tlv(0xa0, tlv(0x80), tlv(0x81, [identification]));
}

function headerIccid(profile: Uint8Array): { value: Uint8Array } {
  return decode(() => {
    const first = readTlv(profile);
    if (first.tag !== 0xa0) throw new TlvError("tlv", `a ProfileHeader (tag A0) expected, got ${toHex(profile.subarray(0, 4))}`);
    const iccid = must(readAll(readOne(first.raw).value), 0x83, "iccid");
    if (iccid.value.length !== 10) throw new TlvError("tlv", `an iccid of 10 octets expected, got ${iccid.value.length}`);
    return iccid;
  });
}

function decode<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof TlvError)) throw cause;
    throw new SimError("profile", `profile package: ${cause.message}`);
  }
}

/** The header has the digits in order, everything else has them swapped in pairs. */
function swapped(octets: Uint8Array): Uint8Array {
  return octets.map((octet) => ((octet & 0x0f) << 4) | (octet >> 4));
}
