/** The world (clock, rest, power, copies) and the scenario runner, with a scripted agent that only polls. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Binding, Event, Flag, Op, Peer, Report } from "../sim/agent/index.js";
import { fromHex, toHex, utf8 } from "../sim/core/bytes.js";
import { readAll, tlv } from "../sim/codec/tlv.js";
import { behaviours, cutScenario, defineScenario, differences, endState, faults, iccid, psmo, OPERATIONAL, runScenario, until, World, type AgentLike, type EventMessage, type OpMessage, type Scenario, type WorldOptions } from "../sim/index.js";

/**
 * Polls once at Start and at each Wake: StoreRead of its counter, StoreWrite of it plus one, Bearer, LinkOpen, GetEimPackage, LinkClose,
 * Report, Sleep. `careless` counts from nothing after each Start.
 */
class Poller implements AgentLike {
  readonly capacity = 1024;
  #at = 0;
  #ref = 0;
  #count = 0;
  constructor(readonly trust: Uint8Array, readonly eid: string, readonly periodMs = 60_000, readonly careless = false) {}

  step(event: EventMessage): OpMessage {
    if (event.kind === Event.Start) this.#at = 0;
    if (event.kind === Event.Wake) this.#at = 2;
    if (this.#at === 1) this.#count = !this.careless && (event.status ?? 0) === 0 ? (event.payload?.[0] ?? 0) : 0;
    const at = this.#at++;
    const failedLink = at > 3 && at < 7 && (event.status ?? 0) < 0;
    if (failedLink) this.#at = 8;
    return this.#op(failedLink ? 7 : at, event);
  }

  #op(at: number, event: EventMessage): OpMessage {
    const op = (kind: Op, more: Partial<OpMessage> = {}): OpMessage => ({ kind, flags: 0, aux: 0, waitMs: 0, ref: ++this.#ref, arg0: 0, arg1: 0, payload: new Uint8Array(0), ...more });
    const request = tlv(0xbf4f, tlv(0x5a, fromHex(this.eid)));
    switch (at) {
      case 0: return op(Op.StoreRead, { arg0: 3 });
      case 1: return op(Op.Report, { arg0: Report.Started });
      case 2: return op(Op.StoreWrite, { arg0: 3, payload: Uint8Array.of(++this.#count) });
      case 3: return op(Op.Bearer, { waitMs: 10_000 });
      case 4: return op(Op.LinkOpen, { aux: Peer.Eim + 256 * Binding.EsipaHttps, waitMs: 5000, payload: concat2(tlv(0x80, utf8("eim.example.com")), this.trust) });
      case 5: return op(Op.LinkSend, { flags: Flag.First | Flag.Last, arg0: request.length, payload: request, waitMs: 5000 });
      case 6: return op(Op.LinkReceive, { arg0: 1024, waitMs: 5000 });
      case 7: return op(Op.LinkClose);
      case 8: return op(Op.Report, { arg0: Report.PollEnded, arg1: event.status ?? 0 });
      default: return op(Op.Sleep, { waitMs: this.periodMs, flags: Flag.Idle });
    }
  }

  snapshot(): Uint8Array {
    return utf8(JSON.stringify([this.#at, this.#ref, this.#count]));
  }
  restore(state: Uint8Array): void {
    [this.#at, this.#ref, this.#count] = JSON.parse(new TextDecoder().decode(state)) as [number, number, number];
  }
  fresh(): Poller {
    return new Poller(this.trust, this.eid, this.periodMs, this.careless);
  }
}

function concat2(a: Uint8Array, b: Uint8Array): Uint8Array {
  return Uint8Array.from([...a, ...b]);
}

const pki = new World({ agent: new Poller(new Uint8Array(0), "") }).pki;
const model = new World({ agent: new Poller(new Uint8Array(0), "") });
const TRUST = readAll(readAll(model.eim.configurationData())[0]?.value ?? new Uint8Array(0)).find((item) => item.tag === 0xa6)?.raw ?? new Uint8Array(0);

function options(more: { careless?: boolean } & WorldOptions = {}): WorldOptions {
  const { careless = false, ...rest } = more;
  return { pki, agent: new Poller(TRUST, pki.eid, 60_000, careless), ...rest };
}

const polls = (world: World): number => world.eim.seen.filter((exchange) => exchange.function === "GetEimPackage").length;

describe("world", () => {
  test("it is idle when the agent sleeps with IDLE and the eIM has nothing for it", async () => {
    const world = new World(options());
    await world.run(until.idle());
    assert.equal(polls(world), 1);
    assert.equal(world.host.op.kind, Op.Sleep);
  });

  test("what waits at the eIM keeps it from being idle, and an endless run is stopped", async () => {
    const world = new World(options());
    world.eim.queue(world.eid, psmo.enable(OPERATIONAL));
    await assert.rejects(world.run(until.idle(), { ops: 200 }), /not idle after 200 ops/);
    await assert.rejects(world.run(until.idle(), { ms: 600_000 }), /not idle after 600000 ms/);
  });

  test("a run may end after polls, ops or time, in the middle of a sleep too", async () => {
    const world = new World(options());
    await world.run(until.ops(3));
    assert.equal(world.host.op.kind, Op.Bearer);
    await world.run(until.polls(3));
    assert.equal(polls(world), 3);
    const before = world.clock.now();
    await world.run(until.time(30_000));
    assert.equal(world.clock.now() - before, 30_000);
    await world.run(until.time(40_000));
    assert.equal(polls(world), 4);
  });

  test("simulated weeks take milliseconds", async () => {
    const world = new World(options({ agent: new Poller(TRUST, pki.eid, 3_600_000) }));
    await world.run(until.time(14 * 24 * 3_600_000));
    assert.equal(polls(world), 336);
  });

  test("a wake ends the sleep at once and tells its reason", async () => {
    const world = new World(options());
    await world.run(until.idle());
    world.wake("stateChanged", 3);
    const trace = await world.run(until.polls(1));
    assert.deepEqual(trace.events.filter((event) => event.name === "Wake").map((event) => [event.arg0, event.arg1]), [[8, 3]]);
  });

  test("a device that switches off when idle tells that the card was reset", async () => {
    const world = new World(options({ offWhenIdle: true }));
    const trace = await world.run(until.polls(2));
    assert.deepEqual(trace.events.filter((event) => event.name === "Wake").map((event) => event.flags), [Flag.CardReset]);
    assert.equal(trace.totals().connections, 2);
  });

  test("a power cut starts the agent anew; store and peers stay, entropy is fresh", async () => {
    const world = new World(options());
    await world.run(until.idle());
    const before = world.host.agent;
    world.powerCut();
    assert.notEqual(world.host.agent, before);
    const trace = await world.run(until.idle());
    assert.equal(world.store.read(3)?.[0], 2);
    assert.equal(polls(world), 2);
    const starts = world.trace.events.filter((event) => event.name === "Start").map((event) => toHex(event.payload));
    assert.equal(new Set(starts).size, 2);
    assert.equal(trace.exchanges.length, 1);
  });

  test("the same seed gives the same trace, another seed another one", async () => {
    const run = async (seed: number): Promise<string> => {
      const world = new World(options({ seed }));
      world.link.split("random");
      await world.run(until.polls(3));
      return JSON.stringify(world.trace);
    };
    assert.equal(await run(5), await run(5));
    assert.notEqual(await run(5), await run(6));
  });

  test("a fork at any op goes on as the world itself does, and neither disturbs the other", async () => {
    const whole = new World(options());
    whole.eim.use(behaviours.once(behaviours.lateBy(9000)));
    whole.link.use(faults.refuses(1, 3));
    await whole.run(until.polls(4));
    for (let op = 0; op < whole.trace.opCount - 1; op += 3) {
      const world = new World(options());
      world.eim.use(behaviours.once(behaviours.lateBy(9000)));
      world.link.use(faults.refuses(1, 3));
      await world.run(until.ops(op));
      const twin = world.fork();
      await twin.run(until.ops(whole.trace.opCount - twin.trace.opCount));
      assert.ok(JSON.stringify(twin.trace) === JSON.stringify(whole.trace), `fork at op ${op}`);
      assert.equal(world.trace.opCount - 1, op);
    }
  });

  test("a fork has the same chances: cut at the same op, both start with the same entropy", async () => {
    const world = new World(options());
    await world.run(until.ops(5));
    const twin = world.fork();
    for (const one of [world, twin]) {
      one.powerCut();
      await one.run(until.polls(1));
    }
    assert.ok(JSON.stringify(twin.trace) === JSON.stringify(world.trace));
  });

  test("faults of the link and the device reach the agent as statuses", async () => {
    const world = new World(options());
    world.link.use(faults.untrusted(1));
    world.link.use(faults.nameFails(1, 2));
    world.link.use(faults.losesAnswer(1));
    await world.run(until.polls(3));
    assert.deepEqual(world.trace.of("link").filter((entry) => entry.what === "refused").map((entry) => entry.reason?.split(":")[0]), ["trust", "name"]);
    assert.deepEqual(world.trace.exchanges.map((entry) => entry.reason?.split(":")[0]), ["link"]);
  });

  test("the same world runs over real sockets", async () => {
    const result = await runScenario(scenario(), { real: true });
    assert.equal(result.failure, undefined);
    assert.ok(result.trace.exchanges.every((exchange) => exchange.code === 200));
  });
});

function scenario(more: Partial<Scenario> & { careless?: boolean } = {}): Scenario {
  const { careless = false, ...rest } = more;
  return defineScenario({
    name: "three polls are counted", objectives: ["A1"], world: options({ careless }), until: until.polls(3),
    claims: (world) => assert.ok((world.store.read(3)?.[0] ?? 0) >= polls(world), "each poll is counted"),
    replay: "cut",
    ...rest,
  });
}

describe("scenario runner", () => {
  test("a claim that holds passes, one that fails says how to repeat it", async () => {
    assert.equal((await runScenario(scenario())).failure, undefined);
    const { failure } = await runScenario(scenario({ claims: () => assert.fail("no") }), { seed: 9 });
    assert.match(failure?.message ?? "", /no\n {2}repeat: tinyipa run "three polls are counted" --seed 9$/);
  });

  test("cuts are made before and after every op, and one that changes the end is found", async () => {
    const good = await cutScenario(scenario());
    assert.deepEqual(good.failures, []);
    const ops = 7 * 3 + 2 + 2;
    assert.ok(good.cuts >= 2 * (ops - 3) && good.cuts <= 2 * ops, `${good.cuts} cuts`);
    const careless = scenario({ world: options({ careless: true }) });
    assert.equal((await runScenario(careless)).failure, undefined);
    const bad = await cutScenario(careless);
    assert.ok(bad.failures.length > 0 && bad.failures.length < bad.cuts, `${bad.failures.length} of ${bad.cuts}`);
    const [, cut] = /--seed 1 --cut (\d+)$/.exec(bad.failures[0]?.message ?? "") ?? [];
    assert.match((await runScenario(careless, { cut: Number(cut) })).failure?.message ?? "", /each poll is counted/);
  });

  test("a scenario with a script is cut by running it again, and ends as a fork does", async () => {
    const scripted = scenario({ script: async (world) => void (await world.run(until.polls(3))) });
    const reports = [await cutScenario(scripted), await cutScenario(scenario())];
    assert.deepEqual(reports[0]?.failures, []);
    assert.equal(reports[0]?.cuts, reports[1]?.cuts);
  });

  test("--cut N repeats just that cut", async () => {
    const { world, failure } = await runScenario(scenario(), { cut: 7 });
    assert.equal(failure, undefined);
    assert.equal(world.trace.notes.filter((note) => note.text.startsWith("power cut")).length, 1);
    assert.match((await runScenario(scenario(), { cut: 9999 })).failure?.message ?? "", /expected a cut before/);
  });

  test("an end that differs is told in words", () => {
    const world = new World(options());
    const end = endState(world);
    assert.equal(differences(end, endState(world.fork())), undefined);
    const twin = world.fork();
    twin.euicc.install({ iccid: iccid(3) });
    assert.match(differences(end, endState(twin)) ?? "", /^profiles: .* disabled not expected$/);
    assert.match(differences({ ...end, results: ["a", "a"] }, { ...end, results: ["a"] }) ?? "", /^results: a expected$/);
    assert.match(differences(end, { ...end, pending: [4], nextSeqNumber: 5 }) ?? "", /seqNumber 4 left .* next seqNumber is 5, expected 1/);
  });

  test("what breaks the contract is a failure of the scenario, a broken world is thrown", async () => {
    const breaking: AgentLike = { ...plain(), step: () => ({ kind: 99 as Op, flags: 0, aux: 0, waitMs: 0, ref: 1, arg0: 0, arg1: 0, payload: new Uint8Array(0) }) };
    assert.match((await runScenario(scenario({ world: { pki, agent: breaking } }))).failure?.message ?? "", /no such op/);
    await assert.rejects(runScenario(scenario({ prepare: () => { throw new TypeError("typo"); } })), TypeError);
  });
});

function plain(): AgentLike {
  const agent: AgentLike = { capacity: 16, step: () => { throw new Error("unused"); }, snapshot: () => new Uint8Array(0), restore: () => undefined, fresh() { return this; } };
  return agent;
}
