/**
 * What a command of the command line is, and what all of them share: arguments read strictly, misuse answered by one line
 * that says what was expected and what was got, results on stdout, talk on stderr.
 */
import { parseArgs, type ParseArgsConfig } from "node:util";

export interface Io {
  /** A line of the result (stdout). */
  out(line: string): void;
  /** A line of talk (stderr). */
  err(line: string): void;
}

export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** Shown by --help. */
  readonly help: string;
  /** Exit code: 0 all is well, 1 a claim failed, 2 misuse. */
  run(args: string[], io: Io): Promise<number>;
}

export const OK = 0;
export const FAILED = 1;
export const MISUSE = 2;

/** Misuse of the command line: the message says what was expected and what was got. */
export class UsageError extends Error {}

type Options = NonNullable<ParseArgsConfig["options"]>;

/** Reads options and positionals; throws UsageError for anything unknown. */
export function readArgs<const O extends Options>(args: string[], options: O, positionals: { readonly min?: number; readonly max?: number; readonly what?: string } = {}) {
  const parsed = parse(args, options);
  const { min = 0, max = 0, what = "no argument" } = positionals;
  if (parsed.positionals.length < min || parsed.positionals.length > max) {
    throw new UsageError(`expected ${what}, got ${parsed.positionals.length === 0 ? "nothing" : `"${parsed.positionals.join(" ")}"`}`);
  }
  return parsed;
}

function parse<const O extends Options>(args: string[], options: O) {
  try {
    return parseArgs({ args, options: { ...options, help: { type: "boolean", short: "h" } }, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(((error as Error).message.split("\n")[0] ?? "").replace(/\. To specify.*$/, ""));
  }
}

/** A whole number of an option; undefined when it was not given. Throws UsageError. */
export function wholeNumber(name: string, text: string | undefined, least = 0, most = Number.MAX_SAFE_INTEGER): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most) throw new UsageError(`expected a whole number from ${least} for --${name}, got "${text}"`);
  return value;
}

/** Runs a command; --help and misuse are answered here. */
export async function runCommand(command: Command, args: string[], io: Io): Promise<number> {
  const end = args.indexOf("--");
  if ((end < 0 ? args : args.slice(0, end)).some((arg) => arg === "--help" || arg === "-h")) {
    io.out(command.help.trimEnd());
    return OK;
  }
  try {
    return await command.run(args, io);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    io.err(`tinyipa ${command.name}: ${error.message} (see tinyipa ${command.name} --help)`);
    return MISUSE;
  }
}
