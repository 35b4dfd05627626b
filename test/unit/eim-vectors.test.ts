/**
 * The eIM against the verified byte vectors of the types file (sections 14 and 14.2): what it builds is those octets, and what it reads means what they mean.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { concat, fromHex, toHex, utf8 } from "../sim/core/bytes.js";
import { integer, readAll, readOne, tlv, type Tlv } from "../sim/codec/tlv.js";
import { mismatch, euiccPackageRequest, FROM_EIM, FROM_IPA, eimConfigurationData as configurationSchema } from "../sim/codec/esipa-schemas.js";
import { keyPair, verify } from "../sim/pki/keys.js";
import { EimIdType, eimConfigurationData } from "../sim/eim/configuration.js";
import { readEuiccPackageResult } from "../sim/eim/euicc-result.js";
import { readIpaEuiccDataResponse } from "../sim/eim/euicc-data.js";
import { readPendingNotification } from "../sim/eim/notification.js";
import { eimAcknowledgements, provideEimPackageResultError } from "../sim/eim/functions/provide-eim-package-result.js";
import { eimPackageError } from "../sim/eim/functions/get-eim-package.js";
import { FUNCTIONS } from "../sim/eim/functions/index.js";
import { eco, euiccPackageSigned, ipaEuiccDataRequest, profileDownloadTriggerRequest, psmo } from "../sim/eim/packages.js";
import { euiccPackage, tokenObject } from "../sim/eim/queue.js";
import { bench, EID, ICCID, metadata, pki } from "./eim-fixtures.js";

/** Octets of a vector; `11[..x63]` is 11 and 63 more of it. */
function vector(text: string): Uint8Array {
  return fromHex(text.replace(/([0-9A-F]{2})\[\.\.x(\d+)\]/g, (_all, octet: string, more: string) => octet.repeat(Number(more) + 1)));
}

const only = (bytes: Uint8Array): Tlv => readAll(readOne(bytes).value)[0] as Tlv;
const TRANSACTION = fromHex("0102030405060708");
const NAME = "eim.example.com";

const PACKAGE = "BF5181EF3081A9800F65696D2E6578616D706C652E636F6D5A108904903212345123451234567890123581010582080102030405060708A077A30E5A0A980010325476981032140500A40C5A0A98001032547698103214A50C5A0A98001032547698103214BF2D055C035A9F70A600A71B800081062B0601040182820F65696D2E6578616D706C652E636F6DA80C5A0A98001032547698103214A900BF6511800F65696D2E6578616D706C652E636F6D5F3740 11[..x63]";
const RESULT = "BF51820135A08201313081EB800F65696D2E6578616D706C652E636F6D810105820801020304050607088301093081C7830100840100850100BF2D62A060E35E5A0A980010325476981032144F10A0000005591010FFFFFFFF89000011009F70010190016E910173920170950102B617301580020780810F65696D2E6578616D706C652E636F6DB705800362F210990206409F7B01FF9F2601FF9F6701FFA613301180020560A10730058003EEEEEE82020780870100A803840101A8030201008901008A0100AB18A0163014800F65696D2E6578616D706C652E636F6D820102AB0381017F8C01008D01008E0100020103BF65038001005F3740 11[..x63]";
const PIR = "BF3781A0BF275A80080102030405060708BF2F24800105810207800C0F65696D2E6578616D706C652E636F6D5A0A9800103254769810321406062B0601040182A21FA01D4F10A0000005591010FFFFFFFF890000110004093007A00530038001005F3740 11[..x63]";
const FAILED_PIR = "BF37818CBF274680080102030405060708BF2F24800105810207800C0F65696D2E6578616D706C652E636F6D5A0A9800103254769810321406062B0601040182A20BA10980010581010C8201005F3740 11[..x63]";

// The vectors' OID 2B 06 01 04 01 82 ends in the middle of an arc, which asn1js refuses to read: here it ends with 02.
const whole = (text: string): string => text.replace("062B0601040182", "062B0601040102");

