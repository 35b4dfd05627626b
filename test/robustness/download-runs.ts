/**
 * Profile downloads to record (SGP.32 v1.2 3.2.3.1, 3.2.3.2): indirect and direct, every form of trigger, with Confirmation Code, cancelled, failing in the eUICC,
 * interrupted, and with answers of the SM-DP+ in other people's handwriting.
 */
import { behaviours, downloadTrigger, faults, iccid, rspBehaviours as dp, sampleProfile, SMDP_ADDRESS, until, type World, type WorldOptions } from "../sim/index.js";
import { ErrorReason } from "../sim/euicc/index.js";
import type { DownloadHandling } from "../sim/eim/index.js";
import type { DownloadTrigger } from "../sim/eim/packages.js";
import type { OrderOptions } from "../sim/smdp/index.js";
import type { Run } from "./recordings.js";

const MATCHING_ID = "04386-AGYFT";
const CODE = "1234";
const INDIRECT: WorldOptions = { smdps: [{}], smds: [{}] };
const DIRECT: WorldOptions = { ...INDIRECT, configuration: { features: [0, 1, 2, 3], confirmationCode: CODE } };

function order(world: World, options: Partial<OrderOptions> = {}): string {
  const profile = sampleProfile({ iccid: iccid(7), ...(options.bpp === undefined ? {} : { size: 900 }) });
  return world.smdp.activationCode(world.smdp.order({ profile, matchingId: MATCHING_ID, ...options }));
}

function trigger(world: World, data: DownloadTrigger, handling?: DownloadHandling): void {
  world.eim.queue(world.eid, downloadTrigger(data, handling));
}

function byActivationCode(world: World, options: Partial<OrderOptions> = {}, handling?: DownloadHandling): void {
  trigger(world, { activationCode: order(world, options) }, handling);
}

function byEvent(world: World): void {
  order(world);
  world.smds[0]?.register({ eid: world.eid, eventId: MATCHING_ID, address: SMDP_ADDRESS });
  trigger(world, { contactSmds: true });
}

const TOLD = { metadata: { notifications: [{ events: ["install", "enable"] as const, address: "other.example.com" }, { events: ["install"] as const, address: SMDP_ADDRESS }] } };

/** Both ways: through the eIM, and to the SM-DP+ itself. */
const both = (name: string, play: NonNullable<Run["play"]>, more: WorldOptions = {}): Run[] => [
  { name: `indirect: ${name}`, world: { ...INDIRECT, ...more, configuration: { confirmationCode: CODE, ...more.configuration } }, play },
  { name: `direct: ${name}`, world: { ...DIRECT, ...more, configuration: { ...DIRECT.configuration, ...more.configuration } }, play },
];

export const DOWNLOADS: readonly Run[] = [
  ...both("activation code", (world) => byActivationCode(world, TOLD)),
  ...both("several blocks, session keys replaced, pieces of any size", (world) => {
    byActivationCode(world, { ppk: true, bpp: { segment: 40 } });
    world.link.split("random");
  }, { configuration: { blockSize: 60 }, euicc: { apdu: { response: "9000" } } }),
  ...both("Confirmation Code", (world) => byActivationCode(world, { confirmationCode: CODE }, { confirmationCode: CODE })),
  ...both("default SM-DP+", (world) => {
    order(world, { matchingId: "", eid: world.eid });
    trigger(world, { contactDefaultSmdp: true });
  }, { euicc: { defaultDpAddress: SMDP_ADDRESS } }),
  ...both("SM-DS", byEvent),
  ...both("cancelled because of a policy rule", (world) => byActivationCode(world, { metadata: { policyRules: ["ppr1"] } })),
  ...both("fails in the eUICC", (world) => {
    byActivationCode(world);
    world.euicc.failSegment(3, { errorReason: ErrorReason.InsufficientMemory });
  }),
  ...both("no result from the eUICC", (world) => {
    byActivationCode(world);
    world.euicc.failSegment(2, { sw: 0x6a80 });
  }),
  ...both("refused by the SM-DP+", (world) => {
    byActivationCode(world);
    world.smdp.use(dp.once(dp.forFunction("authenticateClient", dp.failed("8.2.6/3.8"))));
  }),
  ...both("refused by the eUICC", (world) => {
    byActivationCode(world);
    world.euicc.refuseNext(0xbf21, 2);
  }),
  ...both("interrupted by the power, and told afterwards", async (world) => {
    byActivationCode(world);
    await world.run(until.ops(60));
    world.powerCut();
  }),
  ...both("enabled at once", (world) => byActivationCode(world), { configuration: { switches: ["ImmediateEnable"] } }),
  {
    name: "indirect: the eIM holds all", world: { ...INDIRECT, configuration: { features: [1, 2, 3, 4] } },
    play: (world) => trigger(world, {}, { activationCode: order(world, { confirmationCode: CODE }), confirmationCode: CODE }),
  },
  {
    name: "indirect: the result is refused, the notification taken", world: INDIRECT,
    play: (world) => {
      byActivationCode(world);
      world.eim.use(behaviours.once(behaviours.forFunction(0xbf3d, behaviours.status(400))));
      world.eim.use(behaviours.once(behaviours.forFunction(0xbf50, behaviours.status(400))));
    },
  },
  {
    name: "direct: SM-DP+ out of reach for the result", world: DIRECT,
    play: (world) => {
      byActivationCode(world);
      world.smdp.use(dp.once(dp.forFunction("handleNotification", dp.status(500))));
    },
  },
  ...([["spaced out", dp.spacedOut()], ["base64 in lines", dp.base64Whitespace()], ["more members", dp.extraMembers()], ["with a warning", dp.withWarning()]] as const).map(([name, behaviour]): Run => ({
    name: `direct: ${name}`, world: DIRECT,
    play: (world) => {
      byActivationCode(world);
      world.smdp.use(behaviour);
      world.link.use(faults.losesAnswer(4));
    },
  })),
];
