/** HandleNotification at the SM-DP+: what is taken, what is refused, and what becomes of the order. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fromHex, toHex } from "../sim/core/bytes.js";
import { VirtualClock } from "../sim/core/clock.js";
import { keyPairFromSeed } from "../sim/pki/keys.js";
import { makePki } from "../sim/pki/pki.js";
import { sampleProfile, Smdp, type Order } from "../sim/smdp/index.js";
import { Client } from "./smdp-client.js";

const ICCID = fromHex("98001032547698103214");
const OTHER_ICCID = fromHex("98001032547698103285");
const ENABLE = 1;
const DELETE = 3;
const pki = makePki({ seed: "smdp notifications" });
const stranger = makePki({ seed: "smdp notifications: a stranger" });
const someKey = keyPairFromSeed("P-256", "some other key");

function downloaded(binding: "json" | "asn1" = "json") {
  const clock = new VirtualClock();
  const smdp = new Smdp({ pki, clock });
  const { id } = smdp.order({ profile: sampleProfile({ iccid: "89000123456789012341" }), matchingId: "A" });
  const client = new Client({ server: smdp, pki, matchingId: "A", binding });
  client.download();
  const refusedFor = (notification: Uint8Array, reason: RegExp): void => {
    assert.equal(client.notify(notification).http.status, 400);
    assert.match(smdp.seen.at(-1)?.reason ?? "", reason);
  };
  return { smdp, client, refusedFor, order: (): Order => smdp.orderById(id) };
}

describe("ProfileInstallationResult", () => {
  for (const binding of ["json", "asn1"] as const) {
    test(`success makes the order installed, and is answered 204 without a body (${binding})`, () => {
      const { smdp, client, order } = downloaded(binding);
      const { http } = client.notify(client.pir(ICCID));
      assert.deepEqual([http.status, http.body.length, http.headers["content-type"]], [204, 0, undefined]);
      assert.equal(order().state, "installed");
      const [record] = smdp.notifications;
      assert.deepEqual([record?.eid, record?.seqNumber, record?.iccid, record?.order], [pki.eid, 1, "89000123456789012341", order().id]);
      assert.deepEqual(record?.installation, { success: true, isdpAid: "A0000005591010FFFFFFFF8900001100" });
    });
  }

  test("a failure is kept with its command and reason by name", () => {
    const { smdp, client } = downloaded();
    client.notify(client.pir(ICCID, { error: [5, 12] }));
    assert.deepEqual(smdp.notifications[0]?.installation, { success: false, bppCommand: "loadProfileElements 5", error: "peProcessingError 12" });
  });

  test("the same result again is answered 204 and counted, and changes nothing", () => {
    const { smdp, client, order } = downloaded();
    const pir = client.pir(ICCID);
    for (let i = 0; i < 3; i++) assert.equal(client.notify(pir).http.status, 204);
    assert.deepEqual(smdp.notifications.map(({ resent }) => resent), [2]);
    assert.equal(order().state, "installed");
  });

  test("what does not verify or does not fit the download is refused, and the order stays downloaded", () => {
    const { smdp, client, refusedFor, order } = downloaded();
    refusedFor(client.pir(ICCID, { key: someKey }), /the eUICC's signature does not verify over BF27/);
    refusedFor(client.pir(ICCID, { transactionId: "0102" }), /no BPP was given in transaction 0102/);
    refusedFor(client.pir(OTHER_ICCID), /iccid: 89000123456789012341 expected, got 89000123456789012358/);
    refusedFor(client.pir(ICCID, { address: "eim.example.com" }), /notificationAddress: smdp\.example\.com expected, got eim\.example\.com/);
    refusedFor(client.pir(ICCID, { smdpOid: "2.999.11" }), /smdpOid: 2\.999\.10 expected, got 2\.999\.11/);
    refusedFor(client.pir(ICCID, { event: ENABLE }), /install expected, got enable/);
    refusedFor(fromHex("BF3700"), /profileInstallationResultData \(BF27\) is missing/);
    assert.equal(order().state, "downloaded");
    assert.equal(smdp.notifications.length, 0);
  });

  test("a second, different result of one transaction is refused", () => {
    const { client, refusedFor, order } = downloaded();
    client.notify(client.pir(ICCID, { error: [5, 11] }));
    refusedFor(client.pir(ICCID, { seqNumber: 2 }), /has its result already/);
    assert.equal(order().state, "released");
  });

  test("the result of an earlier attempt that comes late does not undo a later success", () => {
    const { smdp, client, order } = downloaded();
    const second = new Client({ server: smdp, pki, matchingId: "A" });
    second.download();
    second.notify(second.pir(ICCID, { seqNumber: 2 }));
    assert.equal(client.notify(client.pir(ICCID, { seqNumber: 1, error: [5, 11] })).http.status, 204);
    assert.equal(order().state, "installed");
    assert.match(smdp.seen.at(-1)?.warnings.join() ?? "", /comes after a higher number/);
  });

  test("a refused result leaves everything as it was, even when only its sequence number is wrong", () => {
    const { smdp, client, refusedFor, order } = downloaded();
    client.notify(client.notification(5, ENABLE, ICCID));
    refusedFor(client.pir(ICCID, { seqNumber: 5 }), /seqNumber 5 is that of another notification/);
    assert.equal(order().state, "downloaded");
    assert.equal(smdp.sessions[0]?.state, "bppSent");
    assert.equal(client.notify(client.pir(ICCID, { seqNumber: 4 })).http.status, 204);
    assert.equal(order().state, "installed");
  });

  test("compact forms, which ES9+ does not have, are HTTP 400", () => {
    const { client } = downloaded();
    for (const binding of ["json", "asn1"] as const) {
      const one = new Client({ ...client.options, binding });
      for (const hex of ["A000", "A100"]) assert.equal(one.notify(fromHex(hex)).http.status, 400);
    }
  });
});

describe("otherSignedNotification", () => {
  test("is taken once with its event, for the order that it is of", () => {
    const { smdp, client, order } = downloaded();
    client.notify(client.pir(ICCID));
    for (const [seqNumber, event] of [[2, ENABLE], [3, DELETE], [3, DELETE]] as const) assert.equal(client.notify(client.notification(seqNumber, event, ICCID)).http.status, 204);
    assert.deepEqual(smdp.notifications.map((one) => [one.seqNumber, one.event, one.order, one.resent]), [[1, "install", order().id, 0], [2, "enable", order().id, 0], [3, "delete", order().id, 1]]);
    assert.deepEqual(smdp.seen.slice(-3).flatMap(({ warnings }) => warnings), []);
  });

  test("of a profile that did not come from here is taken with a warning", () => {
    const { smdp, client } = downloaded();
    assert.equal(client.notify(client.notification(7, ENABLE, OTHER_ICCID)).http.status, 204);
    assert.equal(smdp.notifications[0]?.order, undefined);
    assert.match(smdp.seen.at(-1)?.warnings.join() ?? "", /ICCID 89000123456789012358 was not downloaded from here/);
  });

  test("before the installation result it is taken with a warning", () => {
    const { smdp, client } = downloaded();
    assert.equal(client.notify(client.notification(2, ENABLE, ICCID)).http.status, 204);
    assert.match(smdp.seen.at(-1)?.warnings.join() ?? "", /is downloaded, expected installed/);
  });

  test("of an installation it is taken too: a profile may name any receiver for that event (SGP.22 3.5)", () => {
    const { smdp, client } = downloaded();
    assert.equal(client.notify(client.notification(2, 0, ICCID)).http.status, 204);
    assert.deepEqual(smdp.notifications.map((one) => one.event), ["install"]);
  });

  test("with another key, chain or receiver it is refused", () => {
    const { smdp, client, refusedFor } = downloaded();
    refusedFor(client.notification(2, ENABLE, ICCID, { key: someKey }), /does not verify over BF2F/);
    refusedFor(client.notification(2, ENABLE, ICCID, { certificate: stranger.euicc.certificate, key: stranger.euicc.key }), /CERT\.EUICC/);
    refusedFor(client.notification(2, ENABLE, ICCID, { address: "other.example.com" }), /smdp\.example\.com expected/);
    refusedFor(fromHex("3000"), /BF2F 5F37 30 30 expected/);
    assert.equal(smdp.notifications.length, 0);
  });

  test("a sequence number that another notification of the eUICC has is refused", () => {
    const { client, refusedFor } = downloaded();
    client.notify(client.pir(ICCID));
    refusedFor(client.notification(1, ENABLE, ICCID), /seqNumber 1 is that of another notification/);
  });

  test("a receiver in capitals is the same receiver", () => {
    const { client } = downloaded();
    assert.equal(client.notify(client.notification(2, ENABLE, ICCID, { address: "SMDP.EXAMPLE.COM" })).http.status, 204);
  });
});

test("an exchange is in the audit log with EID, transaction and both bodies", () => {
  const { smdp, client } = downloaded();
  client.notify(client.pir(ICCID));
  const last = smdp.seen.at(-1);
  assert.deepEqual([last?.binding, last?.function, last?.eid, last?.transactionId, last?.status, last?.verdict], ["json", "handleNotification", pki.eid, client.transactionId, 204, "ok"]);
  assert.ok(last?.request.includes(toHex(Buffer.from("pendingNotification"))));
});
