/** DTLS 1.2 octet by octet: the vectors of the fact sheet (5.6), the record layer, the window against replay, fragments. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { concat, fromHex, toHex, utf8 } from "../sim/core/bytes.js";
import { Rng } from "../sim/core/rng.js";
import { suiteOf, SUITES } from "../sim/dtls/index.js";
import { Content, DTLS_1_2 } from "../sim/dtls/constants.js";
import { extendedMasterSecret, keyBlock, masterSecret, open, pskPremaster, prf, seal, sha256 } from "../sim/dtls/crypto.js";
import { collect, cut, newInbox, readFragments, takeMessage, wholeMessage } from "../sim/dtls/fragments.js";
import { additionalData, isReplay, markSeen, newLayer, openRecord, sealRecord, splitRecords, type DtlsRecord, type Layer } from "../sim/dtls/record.js";
import { PSK } from "./dtls-kit.js";

const CLIENT_RANDOM = new Uint8Array(32).fill(0x11);
const SERVER_RANDOM = new Uint8Array(32).fill(0x22);
const MASTER = masterSecret(pskPremaster(PSK), CLIENT_RANDOM, SERVER_RANDOM);
const KEYS = keyBlock(MASTER, CLIENT_RANDOM, SERVER_RANDOM);
const CCM_8 = suiteOf("TLS_PSK_WITH_AES_128_CCM_8");
const PLAINTEXT = fromHex("44020001a1b2c3d4b178ff6869");
const CID = fromHex("c1d2e3f4");
const RECORD = "17fefd0001000000000001001d0001000000000001795c4f5c9c01a107d73d4ab6a4f65db3ddb8c3230e";
const CID_RECORD = "19fefd0001000000000001c1d2e3f4001e0001000000000001795c4f5c9c01a107d73d4ab6a4c2fee57becb0ef01f5";

/** A client that writes with the vectors' keys, and the server that reads it. */
function layers(cid: Uint8Array = new Uint8Array(0)): { writer: Layer; reader: Layer } {
  const [writer, reader] = [newLayer(), newLayer()];
  writer.suite = reader.suite = CCM_8;
  writer.write.keys = reader.read.keys = KEYS.client;
  writer.write.cid = reader.read.cid = cid;
  writer.write.seq[1] = 1;
  return { writer, reader };
}

const only = (datagram: Uint8Array, cidLength = 0): DtlsRecord => splitRecords(datagram, cidLength).records[0] as DtlsRecord;

describe("vectors", () => {
  test("premaster, master secret and key block of a PSK", () => {
    assert.equal(toHex(pskPremaster(PSK)), `0010${"00".repeat(16)}0010${toHex(PSK)}`);
    assert.equal(toHex(MASTER).toLowerCase(), "b4d9d59b043595e2dd484ef4c67031535e91979c0d579093718fa21e8bcc5099fd003aabd59e5f85ddb1c59bdc106f47");
    const block = concat(KEYS.client.key, KEYS.server.key, KEYS.client.iv, KEYS.server.iv);
    assert.equal(toHex(block).toLowerCase(), "592bd38014bad6aaa51a864ca95fd0026e9b477eeb3eb807de1f5cd99e332b6aab4c8de7585d1b23");
  });

  test("extended master secret", () => {
    const hash = sha256(utf8("session"));
    assert.equal(toHex(hash).toLowerCase(), "3f3af1ecebbd1410ab417ec0d27bbfcb5d340e177ae159b59fc8626c2dfd9175");
    assert.equal(toHex(extendedMasterSecret(pskPremaster(PSK), hash)).toLowerCase(), "201ffa5048bd39919cef143a2f6a55a64fc862a753af0b650fa4e414a4813e8d01698c94ce60d553fd577f464c58c5d4");
  });

  test("P_SHA256 by its published vector (RFC 5246 5; 100 octets)", () => {
    const out = prf(fromHex("9bbe436ba940f017b17652849a71db35"), "test label", fromHex("a0ba9f936cda311827a6f796ffd5198c"), 100);
    assert.equal(toHex(out.subarray(0, 16)).toLowerCase(), "e3f229ba727be17b8d122620557cd453");
    assert.equal(toHex(out.subarray(84)).toLowerCase(), "22ee42c5a72e5a5110fff70187347b66");
  });

  test("a client's application record, without and with a connection id", () => {
    assert.equal(toHex(sealRecord(layers().writer, 1, Content.Data, PLAINTEXT)).toLowerCase(), RECORD);
    assert.equal(toHex(sealRecord(layers(CID).writer, 1, Content.Data, PLAINTEXT)).toLowerCase(), CID_RECORD);
  });

  test("their additional data", () => {
    const nonce = fromHex("0001000000000001");
    assert.equal(toHex(additionalData(23, nonce, undefined, 13)).toLowerCase(), "000100000000000117fefd000d");
    assert.equal(toHex(additionalData(23, nonce, CID, 14)).toLowerCase(), "ffffffffffffffff190419fefd0001000000000001c1d2e3f4000e");
  });

  test("they are opened again", () => {
    assert.deepEqual(openRecord(layers().reader, only(fromHex(RECORD))), { type: 23, content: PLAINTEXT, newest: true });
    assert.deepEqual(openRecord(layers(CID).reader, only(fromHex(CID_RECORD), 4)), { type: 23, content: PLAINTEXT, newest: true });
  });
});

