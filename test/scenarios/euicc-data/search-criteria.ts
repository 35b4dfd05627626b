/** searchCriteriaNotification and searchCriteriaEuiccPackageResult (SGP.32 v1.2 2.11.1.2): the card searches, the IPA passes on what it found. */
import assert from "node:assert/strict";
import { toHex } from "../../sim/core/bytes.js";
import { tlv } from "../../sim/codec/tlv.js";
import { dataRequest, defineScenario, until, type Scenario } from "../../sim/index.js";
import type { DataRequest } from "../../sim/eim/index.js";
import { es10Of } from "../apdu-view.js";
import { bodies, dataBody, items, keepAll, leaveSomething } from "./view.js";

/** The card's numbers begin here, so that they are of one and of two octets: EPR 254, disable 255, enable 256. */
const FIRST = 254;

/** Request, the seqNumbers that are to come in A0 and A2, and what the card is asked. */
const CASES: readonly [string, DataRequest, readonly number[], readonly number[], readonly string[]][] = [
  ["the notification with a seqNumber", { tags: [0xa0], notification: { seqNumber: 255 } }, [255], [], ["BF2B06A004800200FF"]],
  ["the notification with a greater seqNumber", { tags: [0xa0], notification: { seqNumber: 256 } }, [256], [], ["BF2B06A00480020100"]],
  ["notifications of one event", { tags: [0xa0], notification: { event: [1] } }, [256], [], ["BF2B06A00481020640"]],
  ["notifications of two events", { tags: [0xa0], notification: { event: [1, 2] } }, [255, 256], [], ["BF2B06A00481020560"]],
  ["notifications of an event that did not happen", { tags: [0xa0], notification: { event: [3] } }, [], [], ["BF2B06A00481020410"]],
  ["the number of an EPR is no notification", { tags: [0xa0], notification: { seqNumber: FIRST } }, [], [], ["BF2B06A004800200FE"]],
  ["a number that is not there", { tags: [0xa0], notification: { seqNumber: 1 } }, [], [], ["BF2B05A003800101"]],
  ["the EPR with a seqNumber", { tags: [0xa2], euiccPackageResult: { seqNumber: FIRST } }, [], [FIRST], ["BF2B06A004800200FE"]],
  ["the number of a notification is no EPR", { tags: [0xa2], euiccPackageResult: { seqNumber: 255 } }, [], [], ["BF2B06A004800200FF"]],
  ["an EPR that is not there", { tags: [0xa2], euiccPackageResult: { seqNumber: 99 } }, [], [], ["BF2B05A003800163"]],
  ["both criteria at once", { tags: [0xa2, 0xa0], notification: { seqNumber: 256 }, euiccPackageResult: { seqNumber: FIRST } }, [256], [FIRST], ["BF2B06A004800200FE", "BF2B06A00480020100"]],
  ["a criterion of one list leaves the other list whole", { tags: [0xa0, 0xa2], notification: { seqNumber: 256 } }, [256], [FIRST], ["BF2B04A0028200", "BF2B06A00480020100"]],
  ["no criterion", { tags: [0xa0, 0xa2] }, [255, 256], [FIRST], ["BF2B00", "BF2B04A0028200"]],
];

const criteria = CASES.map(([what, request, notifications, eprs, commands]) =>
  defineScenario({
    name: `search criteria: ${what}`,
    objectives: ["F4"],
    world: { euicc: { firstSeqNumber: FIRST } },
    async script(world) {
      keepAll(world);
      leaveSomething(world);
      await world.run(until.idle());
      const before = bodies(world.eim).length;
      const pending = world.euicc.pending;
      assert.deepEqual(pending.map((item) => [item.kind, item.seqNumber]), [["epr", 254], ["notification", 255], ["notification", 256]]);
      const raw = (numbers: readonly number[]): Uint8Array[] => numbers.map((number) => pending.find((item) => item.seqNumber === number)?.raw ?? new Uint8Array(0));
      const all = new Map([...items(world), [0xa0, tlv(0xa0, ...raw(notifications))], [0xa2, tlv(0xa2, ...raw(eprs))]]);
      const record = world.eim.queue(world.eid, dataRequest(request));
      world.wake("poll");
      const trace = await world.run(until.idle());
      assert.deepEqual(bodies(world.eim).slice(before), [dataBody(world, all, request.tags as number[], record.transactionId)]);
      assert.deepEqual([...new Set(es10Of(trace, "BF2B").map((one) => one.command))].sort(), [...commands].sort());
    },
    claims(world) {
      assert.ok(world.eim.seen.every((exchange) => exchange.verdict === "ok" || exchange.function === "HandleNotification"));
      assert.equal(toHex(world.euicc.pending[0]?.raw ?? new Uint8Array(0)).slice(0, 4), "BF51", "and everything stays on the card");
    },
  }));

export const scenarios: readonly Scenario[] = criteria;
