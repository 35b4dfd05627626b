/** Compact forms (minimizeEsipaBytes): the eIM puts back what the IPA left out, byte for byte, and the signature proves it (types 5). */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { concat, fromHex, toHex } from "../sim/core/bytes.js";
import { integer, readAll, readOne, tlv } from "../sim/codec/tlv.js";
import type { DownloadHandling } from "../sim/eim/index.js";
import { EID, ICCID, pki } from "./eim-fixtures.js";
import {
  ctxParams1, DEVICE_INFO, download, euiccSigned1, euiccSigned2, EUICC_OTPK, EXT_CARD_RESOURCE, info2, inside, installationData, ISDP_AID, MATCHING_ID, pir, prepareDownloadResponse,
  authenticateServerResponse, cancelSessionResponse, signature, SMDP_SIGNATURE2, tags, TRANSACTION, type Download,
} from "./eim-download-fixtures.js";

const hex = toHex;
const id = tlv(0x80, TRANSACTION);
const NEWER_RESOURCE = tlv(0x84, fromHex("810101820400050D80830400000F00"));
const LATER_INFO2 = tlv(0xbf22, ...readAll(readOne(info2()).value).map((item) => (item.tag === 0x84 ? NEWER_RESOURCE : item.raw)));

/** A download of an IPA that told its features, its device and EUICCInfo2. */
function minimized(handling: DownloadHandling = {}): Download {
  return download({ handling, told: [info2(), tlv(0xa8, tlv(0x80, fromHex("027C"))), tlv(0xa9, readOne(DEVICE_INFO).value)] });
}

const content = (certificate: Uint8Array): Uint8Array => readOne(certificate).value;

/** BF38 with A2; what the card signed is `signed`. */
const compact38 = (signed: Uint8Array, data: Uint8Array, ...certificates: Uint8Array[]): Uint8Array => tlv(0xbf3b, id, tlv(0xbf38, tlv(0xa2, data, signature(signed), ...certificates)));
const relayed = (d: Download, name: string): string => hex(d.server.asked.at(-1)?.members[name] as Uint8Array);

describe("compactAuthenticateResponseOk", () => {
  const full = authenticateServerResponse({ info2: LATER_INFO2 });
  const signed = euiccSigned1({ info2: LATER_INFO2 });
  const compactSigned1 = tlv(0xa0, NEWER_RESOURCE, tlv(0xa2, ctxParams1(MATCHING_ID)));

  test("with compactEuiccSigned1, without certificates: extCardResource is the card's, the rest of EUICCInfo2 as told", () => {
    const d = minimized();
    d.initiate();
    assert.equal(tags(inside(d.send(compact38(signed, compactSigned1)).body)), "80 BF25 30 5F37 30");
    assert.equal(relayed(d, "authenticateServerResponse"), hex(full));
  });

  test("with the whole euiccSigned1 and certificates", () => {
    const d = download();
    d.initiate();
    d.send(compact38(signed, signed, tlv(0xa1, content(pki.euicc.certificate)), tlv(0xa2, content(pki.eum.certificate))));
    assert.equal(relayed(d, "authenticateServerResponse"), hex(full));
  });

  test("without ctxParams1, which the eIM has made", () => {
    const d = minimized({ ctxParams1: true });
    d.initiate();
    d.send(compact38(signed, tlv(0xa0, NEWER_RESOURCE)));
    assert.equal(relayed(d, "authenticateServerResponse"), hex(full));
  });

  test("that does not give what the card signed is euiccSignatureInvalid, and goes nowhere", () => {
    const d = minimized();
    d.initiate();
    assert.equal(hex(d.send(compact38(signed, tlv(0xa0, EXT_CARD_RESOURCE, tlv(0xa2, ctxParams1(MATCHING_ID))))).body), "BF3B03820105");
    assert.deepEqual(d.server.fns(), ["initiateAuthentication"]);
  });

  test("can't be rebuilt where EUICCInfo2 or ctxParams1 is not known", () => {
    const d = download();
    d.initiate();
    assert.equal(hex(d.send(compact38(signed, compactSigned1)).body), "BF3B0382017F");
    assert.match(d.entry().reason, /euiccInfo2 was never told/);
    const e = minimized();
    e.initiate();
    assert.equal(hex(e.send(compact38(signed, tlv(0xa0, NEWER_RESOURCE))).body), "BF3B0382017F");
    assert.match(e.entry().reason, /ctxParams1 is left out/);
  });
});

