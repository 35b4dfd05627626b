/** The simulated eUICC's LoadEuiccPackage and ProfileRollback: results, signatures, effects (SGP.32 v1.2 3.3, 3.4, 3.5, 5.9.1, 5.9.16). */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { concat, fromHex, toHex, utf8 } from "../sim/core/bytes.js";
import { readAll, readOne, tlv } from "../sim/codec/tlv.js";
import { eimConfigurationData, iccidDigits, type Euicc } from "../sim/euicc/index.js";
import { parseCertificate } from "../sim/pki/certificate.js";
import { keyPairFromSeed, spki, verify } from "../sim/pki/keys.js";
import { makePki } from "../sim/pki/pki.js";
import { A, B, C, EIM_ID, euiccPackage, iccidHex, opened, ordinary, pendingOf, pki, psmo, results, run, signedPackage, started, TRANSACTION } from "./euicc-kit.js";

const EIM_TLV = `800F${toHex(utf8(EIM_ID))}`;
const ownKey = (): Uint8Array => spki("P-256", pki().eimSign.key.publicKey);
const euiccKey = (): Uint8Array => parseCertificate(pki().euicc.certificate).publicKey;

function enabled(euicc: Euicc): string | undefined {
  const profile = euicc.enabledProfile;
  return profile && iccidDigits(profile.metadata.iccid);
}

describe("eUICC Package Result", () => {
  test("an enabled Profile is told by enableResult ok in an EPR signed over data and association token", () => {
    const { reader } = started();
    const { members, data, signature } = opened(reader.es10(euiccPackage({ psmos: [psmo.enable(B)], counter: 5 })));
    assert.equal(toHex(concat(...members.map(({ raw }) => raw))), `${EIM_TLV}8101058208${toHex(TRANSACTION)}8301013003830100`);
    assert.ok(verify("P-256", euiccKey(), concat(data, fromHex("840100")), signature));
    assert.ok(!verify("P-256", euiccKey(), data, signature), "the token is part of what is signed");
  });

  test("an association token is part of both signatures and of an unsigned error", () => {
    const { reader } = started(ordinary({ eims: [{ eimId: EIM_ID, publicKey: ownKey(), associationToken: 7 }] }));
    const without = reader.es10(euiccPackage({ psmos: [psmo.list] }));
    assert.equal(toHex(without), `BF5120A21E${EIM_TLV}8208${toHex(TRANSACTION)}840107`);
    const { data, signature } = opened(reader.es10(euiccPackage({ psmos: [psmo.list], token: 7 })));
    assert.ok(verify("P-256", euiccKey(), concat(data, fromHex("840107")), signature));
  });

  test("a package whose lengths are not minimal is verified over the octets as they came", () => {
    const { reader } = started();
    const content = readOne(readAll(readOne(euiccPackage({ psmos: [psmo.enable(B)] })).value)[0]?.raw ?? fromHex(""), 0x30).value;
    const stretched = concat(fromHex("3083"), Uint8Array.of(0, content.length >> 8, content.length & 0xff), content);
    assert.deepEqual(results(reader.es10(signedPackage(stretched))), ["830100"]);
  });

  test("euiccCiPKId of the eIM decides under which CI the result is signed", () => {
    const brainpool = makePki({ seed: "second", curve: "brainpoolP256r1" });
    const euiccCiPkId = parseCertificate(brainpool.ci.certificate).subjectKeyId as Uint8Array;
    const eims = [{ eimId: EIM_ID, publicKey: spki("brainpoolP256r1", brainpool.eimSign.key.publicKey), euiccCiPkId }];
    const { reader } = started(ordinary({ pki: [pki(), brainpool], eims }));
    const { data, signature } = opened(reader.es10(euiccPackage({ psmos: [psmo.list], key: brainpool.eimSign.key })));
    assert.ok(verify("brainpoolP256r1", brainpool.euicc.key.publicKey, concat(data, fromHex("840100")), signature));
  });

  test("an eIM that is known by its certificate has its packages verified", () => {
    const { reader } = started(ordinary({ eims: [{ eimId: EIM_ID, certificate: pki().eimSign.certificate }] }));
    assert.deepEqual(run(reader, { psmos: [psmo.enable(B)] }), ["830100"]);
  });

  test("EPRs are kept until removed, and the oldest gives way when the store is full", () => {
    const { euicc, reader } = started(ordinary({ limits: { eprs: 2 } }));
    for (const counter of [1, 2, 3]) run(reader, { counter });
    assert.deepEqual(pendingOf(euicc), ["2 EPR", "3 EPR"]);
    assert.equal(toHex(reader.es10("BF3003800102")), "BF3003800100");
    assert.equal(toHex(reader.es10("BF3003800102")), "BF3003800101");
    assert.deepEqual(pendingOf(euicc), ["3 EPR"]);
  });

  test("signed errors are not stored, take no seqNumber and leave the counter", () => {
    const { euicc, reader } = started();
    const error = opened(reader.es10(euiccPackage({ eid: "89049032123451234512345678901236", counter: 9 })));
    assert.equal(error.alternative, 0xa1);
    assert.equal(toHex(concat(...error.members.map(({ raw }) => raw))), `${EIM_TLV}8101098208${toHex(TRANSACTION)}020103`);
    assert.ok(verify("P-256", euiccKey(), concat(error.data, fromHex("840100")), error.signature));
    assert.deepEqual([euicc.pending.length, euicc.eims[0]?.counterValue], [0, 0]);
  });
});

