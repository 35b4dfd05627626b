/**
 * `tinyipa smdp`: the simulated SM-DP+ on a real address, for any LPA or IPA in a laboratory to download from.
 */
import { existsSync, readFileSync } from "node:fs";
import { RealClock } from "../sim/core/clock.js";
import { toHex } from "../sim/core/bytes.js";
import { parseCertificate } from "../sim/pki/certificate.js";
import type { Pki } from "../sim/pki/pki.js";
import { sampleProfile, serveSmdp, Smdp, stateFromJson, stateToJson, type AuditEntry, type OrderOptions, type RunningServer, type SmdpState } from "../sim/smdp/index.js";
import { readArgs, UsageError, wholeNumber, type Command, type Io } from "./command.js";
import { keysOf, seedOf } from "./keys.js";
import { hostPort, misuse, serveUntilInterrupted, writeState } from "./serve.js";

const HELP = `Usage: tinyipa smdp --profile FILE [options]

Runs a simulated SM-DP+ (SGP.22 v2.5: ES9+ over HTTPS, JSON and ASN.1 binding) until it is interrupted.
Prints an activation code for each profile; tells each exchange on stderr.

  --profile FILE        unprotected profile package (DER) to download; may be repeated. "sample" or "sample:OCTETS" is one of our own
  --listen HOST:PORT    where ES9+ is served (default 127.0.0.1:8444; port 0: any free one)
  --http                plain HTTP, without TLS
  --address NAME        SM-DP+ address of the activation code (default: what --listen says)
  --matching-id ID      matchingId of the profile (default: made up); may be repeated, one for each --profile.
                        An empty one makes an order for the default SM-DP+ and needs --eid
  --eid EID             only this eUICC gets the profiles
  --confirmation-code CODE
  --max-retries N       attempts after the first one (default 10)
  --ppk                 profile protection keys: the BPP has ReplaceSessionKeys
  --segment N           octets of plaintext in one block of the BPP (default 1007)
  --oid                 the activation code names the SM-DP+ OID
  --pki DIR             certificates and keys (default: made from the seed)
  --curve CURVE         P-256 or brainpoolP256r1 (default P-256)
  --check-validity      refuse certificates of eUICC and EUM that have expired
  --seed N              for keys made here, transaction ids and one-time keys (default 0)
  --state FILE          remember everything in this file, and go on from it; its orders stand, --profile is left out then
  --json                the first line as JSON
  -h, --help

The eUICC must trust the CI that is printed: "tinyipa agent --uicc sim", "tinyipa euicc" and "tinyipa eim" with the same --pki or --seed do; for a real
or test eUICC give the directory of its test CI with --pki. The TLS certificate is for smdp.example.com, localhost and 127.0.0.1, issued by the same CI
where its key is there, else self-signed.
`;

const OPTIONS = {
  profile: { type: "string", multiple: true },
  listen: { type: "string", default: "127.0.0.1:8444" },
  http: { type: "boolean", default: false },
  address: { type: "string" },
  "matching-id": { type: "string", multiple: true },
  eid: { type: "string" },
  "confirmation-code": { type: "string" },
  "max-retries": { type: "string" },
  ppk: { type: "boolean", default: false },
  segment: { type: "string" },
  oid: { type: "boolean", default: false },
  pki: { type: "string" },
  curve: { type: "string", default: "P-256" },
  "check-validity": { type: "boolean", default: false },
  seed: { type: "string" },
  state: { type: "string" },
  json: { type: "boolean", default: false },
} as const;

type Values = ReturnType<typeof readArgs<typeof OPTIONS>>["values"];

/** An SM-DP+ that runs, until `stop` is called. */
export interface RunningSmdp {
  readonly smdp: Smdp;
  readonly server: RunningServer;
  readonly pki: Pki;
  stop(): Promise<void>;
}

/** Starts what the arguments ask for. Throws UsageError for misuse; rejects when an address can't be listened on. */
export async function startSmdp(args: string[], io: Io): Promise<RunningSmdp> {
  const { values } = readArgs(args, OPTIONS);
  const listen = hostPort("listen", values.listen);
  const pki = keysOf(values, []);
  const orders = ordersOf(values);
  let smdp: Smdp | undefined;
  let told = 0;
  const onExchange = (): void => {
    const seen = smdp?.seen ?? [];
    for (const entry of seen.slice(told)) narrate(entry, io);
    told = seen.length;
    save(values, smdp);
  };
  // The address is a part of what is signed, and with port 0 it is known only when the server listens.
  const handler = { handle: (request: Parameters<Smdp["handle"]>[0]) => (smdp as Smdp).handle(request) };
  const server = await serveSmdp(handler, { ...listen, onExchange, ...(values.http ? {} : { tls: pki.dpTls }) });
  try {
    smdp = smdpOf(values, pki, values.address ?? nameOf(listen.host, server.port, values.http));
    populate(smdp, values, orders);
  } catch (cause) {
    await server.close();
    throw cause;
  }
  told = smdp.seen.length;
  save(values, smdp);
  introduce(smdp, server, pki, values, io);
  const running = smdp;
  return {
    smdp: running, server, pki,
    async stop() {
      await server.close();
      save(values, running);
    },
  };
}

