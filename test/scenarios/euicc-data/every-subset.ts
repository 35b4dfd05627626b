/** SGP.32 v1.2 3.4: each of the 2047 sets of tags, in any order and with repetitions, is answered in the order of the type with what the card says. */
import assert from "node:assert/strict";
import { toHex } from "../../sim/core/bytes.js";
import { Rng } from "../../sim/core/rng.js";
import { BOOTSTRAP, dataRequest, defineScenario, OPERATIONAL, Trace, until, type Scenario, type World } from "../../sim/index.js";
import { es10 } from "../apdu-view.js";
import { complaints } from "../esipa-view.js";
import { bodies, CAPABILITIES, dataBody, errorBody, items, keepAll, leaveSomething, TAGS } from "./view.js";

const rich = {
  configuration: { maxPackages: 4000 },
  eims: [{ association: { associationToken: "request" as const } }],
  euicc: { defaultDpAddress: "dp.example.com", rootDsAddress: "ds.example.com" },
  profiles: [{ iccid: BOOTSTRAP, enabled: true }, { iccid: OPERATIONAL, notifications: [{ events: ["enable"] as const, address: "dp.example.com" }] }],
};

/** Learns the token, leaves an EPR and a notification on the card. */
async function fillCard(world: World): Promise<void> {
  keepAll(world);
  world.eim.queue(world.eid, dataRequest({ tags: [0x84] }));
  leaveSomething(world);
  await world.run(until.idle());
}

function subset(number: number): number[] {
  return TAGS.filter((_tag, bit) => (number >> bit & 1) === 1);
}

/** In any order, and one of them twice now and then. */
function shuffled(tags: readonly number[], rng: Rng): number[] {
  const out = rng.int(4) === 0 ? [...tags, rng.pick(tags)] : [...tags];
  for (let i = out.length - 1; i > 0; i--) {
    const j = rng.int(i + 1);
    [out[i], out[j]] = [out[j] as number, out[i] as number];
  }
  return out;
}

/** ES10 functions that the items need; each is asked once. */
function functions(tags: readonly number[]): string[] {
  const needed: [string, readonly number[]][] = [["BF20", [0xbf20]], ["BF22", [0xbf22]], ["BF3C", [0x81, 0x83]], ["BF55", [0x84]], ["BF56", [0xa5, 0xa6]], ["BF2B00", [0xa0]], ["BF2B04A0028200", [0xa2]]];
  return needed.filter(([, by]) => by.some((tag) => tags.includes(tag))).map(([name]) => name).sort();
}

/** ES10 commands before each ProvideEimPackageResult, since the exchange before it. */
function asked(trace: Trace): string[][] {
  const found: string[][] = [];
  let from = 0;
  trace.entries.forEach((entry, at) => {
    if (entry.kind !== "exchange") return;
    if (toHex(entry.request).startsWith("BF50")) found.push(es10(new Trace(trace.entries.slice(from, at))).map((one) => one.command));
    from = at;
  });
  return found;
}

/** Each once: a list that is too long for memory is read a second time while it is sent. The emergency check is the IPA's own affair. */
function named(commands: readonly string[]): string[] {
  const names = commands.filter((command) => !command.startsWith("BF2D")).map((command) => (command.startsWith("BF2B") ? command : command.slice(0, 4)));
  assert.equal(names.filter((name) => !name.startsWith("BF2B")).length, new Set(names.filter((name) => !name.startsWith("BF2B"))).size, `asked twice: ${names.join(" ")}`);
  return [...new Set(names)].sort();
}

const everySubset = defineScenario({
  name: "every set of tags, in any order and with repetitions, is answered in the order of the type, with the card's own octets, each asked once",
  objectives: ["F1", "F2", "F7", "F9"],
  world: rich,
  async script(world) {
    await fillCard(world);
    const all = items(world);
    assert.equal(all.size, TAGS.length, "everything that can be asked for is there");
    const before = bodies(world.eim).length;
    const rng = new Rng(2047);
    const sets = Array.from({ length: 2 ** TAGS.length - 1 }, (_, n) => subset(n + 1));
    const records = sets.map((tags) => world.eim.queue(world.eid, dataRequest({ tags: shuffled(tags, rng) })));
    world.wake("poll");
    const from = world.trace.entries.length;
    await world.run(until.idle(), { ops: 500_000 });
    const got = bodies(world.eim).slice(before);
    assert.equal(got.length, sets.length);
    const commands = asked(world.trace.since(from));
    sets.forEach((tags, n) => {
      const name = tags.map((tag) => tag.toString(16)).join(" ");
      assert.equal(got[n], dataBody(world, all, tags, records[n]?.transactionId), name);
      assert.deepEqual(named(commands[n] ?? []), functions(tags), `asked for ${name}`);
    });
  },
  claims(world) {
    assert.deepEqual(complaints(world), []);
    assert.equal(world.euicc.pending.length, 2, "nothing is removed that was not acknowledged");
  },
});

const absent = defineScenario({
  name: "items that do not exist are left out, and empty lists are empty: no default SM-DP+, no associationToken, no notification, no EPR",
  objectives: ["F7"],
  async script(world) {
    const all = items(world);
    assert.deepEqual([all.has(0x81), all.has(0x84), toHex(all.get(0xa0) ?? new Uint8Array(0)), toHex(all.get(0xa2) ?? new Uint8Array(0))], [false, false, "A000", "A200"]);
    const sets = [TAGS, ...TAGS.map((tag) => [tag]), [0x81, 0x84]];
    const records = sets.map((tags) => world.eim.queue(world.eid, dataRequest({ tags })));
    await world.run(until.idle());
    const got = bodies(world.eim);
    sets.forEach((tags, n) => assert.equal(got[n], dataBody(world, all, tags, records[n]?.transactionId), tags.map((tag) => tag.toString(16)).join(" ")));
  },
  claims: (world) => assert.deepEqual(complaints(world), []),
});

const IDS = [Uint8Array.of(0), Uint8Array.of(0x7f, 0), new Uint8Array(16).fill(0xfe)];

const transaction = defineScenario({
  name: "eimTransactionId of 1 to 16 octets is echoed, in data as 87 and in an error as 80, and none where there is none",
  objectives: ["F9", "D8"],
  prepare(world) {
    for (const transactionId of [...IDS, null]) world.eim.queue(world.eid, dataRequest({ tags: [0xa8] }), { transactionId });
    for (const transactionId of [...IDS.map((id) => id.map((octet) => octet ^ 1)), null]) world.eim.queue(world.eid, dataRequest({ tags: [0x5a] }), { transactionId });
  },
  claims(world) {
    const hex = IDS.map(toHex);
    const errors = IDS.map((id) => toHex(id.map((octet) => octet ^ 1)));
    const capabilities = new Map([[0xa8, CAPABILITIES]]);
    assert.deepEqual(bodies(world.eim), [
      ...[...hex, undefined].map((id) => dataBody(world, capabilities, [0xa8], id)),
      ...[...errors, undefined].map((id) => errorBody(world, 1, id)),
    ]);
    assert.deepEqual(complaints(world), []);
  },
});

export const scenarios: readonly Scenario[] = [everySubset, absent, transaction];