describe("eUICC Package execution", () => {
  test("commands run in order up to the first failure", () => {
    const { euicc, reader } = started();
    assert.deepEqual(run(reader, { psmos: [psmo.setFallback(C), psmo.enable(B)] }), ["8D0101"]);
    assert.equal(enabled(euicc), A);
    assert.deepEqual(run(reader, { counter: 2, psmos: [psmo.disable(A), psmo.delete(C), psmo.enable(B)] }), ["840100", "850101"]);
    assert.equal(enabled(euicc), undefined, "what succeeded before the failure holds");
  });

  test("a switch takes effect behind the signature: the EPR is numbered before the notifications", () => {
    const { euicc, reader } = started();
    run(reader, { psmos: [psmo.enable(B)] });
    assert.deepEqual(pendingOf(euicc), ["1 EPR", `2 disable ${iccidHex(A)}`, `3 enable ${iccidHex(B)}`]);
    assert.equal(enabled(euicc), B);
  });

  test("notifications are signed over their metadata and carry both certificates", () => {
    const { euicc, reader } = started();
    run(reader, { psmos: [psmo.disable(A), psmo.delete(A)] });
    const [first] = readAll(readOne(readOne(sent(reader), 0xbf2b).value, 0xa0).value);
    const members = readAll(first?.value ?? fromHex(""));
    assert.deepEqual(members.map(({ tag }) => tag), [0xbf2f, 0x5f37, 0x30, 0x30]);
    const [metadata, signature, euiccCertificate, eumCertificate] = members;
    assert.ok(verify("P-256", euiccKey(), metadata?.raw as Uint8Array, signature?.value as Uint8Array));
    assert.deepEqual([euiccCertificate?.raw, eumCertificate?.raw], [pki().euicc.certificate, pki().eum.certificate]);
    assert.equal(toHex(metadata?.value ?? fromHex("")), `800101810204100C10${toHex(utf8("smdp.example.com"))}5A0A${iccidHex(A)}`);
    assert.equal(euicc.profiles.length, 1);
  });

  test("listProfileInfo shows the default tags in the order of the type", () => {
    const { reader } = started();
    const [list] = run(reader, { psmos: [psmo.list] });
    const [first] = readAll(readOne(readOne(fromHex(list ?? ""), 0xbf2d).value, 0xa0).value);
    assert.deepEqual(readAll(first?.value ?? fromHex("")).map(({ tag }) => tag), [0x5a, 0x4f, 0x9f70, 0x91, 0x92, 0x95]);
  });

  test("the fallback attribute moves, at most one Profile has it", () => {
    const profiles = [{ iccid: A, enabled: true }, { iccid: B, fallbackAllowed: true, fallbackAttribute: true }, { iccid: C, fallbackAllowed: true }];
    const { euicc, reader } = started(ordinary({ profiles }));
    assert.deepEqual(run(reader, { psmos: [psmo.setFallback(B), psmo.setFallback(C)] }), ["8D0100", "8D0100"]);
    assert.deepEqual(euicc.profiles.map((profile) => profile.fallbackAttribute), [false, false, true]);
    assert.deepEqual(run(reader, { counter: 2, psmos: [psmo.unsetFallback] }), ["8E0100"]);
  });

  test("configureImmediateEnable keeps an SM-DP+ that it does not name again", () => {
    const { euicc, reader } = started();
    run(reader, { psmos: [fromHex("A7118000810388370A8208736D64702E636F6D")] });
    run(reader, { counter: 2, psmos: [fromHex("A700")] });
    const { immediateEnable } = euicc.snapshot().nonvolatile;
    assert.deepEqual([immediateEnable.allowed, immediateEnable.smdpAddress], [false, "smdp.com"]);
  });
});

