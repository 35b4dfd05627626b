/**
 * AT command lines (ITU-T V.250 5.2 to 5.4): AT prefix, A/, basic commands in a row, extended commands apart by semicolons, and
 * parameters, quoted or not. Left out: S-registers other than 3, 4 and 5, dialling.
 */
import { CME, AtError } from "./at-error.js";
import { fromHex } from "../core/bytes.js";

/** How a command is called: `+X`, `+X=...`, `+X?`, `+X=?`. Basic commands are `exec` with their number as parameter, or set and read for S-registers. */
export type Form = "exec" | "set" | "read" | "test";

export interface Call {
  /** In capitals: +CGLA, #XSOCKET, %XICCID, E, S3. */
  readonly name: string;
  readonly form: Form;
  readonly params: Params;
}

interface Field {
  readonly text: string;
  readonly quoted: boolean;
}

/** The parameters of one command. Every reader throws AtError "incorrect parameters", saying what it expected. */
export class Params {
  readonly fields: readonly (Field | undefined)[];
  /** As it stood behind the =. */
  readonly text: string;

  constructor(text: string) {
    this.text = text;
    this.fields = text === "" ? [] : splitOutsideQuotes(text, ",").map(field);
  }

  get count(): number {
    return this.fields.length;
  }

  has(index: number): boolean {
    return this.fields[index] !== undefined;
  }

  /** A whole number from `least` to `most`, `missing` where there is none. */
  int(index: number, least: number, most: number, missing?: number): number {
    const given = this.fields[index];
    if (given === undefined && missing !== undefined) return missing;
    const value = given === undefined || given.quoted || !/^[0-9]+$/.test(given.text) ? NaN : Number(given.text);
    if (!(value >= least && value <= most)) throw wrong(index, `a number from ${least} to ${most}`, given);
    return value;
  }

  /** A string; `quoted` demands the quotes. */
  str(index: number, missing?: string, quoted = false): string {
    const given = this.fields[index];
    if (given === undefined && missing !== undefined) return missing;
    if (given === undefined || (quoted && !given.quoted)) throw wrong(index, quoted ? "a quoted string" : "a string", given);
    return given.text;
  }

  /** Hexadecimal octets. */
  hex(index: number, quoted = false): Uint8Array {
    const text = this.str(index, undefined, quoted);
    try {
      return fromHex(text);
    } catch {
      throw wrong(index, "hexadecimal octets", this.fields[index]);
    }
  }
}

function wrong(index: number, expected: string, got: Field | undefined): AtError {
  return new AtError(`expected ${expected} as parameter ${index + 1}, got ${got === undefined ? "none" : `"${got.text.slice(0, 40)}"`}`, CME.incorrectParameters);
}

function field(text: string): Field | undefined {
  const bare = text.trim();
  if (bare === "") return undefined;
  return /^"[^]*"$/.test(bare) && bare.length >= 2 ? { text: bare.slice(1, -1), quoted: true } : { text: bare, quoted: false };
}

function splitOutsideQuotes(text: string, separator: string): string[] {
  const parts: string[] = [];
  let from = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '"') quoted = !quoted;
    if (quoted || text[i] !== separator) continue;
    parts.push(text.slice(from, i));
    from = i + 1;
  }
  return [...parts, text.slice(from)];
}

const EXTENDED = /^([+#%^*$][A-Z0-9]+)/i;
const BASIC = /^(&?[A-Z])(\d*)/i;
const REGISTER = /^(S\d+)(=\d*|\?)/i;

/** The commands of one line behind AT, in order. Throws AtError where the line is none. */
export function parseCommands(line: string): Call[] {
  const calls: Call[] = [];
  let rest = line;
  while (rest !== "") {
    const extended = EXTENDED.exec(rest);
    const [call, used] = extended === null ? basic(rest) : extendedCall(extended[1] as string, splitOutsideQuotes(rest, ";")[0] as string);
    calls.push(call);
    rest = rest.slice(used).replace(/^;/, "").trimStart();
  }
  return calls;
}

function extendedCall(name: string, text: string): [Call, number] {
  const behind = text.slice(name.length).trim();
  const call = (form: Form, params = ""): [Call, number] => [{ name: name.toUpperCase(), form, params: new Params(params) }, text.length];
  if (behind === "") return call("exec");
  if (behind === "?") return call("read");
  if (behind === "=?") return call("test");
  if (behind.startsWith("=")) return call("set", behind.slice(1));
  throw new AtError(`expected = or ? behind ${name}, got "${behind}"`);
}

function basic(text: string): [Call, number] {
  const register = REGISTER.exec(text);
  if (register !== null) {
    const [whole, name, action] = register as unknown as [string, string, string];
    const call: Call = { name: name.toUpperCase(), form: action === "?" ? "read" : "set", params: new Params(action.slice(1)) };
    return [call, whole.length];
  }
  const found = BASIC.exec(text);
  if (found === null) throw new AtError(`expected a command, got "${text.slice(0, 20)}"`);
  return [{ name: (found[1] as string).toUpperCase(), form: "exec", params: new Params(found[2] as string) }, found[0].length];
}
