/** `tinyipa agent`: the IPA live on this computer, against any eIM and any card. */
import { readFileSync, writeFileSync } from "node:fs";
import { findAgent, Agent, VpcdReader, type AnyCard } from "../sim/agent/index.js";
import { tlv } from "../sim/codec/tlv.js";
import { SimError } from "../sim/core/errors.js";
import type { Entry, Trace } from "../sim/core/trace.js";
import { Euicc } from "../sim/euicc/index.js";
import { Eim } from "../sim/eim/index.js";
import { RealClock } from "../sim/core/clock.js";
import { LiveIpa } from "../sim/live.js";
import { keysOf } from "./keys.js";
import { readAnchor } from "../sim/pki/trust.js";
import { defaultProfiles, EIM_FQDN } from "../sim/world-options.js";
import { FAILED, MISUSE, OK, readArgs, UsageError, type Command, type Io } from "./command.js";

const HELP = `Usage: tinyipa agent --uicc sim|vpcd:PORT [options]

Runs the IPA (the shipped WebAssembly agent) live: ESipa over HTTPS towards an eIM, ES10b towards a card.

  --uicc sim         a simulated eUICC in this process; it knows the eIM of "tinyipa eim" with the same --pki or --seed
  --uicc vpcd:PORT   waits on 127.0.0.1:PORT for a virtual card (vsmartcard's vpicc) to connect (vpcd's own port is 35963)
  --eim URL          https://HOST[:PORT] to use instead of the address in the eUICC's eIM configuration; http:// with --lab
  --trust FILE       PEM or DER: certificate or public key that the eIM's server must have, or a CA that signed it,
                     instead of trustedPublicKeyDataTls of the eIM configuration
  --ca FILE          PEM: CA certificates for an eIM whose configuration has no trustedPublicKeyDataTls (default: the system's)
  --once             one poll, then end: 0 when it went well, 1 when not
  --journal FILE     keep what must survive in FILE (default: nothing survives)
  --trace FILE       write what happened to FILE, as JSON
  --lab              laboratory: http:// and unverified servers are allowed
  --imei DIGITS      14 to 16 digits (default: a test IMEI)
  --pki DIR          certificates of the simulated eUICC
  --seed N           of the simulated eUICC's certificates (default 0)
  -h, --help

Without --once it runs until it is interrupted.
`;

const OPTIONS = {
  uicc: { type: "string" },
  eim: { type: "string" },
  trust: { type: "string" },
  ca: { type: "string" },
  once: { type: "boolean", default: false },
  journal: { type: "string" },
  trace: { type: "string" },
  lab: { type: "boolean", default: false },
  imei: { type: "string", default: "356938035643809" },
  pki: { type: "string" },
  seed: { type: "string" },
} as const;

type Values = ReturnType<typeof readArgs<typeof OPTIONS>>["values"];

export const command: Command = {
  name: "agent",
  summary: "run the IPA live, against any eIM and card",
  help: HELP,
  async run(args, io) {
    const { values } = readArgs(args, OPTIONS);
    if (!/^\d{14,16}$/.test(values.imei)) throw new UsageError(`expected 14 to 16 digits for --imei, got "${values.imei}"`);
    const eim = values.eim === undefined ? undefined : eimUrl(values.eim, values.lab);
    const { card, close } = await cardOf(values, io);
    try {
      return await live(values, eim, card, io);
    } catch (error) {
      if (!(error instanceof SimError)) throw error;
      io.err(`tinyipa agent: ${error.message}`);
      return error.code === "journal" || error.code === "no-agent" ? MISUSE : FAILED;
    } finally {
      await close();
    }
  },
};

async function live(values: Values, eim: URL | undefined, card: AnyCard, io: Io): Promise<number> {
  const ipa = new LiveIpa({
    agent: Agent.load(findAgent()), card, configuration: { imei: values.imei },
    ...(values.journal === undefined ? {} : { journal: values.journal }),
    link: {
      lab: values.lab,
      ...(values.ca === undefined ? {} : { caStore: certificates(values.ca) }),
      instead: {
        ...(eim === undefined ? {} : { address: eim.protocol === "http:" ? `http://${eim.host}` : eim.host }),
        ...(values.trust === undefined ? {} : { trust: trustObject(values.trust) }),
      },
    },
  });
  teller(ipa.trace, io);
  const stop = (): void => ipa.stop();
  process.once("SIGINT", stop).once("SIGTERM", stop);
  try {
    await ipa.run(values.once);
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
    if (values.trace !== undefined) writeFileSync(values.trace, JSON.stringify(ipa.trace, undefined, 1) + "\n");
  }
  return verdict(ipa.trace, io);
}

