/** Deviations of real cards (sgp32-types 6, 4.2, 4.3): each by itself, and an enable with notifications holds over all of them. */
import assert from "node:assert/strict";
import { QUIRKS, type Quirk } from "../../sim/euicc/options.js";
import { BOOTSTRAP, defineScenario, OPERATIONAL, psmo, type Scenario, type WorldOptions } from "../../sim/index.js";

/** How a quirk shows, where its name does not say it in the standard's words. */
const WORDS: Partial<Record<Quirk, string>> = {
  "explicit-defaults": "encodes ProfileInfo members that are FALSE",
  "non-minimal-lengths": "writes lengths one octet longer than needed",
  "unknown-trailing": "appends an unknown data object to each answer",
  "bf30-empty": "answers RemoveNotificationFromList with BF30 00",
  "bf2b-empty": "answers an empty list of notifications with BF2B 00",
  "rollback-result-80": "answers ProfileRollback with tag 80",
  "certificates-nested": "answers GetCerts with certificates in a further tag",
  "eim-list-split": "lists each eIM in an A0 of its own",
  "eim-defaults": "lists the defaults of an eIM's entry",
  "list-eim-30": "answers listEim with a further SEQUENCE",
  "list-eim-type-84": "answers listEim with eIMIdType as 84",
  "rat-30": "answers an empty Rules Authorisation Table with a SEQUENCE",
  "connectivity-bare": "answers GetConnectivityParameters without A0",
  "profile-info-error-02": "answers an error of listProfileInfo with tag 02",
  "no-inner-a0": "leaves out the inner A0 of results",
  "no-return-profile-7": "has another code for a missing return profile",
  "info2-v1.0": "has the EUICCInfo2 of SGP.32 v1.0",
};

function enablesOver(name: string, world: WorldOptions): Scenario {
  return defineScenario({
    name,
    objectives: ["A7", "A13", "D9", "D17"],
    world,

    prepare(here) {
      here.eim.queue(here.eid, [psmo.enable(OPERATIONAL)]);
    },

    claims(here) {
      assert.equal(here.enabled, OPERATIONAL);
      const standing = here.eim.results(here.eid).filter((result) => !result.replaced);
      assert.deepEqual(standing.map((result) => [result.kind, result.verified]), [["euiccPackageResult", true]]);
      assert.deepEqual(here.eim.notifications(here.eid).map((item) => [item.event, item.iccid]).sort(), [["disable", BOOTSTRAP], ["enable", OPERATIONAL]]);
      assert.deepEqual(here.euicc.pending, []);
    },

    traffic(here, trace) {
      assert.ok(trace.reports.every((report) => report.name !== "CardFailed"), trace.print());
      assert.deepEqual(here.eim.seen.map((exchange) => exchange.function), ["GetEimPackage", "ProvideEimPackageResult", "GetEimPackage"]);
    },
  });
}

export const scenarios: readonly Scenario[] = [
  ...QUIRKS.filter((quirk) => quirk !== "no-inner-a0").map((quirk) => enablesOver(`an enable holds on a card that ${WORDS[quirk] ?? quirk}`, { euicc: { quirks: [quirk] } })),
  enablesOver("an enable holds on a card with most deviations of the field at once", {
    euicc: { quirks: ["explicit-defaults", "non-minimal-lengths", "unknown-trailing", "bf2b-empty", "eim-list-split", "eim-defaults", "info2-v1.0"] },
  }),
  enablesOver("an enable holds on a card that tells no FCI", { euicc: { apdu: { noFci: true } } }),
  enablesOver("an enable holds when SELECT has P2 04", { selectP2: 4 }),
];
