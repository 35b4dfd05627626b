/** Failures of SM-DP+ and SM-DS as they reach the IPA: every status code of the table, every number, and servers that answer nothing useful (transport 6). */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fromHex, toHex, utf8 } from "../sim/core/bytes.js";
import type { EsipaResponse } from "../sim/core/http.js";
import { tlv } from "../sim/codec/tlv.js";
import { EID } from "./eim-fixtures.js";
import { ctxParams1, download, inside, json, tags, type Download, type Fn, type Script } from "./eim-download-fixtures.js";

type Step = Exclude<Fn, "handleNotification">;

/** The exchange that a function belongs to, with what must go before. */
const STEPS: Readonly<Record<Step, (d: Download) => Uint8Array>> = {
  initiateAuthentication: (d) => d.initiate(),
  authenticateClient: (d) => (d.initiate(), d.authenticate()),
  getBoundProfilePackage: (d) => (d.initiate(), d.authenticate(), d.bind()),
  cancelSession: (d) => (d.initiate(), d.cancel(127)),
};

const ERROR_HEAD: Readonly<Record<Step, string>> = { initiateAuthentication: "BF39038101", authenticateClient: "BF3B038201", getBoundProfilePackage: "BF3A038101", cancelSession: "BF41038101" };

const answered = (fn: Step, code: number): string => ERROR_HEAD[fn] + code.toString(16).toUpperCase().padStart(2, "0");

/** Function, status of the JSON binding, number of the ASN.1 binding, code on ESipa. */
const TABLE: readonly (readonly [Step, string, number, number])[] = [
  ["initiateAuthentication", "8.8.1/3.8", 1, 1],
  ["initiateAuthentication", "8.8.3/3.1", 2, 2],
  ["initiateAuthentication", "8.8.2/3.1", 3, 3],
  ["initiateAuthentication", "8.8.4/3.7", 3, 3],
  ["initiateAuthentication", "8.9.1/3.8", 1, 1],
  ["initiateAuthentication", "8.9.4/3.7", 3, 3],
  ["initiateAuthentication", "9.9/9.9", 127, 127],
  ["authenticateClient", "8.1.2/6.1", 1, 1],
  ["authenticateClient", "8.1.2/6.3", 2, 2],
  ["authenticateClient", "8.1.3/6.1", 3, 3],
  ["authenticateClient", "8.1.3/6.3", 4, 4],
  ["authenticateClient", "8.1/6.1", 5, 5],
  ["authenticateClient", "8.2.6/3.8", 6, 6],
  ["authenticateClient", "8.1.1/3.8", 7, 7],
  ["authenticateClient", "8.2.5/4.3", 8, 8],
  ["authenticateClient", "8.11.1/3.9", 9, 9],
  ["authenticateClient", "8.10.1/3.9", 10, 10],
  ["authenticateClient", "8.1/4.8", 11, 11],
  ["authenticateClient", "8.2/1.2", 127, 127],
  ["authenticateClient", "8.8.5/4.10", 18, 127],
  ["getBoundProfilePackage", "8.1/6.1", 1, 1],
  ["getBoundProfilePackage", "8.2.7/2.2", 2, 2],
  ["getBoundProfilePackage", "8.2.7/3.8", 3, 3],
  ["getBoundProfilePackage", "8.2.7/6.4", 4, 4],
  ["getBoundProfilePackage", "8.2/3.7", 5, 5],
  ["getBoundProfilePackage", "8.8.5/4.10", 6, 6],
  ["getBoundProfilePackage", "8.10.1/3.9", 95, 95],
  ["cancelSession", "8.10.1/3.9", 1, 1],
  ["cancelSession", "8.1/6.1", 2, 2],
  ["cancelSession", "8.8/3.10", 127, 127],
];