function introduce(smdp: Smdp, server: RunningServer, pki: Pki, values: Values, io: Io): void {
  const ciPkId = toHex(parseCertificate(pki.ci.certificate).subjectKeyId ?? new Uint8Array(0));
  const orders = smdp.orders.map((order) => ({
    order: order.id, state: order.state, iccid: order.iccid, matchingId: order.matchingId, octets: order.profile.length,
    activationCode: smdp.activationCode(order, { prefix: true, withOid: values.oid }),
  }));
  if (values.json) return io.out(JSON.stringify({ url: server.url, address: smdp.address, oid: smdp.oid, ciPkId, orders }));
  io.out(`ES9+             ${server.url}/gsma/rsp2/es9plus/ and /gsma/rsp2/asn1`);
  io.out(`SM-DP+ address   ${smdp.address}`);
  io.out(`SM-DP+ OID       ${smdp.oid}`);
  io.out(`CI key id        ${ciPkId}`);
  for (const { order, state, iccid, octets, activationCode } of orders) {
    io.out(`order ${order}          ICCID ${iccid}, ${octets} octets, ${state}`);
    io.out(`activation code  ${activationCode}`);
  }
}

function smdpOf(values: Values, pki: Pki, at: string): Smdp {
  return misuse(() => new Smdp({ pki, clock: new RealClock(), address: at, seed: seedOf(values), ...(values["check-validity"] && { date: new Date() }) }));
}

/** What --profile and its companions ask for; nothing when a state file has orders already. */
function ordersOf(values: Values): OrderOptions[] {
  if (values.state !== undefined && existsSync(values.state)) return [];
  const { profile: files = [], "matching-id": ids = [] } = values;
  if (files.length === 0) throw new UsageError("expected at least one --profile FILE, got none");
  if (ids.length > files.length) throw new UsageError(`expected at most one --matching-id for each --profile, got ${ids.length} for ${files.length}`);
  const maxRetries = wholeNumber("max-retries", values["max-retries"]);
  const segment = wholeNumber("segment", values.segment, 1, 65_535);
  return files.map((file, index) => ({
    profile: profileOf(file, index),
    matchingId: ids[index] ?? `TINYIPA-${String(seedOf(values)).padStart(4, "0")}-${index + 1}`,
    ...(values.eid !== undefined && { eid: values.eid }),
    ...(values["confirmation-code"] !== undefined && { confirmationCode: values["confirmation-code"] }),
    ...(maxRetries !== undefined && { maxRetries }),
    ...(values.ppk && { ppk: true }),
    ...(segment !== undefined && { bpp: { segment } }),
  }));
}

function profileOf(file: string, index: number): Uint8Array {
  const [, size] = /^sample(?::(\d+))?$/.exec(file) ?? [undefined, null];
  if (size === null) return misuse(() => new Uint8Array(readFileSync(file)));
  const iccid = `8900012345678901${String(index + 1).padStart(3, "0")}`;
  return misuse(() => sampleProfile({ iccid, ...(size !== undefined && { size: Number(size) }) }));
}

/** Orders of the state file, or those of the command line. */
function populate(smdp: Smdp, values: Values, orders: readonly OrderOptions[]): void {
  if (values.state !== undefined && existsSync(values.state)) {
    misuse(() => smdp.restore({ ...stateFromJson<SmdpState>(readFileSync(values.state as string, "utf8")), behaviours: [] }));
  }
  const notifications = [{ events: ["enable", "disable", "delete"] as const, address: smdp.address }];
  for (const order of orders) misuse(() => smdp.order({ ...order, metadata: { serviceProviderName: "tinyipa", profileName: "test profile", notifications } }));
}

function save(values: Values, smdp: Smdp | undefined): void {
  if (values.state === undefined || smdp === undefined) return;
  writeState(values.state, stateToJson(smdp.snapshot()));
}

function narrate(entry: AuditEntry, io: Io): void {
  const octets = (hex: string): string => `${hex.length / 2} octets`;
  const answer = entry.status === 0 ? "no answer" : `${entry.status} (${octets(entry.response)})`;
  const result = entry.code === undefined ? entry.verdict : `Failed ${entry.code}`;
  const about = `${entry.eid ?? "(no EID)"} ${entry.transactionId?.slice(0, 8) ?? "-"} ${entry.function} (${entry.binding}, ${octets(entry.request)})`;
  io.err(`${(entry.time / 1000).toFixed(3)} s ${about} -> ${answer} ${result}${entry.reason === "" ? "" : `: ${entry.reason}`}`);
  for (const warning of entry.warnings) io.err(`  warning: ${warning}`);
}

/** What a client on this machine calls the listener; the usual port is left out. */
function nameOf(host: string, port: number, http: boolean): string {
  const name = host === "0.0.0.0" || host === "::" ? "localhost" : host.includes(":") ? `[${host}]` : host;
  return port === (http ? 80 : 443) ? name : `${name}:${port}`;
}

export const command: Command = { name: "smdp", summary: "run a simulated SM-DP+ on a real address", help: HELP, run: serveUntilInterrupted(startSmdp) };
