/** ESipa over real sockets (sgp32-transport 1, 2.1): the agent, its HTTPS link and a server on loopback. What a packet capture would show. */
import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import type { AddressInfo, Socket } from "node:net";
import { describe, test } from "node:test";
import { connect as connectTls, createServer as createTlsServer, type SecureVersion, type TLSSocket } from "node:tls";
import { configuration, HttpsLink, TERMINAL_PROFILE_REFRESH, type Configuration, type HttpsLinkOptions } from "../../sim/agent/index.js";
import { readOne } from "../../sim/codec/tlv.js";
import { VirtualClock } from "../../sim/core/clock.js";
import type { EsipaRequest, EsipaResponse } from "../../sim/core/http.js";
import { behaviours, Eim, EimIdType, psmo, type ConfigurationOptions } from "../../sim/eim/index.js";
import { Euicc } from "../../sim/euicc/index.js";
import { issueCertificate, KeyUsage, parseCertificate } from "../../sim/pki/certificate.js";
import { keyPairFromSeed, type KeyPair } from "../../sim/pki/keys.js";
import { BOOTSTRAP, iccid, sharedPki } from "../../sim/world-options.js";
import { HttpsServer, type HttpsServerOptions } from "../../unit/https-kit.js";
import { Bench } from "../bench.js";

const FQDN = "eim.example.com";
const pki = sharedPki({ seed: "https scenarios", eimFqdns: [FQDN] });
const OWN = { key: pki.eimTls.key, certificates: [pki.eimTls.certificate] };
const [LINK, TRUST] = [-4, -6];
const TIMEOUT_MS = 400;

interface Setup {
  readonly association?: ConfigurationOptions;
  readonly server?: Partial<Omit<HttpsServerOptions, "handle">>;
  readonly link?: HttpsLinkOptions;
  readonly behaviour?: Parameters<Eim["use"]>[0];
  readonly fqdn?: string;
  /** What is done with the server behind the n-th request, before it is answered. */
  readonly onRequest?: (n: number, server: HttpsServer) => void;
  readonly packages?: number;
  readonly switches?: NonNullable<Configuration["switches"]>;
}

interface Bed {
  readonly bench: Bench;
  readonly eim: Eim;
  readonly euicc: Euicc;
  readonly server: HttpsServer;
  readonly requests: readonly EsipaRequest[];
  readonly notes: readonly string[];
  /** detail of each PollEnded. */
  readonly ends: number[];
}

/** A device and its eIM; `packages` wait at the eIM (default 1). The server is closed behind `work`. */
async function withBed(setup: Setup, work: (bed: Bed) => Promise<void>): Promise<void> {
  const clock = new VirtualClock();
  const eim = new Eim({ fqdn: setup.fqdn ?? FQDN, eimId: FQDN, sign: pki.eimSign, tls: pki.eimTls, clock });
  eim.addDevice({ eid: pki.eid, ciCertificates: [pki.ci.certificate], eumCertificate: pki.eum.certificate, euiccCertificate: pki.euicc.certificate });
  for (let n = 0; n < (setup.packages ?? 1); n++) eim.queue(pki.eid, psmo.setDefaultDpAddress(`dp${n}.example.com`));
  if (setup.behaviour !== undefined) eim.use(setup.behaviour);
  const euicc = new Euicc({ pki, profiles: [{ iccid: BOOTSTRAP, enabled: true }, { iccid: iccid(2) }], eims: [eim.configurationData(setup.association)] });
  const requests: EsipaRequest[] = [];
  const notes: string[] = [];
  const handle = (request: EsipaRequest): EsipaResponse => {
    requests.push(request);
    setup.onRequest?.(requests.length, server);
    return eim.handle(request);
  };
  const server = await HttpsServer.listen({ ...OWN, ...setup.server, handle });
  const link = new HttpsLink({ resolve: () => `127.0.0.1:${server.port}`, date: null, note: (text) => notes.push(text), ...setup.link });
  const bench = new Bench({
    card: euicc, link, clock, terminalProfile: TERMINAL_PROFILE_REFRESH,
    configuration: configuration({ entropy: Uint8Array.of(1, 2, 3), exchangeTimeoutMs: TIMEOUT_MS * 5, imei: "356938035643809", switches: setup.switches ?? [] }),
  });
  const bed = { bench, eim, euicc, server, requests, notes, get ends() { return bench.trace.reports.filter((report) => report.name === "PollEnded").map((report) => report.detail); } };
  try {
    await bench.start();
    await work(bed);
  } finally {
    link.close();
    await server.close();
  }
}

