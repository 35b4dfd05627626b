/** `tinyipa figures`: what the agent's jobs cost, from real runs: ops, APDUs, octets, connections, time; and an idle poll on the wire. */
import { readFileSync } from "node:fs";
import { arch, cpus, platform } from "node:os";
import { Agent, findAgent } from "../sim/agent/index.js";
import { SimError } from "../sim/core/errors.js";
import { FAILED, OK, readArgs, wholeNumber, type Command } from "./command.js";
import { LARGE, measureDownloads, SMALL, type DownloadFigures } from "./figures/downloads.js";
import { measureJobs, type JobFigures } from "./figures/jobs.js";
import { measureWire, type WireFigures } from "./figures/wire.js";

const HELP = `Usage: tinyipa figures [--json] [--runs N] [--no-wire]

What the agent's jobs cost, from runs of the shipped agent against the simulated eUICC and eIM: ops, APDUs, octets of ESipa bodies,
round trips and connections (the same on every machine), and microseconds inside ipa_step (V8 on this machine, median of the runs).
Whole profile downloads likewise, with the APDUs that load the Bound Profile Package, and the memory that was written to.
Then an idle poll and indirect downloads over real HTTPS on 127.0.0.1: octets of TCP payload, and the share of the TLS handshake in them.

  --json      { wasm: { bytes, staticEnd }, jobs: [...], downloads: [...], wire: [...], downloadWire: [...], published: {...}, machine: {...} }
  --runs N    how often the time of each job is measured (default 25)
  --no-wire   without what goes over real sockets
  -h, --help
`;

/** An idle poll of an existing IPA in C over HTTPS with TLS 1.2: an estimate from its measured messages, headers of IP and TCP included. */
const PUBLISHED = { roundTrips: 4, ipOctets: 2514 };

/** A whole indirect download of 12.5 kB by the same IPA: published round trips and IP octets over HTTPS; APDUs of loading it by two others. */
const PUBLISHED_DOWNLOAD = { roundTrips: 12, ipOctets: 23_700, loading: [103, 138] } as const;

/** What --json prints. */
export interface Figures {
  readonly wasm: { readonly bytes: number; readonly staticEnd: number };
  readonly jobs: readonly JobFigures[];
  readonly downloads: readonly DownloadFigures[];
  readonly wire: readonly WireFigures[];
  /** Indirect downloads of the two sizes of `downloads`, over TLS 1.2 and 1.3 each. */
  readonly downloadWire: readonly WireFigures[];
  readonly published: typeof PUBLISHED & { readonly download: typeof PUBLISHED_DOWNLOAD };
  readonly machine: { readonly node: string; readonly v8: string; readonly cpu: string; readonly runs: number };
}

export const command: Command = {
  name: "figures",
  summary: "what the agent's jobs cost, measured",
  help: HELP,
  async run(args, io) {
    const { values } = readArgs(args, { json: { type: "boolean", default: false }, runs: { type: "string" }, "no-wire": { type: "boolean", default: false } });
    const runs = wholeNumber("runs", values.runs, 1, 10_000) ?? 25;
    try {
      const figures = await measure(runs, !values["no-wire"]);
      if (values.json) io.out(JSON.stringify(figures, undefined, 2));
      else for (const line of [...jobLines(figures), ...downloadLines(figures), ...wireLines(figures)]) io.out(line);
      return OK;
    } catch (error) {
      if (!(error instanceof SimError)) throw error;
      io.err(`tinyipa figures: ${error.message}`);
      return FAILED;
    }
  },
};

async function measure(runs: number, wire: boolean): Promise<Figures> {
  const wasm = new Uint8Array(readFileSync(findAgent()));
  return {
    wasm: { bytes: wasm.length, staticEnd: new Agent(wasm).memoryEnd },
    jobs: await measureJobs(wasm, runs),
    downloads: await measureDownloads(wasm, runs),
    wire: wire ? [await measureWire(wasm, "TLSv1.2"), await measureWire(wasm, "TLSv1.3")] : [],
    downloadWire: wire ? [await measureWire(wasm, "TLSv1.2", SMALL), await measureWire(wasm, "TLSv1.3", SMALL), await measureWire(wasm, "TLSv1.2", LARGE), await measureWire(wasm, "TLSv1.3", LARGE)] : [],
    published: { ...PUBLISHED, download: PUBLISHED_DOWNLOAD },
    machine: { node: process.version, v8: process.versions.v8, cpu: `${cpus()[0]?.model.trim() ?? "unknown"} (${platform()} ${arch()})`, runs },
  };
}

