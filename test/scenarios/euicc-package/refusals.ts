/**
 * Packages that the eUICC refuses (SGP.32 v1.2 2.11.2, 5.9.1; procedures 4.2), and an eUICC that gives no usable answer (procedures 4.1 step 5, 27): forwarded
 * unchanged, never bundled, nothing changed.
 */
import assert from "node:assert/strict";
import { BOOTSTRAP, defineScenario, OPERATIONAL, psmo, until, type Scenario, type World } from "../../sim/index.js";
import { keyPairFromSeed } from "../../sim/pki/keys.js";
import { es10Of } from "../apdu-view.js";
import { asked, pending, pollsEnded, provided, results } from "../esipa-view.js";

type Options = NonNullable<Parameters<World["eim"]["queue"]>[2]>;

interface Refused {
  readonly name: string;
  readonly objectives?: readonly string[];
  readonly options?: Options;
  readonly euicc?: NonNullable<ConstructorParameters<typeof World>[0]>["euicc"];
  readonly profiles?: NonNullable<ConstructorParameters<typeof World>[0]>["profiles"];
  readonly expected: string;
}

const ECALL = [{ iccid: BOOTSTRAP, enabled: true, ecall: true }, { iccid: OPERATIONAL }];
const TX = { transactionId: Uint8Array.of(0xca, 0xfe) };

const errors: readonly Refused[] = [
  { name: "another EID: signed error 3 invalidEid", objectives: ["D6", "D14"], options: { ...TX, eid: "89049032001001234500012345678901" }, expected: "euiccPackageErrorSigned 3" },
  { name: "an old counter: signed error 4 replayError", options: { ...TX, counter: 0 }, expected: "euiccPackageErrorSigned 4" },
  { name: "a counter beyond the range: signed error 6", options: { ...TX, counter: 0x800000 }, expected: "euiccPackageErrorSigned 6" },
  { name: "a package too large for the eUICC: signed error 15", options: TX, euicc: { limits: { package: 40 } }, expected: "euiccPackageErrorSigned 15" },
  { name: "the Emergency Profile is enabled: signed error 104", options: TX, profiles: ECALL, expected: "euiccPackageErrorSigned 104" },
  { name: "a signature of another key: unsigned error", options: { ...TX, signer: keyPairFromSeed("P-256", "a stranger") }, expected: "euiccPackageErrorUnsigned" },
  { name: "another association token: unsigned error", options: { ...TX, associationToken: 7 }, expected: "euiccPackageErrorUnsigned" },
  { name: "no eimTransactionId, and a signature of another key: unsigned error", options: { transactionId: null, signer: keyPairFromSeed("P-256", "a stranger") }, expected: "euiccPackageErrorUnsigned" },
];

const forwarded = errors.map(({ name, objectives, options, euicc, profiles, expected }) =>
  defineScenario({
    name: `${name} is forwarded unchanged, and the next package is asked for`,
    objectives: objectives ?? ["D6"],
    world: { ...(euicc === undefined ? {} : { euicc }), ...(profiles === undefined ? {} : { profiles }) },
    prepare: (world) => void world.eim.queue(world.eid, psmo.delete(OPERATIONAL), options),
    claims(world) {
      assert.deepEqual([results(world), pending(world)], [[expected], []]);
      assert.deepEqual([world.enabled, world.euicc.profiles.length, world.euicc.eims[0]?.counterValue], [BOOTSTRAP, 2, 0]);
    },
    traffic(world, trace) {
      assert.deepEqual(provided(world.eim), [es10Of(trace, "BF51")[0]?.answer], "plain BF51, as the eUICC made it");
      assert.deepEqual(asked(world.eim), ["GetEimPackage", "ProvideEimPackageResult", "GetEimPackage"]);
      assert.ok(!world.euicc.functions.includes(0xbf30));
    },
    replay: "cut",
  }));

const stranger = defineScenario({
  name: "a package in the name of an eIM that is not associated: the unsigned error goes back to the one that gave it",
  objectives: ["D6"],
  prepare: (world) => void world.eim.queue(world.eid, psmo.delete(OPERATIONAL), { eimId: "stranger.example.com", giveOnce: true }),
  until: until.polls(1),
  claims: (world) => assert.equal(world.euicc.profiles.length, 2),
  traffic: (world, trace) => assert.deepEqual(provided(world.eim), [es10Of(trace, "BF51")[0]?.answer]),
});

/** What becomes of LoadEuiccPackage; the package has eimTransactionId CAFE. */
const unanswered = ([0x6a80, 0x6a84, 0x6f00, 0x6982, 0x6d00, 0x9000] as const).map((sw) =>
  defineScenario({
    name: `an eUICC that answers LoadEuiccPackage with ${sw.toString(16).toUpperCase()} and nothing else: undefinedError goes to the eIM`,
    objectives: ["D7"],
    prepare(world) {
      world.euicc.failNext(0xbf51, sw);
      world.eim.queue(world.eid, psmo.delete(OPERATIONAL), TX);
      world.eim.queue(world.eid, psmo.setDefaultDpAddress("dp.example.com"));
    },
    claims(world) {
      assert.deepEqual(results(world).slice(-1), ["setDefaultDpAddress 0"]);
      assert.deepEqual(pending(world), []);
    },
    traffic(world, trace) {
      assert.equal(provided(world.eim)[0], "A0078002CAFE02017F");
      assert.deepEqual(pollsEnded(trace), [0]);
      assert.equal(world.euicc.profiles.length, 2, "it was not executed");
    },
  }));

const again = defineScenario({
  name: "6985 to LoadEuiccPackage: the card is reset, and the package executed once",
  objectives: ["D7", "A9"],
  prepare(world) {
    world.euicc.failNext(0xbf51, 0x6985);
    world.eim.queue(world.eid, psmo.delete(OPERATIONAL));
  },
  claims: (world) => assert.deepEqual([results(world), pending(world), world.euicc.eims[0]?.counterValue], [["delete 0"], [], 1]),
  replay: "cut",
});

const cutOff = ([1, 3, 20, 60, 100] as const).map((keep) =>
  defineScenario({
    name: `an answer to LoadEuiccPackage that ends after ${keep} octets: the whole EPR reaches the eIM all the same`,
    objectives: ["D7", "D12"],
    prepare(world) {
      world.euicc.truncate(0xbf51, keep);
      world.eim.queue(world.eid, psmo.enable(OPERATIONAL), TX);
    },
    claims: (world) => assert.deepEqual([results(world), pending(world), world.enabled], [["enable 0"], [], OPERATIONAL]),
    ...(keep === 20 ? { replay: "cut" } : {}),
  }));

export const scenarios: readonly Scenario[] = [...forwarded, stranger, ...unanswered, again, ...cutOff];
