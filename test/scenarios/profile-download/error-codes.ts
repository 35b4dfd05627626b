/**
 * Each error code of each function once, as the IPA hears it: over ESipa from the eIM (SGP.32 v1.2 6.3; types 3.5 to 3.8; procedures 8, 15), and over ES9+ from the
 * SM-DP+ itself (SGP.22 v2.5 5.6; procedures 9, 27). Two of them are the eIM's own findings, and cancel the session; behind all others it is over already.
 */
import assert from "node:assert/strict";
import { tlv } from "../../sim/codec/tlv.js";
import { defineScenario, rspBehaviours as dp, sharedPki, type Scenario, type World, type WorldOptions } from "../../sim/index.js";
import type { FunctionName } from "../../sim/rsp/index.js";
import { allComplaints, CANCEL_SESSION, downloaded, endedWith, endedWithOrCut, installedInTheEnd, LOAD_BPP, nothingWaits, orderAndTrigger, outcomes, theOrder, WITH_SMDP } from "./view.js";

const NO_NOTIFICATIONS = { metadata: {} };
const DIRECT: WorldOptions = { ...WITH_SMDP, configuration: { features: [0, 1, 2, 3] } };

interface EsipaFunction {
  readonly name: string;
  /** Of request and answer. */
  readonly tag: number;
  readonly error: number;
  readonly codes: Readonly<Record<number, string>>;
  /** Codes behind which the IPA cancels, and with which reason. */
  readonly cancels: Readonly<Record<number, string>>;
}

const ESIPA: readonly EsipaFunction[] = [
  {
    name: "initiateAuthentication", tag: 0xbf39, error: 0x81, cancels: {},
    codes: { 1: "invalidDpAddress", 2: "euiccVersionNotSupportedByDp", 3: "ciPKIdNotSupported", 50: "smdpAddressMismatch", 51: "smdpOidMismatch", 52: "invalidEimTransactionId", 127: "undefinedError" },
  },
  {
    name: "authenticateClient", tag: 0xbf3b, error: 0x82, cancels: { 50: "pprNotAllowed" },
    codes: {
      1: "eumCertificateInvalid", 2: "eumCertificateExpired", 3: "euiccCertificateInvalid", 4: "euiccCertificateExpired", 5: "euiccSignatureInvalid", 6: "matchingIdRefused", 7: "eidMismatch",
      8: "noEligibleProfile", 9: "ciPKUnknown", 10: "invalidTransactionId", 11: "insufficientMemory", 50: "pprNotAllowed", 56: "eventIdUnknown", 127: "undefinedError",
    },
  },
  {
    name: "getBoundProfilePackage", tag: 0xbf3a, error: 0x81, cancels: { 50: "metadataMismatch" },
    codes: {
      1: "euiccSignatureInvalid", 2: "confirmationCodeMissing", 3: "confirmationCodeRefused", 4: "confirmationCodeRetriesExceeded", 5: "bppRebindingRefused", 6: "downloadOrderExpired",
      50: "metadataMismatch", 95: "invalidTransactionId", 127: "undefinedError",
    },
  },
];

/** The eIM answers so, and asks nobody. */
function answers(world: World, tag: number, body: Uint8Array): void {
  world.eim.use({ name: `answers(${tag.toString(16)})`, applies: (context) => context.function === tag, answer: () => ({ status: 200, headers: { "content-type": "application/x-gsma-rsp-asn1" }, body }) });
}

