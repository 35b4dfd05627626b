/** Every PSMO and eCO passes through, and its result comes back (SGP.32 v1.2 2.11.1, 2.11.2, 3.4, 3.5.1; procedures 4.3). */
import assert from "node:assert/strict";
import { BOOTSTRAP, defineScenario, eco, iccid, OPERATIONAL, psmo, type Scenario, type World } from "../../sim/index.js";
import { es10 } from "../apdu-view.js";
import { results, pending } from "../esipa-view.js";

type Package = Parameters<World["eim"]["queue"]>[1];

interface Case {
  readonly name: string;
  readonly commands: (world: World) => Package;
  readonly expected: string;
  /** Notifications that the eIM has in the end. */
  readonly notifications?: number;
  readonly cut?: true;
  readonly then?: (world: World) => void;
}

const OTHER = { fqdn: "other.example.com", association: null };
const THIRD = iccid(3);

const cases: readonly Case[] = [
  { name: "enable", commands: () => psmo.enable(OPERATIONAL), expected: "enable 0", notifications: 2, then: (world) => assert.equal(world.enabled, OPERATIONAL) },
  { name: "enable of the enabled profile", commands: () => psmo.enable(BOOTSTRAP), expected: "enable 2" },
  { name: "enable of an unknown ICCID", commands: () => psmo.enable(iccid(9)), expected: "enable 1", cut: true },
  { name: "disable and enable", commands: () => [psmo.disable(BOOTSTRAP), psmo.enable(OPERATIONAL)], expected: "disable 0, enable 0", notifications: 2, cut: true, then: (world) => assert.equal(world.enabled, OPERATIONAL) },
  { name: "disable of a disabled profile", commands: () => psmo.disable(OPERATIONAL), expected: "disable 2" },
  { name: "delete", commands: () => psmo.delete(OPERATIONAL), expected: "delete 0", notifications: 1, cut: true, then: (world) => assert.equal(world.euicc.profiles.length, 2) },
  { name: "delete of the enabled profile", commands: () => psmo.delete(BOOTSTRAP), expected: "delete 2" },
  { name: "enable, and delete of the former profile", commands: () => [psmo.enable(OPERATIONAL), psmo.delete(BOOTSTRAP)], expected: "enable 0, delete 0", notifications: 3, cut: true, then: (world) => assert.equal(world.euicc.profiles.length, 2) },
  { name: "listProfileInfo", commands: () => psmo.listProfileInfo(), expected: "listProfileInfo 0" },
  { name: "listProfileInfo of one, with chosen tags", commands: () => psmo.listProfileInfo({ iccid: OPERATIONAL }, [0x5a, 0x9f70]), expected: "listProfileInfo 0" },
  { name: "listProfileInfo that finds none", commands: () => psmo.listProfileInfo({ profileClass: 0 }), expected: "listProfileInfo 0" },
  { name: "listProfileInfo behind a delete", commands: () => [psmo.delete(OPERATIONAL), psmo.listProfileInfo()], expected: "delete 0, listProfileInfo 11", notifications: 1 },
  { name: "getRAT", commands: () => psmo.getRAT(), expected: "getRAT 0" },
  { name: "configureImmediateEnable", commands: () => psmo.configureImmediateEnable({ defaultSmdpOid: "2.999.10", defaultSmdpAddress: "dp.example.com" }), expected: "configureImmediateEnable 0", cut: true, then: (world) => assert.ok(world.euicc.snapshot().nonvolatile.immediateEnable.allowed) },
  { name: "configureImmediateEnable that switches it off", commands: () => psmo.configureImmediateEnable({ immediateEnable: false }), expected: "configureImmediateEnable 0" },
  { name: "setFallbackAttribute", commands: () => psmo.setFallbackAttribute(THIRD), expected: "setFallbackAttribute 0", then: (world) => assert.ok(world.euicc.profiles[2]?.fallbackAttribute) },
  { name: "setFallbackAttribute where it is not allowed", commands: () => psmo.setFallbackAttribute(OPERATIONAL), expected: "setFallbackAttribute 2" },
  { name: "setFallbackAttribute and unsetFallbackAttribute", commands: () => [psmo.setFallbackAttribute(THIRD), psmo.unsetFallbackAttribute()], expected: "setFallbackAttribute 0, unsetFallbackAttribute 0" },
  { name: "unsetFallbackAttribute where none is set", commands: () => psmo.unsetFallbackAttribute(), expected: "unsetFallbackAttribute 2" },
  { name: "setDefaultDpAddress", commands: () => psmo.setDefaultDpAddress("dp.example.com"), expected: "setDefaultDpAddress 0", then: (world) => assert.equal(world.euicc.snapshot().nonvolatile.defaultDpAddress, "dp.example.com") },
  { name: "setDefaultDpAddress that takes it away", commands: () => psmo.setDefaultDpAddress(""), expected: "setDefaultDpAddress 0" },
  { name: "five PSMOs in one package", commands: () => [psmo.listProfileInfo(), psmo.getRAT(), psmo.setDefaultDpAddress("dp.example.com"), psmo.delete(THIRD), psmo.enable(OPERATIONAL)], expected: "listProfileInfo 0, getRAT 0, setDefaultDpAddress 0, delete 0, enable 0", notifications: 2 },
  { name: "addEim", commands: (world) => eco.addEim(other(world).configurationData()), expected: "addEim 0", then: (world) => assert.equal(world.euicc.eims.length, 2) },
  { name: "addEim with an association token", commands: (world) => eco.addEim(other(world).configurationData({ associationToken: "request" })), expected: "addEim 0", cut: true, then: (world) => assert.equal(world.euicc.eims[1]?.associationToken, 1) },
  { name: "addEim of one that is there", commands: (world) => eco.addEim(world.eim.configurationData()), expected: "addEim 2" },
  { name: "updateEim", commands: (world) => eco.updateEim(world.eim.configurationData({ counter: 7 })), expected: "updateEim 0", then: (world) => assert.equal(world.euicc.eims[0]?.counterValue, 7) },
  { name: "updateEim of an unknown eIM", commands: (world) => eco.updateEim(other(world).configurationData()), expected: "updateEim 1" },
  { name: "deleteEim of an unknown eIM", commands: () => eco.deleteEim("nobody.example.com"), expected: "deleteEim 1" },
  { name: "listEim", commands: () => eco.listEim(), expected: "listEim 0" },
  { name: "four eCOs in one package", commands: (world) => [eco.addEim(other(world).configurationData()), eco.updateEim(other(world).configurationData({ trust: "certificate" })), eco.listEim(), eco.deleteEim("other.example.com")], expected: "addEim 0, updateEim 0, listEim 0, deleteEim 0", then: (world) => assert.equal(world.euicc.eims.length, 1) },
];

