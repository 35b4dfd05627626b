/**
 * The C host's CoAPS link as a program against the TypeScript world's CoAPS server, in real time: every way in which a server may answer
 * (RFC 7252, 7959, 9175), handshakes gone wrong (RFC 6347), servers that are not to be trusted, loss, new addresses (RFC 9146).
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { code, coapBehaviours, type Behaviour, type CoapServerOptions } from "../sim/coap/index.js";
import { serveCoap } from "../sim/coaps/index.js";
import { dtlsBehaviours, suiteOf, type DtlsBehaviour, type DtlsServerOptions } from "../sim/dtls/index.js";
import { startUdpProxy } from "../sim/link/udp-proxy.js";
import { octets } from "./coap-kit.js";
import { serverIdentities } from "./coaps-kit.js";
import { LinkClient, pinnedCertificate, pinnedKey, PSK, skip, type Keys } from "./c-link-kit.js";
import { pki, pskTable } from "./dtls-kit.js";

const BODY = octets(20_480);
const SMALL = octets(30);
const KEY = pinnedKey(pki.eimTls.certificate);
const NAME = "eim.example.com";
const identities = serverIdentities(pki);

interface Server {
  readonly dtls?: DtlsServerOptions;
  readonly coap?: CoapServerOptions;
  readonly plain?: boolean;
  readonly use?: readonly Behaviour[];
  readonly useDtls?: readonly DtlsBehaviour[];
}

/** A server that answers every POST by its body. */
async function against(server: Server, act: (keys: { readonly to: string; readonly at: number }, news: readonly string[]) => Promise<void>): Promise<void> {
  const dtls = { identity: pki.eimTls, connectionId: 4, ...server.dtls };
  const news: string[] = [];
  const running = await serveCoap(({ payload }) => ({ code: code("2.05"), contentFormat: 42, payload }), { ...(server.plain !== true && { dtls }), coap: server.coap ?? {}, onNews: (text) => news.push(text) });
  for (const behaviour of server.use ?? []) running.coap.use(behaviour);
  for (const behaviour of server.useDtls ?? []) running.dtls?.use(behaviour);
  try {
    await act({ to: NAME, at: running.port }, news);
  } finally {
    await running.close();
  }
}

describe("CoAPS of the C host, 20 kB both ways", { skip, concurrency: 2 }, () => {
  const client = new LinkClient();
  const echoes = (title: string, server: Server, keys: Keys = {}): void => {
    test(title, () => against(server, async (at) => void (await client.echoes({ ...at, trust: KEY, body: BODY, ...keys }))));
  };
  echoes("pinned key", {});
  echoes("pinned certificate", {}, { trust: pinnedCertificate(pki.eimTls.certificate) });
  echoes("certificate of a CA, and the name", { dtls: { identity: identities.good } }, { trust: pinnedCertificate(pki.eimTls.certificate) });
  echoes("PSK", { dtls: { ...pskTable } }, { psk: PSK });
  test("AES_128_GCM_SHA256 with a server that has no CCM_8", () =>
    against({ dtls: { suites: [suiteOf(0xc02b)] } }, async (at, news) => {
      await client.echoes({ ...at, trust: KEY, body: BODY, piece: 100 });
      assert.match(news.join("\n"), /TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256/);
    }));
  echoes("without HelloVerifyRequest, certificate in fragments of 100 octets", { dtls: { cookies: false, timing: { fragment: 100 } } });
  echoes("without connection id", { dtls: { connectionId: undefined as never } });
  echoes("blocks of 512 octets, the server's of 128", { coap: { szx: 3 } }, { szx: 5 });
  echoes("datagrams of at most 1024 octets", {}, { mtu: 1024 });
  echoes("separate responses", { use: [coapBehaviours.separate(20)] });
  echoes("a response before its ACK", { use: [coapBehaviours.early()] });
  echoes("smaller blocks from the first on", { use: [coapBehaviours.reducesSzx(4, 0)] });
  echoes("smaller blocks from the fourth on", { use: [coapBehaviours.reducesSzx(4, 3)] });
  echoes("4.13 with smaller blocks", { use: [coapBehaviours.tooLarge(1 << 20, 4)] });
  echoes("Echo is demanded", { use: [coapBehaviours.echoChallenge()] });
  echoes("an unknown elective option", { use: [coapBehaviours.addsOption(10)] });
  for (const flight of [2, 4, 6] as const) {
    echoes(`flight ${flight} is lost`, { useDtls: [dtlsBehaviours.losesFlight(flight)] }, { handshake: 200 });
    echoes(`flight ${flight} comes twice`, { useDtls: [dtlsBehaviours.doublesFlight(flight)] });
  }
  echoes("flight 4 comes in reverse order", { dtls: { timing: { fragment: 200 } }, useDtls: [dtlsBehaviours.reversesFlight(4)] });
  echoes("an alert in the clear", { useDtls: [dtlsBehaviours.injectsAlert(40)] });
  echoes("garbage between the records", { useDtls: [dtlsBehaviours.garbage()] });
  echoes("every record twice", { useDtls: [dtlsBehaviours.replaysRecords(1)] });
  echoes("forged records between the true ones", { useDtls: [dtlsBehaviours.forgesRecords()] });
  test("plain CoAP in the laboratory", () => against({ plain: true }, async ({ at }) => void (await client.echoes({ to: "127.0.0.1", at, plain: 1, body: BODY }))));
});

