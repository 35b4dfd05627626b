/**
 * The compatibility profile: all switches that an IPA needs to pass the public IPA suite unmodified (last section of the conformance list),
 * against a card and an eIM that replay what that suite expects, octet by octet and by position. The suite's values that deviate from a
 * good eUICC are kept: the package is for another EID, and the result names another counterValue and writes the eimId in other letters.
 * Left out: profile download.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { configuration } from "../../sim/agent/index.js";
import { integer, readAll, readOne, tlv } from "../../sim/codec/tlv.js";
import { concat, fromHex, toHex, utf8 } from "../../sim/core/bytes.js";
import { VirtualClock } from "../../sim/core/clock.js";
import { sharedPki } from "../../sim/world-options.js";
import { Bench } from "../bench.js";
import { ScriptedCard, ScriptedEim, type CardStep, type EimStep } from "./script.js";

/** Everything that the suite wants otherwise than we would do it (host/README.md, configuration tag 81). */
const SWITCHES = ["RefreshFalse", "NoInfo", "NoFci", "FixedChannel", "RemoveOwnEpr", "NoCardReset", "OnePackage", "NoDataRemoval"] as const;

/** The suite gives up on a whole test case after so long. */
const GUARD_MS = 40_000;

const PROFILE = configuration({
  entropy: Uint8Array.of(7), switches: SWITCHES, terminalCapability: fromHex("80AA000005A903830107"), exchangeTimeoutMs: 3000, watchS: 2, backoffBaseS: 5,
  refreshGraceMs: 1000, bearerWaitS: 5, imei: "356938035643809",
});

const EID = "89882119900000000000000000000005";
const ADDRESS = "127.0.0.1:4430";
const SIGNATURE = tlv(0x5f37, concat(new Uint8Array(32).fill(0x52), new Uint8Array(32).fill(0x53)));
const pki = sharedPki({ seed: "public suite" });

/** eIM entry as the suite's card holds it: no trust, no type, only the proprietary protocol. */
const EIM_LIST = tlv(0xbf55, tlv(0xa0, tlv(0x30, tlv(0x80, utf8("myEIM")), tlv(0x81, utf8(ADDRESS)), tlv(0x84, [123]), tlv(0x87, [0x03, 0x08]), tlv(0x89))));

const NO_NOTIFICATIONS = fromHex("BF2B02A000");
const NOTIFICATIONS = tlv(0xbf2b, tlv(0xa0, installationResult()));
const REMOVED = fromHex("BF3003800100");

const PACKAGE = tlv(
  0xbf51,
  tlv(0x30, tlv(0x80, utf8("myEim")), tlv(0x5a, fromHex("00112233445566778899AABBCCDDEEFF")), tlv(0x81, integer(123)), tlv(0xa0, tlv(0xa3, tlv(0x5a, fromHex("123456789ABCDEFFAAAA")), tlv(0x05)))),
  SIGNATURE,
);

/** EPR with the number 1234 for counterValue 333, whatever the package's was. */
function packageResult(...results: readonly Uint8Array[]): Uint8Array {
  return tlv(0xbf51, tlv(0xa0, tlv(0x30, tlv(0x80, utf8("myEim")), tlv(0x81, integer(333)), tlv(0x83, integer(1234)), tlv(0x30, ...results)), SIGNATURE));
}

const ENABLED = packageResult(tlv(0x83, [0]));
const ROLLED_BACK = packageResult(tlv(0x83, [0]), tlv(0x8c, [0]));

/** A ProfileInstallationResult as PendingNotification (SGP.22 5.7.2 BF37). */
function installationResult(): Uint8Array {
  const metadata = tlv(0xbf2f, tlv(0x80, [5]), tlv(0x81, fromHex("0780")), tlv(0x0c, utf8("smdp.example.com")), tlv(0x5a, fromHex("98001032547698103214")));
  const data = tlv(0xbf27, tlv(0x80, fromHex("ABCDEF")), metadata, tlv(0x06, fromHex("2B0601040181F802")), tlv(0xa2, tlv(0xa0, tlv(0x4f, fromHex("A0000005591010FFFFFFFF8900001100")), tlv(0x04, [0x30, 0]))));
  return tlv(0xbf37, data, SIGNATURE);
}

