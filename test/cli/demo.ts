/** `tinyipa demo`: the whole story in a dozen lines, over real HTTPS on loopback. What `npm start` shows. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { findAgent } from "../sim/agent/index.js";
import { RealClock } from "../sim/core/clock.js";
import { SimError } from "../sim/core/errors.js";
import type { Trace } from "../sim/core/trace.js";
import { tlv } from "../sim/codec/tlv.js";
import { psmo, type Eim, type ResultRecord } from "../sim/eim/index.js";
import type { ProfileOptions } from "../sim/euicc/index.js";
import { loadPki, makePki, type Pki } from "../sim/pki/pki.js";
import { defaultProfiles, EIM_FQDN, iccid, OPERATIONAL, SMDP_ADDRESS } from "../sim/world-options.js";
import { until, World } from "../sim/world.js";
import { FAILED, OK, readArgs, type Command, type Io } from "./command.js";

const HELP = `Usage: tinyipa demo [--data DIR]

A factory-fresh device is associated with an eIM, gets a package, switches profiles, reports, and rolls back a profile that finds no
network. The agent is the shipped WebAssembly file; ESipa runs over real HTTPS sockets on 127.0.0.1; eUICC, modem and eIM are simulated;
waiting (registration, back-off) is skipped.

  --data DIR   test certificates (sgp26-variant-o) and profiles (ts48) to use (default: ../shared/data where it is present)
  -h, --help
`;

const NO_COVERAGE = iccid(3);
const STORE_PROVISION = 16;

interface Input {
  readonly pki: Pki;
  readonly profiles: ProfileOptions[];
  readonly words: string;
}

export const command: Command = {
  name: "demo",
  summary: "the whole story in a dozen lines, over real HTTPS",
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
    io.out(`tinyipa: an SGP.32 IPA in ${statSync(wasm).size} bytes of WebAssembly, against an eIM over HTTPS on 127.0.0.1`);
    io.out(input.words);
    io.out("");
    const world = new World({ pki: input.pki, profiles: input.profiles, eims: [{ association: null }], real: new RealClock() });
    try {
      await world.listen();
      return await new Story(world, io).tell();
    } finally {
      await world.close();
    }
  },
};

/** Each step: what is asked, a run until idle, and a line on what came of it. */
class Story {
  #shown = { at: 0 };
  #good = true;
  constructor(readonly world: World, readonly io: Io) {}

  async tell(): Promise<number> {
    const { world } = this;
    const eim = world.eim;
    this.io.out("      time   octets up/down  trips");
    this.#line(`factory fresh: eUICC ${world.eid}, ${world.euicc.profiles.length} profiles, "${this.#enabledName()}" enabled, no eIM`);
    world.store.write(STORE_PROVISION, tlv(0xbf57, tlv(0xa0, eim.configurationData())));
    await this.#run();
    this.#line(`${world.euicc.eims.length} eIM associated (AddInitialEim), its TLS key pinned: ${world.euicc.eims.map((one) => one.eimId).join()}`, world.euicc.eims.length === 1);
    this.#line(`first poll: ${this.#last(eim)}`, eim.seen.length > 0);
    await this.#enable(eim);
    await this.#rollback(eim);
    return this.#verdict(eim);
  }

