/**
 * eimPublicKeyData and trustedPublicKeyDataTls as they are on the eUICC (SGP.32 v1.2 2.11.1; types 4.2): every encoding that is seen in the field is read,
 * and passed to the link as it is. Also what changes when the eIM changes its configuration by updateEim (3.5.1).
 */
import assert from "node:assert/strict";
import { toHex, utf8 } from "../../sim/core/bytes.js";
import { readAll, readOne, tlv } from "../../sim/codec/tlv.js";
import { parseCertificate } from "../../sim/pki/certificate.js";
import { defineScenario, eco, EIM_FQDN, psmo, until, type Scenario, type World } from "../../sim/index.js";
import { asked, complaints, pollsEnded, results } from "../esipa-view.js";

const TRUST_FAILED = -6;

/** Payloads of LinkOpen in hexadecimal. */
function endpoints(world: World): string[] {
  return world.trace.ops.filter((op) => op.name === "LinkOpen").map((op) => toHex(op.payload));
}

function endpoint(fqdn: string, trust: Uint8Array): string {
  return toHex(tlv(0x80, utf8(fqdn))) + toHex(trust);
}

function spki(world: World, which: "eimSign" | "eimTls"): Uint8Array {
  return parseCertificate(world.pki[which].certificate).spki;
}

type Encode = (world: World, which: "eimSign" | "eimTls", tag: number) => Uint8Array;

/** The encodings: by the ASN.1, nested with the 30 that it replaces, and without the choice's own tag. */
const ENCODINGS: readonly [string, Encode][] = [
  ["a key", (world, which, tag) => tlv(tag, tlv(0xa0, readOne(spki(world, which)).value))],
  ["a certificate", (world, which, tag) => tlv(tag, tlv(0xa1, readOne(world.pki[which].certificate).value))],
  ["a key, nested", (world, which, tag) => tlv(tag, tlv(0xa0, spki(world, which)))],
  ["a certificate, nested", (world, which, tag) => tlv(tag, tlv(0xa1, world.pki[which].certificate))],
  ["a bare key", (world, which, tag) => tlv(tag, spki(world, which))],
  ["a bare certificate", (world, which, tag) => tlv(tag, world.pki[which].certificate)],
];

/** The eIM's configuration with A5 and A6 in this encoding. */
function encoded(world: World, encode: Encode): Uint8Array {
  const members = readAll(readOne(world.eim.configurationData(), 0x30).value);
  return tlv(0x30, ...members.map(({ tag, raw }) => (tag === 0xa5 ? encode(world, "eimSign", tag) : tag === 0xa6 ? encode(world, "eimTls", tag) : raw)));
}

const encodings = ENCODINGS.map(([what, encode]) =>
  defineScenario({
    name: `A5 and A6 as ${what}: the eIM is trusted, and its packages are executed`,
    objectives: ["G3", "B4"],
    world: { eims: [{ association: null }], euicc: { lenient: true } },
    prepare(world) {
      world.euicc.associate(encoded(world, encode));
      world.eim.queue(world.eid, psmo.setDefaultDpAddress("dp.example.com"));
    },
    claims(world) {
      assert.deepEqual(results(world), ["setDefaultDpAddress 0"]);
      assert.deepEqual(complaints(world), []);
    },
    traffic: (world) => assert.deepEqual(endpoints(world), [endpoint(EIM_FQDN, encode(world, "eimTls", 0xa6))], "A6 as it is on the eUICC"),
  }));

const wrong = ENCODINGS.map(([what, encode]) =>
  defineScenario({
    name: `A6 as ${what} of somebody else: the eIM is not trusted, and nothing is sent`,
    objectives: ["G3", "B4"],
    world: { eims: [{ association: null }], euicc: { lenient: true } },
    prepare(world) {
      // the signing key is not the one of TLS
      world.euicc.associate(encoded(world, (inside, _which, tag) => encode(inside, "eimSign", tag)));
      world.eim.queue(world.eid, psmo.setDefaultDpAddress("dp.example.com"));
    },
    until: until.polls(2),
    claims(world) {
      assert.deepEqual(world.eim.seen, []);
      assert.deepEqual(pollsEnded(world.trace).map((detail) => detail | 0), [TRUST_FAILED, TRUST_FAILED]);
    },
  }));

