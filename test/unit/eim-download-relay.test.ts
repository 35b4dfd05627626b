/** Notifications that the eIM has taken over: to their SM-DP+ in order, out of the outbox when confirmed, kept when not (SGP.32 v1.2 3.7). */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { tlv } from "../sim/codec/tlv.js";
import { keyPairFromSeed } from "../sim/pki/keys.js";
import { psmo } from "../sim/eim/index.js";
import { bench, compactNotification, EID, epr, eprAndNotifications, ICCID, notification } from "./eim-fixtures.js";
import { download, pir, type Download } from "./eim-download-fixtures.js";

const sentTo = (d: Download): string[] => d.server.asked.map((one) => one.address);
const waiting = (d: Download): number[] => d.eim.outbox().map((record) => record.seqNumber);

describe("a notification that the eIM has taken", () => {
  for (const binding of ["json", "asn1"] as const) {
    test(`goes to its notificationAddress over ES9+ ${binding}, and is then no longer in the outbox`, () => {
      const d = download({ binding });
      assert.equal(d.notify(notification(7, { receiver: "smdp2.example.com" })), 204);
      assert.deepEqual(sentTo(d), ["smdp2.example.com"]);
      assert.deepEqual(d.server.asked[0]?.members, { pendingNotification: notification(7, { receiver: "smdp2.example.com" }) });
      assert.deepEqual(waiting(d), []);
      assert.deepEqual(d.eim.relayed("smdp2.example.com").map((record) => [record.delivered, record.attempts]), [[true, 1]]);
    });
  }

  test("is sent once, however often it comes", () => {
    const d = download();
    for (let i = 0; i < 3; i++) assert.equal(d.notify(notification(7)), 204);
    assert.equal(d.server.asked.length, 1);
  });

  test("of a bundle goes its way too, and a compact one in full", () => {
    const d = download();
    const record = d.eim.queue(EID, psmo.enable(ICCID));
    d.report(tlv(0x30, tlv(0x80, [127])));
    d.poll();
    d.provide(eprAndNotifications(epr(record, { seqNumber: 1 }), notification(2), notification(3, { event: 2 })));
    d.notify(compactNotification(4));
    assert.deepEqual(d.server.asked.map((one) => one.members.pendingNotification), [notification(2), notification(3, { event: 2 }), notification(4)]);
  });

  test("is taken with 204 also when its receiver can't be reached; it waits, and later ones wait behind it", () => {
    const d = download();
    d.server.next("handleNotification", { failure: "link" });
    assert.equal(d.notify(notification(7)), 204);
    assert.match(d.entry().warnings.join(), /notification 7 is not delivered to smdp.example.com: scripted: link/);
    d.server.next("handleNotification", { http: 503 });
    d.notify(notification(8, { event: 2 }));
    assert.deepEqual([waiting(d), sentTo(d).length], [[7, 8], 2]);
    assert.equal(d.eim.flush(), undefined);
    assert.deepEqual(d.server.asked.slice(2).map((one) => one.members.pendingNotification), [notification(7), notification(8, { event: 2 })]);
    assert.deepEqual(waiting(d), []);
    assert.deepEqual([d.entry().function, d.entry().es9p?.length], ["ES9+.HandleNotification", 2]);
  });

  test("goes in the order of the numbers, whatever the order in which they came", () => {
    const d = download();
    d.server.next("handleNotification", { failure: "link" });
    d.notify(notification(9));
    d.notify(notification(8, { event: 2 }));
    assert.deepEqual(d.server.asked.slice(1).map((one) => one.members.pendingNotification), [notification(8, { event: 2 }), notification(9)]);
  });

  test("does not wait for another receiver that can't be reached", () => {
    const e = download();
    e.server.next("handleNotification", { failure: "name" });
    e.server.next("handleNotification", { failure: "name" });
    e.notify(notification(7, { receiver: "gone.example.com" }));
    e.notify(notification(8, { receiver: "smdp.example.com" }));
    assert.deepEqual(sentTo(e), ["gone.example.com", "gone.example.com", "smdp.example.com"]);
    assert.deepEqual(e.eim.outbox().map((record) => record.receiver), ["gone.example.com"]);
  });

  test("that its receiver rejects does not hold up later ones, and is tried again on flush only", () => {
    const d = download();
    d.server.next("handleNotification", { http: 400 });
    d.notify(notification(7));
    d.notify(notification(8, { event: 2 }));
    assert.deepEqual([waiting(d), d.eim.outbox()[0]?.rejected, d.server.asked.length], [[7], true, 2]);
    d.eim.flush();
    assert.deepEqual([waiting(d), d.eim.relayed("smdp.example.com").map((record) => record.attempts)], [[], [2, 1]]);
  });

  test("that is rejected in the middle of several lets the next ones go", () => {
    const d = download();
    d.server.next("handleNotification", { failure: "link" });
    d.notify(notification(7));
    d.server.next("handleNotification", { http: 400 });
    d.notify(notification(8, { event: 2 }));
    assert.deepEqual([waiting(d), d.server.asked.length], [[7], 3]);
  });

  test("of a PIR that comes by itself and in a ProfileDownloadTriggerResult goes once", () => {
    const d = download();
    d.initiate();
    d.authenticate();
    d.bind();
    d.report(pir(5));
    d.notify(pir(5));
    assert.equal(d.server.fns().filter((fn) => fn === "handleNotification").length, 1);
    assert.deepEqual(d.eim.notifications(EID).map((record) => record.resent), [1]);
  });

  test("that the eIM refuses is not relayed", () => {
    const d = download();
    assert.equal(d.notify(notification(7, { key: keyPairFromSeed("P-256", "a stranger") })), 400);
    assert.deepEqual(d.server.asked, []);
  });
});

test("without a way to SM-DP+ everything stays in the outbox", () => {
  const b = bench();
  b.send(tlv(0xbf3d, tlv(0xa0, notification(7))));
  assert.deepEqual(b.eim.outbox("smdp.example.com").map((record) => record.seqNumber), [7]);
  b.eim.flush();
  assert.deepEqual([b.eim.outbox().length, b.eim.seen.length], [1, 1]);
});