const FROM_IPA_VECTORS: Readonly<Record<string, string>> = {
  "HandleNotification, compact PIR": "BF3D5EA05CA05AA01580080102030405060708020105A206A0044F0200115F3740 11[..x63]",
  "HandleNotification, compact other": "BF3D8180A07EA17C5A1089049032123451234512345678901235BF2F24800105810207800C0F65696D2E6578616D706C652E636F6D5A0A980010325476981032145F3740 11[..x63]",
  "HandleNotification, PIR": `BF3D81A7A081A4${PIR}`,
  "HandleNotification, result": `BF3D820151BF5082014C5A1089049032123451234512345678901235${RESULT}`,
  "ProvideEimPackageResult, result": `BF5082014C5A1089049032123451234512345678901235${RESULT}`,
  "ProvideEimPackageResult, data error": "BF50245A1089049032123451234512345678901235BF520FA10D80080102030405060708020101",
  "ProvideEimPackageResult, trigger, PIR": `BF5081C45A1089049032123451234512345678901235BF5481AE82080102030405060708${PIR}`,
  "ProvideEimPackageResult, trigger, error": "BF50275A1089049032123451234512345678901235BF541282080102030405060708300680017F040101",
  "ProvideEimPackageResult, response error": "BF50215A1089049032123451234512345678901235A00D80080102030405060708020101",
  GetEimPackage: "BF4F1C5A10890490321234512345123456789012358000810104820362F210",
};

