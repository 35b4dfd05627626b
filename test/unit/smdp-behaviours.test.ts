/** Misbehaving by name: what each behaviour of SM-DP+ and SM-DS puts on the wire, and what of it a strict client or card notices. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { equal, fromHex, fromUtf8, toHex } from "../sim/core/bytes.js";
import { VirtualClock } from "../sim/core/clock.js";
import { must, readAll, readOne } from "../sim/codec/tlv.js";
import { BppError, ErrorReason, splitBpp } from "../sim/bsp/index.js";
import { makePki } from "../sim/pki/pki.js";
import { behaviours, sampleProfile, Smdp, type Behaviour, type HttpResponse } from "../sim/smdp/index.js";
import { Client, must1, succeeded, type Reply } from "./smdp-client.js";

const pki = makePki({ seed: "smdp behaviours" });
const profile = sampleProfile({ iccid: "89000123456789012341", size: 3000 });

function bench(binding: "json" | "asn1" = "json") {
  const smdp = new Smdp({ pki, clock: new VirtualClock() });
  smdp.order({ profile, matchingId: "A", ppk: true });
  const client = (): Client => new Client({ server: smdp, pki, matchingId: "A", binding });
  return { smdp, client };
}

/** The answer to InitiateAuthentication with a behaviour, unread. */
function raw(behaviour: Behaviour): HttpResponse {
  const { smdp, client } = bench();
  const one = client();
  let request: Parameters<Smdp["handle"]>[0] | undefined;
  new Client({ ...one.options, server: { handle: (asked) => ((request = asked), smdp.handle(asked)) } }).initiate();
  smdp.use(behaviour);
  return smdp.handle(request as NonNullable<typeof request>);
}

function json(response: HttpResponse): Record<string, unknown> {
  return JSON.parse(fromUtf8(response.body)) as Record<string, unknown>;
}

/** The BPP of a download with a behaviour, with the client that asked for it. */
function bppWith(behaviour: Behaviour, binding: "json" | "asn1"): { client: Client; bpp: Uint8Array; reply: Reply } {
  const { smdp, client } = bench(binding);
  smdp.use(behaviour);
  const one = client();
  succeeded(one.initiate());
  succeeded(one.authenticate());
  const reply = one.bpp();
  return { client: one, bpp: must1(reply.objects, 0), reply };
}

describe("on the connection", () => {
  test("orders to the link are in the answer: delay, silence, drop, early close", () => {
    assert.equal(raw(behaviours.lateBy(30_000)).delayMs, 30_000);
    assert.equal(raw(behaviours.silent()).silent, true);
    assert.equal(raw(behaviours.drop()).drop, true);
    assert.deepEqual([raw(behaviours.truncated(10)).truncateTo, raw(behaviours.truncated(10)).status], [10, 200]);
    assert.equal(raw(behaviours.lostAnswer("silent")).silent, true);
  });

  test("statuses, redirects, content types and bodies are as named", () => {
    assert.deepEqual([raw(behaviours.status(503, { retryAfter: 7 })).status, raw(behaviours.status(503, { retryAfter: 7 })).headers["retry-after"]], [503, "7"]);
    assert.equal(raw(behaviours.redirect("https://x.example.com/")).headers.location, "https://x.example.com/");
    assert.equal(raw(behaviours.wrongContentType()).headers["content-type"], "text/html");
    assert.deepEqual([raw(behaviours.emptyBody()).status, raw(behaviours.emptyBody()).body.length], [200, 0]);
    assert.equal(toHex(raw(behaviours.body(Uint8Array.of(1, 2))).body), "0102");
  });

  test("a lost answer is work done, a dropped request is not", () => {
    for (const [behaviour, sessions] of [[behaviours.lostAnswer(), 1], [behaviours.drop(), 0]] as const) {
      const { smdp, client } = bench();
      smdp.use(behaviour);
      client().initiate();
      assert.equal(smdp.sessions.length, sessions);
      assert.deepEqual(smdp.seen.map(({ status }) => status), [0]);
    }
  });

  test("handleNotification answered 200 without a body is still a notification taken", () => {
    const { smdp, client } = bench();
    smdp.use(behaviours.forFunction("handleNotification", behaviours.emptyBody()));
    const one = client();
    one.download();
    assert.equal(one.notify(one.pir(fromHex("98001032547698103214"))).http.status, 200);
    assert.equal(smdp.notifications.length, 1);
  });
});

