/** The SM-DS: authentication as at an SM-DP+, Events per EID, cascades, refusals, both bindings. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fromHex, fromUtf8, toHex } from "../sim/core/bytes.js";
import { VirtualClock } from "../sim/core/clock.js";
import { parseCertificate, Policy } from "../sim/pki/certificate.js";
import { keyPairFromSeed } from "../sim/pki/keys.js";
import { makePki } from "../sim/pki/pki.js";
import { STATUS } from "../sim/rsp/index.js";
import { sampleProfile, Smdp } from "../sim/smdp/index.js";
import { behaviours, makeSmdsIdentity, Smds } from "../sim/smds/index.js";
import { ciPkId, Client, succeeded, type ClientOptions, type Reply } from "./smdp-client.js";

const ADDRESS = "smds.example.com";
const OTHER_EID = "89049032123451234512345678901332";
const pki = makePki({ seed: "smds" });
const stranger = makePki({ seed: "smds: a stranger" });
const identity = makeSmdsIdentity(pki.ci, { seed: "smds", curve: "P-256", address: ADDRESS });

function bench(options: { binding?: "json" | "asn1"; address?: string } = {}) {
  const { address = ADDRESS } = options;
  const smds = new Smds({ pki: identity, clock: new VirtualClock(), address });
  const client = (change: Partial<ClientOptions> = {}): Client => new Client({ server: smds, pki, role: "smds", address, ...(options.binding && { binding: options.binding }), ...change });
  const ask = (matchingId = ""): Reply => {
    const one = client({ matchingId });
    succeeded(one.initiate());
    return one.authenticate();
  };
  return { smds, client, ask };
}

const EVENT = { eid: pki.eid, eventId: "EVENT-1", address: "smdp.example.com" };

describe("events", () => {
  for (const binding of ["json", "asn1"] as const) {
    test(`all Events of the eUICC, and only these, are told where no eventId is given (${binding})`, () => {
      const { smds, ask } = bench({ binding });
      assert.deepEqual(ask().events, []);
      smds.register(EVENT);
      smds.register({ ...EVENT, eventId: "EVENT-2", address: "other.example.com:8443" });
      smds.register({ ...EVENT, eventId: "EVENT-3", eid: OTHER_EID });
      const reply = ask();
      assert.deepEqual(reply.events, [{ eventId: "EVENT-1", rspServerAddress: "smdp.example.com" }, { eventId: "EVENT-2", rspServerAddress: "other.example.com:8443" }]);
      assert.deepEqual(smds.events.map(({ told }) => told), [1, 1, 0]);
      assert.deepEqual(ask("EVENT-2").events?.map(({ eventId }) => eventId), ["EVENT-2"]);
      smds.remove("EVENT-1");
      smds.remove("EVENT-2");
      assert.deepEqual(ask().events, []);
    });
  }

  test("the ASN.1 answer is that of the vector: A2{BF40{A0{80, A1{30{80, 81}}}}}", () => {
    const address = "eim.example.com";
    const smds = new Smds({ pki: identity, clock: new VirtualClock(), address, policy: { transactionIdLength: 8 } });
    smds.register({ eid: pki.eid, eventId: "EV1", address });
    const one = new Client({ server: smds, pki, role: "smds", address, binding: "asn1" });
    succeeded(one.initiate());
    const { http } = one.authenticate();
    assert.equal(toHex(http.body).replace(one.transactionId, "0102030405060708"), "A229BF4026A02480080102030405060708A11830168003455631810F65696D2E6578616D706C652E636F6D");
  });

  test("the JSON answer has eventEntries beside header and transactionId", () => {
    const { smds, ask } = bench();
    smds.register(EVENT);
    const body = JSON.parse(fromUtf8(ask().http.body)) as Record<string, unknown>;
    assert.deepEqual(Object.keys(body), ["header", "transactionId", "eventEntries"]);
    assert.deepEqual(body.eventEntries, [{ eventId: "EVENT-1", rspServerAddress: "smdp.example.com" }]);
  });

  test("a cascade leads to a second SM-DS, and from there to the SM-DP+ with the eventId as matchingId", () => {
    const { smds: root, ask } = bench();
    const secondAddress = "second.example.com";
    const second = new Smds({ pki: makeSmdsIdentity(pki.ci, { seed: "second", curve: "P-256", address: secondAddress }), clock: new VirtualClock(), address: secondAddress });
    const smdp = new Smdp({ pki, clock: new VirtualClock() });
    const profile = sampleProfile({ iccid: "89000123456789012341" });
    const { matchingId } = smdp.order({ profile, matchingId: "EVENT-1" });
    root.cascade(second, { ...EVENT, eventId: matchingId, address: smdp.address });
    const first = ask().events?.[0];
    assert.deepEqual(first, { eventId: "EVENT-1", rspServerAddress: secondAddress });
    const next = new Client({ server: second, pki, role: "smds", address: secondAddress, matchingId: first?.eventId as string });
    succeeded(next.initiate());
    assert.deepEqual(next.authenticate().events, [{ eventId: "EVENT-1", rspServerAddress: "smdp.example.com" }]);
    assert.deepEqual(new Client({ server: smdp, pki, matchingId: "EVENT-1" }).download().profile, profile);
  });

  test("registering twice, without EID, eventId or address, and removing what is not there are misuse", () => {
    const { smds } = bench();
    smds.register(EVENT);
    assert.throws(() => smds.register(EVENT), { code: "event" });
    assert.throws(() => smds.register({ ...EVENT, eventId: "" }), TypeError);
    assert.throws(() => smds.register({ ...EVENT, eid: "89" }), TypeError);
    assert.throws(() => smds.remove("EVENT-9"), { code: "event" });
  });
});

describe("status codes", () => {
  const CASES: readonly (readonly [string, keyof typeof STATUS, number, (client: Client) => Reply])[] = [
    ["another address", "8.9.1/3.8", 1, (one) => one.initiate({ address: "smdp.example.com" })],
    ["an svn that is too low", "8.9.3/3.1", 2, (one) => one.initiate({ svn: "1.0.0" })],
    ["no CI in common", "8.9.2/3.1", 3, (one) => one.initiate({ signing: [ciPkId(stranger)] })],
    ["no certificate that the eUICC can verify", "8.9.4/3.7", 3, (one) => one.initiate({ verification: [ciPkId(stranger)] })],
    ["an EUM that its CI did not sign", "8.1.2/6.1", 1, (one) => (one.initiate(), one.authenticate({ eumCertificate: fromHex("3000") }))],
    ["an eUICC that its EUM did not sign", "8.1.3/6.1", 3, (one) => (one.initiate(), one.authenticate({ certificate: stranger.euicc.certificate }))],
    ["a signature that does not verify", "8.1/6.1", 5, (one) => (one.initiate(), one.authenticate({ key: keyPairFromSeed("P-256", "x") }))],
    ["an Event that is not there", "8.9.5/3.9", 6, (one) => (one.initiate(), one.authenticate({ matchingId: "NO-SUCH" }))],
    ["an Event of another eUICC", "8.9.5/3.9", 6, (one) => (one.initiate(), one.authenticate({ matchingId: "THEIRS" }))],
    ["a session that is over", "8.10.1/3.9", 7, (one) => (one.initiate(), one.authenticate(), one.authenticate())],
  ];
  for (const [title, code, number, run] of CASES) {
    test(`${title} is ${code}, and ${number} in ASN.1`, () => {
      for (const binding of ["json", "asn1"] as const) {
        const { smds, client } = bench({ binding });
        smds.register({ ...EVENT, eid: OTHER_EID, eventId: "THEIRS" });
        assert.equal(run(client()).code, binding === "json" ? code : String(number));
        assert.equal(smds.seen.at(-1)?.code, code);
      }
    });
  }

  test("every code that only an SM-DS has is among these cases", () => {
    const reached = new Set<string>(CASES.map(([, code]) => code));
    assert.deepEqual(Object.keys(STATUS).filter((code) => code.startsWith("8.9.") && !reached.has(code)), []);
  });

  test("functions of an SM-DP+ are HTTP 404", () => {
    const { client } = bench();
    const one = client();
    succeeded(one.initiate());
    assert.equal(one.bpp().http.status, 404);
    assert.equal(one.cancel(0).http.status, 404);
    assert.equal(one.notify(one.notification(1, 1, fromHex("98001032547698103214"))).http.status, 404);
  });
});

describe("identity and state", () => {
  test("the certificates have the roles of an SM-DS and are the same for the same seed; without the CI's key there are none", () => {
    const again = makeSmdsIdentity(pki.ci, { seed: "smds", curve: "P-256", address: ADDRESS });
    assert.equal(toHex(again.dsAuth.certificate), toHex(identity.dsAuth.certificate));
    assert.deepEqual(parseCertificate(identity.dsTls.certificate).policies, [Policy.dsTls]);
    assert.deepEqual(parseCertificate(identity.dsTls.certificate).dnsNames, [ADDRESS, "localhost"]);
    assert.throws(() => makeSmdsIdentity({ certificate: pki.ci.certificate }, { seed: "smds", curve: "P-256", address: ADDRESS }), { code: "pki" });
  });

  test("works on brainpoolP256r1", () => {
    const other = makePki({ seed: "smds", curve: "brainpoolP256r1" });
    const smds = new Smds({ pki: makeSmdsIdentity(other.ci, { seed: "smds", curve: other.curve, address: ADDRESS }), clock: new VirtualClock() });
    smds.register(EVENT);
    const one = new Client({ server: smds, pki: other, role: "smds", address: ADDRESS });
    succeeded(one.initiate());
    assert.equal(one.authenticate().events?.length, 1);
  });

  test("a snapshot has the events and the sessions", () => {
    const { smds, client } = bench();
    smds.register(EVENT);
    const one = client();
    succeeded(one.initiate());
    const before = smds.snapshot();
    assert.equal(one.authenticate().events?.length, 1);
    smds.remove("EVENT-1");
    smds.restore(before);
    assert.deepEqual(smds.events.map(({ told }) => told), [0]);
    assert.equal(one.authenticate().events?.length, 1);
  });

  test("behaviours make it tell other Events", () => {
    const { smds, ask } = bench();
    smds.register(EVENT);
    smds.use(behaviours.events([{ eventId: "X", rspServerAddress: ADDRESS }]));
    assert.deepEqual(ask().events, [{ eventId: "X", rspServerAddress: ADDRESS }]);
  });
});
