/** libcoap's clients over a way that loses a tenth of the datagrams each way: 20 kB both ways, with the standard's timers of 2 s. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { equal } from "../sim/core/bytes.js";
import { code } from "../sim/coap/index.js";
import { serveCoap } from "../sim/coaps/index.js";
import { startUdpProxy } from "../sim/link/udp-proxy.js";
import { octets } from "./coap-kit.js";
import { inDirectory, launch, without } from "./coaps-tools.js";
import { pskTable } from "./dtls-kit.js";

const BODY = octets(20_480);

for (const program of ["coap-client-openssl", "coap-client-gnutls"]) {
  test(`${program}: 20 kB both ways over PSK, a tenth lost`, { skip: without(program) }, () =>
    inDirectory(async (dir) => {
      const running = await serveCoap(({ payload }) => ({ code: code("2.05"), payload }), { dtls: pskTable });
      const proxy = await startUdpProxy({ to: { port: running.port }, seed: 5, up: { loss: 0.1 } });
      writeFileSync(join(dir, "in"), BODY);
      const client = launch(program, ["-m", "post", "-b", "1024", "-B", "300", "-k", "0123456789abcdef", "-u", "dev1", "-f", join(dir, "in"), "-o", join(dir, "out"), `coaps://127.0.0.1:${proxy.port}/echo`]);
      try {
        await client.ended();
        assert.ok(equal(new Uint8Array(readFileSync(join(dir, "out"))), BODY), client.output());
        assert.ok(proxy.count.up.lost > 0 && proxy.count.down.lost > 0);
      } finally {
        await client.stop();
        await proxy.close();
        await running.close();
      }
    }));
}