function other(world: World): World["eim"] {
  const [, second] = world.eims;
  if (second === undefined) throw new TypeError("a second eIM expected");
  return second;
}

const notifications = [{ events: ["enable", "disable", "delete"], address: "smdp.example.com" }] as const;
const PROFILES = [{ iccid: BOOTSTRAP, enabled: true, notifications }, { iccid: OPERATIONAL, notifications }, { iccid: THIRD, fallbackAllowed: true }];

const all = cases.map(({ name, commands, expected, notifications: count, cut, then }) =>
  defineScenario({
    name: `${name}: "${expected}" reaches the eIM`,
    objectives: ["D16", ...(expected.includes("Eim ") ? ["D3"] : ["D2", "D4"])],
    world: { eims: [{}, OTHER], profiles: PROFILES },
    prepare: (world) => void world.eim.queue(world.eid, commands(world)),
    claims(world) {
      assert.deepEqual(results(world), [expected]);
      assert.ok(world.eim.results(world.eid)[0]?.verified);
      assert.equal(world.eim.notifications(world.eid).length, count ?? 0);
      assert.deepEqual(pending(world), []);
      then?.(world);
    },
    traffic: (world, trace) => (expected.includes("Eim ") ? noNotificationsAsked(trace) : bundled(world, count ?? 0)),
    ...(cut === true ? { replay: "cut" } : {}),
  }));

/** Without a notification the result is a plain BF51, else 30{BF51, A0}. */
function bundled(world: World, count: number): void {
  const body = world.eim.seen.find((exchange) => exchange.function === "ProvideEimPackageResult")?.request ?? "";
  const at = body.indexOf(`5A10${world.eid}`) + 36;
  assert.equal(body.slice(at, at + 2), count > 0 ? "30" : "BF", body.slice(0, 80));
}

/** Behind a package of eCOs the notifications are not asked for, and the list of eIMs is read again. */
function noNotificationsAsked(trace: World["trace"]): void {
  const functions = es10(trace).map((one) => one.command.slice(0, 6));
  const after = functions.slice(functions.findIndex((one) => one.startsWith("BF51")) + 1);
  assert.ok(!after.includes("BF2B00"), after.join(" "));
  assert.ok(after.includes("BF5500"), `BF55 is read again: ${after.join(" ")}`);
}

export const scenarios: readonly Scenario[] = all;