describe("what the eIM builds is the vectors' octets", () => {
  test("an eUICC Package with every PSMO", () => {
    const commands = [
      psmo.enable(ICCID, { rollback: true }), psmo.disable(ICCID), psmo.delete(ICCID), psmo.listProfileInfo(undefined, [0x5a, 0x9f70]), psmo.getRAT(),
      psmo.configureImmediateEnable({ immediateEnable: true, defaultSmdpOid: "1.3.6.1.4.1.2", defaultSmdpAddress: NAME }),
      psmo.setFallbackAttribute(ICCID), psmo.unsetFallbackAttribute(), psmo.setDefaultDpAddress(NAME),
    ];
    const data = euiccPackageSigned({ eimId: NAME, eid: fromHex(EID), counterValue: 5, transactionId: TRANSACTION }, commands);
    assert.equal(toHex(tlv(0xbf51, data, tlv(0x5f37, new Uint8Array(64).fill(0x11)))), toHex(vector(whole(PACKAGE))));
  });

  test("IpaEuiccDataRequest with both search criteria", () => {
    const request = { tags: [0xbf20, 0xbf22, 0xa5, 0xa6], ciPkId: fromHex("33333333"), notification: { seqNumber: 5 }, euiccPackageResult: { seqNumber: 6 } };
    assert.equal(toHex(tlv(0xbf4f, ipaEuiccDataRequest(request, TRANSACTION))), "BF4F25BF52225C06BF20BF22A5A6040433333333A103800105A20380010683080102030405060708");
  });

  const triggers: [string, Parameters<typeof profileDownloadTriggerRequest>, string][] = [
    ["an activation code", [{ activationCode: "1$a$b" }, TRANSACTION], "BF4F16BF5413A0078005312461246282080102030405060708"],
    ["the default SM-DP+", [{ contactDefaultSmdp: true }, undefined], "BF4F07BF5404A0028100"],
    ["an SM-DS", [{ contactSmds: NAME }, undefined], "BF4F18BF5415A013A211800F65696D2E6578616D706C652E636F6D"],
    ["the root SM-DS", [{ contactSmds: true }, undefined], "BF4F07BF5404A002A200"],
    ["nothing: the eIM holds the data", [{}, undefined], "BF4F03BF5400"],
  ];
  for (const [title, content, expected] of triggers) {
    test(`ProfileDownloadTriggerRequest with ${title}`, () => {
      assert.equal(toHex(tlv(0xbf4f, profileDownloadTriggerRequest(...content))), toHex(vector(expected)));
    });
  }

  const answers: [string, Uint8Array, string][] = [
    ["EimAcknowledgements", eimAcknowledgements([5, 6]), "BF5009BF5306800105800106"],
    ["emptyResponse", eimAcknowledgements([]), "BF50023000"],
    ["provideEimPackageResultError", provideEimPackageResultError(2), "BF5003020102"],
    ["eimPackageError", eimPackageError(1), "BF4F03020101"],
    ["the error of InitiateAuthentication", FUNCTIONS.get(0xbf39)?.error?.(52) as Uint8Array, "BF3903810134"],
    ["the error of AuthenticateClient", FUNCTIONS.get(0xbf3b)?.error?.(10) as Uint8Array, "BF3B0382010A"],
    ["the error of GetBoundProfilePackage", FUNCTIONS.get(0xbf3a)?.error?.(50) as Uint8Array, "BF3A03810132"],
    ["the error of CancelSession", FUNCTIONS.get(0xbf41)?.error?.(1) as Uint8Array, "BF4103810101"],
  ];
  for (const [title, built, expected] of answers) {
    test(title, () => {
      assert.equal(toHex(built), expected);
      assert.equal(mismatch(built, (FROM_EIM[readOne(built).tag] as () => ReturnType<typeof euiccPackageRequest>)()), undefined);
    });
  }

  test("EimConfigurationData with keys in A5 and A6 (C1)", () => {
    const source = { eimId: NAME, eimIdType: EimIdType.Fqdn, fqdn: NAME, signCertificate: pki.eimSign.certificate, tlsCertificate: pki.eimTls.certificate };
    const data = eimConfigurationData(source, { fqdn: null, eimIdType: null, counter: 5, protocols: null });
    assert.match(toHex(data), /^3081CE800F65696D2E6578616D706C652E636F6D830105A55BA059301306072A8648CE3D020106082A8648CE3D03010703420004.{128}A65BA0593013/);
    assert.equal(mismatch(data, configurationSchema()), undefined);
    const nested = eimConfigurationData(source, { fqdn: null, eimIdType: null, counter: 5, protocols: null, nested: true });
    assert.match(toHex(nested), /^3081D2.*A55DA05B3059.*A65DA05B3059/);
    assert.notEqual(mismatch(nested, configurationSchema()), undefined, "the nested form must be one that a strict decoder refuses");
  });

  test("EimConfigurationData has its members in the order and coding of the vector", () => {
    const { eim } = bench();
    const data = eim.configurationData({ associationToken: "request", euiccCiPkId: new Uint8Array(20).fill(0x33), indirectProfileDownload: true });
    const blank = toHex(data).replace(/(034200)04.{128}/g, `$104${"22".repeat(64)}`);
    assert.equal(blank, toHex(vector("30820101800F65696D2E6578616D706C652E636F6D810F65696D2E6578616D706C652E636F6D8201028301008401FFA55BA059301306072A8648CE3D020106082A8648CE3D03010703420004 22[..x63] A65BA059301306072A8648CE3D020106082A8648CE3D03010703420004 22[..x63] 87020780 8814 33[..x19] 8900")));
  });

  test("addEim and updateEim carry the members, not the 30", () => {
    const configuration = fromHex("3005800365696D");
    assert.equal(toHex(eco.addEim(configuration).der), "A805800365696D");
    assert.equal(toHex(eco.updateEim(fromHex("800365696D")).der), "AA05800365696D");
    assert.equal(toHex(eco.deleteEim("eim").der), "A905800365696D");
    assert.equal(toHex(eco.listEim().der), "AB00");
  });
});

