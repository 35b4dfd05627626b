/**
 * Profile Policy Rules and the Rules Authorisation Table (SGP.22 v2.5 2.4.11, 2.9.2; procedures 11): what the IPA lets pass, and what it cancels with
 * pprNotAllowed; and the Confirmation Code that the device itself was given.
 */
import assert from "node:assert/strict";
import { BOOTSTRAP, defineScenario, type Scenario } from "../../sim/index.js";
import type { RuleOptions } from "../../sim/euicc/index.js";
import type { MetadataOptions } from "../../sim/smdp/index.js";
import { endedWith, installedQuietly, orderAndTrigger, outcomes, theOrder, WITH_SMDP } from "./view.js";

type Owner = NonNullable<MetadataOptions["owner"]>;
interface Row {
  readonly what: string;
  readonly rules: NonNullable<MetadataOptions["policyRules"]>;
  readonly owner?: Owner;
  readonly rat: readonly RuleOptions[];
  readonly allowed: boolean;
  readonly operational?: boolean;
  readonly forbidden?: readonly ("ppr1" | "ppr2")[];
}

const GID = Uint8Array.of(1, 2);
const OTHER_GID = Uint8Array.of(1, 3);
const NONE = new Uint8Array(0);
const OWNER: Owner = { mccMnc: "262-01" };
const rule = (pprIds: RuleOptions["pprIds"], mccMnc: string, more: Partial<RuleOptions["allowedOperators"][number]> = {}, consentRequired = false): RuleOptions => ({ pprIds, allowedOperators: [{ mccMnc, ...more }], ...(consentRequired ? { consentRequired } : {}) });

const ROWS: readonly Row[] = [
  { what: "no table", rules: ["ppr2"], owner: OWNER, rat: [], allowed: false },
  { what: "a rule for the owner", rules: ["ppr2"], owner: OWNER, rat: [rule(["ppr2"], "262-01")], allowed: true },
  { what: "a rule for another owner", rules: ["ppr2"], owner: OWNER, rat: [rule(["ppr2"], "262-02")], allowed: false },
  { what: "a rule for another PPR", rules: ["ppr2"], owner: OWNER, rat: [rule(["ppr1"], "262-01")], allowed: false },
  { what: "a rule with wildcards for every owner", rules: ["ppr2"], owner: OWNER, rat: [rule(["ppr2"], "EEE-EE")], allowed: true },
  { what: "a rule with wildcards in the MNC", rules: ["ppr2"], owner: OWNER, rat: [rule(["ppr2"], "262-EE")], allowed: true },
  { what: "a rule with wildcards and another MCC", rules: ["ppr2"], owner: OWNER, rat: [rule(["ppr2"], "263-EE")], allowed: false },
  { what: "a second rule that fits", rules: ["ppr2"], owner: OWNER, rat: [rule(["ppr2"], "262-02"), rule(["ppr2"], "262-01")], allowed: true },
  { what: "two rules for two PPRs", rules: ["ppr1", "ppr2"], owner: OWNER, rat: [rule(["ppr1"], "262-01"), rule(["ppr2"], "262-01")], allowed: true },
  { what: "a rule for one of two PPRs", rules: ["ppr1", "ppr2"], owner: OWNER, rat: [rule(["ppr2"], "262-01")], allowed: false },
  { what: "a rule that wants consent", rules: ["ppr2"], owner: OWNER, rat: [rule(["ppr2"], "262-01", {}, true)], allowed: false },
  { what: "a rule without gid1 and an owner with one", rules: ["ppr2"], owner: { ...OWNER, gid1: GID }, rat: [rule(["ppr2"], "262-01")], allowed: false },
  { what: "a rule with an empty gid1 and an owner with one", rules: ["ppr2"], owner: { ...OWNER, gid1: GID }, rat: [rule(["ppr2"], "262-01", { gid1: NONE })], allowed: true },
  { what: "a rule with the owner's gid1", rules: ["ppr2"], owner: { ...OWNER, gid1: GID }, rat: [rule(["ppr2"], "262-01", { gid1: GID })], allowed: true },
  { what: "a rule with another gid1", rules: ["ppr2"], owner: { ...OWNER, gid1: OTHER_GID }, rat: [rule(["ppr2"], "262-01", { gid1: GID })], allowed: false },
  { what: "a rule with a gid2 that the owner has not", rules: ["ppr2"], owner: { ...OWNER, gid1: GID }, rat: [rule(["ppr2"], "262-01", { gid1: GID, gid2: GID })], allowed: false },
  { what: "a profile without owner", rules: ["ppr2"], rat: [rule(["ppr2"], "EEE-EE")], allowed: false },
  { what: "an operational profile on the card", rules: ["ppr1"], owner: OWNER, rat: [rule(["ppr1"], "262-01")], allowed: false, operational: true },
  { what: "no operational profile on the card", rules: ["ppr1"], owner: OWNER, rat: [rule(["ppr1"], "262-01")], allowed: true },
  { what: "a PPR that the eUICC forbids", rules: ["ppr2"], owner: OWNER, rat: [rule(["ppr2"], "262-01")], allowed: false, forbidden: ["ppr2"] },
];

const matrix = ROWS.map(({ what, rules, owner, rat, allowed, operational, forbidden }): Scenario =>
  defineScenario({
    name: `${rules.join(" and ")}, ${what}: the profile is ${allowed ? "installed" : "refused"}`,
    objectives: ["H8"],
    world: {
      ...WITH_SMDP,
      profiles: [{ iccid: BOOTSTRAP, enabled: true, class: operational === true ? "operational" : "provisioning" }],
      euicc: { rat, ...(forbidden === undefined ? {} : { info: { forbiddenPolicyRules: forbidden } }) },
    },
    prepare: (world) => void orderAndTrigger(world, { metadata: { policyRules: rules, ...(owner === undefined ? {} : { owner }) } }),
    claims(world) {
      if (allowed) installedQuietly(world, theOrder(world));
      else endedWith(world, theOrder(world), "undefinedError, cancelled pprNotAllowed");
    },
  }),
);

const CODE = "0815";

export const scenarios: readonly Scenario[] = [
  ...matrix,
  ...[[0, 1, 2, 3], [1, 2, 3]].map((features) =>
    defineScenario({
      name: `the device's own Confirmation Code is used where the eIM has none, ${features.includes(0) ? "directly" : "through the eIM"}`,
      objectives: ["H9"],
      world: { ...WITH_SMDP, configuration: { features, confirmationCode: CODE } },
      prepare: (world) => void orderAndTrigger(world, { confirmationCode: CODE, metadata: {} }),
      claims: (world) => assert.deepEqual(outcomes(world), ["installed"]),
    }),
  ),
  defineScenario({
    name: "the device's own Confirmation Code is wrong: confirmationCodeRefused",
    objectives: ["H9"],
    world: { ...WITH_SMDP, configuration: { confirmationCode: "4711" } },
    prepare: (world) => void orderAndTrigger(world, { confirmationCode: CODE }),
    claims: (world) => endedWith(world, theOrder(world), "undefinedError, getBoundProfilePackage: confirmationCodeRefused"),
  }),
  defineScenario({
    name: "a code from the eIM comes before the device's own",
    objectives: ["H9"],
    world: { ...WITH_SMDP, configuration: { confirmationCode: "4711" } },
    prepare: (world) => void orderAndTrigger(world, { confirmationCode: CODE }, { confirmationCode: CODE }),
    claims: (world) => installedQuietly(world, theOrder(world)),
  }),
];
