/** Profile download into the simulated eUICC: what succeeds, what is left behind, and where it can be cut (SGP.22 v2.5 3.1.3, 5.7; SGP.32 v1.2 3.2). */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { concat, equal, fromHex, toHex, utf8 } from "../sim/core/bytes.js";
import { find, must, readAll, readOne, tlv } from "../sim/codec/tlv.js";
import { ErrorReason, type Euicc, fromJson, iccidDigits, toJson } from "../sim/euicc/index.js";
import { keyPair, verify } from "../sim/pki/keys.js";
import { loadPki, makePki } from "../sim/pki/pki.js";
import {
  authenticated, authenticateServer, challenge, CTX, download, issued, load, NEW, ok, pirOf, prepared, prepareDownload, profilePackage, ready, segmentsOf, SMDP, TID, type BppFields,
} from "./euicc-download-kit.js";
import { A, iccidHex, ordinary, pendingOf, pki, type Reader, started } from "./euicc-kit.js";

const euiccKey = (): Uint8Array => pki().euicc.key.publicKey;
const iccids = (euicc: Euicc): string[] => euicc.profiles.map((profile) => `${iccidDigits(profile.metadata.iccid)} ${profile.enabled ? "enabled" : "disabled"}`);

describe("mutual authentication", () => {
  test("each GetEuiccChallenge gives another challenge, the same for the same card, and goes on after a power cut", () => {
    const { euicc, reader } = started();
    const first = challenge(reader);
    euicc.powerCycle();
    const second = challenge(reader.start());
    assert.equal(first.length, 16);
    assert.notDeepEqual(first, second);
    assert.deepEqual(challenge(started().reader), first);
    assert.notDeepEqual(challenge(started(ordinary({ seed: 2 })).reader), first);
  });

  test("euiccSigned1 holds what the server said, EUICCInfo2 and ctxParams1 as received, signed by CERT.EUICC", () => {
    const { reader } = started();
    const info2 = reader.es10("BF2200");
    const members = ok(reader.es10(authenticateServer(challenge(reader))));
    assert.deepEqual(members.map(({ tag }) => tag), [0x30, 0x5f37, 0x30, 0x30]);
    const [signed, signature, euiccCertificate, eumCertificate] = members.map(({ raw }) => raw) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
    const expected = tlv(0x30, tlv(0x80, TID), tlv(0x83, utf8(SMDP)), tlv(0x84, fromHex("00112233445566778899AABBCCDDEEFF")), info2, CTX);
    assert.equal(toHex(signed), toHex(expected));
    assert.ok(verify("P-256", euiccKey(), signed, signature.subarray(3)));
    assert.deepEqual([euiccCertificate, eumCertificate], [pki().euicc.certificate, pki().eum.certificate]);
  });

  test("an SM-DS is authenticated too, but no download is prepared for it", () => {
    const { reader, euicc } = started();
    const signature1 = authenticated(reader, { server: issued("dsAuth") });
    assert.equal(toHex(reader.es10(prepareDownload(signature1))), `BF210DA10B8006${toHex(TID)}020104`);
    assert.match(euicc.refusals.at(-1)?.why ?? "", /SM-DS/);
  });

  test("euiccSigned2 holds a one-time key and hashCc, signed together with smdpSignature2", () => {
    const { reader } = started();
    const hashCc = fromHex("36CDB2954E856D1EB755F35464E4172E52619237EADB89A21D0C5E13F8113D39");
    const request = prepareDownload(authenticated(reader), { ccRequired: true, hashCc });
    const smdpSignature2 = must(readAll(readOne(request).value), 0x5f37, "smdpSignature2").raw;
    const [signed, signature] = ok(reader.es10(request));
    assert.ok(signed !== undefined && signature !== undefined);
    assert.ok(verify("P-256", euiccKey(), concat(signed.raw, smdpSignature2), signature.value));
    const members = readAll(signed.value);
    assert.deepEqual(members.map(({ tag }) => tag), [0x80, 0x5f49, 0x04]);
    assert.deepEqual(members[2]?.value, hashCc);
    assert.equal(members[1]?.value.length, 65);
  });

  test("a one-time key is kept over sessions and power cuts until a package is bound to it", () => {
    const { euicc, reader } = started();
    const first = prepared(reader);
    assert.notDeepEqual(prepared(reader), first, "without bppEuiccOtpk there is a new key");
    euicc.powerCycle();
    reader.start();
    const again = prepared(reader, { bppEuiccOtpk: first });
    assert.deepEqual(again, first);
    assert.equal(pirOf(load(reader, segmentsOf(first)).answer).result, "ok");
    assert.notDeepEqual(prepared(reader, { bppEuiccOtpk: first }), first, "used up");
  });

  test("CancelSession gives transactionId, SM-DP+ OID and reason, signed, and ends the session", () => {
    const { reader } = started();
    prepared(reader);
    const [signed, signature] = ok(reader.es10(concat(fromHex("BF410B8006"), TID, fromHex("810103"))));
    assert.equal(toHex(signed?.raw ?? new Uint8Array(0)), `30108006${toHex(TID)}810388370A820103`);
    assert.ok(verify("P-256", euiccKey(), signed?.raw ?? new Uint8Array(0), signature?.value ?? new Uint8Array(0)));
    assert.equal(toHex(reader.es10(concat(fromHex("BF410B8006"), TID, fromHex("810103")))), "BF4103810105");
  });
});

