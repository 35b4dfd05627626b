/** The tagList of an IpaEuiccDataRequest (SGP.32 v1.2 2.11.1.2; types 4.5): what is none, and the tags of before v1.1. */
import assert from "node:assert/strict";
import { concat, fromHex, toHex } from "../../sim/core/bytes.js";
import { bits, tlv } from "../../sim/codec/tlv.js";
import { defineScenario, rawPackage, type Scenario, type World } from "../../sim/index.js";
import { provided } from "../esipa-view.js";
import { bodies, CAPABILITIES, dataBody, deviceInfo, errorBody, items, WORLD_IMEI } from "./view.js";

const TID = fromHex("0102030405060708");
const id = (n: number): Uint8Array => concat(TID, Uint8Array.of(n));

/** Not a tagList: error incorrectTagList. */
const INCORRECT: readonly [string, Uint8Array][] = [
  ["there is none", new Uint8Array(0)],
  ["it is empty", fromHex("5C00")],
  ["EID (5A) is not one of the tags", fromHex("5C015A")],
  ["ProfileInfoListRequest (BF2D) is not one of the tags", fromHex("5C02BF2D")],
  ["eimTransactionId (87) is not one of the tags", fromHex("5C0187")],
  ["82 is not one of the tags", fromHex("5C0182")],
  ["an unknown tag stands behind known ones", fromHex("5C0481A0BF21")],
  ["an unknown tag stands before known ones", fromHex("5C04BF2181A0")],
  ["it ends within a tag", fromHex("5C0381A0BF")],
  ["a tag of three octets", fromHex("5C04811F8101")],
  ["a constructed form of a primitive tag", fromHex("5C01A1")],
];

function request(n: number, ...parts: readonly Uint8Array[]): Uint8Array {
  return tlv(0xbf52, ...parts, tlv(0x83, id(n)));
}

const incorrect = defineScenario({
  name: "a tagList that is missing, empty, cut off or has a tag that is none of IpaEuiccData's is answered incorrectTagList",
  objectives: ["F3"],
  prepare: (world) => INCORRECT.forEach(([, tagList], n) => void world.eim.queue(world.eid, rawPackage(request(n, tagList)))),
  claims(world) {
    INCORRECT.forEach(([why], n) => assert.equal(bodies(world.eim)[n], errorBody(world, 1, toHex(id(n))), why));
    assert.equal(bodies(world.eim).length, INCORRECT.length);
  },
  traffic: (world) => assert.deepEqual(world.euicc.functions.filter((tag) => [0xbf3c, 0xbf20, 0xbf56].includes(tag)), [], "the card is not asked for what will not be sent"),
});

const oneError = defineScenario({
  name: "an IpaEuiccData error is delivered once, whenever the power goes",
  objectives: ["F3"],
  prepare: (world) => void world.eim.queue(world.eid, rawPackage(request(0, fromHex("5C015A")))),
  claims: (world) => assert.deepEqual(world.eim.results(world.eid).map((result) => [result.kind, result.error?.code]), [["ipaEuiccDataError", 1]]),
  replay: "cut",
});

/** Not a request at all: eimPackageResultResponseError invalidPackageFormat. */
const MALFORMED: readonly [string, Uint8Array][] = [
  ["octets behind the last member", concat(fromHex("5C0181"), Uint8Array.of(0xbf))],
  ["a member longer than the request", fromHex("5C0281")],
  ["euiccCiPKIdentifierToBeUsed of no octets", fromHex("5C01A50400")],
  ["a search criterion that is none", fromHex("5C01A0A1028205")],
];

const malformed = defineScenario({
  name: "an IpaEuiccDataRequest that does not decode is answered invalidPackageFormat",
  objectives: ["F3", "C6"],
  prepare: (world) => MALFORMED.forEach(([, octets], n) => void world.eim.queue(world.eid, rawPackage(tlv(0xbf52, tlv(0x83, id(n)), octets)), { giveOnce: true })),
  claims(world) {
    MALFORMED.forEach(([why], n) => assert.match(provided(world.eim)[n] ?? "none", new RegExp(`^A0..(8009${toHex(id(n))})?020101$`), why));
  },
});

/** Tags of before v1.1 and what they are called now. */
const LEGACY: readonly [number, number][] = [[0x80, 0x81], [0x88, 0xa8], [0xbf2b, 0xa0]];

function queueLegacy(world: World): void {
  LEGACY.forEach(([old], n) => void world.eim.queue(world.eid, rawPackage(request(n, tlv(0x5c, old > 0xff ? [old >> 8, old & 0xff] : [old])))));
}

const legacyOff = defineScenario({
  name: "80, 88 and BF2B, as v1.0 had them, are no tags of IpaEuiccData",
  objectives: ["F3"],
  prepare: queueLegacy,
  claims: (world) => assert.deepEqual(bodies(world.eim), LEGACY.map((_tags, n) => errorBody(world, 1, toHex(id(n))))),
});

const legacyOn = defineScenario({
  name: "with LEGACY_TAGS 80, 88 and BF2B ask for what v1.2 calls 81, A8 and A0",
  objectives: ["F3"],
  world: { configuration: { switches: ["LegacyTags"] }, euicc: { defaultDpAddress: "dp.example.com" } },
  prepare: queueLegacy,
  claims: (world) => assert.deepEqual(bodies(world.eim), LEGACY.map(([, now], n) => dataBody(world, items(world), [now], toHex(id(n))))),
});

const unknownMember = defineScenario({
  name: "members of a request that the standard does not know are skipped",
  objectives: ["F3", "N1"],
  prepare: (world) => void world.eim.queue(world.eid, rawPackage(tlv(0xbf52, fromHex("5C02A8A9"), tlv(0x83, id(0)), tlv(0x9f20, bits(1)), tlv(0xbf21, tlv(0x80))))),
  claims: (world) => assert.deepEqual(bodies(world.eim), [dataBody(world, new Map([[0xa8, CAPABILITIES], [0xa9, deviceInfo(WORLD_IMEI)]]), [0xa8, 0xa9], toHex(id(0)))]),
});

export const scenarios: readonly Scenario[] = [incorrect, oneError, malformed, legacyOff, legacyOn, unknownMember];
