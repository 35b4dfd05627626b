/** ProvideEimPackageResult: what is accepted, what is acknowledged, and what the eIM then knows. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fromHex, toHex, utf8 } from "../sim/core/bytes.js";
import { bits, integer, readOne, tlv } from "../sim/codec/tlv.js";
import { dataRequest, downloadTrigger, eco, IPA_EUICC_DATA, psmo } from "../sim/eim/index.js";
import { bench, EID, EIM_ID, epe, epr, eprAndNotifications, ICCID, installationResult, notification, pki } from "./eim-fixtures.js";

const EMPTY = "BF50023000";

/** Content of a certificate, as A5 and A6 carry it. */
const inside = (certificate: Uint8Array): Uint8Array => readOne(certificate, 0x30).value;

describe("an eUICC Package Result", () => {
  test("is acknowledged with exactly its seqNumber, and read command by command", () => {
    const { eim, poll, provide } = bench();
    const record = eim.queue(EID, [psmo.disable(ICCID), psmo.enable(ICCID)]);
    poll();
    const response = provide(epr(record, { seqNumber: 300 }, tlv(0x84, [0]), tlv(0x83, [20])));
    assert.equal(toHex(response.body), "BF5007BF53048002012C");
    const [result] = eim.results(EID);
    assert.deepEqual(result?.commands?.map(({ command, code, name }) => [command, code, name]), [["disable", 0, "ok"], ["enable", 20, "rollbackNotAvailable"]]);
    assert.deepEqual([result?.verified, result?.packageId, result?.seqNumber, result?.resent], [true, record.id, 300, 0]);
  });

  test("without eimTransactionId it is matched by the counter", () => {
    const { eim, poll, provide } = bench();
    const record = eim.queue(EID, psmo.getRAT(), { transactionId: null });
    poll();
    assert.equal(toHex(provide(epr(record, {}, tlv(0xa6))).body), "BF5006BF5303800101");
    assert.equal(eim.results(EID)[0]?.commands?.[0]?.command, "getRAT");
  });

  test("verifies with the token of the association", () => {
    const { eim, poll, provide } = bench({ associationToken: 5 });
    const record = eim.queue(EID, psmo.getRAT());
    poll();
    assert.equal(toHex(provide(epr(record, { token: 4 }, tlv(0xa6))).body), "BF500302017F");
    assert.equal(toHex(provide(epr(record, { token: 5 }, tlv(0xa6))).body), "BF5006BF5303800101");
  });

  test("sent again is acknowledged again and counted, not taken twice", () => {
    const { eim, poll, provide } = bench();
    const record = eim.queue(EID, psmo.enable(ICCID));
    poll();
    const result = epr(record);
    assert.deepEqual(provide(result).body, provide(result).body);
    provide(eprAndNotifications(result, notification(2)));
    assert.deepEqual([eim.results(EID).length, eim.results(EID)[0]?.resent], [1, 2]);
    assert.deepEqual(eim.notifications(EID).map((taken) => taken.seqNumber), [2]);
  });

  test("with notifications, all numbers that hold are acknowledged", () => {
    const { eim, poll, provide } = bench();
    const record = eim.queue(EID, psmo.enable(ICCID));
    poll();
    const response = provide(eprAndNotifications(epr(record, { seqNumber: 3 }), notification(4), installationResult(5), notification(6, { key: pki.eum.key as never })));
    assert.equal(toHex(response.body), "BF500CBF5309800103800104800105");
    assert.match(eim.seen.at(-1)?.warnings.join() ?? "", /notification 6: the signature does not verify over BF2F/);
  });

  test("of a device whose key is not known is taken with a warning, or refused by policy", () => {
    const unknown = { euiccCertificate: undefined, eumCertificate: undefined } as never;
    const lenient = bench(unknown);
    const record = lenient.eim.queue(EID, psmo.getRAT());
    lenient.poll();
    assert.equal(toHex(lenient.provide(epr(record, {}, tlv(0xa6))).body), "BF5006BF5303800101");
    assert.equal(lenient.eim.results(EID)[0]?.verified, false);
    const strict = bench(unknown, { policy: { unverifiable: "refuse" } });
    strict.eim.queue(EID, psmo.getRAT());
    strict.poll();
    assert.equal(toHex(strict.provide(epr(record, {}, tlv(0xa6))).body), "BF500302017F");
  });

  test("without EID is matched by the result, or refused as missingEid by policy", () => {
    const lenient = bench();
    const record = lenient.eim.queue(EID, psmo.getRAT());
    lenient.poll();
    assert.equal(toHex(lenient.send(tlv(0xbf50, epr(record, {}, tlv(0xa6)))).body), "BF5006BF5303800101");
    const strict = bench({}, { policy: { missingEid: "refuse" } });
    assert.equal(toHex(strict.send(tlv(0xbf50, epr(record))).body), "BF5003020104");
  });

  test("that does not answer what was asked is taken with a warning", () => {
    const { eim, poll, provide, last } = bench();
    const record = eim.queue(EID, psmo.enable(ICCID));
    poll();
    provide(epr(record, {}, tlv(0x84, [0])));
    assert.deepEqual(last().warnings, ["euiccResult 0: enable was asked, disable is answered"]);
  });

  test("addEim tells the allocated token, listEim the eIMs", () => {
    const { eim, poll, provide } = bench();
    const record = eim.queue(EID, [eco.addEim(fromHex("80016583010 0")), eco.listEim()]);
    poll();
    provide(epr(record, {}, tlv(0xa8, tlv(0x84, [3])), tlv(0xab, tlv(0xa0, tlv(0x30, tlv(0x80, utf8("e")))))));
    const [added, listed] = eim.results(EID)[0]?.commands ?? [];
    assert.equal(added?.associationToken, 3);
    assert.deepEqual(listed?.eims, [{ eimId: "e" }]);
  });
});

