/** `tinyipa agent`: the IPA live on this computer, against any eIM and any card. */
import { writeFileSync } from "node:fs";
import type { Configuration, HttpsLinkOptions } from "../sim/agent/index.js";
import { tlv } from "../sim/codec/tlv.js";
import { SimError } from "../sim/core/errors.js";
import type { Entry, Trace } from "../sim/core/trace.js";
import { LiveIpa, type LiveOptions } from "../sim/live.js";
import { keepCard, restoreCard, simulatedCard, virtualCard } from "./card.js";
import { engineOf } from "./engine.js";
import { keysOf } from "./keys.js";
import { makeLinkOf, viaOf, type Via } from "./link.js";
import { modemOf, type Modem } from "./uart.js";
import { readAnchor } from "../sim/pki/trust.js";
import { watchLoading } from "./progress.js";
import { certificatesIn, derOf, placesOf, rspTrustOf } from "./trust.js";
import { EIM_FQDN } from "../sim/world-options.js";
import { FAILED, MISUSE, OK, readArgs, UsageError, type Command, type Io } from "./command.js";

const HELP = `Usage: tinyipa agent --uicc sim|vpcd:PORT [options]
       tinyipa agent --uart DEVICE|unix:PATH [options]

Runs the IPA (the shipped WebAssembly agent) live: ESipa over HTTPS or CoAPS towards an eIM, ES10b towards a card, and, where it is told whom to
trust, ES9+ over HTTPS towards SM-DP+ and SM-DS (direct profile download). CoAPS, --link c and --uart are the C host's own code, built by npm run build.

  --uicc sim         a simulated eUICC in this process; it knows the eIM of "tinyipa eim" with the same --pki or --seed
  --state FILE       keep the simulated eUICC in FILE, and go on from it (default: it is new each time)
  --uicc vpcd:PORT   waits on 127.0.0.1:PORT for a virtual card (vsmartcard's vpicc) to connect (vpcd's own port is 35963)
  --uart LINE        the card and the network of a modem on that serial device, or unix:PATH, by its AT commands
  --family NAME      of the modem: quectel, ublox, simcom, nordic or generic (default: it is asked)
  --apn NAME         of the modem's data bearer (default: the network's own)
  --baud N           of the serial device (default 115200)
  --eim URL          https://HOST[:PORT] or coaps://HOST[:PORT] to use instead of address (and protocol) in the eUICC's eIM configuration;
                     http:// with --lab
  --link WHICH       node: Node's TLS, HTTPS only (default); c: the C host's links, HTTPS and CoAPS (default with coaps:// and --psk);
                     modem: the same over the sockets of the modem of --uart
  --psk ID:HEX       CoAPS by this pre-shared key, and by nothing else
  --network NAME     timers of CoAP and DTLS: lan (default), lte-m or nb-iot
  --host ENGINE      what runs the agent: v8 (default), wasm3 or inplace
  --trust FILE       PEM or DER: certificate or public key that the eIM's server must have, or a CA that signed it,
                     instead of trustedPublicKeyDataTls of the eIM configuration
  --ca FILE          PEM or DER: CA certificates for an eIM whose configuration has no trustedPublicKeyDataTls (default: the system's)
  --smdp-trust FILE  PEM or DER: CIs or CAs of the TLS certificates of SM-DP+ and SM-DS, or such a certificate itself; "system": this
                     computer's CAs; "own": the CI of --pki or --seed, as "tinyipa smdp" has it (default with --pki: own; else none)
  --smdp-at NAME=AT  connect to AT (HOST:PORT, with --lab also http://HOST:PORT) for the SM-DP+ or SM-DS NAME; may be repeated
  --indirect         profiles are downloaded through the eIM, although --pki would allow direct download
  --code TEXT        confirmation code for profile downloads, where the eIM has none
  --once             one poll, then end: 0 when it went well, 1 when not
  --journal FILE     keep what must survive in FILE (default: nothing survives)
  --trace FILE       write what happened to FILE, as JSON
  --lab              laboratory: http:// and unverified servers are allowed
  --imei DIGITS      14 to 16 digits (default: the modem's, or a test IMEI)
  --pki DIR          certificates of the simulated eUICC, and of the CI by which SM-DP+ and SM-DS are trusted
  --seed N           of the simulated eUICC's certificates (default 0)
  -h, --help

Without --once it runs until it is interrupted. A device that may download directly does so whenever the eIM names an SM-DP+.
`;

const OPTIONS = {
  uicc: { type: "string" },
  uart: { type: "string" },
  family: { type: "string" },
  apn: { type: "string" },
  baud: { type: "string" },
  link: { type: "string" },
  psk: { type: "string" },
  network: { type: "string" },
  host: { type: "string" },
  eim: { type: "string" },
  trust: { type: "string" },
  ca: { type: "string" },
  "smdp-trust": { type: "string" },
  "smdp-at": { type: "string", multiple: true },
  indirect: { type: "boolean", default: false },
  code: { type: "string" },
  once: { type: "boolean", default: false },
  state: { type: "string" },
  journal: { type: "string" },
  trace: { type: "string" },
  lab: { type: "boolean", default: false },
  imei: { type: "string" },
  pki: { type: "string" },
  seed: { type: "string" },
} as const;

type Values = ReturnType<typeof readArgs<typeof OPTIONS>>["values"];
type Direct = Pick<HttpsLinkOptions, "rspTrust" | "resolve">;

