/** Packages from queue to GetEimPackage: counters, transaction ids, signatures, order, and what GetEimPackage tells. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { concat, fromHex, toHex } from "../sim/core/bytes.js";
import { find, integer, readAll, readInteger, readOne, tlv, type Tlv } from "../sim/codec/tlv.js";
import { FROM_EIM, mismatch } from "../sim/codec/esipa-schemas.js";
import { verify } from "../sim/pki/keys.js";
import { dataRequest, downloadTrigger, eco, psmo, rawPackage, type PackageContent } from "../sim/eim/index.js";
import { bench, EID, epr, getEimPackage, ICCID, OTHER_EID, pki, tokenOf, type Bench } from "./eim-fixtures.js";

/** 30 and signature of the BF51 in a BF4F. */
function opened(body: Uint8Array): { data: Tlv; signature: Uint8Array; items: Tlv[] } {
  const [data, signature] = readAll((readAll(readOne(body, 0xbf4f).value)[0] as Tlv).value) as [Tlv, Tlv];
  return { data, signature: signature.value, items: readAll(data.value) };
}

function counterOf(body: Uint8Array): number {
  return readInteger((find(opened(body).items, 0x81) as Tlv).value);
}

const NOTHING = "BF4F03020101";

describe("GetEimPackage", () => {
  test("an empty queue is answered noEimPackageAvailable", () => {
    const { poll } = bench();
    const response = poll();
    assert.deepEqual([response.status, toHex(response.body)], [200, NOTHING]);
    assert.deepEqual(response.headers, { "content-type": "application/x-gsma-rsp-asn1", "x-admin-protocol": "gsma/rsp/v2.1.0" });
  });

  test("a package is given again until its result was accepted", () => {
    const { eim, poll, provide } = bench();
    const first = eim.queue(EID, psmo.enable(ICCID));
    eim.queue(EID, psmo.disable(ICCID));
    const given = poll().body;
    assert.deepEqual(poll().body, given);
    assert.equal(eim.device(EID).packages[0]?.given, 2);
    provide(epr(first));
    assert.equal(counterOf(poll().body), 2);
  });

  test("giveOnce gives a package once, and still takes its result", () => {
    const { eim, poll, provide } = bench();
    const record = eim.queue(EID, psmo.enable(ICCID), { giveOnce: true });
    poll();
    assert.equal(toHex(poll().body), NOTHING);
    assert.equal(toHex(provide(epr(record)).body), "BF5006BF5303800101");
  });

  test("each device has a queue and a counter of its own", () => {
    const { eim, poll, send } = bench();
    eim.addDevice({ eid: OTHER_EID, counter: 40 });
    eim.queue(OTHER_EID, psmo.getRAT());
    assert.equal(toHex(poll().body), NOTHING);
    assert.equal(counterOf(send(getEimPackage(OTHER_EID)).body), 41);
  });

  test("notifyStateChange with its cause and rPLMN are kept in the device's record", () => {
    const { eim, poll, clock } = bench();
    clock.sleep(500);
    poll(tlv(0x80), tlv(0x81, integer(4)), tlv(0x82, fromHex("62F210")));
    assert.deepEqual(eim.device(EID).stateChanges, [{ time: 500, cause: 4, causeName: "reset" }]);
    assert.equal(eim.device(EID).rPlmn, "262-01");
    poll(tlv(0x82, fromHex("130014")));
    assert.equal(eim.device(EID).rPlmn, "310-410");
    assert.equal(eim.device(EID).stateChanges.length, 1);
  });
});

describe("an eUICC Package", () => {
  test("counterValue rises by one for each, and eimTransactionId differs", () => {
    const { eim } = bench({ counter: 7 });
    const records = [psmo.getRAT(), eco.listEim(), psmo.disable(ICCID)].map((command) => eim.queue(EID, command));
    assert.deepEqual(records.map((record) => record.counter), [8, 9, 10]);
    assert.equal(new Set(records.map((record) => record.transactionId)).size, 3);
  });

  test("a counter given by hand moves the device's counter, but never back", () => {
    const { eim } = bench();
    assert.equal(eim.queue(EID, psmo.getRAT(), { counter: 100 }).counter, 100);
    assert.equal(eim.queue(EID, psmo.getRAT(), { counter: 3 }).counter, 3);
    assert.equal(eim.queue(EID, psmo.getRAT()).counter, 101);
  });

  test("other kinds of package take no counterValue", () => {
    const { eim } = bench();
    eim.queue(EID, dataRequest({ tags: [0xbf20] }));
    assert.equal(eim.queue(EID, psmo.getRAT()).counter, 1);
  });

  test("eimTransactionId can be left out, or chosen", () => {
    const { eim } = bench();
    const without = eim.queue(EID, psmo.getRAT(), { transactionId: null });
    assert.equal(without.transactionId, undefined);
    assert.equal(find(readAll((readAll(readOne(without.der).value)[0] as Tlv).value), 0x82), undefined);
    assert.equal(eim.queue(EID, psmo.getRAT(), { transactionId: fromHex("AB") }).transactionId, "AB");
    assert.throws(() => eim.queue(EID, psmo.getRAT(), { transactionId: new Uint8Array(17) }), RangeError);
  });

  test("the same seed gives the same packages, another seed others", () => {
    const made = (seed: number): string => toHex(bench({}, { seed }).eim.queue(EID, psmo.getRAT()).der);
    assert.equal(made(5), made(5));
    assert.notEqual(made(5), made(6));
  });

  for (const token of [undefined, 7, 127]) {
    test(`eimSignature is over the 30 and associationToken ${token ?? "zero"}`, () => {
      const { eim, poll } = bench(token === undefined ? {} : { associationToken: token });
      eim.queue(EID, psmo.enable(ICCID));
      const { data, signature } = opened(poll().body);
      assert.equal(verify("P-256", pki.eimSign.key.publicKey, concat(data.raw, tokenOf(token)), signature), true);
      assert.equal(verify("P-256", pki.eimSign.key.publicKey, concat(data.raw, tokenOf(99)), signature), false);
    });
  }

  test("PSMOs and eCOs don't mix", () => {
    assert.throws(() => bench().eim.queue(EID, [psmo.getRAT(), eco.listEim()]), TypeError);
  });

  test("wrong eimId, EID, token and key can be put in on purpose", () => {
    const { eim } = bench();
    const record = eim.queue(EID, psmo.getRAT(), { eimId: "other", eid: OTHER_EID, associationToken: 9, signer: pki.dpPb.key });
    const [data, signature] = readAll(readOne(record.der).value) as [Tlv, Tlv];
    const items = readAll(data.value);
    assert.equal(toHex((find(items, 0x80) as Tlv).value), "6F74686572");
    assert.equal(toHex((find(items, 0x5a) as Tlv).value), OTHER_EID);
    assert.equal(verify("P-256", pki.dpPb.key.publicKey, concat(data.raw, tokenOf(9)), signature.value), true);
  });

  test("an EID that is not registered can't be queued for", () => {
    assert.throws(() => bench().eim.queue(OTHER_EID, psmo.getRAT()), { code: "unknownDevice" });
  });
});