for (const binding of ["json", "asn1"] as const) {
  describe(`ES9+ ${binding}: an error of the server`, () => {
    for (const [fn, status, number, code] of TABLE) {
      test(`${fn} ${binding === "json" ? status : number} is ${code}`, () => {
        const d = download({ binding });
        d.server.next(fn, { status, number });
        assert.equal(toHex(STEPS[fn](d)), answered(fn, code));
        assert.equal(d.entry().verdict, "ok", "no fault of the IPA");
        assert.match(d.entry().reason, /the server says/);
      });
    }

    test("ends the session: nothing but a cancel session is relayed then", () => {
      const d = download({ binding });
      d.server.next("getBoundProfilePackage", { status: "8.2.7/3.8", number: 3 });
      STEPS.getBoundProfilePackage(d);
      assert.equal(d.eim.device(EID).download?.phase, "ended");
      d.server.next("cancelSession", { status: "8.10.1/3.9", number: 1 });
      assert.equal(toHex(d.cancel(127)), "BF4103810101");
      assert.equal(d.server.fns().at(-1), "cancelSession");
    });

    test("is given again when its answer was lost", () => {
      const d = download({ binding });
      d.server.next("authenticateClient", { status: "8.2.6/3.8", number: 6 });
      assert.equal(toHex(STEPS.authenticateClient(d)), "BF3B03820106");
      assert.equal(toHex(d.authenticate()), "BF3B03820106");
      assert.equal(d.server.fns().filter((fn) => fn === "authenticateClient").length, 1);
    });
  });
}

test("eventIdUnknown of an SM-DS is 56, in JSON as 8.9.5/3.9, in ASN.1 as 6 of BF40", () => {
  for (const binding of ["json", "asn1"] as const) {
    const d = download({ binding, trigger: { contactSmds: "smds.example.com" } });
    d.initiate("smds.example.com");
    const es11: Script = { change: () => ({ status: 200, headers: {}, body: tlv(0xa2, tlv(0xbf40, tlv(0x81, [6]))) }) };
    d.server.next("authenticateClient", binding === "json" ? { status: "8.9.5/3.9", number: 6 } : es11);
    assert.equal(toHex(d.authenticate({ ctxParams1: ctxParams1("") })), "BF3B03820138");
  }
});

test("codes that only an eIM gives are none for a server", () => {
  const d = download({ binding: "asn1" });
  d.server.next("initiateAuthentication", { status: "", number: 50 });
  assert.equal(toHex(d.initiate()), "BF390381017F");
});

