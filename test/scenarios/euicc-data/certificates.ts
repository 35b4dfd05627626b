/**
 * euiccCiPKIdentifierToBeUsed (SGP.32 v1.2 2.11.1.2; procedures 6): whole, truncated or unknown; and the CI of the eIM's own configuration where
 * the request names none. An eUICC with two CIs is in two-cis.test.ts.
 */
import assert from "node:assert/strict";
import { concat, toHex } from "../../sim/core/bytes.js";
import { parseCertificate } from "../../sim/pki/certificate.js";
import { tlv } from "../../sim/codec/tlv.js";
import { dataRequest, defineScenario, EIM_FQDN, sharedPki, until, type Scenario, type World } from "../../sim/index.js";
import { es10Of } from "../apdu-view.js";
import { complaints } from "../esipa-view.js";
import { bodies, dataBody, errorBody, items } from "./view.js";

function ciPkId(world: World): Uint8Array {
  const id = parseCertificate(world.pki.ci.certificate).subjectKeyId;
  if (id === undefined) throw new TypeError("the CI has no key id");
  return id;
}

const curves = (["P-256", "brainpoolP256r1"] as const).map((curve) =>
  defineScenario({
    name: `${curve}: certificates of the CI that is named, by its whole key id or by any beginning of it`,
    objectives: ["F5"],
    world: { pki: sharedPki({ seed: `certificates ${curve}`, curve, eimFqdns: [EIM_FQDN] }) },
    async script(world) {
      const all = items(world);
      const id = ciPkId(world);
      const lengths = [20, 19, 10, 4, 1];
      const records = lengths.map((length) => world.eim.queue(world.eid, dataRequest({ tags: [0xa6, 0xa5], ciPkId: id.slice(0, length) })));
      await world.run(until.idle());
      assert.deepEqual(bodies(world.eim), records.map((record) => dataBody(world, all, [0xa5, 0xa6], record.transactionId)));
      assert.deepEqual(es10Of(world.trace, "BF56").map((one) => one.command), lengths.map(() => toHex(tlv(0xbf56, tlv(0x80, id)))));
    },
    claims: (world) => assert.deepEqual(complaints(world), []),
  }));

const unknown = defineScenario({
  name: "a CI that the eUICC does not have is answered euiccCiPKIdNotFound, whole or truncated, whatever else is asked for",
  objectives: ["F5"],
  async script(world) {
    const id = ciPkId(world);
    const other = concat(id.slice(0, 19), Uint8Array.of((id[19] ?? 0) ^ 1));
    const asked = [other, Uint8Array.of((id[0] ?? 0) ^ 1), concat(id.slice(0, 5), new Uint8Array(10)), new Uint8Array(20)];
    const records = asked.map((ci) => world.eim.queue(world.eid, dataRequest({ tags: [0xa5, 0xbf20, 0xa9], ciPkId: ci })));
    await world.run(until.idle());
    assert.deepEqual(bodies(world.eim), records.map((record) => errorBody(world, 5, record.transactionId)));
  },
  claims: (world) => assert.ok(world.eim.seen.every((exchange) => exchange.verdict === "ok")),
});

const notNeeded = defineScenario({
  name: "a key id does not matter where no certificate is asked for",
  objectives: ["F5"],
  async script(world) {
    const record = world.eim.queue(world.eid, dataRequest({ tags: [0xbf20], ciPkId: new Uint8Array(20) }));
    await world.run(until.idle());
    assert.deepEqual(bodies(world.eim), [dataBody(world, items(world), [0xbf20], record.transactionId)]);
  },
  claims: (world) => assert.deepEqual(world.euicc.functions.filter((tag) => tag === 0xbf56), []),
});

const PKI = sharedPki({ seed: "world", eimFqdns: [EIM_FQDN] });

const ofTheEim = defineScenario({
  name: "where the request names no CI, the certificates are those of the eIM's euiccCiPKId",
  objectives: ["F5"],
  world: { pki: PKI, eims: [{ association: { euiccCiPkId: parseCertificate(PKI.ci.certificate).subjectKeyId ?? new Uint8Array(0) } }] },
  prepare: (world) => void world.eim.queue(world.eid, dataRequest({ tags: [0xa5] })),
  claims(world) {
    assert.deepEqual(world.eim.results(world.eid).map((result) => result.kind), ["ipaEuiccData"]);
    assert.deepEqual(complaints(world).filter((text) => !text.includes("missing")), []);
  },
  traffic: (world, trace) => assert.deepEqual(es10Of(trace, "BF56").map((one) => one.command), [toHex(tlv(0xbf56, tlv(0x80, ciPkId(world))))]),
});

const nested = defineScenario({
  name: "certificates that the eUICC gives in a nested form are passed on as they are",
  objectives: ["F1", "A10"],
  world: { euicc: { quirks: ["certificates-nested"] } },
  async script(world) {
    const all = items(world);
    const record = world.eim.queue(world.eid, dataRequest({ tags: [0xa5, 0xa6, 0xa8] }));
    await world.run(until.idle());
    assert.deepEqual(bodies(world.eim), [dataBody(world, all, [0xa5, 0xa6, 0xa8], record.transactionId)]);
  },
  claims: (world) => assert.ok(world.eim.seen.every((exchange) => exchange.verdict === "ok")),
});

export const scenarios: readonly Scenario[] = [...curves, unknown, notNeeded, ofTheEim, nested];