const START: readonly CardStep[] = [
  { apdu: "80AA000005A903830107", answer: "9000" },
  { apdu: "0070000100", answer: "9000" },
  { apdu: "01A4040410A0000005591010FFFFFFFF8900000100", answer: "6121" }, // the FCI that it announces is not fetched
  { expect: "BF3E035C015A", es10: tlv(0xbf3e, tlv(0x5a, fromHex(EID))) },
  { expect: "BF5500", es10: EIM_LIST },
  { expect: "BF2B00", es10: NO_NOTIFICATIONS },
];
const END: readonly CardStep[] = [{ apdu: "0070800100", answer: "9000" }];
/** The EPR's own number first, then what the eIM acknowledged. */
const FIVE_REMOVALS: readonly CardStep[] = [1234, 1, 2, 3, 4].map((number) => ({ expect: toHex(tlv(0xbf30, tlv(0x80, integer(number)))), es10: REMOVED }));

const ACKNOWLEDGED = tlv(0xbf50, tlv(0xbf53, ...[1, 2, 3, 4].map((number) => tlv(0x80, [number]))));

const asks = (answer: Uint8Array): EimStep => ({ what: "GetEimPackage for the card's EID", expect: (body) => new RegExp(`^BF4F..5A10${EID}`).test(body), answer: tlv(0xbf4f, answer) });
const provides = (result: Uint8Array, answer: Uint8Array | "nothing"): EimStep => ({
  what: "ProvideEimPackageResult with EPR and notifications",
  expect: (body) => body === toHex(tlv(0xbf50, tlv(0x5a, fromHex(EID)), tlv(0x30, result, tlv(0xa0, installationResult())))),
  answer,
});

interface Ended {
  readonly bench: Bench;
  readonly card: ScriptedCard;
  readonly eim: ScriptedEim;
}

/** Plays a device against the scripts until it closes the card's channel; everything in them must have happened by then. */
async function plays(card: readonly CardStep[], eim: readonly EimStep[]): Promise<Ended> {
  const clock = new VirtualClock();
  const peers = { card: new ScriptedCard([...START, ...card, ...END]), eim: new ScriptedEim(eim, clock) };
  const bench = new Bench({ card: peers.card, link: peers.eim, clock, configuration: PROFILE, selectP2: 4 });
  await bench.start();
  await bench.untilIdle();
  assert.deepEqual(peers.card.left, [], "all that the suite's card waits for has come");
  assert.deepEqual(peers.eim.left.map((step) => step.what), []);
  assert.equal(peers.card.resets, 1, "the card is not reset");
  assert.ok(clock.now() < GUARD_MS, `${clock.now()} ms`);
  assert.ok(peers.eim.addresses.every((address) => address === ADDRESS));
  assert.equal(peers.eim.isOpen, false, "the connection is closed");
  return { bench, ...peers };
}

