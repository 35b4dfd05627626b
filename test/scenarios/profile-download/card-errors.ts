/**
 * What the eUICC refuses in a download, and Bound Profile Packages that it does not take (SGP.22 v2.5 2.5.6, 5.7.5, 5.7.6, 5.7.13; SGP.32 v1.2 3.2.3;
 * procedures 8.8, 9.5, 13, 15).
 */
import assert from "node:assert/strict";
import { ErrorReason } from "../../sim/euicc/index.js";
import { defineScenario, iccid, type Scenario, type World } from "../../sim/index.js";
import { agree, askedBeside, CANCEL_SESSION, downloaded, endedWith, endedWithOrCut, installedInTheEnd, installedQuietly, LOAD_BPP, orderAndTrigger, outcomes, rspBehaviours as dp, theOrder, WITH_SMDP } from "./view.js";

const AUTHENTICATE = { 1: "invalidCertificate", 2: "invalidSignature", 3: "unsupportedCurve", 4: "noSessionContext", 5: "invalidOid", 6: "euiccChallengeMismatch", 7: "ciPKUnknown", 127: "undefinedError" };
const PREPARE = { 1: "invalidCertificate", 2: "invalidSignature", 3: "unsupportedCurve", 4: "noSessionContext", 5: "invalidTransactionId", 127: "undefinedError" };

/** Errors of the card: relayed to the server, which ends the session, and told to the eIM. */
const codes = (tag: 0xbf38 | 0xbf21, name: string, list: Readonly<Record<number, string>>): Scenario[] =>
  Object.entries(list).map(([code, error]) =>
    defineScenario({
      name: `the eUICC's ${name} error ${error} goes to the SM-DP+ and to the eIM`,
      objectives: ["H6"],
      world: WITH_SMDP,
      prepare(world) {
        orderAndTrigger(world);
        world.euicc.refuseNext(tag, Number(code));
      },
      claims: (world) => endedWithOrCut(world, theOrder(world), `undefinedError, ${name}: ${error}`),
      traffic(world) {
        endedWith(world, theOrder(world), `undefinedError, ${name}: ${error}`);
        const last = tag === 0xbf38 ? "AuthenticateClient" : "GetBoundProfilePackage";
        assert.deepEqual(askedBeside(world).slice(-2), [last, "HandleNotification"]);
        assert.ok(!world.euicc.functions.includes(LOAD_BPP));
      },
      ...(code === "2" ? { replay: "cut" as const, ends: "claimed" as const } : {}),
    }),
  );

/** A result in the middle: nothing more is sent, the PIR is the result. */
const failing = (what: string, prepare: (world: World) => void, outcome: string, more: Partial<Scenario> = {}): Scenario =>
  defineScenario({
    name: `${what}: the PIR ${outcome} ends the loading, and reaches eIM and SM-DP+`,
    objectives: ["H11"],
    world: WITH_SMDP,
    prepare(world) {
      orderAndTrigger(world);
      prepare(world);
    },
    claims: (world) => endedWithOrCut(world, theOrder(world), outcome),
    traffic(world) {
      endedWith(world, theOrder(world), outcome);
      assert.equal(world.smdp.notifications.length, 1);
      assert.ok(!world.euicc.functions.includes(CANCEL_SESSION), "no cancel behind a PIR");
    },
    ...more,
  });

const REASONS: readonly ErrorReason[] = [ErrorReason.IncorrectInputValues, ErrorReason.Scp03tSecurityError, ErrorReason.IccidAlreadyExists, ErrorReason.InsufficientMemory, ErrorReason.PeProcessingError, ErrorReason.UnknownError];

const camel = (name: string): string => `${(name[0] as string).toLowerCase()}${name.slice(1)}`;
const STEP = ["initialiseSecureChannel", "configureISDP", "storeMetadata", "storeMetadata", "replaceSessionKeys", "loadProfileElements"];

const segments = [0, 1, 2, 3, 4, 5].flatMap((segment) => [
  failing(`segment ${segment} fails in the eUICC`, (world) => world.euicc.failSegment(segment, { errorReason: REASONS[segment] as ErrorReason }), `${STEP[segment === 4 ? 5 : segment]}, ${camel(ErrorReason[REASONS[segment] as number] as string)}`),
  defineScenario({
    name: `segment ${segment} is answered 6A80 and no PIR comes: the session is cancelled with loadBppExecutionError`,
    objectives: ["H12", "I5"],
    world: WITH_SMDP,
    prepare(world) {
      orderAndTrigger(world);
      world.euicc.failSegment(segment, { sw: 0x6a80 });
    },
    claims: (world) => endedWithOrCut(world, theOrder(world), "undefinedError, cancelled loadBppExecutionError"),
    traffic(world) {
      endedWith(world, theOrder(world), "undefinedError, cancelled loadBppExecutionError");
      assert.equal(theOrder(world).reason, "cancelSession loadBppExecutionError");
    },
    ...(segment === 3 ? { replay: "cut" as const, ends: "claimed" as const } : {}),
  }),
  defineScenario({
    name: `a proactive command behind segment ${segment} is fetched, and the loading goes on`,
    objectives: ["H14"],
    world: WITH_SMDP,
    prepare(world) {
      orderAndTrigger(world);
      world.euicc.interject(segment);
    },
    claims(world) {
      assert.deepEqual(outcomes(world), ["installed"]);
      agree(world, theOrder(world));
    },
  }),
]);