const done = ({ eim, euicc }: Bed, packages = 1): void => {
  assert.deepEqual(eim.results(pki.eid).map((result) => [result.kind, result.verified]), new Array(packages).fill(["euiccPackageResult", true]));
  assert.equal(euicc.eims[0]?.counterValue, packages);
  assert.deepEqual(euicc.pending, []);
};

describe("ESipa over HTTPS: what goes over the wire (B1, B2)", () => {
  test("each message is POST /gsma/rsp2/asn1 with the header fields of SGP.32 6.1, and its body is one data object", async () => {
    await withBed({}, async (bed) => {
      await bed.bench.untilIdle();
      done(bed);
      assert.deepEqual(bed.requests.map((request) => readOne(request.body).tag.toString(16)), ["bf4f", "bf50", "bf4f"]);
      for (const { method, path, headers, body } of bed.requests) {
        assert.deepEqual([method, path], ["POST", "/gsma/rsp2/asn1"]);
        assert.equal(headers["host"], FQDN);
        assert.equal(headers["content-type"], "application/x-gsma-rsp-asn1", "without parameters");
        assert.match(headers["x-admin-protocol"] ?? "", /^gsma\/rsp\/v\d+\.\d+\.\d+$/);
        assert.match(headers["user-agent"] ?? "", /^gsma-rsp-ipad(;.*)?$/);
        assert.equal(headers["content-length"], String(body.length));
        assert.equal(headers["transfer-encoding"], undefined);
        assert.equal(readOne(body).raw.length, body.length, "nothing behind the data object");
      }
    });
  });

  test("X-Admin-Protocol and the free text of User-Agent are the device's to choose", async () => {
    await withBed({ link: { identity: { adminProtocol: "gsma/rsp/v2.4.0", userAgent: "gsma-rsp-ipad;meter 7" } } }, async (bed) => {
      await bed.bench.untilIdle();
      done(bed);
      assert.ok(bed.requests.every(({ headers }) => headers["x-admin-protocol"] === "gsma/rsp/v2.4.0" && headers["user-agent"] === "gsma-rsp-ipad;meter 7"));
    });
  });

  test("a port in eimFqdn goes into Host, and does not disturb the name check", async () => {
    await withBed({ association: { fqdn: `${FQDN}:8443`, trust: "certificate" } }, async (bed) => {
      await bed.bench.untilIdle();
      done(bed);
      assert.ok(bed.requests.every(({ headers }) => headers["host"] === `${FQDN}:8443`));
    });
  });

  test("an eIM without any address is reached where the device was told that it is", async () => {
    const setup: Setup = { association: { fqdn: null, eimIdType: EimIdType.Proprietary, trust: "certificate" }, switches: ["HostAddress"], link: { instead: { address: "eim.lab.example.com:8443" } } };
    await withBed(setup, async (bed) => {
      await bed.bench.untilIdle();
      done(bed);
      assert.ok(bed.requests.every(({ headers }) => headers["host"] === "eim.lab.example.com:8443"));
    });
  });

  test("without eimFqdn the eimId of type FQDN is the host", async () => {
    await withBed({ association: { fqdn: null } }, async (bed) => {
      await bed.bench.untilIdle();
      done(bed);
      assert.ok(bed.requests.every(({ headers }) => headers["host"] === FQDN));
    });
  });
});

