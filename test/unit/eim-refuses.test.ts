/** What the eIM refuses, and with which words: stimulus, exact HTTP status or code, reason. A refusal leaves the eIM as it was. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { concat, fromHex, toHex, utf8 } from "../sim/core/bytes.js";
import type { EsipaRequest, EsipaResponse } from "../sim/core/http.js";
import { Rng } from "../sim/core/rng.js";
import { integer, tlv } from "../sim/codec/tlv.js";
import { makePki } from "../sim/pki/pki.js";
import { dataRequest, downloadTrigger, psmo, type EimState } from "../sim/eim/index.js";
import { bench, EID, EIM_ID, epe, epr, eprAndNotifications, getEimPackage, HEADERS, ICCID, installationResult, notification, OTHER_EID, pki, request, type Bench } from "./eim-fixtures.js";

/** Status and, for a 200, the body. */
const answerOf = (response: EsipaResponse): string => (response.status === 200 ? toHex(response.body) : String(response.status));

interface Case {
  title: string;
  change?: Partial<EsipaRequest>;
  /** Default: a good GetEimPackage. */
  body?: Uint8Array | ((b: Bench) => Uint8Array);
  answer: string;
  reason: RegExp;
}

const POLL_ERROR = "BF4F0302017F";
const RESULT_ERROR = "BF500302017F";
const provide = (result: Uint8Array): Uint8Array => tlv(0xbf50, tlv(0x5a, fromHex(EID)), result);
const headers = (change: Record<string, string | undefined>): Partial<EsipaRequest> => {
  const merged = Object.entries({ ...HEADERS, ...change }).filter(([, value]) => value !== undefined);
  return { headers: Object.fromEntries(merged) as Record<string, string> };
};
/** Another PKI for the same EID. */
const other = makePki({ seed: "another world" });
/** A package that the device has been given. */
const given = (b: Bench, options = {}) => {
  const record = b.eim.queue(EID, psmo.enable(ICCID), options);
  b.poll();
  return record;
};

const BINDING: Case[] = [
  { title: "another path", change: { path: "/gsma/rsp2/es9plus/getEimPackage" }, answer: "404", reason: /path: \/gsma\/rsp2\/asn1 expected/ },
  { title: "a path with a query", change: { path: "/gsma/rsp2/asn1?x" }, answer: "404", reason: /path/ },
  { title: "GET", change: { method: "GET" }, answer: "405", reason: /method: POST expected, got GET/ },
  { title: "JSON", change: headers({ "content-type": "application/json" }), answer: "415", reason: /Content-Type: .* got application\/json/ },
  { title: "a Content-Type with a parameter", change: headers({ "content-type": "application/x-gsma-rsp-asn1; charset=utf-8" }), answer: "415", reason: /Content-Type/ },
  { title: "no Content-Type", change: headers({ "content-type": undefined }), answer: "415", reason: /got none/ },
  { title: "no X-Admin-Protocol", change: headers({ "x-admin-protocol": undefined }), answer: "400", reason: /X-Admin-Protocol: gsma\/rsp\/v<x>\.<y>\.<z> expected, got none/ },
  { title: "X-Admin-Protocol of two numbers", change: headers({ "x-admin-protocol": "gsma/rsp/v2.1" }), answer: "400", reason: /X-Admin-Protocol/ },
  { title: "an empty body", body: new Uint8Array(0), answer: "400", reason: /one data object expected/ },
  { title: "two data objects", body: concat(getEimPackage(EID), getEimPackage(EID)), answer: "400", reason: /octets follow/ },
  { title: "a body that is cut off", body: getEimPackage(EID).subarray(0, 9), answer: "400", reason: /cut off/ },
  { title: "a length that is not minimal", body: concat(fromHex("BF4F8112"), tlv(0x5a, fromHex(EID))), answer: "400", reason: /not minimal/ },
  { title: "a tag of no ESipa function", body: tlv(0xbf38), answer: "400", reason: /no ESipa function has tag BF38/ },
  { title: "an inject-mode answer", body: tlv(0xbf4e, tlv(0x05)), answer: "400", reason: /BF4E/ },
  { title: "more than 64 KiB", body: tlv(0xbf4f, new Uint8Array(70_000)), answer: "413", reason: /at most 65536/ },
];

