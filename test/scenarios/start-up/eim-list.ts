/** SGP.32 v1.2 2.11.1, 5.9.14: what the list of associated eIMs means: none, several, defaults for what an entry leaves out. */
import assert from "node:assert/strict";
import { EimIdType, EimProtocol } from "../../sim/eim/index.js";
import { defineScenario, psmo, until, type Scenario, type World } from "../../sim/index.js";
import { es10Of } from "../apdu-view.js";

const addresses = (world: World): string[] => world.trace.of("link").filter((entry) => entry.what === "open").map((entry) => entry.address);

const nobody = defineScenario({
  name: "without an associated eIM the device is idle, says so at most once a day, and sends nothing",
  objectives: ["A12"],
  world: { eims: [{ association: null }] },
  until: until.time(10 * 24 * 3_600_000),

  claims(world, trace) {
    assert.equal(trace.totals().connections, 0);
    const told = trace.reports.filter((report) => report.name === "NoEim");
    assert.ok(told.length >= 1 && told.length <= 11, `told ${told.length} times in ten days`);
    assert.equal(trace.reports.length, told.length + 1, "and nothing else but Started");
    assert.equal(world.euicc.eims.length, 0);
    assert.ok(trace.of("op").every((op) => op.name !== "Bearer"), "no bearer is asked for");
  },
});

const several = defineScenario({
  name: "each of several eIMs is polled by its own session, and each gets its own result",
  objectives: ["A13", "C8"],
  world: { eims: [{ fqdn: "a.example.com" }, { fqdn: "b.example.com" }, { fqdn: "c.example.com" }] },

  prepare(world) {
    for (const [n, eim] of world.eims.entries()) eim.queue(world.eid, psmo.setDefaultDpAddress(`dp${n}.example.com`));
  },

  claims(world) {
    for (const eim of world.eims) {
      const results = eim.results(world.eid);
      assert.deepEqual(results.map((result) => [result.kind, result.verified, result.commands?.map((command) => command.code).join()]), [["euiccPackageResult", true, "0"]], eim.fqdn);
      assert.ok(eim.seen.every((exchange) => exchange.verdict === "ok"), `${eim.fqdn}: ${JSON.stringify(eim.seen.filter((exchange) => exchange.verdict !== "ok"))}`);
    }
    assert.deepEqual(world.euicc.pending, []);
  },

  traffic(world) {
    assert.deepEqual(addresses(world).sort(), ["a.example.com", "b.example.com", "c.example.com"]);
  },

  replay: "cut",
});

const fqdnFromId = defineScenario({
  name: "an eIM without eimFqdn whose eimId is an FQDN is reached by its eimId",
  objectives: ["A13", "B2"],
  world: { eims: [{ association: { fqdn: null } }] },

  claims(world) {
    assert.ok(addresses(world).every((address) => address === "eim.example.com"));
    assert.equal(world.eim.seen.at(-1)?.verdict, "ok");
  },
});

const otherId = defineScenario({
  name: "eimFqdn is the address, whatever the eimId says",
  objectives: ["A13", "B2"],
  world: { eims: [{ eimId: "2.999.10", eimIdType: EimIdType.Oid }] },
  claims: (world) => assert.deepEqual([...new Set(addresses(world))], ["eim.example.com"]),
});

const noAddress = defineScenario({
  name: "an eIM without any address is left out, and the others are polled",
  objectives: ["A13", "B2"],
  world: {
    eims: [
      { eimId: "device-management", eimIdType: EimIdType.Proprietary, fqdn: "nowhere.example.com", association: { fqdn: null, eimIdType: EimIdType.Proprietary } },
      { fqdn: "eim.example.com" },
    ],
  },
  until: until.time(2 * 24 * 3_600_000),

  claims(world) {
    assert.deepEqual([...new Set(addresses(world))], ["eim.example.com"]);
    assert.equal(world.eims[0]?.seen.length, 0);
    assert.ok((world.eims[1]?.seen.length ?? 0) >= 1);
  },
});

const noProtocol = defineScenario({
  name: "an eIM whose entry names no supported protocol is polled over HTTPS",
  objectives: ["A13"],
  world: { eims: [{ association: { protocols: null } }] },
  claims: (world) => assert.equal(world.eim.seen.at(-1)?.verdict, "ok"),
});

const otherProtocols = defineScenario({
  name: "of the protocols that an eIM supports the device takes one that it has",
  objectives: ["A13"],
  world: { eims: [{ association: { protocols: [EimProtocol.RetrieveHttps, EimProtocol.RetrieveCoaps, EimProtocol.InjectHttps] } }] },
  claims(world, trace) {
    assert.equal(world.eim.seen.at(-1)?.verdict, "ok");
    assert.ok(trace.ops.filter((op) => op.name === "LinkOpen").every((op) => op.aux >> 8 === 1), "HTTPS");
  },
});

const idTypeAbsent = defineScenario({
  name: "an entry with neither eimIdType, eimSupportedProtocol nor euiccCiPKId is polled by its eimFqdn",
  objectives: ["A13"],
  world: { eims: [{ association: { eimIdType: null, protocols: null } }] },
  claims: (world) => assert.equal(world.eim.seen.at(-1)?.verdict, "ok"),
});

const many = defineScenario({
  name: "a list of eight eIMs, longer than one answer of the card and than the mailbox, is read whole and each eIM is polled",
  objectives: ["A13", "A7"],
  world: { eims: Array.from({ length: 8 }, (_, n) => ({ fqdn: `eim${n}.example.com` })) },
  claims(world, trace) {
    assert.ok(world.eims.every((eim) => eim.seen.at(-1)?.verdict === "ok"), world.eims.map((eim) => eim.seen.length).join(" "));
    assert.ok((es10Of(trace, "BF55")[0]?.answer.length ?? 0) / 2 > 1024);
  },
});

export const scenarios: readonly Scenario[] = [nobody, several, fqdnFromId, otherId, noAddress, noProtocol, otherProtocols, idTypeAbsent, many];
