/** Behaviours: what each makes of an exchange, which come first, what they leave alone; and snapshots, which cover them. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toHex } from "../sim/core/bytes.js";
import type { EsipaResponse } from "../sim/core/http.js";
import { readOne, tlv } from "../sim/codec/tlv.js";
import { FROM_EIM, mismatch } from "../sim/codec/esipa-schemas.js";
import { behaviours, psmo, stateFromJson, stateToJson, type Behaviour } from "../sim/eim/index.js";
import type { Malformed } from "../sim/eim/behaviours.js";
import { bench, EID, epr, eprAndNotifications, ICCID, notification, type Bench } from "./eim-fixtures.js";

const {
  acknowledge, acknowledgeOnly, drop, eimPackageError, emptyAcknowledgement, emptyBody, forFunction, lateBy, lostAnswer, malformedPackage, nth, once, oversized,
  redirect, replayedPackage, resultError, silent, status, trailingGarbage, truncated, unknownPackage, wrongContentType, wrongTag,
} = behaviours;

const NOTHING = "BF4F03020101";

/** What a poll of an eIM with this behaviour gives. */
const polled = (behaviour: Behaviour): EsipaResponse => {
  const b = bench();
  b.eim.use(behaviour);
  return b.poll();
};

describe("the transport", () => {
  test("status answers with that status and Retry-After", () => {
    const response = polled(status(503, { retryAfter: 120 }));
    assert.deepEqual([response.status, response.headers["retry-after"], response.body.length], [503, "120", 0]);
  });
  test("lateBy tells the link how long to wait, and adds up", () => {
    const b = bench();
    b.eim.use(lateBy(30_000));
    b.eim.use(lateBy(5));
    assert.equal(b.poll().delayMs, 30_005);
  });
  test("silent and drop lose the request: the eIM does not see it", () => {
    for (const [behaviour, order] of [[silent(), "silent"], [drop(), "drop"]] as const) {
      const b = bench();
      b.eim.queue(EID, psmo.getRAT());
      b.eim.use(behaviour);
      assert.equal(b.poll()[order], true);
      assert.deepEqual([b.eim.device(EID).packages[0]?.given, b.last().status, b.last().verdict], [0, 0, "behaviour"]);
    }
  });
  test("lostAnswer lets the eIM do its work", () => {
    const b = bench();
    const record = b.eim.queue(EID, psmo.enable(ICCID));
    b.poll();
    const away = b.eim.use(lostAnswer());
    assert.equal(b.provide(epr(record)).drop, true);
    away();
    assert.equal(toHex(b.provide(epr(record)).body), "BF5006BF5303800101");
    assert.equal(b.eim.results(EID)[0]?.resent, 1);
  });
  test("truncated tells the link where to break off", () => assert.equal(polled(truncated(3)).truncateTo, 3));
  test("emptyBody, trailingGarbage, wrongTag, oversized and wrongContentType change the answer", () => {
    assert.equal(polled(emptyBody()).body.length, 0);
    assert.equal(toHex(polled(trailingGarbage()).body), `${NOTHING}DEADBEEF`);
    assert.equal(toHex(polled(wrongTag()).body), "BF7E03020101");
    assert.deepEqual([readOne(polled(oversized(100_000)).body, 0xbf4f).value.length], [100_005]);
    assert.equal(polled(wrongContentType()).headers["content-type"], "text/html");
  });
  test("redirect names another place", () => assert.deepEqual([polled(redirect("https://x/")).status, polled(redirect("https://x/")).headers.location], [302, "https://x/"]));
});

describe("packages", () => {
  test("eimPackageError answers GetEimPackage only, and keeps the queue", () => {
    const b = bench();
    const record = b.eim.queue(EID, psmo.enable(ICCID));
    b.poll();
    b.eim.use(eimPackageError(127));
    assert.equal(toHex(b.poll().body), "BF4F0302017F");
    assert.equal(toHex(b.provide(epr(record)).body), "BF5006BF5303800101");
  });

  test("unknownPackage gives a tag that the standard does not know; unknownPackage of the IPA is then taken", () => {
    const b = bench();
    b.eim.use(once(unknownPackage()));
    assert.equal(toHex(b.poll().body), "BF4F06BF7F03800101");
    assert.equal(toHex(b.provide(tlv(0xa0, tlv(0x02, [2]))).body), "BF50023000");
    assert.deepEqual(b.eim.results(EID).map((result) => [result.packageId, result.error?.name]), [[undefined, "unknownPackage"]]);
  });

  const kinds: Malformed[] = [
    "packageEmpty", "packageWithoutSignature", "packageWithoutCounter", "packageWithoutEid", "packageWithoutList", "packageCutOff", "dataRequestWithoutTagList",
    "dataRequestCutOff", "triggerWithUnknownAlternative", "triggerWithEmptyChoice", "triggerCutOff",
  ];
  for (const kind of kinds) {
    test(`malformedPackage("${kind}") is a BF4F that asn1js does not take for a package`, () => {
      const { body } = polled(malformedPackage(kind));
      assert.equal(readOne(body).tag, 0xbf4f);
      assert.notEqual(mismatch(body, (FROM_EIM[0xbf4f] as NonNullable<(typeof FROM_EIM)[number]>)()), undefined);
    });
  }

  test("a malformed package leaves the queue alone: the next poll gives what is first in it", () => {
    const b = bench();
    const record = b.eim.queue(EID, psmo.getRAT());
    b.eim.use(once(malformedPackage("packageCutOff")));
    b.poll();
    b.provide(tlv(0xa0, tlv(0x80, behaviours.MALFORMED_TRANSACTION_ID), tlv(0x02, [1])));
    assert.equal(toHex(b.poll().body).slice(10), toHex(tlv(0xbf4f, record.der)).slice(10));
  });

  test("replayedPackage gives the last package again after its result", () => {
    const b = bench();
    b.eim.use(replayedPackage());
    assert.equal(toHex(b.poll().body), NOTHING);
    const record = b.eim.queue(EID, psmo.enable(ICCID));
    const first = b.poll().body;
    b.provide(epr(record));
    assert.deepEqual(b.poll().body, first);
  });
});

