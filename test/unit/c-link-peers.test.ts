/**
 * The C host's links against independent programs: libcoap's servers (plain, OpenSSL, GnuTLS), openssl s_server (DTLS 1.2, TLS 1.2), socat as DTLS terminator,
 * and against our simulated eIM and Node's own server over HTTPS. Each program needs a Debian package and says so when it is skipped.
 */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import { fromHex, toHex } from "../sim/core/bytes.js";
import { RealClock } from "../sim/core/clock.js";
import { Eim, psmo, serveEim } from "../sim/eim/index.js";
import { makePki, type Identity } from "../sim/pki/pki.js";
import { octets } from "./coap-kit.js";
import { serverIdentities } from "./coaps-kit.js";
import { freePort, inDirectory, launch, without, writeIdentity, type Running } from "./coaps-tools.js";
import { LinkClient, pinnedCertificate, pinnedKey, PSK, PSK_KEY, skip } from "./c-link-kit.js";
import { pki } from "./dtls-kit.js";

const BODY = octets(20_480);
const SMALL = octets(30);
const NAME = "eim.example.com";
const identities = serverIdentities(pki);
const rsp = makePki({ seed: "c-link peers" });
const KEY = pinnedKey(identities.good.certificate);
const CA = pinnedCertificate(pki.eimTls.certificate);
/** libcoap's example server echoes what was PUT to a resource that it lets us make. */
const PUT = { method: 3, path: "data/x" } as const;
/** Servers say nothing when they listen: the handshake's repeats find them. */
const SOON = { handshake: 150 } as const;

async function running(program: string, args: (dir: string) => readonly string[], act: (server: Running) => Promise<void>): Promise<void> {
  await inDirectory(async (dir) => {
    const server = launch(program, args(dir));
    try {
      await act(server);
    } finally {
      await server.stop();
    }
  });
}

function identityArgs(dir: string, identity: Identity, cert: string, key: string): string[] {
  const paths = writeIdentity(dir, identity);
  return [cert, paths.cert, key, paths.key];
}

describe("the C host's CoAPS and libcoap's servers, 20 kB both ways", { skip, concurrency: 2 }, () => {
  const client = new LinkClient();
  test("coap-server-notls", { skip: without("coap-server-notls") }, async () => {
    const port = await freePort();
    await running("coap-server-notls", () => ["-A", "127.0.0.1", "-p", `${port}`, "-d", "9", "-e"], async () => void (await client.echoes({ to: "127.0.0.1", at: port, plain: 1, ...PUT, body: BODY }, "201")));
  });
  for (const program of ["coap-server-openssl", "coap-server-gnutls"]) {
    const each = (title: string, act: (at: number) => Promise<void>): void => {
      test(`${program}: ${title}`, { skip: without(program) }, async () => {
        const port = await freePort();
        // Its DTLS is one above its UDP.
        const args = (dir: string): string[] => ["-A", "127.0.0.1", "-p", `${port}`, "-d", "9", "-e", "-k", PSK_KEY, ...identityArgs(dir, identities.good, "-c", "-j"), "-n"];
        await running(program, args, () => act(port + 1));
      });
    };
    each("PSK", async (at) => void (await client.echoes({ to: NAME, at, psk: PSK, ...PUT, ...SOON, body: BODY }, "201")));
    each("ECDSA, pinned key, blocks of 512", async (at) => void (await client.echoes({ to: NAME, at, trust: KEY, szx: 5, ...PUT, ...SOON, body: BODY }, "201")));
    each("ECDSA, CA and name; three exchanges", async (at) => {
      const outcome = await client.run({ to: NAME, at, trust: CA, ...PUT, ...SOON, body: BODY, count: 3 });
      assert.deepEqual([outcome.answers, outcome.end], [["201 20480", "204 20480", "204 20480"], "ok"]);
    });
    each("another key is refused", (at) => client.refused({ to: NAME, at, trust: pinnedKey(pki.eimTls.certificate), ...PUT, ...SOON, body: SMALL }, "IPA_ERR_TRUST_KEY"));
    each("a wrong PSK is refused", (at) => client.refused({ to: NAME, at, psk: `${PSK}00`, ...PUT, ...SOON, body: SMALL }, "IPA_ERR_TRUST_PSK"));
  }
});