describe("installation", () => {
  const VARIANTS: readonly [string, BppFields][] = [
    ["without ReplaceSessionKeys", {}],
    ["with ReplaceSessionKeys", { withPpk: true }],
    ["with ConfigureISDP in three 87", { configureIsdpBlocks: 3 }],
    ["with dpProprietaryData", { configureIsdp: tlv(0xbf24, tlv(0xb8, tlv(0x80, fromHex("88370A")))) }],
    ["with metadata in two 88", { metadata: { icon: 1010 } }],
    ["in 86 blocks of 40 octets", { profile: profilePackage({ size: 900 }), segment: 17 }],
    ["in 86 blocks of 1036 octets", { profile: profilePackage({ size: 9000 }), segment: 1008, withPpk: true }],
    ["of more than 100 kB", { profile: profilePackage({ size: 120_000 }) }],
    ["of a test Profile", { metadata: { class: 0 } }],
  ];
  for (const [what, fields] of VARIANTS) {
    test(`a package ${what} ends with a signed result and a disabled Profile`, () => {
      const { euicc, reader } = started();
      const answer = download(reader, fields);
      const pir = pirOf(answer);
      assert.ok(verify("P-256", euiccKey(), pir.data, pir.signature));
      assert.deepEqual(
        [pir.result, pir.transactionId, pir.seqNumber, pir.address, pir.iccid, pir.oid, pir.simaResponse],
        ["ok", toHex(TID), 1, SMDP, iccidHex(NEW), "88370A", "3007A0053003800100"],
      );
      assert.equal(iccids(euicc).at(-1), `${NEW} disabled`);
      assert.equal(pir.aid, toHex(euicc.profiles.at(-1)?.metadata.aid ?? new Uint8Array(0)));
      assert.deepEqual(euicc.profilePackage(NEW), fields.profile ?? profilePackage());
      assert.deepEqual(euicc.pending[0]?.raw, answer);
    });
  }

  test("the Profile is listed with what StoreMetadata told, its AID is the first free one", () => {
    const { euicc, reader } = started();
    download(reader, { metadata: { name: "Loaded", class: 2, owner: "62F210", icon: 4, notifications: [[[1, 2], "a.example.com"]], more: [tlv(0x9f7b, [0]), tlv(0x9f67, [0xff])] } });
    const told = readOne(readOne(readOne(reader.es10(`BF2D24A00C5A0A${iccidHex(NEW)}5C145A4F9F70909192939495B6B7B8999F7B9F269F67`)).value, 0xa0).value, 0xe3);
    assert.deepEqual(readAll(told.value).map(({ raw }) => toHex(raw)), [
      `5A0A${iccidHex(NEW)}`, "4F10A0000005591010FFFFFFFF8900001200", "9F700100", "91025350", "92064C6F61646564", "930101", "940455555555", "950102",
      `B615301380020560810D${toHex(utf8("a.example.com"))}`, "B705800362F210", "9F7B0100", "9F6701FF",
    ]);
    assert.equal(euicc.profiles.at(-1)?.metadata.preloaded, false);
  });

  test("install notifications go out for each address behind the result, with the next sequence numbers", () => {
    const { euicc, reader } = started();
    download(reader, { metadata: { notifications: [[[0, 1], "a.example.com"], [[3], "b.example.com"], [[0], "c.example.com"]] } });
    assert.deepEqual(pendingOf(euicc), [`1 PIR ${iccidHex(NEW)}`, `2 install ${iccidHex(NEW)}`, `3 install ${iccidHex(NEW)}`]);
    const list = readAll(readOne(readOne(reader.es10("BF2B00")).value, 0xa0).value);
    assert.deepEqual(list.map(({ tag }) => tag), [0xbf37, 0x30, 0x30]);
    assert.equal(toHex(reader.es10("BF3003800101")), "BF3003800100");
    assert.deepEqual(euicc.pending.map(({ seqNumber }) => seqNumber), [2, 3]);
  });

  test("extCardResource tells the memory that is left, and deleting gives it back", () => {
    const { euicc, reader } = started(ordinary({ download: { freeMemory: 5000 } }));
    const size = profilePackage().length;
    const told = (): number => {
      const resource = must(readAll(readOne(reader.es10("BF2200")).value), 0x84, "extCardResource").value;
      return parseInt(toHex(must(readAll(resource), 0x82, "free memory").value), 16);
    };
    assert.equal(told(), 5000);
    download(reader);
    assert.deepEqual([told(), euicc.freeMemory], [5000 - size, 5000 - size]);
    reader.es10("BF640482020780");
    reader.start();
    assert.equal(told(), 5000);
  });

  test("a package that needs just the free memory fits, one octet more does not", () => {
    const size = profilePackage().length;
    assert.equal(pirOf(download(started(ordinary({ download: { freeMemory: size } })).reader)).result, "ok");
    assert.equal(pirOf(download(started(ordinary({ download: { freeMemory: size - 1 } })).reader)).result, "5/10");
  });

  test("brainpoolP256r1 from the CI down to the one-time keys", () => {
    const brainpool = makePki({ seed: "test", curve: "brainpoolP256r1" });
    const { euicc, reader } = started(ordinary({ pki: [pki(), brainpool] }));
    const pir = pirOf(download(reader, { pki: brainpool }));
    assert.equal(pir.result, "ok");
    assert.ok(verify("brainpoolP256r1", brainpool.euicc.key.publicKey, pir.data, pir.signature));
    assert.equal(iccids(euicc).length, 3);
  });

  test("information can be asked for between segments", () => {
    const { reader, segments } = ready();
    for (const segment of segments.slice(0, -1)) {
      assert.equal(reader.es10(segment).length, 0);
      reader.es10("BF3E035C015A");
      reader.es10("BF2200");
    }
    assert.equal(pirOf(reader.es10(segments.at(-1) as Uint8Array)).result, "ok");
  });

  for (const name of ["TS48v1_A", "TS48v5_SAIP2.3_BERTLV_SUCI"]) {
    const file = `../shared/data/ts48/${name}.der`;
    if (existsSync(file)) {
      test(`the generic test profile ${name} is installed`, () => {
        const profile = new Uint8Array(readFileSync(file));
        const { euicc, reader } = started(ordinary({ profiles: [] }));
        assert.equal(pirOf(download(reader, { profile, metadata: { iccid: A, class: 0 } })).result, "ok");
        assert.ok(equal(euicc.profilePackage(A) ?? new Uint8Array(0), profile));
      });
    }
  }
});

