/** The simulated modem's own secure sockets with the world's DTLS client: TLS, and DTLS 1.2 with PSK, or ECDSA with what the modem was given. */
import { randomInt } from "node:crypto";
import { DtlsClient, suiteOf } from "./dtls/index.js";
import { dtlsSockets, modemSecure, RealTimers, type Secure, type SecureOptions, type Timers } from "./modem/index.js";

export interface ModemDtlsOptions {
  /** Of the modem that has the sockets (default: real time). */
  readonly timers?: Timers;
  /** Of randoms; default: from the computer. */
  readonly seed?: number;
}

/** Everything that a modem with secure sockets has. */
export function secureModem(options: ModemDtlsOptions = {}): Secure {
  return modemSecure(dtlsSockets((secure, verify) => client(secure, verify, options.seed ?? randomInt(2 ** 32)), options.timers ?? new RealTimers()));
}

function client(secure: SecureOptions, verify: ((chain: readonly Uint8Array[]) => string | undefined) | undefined, seed: number): DtlsClient {
  return new DtlsClient({
    seed,
    ...(secure.psk === undefined ? {} : { psk: secure.psk }),
    ...(verify === undefined ? {} : { verify }),
    ...(secure.suites.length === 0 ? {} : { suites: secure.suites.map((suite) => suiteOf(suite)) }),
    ...(secure.serverName === undefined ? {} : { serverName: secure.serverName }),
    ...(secure.connectionId === true ? { connectionId: new Uint8Array(0) } : {}),
  });
}
