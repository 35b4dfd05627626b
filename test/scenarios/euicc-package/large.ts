/**
 * Results and packages larger than the agent's memory (SGP.32 v1.2 3.3.1; transport 5.4): a result is streamed by reading it from the eUICC again, a package
 * that does not fit is refused with undefinedError.
 */
import assert from "node:assert/strict";
import { BOOTSTRAP, defineScenario, faults, iccid, OPERATIONAL, psmo, type Scenario, type World, type WorldOptions } from "../../sim/index.js";
import { toHex } from "../../sim/core/bytes.js";
import { asked, pending, pollsEnded, provided, results } from "../esipa-view.js";

const notifications = [{ events: ["enable", "disable", "delete"], address: "smdp.example.com" }] as const;

/** `count` profiles, the first one enabled; each takes some 90 octets in a list. */
function profiles(count: number): NonNullable<WorldOptions["profiles"]> {
  return Array.from({ length: count }, (_, n) => ({ iccid: iccid(n + 1), enabled: n === 0, profileName: `Profile number ${n + 1}`, serviceProviderName: "Operator", notifications }));
}

/** The list has all profiles, and the EPR was sent as the eUICC keeps it. */
function listed(world: World, count: number): void {
  const [result] = world.eim.results(world.eid);
  assert.ok(result?.verified);
  assert.equal(result.commands?.[0]?.profiles?.length, count);
  assert.deepEqual(pending(world), []);
  assert.ok(provided(world.eim).some((sent) => sent.includes(toHex(result.der))));
}

/** About 1.9, 3.2, 3.3, 4.0, 4.2, 7.5 kB of EPR. */
const lists = [20, 34, 35, 36, 37, 42, 43, 44, 45, 80].map((count) =>
  defineScenario({
    name: `a list of ${count} profiles reaches the eIM whole`,
    objectives: ["D15"],
    world: { profiles: profiles(count) },
    prepare: (world) => void world.eim.queue(world.eid, psmo.listProfileInfo()),
    claims: (world) => listed(world, count),
    traffic: (world, trace) => assert.deepEqual([asked(world.eim), pollsEnded(trace)], [["GetEimPackage", "ProvideEimPackageResult", "GetEimPackage"], [0]]),
  }));

const chains = ([["61xx", 20], ["61xx", 255], ["9000", 256], ["6Cxx", 100]] as const).map(([response, responseChunk]) =>
  defineScenario({
    name: `a list of 60 profiles in answers of ${responseChunk} octets by ${response} reaches the eIM whole`,
    objectives: ["D15", "A7"],
    world: { profiles: profiles(60), euicc: { apdu: { response, responseChunk } } },
    prepare: (world) => void world.eim.queue(world.eid, psmo.listProfileInfo()),
    claims: (world) => listed(world, 60),
  }));

const andNotifications = defineScenario({
  name: "a large result and more notifications than fit into memory are bundled, and all of them acknowledged and removed",
  objectives: ["D15", "D2"],
  world: { profiles: profiles(60) },
  prepare: (world) => void world.eim.queue(world.eid, [psmo.listProfileInfo(), ...[10, 11, 12, 13, 14].map((n) => psmo.delete(iccid(n)))]),
  claims(world) {
    listed(world, 60);
    assert.equal(world.eim.notifications(world.eid).length, 5);
    assert.ok(world.eim.notifications(world.eid).every((item) => item.verified));
  },
  traffic: (world) => assert.ok(provided(world.eim)[0]?.startsWith("30"), "bundled"),
});

const manyNotifications = [3, 8].map((count) =>
  defineScenario({
    name: `${count} notifications, ${count} kB, are bundled with a small result`,
    objectives: ["D15", "D2"],
    world: { profiles: profiles(12) },
    prepare: (world) => void world.eim.queue(world.eid, Array.from({ length: count }, (_, n) => psmo.delete(iccid(n + 2)))),
    claims(world) {
      assert.deepEqual([results(world), pending(world)], [[Array.from({ length: count }, () => "delete 0").join(", ")], []]);
      assert.equal(world.eim.notifications(world.eid).length, count);
    },
    traffic: (world) => assert.deepEqual(asked(world.eim), ["GetEimPackage", "ProvideEimPackageResult", "GetEimPackage"]),
  }));

const cut = defineScenario({
  name: "a result of 4.5 kB survives the power cut at every op",
  objectives: ["D15", "D11"],
  world: { profiles: profiles(48) },
  prepare: (world) => void world.eim.queue(world.eid, [psmo.listProfileInfo(), psmo.delete(iccid(5))]),
  claims(world) {
    listed(world, 48);
    assert.deepEqual(results(world), ["listProfileInfo 0, delete 0"]);
  },
  replay: "cut",
});

