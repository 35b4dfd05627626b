/** The eIM between the simulated eUICC and the simulated SM-DP+ and SM-DS: whole indirect downloads, with a minimal IPA that checks nothing (SGP.32 v1.2 3.2.3.2). */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { loadSegments } from "../sim/bsp/index.js";
import { concat, fromHex, fromUtf8, toHex, utf8 } from "../sim/core/bytes.js";
import { VirtualClock } from "../sim/core/clock.js";
import { failed } from "../sim/core/doors.js";
import { find, readAll, readOne, tlv, type Tlv } from "../sim/codec/tlv.js";
import { downloadTrigger, Eim, type DownloadHandling, type DownloadOutcome, type DownloadTrigger, type Es9p, type Es9pBinding } from "../sim/eim/index.js";
import type { Euicc } from "../sim/euicc/index.js";
import { sampleProfile, Smdp, type OrderOptions } from "../sim/smdp/index.js";
import { makeSmdsIdentity, Smds } from "../sim/smds/index.js";
import { request } from "./eim-fixtures.js";
import { challenge, load, NEW, SMDP } from "./euicc-download-kit.js";
import { ordinary, pki, started, type Reader } from "./euicc-kit.js";

const MATCHING_ID = "CODE-1";
const SMDS = "smds.example.com";
const LENIENT = { lenient: true } as const;

const children = (object: Uint8Array): Tlv[] => readAll(readOne(object, undefined, LENIENT).value, LENIENT);

/** The IPA's part. */
class Ipa {
  #id: Uint8Array = new Uint8Array(0);
  constructor(readonly eim: Eim, readonly reader: Reader, readonly eid: string) {}

  esipa(body: Uint8Array): Uint8Array {
    return this.eim.handle(request(body)).body;
  }

  /** Members of the good answer, or the whole error. */
  ok(body: Uint8Array): Tlv[] | Uint8Array {
    const answer = this.esipa(body);
    const [chosen] = children(answer);
    return chosen?.tag === 0xa0 ? readAll(chosen.value, LENIENT) : answer;
  }

  trigger(): { code: string | undefined; id: Uint8Array } {
    const [bf54] = children(this.esipa(tlv(0xbf4f, tlv(0x5a, fromHex(this.eid)))));
    const members = children((bf54 as Tlv).raw);
    const data = find(members, 0xa0);
    const code = data && find(readAll(data.value), 0x80);
    return { code: code && fromUtf8(code.value), id: (find(members, 0x82) as Tlv).value };
  }