describe("every package that is given has the shape of the types file", () => {
  const contents: [string, Parameters<Bench["eim"]["queue"]>[1]][] = [
    ["every PSMO", [
      psmo.enable(ICCID, { rollback: true }), psmo.disable(ICCID), psmo.delete(fromHex("98001032547698103214")), psmo.getRAT(), psmo.configureImmediateEnable({}),
      psmo.configureImmediateEnable({ immediateEnable: false, defaultSmdpOid: "2.999.10" }), psmo.setFallbackAttribute(ICCID), psmo.unsetFallbackAttribute(),
      psmo.listProfileInfo(), psmo.listProfileInfo({ profileClass: 2 }, [0x5a]), psmo.listProfileInfo({ isdpAid: fromHex("A0000005591010FFFFFFFF8900001100") }),
      psmo.listProfileInfo({ iccid: ICCID }), psmo.setDefaultDpAddress(""),
    ]],
    ["every eCO", [eco.addEim(bench().eim.configurationData({ trust: "certificate", signer: "certificate" })), eco.updateEim(bench().eim.configurationData({ trust: "none" })), eco.deleteEim("x"), eco.listEim()]],
    ["IpaEuiccDataRequest", dataRequest({ tags: [0xa0, 0xbf22], ciPkId: fromHex("F541"), notification: { event: [1, 2] } })],
    ["an empty trigger", downloadTrigger()],
    ["a trigger with an activation code", downloadTrigger({ activationCode: "1$smdp.example.com$" })],
    ["a trigger for an SM-DS", downloadTrigger({ contactSmds: "smds.example.com" })],
  ];
  for (const [title, content] of contents) {
    test(title, () => {
      const { eim, poll } = bench();
      eim.queue(EID, content);
      assert.equal(mismatch(poll().body, (FROM_EIM[0xbf4f] as NonNullable<(typeof FROM_EIM)[number]>)()), undefined);
    });
  }

  test("and asn1js refuses them with a member taken away", () => {
    const schema = (FROM_EIM[0xbf4f] as NonNullable<(typeof FROM_EIM)[number]>)();
    const { eim } = bench();
    const record = eim.queue(EID, psmo.enable(ICCID));
    const [data, signature] = readAll(readOne(record.der).value) as [Tlv, Tlv];
    for (const missing of readAll(data.value).filter((item) => item.tag !== 0x82)) {
      const less = tlv(0x30, ...readAll(data.value).filter((item) => item !== missing && item.tag !== missing.tag).map((item) => item.raw));
      assert.notEqual(mismatch(tlv(0xbf4f, tlv(0xbf51, less, signature.raw)), schema), undefined, `without ${missing.tag.toString(16)}`);
    }
    assert.notEqual(mismatch(tlv(0xbf4f, tlv(0xbf51, data.raw)), schema), undefined, "without a signature");
  });
});

describe("raw packages", () => {
  test("go out exactly as they are", () => {
    const { eim, poll } = bench();
    const content: PackageContent = rawPackage(fromHex("BF5F0301FFBF"));
    eim.queue(EID, content);
    assert.equal(toHex(poll().body), "BF4F06BF5F0301FFBF");
  });

  test("a raw eUICC Package is matched like one that was built", () => {
    const { eim, poll, provide } = bench();
    const der = eim.queue(EID, psmo.enable(ICCID), { giveOnce: true }).der;
    const raw = eim.queue(EID, rawPackage(der));
    assert.deepEqual([raw.counter, raw.commands], [1, ["enable"]]);
    poll();
    poll();
    assert.equal(provide(epr(raw)).status, 200);
  });
});