const GET: Case[] = [
  { title: "no EID", body: tlv(0xbf4f), answer: "BF4F03020104", reason: /missingEid/ },
  { title: "an EID of 15 octets", body: tlv(0xbf4f, tlv(0x5a, new Uint8Array(15))), answer: "BF4F03020103", reason: /invalidEid: 16 octets/ },
  { title: "an EID that is not BCD", body: getEimPackage("89049032123451234512345678901A35"), answer: "BF4F03020103", reason: /invalidEid/ },
  { title: "an EID whose check digits don't hold", body: getEimPackage("89049032123451234512345678901299"), answer: "BF4F03020103", reason: /check digits/ },
  { title: "an EID that is not registered", body: getEimPackage(OTHER_EID), answer: "BF4F03020102", reason: /eidNotFound/ },
  { title: "notifyStateChange without cause", body: getEimPackage(EID, tlv(0x80)), answer: POLL_ERROR, reason: /without stateChangeCause/ },
  { title: "stateChangeCause alone", body: getEimPackage(EID, tlv(0x81, [4])), answer: POLL_ERROR, reason: /without notifyStateChange/ },
  { title: "rPLMN in its v1.0 place", body: getEimPackage(EID, tlv(0x81, fromHex("62F210"))), answer: POLL_ERROR, reason: /v1\.0 form/ },
  { title: "notifyStateChange that is no NULL", body: getEimPackage(EID, tlv(0x80, [0xff]), tlv(0x81, [4])), answer: POLL_ERROR, reason: /80 00 expected/ },
  { title: "a cause that there is not", body: getEimPackage(EID, tlv(0x80), tlv(0x81, [7])), answer: POLL_ERROR, reason: /stateChangeCause 7/ },
  { title: "an rPLMN of two octets", body: getEimPackage(EID, tlv(0x82, fromHex("62F2"))), answer: POLL_ERROR, reason: /rPLMN: 3 octets/ },
  { title: "an rPLMN that is not BCD", body: getEimPackage(EID, tlv(0x82, fromHex("6AF210"))), answer: POLL_ERROR, reason: /rPLMN/ },
  { title: "members out of order", body: tlv(0xbf4f, tlv(0x80), tlv(0x5a, fromHex(EID))), answer: "400", reason: /5A is doubled or out of order/ },
  { title: "a member twice", body: getEimPackage(EID, tlv(0x82, fromHex("62F210")), tlv(0x82, fromHex("62F210"))), answer: "400", reason: /82 is doubled/ },
];

