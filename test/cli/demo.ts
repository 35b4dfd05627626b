/** `tinyipa demo`: the zero-touch story, twice, over real HTTPS on loopback. What `npm start` shows. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { findAgent } from "../sim/agent/index.js";
import { RealClock } from "../sim/core/clock.js";
import { SimError } from "../sim/core/errors.js";
import { loadPki, makePki, type Pki } from "../sim/pki/pki.js";
import { sampleProfile } from "../sim/smdp/index.js";
import { BOOTSTRAP, EIM_FQDN, iccid } from "../sim/world-options.js";
import { World } from "../sim/world.js";
import { FAILED, OK, readArgs, type Command, type Io } from "./command.js";
import { Story } from "./demo-story.js";

const HELP = `Usage: tinyipa demo [--data DIR]

A factory-fresh device with a bootstrap profile is associated with an eIM, downloads an operator's profile through it, enables it with rollback
allowed, loses the network and rolls back, tries again and stays, and deletes the bootstrap profile. Then the same by direct download.

The agent is the shipped WebAssembly file; ESipa (device to eIM) and ES9+ (eIM to SM-DP+, device to SM-DP+) run over real HTTPS sockets on 127.0.0.1;
eUICC, modem, eIM and SM-DP+ are simulated, with real signatures and encryption; waiting (registration, back-off) is skipped.

  --data DIR   test certificates (sgp26-variant-o) and profiles (ts48) to use (default: ../shared/data where it is present)
  -h, --help

Each line: time on the device, octets of bodies up and down, round trips. Exit code: 0 all of it is as it should be, 1 when not.
`;

/** Octets of the profile that is made here: as large as a real one. */
const MADE_SIZE = 12_000;

interface Input {
  readonly pki: Pki;
  readonly profile: Uint8Array;
  readonly profileName: string;
  readonly words: string;
}

export const command: Command = {
  name: "demo",
  summary: "the zero-touch story, indirect and direct, over real HTTPS",
  help: HELP,
  async run(args, io) {
    const { values } = readArgs(args, { data: { type: "string" } });
    let wasm: string;
    try {
      wasm = findAgent();
    } catch (error) {
      if (!(error instanceof SimError)) throw error;
      io.err(`tinyipa demo: ${error.message}`);
      return FAILED;
    }
    const input = readInput(values.data ?? sharedData(wasm));
    io.out(`tinyipa: an SGP.32 IPA in ${statSync(wasm).size} bytes of WebAssembly; its eIM and SM-DP+ over HTTPS on 127.0.0.1`);
    io.out(input.words);
    const problems = [...(await tell(input, false, io)), ...(await tell(input, true, io))];
    io.out("");
    for (const problem of problems) io.out(`! ${problem}`);
    io.out(problems.length === 0 ? "Verdict: everything as SGP.32 wants it, both times: one profile on the card, enabled, the operator's octet by octet; eIM and SM-DP+ know it." : "Verdict: NOT as it should be.");
    return problems.length === 0 ? OK : FAILED;
  },
};

async function tell(input: Input, direct: boolean, io: Io): Promise<readonly string[]> {
  io.out("");
  io.out(direct ? "The same by direct download: the device itself speaks ES9+ with the SM-DP+" : "Indirect download: the device speaks with the eIM only, which speaks ES9+ with the SM-DP+");
  io.out("      time   octets up/down  trips");
  const world = new World({
    pki: input.pki, eims: [{ association: null }], smdps: [{}], real: new RealClock(), euicc: { download: { freeMemory: 1_000_000 } },
    profiles: [{ iccid: BOOTSTRAP, enabled: true, class: "operational", profileName: "Bootstrap", serviceProviderName: "Bootstrap operator" }],
    ...(direct ? { configuration: { features: [0, 1, 2, 3] } } : {}),
  });
  try {
    await world.listen();
    const problems = await new Story({ world, io, direct, profile: input.profile, profileName: input.profileName }).tell();
    const { apdus, bytesUp, bytesDown, roundTrips, connections } = world.trace.totals();
    io.out(`${String(apdus)} APDUs; ${bytesUp} octets up, ${bytesDown} down, ${roundTrips} round trips, ${connections} TLS connections`);
    return problems;
  } finally {
    await world.close();
  }
}

function sharedData(wasm: string): string | undefined {
  const folder = join(dirname(wasm), "..", "..", "shared", "data");
  return existsSync(folder) ? folder : undefined;
}

function readInput(data: string | undefined): Input {
  const options = { seed: "demo", eimFqdns: [EIM_FQDN] };
  const folder = (name: string): string | undefined => (data !== undefined && existsSync(join(data, name)) ? join(data, name) : undefined);
  const [sgp26, ts48] = [folder("sgp26-variant-o"), folder("ts48")];
  const pki = sgp26 === undefined ? makePki(options) : loadPki(sgp26, options);
  const made = pki.made.map((name) => name.replace(/ \(.*$/, "")).join(", ");
  const certificates = sgp26 === undefined ? "certificates: made here, from a seed" : `certificates: SGP.26 variant O from ${relative(process.cwd(), data as string) || "."} (made here: ${made})`;
  const file = ts48 === undefined ? undefined : readdirSync(ts48).find((name) => name.endsWith(".der"));
  const profileName = file?.replace(/\.der$/, "") ?? "Operational";
  const profile = file === undefined ? sampleProfile({ iccid: iccid(2), size: MADE_SIZE }) : new Uint8Array(readFileSync(join(ts48 as string, file)));
  return { pki, profile, profileName, words: `${certificates}; profile: ${file === undefined ? `made here, ${MADE_SIZE} octets` : `GSMA TS.48, ${file}`}` };
}
