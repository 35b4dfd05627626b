/**
 * The power goes, or the link, at any moment of a download (SGP.32 v1.2 3.2.3.2; SGP.22 v2.5 3.1.3.3; procedures 13, 28): the profile is installed once or not
 * at all, and card, SM-DP+ and eIM tell the same story. Where it was not installed, another trigger does it.
 */
import assert from "node:assert/strict";
import { defineScenario, faults, type Scenario, type World } from "../../sim/index.js";
import { ErrorReason } from "../../sim/euicc/index.js";
import { installedInTheEnd, orderAndTrigger, outcomes, theOrder, WITH_SMDP } from "./view.js";

const NO_NOTIFICATIONS = { metadata: {} };

const cut = (name: string, more: Partial<Scenario>, prepare = (world: World): void => void orderAndTrigger(world, NO_NOTIFICATIONS)): Scenario =>
  defineScenario({
    name,
    objectives: ["H16"],
    world: WITH_SMDP,
    prepare,
    claims: (world) => installedInTheEnd(world, theOrder(world)),
    replay: "cut",
    ends: "claimed",
    ...more,
  });

const EXCHANGES = ["GetEimPackage", "InitiateAuthentication", "AuthenticateClient", "GetBoundProfilePackage", "the result", "the next GetEimPackage"];

const link = EXCHANGES.flatMap((what, index) =>
  ([["is lost before it arrives", faults.resetAt], ["is taken, and its answer lost", faults.losesAnswer], ["is never answered", faults.hangs]] as const).map(([how, fault]) =>
    defineScenario({
      name: `${what} ${how}: the profile is installed once, and all know it`,
      objectives: ["H13"],
      world: WITH_SMDP,
      prepare(world) {
        orderAndTrigger(world, NO_NOTIFICATIONS);
        world.link.use(fault(index + 1));
      },
      claims: (world) => installedInTheEnd(world, theOrder(world)),
    }),
  ),
);

/** Octets of the answer to GetBoundProfilePackage after which the connection is closed. */
const breaks = [0, 1, 3, 20, 40, 200, 230, 240, 300, 400, 433].map((octets) =>
  defineScenario({
    name: `the Bound Profile Package breaks off after ${octets} octets: the profile is installed once, and all know it`,
    objectives: ["H13", "I9"],
    world: WITH_SMDP,
    prepare(world) {
      orderAndTrigger(world, NO_NOTIFICATIONS);
      world.eim.use({
        name: `breaksOff(${octets})`,
        applies: (context) => context.function === 0xbf3a && context.memory.get("done") === 0,
        response(response, context) {
          context.memory.set("done", 1);
          return { ...response, truncateTo: octets };
        },
      });
    },
    claims: (world) => installedInTheEnd(world, theOrder(world)),
    ...(octets === 300 ? { replay: "cut" as const, ends: "claimed" as const } : {}),
  }),
);

export const scenarios: readonly Scenario[] = [
  cut("a power cut at any op of a download: the profile is installed once or not at all, and all know the truth", {}),
  cut("a power cut at any op, of a card that forgets what it had begun: the trigger is worked off once more", { world: { ...WITH_SMDP, euicc: { download: { interrupted: "discard" } } } }),
  cut("a power cut at any op of a download in several blocks", {}, (world) => void orderAndTrigger(world, { ...NO_NOTIFICATIONS, ppk: true, bpp: { segment: 40 } })),
  cut("a power cut at any op of a download whose profile tells its installation to the SM-DP+", {}, (world) => void orderAndTrigger(world)),
  cut("a power cut at any op of a download that fails in the eUICC: the failure is told once", {
    claims: (world) => installedInTheEnd(world, theOrder(world)),
  }, (world) => {
    orderAndTrigger(world, NO_NOTIFICATIONS);
    world.euicc.failSegment(3, { errorReason: ErrorReason.InsufficientMemory });
  }),
  ...link,
  ...breaks,
  defineScenario({
    name: "a download that was cut off by a lost bearer goes on when it is back",
    objectives: ["H13"],
    world: WITH_SMDP,
    prepare(world) {
      orderAndTrigger(world, NO_NOTIFICATIONS);
      world.modem.outage(5_800, 600_000);
    },
    claims: (world) => installedInTheEnd(world, theOrder(world)),
    replay: "cut",
    ends: "claimed",
  }),
  defineScenario({
    name: "the same trigger given again after its result was lost is answered with the result, and nothing is installed twice",
    objectives: ["H17", "I4"],
    world: WITH_SMDP,
    prepare(world) {
      orderAndTrigger(world, NO_NOTIFICATIONS);
      world.link.use(faults.losesAnswer(5, 3));
    },
    async claims(world) {
      await installedInTheEnd(world, theOrder(world));
    },
    traffic(world) {
      assert.deepEqual(outcomes(world), ["installed"]);
      assert.equal(theOrder(world).transactions.length, 1);
    },
    replay: "cut",
    ends: "claimed",
  }),
  defineScenario({
    name: "a second trigger waits until the first one's download is over",
    objectives: ["H17"],
    world: WITH_SMDP,
    prepare(world) {
      const order = orderAndTrigger(world, NO_NOTIFICATIONS);
      world.eim.queue(world.eid, { kind: "profileDownloadTriggerRequest", trigger: { activationCode: world.smdp.activationCode(order) } });
    },
    claims(world) {
      assert.deepEqual(outcomes(world), ["installed", "undefinedError, authenticateClient: matchingIdRefused"]);
      assert.equal(theOrder(world).state, "installed");
    },
  }),
];
