/** Command lines out of octets: AT prefix, A/, backspace, line feeds, a bound (V.250 5.2). Gives what stands behind AT. */
const CR = 0x0d;
const LF = 0x0a;
const BACKSPACE = 0x08;

export class LineReader {
  readonly #most: number;
  readonly #quotedLines: boolean;
  #text = "";
  #last = "";
  /** S3 and S5: what ends a line, what takes a character back. */
  end = CR;

  /** most: longest line; a longer one comes back cut, as a line that no parser takes. quotedLines: CR within quotes belongs to the line. */
  constructor(most: number, quotedLines: boolean) {
    this.#most = most;
    this.#quotedLines = quotedLines;
  }

  clear(): void {
    this.#text = "";
    this.#last = "";
    this.end = CR;
  }

  /** The line that this octet ends, without AT; undefined while there is none, or for a line that isn't for the modem. */
  push(octet: number): string | undefined {
    if (octet === BACKSPACE) this.#text = this.#text.slice(0, -1);
    else if (octet === this.end && !this.#inQuotes()) return this.#ended();
    else if (octet !== LF || this.#inQuotes()) this.#text += String.fromCharCode(octet);
    if (this.#text.length === 2 && this.#text.toUpperCase() === "A/") {
      this.#text = "";
      return this.#last;
    }
    return undefined;
  }

  #ended(): string | undefined {
    // Noise before the line (wake-up, autobaud) is no part of it; a line without AT is nobody's.
    const text = this.#text.replace(/^[^\x21-\x7e]+/, "");
    this.#text = "";
    if (!/^at/i.test(text)) return undefined;
    this.#last = text.length - 2 > this.#most ? TOO_LONG : text.slice(2).trim();
    return this.#last;
  }

  #inQuotes(): boolean {
    return this.#quotedLines && this.#text.length <= this.#most + 2 && this.#text.split('"').length % 2 === 0;
  }
}

/** Stands for a line that did not fit the modem's buffer. */
export const TOO_LONG = "\0";
