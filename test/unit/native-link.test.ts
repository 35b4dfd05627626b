/** The C host's own link under the agent in Node: ESipa over CoAPS and HTTPS, ES9+ over HTTPS (SGP.32 6; coap-dtls; sgp32-transport 1, 3, 6). */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { hasEngine, NativeAgent } from "../sim/agent/index.js";
import { NativeLink, type NativeLinkOptions } from "../sim/agent/native-link.js";
import { utf8 } from "../sim/core/bytes.js";
import type { Trace } from "../sim/core/trace.js";
import type { DtlsServerOptions } from "../sim/dtls/index.js";
import { downloadTrigger, EimProtocol, psmo, serveEim, type ConfigurationOptions } from "../sim/eim/index.js";
import { startUdpProxy, type Weather } from "../sim/link/udp-proxy.js";
import { serveSmdp } from "../sim/smdp/index.js";
import { iccidDigits } from "../sim/euicc/index.js";
import { iccid, sampleProfile, SMDP_ADDRESS, type World } from "../sim/index.js";
import { BOOTSTRAP, OPERATIONAL } from "../sim/world-options.js";
import { serverIdentities } from "./coaps-kit.js";
import { coaps, Device, EIM_FQDN, linkTo, refusals, skip, TIMERS, world, type DeviceOptions } from "./native-kit.js";

const KEY = utf8("0123456789abcdef");

interface Over {
  readonly dtls?: DtlsServerOptions;
  readonly link?: NativeLinkOptions;
  readonly weather?: Weather;
  readonly device?: Partial<DeviceOptions>;
  readonly polls?: number;
}

/** Runs a world's device over CoAPS until nothing is left to do. */
async function overCoaps(w: World, over: Over = {}): Promise<{ trace: Trace; sessions: number; lost: number }> {
  const server = await coaps(w, over.dtls);
  const proxy = over.weather && (await startUdpProxy({ to: { port: server.port }, seed: 3, up: over.weather, down: over.weather }));
  const link = linkTo(proxy?.port ?? server.port, over.link);
  try {
    const trace = await new Device(w, { link, ...over.device }).run(over.polls);
    const count = proxy?.count;
    return { trace, sessions: server.news.filter((text) => text.includes(" connected from ")).length, lost: count === undefined ? 0 : count.up.lost + count.down.lost };
  } finally {
    link.dispose();
    await proxy?.close();
    await server.close();
  }
}

/** The eIM's order to enable the operational profile was carried out, and it knows. */
function enabled(w: World): void {
  assert.equal(w.enabled, OPERATIONAL);
  assert.deepEqual(w.eim.results(w.eid).map((result) => result.verified), [true]);
  assert.ok(w.eim.seen.length >= 3 && w.eim.seen.every((entry) => entry.verdict === "ok"));
}

function ordered(association?: ConfigurationOptions): World {
  const w = world(association);
  w.eim.queue(w.eid, psmo.enable(OPERATIONAL));
  return w;
}

describe("an eUICC Package (enable) over CoAPS through the C host's link", { skip }, () => {
  test("ECDSA, trusted by the key that the eUICC's eIM configuration pins; one handshake serves two sessions of the agent", async () => {
    const w = ordered();
    const { trace, sessions } = await overCoaps(w);
    enabled(w);
    assert.deepEqual([trace.totals().connections, sessions], [2, 1]);
  });

  test("ECDSA, trusted by a pinned certificate", async () => {
    const w = ordered({ trust: "certificate" });
    await overCoaps(w);
    enabled(w);
  });

  test("without A6 a leaf signed by the host's CA is trusted", async () => {
    const w = ordered({ trust: "none" });
    await overCoaps(w, { dtls: { identity: serverIdentities(w.pki).good }, link: { caStore: [w.pki.eimTls.certificate] } });
    enabled(w);
  });

  test("PSK", async () => {
    const w = ordered();
    await overCoaps(w, { dtls: { psk: { "device 1": KEY }, connectionId: 4 }, link: { psk: { identity: "device 1", key: KEY } } });
    enabled(w);
  });

  test("ECDSA while a tenth of the datagrams is lost each way", async () => {
    const w = ordered();
    const { lost } = await overCoaps(w, { weather: { loss: 0.1 } });
    enabled(w);
    assert.ok(lost > 0, "nothing was lost");
  });

  test("the agent in wasm3", { skip: hasEngine("wasm3") ? false : "the binding with wasm3 was not built" }, async () => {
    const w = ordered();
    const agent = NativeAgent.load("wasm3");
    await overCoaps(w, { device: { agent } });
    enabled(w);
    agent.dispose();
  });
});

