/** SM-DP+ and SM-DS of a world: the ways to them, their faults, copies, and what an end tells of them. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isFailed, type Endpoint } from "../sim/core/doors.js";
import { utf8 } from "../sim/core/bytes.js";
import { find, readAll, readOne } from "../sim/codec/tlv.js";
import { differences, endState, faults, iccid, rspBehaviours, sampleProfile, SMDP_ADDRESS, SMDS_ADDRESS, World, type AgentLike, type WorldOptions } from "../sim/index.js";

const AGENT: AgentLike = { capacity: 16, step: () => { throw new Error("unused"); }, snapshot: () => new Uint8Array(0), restore: () => undefined, fresh() { return this; } };
const world = (more: WorldOptions = {}): World => new World({ agent: AGENT, smdps: [{}], ...more });
const order = (of: World): ReturnType<World["smdp"]["order"]> => of.smdp.order({ profile: sampleProfile({ iccid: iccid(7) }), matchingId: "ONE" });
const REQUEST = { method: "POST", path: "/gsma/rsp2/es9plus/initiateAuthentication", headers: { "content-type": "application/json;charset=UTF-8" }, body: utf8("{}") };

describe("eIM to SM-DP+", () => {
  test("a world that asks for no SM-DP+ has none, and its eIM does not offer indirect download", () => {
    const offers = (of: World): boolean => find(readAll(readOne(of.eim.configurationData()).value), 0x89) !== undefined;
    assert.deepEqual([offers(new World({ agent: AGENT })), offers(world())], [false, true]);
    assert.throws(() => new World({ agent: AGENT }).smdp, /no SM-DP\+/);
  });

  test("a call takes four round trips, and reaches the server of that name in any letters", () => {
    const w = world({ es9pLatencyMs: 50 });
    const answer = w.es9p.call(SMDP_ADDRESS.toUpperCase(), REQUEST);
    assert.ok(!isFailed(answer));
    assert.deepEqual([answer.status, answer.delayMs, w.smdp.seen.length], [400, 200, 1]);
    assert.match(JSON.stringify(w.es9p.call("nowhere.example.com", REQUEST)), /"name".*nowhere/);
  });

  test("faults strike by name at counted calls, and tell whether the server has acted", () => {
    const w = world();
    const struck = (fault: Parameters<World["es9p"]["use"]>[0]): unknown[] => {
      const before = w.smdp.seen.length;
      w.es9p.use(fault);
      w.es9p.call(SMDP_ADDRESS, REQUEST);
      const answer = w.es9p.call(SMDP_ADDRESS, REQUEST);
      w.es9p.heal();
      return [isFailed(answer) ? answer.failure : answer.drop === true ? "drop" : answer.silent === true ? "silent" : answer.delayMs, w.smdp.seen.length - before - 1];
    };
    assert.deepEqual(struck(faults.nameFails(1, 2)), ["name", 0]);
    assert.deepEqual(struck(faults.refuses(1, 2)), ["link", 0]);
    assert.deepEqual(struck(faults.untrusted(1, 2)), ["trust", 0]);
    assert.deepEqual(struck(faults.connectHangs(1, 2)), ["silent", 0]);
    assert.deepEqual(struck(faults.resetAt(2)), ["link", 0]);
    assert.deepEqual(struck(faults.hangs(2)), ["silent", 0]);
    assert.deepEqual(struck(faults.losesAnswer(2)), ["drop", 1]);
    assert.deepEqual(struck(faults.lateBy(1000, 2)), [1080, 1]);
  });

  test("two servers of one address are refused", () => {
    assert.throws(() => world({ smdps: [{}, { address: "SMDP.example.com" }] }), /different addresses/);
  });
});

describe("device to SM-DP+ and SM-DS", () => {
  const open = (w: World, endpoint: Partial<Endpoint>): unknown => {
    w.modem.up({ restart: false, waitMs: 60_000 });
    return w.link.open({ peer: "SM-DP+", binding: "ES9+ HTTPS", address: SMDP_ADDRESS, ...endpoint }, 60_000);
  };

  test("ES9+ goes to the path of its function, and its server is trusted by the CI", () => {
    const w = world({ smds: [{}] });
    assert.equal(open(w, { address: SMDP_ADDRESS.toUpperCase() }), undefined);
    assert.equal(w.link.send(utf8("{}"), { first: true, last: true, total: 2, fn: 5, waitMs: 1000 }), undefined);
    const answer = w.link.receive(1000, 1000);
    assert.ok(!isFailed(answer));
    assert.deepEqual([answer.code, w.smdp.seen[0]?.function, w.smdp.seen[0]?.binding], [400, "cancelSession", "json"]);
    assert.equal(open(w, { peer: "SM-DS", address: SMDS_ADDRESS }), undefined);
  });

  test("a server without a certificate for its name is not trusted", () => {
    const refused = open(world({ smdps: [{ address: "other.example.com" }] }), { address: "other.example.com" });
    assert.ok(isFailed(refused) && refused.failure === "trust", JSON.stringify(refused));
  });

  test("a function that the binding does not have is unsupported", () => {
    const w = world();
    open(w, {});
    for (const fn of [0, 6]) {
      const refused = w.link.send(utf8("{}"), { first: true, last: true, total: 2, fn, waitMs: 1000 });
      assert.ok(isFailed(refused) && refused.failure === "unsupported");
    }
  });
});

describe("copies and ends", () => {
  test("a fork has the orders, sessions, behaviours and faults of the moment, and goes its own way", () => {
    const w = world({ smds: [{}] });
    order(w);
    w.smdp.use(rspBehaviours.once(rspBehaviours.status(503)));
    w.es9p.use(faults.refuses(1, 2));
    const twin = w.fork();
    const codes = (of: World): unknown[] => [1, 2, 3].map(() => of.es9p.call(SMDP_ADDRESS, REQUEST)).map((answer) => (isFailed(answer) ? answer.failure : answer.status));
    assert.deepEqual(codes(twin), [503, "link", 400]);
    twin.smdp.end(1, "cancelled");
    assert.deepEqual([w.smdp.orders[0]?.state, w.smdp.seen.length, w.es9p.calls], ["released", 0, 0]);
    assert.deepEqual(codes(w), [503, "link", 400]);
  });

  test("an end tells the state of every order, and the octets of a downloaded profile", () => {
    const w = world();
    order(w);
    const end = endState(w);
    assert.deepEqual(end.orders, [`${SMDP_ADDRESS}: order 1 released`]);
    const twin = w.fork();
    twin.smdp.end(1, "expired");
    assert.match(differences(end, endState(twin)) ?? "", /^orders: .*order 1 released expected\. orders: .*order 1 expired not expected$/);
    assert.equal(differences(end, endState(w.fork())), undefined);
  });
});
