/** STORE DATA (SGP.22 v2.5 5.7.2; sgp32-transport 5.4): how a command is cut into blocks, at every size that matters, and where it ends. */
import assert from "node:assert/strict";
import { toHex } from "../../sim/core/bytes.js";
import { defineScenario, psmo, rawPackage, type Scenario, type World, type WorldOptions } from "../../sim/index.js";
import { es10Of } from "../apdu-view.js";

const ADDRESS = (length: number): string => "dp.".padEnd(length, "x");

/** Queues an eUICC Package of exactly `octets`: commands that set the default SM-DP+ address, the last one being what stays. */
function queuePackage(world: World, octets: number): void {
  const before = world.eim.snapshot();
  const queue = (lengths: readonly number[]): number => {
    world.eim.restore(before);
    return world.eim.queue(world.eid, lengths.map((length) => psmo.setDefaultDpAddress(ADDRESS(length))), { transactionId: Uint8Array.of(1, 2, 3, 4) }).der.length;
  };
  for (const others of [[], [100], [200], [200, 200]]) {
    const wanted = 4 + octets - queue([...others, 4]);
    // Up to six octets go into longer lengths.
    for (let length = wanted; length > wanted - 7; length--) if (length >= 4 && length < 255 && queue([...others, length]) === octets) return;
  }
  throw new RangeError(`no package of ${octets} octets`);
}

/** A package of `octets` arrives at the eUICC byte-exact in blocks of `blockSize`, and its result at the eIM. */
function relayed(octets: number, blockSize: number, world: WorldOptions = {}): Scenario {
  const count = Math.ceil(octets / blockSize);
  return defineScenario({
    name: `a command of ${octets} octets goes to the eUICC in ${count} block${count === 1 ? "" : "s"} of at most ${blockSize}`,
    objectives: ["A6", "D1"],
    world: { ...world, configuration: { blockSize }, euicc: { apdu: { blockSize } } },
    prepare: (here) => queuePackage(here, octets),

    claims(here) {
      const [result, ...others] = here.eim.results(here.eid);
      assert.equal(others.length, 0);
      assert.deepEqual([result?.kind, result?.verified], ["euiccPackageResult", true]);
      assert.ok(result?.commands?.every((command) => command.code === 0));
      assert.equal(here.euicc.eims[0]?.counterValue, 1);
    },

    traffic(here, trace) {
      const [command, ...again] = es10Of(trace, "BF51");
      assert.equal(again.length, 0, "sent once");
      assert.equal(command?.command, toHex(here.eim.device(here.eid).packages[0]?.der ?? new Uint8Array(0)), "byte-exact");
      assert.equal(command.command.length / 2, octets);
      const blocks = command.blocks;
      assert.deepEqual(blocks.map((block) => block.p2), Array.from({ length: count }, (_, n) => n), "P2 counts without gaps");
      assert.deepEqual(blocks.map((block) => block.p1), [...new Array<number>(count - 1).fill(0x11), 0x91]);
      assert.ok(blocks.slice(0, -1).every((block) => block.lc === blockSize), "only the last block is short");
      assert.deepEqual(here.euicc.refusals, []);
    },
  });
}

const TOO_LONG = 257;

const tooManyBlocks = defineScenario({
  name: "a command of more than 256 blocks is refused by the IPA, and the eIM learns it",
  objectives: ["A6", "D7"],
  world: { configuration: { blockSize: 1 } },
  prepare: (world) => queuePackage(world, TOO_LONG),

  claims(world) {
    assert.equal(world.euicc.eims[0]?.counterValue, 0, "nothing was executed");
    const [result] = world.eim.results(world.eid);
    assert.deepEqual([result?.kind, result?.error?.code, result?.transactionId], ["eimPackageResultResponseError", 127, "01020304"]);
  },

  traffic(world, trace) {
    assert.equal(es10Of(trace, "BF").filter((one) => one.blocks.length > 16).length, 0, "no block of it was sent");
    assert.deepEqual(world.euicc.refusals, []);
  },

  replay: "cut",
});

/** A card with a smaller buffer than the terminal believes refuses the block; the eIM learns it, and the device goes on. */
const blockRefused = defineScenario({
  name: "a block that the card refuses ends the command, and the eIM learns it",
  objectives: ["A6", "D7"],
  world: { configuration: { blockSize: 255 }, euicc: { apdu: { blockSize: 200 } } },
  prepare: (world) => queuePackage(world, 510),

  claims(world) {
    assert.equal(world.euicc.eims[0]?.counterValue, 0);
    assert.deepEqual(world.eim.results(world.eid).map((result) => [result.kind, result.error?.code]), [["eimPackageResultResponseError", 127]]);
  },

  traffic(_world, trace) {
    const sent = es10Of(trace, "BF51");
    assert.ok(sent.length >= 1 && sent.length <= 2);
    assert.ok(sent.every((one) => one.blocks.length === 1), "nothing follows a refused block");
  },
});

/** Lengths that are not DER: the eIM's octets are not the IPA's to tidy. */
const notDer = defineScenario({
  name: "a package with lengths that are not minimal reaches the eUICC octet by octet",
  objectives: ["A6", "D1"],
  prepare(world) {
    world.eim.queue(world.eid, rawPackage(stretched(world)));
  },

  claims(world) {
    assert.equal(world.eim.results(world.eid).length, 1);
  },

  traffic(world, trace) {
    const der = world.eim.device(world.eid).packages[0]?.der ?? new Uint8Array(0);
    assert.equal(toHex(der.subarray(0, 6)), "BF5184000000");
    assert.equal(es10Of(trace, "BF51")[0]?.command, toHex(der));
    // The signature holds over the 30 inside, which is as it was signed.
    assert.deepEqual(world.eim.results(world.eid).map((result) => [result.kind, result.verified]), [["euiccPackageResult", true]]);
  },
});

/** A well-signed package whose outer length takes four octets more than needed. */
function stretched(world: World): Uint8Array {
  const before = world.eim.snapshot();
  const { der } = world.eim.queue(world.eid, psmo.setDefaultDpAddress("dp.example.com"));
  world.eim.restore(before);
  const content = der.subarray(der[2] === 0x81 ? 4 : 3);
  return Uint8Array.of(0xbf, 0x51, 0x84, 0, 0, 0, content.length, ...content);
}

export const scenarios: readonly Scenario[] = [
  relayed(255, 255),
  relayed(256, 255),
  relayed(510, 255),
  relayed(511, 255),
  relayed(765, 255),
  ...[2, 3, 16, 120, 127, 128, 250, 254].map((blockSize) => relayed(510, blockSize)),
  relayed(254, 254),
  relayed(255, 254),
  relayed(256, 1),
  relayed(512, 2),
  tooManyBlocks,
  blockRefused,
  notDer,
];