const withSwitch = ([
  ["an enable", [psmo.listProfileInfo(), psmo.enable(OPERATIONAL)], "listProfileInfo 0, enable 0", OPERATIONAL],
  ["an enable that fails", [psmo.listProfileInfo(), psmo.enable(iccid(99))], "listProfileInfo 0, enable 1", BOOTSTRAP],
] as const).map(([what, commands, expected, then]) =>
  defineScenario({
    name: `a list of 60 profiles and ${what} in one package: the result is delivered whole`,
    objectives: ["D15", "D9"],
    world: { profiles: profiles(60) },
    prepare: (world) => void world.eim.queue(world.eid, commands),
    claims(world) {
      listed(world, 60);
      assert.deepEqual([results(world), world.enabled], [[expected], then]);
    },
    ...(then === OPERATIONAL ? { replay: "cut" } : {}),
  }));

const brokenLink = defineScenario({
  name: "the connection breaks while a large result is sent: it is read from the eUICC and sent again",
  objectives: ["D15", "D12"],
  world: { profiles: profiles(60) },
  prepare(world) {
    world.link.use(faults.resetAt(2));
    world.eim.queue(world.eid, psmo.listProfileInfo());
  },
  claims: (world) => listed(world, 60),
});

/** A package of setDefaultDpAddress commands, `octets` long as BF4F body, or one or two less. */
function addresses(octets: number): ReturnType<typeof psmo.setDefaultDpAddress>[] {
  const head = 163; // BF4F, BF51, 30, eimId, EID, counter, eimTransactionId, A0, signature
  const one = 100;
  const whole = Math.floor((octets - head) / one);
  const rest = octets - head - whole * one;
  const of = (size: number): ReturnType<typeof psmo.setDefaultDpAddress> => psmo.setDefaultDpAddress("a".repeat(size - 6));
  return [...Array.from({ length: whole - 1 }, () => of(one)), of(one + Math.min(rest, 20)), ...(rest > 20 ? [of(rest - 20 + 6)] : [])];
}

/** What the agent must take at least is less by the head of a body that it builds there. */
const AGENT_BUFFER = 4096;

const packages = [1000, 3000, 3900, 4000, 4040, 4046, 4048, 4050, 4060, 4100, 5000, 12_000].map((octets) =>
  defineScenario({
    name: `a package of about ${octets} octets is executed, or refused with undefinedError when it is too large, and the next one is executed`,
    objectives: ["D1", "N2", "C6"],
    prepare(world) {
      world.eim.queue(world.eid, addresses(octets), { transactionId: Uint8Array.of(1, 2) });
      world.eim.queue(world.eid, psmo.setDefaultDpAddress("last.example.com"));
    },
    claims(world) {
      const [first, last] = world.eim.results(world.eid);
      assert.equal(world.eim.results(world.eid).length, 2);
      assert.equal(last?.commands?.[0]?.code, 0);
      const body = (world.eim.device(world.eid).packages[0]?.der.length ?? 0) + 5; // BF4F and its length
      if (first?.kind === "euiccPackageResult") assert.ok(body <= AGENT_BUFFER && first.commands?.every((command) => command.code === 0));
      else assert.deepEqual([first?.kind, first?.error?.code, body > AGENT_BUFFER - 96, toHex(first?.der ?? new Uint8Array(0))], ["eimPackageResultResponseError", 127, true, "A0078002010202017F"]);
      assert.equal(world.euicc.snapshot().nonvolatile.defaultDpAddress, "last.example.com");
      assert.deepEqual(pending(world), []);
    },
    ...(octets === 5000 ? { replay: "cut" } : {}),
  }));

const smallBlocks = ([[15, 3000], [16, 4000], [120, 4000], [255, 4000]] as const).map(([blockSize, octets]) =>
  defineScenario({
    name: `a package of ${octets} octets goes to the eUICC in blocks of ${blockSize} octets`,
    objectives: ["D1", "A6"],
    world: { configuration: { blockSize } },
    prepare: (world) => void world.eim.queue(world.eid, addresses(octets)),
    claims: (world) => assert.ok(world.eim.results(world.eid)[0]?.commands?.every((command) => command.code === 0)),
  }));

export const scenarios: readonly Scenario[] = [...lists, ...chains, andNotifications, ...manyNotifications, cut, ...withSwitch, brokenLink, ...packages, ...smallBlocks];
