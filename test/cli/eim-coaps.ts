/** `tinyipa eim --coaps`: ESipa over CoAP and DTLS beside HTTPS, with the eIM's TLS certificate, and with PSKs where they are given. */
import { randomBytes, randomInt } from "node:crypto";
import type { RunningCoaps } from "../sim/coaps/index.js";
import type { Eim } from "../sim/eim/index.js";
import { pskTable, serveEimCoaps } from "../sim/eim/coaps.js";
import type { Identity } from "../sim/pki/pki.js";
import { UsageError, type Io } from "./command.js";

export const COAPS_HELP = `  --coaps HOST:PORT     ESipa over CoAP and DTLS 1.2 too, with the certificate of HTTPS (port 0: any free one; CoAPS has 5684)
  --psk ID:HEX          a pre-shared key for --coaps, 1 to 64 octets; may be repeated`;

export const COAPS_OPTIONS = { coaps: { type: "string" }, psk: { type: "string", multiple: true } } as const;

export interface CoapsArguments {
  /** Where to listen. */
  readonly at: { readonly host: string; readonly port: number };
  readonly psk: readonly string[];
  readonly tls: Identity;
}

/** Serves `eim` over CoAPS with connection ids; tells on stderr what is refused. Throws UsageError for a PSK that is none. */
export function startCoaps(eim: Eim, { at, psk, tls }: CoapsArguments, io: Io, onExchange: () => void): Promise<RunningCoaps> {
  return serveEimCoaps(eim, {
    ...at,
    dtls: { identity: tls, ...(psk.length > 0 && { psk: keys(psk) }), connectionId: 8, random: (octets) => new Uint8Array(randomBytes(octets)) },
    coap: { seed: randomInt(2 ** 32) },
    onExchange,
    onNews: (text) => io.err(text),
  });
}

function keys(psk: readonly string[]): Record<string, Uint8Array> {
  try {
    return pskTable(psk);
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(`${error.message} for --psk`);
    throw error;
  }
}