/** A chain of its own: root, intermediate, server. */
function chain(options: { readonly dnsName?: string; readonly notAfter?: Date; readonly name?: string } = {}): { readonly root: Uint8Array; readonly certificates: readonly Uint8Array[]; readonly key: KeyPair } {
  const own = options.name ?? "scenario";
  const [rootKey, middleKey, key] = ["root", "middle", "leaf"].map((part) => keyPairFromSeed("P-256", `${own} ${part}`)) as [KeyPair, KeyPair, KeyPair];
  const common = { curve: "P-256" as const, notBefore: new Date("2020-01-01"), notAfter: new Date("2049-01-01") };
  const ca = { ...common, keyUsage: [KeyUsage.KeyCertSign], ca: {} };
  const root = issueCertificate({ ...ca, serialNumber: Uint8Array.of(1), subject: [["CN", `${own} root`]], publicKey: rootKey.publicKey, issuerKey: rootKey });
  const middle = issueCertificate({ ...ca, serialNumber: Uint8Array.of(2), subject: [["CN", `${own} middle`]], publicKey: middleKey.publicKey, issuerKey: rootKey, issuer: root });
  const leaf = issueCertificate({
    ...common, serialNumber: Uint8Array.of(3), subject: [["CN", "Server"]], publicKey: key.publicKey, issuerKey: middleKey, issuer: middle,
    keyUsage: [KeyUsage.DigitalSignature], dnsNames: [options.dnsName ?? FQDN], notAfter: options.notAfter ?? common.notAfter,
  });
  return { root, certificates: [leaf, middle], key };
}

const good = chain();
const trustCa = (root: Uint8Array): ConfigurationOptions => ({ trust: "certificate", trustCertificate: root });
const served = (from: ReturnType<typeof chain>): Partial<HttpsServerOptions> => ({ key: from.key, certificates: from.certificates });

describe("ESipa over HTTPS: whom the device talks to (B4)", () => {
  const holds: readonly (readonly [name: string, setup: Setup])[] = [
    ["a server with the pinned key", { association: { trust: "key" } }],
    ["a server with the pinned key under another name and another certificate", { association: { trust: "key" }, server: { certificates: [reissued("another.example.org")] } }],
    ["a server with the pinned certificate", { association: { trust: "certificate" } }],
    ["a server whose chain the CA of trustedPublicKeyDataTls has signed", { association: trustCa(good.root), server: served(good) }],
    ["a server whose certificate is out of date, where the device knows no time", { association: trustCa(good.root), server: served(chain({ notAfter: new Date("2021-01-01") })) }],
    ["without trustedPublicKeyDataTls, a server that a CA of the device vouches for", { association: { trust: "none" }, server: served(good), link: { caStore: [pki.ci.certificate, good.root] } }],
  ];
  for (const [name, setup] of holds) {
    test(`${name} is trusted`, async () => {
      await withBed(setup, async (bed) => {
        await bed.bench.untilIdle();
        done(bed);
        assert.deepEqual(bed.ends, [0]);
      });
    });
  }

  const refused: readonly (readonly [name: string, setup: Setup])[] = [
    ["a server with another key than the pinned one", { association: { trust: "key" }, server: served(good) }],
    ["a server with the pinned key's owner in its certificate, but another key", { association: { trust: "key" }, server: { key: good.key, certificates: [reissued(FQDN, good.key)] } }],
    ["a server with another certificate than the pinned one", { association: { trust: "certificate" }, server: served(good) }],
    ["a server with the pinned certificate's key in another certificate", { association: { trust: "certificate" }, server: { certificates: [reissued(FQDN)] } }],
    ["a server whose chain another CA has signed", { association: trustCa(chain({ name: "other" }).root), server: served(good) }],
    ["a server that does not send its intermediate certificate", { association: trustCa(good.root), server: { key: good.key, certificates: good.certificates.slice(0, 1) } }],
    ["a server of the right CA for another host name", { association: trustCa(good.root), server: served(chain({ dnsName: "other.example.com" })) }],
    ["a server whose certificate is out of date, where the time is known", { association: trustCa(good.root), server: served(chain({ notAfter: new Date("2021-01-01") })), link: { date: new Date("2024-01-01") } }],
    ["without trustedPublicKeyDataTls, a server that no CA of the device vouches for", { association: { trust: "none" }, server: served(good), link: { caStore: [pki.ci.certificate] } }],
    ["without trustedPublicKeyDataTls and without CAs, a server that the system's store does not vouch for", { association: { trust: "none" } }],
  ];
  for (const [name, setup] of refused) {
    test(`${name} is told nothing`, async () => {
      await withBed(setup, async (bed) => {
        await bed.bench.untilIdle();
        assert.deepEqual(bed.ends, [TRUST], bed.bench.trace.print());
        assert.deepEqual(bed.requests, []);
        assert.equal(bed.euicc.eims[0]?.counterValue, 0);
      });
    });
  }
});

