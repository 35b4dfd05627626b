/** What the commands that run a server share: addresses, state files, misuse told by the library, and running until interrupted. */
import { renameSync, writeFileSync } from "node:fs";
import { SimError } from "../sim/core/errors.js";
import { OK, UsageError, type Command, type Io } from "./command.js";

/** HOST:PORT of an option; `[v6]:port` too. Throws UsageError. */
export function hostPort(option: string, text: string): { host: string; port: number } {
  const [, host = "", port = ""] = /^(.+):(\d{1,5})$/.exec(text) ?? [];
  if (host === "" || Number(port) > 65_535) throw new UsageError(`expected HOST:PORT for --${option}, got "${text}"`);
  return { host: host.replace(/^\[|\]$/g, ""), port: Number(port) };
}

/** What the library refuses in values of the command line is misuse of the command line. */
export function misuse<T>(run: () => T): T {
  try {
    return run();
  } catch (cause) {
    if (cause instanceof SimError || cause instanceof TypeError || cause instanceof RangeError || cause instanceof SyntaxError || "code" in (cause as Error)) {
      throw new UsageError((cause as Error).message);
    }
    throw cause;
  }
}

/** Replaces a state file; written beside and moved, so that an interruption leaves the old one whole. */
export function writeState(file: string, text: string): void {
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}

/** A command's `run`: starts a server, and stops it when the program is interrupted. */
export function serveUntilInterrupted(start: (args: string[], io: Io) => Promise<{ stop(): Promise<void> }>): Command["run"] {
  return async (args, io) => {
    let running: { stop(): Promise<void> };
    try {
      running = await start(args, io);
    } catch (cause) {
      if (!(cause instanceof Error) || !("syscall" in cause)) throw cause;
      throw new UsageError(`can't listen: ${cause.message}`);
    }
    await new Promise<void>((resolve) => {
      process.once("SIGINT", () => resolve());
      process.once("SIGTERM", () => resolve());
    });
    await running.stop();
    return OK;
  };
}