const RESULT: Case[] = [
  { title: "no result", body: tlv(0xbf50, tlv(0x5a, fromHex(EID))), answer: "400", reason: /eimPackageResult is missing/ },
  { title: "an unknown alternative", body: provide(tlv(0xbf55)), answer: RESULT_ERROR, reason: /unknown alternative BF55/ },
  { title: "an unknown EID", body: tlv(0xbf50, tlv(0x5a, fromHex(OTHER_EID)), tlv(0xa0, tlv(0x02, [1]))), answer: "BF5003020102", reason: /eidNotFound/ },
  { title: "no EID, and no package that fits", body: tlv(0xbf50, tlv(0xa0, tlv(0x02, [1]))), answer: "BF5003020104", reason: /missingEid/ },
  { title: "a BF51 without alternative", body: provide(tlv(0xbf51)), answer: "400", reason: /expected A0, A1 or A2, got nothing/ },
  { title: "a BF51 with an alternative that there is not", body: provide(tlv(0xbf51, tlv(0xa3))), answer: "400", reason: /expected A0, A1 or A2, got A3/ },
  { title: "a result with an alternative that there is not", body: (b) => provide(epr(given(b), {}, tlv(0xab, tlv(0x05)))), answer: "400", reason: /listEimResult: unexpected alternative 05/ },
  { title: "an EPR signed by another key", body: (b) => provide(epr(given(b), { key: pki.dpPb.key })), answer: RESULT_ERROR, reason: /euiccSignEPR does not verify/ },
  { title: "an EPR signed with another token", body: (b) => provide(epr(given(b), { token: 1 })), answer: RESULT_ERROR, reason: /associationToken 0/ },
  { title: "an EPE signed by another key", body: (b) => provide(epe(given(b), 4, { key: pki.dpPb.key })), answer: RESULT_ERROR, reason: /euiccSignEPE does not verify/ },
  { title: "an EPR for another eIM", body: (b) => provide(epr(given(b), { eimId: "eim2.example.com" })), answer: RESULT_ERROR, reason: /the result is for eIM "eim2\.example\.com"/ },
  { title: "an EPR with another package's counter", body: (b) => provide(epr(given(b), { counter: 9 })), answer: RESULT_ERROR, reason: /belongs to counter 1, the result has 9/ },
  { title: "an EPR of a package that was not given", body: (b) => provide(epr(b.eim.queue(EID, psmo.getRAT()))), answer: RESULT_ERROR, reason: /no package was given/ },
  {
    title: "a second, different EPR",
    body(b) {
      const record = given(b);
      b.provide(epr(record, { seqNumber: 1 }));
      return provide(epr(record, { seqNumber: 2 }));
    },
    answer: RESULT_ERROR,
    reason: /a second, different result/,
  },
  {
    title: "an EPR with the number of a notification",
    body(b) {
      b.send(tlv(0xbf3d, tlv(0xa0, notification(3))));
      return provide(epr(given(b), { seqNumber: 3 }));
    },
    answer: RESULT_ERROR,
    reason: /seqNumber 3 is that of another/,
  },
  { title: "an unsigned error for no package", body: provide(tlv(0xbf51, tlv(0xa2, tlv(0x80, utf8(EIM_ID)), tlv(0x82, [1])))), answer: RESULT_ERROR, reason: /no package was given/ },
  { title: "notifications without A0 (v1.0)", body: (b) => provide(tlv(0x30, epr(given(b)), notification(2))), answer: "400", reason: /notificationList \(A0\) is missing/ },
  { title: "a bundle whose EPR does not hold", body: (b) => provide(eprAndNotifications(epr(given(b), { token: 1 }), notification(2))), answer: RESULT_ERROR, reason: /does not verify/ },
  { title: "data that were not asked for", body: provide(tlv(0xbf52, tlv(0xa0, tlv(0x81, utf8("x"))))), answer: RESULT_ERROR, reason: /no IpaEuiccDataRequest was given/ },
  {
    title: "data without the transaction id",
    body(b) {
      b.eim.queue(EID, dataRequest({ tags: [0x81] }));
      b.poll();
      return provide(tlv(0xbf52, tlv(0xa0, tlv(0x81, utf8("x")))));
    },
    answer: RESULT_ERROR,
    reason: /is not echoed/,
  },
  { title: "data out of order", body: provide(tlv(0xbf52, tlv(0xa0, tlv(0x84, [1]), tlv(0x81, utf8("x"))))), answer: "400", reason: /81 is doubled or out of order/ },
  {
    title: "certificates of another PKI",
    body(b) {
      const record = b.eim.queue(EID, dataRequest({ tags: [0xa5, 0xa6] }));
      b.poll();
      const wrong = pki.eum.certificate.slice(4);
      return provide(tlv(0xbf52, tlv(0xa0, tlv(0xa5, wrong), tlv(0xa6, wrong), tlv(0x87, fromHex(record.transactionId as string)))));
    },
    answer: RESULT_ERROR,
    reason: /CERT\.EUICC is for EID \(none\)/,
  },
  {
    title: "data with a result that does not decode: nothing of them is learnt",
    body(b) {
      const record = b.eim.queue(EID, dataRequest({ tags: [0xa2, 0x84] }));
      b.poll();
      return provide(tlv(0xbf52, tlv(0xa0, tlv(0xa2, tlv(0xbf51)), tlv(0x84, [6]), tlv(0x87, fromHex(record.transactionId as string)))));
    },
    answer: "400",
    reason: /expected A0, A1 or A2, got nothing/,
  },
  { title: "a trigger result for no trigger", body: provide(tlv(0xbf54, tlv(0x82, [1]), tlv(0x30, tlv(0x80, [127])))), answer: RESULT_ERROR, reason: /no ProfileDownloadTriggerRequest was given/ },
  {
    title: "a PIR signed by another key",
    body(b) {
      const record = b.eim.queue(EID, downloadTrigger());
      b.poll();
      return provide(tlv(0xbf54, tlv(0x82, fromHex(record.transactionId as string)), installationResult(3, pki.dpPb.key)));
    },
    answer: RESULT_ERROR,
    reason: /euiccSignPIR does not verify/,
  },
];