describe("the C host's DTLS and openssl s_server", { skip: skip || without("openssl"), concurrency: 2 }, () => {
  const client = new LinkClient();
  const serves = (title: string, more: readonly string[], act: (at: number, server: Running) => Promise<void>, identity = identities.good): void => {
    test(title, async () => {
      const port = await freePort();
      const args = (dir: string): string[] => ["s_server", "-accept", `127.0.0.1:${port}`, ...identityArgs(dir, identity, "-cert", "-key"), ...more];
      await running("openssl", args, async (server) => {
        await server.saw(/ACCEPT/);
        await act(port, server);
      });
    });
  };
  const shakes = (title: string, suite: string, trust: Uint8Array): void =>
    serves(title, ["-dtls1_2", "-cipher", `${suite}:@SECLEVEL=0`], async (at, server) => {
      assert.equal((await client.run({ to: NAME, at, trust, count: 0 })).end, "ok");
      await server.saw(new RegExp(`CIPHER is ${suite}`));
    });
  shakes("ECDHE-ECDSA-AES128-CCM8, CA and name", "ECDHE-ECDSA-AES128-CCM8", CA);
  shakes("ECDHE-ECDSA-AES128-GCM-SHA256, pinned key", "ECDHE-ECDSA-AES128-GCM-SHA256", KEY);
  serves("PSK-AES128-CCM8", ["-dtls1_2", "-psk", Buffer.from(PSK_KEY).toString("hex"), "-psk_identity", "dev1", "-cipher", "PSK-AES128-CCM8:@SECLEVEL=0"], async (at) => {
    assert.equal((await client.run({ to: NAME, at, psk: PSK, count: 0 })).end, "ok");
  });
  serves("a server of DTLS 1.0 only is refused", ["-dtls1", "-cipher", "ALL:@SECLEVEL=0"], (at) => client.refused({ to: NAME, at, trust: KEY, count: 0, ...SOON }, "IPA_ERR_TRUST_VERSION"));
  serves("a server with CBC suites only is refused", ["-dtls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"], (at) => client.refused({ to: NAME, at, trust: KEY, count: 0, ...SOON }, "IPA_ERR_TRUST_VERSION"));
  serves("an expired certificate is refused by the board's clock", ["-dtls1_2", "-cipher", "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0"], (at) => client.refused({ to: NAME, at, trust: CA, utc: 1_800_000_000, count: 0 }, "IPA_ERR_TRUST_EXPIRED"), identities.expired);

  const https = { binding: "https", to: NAME, count: 0 } as const;
  const tls = ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"];
  serves("TLS 1.2, ECDHE-ECDSA-AES128-GCM-SHA256, max_fragment_length 1024", [...tls, "-tlsextdebug"], async (at, server) => {
    assert.equal((await client.run({ ...https, at, trust: CA })).end, "ok");
    await server.saw(/max fragment length/);
  });
  serves("TLS: another name", tls, (at) => client.refused({ ...https, at, trust: CA }, "IPA_ERR_TRUST_NAME"), identities["other-name"]);
  serves("TLS: another CA", tls, (at) => client.refused({ ...https, at, trust: CA }, "IPA_ERR_TRUST_CERTIFICATE"), identities["foreign-ca"]);
  serves("TLS: expired", tls, (at) => client.refused({ ...https, at, trust: CA, utc: 1_800_000_000 }, "IPA_ERR_TRUST_EXPIRED"), identities.expired);
  serves("TLS: another key", tls, (at) => client.refused({ ...https, at, trust: pinnedKey(pki.eimTls.certificate) }, "IPA_ERR_TRUST_KEY"));
  const es9p = { binding: "es9p", to: "smdp.example.com", ca: rsp.ci.certificate, count: 0 } as const;
  serves("ES9+: an SM-DP+ under the RSP CI", tls, async (at) => assert.equal((await client.run({ ...es9p, at })).end, "ok"), rsp.dpTls);
  serves("ES9+: its certificate itself is on the board's list", tls, async (at) => assert.equal((await client.run({ ...es9p, at, ca: rsp.dpTls.certificate })).end, "ok"), rsp.dpTls);
  serves("ES9+: another name", tls, (at) => client.refused({ ...es9p, at, to: "smdp.example.org" }, "IPA_ERR_TRUST_NAME"), rsp.dpTls);
  serves("ES9+: another CI", tls, (at) => client.refused({ ...es9p, at, ca: makePki({ seed: "other" }).ci.certificate }, "IPA_ERR_TRUST_CHAIN"), rsp.dpTls);
  serves("ES11: an SM-DP+ is no SM-DS", tls, (at) => client.refused({ ...es9p, at, binding: "es11" }, "IPA_ERR_TRUST_ROLE"), rsp.dpTls);
  serves("ES9+: a server of the public web, which has no role", tls, async (at) => assert.equal((await client.run({ ...es9p, to: NAME, at, ca: pki.eimTls.certificate })).end, "ok"));
  serves("TLS: an older version only", ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], (at) => client.refused({ ...https, at, trust: CA }, "IPA_ERR_TRUST_VERSION"));
  serves("TLS: a newer version only", ["-tls1_3"], (at) => client.refused({ ...https, at, trust: CA }, "IPA_ERR_TRUST_VERSION"));
  serves("TLS: weaker suites only", ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"], (at) => client.refused({ ...https, at, trust: CA }, "IPA_ERR_TRUST_VERSION"));
});

