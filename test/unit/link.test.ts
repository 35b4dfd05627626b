/** Links: trust by A6 (sgp32-transport 1), the virtual link's faults, and HTTPS over real sockets (2.1). */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { HttpsLink, type HttpsLinkOptions } from "../sim/agent/index.js";
import { readOne, tlv } from "../sim/codec/tlv.js";
import { utf8 } from "../sim/core/bytes.js";
import { VirtualClock } from "../sim/core/clock.js";
import { isFailed, type Endpoint } from "../sim/core/doors.js";
import type { EsipaRequest, EsipaResponse } from "../sim/core/http.js";
import { faults, VirtualLink, type VirtualLinkOptions } from "../sim/link/index.js";
import { issueCertificate, KeyUsage, parseCertificate } from "../sim/pki/certificate.js";
import { keyPairFromSeed } from "../sim/pki/keys.js";
import { makePki } from "../sim/pki/pki.js";
import { distrust, readAnchor } from "../sim/pki/trust.js";
import { ask, HttpsServer } from "./https-kit.js";

const HOST = "eim.example.com";
const pki = makePki({ seed: "link test" });
const server = parseCertificate(pki.eimTls.certificate);
const content = (der: Uint8Array): Uint8Array => readOne(der).value;
const KEY = tlv(0xa6, tlv(0xa0, content(server.spki)));
const CERTIFICATE = tlv(0xa6, tlv(0xa1, content(pki.eimTls.certificate)));
const OTHER_KEY = tlv(0xa6, tlv(0xa0, content(parseCertificate(pki.dpTls.certificate).spki)));
const OTHER_CERTIFICATE = tlv(0xa6, tlv(0xa1, content(pki.dpTls.certificate)));

/** A chain of its own: root, intermediate, server. */
function chain(options: { dnsName?: string; notAfter?: Date } = {}) {
  const [root, middle, leaf] = ["root", "middle", "leaf"].map((name) => keyPairFromSeed("P-256", name));
  const common = { curve: "P-256" as const, notBefore: new Date("2020-01-01"), notAfter: new Date("2049-01-01") };
  const ca = { ...common, keyUsage: [KeyUsage.KeyCertSign], ca: {} };
  const rootCertificate = issueCertificate({ ...ca, serialNumber: Uint8Array.of(1), subject: [["CN", "Root"]], publicKey: root!.publicKey, issuerKey: root! });
  const middleCertificate = issueCertificate({ ...ca, serialNumber: Uint8Array.of(2), subject: [["CN", "Middle"]], publicKey: middle!.publicKey, issuerKey: root!, issuer: rootCertificate });
  const leafCertificate = issueCertificate({
    ...common, serialNumber: Uint8Array.of(3), subject: [["CN", "Server"]], publicKey: leaf!.publicKey, issuerKey: middle!, issuer: middleCertificate,
    keyUsage: [KeyUsage.DigitalSignature], dnsNames: [options.dnsName ?? HOST], notAfter: options.notAfter ?? common.notAfter,
  });
  return { root: rootCertificate, middle: middleCertificate, leaf: leafCertificate, key: leaf! };
}