/** The eIM's TLS key, or another one, in a certificate that it signs itself. */
function reissued(dnsName: string, key = pki.eimTls.key): Uint8Array {
  return issueCertificate({
    curve: "P-256", serialNumber: Uint8Array.of(9), subject: [["CN", "Server"]], publicKey: key.publicKey, issuerKey: key,
    notBefore: new Date("2020-01-01"), notAfter: new Date("2049-01-01"), keyUsage: [KeyUsage.DigitalSignature], dnsNames: [dnsName],
  });
}

describe("ESipa over HTTPS: TLS (B3)", () => {
  test("a server that knows TLS 1.2 only, or TLS 1.3 only, is served, and is told the name by SNI", async () => {
    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      await withTlsServer(version, async (bed, sockets) => {
        await bed.bench.untilIdle();
        assert.deepEqual([sockets.length, sockets[0]?.protocol, sockets[0]?.name], [1, version, FQDN]);
        // This server speaks TLS and no HTTP: the handshake is what counts.
        assert.deepEqual(bed.ends, [LINK]);
      });
    }
  });

  test("a server that knows TLS 1.1 at most is refused before anything is sent", async () => {
    await withTlsServer("TLSv1.1", async (bed, sockets, port) => {
      assert.equal(await oldClient(port), "TLSv1.1", "the server itself is sound");
      sockets.length = 0;
      await bed.bench.untilIdle();
      assert.deepEqual(bed.ends, [TRUST], bed.bench.trace.print());
      assert.equal(sockets.length, 0);
      assert.equal(bed.bench.trace.exchanges.length, 0);
    });
  });
});

type Seen = { readonly protocol: string | null; readonly name: string | false };

/** A server of one TLS version with the eIM's certificate; it closes what it has accepted. */
async function withTlsServer(version: SecureVersion, work: (bed: Bed, sockets: Seen[], port: number) => Promise<void>): Promise<void> {
  const seen: Seen[] = [];
  const jwk = (part: Uint8Array): string => Buffer.from(part).toString("base64url");
  const { privateKey, publicKey } = pki.eimTls.key;
  const key = createPrivateKey({ key: { kty: "EC", crv: "P-256", d: jwk(privateKey), x: jwk(publicKey.subarray(1, 33)), y: jwk(publicKey.subarray(33)) }, format: "jwk" });
  const cert = `-----BEGIN CERTIFICATE-----\n${Buffer.from(pki.eimTls.certificate).toString("base64").replace(/(.{64})/g, "$1\n")}\n-----END CERTIFICATE-----\n`;
  const server = createTlsServer({ key: key.export({ type: "pkcs8", format: "pem" }), cert, minVersion: version, maxVersion: version, ciphers: "DEFAULT:@SECLEVEL=0" }, (socket) => {
    seen.push({ protocol: socket.getProtocol(), name: (socket as TLSSocket & { servername: string | false }).servername });
    socket.on("error", () => socket.destroy());
    socket.end();
  });
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket));
  server.on("tlsClientError", (_error, socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  try {
    await withBed({ link: { resolve: () => `127.0.0.1:${port}` } }, (bed) => work(bed, seen, port));
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

/** The TLS version that a client of the last century agrees on with the server. */
function oldClient(port: number): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host: "127.0.0.1", port, minVersion: "TLSv1", maxVersion: "TLSv1.1", rejectUnauthorized: false, ciphers: "DEFAULT:@SECLEVEL=0" }, () => {
      const protocol = socket.getProtocol();
      socket.destroy();
      resolve(protocol);
    });
    socket.on("error", reject);
  });
}

const GET = 0xbf4f;
const PROVIDE = 0xbf50;

