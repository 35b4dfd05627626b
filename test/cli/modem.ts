/** `tinyipa modem`: the simulated AT modem with a card in it, for any host that speaks AT: firmware in QEMU, a serial program, a C test. */
import { writeFileSync } from "node:fs";
import { VpcdReader, type AnyCard } from "../sim/agent/index.js";
import { SimError } from "../sim/core/errors.js";
import { AtModem, FAMILIES, familyOf, FAULT_FORMS, IDEAL_PACE, LoopbackNet, printable, readFault, REAL_PACE, servePty, serveTcp, serveUnix, type Coverage, type Door, type Fault, type FamilyName, type UiccQuirks } from "../sim/modem/index.js";
import { secureModem } from "../sim/modem-dtls.js";
import { simulatedCard } from "./card.js";
import { FAILED, OK, readArgs, UsageError, wholeNumber, type Command, type Io } from "./command.js";

const HELP = `Usage: tinyipa modem --family NAME --listen WHERE [options]

A simulated AT modem: answers AT commands, holds an eUICC, and connects its sockets to servers on this computer. It is switched on
when the first host connects. Ends on SIGINT or SIGTERM, or with --once when the host goes.

  --family NAME      ${FAMILIES.join(", ")}
  --listen WHERE     unix:PATH, tcp:PORT (0 takes a free one), or pty:LINK (needs socat)
  --card WHAT        sim (default): a simulated eUICC that knows the eIM of "tinyipa eim" with the same --pki or --seed;
                     vpcd:PORT: waits on 127.0.0.1:PORT for a virtual card (vsmartcard's vpicc); none
  --name N=ADDRESS   where a name or name:port leads: address or address:port; may be repeated
  --anywhere         sockets may leave this computer
  --coverage I=WHAT  how the Profile with ICCID I registers: none, denied, or milliseconds; may be repeated
  --outage FROM-TO   no network, in milliseconds from the start; may be repeated
  --fault FAULT      what goes wrong, counted from the start; may be repeated:
                     ${FAULT_FORMS.join("\n                     ")}
  --quirk NAME=VALUE how the family gives access to the UICC, e.g. follows=true, lengthMost=250, sessionId=1; may be repeated
  --pace NAME        quick (default), ideal (no delays) or real
  --echo-off         no echo at start
  --deaf N           octets lost at start and at each waking
  --chunk N          at most N octets in one piece to the host
  --seed N           chance, and certificates of the simulated eUICC (default 0)
  --pki DIR          certificates of the simulated eUICC
  --transcript FILE  writes who said what to FILE in the end
  --trace            tells who says what
  --once             ends when the host goes
  -h, --help
`;

const OPTIONS = {
  family: { type: "string" },
  listen: { type: "string" },
  card: { type: "string", default: "sim" },
  name: { type: "string", multiple: true },
  anywhere: { type: "boolean", default: false },
  coverage: { type: "string", multiple: true },
  outage: { type: "string", multiple: true },
  fault: { type: "string", multiple: true },
  quirk: { type: "string", multiple: true },
  pace: { type: "string", default: "quick" },
  "echo-off": { type: "boolean", default: false },
  deaf: { type: "string" },
  chunk: { type: "string" },
  seed: { type: "string" },
  pki: { type: "string" },
  transcript: { type: "string" },
  trace: { type: "boolean", default: false },
  once: { type: "boolean", default: false },
} as const;

type Values = ReturnType<typeof readArgs<typeof OPTIONS>>["values"];

export const command: Command = {
  name: "modem",
  summary: "a simulated AT modem with an eUICC in it",
  help: HELP,
  async run(args, io) {
    const { values } = readArgs(args, OPTIONS);
    const open = door(values.listen);
    const shape = options(values);
    const coverage = coverageOf(values);
    const { card, close } = await cardOf(values, io);
    const modem = new AtModem({ ...shape, ...(card === undefined ? {} : { card }) });
    for (const [iccid, what] of coverage) modem.radio.coverage(iccid, what);
    outages(values, modem);
    tell(values, modem, io);
    try {
      return await serve(values, modem, open, io);
    } finally {
      await close();
      if (values.transcript !== undefined) writeFileSync(values.transcript, modem.transcript.print({ times: true }) + "\n");
    }
  },
};

async function serve(values: Values, modem: AtModem, open: (modem: AtModem) => Promise<Door>, io: Io): Promise<number> {
  let stop = (): void => undefined;
  const ended = new Promise<void>((resolve) => (stop = resolve));
  process.once("SIGINT", stop).once("SIGTERM", stop);
  try {
    const opened = await open(modem);
    if (values.once) opened.onGone = stop;
    io.out(`${modem.family.title} listens on ${values.listen}${values.listen === "tcp:0" ? ` (port ${opened.port})` : ""}`);
    await ended;
    await opened.close();
  } catch (error) {
    if (!(error instanceof SimError)) throw error;
    io.err(error.message);
    return FAILED;
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
    modem.powerOff();
  }
  return OK;
}

