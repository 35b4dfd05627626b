/** `tinyipa figures`: the numbers are those of runs, the same each time, and an idle poll costs what it must and no more. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { runCommand } from "../cli/command.js";
import { command, type Figures } from "../cli/figures.js";

async function figures(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const lines = { out: [] as string[], err: [] as string[] };
  const code = await runCommand(command, args, { out: (line) => lines.out.push(line), err: (line) => lines.err.push(line) });
  return { code, out: lines.out.join("\n"), err: lines.err.join("\n") };
}

async function measured(...args: string[]): Promise<Figures> {
  const { code, out, err } = await figures("--json", "--runs", "1", ...args);
  assert.equal(code, 0, err);
  return JSON.parse(out) as Figures;
}

describe("tinyipa figures", () => {
  test("all but the time is the same again", async () => {
    const untimed = async () => {
      const { jobs, downloads } = await measured("--no-wire");
      return [...jobs, ...downloads].map(({ microseconds, ...counts }) => (assert.ok(microseconds > 0), counts));
    };
    assert.deepEqual(await untimed(), await untimed());
  });

  test("an idle poll is one round trip on one connection: a header and the EID up, noEimPackageAvailable down", async () => {
    const { jobs } = await measured("--no-wire");
    const idle = jobs.find((job) => job.name === "idle poll");
    assert.deepEqual([idle?.roundTrips, idle?.connections, idle?.bytesDown], [1, 1, 6]);
    assert.ok(idle !== undefined && idle.bytesUp <= 26, `${idle?.bytesUp} octets up`);
  });

  test("a package of 12.5 kB takes 100 APDUs at most to load in blocks of 255, six exchanges and one connection, and a package of any size the same memory", async () => {
    const { downloads, wasm } = await measured("--no-wire");
    const [small, blocks120, large, directSmall, directLarge] = downloads;
    assert.ok(small !== undefined && blocks120 !== undefined && large !== undefined && directSmall !== undefined && directLarge !== undefined);
    for (const one of [small, blocks120, directSmall]) assert.ok(Math.abs(one.bpp - 12_500) < 20, `${one.bpp} octets`);
    for (const one of [large, directLarge]) assert.ok(Math.abs(one.bpp - 100_000) < 200, `${one.bpp} octets`);
    assert.ok(small.loading <= 100, `${small.loading} APDUs`);
    assert.ok(blocks120.loading <= Math.ceil(12_500 / 120) + 30, `${blocks120.loading} APDUs in blocks of 120`);
    assert.deepEqual([small.roundTrips, small.connections, large.roundTrips], [6, 1, 6]);
    assert.deepEqual([large.highest, directLarge.highest], [small.highest, directSmall.highest]);
    for (const one of downloads) assert.ok(one.highest <= wasm.staticEnd && one.written <= one.highest);
  });

  test("on the wire it is a handshake, one exchange, and the round trips of that version of TLS", async () => {
    const { wire, downloadWire } = await measured();
    assert.deepEqual(wire.map(({ tls, roundTrips }) => [tls, roundTrips]), [["TLSv1.2", 4], ["TLSv1.3", 3]]);
    for (const { up, down, handshake, segments, ipOctets } of wire) {
      const exchange = up + down - handshake;
      assert.ok(handshake > exchange && exchange > 26 + 6, `${handshake} octets of handshake, ${exchange} behind it`);
      assert.equal(ipOctets, up + down + 40 * segments);
    }
    // six exchanges, and what they carry goes once
    assert.deepEqual(downloadWire.map(({ roundTrips }) => roundTrips), [9, 8, 9, 8]);
    const [small, , large] = downloadWire;
    assert.ok(small !== undefined && small.ipOctets < 23_700, `${small?.ipOctets} octets`);
    assert.ok(large !== undefined && large.down > 100_000 && large.down < 104_500, `${large?.down} octets`);
  });

  test("the table has a line a job and names the machine", async () => {
    const { code, out } = await figures("--runs", "3");
    assert.equal(code, 0);
    assert.match(out, /^wasm \d+ octets, static data up to \d+$/m);
    assert.match(out, /^enable, no network, rollback +\d+ +\d+ +\d+ +\d+ +\d+ +\d+ +\d+$/m);
    assert.match(out, /median of 3 runs; depends on the machine: Node\.js v\d+/);
    assert.match(out, /^IP octets +\d+ +\d+ +2514$/m);
  });

  test("misuse is exit code 2", async () => {
    const { code, err } = await figures("--runs", "0");
    assert.deepEqual([code, /expected a whole number from 1 for --runs, got "0"/.test(err)], [2, true]);
  });
});
