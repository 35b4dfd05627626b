/** ESipa over CoAP and DTLS on real sockets (SGP.32 v1.2 6.4; transport 3): the eIM's answers, its orders, sessions that move, a bad way. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { equal, fromHex, toHex } from "../sim/core/bytes.js";
import { tlv } from "../sim/codec/tlv.js";
import { code, maxAgeOf, Opt, POST, type ClientRequest } from "../sim/coap/index.js";
import { codeText } from "../sim/coap/codec.js";
import { uintOf } from "../sim/coap/options.js";
import { CoapsClient, serveCoap, type RunningCoaps } from "../sim/coaps/index.js";
import { behaviours, psmo } from "../sim/eim/index.js";
import { pskTable, serveEimCoaps } from "../sim/eim/coaps.js";
import { startUdpProxy } from "../sim/link/udp-proxy.js";
import { distrust } from "../sim/pki/trust.js";
import type { DtlsClientOptions, DtlsServerOptions } from "../sim/dtls/index.js";
import { UsageError } from "../cli/command.js";
import { startCoaps } from "../cli/eim-coaps.js";
import { octets } from "./coap-kit.js";
import { bench, EID, epr, getEimPackage, ICCID, notification, pki, type Bench } from "./eim-fixtures.js";

const PSK = pskTable(["dev1:30313233343536373839616263646566"]);
const KEY = PSK.dev1 as Uint8Array;
const server: DtlsServerOptions = { identity: pki.eimTls, psk: PSK, connectionId: 4 };
const pinned: DtlsClientOptions = { verify: (chain) => distrust({ anchors: [{ kind: "certificate", der: pki.eimTls.certificate }], chain, host: "eim.example.com" }), serverName: "eim.example.com", connectionId: new Uint8Array(0) };
const NOTHING = "BF4F03020101";
/** Short, so that what is lost costs little. */
const parameters = { ackTimeoutMs: 60, maxRetransmit: 8 };

interface Scene {
  readonly b: Bench;
  readonly running: RunningCoaps;
  readonly client: CoapsClient;
  post(body: Uint8Array, change?: Partial<ClientRequest>): Promise<string>;
}

async function scene(run: (scene: Scene) => Promise<void>, options: { readonly plain?: true; readonly dtls?: DtlsClientOptions } = {}): Promise<void> {
  const b = bench();
  const running = await serveEimCoaps(b.eim, { ...(options.plain !== true && { dtls: server }), coap: { parameters } });
  let client: CoapsClient | undefined;
  try {
    client = await CoapsClient.connect({ port: running.port, coap: { parameters }, ...(options.plain !== true && { dtls: options.dtls ?? pinned }) });
    const post: Scene["post"] = async (payload, change = {}) => {
      const answer = await (client as CoapsClient).request({ method: POST, path: "/gsma/rsp2/asn1", host: "eim.example.com", payload, ...change });
      return `${codeText(answer.code)} ${toHex(answer.payload)}`.trim();
    };
    await run({ b, running, client, post });
  } finally {
    client?.close();
    await running.close();
  }
}

for (const [name, options] of [["ECDHE_ECDSA and a pinned certificate", {}], ["PSK", { dtls: { psk: { identity: "dev1", key: KEY } } }], ["plain CoAP, for tests", { plain: true }]] as const) {
  test(`a whole poll over ${name}: package, result, nothing more`, () =>
    scene(async ({ b, post }) => {
      const record = b.eim.queue(EID, psmo.enable(ICCID));
      assert.equal(await post(getEimPackage(EID)), `2.05 ${toHex(tlv(0xbf4f, record.der))}`);
      assert.equal(await post(tlv(0xbf50, tlv(0x5a, fromHex(EID)), epr(record))), "2.05 BF5006BF5303800101");
      assert.equal(await post(getEimPackage(EID)), `2.05 ${NOTHING}`);
      assert.equal(b.eim.seen.every((entry) => entry.verdict === "ok" && entry.warnings.length === 0), true);
    }, options));
}