describe("acknowledgements", () => {
  const answered = (behaviour: Behaviour): [string, Bench] => {
    const b = bench();
    const record = b.eim.queue(EID, psmo.enable(ICCID));
    b.poll();
    b.eim.use(behaviour);
    return [toHex(b.provide(eprAndNotifications(epr(record), notification(2), notification(3))).body), b];
  };
  test("resultError refuses, and the result is not taken", () => {
    const [body, b] = answered(resultError(127));
    assert.deepEqual([body, b.eim.results(EID).length], ["BF500302017F", 0]);
  });
  test("emptyAcknowledgement and acknowledgeOnly take the result", () => {
    const [empty, b] = answered(emptyAcknowledgement());
    assert.deepEqual([empty, b.eim.results(EID).length], ["BF50023000", 1]);
    assert.equal(answered(acknowledgeOnly([1, 3, 77]))[0], "BF5009BF5306800101800103");
    assert.equal(answered(acknowledge([77]))[0], "BF5006BF530380014D");
  });
});

describe("narrowing", () => {
  test("once takes part in one exchange, nth in the n-th, counted where they apply", () => {
    const b = bench();
    b.eim.use(forFunction(0xbf4f, nth(2, status(500))));
    b.eim.use(once(forFunction(0xbf50, status(501))));
    const record = b.eim.queue(EID, psmo.enable(ICCID));
    assert.deepEqual([b.poll().status, b.provide(epr(record)).status, b.provide(epr(record)).status, b.poll().status, b.poll().status], [200, 501, 200, 500, 200]);
  });

  test("the newest is asked first; the answer passes through those that are newer", () => {
    const b = bench();
    b.eim.use(lateBy(1));
    b.eim.use(status(503));
    b.eim.use(lateBy(10));
    const response = b.poll();
    assert.deepEqual([response.status, response.delayMs], [503, 10]);
    assert.deepEqual(b.last().behaviours, ["lateBy(10)", "status(503)", "lateBy(1)"]);
  });

  test("a behaviour can change the request", () => {
    const b = bench();
    b.eim.use({ name: "deaf", request: (request) => ({ ...request, body: request.body.subarray(1) }) });
    assert.equal(b.poll().status, 400);
  });

  test("what use() returns takes the behaviour away", () => {
    const b = bench();
    const away = b.eim.use(status(500));
    away();
    assert.equal(b.poll().status, 200);
  });
});

describe("a snapshot", () => {
  test("brings back queue, results, counters of behaviours, chance and audit log", () => {
    const b = bench();
    b.eim.use(nth(3, status(500)));
    const record = b.eim.queue(EID, psmo.enable(ICCID));
    b.poll();
    const before = b.eim.snapshot();
    const run = (): unknown => [b.poll().status, b.poll().status, toHex(b.provide(epr(record)).body), b.eim.queue(EID, psmo.getRAT()).transactionId, b.eim.seen.length];
    const first = run();
    b.eim.restore(before);
    assert.equal(b.eim.results(EID).length, 0);
    assert.deepEqual(run(), first);
  });

  test("is not reached by what happens after it, nor by what a restored eIM does", () => {
    const b = bench();
    const record = b.eim.queue(EID, psmo.enable(ICCID));
    b.poll();
    const kept = b.eim.snapshot();
    const copy = structuredClone(kept);
    b.provide(eprAndNotifications(epr(record), notification(2)));
    b.eim.restore(kept);
    b.poll();
    b.provide(epr(record));
    assert.deepEqual(kept, copy);
  });

  test("of an eIM with behaviours is refused by one that never had them", () => {
    const b = bench();
    b.eim.use(silent());
    assert.throws(() => bench().eim.restore(b.eim.snapshot()), { code: "state" });
  });

  test("survives JSON", () => {
    const b = bench({ associationToken: 3 });
    b.eim.queue(EID, psmo.enable(ICCID));
    b.poll();
    const state = b.eim.snapshot();
    assert.deepEqual(stateFromJson(stateToJson(state)), state);
  });

  test("takes well under a millisecond with 2000 exchanges behind it", () => {
    const b = bench();
    for (let i = 0; i < 2000; i++) b.poll();
    const start = performance.now();
    for (let i = 0; i < 100; i++) b.eim.restore(b.eim.snapshot());
    assert.ok((performance.now() - start) / 100 < 1);
  });
});

test("the audit log has who, what, when, both bodies and the verdict", () => {
  const b = bench();
  b.clock.sleep(1500);
  b.poll();
  assert.deepEqual(b.eim.seen, [{
    time: 1500, eid: EID, function: "GetEimPackage", request: `BF4F125A10${EID}`, status: 200, response: NOTHING, verdict: "ok",
    reason: "noEimPackageAvailable", warnings: [], behaviours: [],
  }]);
});
