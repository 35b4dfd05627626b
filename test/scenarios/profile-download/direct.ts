/**
 * Direct profile download (SGP.32 v1.2 3.2.3.1; SGP.22 v2.5 5.6, 6.5; procedures 9): the device itself speaks ES9+ in JSON with the SM-DP+, the eIM triggers
 * and is told.
 */
import assert from "node:assert/strict";
import { defineScenario, faults, rspBehaviours as dp, SMDP_ADDRESS, type Scenario, type WorldOptions } from "../../sim/index.js";
import type { FunctionName } from "../../sim/rsp/index.js";
import { agree, allComplaints, askedBeside, endedWith, installedInTheEnd, MATCHING_ID, orderAndTrigger, outcomes, placeOrder, theOrder, trigger, WITH_SMDP } from "./view.js";

const DIRECT: WorldOptions = { ...WITH_SMDP, configuration: { features: [0, 1, 2, 3] } };
const NO_NOTIFICATIONS = { metadata: {} };

/** Answers as other servers write them. */
const WRITTEN = [
  ["with members in another order and white space everywhere", dp.spacedOut()],
  ["with base64 in lines", dp.base64Whitespace()],
  ["with escaped slashes", dp.escapedSlashes()],
  ["with members that nobody knows", dp.extraMembers()],
  ["with transaction ids in lower case", dp.lowerCaseTransactionId()],
  ["with a warning", dp.withWarning()],
] as const;

const written = WRITTEN.map(([what, behaviour]) =>
  defineScenario({
    name: `ES9+ answers ${what} are read`,
    objectives: ["J1", "J6"],
    world: DIRECT,
    prepare(world) {
      orderAndTrigger(world, NO_NOTIFICATIONS);
      world.smdp.use(behaviour);
      world.link.split("random");
    },
    claims(world) {
      assert.deepEqual(outcomes(world), ["installed"]);
      agree(world, theOrder(world));
    },
  }),
);

const FUNCTIONS: readonly FunctionName[] = ["initiateAuthentication", "authenticateClient", "getBoundProfilePackage"];

const failing = FUNCTIONS.flatMap((name) =>
  ([
    ["fails with a status code", dp.failed("8.2.6/3.8")], ["answers HTTP 500", dp.status(500)], ["answers without a header", dp.withoutHeader()],
    ["answers with an empty body", dp.emptyBody()], ["closes the connection", dp.lostAnswer()], ["never answers", dp.lostAnswer("silent")], ["answers what is no JSON", dp.body(new Uint8Array(40).fill(0x7b))],
    ["breaks off in its answer", dp.truncated(100)],
  ] as const).map(([what, behaviour]) =>
    defineScenario({
      name: `an SM-DP+ that ${what} in ${name}: the eIM learns the failure, and the next trigger tells the same story`,
      objectives: ["J2"],
      world: DIRECT,
      prepare(world) {
        orderAndTrigger(world, NO_NOTIFICATIONS);
        world.smdp.use(dp.once(dp.forFunction(name, behaviour)));
      },
      claims(world) {
        const all = outcomes(world);
        assert.equal(all.length, 1);
        assert.match(all[0] ?? "", what === "answers without a header" || what === "closes the connection" ? /^(undefinedError|installed)/ : /^undefinedError/);
        agree(world, theOrder(world));
      },
    }),
  ),
);

export const scenarios: readonly Scenario[] = [
  defineScenario({
    name: "an activation code is downloaded from the SM-DP+ itself, and SM-DP+ and eIM are both told",
    objectives: ["J1", "J4"],
    world: DIRECT,
    prepare: (world) => void orderAndTrigger(world, NO_NOTIFICATIONS),
    claims: (world) => installedInTheEnd(world, theOrder(world)),
    traffic(world) {
      assert.deepEqual(outcomes(world), ["installed"]);
      assert.deepEqual(allComplaints(world), []);
      assert.deepEqual(askedBeside(world), ["HandleNotification"]);
      assert.deepEqual(world.smdp.seen.slice(0, 4).map((entry) => entry.function), [...FUNCTIONS, "handleNotification"]);
      assert.equal(world.smdp.notifications.length, 1);
    },
    replay: "cut",
    ends: "claimed",
  }),
  ...written,
  ...failing,
  defineScenario({
    name: "a directly downloaded package octet by octet is the same",
    objectives: ["J1", "J6"],
    world: DIRECT,
    prepare(world) {
      orderAndTrigger(world, { ...NO_NOTIFICATIONS, bpp: { segment: 40 } });
      world.link.split("single");
    },
    claims: (world) => installedInTheEnd(world, theOrder(world)),
  }),
  defineScenario({
    name: "an SM-DP+ that its certificate does not vouch for is not spoken to",
    objectives: ["J3"],
    world: DIRECT,
    prepare(world) {
      orderAndTrigger(world, NO_NOTIFICATIONS);
      world.link.use(faults.untrusted(1, 2));
    },
    claims: (world) => endedWith(world, theOrder(world), "undefinedError"),
  }),
  defineScenario({
    name: "a PIR that the SM-DP+ does not take reaches it later, the eIM is told at once",
    objectives: ["J4"],
    world: DIRECT,
    prepare(world) {
      orderAndTrigger(world, NO_NOTIFICATIONS);
      world.smdp.use(dp.once(dp.forFunction("handleNotification", dp.status(500))));
    },
    claims: (world) => installedInTheEnd(world, theOrder(world)),
  }),
  defineScenario({
    name: "a PIR that the eIM does not take yet reaches it later, the SM-DP+ has it at once",
    objectives: ["J4"],
    world: DIRECT,
    prepare(world) {
      orderAndTrigger(world, NO_NOTIFICATIONS);
      world.eim.use({ name: "refusesFirstResult()", applies: (context) => context.function === 0xbf3d && context.memory.get("done") === 0, answer: (_request, context) => (context.memory.set("done", 1), { status: 503, headers: {}, body: new Uint8Array(0) }) });
    },
    claims: (world) => installedInTheEnd(world, theOrder(world)),
    replay: "cut",
    ends: "claimed",
  }),
  defineScenario({
    name: "an SM-DS is asked by the device itself, and its event is downloaded",
    objectives: ["J5"],
    world: { ...DIRECT, smds: [{}] },
    prepare(world) {
      placeOrder(world, NO_NOTIFICATIONS);
      world.smds[0]?.register({ eid: world.eid, eventId: MATCHING_ID, address: SMDP_ADDRESS });
      trigger(world, { contactSmds: true });
    },
    claims: (world) => installedInTheEnd(world, theOrder(world)),
  }),
];