describe("a server that answers nothing useful is undefinedError, and the audit says why", () => {
  const body = (text: string) => (good: EsipaResponse): EsipaResponse => ({ ...good, body: utf8(text) });
  const cases: [string, Script, RegExp][] = [
    ["HTTP 500", { http: 500 }, /HTTP status 500/],
    ["HTTP 404", { http: 404 }, /HTTP status 404/],
    ["a redirect", { http: 302 }, /HTTP status 302, 200 expected/],
    ["no body", { change: (good) => ({ ...good, body: new Uint8Array(0) }) }, /without a body/],
    ["a closed connection", { change: (good) => ({ ...good, drop: true }) }, /closed instead of an answer/],
    ["silence", { change: (good) => ({ ...good, silent: true }) }, /no answer within 30000 ms/],
    ["half an answer", { change: (good) => ({ ...good, truncateTo: 3 }) }, /broke off after 3 octets/],
    ["no link", { failure: "link" }, /scripted: link/],
    ["no trust", { failure: "trust" }, /scripted: trust/],
    ["no JSON", { change: body("<html>") }, /a JSON object expected/],
    ["a list", { change: body("[]") }, /a JSON object expected/],
    ["no header", { change: body("{}") }, /functionExecutionStatus expected, got nothing/],
    ["a member missing", { change: () => json({ header: { functionExecutionStatus: { status: "Executed-Success" } }, transactionId: "01" }) }, /serverSigned1: base64 expected, got nothing/],
    ["an id that is none", { change: () => json({ header: { functionExecutionStatus: { status: "Executed-Success" } }, transactionId: "xy" }) }, /transactionId: hexadecimal expected, got "xy"/],
  ];
  for (const [title, script, reason] of cases) {
    test(title, () => {
      const d = download();
      d.server.next("initiateAuthentication", script);
      assert.equal(toHex(d.initiate()), "BF390381017F");
      assert.match(d.entry().reason, reason);
      assert.match(d.entry().es9p?.[0]?.outcome ?? "", reason);
      assert.equal(d.eim.device(EID).download, undefined);
    });
  }

  const asn1: [string, Uint8Array, RegExp][] = [
    ["no A2", tlv(0xa3), /expected tag A2/],
    ["another function", tlv(0xa2, tlv(0xbf3b, tlv(0xa0))), /was answered with BF3B, BF39 expected/],
    ["members out of order", tlv(0xa2, tlv(0xbf39, tlv(0xa0, tlv(0x30), tlv(0x80, [1])))), /80 30 5F37 04 30 expected, got 30 80/],
    ["an empty CHOICE", tlv(0xa2, tlv(0xbf39)), /A0 or 81 expected, got nothing/],
  ];
  for (const [title, answer, reason] of asn1) {
    test(`ASN.1: ${title}`, () => {
      const d = download({ binding: "asn1" });
      d.server.next("initiateAuthentication", { change: (good) => ({ ...good, body: answer }) });
      assert.equal(toHex(d.initiate()), "BF390381017F");
      assert.match(d.entry().reason, reason);
    });
  }

  test("a name that can't be found is invalidDpAddress", () => {
    const d = download();
    d.server.next("initiateAuthentication", { failure: "name" });
    assert.equal(toHex(d.initiate()), "BF3903810101");
  });
});

describe("what is taken with patience", () => {
  test("white space in base64 and escaped slashes", () => {
    const d = download();
    d.server.next("initiateAuthentication", {
      change: (good) => ({ ...good, body: utf8(Buffer.from(good.body).toString().replaceAll("/", "\\/").replace(/"serverCertificate":"(.{60})/, '"serverCertificate":"$1\\r\\n ')) }),
    });
    assert.equal(tags(inside(d.initiate())), "80 30 5F37 04 30");
  });

  test("Executed-WithWarning and another Content-Type, with warnings", () => {
    const d = download();
    d.server.next("initiateAuthentication", {
      change: (good) => ({ ...good, headers: { "content-type": "text/plain" }, body: utf8(Buffer.from(good.body).toString().replace("Executed-Success", "Executed-WithWarning")) }),
    });
    assert.equal(tags(inside(d.initiate())), "80 30 5F37 04 30");
    assert.equal(d.entry().warnings.length, 2);
  });

  test("objects with long lengths that are not minimal, untouched", () => {
    const d = download();
    const long = fromHex("BF36810F" + toHex(tlv(0xa0, tlv(0x87, new Uint8Array(11)))));
    d.server.bpp = long;
    const body = STEPS.getBoundProfilePackage(d);
    assert.equal(toHex(body).slice(-2 * long.length), toHex(long));
  });

  test("the time that a server takes is the answer's delay", () => {
    const d = download();
    d.server.next("initiateAuthentication", { change: (good) => ({ ...good, delayMs: 700 }) });
    const response = d.eim.handle({ method: "POST", path: "/gsma/rsp2/asn1", headers: { "content-type": "application/x-gsma-rsp-asn1", "x-admin-protocol": "gsma/rsp/v2.1.0", "user-agent": "gsma-rsp-ipad" }, body: tlv(0xbf39, tlv(0x81, new Uint8Array(16)), tlv(0x83, utf8("smdp.example.com")), tlv(0xbf20), tlv(0x82, d.eimTransactionId as Uint8Array)) });
    assert.equal(response.delayMs, 700);
  });
});
