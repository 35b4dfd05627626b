/** Indirect profile download, the eIM's side: relay in both bindings, what the eIM adds, holds, checks and leaves out, sessions, results (SGP.32 v1.2 3.2.3.2). */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { equal, fromHex, toHex, utf8 } from "../sim/core/bytes.js";
import { readOne, tlv } from "../sim/codec/tlv.js";
import { downloadTrigger, parseActivationCode, parsePackage, stateFromJson, stateToJson } from "../sim/eim/index.js";
import { makePki } from "../sim/pki/pki.js";
import { bench, EID, ICCID, OTHER_EID, pki, request } from "./eim-fixtures.js";
import {
  ACTIVATION_CODE, authenticateServerResponse, boundProfilePackage, cancelSessionResponse, CHALLENGE, ctxParams1, DEVICE_INFO, download, downloadError, info2, initiateAuthentication, inside, INFO1,
  MATCHING_ID, metadata, METADATA, pir, prepareDownloadResponse, SMDP, tags, TRANSACTION, type Download,
} from "./eim-download-fixtures.js";

const hex = toHex;
const bound = (d: Download): Uint8Array => (d.initiate(), d.authenticate(), d.bind());

for (const binding of ["json", "asn1"] as const) {
  describe(`a download over ES9+ ${binding}`, () => {
    test("hands each message on and its answer back, and ends with the profile's ICCID", () => {
      const d = download({ binding });
      const ok1 = inside(d.initiate());
      assert.equal(tags(ok1), "80 30 5F37 04 30");
      assert.deepEqual([ok1[0]?.value, ok1[4]?.raw], [TRANSACTION, pki.dpAuth.certificate]);
      const ok2 = inside(d.authenticate());
      assert.equal(tags(ok2), "80 BF25 30 5F37 30");
      assert.deepEqual([ok2[1]?.raw, ok2[4]?.raw], [METADATA, pki.dpPb.certificate]);
      const ok3 = inside(d.bind());
      assert.equal(tags(ok3), "80 BF36");
      assert.deepEqual(ok3[1]?.raw, d.server.bpp);
      assert.equal(d.notify(pir(5)), 204);
      assert.equal(d.report(pir(5)), 204);
      assert.deepEqual(d.server.fns(), ["initiateAuthentication", "authenticateClient", "getBoundProfilePackage", "handleNotification"]);
      const [m1, m2, m3, m4] = d.server.asked.map((one) => one.members);
      const id = binding === "json" ? hex(TRANSACTION).toLowerCase() : hex(TRANSACTION);
      assert.deepEqual(m1, { euiccChallenge: CHALLENGE, euiccInfo1: INFO1, smdpAddress: SMDP });
      assert.deepEqual(m2, { transactionId: id, authenticateServerResponse: authenticateServerResponse() }, "the id as the server wrote it");
      assert.deepEqual(m3, { transactionId: id, prepareDownloadResponse: prepareDownloadResponse() });
      assert.deepEqual(m4, { pendingNotification: pir(5) });
      assert.ok(d.server.asked.every((one) => one.address === SMDP));
      const [result] = d.eim.results(EID);
      assert.deepEqual([result?.kind, result?.packageId, result?.verified, result?.download], ["profileDownloadTriggerResult", d.record.id, true, { installed: ICCID }]);
      assert.equal(d.eim.device(EID).packages[0]?.state, "done");
      assert.equal(d.eim.device(EID).download?.phase, "ended");
      assert.deepEqual(d.eim.seen.flatMap((entry) => entry.warnings), []);
    });

    test("passes a Bound Profile Package of more than 100 kB on to the octet", () => {
      const d = download({ binding });
      d.server.bpp = boundProfilePackage(METADATA, 130_000);
      const [, bpp] = inside(bound(d));
      assert.ok(bpp !== undefined && bpp.raw.length > 130_000);
      assert.ok(equal(bpp.raw, d.server.bpp));
    });

    test("gives the card's BF41 to the SM-DP+ that came as A1, and answers A0", () => {
      const d = download({ binding });
      d.initiate();
      d.authenticate();
      assert.equal(hex(d.cancel(1)), "BF4102A000");
      assert.deepEqual(d.server.asked.at(-1)?.members.cancelSessionResponse, cancelSessionResponse(1));
      assert.equal(d.report(downloadError(127)), 204);
      assert.deepEqual(d.eim.results(EID)[0]?.download, { reason: "undefinedError", cancelled: "postponed" });
    });

    test("hands on events of an SM-DS: the first as the new trigger of this package, others as packages of their own", () => {
      const d = download({ binding, trigger: { contactSmds: "smds.example.com" } });
      d.initiate("smds.example.com");
      d.server.next("authenticateClient", { events: [["EVENT-1", SMDP], ["EVENT-2", "dp2.example.com"]] });
      const body = d.authenticate({ ctxParams1: ctxParams1("") });
      assert.equal(hex(body), hex(tlv(0xbf3b, tlv(0xa1, tlv(0x80, TRANSACTION), tlv(0xbf54, tlv(0xa0, tlv(0x80, utf8(`1$${SMDP}$EVENT-1`))))))));
      assert.equal(tags(inside(d.initiate(SMDP, new Uint8Array(16)))), "80 30 5F37 04 30");
      assert.equal(d.server.asked.at(-1)?.address, SMDP);
      assert.equal(tags(inside(d.authenticate({ ctxParams1: ctxParams1("EVENT-1") }))), "80 BF25 30 5F37 30");
      assert.deepEqual(d.eim.device(EID).packages.map((record) => record.trigger), [{ activationCode: `1$${SMDP}$EVENT-1` }, { activationCode: "1$dp2.example.com$EVENT-2" }]);
    });

    test("says so where an SM-DS has no event", () => {
      const d = download({ binding, trigger: { contactSmds: true } });
      d.initiate("smds.example.com");
      d.server.next("authenticateClient", { events: [] });
      assert.equal(hex(d.authenticate({ ctxParams1: ctxParams1(undefined) })), "BF3B0CA10A80080102030405060708");
    });
  });
}