const esipa = ESIPA.flatMap(({ name, tag, error, codes, cancels }) =>
  Object.entries(codes).map(([code, told]) => {
    const reason = cancels[Number(code)];
    return defineScenario({
      name: `the eIM answers ${name} with ${code} ${told}: ${reason === undefined ? "it is told back" : `the session is cancelled with ${reason}`}`,
      objectives: ["H7", ...(reason === undefined ? [] : ["I5"])],
      world: WITH_SMDP,
      prepare(world) {
        orderAndTrigger(world, NO_NOTIFICATIONS);
        answers(world, tag, tlv(tag, tlv(error, [Number(code)])));
      },
      claims(world) {
        assert.deepEqual(outcomes(world), [`undefinedError, ${name}: ${told}${reason === undefined ? "" : `, cancelled ${reason}`}`]);
        assert.equal(downloaded(world), undefined);
        assert.equal(world.euicc.functions.includes(CANCEL_SESSION), reason !== undefined);
        assert.ok(!world.euicc.functions.includes(LOAD_BPP));
        nothingWaits(world);
      },
    });
  }),
);

/** What is no answer at all, or none that the IPA knows. */
const ODD: readonly (readonly [what: string, content: (tag: number) => Uint8Array])[] = [
  ["an error code that nobody knows", (tag) => tlv(tag, tlv(tag === 0xbf3b ? 0x82 : 0x81, [99]))],
  ["an alternative that nobody knows", (tag) => tlv(tag, tlv(0x8e, [1]))],
  ["an empty object", (tag) => tlv(tag)],
  ["the object of another function", () => tlv(0xbf4f, tlv(0x02, [1]))],
  ["an empty body", () => new Uint8Array(0)],
];

const odd = ESIPA.flatMap(({ name, tag }) =>
  ODD.map(([what, content]) =>
    defineScenario({
      name: `the eIM answers ${name} with ${what}: the download ends, and the eIM learns it`,
      objectives: ["H7"],
      world: WITH_SMDP,
      prepare(world) {
        orderAndTrigger(world, NO_NOTIFICATIONS);
        world.eim.use({ name: "once", applies: (context) => context.function === tag && context.memory.get("done") === 0, answer: (_request, context) => (context.memory.set("done", 1), { status: 200, headers: { "content-type": "application/x-gsma-rsp-asn1" }, body: content(tag) }) });
      },
      claims: (world) => installedInTheEnd(world, theOrder(world)),
    }),
  ),
);

const cancel = ([[1, "invalidTransactionId"], [2, "euiccSignatureInvalid"], [127, "undefinedError"]] as const).map(([code, told]) =>
  defineScenario({
    name: `the eIM answers cancelSession with ${code} ${told}: the download ends as it would have`,
    objectives: ["I5"],
    world: WITH_SMDP,
    prepare(world) {
      orderAndTrigger(world, { metadata: { policyRules: ["ppr1"] } });
      answers(world, CANCEL_SESSION, tlv(CANCEL_SESSION, tlv(0x81, [code])));
    },
    claims(world) {
      assert.match(outcomes(world).join(), /^undefinedError/);
      assert.equal(outcomes(world).length, 1);
      assert.equal(downloaded(world), undefined);
      nothingWaits(world);
    },
  }),
);

/** Status codes of SGP.22 v2.5 5.6, by function. */
const ES9P: Readonly<Record<Exclude<FunctionName, "handleNotification">, readonly string[]>> = {
  initiateAuthentication: ["8.8.1/3.8", "8.8.2/3.1", "8.8.3/3.1", "8.8.4/3.7", "1.2/3.4"],
  authenticateClient: ["8.1.2/6.1", "8.1.2/6.3", "8.1.3/6.1", "8.1.3/6.3", "8.1/6.1", "8.2.6/3.8", "8.1.1/3.8", "8.2.5/4.3", "8.11.1/3.9", "8.10.1/3.9", "8.1/4.8", "8.2/1.2", "8.8.5/4.10", "8.8.5/6.4"],
  getBoundProfilePackage: ["8.1/6.1", "8.2.7/2.2", "8.2.7/3.8", "8.2.7/6.4", "8.2/3.7", "8.8.5/4.10", "8.10.1/3.9", "1.2/3.4"],
  cancelSession: ["8.10.1/3.9", "8.1/6.1", "1.2/3.4"],
};