  /** As far as AuthenticateClient. */
  authenticate(address: string | undefined, matchingId: string, eimTransactionId: Uint8Array): Uint8Array {
    const first = this.ok(tlv(0xbf39, tlv(0x81, challenge(this.reader)), address === undefined ? [] : tlv(0x83, utf8(address)), this.reader.es10("BF2000"), tlv(0x82, eimTransactionId)));
    if (first instanceof Uint8Array) return first;
    const parts = first.filter((item) => item.tag !== 0x80);
    const [signed1, signature1, ciPkId, certificate] = parts.map((item) => item.raw) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
    this.#id = (find(children(signed1), 0x80) as Tlv).value;
    const held = find(parts, 0x0c);
    const ctxParams1 = tlv(0xa0, tlv(0x80, held ? held.value : utf8(matchingId)), tlv(0xa1, tlv(0x80, fromHex("53926011")), tlv(0xa1)));
    const bf38 = this.reader.es10(tlv(0xbf38, signed1, signature1, ciPkId, certificate, ctxParams1));
    return this.esipa(tlv(0xbf3b, tlv(0x80, this.#id), bf38));
  }

  /** From the answer of AuthenticateClient to the PIR. */
  install(bf3b: Uint8Array): Uint8Array {
    const items = readAll((children(bf3b)[0] as Tlv).value, LENIENT).filter((item) => item.tag !== 0x80 && item.tag !== 0xbf25);
    const raw = items.map((item) => item.raw);
    const [signed2, signature2, certificate, hashCc = concat()] = raw as [Uint8Array, Uint8Array, Uint8Array, Uint8Array?];
    const bf21 = this.reader.es10(tlv(0xbf21, signed2, signature2, hashCc, certificate));
    const ok = this.ok(tlv(0xbf3a, tlv(0x80, this.#id), bf21));
    if (ok instanceof Uint8Array) return ok;
    return load(this.reader, loadSegments((find(ok, 0xbf36) as Tlv).raw)).answer;
  }

  cancel(reason: number): Uint8Array {
    const bf41 = this.reader.es10(tlv(0xbf41, tlv(0x80, this.#id), tlv(0x81, [reason])));
    return this.esipa(tlv(0xbf41, tlv(0x80, this.#id), tlv(0xa1, readOne(bf41).value)));
  }

  report(eimTransactionId: Uint8Array, result: Uint8Array): void {
    this.esipa(tlv(0xbf3d, tlv(0xbf50, tlv(0x5a, fromHex(this.eid)), tlv(0xbf54, tlv(0x82, eimTransactionId), result))));
  }
}

interface Bed {
  readonly ipa: Ipa;
  readonly eim: Eim;
  readonly euicc: Euicc;
  readonly smdp: Smdp;
  readonly smds: Smds;
  readonly state: () => string;
  readonly outcome: () => DownloadOutcome | undefined;
}

function bed(setup: { binding?: Es9pBinding; order?: Partial<OrderOptions>; trigger?: DownloadTrigger; handling?: DownloadHandling } = {}): Bed {
  const clock = new VirtualClock();
  const { euicc, reader } = started(ordinary({ eims: [] }));
  const smdp = new Smdp({ pki: pki(), clock });
  const smds = new Smds({ pki: makeSmdsIdentity(pki().ci, { seed: "smds", curve: "P-256", address: SMDS }), clock });
  const { id } = smdp.order({ profile: sampleProfile({ iccid: NEW, size: 3000 }), matchingId: MATCHING_ID, ...setup.order });
  const es9p: Es9p = { call: (address, asked) => (address === SMDP ? smdp.handle(asked) : address === SMDS ? smds.handle(asked) : failed("name", `${address} is not known`)) };
  const eim = new Eim({ sign: pki().eimSign, clock, es9p, es9pBinding: setup.binding ?? "json" });
  eim.addDevice({ eid: pki().eid, ciCertificates: [pki().ci.certificate], euiccCertificate: pki().euicc.certificate, eumCertificate: pki().eum.certificate });
  const held = setup.handling?.activationCode !== undefined;
  eim.queue(pki().eid, downloadTrigger(setup.trigger ?? (held ? {} : { activationCode: `1$${SMDP}$${MATCHING_ID}` }), setup.handling));
  return { ipa: new Ipa(eim, reader, pki().eid), eim, euicc, smdp, smds, state: () => smdp.orderById(id).state, outcome: () => eim.results(pki().eid).at(-1)?.download };
}

/** Address and matchingId of an activation code. */
const target = (code: string | undefined): [string | undefined, string] => [code?.split("$")[1], code?.split("$")[2] ?? ""];

function good({ eim, smdp, smds }: Bed): void {
  assert.deepEqual(eim.seen.flatMap((entry) => [...entry.warnings, ...(entry.verdict === "ok" ? [] : [entry.reason])]), []);
  for (const server of [smdp, smds]) assert.deepEqual(server.seen.flatMap((entry) => [...entry.warnings, ...(entry.verdict === "ok" ? [] : [entry.reason])]), []);
}

for (const binding of ["json", "asn1"] as const) {
  describe(`an indirect download, ES9+ ${binding}`, () => {
    test("with an activation code: installed on the card, confirmed at the SM-DP+, closed at the eIM, not a word of complaint anywhere", () => {
      const all = bed({ binding });
      const { code, id } = all.ipa.trigger();
      const pir = all.ipa.install(all.ipa.authenticate(...target(code), id));
      all.ipa.esipa(tlv(0xbf3d, tlv(0xa0, pir)));
      all.ipa.report(id, pir);
      assert.deepEqual(all.outcome(), { installed: NEW });
      assert.deepEqual(all.euicc.profilePackage(NEW), sampleProfile({ iccid: NEW, size: 3000 }));
      assert.equal(all.state(), "installed");
      assert.deepEqual([all.eim.outbox(), all.smdp.notifications.length], [[], 1]);
      good(all);
    });

    test("where the eIM holds code, Confirmation Code and the metadata check", () => {
      const all = bed({ binding, order: { confirmationCode: "2468", ppk: true }, handling: { activationCode: `1$${SMDP}$${MATCHING_ID}$2.999.10$1`, confirmationCode: "2468", verifyMetadata: true, omitTransactionId: true } });
      const { code, id } = all.ipa.trigger();
      assert.equal(code, undefined);
      const pir = all.ipa.install(all.ipa.authenticate(undefined, "", id));
      all.ipa.report(id, pir);
      assert.deepEqual([all.outcome(), all.state()], [{ installed: NEW }, "installed"]);
      good(all);
    });

    test("through an SM-DS: its event is the new trigger", () => {
      const all = bed({ binding, trigger: { contactSmds: SMDS } });
      all.smds.register({ eid: pki().eid, eventId: MATCHING_ID, address: SMDP });
      const { id } = all.ipa.trigger();
      const [a1] = children(all.ipa.authenticate(SMDS, "", id));
      const bf54 = find(readAll((a1 as Tlv).value), 0xbf54) as Tlv;
      const code = fromUtf8((find(readAll((find(readAll(bf54.value), 0xa0) as Tlv).value), 0x80) as Tlv).value);
      assert.equal(code, `1$${SMDP}$${MATCHING_ID}`);
      all.ipa.report(id, all.ipa.install(all.ipa.authenticate(...target(code), id)));
      assert.deepEqual([all.outcome(), all.state()], [{ installed: NEW }, "installed"]);
      good(all);
    });

    test("that the device puts off: the SM-DP+ verifies the card's CancelSession and keeps the order", () => {
      const all = bed({ binding });
      const { code, id } = all.ipa.trigger();
      all.ipa.authenticate(...target(code), id);
      assert.equal(toHex(all.ipa.cancel(1)), "BF4102A000");
      all.ipa.report(id, tlv(0x30, tlv(0x80, [127])));
      assert.deepEqual([all.outcome(), all.state()], [{ reason: "undefinedError", cancelled: "postponed" }, "released"]);
      good(all);
    });

    test("that the SM-DP+ refuses: matchingIdRefused, told by the IPA, read by the eIM", () => {
      const all = bed({ binding, trigger: { activationCode: `1$${SMDP}$UNKNOWN` } });
      const { code, id } = all.ipa.trigger();
      const answer = all.ipa.authenticate(...target(code), id);
      assert.equal(toHex(answer), "BF3B03820106");
      all.ipa.report(id, tlv(0x30, tlv(0x80, [127]), tlv(0x04, answer)));
      assert.deepEqual(all.outcome(), { reason: "undefinedError", error: "authenticateClient: matchingIdRefused" });
    });
  });
}