function door(where: string | undefined): (modem: AtModem) => Promise<Door> {
  const [, kind, rest = ""] = /^(unix|tcp|pty):(.+)$/.exec(where ?? "") ?? [];
  if (kind === "unix") return (modem) => serveUnix(modem, rest);
  if (kind === "pty") return (modem) => servePty(modem, rest);
  if (kind === "tcp" && /^\d{1,5}$/.test(rest) && Number(rest) < 65536) return (modem) => serveTcp(modem, Number(rest));
  throw new UsageError(`expected unix:PATH, tcp:PORT or pty:LINK for --listen, got ${where === undefined ? "nothing" : `"${where}"`}`);
}

function options(values: Values) {
  const family = FAMILIES.find((name) => name === values.family);
  if (family === undefined) throw new UsageError(`expected one of ${FAMILIES.join(", ")} for --family, got ${values.family === undefined ? "nothing" : `"${values.family}"`}`);
  return {
    family: family satisfies FamilyName,
    net: new LoopbackNet({ names: Object.fromEntries((values.name ?? []).map((text) => pair("name", text))), anywhere: values.anywhere }),
    secure: secureModem(),
    seed: wholeNumber("seed", values.seed, 0, 0xffff_ffff) ?? 0,
    faults: (values.fault ?? []).map(fault),
    uicc: Object.fromEntries((values.quirk ?? []).map(quirk)) as Partial<UiccQuirks>,
    pace: pace(values.pace),
    echo: !values["echo-off"],
    deafOctets: wholeNumber("deaf", values.deaf, 0, 1000) ?? 0,
    chunk: wholeNumber("chunk", values.chunk, 1) ?? Number.MAX_SAFE_INTEGER,
  };
}

function pace(name: string) {
  const found = { quick: {}, ideal: IDEAL_PACE, real: REAL_PACE }[name];
  if (found === undefined) throw new UsageError(`expected quick, ideal or real for --pace, got "${name}"`);
  return found;
}

function fault(text: string): Fault {
  try {
    return readFault(text);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function pair(option: string, text: string): [string, string] {
  const [, left, right] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (left === undefined || right === undefined) throw new UsageError(`expected LEFT=RIGHT for --${option}, got "${text}"`);
  return [left, right];
}

function quirk(text: string): [string, unknown] {
  const [name, value] = pair("quirk", text);
  const known = Object.keys(familyOf("generic").uicc);
  if (!known.includes(name)) throw new UsageError(`expected a quirk of ${known.join(", ")}, got "${text}"`);
  if (value === "true" || value === "false") return [name, value === "true"];
  return [name, name === "lengthMost" ? Number(value) : value];
}

function coverageOf(values: Values): [string, Coverage][] {
  return (values.coverage ?? []).map((text) => {
    const [iccid, what] = pair("coverage", text);
    if (what !== "none" && what !== "denied" && !/^\d+$/.test(what)) throw new UsageError(`expected none, denied or milliseconds for --coverage, got "${what}"`);
    return [iccid, what === "none" || what === "denied" ? what : Number(what)];
  });
}

function outages(values: Values, modem: AtModem): void {
  for (const text of values.outage ?? []) {
    const [, from, until] = /^(\d+)-(\d+)$/.exec(text) ?? [];
    if (from === undefined) throw new UsageError(`expected FROM-TO in milliseconds for --outage, got "${text}"`);
    const now = modem.timers.now();
    modem.radio.outage(now + Number(from), now + Number(until));
  }
}

function tell(values: Values, modem: AtModem, io: Io): void {
  if (!values.trace) return;
  const mark = { host: ">>", modem: "<<", note: "--" };
  modem.transcript.listener = ({ who, bytes }) => io.err(`${mark[who]} ${who === "note" ? Buffer.from(bytes).toString("utf8") : printable(bytes)}`);
}

async function cardOf(values: Values, io: Io): Promise<{ card: AnyCard | undefined; close: () => Promise<void> }> {
  const nothing = (): Promise<void> => Promise.resolve();
  if (values.card === "none") return { card: undefined, close: nothing };
  if (values.card === "sim") return { card: simulatedCard(values), close: nothing };
  const port = /^vpcd:(\d{1,5})$/.exec(values.card)?.[1];
  if (port === undefined) throw new UsageError(`expected sim, vpcd:PORT or none for --card, got "${values.card}"`);
  const reader = await VpcdReader.listen({ port: Number(port) });
  io.err(`waiting for a virtual card on 127.0.0.1:${reader.port}`);
  await reader.inserted();
  return { card: reader, close: () => reader.close() };
}