  async #enable(eim: Eim): Promise<void> {
    const { world } = this;
    const record = eim.queue(world.eid, [psmo.listProfileInfo(), psmo.enable(OPERATIONAL, { rollback: true })]);
    this.#line(`the eIM signs package ${record.counter}: list the profiles, enable "Operational", rollback allowed`);
    const trace = await this.#run();
    const result = this.#result(eim, record.id);
    const listed = result?.commands?.[0]?.profiles?.length ?? 0;
    this.#line(`REFRESH: the card was reset, "${this.#enabledName()}" is enabled, ${trace.of("link").filter((entry) => entry.what === "open").length} connections`, world.enabled === OPERATIONAL);
    this.#line(`result ${result?.seqNumber}: ${listed} profiles listed, enable ${result?.commands?.[1]?.name}; signature ${verified(result?.verified)}`, result?.verified === true && result.commands?.[1]?.code === 0);
    const notifications = eim.notifications(world.eid);
    this.#line(`notifications ${notifications.map((one) => `${one.seqNumber} ${one.event}`).join(", ")}: ${verified(notifications.every((one) => one.verified))}, acknowledged, ${world.euicc.pending.length} left on the card`, notifications.length === 2 && world.euicc.pending.length === 0);
  }

  async #rollback(eim: Eim): Promise<void> {
    const { world } = this;
    world.modem.coverage(NO_COVERAGE, "none");
    const record = eim.queue(world.eid, psmo.enable(NO_COVERAGE, { rollback: true }));
    this.#line(`the eIM signs package ${record.counter}: enable "No coverage", rollback allowed`);
    const trace = await this.#run();
    const waited = trace.events.find((event) => event.reason?.includes("found no network"));
    this.#line(`no network with it: ${waited?.reason ?? "nothing was noticed"}`, waited !== undefined);
    const result = this.#result(eim, record.id);
    this.#line(`ProfileRollback: "${this.#enabledName()}" is back; result ${result?.seqNumber}: ${result?.commands?.map((one) => `${one.command} ${one.name}`).join()}, signature ${verified(result?.verified)}`, world.enabled === OPERATIONAL && result?.rollback === true && result.verified);
    const told = eim.notifications(world.eid).slice(-2);
    this.#line(`notifications ${told.map((one) => `${one.seqNumber} ${one.event}`).join(", ")}: ${verified(told.every((one) => one.verified))}, acknowledged, ${world.euicc.pending.length} left on the card`, world.euicc.pending.length === 0);
  }

  #verdict(eim: Eim): number {
    const { world } = this;
    const refused = eim.seen.filter((exchange) => exchange.verdict !== "ok");
    const warnings = eim.seen.flatMap((exchange) => exchange.warnings);
    const totals = world.trace.totals();
    this.io.out("");
    this.io.out(`eIM: ${eim.seen.length} exchanges, ${refused.length} refused, ${warnings.length} warnings. eUICC: ${totals.apdus} APDUs, ${world.euicc.refusals.length} refused. ${totals.bytesUp} octets up, ${totals.bytesDown} down, ${totals.connections} TLS connections.`);
    for (const exchange of refused) this.io.err(`${exchange.function}: ${exchange.reason}`);
    const good = this.#good && refused.length === 0;
    this.io.out(good ? "Verdict: everything as SGP.32 wants it." : "Verdict: NOT as it should be; see the lines marked with !.");
    return good ? OK : FAILED;
  }

  async #run(): Promise<Trace> {
    if (this.world.host.started) this.world.wake("poll");
    return this.world.run(until.idle());
  }

  #line(text: string, good = true): void {
    const { world } = this;
    const since = world.trace.since(this.#shown.at).totals();
    this.#shown.at = world.trace.entries.length;
    this.#good &&= good;
    const numbers = since.roundTrips === 0 ? "" : `${since.bytesUp}/${since.bytesDown}`;
    this.io.out(`${(world.clock.now() / 1000).toFixed(2).padStart(8)} s ${numbers.padStart(15)} ${(since.roundTrips === 0 ? "" : String(since.roundTrips)).padStart(6)}  ${good ? " " : "!"} ${text}`);
  }

  #enabledName(): string {
    return this.world.euicc.enabledProfile?.metadata.profileName ?? "no profile";
  }

  #last(eim: Eim): string {
    const exchange = eim.seen.at(-1);
    return exchange === undefined ? "nothing reached the eIM" : `${exchange.function}: ${exchange.reason}`;
  }

  #result(eim: Eim, id: number): ResultRecord | undefined {
    return eim.results(this.world.eid).filter((result) => result.packageId === id && !result.replaced).at(-1);
  }
}

function verified(yes: boolean | undefined): string {
  return yes === true ? "verified" : "NOT verified";
}

function sharedData(wasm: string): string | undefined {
  const folder = join(dirname(wasm), "..", "..", "shared", "data");
  return existsSync(folder) ? folder : undefined;
}

function readInput(data: string | undefined): Input {
  const options = { seed: "demo", eimFqdns: [EIM_FQDN] };
  const sgp26 = data === undefined ? undefined : join(data, "sgp26-variant-o");
  const found = sgp26 !== undefined && existsSync(sgp26);
  const pki = found ? loadPki(sgp26, options) : makePki(options);
  const ts48 = data !== undefined && existsSync(join(data, "ts48")) ? readdirSync(join(data, "ts48")).filter((name) => name.endsWith(".der")) : [];
  const notifications = [{ events: ["enable", "disable", "delete"] as const, address: SMDP_ADDRESS }];
  const profiles = [...defaultProfiles(), { iccid: NO_COVERAGE, profileName: "No coverage", notifications }].map((profile, index) => {
    const file = ts48[index]?.replace(/\.der$/, "");
    return file === undefined ? profile : { ...profile, serviceProviderName: file };
  });
  const made = pki.made.map((name) => name.replace(/ \(.*$/, "")).join(", ");
  const certificates = found ? `certificates: SGP.26 variant O from ${relative(process.cwd(), data as string) || "."} (made here: ${made})` : "certificates: made here, from a seed";
  return { pki, profiles, words: `${certificates}; profiles: ${ts48.length > 0 ? `named after TS.48 (${ts48.slice(0, 3).map((name) => name.replace(/\.der$/, "")).join(", ")}), metadata only` : "made here"}` };
}