describe("ImmediateEnable", () => {
  const card = (more = {}): { euicc: Euicc; reader: Reader } => started(ordinary({ immediateEnable: true, ...more }));

  test("right behind the result enables the Profile, with information asked for between", () => {
    const { euicc, reader } = card();
    download(reader);
    reader.es10("BF2B00");
    assert.equal(reader.code("BF5A038001FF"), 0);
    assert.deepEqual(iccids(euicc).filter((one) => one.endsWith("enabled")), [`${NEW} enabled`]);
    assert.ok(euicc.switchPending);
  });

  test("is answered 4 when a session command came between, after a reset, and after a failed installation", () => {
    for (const between of ["BF2E00", "BF3003800101", `BF410B8006${toHex(TID)}810105`]) {
      const { reader } = card();
      download(reader);
      reader.es10(between);
      assert.equal(reader.code("BF5A038001FF"), 4, between);
    }
    const more = card();
    const segments = segmentsOf(prepared(more.reader));
    load(more.reader, segments);
    assert.throws(() => more.reader.es10(segments.at(-1) as Uint8Array), { sw: 0x6a88 });
    assert.equal(more.reader.code("BF5A038001FF"), 4, "a segment too many");
    const reset = card();
    download(reset.reader);
    reset.reader.start();
    assert.equal(reset.reader.code("BF5A038001FF"), 4);
    const failed = card();
    failed.euicc.memoryFull();
    download(failed.reader);
    assert.equal(failed.reader.code("BF5A038001FF"), 4);
  });

  test("is answered 1 when it is not configured, or for another SM-DP+ OID or address, and 5 when the card is busy", () => {
    const not = started();
    download(not.reader);
    assert.equal(not.reader.code("BF5A038001FF"), 1);
    for (const [members, expected] of [["8000 8103 88370B", 1], ["8000 8205 6F74686572", 1], [`8000 8103 88370A 8210 ${toHex(utf8(SMDP))}`, 0]] as const) {
      const { reader } = started(ordinary({ eims: [] }));
      assert.equal(reader.code(tlv(0xbf59, fromHex(members))), 0);
      download(reader);
      assert.equal(reader.code("BF5A038001FF"), expected, members);
    }
    const busy = card();
    download(busy.reader);
    busy.euicc.catBusy();
    assert.equal(busy.reader.code("BF5A038001FF"), 5);
    assert.equal(busy.reader.code("BF5A038001FF"), 0);
  });
});