describe("compact PrepareDownloadResponse", () => {
  const HASH = fromHex("36CDB2954E856D1EB755F35464E4172E52619237EADB89A21D0C5E13F8113D39");
  const compact = (signed: Uint8Array, ...data: Uint8Array[]): Uint8Array => tlv(0xbf3a, id, tlv(0xbf21, tlv(0xa2, tlv(0x30, ...data), signature(concat(signed, SMDP_SIGNATURE2)))));

  test("gets its transactionId back", () => {
    const d = download();
    d.initiate();
    d.authenticate();
    assert.equal(tags(inside(d.send(compact(euiccSigned2(), EUICC_OTPK)).body)), "80 BF36");
    assert.equal(relayed(d, "prepareDownloadResponse"), hex(prepareDownloadResponse()));
  });

  test("gets hashCc back that the eIM has given", () => {
    const d = download({ handling: { confirmationCode: "2468" } });
    d.server.confirmationCode = true;
    d.initiate();
    d.authenticate();
    d.send(compact(euiccSigned2(HASH), EUICC_OTPK));
    assert.equal(relayed(d, "prepareDownloadResponse"), hex(prepareDownloadResponse(HASH)));
  });

  test("of another signature is euiccSignatureInvalid", () => {
    const d = download();
    d.initiate();
    d.authenticate();
    assert.equal(hex(d.send(compact(euiccSigned2(HASH), EUICC_OTPK)).body), "BF3A03810101");
    assert.equal(hex(d.send(compact(euiccSigned2())).body), "BF3A0381017F");
    assert.match(d.entry().reason, /euiccOtpk is left out/);
  });
});

describe("compact CancelSessionResponse", () => {
  const compact = (reason: number, ...data: Uint8Array[]): Uint8Array => {
    const full = readAll((readAll(readOne(cancelSessionResponse(reason)).value)[0] as { value: Uint8Array }).value);
    return tlv(0xbf41, id, tlv(0xa1, tlv(0xa2, tlv(0x30, ...data), (full[1] as { raw: Uint8Array }).raw)));
  };

  test("gets transactionId and smdpOid back, and a reason that was left out as the signature tells it", () => {
    for (const data of [[tlv(0x80, [5])], []]) {
      const d = download();
      d.initiate();
      assert.equal(hex(d.send(compact(5, ...data)).body), "BF4102A000");
      assert.equal(relayed(d, "cancelSessionResponse"), hex(cancelSessionResponse(5)));
      assert.equal(d.eim.device(EID).download?.cancelled, "loadBppExecutionError");
    }
  });

  test("of another reason than the card's is euiccSignatureInvalid", () => {
    const d = download();
    d.initiate();
    assert.equal(hex(d.send(compact(5, tlv(0x80, [3]))).body), "BF4103810102");
  });
});

describe("compactProfileInstallationResult", () => {
  const aid = tlv(0x4f, ISDP_AID.subarray(13, 15));
  const compact = (signed: Uint8Array, final: Uint8Array): Uint8Array => tlv(0xa0, tlv(0xa0, id, tlv(0x02, integer(5)), tlv(0xa2, final)), signature(signed));
  const ready = (): Download => {
    const d = download();
    d.initiate();
    d.authenticate();
    d.bind();
    return d;
  };

  test("goes to the SM-DP+ in full: metadata, smdpOid, AID and the usual simaResponse put back", () => {
    const d = ready();
    assert.equal(d.notify(compact(installationData(5), tlv(0xa0, aid))), 204);
    assert.equal(relayed(d, "pendingNotification"), hex(pir(5)));
    const [record] = d.eim.notifications(EID);
    assert.deepEqual([record?.compact, record?.iccid, record?.installation?.success], [true, ICCID, true]);
  });

  test("of a failed installation too", () => {
    const d = ready();
    const final = tlv(0xa1, tlv(0x80, [5]), tlv(0x81, [12]), tlv(0x82, [1, 2]));
    assert.equal(d.notify(compact(installationData(5, final), final)), 204);
    assert.equal(relayed(d, "pendingNotification"), hex(pir(5, final)));
  });

  test("that does not give what the card signed is refused, so that the IPA sends the full form", () => {
    const d = ready();
    assert.equal(d.notify(compact(installationData(6), tlv(0xa0, aid))), 400);
    assert.match(d.entry().reason, /the compact form can't be rebuilt/);
    assert.deepEqual(d.eim.outbox(), []);
  });
});

test("an eIM that doesn't know the eUICC's certificate can't rebuild what leaves it out", () => {
  const d = download();
  const { euiccCertificate: _certificate, publicKey: _key, ...rest } = d.eim.device(EID);
  d.eim.restore({ ...d.eim.snapshot(), devices: new Map([[EID, rest]]) });
  d.initiate();
  const signed = euiccSigned1();
  assert.equal(hex(d.send(compact38(signed, signed)).body), "BF3B0382017F");
  assert.match(d.entry().reason, /certificates that it leaves out are not known here/);
});