describe("an eIM that is not trusted is refused by name, and learns nothing", { skip }, () => {
  const cases: [string, string, ConfigurationOptions, (w: World) => Over][] = [
    ["another key than the pinned one", "IPA_ERR_TRUST_KEY", {}, (w) => ({ dtls: { identity: serverIdentities(w.pki).good } })],
    ["a certificate of a foreign CA", "IPA_ERR_TRUST_CHAIN", { trust: "none" }, (w) => ({ dtls: { identity: serverIdentities(w.pki)["foreign-ca"] }, link: { caStore: [w.pki.eimTls.certificate] } })],
    ["an expired certificate", "IPA_ERR_TRUST_EXPIRED", { trust: "none" }, (w) => ({ dtls: { identity: serverIdentities(w.pki).expired }, link: { caStore: [w.pki.eimTls.certificate] } })],
    ["a certificate for another name", "IPA_ERR_TRUST_NAME", { trust: "none" }, (w) => ({ dtls: { identity: serverIdentities(w.pki)["other-name"] }, link: { caStore: [w.pki.eimTls.certificate] } })],
    ["nothing to trust it by", "IPA_ERR_TRUST_NONE", { trust: "none" }, () => ({})],
    ["another PSK than its own", "IPA_ERR_TRUST_PSK", {}, () => ({ dtls: { psk: { "device 1": utf8("fedcba9876543210") } }, link: { psk: { identity: "device 1", key: KEY } } })],
    ["a PSK identity that it does not know", "IPA_ERR_TRUST_PSK", {}, () => ({ dtls: { psk: { other: KEY } }, link: { psk: { identity: "device 1", key: KEY } } })],
  ];
  for (const [what, name, association, over] of cases) {
    test(`${what}: ${name}`, async () => {
      const w = ordered(association);
      const { trace } = await overCoaps(w, { polls: 1, ...over(w) });
      const [refused] = refusals(trace);
      assert.match(refused ?? "", new RegExp(`^trust: ESipa CoAPS .*${EIM_FQDN}.*${name}$`));
      assert.deepEqual([w.enabled, w.eim.seen.length], [BOOTSTRAP, 0]);
    });
  }
});

describe("HTTPS through the C host's link", { skip }, () => {
  const HTTPS = { protocols: [EimProtocol.RetrieveHttps] };

  async function overHttps(w: World, link: (port: number) => NativeLink): Promise<Trace> {
    const server = await serveEim(w.eim, { tls: w.pki.eimTls });
    const made = link(server.port);
    try {
      return await new Device(w, { link: made }).run();
    } finally {
      made.dispose();
      await server.close();
    }
  }

  test("an eUICC Package over ESipa", async () => {
    const w = ordered(HTTPS);
    await overHttps(w, (port) => linkTo(port));
    enabled(w);
  });

  test("another certificate than the pinned one: IPA_ERR_TRUST_CERTIFICATE", async () => {
    const w = ordered({ ...HTTPS, trustCertificate: serverIdentities(world().pki)["foreign-ca"].certificate, trust: "certificate" });
    const trace = await overHttps(w, (port) => linkTo(port));
    assert.match(refusals(trace)[0] ?? "", /^trust: .*IPA_ERR_TRUST_CERTIFICATE$/);
  });

  test("direct download over ES9+, the SM-DP+ trusted by the CI", async () => {
    const w = world({ protocols: [EimProtocol.RetrieveCoaps] }, { smdps: [{}] });
    const order = w.smdp.order({ profile: sampleProfile({ iccid: iccid(7) }), matchingId: "ONE" });
    w.eim.queue(w.eid, downloadTrigger({ activationCode: w.smdp.activationCode(order) }));
    const [eim, smdp] = [await coaps(w), await serveSmdp(w.smdp, { tls: w.pki.dpTls })];
    const link = new NativeLink({ timers: TIMERS, resolve: (address) => `127.0.0.1:${address === SMDP_ADDRESS ? smdp.port : eim.port}`, rspTrust: [w.pki.ci.certificate] });
    try {
      await new Device(w, { link, configuration: { features: [0, 1, 2, 3] } }).run();
      assert.equal(w.smdp.orderById(order.id).state, "installed");
    } finally {
      link.dispose();
      await Promise.all([eim.close(), smdp.close()]);
    }
  });
});

test("a whole indirect download over CoAPS", { skip }, async () => {
  const w = world({}, { smdps: [{}] });
  const order = w.smdp.order({ profile: sampleProfile({ iccid: iccid(7), size: 12_000 }), matchingId: "ONE" });
  w.eim.queue(w.eid, downloadTrigger({ activationCode: w.smdp.activationCode(order) }));
  await overCoaps(w);
  assert.equal(w.smdp.orderById(order.id).state, "installed");
  assert.ok(w.euicc.profiles.some((profile) => iccidDigits(profile.metadata.iccid) === iccid(7)));
});