describe("CoAPS of the C host: what ends an exchange", { skip, concurrency: 2 }, () => {
  const client = new LinkClient();
  const cases: readonly (readonly [string, Behaviour, string])[] = [
    ["4.08 at a later block", coapBehaviours.incompleteAt(3), "IPA_ERR_RESTART"],
    ["4.13, and no smaller block would help", coapBehaviours.tooLarge(1024), "IPA_ERR_TOO_LARGE"],
    ["another ETag", coapBehaviours.changesETag(2), "IPA_ERR_RESTART"],
    ["a wrong NUM", coapBehaviours.wrongNum(2), "IPA_ERR_PROTOCOL"],
    ["a block larger than it says", coapBehaviours.oversizeBlock(1), "IPA_ERR_PROTOCOL"],
    ["an unknown critical option", coapBehaviours.addsOption(9), "IPA_ERR_PROTOCOL"],
    ["RST", coapBehaviours.resets(1), "IPA_ERR_PROTOCOL"],
  ];
  for (const [title, behaviour, error] of cases) {
    test(`${title}: ${error}`, () =>
      against({ use: [behaviour] }, async (at) => {
        const outcome = await client.run({ ...at, trust: KEY, body: BODY });
        assert.deepEqual([outcome.answers, outcome.end], [[], error]);
      }));
  }
  test("an answer longer than the board allows: IPA_ERR_TOO_LARGE", () => against({}, async (at) => assert.equal((await client.run({ ...at, trust: KEY, body: BODY, max: 20_000 })).end, "IPA_ERR_TOO_LARGE")));
  test("5.03 with Max-Age is an answer, and says when to come again", () =>
    against({ use: [coapBehaviours.unavailable(77, 1)] }, async (at) => {
      const outcome = await client.run({ ...at, trust: KEY, body: SMALL, count: 2 });
      assert.deepEqual([outcome.answers, outcome.end], [["503 0 retry_after=77", "205 30"], "ok"]);
    }));
  test("a server that says nothing: IPA_ERR_TIMEOUT", () => against({ use: [coapBehaviours.silent(99)] }, async (at) => client.refused({ ...at, trust: KEY, body: SMALL, wait: 1500 }, "IPA_ERR_TIMEOUT")));
});

