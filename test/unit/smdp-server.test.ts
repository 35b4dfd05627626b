/** The SM-DP+ and its command line on real sockets: TLS with the PKI's certificate, downloads by another HTTP client, state kept over a restart, misuse. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { request as httpsRequest, type RequestOptions } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fromHex, toHex } from "../sim/core/bytes.js";
import { VirtualClock } from "../sim/core/clock.js";
import { makePki, type Pki } from "../sim/pki/pki.js";
import { behaviours, sampleProfile, serveSmdp, Smdp, stateFromJson, stateToJson, type HttpRequest, type HttpResponse, type RunningServer, type SmdpState } from "../sim/smdp/index.js";
import { command, startSmdp, type RunningSmdp } from "../cli/smdp.js";
import { runCommand } from "../cli/command.js";
import { ASN1_HEADERS, Client, JSON_HEADERS, succeeded } from "./smdp-client.js";

const pki = makePki({ seed: "smdp server" });
const profile = sampleProfile({ iccid: "89000123456789012341", size: 20_000 });
const directory = mkdtempSync(join(tmpdir(), "tinyipa-smdp-"));
after(() => rmSync(directory, { recursive: true }));

function certificatePem(der: Uint8Array): string {
  return `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString("base64")}\n-----END CERTIFICATE-----\n`;
}

/** One request over real HTTP; rejects when the connection breaks. */
function fetch(server: RunningServer, asked: HttpRequest, ca?: Uint8Array): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    const options: RequestOptions = { host: server.host, port: server.port, method: asked.method, path: asked.path, headers: { ...asked.headers }, agent: false, ...(ca && { ca: certificatePem(ca), servername: "smdp.example.com" }) };
    const outgoing = (ca === undefined ? httpRequest : httpsRequest)(options, (incoming) => {
      const chunks: Uint8Array[] = [];
      incoming.on("data", (chunk: Uint8Array) => chunks.push(chunk));
      incoming.on("end", () => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers as Record<string, string>, body: new Uint8Array(Buffer.concat(chunks)) }));
      incoming.on("error", reject);
    });
    outgoing.on("error", reject);
    outgoing.end(asked.body);
  });
}

/** A download by the reference client whose requests and answers go over the wire. */
async function downloadOver(server: RunningServer, smdp: Smdp, from: Pki, matchingId: string, binding: "json" | "asn1", ca?: Uint8Array, confirmationCode?: string): Promise<Uint8Array> {
  const steps = ["initiate", "authenticate", "bpp"] as const;
  let response: HttpResponse | undefined;
  let asked: HttpRequest | undefined;
  const door = {
    handle: (request: HttpRequest): HttpResponse => {
      asked = request;
      return response ?? { status: 0, headers: {}, body: new Uint8Array(0) };
    },
  };
  const client = new Client({ server: door, pki: from, matchingId, binding, address: smdp.address, ...(confirmationCode !== undefined && { confirmationCode }) });
  const objects: Uint8Array[] = [];
  for (const step of steps) {
    // Once for the request, once more with the answer that the wire gave to it.
    response = undefined;
    client[step]();
    response = await fetch(server, asked as HttpRequest, ca);
    const reply = client[step]();
    succeeded(reply);
    objects.push(...reply.objects);
  }
  return client.install(objects.at(-1) as Uint8Array).profile;
}

describe("on sockets", () => {
  test("a download over HTTPS, trusted by the CI alone, gives the profile in both bindings", async () => {
    const smdp = new Smdp({ pki, clock: new VirtualClock() });
    const server = await serveSmdp(smdp, { tls: pki.dpTls });
    try {
      for (const binding of ["json", "asn1"] as const) {
        smdp.order({ profile, matchingId: binding });
        assert.equal(toHex(await downloadOver(server, smdp, pki, binding, binding, pki.ci.certificate)), toHex(profile));
      }
      assert.match(server.url, /^https:\/\/127\.0\.0\.1:\d+$/);
    } finally {
      await server.close();
    }
  });

  test("chunked answers and closed connections carry the same octets", async () => {
    const smdp = new Smdp({ pki, clock: new VirtualClock() });
    const server = await serveSmdp(smdp, { chunked: true, connectionClose: true });
    try {
      smdp.order({ profile, matchingId: "A" });
      assert.equal(toHex(await downloadOver(server, smdp, pki, "A", "json")), toHex(profile));
    } finally {
      await server.close();
    }
  });

  test("a 204 has no body, a 413 closes, and orders of a behaviour are carried out", async () => {
    const smdp = new Smdp({ pki, clock: new VirtualClock() });
    const server = await serveSmdp(smdp);
    try {
      smdp.order({ profile, matchingId: "A" });
      const client = new Client({ server: smdp, pki, matchingId: "A" });
      client.download();
      const asked: HttpRequest = { method: "POST", path: "/gsma/rsp2/es9plus/handleNotification", headers: JSON_HEADERS, body: Buffer.from(JSON.stringify({ pendingNotification: Buffer.from(client.pir(fromHex("98001032547698103214"))).toString("base64") })) };
      const taken = await fetch(server, asked);
      assert.deepEqual([taken.status, taken.body.length], [204, 0]);
      const large = await fetch(server, { ...asked, body: new Uint8Array(70_000) });
      assert.deepEqual([large.status, large.headers.connection], [413, "close"]);
      assert.equal((await fetch(server, { ...asked, path: "/gsma/rsp2/asn1", headers: ASN1_HEADERS })).status, 400);
      const leave = smdp.use(behaviours.drop());
      await assert.rejects(fetch(server, asked));
      leave();
      smdp.use(behaviours.truncated(3));
      await assert.rejects(fetch(server, { ...asked, path: "/nowhere" }));
    } finally {
      await server.close();
    }
  });

  test("the state as JSON text gives the same SM-DP+ back", () => {
    const smdp = new Smdp({ pki, clock: new VirtualClock() });
    smdp.order({ profile, matchingId: "A", ppk: true, confirmationCode: "1" });
    new Client({ server: smdp, pki, matchingId: "A", confirmationCode: "1" }).download();
    const state = stateFromJson<SmdpState>(stateToJson(smdp.snapshot()));
    assert.deepEqual(state, smdp.snapshot());
    const other = new Smdp({ pki, clock: new VirtualClock() });
    other.restore(state);
    assert.deepEqual(new Client({ server: other, pki, matchingId: "A", confirmationCode: "1" }).download().profile, profile);
  });
});