export const scenarios: readonly Scenario[] = [
  ...codes(0xbf38, "AuthenticateServer", AUTHENTICATE),
  ...codes(0xbf21, "PrepareDownload", PREPARE),
  ...segments,
  failing("a wrong MAC in the first block", (world) => void world.smdp.use(dp.wrongMac(1)), "configureISDP, scp03tSecurityError"),
  failing("a wrong MAC in the last block", (world) => void world.smdp.use(dp.wrongMac(3)), "loadProfileElements, scp03tSecurityError"),
  failing("a transactionId in BF23 of another session", (world) => void world.smdp.use(dp.wrongBppTransactionId()), "initialiseSecureChannel, invalidSignature"),
  failing("A0 with three 87", (world) => void world.smdp.use(dp.repeatedFirst87(3)), "configureISDP, scp03tSecurityError"),
  defineScenario({
    name: "an ICCID that is installed already ends with iccidAlreadyExists, and the installed profile stays",
    objectives: ["H11"],
    world: WITH_SMDP,
    prepare: (world) => void orderAndTrigger(world, { iccid: iccid(2) }),
    claims(world) {
      endedWithOrCut(world, theOrder(world), "storeMetadata, iccidAlreadyExists");
      assert.equal(downloaded(world, iccid(2)), undefined);
    },
    traffic: (world) => assert.equal(theOrder(world).state, "error"),
  }),
  failing("memory that is full in the middle", (world) => world.euicc.memoryFull(), "loadProfileElements, insufficientMemory"),
  defineScenario({
    name: "a Bound Profile Package that ends too early, in a body that is whole: no PIR comes, the session is cancelled",
    objectives: ["H12"],
    world: WITH_SMDP,
    prepare(world) {
      orderAndTrigger(world);
      world.smdp.use(dp.once(dp.forFunction("getBoundProfilePackage", dp.truncatedBpp(300))));
    },
    claims: (world) => installedInTheEnd(world, theOrder(world)),
  }),
  defineScenario({
    name: "a PIR before the last block: nothing more is sent, and the profile is installed",
    objectives: ["H11", "H10"],
    world: { ...WITH_SMDP, euicc: { quirks: ["pir-early"] } },
    prepare: (world) => void orderAndTrigger(world, { bpp: { segment: 40 } }),
    claims(world) {
      // The card holds what came until then.
      const [only] = outcomes(world);
      assert.ok(only === "installed" || /interruption$/.test(only ?? ""), only);
      assert.equal(downloaded(world) !== undefined, only === "installed");
    },
    traffic: (world) => assert.deepEqual(outcomes(world), ["installed"]),
    replay: "cut",
    ends: "claimed",
  }),
  defineScenario({
    name: "serverSignature1 that does not verify is found by the eUICC, and the SM-DP+ learns it",
    objectives: ["H6"],
    world: WITH_SMDP,
    prepare(world) {
      orderAndTrigger(world);
      world.smdp.use(dp.wrongSignature("serverSignature1"));
    },
    claims: (world) => endedWith(world, theOrder(world), "undefinedError, AuthenticateServer: invalidSignature"),
  }),
  defineScenario({
    name: "smdpSignature2 that does not verify is found by the eUICC, and the SM-DP+ learns it",
    objectives: ["H6"],
    world: WITH_SMDP,
    prepare(world) {
      orderAndTrigger(world);
      world.smdp.use(dp.wrongSignature("smdpSignature2"));
    },
    claims: (world) => endedWith(world, theOrder(world), "undefinedError, PrepareDownload: invalidSignature"),
  }),
  defineScenario({
    name: "one-time keys of the eUICC are kept for another attempt, and the profile is bound again",
    objectives: ["H13"],
    world: WITH_SMDP,
    prepare(world) {
      orderAndTrigger(world);
      world.euicc.failSegment(0, { errorReason: ErrorReason.Interruption });
    },
    claims: (world) => installedInTheEnd(world, theOrder(world)),
  }),
  defineScenario({
    name: "nothing is wrong with an A0 of several 87 that belong together",
    objectives: ["H10"],
    world: WITH_SMDP,
    prepare: (world) => void orderAndTrigger(world, { bpp: { configureIsdpBlocks: 2 } }),
    claims: (world) => installedQuietly(world, theOrder(world)),
  }),
];
