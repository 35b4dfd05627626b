/**
 * An eUICC that can sign under two CIs, one on P-256 and one on brainpoolP256r1 (SGP.32 v1.2 2.11.1.2, procedures 6): which certificates an
 * IpaEuiccDataRequest gets. On a bench of its own, because a world has one trust chain.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { configuration } from "../../sim/agent/index.js";
import { fromHex, toHex } from "../../sim/core/bytes.js";
import { VirtualClock } from "../../sim/core/clock.js";
import { tlv } from "../../sim/codec/tlv.js";
import { behaviours, dataRequest, Eim, ESIPA_CONTENT_TYPE } from "../../sim/eim/index.js";
import { Euicc } from "../../sim/euicc/index.js";
import { VirtualLink } from "../../sim/link/index.js";
import { parseCertificate } from "../../sim/pki/certificate.js";
import { makePki, type Pki } from "../../sim/pki/pki.js";
import { BOOTSTRAP } from "../../sim/world-options.js";
import { es10Of } from "../apdu-view.js";
import { Bench } from "../bench.js";
import { provided, PROVIDE_RESULT } from "../esipa-view.js";

const FQDN = "eim.example.com";
const first = makePki({ seed: "two CIs, P-256" });
const second = makePki({ seed: "two CIs, brainpool", curve: "brainpoolP256r1" });

function ciPkId(pki: Pki): Uint8Array {
  const id = parseCertificate(pki.ci.certificate).subjectKeyId;
  if (id === undefined) throw new TypeError("the CI has no key id");
  return id;
}

/** A5 and A6 of one chain: certificates without their outer 30. */
function certificates(pki: Pki): string {
  const content = (der: Uint8Array): Uint8Array => der.subarray(der[1] === 0x82 ? 4 : 3);
  return toHex(tlv(0xbf52, tlv(0xa0, tlv(0xa5, content(pki.eum.certificate)), tlv(0xa6, content(pki.euicc.certificate)))));
}

interface Asked {
  /** ESipa bodies behind the EID, in order. */
  readonly answers: readonly string[];
  /** GetCerts as it came to the card. */
  readonly getCerts: readonly string[];
}

/** Each key id in a request of its own for both certificates; undefined names none. `own`: euiccCiPKId of the eIM's configuration. */
async function ask(ids: readonly (Uint8Array | undefined)[], own?: Uint8Array): Promise<Asked> {
  const clock = new VirtualClock();
  const eim = new Eim({ fqdn: FQDN, sign: first.eimSign, tls: first.eimTls, clock });
  eim.addDevice({ eid: first.eid });
  // one EID with two certificates is more than an eIM has to understand: it takes what comes
  eim.use(behaviours.forFunction(PROVIDE_RESULT, { name: "takes everything", answer: () => ({ status: 200, headers: { "content-type": ESIPA_CONTENT_TYPE }, body: fromHex("BF50023000") }) }));
  for (const id of ids) eim.queue(first.eid, dataRequest({ tags: [0xa6, 0xa5], ...(id && { ciPkId: id }) }), { transactionId: null, giveOnce: true });
  const card = new Euicc({ pki: [first, second], profiles: [{ iccid: BOOTSTRAP, enabled: true }], eims: [eim.configurationData(own ? { euiccCiPkId: own } : {})] });
  const link = new VirtualLink({ clock, network: () => ({ up: true, generation: 1 }), servers: new Map([[FQDN, { handle: (request) => eim.handle(request), certificates: [first.eimTls.certificate] }]]), seed: 1 });
  const bench = new Bench({ card, link, clock, configuration: configuration({ entropy: fromHex("2A") }) });
  await bench.start();
  const trace = await bench.untilIdle();
  return { answers: provided(eim), getCerts: es10Of(trace, "BF56").map((one) => one.command) };
}

describe("IpaEuiccDataRequest on an eUICC with two CIs", () => {
  test("the certificates are those of the CI that euiccCiPKIdentifierToBeUsed names", async () => {
    const { answers, getCerts } = await ask([ciPkId(second), ciPkId(first), ciPkId(second).slice(0, 3), ciPkId(first).slice(0, 3)]);
    assert.deepEqual(answers, [certificates(second), certificates(first), certificates(second), certificates(first)]);
    assert.deepEqual(getCerts, [second, first, second, first].map((pki) => toHex(tlv(0xbf56, tlv(0x80, ciPkId(pki))))), "a truncated key id is completed");
  });

  test("without a key id they are those of the eIM's euiccCiPKId, and without that of the eUICC's first CI", async () => {
    assert.deepEqual((await ask([undefined], ciPkId(second))).answers, [certificates(second)]);
    assert.deepEqual((await ask([undefined])).answers, [certificates(first)]);
  });

  test("a key id in the request counts more than the eIM's euiccCiPKId", async () => {
    assert.deepEqual((await ask([ciPkId(first)], ciPkId(second))).answers, [certificates(first)]);
  });

  test("a beginning that no CI has is answered euiccCiPKIdNotFound", async () => {
    const id = ciPkId(second).slice(0, 4).map((octet, at) => (at === 3 ? octet ^ 0xff : octet));
    assert.deepEqual((await ask([id])).answers, ["BF5205A103020105"]);
  });
});