describe("forms that cards were seen to use are taken with a warning", () => {
  const profile = tlv(0xe3, tlv(0x9f70, [1]));
  const forms: [string, Uint8Array, object, RegExp][] = [
    ["a list of profiles without A0", tlv(0xbf2d, profile), { profiles: [{ state: "enabled" }] }, /listProfileInfoResult: A0 expected/],
    ["an empty list of profiles without A0", tlv(0xbf2d), { profiles: [] }, /listProfileInfoResult: A0 expected/],
    ["listProfileInfo's error as 02", tlv(0xbf2d, tlv(0x02, [11])), { code: 11, name: "profileChangeOngoing" }, /error 81 expected, got 02/],
    ["a list of eIMs under 30", tlv(0xab, tlv(0x30, tlv(0x30, tlv(0x80, utf8("e")), tlv(0x84, [2])))), { eims: [{ eimId: "e", eimIdType: 2 }] }, /listEimResult: A0 expected/],
  ];
  for (const [title, entry, expected, warning] of forms) {
    test(title, () => {
      const { eim, poll, provide, last } = bench();
      const record = eim.queue(EID, entry[0] === 0xab ? eco.listEim() : psmo.listProfileInfo());
      poll();
      assert.equal(toHex(provide(epr(record, {}, entry)).body), "BF5006BF5303800101");
      const command = eim.results(EID)[0]?.commands?.[0] as unknown as Record<string, unknown>;
      for (const [name, value] of Object.entries(expected)) assert.deepEqual(command[name], value);
      assert.match(last().warnings.join(), warning);
    });
  }

  test("a result and an error without the A0 or A1 around them", () => {
    const { eim, poll, provide, last } = bench();
    for (const make of [epr, (record: Parameters<typeof epr>[0]) => epe(record, 6)]) {
      const record = eim.queue(EID, psmo.enable(ICCID));
      poll();
      const bare = tlv(0xbf51, readOne(readOne(make(record), 0xbf51).value).value);
      assert.equal(toHex(provide(bare).body), make === epr ? "BF5006BF5303800101" : EMPTY);
      assert.match(last().warnings.join(), /A0 or A1 expected/);
    }
    assert.deepEqual(eim.results(EID).map((result) => result.kind), ["euiccPackageResult", "euiccPackageErrorSigned"]);
  });

  test("an unknown member behind the alternative", () => {
    const { eim, poll, provide, last } = bench();
    const record = eim.queue(EID, psmo.enable(ICCID));
    poll();
    assert.equal(toHex(provide(tlv(0xbf51, readOne(epr(record)).value, tlv(0x9e))).body), "BF5006BF5303800101");
    assert.match(last().warnings.join(), /unknown members 9E are skipped/);
  });
});

