/** Vectors of TLS (RFC 5246 4.3): numbers big-endian, lengths in front. A reader that runs out says so as decode_error. */
import { concat } from "../core/bytes.js";
import { SimError } from "../core/errors.js";
import { Alert, alertName } from "./constants.js";

/** The handshake can't go on: the alert to send, and why in words. */
export class DtlsAlertError extends SimError {
  readonly alert: number;
  constructor(alert: number, message: string) {
    super(alertName(alert), message);
    this.alert = alert;
  }
}

export class WireReader {
  readonly #bytes: Uint8Array;
  readonly #what: string;
  #at = 0;

  /** what: name of the structure, for the error. */
  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#what = what;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  take(length: number): Uint8Array {
    if (length > this.left) throw new DtlsAlertError(Alert.DecodeError, `${this.#what}: ${length} octets expected, got ${this.left}`);
    this.#at += length;
    return this.#bytes.slice(this.#at - length, this.#at);
  }

  /** A number of 1 to 3 octets. */
  uint(octets: number): number {
    return this.take(octets).reduce((sum, octet) => sum * 256 + octet, 0);
  }

  /** A vector with its length in 1 to 3 octets, of `min` octets or more. */
  vector(octets: number, min = 0): Uint8Array {
    const value = this.take(this.uint(octets));
    if (value.length < min) throw new DtlsAlertError(Alert.DecodeError, `${this.#what}: a vector of ${min} or more octets expected, got ${value.length}`);
    return value;
  }

  /** Throws decode_error where something is left. */
  end(): void {
    if (this.left > 0) throw new DtlsAlertError(Alert.DecodeError, `${this.#what}: nothing more expected, got ${this.left} octets`);
  }
}

/** A number in `octets` octets. */
export function uint(octets: number, value: number): Uint8Array {
  const out = new Uint8Array(octets);
  for (let i = octets - 1, rest = value; i >= 0; i--, rest = Math.floor(rest / 256)) out[i] = rest % 256;
  return out;
}

/** A vector with its length in `octets` octets in front. */
export function vector(octets: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const value = concat(...parts);
  return concat(uint(octets, value.length), value);
}

/** A vector of 16-bit numbers. */
export function list16(lengthOctets: number, values: readonly number[]): Uint8Array {
  return vector(lengthOctets, ...values.map((value) => uint(2, value)));
}
