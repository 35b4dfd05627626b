/** Data that the host sends behind a prompt: counted, or up to a terminator. */
import type { Take } from "./run.js";

const ESC = 0x1b;

export class DataEntry {
  readonly #take: Take;
  readonly #openAt: number;
  readonly #bytes: number[] = [];
  /** Octets that came before the modem listened. */
  deaf = 0;

  /** openAt: from when on octets count. */
  constructor(take: Take, openAt: number) {
    this.#take = take;
    this.#openAt = openAt;
  }

  /** The next octet at a time: the data when they are whole, null when they were given up, else undefined. */
  push(octet: number, now: number): Uint8Array | null | undefined {
    const { length, terminator, escape } = this.#take;
    if (now < this.#openAt) {
      this.deaf++;
      return undefined;
    }
    if (escape === true && length === undefined && octet === ESC) return null;
    this.#bytes.push(octet);
    if (length !== undefined) return this.#bytes.length === length ? Uint8Array.from(this.#bytes) : undefined;
    const end = this.#bytes.length - (terminator?.length ?? 0);
    const ended = terminator !== undefined && end >= 0 && terminator.every((byte, i) => this.#bytes[end + i] === byte);
    return ended ? Uint8Array.from(this.#bytes.slice(0, end)) : undefined;
  }

  get count(): number {
    return this.#bytes.length;
  }
}