test("the transactionId goes back to the server in its own spelling", () => {
  const d = download();
  d.server.transactionId = fromHex("AABB");
  d.initiate();
  d.send(tlv(0xbf3b, tlv(0x80, fromHex("AABB")), authenticateServerResponse({ transactionId: fromHex("AABB") })));
  assert.equal(d.server.asked.at(-1)?.members.transactionId, "aabb");
});

describe("where the eIM holds the download data (eimDownloadDataHandling)", () => {
  const handling = { activationCode: `1$${SMDP}$${MATCHING_ID}$2.999.10` };

  test("the trigger goes without, the IPA gives no address, and matchingId is in the answer", () => {
    const d = download({ handling });
    assert.equal(hex(d.record.der), hex(tlv(0xbf54, tlv(0x82, d.eimTransactionId as Uint8Array))));
    const items = inside(d.initiate());
    assert.equal(tags(items), "80 30 5F37 04 30 0C");
    assert.deepEqual(items[5]?.value, utf8(MATCHING_ID));
    assert.equal(d.server.asked[0]?.address, SMDP);
    assert.equal(d.server.asked[0]?.members.smdpAddress, SMDP);
  });

  test("an address all the same is smdpAddressMismatch", () => {
    const d = download({ handling });
    assert.equal(hex(d.initiate(SMDP)), "BF3903810132");
    assert.deepEqual(d.server.asked, []);
  });

  test("a server that signs another address is smdpAddressMismatch", () => {
    const d = download({ handling });
    d.server.serverAddress = "other.example.com";
    assert.equal(hex(d.initiate()), "BF3903810132");
    assert.match(d.entry().reason, /serverAddress in serverSigned1: smdp.example.com expected, got other.example.com/);
    assert.equal(d.eim.device(EID).download, undefined);
  });

  test("a server with another OID is smdpOidMismatch", () => {
    const d = download({ handling: { activationCode: `1$${SMDP}$${MATCHING_ID}$2.999.11` } });
    assert.equal(hex(d.initiate()), "BF3903810133");
    assert.match(d.entry().reason, /SM-DP\+ OID: 2.999.11 expected, got 2.999.10/);
  });

  test("an event of an SM-DS is held too: the new trigger is empty", () => {
    const d = download({ handling: { activationCode: "1$smds.example.com$" } });
    d.initiate();
    d.server.next("authenticateClient", { events: [["EVENT-1", SMDP]] });
    assert.equal(hex(d.authenticate({ ctxParams1: ctxParams1("") })), "BF3B0FA10D80080102030405060708BF5400");
    assert.deepEqual(inside(d.initiate(null, new Uint8Array(16)))[5]?.value, utf8("EVENT-1"));
    assert.equal(d.server.asked.at(-1)?.address, SMDP);
  });

  test("a matchingId that the card did not sign is matchingIdRefused", () => {
    const d = download({ handling });
    d.initiate();
    assert.equal(hex(d.authenticate({ ctxParams1: ctxParams1("OTHER") })), "BF3B03820106");
    assert.deepEqual(d.server.fns(), ["initiateAuthentication"]);
  });

  test("it can't be held beside a trigger with data, and must be an activation code", () => {
    const b = bench();
    assert.throws(() => b.eim.queue(EID, downloadTrigger({ activationCode: ACTIVATION_CODE }, handling)), TypeError);
    assert.throws(() => b.eim.queue(EID, downloadTrigger({}, { activationCode: "2$x$y" })), TypeError);
  });

  test("hashCc is given where the SM-DP+ wants a Confirmation Code, and only there", () => {
    const d = download({ handling: { ...handling, confirmationCode: "2468" } });
    d.server.confirmationCode = true;
    d.initiate();
    const items = inside(d.authenticate());
    assert.equal(tags(items), "80 BF25 30 5F37 30 04");
    assert.equal(hex(items[5]?.value as Uint8Array), "36CDB2954E856D1EB755F35464E4172E52619237EADB89A21D0C5E13F8113D39");
    const free = download({ handling: { ...handling, confirmationCode: "2468" } });
    free.initiate();
    assert.equal(tags(inside(free.authenticate())), "80 BF25 30 5F37 30");
  });
});

