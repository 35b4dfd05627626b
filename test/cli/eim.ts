/**
 * `tinyipa eim`: the simulated eIM on a real address, for devices in a laboratory and for scripts.
 */
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import type { RunningCoaps } from "../sim/coaps/index.js";
import { RealClock } from "../sim/core/clock.js";
import { toHex } from "../sim/core/bytes.js";
import type { Pki } from "../sim/pki/pki.js";
import { keysOf, seedOf } from "./keys.js";
import { hostPort, misuse, serveUntilInterrupted, writeState } from "./serve.js";
import { placesOf, rspTrustOf } from "./trust.js";
import { pskTable, serveEimCoaps } from "../sim/eim/coaps.js";
import { CONTROL_HELP, Eim, EimProtocol, httpsEs9p, isLoopback, parsePackage, serveControl, serveEim, stateFromJson, stateToJson, type AuditEntry, type EimOptions, type RunningServer } from "../sim/eim/index.js";
import { readArgs, UsageError, type Command, type Io } from "./command.js";

const HELP = `Usage: tinyipa eim [options]

Runs a simulated eIM (SGP.32 v1.2, ESipa over HTTPS and CoAPS, ASN.1 binding) until it is interrupted.
Prints its address, its eimId and the EimConfigurationData to load into a card; tells each exchange on stderr.

  --listen HOST:PORT    where ESipa is served (default 127.0.0.1:8443; port 0: any free one)
  --http                plain HTTP, without TLS
  --connection-close    close the connection after each answer
  --chunked             answer in chunks, without Content-Length
  --coaps HOST:PORT     serve ESipa over CoAPS too (DTLS 1.2 with the same certificate, connection ids; port 0: any free one)
  --psk ID:HEX          accept this pre-shared key on CoAPS; may be repeated
  --control HOST:PORT   control interface, loopback only (default: none)
  --fqdn NAME           eimFqdn, with :PORT where the card shall have one (default eim.example.com)
  --eim-id ID           eimId (default: the FQDN without port)
  --pki DIR             certificates and keys (default: made from the seed)
  --curve CURVE         P-256 or brainpoolP256r1 (default P-256)
  --seed N              for keys made here and eimTransactionIds (default 0)
  --trust FORM          A6 of the configuration: key, certificate or none (default key; none with --http)
  --device EID          register a device; may be repeated (default: the PKI's eUICC)
  --package JSON        queue a package for every device; may be repeated (left out when going on from a --state file)
  --es9p BINDING        relay downloads and notifications to SM-DP+ and SM-DS: json or asn1 (default with --smdp-trust or --smdp-at: json; else none)
  --smdp-trust FILE     PEM or DER: CIs or CAs of their TLS certificates, or such a certificate itself; "system": this computer's CAs;
                        "own": the CI of --pki or --seed, as "tinyipa smdp" has it (default: own)
  --smdp-at NAME=AT     connect to AT (HOST:PORT) for the SM-DP+ NAME; may be repeated
  --state FILE          remember everything in this file, and go on from it
  --json                the first line as JSON
  -h, --help

A device whose EID is the PKI's is registered with its certificates. Others are taken at their word, with a warning, until an
ipaEuiccDataRequest for A5 and A6 has brought their certificates.

CONTROL INTERFACE (--control)
${CONTROL_HELP}
Errors: {"error":{"code","message","expected","got"}} with status 400, 404, 405, 409, 413 or 422.

PACKAGES
{"psmo":[{"enable":{"iccid":"8900...","rollback":true}},{"disable":{"iccid"}},{"delete":{"iccid"}},{"getRAT":{}},
         {"listProfileInfo":{"iccid"|"isdpAid"|"profileClass","tags":["5A","9F70"]}},{"setFallbackAttribute":{"iccid"}},
         {"unsetFallbackAttribute":{}},{"setDefaultDpAddress":{"address"}},
         {"configureImmediateEnable":{"immediateEnable","defaultSmdpOid","defaultSmdpAddress"}},{"raw":"HEX"}]}
{"eco":[{"addEim":{"configuration":"HEX"}},{"updateEim":{"configuration":"HEX"}},{"deleteEim":{"eimId"}},{"listEim":{}},{"raw":"HEX"}]}
{"ipaEuiccDataRequest":{"tags":["BF20","euiccCertificate"],"ciPkId":"HEX","notification":{"seqNumber":1}|{"event":[1]},
                        "euiccPackageResult":{"seqNumber":1}}}
{"profileDownloadTriggerRequest":{"activationCode":"1$..."}|{"contactDefaultSmdp":true}|{"contactSmds":true|"ADDRESS"}|{}}
  where the eIM takes part in the download, in the same braces "handling":{"activationCode":"1$..." (held by the eIM),"confirmationCode",
  "ctxParams1":true (after an ipaEuiccDataRequest for A9),"verifyMetadata":true,"allowedPprs":[1,2],"sendMetadata":true,"omitTransactionId":true,
  "ciPkIdOctets":4}
{"raw":"HEX"}
each with "options":{"transactionId":"HEX"|null,"counter":7,"giveOnce":true} where wanted.
`;