describe("records", () => {
  for (const suite of SUITES) {
    test(`${suite.name}: what was sealed is opened, and with any bit turned it is not`, () => {
      const nonce = fromHex("0001000000000005");
      const sealed = seal(suite, KEYS.client, nonce, PLAINTEXT, PLAINTEXT);
      assert.equal(sealed.length, PLAINTEXT.length + suite.tagLength);
      assert.deepEqual(open(suite, KEYS.client, nonce, PLAINTEXT, sealed), PLAINTEXT);
      for (let bit = 0; bit < sealed.length * 8; bit++) {
        const turned = Uint8Array.from(sealed);
        turned[bit >> 3] = (turned[bit >> 3] as number) ^ (1 << (bit & 7));
        assert.equal(open(suite, KEYS.client, nonce, PLAINTEXT, turned), undefined);
      }
    });
  }

  test("a record with any bit turned, header included, is not accepted", () => {
    for (const [hex, cid] of [[RECORD, new Uint8Array(0)], [CID_RECORD, CID]] as const) {
      const record = fromHex(hex);
      for (let bit = 0; bit < record.length * 8; bit++) {
        const turned = Uint8Array.from(record);
        turned[bit >> 3] = (turned[bit >> 3] as number) ^ (1 << (bit & 7));
        for (const found of splitRecords(turned, cid.length).records) {
          // DTLS 1.0's version is read for first ClientHellos; the additional data has 1.2 in any case.
          if (found.version !== DTLS_1_2 || found.epoch === 0) continue;
          assert.equal(typeof openRecord(layers(cid).reader, found), "string", `bit ${bit}`);
        }
      }
    }
  });

  test("a second time it is a replay; so is what is 64 records old", () => {
    const { writer, reader } = layers();
    const records = Array.from({ length: 70 }, () => only(sealRecord(writer, 1, Content.Data, PLAINTEXT)));
    assert.equal(typeof openRecord(reader, records[69] as DtlsRecord), "object");
    assert.match(openRecord(reader, records[69] as DtlsRecord) as string, /record 70 of epoch 1 is a replay or too old/);
    assert.equal(typeof openRecord(reader, records[5] as DtlsRecord), "string");
    assert.deepEqual(openRecord(reader, records[6] as DtlsRecord), { type: 23, content: PLAINTEXT, newest: false });
    assert.equal(typeof openRecord(reader, records[6] as DtlsRecord), "string");
  });

  test("a forged record does not move the window", () => {
    const { writer, reader } = layers();
    const good = only(sealRecord(writer, 1, Content.Data, PLAINTEXT));
    assert.match(openRecord(reader, { ...good, seq: 2 ** 40 }) as string, /bad MAC/);
    assert.equal(typeof openRecord(reader, good), "object");
  });

  test("the window takes each number once, in any order (seeded)", () => {
    const rng = new Rng(3);
    const window = { newest: -1, mask: 0n };
    const seen = new Set<number>();
    for (let i = 0; i < 5000; i++) {
      const seq = Math.max(0, window.newest + rng.int(100) - 70);
      const expected = seen.has(seq) || seq <= window.newest - 64;
      assert.equal(isReplay(window, seq), expected, `${seq} with newest ${window.newest}`);
      if (expected) continue;
      markSeen(window, seq);
      seen.add(seq);
    }
  });

  test("a connection id that is missing, foreign or not expected is refused by name", () => {
    const plain = only(fromHex(RECORD));
    assert.match(openRecord(layers(CID).reader, plain) as string, /connection id C1D2E3F4 expected, got none/);
    assert.match(openRecord(layers(CID).reader, { ...only(fromHex(CID_RECORD), 4), cid: fromHex("00000000") }) as string, /expected, got 00000000/);
    assert.match(openRecord(layers().reader, only(fromHex(CID_RECORD), 4)) as string, /no connection id expected, got one/);
  });

  test("zero padding behind the content type is taken off; zeros only are refused", () => {
    const { writer, reader } = layers(CID);
    const nonce = fromHex("0001000000000001");
    const inner = (octets: Uint8Array): DtlsRecord => {
      const body = concat(nonce, seal(CCM_8, KEYS.client, nonce, additionalData(25, nonce, CID, octets.length), octets));
      return { type: 25, version: DTLS_1_2, epoch: 1, seq: 1, cid: CID, body };
    };
    assert.ok(writer);
    assert.match(openRecord(reader, inner(new Uint8Array(4))) as string, /a content type before the padding expected/);
    assert.deepEqual(openRecord(reader, inner(fromHex("6869 17 000000"))), { type: 23, content: utf8("hi"), newest: true });
  });

  test("a datagram is read as far as it makes sense, and the rest is named", () => {
    const good = fromHex(RECORD);
    const cases: readonly (readonly [string, RegExp])[] = [
      ["17fefd0001", /record header of 13 octets expected, got 5/], ["17fefd0001000000000002001d00", /a record of 29 octets expected, got 1/],
      ["16030300010000000000020000", /version FEFD expected, got 303/], ["63fefd00010000000000020000", /record type 20 to 25 expected, got 99/],
    ];
    for (const [tail, problem] of cases) {
      const found = splitRecords(concat(good, fromHex(tail)), 0);
      assert.equal(found.records.length, 1);
      assert.match(found.problem ?? "", problem);
    }
  });
});