describe("a download that is cut", () => {
  test("power lost before the secure channel leaves nothing, later a result with interruption, at the end the Profile", () => {
    const count = ready(ordinary(), { withPpk: true }).segments.length;
    // What would have come next.
    const commands = [1, 2, 2, 4, 5, 5];
    for (let cut = 0; cut <= count; cut++) {
      const { euicc, reader, segments } = ready(ordinary(), { withPpk: true });
      for (const segment of segments.slice(0, cut)) reader.es10(segment);
      reader.start();
      const list = readAll(readOne(readOne(reader.es10("BF2B00")).value, 0xa0).value).map(({ raw }) => pirOf(raw).result);
      const expected = cut === 0 ? [] : cut === count ? ["ok"] : [`${commands[cut - 1]}/11`];
      assert.deepEqual(list, expected, `cut behind segment ${cut}`);
      assert.equal(euicc.profiles.length, cut === count ? 3 : 2);
      assert.throws(() => reader.es10(segments[Math.min(cut, count - 1)] as Uint8Array), { sw: cut === 0 ? 0x6985 : 0x6a88 });
      if (cut > 0) assert.equal(pendingOf(euicc)[0], cut < 4 ? "1 PIR" : `1 PIR ${iccidHex(NEW)}`, "the ICCID is told once it is known");
      assert.equal(pirOf(download(reader, { metadata: { iccid: "89000123456789012366" } })).result, "ok", "and the card goes on");
    }
  });

  test("a card can be configured to forget it", () => {
    const { euicc, reader, segments } = ready(ordinary({ download: { interrupted: "discard" } }));
    for (const segment of segments.slice(0, 4)) reader.es10(segment);
    const before = euicc.snapshot().nonvolatile;
    euicc.powerCycle();
    assert.deepEqual(euicc.snapshot().nonvolatile, before);
  });

  test("a new challenge ends the session and forgets what was loaded", () => {
    const { euicc, reader, segments } = ready();
    for (const segment of segments.slice(0, 4)) reader.es10(segment);
    reader.es10("BF2E00");
    assert.throws(() => reader.es10(segments[4] as Uint8Array), { sw: 0x6a88 });
    assert.deepEqual([euicc.pending, euicc.profiles.length], [[], 2]);
    assert.equal(pirOf(download(reader)).result, "ok", "and the next package begins anew");
  });

  test("a package goes on after its channel was closed and another one opened, unless the card binds it to the channel", () => {
    for (const channelBound of [false, true]) {
      const { reader, segments } = ready(ordinary({ download: { channelBound } }));
      load(reader, segments.slice(0, 2));
      const first = reader.channel;
      reader.open();
      const goOn = (): Uint8Array => load(reader, segments.slice(2)).answer;
      if (!channelBound) assert.equal(pirOf(goOn()).result, "ok");
      else {
        assert.throws(goOn, { sw: 0x6985 });
        reader.send(`0070800${first}00`);
        assert.throws(goOn, { sw: 0x6a88 });
        ok(reader.es10(concat(fromHex("BF410B8006"), TID, fromHex("810105"))));
      }
    }
  });

  test("CancelSession in the middle of the package ends it without a result", () => {
    const { euicc, reader, segments } = ready();
    for (const segment of segments.slice(0, 4)) reader.es10(segment);
    ok(reader.es10(concat(fromHex("BF410B8006"), TID, fromHex("810105"))));
    assert.throws(() => reader.es10(segments[4] as Uint8Array), { sw: 0x6a88 });
    assert.deepEqual(euicc.pending, []);
  });

  test("behind a result nothing more is taken, and there is no session to cancel", () => {
    const { reader, segments } = ready();
    load(reader, segments);
    assert.throws(() => reader.es10(segments.at(-1) as Uint8Array), { sw: 0x6a88 });
    assert.equal(toHex(reader.es10(concat(fromHex("BF410B8006"), TID, fromHex("810105")))), "BF4103810105");
  });
});

