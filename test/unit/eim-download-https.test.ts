/** The eIM in earnest: ESipa in over HTTP, ES9+ out over HTTPS, trust, time-outs, and the command that wires them. */
import assert from "node:assert/strict";
import { createServer as createHttps, type Server } from "node:https";
import { createPrivateKey } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createTcp, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { concat, fromHex } from "../sim/core/bytes.js";
import { isFailed } from "../sim/core/doors.js";
import { readOne, tlv } from "../sim/codec/tlv.js";
import { httpsEs9p, serveEim, type Es9p, type HttpsEs9pOptions } from "../sim/eim/index.js";
import { makePki, type Identity } from "../sim/pki/pki.js";
import { command, startEim } from "../cli/eim.js";
import { runCommand, type Io } from "../cli/command.js";
import { EID, getEimPackage, HEADERS, notification, pki } from "./eim-fixtures.js";
import { ACTIVATION_CODE, authenticateServerResponse, boundProfilePackage, download, initiateAuthentication, inside, METADATA, prepareDownloadResponse, ScriptedServer, SMDP, tags, TRANSACTION } from "./eim-download-fixtures.js";

/** A server of ES9+ on loopback that answers as the scripted one does. */
async function listening<T>(script: ScriptedServer, run: (at: string) => Promise<T>): Promise<T> {
  const server = createHttps(tlsOf(pki.dpTls), (incoming, outgoing) => {
    const chunks: Uint8Array[] = [];
    incoming.on("data", (chunk: Uint8Array) => chunks.push(chunk));
    incoming.on("end", () => {
      const answer = script.call(String(incoming.headers.host), { method: incoming.method ?? "", path: incoming.url ?? "", headers: incoming.headers as Record<string, string>, body: concat(...chunks) });
      if (isFailed(answer) || answer.silent === true) return;
      if (answer.drop === true) return void outgoing.destroy();
      outgoing.writeHead(answer.status, { ...answer.headers });
      outgoing.end(answer.body);
    });
  });
  const at = await listen(server);
  try {
    return await run(at);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

async function listen(server: Server | ReturnType<typeof createTcp>): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function tlsOf({ key, certificate }: Identity): { key: string; cert: string } {
  const part = (octets: Uint8Array): string => Buffer.from(octets).toString("base64url");
  const jwk = { kty: "EC", crv: "P-256", d: part(key.privateKey), x: part(key.publicKey.subarray(1, 33)), y: part(key.publicKey.subarray(33)) };
  return { key: createPrivateKey({ key: jwk, format: "jwk" }).export({ format: "pem", type: "pkcs8" }) as string, cert: pem(certificate) };
}

function pem(der: Uint8Array): string {
  return `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString("base64").replace(/.{64}/g, "$&\n")}\n-----END CERTIFICATE-----\n`;
}

async function post(url: string, body: Uint8Array): Promise<Uint8Array> {
  const response = await fetch(`${url}/gsma/rsp2/asn1`, { method: "POST", headers: HEADERS, body: Buffer.from(body) });
  assert.ok(response.ok, `${response.status} ${url}`);
  return new Uint8Array(await response.arrayBuffer());
}

describe("a download through real sockets", () => {
  for (const binding of ["json", "asn1"] as const) {
    test(`over HTTPS, ${binding}: three messages, 120 kB back, PIR delivered, other devices served meanwhile`, () => {
      const script = new ScriptedServer(binding);
      script.bpp = boundProfilePackage(METADATA, 120_000);
      return listening(script, async (at) => {
        const d = download({ binding, options: { es9p: httpsEs9p({ trust: [pki.dpTls.certificate], resolve: () => at }) } });
        const server = await serveEim(d.eim);
        try {
          const id = tlv(0x80, TRANSACTION);
          const bf39 = post(server.url, initiateAuthentication(SMDP, d.eimTransactionId));
          const other = await post(server.url, getEimPackage(EID));
          assert.equal(readOne(other).tag, 0xbf4f);
          assert.equal(tags(inside(await bf39)), "80 30 5F37 04 30");
          assert.equal(tags(inside(await post(server.url, tlv(0xbf3b, id, authenticateServerResponse())))), "80 BF25 30 5F37 30");
          const [, bpp] = inside(await post(server.url, tlv(0xbf3a, id, prepareDownloadResponse())));
          assert.ok(Buffer.compare(bpp?.raw as Uint8Array, script.bpp) === 0);
          await post(server.url, tlv(0xbf3d, tlv(0xa0, notification(7))));
          assert.deepEqual(script.fns(), ["initiateAuthentication", "authenticateClient", "getBoundProfilePackage", "handleNotification"]);
          assert.ok(script.asked.every((one) => one.address === SMDP), "Host is the SM-DP+'s name");
          assert.deepEqual(d.eim.outbox(), []);
        } finally {
          await server.close();
        }
      });
    });
  }

  test("what another device is refused meanwhile leaves the session alone", async () => {
    let release: (() => void) | undefined;
    const script = new ScriptedServer("json");
    const late: Es9p = { call: (address, request) => new Promise((resolve) => (release = () => resolve(script.call(address, request)))) };
    const d = download({ options: { es9p: late } });
    const message = { method: "POST", path: "/gsma/rsp2/asn1", headers: HEADERS };
    const waiting = d.eim.exchange({ ...message, body: initiateAuthentication(SMDP, d.eimTransactionId) });
    assert.ok(waiting instanceof Promise);
    assert.equal(d.eim.handle({ ...message, body: tlv(0xbf50, tlv(0x5a, fromHex(EID)), tlv(0xbf7f)) }).status, 200);
    assert.equal(d.entry().verdict, "refused");
    release?.();
    await waiting;
    assert.equal(d.eim.device(EID).download?.phase, "initiated");
    assert.equal(d.entry().function, "InitiateAuthentication");
    assert.throws(() => d.eim.handle({ ...message, body: initiateAuthentication(SMDP, d.eimTransactionId, new Uint8Array(16)) }), { code: "later" });
  });
});

test("what a download is refused after a server was asked undoes nothing that happened meanwhile", async () => {
  const script = new ScriptedServer("json");
  const late: Es9p = { call: (address, request) => new Promise((resolve) => setImmediate(() => resolve(script.call(address, request)))) };
  const d = download({ handling: { ctxParams1: true }, options: { es9p: late } });
  const message = { method: "POST", path: "/gsma/rsp2/asn1", headers: HEADERS };
  const waiting = d.eim.exchange({ ...message, body: initiateAuthentication(SMDP, d.eimTransactionId) });
  d.eim.handle({ ...message, body: tlv(0xbf4f, tlv(0x5a, fromHex(EID)), tlv(0x80), tlv(0x81, [1])) });
  assert.deepEqual(readOne((await waiting).body).value, fromHex("81017F"), "deviceInfo is not known");
  assert.deepEqual(d.eim.device(EID).stateChanges.map((change) => change.causeName), ["fallback"]);
});

test("a request that comes again while the server is asked gets the same answer, and the server is asked once", async () => {
  const script = new ScriptedServer("json");
  const late: Es9p = { call: (address, request) => new Promise((resolve) => setImmediate(() => resolve(script.call(address, request)))) };
  const d = download({ options: { es9p: late } });
  const message = { method: "POST", path: "/gsma/rsp2/asn1", headers: HEADERS, body: initiateAuthentication(SMDP, d.eimTransactionId) };
  const [first, second] = await Promise.all([d.eim.exchange(message), d.eim.exchange(message)]);
  assert.deepEqual(second.body, first.body);
  assert.equal(script.asked.length, 1);
  assert.match(d.entry().reason, /the same request again, the same answer again/);
});

describe("the way to a real SM-DP+", () => {
  const call = async (options: HttpsEs9pOptions, address = SMDP) => httpsEs9p(options).call(address, { method: "POST", path: "/gsma/rsp2/es9plus/handleNotification", headers: { "content-type": "application/json", "x-admin-protocol": "gsma/rsp/v2.2.0" }, body: Buffer.from(JSON.stringify({ pendingNotification: "MAA=" })) });
  const outcome = async (options: HttpsEs9pOptions, address?: string): Promise<string> => {
    const answer = await call(options, address);
    return isFailed(answer) ? `${answer.failure}: ${answer.reason}` : String(answer.status);
  };

  test("trusts the server's own certificate or its CA, no other, and not the system's store for a test CA", () =>
    listening(new ScriptedServer("json"), async (at) => {
      const resolve = (): string => at;
      assert.equal(await outcome({ resolve, trust: [pki.dpTls.certificate] }), "204");
      assert.equal(await outcome({ resolve, trust: [pki.ci.certificate] }), "204");
      assert.match(await outcome({ resolve, trust: [pki.eimTls.certificate] }), /^trust: /);
      assert.match(await outcome({ resolve, trust: [pki.ci.certificate] }, "stranger.example.com"), /^trust: the server's certificate is not for stranger.example.com/);
      assert.match(await outcome({ resolve }), /^trust: the system's store does not vouch/);
    }));

  test("says by name what went wrong: no name, nobody there, silence, a closed connection, no TLS", async () => {
    assert.match(await outcome({}, "no such name"), /^name: /);
    const script = new ScriptedServer("json");
    const gone = await listening(script, async (at) => {
      const options = { resolve: () => at, trust: [pki.ci.certificate] };
      script.next("handleNotification", { change: (good) => ({ ...good, silent: true }) });
      assert.equal(await outcome({ ...options, timeoutMs: 150 }), "timeout: no answer within 150 ms");
      script.next("handleNotification", { change: (good) => ({ ...good, drop: true }) });
      assert.match(await outcome(options), /^link: /);
      script.next("handleNotification", { change: (good) => ({ ...good, status: 200, body: new Uint8Array(2 ** 21 + 1) }) });
      assert.match(await outcome(options), /^too large: /);
      return at;
    });
    assert.match(await outcome({ resolve: () => gone }), /^link: /);
    const plain = createTcp((socket) => socket.end("HTTP/1.1 200 OK\r\n\r\n"));
    const at = await listen(plain);
    assert.match(await outcome({ resolve: () => at }), /^(trust|link): /);
    plain.close();
  });
});

describe("tinyipa eim with a way to SM-DP+", () => {
  const quiet = (talk: string[] = [], results: string[] = []): Io => ({ out: (line) => void results.push(line), err: (line) => void talk.push(line) });

  for (const form of ["PEM", "DER"] as const) {
    test(`--smdp-trust takes a ${form} file; the configuration says indirectProfileDownload, and a queued download goes through`, async () => {
      const directory = mkdtempSync(join(tmpdir(), "eim-relay-"));
      const file = join(directory, "trust");
      writeFileSync(file, form === "PEM" ? pem(pki.dpTls.certificate) : pki.dpTls.certificate);
      try {
        await listening(new ScriptedServer("asn1"), async (at) => {
          const [talk, results] = [[] as string[], [] as string[]];
          const download = JSON.stringify({ profileDownloadTriggerRequest: { activationCode: ACTIVATION_CODE }, options: { transactionId: "AABB" } });
          const running = await startEim(["--http", "--listen", "127.0.0.1:0", "--json", "--es9p", "asn1", "--smdp-trust", file, "--smdp-at", `${SMDP}=${at}`, "--package", download], quiet(talk, results));
          try {
            assert.match(JSON.parse(results[0] as string).eimConfigurationData, /8900$/);
            await post(running.esipa.url, getEimPackage(EID));
            assert.equal(tags(inside(await post(running.esipa.url, initiateAuthentication(SMDP, fromHex("AABB"))))), "80 30 5F37 04 30");
            assert.match(talk.join("\n"), /smdp.example.com initiateAuthentication -> 200: ok/);
          } finally {
            await running.stop();
          }
        });
      } finally {
        rmSync(directory, { recursive: true });
      }
    });
  }

  const wrong: [string[], RegExp][] = [
    [["--es9p", "soap"], /expected json or asn1 for --es9p, got "soap"/],
    [["--smdp-trust", "no-such-file"], /no-such-file/],
    [["--smdp-trust", "package.json"], /./],
    [["--smdp-at", "smdp.example.com"], /expected NAME=HOST:PORT for --smdp-at/],
    [["--smdp-at", "a=b"], /expected HOST:PORT for --smdp-at, got "b"/],
  ];
  for (const [args, message] of wrong) {
    test(`${args.join(" ")} is misuse: one line, exit code 2`, async () => {
      const talk: string[] = [];
      assert.equal(await runCommand(command, ["--listen", "127.0.0.1:0", ...args], quiet(talk)), 2);
      assert.equal(talk.length, 1);
      assert.match(talk[0] as string, message);
    });
  }

  test("the control interface shows what waits for an SM-DP+", async () => {
    const other = makePki({ seed: "tinyipa 0" });
    const theirs = notification(7, { key: other.euicc.key, euicc: other.euicc.certificate, eum: other.eum.certificate });
    const running = await startEim(["--http", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"], quiet());
    try {
      await post(running.esipa.url, tlv(0xbf3d, tlv(0xa0, theirs)));
      const outbox = await fetch(`${running.control?.url}/outbox`);
      assert.deepEqual(((await outbox.json()) as { seqNumber: number; delivered: boolean }[]).map((record) => [record.seqNumber, record.delivered]), [[7, false]]);
    } finally {
      await running.stop();
    }
  });
});
