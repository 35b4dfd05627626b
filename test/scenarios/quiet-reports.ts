/**
 * Reports are for logs and operators' screens: numbers, and names of eIMs, whatever a device holds in secret (SGP.22 v2.5 4.5, 4.7; host/README.md, Report). What the
 * agent reports in any scenario is looked through.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { concat, fromHex, toHex, utf8 } from "../sim/core/bytes.js";
import type { Scenario, Trace, World } from "../sim/index.js";

/** Octets of a profile that in a row are no chance hit, and how far into it is looked. */
const WINDOW = 6;
const FIRST_OCTETS = 4000;
/** counterValue has three octets: no text of four letters is a number that small. */
const HIGHEST_NUMBER = 0xff_ffff;
const LOWEST_STATUS = -300;

const sha256 = (octets: Uint8Array): Uint8Array => new Uint8Array(createHash("sha256").update(octets).digest());

/** The scenario with one claim more: its reports tell no secret. */
export function withQuietReports(scenario: Scenario): Scenario {
  return {
    ...scenario,
    async traffic(world, trace) {
      await scenario.traffic?.(world, trace);
      checkReports(world, trace);
    },
  };
}

/** What nobody may read in a log: by name, as hexadecimal. */
function secretsOf(world: World): Map<string, string> {
  const found = new Map<string, string>();
  const add = (name: string, octets: Uint8Array | undefined): void => void (octets !== undefined && octets.length > 0 && found.set(name, toHex(octets)));
  const code = (name: string, text: string | undefined): void => {
    if (text === undefined) return;
    add(`${name}`, utf8(text));
    add(`SHA-256 of ${name}`, sha256(utf8(text)));
    for (const smdp of world.smdps) for (const { transactionId } of smdp.sessions) add(`hashCc of ${name} in ${transactionId}`, sha256(concat(sha256(utf8(text)), fromHex(transactionId))));
  };
  code("confirmation code of the configuration", world.options.configuration?.confirmationCode);
  for (const smdp of world.smdps) {
    for (const order of smdp.orders) {
      code(`confirmation code of order ${order.id}`, order.confirmationCode);
      add(`matchingId of order ${order.id}`, utf8(order.matchingId));
      for (const [name, key] of Object.entries(order.ppk ?? {})) add(`profile protection key ${name}`, key as Uint8Array);
      add("one-time private key of the SM-DP+", order.bound?.smdpOtsk);
      for (let at = 0; at + WINDOW <= order.profile.length && at < FIRST_OCTETS; at += WINDOW) add(`profile of order ${order.id} at ${at}`, order.profile.subarray(at, at + WINDOW));
    }
  }
  add("IMEI", utf8("356938035643809"));
  add("EID", fromHex(world.eid));
  return found;
}

/** Throws when a report says more than a number and the name of an eIM. */
export function checkReports(world: World, trace: Trace): void {
  const names = new Set(["", ...world.eims.map((eim) => toHex(utf8(eim.eimId)))]);
  const secrets = secretsOf(world);
  for (const { name, detail, payload } of trace.reports) {
    const hex = toHex(payload);
    for (const [what, secret] of secrets) assert.ok(!hex.includes(secret), `${name} tells the ${what}`);
    assert.ok(names.has(hex), `${name} carries ${hex}, expected nothing or an eimId`);
    const number = detail | 0;
    assert.ok(number >= LOWEST_STATUS && number <= HIGHEST_NUMBER, `${name} with detail ${detail}: neither a status, a code nor a small number`);
  }
}
