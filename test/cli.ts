#!/usr/bin/env node
/** The command line: which command, and its exit code. Everything else is in test/cli/<command>.ts. */
import { command as agent } from "./cli/agent.js";
import { MISUSE, OK, runCommand, type Command, type Io } from "./cli/command.js";
import { command as decode } from "./cli/decode.js";
import { command as demo } from "./cli/demo.js";
import { command as eim } from "./cli/eim.js";
import { command as euicc } from "./cli/euicc.js";
import { command as figures } from "./cli/figures.js";
import { command as list } from "./cli/list.js";
import { command as modem } from "./cli/modem.js";
import { command as run } from "./cli/run.js";
import { command as sign } from "./cli/sign.js";
import { command as size } from "./cli/size.js";
import { command as smdp } from "./cli/smdp.js";

const commands: readonly Command[] = [demo, list, run, agent, eim, smdp, euicc, modem, sign, decode, size, figures];

function usage(): string {
  const rows = commands.map(({ name, summary }) => `  ${name.padEnd(8)}${summary}`);
  return ["Usage: tinyipa COMMAND [options]", "", ...rows, "", "tinyipa COMMAND --help tells more. Exit codes: 0 all is well, 1 a claim failed, 2 misuse."].join("\n");
}

/** Runs the command line; gives the exit code. */
export async function main(args: readonly string[], io: Io): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    (name === undefined ? io.err : io.out)(usage());
    return name === undefined ? MISUSE : OK;
  }
  const command = commands.find((candidate) => candidate.name === name);
  if (command === undefined) {
    io.err(`tinyipa: expected one of ${commands.map((known) => known.name).join(", ")}, got "${name}"`);
    return MISUSE;
  }
  return runCommand(command, rest, io);
}

// Who reads only the first lines (| head) closes the pipe; that is no failure of ours.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(OK);
  throw error;
});
const io: Io = { out: (line) => void process.stdout.write(`${line}\n`), err: (line) => void process.stderr.write(`${line}\n`) };
process.exitCode = await main(process.argv.slice(2), io);
