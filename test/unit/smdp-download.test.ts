/** Whole downloads from the SM-DP+, over both bindings, with an independent client that opens the BPP; orders, retries, confirmation codes. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, test } from "node:test";
import { fromHex, fromUtf8, toHex, utf8 } from "../sim/core/bytes.js";
import { VirtualClock } from "../sim/core/clock.js";
import { must, readAll, readOne, tlv } from "../sim/codec/tlv.js";
import { splitBpp } from "../sim/bsp/index.js";
import { keyPairFromSeed, sign } from "../sim/pki/keys.js";
import { loadPki, makePki, type Pki } from "../sim/pki/pki.js";
import type { Binding } from "../sim/rsp/index.js";
import { hashOfCode, profileElements, profileIccid, sampleProfile, Smdp, storeMetadata, withIccid, type Order, type OrderOptions } from "../sim/smdp/index.js";
import { Client, must1, signed2Of, succeeded, type ClientOptions } from "./smdp-client.js";

const ICCID = "89000123456789012341";
const ICCID_OCTETS = fromHex("98001032547698103214");
const TS48 = resolve("../shared/data/ts48");
const SGP26 = resolve("../shared/data/sgp26-variant-o");
const BINDINGS = ["json", "asn1"] as const satisfies Binding[];

const pki = makePki({ seed: "smdp tests" });
const brainpool = makePki({ seed: "smdp tests", curve: "brainpoolP256r1" });
const profile = sampleProfile({ iccid: ICCID });

function bench(order: Partial<OrderOptions> = {}, from: Pki = pki) {
  const clock = new VirtualClock();
  const smdp = new Smdp({ pki: from, clock });
  const made = smdp.order({ profile, matchingId: "CODE-1", ...order });
  const client = (options: Partial<ClientOptions> = {}): Client => new Client({ server: smdp, pki: from, matchingId: made.matchingId, ...options });
  return { smdp, clock, client, order: (): Order => smdp.orderById(made.id) };
}

function ts48Files(): string[] {
  return existsSync(TS48) ? readdirSync(TS48).filter((file) => file.endsWith(".der")) : [];
}

describe("a whole download", () => {
  for (const binding of BINDINGS) {
    test(`gives the eUICC the profile package octet by octet (${binding})`, () => {
      const { smdp, client, order } = bench();
      const one = client({ binding });
      const installed = one.download();
      assert.equal(toHex(installed.profile), toHex(profile));
      assert.equal(toHex(installed.metadata), toHex(one.metadata));
      assert.equal(order().state, "downloaded");
      const reply = one.notify(one.pir(ICCID_OCTETS));
      assert.deepEqual([reply.http.status, reply.http.body.length], [204, 0]);
      assert.equal(order().state, "installed");
      assert.deepEqual(smdp.notifications.map(({ event, installation }) => [event, installation?.success]), [["install", true]]);
      assert.ok(smdp.seen.every((entry) => entry.verdict === "ok" && entry.warnings.length === 0), JSON.stringify(smdp.seen.map(({ reason, warnings }) => [reason, warnings])));
    });

    test(`of a package of 100 kB comes in 100 blocks of 1020 octets (${binding})`, () => {
      const large = sampleProfile({ iccid: ICCID, size: 102_400 });
      const { client } = bench({ profile: large });
      const one = client({ binding });
      succeeded(one.initiate());
      succeeded(one.authenticate());
      const bpp = must1(one.bpp().objects, 0);
      const blocks = splitBpp(bpp).sequenceOf86;
      assert.equal(blocks.length, Math.ceil(102_400 / 1007));
      assert.ok(blocks.slice(0, -1).every((block) => block.length === 1020));
      assert.equal(toHex(one.install(bpp).profile), toHex(large));
    });

    for (const file of ts48Files()) {
      test(`of ${file} gives the file back (${binding})`, () => {
        const upp = new Uint8Array(readFileSync(join(TS48, file)));
        const { client, order } = bench({ profile: upp, ppk: file.includes("v5") });
        assert.equal(toHex(client({ binding }).download().profile), toHex(upp));
        assert.equal(order().iccid, profileIccid(upp));
      });
    }
  }

  test("works on brainpoolP256r1, and with profile protection keys", () => {
    for (const ppk of [false, true]) {
      const { client } = bench({ ppk }, brainpool);
      const found = client().download();
      assert.equal(toHex(found.profile), toHex(profile));
      assert.equal(found.replaceSessionKeys !== undefined, ppk);
    }
  });

  if (existsSync(SGP26)) {
    test("works with the published SGP.26 test certificates", () => {
      const { client } = bench({}, loadPki(SGP26, { seed: "smdp tests" }));
      assert.equal(toHex(client().download().profile), toHex(profile));
    });
  }

  test("under the second of two CIs works when the eUICC knows only that one", () => {
    const smdp = new Smdp({ pki: [brainpool, pki], clock: new VirtualClock() });
    smdp.order({ profile, matchingId: "A" });
    smdp.order({ profile, matchingId: "B" });
    for (const [from, matchingId] of [[pki, "A"], [brainpool, "B"]] as const) {
      assert.equal(toHex(new Client({ server: smdp, pki: from, matchingId }).download().profile), toHex(profile));
    }
  });

  test("follows the order's options for blocks: 1008 octets of plaintext, several 87 blocks, other metadata than announced", () => {
    const other = storeMetadata({ iccid: ICCID, profileName: "another" });
    const { client } = bench({ profile: sampleProfile({ iccid: ICCID, size: 3000 }), bpp: { segment: 1008, configureIsdpBlocks: 3, metadata: other } });
    const one = client();
    succeeded(one.initiate());
    succeeded(one.authenticate());
    const bpp = must1(one.bpp().objects, 0);
    assert.equal(splitBpp(bpp).sequenceOf86[0]?.length, 1036);
    assert.equal(splitBpp(bpp).firstSequenceOf87.length, 3);
    assert.equal(toHex(one.install(bpp, false).metadata), toHex(other));
    assert.notEqual(toHex(one.metadata), toHex(other));
  });

  test("the JSON answer has the members of the standard by name, and its header", () => {
    const { smdp, client } = bench();
    client().download();
    const members = smdp.seen.map(({ response }) => JSON.parse(fromUtf8(fromHex(response))) as Record<string, unknown>);
    assert.deepEqual(members.map((one) => Object.keys(one)), [
      ["header", "transactionId", "serverSigned1", "serverSignature1", "euiccCiPKIdToBeUsed", "serverCertificate"],
      ["header", "transactionId", "profileMetadata", "smdpSigned2", "smdpSignature2", "smdpCertificate"],
      ["header", "transactionId", "boundProfilePackage"],
    ]);
    assert.deepEqual(members[0]?.header, { functionExecutionStatus: { status: "Executed-Success" } });
    assert.match(members[0]?.transactionId as string, /^[0-9A-F]{32}$/);
  });

  test("the same seed gives the same octets, another one others", () => {
    const run = (seed: number): string => {
      const smdp = new Smdp({ pki, clock: new VirtualClock(), seed });
      smdp.order({ profile, matchingId: "A", ppk: true });
      new Client({ server: smdp, pki, matchingId: "A" }).download();
      return smdp.seen.map(({ response }) => response).join();
    };
    assert.equal(run(1), run(1));
    assert.notEqual(run(1), run(2));
  });
});

describe("orders", () => {
  test("several wait side by side, and each eUICC gets its own", () => {
    const smdp = new Smdp({ pki, clock: new VirtualClock() });
    const iccids = ["89000123456789012341", "89000123456789012358", "8900012345678901236"];
    for (const [index, iccid] of iccids.entries()) smdp.order({ profile, iccid, patchIccid: true, matchingId: `CODE-${index}` });
    for (const [index, iccid] of iccids.entries()) {
      const { profile: got, metadata } = new Client({ server: smdp, pki, matchingId: `CODE-${index}`, seed: iccid }).download();
      assert.equal(profileIccid(got), iccid);
      assert.equal(toHex(got), toHex(withIccid(profile, iccid)));
      assert.equal(must(readAll(readOne(metadata).value), 0x5a, "iccid").value.length, 10);
    }
    assert.throws(() => smdp.order({ profile, matchingId: "CODE-0" }), { code: "order" });
  });

  test("the package keeps its own ICCID unless asked otherwise; the metadata have the order's", () => {
    const { client } = bench({ iccid: "89000123456789012358" });
    const { profile: got, metadata } = client().download();
    assert.equal(profileIccid(got), ICCID);
    assert.equal(toHex(must(readAll(readOne(metadata).value), 0x5a, "iccid").value), "98001032547698103285");
  });

  for (const matchingId of ["", null] as const) {
    test(`a default order is found by the EID, with ${matchingId === null ? "no matchingId" : "an empty one"}`, () => {
      const { smdp, client } = bench({ matchingId: "", eid: pki.eid });
      const one = client();
      succeeded(one.initiate());
      succeeded(one.authenticate({ matchingId }));
      assert.equal(one.bpp().objects.length, 1);
      assert.equal(smdp.orders[0]?.state, "downloaded");
    });
  }

  test("an order needs a matchingId or an EID, and fields that can be coded", () => {
    const smdp = new Smdp({ pki, clock: new VirtualClock() });
    assert.throws(() => smdp.order({ profile }), TypeError);
    assert.throws(() => smdp.order({ profile, matchingId: "with$dollar" }), TypeError);
    assert.throws(() => smdp.order({ profile, matchingId: "A", eid: "89" }), TypeError);
    assert.throws(() => smdp.order({ profile: Uint8Array.of(1, 2), matchingId: "A" }), { code: "profile" });
    assert.throws(() => smdp.order({ profile, matchingId: "A", metadata: { serviceProviderName: "x".repeat(33) } }), RangeError);
    assert.throws(() => smdp.order({ profile, iccid: "89000123456789012358", matchingId: "A", metadata: storeMetadata({ iccid: ICCID }) }), TypeError);
    assert.equal(smdp.orders.length, 0);
  });

  test("activation codes have the forms of the standard", () => {
    const smdp = new Smdp({ pki, clock: new VirtualClock() });
    const plain = smdp.order({ profile, matchingId: "04386-AGYFT" });
    const coded = smdp.order({ profile, matchingId: "B", confirmationCode: "2468" });
    const none = smdp.order({ profile, eid: pki.eid });
    assert.equal(smdp.activationCode(plain), "1$smdp.example.com$04386-AGYFT");
    assert.equal(smdp.activationCode(plain, { prefix: true, withOid: true }), "LPA:1$smdp.example.com$04386-AGYFT$2.999.10");
    assert.equal(smdp.activationCode(coded), "1$smdp.example.com$B$$1");
    assert.equal(smdp.activationCode(coded, { withOid: true }), "1$smdp.example.com$B$2.999.10$1");
    assert.equal(smdp.activationCode(none), "1$smdp.example.com$");
  });

  test("metadata are coded as in the vector of 14, and with every member in its place", () => {
    const vector = storeMetadata({
      iccid: ICCID, serviceProviderName: "s", profileName: "p", notifications: [{ events: ["install"], address: "eim.example.com" }], owner: { mccMnc: "262-01" }, policyRules: ["ppr1"], ecallIndication: true, fallbackAllowed: true,
    });
    assert.equal(toHex(vector), "BF253E5A0A98001032547698103214910173920170B617301580020780810F65696D2E6578616D706C652E636F6DB705800362F210990206409F7B01FF9F6701FF");
    const full = storeMetadata({
      iccid: ICCID, icon: { type: "png", data: Uint8Array.of(1, 2) }, profileClass: "test", notifications: [{ events: ["enable", "delete"], address: "a" }],
      owner: { mccMnc: "310-410", gid1: Uint8Array.of(1), gid2: new Uint8Array(0) }, policyRules: ["ppr1", "ppr2"],
    });
    const found = readAll(readOne(full).value);
    assert.deepEqual(found.map(({ tag }) => tag), [0x5a, 0x91, 0x92, 0x93, 0x94, 0x95, 0xb6, 0xb7, 0x99]);
    assert.equal(toHex(must(found, 0xb7, "owner").value), "80031300148101018200");
    assert.equal(toHex(must(found, 0x99, "ppr").value), "0560");
    assert.equal(toHex(must(found, 0xb6, "notifications").raw), "B609300780020450810161");
  });

  test("the sample package is DER of ProfileElements from header to end, of any size asked", () => {
    assert.deepEqual(profileElements(profile), [0xa0, 0xb0, 0xaa]);
    assert.equal(profileIccid(profile), ICCID);
    const smallest = profile.length + 20;
    for (let size = smallest; size < smallest + 400; size++) {
      const padded = sampleProfile({ iccid: ICCID, size });
      assert.equal(padded.length, size);
      assert.equal(profileElements(padded).at(-1), 0xaa);
    }
    for (const size of [65_535, 65_536, 65_800, 102_400]) assert.equal(sampleProfile({ iccid: ICCID, size }).length, size);
    assert.throws(() => sampleProfile({ iccid: ICCID, size: 50 }), RangeError);
  });
});

describe("retries", () => {
  test("the second attempt of the same eUICC offers its one-time key again, and with it the blocks are the same", () => {
    const { client } = bench();
    const first = client();
    succeeded(first.initiate());
    succeeded(first.authenticate());
    assert.equal(signed2Of(first).otpk, undefined);
    const before = splitBpp(must1(first.bpp().objects, 0));
    const second = client();
    succeeded(second.initiate());
    succeeded(second.authenticate());
    assert.equal(toHex(signed2Of(second).otpk as Uint8Array), toHex(second.otKey.publicKey));
    const bpp = must1(second.bpp().objects, 0);
    const again = splitBpp(bpp);
    assert.deepEqual(again.sequenceOf86.map(toHex), before.sequenceOf86.map(toHex));
    assert.notEqual(toHex(again.initialiseSecureChannel), toHex(before.initialiseSecureChannel));
    assert.equal(toHex(second.install(bpp).profile), toHex(profile));
  });

  test("an eUICC that lost its one-time key gets a new binding, or is refused where the order says so", () => {
    for (const [rebinding, code] of [[true, undefined], [false, "8.2/3.7"]] as const) {
      const { client } = bench({ rebinding });
      client().download();
      const second = client({ seed: "another" });
      succeeded(second.initiate());
      succeeded(second.authenticate());
      const reply = second.bpp();
      assert.equal(reply.code, code);
      if (code === undefined) assert.equal(toHex(second.install(must1(reply.objects, 0)).profile), toHex(profile));
    }
  });

  test("GetBoundProfilePackage sent again in the same session gets the same BPP; another request does not", () => {
    const { client, order } = bench();
    const one = client();
    succeeded(one.initiate());
    succeeded(one.authenticate());
    const first = one.bpp();
    const second = one.bpp();
    assert.equal(toHex(must1(second.objects, 0)), toHex(must1(first.objects, 0)));
    assert.equal(order().transactions.length, 1);
    assert.equal(one.bpp({ otKey: keyPairFromSeed("P-256", "other") }).code, "8.10.1/3.9");
  });

  test("after maxRetries the order is in error, and stays so", () => {
    const { client, order } = bench({ maxRetries: 2 });
    const attempt = (): string | undefined => {
      const one = client();
      succeeded(one.initiate());
      return one.authenticate().code;
    };
    assert.deepEqual([attempt(), attempt(), attempt(), attempt(), attempt()], [undefined, undefined, undefined, "8.8.5/6.4", "8.8.5/6.4"]);
    assert.equal(order().state, "error");
  });

  test("a temporary installation error frees the order, a lasting one ends it", () => {
    for (const [error, state] of [[10, "released"], [11, "released"], [8, "error"], [9, "error"], [127, "error"]] as const) {
      const { client, order } = bench();
      const one = client();
      one.download();
      assert.equal(one.notify(one.pir(ICCID_OCTETS, { error: [5, error] })).http.status, 204);
      assert.equal(order().state, state);
      const next = client();
      succeeded(next.initiate());
      assert.equal(next.authenticate().code, state === "released" ? undefined : "8.2.6/3.8");
    }
  });
});

describe("confirmation code", () => {
  const tryCode = (client: (options: Partial<ClientOptions>) => Client, confirmationCode?: string): string | undefined => {
    const one = client(confirmationCode === undefined ? {} : { confirmationCode });
    succeeded(one.initiate());
    const reply = one.authenticate();
    if (reply.code !== undefined) return reply.code;
    assert.equal(signed2Of(one).ccRequired, true);
    return one.bpp().code;
  };

  test("hashCc is SHA-256(SHA-256(code) || transactionId): the worked example", () => {
    assert.equal(toHex(hashOfCode("2468", fromHex("0102030405060708"))), "36CDB2954E856D1EB755F35464E4172E52619237EADB89A21D0C5E13F8113D39");
  });

  test("the right one gives the profile, none or a wrong one does not", () => {
    const { client } = bench({ confirmationCode: "2468" });
    assert.equal(tryCode(client), "8.2.7/2.2");
    assert.equal(tryCode(client, "1357"), "8.2.7/3.8");
    assert.equal(tryCode(client, "2468"), undefined);
  });

  test("after the allowed number of wrong ones the order is in error, even for the right one", () => {
    const { client, order } = bench({ confirmationCode: "2468", maxCodeRetries: 2 });
    assert.deepEqual(["1", "2", "3", "2468"].map((code) => tryCode(client, code)), ["8.2.7/3.8", "8.2.7/3.8", "8.2.7/6.4", "8.2.6/3.8"]);
    assert.deepEqual([order().state, order().codeFailures], ["error", 3]);
  });

  test("a code that nobody asked for is taken with a warning", () => {
    const { smdp, client } = bench();
    assert.equal(toHex(client({ confirmationCode: "1" }).download().profile), toHex(profile));
    assert.match(smdp.seen.at(-1)?.warnings[0] ?? "", /no confirmation code is required/);
  });
});

describe("cancelSession", () => {
  for (const binding of BINDINGS) {
    for (const [reason, state] of [[0, "cancelled"], [1, "released"], [2, "released"], [3, "error"], [4, "error"], [5, "error"], [127, "error"]] as const) {
      test(`reason ${reason} leaves the order ${state} (${binding})`, () => {
        const { client, order } = bench();
        const one = client({ binding });
        succeeded(one.initiate());
        succeeded(one.authenticate());
        if (reason >= 4) succeeded(one.bpp());
        const reply = one.cancel(reason);
        succeeded(reply);
        if (binding === "asn1") assert.equal(toHex(reply.http.body), "A205BF4102A000");
        assert.equal(order().state, state);
        const next = client();
        succeeded(next.initiate());
        assert.equal(next.authenticate().code, state === "released" ? undefined : "8.2.6/3.8");
      });
    }
  }

  test("a session that is over can't be cancelled, and an installed order is not touched by another session", () => {
    const { client, order } = bench();
    const one = client();
    one.download();
    one.notify(one.pir(ICCID_OCTETS));
    assert.equal(one.cancel(5).code, "8.10.1/3.9");
    assert.equal(order().state, "installed");
  });
});

describe("time", () => {
  test("a session is unknown after its time", () => {
    const { client, clock } = bench();
    const one = client();
    succeeded(one.initiate());
    clock.sleep(3_600_001);
    assert.equal(one.authenticate().code, "8.10.1/3.9");
  });

  test("the oldest session gives way when there are more than the limit", () => {
    const smdp = new Smdp({ pki, clock: new VirtualClock(), policy: { sessionLimit: 2 } });
    smdp.order({ profile, matchingId: "CODE-1" });
    const clients = [1, 2, 3].map(() => new Client({ server: smdp, pki, matchingId: "CODE-1" }));
    for (const one of clients) succeeded(one.initiate());
    assert.deepEqual(clients.map((one) => one.authenticate().code), ["8.10.1/3.9", undefined, undefined]);
  });

  test("an order that expires between authentication and binding is refused at binding", () => {
    const { client, clock, order } = bench({ expiresAt: 1000 });
    const one = client();
    succeeded(one.initiate());
    succeeded(one.authenticate());
    clock.sleep(1000);
    assert.equal(one.bpp().code, "8.8.5/4.10");
    assert.equal(order().state, "expired");
  });
});

describe("snapshot", () => {
  test("goes back in the middle of a download, and the future is the same again", () => {
    const { smdp, client } = bench({ ppk: true });
    const one = client();
    succeeded(one.initiate());
    succeeded(one.authenticate());
    const middle = smdp.snapshot();
    const frozen = JSON.stringify(structuredClone(middle), (_key, value: unknown) => (value instanceof Map ? [...value] : value));
    const first = must1(one.bpp().objects, 0);
    one.notify(one.pir(ICCID_OCTETS));
    assert.equal(JSON.stringify(middle, (_key, value: unknown) => (value instanceof Map ? [...value] : value)), frozen);
    smdp.restore(middle);
    assert.equal(smdp.orders[0]?.state, "released");
    assert.equal(toHex(must1(one.bpp().objects, 0)), toHex(first));
  });

  test("the octets of an unknown member in a signed object are covered by the signature and skipped", () => {
    const { smdp, client } = bench();
    const one = client();
    succeeded(one.initiate());
    succeeded(one.authenticate({
      change: (bf38) => {
        const [signed, , ...certificates] = readAll(readOne(readOne(bf38).value).value).map((item) => item.raw) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
        const longer = tlv(0x30, readOne(signed).value, tlv(0x9f7f, utf8("new in some later version")));
        const signature = resign(one, longer);
        return tlv(0xbf38, tlv(0xa0, longer, signature, ...certificates));
      },
    }));
    assert.match(smdp.seen.at(-1)?.warnings.join() ?? "", /euiccSigned1: unknown member 9F7F is skipped/);
  });
});

function resign(client: Client, signed: Uint8Array): Uint8Array {
  const signature = tlv(0x5f37, signWith(client, signed));
  client.euiccSignature1 = Uint8Array.from(signature);
  return signature;
}

function signWith(client: Client, signed: Uint8Array): Uint8Array {
  return sign(client.options.pki.euicc.key, signed);
}
