/** ES9+ of the live host over real sockets (sgp32-transport 6): paths, trust in SM-DP+ and SM-DS, failures by name; and worlds over real sockets. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { HttpsLink, type HttpsLinkOptions } from "../sim/agent/index.js";
import { tlv } from "../sim/codec/tlv.js";
import { isFailed, type Endpoint } from "../sim/core/doors.js";
import type { EsipaRequest, EsipaResponse } from "../sim/core/http.js";
import { utf8 } from "../sim/core/bytes.js";
import { downloadTrigger, faults, iccid, runScenario, sampleProfile, defineScenario, type Scenario, type World } from "../sim/index.js";
import { issueCertificate, KeyUsage, Policy } from "../sim/pki/certificate.js";
import { keyPairFromSeed } from "../sim/pki/keys.js";
import { makePki, type Identity } from "../sim/pki/pki.js";
import { makeSmdsIdentity } from "../sim/smds/index.js";
import { ask, HttpsServer } from "./https-kit.js";

const NAME = "smdp.example.com";
const SMDP: Endpoint = { peer: "SM-DP+", binding: "ES9+ HTTPS", address: NAME };
const SMDS: Endpoint = { peer: "SM-DS", binding: "ES9+ HTTPS", address: "lpa.ds.example.com" };
const pki = makePki({ seed: "es9p link" });
const other = makePki({ seed: "another world" });
const CI = pki.ci.certificate;
const dates = { notBefore: new Date("2020-01-01"), notAfter: new Date("2049-01-01") };
const json = (text = "{}"): EsipaResponse => ({ status: 200, headers: { "content-type": "application/json;charset=UTF-8" }, body: utf8(text) });

/** A TLS certificate for NAME under an issuer, with the roles given. */
function leaf(issuer: Identity, policies: readonly string[]): Identity {
  const key = keyPairFromSeed("P-256", `leaf ${policies.join()}`);
  const certificate = issueCertificate({
    ...dates, serialNumber: Uint8Array.of(9), subject: [["CN", NAME]], publicKey: key.publicKey, curve: "P-256", issuerKey: issuer.key, issuer: issuer.certificate,
    keyUsage: [KeyUsage.DigitalSignature], dnsNames: [NAME], policies,
  });
  return { key, certificate };
}

/** A CA of the public web: no role of SGP.22. */
function webCa(): Identity {
  const key = keyPairFromSeed("P-256", "web");
  const certificate = issueCertificate({
    ...dates, serialNumber: Uint8Array.of(1), subject: [["CN", "Web CA"]], publicKey: key.publicKey, curve: "P-256", issuerKey: key, keyUsage: [KeyUsage.KeyCertSign], ca: {},
  });
  return { key, certificate };
}