describe("what the eIM reads means what the vectors mean", () => {
  for (const [title, text] of Object.entries(FROM_IPA_VECTORS)) {
    test(`${title}: asn1js finds the shape of the types file`, () => {
      const bytes = vector(whole(text));
      assert.equal(mismatch(bytes, (FROM_IPA[readOne(bytes).tag] as () => ReturnType<typeof euiccPackageRequest>)()), undefined);
    });
  }

  test("an eUICC Package Result with every kind of result", () => {
    const result = readEuiccPackageResult(readOne(vector(RESULT)), []);
    assert.equal(result.kind, "euiccPackageResult");
    if (result.kind !== "euiccPackageResult") return;
    assert.deepEqual(
      { eimId: result.eimId, counter: result.counter, transactionId: result.transactionId, seqNumber: result.seqNumber },
      { eimId: NAME, counter: 5, transactionId: "0102030405060708", seqNumber: 9 },
    );
    assert.deepEqual(result.commands.map(({ command, code, name }) => `${command} ${code} ${name}`), [
      "enable 0 ok", "disable 0 ok", "delete 0 ok", "listProfileInfo 0 ok", "getRAT 0 ok", "configureImmediateEnable 0 ok", "addEim 0 ok", "addEim 0 ok",
      "deleteEim 0 ok", "updateEim 0 ok", "listEim 0 ok", "listEim 127 undefinedError", "rollback 0 ok", "setFallbackAttribute 0 ok", "unsetFallbackAttribute 0 ok",
      "processingTerminated 3 interruption", "setDefaultDpAddress 0 ok",
    ]);
    assert.equal(result.commands[6]?.associationToken, 1);
    assert.deepEqual(result.commands[10]?.eims, [{ eimId: NAME, eimIdType: 2 }]);
    assert.deepEqual(result.commands[3]?.profiles, [{
      iccid: ICCID, isdpAid: "A0000005591010FFFFFFFF8900001100", state: "enabled", profileClass: "operational", nickname: "n", serviceProviderName: "s",
      profileName: "p", fallbackAttribute: true, fallbackAllowed: true, ecallIndication: true,
    }]);
  });

  test("a signed and an unsigned error", () => {
    const signed = readEuiccPackageResult(readOne(vector("BF5168A1663021800F65696D2E6578616D706C652E636F6D810105820801020304050607080201045F3740 11[..x63]")), []);
    assert.deepEqual(signed.kind === "euiccPackageErrorSigned" && signed.error, { code: 4, name: "replayError" });
    const unsigned = readEuiccPackageResult(readOne(vector("BF5120A21E800F65696D2E6578616D706C652E636F6D82080102030405060708840100")), []);
    assert.deepEqual(unsigned, { kind: "euiccPackageErrorUnsigned", eimId: NAME, transactionId: "0102030405060708", associationToken: 0 });
  });

  test("a successful and a failed ProfileInstallationResult", () => {
    const success = readPendingNotification(readOne(vector(PIR)), []);
    assert.deepEqual([success.seqNumber, success.event, success.receiver, success.iccid], [5, "install", NAME, ICCID]);
    assert.equal(success.installation?.success, true);
    const failed = readPendingNotification(readOne(vector(FAILED_PIR)), []);
    assert.deepEqual(failed.installation?.bppCommand, { code: 5, name: "loadProfileElements" });
    assert.deepEqual(failed.installation?.error, { code: 12, name: "peProcessingError" });
  });

  test("IpaEuiccData with the DeviceInfo of IMEI 352906112345675", () => {
    const deviceInfo = fromHex("A917 8004 53926011 A105 85030F0000 8208 539260113254765F");
    const body = tlv(0xbf52, tlv(0xa0, tlv(0x81, utf8(NAME)), tlv(0x84, integer(7)), tlv(0x87, TRANSACTION), fromHex("A808 80020702 81020780"), deviceInfo));
    const read = readIpaEuiccDataResponse(readOne(body), []);
    assert.deepEqual(read.kind === "ipaEuiccData" && read.data, {
      defaultSmdpAddress: NAME,
      associationToken: 7,
      ipaCapabilities: { features: [], protocols: [0] },
      deviceInfo: { tac: "35290611", imei: "352906112345675", capabilities: { "85": "0F0000" } },
    });
  });
});