describe("eIM Configuration Operations", () => {
  const other = (more: object = {}): Uint8Array => eimConfigurationData({ eimId: "second", publicKey: ownKey(), ...more });
  const eco = (tag: number, data: Uint8Array): Uint8Array => tlv(tag, readOne(data, 0x30).value);

  test("addEim with token -1 is answered with the token that was allocated", () => {
    const { reader } = started();
    const ecos = [eco(0xa8, other({ associationToken: -1 })), eco(0xa8, eimConfigurationData({ eimId: "third", publicKey: ownKey() })), fromHex("AB00")];
    const list = [EIM_ID, "second", "third"].map((id) => tlv(0x30, tlv(0x80, utf8(id))));
    assert.deepEqual(run(reader, { ecos }), ["A803840101", "A803020100", toHex(tlv(0xab, tlv(0xa0, ...list)))]);
  });

  test("deleting the last eIM is told as 2, takes effect behind the signature and opens the card for AddInitialEim", () => {
    const { euicc, reader } = started();
    const deleteEim = tlv(0xa9, tlv(0x80, utf8(EIM_ID)));
    const [first, second] = run(reader, { ecos: [deleteEim, fromHex("AB00")] });
    assert.deepEqual([first, second?.includes(toHex(utf8(EIM_ID)))], ["890102", true]);
    assert.equal(euicc.eims.length, 0);
    assert.equal(toHex(reader.es10(tlv(0xbf57, tlv(0xa0, other())))), "BF5704A0020500");
  });

  test("updateEim compares with the counter before this package, and its own package can not be replayed", () => {
    const { euicc, reader } = started(ordinary({ eims: [{ eimId: EIM_ID, publicKey: ownKey(), counterValue: 5 }] }));
    const update = tlv(0xaa, tlv(0x80, utf8(EIM_ID)), tlv(0x83, [6]));
    assert.deepEqual(run(reader, { counter: 9, ecos: [update] }), ["8A0100"]);
    assert.equal(euicc.eims[0]?.counterValue, 9);
    assert.deepEqual(run(reader, { counter: 10, ecos: [update] }), ["8A0107"]);
  });

  test("updateEim with a new key begins a new counter, and only the new key signs from then on", () => {
    const { euicc, reader } = started();
    const key = keyPairFromSeed("P-256", "new eIM key");
    const update = eco(0xaa, eimConfigurationData({ eimId: EIM_ID, publicKey: spki("P-256", key.publicKey), fqdn: "new.example.com", counterValue: 0 }));
    assert.deepEqual(run(reader, { counter: 50, ecos: [update] }), ["8A0100"]);
    assert.equal(euicc.eims[0]?.counterValue, 0);
    assert.equal(opened(reader.es10(euiccPackage({ counter: 51 }))).alternative, 0xa2);
    assert.deepEqual(run(reader, { counter: 1, key }), []);
  });

  test("the stored configuration is given back octet by octet, without counterValue and with the allocated token", () => {
    const { reader } = started(ordinary({ eims: [] }));
    const key = tlv(0xa5, tlv(0xa1, readOne(pki().eimSign.certificate, 0x30).value));
    const before = concat(tlv(0x80, utf8("e")), tlv(0x81, utf8("e.example.com")), tlv(0x82, [2]));
    const behind = concat(key, fromHex("870204808900"));
    reader.es10(tlv(0xbf57, tlv(0xa0, tlv(0x30, before, fromHex("8301058401FF"), behind))));
    assert.equal(toHex(reader.es10("BF5500")), toHex(tlv(0xbf55, tlv(0xa0, tlv(0x30, before, fromHex("840101"), behind)))));
    assert.equal(toHex(reader.es10("BF5505A003800165")), toHex(reader.es10("BF5500")));
    assert.equal(toHex(reader.es10("BF5505A003800166")), "BF5502A000");
  });
});