describe("in the JSON", () => {
  const good = json(raw({ name: "nothing" }));

  test("members are missing, of another type, more than expected, or reversed", () => {
    assert.deepEqual(Object.keys(json(raw(behaviours.withoutMember("serverSigned1")))), Object.keys(good).filter((name) => name !== "serverSigned1"));
    assert.equal("header" in json(raw(behaviours.withoutHeader())), false);
    assert.equal(json(raw(behaviours.wrongMember("transactionId", 5))).transactionId, 5);
    const more = json(raw(behaviours.extraMembers()));
    assert.deepEqual(Object.keys(more), ["vendorExtension", ...Object.keys(good), "another"]);
    const spaced = raw(behaviours.spacedOut());
    assert.deepEqual(Object.keys(json(spaced)), Object.keys(good).reverse());
    assert.match(fromUtf8(spaced.body), /^\n \{\n\t"serverCertificate": /);
  });

  test("white space in base64 and escaped slashes mean the same octets", () => {
    const wrapped = json(raw(behaviours.base64Whitespace()));
    assert.match(wrapped.serverCertificate as string, /^[A-Za-z0-9+/]{64}\r\n/);
    const escaped = fromUtf8(raw(behaviours.escapedSlashes()).body);
    assert.match(escaped, /\\\//);
    assert.ok(!/[^\\]\//.test(escaped));
    for (const members of [wrapped, JSON.parse(escaped) as Record<string, unknown>]) {
      assert.equal(Buffer.from(members.serverCertificate as string, "base64").toString("base64"), good.serverCertificate);
    }
  });

  test("transaction ids are lower case, another or none", () => {
    assert.match(json(raw(behaviours.lowerCaseTransactionId())).transactionId as string, /^[0-9a-f]{32}$/);
    assert.equal(json(raw(behaviours.wrongTransactionId())).transactionId, "BAD0BAD0BAD0BAD0");
    assert.equal("transactionId" in json(raw(behaviours.withoutTransactionId())), false);
  });

  test("a made-up failure has its codes, a warning keeps the members, and both work in ASN.1", () => {
    const failed = json(raw(behaviours.failed("8.2.6/3.8", { message: "no", status: "Expired" })));
    assert.deepEqual(failed, { header: { functionExecutionStatus: { status: "Expired", statusCodeData: { subjectCode: "8.2.6", reasonCode: "3.8", message: "no" } } } });
    const warned = json(raw(behaviours.withWarning()));
    assert.equal((warned.header as { functionExecutionStatus: { status: string } }).functionExecutionStatus.status, "Executed-WithWarning");
    assert.equal(Object.keys(warned).length, Object.keys(good).length);
    const { smdp, client } = bench("asn1");
    smdp.use(behaviours.once(behaviours.failed("8.8.5/4.10", { number: 18 })));
    assert.equal(client().initiate().code, "18");
    smdp.use(behaviours.once(behaviours.failed("8.8.3/3.1")));
    assert.equal(client().initiate().code, "2");
  });
});

describe("in signed objects", () => {
  test("a wrong signature of the server is noticed", () => {
    const { smdp, client } = bench();
    smdp.use(behaviours.wrongSignature("serverSignature1"));
    assert.throws(() => client().initiate(), /serverSignature1/);
  });

  test("a wrong smdpSignature2 is noticed, and announced metadata may differ from those in the BPP", () => {
    const { smdp, client } = bench();
    const take = smdp.use(behaviours.wrongSignature("smdpSignature2"));
    const one = client();
    succeeded(one.initiate());
    assert.throws(() => one.authenticate(), /smdpSignature2/);
    take();
    smdp.use(behaviours.metadataMismatch("other"));
    const two = client();
    const installed = two.download();
    assert.equal(Buffer.from(must(readAll(readOne(two.metadata).value), 0x92, "name").value).toString(), "other");
    assert.ok(!equal(installed.metadata, two.metadata));
  });
});

describe("in the BPP", () => {
  const refused = (behaviour: Behaviour, reason: ErrorReason, check?: (bpp: Uint8Array) => void): void => {
    for (const binding of ["json", "asn1"] as const) {
      const { client, bpp } = bppWith(behaviour, binding);
      check?.(bpp);
      assert.throws(() => client.install(bpp), (cause: unknown) => cause instanceof BppError && cause.reason === reason, behaviour.name);
    }
  };

  test("without a behaviour it installs, in 87, 88, 87 and three 86 blocks", () => {
    const { client, bpp } = bppWith({ name: "nothing" }, "json");
    assert.deepEqual(client.install(bpp).profile, profile);
    assert.equal(splitBpp(bpp).sequenceOf86.length, 3);
  });

  test("a wrong MAC in any block is a security error of the card", () => {
    for (let n = 1; n <= 6; n++) refused(behaviours.wrongMac(n), ErrorReason.Scp03tSecurityError);
  });

  test("a block that is missing breaks the chain", () => {
    refused(behaviours.missingBlock(4), ErrorReason.Scp03tSecurityError, (bpp) => assert.equal(splitBpp(bpp).sequenceOf86.length, 2));
  });

  test("several equal 87 in A0 are there, and no card takes them", () => {
    refused(behaviours.repeatedFirst87(3), ErrorReason.Scp03tSecurityError, (bpp) => assert.equal(splitBpp(bpp).firstSequenceOf87.length, 3));
  });

  test("another transaction id in BF23 is not covered by smdpSign", () => {
    refused(behaviours.wrongBppTransactionId(), ErrorReason.InvalidSignature);
  });

  test("a truncated BPP ends where it was told to, inside a whole answer", () => {
    const { bpp } = bppWith(behaviours.truncatedBpp(500), "json");
    assert.equal(bpp.length, 500);
    assert.throws(() => splitBpp(bpp), BppError);
  });
});

describe("narrowing", () => {
  test("once, nth and forFunction count by exchange, and a snapshot has the count", () => {
    const { smdp, client } = bench();
    smdp.use(behaviours.nth(2, behaviours.forFunction("initiateAuthentication", behaviours.status(500))));
    const statuses = (n: number): number[] => Array.from({ length: n }, () => client().initiate().http.status);
    const before = smdp.snapshot();
    assert.deepEqual(statuses(3), [200, 500, 200]);
    smdp.restore(before);
    assert.deepEqual(statuses(3), [200, 500, 200]);
  });

  test("forFunction leaves other functions alone, and the newest behaviour is asked first", () => {
    const { smdp, client } = bench();
    smdp.use(behaviours.status(500));
    smdp.use(behaviours.forFunction("initiateAuthentication", behaviours.status(418)));
    assert.equal(client().initiate().http.status, 418);
    assert.deepEqual(smdp.seen.at(-1)?.behaviours, ["forFunction(initiateAuthentication, status(418))", "status(500)"]);
    assert.equal(smdp.seen.at(-1)?.verdict, "behaviour");
  });

  test("a snapshot with a behaviour that a server never had is refused", () => {
    const { smdp } = bench();
    smdp.use(behaviours.silent());
    const state = smdp.snapshot();
    assert.throws(() => bench().smdp.restore(state), { code: "state" });
  });
});