describe("CoAPS of the C host: servers that are refused, each by its own name", { skip, concurrency: 2 }, () => {
  const client = new LinkClient();
  const ca = pinnedCertificate(pki.eimTls.certificate);
  const refuses = (title: string, error: string, server: Server, keys: Keys): void => {
    test(`${title}: ${error}`, () => against(server, (at) => client.refused({ ...at, body: SMALL, handshake: 200, ...keys }, error)));
  };
  refuses("another key", "IPA_ERR_TRUST_KEY", {}, { trust: pinnedKey(identities.good.certificate) });
  refuses("another certificate", "IPA_ERR_TRUST_CERTIFICATE", {}, { trust: pinnedCertificate(identities.good.certificate) });
  refuses("signed by another CA", "IPA_ERR_TRUST_CERTIFICATE", { dtls: { identity: identities["foreign-ca"] } }, { trust: ca });
  refuses("signed by none of the board's CAs", "IPA_ERR_TRUST_CHAIN", { dtls: { identity: identities["foreign-ca"] } }, { ca: pki.eimTls.certificate });
  refuses("another name", "IPA_ERR_TRUST_NAME", { dtls: { identity: identities["other-name"] } }, { trust: ca });
  refuses("expired, by the board's clock", "IPA_ERR_TRUST_EXPIRED", { dtls: { identity: identities.expired } }, { trust: ca, utc: 1_800_000_000 });
  refuses("no trust at all", "IPA_ERR_TRUST_NONE", {}, {});
  refuses("trust of no known form", "IPA_ERR_TRUST_FORM", {}, { trust: KEY.subarray(0, 40) });
  refuses("unknown PSK identity", "IPA_ERR_TRUST_PSK", { dtls: { ...pskTable } }, { psk: PSK.replace("dev1", "dev2") });
  refuses("wrong PSK", "IPA_ERR_TRUST_PSK", { dtls: { ...pskTable } }, { psk: `${PSK}00` });
  refuses("an older version", "IPA_ERR_TRUST_VERSION", { useDtls: [dtlsBehaviours.picksOldVersion()] }, { trust: KEY });
  refuses("a suite that was not offered", "IPA_ERR_TRUST_VERSION", { useDtls: [dtlsBehaviours.picksSuite(0x002f)] }, { trust: KEY });
  refuses("no suite in common", "IPA_ERR_TRUST_VERSION", { dtls: { ...pskTable, identity: undefined as never } }, { trust: KEY });
  refuses("a signature over other parameters", "IPA_ERR_TLS", { useDtls: [dtlsBehaviours.spoils(12)] }, { trust: KEY });
  refuses("another Finished", "IPA_ERR_TLS", { useDtls: [dtlsBehaviours.spoils(20)] }, { trust: KEY });
  test("an expired certificate is accepted where there is no clock", () => against({ dtls: { identity: identities.expired } }, async (at) => void (await client.echoes({ ...at, trust: ca, body: SMALL }))));
});

describe("CoAPS of the C host: sessions", { skip, concurrency: 2 }, () => {
  const client = new LinkClient();
  const sessions = (news: readonly string[]): number => news.filter((text) => text.includes(" connected from ")).length;

  for (const how of ["park", "sleep"]) {
    test(`one handshake serves three connections (${how})`, () =>
      against({}, async (at, news) => {
        const outcome = await client.run({ ...at, trust: KEY, body: SMALL, count: 3, [how]: 1 });
        assert.deepEqual([outcome.answers, outcome.end], [["205 30", "205 30", "205 30"], "ok"]);
        assert.equal(sessions(news), 1);
      }));
    test(`without connection id there is a handshake for each (${how})`, () =>
      against({ dtls: { connectionId: undefined as never } }, async (at, news) => {
        const outcome = await client.run({ ...at, trust: KEY, body: SMALL, count: 2, [how]: 1 });
        assert.deepEqual([outcome.answers, outcome.end], [["205 30", "205 30"], "ok"]);
        assert.equal(sessions(news), 2);
      }));
  }

  test("20 kB both ways with a tenth of all datagrams lost, ACK_TIMEOUT 1 s", () =>
    against({}, async ({ at }) => {
      const weather = { loss: 0.1 };
      const proxy = await startUdpProxy({ to: { port: at }, seed: 7, up: weather, down: weather });
      try {
        await client.echoes({ to: NAME, at: proxy.port, trust: KEY, body: BODY, ack: 1000, retries: 6, wait: 60_000 });
        assert.ok(proxy.count.up.lost + proxy.count.down.lost >= 4);
      } finally {
        await proxy.close();
      }
    }));

  test("datagrams doubled, reordered and late", () =>
    against({}, async ({ at }) => {
      const weather = { duplicate: 0.2, reorder: 0.2, delayMs: 2, jitterMs: 10, holdMs: 20 };
      const proxy = await startUdpProxy({ to: { port: at }, seed: 5, up: weather, down: weather });
      try {
        await client.echoes({ to: NAME, at: proxy.port, trust: KEY, body: BODY });
      } finally {
        await proxy.close();
      }
    }));
});