describe("where the eIM makes ctxParams1 (eimCtxParams1Generation)", () => {
  test("it is what the IPA told of its device, with the matchingId, and must come back from the card so", () => {
    const d = download({ handling: { ctxParams1: true }, told: [tlv(0xa9, readOne(DEVICE_INFO).value)] });
    const items = inside(d.initiate());
    assert.equal(tags(items), "80 30 5F37 04 30 A2");
    assert.deepEqual(items[5]?.value, ctxParams1(MATCHING_ID));
    const longer = tlv(0xa0, readOne(ctxParams1(MATCHING_ID)).value, tlv(0x9f7f, [1]));
    assert.equal(hex(d.authenticate({ ctxParams1: longer })), "BF3B0382017F");
    assert.match(d.entry().reason, /ctxParams1: .* expected, as the eIM made it/);
    assert.equal(tags(inside(d.authenticate())), "80 BF25 30 5F37 30");
  });

  test("without deviceInfo it can't be made: undefinedError", () => {
    const d = download({ handling: { ctxParams1: true } });
    assert.equal(hex(d.initiate()), "BF390381017F");
    assert.match(d.entry().reason, /deviceInfo \(A9\) was never told/);
  });
});

describe("where the eIM verifies the metadata (eimProfileMetadataVerification)", () => {
  const handling = { verifyMetadata: true };

  test("they are left out, unless wanted", () => {
    const d = download({ handling });
    d.initiate();
    assert.equal(tags(inside(d.authenticate())), "80 30 5F37 30");
    const shown = download({ handling: { verifyMetadata: true, sendMetadata: true } });
    shown.initiate();
    assert.equal(tags(inside(shown.authenticate())), "80 BF25 30 5F37 30");
  });

  test("a PPR that is not allowed is pprNotAllowed, and a cancel session still goes to the SM-DP+", () => {
    const d = download({ handling });
    d.server.metadata = metadata(1);
    d.initiate();
    assert.equal(hex(d.authenticate()), "BF3B03820132");
    assert.match(d.entry().reason, /ppr1 is not allowed here/);
    assert.equal(hex(d.bind()), "BF3A0381015F", "no package for a profile that was refused");
    assert.equal(hex(d.cancel(3)), "BF4102A000");
    assert.deepEqual(d.server.fns(), ["initiateAuthentication", "authenticateClient", "cancelSession"]);
  });

  test("an allowed PPR passes, but not one that the eUICC forbids", () => {
    const allowed = { verifyMetadata: true, allowedPprs: [2] };
    const d = download({ handling: allowed });
    d.server.metadata = metadata(2);
    d.initiate();
    assert.equal(tags(inside(d.authenticate())), "80 30 5F37 30");
    const forbidden = download({ handling: allowed });
    forbidden.server.metadata = metadata(2);
    forbidden.initiate();
    assert.equal(hex(forbidden.authenticate({ info2: info2(2) })), "BF3B03820132");
    assert.match(forbidden.entry().reason, /ppr2 is among the eUICC's forbiddenProfilePolicyRules/);
  });

  test("a package that stores other metadata is metadataMismatch", () => {
    const d = download({ handling });
    assert.equal(tags(inside(bound(d))), "80 BF36");
    const other = download({ handling });
    other.server.bpp = boundProfilePackage(metadata(1));
    assert.equal(hex(bound(other)), "BF3A03810132");
    assert.equal(hex(other.cancel(4)), "BF4102A000");
  });
});

describe("what may be left out", () => {
  test("transactionId where the signed data has it, and octets of euiccCiPKIdentifierToBeUsed", () => {
    const d = download({ handling: { omitTransactionId: true, ciPkIdOctets: 4 } });
    const items = inside(d.initiate());
    assert.equal(tags(items), "30 5F37 04 30");
    assert.equal(hex(items[2]?.raw as Uint8Array), "0404F54172BD");
    assert.equal(tags(inside(d.authenticate())), "BF25 30 5F37 30");
    assert.equal(tags(inside(d.bind())), "BF36");
  });

  test("euiccInfo1 where the IPA told it before: the known one goes to the SM-DP+", () => {
    const d = download({ told: [INFO1] });
    d.send(initiateAuthentication(SMDP, d.eimTransactionId, CHALLENGE, new Uint8Array(0)));
    assert.match(d.entry().warnings.join(), /euiccInfo1 is left out without minimizeEsipaBytes/);
    assert.deepEqual(d.server.asked[0]?.members.euiccInfo1, INFO1);
  });

  test("but not where it is not known", () => {
    const d = download();
    assert.equal(hex(d.send(initiateAuthentication(SMDP, d.eimTransactionId, CHALLENGE, new Uint8Array(0))).body), "BF390381017F");
    assert.match(d.entry().reason, /euiccInfo1 \(BF20\) is missing/);
  });
});

describe("whose download it is", () => {
  test("another address than that of the activation code is smdpAddressMismatch; capitals don't matter", () => {
    const d = download();
    assert.equal(hex(d.initiate("other.example.com")), "BF3903810132");
    assert.equal(tags(inside(d.initiate("SMDP.EXAMPLE.COM"))), "80 30 5F37 04 30");
  });

  test("an unknown, missing or closed eimTransactionId is invalidEimTransactionId", () => {
    const d = download();
    assert.equal(hex(d.send(initiateAuthentication(SMDP, fromHex("FFFF"))).body), "BF3903810134");
    assert.equal(hex(d.send(initiateAuthentication(SMDP, undefined)).body), "BF3903810134");
    d.report(downloadError(127));
    assert.equal(hex(d.initiate()), "BF3903810134");
    assert.match(d.entry().reason, /no download trigger is open/);
  });

  test("a trigger without eimTransactionId is found as the only open one, and closed by the PIR alone", () => {
    const d = download({ transactionId: null });
    bound(d);
    assert.equal(d.notify(pir(5)), 204);
    assert.deepEqual(d.eim.results(EID).map((result) => [result.packageId, result.download]), [[d.record.id, { installed: ICCID }]]);
    assert.equal(hex(d.poll().body), "BF4F03020101");
    assert.equal(d.report(pir(5), false), 204);
    assert.deepEqual(d.eim.results(EID).map((result) => result.resent), [1]);
  });

  test("an address is needed where the eIM has none, and taken where only the IPA knows it", () => {
    const d = download({ trigger: { contactDefaultSmdp: true } });
    assert.equal(hex(d.initiate(null)), "BF390381017F");
    assert.match(d.entry().reason, /smdpAddress \(83\) is missing/);
    assert.equal(tags(inside(d.initiate("default.example.com"))), "80 30 5F37 04 30");
    assert.equal(d.server.asked[0]?.address, "default.example.com");
  });

  test("another transactionId than the session's is refused in each function by its own code", () => {
    const d = download();
    d.initiate();
    const other = tlv(0x80, [9]);
    assert.equal(hex(d.send(tlv(0xbf3b, other, authenticateServerResponse())).body), "BF3B0382010A");
    assert.equal(hex(d.send(tlv(0xbf3a, other, prepareDownloadResponse())).body), "BF3A0381015F");
    assert.equal(hex(d.send(tlv(0xbf41, other, tlv(0xa1, readOne(cancelSessionResponse(0)).value))).body), "BF4103810101");
    assert.equal(hex(d.authenticate({ transactionId: fromHex("0909") })), "BF3B0382010A");
    assert.deepEqual(d.server.fns(), ["initiateAuthentication"]);
  });

  test("a card of another EID is eidMismatch", () => {
    const d = download();
    d.initiate();
    const other = makePki({ seed: "another card", eid: OTHER_EID });
    assert.equal(hex(d.authenticate({ certificate: other.euicc.certificate })), "BF3B03820107");
  });

  test("a message that comes too early or too late is refused", () => {
    const d = download();
    d.initiate();
    assert.equal(hex(d.bind()), "BF3A0381015F");
    assert.match(d.entry().reason, /is initiated, authenticated expected/);
    d.authenticate();
    assert.equal(hex(d.authenticate({ info2: info2(1) })), "BF3B0382010A");
    d.cancel(0);
    assert.equal(hex(d.bind()), "BF3A0381015F");
    assert.equal(hex(d.cancel(1)), "BF4103810101");
  });

  test("a new InitiateAuthentication takes the place of the session before", () => {
    const d = download();
    d.initiate();
    d.server.transactionId = fromHex("AABB");
    assert.equal(hex(inside(d.initiate(SMDP, new Uint8Array(16)))[0]?.value as Uint8Array), "AABB");
    assert.equal(hex(d.authenticate()), "BF3B0382010A");
  });

  test("each EID has a session of its own", () => {
    const d = download();
    const other = makePki({ seed: "another card", eid: OTHER_EID });
    d.eim.addDevice({ eid: OTHER_EID, ciCertificates: [other.ci.certificate], euiccCertificate: other.euicc.certificate, eumCertificate: other.eum.certificate });
    const second = d.eim.queue(OTHER_EID, downloadTrigger({ activationCode: "1$dp2.example.com$SECOND" }));
    d.eim.handle(request(tlv(0xbf4f, tlv(0x5a, fromHex(OTHER_EID)))));
    d.initiate();
    d.server.transactionId = fromHex("BB");
    d.eim.handle(request(initiateAuthentication("dp2.example.com", fromHex(second.transactionId as string), new Uint8Array(16))));
    d.server.transactionId = TRANSACTION;
    assert.equal(tags(inside(d.authenticate())), "80 BF25 30 5F37 30");
    const theirs = authenticateServerResponse({ transactionId: fromHex("BB"), certificate: other.euicc.certificate, key: other.euicc.key, ctxParams1: ctxParams1("SECOND"), address: "dp2.example.com" });
    d.eim.handle(request(tlv(0xbf3b, tlv(0x80, fromHex("BB")), theirs)));
    assert.deepEqual(d.server.asked.map((one) => one.address), [SMDP, "dp2.example.com", SMDP, "dp2.example.com"]);
    assert.deepEqual([EID, OTHER_EID].map((eid) => d.eim.device(eid).download?.phase), ["authenticated", "authenticated"]);
    assert.deepEqual(d.eim.seen.slice(-2).map((entry) => entry.eid), [EID, OTHER_EID]);
  });
});

describe("when an answer is lost", () => {
  test("the very same octets get the very same answer again, and the server is not asked again", () => {
    const d = download();
    const first = [d.initiate(), d.authenticate(), d.bind()];
    const again = [d.initiate(), d.authenticate(), d.bind()];
    assert.deepEqual(again.map(hex), first.map(hex));
    assert.deepEqual([hex(d.cancel(5)), hex(d.cancel(5))], ["BF4102A000", "BF4102A000"]);
    assert.equal(d.server.asked.length, 4);
    assert.match(d.entry().reason, /the same request again, the same answer again/);
  });

  test("a snapshot, also as JSON, goes on in the middle of a session", () => {
    const d = download();
    d.initiate();
    d.authenticate();
    const middle = stateFromJson(stateToJson(d.eim.snapshot()));
    const first = d.bind();
    d.cancel(5);
    d.eim.restore(middle);
    assert.equal(hex(d.bind()), hex(first));
  });

  test("what the eIM could not ask is asked anew when the request comes again", () => {
    const d = download();
    d.initiate();
    d.authenticate();
    for (const script of [{ failure: "link" }, { http: 503 }] as const) {
      d.server.next("getBoundProfilePackage", script);
      assert.equal(hex(d.bind()), "BF3A0381017F");
    }
    assert.equal(tags(inside(d.bind())), "80 BF36");
  });
});

describe("what is told of a download that failed", () => {
  const outcomes: [string, (d: Download) => Uint8Array, object][] = [
    ["an error of the SM-DP+", () => downloadError(127, fromHex("BF3B03820106")), { reason: "undefinedError", error: "authenticateClient: matchingIdRefused" }],
    ["an error of the card in AuthenticateServer", () => downloadError(127, tlv(0xbf38, tlv(0xa1, tlv(0x80, TRANSACTION), tlv(0x02, [5])))), { reason: "undefinedError", error: "AuthenticateServer: invalidOid" }],
    ["an error of the card in PrepareDownload", () => downloadError(127, tlv(0xbf21, tlv(0xa1, tlv(0x80, TRANSACTION), tlv(0x02, [2])))), { reason: "undefinedError", error: "PrepareDownload: invalidSignature" }],
    ["an emergency", () => downloadError(104), { reason: "ecallActive" }],
    ["an error that nobody knows", () => downloadError(127, fromHex("0102")), { reason: "undefinedError", error: "0102" }],
    ["an installation error", () => pir(5, tlv(0xa1, tlv(0x80, [5]), tlv(0x81, [12]))), { reason: "loadProfileElements", error: "peProcessingError" }],
  ];
  for (const [title, result, expected] of outcomes) {
    test(title, () => {
      const d = download();
      bound(d);
      assert.equal(d.report(result(d)), 204);
      assert.deepEqual(d.eim.results(EID).map((record) => record.download), [expected]);
      assert.equal(d.eim.device(EID).packages[0]?.state, "done");
      assert.equal(d.eim.device(EID).download?.answers.length, 0, "nothing is kept of an ended session's answers");
    });
  }

  test("the result may come by ProvideEimPackageResult too: closed, nothing to acknowledge, the PIR relayed", () => {
    const d = download();
    bound(d);
    const body = d.provide(tlv(0xbf54, tlv(0x82, d.eimTransactionId as Uint8Array), pir(5))).body;
    assert.equal(hex(body), "BF50023000");
    assert.deepEqual(d.eim.results(EID)[0]?.download, { installed: ICCID });
    assert.deepEqual(d.server.asked.at(-1)?.members, { pendingNotification: pir(5) });
    assert.deepEqual(d.eim.outbox(), []);
  });

  test("the card's error instead of BF38 or BF21 goes to the SM-DP+ as it is", () => {
    const d = download();
    d.initiate();
    const error38 = tlv(0xbf38, tlv(0xa1, tlv(0x80, TRANSACTION), tlv(0x02, [2])));
    d.server.next("authenticateClient", { status: "8.1/6.1", number: 5 });
    assert.equal(hex(d.send(tlv(0xbf3b, tlv(0x80, TRANSACTION), error38)).body), "BF3B03820105");
    assert.deepEqual(d.server.asked.at(-1)?.members.authenticateServerResponse, error38);
  });
});

test("an eIM without a way to SM-DP+ relays no downloads, one with it says so in its configuration", () => {
  const without = bench();
  without.eim.queue(EID, downloadTrigger({ activationCode: ACTIVATION_CODE }));
  assert.equal(hex(without.send(initiateAuthentication(SMDP, undefined)).body), "BF390381017F");
  const indirect = hex(tlv(0x89));
  assert.ok(!hex(without.eim.configurationData()).endsWith(indirect));
  assert.ok(hex(download().eim.configurationData()).endsWith(indirect));
});

test("each exchange with a server is in the audit", () => {
  const d = download();
  bound(d);
  const [entry] = d.entry().es9p ?? [];
  assert.deepEqual([entry?.address, entry?.function, entry?.path, entry?.status, entry?.outcome], [SMDP, "getBoundProfilePackage", "/gsma/rsp2/es9plus/getBoundProfilePackage", 200, "ok"]);
  assert.equal(d.entry().eid, EID);
  assert.match(d.entry().reason, /a Bound Profile Package of \d+ octets/);
});

test("features that the IPA did not tell are used with a warning", () => {
  const d = download({ handling: { activationCode: ACTIVATION_CODE }, told: [tlv(0xa8, tlv(0x80, fromHex("0640")))] });
  d.initiate();
  assert.deepEqual(d.entry().warnings, ["the IPA did not tell eimDownloadDataHandling, and this download uses it"]);
});

describe("activation codes (SGP.22 4.1)", () => {
  const codes: [string, ReturnType<typeof parseActivationCode>][] = [
    ["1$smdp.example.com$04386-AGYFT$1.3.6.1.4.1.31746$1", { address: SMDP, matchingId: MATCHING_ID, oid: "1.3.6.1.4.1.31746", confirmationCodeRequired: true }],
    ["LPA:1$smdp.example.com$04386-AGYFT$$1", { address: SMDP, matchingId: MATCHING_ID, confirmationCodeRequired: true }],
    ["1$smdp.example.com$", { address: SMDP, matchingId: "", confirmationCodeRequired: false }],
    ["1$smdp.example.com", undefined],
    ["1$$04386-AGYFT", undefined],
    ["2$smdp.example.com$X", undefined],
  ];
  for (const [text, expected] of codes) test(text, () => assert.deepEqual(parseActivationCode(text), expected));

  test("handling is described in JSON as in TypeScript", () => {
    const handling = { activationCode: ACTIVATION_CODE, confirmationCode: "2468", ctxParams1: true, verifyMetadata: true, allowedPprs: [1], omitTransactionId: true, ciPkIdOctets: 4 };
    assert.deepEqual(parsePackage(JSON.stringify({ profileDownloadTriggerRequest: { handling } })).content, downloadTrigger({}, handling));
    assert.throws(() => parsePackage('{"profileDownloadTriggerRequest":{"handling":{"confirmationcode":"1"}}}'), { code: "description" });
  });
});