describe("ESipa over HTTPS: answers (B5)", () => {
  const first = behaviours.once;
  const cases: readonly (readonly [name: string, behaviour: Parameters<Eim["use"]>[0], detail: number])[] = [
    ["400", behaviours.status(400), -110],
    ["404", behaviours.status(404), -110],
    ["500", behaviours.status(500), -111],
    ["503 with Retry-After", behaviours.status(503, { retryAfter: 90 }), -111],
    ["a redirect, which is not followed", behaviours.redirect(), -110],
    ["204", behaviours.status(204), -112],
    ["200 without a body", behaviours.emptyBody(), -112],
    ["octets behind the data object", behaviours.trailingGarbage(), -112],
    ["another outer tag", behaviours.wrongTag(), -112],
    ["a body that breaks off", behaviours.truncated(10), LINK],
    ["a closed connection", behaviours.drop(), LINK],
    ["silence", behaviours.silent(), -2],
  ];
  for (const [name, behaviour, detail] of cases) {
    test(`${name} to GetEimPackage ends the poll, and the package is executed in the next one`, async () => {
      await withBed({ behaviour: first(behaviours.forFunction(GET, behaviour)) }, async (bed) => {
        await bed.bench.untilIdle();
        assert.deepEqual(bed.ends, [detail]);
        const ended = bed.bench.clock.now();
        await bed.bench.untilIdle();
        if (bed.ends.length === 1) await bed.bench.untilIdle();
        done(bed);
        assert.equal(bed.ends.at(-1), 0);
        if (name.includes("Retry-After")) assert.ok(bed.bench.clock.now() - ended >= 90_000 && bed.bench.clock.now() - ended < 100_000);
      });
    });
  }

  test("an answer in chunks without Content-Length, and one of another Content-Type, are taken", async () => {
    await withBed({ server: { chunk: 7 }, behaviour: behaviours.wrongContentType("text/html") }, async (bed) => {
      await bed.bench.untilIdle();
      done(bed);
      assert.deepEqual(bed.ends, [0]);
      assert.ok(bed.notes.some((note) => /Content-Type is text\/html/.test(note)), "noted");
    });
  });
});

describe("ESipa over HTTPS: connections (B6)", () => {
  test("one connection carries all messages of a poll", async () => {
    await withBed({ packages: 3 }, async (bed) => {
      await bed.bench.untilIdle();
      done(bed, 3);
      assert.deepEqual([bed.requests.length, bed.server.connections], [7, 1]);
    });
  });

  test("a server that closes behind every answer is connected to again, and no message comes twice", async () => {
    await withBed({ packages: 2, server: { closeAfterAnswer: true } }, async (bed) => {
      await bed.bench.untilIdle();
      done(bed, 2);
      assert.deepEqual([bed.requests.length, bed.server.connections], [5, 5]);
      assert.deepEqual(bed.ends, [0]);
    });
  });

  for (const n of [2, 3, 4]) {
    test(`a connection that dies with message ${n} on its way costs no step`, async () => {
      const dies = (at: number, server: HttpsServer): void => {
        if (at === n) server.closeConnections();
      };
      await withBed({ packages: 2, onRequest: dies }, async (bed) => {
        await bed.bench.untilIdle();
        done(bed, 2);
        assert.deepEqual(bed.ends, [0]);
      });
    });
  }

  test("an answer to ProvideEimPackageResult that is lost has the result sent again, and the eIM takes it once", async () => {
    await withBed({ behaviour: behaviours.once(behaviours.forFunction(PROVIDE, behaviours.lostAnswer())) }, async (bed) => {
      await bed.bench.untilIdle();
      done(bed);
      assert.equal(bed.eim.results(pki.eid)[0]?.resent, 1);
    });
  });

  test("whoever answers the second connection of a poll must have the pinned key as well", async () => {
    const stranger = await HttpsServer.listen({ ...good, handle: () => ({ status: 200, headers: {}, body: new Uint8Array(0) }) });
    let port = 0;
    try {
      await withBed({ server: { closeAfterAnswer: true }, link: { resolve: () => `127.0.0.1:${port}` }, onRequest: (n, server) => { port = n === 1 ? stranger.port : server.port; } }, async (bed) => {
        port = bed.server.port;
        await bed.bench.untilIdle();
        assert.equal(bed.requests.length, 1, "the result was not told to the stranger");
        assert.deepEqual(bed.ends, [TRUST]);
        assert.equal(bed.euicc.pending.length, 1, "it is kept");
        port = bed.server.port;
        await bed.bench.untilIdle();
        if (bed.ends.length === 1) await bed.bench.untilIdle();
        assert.deepEqual(bed.eim.results(pki.eid).map((result) => result.kind), ["euiccPackageResult"]);
      });
    } finally {
      await stranger.close();
    }
  });
});

// The tests above hold for a certificate that has the name; this one is the premise of the pin tests.
test("the certificate of the bench's eIM is self-made and names the eIM", () => {
  const certificate = parseCertificate(pki.eimTls.certificate);
  assert.ok(certificate.dnsNames.includes(FQDN));
});
