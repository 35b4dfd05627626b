/** What scenarios.test.ts claims of every scenario's reports (scenarios/quiet-reports.ts) finds what it is there for. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { concat, fromHex, toHex, utf8 } from "../sim/core/bytes.js";
import { runScenario, type Scenario, type Trace, type World } from "../sim/index.js";
import { scenarios } from "../scenarios/index.js";
import { WITH_SMDP } from "../scenarios/profile-download/view.js";
import { checkReports, withQuietReports } from "../scenarios/quiet-reports.js";

const CODE = "4711-0815";
const sha256 = (octets: Uint8Array): Uint8Array => new Uint8Array(createHash("sha256").update(octets).digest());
const scenario: Scenario = { ...(scenarios.find((one) => one.name.startsWith("a Confirmation Code that the eIM has")) as Scenario), world: { ...WITH_SMDP, configuration: { confirmationCode: CODE } } };

/** The run with one report more. */
function told(trace: Trace, payload: Uint8Array, detail = 0): Trace {
  const copy = trace.since(0);
  copy.add({ kind: "report", at: 0, code: 15, name: "ProfileInstalled", detail, payload });
  return copy;
}

function secrets(world: World): readonly Uint8Array[] {
  const [order] = world.smdp.orders;
  const session = fromHex(world.smdp.sessions[0]?.transactionId ?? "");
  assert.ok(order?.confirmationCode !== undefined && session.length > 0);
  const hashCc = sha256(concat(sha256(utf8(order.confirmationCode)), session));
  return [utf8(`x ${CODE}`), utf8(order.matchingId), utf8(order.confirmationCode), hashCc, order.profile.subarray(30, 60), order.bound?.smdpOtsk ?? session, fromHex(world.eid)];
}

test("a report that tells a Confirmation Code, its hash, a matchingId, a key, the EID or octets of a profile is found", async () => {
  const { world, trace, failure } = await runScenario(scenario);
  assert.equal(failure, undefined);
  checkReports(world, trace);
  for (const secret of secrets(world)) assert.throws(() => checkReports(world, told(trace, secret)), /tells the/, toHex(secret));
});

test("a payload that is no eimId is found, and a number that is text", async () => {
  const { world, trace } = await runScenario(scenario);
  checkReports(world, told(trace, utf8(world.eim.eimId), -5));
  assert.throws(() => checkReports(world, told(trace, utf8("anything else"))), /expected nothing or an eimId/);
  assert.throws(() => checkReports(world, told(trace, new Uint8Array(0), 0x34373131)), /neither a status/);
});

test("it is claimed beside what the scenario claims itself", async () => {
  const leaking: Scenario = { ...scenario, traffic: (world) => world.trace.add({ kind: "report", at: 0, code: 15, name: "ProfileInstalled", detail: 0, payload: utf8(CODE) }) };
  assert.match((await runScenario(withQuietReports(leaking))).failure?.message ?? "", /tells the confirmation code of the configuration/);
});
