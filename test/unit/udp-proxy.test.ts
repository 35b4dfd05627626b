/** The lossy way of UDP datagrams: what its chances do, that a seed repeats them, and that clients can be given a new address. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { test } from "node:test";
import { startUdpProxy, type RunningProxy, type Weather } from "../sim/link/udp-proxy.js";

const N = 200;

interface Seen {
  readonly arrived: number[];
  readonly ports: Set<number>;
  readonly proxy: RunningProxy;
}

/** Sends N numbered datagrams through a proxy, one after the other, then `last` until it arrives; what arrived. */
async function through(weather: Weather, seed: number, act: (proxy: RunningProxy, n: number) => void = () => undefined): Promise<Seen> {
  const server = createSocket("udp4").bind(0, "127.0.0.1");
  await once(server, "listening");
  const arrived: number[] = [];
  const ports = new Set<number>();
  const proxy = await startUdpProxy({ to: { port: server.address().port }, seed, up: weather });
  const done = new Promise<void>((resolve) => {
    server.on("message", (datagram, { port }) => {
      ports.add(port);
      const n = datagram.readUInt16BE(0);
      if (n === 0xffff) resolve();
      else arrived.push(n);
    });
  });
  const client = createSocket("udp4");
  const send = (n: number): Promise<void> => new Promise((resolve) => client.send(Uint8Array.of(n >> 8, n & 0xff), proxy.port, "127.0.0.1", () => resolve()));
  for (let n = 0; n < N; n++) {
    await send(n);
    while (proxy.count.up.came <= n) await new Promise(setImmediate);
    act(proxy, n);
  }
  proxy.weather({});
  await send(0xffff);
  await done;
  client.close();
  server.close();
  await proxy.close();
  return { arrived, ports, proxy };
}

test("a good way changes nothing", async () => {
  const { arrived } = await through({}, 1);
  assert.deepEqual(arrived, Array.from({ length: N }, (_, n) => n));
});

test("the same seed loses, doubles and reorders the same datagrams; another seed others", async () => {
  const bad = { loss: 0.1, duplicate: 0.1, reorder: 0.1, holdMs: 60_000 };
  const [first, second, other] = [await through(bad, 7), await through(bad, 7), await through(bad, 8)];
  assert.deepEqual(second.arrived, first.arrived);
  assert.notDeepEqual(other.arrived, first.arrived);
  const { came, lost, doubled, reordered } = first.proxy.count.up;
  assert.equal(came, N + 1);
  for (const count of [lost, doubled, reordered]) assert.ok(count > 5 && count < 40, `${count} of ${N}`);
  assert.equal(first.arrived.length, N - lost + doubled);
  assert.equal(new Set(first.arrived).size, N - lost);
  assert.ok(first.arrived.some((n, i) => n < (first.arrived[i - 1] ?? -1)));
});

test("a client that is given a new address comes from another port", async () => {
  const { ports } = await through({}, 1, (proxy, n) => n === N / 2 && proxy.rebind());
  assert.equal(ports.size, 2);
});
