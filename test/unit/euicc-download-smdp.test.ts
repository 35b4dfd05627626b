/** The simulated eUICC and the simulated SM-DP+ take each other: whole downloads over ES9+, with a minimal LPA between them (SGP.22 v2.5 3.1.3). */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { loadSegments } from "../sim/bsp/index.js";
import { concat, fromHex, fromUtf8, utf8 } from "../sim/core/bytes.js";
import { VirtualClock } from "../sim/core/clock.js";
import { readAll, readOne, tlv } from "../sim/codec/tlv.js";
import type { Euicc, EuiccOptions } from "../sim/euicc/index.js";
import { makePki, type Pki } from "../sim/pki/pki.js";
import { sampleProfile, Smdp, type OrderOptions } from "../sim/smdp/index.js";
import { challenge, load, NEW, pirOf, SMDP } from "./euicc-download-kit.js";
import { ordinary, pki, type Reader, started } from "./euicc-kit.js";

const MATCHING_ID = "CODE-1";
const CODE = "2468";

/** The IPA's part, without any checks of its own. */
class Lpa {
  readonly smdp: Smdp;
  readonly reader: Reader;
  transactionId = "";
  constructor(smdp: Smdp, reader: Reader) {
    this.smdp = smdp;
    this.reader = reader;
  }

  /** One ES9+ function. Throws Error with the server's words when it is not executed. */
  es9p(name: string, members: Record<string, string>): Record<string, Uint8Array> {
    const headers = { "content-type": "application/json", "x-admin-protocol": "gsma/rsp/v2.5.0", "user-agent": "gsma-rsp-lpad" };
    const { status, body } = this.smdp.handle({ method: "POST", path: `/gsma/rsp2/es9plus/${name}`, headers, body: utf8(JSON.stringify(members)) });
    if (status === 204) return {};
    const { header, transactionId, ...objects } = JSON.parse(fromUtf8(body)) as { header: { functionExecutionStatus: { status: string } }; transactionId?: string } & Record<string, string>;
    if (status !== 200 || header.functionExecutionStatus.status !== "Executed-Success") throw new Error(`${name}: ${status} ${JSON.stringify(header)}`);
    if (transactionId !== undefined) this.transactionId = transactionId;
    return Object.fromEntries(Object.entries(objects).map(([member, value]) => [member, new Uint8Array(Buffer.from(value, "base64"))]));
  }

  authenticate(): Record<string, Uint8Array> {
    const { reader } = this;
    const first = this.es9p("initiateAuthentication", { euiccChallenge: base64(challenge(reader)), euiccInfo1: base64(reader.es10("BF2000")), smdpAddress: SMDP });
    const ctxParams1 = tlv(0xa0, tlv(0x80, utf8(MATCHING_ID)), tlv(0xa1, tlv(0x80, fromHex("53926011")), tlv(0xa1)));
    const answer = reader.es10(tlv(0xbf38, at(first, "serverSigned1"), at(first, "serverSignature1"), at(first, "euiccCiPKIdToBeUsed"), at(first, "serverCertificate"), ctxParams1));
    return this.es9p("authenticateClient", { transactionId: this.transactionId, authenticateServerResponse: base64(answer) });
  }

  /** As far as the Bound Profile Package. */
  bound(code?: string): Uint8Array {
    const second = this.authenticate();
    const hashCc = code === undefined ? concat() : tlv(0x04, sha256(concat(sha256(utf8(code)), fromHex(this.transactionId))));
    const answer = this.reader.es10(tlv(0xbf21, at(second, "smdpSigned2"), at(second, "smdpSignature2"), hashCc, at(second, "smdpCertificate")));
    return at(this.es9p("getBoundProfilePackage", { transactionId: this.transactionId, prepareDownloadResponse: base64(answer) }), "boundProfilePackage");
  }

  notify(pendingNotification: Uint8Array): void {
    this.es9p("handleNotification", { pendingNotification: base64(pendingNotification) });
  }

  deliverAll(): void {
    for (const { raw } of readAll(readOne(readOne(this.reader.es10("BF2B00")).value, 0xa0).value)) this.notify(raw);
  }
}

const at = (from: Record<string, Uint8Array>, member: string): Uint8Array => from[member] ?? assert.fail(`no ${member}`);
const base64 = (octets: Uint8Array): string => Buffer.from(octets).toString("base64");
const sha256 = (octets: Uint8Array): Uint8Array => new Uint8Array(createHash("sha256").update(octets).digest());