describe("named faults and quirks of a download", () => {
  test("failSegment with a status word ends the package; the session can be cancelled", () => {
    const { euicc, reader, segments } = ready();
    euicc.failSegment(2, { sw: 0x6f00 });
    assert.equal(load(reader, segments.slice(0, 2)).sent, 2);
    assert.throws(() => reader.es10(segments[2] as Uint8Array), { sw: 0x6f00 });
    assert.throws(() => reader.es10(segments[3] as Uint8Array), { sw: 0x6a88 });
    assert.throws(() => reader.es10(segments[0] as Uint8Array), { sw: 0x6985 });
    ok(reader.es10(concat(fromHex("BF410B8006"), TID, fromHex("810105"))));
    assert.deepEqual(euicc.pending, []);
  });

  test("failSegment with an errorReason gives the result there and then", () => {
    for (const [segment, expected] of [[0, "0/127"], [1, "1/127"], [2, "2/127"], [3, "2/127"], [4, "5/127"], [5, "5/127"]] as const) {
      const { euicc, reader, segments } = ready();
      euicc.failSegment(segment, { errorReason: ErrorReason.UnknownError });
      const { answer, sent } = load(reader, segments);
      assert.deepEqual([sent, pirOf(answer).result], [segment + 1, expected]);
    }
  });

  test("a proactive command between segments is told by 91xx, fetched, answered, and the package goes on", () => {
    const { euicc, reader, segments } = ready();
    euicc.interject(3);
    load(reader, segments.slice(0, 4));
    assert.equal(reader.sw, 0x910b);
    assert.equal(toHex(reader.send("801200000B")), "D009810301020082028182");
    reader.send("801400000C810301020002028281830100");
    assert.equal(reader.sw, 0x9000);
    assert.equal(pirOf(load(reader, segments.slice(4)).answer).result, "ok");
  });

  test("memoryFull fails the next 86", () => {
    const { euicc, reader, segments } = ready();
    euicc.memoryFull();
    assert.deepEqual([pirOf(load(reader, segments).answer).result, euicc.profiles.length], ["5/10", 2]);
  });

  test("refuseNext has a function of the session answer any of its codes", () => {
    const { euicc, reader } = started();
    euicc.refuseNext(0xbf38, 127);
    assert.equal(toHex(reader.es10(authenticateServer(challenge(reader)))), `BF380DA10B8006${toHex(TID)}02017F`);
    const signature1 = authenticated(reader);
    euicc.refuseNext(0xbf21, 3);
    assert.equal(toHex(reader.es10(prepareDownload(signature1))), `BF210DA10B8006${toHex(TID)}020103`);
    euicc.refuseNext(0xbf41, 127);
    assert.equal(toHex(reader.es10(concat(fromHex("BF410B8006"), TID, fromHex("810105")))), "BF410381017F");
  });

  test("pir-early: the result answers the last but one 86, and the last one is not taken", () => {
    const fields: BppFields = { profile: profilePackage({ size: 2500 }) };
    const { euicc, reader, segments } = ready(ordinary({ quirks: ["pir-early"] }), fields);
    const { answer, sent } = load(reader, segments);
    assert.deepEqual([pirOf(answer).result, sent, euicc.profiles.length], ["ok", segments.length - 1, 3]);
    assert.throws(() => reader.es10(segments.at(-1) as Uint8Array), { sw: 0x6a88 });
  });

  test("non-minimal lengths and unknown members of an answer leave its signed parts as they are", () => {
    const { euicc, reader } = started(ordinary({ quirks: ["non-minimal-lengths", "unknown-trailing"] }));
    const options = { lenient: true };
    const inner = (answer: Uint8Array): Uint8Array => readOne(answer, undefined, options).value;
    const secret = readAll(inner(reader.es10("BF2E00")), options)[0]?.value ?? new Uint8Array(0);
    const first = readAll(readAll(inner(reader.es10(authenticateServer(secret))), options)[0]?.value ?? new Uint8Array(0), options);
    assert.ok(verify("P-256", euiccKey(), first[0]?.raw ?? secret, first[1]?.value ?? secret));
    const second = readAll(readAll(inner(reader.es10(prepareDownload(first[1]?.raw ?? secret))), options)[0]?.value ?? secret, options);
    const otpk = find(readAll(second[0]?.value ?? secret), 0x5f49)?.value ?? secret;
    const answer = load(reader, segmentsOf(otpk)).answer;
    const [data, signature, unknown] = readAll(inner(answer), options);
    assert.equal(toHex(answer.subarray(0, 3)), "BF3782");
    assert.ok(verify("P-256", euiccKey(), data?.raw ?? secret, signature?.value ?? secret));
    assert.equal(unknown?.tag, 0x9f7a);
    assert.equal(euicc.profiles.length, 3);
  });
});