describe("the C host's CoAPS through socat as DTLS terminator", { skip: skip || without("socat"), concurrency: 2 }, () => {
  const client = new LinkClient();
  test("ECDSA, requests without blocks", async () => {
    const plain = createSocket("udp4");
    plain.on("message", (m, from) => plain.send(echoOf(m), from.port, from.address));
    await new Promise<void>((resolve) => plain.bind(0, "127.0.0.1", resolve));
    const port = await freePort();
    const args = (dir: string): string[] => {
      const paths = writeIdentity(dir, identities.good);
      return ["-T5", `OPENSSL-DTLS-SERVER:${port},pf=ip4,bind=127.0.0.1,cert=${paths.cert},key=${paths.key},verify=0,cipher=ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0`, `UDP4:127.0.0.1:${plain.address().port}`];
    };
    try {
      await running("socat", args, async () => void (await client.echoes({ to: NAME, at: port, trust: CA, body: octets(900), ...SOON })));
    } finally {
      plain.close();
    }
  });
});

/** ACK 2.05 with the request's token and payload. */
function echoOf(message: Buffer): Buffer {
  const token = (message[0] as number) & 15;
  const head = Buffer.from([0x60 | token, 0x45, message[2] as number, message[3] as number]);
  return Buffer.concat([head, message.subarray(4, 4 + token), message.subarray(message.indexOf(0xff, 4 + token))]);
}

describe("the C host's HTTPS", { skip, concurrency: 2 }, () => {
  const client = new LinkClient();
  const https = { binding: "https", to: NAME } as const;

  test("GetEimPackage of the simulated eIM, with its certificate pinned", async () => {
    const eim = new Eim({ sign: pki.eimSign, tls: pki.eimTls, clock: new RealClock() });
    eim.addDevice({ eid: pki.eid, ciCertificates: [pki.ci.certificate], euiccCertificate: pki.euicc.certificate, eumCertificate: pki.eum.certificate });
    eim.queue(pki.eid, psmo.enable("89000123456789012341"));
    const server = await serveEim(eim, { tls: pki.eimTls });
    try {
      const outcome = await client.run({ ...https, at: server.port, trust: pinnedCertificate(pki.eimTls.certificate), body: fromHex(`BF4F125A10${pki.eid}`), count: 2 });
      assert.equal(outcome.end, "ok", outcome.output);
      assert.match(toHex(outcome.body).toUpperCase(), /^BF4F.*BF51/);
      assert.deepEqual(eim.seen.map(({ verdict }) => verdict), ["ok", "ok"]);
    } finally {
      await server.close();
    }
  });

  /** Node's own server; what it answers, given the request's body. */
  async function node(answer: (body: Buffer) => { readonly headers?: Record<string, string>; readonly parts: readonly Uint8Array[] }, act: (at: number, server: Server & { connections: number }) => Promise<void>): Promise<void> {
    await inDirectory(async (dir) => {
      const paths = writeIdentity(dir, identities.good);
      const server = Object.assign(createServer({ cert: readFileSync(paths.cert), key: readFileSync(paths.key) }), { connections: 0 });
      server.on("secureConnection", () => server.connections++);
      server.on("request", (request, response) => {
        const parts: Buffer[] = [];
        request.on("data", (part: Buffer) => parts.push(part)).on("end", () => {
          const said = answer(Buffer.concat(parts));
          response.writeHead(200, said.headers);
          for (const part of said.parts) response.write(part);
          response.end();
        });
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      try {
        await act((server.address() as AddressInfo).port, server);
      } finally {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    });
  }

  test("20 kB both ways with Content-Length, three times on one connection", () =>
    node((body) => ({ headers: { "content-length": `${body.length}` }, parts: [body] }), async (at, server) => {
      const outcome = await client.run({ ...https, at, trust: CA, body: BODY, count: 3, piece: 777 });
      assert.deepEqual([outcome.answers, outcome.end], [["200 20480", "200 20480", "200 20480"], "ok"], outcome.output);
      assert.equal(server.connections, 1);
    }));
  test("20 kB both ways, chunked", () => node((body) => ({ parts: [body.subarray(0, 1), body.subarray(1, 9999), body.subarray(9999)] }), async (at) => void (await client.echoes({ ...https, at, trust: KEY, body: BODY }, "200"))));
  test("a server that closes behind each answer", () =>
    node((body) => ({ headers: { connection: "close", "content-length": `${body.length}` }, parts: [body] }), async (at, server) => {
      const outcome = await client.run({ ...https, at, trust: CA, body: SMALL, count: 3 });
      assert.deepEqual([outcome.answers, outcome.end], [["200 30", "200 30", "200 30"], "ok"], outcome.output);
      assert.equal(server.connections, 3);
    }));
  test("a server that closes after a while, without saying so", () =>
    node((body) => ({ headers: { "content-length": `${body.length}` }, parts: [body] }), async (at, server) => {
      server.keepAliveTimeout = 1;
      const outcome = await client.run({ ...https, at, trust: CA, body: SMALL, count: 2, pause: 1500 });
      assert.deepEqual([outcome.answers, outcome.end], [["200 30", "200 30"], "ok"], outcome.output);
      assert.equal(server.connections, 2);
    }));
  test("nobody listens: IPA_ERR_LINK", async () => client.refused({ ...https, at: await freePort(), trust: CA, body: SMALL }, "IPA_ERR_LINK"));
});

