/**
 * What scenarios of Profile Rollback (SGP.32 v1.2 3.3.2) share: eIMs that can't be given the first result, and what holds afterwards.
 * The first result is told from the rollback's by its euiccResult: `30 03 8C 01 00` is that of a rollback (2.11.2).
 */
import assert from "node:assert/strict";
import { toHex } from "../../sim/core/bytes.js";
import { BOOTSTRAP, OPERATIONAL, Report, until, type Trace, type World } from "../../sim/index.js";
import type { Behaviour } from "../../sim/eim/index.js";
import { es10Of } from "../apdu-view.js";
import { provided, PROVIDE_RESULT, results } from "../esipa-view.js";

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
/** A watch that is short enough for a cut at each of its ops, and few tries after it. */
export const SHORT_WATCH = { watchS: 40, backoffBaseS: 1200 };
/** No notifications: fewer ops to cut at. */
export const QUIET_PROFILES = [{ iccid: BOOTSTRAP, enabled: true }, { iccid: OPERATIONAL }];

const PROFILE_ROLLBACK = 0xbf58;

export function isRollbackResult(body: Uint8Array): boolean {
  return toHex(body).includes("30038C0100");
}

function isResult(body: Uint8Array): boolean {
  return (body[0] as number) * 256 + (body[1] as number) === PROVIDE_RESULT;
}

/** As `behaviour` answers, where a result of an enable is provided; everything else, and the result of a rollback, is taken. */
export function forFirstResult(behaviour: Behaviour): Behaviour {
  return {
    name: `forFirstResult(${behaviour.name})`,
    answer: (request, context) => (isResult(request.body) && !isRollbackResult(request.body) ? behaviour.answer?.(request, context) : undefined),
  };
}

/** As `behaviour` answers any result, up to a moment of the eIM's clock. */
export function forResultsUntil(ms: number, behaviour: Behaviour): Behaviour {
  return {
    name: `forResultsUntil(${ms}, ${behaviour.name})`,
    answer: (request, context) => (isResult(request.body) && context.time < ms ? behaviour.answer?.(request, context) : undefined),
  };
}

/** The eIM takes the first result, and its answer is lost each time; that of the rollback's result is not. */
export function losesAnswerToFirstResult(): Behaviour {
  return {
    name: "losesAnswerToFirstResult()",
    request: (request, context) => {
      context.memory.set("lose", isResult(request.body) && !isRollbackResult(request.body) ? 1 : 0);
      return request;
    },
    response: (response, context) => (context.memory.get("lose") === 1 ? { ...response, drop: true } : response),
  };
}

/** How often ProfileRollback came to the card. */
export function rollbacks(world: World): number {
  return world.euicc.functions.filter((tag) => tag === PROFILE_ROLLBACK).length;
}

/** The former Profile is enabled again, the eIM knows, and nothing of it is left over. Holds after any cut. */
export function assertRolledBack(world: World): void {
  assert.equal(world.enabled, BOOTSTRAP);
  assert.deepEqual(results(world), ["rollback 0"], "the result of the rollback stands, alone");
  assert.ok(world.eim.results(world.eid).every((result) => result.verified));
  assert.equal(world.euicc.rollbackGranted, false);
  assert.deepEqual(world.euicc.pending, [], "what the eIM acknowledged is removed");
  const tooLate = world.euicc.refusals.filter((refusal) => refusal.what === "ProfileRollback" && refusal.answer === "1").length;
  assert.ok(tooLate <= 1, `${tooLate} ProfileRollback after the one that was executed: at most one, where its answer was lost`);
  assert.equal(world.store.read(1), undefined, "no package is left in the journal");
}

/** One ProfileRollback, and the EPR that it answered is the one that was delivered, octet by octet. */
export function assertOneRollback(world: World, trace: Trace): void {
  const commands = es10Of(trace, "BF58");
  assert.deepEqual(commands.map((one) => one.command), ["BF58038001FF"]);
  const epr = /^BF58.*?020100(BF51.*)$/.exec(commands[0]?.answer ?? "")?.[1] ?? "none";
  assert.ok(provided(world.eim).at(-1)?.includes(epr), "the EPR of the rollback is delivered as the card gave it");
}

/** The enabled Profile stays, and its result reaches the eIM in the end, once. Holds after any cut. */
export function assertNotRolledBack(world: World, expected = ["enable 0"]): void {
  assert.equal(rollbacks(world), 0, "no ProfileRollback");
  assert.equal(world.enabled, OPERATIONAL);
  assert.deepEqual(results(world), expected);
  assert.deepEqual(world.euicc.pending, []);
}

/** Runs until the agent reported `code`. */
export async function untilReport(world: World, code: Report): Promise<void> {
  const from = world.trace.entries.length;
  while (!world.trace.since(from).reports.some((report) => report.code === code)) await world.run(until.ops(1));
}