describe("an error result", () => {
  test("that is signed ends the package with nothing to acknowledge", () => {
    const { eim, poll, provide } = bench();
    const record = eim.queue(EID, psmo.getRAT());
    poll();
    assert.equal(toHex(provide(epe(record, 104)).body), EMPTY);
    assert.deepEqual(eim.results(EID)[0]?.error, { code: 104, name: "ecallActive" });
    assert.equal(toHex(poll().body), "BF4F03020101");
  });

  test("replayError does not take the place of a result that came before, and a result may follow it", () => {
    const { eim, poll, provide } = bench();
    const record = eim.queue(EID, psmo.enable(ICCID));
    poll();
    provide(epe(record, 4));
    assert.equal(toHex(provide(epr(record)).body), "BF5006BF5303800101");
    provide(epe(record, 4));
    assert.deepEqual(eim.results(EID).map((result) => [result.kind, result.resent]), [["euiccPackageErrorSigned", 1], ["euiccPackageResult", 0]]);
  });

  test("that is unsigned ends the package; another token in it is a warning", () => {
    const { eim, poll, provide, last } = bench();
    const record = eim.queue(EID, psmo.getRAT());
    poll();
    const unsigned = tlv(0xbf51, tlv(0xa2, tlv(0x80, utf8(EIM_ID)), tlv(0x82, fromHex(record.transactionId as string)), tlv(0x84, [9])));
    assert.equal(toHex(provide(unsigned).body), EMPTY);
    assert.match(last().warnings.join(), /associationToken 9, known is \(none\)/);
    assert.equal(eim.results(EID)[0]?.kind, "euiccPackageErrorUnsigned");
  });

  test("of the IPA ends the package", () => {
    const { eim, poll, provide } = bench();
    const record = eim.queue(EID, psmo.getRAT());
    poll();
    assert.equal(toHex(provide(tlv(0xa0, tlv(0x80, fromHex(record.transactionId as string)), tlv(0x02, [1]))).body), EMPTY);
    assert.deepEqual(eim.results(EID)[0]?.error, { code: 1, name: "invalidPackageFormat" });
    assert.equal(toHex(poll().body), "BF4F03020101");
  });
});

