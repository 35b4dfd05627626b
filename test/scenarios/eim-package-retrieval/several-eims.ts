/**
 * Several associated eIMs (SGP.32 v1.2 3.1.1.1; procedures 2): each is polled by itself at its own address, and a result goes only to the eIM whose package it
 * answers.
 */
import assert from "node:assert/strict";
import { behaviours, BOOTSTRAP, defineScenario, eco, faults, iccid, OPERATIONAL, psmo, until, type Scenario, type World } from "../../sim/index.js";
import { asked, complaints, PROVIDE_RESULT, provided, results, pending } from "../esipa-view.js";

const HOUR = 3_600_000;
const name = (n: number): string => `eim-${n + 1}.example.com`;
const eims = (count: number): { fqdn: string }[] => Array.from({ length: count }, (_, n) => ({ fqdn: name(n) }));
/** No notifications: they would go to either eIM. */
const SILENT_PROFILES = [{ iccid: BOOTSTRAP, enabled: true }, { iccid: OPERATIONAL }];

/** Each eIM's package sets an address of its own; what each got back is about its own one only. */
function eachHasItsOwn(world: World): void {
  for (const eim of world.eims) {
    assert.deepEqual(results(world, eim), ["setDefaultDpAddress 0"], eim.eimId);
    assert.ok(eim.results(world.eid).every((result) => result.verified));
    assert.ok(eim.seen.every((exchange) => exchange.verdict === "ok"), `${eim.eimId}: ${complaints(world).join("; ")}`);
  }
  assert.deepEqual(world.euicc.eims.map((eim) => eim.counterValue), world.eims.map(() => 1));
  assert.deepEqual(pending(world), []);
}

const many = [2, 5, 8].map((count) =>
  defineScenario({
    name: `${count} eIMs: each is polled by itself, and gets the result of its own package`,
    objectives: ["C8"],
    world: { eims: eims(count) },
    prepare(world) {
      for (const [n, eim] of world.eims.entries()) eim.queue(world.eid, psmo.setDefaultDpAddress(`dp${n}.example.com`));
    },
    claims: eachHasItsOwn,
    traffic(world, trace) {
      for (const eim of world.eims) assert.deepEqual(asked(eim), ["GetEimPackage", "ProvideEimPackageResult", "GetEimPackage"]);
      assert.equal(trace.totals().connections, count);
    },
    ...(count === 2 ? { replay: "cut" } : {}),
  }));

const certificates = defineScenario({
  name: "eight eIMs with certificates, more than the agent can hold at once, are all polled with their own trust",
  objectives: ["C8", "N2"],
  world: { eims: eims(8).map((eim) => ({ ...eim, association: { signer: "certificate", trust: "certificate" } })) },
  prepare(world) {
    for (const [n, eim] of world.eims.entries()) eim.queue(world.eid, psmo.setDefaultDpAddress(`dp${n}.example.com`));
  },
  claims: eachHasItsOwn,
});

const oneDown = defineScenario({
  name: "an eIM that is out of order does not stand in the way of the others",
  objectives: ["C7", "C8"],
  world: { eims: eims(3) },
  prepare(world) {
    world.eims[1]?.use(behaviours.status(500));
    for (const [n, eim] of world.eims.entries()) if (n !== 1) eim.queue(world.eid, psmo.setDefaultDpAddress(`dp${n}.example.com`));
  },
  until: until.time(12 * HOUR),
  claims(world) {
    for (const n of [0, 2]) assert.deepEqual(results(world, world.eims[n]), ["setDefaultDpAddress 0"]);
    const failed = world.eims[1]?.seen.length ?? 0;
    assert.ok(failed >= 5 && failed <= 14, `${failed} tries in 12 hours`);
    assert.ok(asked(world.eims[0] ?? world.eim).length <= 3, "the others are not asked more often because of it");
  },
});

const resultWaits = defineScenario({
  name: "a result that its eIM does not take is given to no other eIM, and to it later",
  objectives: ["C8", "D5", "D12"],
  world: { eims: eims(2), profiles: SILENT_PROFILES },
  prepare(world) {
    world.eims[0]?.use(behaviours.once(behaviours.forFunction(PROVIDE_RESULT, behaviours.status(500))));
    world.eims[0]?.queue(world.eid, psmo.delete(OPERATIONAL));
    world.eims[1]?.queue(world.eid, psmo.setDefaultDpAddress("dp.example.com"));
  },
  claims(world) {
    assert.deepEqual([results(world, world.eims[0]), results(world, world.eims[1])], [["delete 0"], ["setDefaultDpAddress 0"]]);
    assert.deepEqual(pending(world), []);
  },
  traffic: (world) => assert.equal(provided(world.eims[1] ?? world.eim).length, 1),
  replay: "cut",
});

const departedAndNew = defineScenario({
  name: "an eIM that another one adds is polled, and one that it deletes is not polled any more",
  objectives: ["C8", "D3", "D16"],
  world: { eims: [{ fqdn: name(0) }, { fqdn: name(1) }, { fqdn: name(2), association: null }] },
  prepare(world) {
    const [first, , third] = world.eims;
    if (first === undefined || third === undefined) throw new TypeError("three eIMs expected");
    first.queue(world.eid, [eco.addEim(third.configurationData()), eco.deleteEim(name(1))]);
    third.queue(world.eid, psmo.setDefaultDpAddress("dp.example.com"));
  },
  claims(world) {
    assert.deepEqual(results(world, world.eims[0]), ["addEim 0, deleteEim 0"]);
    assert.deepEqual(results(world, world.eims[2]), ["setDefaultDpAddress 0"]);
    assert.deepEqual(world.euicc.eims.map((eim) => eim.eimId), [name(0), name(2)]);
  },
  traffic: (world) => assert.ok(asked(world.eims[1] ?? world.eim).length <= 1, "at most before it was deleted"),
  replay: "cut",
});

const enableByTwo = defineScenario({
  name: "two eIMs that enable one profile after the other each get their own result over the profile that is enabled then",
  objectives: ["C8", "D9"],
  world: { eims: eims(2), profiles: [...SILENT_PROFILES, { iccid: iccid(3) }] },
  prepare(world) {
    world.eims[0]?.queue(world.eid, psmo.enable(OPERATIONAL));
    world.eims[1]?.queue(world.eid, psmo.enable(iccid(3)));
  },
  claims(world) {
    assert.deepEqual([results(world, world.eims[0]), results(world, world.eims[1])], [["enable 0"], ["enable 0"]]);
    assert.deepEqual(pending(world), []);
  },
});

const ownFault = defineScenario({
  name: "a connection that fails for one eIM of two is tried again, and both get what is theirs",
  objectives: ["C7", "C8"],
  world: { eims: eims(2) },
  prepare(world) {
    world.link.use(faults.refuses(1));
    for (const [n, eim] of world.eims.entries()) eim.queue(world.eid, psmo.setDefaultDpAddress(`dp${n}.example.com`));
  },
  claims: eachHasItsOwn,
});

export const scenarios: readonly Scenario[] = [...many, certificates, oneDown, resultWaits, departedAndNew, enableByTwo, ownFault];
