/** The command line over the world: list, run, agent, and how misuse is answered. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { command as agent } from "../cli/agent.js";
import { runCommand, type Command } from "../cli/command.js";
import { command as demo } from "../cli/demo.js";
import { endOf } from "../cli/demo-end.js";
import { command as list } from "../cli/list.js";
import { command as run } from "../cli/run.js";
import { RealClock } from "../sim/core/clock.js";
import { startEim, type RunningEim } from "../cli/eim.js";
import { startSmdp, type RunningSmdp } from "../cli/smdp.js";
import { downloadTrigger, Eim, psmo, serveEim, type RunningServer } from "../sim/eim/index.js";
import { iccid, sampleProfile, until, World } from "../sim/index.js";
import { makePki } from "../sim/pki/pki.js";

async function tinyipa(command: Command, ...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const lines = { out: [] as string[], err: [] as string[] };
  const code = await runCommand(command, args, { out: (line) => lines.out.push(line), err: (line) => lines.err.push(line) });
  return { code, out: lines.out.join("\n"), err: lines.err.join("\n") };
}

const folder = mkdtempSync(join(tmpdir(), "tinyipa-cli-"));
const NAME = "a poll that finds no eIM Package is one exchange and changes nothing";

describe("tinyipa list and run", () => {
  test("list names every scenario with its objectives", async () => {
    const { code, out } = await tinyipa(list, "--json");
    assert.equal(code, 0);
    const rows = JSON.parse(out) as { name: string; objectives: string[]; cut: boolean }[];
    assert.deepEqual(rows.find((row) => row.name === NAME), { name: NAME, objectives: ["A1", "A2", "B1", "C1", "C5"], cut: true });
  });

  test("run tells whether a scenario holds, in words and as JSON, and writes the trace", async () => {
    const trace = join(folder, "trace.json");
    const { code, out } = await tinyipa(run, NAME, "--seed", "3", "--json", "--trace", trace);
    assert.equal(code, 0);
    const result = JSON.parse(out) as Record<string, unknown>;
    assert.deepEqual([result["holds"], result["seed"], result["roundTrips"]], [true, 3, 1]);
    const entries = JSON.parse(readFileSync(trace, "utf8")) as { kind: string }[];
    assert.ok(entries.some((entry) => entry.kind === "exchange"));
    assert.equal((await tinyipa(run, "finds no eIM Package")).out, `holds: ${NAME}`);
  });

  test("run cuts the power where it is told, and everywhere", async () => {
    assert.equal((await tinyipa(run, NAME, "--cut", "9")).code, 0);
    const beyond = await tinyipa(run, NAME, "--cut", "100000");
    assert.equal(beyond.code, 1);
    assert.match(beyond.out, /--cut 100000$/);
    assert.match((await tinyipa(run, NAME, "--cuts")).out, /^holds with \d+ cuts/);
  });

  test("misuse is exit code 2 and one line that says what was expected and got", async () => {
    for (const [command, args, expected] of [
      [run, [], /^tinyipa run: expected the name of one scenario, got nothing \(/],
      [run, ["no such thing"], /expected a scenario of tinyipa list, got "no such thing"/],
      [run, ["a"], /expected one scenario, "a" is part of \d+ names/],
      [run, [NAME, "--seed", "x"], /expected a whole number from 0 for --seed, got "x"/],
      [run, [NAME, "--bogus"], /Unknown option '--bogus'/],
      [run, [NAME, "--real", "--cuts"], /expected --real or a power cut, got both/],
      [list, ["x"], /expected no argument, got "x"/],
      [agent, [], /expected sim or vpcd:PORT for --uicc, got nothing/],
      [agent, ["--uicc", "sim", "--eim", "ftp://x"], /expected https:\/\/HOST\[:PORT\] or coaps:\/\/HOST\[:PORT\] for --eim, got "ftp:\/\/x"/],
      [agent, ["--uicc", "sim", "--eim", "http://localhost"], /expected https:/],
      [agent, ["--uicc", "sim", "--imei", "1"], /expected 14 to 16 digits for --imei, got "1"/],
      [agent, ["--uicc", "sim", "--trust", join(folder, "none.pem")], /expected a readable file, got .*none\.pem \(ENOENT\)/],
      [agent, ["--uicc", "sim", "--smdp-trust", join(folder, "none.pem")], /expected a readable file, got .*none\.pem \(ENOENT\)/],
      [agent, ["--uicc", "sim", "--smdp-trust", "own", "--indirect"], /expected --indirect or --smdp-trust, got both/],
      [agent, ["--uicc", "sim", "--smdp-at", "here"], /expected NAME=HOST:PORT for --smdp-at, got "here"/],
      [agent, ["--uicc", "sim", "--smdp-at", "here=http://localhost:1x"], /expected HOST:PORT for --smdp-at/],
      [agent, ["--uicc", "sim", "--code", "1".repeat(17)], /expected 1 to 16 characters for --code/],
    ] as const) {
      const { code, out, err } = await tinyipa(command, ...args);
      assert.deepEqual([code, out, err.split("\n").length], [2, "", 1], err);
      assert.match(err, expected);
    }
  });

  test("--help tells how each is used", async () => {
    for (const command of [agent, demo, list, run]) {
      const { code, out } = await tinyipa(command, "--help");
      assert.equal(code, 0);
      assert.ok(out.startsWith(`Usage: tinyipa ${command.name}`));
    }
  });
});

describe("tinyipa agent", () => {
  const pki = makePki({ seed: "tinyipa 0", eimFqdns: ["eim.example.com"] });
  const eim = new Eim({ sign: pki.eimSign, tls: pki.eimTls, clock: new RealClock(), fqdn: "eim.example.com" });
  let server: RunningServer;
  let plain: RunningServer;

  before(async () => {
    eim.addDevice({ eid: pki.eid, ciCertificates: [pki.ci.certificate], eumCertificate: pki.eum.certificate, euiccCertificate: pki.euicc.certificate });
    server = await serveEim(eim, { tls: pki.eimTls });
    plain = await serveEim(eim);
  });
  after(async () => {
    await server.close();
    await plain.close();
  });

  test("one poll against a live eIM executes its package and delivers the verified result", async () => {
    eim.queue(pki.eid, psmo.listProfileInfo());
    const trace = join(folder, "agent.json");
    const { code, out, err } = await tinyipa(agent, "--uicc", "sim", "--eim", server.url, "--once", "--journal", join(folder, "journal"), "--trace", trace);
    assert.equal(code, 0, err);
    assert.match(out, /^1 poll, 3 round trips, .* all went well$/);
    assert.deepEqual(eim.results(pki.eid).map((result) => [result.verified, result.commands?.[0]?.profiles?.length]), [[true, 2]]);
    assert.ok((JSON.parse(readFileSync(trace, "utf8")) as unknown[]).length > 20);
  });

  test("a server that is not the pinned one is refused, and the exit code tells", async () => {
    const other = join(folder, "other.der");
    writeFileSync(other, pki.dpTls.certificate);
    const { code, err } = await tinyipa(agent, "--uicc", "sim", "--eim", server.url, "--once", "--trust", other);
    assert.equal(code, 1);
    assert.match(err, /refused eIM .*: trust: /);
    const own = join(folder, "own.der");
    writeFileSync(own, pki.eimTls.certificate);
    assert.equal((await tinyipa(agent, "--uicc", "sim", "--eim", server.url, "--once", "--trust", own)).code, 0);
  });

  test("http:// is for the laboratory only", async () => {
    assert.equal((await tinyipa(agent, "--uicc", "sim", "--eim", plain.url, "--once")).code, 2);
    assert.equal((await tinyipa(agent, "--uicc", "sim", "--eim", plain.url, "--once", "--lab")).code, 0);
  });

  test("a damaged journal is refused", async () => {
    const journal = join(folder, "damaged");
    writeFileSync(journal, "nonsense that is long enough to be one");
    const { code, err } = await tinyipa(agent, "--uicc", "sim", "--eim", server.url, "--once", "--journal", journal);
    assert.equal(code, 2);
    assert.match(err, /is damaged: it does not begin as a journal/);
  });
});

describe("tinyipa smdp, eim and agent, of one world by the same seed", () => {
  const quiet = { out: () => undefined, err: () => undefined };
  interface Lab {
    readonly smdp: RunningSmdp;
    readonly eim: RunningEim;
    readonly functions: () => string[];
    /** The eIM's trigger for an order, and one run of the device. */
    download(matchingId: string, ...args: string[]): Promise<{ code: number; out: string; err: string; installed: boolean }>;
  }

  async function lab(run: (lab: Lab) => Promise<void>): Promise<void> {
    const orders = ["A", "B"].flatMap((matchingId) => ["--profile", "sample:3000", "--matching-id", matchingId]);
    const smdp = await startSmdp(["--listen", "127.0.0.1:0", ...orders, "--confirmation-code", "2468", "--address", "smdp.example.com"], quiet);
    const at = ["--smdp-at", `smdp.example.com=127.0.0.1:${smdp.server.port}`];
    const eim = await startEim(["--listen", "127.0.0.1:0", ...at], quiet);
    const [eid = ""] = eim.eim.devices;
    const download: Lab["download"] = async (matchingId, ...args) => {
      const record = eim.eim.queue(eid, downloadTrigger({ activationCode: `1$smdp.example.com$${matchingId}$$1` }));
      const told = await tinyipa(agent, "--uicc", "sim", "--eim", eim.esipa.url, "--once", "--code", "2468", ...at, ...args);
      const outcome = eim.eim.results(eid).find((result) => result.packageId === record.id)?.download;
      return { ...told, installed: outcome !== undefined && "installed" in outcome };
    };
    try {
      await run({ smdp, eim, download, functions: () => smdp.smdp.seen.map((entry) => entry.function) });
    } finally {
      await eim.stop();
      await smdp.stop();
    }
  }

  test("without trust in the SM-DP+ the download goes through the eIM", () =>
    lab(async ({ smdp, download }) => {
      const { code, out, err, installed } = await download("A");
      assert.equal(code, 0, err);
      assert.match(out, /^1 poll, 1 profile installed, .* all went well$/);
      assert.doesNotMatch(err, /SM-DP\+/);
      assert.deepEqual([installed, smdp.smdp.orders[0]?.state], [true, "installed"]);
    }));

  test("an SM-DP+ that is not trusted is not spoken with, and the exit code tells", () =>
    lab(async ({ download, functions }) => {
      const other = join(folder, "other-ci.der");
      writeFileSync(other, makePki({ seed: "of another world" }).ci.certificate);
      const { code, out, err, installed } = await download("B", "--smdp-trust", other);
      assert.deepEqual([code, installed], [1, false]);
      assert.match(out, /not all went well$/);
      assert.match(err, /refused SM-DP\+ smdp\.example\.com: trust: the CA .* did not sign/);
      assert.deepEqual(functions(), []);
    }));

  test("with trust in the SM-DP+ the device downloads by itself, and tells it the result before the eIM does", () =>
    lab(async ({ smdp, download, functions }) => {
      const { code, out, err } = await download("A", "--smdp-trust", "own");
      assert.equal(code, 0, err);
      assert.match(out, /1 profile installed/);
      assert.deepEqual(functions().slice(0, 4), ["initiateAuthentication", "authenticateClient", "getBoundProfilePackage", "handleNotification"]);
      assert.match(err, /open SM-DP\+ smdp\.example\.com/);
      assert.equal(smdp.smdp.orders[0]?.state, "installed");
    }));

  test("a file of several CIs is taken, and a card that is kept goes on where it was", () =>
    lab(async ({ smdp, download }) => {
      const pem = join(folder, "several.pem");
      const certificate = (der: Uint8Array): string => `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString("base64")}\n-----END CERTIFICATE-----\n`;
      writeFileSync(pem, certificate(makePki({ seed: "of another world" }).ci.certificate) + certificate(smdp.pki.ci.certificate));
      const card = join(folder, "card.json");
      for (const matchingId of ["A", "B"]) {
        const { code, err } = await download(matchingId, "--smdp-trust", pem, "--state", card);
        assert.equal(code, 0, err);
      }
      assert.deepEqual(smdp.smdp.orders.map((order) => order.state), ["installed", "installed"]);
      assert.equal((await tinyipa(agent, "--uicc", "vpcd:1", "--state", card)).code, 2);
    }));

  test("--pki trusts the CI of the directory for SM-DP+, and --indirect goes through the eIM all the same", async () => {
    const pki = makePki({ seed: "in a directory" });
    const dir = mkdtempSync(join(tmpdir(), "tinyipa-pki-"));
    for (const name of ["ci", "eum", "euicc", "dpAuth", "dpPb", "dpTls"] as const) writeFileSync(join(dir, `${name}.der`), pki[name].certificate);
    const scalar = (name: "ci" | "eum" | "euicc" | "dpAuth" | "dpPb" | "dpTls"): unknown => ({ curve: "P-256", d: Buffer.from((pki[name].key as { privateKey: Uint8Array }).privateKey).toString("hex") });
    writeFileSync(join(dir, "keys.json"), JSON.stringify(Object.fromEntries((["ci", "eum", "euicc", "dpAuth", "dpPb", "dpTls"] as const).map((name) => [name, scalar(name)]))));
    const smdp = await startSmdp(["--listen", "127.0.0.1:0", "--profile", "sample", "--matching-id", "A", "--profile", "sample", "--matching-id", "B", "--pki", dir], quiet);
    const eim = await startEim(["--listen", "127.0.0.1:0", "--es9p", "json", "--pki", dir], quiet);
    try {
      const [eid = ""] = eim.eim.devices;
      for (const [matchingId, args, spoken] of [["A", [], true], ["B", ["--indirect"], false]] as const) {
        eim.eim.queue(eid, downloadTrigger({ activationCode: `1$127.0.0.1:${smdp.server.port}$${matchingId}` }));
        const { code, err } = await tinyipa(agent, "--uicc", "sim", "--eim", eim.esipa.url, "--once", "--pki", dir, "--state", join(dir, "card.txt"), ...args);
        assert.deepEqual([code, /open SM-DP\+/.test(err)], [0, spoken], err);
      }
      assert.deepEqual(smdp.smdp.orders.map((order) => order.state), ["installed", "installed"]);
    } finally {
      await eim.stop();
      await smdp.stop();
    }
  });
});

