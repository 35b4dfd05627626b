/**
 * What an SM-DP+ refuses, and what goes wrong between eIM and SM-DP+ (SGP.32 v1.2 5.14.1 to 5.14.3; SGP.22 v2.5 5.6; procedures 8.10, 12, 15, 27):
 * every error reaches the eIM's records by name; only where the card's session has to be told, it is cancelled.
 */
import assert from "node:assert/strict";
import { defineScenario, faults, type Scenario, type World } from "../../sim/index.js";
import type { FunctionName } from "../../sim/rsp/index.js";
import { agree, askedBeside, CANCEL_SESSION, endedWith, endedWithOrCut, installedInTheEnd, installedQuietly, LOAD_BPP, MATCHING_ID, orderAndTrigger, outcomes, placeOrder, rspBehaviours as dp, theOrder, trigger, WITH_SMDP } from "./view.js";

type Row = readonly [code: string, name: string];

const INITIATE: readonly Row[] = [["8.8.1/3.8", "invalidDpAddress"], ["8.8.3/3.1", "euiccVersionNotSupportedByDp"], ["8.8.2/3.1", "ciPKIdNotSupported"], ["8.8.4/3.7", "ciPKIdNotSupported"], ["1.2/3.4", "undefinedError"]];
const AUTHENTICATE: readonly Row[] = [
  ["8.1.2/6.1", "eumCertificateInvalid"], ["8.1.2/6.3", "eumCertificateExpired"], ["8.1.3/6.1", "euiccCertificateInvalid"], ["8.1.3/6.3", "euiccCertificateExpired"],
  ["8.1/6.1", "euiccSignatureInvalid"], ["8.2.6/3.8", "matchingIdRefused"], ["8.1.1/3.8", "eidMismatch"], ["8.2.5/4.3", "noEligibleProfile"], ["8.11.1/3.9", "ciPKUnknown"],
  ["8.10.1/3.9", "invalidTransactionId"], ["8.1/4.8", "insufficientMemory"], ["8.2/1.2", "undefinedError"],
];
const BOUND: readonly Row[] = [
  ["8.1/6.1", "euiccSignatureInvalid"], ["8.2.7/2.2", "confirmationCodeMissing"], ["8.2.7/3.8", "confirmationCodeRefused"], ["8.2.7/6.4", "confirmationCodeRetriesExceeded"],
  ["8.2/3.7", "bppRebindingRefused"], ["8.8.5/4.10", "downloadOrderExpired"], ["8.10.1/3.9", "invalidTransactionId"], ["1.2/3.4", "undefinedError"],
];

const rows = (name: FunctionName, list: readonly Row[]): Scenario[] =>
  list.flatMap(([code, error], index) =>
    (["json", "asn1"] as const).map((es9pBinding) =>
      defineScenario({
        name: `${name} that fails with ${code} is told as ${error} (ES9+ ${es9pBinding})`,
        objectives: ["H7", "I4"],
        world: { ...WITH_SMDP, eims: [{ es9pBinding }] },
        prepare(world) {
          orderAndTrigger(world);
          world.smdp.use(dp.forFunction(name, dp.failed(code)));
        },
        claims(world) {
          // The order at this SM-DP+ was moved on before the made-up answer: only the eIM's record counts.
          assert.deepEqual(outcomes(world), [`undefinedError, ${name}: ${error}`]);
          assert.equal(world.euicc.profiles.length, 2);
          assert.ok(!world.euicc.functions.includes(LOAD_BPP));
        },
        traffic(world) {
          assert.ok(!world.euicc.functions.includes(CANCEL_SESSION), "the server has closed the session");
          assert.deepEqual(askedBeside(world).slice(-1), ["HandleNotification"]);
        },
        ...(index === 0 && es9pBinding === "json" ? { replay: "cut" as const } : {}),
      }),
    ),
  );

const REAL: readonly (readonly [what: string, (world: World) => void, outcome: string])[] = [
  ["a matchingId that nobody knows", (world) => (placeOrder(world), trigger(world, { activationCode: `1$smdp.example.com$${MATCHING_ID}X` })), "undefinedError, authenticateClient: matchingIdRefused"],
  ["an order for another EID", (world) => void orderAndTrigger(world, { eid: "89049032123451234512345678901334" }), "undefinedError, authenticateClient: eidMismatch"],
  ["an order for other devices", (world) => void orderAndTrigger(world, { tacs: ["12345678"] }), "undefinedError, authenticateClient: noEligibleProfile"],
  ["an order that has expired", (world) => void orderAndTrigger(world, { expiresAt: 1 }), "undefinedError, authenticateClient: undefinedError"],
  ["an order that is not released", (world) => void orderAndTrigger(world, { released: false }), "undefinedError, authenticateClient: undefinedError"],
  ["a profile that needs more memory than the eUICC has", (world) => void orderAndTrigger(world, { memory: 10_000_000 }), "undefinedError, authenticateClient: insufficientMemory"],
  ["an SM-DP+ that does not exist", (world) => (placeOrder(world), trigger(world, { activationCode: `1$nowhere.example.com$${MATCHING_ID}` })), "undefinedError, initiateAuthentication: invalidDpAddress"],
];