const NOTIFICATION: Case[] = [
  { title: "nothing inside", body: tlv(0xbf3d), answer: "400", reason: /expected one of A0 and BF50, got nothing/ },
  { title: "a notification without its A0", body: tlv(0xbf3d, notification(1)), answer: "400", reason: /expected A0 or BF50, got 30/ },
  { title: "two notifications", body: tlv(0xbf3d, tlv(0xa0, notification(1), notification(2))), answer: "400", reason: /expected one PendingNotification, got 30 30/ },
  { title: "a signature by another key", body: tlv(0xbf3d, tlv(0xa0, notification(1, { key: pki.dpPb.key }))), answer: "400", reason: /does not verify over BF2F/ },
  { title: "a certificate of another role", body: tlv(0xbf3d, tlv(0xa0, notification(1, { euicc: pki.dpPb.certificate }))), answer: "400", reason: /names no EID/ },
  { title: "a CERT.EUICC of another EUM", body: tlv(0xbf3d, tlv(0xa0, notification(1, { key: other.euicc.key, euicc: other.euicc.certificate }))), answer: "400", reason: /not issued by CERT\.EUM/ },
  { title: "a PIR that no key verifies", body: tlv(0xbf3d, tlv(0xa0, installationResult(1, pki.dpPb.key))), answer: "400", reason: /no registered eUICC's key verifies it/ },
  { title: "a result that is refused", body: tlv(0xbf3d, provide(tlv(0xbf54, tlv(0x82, [1]), tlv(0x30, tlv(0x80, [127]))))), answer: "400", reason: /no ProfileDownloadTriggerRequest/ },
];

const DOWNLOAD: Case[] = [
  { title: "InitiateAuthentication", body: tlv(0xbf39, tlv(0x81, new Uint8Array(16))), answer: "BF390381017F", reason: /relays no downloads/ },
  { title: "AuthenticateClient", body: tlv(0xbf3b), answer: "BF3B0382017F", reason: /relays no downloads/ },
  { title: "GetBoundProfilePackage", body: tlv(0xbf3a), answer: "BF3A0381017F", reason: /relays no downloads/ },
  { title: "CancelSession", body: tlv(0xbf41), answer: "BF410381017F", reason: /relays no downloads/ },
];

/** Everything but the audit log, which remembers refusals, and counts. */
const remembered = ({ devices }: EimState): unknown => structuredClone(devices);

for (const [name, cases] of Object.entries({ "the HTTP binding": BINDING, GetEimPackage: GET, ProvideEimPackageResult: RESULT, HandleNotification: NOTIFICATION, "the download functions": DOWNLOAD })) {
  describe(`${name} refuses`, () => {
    for (const { title, change, body = getEimPackage(EID), answer, reason } of cases) {
      test(title, () => {
        const b = bench();
        const octets = body instanceof Uint8Array ? body : body(b);
        const before = remembered(b.eim.snapshot());
        assert.equal(answerOf(b.eim.handle(request(octets, change))), answer);
        assert.match(b.last().reason, reason);
        assert.equal(b.last().verdict, "refused");
        assert.deepEqual(remembered(b.eim.snapshot()), before);
      });
    }
  });
}

describe("registration refuses", () => {
  const wrong: [string, Parameters<typeof bench>[0], RegExp][] = [
    ["a CERT.EUICC that the EUM has not issued", { eumCertificate: other.eum.certificate }, /CERT\.EUICC is not issued by CERT\.EUM/],
    ["a CERT.EUM that no trusted CI has issued", { ciCertificates: [other.ci.certificate] }, /CERT\.EUM is not issued by a trusted CI/],
    ["a CERT.EUICC of another EID", { eid: OTHER_EID }, /CERT\.EUICC is for EID 8904903212345123451234567890\d+, expected 8904/],
    ["an EID that is none", { eid: "8904" }, /expected an EID of 32 digits/],
  ];
  for (const [title, device, message] of wrong) test(title, () => assert.throws(() => bench(device), { message }));

  test("the same EID twice", () => {
    assert.throws(() => bench().eim.addDevice({ eid: EID }), { code: "device", message: /registered already/ });
  });
});

describe("what is only warned of", () => {
  test("another User-Agent", () => {
    const b = bench();
    assert.equal(b.eim.handle(request(getEimPackage(EID), headers({ "user-agent": "curl/8" }))).status, 200);
    assert.deepEqual(b.last().warnings, ["User-Agent: gsma-rsp-ipad expected, got curl/8"]);
    b.eim.handle(request(getEimPackage(EID), headers({ "user-agent": "gsma-rsp-ipad; tinyipa" })));
    assert.deepEqual(b.last().warnings, []);
  });

  test("an unknown member at the end", () => {
    const b = bench();
    assert.equal(b.poll(tlv(0x8e, [1])).status, 200);
    assert.deepEqual(b.last().warnings, ["GetEimPackageRequest: unknown member 8E is skipped"]);
  });

  test("a bundle without notifications, and an error result in a bundle", () => {
    const b = bench();
    b.provide(eprAndNotifications(epr(given(b))));
    assert.match(b.last().warnings.join(), /without a notification/);
    b.provide(eprAndNotifications(epe(given(b), 4), notification(2)));
    assert.match(b.last().warnings.join(), /an error result is bundled/);
  });
});

test("no octets of a peer make the eIM throw: 1000 mutations of good messages", () => {
  const rng = new Rng(1);
  const b = bench();
  const record = given(b);
  const data = b.eim.queue(EID, dataRequest({ tags: [0xa0, 0xa5, 0xa6] }));
  const certificates = [tlv(0xa5, pki.eum.certificate.slice(4)), tlv(0xa6, pki.euicc.certificate.slice(4))];
  const good = [
    getEimPackage(EID, tlv(0x80), tlv(0x81, integer(4)), tlv(0x82, fromHex("62F210"))),
    provide(eprAndNotifications(epr(record), notification(2), installationResult(3))),
    provide(tlv(0xbf52, tlv(0xa0, tlv(0xa0, notification(5)), ...certificates, tlv(0x87, fromHex(data.transactionId as string))))),
    tlv(0xbf3d, tlv(0xa0, notification(6))),
  ];
  for (let round = 0; round < 1000; round++) {
    const body = rng.pick(good).slice();
    for (let flips = 1 + rng.int(3); flips > 0; flips--) body[rng.int(Math.min(body.length, 200))] = rng.int(256);
    assert.ok([200, 204, 400].includes(b.eim.handle(request(body)).status));
  }
});