describe("fragments", () => {
  const message = { type: 11, seq: 3, body: new Uint8Array(100).map((_, i) => i) };

  test("a message cut at any size is put together in any order (seeded)", () => {
    const rng = new Rng(5);
    for (let size = 1; size <= 100; size++) {
      const inbox = newInbox(3);
      const parts = cut(message, size).sort(() => rng.int(3) - 1);
      for (const part of parts) {
        assert.equal(takeMessage(inbox), undefined);
        for (const fragment of readFragments(part)) collect(inbox, fragment);
      }
      assert.deepEqual(takeMessage(inbox), message);
      assert.equal(inbox.next, 4);
    }
  });

  test("overlapping fragments are fine while they agree, illegal_parameter when not; so are other types and lengths", () => {
    const [whole] = readFragments(wholeMessage(message));
    assert.ok(whole);
    const part = { ...whole, offset: 10, body: message.body.slice(10, 60) };
    const inbox = newInbox(3);
    collect(inbox, part);
    for (const change of [{ body: new Uint8Array(50) }, { type: 12 }, { length: 101 }]) {
      assert.throws(() => collect(inbox, { ...part, ...change }), { code: "IllegalParameter" });
    }
    collect(inbox, whole);
    assert.deepEqual(takeMessage(inbox), message);
  });

  test("what was taken is old, what is far ahead is not kept, what goes beyond its message is decode_error", () => {
    const [whole] = readFragments(wholeMessage(message));
    assert.ok(whole);
    assert.equal(collect(newInbox(4), whole), "old");
    assert.equal(collect(newInbox(3), { ...whole, seq: 19 }), "too far ahead");
    assert.throws(() => readFragments(fromHex("0b 000004 0003 000002 000003 010203")), { code: "DecodeError", message: /a fragment within 4 octets expected, got 2 to 5/ });
    assert.throws(() => readFragments(fromHex("0b 000004 0003")), { code: "DecodeError" });
  });
});