const OPTIONS = {
  listen: { type: "string", default: "127.0.0.1:8443" },
  http: { type: "boolean", default: false },
  "connection-close": { type: "boolean", default: false },
  chunked: { type: "boolean", default: false },
  coaps: { type: "string" },
  psk: { type: "string", multiple: true },
  control: { type: "string" },
  fqdn: { type: "string", default: "eim.example.com" },
  "eim-id": { type: "string" },
  pki: { type: "string" },
  curve: { type: "string", default: "P-256" },
  seed: { type: "string" },
  trust: { type: "string" },
  device: { type: "string", multiple: true },
  package: { type: "string", multiple: true },
  es9p: { type: "string" },
  "smdp-trust": { type: "string" },
  "smdp-at": { type: "string", multiple: true },
  state: { type: "string" },
  json: { type: "boolean", default: false },
} as const;

const RETRY_MS = 60_000;

type Values = ReturnType<typeof readArgs<typeof OPTIONS>>["values"];

/** An eIM that runs, until `stop` is called. */
export interface RunningEim {
  readonly eim: Eim;
  readonly esipa: RunningServer;
  readonly coaps?: RunningCoaps;
  readonly control?: RunningServer;
  stop(): Promise<void>;
}

/** Starts what the arguments ask for. Throws UsageError for misuse; rejects when an address can't be listened on. */
export async function startEim(args: string[], io: Io): Promise<RunningEim> {
  const { values } = readArgs(args, OPTIONS);
  const listen = hostPort("listen", values.listen);
  const control = values.control === undefined ? undefined : hostPort("control", values.control);
  if (control !== undefined && !isLoopback(control.host)) throw new UsageError(`expected a loopback address for --control, got "${values.control}"`);
  const coapsAt = values.coaps === undefined ? undefined : hostPort("coaps", values.coaps);
  if (coapsAt === undefined && values.psk !== undefined) throw new UsageError("expected --coaps with --psk, got none");
  const psk = misuse(() => pskTable(values.psk ?? []));
  const trust = trustOf(values);
  const pki = pkiOf(values);
  const eim = eimOf(values, pki, es9pOf(values, pki));
  const save = (): void => {
    if (values.state !== undefined) writeState(values.state, stateToJson(eim.snapshot()));
  };
  populate(eim, values, pki);
  save();
  let told = eim.seen.length;
  const onExchange = (): void => {
    for (const entry of eim.seen.slice(told)) narrate(entry, io);
    told = eim.seen.length;
    save();
  };
  // What an SM-DP+ did not take is tried again now and then.
  const retry = setInterval(() => void Promise.resolve(eim.flush()).then(onExchange), RETRY_MS).unref();
  const framing = { connectionClose: values["connection-close"], chunked: values.chunked, onExchange };
  const esipa = await serveEim(eim, { ...listen, ...framing, ...(values.http ? {} : { tls: pki.eimTls }) });
  const controlServer = control && (await serveControl(eim, { ...control, ciCertificates: [pki.ci.certificate], onChange: save }));
  const dtls = { identity: pki.eimTls, ...(values.psk === undefined ? {} : { psk }), connectionId: 8, random: (octets: number) => new Uint8Array(randomBytes(octets)) };
  const coaps = coapsAt && (await serveEimCoaps(eim, { ...coapsAt, dtls, onExchange, onNews: (text) => io.err(`CoAPS ${text}`) }));
  const protocols = coaps === undefined ? [EimProtocol.RetrieveHttps] : [EimProtocol.RetrieveHttps, EimProtocol.RetrieveCoaps];
  introduce(eim, { esipa, coaps, control: controlServer }, toHex(eim.configurationData({ trust, protocols })), values.json, io);
  return {
    eim,
    esipa,
    ...(coaps && { coaps }),
    ...(controlServer && { control: controlServer }),
    async stop() {
      clearInterval(retry);
      await Promise.all([esipa.close(), coaps?.close(), controlServer?.close()]);
      save();
    },
  };
}