describe("the binding", () => {
  test("another path is 4.04, another method 4.05, garbage 4.00; a Content-Format is ignored, and 42 is answered", () =>
    scene(async ({ post, client }) => {
      assert.match(await post(getEimPackage(EID), { path: "/gsma/rsp2/json" }), /^4.04/);
      assert.match(await post(getEimPackage(EID), { method: code("0.03") }), /^4.05/);
      assert.match(await post(Uint8Array.of(1)), /^4.00/);
      for (const contentFormat of [42, 60]) {
        const answer = await client.request({ method: POST, path: "/gsma/rsp2/asn1", contentFormat, payload: getEimPackage(EID) });
        assert.deepEqual([codeText(answer.code), uintOf(answer.options, Opt.ContentFormat)], ["2.05", 42]);
      }
    }));

  test("HandleNotification is answered by 2.04 without a body", () =>
    scene(async ({ b, post }) => {
      assert.equal(await post(tlv(0xbf3d, tlv(0xa0, notification(7)))), "2.04");
      assert.equal(b.eim.notifications(EID).length, 1);
    }));

  test("503 with Retry-After is 5.03 with Max-Age", () =>
    scene(async ({ b, client }) => {
      b.eim.use(behaviours.status(503, { retryAfter: 17 }));
      const answer = await client.request({ method: POST, path: "/gsma/rsp2/asn1", payload: getEimPackage(EID) });
      assert.deepEqual([codeText(answer.code), maxAgeOf(answer)], ["5.03", 17]);
    }));

  test("an answer that comes late is a separate response", () =>
    scene(async ({ b, post, client }) => {
      b.eim.use(behaviours.once(behaviours.lateBy(150)));
      assert.equal(await post(getEimPackage(EID)), `2.05 ${NOTHING}`);
      assert.equal(client.coap.count.datagrams, 1);
    }));

  test("an eIM that drops the connection closes the session", () =>
    scene(async ({ b, post }) => {
      b.eim.use(behaviours.once(behaviours.drop()));
      await assert.rejects(post(getEimPackage(EID)), { code: "dtls", message: "closed by the server" });
    }));
});

describe("sessions", () => {
  test("a client that comes from another port goes on in its session, by its connection id", () =>
    scene(async ({ post, client, running }) => {
      await post(getEimPackage(EID));
      client.move();
      assert.equal(await post(getEimPackage(EID)), `2.05 ${NOTHING}`);
      assert.equal(running.dtls?.state.sessions.size, 1);
    }));

  test("an idle poll in a live session is one datagram up and one down, 120 octets or so in all", () =>
    scene(async ({ post, running }) => {
      await post(getEimPackage(EID));
      const before = { ...running.traffic };
      await post(getEimPackage(EID));
      assert.deepEqual([running.traffic.received - before.received, running.traffic.sent - before.sent], [1, 1]);
      const total = running.traffic.octetsReceived + running.traffic.octetsSent - before.octetsReceived - before.octetsSent;
      assert.ok(total < 200, String(total));
    }));
});

test("20 kB both ways over DTLS with a tenth of the datagrams lost, doubled and reordered, each way", async () => {
  const body = octets(20_480);
  const running = await serveCoap(({ payload }) => ({ code: code("2.05"), payload }), { dtls: server, coap: { parameters } });
  const bad = { loss: 0.1, duplicate: 0.1, reorder: 0.1, holdMs: 20 };
  const proxy = await startUdpProxy({ to: { port: running.port }, seed: 4, up: bad });
  const timing = { timeoutMs: 60, maxRetransmit: 12 };
  const client = await CoapsClient.connect({ port: proxy.port, dtls: { ...pinned, timing }, coap: { parameters } });
  const answer = await client.request({ method: POST, path: "/echo", payload: body });
  assert.ok(equal(answer.payload, body));
  assert.ok(proxy.count.up.lost > 0 && proxy.count.down.lost > 0);
  client.close();
  await proxy.close();
  await running.close();
});

test("an address that is taken is said", async () => {
  const running = await serveEimCoaps(bench().eim);
  await assert.rejects(serveEimCoaps(bench().eim, { port: running.port }), { code: "EADDRINUSE" });
  await running.close();
});

test("--psk arguments: the last colon divides, and what is none is refused", () => {
  assert.deepEqual(pskTable(["a:b:0102", "c:ff"]), { "a:b": fromHex("0102"), c: fromHex("ff") });
  for (const text of ["a", "a:", ":00", "a:0", "a:xy", `a:${"00".repeat(65)}`]) assert.throws(() => pskTable([text]), { name: "RangeError", message: /expected ID:HEX/ });
});

test("tinyipa eim --coaps: the certificate of HTTPS and the PSKs given, with news on stderr", async () => {
  const talk: string[] = [];
  const io = { out: () => assert.fail("nothing belongs on stdout"), err: (line: string) => void talk.push(line) };
  let exchanges = 0;
  const at = { host: "127.0.0.1", port: 0 };
  const running = await startCoaps(bench().eim, { at, psk: ["dev1:30313233343536373839616263646566"], tls: pki.eimTls }, io, () => void exchanges++);
  for (const dtls of [pinned, { psk: { identity: "dev1", key: KEY } }]) {
    const client = await CoapsClient.connect({ port: running.port, dtls });
    await client.request({ method: POST, path: "/gsma/rsp2/asn1", payload: getEimPackage(EID) });
    client.close();
  }
  assert.equal(exchanges, 2);
  assert.match(talk.join("\n"), /dtls-1 connected from 127.0.0.1:\d+: TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8[^]*dtls-2 connected from .*: TLS_PSK_WITH_AES_128_CCM_8/);
  await running.close();
  assert.throws(() => startCoaps(bench().eim, { at, psk: ["dev1"], tls: pki.eimTls }, io, () => undefined), { constructor: UsageError, message: /expected ID:HEX .* for --psk/ });
});
