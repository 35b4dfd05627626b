/**
 * The last eIM deletes itself (SGP.32 v1.2 3.5.1, lastEimDeleted; procedures 4.3, 21.3): it still gets its result, is not called any more, and the
 * eUICC is open for AddInitialEim again.
 */
import assert from "node:assert/strict";
import { defineScenario, eco, psmo, until, type Scenario, type World } from "../../sim/index.js";
import { es10Of } from "../apdu-view.js";
import { asked, results } from "../esipa-view.js";
import { addInitialEim } from "./initial-association.js";

const PROVISION = 16;

function provision(world: World): void {
  world.store.records.set(PROVISION, addInitialEim(world.eim.configurationData()));
}

function queueDelete(world: World): void {
  world.eim.queue(world.eid, eco.deleteEim(world.eim.eimId));
}

const gone = defineScenario({
  name: "lastEimDeleted: the result is delivered, and then nobody is called any more",
  objectives: ["D18", "G4"],
  prepare: queueDelete,
  async script(world) {
    await world.run(until.idle());
    await world.run(until.time(72 * 3_600_000));
  },
  claims(world) {
    assert.deepEqual(results(world), ["deleteEim 2"]);
    assert.deepEqual(world.euicc.eims, []);
    assert.deepEqual(world.euicc.pending, []);
    assert.deepEqual([1, 2].map((key) => world.store.read(key)), [undefined, undefined], "nothing is left in the journal");
  },
  traffic: (world) => assert.deepEqual(asked(world.eim), ["GetEimPackage", "ProvideEimPackageResult"]),
  replay: "cut",
});

const notWithoutStart = defineScenario({
  name: "lastEimDeleted with a provisioned request: the eIM does not come back by itself while the device runs",
  objectives: ["G4"],
  prepare(world) {
    provision(world);
    queueDelete(world);
  },
  async script(world) {
    await world.run(until.idle());
    await world.run(until.time(72 * 3_600_000));
  },
  claims(world) {
    assert.deepEqual(results(world), ["deleteEim 2"]);
    assert.deepEqual(world.euicc.eims, []);
    assert.deepEqual(es10Of(world.trace, "BF57"), []);
  },
});

const again = defineScenario({
  name: "lastEimDeleted with a provisioned request: the next start associates the eIM again, and its packages are executed",
  objectives: ["G4"],
  prepare(world) {
    provision(world);
    queueDelete(world);
  },
  async script(world) {
    await world.run(until.idle());
    world.powerCut();
    await world.run(until.idle());
    world.eim.queue(world.eid, psmo.setDefaultDpAddress("dp.example.com"));
    world.wake("poll");
    await world.run(until.idle());
  },
  claims(world) {
    assert.deepEqual(results(world), ["deleteEim 2", "setDefaultDpAddress 0"]);
    assert.deepEqual(world.euicc.eims.map((eim) => eim.eimId), [world.eim.eimId]);
    assert.deepEqual(world.euicc.pending, []);
  },
});

const oneOfTwo = defineScenario({
  name: "an eIM that deletes itself beside another one gets its result, and the other one stays",
  objectives: ["D18", "G4", "C8"],
  world: { eims: [{ fqdn: "eim-1.example.com" }, { fqdn: "eim-2.example.com" }] },
  prepare: queueDelete,
  claims(world) {
    assert.deepEqual(results(world), ["deleteEim 0"]);
    assert.deepEqual(world.euicc.eims.map((eim) => eim.eimId), ["eim-2.example.com"]);
    assert.deepEqual(world.euicc.pending, []);
  },
  replay: "cut",
});

export const scenarios: readonly Scenario[] = [gone, notWithoutStart, again, oneOfTwo];