describe("signature vectors of 14.2", () => {
  const eimKey = fromHex("04BB9E897517ED7198C5F7738B887D22AFC6C68C57AD9B2D04337B5F3A0DC83FE5C83997B6B3AA427FC2E603718B7140151BA8D15E0B170275D98DD05C0FF5C287");
  const euiccPublicKey = fromHex("046DB3F53ADC87DC2FF10C7BFCD87AD13AE97009AFA065A6757EE571B3F2EBB18F46C1D68F3EDEB0E74B2E5D542051E7D27F50952028605AFDEF79FE9FFFD03959");
  const signedPackage = fromHex("BF5181873042800F65696D2E6578616D706C652E636F6D5A108904903212345123451234567890123581010582080102030405060708A010A30E5A0A9800103254769810321405005F3740BAFCC3A3369777E4DDCB840699BB7E77E33B48085AE0F16E747CFA15C29813A729B0EA47BE8F3C95C5679E7EBD4C6F8F3FA36C0EEB99195C338FD4382EA4BCD0");
  const signedResult = fromHex("BF516DA06B3026800F65696D2E6578616D706C652E636F6D8101058208010203040506070883010D30038301005F37409A6BD3963E8FFCB5724BF95C4D052CED9FEF97EB3167B4AD45E90C3C8653E5684F9C954AF5E73B64072C57C6B219CE0D7936DD3660CA02638FAD89A77BCA7909");
  const data = euiccPackageSigned({ eimId: NAME, eid: fromHex(EID), counterValue: 5, transactionId: TRANSACTION }, [psmo.enable(ICCID, { rollback: true })]);

  test("the package's signed data are what the builder makes", () => {
    assert.equal(toHex(only(signedPackage).raw), toHex(data));
  });

  test("eimSignature verifies over 30 and 84 01 00, and not over 30 alone", () => {
    const signature = (readAll(readOne(signedPackage).value)[1] as Tlv).value;
    assert.equal(verify("P-256", eimKey, concat(data, tokenObject(undefined)), signature), true);
    assert.equal(verify("P-256", eimKey, data, signature), false);
    const withToken = fromHex("237A5027D394374E84E9490E0E018E0265D77833FAE0203D267B81CDB59C067B4D169E9FDF62A648B3BAFD2EE7F6B164D7377EB40F03E97B7F19795329A7127D");
    assert.equal(verify("P-256", eimKey, concat(data, tokenObject(7)), withToken), true);
  });

  test("a token above 127 is coded with a leading zero octet", () => {
    assert.equal(toHex(tokenObject(127)), "84017F");
    assert.equal(toHex(tokenObject(128)), "84020080");
  });

  test("the EPR verifies over 30 and 84 01 00 and says: enable ok, seqNumber 13", () => {
    const result = readEuiccPackageResult(readOne(signedResult), []);
    if (result.kind !== "euiccPackageResult") return assert.fail(result.kind);
    assert.equal(verify("P-256", euiccPublicKey, concat(result.data, tokenObject(undefined)), result.signature), true);
    assert.equal(verify("P-256", euiccPublicKey, result.data, result.signature), false);
    assert.deepEqual([result.seqNumber, result.commands[0]?.command, result.commands[0]?.name], [13, "enable", "ok"]);
  });

  const keys = new URL("../../../../../shared/data/sgp26-variant-o/test-keys.json", import.meta.url);
  if (existsSync(keys)) {
    test("with the test eIM's key a package is signed so that its public key verifies it", () => {
      const { d } = (JSON.parse(readFileSync(keys, "utf8")) as Record<string, { d: string }>).SK_S_EIMsign_ECDSA_NIST as { d: string };
      const der = euiccPackage(data, keyPair("P-256", fromHex(d)), 7);
      assert.equal(mismatch(der, euiccPackageRequest()), undefined);
      assert.equal(verify("P-256", eimKey, concat(data, tokenObject(7)), (readAll(readOne(der).value)[1] as Tlv).value), true);
    });
  }
});

test("metadata in fixtures are those of the vectors", () => {
  assert.equal(toHex(metadata(5, 0, NAME)), "BF2F24800105810207800C0F65696D2E6578616D706C652E636F6D5A0A98001032547698103214");
});
