/** What the SM-DP+ refuses, and with which code: every status code of sgp32-transport 6 in both bindings, and everything that is no message at all. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { concat, fromHex, fromUtf8, toHex, utf8 } from "../sim/core/bytes.js";
import { VirtualClock } from "../sim/core/clock.js";
import { readAll, readOne, tlv } from "../sim/codec/tlv.js";
import { issueCertificate, KeyUsage, parseCertificate, Policy } from "../sim/pki/certificate.js";
import { keyPairFromSeed, sign, type KeyPair } from "../sim/pki/keys.js";
import { makePki } from "../sim/pki/pki.js";
import { STATUS, type Binding, type HttpRequest } from "../sim/rsp/index.js";
import { sampleProfile, Smdp, type Order, type OrderOptions, type SmdpOptions } from "../sim/smdp/index.js";
import { ASN1_HEADERS, ciPkId, Client, JSON_HEADERS, succeeded, type Reply, type Signed1 } from "./smdp-client.js";

const ICCID = "89000123456789012341";
const OTHER_EID = "89049032123451234512345678901332";
const pki = makePki({ seed: "smdp refuses" });
/** Another eUICC of the same EUM. */
const sibling = makePki({ seed: "smdp refuses", eid: OTHER_EID });
const stranger = makePki({ seed: "smdp refuses: a stranger" });
const profile = sampleProfile({ iccid: ICCID });
const someKey = keyPairFromSeed("P-256", "some other key");

interface Bench {
  readonly smdp: Smdp;
  readonly clock: VirtualClock;
  readonly client: Client;
  readonly order: Order;
}

function bench(binding: Binding, order: Partial<OrderOptions> = {}, options: Partial<SmdpOptions> = {}): Bench {
  const clock = new VirtualClock();
  const smdp = new Smdp({ pki, clock, ...options });
  const made = smdp.order({ profile, matchingId: "CODE-1", ...order });
  return { smdp, clock, client: new Client({ server: smdp, pki, binding, matchingId: made.matchingId }), order: made };
}

/** A certificate with a good key, that one thing is wrong with. */
function certificate(of: "eum" | "euicc", change: { notAfter?: Date; policies?: string[]; eid?: string; issuerKey?: KeyPair }): Uint8Array {
  const own = of === "eum" ? { key: pki.eum.key as KeyPair, issuer: pki.ci } : { key: pki.euicc.key, issuer: pki.eum };
  const names = parseCertificate(pki.eum.certificate);
  return issueCertificate({
    serialNumber: Uint8Array.of(0x41), publicKey: own.key.publicKey, curve: "P-256", issuerKey: change.issuerKey ?? (own.issuer.key as KeyPair), issuer: own.issuer.certificate,
    subject: of === "eum" ? [["C", "ES"], ["O", "tinyipa test EUM"], ["CN", names.commonName as string]] : [["C", "ES"], ["serialNumber", change.eid ?? pki.eid], ["CN", "eUICC"]],
    notBefore: new Date(Date.UTC(2020, 0, 1)), notAfter: change.notAfter ?? new Date(Date.UTC(2049, 0, 1)),
    keyUsage: [of === "eum" ? KeyUsage.KeyCertSign : KeyUsage.DigitalSignature], ...(of === "eum" && { ca: { pathLength: 0 } }),
    policies: change.policies ?? [of === "eum" ? Policy.eum : Policy.euicc],
  });
}

interface Case {
  readonly title: string;
  readonly code: keyof typeof STATUS;
  readonly number: number;
  readonly order?: Partial<OrderOptions>;
  readonly options?: Partial<SmdpOptions>;
  /** What the audit log says. */
  readonly reason: RegExp;
  run(bench: Bench): Reply;
}

const atAuthenticate = (change: Signed1) => ({ client }: Bench): Reply => {
  succeeded(client.initiate());
  return client.authenticate(change);
};

function authenticated({ client }: Bench): Client {
  succeeded(client.initiate());
  succeeded(client.authenticate());
  return client;
}