describe("the state of a download", () => {
  test("in the middle of a package a restored card goes on as if nothing had happened, also as JSON", () => {
    const { euicc, reader, segments } = ready(ordinary(), { withPpk: true, profile: profilePackage({ size: 3000 }) });
    load(reader, segments.slice(0, -2));
    const half = euicc.snapshot();
    const copy = toJson(half);
    const first = load(reader, segments.slice(-2)).answer;
    const end = toJson(euicc.snapshot());
    for (const state of [half, half, fromJson(copy)]) {
      euicc.restore(state);
      assert.deepEqual(load(reader, segments.slice(-2)).answer, first);
      assert.equal(toJson(euicc.snapshot()), end);
    }
    assert.equal(toJson(half), copy, "the snapshot itself stays as it was");
  });

  test("one of a card with half a package of 100 kB takes well under a millisecond", () => {
    const { euicc, reader, segments } = ready(ordinary(), { profile: profilePackage({ size: 100_000 }) });
    load(reader, segments.slice(0, -1));
    const state = euicc.snapshot();
    const times: number[] = [];
    for (let n = 0; n < 200; n++) {
      const start = performance.now();
      euicc.restore(state);
      euicc.snapshot();
      times.push(performance.now() - start);
    }
    const median = times.sort((a, b) => a - b)[100] as number;
    assert.ok(median < 0.5, `${median} ms for one restore and one snapshot`);
  });
});