test("the demo tells the whole story twice, its claims hold, and its exit code is 0", async () => {
  const { code, out, err } = await tinyipa(demo, "--data", folder);
  assert.equal(code, 0, err);
  const [, indirect = "", direct = ""] = out.split(/^Indirect download: .*$|^The same by direct download: .*$/m);
  for (const [story, way] of [[indirect, "by the eIM"], [direct, "by the device itself"]] as const) {
    const lines = story.split("\n").map((line) => line.slice(37));
    const at = [
      /^factory fresh: eUICC \d{32}, "Bootstrap" enabled, no eIM$/, /^associated with eim\.example\.com/, /^the operator orders "Operational", 12000 octets/,
      /^ {2}loading #{5}\./, /^ {2}loading #{20} (\d+) of \1 octets$/, new RegExp(`^installed: "Operational", disabled beside "Bootstrap"; ES9\\+ spoken ${way}`),
      /^the eIM has the result, signature verified; .* its order is installed$/, /found no network within 300000 ms$/, /^ProfileRollback: "Bootstrap" is back; the eIM knows: rollback ok, signature verified$/,
      /^"Operational" is enabled, and stays; the eIM knows: enable ok, signature verified$/, /^the eIM deletes the bootstrap profile: delete ok, signature verified$/,
      /^the eIM lists what is left: "Operational" enabled$/, /: 1 install, 3 enable, 5 disable, 7 enable; 0 left on the card$/,
    ].map((expected) => lines.findIndex((line) => expected.test(line)));
    assert.ok(at.every((found, index) => found > (at[index - 1] ?? -1)), `${at.join()}\n${story}`);
  }
  assert.match(out, /Verdict: everything as SGP\.32 wants it, both times/);
  assert.doesNotMatch(out, /^.*! /m);
});

test("the demo's verdict is taken from card, eIM and SM-DP+, not from the story", async () => {
  const world = new World({ smdps: [{}] });
  const order = world.smdp.order({ profile: sampleProfile({ iccid: iccid(8) }), matchingId: "NEVER-FETCHED" });
  world.eim.queue(world.eid, psmo.enable(iccid(9)));
  await world.run(until.idle());
  const problems = endOf(world, order, { direct: true }).join("\n");
  for (const expected of [/profiles on the eUICC: \d+ enabled expected, got \d+ enabled, \d+ disabled/, /octet by octet/, /the eUICC refused enable/, /the order at the SM-DP\+: installed expected, got released/, /notifications at the SM-DP\+: install,enable,disable,enable expected, got $/m, /the device speaks with the SM-DP\+ itself: true expected, got false/]) {
    assert.match(problems, expected);
  }
});