describe("the result of a rollback", () => {
  const rolledBack = tlv(0x8c, [0]);

  test("replaces the first result, which is then not taken again", () => {
    const { eim, poll, provide, last } = bench();
    const record = eim.queue(EID, psmo.enable(ICCID, { rollback: true }));
    poll();
    provide(epr(record, { seqNumber: 1 }));
    assert.equal(toHex(provide(epr(record, { seqNumber: 4 }, rolledBack)).body), "BF5006BF5303800104");
    assert.deepEqual(eim.results(EID).map(({ seqNumber, rollback, replaced }) => ({ seqNumber, rollback, replaced })), [
      { seqNumber: 1, rollback: false, replaced: true },
      { seqNumber: 4, rollback: true, replaced: false },
    ]);
    assert.equal(toHex(provide(epr(record, { seqNumber: 1 })).body), "BF500302017F");
    assert.match(last().reason, /replaced by the result of a rollback/);
  });

  test("may be the first that arrives", () => {
    const { eim, poll, provide } = bench();
    const record = eim.queue(EID, psmo.enable(ICCID, { rollback: true }));
    poll();
    assert.equal(toHex(provide(epr(record, { seqNumber: 4 }, rolledBack)).body), "BF5006BF5303800104");
    assert.equal(eim.results(EID)[0]?.rollback, true);
  });

  test("is refused for a package that grants no rollback, and when it comes a second time", () => {
    const without = bench();
    const plain = without.eim.queue(EID, psmo.enable(ICCID));
    without.poll();
    assert.equal(toHex(without.provide(epr(plain, {}, rolledBack)).body), "BF500302017F");
    const { eim, poll, provide } = bench();
    const record = eim.queue(EID, psmo.enable(ICCID, { rollback: true }));
    poll();
    provide(epr(record, { seqNumber: 1 }, rolledBack));
    assert.equal(toHex(provide(epr(record, { seqNumber: 2 }, rolledBack)).body), "BF500302017F");
  });
});

describe("IpaEuiccData", () => {
  const tags = Object.values(IPA_EUICC_DATA);
  const whole = (transactionId: string, ...lists: Uint8Array[]): Uint8Array =>
    tlv(
      0xbf52,
      tlv(
        0xa0, lists[0] ?? tlv(0xa0), tlv(0x81, utf8("smdp.example.com")), lists[1] ?? tlv(0xa2), tlv(0xbf20, tlv(0x82, [2, 5, 0])), tlv(0xbf22), tlv(0x83, utf8("smds")),
        tlv(0x84, [6]), tlv(0xa5, inside(pki.eum.certificate)), tlv(0xa6, inside(pki.euicc.certificate)), tlv(0x87, fromHex(transactionId)),
        tlv(0xa8, tlv(0x80, bits(0)), tlv(0x81, bits(0))), tlv(0xa9, tlv(0x80, fromHex("53926011")), tlv(0xa1)),
      ),
    );

  test("teaches the eIM the eUICC's key and token, and queued packages are signed with the token", () => {
    const { eim, poll, provide } = bench({ euiccCertificate: undefined, eumCertificate: undefined } as never);
    const request = eim.queue(EID, dataRequest({ tags }));
    const later = eim.queue(EID, psmo.getRAT());
    poll();
    assert.equal(toHex(provide(whole(request.transactionId as string)).body), EMPTY);
    const device = eim.device(EID);
    assert.deepEqual(device.publicKey, pki.euicc.key.publicKey);
    assert.equal(device.associationToken, 6);
    assert.equal(device.data.defaultSmdpAddress, "smdp.example.com");
    assert.equal(device.data.deviceInfo?.tac, "35290611");
    assert.notDeepEqual(device.packages[1]?.der, later.der);
    poll();
    assert.equal(toHex(provide(epr(later, { token: 6 }, tlv(0xa6))).body), "BF5006BF5303800101");
    assert.equal(eim.results(EID)[1]?.verified, true);
  });

  test("results and notifications in it are taken and acknowledged", () => {
    const { eim, poll, provide } = bench();
    const lost = eim.queue(EID, psmo.enable(ICCID), { giveOnce: true });
    poll();
    const request = eim.queue(EID, dataRequest({ tags }));
    poll();
    const answer = whole(request.transactionId as string, tlv(0xa0, notification(8)), tlv(0xa2, epr(lost, { seqNumber: 7, token: 6 })));
    assert.equal(toHex(provide(answer).body), "BF5009BF5306800107800108");
    assert.deepEqual(eim.results(EID).map((result) => result.kind), ["euiccPackageResult", "ipaEuiccData"]);
  });

  test("that came before is acknowledged again and counted", () => {
    const { eim, poll, provide } = bench();
    const request = eim.queue(EID, dataRequest({ tags }));
    poll();
    const answer = whole(request.transactionId as string, tlv(0xa0, notification(8)));
    assert.deepEqual(provide(answer).body, provide(answer).body);
    assert.deepEqual([eim.results(EID).length, eim.results(EID)[0]?.resent, eim.notifications(EID)[0]?.resent], [1, 1, 1]);
  });

  test("does not take the place of a token that the eIM knows", () => {
    const { eim, poll, provide, last } = bench({ associationToken: 5 });
    const request = eim.queue(EID, dataRequest({ tags }));
    poll();
    provide(whole(request.transactionId as string));
    assert.equal(eim.device(EID).associationToken, 5);
    assert.deepEqual(last().warnings, ["associationToken 6, known is 5"]);
  });

  test("members missing and not asked for are named", () => {
    const { eim, poll, provide, last } = bench();
    const request = eim.queue(EID, dataRequest({ tags: [0xbf20, 0xbf22] }));
    poll();
    provide(tlv(0xbf52, tlv(0xa0, tlv(0x81, utf8("x")), tlv(0xbf20), tlv(0x87, fromHex(request.transactionId as string)))));
    assert.deepEqual(last().warnings, ["IpaEuiccData: 81 was not asked for", "IpaEuiccData: BF22 was asked for and is missing"]);
  });

  test("the nested form of certificates is taken with a warning", () => {
    const { eim, poll, provide, last } = bench({ euiccCertificate: undefined, eumCertificate: undefined } as never);
    const request = eim.queue(EID, dataRequest({ tags: [0xa5, 0xa6] }));
    poll();
    provide(tlv(0xbf52, tlv(0xa0, tlv(0xa5, pki.eum.certificate), tlv(0xa6, pki.euicc.certificate), tlv(0x87, fromHex(request.transactionId as string)))));
    assert.equal(last().warnings.length, 2);
    assert.deepEqual(eim.device(EID).publicKey, pki.euicc.key.publicKey);
  });

  test("an error ends the request", () => {
    const { eim, poll, provide } = bench();
    const request = eim.queue(EID, dataRequest({ tags: [0x5a] }));
    poll();
    assert.equal(toHex(provide(tlv(0xbf52, tlv(0xa1, tlv(0x80, fromHex(request.transactionId as string)), tlv(0x02, [1])))).body), EMPTY);
    assert.deepEqual(eim.results(EID)[0]?.error, { code: 1, name: "incorrectTagList" });
  });
});