describe("ES9+ over real sockets", () => {
  let server: HttpsServer;
  let chunked: HttpsServer;
  let seen: EsipaRequest[] = [];
  let handle: (request: EsipaRequest) => EsipaResponse;
  const open: { close(): unknown }[] = [];
  const listen = async (tls: Identity, options: { chunk?: number } = {}): Promise<HttpsServer> => {
    const made = await HttpsServer.listen({ handle: (request) => (seen.push(request), handle(request)), key: tls.key, certificates: [tls.certificate], ...options });
    open.push(made);
    return made;
  };
  const connect = (options: HttpsLinkOptions = {}, to = server): HttpsLink => {
    const link = new HttpsLink({ resolve: () => `127.0.0.1:${to.port}`, rspTrust: [CI], ...options });
    open.unshift(link);
    return link;
  };
  const said = async (link: HttpsLink, endpoint = SMDP): Promise<string> => {
    const result = await link.open(endpoint, 5000);
    return result === undefined ? "trusted" : `${result.failure}: ${result.reason}`;
  };

  before(async () => {
    server = await listen(pki.dpTls);
    chunked = await listen(pki.dpTls, { chunk: 7 });
  });
  after(async () => {
    for (const one of open) await one.close();
  });

  test("each function has its path, one connection carries them all, with the header fields of ES9+", async () => {
    seen = [];
    handle = (request) => (request.path.endsWith("handleNotification") ? { status: 204, headers: {}, body: new Uint8Array(0) } : json(`{"n":${seen.length}}`));
    const link = connect();
    const connections = server.connections;
    assert.equal(await said(link, { ...SMDP, address: "SMDP.Example.COM" }), "trusted");
    for (const fn of [1, 2, 3, 4, 5]) {
      const answer = await ask(link, "{}", { fn, max: 3 });
      assert.ok(!isFailed(answer));
      assert.deepEqual([answer.code, answer.body], fn === 4 ? [204, ""] : [200, `{"n":${fn}}`]);
    }
    assert.equal(server.connections - connections, 1);
    const names = ["initiateAuthentication", "authenticateClient", "getBoundProfilePackage", "handleNotification", "cancelSession"];
    assert.deepEqual(seen.map((request) => `${request.method} ${request.path}`), names.map((name) => `POST /gsma/rsp2/es9plus/${name}`));
    const { connection: _connection, ...headers } = seen[0]?.headers ?? {};
    assert.deepEqual(headers, { host: NAME, "user-agent": "gsma-rsp-lpad", "x-admin-protocol": "gsma/rsp/v2.5.0", "content-type": "application/json;charset=UTF-8", "content-length": "2" });
  });

  test("a function that the binding does not have is unsupported, and so is a binding for the wrong peer", async () => {
    const link = connect();
    await link.open(SMDP, 5000);
    for (const fn of [0, 6]) assert.deepEqual((await ask(link, "{}", { fn }) as { failure: string }).failure, "unsupported");
    assert.match(await said(link, { ...SMDP, binding: "ESipa HTTPS" }), /^unsupported: ESipa HTTPS towards an SM-DP\+/);
    assert.match(await said(link, { ...SMDP, peer: "eIM" }), /^unsupported: ES9\+ HTTPS towards an eIM/);
  });

  test("a request in any pieces arrives whole, and so does an answer in chunks", async () => {
    seen = [];
    const body = `{"boundProfilePackage":"${"A".repeat(20_000)}"}`;
    handle = () => json(body);
    const link = connect({}, chunked);
    assert.equal(await said(link), "trusted");
    const request = utf8(`{"transactionId":"00"}`);
    request.forEach((octet, at) => link.send(Uint8Array.of(octet), { first: at === 0, last: at === request.length - 1, total: request.length, fn: 3, waitMs: 5000 }));
    let text = "";
    for (;;) {
      const piece = await link.receive(64, 5000);
      assert.ok(!isFailed(piece) && piece.payload.length <= 64);
      text += new TextDecoder().decode(piece.payload);
      if (piece.last) break;
    }
    assert.equal(text, body);
    assert.deepEqual(seen.map((one) => new TextDecoder().decode(one.body)), [`{"transactionId":"00"}`]);
  });

  test("the CI vouches for the server; another CI, another name, no list at all do not, each with its reason", async () => {
    assert.equal(await said(connect()), "trusted");
    assert.equal(await said(connect({ rspTrust: [other.ci.certificate, CI] })), "trusted");
    assert.match(await said(connect({ rspTrust: [other.ci.certificate] })), /^trust: the CA .* did not sign the server's chain$/);
    assert.match(await said(connect(), { ...SMDP, address: "other.example.com" }), /^trust: the server's certificate is not for other\.example\.com$/);
    assert.match(await said(new HttpsLink()), /^trust: there is no CI or CA by which an SM-DP\+ could be trusted$/);
    assert.match(await said(connect({ rspTrust: "system" })), /^trust: the system's store does not vouch for smdp\.example\.com/);
    assert.match(await said(connect({ rspTrust: "system", lab: true })), /^trust: /);
    assert.equal(await said(connect({ rspTrust: [pki.dpTls.certificate] })), "trusted");
    assert.match(await said(connect({ date: new Date("2060-01-01") })), /^trust: the certificate of .* is valid from/);
  });

  test("under an RSP CI the server needs the role of its kind; under a CA of the web none, but no wrong one", async () => {
    const ci = pki.ci as Identity;
    const web = webCa();
    const smds = makeSmdsIdentity(pki.ci, { seed: "s", curve: "P-256", address: SMDS.address });
    const cases = [
      [leaf(ci, []), SMDP, CI, /^trust: .* role of an SM-DP\+: 2\.23\.146\.1\.2\.1\.3 \(DPtls\) expected, got none$/],
      [leaf(ci, [Policy.dsTls]), SMDP, CI, /^trust: .* expected, got 2\.23\.146\.1\.2\.1\.6$/],
      [leaf(ci, [Policy.dpTls]), SMDP, CI, /^trusted$/],
      [smds.dsTls, SMDS, CI, /^trusted$/],
      [leaf(web, []), SMDP, web.certificate, /^trusted$/],
      [leaf(web, [Policy.dpAuth]), SMDP, web.certificate, /^trust: .* expected, got 2\.23\.146\.1\.2\.1\.4$/],
    ] as const;
    for (const [tls, endpoint, root, expected] of cases) assert.match(await said(connect({ rspTrust: [root] }, await listen(tls)), endpoint), expected);
  });

  test("what the host has in place of the eIM configuration is for eIMs only", async () => {
    const link = connect({ instead: { address: "nobody.example.com", trust: tlv(0xa6, other.dpTls.certificate) } });
    assert.equal(await said(link), "trusted");
  });

  test("an address that is none, or an A6 that is none, is a failure by its name", async () => {
    assert.match(await said(connect(), { ...SMDP, address: "smdp example com" }), /^name: expected FQDN/);
    assert.match(await said(connect(), { peer: "eIM", binding: "ESipa HTTPS", address: NAME, trust: tlv(0xa6) }), /^trust: trustedPublicKeyDataTls: /);
    const garbage = { peer: "eIM", binding: "ESipa HTTPS", address: NAME, trust: tlv(0xa6, tlv(0xa1, utf8("garbage"))) } as const;
    assert.match(await said(connect(), garbage), /^trust: /);
    assert.match(await said(connect({ rspTrust: [utf8("garbage")] })), /^trust: the certificates can't be compared: /);
    assert.match(await said(connect({ resolve: () => "http://127.0.0.1:1" })), /^trust: .* without TLS is for the laboratory only/);
  });

  test("a redirect is not followed: its status goes to the agent", async () => {
    seen = [];
    handle = () => ({ status: 302, headers: { location: `https://127.0.0.1:${server.port}/elsewhere` }, body: new Uint8Array(0) });
    const link = connect();
    await link.open(SMDP, 5000);
    const answer = await ask(link, "{}", { fn: 1 });
    assert.ok(!isFailed(answer) && answer.code === 302);
    assert.equal(seen.length, 1);
  });

  test("silence is a timeout, a broken connection is a link failure, within the answer too", async () => {
    for (const [order, expected] of [[{ silent: true }, "timeout"], [{ drop: true }, "link"], [{ truncateTo: 1 }, "link"], [{ delayMs: 5000 }, "timeout"]] as const) {
      handle = () => ({ ...json(), ...order });
      const link = connect();
      await link.open(SMDP, 5000);
      const answer = await ask(link, "{}", { fn: 2, waitMs: 200 });
      assert.equal(isFailed(answer) ? answer.failure : answer.code, expected, JSON.stringify(order));
    }
  });

  test("a server that closed between two functions is connected to again, without telling", async () => {
    handle = () => json();
    const link = connect();
    await link.open(SMDP, 5000);
    assert.ok(!isFailed(await ask(link, "{}", { fn: 1 })));
    const connections = server.connections;
    server.closeConnections();
    assert.ok(!isFailed(await ask(link, "{}", { fn: 2 })));
    assert.equal(server.connections - connections, 1);
  });
});

describe("worlds over real sockets", () => {
  const download = (direct: boolean, prepare: (world: World) => void = () => undefined): Scenario =>
    defineScenario({
      name: `a download over real sockets, ${direct ? "direct" : "indirect"}`,
      objectives: ["J1"],
      world: { smdps: [{}], smds: [{}], ...(direct ? { configuration: { features: [0, 1, 2, 3] } } : {}) },
      prepare(world) {
        const order = world.smdp.order({ profile: sampleProfile({ iccid: iccid(7), size: 20_000 }), matchingId: "REAL", memory: 1000 });
        world.eim.queue(world.eid, downloadTrigger({ activationCode: world.smdp.activationCode(order) }));
        prepare(world);
      },
      claims(world) {
        assert.equal(world.euicc.profilePackage(iccid(7))?.length, 20_000);
        assert.equal(world.smdp.orders[0]?.state, "installed");
        assert.equal(world.trace.exchanges.some((exchange) => exchange.peer === "SM-DP+"), direct);
        assert.equal(world.eim.seen.some((exchange) => (exchange.es9p ?? []).some((call) => call.function === "getBoundProfilePackage")), !direct);
      },
    });

  for (const direct of [false, true]) {
    test(`a profile of 20,000 octets is downloaded, ${direct ? "by the device itself" : "through the eIM"}`, async () => {
      const { failure } = await runScenario(download(direct), { real: true });
      assert.ifError(failure);
    });
  }

  test("faults of the virtual way are refused by name instead of being left out", async () => {
    for (const [fault, expected] of [[(world: World) => world.link.use(faults.losesAnswer(1)), /without faults of the way/], [(world: World) => world.es9p.use(faults.refuses(1)), /without faults of the way/], [(world: World) => world.link.split("single"), /without split answers/]] as const) {
      assert.match((await runScenario(download(true, fault), { real: true })).failure?.message ?? "", expected);
    }
  });
});