describe("Profile Rollback", () => {
  test("the new EPR has the same counter and transaction, a new seqNumber, rollbackResult alone, and takes the first one's place", () => {
    const { euicc, reader } = started();
    run(reader, { counter: 4, psmos: [psmo.enable(B, true)] });
    reader.start();
    const answer = readAll(readOne(reader.es10("BF58038001FF"), 0xbf58).value);
    assert.equal(toHex(answer[0]?.raw ?? fromHex("")), "020100");
    const { members, data, signature } = opened(answer[1]?.raw ?? fromHex(""));
    assert.equal(toHex(concat(...members.map(({ raw }) => raw))), `${EIM_TLV}8101048208${toHex(TRANSACTION)}83010430038C0100`);
    assert.ok(verify("P-256", euiccKey(), concat(data, fromHex("840100")), signature));
    assert.deepEqual(pendingOf(euicc), [`2 disable ${iccidHex(A)}`, `3 enable ${iccidHex(B)}`, "4 EPR", `5 disable ${iccidHex(B)}`, `6 enable ${iccidHex(A)}`]);
    assert.equal(enabled(euicc), A);
    reader.start();
    assert.equal(reader.code("BF58038001FF"), 1, "a grant is used once");
  });

  test("the way back leads to the Profile that the same package disabled", () => {
    const { euicc, reader } = started();
    assert.deepEqual(run(reader, { psmos: [psmo.disable(A), psmo.enable(B, true)] }), ["840100", "830100"]);
    reader.start();
    assert.equal(reader.code("BF5803800100"), 0);
    assert.equal(enabled(euicc), A);
  });

  test("the grant ends with the next accepted package, not with a refused one", () => {
    const { euicc, reader } = started();
    run(reader, { psmos: [psmo.enable(B, true)] });
    reader.start();
    reader.es10(euiccPackage({ counter: 1 }));
    assert.ok(euicc.rollbackGranted);
    reader.es10(euiccPackage({ counter: 2 }));
    assert.equal(reader.code("BF58038001FF"), 1);
  });

  test("a change of the Emergency Profile ends the grant only with refreshFlag TRUE", () => {
    for (const [flag, granted] of [["00", true], ["FF", false]] as const) {
      const profiles = [{ iccid: A, enabled: true }, { iccid: B }, { iccid: C, ecall: true }];
      const { euicc, reader } = started(ordinary({ profiles }));
      run(reader, { psmos: [psmo.enable(B, true)] });
      reader.start();
      assert.equal(reader.code(`BF5B038001${flag}`), 0);
      assert.equal(euicc.rollbackGranted, granted);
    }
  });
});

/** All notifications. */
function sent(reader: ReturnType<typeof started>["reader"]): Uint8Array {
  reader.start();
  return reader.es10("BF2B00");
}