function jobLines({ wasm, jobs, machine }: Figures): string[] {
  const row = (name: string, cells: readonly (string | number)[]): string => `${name.padEnd(34)}${cells.map((cell) => String(cell).padStart(8)).join("")}`;
  return [
    `wasm ${wasm.bytes} octets, static data up to ${wasm.staticEnd}`,
    "",
    row("", ["ops", "APDUs", "up", "down", "trips", "conns", "µs"]),
    ...jobs.map((job) => row(job.name, [job.ops, job.apdus, job.bytesUp, job.bytesDown, job.roundTrips, job.connections, job.microseconds])),
    "",
    "up, down: octets of ESipa bodies. trips: requests with their answers. conns: connections opened.",
    `µs: inside ipa_step, median of ${machine.runs} runs; depends on the machine: Node.js ${machine.node}, ${machine.cpu}`,
  ];
}

function downloadLines({ downloads, jobs, wasm }: Figures): string[] {
  const poll = jobs[0]?.microseconds ?? 1;
  const row = (name: string, cells: readonly (string | number)[]): string => `${name.padEnd(26)}${cells.map((cell) => String(cell).padStart(8)).join("")}`;
  return [
    "",
    row("profile download", ["package", "ops", "APDUs", "loading", "up", "down", "trips", "conns", "µs", "/ poll", "written"]),
    ...downloads.map((one) => row(`${one.name}, blocks of ${one.blockSize}`, [
      one.bpp, one.ops, one.apdus, one.loading, one.bytesUp, one.bytesDown, one.roundTrips, one.connections, one.microseconds, Math.round(one.microseconds / Math.max(1, poll)), one.highest,
    ])),
    "",
    "package: octets of the Bound Profile Package. loading: those of the APDUs that carry it, GET RESPONSE for its result among them; two other IPAs",
    `need ${PUBLISHED_DOWNLOAD.loading.join(" and ")} for 12.5 kB. up, down: bodies of ESipa and ES9+. / poll: µs over those of an idle poll. written: end of the highest octet of memory`,
    `that was ever written, of ${wasm.staticEnd}: it does not depend on the size of the package.`,
  ];
}

function wireLines({ wire, downloadWire, published }: Figures): string[] {
  if (wire.length === 0) return [];
  const columns = wire.map((one) => one.tls.replace("v", " "));
  const row = (name: string, cells: readonly (string | number)[], other: string | number): string => `${name.padEnd(34)}${[...cells, other].map((cell) => String(cell).padStart(10)).join("")}`;
  return [
    "",
    row("idle poll over HTTPS", columns, "a C IPA"),
    row("TCP payload up", wire.map((one) => one.up), ""),
    row("TCP payload down", wire.map((one) => one.down), ""),
    row("  of both, TLS handshake", wire.map((one) => `${Math.round((100 * one.handshake) / (one.up + one.down))} %`), ""),
    row("round trips (TCP, TLS, HTTP)", wire.map((one) => one.roundTrips), published.roundTrips),
    row("segments, counted conservatively", wire.map((one) => one.segments), ""),
    row("IP octets", wire.map((one) => one.ipOctets), published.ipOctets),
    "",
    "IP octets: TCP payload and 40 for each segment. Segments: 7 to open and close, and for every 1,360 octets of each flight one and",
    "an acknowledgement of its own. TLS is Node's (the host's, not the agent's), one self-made P-256 certificate, no resumption.",
    "a C IPA: published estimate for an existing one over TLS 1.2, made from its measured messages with 40 octets for each segment.",
    "",
    `${"indirect download over HTTPS".padEnd(34)}${["12.5 kB", "", "100 kB", "", "a C IPA"].map((cell) => cell.padStart(10)).join("")}`,
    row("", downloadWire.map((one) => one.tls.replace("v", " ")), "12.5 kB"),
    row("TCP payload up", downloadWire.map((one) => one.up), ""),
    row("TCP payload down", downloadWire.map((one) => one.down), ""),
    row("round trips (TCP, TLS, HTTP)", downloadWire.map((one) => one.roundTrips), published.download.roundTrips),
    row("IP octets", downloadWire.map((one) => one.ipOctets), published.download.ipOctets),
  ];
}