describe("vectors on the card", () => {
  const EUICC = keyPair("P-256", fromHex("3225A61A8354F868BFFB979C3BE31B560657BFA5714E19DBA90E86E7EA0FDAD0"));
  const DP_PB = fromHex("0400BC139BF7170CE0845140F079A223413C72AF5D9DB218476BF37A35DF720C4E5871FA4DB2B629AB8C8E9275907A56FC4B3E765D86D51C8731C6EF1AC6BC2EE6");
  const SMDP_SIGN = "576AA01B6D519704203A00AC64858F5B4CB13B56E8B0A70CE0B159FF76D5BD0BEEA415B6E12A4B67D766D746FDDF40890AFB801B9563D075CCC3639C532991A1";
  const OT_DP = "0464867BB584284FBD3E8BB6F8F786C7F6D8AD5F74A01F1DDFE9BCE90204A0F4BE84BDCE0ADFAC1FC5ABDCF34734DD99383D7B2982EEE16D0E1746603A1F61D723";
  const BLOCK_87 = "8718E014A5A2E2FCB4291334DA61DD69C95D4B113103E50BCBC2";
  const BLOCK_88 = "8821BF25165A0A9800103254769810321491025350920454657374F267424D61DAFDC3";
  const KEYS_87 = "8748E777B5A65CF1EA997A21BF858ACBC8E7D31BEB2D017A21C51A104D9FD715F2383A3B83F74261E50E2909DB3C2F3153AC4046E84D95D0AF19328C6F52730218E91535FBAFE799F9C2";
  const BLOCK_86 = "8628A162A37A2B644F1FBDCFE05678D842511EC3B1DD8C0A1A3E09B09C60BF895E9C02564FB471F33B71";
  const BLOCK_86_PPK = "8628BBB2F4AE7CCEDFB0D7A7CA9E71A6B8B6C56F53FA22A2983F0FCD2F9C14CB2F9FD8EE36021AC3E71A";

  /** A card whose session stands where the vectors begin: PrepareDownload answered with their one-time key. */
  const standing = (): { euicc: Euicc; reader: Reader } => {
    const { euicc, reader } = started(ordinary({ profiles: [] }));
    prepared(reader, { transactionId: fromHex("0102030405060708") });
    const state = euicc.snapshot();
    const session = state.volatile.session;
    assert.ok(session?.prepared);
    state.volatile.session = { ...session, prepared: { key: { ...EUICC, smdpOid: "2.999.10" }, dpPbKey: DP_PB } };
    euicc.restore(state);
    return { euicc, reader };
  };
  const request = fromHex(`BF2381A2820101 80080102030405060708 A60C800188810110840401020304 5F4941${OT_DP} 5F3740${SMDP_SIGN}`);

  for (const [what, second, last] of [["without", "", BLOCK_86], ["with", `A24A${KEYS_87}`, BLOCK_86_PPK]] as const) {
    test(`BF23, 87, 88 and 86 ${what} ReplaceSessionKeys are opened as in the worked example`, () => {
      const { euicc, reader } = standing();
      const bf36 = tlv(0xbf36, request, fromHex(`A01A${BLOCK_87} A123${BLOCK_88} ${second} A32A${last}`));
      const head = bf36.length - readOne(bf36).value.length;
      const chain = (): string => toHex(euicc.snapshot().volatile.loading?.channel?.chain ?? new Uint8Array(0));
      reader.es10(bf36.subarray(0, head + request.length));
      assert.equal(chain(), "FC51392B408429524931652E8FDDA3F7");
      reader.es10(`A01A${BLOCK_87}`);
      assert.equal(chain(), "4B113103E50BCBC2AD4A8B40FD7A7D63");
      reader.es10("A123");
      reader.es10(BLOCK_88);
      assert.equal(chain(), "F267424D61DAFDC33414BB85DA43C8B7");
      assert.equal(euicc.snapshot().volatile.loading?.metadata?.profileName, "Test");
      if (second !== "") {
        reader.es10(second);
        assert.equal(chain(), "505152535455565758595A5B5C5D5E5F");
      }
      reader.es10("A32A");
      const before = euicc.snapshot();
      const pir = pirOf(reader.es10(last));
      assert.equal(pir.result, "5/12", "it opens, but its arbitrary octets are no profile elements");
      assert.match(euicc.refusals.at(-1)?.why ?? "", /first profile element is 00/);
      euicc.restore(before);
      const damaged = fromHex(last);
      damaged[10] = (damaged[10] as number) ^ 1;
      assert.equal(pirOf(reader.es10(damaged)).result, "5/8");
    });
  }

  test("smdpSign of the vector does not verify for another one-time key of the card", () => {
    const { euicc, reader } = standing();
    const state = euicc.snapshot();
    const { session } = state.volatile;
    assert.ok(session?.prepared);
    state.volatile.session = { ...session, prepared: { ...session.prepared, key: { ...session.prepared.key, publicKey: pki().euicc.key.publicKey } } };
    euicc.restore(state);
    assert.equal(pirOf(reader.es10(concat(fromHex("BF3681FF"), request))).result, "0/2");
  });

  test("smdpSignature2 and euiccSignature2 verify over the octets that the card takes and makes", () => {
    const signature2 = fromHex("E3B266A655D8F806D2A8F60414B1F8B4BF59A2C757062481B2213F6B81FBC2FD9620F6C3454722B90670FFE770C0569F4ED5DB370C5576229F319D8BFDA08899");
    const euiccSignature2 = fromHex("0A3A8C106429552D8AFEFE777D7B4E4354C431DBFD63E426AEDE74B9A855B2B5AEE4B4DED2DA0E646E28897E82F8CB5461C6EECD21EAB3943A142AAF1793CE59");
    const euicc = fromHex("046DB3F53ADC87DC2FF10C7BFCD87AD13AE97009AFA065A6757EE571B3F2EBB18F46C1D68F3EDEB0E74B2E5D542051E7D27F50952028605AFDEF79FE9FFFD03959");
    const signed2 = fromHex("300D80080102030405060708010100");
    assert.ok(verify("P-256", DP_PB, concat(signed2, tlv(0x5f37, new Uint8Array(64).fill(0x11))), signature2));
    const answered = tlv(0x30, tlv(0x80, fromHex("0102030405060708")), tlv(0x5f49, EUICC.publicKey));
    assert.ok(verify("P-256", euicc, concat(answered, tlv(0x5f37, signature2)), euiccSignature2));
  });

  test("CERT.DPpb of the GSMA's test PKI opens PrepareDownload with smdpSignature2 of the vector", (context) => {
    const dir = "../shared/data/sgp26-variant-o";
    if (!existsSync(dir)) return context.diagnostic("the GSMA's certificates are not there");
    const real = loadPki(dir, { seed: "test" });
    const { euicc, reader } = started(ordinary({ pki: real }));
    authenticated(reader, { pki: real, transactionId: fromHex("0102030405060708") });
    const state = euicc.snapshot();
    const { session } = state.volatile;
    assert.ok(session?.server);
    state.volatile.session = { ...session, server: { ...session.server, euiccSignature1: tlv(0x5f37, new Uint8Array(64).fill(0x11)) } };
    euicc.restore(state);
    const signature2 = fromHex("E3B266A655D8F806D2A8F60414B1F8B4BF59A2C757062481B2213F6B81FBC2FD9620F6C3454722B90670FFE770C0569F4ED5DB370C5576229F319D8BFDA08899");
    const command = tlv(0xbf21, fromHex("300D80080102030405060708010100"), tlv(0x5f37, signature2), real.dpPb.certificate);
    assert.deepEqual(ok(reader.es10(command)).map(({ tag }) => tag), [0x30, 0x5f37]);
  });
});