describe("trust by A6", () => {
  const why = (a6: Uint8Array, certificates: readonly Uint8Array[] = [pki.eimTls.certificate], host = HOST, now?: Date): string | undefined =>
    distrust({ anchors: [readAnchor(a6)], chain: certificates, host, ...(now === undefined ? {} : { now }) });

  test("a pinned key must be the server's, whatever its name", () => {
    assert.equal(why(KEY, undefined, "another.example.com"), undefined);
    assert.match(why(OTHER_KEY) ?? "", /key differs from the pinned key/);
  });

  test("a pinned certificate must be the server's own", () => {
    assert.equal(why(CERTIFICATE), undefined);
    assert.match(why(tlv(0xa6, tlv(0xa1, content(chain().leaf)))) ?? "", /differs from the pinned certificate, which is not a CA/);
  });

  test("a CA must sign the server's chain, also over an intermediate", () => {
    const { root, middle, leaf } = chain();
    const a6 = tlv(0xa6, tlv(0xa1, content(root)));
    assert.equal(why(a6, [leaf, middle]), undefined);
    assert.match(why(a6, [leaf]) ?? "", /CN=Root did not sign the server's chain/);
    assert.match(why(CERTIFICATE, [leaf, middle]) ?? "", /did not sign the server's chain/);
  });

  test("with a CA the host name counts", () => {
    const { root, middle, leaf } = chain({ dnsName: "other.example.com" });
    assert.match(why(tlv(0xa6, tlv(0xa1, content(root))), [leaf, middle]) ?? "", /is not for eim\.example\.com/);
  });

  test("validity counts when the time is known", () => {
    const { root, middle, leaf } = chain({ notAfter: new Date("2021-01-01") });
    const a6 = tlv(0xa6, tlv(0xa1, content(root)));
    assert.equal(why(a6, [leaf, middle]), undefined);
    assert.match(why(a6, [leaf, middle], HOST, new Date("2022-01-01")) ?? "", /CN=Server is valid from/);
  });

  test("the nested forms and the bare 30 of the field are read too", () => {
    for (const object of [tlv(0xa6, tlv(0xa0, server.spki)), tlv(0xa6, server.spki)]) assert.deepEqual(readAnchor(object), { kind: "key", spki: server.spki });
    for (const object of [tlv(0xa6, tlv(0xa1, pki.eimTls.certificate)), tlv(0xa6, pki.eimTls.certificate)]) assert.deepEqual(readAnchor(object), { kind: "certificate", der: pki.eimTls.certificate });
    assert.throws(() => readAnchor(tlv(0xa6)), /expected one key or certificate, got 0/);
  });
});

function ok(body: string): EsipaResponse {
  return { status: 200, headers: { "content-type": "application/x-gsma-rsp-asn1" }, body: utf8(body) };
}

const ENDPOINT: Endpoint = { peer: "eIM", binding: "ESipa HTTPS", address: HOST, trust: KEY };
const failure = (result: unknown): string => (isFailed(result) ? result.failure : "none");

describe("virtual link", () => {
  function world(handle: (request: EsipaRequest) => EsipaResponse = () => ok("answer"), options: Partial<VirtualLinkOptions> = {}) {
    const clock = new VirtualClock();
    const network = { up: true, generation: 1 };
    const seen: EsipaRequest[] = [];
    const servers = new Map([[HOST, { certificates: [pki.eimTls.certificate], handle: (request: EsipaRequest) => (seen.push(request), handle(request)) }]]);
    const link = new VirtualLink({ clock, network: () => network, servers, seed: 3, ...options });
    return { clock, link, network, seen };
  }

  test("a request carries the header fields of ESipa", async () => {
    const { link, seen } = world();
    link.open(ENDPOINT, 1000);
    await ask(link, "hello");
    assert.deepEqual(seen.map(({ body: _body, ...rest }) => rest), [{
      method: "POST", path: "/gsma/rsp2/asn1",
      headers: { host: HOST, "user-agent": "gsma-rsp-ipad", "x-admin-protocol": "gsma/rsp/v2.1.0", "content-type": "application/x-gsma-rsp-asn1", "content-length": "5" },
    }]);
  });

  test("opening fails by name: unknown host, no bearer, untrusted server", () => {
    const { link, network } = world();
    assert.equal(failure(link.open({ ...ENDPOINT, address: "nobody.example.com" }, 1000)), "name");
    assert.equal(failure(link.open({ ...ENDPOINT, trust: OTHER_CERTIFICATE }, 1000)), "trust");
    assert.equal(failure(link.open({ peer: "eIM", binding: "ESipa HTTPS", address: HOST }, 1000)), "trust");
    network.up = false;
    assert.equal(failure(link.open(ENDPOINT, 1000)), "link");
  });

  test("without A6 the configured CA store counts", () => {
    const { link } = world(undefined, { caStore: [pki.eimTls.certificate] });
    assert.equal(link.open({ peer: "eIM", binding: "ESipa HTTPS", address: HOST }, 1000), undefined);
  });

  test("split answers give the same octets in any pieces", async () => {
    const { link } = world(() => ok("an answer of some length"));
    for (const pieces of ["whole", "random", "single"] as const) {
      link.split(pieces);
      link.open(ENDPOINT, 1000);
      const result = await ask(link, "x", { max: 7 });
      assert.ok(!isFailed(result) && result.body === "an answer of some length" && (pieces !== "single" || result.pieces >= 24));
    }
  });

  test("an answer that is late beyond patience is a timeout, although the server acted", async () => {
    const { link, clock, seen } = world();
    link.use(faults.lateBy(60_000));
    link.open(ENDPOINT, 1000);
    assert.equal(failure(await ask(link, "x", { waitMs: 30_000 })), "timeout");
    assert.equal(seen.length, 1);
    assert.ok(clock.now() >= 30_000 && clock.now() < 31_000);
  });

  test("a lost answer breaks the connection after the server acted, a reset before", async () => {
    const { link, seen } = world();
    link.use(faults.losesAnswer(1));
    link.use(faults.resetAt(2));
    link.open(ENDPOINT, 1000);
    assert.equal(failure(await ask(link, "first")), "link");
    link.open(ENDPOINT, 1000);
    assert.equal(failure(await ask(link, "second")), "link");
    assert.equal(seen.length, 1);
  });

  test("a server that closed between two messages is connected to again, without telling", async () => {
    const notes: string[] = [];
    const { link, seen } = world(undefined, { note: (text) => notes.push(text) });
    link.use(faults.closesAfter(1));
    link.open(ENDPOINT, 1000);
    assert.equal(failure(await ask(link, "first")), "none");
    assert.equal(failure(await ask(link, "second")), "none");
    assert.equal(seen.length, 2);
    assert.match(notes.join(), /connecting again/);
  });

  test("the orders of a server are carried out: drop, silent, truncated, late", async () => {
    let order: Partial<EsipaResponse> = {};
    const { link } = world(() => ({ ...ok("answer"), ...order }));
    for (const [what, expected] of [[{ drop: true }, "link"], [{ silent: true }, "timeout"], [{ truncateTo: 3 }, "link"], [{ delayMs: 10_000 }, "timeout"], [{ delayMs: 1000 }, "none"]] as const) {
      order = what;
      link.open(ENDPOINT, 1000);
      assert.equal(failure(await ask(link, "x", { waitMs: 5000 })), expected, JSON.stringify(what));
    }
  });

  test("the connection dies with its bearer", async () => {
    const { link, network } = world();
    link.open(ENDPOINT, 1000);
    network.generation++;
    assert.equal(failure(await ask(link, "x")), "link");
  });

  test("a snapshot in the middle of an answer goes on with the next octet", async () => {
    const { link } = world(() => ok("0123456789"));
    link.open(ENDPOINT, 1000);
    link.send(utf8("x"), { first: true, last: true, total: 1, fn: 0, waitMs: 1000 });
    link.receive(4, 1000);
    const state = link.snapshot();
    const rest = (): unknown => link.receive(100, 1000);
    const first = rest();
    link.restore(state);
    assert.deepEqual(rest(), first);
  });
});

describe("HTTPS link over real sockets", () => {
  let server: HttpsServer;
  let chunked: HttpsServer;
  let handle: (request: EsipaRequest) => EsipaResponse = () => ok("answer");
  const links: HttpsLink[] = [];

  before(async () => {
    const options = { handle: (request: EsipaRequest) => handle(request), key: pki.eimTls.key, certificates: [pki.eimTls.certificate] };
    server = await HttpsServer.listen(options);
    chunked = await HttpsServer.listen({ ...options, chunk: 5 });
  });
  after(async () => {
    for (const link of links) link.close();
    await server.close();
    await chunked.close();
  });

  function connect(options: HttpsLinkOptions = {}, to = server): HttpsLink {
    const link = new HttpsLink({ resolve: () => `127.0.0.1:${to.port}`, ...options });
    links.push(link);
    return link;
  }

  test("one connection serves any number of exchanges, with the header fields of ESipa", async () => {
    const seen: EsipaRequest[] = [];
    handle = (request) => (seen.push(request), ok(`answer ${seen.length}`));
    const link = connect();
    const connections = server.connections;
    assert.equal(await link.open(ENDPOINT, 5000), undefined);
    for (const n of [1, 2, 3]) assert.deepEqual(await ask(link, "hello", { max: 3 }), { code: 200, retryAfter: 0, body: `answer ${n}`, pieces: 3 });
    assert.equal(server.connections - connections, 1);
    const { connection: _connection, ...headers } = seen[0]?.headers ?? {};
    assert.deepEqual(headers, { host: HOST, "user-agent": "gsma-rsp-ipad", "x-admin-protocol": "gsma/rsp/v2.1.0", "content-type": "application/x-gsma-rsp-asn1", "content-length": "5" });
  });

  test("trust: pinned key and certificate hold, others are refused with a reason, no A6 means the CA file or the system's store", async () => {
    handle = () => ok("answer");
    const tryWith = async (trust: Uint8Array | undefined, options: HttpsLinkOptions = {}): Promise<string> => {
      const result = await connect(options).open({ peer: "eIM", binding: "ESipa HTTPS", address: HOST, ...(trust === undefined ? {} : { trust }) }, 5000);
      return result === undefined ? "trusted" : `${result.failure}: ${result.reason}`;
    };
    assert.equal(await tryWith(KEY), "trusted");
    assert.equal(await tryWith(CERTIFICATE), "trusted");
    assert.match(await tryWith(OTHER_KEY), /^trust: the server's key differs/);
    assert.match(await tryWith(OTHER_CERTIFICATE), /^trust: /);
    assert.equal(await tryWith(undefined, { caStore: [pki.eimTls.certificate] }), "trusted");
    assert.match(await tryWith(undefined, { caStore: [pki.ci.certificate] }), /^trust: the CA .* did not sign/);
    assert.match(await tryWith(undefined), /^trust: the system's store does not vouch/);
    assert.equal(await tryWith(undefined, { lab: true }), "trusted");
  });

  test("a server that closed while idle is connected to again, without telling", async () => {
    handle = () => ok("answer");
    const link = connect();
    await link.open(ENDPOINT, 5000);
    assert.equal(failure(await ask(link, "first")), "none");
    server.closeConnections();
    assert.equal(failure(await ask(link, "second")), "none");
  });

  test("a chunked answer arrives whole, and the connection is used again", async () => {
    const body = "x".repeat(20_000);
    handle = () => ok(body);
    const link = connect({}, chunked);
    await link.open(ENDPOINT, 5000);
    for (let i = 0; i < 2; i++) {
      const result = await ask(link, "x", { max: 1024 });
      assert.ok(!isFailed(result) && result.body === body);
    }
    assert.equal(chunked.connections, 1);
  });

  test("204 without a body, a Retry-After and an error status come through", async () => {
    const link = connect();
    await link.open(ENDPOINT, 5000);
    handle = () => ({ status: 204, headers: {}, body: new Uint8Array(0) });
    assert.deepEqual(await ask(link, "x"), { code: 204, retryAfter: 0, body: "", pieces: 1 });
    handle = () => ({ status: 503, headers: { "retry-after": "120" }, body: new Uint8Array(0) });
    assert.deepEqual(await ask(link, "x"), { code: 503, retryAfter: 120, body: "", pieces: 1 });
    handle = () => ({ status: 302, headers: { location: "https://elsewhere.example.com/" }, body: new Uint8Array(0) });
    assert.deepEqual(await ask(link, "x"), { code: 302, retryAfter: 0, body: "", pieces: 1 });
  });

  test("drop is a broken link, silence a timeout, a truncated body a broken link", async () => {
    for (const [order, expected] of [[{ drop: true }, "link"], [{ silent: true }, "timeout"], [{ truncateTo: 3 }, "link"]] as const) {
      handle = () => ({ ...ok("answer"), ...order });
      const link = connect();
      await link.open(ENDPOINT, 5000);
      assert.equal(failure(await ask(link, "x", { waitMs: 300 })), expected, JSON.stringify(order));
    }
  });

  test("nobody listens, the name does not resolve, http:// outside the laboratory", async () => {
    assert.equal(failure(await connect({ resolve: () => "127.0.0.1:1" }).open(ENDPOINT, 5000)), "link");
    assert.equal(failure(await connect({ resolve: (address) => address }).open({ ...ENDPOINT, address: "nobody.invalid" }, 5000)), "name");
    assert.equal(failure(await connect({ resolve: (address) => address }).open({ ...ENDPOINT, address: `http://127.0.0.1:${server.port}` }, 5000)), "trust");
  });
});