const es9p = (Object.entries(ES9P) as [FunctionName, readonly string[]][]).flatMap(([name, codes]) =>
  [...codes.map((code) => ["Failed", code] as const), ["Expired", "8.8.5/4.10"] as const].map(([status, code]) =>
    defineScenario({
      name: `${name} that is ${status} with ${code} at the SM-DP+ itself ends the direct download, and the eIM learns it`,
      objectives: ["J2"],
      world: DIRECT,
      prepare(world) {
        orderAndTrigger(world, name === "cancelSession" ? { metadata: { policyRules: ["ppr1"] } } : NO_NOTIFICATIONS);
        world.smdp.use(dp.forFunction(name, dp.failed(code, { status })));
      },
      claims(world) {
        assert.equal(outcomes(world).length, 1);
        assert.match(outcomes(world)[0] ?? "", /^undefinedError/);
        assert.equal(downloaded(world), undefined);
        assert.equal(world.euicc.functions.includes(CANCEL_SESSION), name === "cancelSession", "the server has closed the session");
        nothingWaits(world);
      },
    }),
  ),
);

/** Members that must be there, one by one. */
const MEMBERS = {
  initiateAuthentication: ["transactionId", "serverSigned1", "serverSignature1", "euiccCiPKIdToBeUsed", "serverCertificate"],
  authenticateClient: ["smdpSigned2", "smdpSignature2", "smdpCertificate"],
  getBoundProfilePackage: ["boundProfilePackage"],
} as const;

const missing = (Object.entries(MEMBERS) as [FunctionName, readonly string[]][]).flatMap(([name, members]) =>
  members.map((member) =>
    defineScenario({
      name: `${name} without ${member} from the SM-DP+ itself ends the direct download, and another trigger installs the profile`,
      objectives: ["J2"],
      world: DIRECT,
      prepare(world) {
        orderAndTrigger(world, NO_NOTIFICATIONS);
        world.smdp.use(dp.once(dp.forFunction(name, dp.withoutMember(member))));
      },
      async claims(world) {
        assert.match(outcomes(world)[0] ?? "", /^undefinedError/);
        await installedInTheEnd(world, theOrder(world));
      },
    }),
  ),
);

export const scenarios: readonly Scenario[] = [
  ...esipa,
  ...odd,
  ...cancel,
  ...es9p,
  ...missing,
  ...[false, true].map((direct) =>
    defineScenario({
      name: `a server certificate of another CI is refused by the eUICC in ${direct ? "a direct" : "an indirect"} download: nothing is installed, and the eIM learns it`,
      objectives: ["H3", "H6"],
      world: direct ? DIRECT : WITH_SMDP,
      prepare(world) {
        orderAndTrigger(world, NO_NOTIFICATIONS);
        world.smdp.use(dp.changeObject("serverCertificate", () => sharedPki({ seed: "another CI" }).dpAuth.certificate));
      },
      claims(world) {
        assert.match(outcomes(world).join(), direct ? /^undefinedError/ : /^undefinedError, AuthenticateServer: (invalidCertificate|ciPKUnknown)$/);
        assert.equal(downloaded(world), undefined);
        assert.ok(!world.euicc.functions.includes(LOAD_BPP));
        nothingWaits(world);
      },
    }),
  ),
  defineScenario({
    name: "metadata with a policy rule are refused in a direct download: the SM-DP+ is told by CancelSession, the eIM by the result",
    objectives: ["I5", "J2"],
    world: DIRECT,
    prepare: (world) => void orderAndTrigger(world, { metadata: { policyRules: ["ppr1"] } }),
    claims: (world) => endedWithOrCut(world, theOrder(world), "undefinedError"),
    traffic(world) {
      endedWith(world, theOrder(world), "undefinedError");
      assert.deepEqual(allComplaints(world), []);
      assert.equal(theOrder(world).reason, "cancelSession pprNotAllowed");
      assert.deepEqual(world.smdp.seen.map((entry) => entry.function), ["initiateAuthentication", "authenticateClient", "cancelSession"]);
    },
    replay: "cut",
    ends: "claimed",
  }),
];