function bench(order: Partial<OrderOptions> = {}, card: EuiccOptions = {}, from: Pki = pki()): { lpa: Lpa; smdp: Smdp; euicc: Euicc; reader: Reader; state: () => string } {
  const { euicc, reader } = started(ordinary({ pki: from, ...card }));
  const smdp = new Smdp({ pki: from, clock: new VirtualClock() });
  const { id } = smdp.order({ profile: sampleProfile({ iccid: NEW, size: 3000 }), matchingId: MATCHING_ID, ...order });
  return { lpa: new Lpa(smdp, reader), smdp, euicc, reader, state: () => smdp.orderById(id).state };
}

describe("eUICC and SM-DP+", () => {
  const ORDERS: readonly [string, Partial<OrderOptions>, Pki?][] = [
    ["as it comes", {}],
    ["with profile protection keys", { ppk: true }],
    ["in blocks of 1036 octets", { bpp: { segment: 1008 } }],
    ["with a confirmation code", { confirmationCode: CODE }],
    ["on brainpoolP256r1", {}, makePki({ seed: "test", curve: "brainpoolP256r1" })],
  ];
  for (const [what, order, from] of ORDERS) {
    test(`an order ${what} is installed, and the SM-DP+ verifies the result`, () => {
      const { lpa, euicc, reader, state } = bench(order, { eims: [] }, from);
      const answer = load(reader, loadSegments(lpa.bound(order.confirmationCode))).answer;
      assert.equal(pirOf(answer).result, "ok");
      assert.deepEqual(euicc.profilePackage(NEW), sampleProfile({ iccid: NEW, size: 3000 }));
      assert.equal(state(), "downloaded");
      lpa.deliverAll();
      assert.equal(state(), "installed");
    });
  }

  test("a download that ends before the package is loaded is bound to the same one-time key again", () => {
    const { lpa, euicc, reader, state } = bench({ rebinding: false });
    const first = lpa.bound();
    euicc.powerCycle();
    reader.start();
    const second = lpa.bound();
    assert.notDeepEqual(second, first, "another session");
    assert.equal(pirOf(load(reader, loadSegments(second)).answer).result, "ok");
    assert.equal(state(), "downloaded");
  });

  test("a result that tells interruption or missing memory is verified and ends the order's attempt", () => {
    const cut = bench();
    load(cut.reader, loadSegments(cut.lpa.bound()).slice(0, 4));
    cut.euicc.powerCycle();
    cut.reader.start();
    cut.lpa.deliverAll();
    assert.match(cut.smdp.notifications.at(-1)?.installation?.error ?? "", /interruption 11/);
    const full = bench({ memory: 1 }, { download: { freeMemory: 2000 } });
    assert.equal(pirOf(load(full.reader, loadSegments(full.lpa.bound())).answer).result, "5/10");
    full.lpa.deliverAll();
    assert.match(full.smdp.notifications.at(-1)?.installation?.error ?? "", /insufficientMemory 10/);
  });

  test("an SM-DP+ knows by extCardResource that the memory does not suffice", () => {
    const { lpa } = bench({}, { download: { freeMemory: 2000 } });
    assert.throws(() => lpa.authenticate(), /8\.1.*4\.8|4\.8/);
  });

  test("CancelSession is verified and ends the session", () => {
    const { lpa, reader, state } = bench();
    lpa.authenticate();
    const answer = reader.es10(tlv(0xbf41, tlv(0x80, fromHex(lpa.transactionId)), tlv(0x81, [0])));
    lpa.es9p("cancelSession", { transactionId: lpa.transactionId, cancelSessionResponse: base64(answer) });
    assert.equal(state(), "cancelled");
  });

  test("notifications of a Profile that was downloaded are verified as well", () => {
    const notifications = [{ events: ["delete"] as const, address: SMDP }];
    const { lpa, smdp, reader } = bench({ metadata: { notifications } }, { profiles: [] });
    load(reader, loadSegments(lpa.bound()));
    reader.es10("BF640482020780");
    reader.start();
    lpa.deliverAll();
    assert.deepEqual(smdp.notifications.map(({ seqNumber, event }) => `${seqNumber} ${event}`), ["1 install", "2 delete"]);
  });
});