/** Tells reports, exchanges and what went wrong, as it happens. */
function teller(trace: Trace, io: Io): void {
  const add = trace.add.bind(trace);
  trace.add = (entry: Entry): void => {
    add(entry);
    if (entry.kind === "report" || entry.kind === "note" || entry.kind === "exchange" || entry.kind === "link") io.err(trace.since(trace.entries.length - 1).print({ width: 64 }).trim());
  };
}

function verdict(trace: Trace, io: Io): number {
  const ended = trace.reports.filter((report) => report.name === "PollEnded");
  const totals = trace.totals();
  const good = ended.length > 0 && ended.every((report) => report.detail === 0) && !trace.reports.some((report) => report.name === "CardFailed");
  io.out(`${ended.length} poll${ended.length === 1 ? "" : "s"}, ${totals.roundTrips} round trips, ${totals.bytesUp} octets up, ${totals.bytesDown} down: ${good ? "all went well" : "not all went well"}`);
  return good ? OK : FAILED;
}

function eimUrl(text: string, lab: boolean): URL {
  const expected = `expected https://HOST[:PORT]${lab ? " or http://HOST[:PORT]" : ""} for --eim, got "${text}"`;
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new UsageError(expected);
  }
  if ((url.protocol !== "https:" && !(lab && url.protocol === "http:")) || url.pathname !== "/") throw new UsageError(expected);
  return url;
}

/** A6 from a PEM or DER file: a certificate or a SubjectPublicKeyInfo. */
function trustObject(path: string): Uint8Array {
  const [der] = derOf(path);
  if (der === undefined) throw new UsageError(`expected a certificate or public key in ${path}, got none`);
  try {
    readAnchor(tlv(0xa6, der));
  } catch (error) {
    throw new UsageError(`expected a certificate or public key in ${path}: ${(error as Error).message}`);
  }
  return tlv(0xa6, der);
}

function certificates(path: string): Uint8Array[] {
  const found = derOf(path);
  if (found.length === 0) throw new UsageError(`expected CA certificates in ${path}, got none`);
  return found;
}

function derOf(path: string): Uint8Array[] {
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(readFileSync(path));
  } catch (error) {
    throw new UsageError(`expected a readable file, got ${path} (${(error as NodeJS.ErrnoException).code ?? String(error)})`);
  }
  const text = new TextDecoder().decode(bytes);
  if (bytes[0] === 0x30 && !text.includes("-----BEGIN")) return [bytes];
  return [...text.matchAll(/-----BEGIN (?:CERTIFICATE|PUBLIC KEY)-----([^-]+)-----END/g)].map((match) => new Uint8Array(Buffer.from(match[1] as string, "base64")));
}

async function cardOf(values: Values, io: Io): Promise<{ card: AnyCard; close: () => Promise<void> }> {
  const uicc = values.uicc;
  if (uicc === "sim") return { card: simulated(values), close: () => Promise.resolve() };
  const port = /^vpcd:(\d{1,5})$/.exec(uicc ?? "")?.[1];
  if (port === undefined) throw new UsageError(`expected sim or vpcd:PORT for --uicc, got ${uicc === undefined ? "nothing" : `"${uicc}"`}`);
  const reader = await VpcdReader.listen({ port: Number(port) });
  io.err(`waiting for a virtual card on 127.0.0.1:${reader.port}`);
  await reader.inserted();
  return { card: reader, close: () => reader.close() };
}

/** A eUICC with a bootstrap and an operational profile that knows the eIM of `tinyipa eim`. */
function simulated(values: Values): Euicc {
  const pki = keysOf(values, [EIM_FQDN]);
  const eim = new Eim({ sign: pki.eimSign, tls: pki.eimTls, clock: new RealClock(), fqdn: EIM_FQDN });
  return new Euicc({ pki, profiles: defaultProfiles(), eims: [eim.configurationData()] });
}
