/**
 * The link is lost at every exchange of a direct download, of one that is cancelled, and of one by an SM-DS (SGP.32 v1.2 3.2.3.1; SGP.22 v2.5 3.1.3.3, 3.6.2; procedures
 * 9, 13, 15, 17, 28): the profile is installed once, or the session is over, and all know it.
 */
import assert from "node:assert/strict";
import { defineScenario, faults, SMDP_ADDRESS, type Scenario, type World, type WorldOptions } from "../../sim/index.js";
import { agree, downloaded, installedInTheEnd, MATCHING_ID, nothingWaits, orderAndTrigger, outcomes, placeOrder, settled, theOrder, trigger, WITH_SMDP } from "./view.js";

const QUIET = { metadata: {} };
const features = [0, 1, 2, 3];
const DIRECT: WorldOptions = { ...WITH_SMDP, smds: [{}], configuration: { features } };
const INDIRECT: WorldOptions = { ...WITH_SMDP, smds: [{}] };

const FAULTS = [["is lost before it arrives", faults.resetAt], ["is taken, and its answer lost", faults.losesAnswer], ["is never answered", faults.hangs]] as const;

/** One scenario for each exchange, in the order in which the device makes them, and each fault. */
const each = (way: string, world: WorldOptions, exchanges: readonly string[], prepare: (world: World) => void, claims: (world: World) => Promise<void>): Scenario[] =>
  exchanges.flatMap((what, index) =>
    FAULTS.map(([how, fault]) =>
      defineScenario({
        name: `${way}: ${what} (${index + 1}.) ${how}`,
        objectives: ["H13", ...(world === DIRECT ? ["J4"] : [])],
        world,
        prepare(one) {
          prepare(one);
          one.link.use(fault(index + 1));
        },
        claims,
      }),
    ),
  );

function byEvent(world: World): void {
  placeOrder(world, QUIET);
  world.smds[0]?.register({ eid: world.eid, eventId: MATCHING_ID, address: SMDP_ADDRESS });
  trigger(world, { contactSmds: true });
}

const install = (world: World): Promise<void> => installedInTheEnd(world, theOrder(world));

/** A cancelled download: nothing is installed, whoever was told, and the eIM has one result. */
async function cancelled(world: World): Promise<void> {
  await settled(world);
  assert.match(outcomes(world).join(), /^undefinedError/);
  assert.equal(outcomes(world).length, 1);
  assert.equal(downloaded(world), undefined);
  nothingWaits(world);
}

const SESSION = ["InitiateAuthentication", "AuthenticateClient", "GetBoundProfilePackage"];

/** A connection that can't be made at all, each in its turn: eIM, SM-DP+, eIM again. */
const unreachable = [1, 2, 3].flatMap((nth) =>
  ([["is refused", faults.refuses], ["finds no name", faults.nameFails], ["hangs", faults.connectHangs]] as const).map(([how, fault]) =>
    defineScenario({
      name: `direct download: connection ${nth} ${how}, and the profile is installed once`,
      objectives: ["H13", "J4"],
      world: DIRECT,
      prepare(world) {
        orderAndTrigger(world, QUIET);
        world.link.use(fault(1, nth));
      },
      claims: install,
    }),
  ),
);

export const scenarios: readonly Scenario[] = [
  ...each("direct download", DIRECT, ["GetEimPackage", ...SESSION, "HandleNotification to the SM-DP+", "the result to the eIM", "the next GetEimPackage"], (world) => void orderAndTrigger(world, QUIET), install),
  ...each("direct download by an SM-DS", DIRECT, ["GetEimPackage", "InitiateAuthentication to the SM-DS", "AuthenticateClient to the SM-DS", ...SESSION], byEvent, async (world) => {
    await settled(world);
    if (outcomes(world).at(-1) === "installed") agree(world, theOrder(world));
    else await install(world);
  }),
  ...each("indirect download by an SM-DS", INDIRECT, ["GetEimPackage", "InitiateAuthentication to the SM-DS", "AuthenticateClient to the SM-DS", ...SESSION, "the result", "the next GetEimPackage"], byEvent, async (world) => {
    await settled(world);
    if (outcomes(world).at(-1) === "installed") agree(world, theOrder(world));
    else await install(world);
  }),
  ...[DIRECT, INDIRECT].flatMap((world) =>
    each(`a cancelled ${world === DIRECT ? "direct" : "indirect"} download`, world, ["GetEimPackage", "InitiateAuthentication", "AuthenticateClient", "CancelSession", "the result", "the next GetEimPackage"],
      (one) => void orderAndTrigger(one, { metadata: { policyRules: ["ppr1"] } }), cancelled),
  ),
  ...unreachable,
];
