/** HandleNotification and bundled notifications: whose they are, what is verified, what is kept for the relay. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fromHex } from "../sim/core/bytes.js";
import { bits, readOne, tlv } from "../sim/codec/tlv.js";
import { FROM_IPA, mismatch } from "../sim/codec/esipa-schemas.js";
import { dataRequest } from "../sim/eim/index.js";
import { bench, compactNotification, EID, installationResult, notification, OTHER_EID, pki, type Bench } from "./eim-fixtures.js";

const handle = (b: Bench, item: Uint8Array) => b.send(tlv(0xbf3d, tlv(0xa0, item)));

describe("HandleNotification", () => {
  test("is answered 204 without a body, and the notification kept for its receiver", () => {
    const b = bench();
    const sent = notification(7, { event: 3, receiver: "smdp2.example.com" });
    const response = handle(b, sent);
    assert.deepEqual([response.status, response.body.length, response.headers["content-type"]], [204, 0, undefined]);
    const [record] = b.eim.notifications(EID);
    assert.deepEqual(
      [record?.seqNumber, record?.event, record?.receiver, record?.iccid, record?.verified, record?.inOrder],
      [7, "delete", "smdp2.example.com", "89000123456789012341", true, true],
    );
    assert.deepEqual(record?.relayed, sent);
  });

  test("of a PIR, which carries no EID, is matched by the key that verifies it", () => {
    const b = bench();
    b.eim.addDevice({ eid: OTHER_EID });
    assert.equal(handle(b, installationResult(3)).status, 204);
    assert.equal(b.eim.notifications(EID)[0]?.installation?.smdpOid, "2.999.10");
    assert.equal(b.last().eid, EID);
  });

  test("of a compact notification is rebuilt in full for the SM-DP+", () => {
    const b = bench();
    assert.equal(handle(b, compactNotification(9)).status, 204);
    const [record] = b.eim.notifications(EID);
    assert.deepEqual([record?.compact, record?.relayed], [true, notification(9)]);
  });

  test("of the same notification again is accepted again and counted", () => {
    const b = bench();
    handle(b, notification(7));
    assert.equal(handle(b, notification(7)).status, 204);
    assert.deepEqual(b.eim.notifications(EID).map((record) => record.resent), [1]);
  });

  test("takes the order of numbers per receiver: a lower one after a higher one is a warning", () => {
    const b = bench();
    for (const [number, receiver] of [[7, "a"], [5, "b"], [6, "a"]] as const) handle(b, notification(number, { receiver }));
    assert.deepEqual(b.eim.notifications(EID).map((record) => record.inOrder), [true, true, false]);
    assert.deepEqual(b.eim.relayed("a").map((record) => record.seqNumber), [7, 6]);
    assert.deepEqual(b.last().warnings, ["notification 6 for a comes after a higher number"]);
  });

  test("bodies that it accepts have the shape of the types file", () => {
    const schema = (FROM_IPA[0xbf3d] as NonNullable<(typeof FROM_IPA)[number]>)();
    for (const item of [notification(1), installationResult(2), compactNotification(3)]) {
      const body = tlv(0xbf3d, tlv(0xa0, item));
      assert.equal(mismatch(body, schema), undefined);
      assert.notEqual(mismatch(tlv(0xbf3d, item), schema), undefined, "without its A0");
    }
  });

  test("of a notification that shares its number with a result is refused", () => {
    const b = bench();
    handle(b, notification(7));
    assert.equal(handle(b, notification(7, { event: 2 })).status, 400);
    assert.match(b.last().reason, /seqNumber 7 is that of another notification/);
  });
});

test("brainpoolP256r1 eUICCs are verified too", async () => {
  const { makePki } = await import("../sim/pki/pki.js");
  const other = makePki({ seed: "brainpool", curve: "brainpoolP256r1" });
  const b = bench({ ciCertificates: [other.ci.certificate], euiccCertificate: other.euicc.certificate, eumCertificate: other.eum.certificate });
  assert.equal(handle(b, installationResult(3, other.euicc.key)).status, 204);
  assert.equal(handle(b, installationResult(4, pki.euicc.key)).status, 400);
});

test("compact PIRs need a download session: refused, and not acknowledged in a bundle", () => {
  const b = bench();
  const compact = tlv(0xa0, tlv(0xa0, tlv(0x80, [1]), tlv(0x02, [5]), tlv(0xa2, tlv(0xa0, tlv(0x4f, [0, 0x11])))), tlv(0x5f37, new Uint8Array(64)));
  assert.equal(handle(b, compact).status, 400);
  const request = b.eim.queue(EID, dataRequest({ tags: [0xa0] }));
  b.poll();
  const list = tlv(0xa0, compact, notification(2));
  b.provide(tlv(0xbf52, tlv(0xa0, list, tlv(0x87, fromHex(request.transactionId as string)))));
  assert.match(b.last().warnings.join(), /compactProfileInstallationResult: there is no download session/);
  assert.deepEqual(b.eim.notifications(EID).map((record) => record.seqNumber), [2]);
});

test("the event of a notification is exactly one bit", () => {
  const b = bench();
  const two = tlv(0xbf2f, tlv(0x80, [1]), tlv(0x81, bits(0, 1)), tlv(0x0c, [0x61]));
  assert.equal(handle(b, tlv(0xa1, two, tlv(0x5f37, new Uint8Array(64)))).status, 400);
  assert.match(b.last().reason, /exactly one of install, enable, disable, delete/);
  assert.equal(readOne(two).tag, 0xbf2f);
});
