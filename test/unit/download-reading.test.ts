/**
 * Whole downloads, read a second time: every message of agent, eUICC, eIM and SM-DP+ decoded with asn1js by schemas of its own, field by field against what is known
 * beforehand (download-conversation.ts). A flipped octet in anything that the agent has sent is found by it.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fromHex, toHex } from "../sim/core/bytes.js";
import { Rng } from "../sim/core/rng.js";
import { downloadTrigger, iccid, sampleProfile, SMDP_ADDRESS, until, World } from "../sim/index.js";
import type { OrderOptions } from "../sim/smdp/index.js";
import { check, conversationOf, type Conversation, type Known } from "./download-conversation.js";

const MATCHING_ID = "04386-AGYFT-A74Y8-3F815";
const IMEI = "356938035643809";
const CODE = "1234-äß";
/** 2.999.10 */
const SMDP_OID = fromHex("88370A");
const FLIPS = 1500;

interface Case {
  readonly name: string;
  readonly direct: boolean;
  readonly order: Partial<OrderOptions>;
  readonly size?: number;
  readonly blocks: number;
}

const CASES: readonly Case[] = [false, true].flatMap((direct) => {
  const way = direct ? "direct" : "indirect";
  return [
    { name: `${way}, a small profile in one block`, direct, order: {}, blocks: 1 },
    { name: `${way}, with Confirmation Code and replaced session keys, in many blocks`, direct, order: { confirmationCode: CODE, ppk: true, bpp: { segment: 100 } }, size: 2000, blocks: 20 },
  ];
});

async function play({ direct, order, size, blocks }: Case): Promise<{ conversation: Conversation; known: Known }> {
  const world = new World({
    smdps: [{}],
    configuration: { imei: IMEI, ...(direct ? { features: [0, 1, 2, 3] as const, ...(order.confirmationCode === undefined ? {} : { confirmationCode: order.confirmationCode }) } : {}) },
  });
  const profile = sampleProfile({ iccid: iccid(7), ...(size === undefined ? {} : { size }) });
  const placed = world.smdp.order({ profile, matchingId: MATCHING_ID, ...order });
  const code = order.confirmationCode;
  world.eim.queue(world.eid, downloadTrigger({ activationCode: world.smdp.activationCode(placed) }, code === undefined || direct ? {} : { confirmationCode: code }));
  const trace = await world.run(until.idle());
  assert.equal(world.smdp.orderById(placed.id).state, "installed", trace.print());
  const { pki } = world;
  const known: Known = {
    eid: world.eid, imei: IMEI, address: SMDP_ADDRESS, matchingId: MATCHING_ID, iccid: placed.iccid, ...(code === undefined ? {} : { confirmationCode: code }), direct, blocks, plmn: "00F110",
    certificates: { dpAuth: pki.dpAuth.certificate, dpPb: pki.dpPb.certificate, euicc: pki.euicc.certificate, eum: pki.eum.certificate }, metadata: placed.metadata, smdpOid: SMDP_OID,
  };
  return { conversation: conversationOf(world, trace), known };
}

/** The conversation with one octet of what the agent sent changed; tells which. */
function flipped({ exchanges, commands }: Conversation, rng: Rng): { changed: Conversation; what: string } {
  const sent = [...exchanges.map((one) => one.request), ...commands.map((one) => one.command)];
  let at = rng.int(sent.reduce((sum, one) => sum + one.length, 0));
  const index = sent.findIndex((one) => at < one.length || ((at -= one.length), false));
  const message = (sent[index] as Uint8Array).slice();
  message[at] = (message[at] as number) ^ (1 << rng.int(8));
  const inExchange = index < exchanges.length;
  return {
    what: `octet ${at} of ${toHex((sent[index] as Uint8Array).subarray(0, 8))}`,
    changed: {
      exchanges: exchanges.map((one, n) => (inExchange && n === index ? { ...one, request: message } : one)),
      commands: commands.map((one, n) => (!inExchange && n === index - exchanges.length ? { ...one, command: message } : one)),
    },
  };
}

describe("a whole download read by other eyes", () => {
  for (const one of CASES) {
    test(`${one.name}: every field is what it must be, and every signature verifies`, async () => {
      const { conversation, known } = await play(one);
      check(conversation, known);
    });
  }

  test("an octet that the agent would send otherwise is found, wherever it is", async () => {
    for (const one of CASES) {
      const { conversation, known } = await play(one);
      const rng = new Rng(5);
      for (let n = 0; n < FLIPS / CASES.length; n++) {
        const { changed, what } = flipped(conversation, rng);
        assert.throws(() => check(changed, known), Error, `${one.name}: ${what} with a flipped bit was taken`);
      }
    }
  });
});