describe("the command", () => {
  async function start(args: string[]): Promise<{ running: RunningSmdp; out: string[]; err: string[] }> {
    const [out, err]: [string[], string[]] = [[], []];
    const running = await startSmdp(["--listen", "127.0.0.1:0", "--http", ...args], { out: (line) => out.push(line), err: (line) => err.push(line) });
    return { running, out, err };
  }

  test("prints an activation code for each profile, by which it can be downloaded, and tells each exchange", async () => {
    const file = join(directory, "profile.der");
    writeFileSync(file, profile);
    const { running, out, err } = await start(["--profile", file, "--profile", "sample:5000", "--matching-id", "FIRST", "--confirmation-code", "2468", "--ppk", "--seed", "7", "--oid"]);
    try {
      const { smdp, server } = running;
      assert.equal(smdp.address, `127.0.0.1:${server.port}`);
      const codes = out.filter((line) => line.startsWith("activation code")).map((line) => line.split(/\s+/)[2]);
      assert.deepEqual(codes, [`LPA:1$${smdp.address}$FIRST$2.999.10$1`, `LPA:1$${smdp.address}$TINYIPA-0007-2$2.999.10$1`]);
      assert.equal(toHex(await downloadOver(server, smdp, running.pki, "FIRST", "json", undefined, "2468")), toHex(profile));
      assert.equal((await downloadOver(server, smdp, running.pki, "TINYIPA-0007-2", "asn1", undefined, "2468")).length, 5000);
      assert.equal(err.length, 6);
      assert.match(err[2] as string, new RegExp(`${running.pki.eid} [0-9A-F]{8} getBoundProfilePackage \\(json, \\d+ octets\\) -> 200 \\(\\d+ octets\\) ok$`));
    } finally {
      await running.stop();
    }
  });

  test("goes on from its state file, where the orders are", async () => {
    const state = join(directory, "state.json");
    const first = await start(["--profile", "sample", "--matching-id", "A", "--address", "smdp.example.com", "--state", state]);
    await downloadOver(first.running.server, first.running.smdp, first.running.pki, "A", "json");
    await first.running.stop();
    assert.ok(existsSync(state));
    const second = await start(["--address", "smdp.example.com", "--state", state, "--json"]);
    try {
      const { orders, oid, ciPkId } = JSON.parse(second.out[0] as string) as { orders: { state: string; matchingId: string }[]; oid: string; ciPkId: string };
      assert.deepEqual(orders.map((order) => [order.state, order.matchingId]), [["downloaded", "A"]]);
      assert.deepEqual([oid, ciPkId.length], ["2.999.10", 40]);
    } finally {
      await second.running.stop();
    }
    assert.match(readFileSync(state, "utf8"), /"orders":\{"\$map"/);
  });

  for (const [args, expected] of [
    [[], /expected at least one --profile FILE, got none/],
    [["--profile", "sample", "--matching-id", "A", "--matching-id", "B"], /at most one --matching-id for each --profile, got 2 for 1/],
    [["--profile", "sample", "--listen", "here"], /expected HOST:PORT for --listen, got "here"/],
    [["--profile", "sample", "--curve", "P-384"], /expected P-256 or brainpoolP256r1/],
    [["--profile", "no-such-file"], /no-such-file/],
    [["--profile", "sample:10"], /expected a size of at least/],
    [["--profile", "sample", "--matching-id", "a$b", "--listen", "127.0.0.1:0"], /matchingId of letters, digits and hyphens/],
    [["--profile", "sample", "--eid", "89", "--listen", "127.0.0.1:0"], /EID of 32 digits/],
    [["--profile", "sample", "--segment", "0"], /whole number from 1 for --segment/],
    [["--profile", "sample", "--seed", "-1"], /seed/],
    [["--profile", "sample", "extra"], /extra/],
    [["--what"], /what/],
    [["--profile", "sample", "--http", "--listen", "192.0.2.1:1"], /can't listen/],
  ] as const) {
    test(`misuse is one line and exit code 2: ${args.join(" ") || "(nothing)"}`, async () => {
      const err: string[] = [];
      assert.equal(await runCommand(command, [...args], { out: () => assert.fail("nothing on stdout"), err: (line) => err.push(line) }), 2);
      assert.equal(err.length, 1);
      assert.match(err[0] as string, expected);
    });
  }

  test("--help names every option", async () => {
    const out: string[] = [];
    assert.equal(await runCommand(command, ["--help"], { out: (line) => out.push(line), err: () => assert.fail() }), 0);
    for (const option of ["profile", "listen", "http", "address", "matching-id", "eid", "confirmation-code", "max-retries", "ppk", "segment", "oid", "pki", "curve", "check-validity", "seed", "state", "json"]) {
      assert.match(out.join("\n"), new RegExp(`--${option}\\b`));
    }
  });
});