const quirks = (["eim-list-split", "eim-defaults"] as const).map((quirk) =>
  defineScenario({
    name: `a list of eIMs as a card with the quirk ${quirk} gives it is read`,
    objectives: ["G3", "A13"],
    world: { euicc: { quirks: [quirk] }, eims: [{ fqdn: "eim-1.example.com" }, { fqdn: "eim-2.example.com", association: { trust: "certificate" } }] },
    prepare(world) {
      for (const eim of world.eims) eim.queue(world.eid, psmo.setDefaultDpAddress("dp.example.com"));
    },
    claims(world) {
      for (const eim of world.eims) assert.deepEqual(results(world, eim), ["setDefaultDpAddress 0"]);
    },
  }));

/** updateEim with only the members that are to change, and eimId. */
function update(world: World, ...members: readonly Uint8Array[]): void {
  world.eim.queue(world.eid, eco.updateEim(tlv(0x30, tlv(0x80, utf8(world.eim.eimId)), ...members)));
}

const asCertificate = (world: World): Uint8Array => tlv(0xa6, tlv(0xa1, readOne(world.pki.eimTls.certificate).value));
const asKey = (world: World): Uint8Array => tlv(0xa6, tlv(0xa0, readOne(spki(world, "eimTls")).value));

const newTrust = defineScenario({
  name: "updateEim changes trustedPublicKeyDataTls: the next connection is measured by the new one",
  objectives: ["G5", "D3"],
  prepare: (world) => update(world, asCertificate(world)),
  async script(world) {
    await world.run(until.idle());
    world.wake("poll");
    await world.run(until.idle());
  },
  claims(world) {
    assert.deepEqual(results(world), ["updateEim 0"]);
    assert.equal(endpoints(world).at(-1), endpoint(EIM_FQDN, asCertificate(world)));
  },
  traffic: (world) => assert.equal(endpoints(world)[0], endpoint(EIM_FQDN, asKey(world))),
  replay: "cut",
});

const wrongTrust = defineScenario({
  name: "updateEim to the key of somebody else: the result is still delivered, and the eIM is not trusted any more from the next connection on",
  objectives: ["G5", "D18"],
  prepare: (world) => update(world, tlv(0xa6, tlv(0xa0, readOne(spki(world, "eimSign")).value))),
  async script(world) {
    await world.run(until.polls(1));
    world.wake("poll");
    await world.run(until.polls(1));
  },
  claims(world) {
    assert.deepEqual(results(world), ["updateEim 0"]);
    assert.deepEqual(pollsEnded(world.trace).map((detail) => detail | 0), [0, TRUST_FAILED]);
    assert.equal(asked(world.eim).at(-1), "GetEimPackage", "in the connection that was there");
  },
});

const newAddress = defineScenario({
  name: "updateEim changes eimFqdn: the next connection goes to the new address",
  objectives: ["G5", "B2"],
  world: { eims: [{ fqdn: "old.example.com", eimId: "the eIM" }, { fqdn: "new.example.com", eimId: "the eIM", association: null }] },
  prepare: (world) => update(world, tlv(0x81, utf8("new.example.com"))),
  async script(world) {
    await world.run(until.idle());
    world.wake("poll");
    await world.run(until.idle());
  },
  claims(world) {
    assert.deepEqual(results(world), ["updateEim 0"]);
    assert.deepEqual(asked(world.eims[1] ?? world.eim).slice(-1), ["GetEimPackage"]);
  },
  traffic: (world) => assert.deepEqual(asked(world.eim), ["GetEimPackage", "ProvideEimPackageResult", "GetEimPackage"]),
});

export const scenarios: readonly Scenario[] = [...encodings, ...wrong, ...quirks, newTrust, wrongTrust, newAddress];