describe("ProfileDownloadTriggerResult", () => {
  test("with a PIR has nothing to acknowledge, by ProvideEimPackageResult and by HandleNotification", () => {
    for (const wrap of [(body: Uint8Array) => body, (body: Uint8Array) => tlv(0xbf3d, body)]) {
      const { eim, poll, send } = bench();
      const trigger = eim.queue(EID, downloadTrigger({ activationCode: "1$smdp.example.com$" }));
      poll();
      const result = tlv(0xbf54, tlv(0x82, fromHex(trigger.transactionId as string)), installationResult(12));
      const response = send(wrap(tlv(0xbf50, tlv(0x5a, fromHex(EID)), result)));
      assert.ok(response.status === 204 || toHex(response.body) === EMPTY);
      assert.deepEqual([eim.results(EID)[0]?.installation?.success, eim.results(EID)[0]?.seqNumber, eim.results(EID)[0]?.verified], [true, 12, true]);
      assert.equal(toHex(poll().body), "BF4F03020101");
    }
  });

  test("with a reason", () => {
    const { eim, poll, provide } = bench();
    const trigger = eim.queue(EID, downloadTrigger());
    poll();
    provide(tlv(0xbf54, tlv(0x82, fromHex(trigger.transactionId as string)), tlv(0x30, tlv(0x80, integer(127)), tlv(0x04, [1]))));
    assert.deepEqual(eim.results(EID)[0]?.error, { code: 127, name: "undefinedError" });
  });
});
