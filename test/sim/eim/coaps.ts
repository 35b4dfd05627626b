/**
 * The simulated eIM on CoAPS: ESipa over CoAP and DTLS 1.2, with its TLS certificate, PSKs or both; plain CoAP for tests only
 * (SGP.32 v1.2 6.4; sgp32-transport 3). All decisions are the eIM's.
 */
import { chain } from "../core/maybe.js";
import { serveCoap, type CoapsOptions, type RunningCoaps } from "../coaps/index.js";
import { admitEsipa, coapResponse, esipaRequest } from "./coaps-binding.js";
import type { Eim } from "./eim.js";

export interface EimCoapsOptions extends CoapsOptions {
  /** Called after each exchange that the eIM has seen. */
  readonly onExchange?: () => void;
}

/** Serves ESipa for `eim` at coaps://host:port, or at coap:// without `dtls`. Rejects when the address can't be listened on. */
export function serveEimCoaps(eim: Eim, options: EimCoapsOptions = {}): Promise<RunningCoaps> {
  const coap = { admit: admitEsipa, ...options.coap };
  return serveCoap(
    (request) =>
      chain(eim.exchange(esipaRequest(request)), (response) => {
        options.onExchange?.();
        return coapResponse(response);
      }),
    { ...options, coap },
  );
}

/**
 * `--psk ID:HEX` arguments as a table of PSKs. An identity may hold colons: the last one divides.
 * Throws RangeError for what is none, or a key that is not 1 to 64 octets.
 */
export function pskTable(values: readonly string[]): Record<string, Uint8Array> {
  const table: Record<string, Uint8Array> = {};
  for (const value of values) {
    const match = /^(.{1,128}):((?:[0-9a-fA-F]{2}){1,64})$/.exec(value);
    if (match === null) throw new RangeError(`expected ID:HEX with a key of 1 to 64 octets, got "${value}"`);
    table[match[1] as string] = new Uint8Array(Buffer.from(match[2] as string, "hex"));
  }
  return table;
}
