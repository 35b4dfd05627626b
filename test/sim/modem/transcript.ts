/**
 * Who said what on a modem's UART, and what happened around it, each with its time; printable, and the form of the test vectors:
 * `>>` host to modem, `<<` modem to host, `--` a note. Octets that are no text are written \xNN, CR and LF as \r and \n.
 */
import { concat } from "../core/bytes.js";

export type Speaker = "host" | "modem" | "note";

export interface Said {
  readonly at: number;
  readonly who: Speaker;
  /** What went over the UART; a note's text in UTF-8. */
  readonly bytes: Uint8Array;
}

const MARK: Readonly<Record<Speaker, string>> = { host: ">>", modem: "<<", note: "--" };

export class Transcript {
  readonly said: Said[] = [];
  /** Told of every new entry. */
  listener: ((said: Said) => void) | undefined;

  add(at: number, who: Speaker, bytes: Uint8Array): void {
    const said = { at, who, bytes: bytes.slice() };
    this.said.push(said);
    this.listener?.(said);
  }

  note(at: number, text: string): void {
    this.add(at, "note", new Uint8Array(Buffer.from(text, "utf8")));
  }

  /** The notes' texts. */
  get notes(): string[] {
    return this.said.filter(({ who }) => who === "note").map(({ bytes }) => Buffer.from(bytes).toString("utf8"));
  }

  /** All that one side sent, in one piece. */
  all(who: "host" | "modem"): Uint8Array {
    return concat(...this.said.filter((said) => said.who === who).map(({ bytes }) => bytes));
  }

  /** One line a turn: pieces of one speaker in a row are joined. With `times`, milliseconds in front. */
  print(options: { readonly times?: boolean } = {}): string {
    return this.#turns()
      .map(({ at, who, bytes }) => `${options.times === true ? `${at.toFixed(0).padStart(9)} ` : ""}${MARK[who]} ${who === "note" ? Buffer.from(bytes).toString("utf8") : printable(bytes)}`)
      .join("\n");
  }

  #turns(): Said[] {
    const turns: Said[] = [];
    for (const said of this.said) {
      const last = turns.at(-1);
      if (last !== undefined && last.who === said.who && said.who !== "note") turns[turns.length - 1] = { ...last, bytes: concat(last.bytes, said.bytes) };
      else turns.push(said);
    }
    return turns;
  }
}

/** Octets as text that can be read back by `octets`. */
export function printable(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) {
    if (byte === 0x0d) text += "\\r";
    else if (byte === 0x0a) text += "\\n";
    else if (byte === 0x5c) text += "\\\\";
    else text += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0").toUpperCase()}`;
  }
  return text;
}

/** The octets of a printed line; throws TypeError for an unknown escape. */
export function octets(text: string): Uint8Array {
  const out: number[] = [];
  for (let i = 0; i < text.length; i++) {
    if (text[i] !== "\\") {
      out.push(text.charCodeAt(i));
      continue;
    }
    const escape = text[++i];
    const hex = escape === "x" ? Number.parseInt(text.slice(i + 1, i + 3), 16) : NaN;
    const octet = escape === "r" ? 0x0d : escape === "n" ? 0x0a : escape === "\\" ? 0x5c : hex;
    if (Number.isNaN(octet)) throw new TypeError(`expected \\r, \\n, \\\\ or \\xNN, got \\${text.slice(i, i + 3)}`);
    if (escape === "x") i += 2;
    out.push(octet);
  }
  return Uint8Array.from(out);
}