describe("the public IPA suite, replayed", () => {
  test("start-up: nothing but the six commands, then GetEimPackage; an eimPackageError ends it and the channel is closed", async () => {
    const { eim, bench } = await plays([], [asks(tlv(0x02, [127]))]);
    assert.equal(eim.bodies[0], `BF4F125A10${EID}`, "no rPLMN where none is known, no state change");
    assert.equal(eim.connections, 1);
    assert.deepEqual(bench.trace.reports.map((report) => report.name), ["Started", "PollEnded"]);
  });

  test("no eIM Package: the poll ends as quietly", async () => {
    await plays([], [asks(tlv(0x02, [1]))]);
  });

  test("package: passed on although its EID differs, result and notifications bundled, five removals, no second GetEimPackage", async () => {
    const { card, bench } = await plays(
      [{ expect: toHex(PACKAGE), es10: ENABLED }, { expect: "BF2B00", es10: NOTIFICATIONS }, ...FIVE_REMOVALS],
      [asks(PACKAGE), provides(ENABLED, ACKNOWLEDGED)],
    );
    assert.ok(!card.es10.some((command) => command.startsWith("BF58")), "the eIM was reached: no rollback");
    assert.deepEqual(bench.trace.reports.filter((report) => report.name === "PollEnded").map((report) => report.detail), [0]);
  });

  test("package: a result that was delivered is not rolled back later either", async () => {
    const { bench, card } = await plays(
      [{ expect: toHex(PACKAGE), es10: ENABLED }, { expect: "BF2B00", es10: NOTIFICATIONS }, ...FIVE_REMOVALS],
      [asks(PACKAGE), provides(ENABLED, ACKNOWLEDGED)],
    );
    const sleep = bench.trace.ops.at(-1);
    assert.equal(sleep?.name, "Sleep");
    assert.ok((sleep?.waitMs ?? 0) > 3_600_000, `sleeps ${sleep?.waitMs} ms`);
    assert.equal(card.left.length, 0);
  });

  test("rollback: no answer to the result, so ProfileRollback with refreshFlag FALSE, the new result with fresh notifications, five removals", async () => {
    const { bench } = await plays(
      [
        { expect: toHex(PACKAGE), es10: ENABLED },
        { expect: "BF2B00", es10: NOTIFICATIONS },
        { expect: "BF5803800100", es10: tlv(0xbf58, tlv(0x02, [0]), ROLLED_BACK) },
        { expect: "BF2B00", es10: NOTIFICATIONS },
        ...FIVE_REMOVALS,
      ],
      [asks(PACKAGE), provides(ENABLED, "nothing"), provides(ROLLED_BACK, ACKNOWLEDGED)],
    );
    assert.deepEqual(bench.trace.reports.filter((report) => report.name === "RolledBack").length, 1);
  });

  test("rollback: cmdResult under tag 80 is understood as well", async () => {
    await plays(
      [
        { expect: toHex(PACKAGE), es10: ENABLED },
        { expect: "BF2B00", es10: NOTIFICATIONS },
        { expect: "BF5803800100", es10: tlv(0xbf58, tlv(0x80, [0]), ROLLED_BACK) },
        { expect: "BF2B00", es10: NOTIFICATIONS },
        ...FIVE_REMOVALS,
      ],
      [asks(PACKAGE), provides(ENABLED, "nothing"), provides(ROLLED_BACK, ACKNOWLEDGED)],
    );
  });

  test("data request: one query each in the order of the type, A2 without one, and no removal although 1 to 4 are acknowledged", async () => {
    const addresses = tlv(0xbf3c, tlv(0x80, utf8("smdp.example.com")), tlv(0x81, utf8("smds.example.com")));
    const keyIds = tlv(0x04, new Uint8Array(20).fill(0xc0));
    const info1 = tlv(0xbf20, tlv(0x82, [2, 2, 0]), tlv(0xa9, keyIds), tlv(0xaa, keyIds));
    const info2 = tlv(0xbf22, tlv(0x81, fromHex("414243")), tlv(0x82, fromHex("02000C")), tlv(0x83, fromHex("414243")), tlv(0x84, fromHex("414243")), tlv(0x85, fromHex("05FFFFE0")), tlv(0x88, fromHex("04F0")), tlv(0xa9, keyIds), tlv(0xaa, keyIds), tlv(0x04, fromHex("414243")), tlv(0x0c, utf8("123456")));
    const inside = (der: Uint8Array): Uint8Array => readOne(der, 0x30).value;
    const [eum, euicc] = [tlv(0xa5, inside(pki.eum.certificate)), tlv(0xa6, inside(pki.euicc.certificate))];
    const { eim } = await plays(
      [
        { expect: "BF3C00", es10: addresses },
        { expect: "BF2000", es10: info1 },
        { expect: "BF2200", es10: info2 },
        { tag: "BF55", es10: EIM_LIST }, // the suite looks at the position only: a search by eimId will do
        { tag: "BF56", es10: tlv(0xbf56, tlv(0xa0, eum, euicc)) },
        { expect: "BF2B00", es10: NOTIFICATIONS },
      ],
      [
        asks(tlv(0xbf52, tlv(0x5c, fromHex("81BF20BF228384A5A6A8A9A0A2")))),
        { what: "ProvideEimPackageResult with IpaEuiccData", expect: (body) => body.startsWith("BF50"), answer: ACKNOWLEDGED },
      ],
    );
    const [eid, response] = readAll(readOne(fromHex(eim.bodies[1] as string), 0xbf50).value);
    assert.equal(toHex(eid?.value ?? new Uint8Array(0)), EID);
    const items = readAll(readOne(response?.raw ?? new Uint8Array(0), 0xbf52).value);
    assert.equal(items.length, 1);
    const data = readAll(items[0]?.value ?? new Uint8Array(0));
    const tags = data.map((item) => item.tag.toString(16).toUpperCase());
    assert.deepEqual(tags.filter((tag) => tag !== "A2"), ["A0", "81", "BF20", "BF22", "83", "84", "A5", "A6", "A8", "A9"]);
    const value = (tag: number): string => toHex(data.find((item) => item.tag === tag)?.value ?? new Uint8Array(0));
    assert.deepEqual([value(0xa0), value(0x81), value(0x83), value(0x84)], [toHex(installationResult()), toHex(utf8("smdp.example.com")), toHex(utf8("smds.example.com")), "7B"]);
    assert.deepEqual([0xbf20, 0xbf22, 0xa5, 0xa6].map((tag) => toHex(data.find((item) => item.tag === tag)?.raw ?? new Uint8Array(0))), [info1, info2, eum, euicc].map(toHex), "octet by octet");
  });
});