export const command: Command = {
  name: "agent",
  summary: "run the IPA live, against any eIM and card",
  help: HELP,
  async run(args, io) {
    const { values } = readArgs(args, OPTIONS);
    if (values.imei !== undefined && !/^\d{14,16}$/.test(values.imei)) throw new UsageError(`expected 14 to 16 digits for --imei, got "${values.imei}"`);
    const eim = values.eim === undefined ? undefined : eimUrl(values.eim, values.lab);
    if (values.code !== undefined && !/^.{1,16}$/.test(values.code)) throw new UsageError(`expected 1 to 16 characters for --code, got "${values.code}"`);
    const via = viaOf(values, eim);
    const direct = directOf(values);
    try {
      const agent = engineOf(values.host);
      const { card, modem, close } = await cardOf(values, io);
      try {
        return await live(values, { agent, card, ...(modem === undefined ? {} : { modem }) }, via, direct, io);
      } finally {
        await close();
        agent.dispose?.();
      }
    } catch (error) {
      if (!(error instanceof SimError)) throw error;
      io.err(`tinyipa agent: ${error.message}`);
      return ["journal", "no-agent", "no-engine", "line"].includes(error.code) ? MISUSE : FAILED;
    }
  },
};

interface Parts extends Pick<LiveOptions, "agent" | "card"> {
  readonly modem?: Modem;
}

async function live(values: Values, { agent, card, modem }: Parts, via: Via, direct: Direct, io: Io): Promise<number> {
  const link = makeLinkOf(via, modem?.handle);
  const ipa = new LiveIpa({
    agent, card, configuration: configurationOf(values, via, modem?.imei),
    ...(values.journal === undefined ? {} : { journal: values.journal }),
    ...(link === undefined ? {} : { makeLink: link.make }),
    link: {
      ...direct,
      lab: values.lab,
      ...(values.ca === undefined ? {} : { caStore: certificatesIn(values.ca) }),
      instead: {
        ...(via.address === undefined ? {} : { address: via.address }),
        ...(values.trust === undefined ? {} : { trust: trustObject(values.trust) }),
      },
    },
  });
  teller(ipa.trace, io);
  watchLoading(ipa.trace, (text) => io.err(`${"".padEnd(16)}${text.trim()}`));
  const stop = (): void => ipa.stop();
  process.once("SIGINT", stop).once("SIGTERM", stop);
  try {
    await ipa.run(values.once);
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
    link?.dispose();
    if (values.trace !== undefined) writeFileSync(values.trace, JSON.stringify(ipa.trace, undefined, 1) + "\n");
  }
  return verdict(ipa.trace, io);
}

function configurationOf(values: Values, via: Via, imei: string | undefined): Partial<Configuration> {
  return {
    imei: values.imei ?? imei ?? "356938035643809",
    protocols: via.kind === "node" ? ["HTTPS"] : ["HTTPS", "CoAPS"],
    ...(values.code === undefined ? {} : { confirmationCode: values.code }),
  };
}

/** Trust in SM-DP+ and SM-DS, and where they are; without trust there is no direct download. */
function directOf(values: Values): Direct {
  const { "smdp-trust": file, indirect, lab } = values;
  if (indirect && file !== undefined) throw new UsageError("expected --indirect or --smdp-trust, got both");
  const resolve = placesOf(values["smdp-at"], lab);
  const asked = indirect ? undefined : (file ?? (values.pki === undefined ? undefined : "own"));
  return { resolve, ...(asked === undefined ? {} : { rspTrust: rspTrustOf(asked, () => keysOf(values, [EIM_FQDN])) }) };
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
  const count = (name: string): number => trace.reports.filter((report) => report.name === name).length;
  const good = ended.length > 0 && ended.every((report) => report.detail === 0) && count("CardFailed") + count("DownloadFailed") === 0;
  const installed = count("ProfileInstalled");
  io.out(`${plural(ended.length, "poll")}, ${installed === 0 ? "" : `${plural(installed, "profile")} installed, `}${totals.roundTrips} round trips, ${totals.bytesUp} octets up, ${totals.bytesDown} down: ${good ? "all went well" : "not all went well"}`);
  return good ? OK : FAILED;
}

function plural(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? "" : "s"}`;
}

function eimUrl(text: string, lab: boolean): URL {
  const expected = `expected https://HOST[:PORT]${lab ? ", http://HOST[:PORT]" : ""} or coaps://HOST[:PORT] for --eim, got "${text}"`;
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new UsageError(expected);
  }
  if (!["https:", "coaps:", ...(lab ? ["http:"] : [])].includes(url.protocol) || url.hostname === "" || !["", "/"].includes(url.pathname)) throw new UsageError(expected);
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

async function cardOf(values: Values, io: Io): Promise<{ card: LiveOptions["card"]; modem?: Modem; close: () => Promise<void> }> {
  const { uicc, uart } = values;
  if (uart !== undefined) {
    if (uicc !== undefined || values.state !== undefined) throw new UsageError(`expected --uart alone, got --${uicc === undefined ? "state" : "uicc"} too`);
    return modemOf({ ...values, uart }, io);
  }
  if (values.family !== undefined || values.apn !== undefined || values.baud !== undefined) throw new UsageError("expected --uart with --family, --apn and --baud, got none");
  if (uicc === "sim") {
    const card = simulatedCard(values);
    restoreCard(card, values.state);
    return { card, close: () => Promise.resolve(keepCard(card, values.state)) };
  }
  if (values.state !== undefined) throw new UsageError("expected --uicc sim with --state, got another card");
  const port = /^vpcd:(\d{1,5})$/.exec(uicc ?? "")?.[1];
  if (port === undefined) throw new UsageError(`expected sim or vpcd:PORT for --uicc, got ${uicc === undefined ? "nothing" : `"${uicc}"`}`);
  return virtualCard(Number(port), io);
}