const DATE = { date: new Date(Date.UTC(2030, 0, 1)) };
const PAST = new Date(Date.UTC(2025, 0, 1));

const CASES: readonly Case[] = [
  { title: "InitiateAuthentication for another address", code: "8.8.1/3.8", number: 1, reason: /smdp\.example\.com expected, got other/, run: ({ client }) => client.initiate({ address: "other.example.com" }) },
  { title: "an svn below the lowest one", code: "8.8.3/3.1", number: 2, reason: /2\.0\.0 or a later one of the same major version expected, got 1\.9\.9/, run: ({ client }) => client.initiate({ svn: "1.9.9" }) },
  { title: "an svn of another major version", code: "8.8.3/3.1", number: 2, reason: /got 3\.0\.0/, run: ({ client }) => client.initiate({ svn: "3.0.0" }) },
  { title: "no CI in common for the eUICC's signatures", code: "8.8.2/3.1", number: 3, reason: /euiccCiPKIdListForSigning/, run: ({ client }) => client.initiate({ signing: [ciPkId(stranger)] }) },
  { title: "an empty list of CIs for signing", code: "8.8.2/3.1", number: 3, reason: /got none/, run: ({ client }) => client.initiate({ signing: [] }) },
  { title: "no certificate of ours that the eUICC can verify", code: "8.8.4/3.7", number: 3, reason: /euiccCiPKIdListForVerification/, run: ({ client }) => client.initiate({ verification: [ciPkId(stranger)] }) },
  { title: "AuthenticateClient without a session", code: "8.10.1/3.9", number: 10, reason: /there is no such session/, run: ({ client }) => { client.initiate(); client.transactionId = "0102"; return client.authenticate(); } },
  { title: "AuthenticateClient a second time", code: "8.10.1/3.9", number: 10, reason: /it is authenticated/, run: (b) => authenticated(b).authenticate() },
  { title: "another transactionId inside euiccSigned1", code: "8.10.1/3.9", number: 10, reason: /euiccSigned1: transactionId .* expected, got 0102/, run: atAuthenticate({ transactionId: fromHex("0102") }) },
  { title: "an EUM of another CI", code: "8.11.1/3.9", number: 9, reason: /CERT\.EUM: issued by/, run: atAuthenticate({ certificate: stranger.euicc.certificate, eumCertificate: stranger.eum.certificate, key: stranger.euicc.key }) },
  { title: "an EUM certificate that its CI did not sign", code: "8.1.2/6.1", number: 1, reason: /CERT\.EUM: its issuer's signature does not verify/, run: atAuthenticate({ eumCertificate: certificate("eum", { issuerKey: someKey }) }) },
  { title: "an EUM certificate with the role of an eUICC", code: "8.1.2/6.1", number: 1, reason: /CERT\.EUM: role/, run: atAuthenticate({ eumCertificate: certificate("eum", { policies: [Policy.euicc] }) }) },
  { title: "an EUM certificate that is none", code: "8.1.2/6.1", number: 1, reason: /DER X\.509 certificate/, run: atAuthenticate({ eumCertificate: fromHex("3000") }) },
  { title: "an EUM certificate that has expired", code: "8.1.2/6.3", number: 2, options: DATE, reason: /CERT\.EUM: valid from .* and it is 2030/, run: atAuthenticate({ eumCertificate: certificate("eum", { notAfter: PAST }) }) },
  { title: "an eUICC certificate of another EUM", code: "8.1.3/6.1", number: 3, reason: /CERT\.EUICC: its issuer/, run: atAuthenticate({ certificate: stranger.euicc.certificate, key: stranger.euicc.key }) },
  { title: "an eUICC certificate with the role of an SM-DP+", code: "8.1.3/6.1", number: 3, reason: /CERT\.EUICC: role/, run: atAuthenticate({ certificate: certificate("euicc", { policies: [Policy.dpAuth] }) }) },
  { title: "an eUICC certificate without an EID", code: "8.1.3/6.1", number: 3, reason: /an EID of 32 digits/, run: atAuthenticate({ certificate: certificate("euicc", { eid: "12" }) }) },
  { title: "an eUICC certificate that has expired", code: "8.1.3/6.3", number: 4, options: DATE, reason: /CERT\.EUICC: valid from/, run: atAuthenticate({ certificate: certificate("euicc", { notAfter: PAST }) }) },
  { title: "euiccSignature1 of another key", code: "8.1/6.1", number: 5, reason: /euiccSignature1 does not verify/, run: atAuthenticate({ key: someKey }) },
  { title: "another serverChallenge", code: "8.1/6.1", number: 5, reason: /serverChallenge/, run: atAuthenticate({ serverChallenge: new Uint8Array(16) }) },
  { title: "another serverAddress", code: "8.1/6.1", number: 5, reason: /serverAddress/, run: atAuthenticate({ serverAddress: "SMDP.example.com" }) },
  { title: "the eUICC's own error in AuthenticateServer", code: "8.1/6.1", number: 5, reason: /the eUICC answered error 7/, run: atAuthenticate({ change: () => fromHex("BF380FA10D80080102030405060708020107") }) },
  { title: "an unknown matchingId", code: "8.2.6/3.8", number: 6, reason: /matchingId NO-SUCH is unknown/, run: atAuthenticate({ matchingId: "NO-SUCH" }) },
  { title: "a matchingId in another case", code: "8.2.6/3.8", number: 6, reason: /unknown/, run: atAuthenticate({ matchingId: "code-1" }) },
  { title: "no matchingId and no order for the EID", code: "8.2.6/3.8", number: 6, reason: /no order without matchingId waits/, run: atAuthenticate({ matchingId: null }) },
  { title: "a matchingId that was used", code: "8.2.6/3.8", number: 6, reason: /order 1 is cancelled/, run: (b) => { b.smdp.end(b.order.id, "cancelled"); return atAuthenticate({})(b); } },
  { title: "an order of another EID", code: "8.1.1/3.8", number: 7, order: { eid: OTHER_EID }, reason: /EID 89049032123451234512345678901332 expected/, run: atAuthenticate({}) },
  { title: "an order that another eUICC has had a BPP of", code: "8.1.1/3.8", number: 7, reason: new RegExp(`EID ${OTHER_EID} expected, got ${pki.eid}`), run: (b) => { new Client({ ...b.client.options, pki: sibling }).download(); return atAuthenticate({})(b); } },
  { title: "a device that is not among the order's TACs", code: "8.2.5/4.3", number: 8, order: { tacs: ["49015420"] }, reason: /TAC 49015420 expected, got 35290611/, run: atAuthenticate({}) },
  { title: "an eUICC that does not take the package's version", code: "8.2.5/4.3", number: 8, order: { profileVersion: "2.3.2" }, reason: /2\.3\.2 expected, the eUICC takes 2\.3\.1/, run: atAuthenticate({}) },
  { title: "an eUICC without enough memory", code: "8.1/4.8", number: 11, order: { memory: 50_000 }, reason: /50000 octets of memory expected, 49999 are free/, run: atAuthenticate({ freeMemory: 49_999 }) },
  { title: "an order that is not released", code: "8.2/1.2", number: 127, order: { released: false }, reason: /not released/, run: atAuthenticate({}) },
  { title: "an order that has expired", code: "8.8.5/4.10", number: 127, order: { expiresAt: 5 }, reason: /has expired/, run: (b) => { b.clock.sleep(5); return atAuthenticate({})(b); } },
  { title: "an order whose time the operator ended", code: "8.8.5/4.10", number: 127, reason: /has expired/, run: (b) => { b.smdp.end(b.order.id, "expired"); return atAuthenticate({})(b); } },
  { title: "an order without retries left", code: "8.8.5/6.4", number: 127, order: { maxRetries: 0 }, reason: /0 retries allowed/, run: (b) => { authenticated(b); return atAuthenticate({})(b); } },
  { title: "GetBoundProfilePackage before AuthenticateClient", code: "8.10.1/3.9", number: 95, reason: /it is initiated/, run: ({ client }) => { succeeded(client.initiate()); return client.bpp(); } },
  { title: "another transactionId inside euiccSigned2", code: "8.10.1/3.9", number: 95, reason: /euiccSigned2: transactionId/, run: (b) => authenticated(b).bpp({ transactionId: fromHex("0102") }) },
  { title: "euiccSignature2 of another key", code: "8.1/6.1", number: 1, reason: /euiccSignature2 does not verify/, run: (b) => authenticated(b).bpp({ key: someKey }) },
  { title: "euiccSignature2 without smdpSignature2", code: "8.1/6.1", number: 1, reason: /euiccSignature2/, run: (b) => { const one = authenticated(b); one.smdpSignature2 = new Uint8Array(0); return one.bpp(); } },
  { title: "the eUICC's own error in PrepareDownload", code: "8.1/6.1", number: 1, reason: /the eUICC answered error 5/, run: (b) => authenticated(b).bpp({ change: () => fromHex("BF210FA10D80080102030405060708020105") }) },
  { title: "a confirmation code that is missing", code: "8.2.7/2.2", number: 2, order: { confirmationCode: "1" }, reason: /hashCc expected/, run: (b) => authenticated(b).bpp() },
  { title: "a confirmation code that is wrong", code: "8.2.7/3.8", number: 3, order: { confirmationCode: "1" }, reason: /3 tries are left/, run: (b) => authenticated(b).bpp({ hashCc: new Uint8Array(32) }) },
  { title: "a confirmation code that is wrong too often", code: "8.2.7/6.4", number: 4, order: { confirmationCode: "1", maxCodeRetries: 0 }, reason: /for the 1\. time/, run: (b) => authenticated(b).bpp({ hashCc: new Uint8Array(32) }) },
  { title: "a one-time key that differs from the bound one", code: "8.2/3.7", number: 5, order: { rebinding: false }, reason: /another one-time key/, run: (b) => { authenticated(b).bpp(); return authenticated(b).bpp({ otKey: someKey }); } },
  { title: "an order that expires before the binding", code: "8.8.5/4.10", number: 6, order: { expiresAt: 5 }, reason: /has expired/, run: (b) => { const one = authenticated(b); b.clock.sleep(5); return one.bpp(); } },
  { title: "CancelSession before the eUICC is authenticated", code: "8.10.1/3.9", number: 1, reason: /it is initiated/, run: ({ client }) => { succeeded(client.initiate()); return client.cancel(127); } },
  { title: "CancelSession after a failure has ended the session", code: "8.10.1/3.9", number: 1, order: { confirmationCode: "1" }, reason: /it is ended/, run: (b) => { const one = authenticated(b); one.bpp(); return one.cancel(127); } },
  { title: "another transactionId inside euiccCancelSessionSigned", code: "8.10.1/3.9", number: 1, reason: /euiccCancelSessionSigned: transactionId/, run: (b) => authenticated(b).cancel(0, { transactionId: fromHex("0102") }) },
  { title: "the eUICC's own error in CancelSession", code: "8.10.1/3.9", number: 1, reason: /the eUICC refused to sign: error 05/, run: (b) => authenticated(b).cancel(0, { change: () => fromHex("BF4103810105") }) },
  { title: "euiccCancelSessionSignature of another key", code: "8.1/6.1", number: 2, reason: /euiccCancelSessionSignature does not verify/, run: (b) => authenticated(b).cancel(0, { key: someKey }) },
  { title: "the OID of another SM-DP+ in CancelSession", code: "8.8/3.10", number: 127, reason: /smdpOid: 2\.999\.10 expected, got 2\.999\.11/, run: (b) => authenticated(b).cancel(0, { smdpOid: "2.999.11" }) },
];

describe("status codes", () => {
  for (const { title, code, number, order, options, reason, run } of CASES) {
    test(`${title} is ${code}, and ${number} in ASN.1`, () => {
      for (const binding of ["json", "asn1"] as const) {
        const b = bench(binding, order, options);
        const reply = run(b);
        const last = b.smdp.seen.at(-1);
        assert.equal(reply.http.status, 200);
        assert.equal(reply.code, binding === "json" ? code : String(number), last?.reason);
        assert.deepEqual([last?.verdict, last?.code], ["refused", code]);
        assert.match(last?.reason ?? "", reason);
        if (binding === "json") assert.deepEqual([reply.status, reply.message, Object.keys(JSON.parse(fromUtf8(reply.http.body)) as object)], ["Failed", STATUS[code], ["header"]]);
      }
    });
  }

  test("every code of an SM-DP+ is among these cases", () => {
    const reached = new Set<string>(CASES.map(({ code }) => code));
    assert.deepEqual(Object.keys(STATUS).filter((code) => !code.startsWith("8.9.") && !reached.has(code)), []);
  });
});

describe("requests that are no messages", () => {
  const good = (smdp: Smdp, binding: Binding): HttpRequest => {
    let seen: HttpRequest | undefined;
    new Client({ server: { handle: (request) => ((seen = request), smdp.handle(request)) }, pki, binding }).initiate();
    return seen as HttpRequest;
  };

  const HTTP: readonly (readonly [string, Binding, (request: HttpRequest) => Partial<HttpRequest>, number, RegExp])[] = [
    ["another path", "json", () => ({ path: "/" }), 404, /expected, got \//],
    ["an unknown function", "json", () => ({ path: "/gsma/rsp2/es9plus/confirmOrder" }), 404, /confirmOrder/],
    ["a function that every object has", "json", () => ({ path: "/gsma/rsp2/es9plus/constructor" }), 404, /constructor/],
    ["GET", "json", () => ({ method: "GET" }), 405, /POST expected, got GET/],
    ["another Content-Type", "json", () => ({ headers: { ...JSON_HEADERS, "content-type": "text/plain" } }), 415, /application\/json expected/],
    ["another charset", "json", () => ({ headers: { ...JSON_HEADERS, "content-type": "application/json; charset=latin1" } }), 415, /latin1/],
    ["no X-Admin-Protocol", "json", () => ({ headers: { "content-type": "application/json" } }), 400, /X-Admin-Protocol.*got none/],
    ["X-Admin-Protocol of version 1", "json", () => ({ headers: { ...JSON_HEADERS, "x-admin-protocol": "gsma/rsp/v1.3.0" } }), 400, /v1\.3\.0/],
    ["a body of more than 64 KiB", "json", () => ({ body: new Uint8Array(65_537) }), 413, /at most 65536/],
    ["a body that is not UTF-8", "json", () => ({ body: Uint8Array.of(0xff, 0xfe) }), 400, /JSON expected/],
    ["a body that is not JSON", "json", () => ({ body: utf8("{") }), 400, /JSON expected/],
    ["a JSON list", "json", () => ({ body: utf8("[]") }), 400, /a JSON object expected/],
    ["the JSON path with the other Content-Type", "json", () => ({ headers: ASN1_HEADERS }), 415, /application\/json/],
    ["the ASN.1 path with JSON", "asn1", () => ({ headers: JSON_HEADERS }), 415, /x-gsma-rsp-asn1/],
    ["an empty ASN.1 body", "asn1", () => ({ body: new Uint8Array(0) }), 400, /body/],
    ["a body without A2", "asn1", (request) => ({ body: readOne(request.body).value }), 400, /expected tag A2, got BF39/],
    ["two functions in A2", "asn1", (request) => ({ body: tlv(0xa2, readOne(request.body).value, readOne(request.body).value) }), 400, /follow/],
    ["an unknown function tag", "asn1", () => ({ body: tlv(0xa2, tlv(0xbf4f)) }), 400, /BF4F/],
    ["octets behind the body", "asn1", (request) => ({ body: concat(request.body, Uint8Array.of(0)) }), 400, /follow/],
  ];
  for (const [title, binding, change, status, reason] of HTTP) {
    test(`${title} is HTTP ${status}`, () => {
      const { smdp } = bench(binding);
      const request = good(smdp, binding);
      const response = smdp.handle({ ...request, ...change(request) });
      assert.equal(response.status, status);
      assert.match(smdp.seen.at(-1)?.reason ?? "", reason);
      assert.equal(response.headers["content-type"], "text/plain; charset=utf-8");
      if (status === 405) assert.equal(response.headers.allow, "POST");
    });
  }

  const MEMBERS: readonly (readonly [string, Record<string, unknown>, RegExp])[] = [
    ["a challenge of 15 octets", { euiccChallenge: Buffer.alloc(15).toString("base64") }, /euiccChallenge: 16 octets expected, got 15/],
    ["a challenge that is missing", { euiccChallenge: undefined }, /euiccChallenge: a string expected, got nothing/],
    ["a challenge that is a number", { euiccChallenge: 5 }, /euiccChallenge: a string expected, got 5/],
    ["base64 with white space", { euiccChallenge: `${Buffer.alloc(16).toString("base64")}\n` }, /base64 with padding and without white space/],
    ["base64 without padding", { euiccChallenge: Buffer.alloc(16).toString("base64").replaceAll("=", "") }, /base64 with padding/],
    ["base64 of the other alphabet", { euiccChallenge: Buffer.alloc(16, 0xff).toString("base64url") }, /base64/],
    ["another object than euiccInfo1", { euiccInfo1: Buffer.from("BF2200", "hex").toString("base64") }, /euiccInfo1: tag BF20 expected, got BF22/],
    ["euiccInfo1 that is cut off", { euiccInfo1: Buffer.from("BF2035", "hex").toString("base64") }, /euiccInfo1/],
    ["an empty euiccInfo1", { euiccInfo1: Buffer.from("BF2000", "hex").toString("base64") }, /svn \(82\) is missing/],
    ["an address that is null", { smdpAddress: null }, /smdpAddress: a string expected, got null/],
  ];
  for (const [title, change, reason] of MEMBERS) {
    test(`${title} is HTTP 400`, () => {
      const { smdp } = bench("json");
      const request = good(smdp, "json");
      const body = { ...(JSON.parse(fromUtf8(request.body)) as object), ...change };
      assert.equal(smdp.handle({ ...request, body: utf8(JSON.stringify(body)) }).status, 400);
      assert.match(smdp.seen.at(-1)?.reason ?? "", reason);
    });
  }

  test("a transaction id that is no hexadecimal, empty or of 17 octets is HTTP 400; one in lower case is as good as another", () => {
    const { smdp, client } = bench("json");
    succeeded(client.initiate());
    const send = (transactionId: string) => smdp.handle({ method: "POST", path: "/gsma/rsp2/es9plus/authenticateClient", headers: JSON_HEADERS, body: utf8(JSON.stringify({ transactionId, authenticateServerResponse: Buffer.from(client.authenticateServerResponse()).toString("base64") })) });
    for (const wrong of ["", "0", "XX", "01".repeat(17), ` ${client.transactionId}`]) assert.equal(send(wrong).status, 400, wrong);
    assert.equal(send(client.transactionId.toLowerCase()).status, 200);
  });

  test("a member that nobody knows, and an unknown User-Agent, are taken with a warning; a header member without", () => {
    const { smdp } = bench("json");
    const request = good(smdp, "json");
    const body = utf8(JSON.stringify({ ...(JSON.parse(fromUtf8(request.body)) as object), header: {}, another: 1 }));
    assert.equal(smdp.handle({ ...request, body, headers: { ...JSON_HEADERS, "user-agent": "curl/8" } }).status, 200);
    assert.deepEqual(smdp.seen.at(-1)?.warnings, ["User-Agent: gsma-rsp-lpad or gsma-rsp-ipad expected, got curl/8", "unknown member another is skipped"]);
  });

  test("malformed objects inside good messages are HTTP 400, and leave the session as it was", () => {
    const broken: readonly ((bf38: Uint8Array) => Uint8Array)[] = [
      () => fromHex("BF3800"),
      () => fromHex("BF3802A200"),
      () => fromHex("BF3804A000A100"),
      () => fromHex("BF3802A000"),
      (bf38) => tlv(0xbf38, tlv(0xa0, ...readAll(readOne(readOne(bf38).value).value).slice(0, 3).map((item) => item.raw))),
    ];
    for (const change of broken) {
      const { smdp, client } = bench("json");
      succeeded(client.initiate());
      assert.equal(client.authenticate({ change }).http.status, 400);
      assert.equal(smdp.sessions[0]?.state, "initiated");
      succeeded(client.authenticate());
    }
  });

  test("well-signed contents that break the types are HTTP 400", () => {
    const sealed = (change: (members: Uint8Array[]) => Uint8Array[]) => (bf38: Uint8Array): Uint8Array => {
      const [signed, , ...certificates] = readAll(readOne(readOne(bf38).value).value).map((item) => item.raw) as [Uint8Array, Uint8Array, ...Uint8Array[]];
      const other = tlv(0x30, ...change(readAll(readOne(signed).value).map((item) => item.raw)));
      return tlv(0xbf38, tlv(0xa0, other, tlv(0x5f37, sign(pki.euicc.key, other)), ...certificates));
    };
    const cases: readonly (readonly [(members: Uint8Array[]) => Uint8Array[], RegExp])[] = [
      [(members) => members.slice(0, 4), /ctxParams1 \(A0\) is missing/],
      [(members) => members.toReversed(), /doubled or out of order/],
      [(members) => [...members, members[0] as Uint8Array], /doubled or out of order/],
      [(members) => [tlv(0x99), ...members], /unknown member 99 stands before 80/],
      [(members) => [...members.slice(0, 4), fromHex("A000")], /deviceInfo \(A1\) is missing/],
      [(members) => [...members.slice(0, 4), fromHex("A009A1078003352906A100")], /tac: 4 octets expected, got 3/],
      [(members) => [...members.slice(0, 4), fromHex("A00CA10A800453926011A1028000")], /a version of 3 octets expected, got 0/],
    ];
    for (const [change, reason] of cases) {
      const { smdp, client } = bench("json");
      succeeded(client.initiate());
      const reply = client.authenticate({ change: sealed(change) });
      assert.equal(reply.http.status, 400, String(reason));
      assert.match(smdp.seen.at(-1)?.reason ?? "", reason);
    }
  });

  test("empty deviceCapabilities are allowed", () => {
    const { client } = bench("json");
    succeeded(client.initiate());
    const context = tlv(0xa0, tlv(0x80, utf8("CODE-1")), fromHex("A108800453926011A100"));
    const signed = (bf38: Uint8Array) => readAll(readOne(readOne(bf38).value).value).map((item) => item.raw) as [Uint8Array, Uint8Array, ...Uint8Array[]];
    const reply = client.authenticate({
      change: (bf38) => {
        const [first, , ...certificates] = signed(bf38);
        const other = tlv(0x30, ...readAll(readOne(first).value).slice(0, 4).map((item) => item.raw), context);
        client.euiccSignature1 = Uint8Array.from(tlv(0x5f37, sign(pki.euicc.key, other)));
        return tlv(0xbf38, tlv(0xa0, other, client.euiccSignature1, ...certificates));
      },
    });
    succeeded(reply);
  });

  test("an unknown reason for cancelling, and a one-time key that is no point, are refused", () => {
    const one = authenticated(bench("json"));
    assert.equal(one.cancel(6).http.status, 400);
    const b = bench("json");
    const off = { ...someKey, publicKey: Uint8Array.from({ length: 65 }, (_value, index) => (index === 0 ? 4 : 1)) };
    assert.equal(authenticated(b).bpp({ otKey: off }).code, "8.1/6.1");
    assert.equal(toHex(b.smdp.orders[0]?.profile as Uint8Array), toHex(profile));
    assert.equal(b.smdp.orders[0]?.state, "released");
  });
});
