/** trustedPublicKeyDataTls (SGP.32 v1.2 2.11.1; sgp32-transport 1): whom the device talks to, and that it says nothing to anybody else. */
import assert from "node:assert/strict";
import { behaviours, defineScenario, faults, psmo, sharedPki, until, type Scenario, type World, type WorldOptions } from "../../sim/index.js";

const pki = sharedPki({ seed: "world", eimFqdns: ["eim.example.com"] });
const TRUST = -6;

function trusted(name: string, objectives: readonly string[], world: WorldOptions): Scenario {
  return defineScenario({
    name,
    objectives,
    world,
    prepare: (here) => void here.eim.queue(here.eid, psmo.setDefaultDpAddress("dp.example.com")),
    claims(here) {
      assert.deepEqual(here.eim.results(here.eid).map((result) => [result.kind, result.verified]), [["euiccPackageResult", true]]);
    },
    traffic: (_here, trace) => assert.equal(trace.totals().connections, 1),
  });
}

/** Not an octet leaves the device; the attempts grow rarer; the card is left alone. */
function untrusted(name: string, objectives: readonly string[], world: WorldOptions, prepare: (world: World) => void = () => undefined): Scenario {
  return defineScenario({
    name,
    objectives,
    world,
    prepare,
    until: until.time(24 * 3_600_000),
    claims(here, trace) {
      assert.equal(here.eim.seen.length, 0);
      assert.equal(trace.exchanges.length, 0, "nothing was sent");
      const ends = trace.reports.filter((report) => report.name === "PollEnded");
      assert.ok(ends.length >= 3 && ends.length <= 14, `${ends.length} attempts in a day`);
      assert.ok(ends.every((report) => report.detail === TRUST));
    },
  });
}

const other = pki.dpTls.certificate;

/** The association is whole, the server is not the one it names. */
const eim = (association: NonNullable<NonNullable<WorldOptions["eims"]>[number]["association"]>): WorldOptions => ({ eims: [{ association }] });

export const scenarios: readonly Scenario[] = [
  trusted("a server with the pinned key is trusted", ["B4"], eim({ trust: "key" })),
  trusted("a server with the pinned certificate is trusted", ["B4"], eim({ trust: "certificate" })),
  trusted("keys and certificates in the nested forms of the field are handed on and trusted", ["B4", "G3"], { ...eim({ trust: "certificate", nested: true }), euicc: { lenient: true } }),
  trusted("an eIM without trustedPublicKeyDataTls is judged by the device's own CAs", ["B4"], { ...eim({ trust: "none" }), caStore: [pki.eimTls.certificate] }),
  untrusted("a server with another certificate than the pinned one is told nothing", ["B4"], eim({ trust: "certificate", trustCertificate: other })),
  untrusted("a server that no CA of the device vouches for is told nothing", ["B4"], { ...eim({ trust: "none" }), caStore: [other] }),
  untrusted("without trustedPublicKeyDataTls and without CAs nobody is trusted", ["B4"], eim({ trust: "none" })),
  untrusted("a stranger in the eIM's place is told nothing", ["B4"], {}, (world) => world.link.use(faults.untrusted(Infinity))),

  defineScenario({
    name: "a stranger in the eIM's place between two messages gets neither the message nor the device's patience",
    objectives: ["B4", "B6"],
    prepare(world) {
      world.eim.queue(world.eid, psmo.setDefaultDpAddress("dp.example.com"));
      // The server closes behind its package; a stranger takes the next connection, and the one after that.
      world.link.use(faults.closesAfter(1));
      world.link.use(faults.untrusted(2, 2));
    },
    claims(world) {
      assert.deepEqual(world.eim.results(world.eid).map((result) => [result.kind, result.verified]), [["euiccPackageResult", true]]);
      assert.equal(world.euicc.eims[0]?.counterValue, 1);
      assert.deepEqual(world.euicc.pending, []);
    },
    replay: "cut",
  }),

  defineScenario({
    name: "the trust that the eIM had renewed is used for the next connection",
    objectives: ["B4", "G5"],
    world: eim({ trust: "certificate", trustCertificate: other }),
    async script(world) {
      await world.run(until.polls(1));
      // The eIM configuration is read before each session: what stands there now counts.
      const state = world.euicc.snapshot();
      const good = world.eim.configurationData({ trust: "certificate" });
      world.euicc.restore({ ...state, nonvolatile: { ...state.nonvolatile, eims: [] } });
      world.euicc.associate(good);
      world.eim.use(behaviours.once(behaviours.lateBy(10)));
      world.eim.queue(world.eid, psmo.setDefaultDpAddress("dp.example.com"));
      await world.run({ kind: "idle" });
    },
    claims(world) {
      assert.deepEqual(world.eim.results(world.eid).map((result) => result.kind), ["euiccPackageResult"]);
    },
  }),
];
