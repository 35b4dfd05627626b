/** The command line over the world: list, run, agent, and how misuse is answered. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { command as agent } from "../cli/agent.js";
import { runCommand, type Command } from "../cli/command.js";
import { command as demo } from "../cli/demo.js";
import { command as list } from "../cli/list.js";
import { command as run } from "../cli/run.js";
import { RealClock } from "../sim/core/clock.js";
import { Eim, psmo, serveEim, type RunningServer } from "../sim/eim/index.js";
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
      [agent, ["--uicc", "sim", "--eim", "ftp://x"], /expected https:\/\/HOST\[:PORT\] for --eim, got "ftp:\/\/x"/],
      [agent, ["--uicc", "sim", "--eim", "http://localhost"], /expected https:/],
      [agent, ["--uicc", "sim", "--imei", "1"], /expected 14 to 16 digits for --imei, got "1"/],
      [agent, ["--uicc", "sim", "--trust", join(folder, "none.pem")], /expected a readable file, got .*none\.pem \(ENOENT\)/],
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

test("the demo ends with the eIM's verdict", async () => {
  const { code, out, err } = await tinyipa(demo, "--data", folder);
  assert.equal(code, 0, err);
  assert.match(out, /ProfileRollback: "Operational" is back/);
  assert.match(out, /Verdict: everything as SGP\.32 wants it\.$/);
  assert.doesNotMatch(out, /^.*! /m);
});