interface Servers {
  readonly esipa: RunningServer;
  readonly coaps: RunningCoaps | undefined;
  readonly control: RunningServer | undefined;
}

function introduce(eim: Eim, { esipa, coaps, control }: Servers, configuration: string, json: boolean, io: Io): void {
  if (json) return io.out(JSON.stringify({ esipa: esipa.url, coaps: coaps?.url, control: control?.url, eimId: eim.eimId, eimConfigurationData: configuration, devices: eim.devices }));
  io.out(`ESipa                 ${esipa.url}/gsma/rsp2/asn1`);
  if (coaps !== undefined) io.out(`ESipa over CoAPS      ${coaps.url}/gsma/rsp2/asn1`);
  if (control !== undefined) io.out(`control               ${control.url}`);
  io.out(`eimId                 ${eim.eimId}`);
  io.out(`devices               ${eim.devices.join(" ")}`);
  io.out(`EimConfigurationData  ${configuration}`);
}

function pkiOf(values: Values): Pki {
  return keysOf(values, [values.fqdn.replace(/:\d+$/, "")]);
}

function eimOf(values: Values, pki: Pki, relay: Pick<EimOptions, "es9p" | "es9pBinding">): Eim {
  const eimId = values["eim-id"] ?? values.fqdn.replace(/:\d+$/, "");
  return new Eim({ sign: pki.eimSign, tls: pki.eimTls, clock: new RealClock(), fqdn: values.fqdn, eimId, seed: seedOf(values), ...relay });
}

/** How the eIM reaches SM-DP+ and SM-DS, if it shall. */
function es9pOf(values: Values, pki: Pki): Pick<EimOptions, "es9p" | "es9pBinding"> {
  const { es9p, "smdp-trust": trusted, "smdp-at": places } = values;
  if (es9p !== undefined && es9p !== "json" && es9p !== "asn1") throw new UsageError(`expected json or asn1 for --es9p, got "${es9p}"`);
  if (es9p === undefined && trusted === undefined && places === undefined) return {};
  const trust = rspTrustOf(trusted ?? "own", () => pki);
  return { es9p: httpsEs9p({ ...(trust === "system" ? {} : { trust }), resolve: placesOf(places) }), es9pBinding: es9p ?? "json" };
}

/** Devices and packages of the state file, then those of the command line. Packages are queued only for a state that is new. */
function populate(eim: Eim, values: Values, pki: Pki): void {
  const old = values.state !== undefined && existsSync(values.state);
  if (old) misuse(() => eim.restore({ ...stateFromJson(readFileSync(values.state as string, "utf8")), behaviours: [] }));
  for (const eid of values.device ?? [pki.eid]) {
    if (!/^[0-9]{32}$/.test(eid)) throw new UsageError(`expected an EID of 32 digits for --device, got "${eid}"`);
    if (eim.devices.includes(eid)) continue;
    const certificates = eid === pki.eid ? { euiccCertificate: pki.euicc.certificate, eumCertificate: pki.eum.certificate } : {};
    misuse(() => eim.addDevice({ eid, curve: pki.curve, ciCertificates: [pki.ci.certificate], ...certificates }));
  }
  for (const text of old ? [] : values.package ?? []) {
    const { content, options } = misuse(() => parsePackage(text));
    for (const eid of eim.devices) misuse(() => eim.queue(eid, content, options));
  }
}

function narrate(entry: AuditEntry, io: Io): void {
  const answer = entry.status === 0 ? "no answer" : `${entry.status} (${entry.response.length / 2} octets)`;
  io.err(`${(entry.time / 1000).toFixed(3)} s ${entry.eid ?? "(no EID)"} ${entry.function} (${entry.request.length / 2} octets) -> ${answer} ${entry.verdict}${entry.reason === "" ? "" : `: ${entry.reason}`}`);
  for (const { address: at, function: name, status, outcome } of entry.es9p ?? []) io.err(`  ${at} ${name} -> ${status}: ${outcome}`);
  for (const warning of entry.warnings) io.err(`  warning: ${warning}`);
}

function trustOf(values: Values): "key" | "certificate" | "none" {
  const trust = values.trust ?? (values.http ? "none" : "key");
  if (trust !== "key" && trust !== "certificate" && trust !== "none") throw new UsageError(`expected key, certificate or none for --trust, got "${trust}"`);
  return trust;
}

export const command: Command = { name: "eim", summary: "run a simulated eIM on a real address", help: HELP, run: serveUntilInterrupted(startEim) };