const real = REAL.map(([what, prepare, outcome]) =>
  defineScenario({
    name: `${what} ends the download: ${outcome}`,
    objectives: ["H7"],
    world: WITH_SMDP,
    prepare,
    claims: (world) => endedWith(world, theOrder(world), outcome),
  }),
);

/** Faults of the way from eIM to SM-DP+ at each of the calls: the eIM says undefinedError, and another trigger succeeds. */
const WAYS: readonly (readonly [what: string, fault: (nth: number) => ReturnType<typeof faults.refuses>])[] = [
  ["the SM-DP+ refuses the connection", (nth) => faults.refuses(1, nth)],
  ["the SM-DP+ does not answer", (nth) => faults.hangs(nth)],
  ["the SM-DP+'s answer is lost", (nth) => faults.losesAnswer(nth)],
  ["the SM-DP+ answers after the eIM's patience", (nth) => faults.lateBy(31_000, nth)],
];
const CALLS = ["initiateAuthentication", "authenticateClient", "getBoundProfilePackage"] as const;

const ways = WAYS.flatMap(([what, fault]) =>
  CALLS.map((name, index) =>
    defineScenario({
      name: `${what} in ${name}: the eIM learns undefinedError, and the next trigger installs the profile`,
      objectives: ["H13", "H7"],
      world: WITH_SMDP,
      prepare(world) {
        orderAndTrigger(world);
        world.es9p.use(fault(index + 1));
      },
      async claims(world) {
        assert.deepEqual(outcomes(world), [`undefinedError, ${name}: undefinedError`]);
        await installedInTheEnd(world, theOrder(world));
      },
    }),
  ),
);

export const scenarios: readonly Scenario[] = [
  ...rows("initiateAuthentication", INITIATE),
  ...rows("authenticateClient", AUTHENTICATE),
  ...rows("getBoundProfilePackage", BOUND),
  ...real,
  ...ways,
  defineScenario({
    name: "an SM-DP+ that answers slowly, but within the IPA's patience, is waited for",
    objectives: ["H13"],
    world: WITH_SMDP,
    prepare(world) {
      orderAndTrigger(world);
      for (const nth of [1, 2, 3]) world.es9p.use(faults.lateBy(29_000, nth));
    },
    claims: (world) => installedQuietly(world, theOrder(world)),
  }),
  defineScenario({
    name: "an SM-DP+ that is slower than the IPA's patience: the IPA begins anew, and it is installed once",
    objectives: ["H13"],
    world: { ...WITH_SMDP, configuration: { exchangeTimeoutMs: 10_000 } },
    prepare(world) {
      orderAndTrigger(world);
      world.es9p.use(faults.lateBy(20_000, 3));
    },
    claims: (world) => installedInTheEnd(world, theOrder(world)),
  }),
  defineScenario({
    name: "a PIR that the SM-DP+ is not there to take stays with the eIM until it is",
    objectives: ["K1"],
    world: WITH_SMDP,
    prepare(world) {
      orderAndTrigger(world);
      world.es9p.use(faults.refuses(1, 4));
    },
    claims(world) {
      assert.deepEqual(outcomes(world), ["installed"]);
      assert.deepEqual(world.euicc.pending, []);
      world.eim.flush();
      agree(world, theOrder(world));
    },
  }),
  ...[["50", "pprNotAllowed"] as const].map(([, error]) =>
    defineScenario({
      name: `the eIM's own ${error} cancels the session with reason pprNotAllowed`,
      objectives: ["H7", "I5"],
      world: { ...WITH_SMDP, configuration: { features: [1, 2, 3, 4] } },
      prepare(world) {
        orderAndTrigger(world, { metadata: { policyRules: ["ppr1"] } }, { verifyMetadata: true });
      },
      claims: (world) => endedWithOrCut(world, theOrder(world), "undefinedError, authenticateClient: pprNotAllowed, cancelled pprNotAllowed"),
      traffic(world) {
        endedWith(world, theOrder(world), "undefinedError, authenticateClient: pprNotAllowed, cancelled pprNotAllowed");
        assert.equal(theOrder(world).reason, "cancelSession pprNotAllowed");
      },
      replay: "cut",
      ends: "claimed",
    }),
  ),
  defineScenario({
    name: "the eIM's own metadataMismatch cancels the session with reason metadataMismatch",
    objectives: ["H7", "I5"],
    world: { ...WITH_SMDP, configuration: { features: [1, 2, 3, 4] } },
    prepare(world) {
      orderAndTrigger(world, {}, { verifyMetadata: true });
      world.smdp.use(dp.metadataMismatch());
    },
    claims(world) {
      endedWith(world, theOrder(world), "undefinedError, getBoundProfilePackage: metadataMismatch, cancelled metadataMismatch");
      assert.equal(theOrder(world).reason, "cancelSession metadataMismatch");
    },
  }),
];
