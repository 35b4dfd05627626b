/**
 * Payload of the Start event: the agent's configuration as BER-TLV data objects (host/README.md, Configuration).
 * What is left out keeps the agent's default.
 */
import { concat, utf8 } from "../core/bytes.js";
import { integer, tlv } from "../codec/tlv.js";
import { Switch } from "./abi.js";

export interface Configuration {
  /** 1 to 32 octets from a true random source. */
  readonly entropy: Uint8Array;
  readonly switches?: readonly (keyof typeof Switch)[];
  readonly pollPeriodS?: number;
  readonly backoffBaseS?: number;
  readonly backoffCapS?: number;
  readonly watchS?: number;
  readonly refreshGraceMs?: number;
  readonly bearerWaitS?: number;
  readonly exchangeTimeoutMs?: number;
  /** Octets of a STORE DATA block, 1 to 255. */
  readonly blockSize?: number;
  /** Whole TERMINAL CAPABILITY C-APDU; empty: none is sent. */
  readonly terminalCapability?: Uint8Array;
  readonly protocols?: readonly ("HTTPS" | "CoAPS")[];
  readonly imei?: string;
  readonly tac?: string;
  /** Content of deviceCapabilities (SGP.22 4.2). */
  readonly deviceCapabilities?: Uint8Array;
  readonly maxPackages?: number;
  /** Bits of ipaFeatures (SGP.32 IpaCapabilities), 0 to 7: 0 direct download, 1 indirect, 2 eimDownloadDataHandling, 3 eimCtxParams1Generation... */
  readonly features?: readonly number[];
  /** Confirmation Code of profile downloads, 1 to 16 octets. */
  readonly confirmationCode?: string;
}

/** Encodes the configuration; throws RangeError for what the contract does not allow. */
export function configuration(c: Configuration): Uint8Array {
  if (c.entropy.length < 1 || c.entropy.length > 32) throw new RangeError(`expected 1 to 32 octets of entropy, got ${c.entropy.length}`);
  const parts: Uint8Array[] = [tlv(0x80, c.entropy)];
  const number = (tag: number, value: number | undefined): void => {
    if (value !== undefined) parts.push(tlv(tag, unsigned(value)));
  };
  const bytes = (tag: number, value: Uint8Array | undefined): void => {
    if (value !== undefined) parts.push(tlv(tag, value));
  };
  const text = (tag: number, value: string | undefined, form: RegExp): void => {
    if (value === undefined) return;
    if (!form.test(value)) throw new RangeError(`expected ${form.source} for tag ${tag.toString(16).toUpperCase()}, got "${value}"`);
    parts.push(tlv(tag, utf8(value)));
  };
  if (c.switches !== undefined) number(0x81, c.switches.reduce((all, name) => all | Switch[name], 0));
  number(0x82, c.pollPeriodS);
  number(0x83, c.backoffBaseS);
  number(0x84, c.backoffCapS);
  number(0x85, c.watchS);
  number(0x86, c.refreshGraceMs);
  number(0x87, c.bearerWaitS);
  number(0x88, c.exchangeTimeoutMs);
  number(0x89, c.blockSize);
  bytes(0x8a, c.terminalCapability);
  if (c.protocols !== undefined) number(0x8b, (c.protocols.includes("HTTPS") ? 1 : 0) | (c.protocols.includes("CoAPS") ? 2 : 0));
  text(0x8c, c.imei, /^\d{14,16}$/);
  text(0x8d, c.tac, /^\d{8}$/);
  bytes(0xae, c.deviceCapabilities);
  number(0x91, c.maxPackages);
  if (c.features !== undefined) bytes(0x92, Uint8Array.of(c.features.reduce((octet, bit) => octet | (0x80 >> bit), 0)));
  if (c.confirmationCode !== undefined) bytes(0x93, utf8(c.confirmationCode));
  return concat(...parts);
}

/** Big-endian, 1 to 4 octets, without a sign. */
function unsigned(value: number): Uint8Array {
  if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff) throw new RangeError(`expected a whole number from 0 to 2^32 - 1, got ${value}`);
  const content = integer(value);
  return content.length > 1 && content[0] === 0 ? content.subarray(1) : content;
}
