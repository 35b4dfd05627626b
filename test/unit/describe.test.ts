/** Data objects in readable form: every vector of the protocol reference, messages with real certificates, and what does not fit. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe as suite, test } from "node:test";
import { fromHex, toHex, utf8 } from "../sim/core/bytes.js";
import { describe, nameOf, render, type Node } from "../sim/codec/describe.js";
import { readOne, tlv, TlvError } from "../sim/codec/tlv.js";
import { makePki } from "../sim/pki/pki.js";

const VECTORS = readFileSync("test/vectors/sgp32-types.txt", "utf8").split("\n").filter((line) => line !== "" && !line.startsWith("#")).map((line) => {
  const at = line.indexOf(" ");
  const hex = line.slice(at + 1).replace(/([0-9A-F]{2})\[\.\.x(\d+)\]/g, (_, octet: string, more: string) => octet.repeat(Number(more) + 1));
  return { type: line.slice(0, at), bytes: fromHex(hex) };
});

/** Two values in the vectors are dummies that break their own rules: an OID without its last octet, an extCardResource of 0102. */
const DUMMY = /(2B0601040182 ← OBJECT IDENTIFIER is cut off|0102 ← content of tag 1 )/;

function lines(hex: string): string[] {
  return render(describe(fromHex(hex)));
}

function problems(nodes: readonly Node[]): string[] {
  return render(nodes).filter((line) => line.includes("←"));
}

suite("the vectors of the protocol reference", () => {
  test("there are as many as the reference has, of all interfaces", () => {
    assert.equal(VECTORS.length, 101);
    assert.ok(new Set(VECTORS.map(({ type }) => type)).size > 50);
  });

  const seen = new Map<string, number>();
  for (const { type, bytes } of VECTORS) {
    const nth = (seen.get(type) ?? 0) + 1;
    seen.set(type, nth);
    test(`${type} ${nth} is found by its type, and every member has a name`, () => {
      const [node, ...rest] = describe(bytes);
      assert.deepEqual(rest, []);
      assert.equal(node?.name.split(":")[0], type);
      assert.deepEqual(problems([node as Node]).filter((line) => !DUMMY.test(line)), []);
    });
  }
});

suite("values", () => {
  test("an eUICC Package is shown with its PSMOs, EID, ICCID and flags", () => {
    const shown = render(describe(VECTORS.find(({ type }) => type === "EuiccPackageRequest")?.bytes as Uint8Array));
    assert.deepEqual(shown.slice(0, 9), [
      "EuiccPackageRequest [BF51]",
      "  euiccPackageSigned [30]",
      `    eimId [80] "eim.example.com"`,
      "    eidValue [5A] 89049032123451234512345678901235",
      "    counterValue [81] 5",
      "    eimTransactionId [82] 0102030405060708",
      "    euiccPackage: psmoList [A0]",
      "      enable [A3]",
      "        iccid [5A] 89000123456789012341",
    ]);
    assert.ok(shown.includes("        rollbackFlag [05] NULL"));
    assert.ok(shown.includes("        tagList [5C] 5A 9F70"));
    assert.ok(shown.includes("      unsetFallbackAttribute [A9]"));
  });

  test("the same tag has another name in another place: BF51 request and result, 85 deleteResult and errors by name", () => {
    assert.ok(lines("BF516DA06B3026800F65696D2E6578616D706C652E636F6D8101058208010203040506070883010D3003850115" + "5F3740" + "11".repeat(64)).includes("        deleteResult [85] 21 returnFallbackProfile"));
    assert.deepEqual(lines("BF3903810134"), ["EsipaMessageFromEimToIpa: initiateAuthenticationResponseEsipa [BF39]", "  initiateAuthenticationErrorEsipa [81] 52 invalidEimTransactionId"]);
  });

  test("an ICCID of 19 digits loses its filler, a TAC and an IMEI are digits, versions have points, an OID its arcs", () => {
    assert.deepEqual(lines("5A0A980010325476981032F4"), ["Iccid [5A] 8900012345678901234"]);
    const context = lines("A02C80054D41544348A123800453926011A11180030F000085030F0000AE0580030000008208539260113254765F");
    assert.ok(context.includes("    tac [80] 35290611"));
    assert.ok(context.includes("    imei [82] 352906112345675"));
    assert.ok(context.includes("      gsmSupportedRelease [80] 15.0.0"));
    assert.ok(lines("BF591D80008108" + "2B06010401825501" + "820F65696D2E6578616D706C652E636F6D").includes("  defaultSmdpOid [81] 1.3.6.1.4.1.341.1"));
    assert.ok(lines("BF590780008103883703").includes("  defaultSmdpOid [81] 2.999.3"));
  });

  test("a PLMN is MCC and MNC, with two digits or three", () => {
    const request = (plmn: string): string[] => lines(`BF4F1C5A1089049032123451234512345678901235800081010482 03${plmn}`);
    assert.ok(request("62F210").includes("  rPLMN [82] MCC 262 MNC 01"));
    assert.ok(request("130014").includes("  rPLMN [82] MCC 310 MNC 410"));
  });

  test("bits have names, unknown ones their number and a remark", () => {
    assert.ok(lines("BF640482020204").includes("  resetOptions [82] {resetEimConfigData}"));
    assert.match(lines("BF640482020001").join(), /resetOptions \[82\] \{bit 7\} ← bits that the type does not name/);
  });

  test("where request and response look the same, both are named", () => {
    assert.deepEqual(lines("BF5A03800100"), ["ImmediateEnableRequest [BF5A] (or ImmediateEnableResponse)", "  refreshFlag [80] FALSE"]);
    assert.deepEqual(lines("BF5A03800101"), ["ImmediateEnableResponse [BF5A]", "  result [80] 1 immediateEnableNotAvailable"]);
  });

  test("nameOf gives the short name for a trace", () => {
    assert.equal(nameOf(fromHex("BF4F03020101")), "getEimPackageResponse");
    assert.equal(nameOf(fromHex("BF3C00")), "EuiccConfiguredAddressesRequest");
    assert.equal(nameOf(fromHex("BF7F00")), "unknown");
  });
});

suite("messages with real certificates", () => {
  const pki = makePki({ seed: "a" });
  const content = (der: Uint8Array): Uint8Array => readOne(der, 0x30).value;
  const signature = tlv(0x5f37, new Uint8Array(64));
  const tid = tlv(0x80, [1, 2, 3]);
  const serverSigned1 = tlv(0x30, tid, tlv(0x81, new Uint8Array(16)), tlv(0x83, utf8("smdp.example.com")), tlv(0x84, new Uint8Array(16)));
  const metadata = tlv(0xbf2f, tlv(0x80, [5]), tlv(0x81, [6, 0x40]), tlv(0x0c, utf8("smdp.example.com")));
  const ctxParams1 = tlv(0xa0, tlv(0xa1, tlv(0x80, fromHex("53926011")), tlv(0xa1)));
  const summaries: Record<string, Uint8Array> = {
    "EimConfigurationData": tlv(0x30, tlv(0x80, utf8("eim")), tlv(0xa5, tlv(0xa1, content(pki.eimSign.certificate))), tlv(0xa6, tlv(0xa0, content(readOne(fromHex("3059301306072A8648CE3D020106082A8648CE3D030107034200" + toHex(pki.eimTls.key.publicKey))).raw)))),
    "GetCertsResponse": tlv(0xbf56, tlv(0xa0, tlv(0xa5, content(pki.eum.certificate)), tlv(0xa6, content(pki.euicc.certificate)))),
    "IpaEuiccDataResponse": tlv(0xbf52, tlv(0xa0, tlv(0xa5, content(pki.eum.certificate)), tlv(0xa6, content(pki.euicc.certificate)), tlv(0x87, [1]))),
    "AuthenticateServerRequest": tlv(0xbf38, serverSigned1, signature, tlv(0x04, new Uint8Array(20)), pki.dpAuth.certificate, ctxParams1),
    "PrepareDownloadRequest": tlv(0xbf21, tlv(0x30, tid, tlv(0x01, [0xff])), signature, tlv(0x04, new Uint8Array(32)), pki.dpPb.certificate),
    "EsipaMessageFromEimToIpa: initiateAuthenticationResponseEsipa": tlv(0xbf39, tlv(0xa0, tid, serverSigned1, signature, tlv(0x04, new Uint8Array(20)), pki.dpAuth.certificate, tlv(0x0c, utf8("M")), tlv(0xa2, ctxParams1))),
    "OtherSignedNotification": tlv(0x30, metadata, signature, pki.euicc.certificate, pki.eum.certificate),
    "EsipaMessageFromIpaToEim: handleNotificationEsipa": tlv(0xbf3d, tlv(0xa0, tlv(0x30, metadata, signature, pki.euicc.certificate, pki.eum.certificate))),
    "Certificate": pki.ci.certificate,
  };
  for (const [name, bytes] of Object.entries(summaries)) {
    test(`${name}: no member is unknown, and each certificate is one line`, () => {
      const nodes = describe(bytes, { certificate: (der) => `certificate of ${der.length} octets` });
      assert.equal(nodes[0]?.name, name);
      assert.deepEqual(problems(nodes), []);
      assert.match(render(nodes).join("\n"), /certificate of \d{3} octets/i);
    });
  }

  test("a certificate under a context tag is given to the caller as it was issued", () => {
    const seen: string[] = [];
    describe(summaries["GetCertsResponse"] as Uint8Array, { certificate: (der) => { seen.push(toHex(der)); return ""; } });
    assert.ok(seen.includes(toHex(pki.euicc.certificate)) && seen.includes(toHex(pki.eum.certificate)));
  });

  test("a certificate nested whole, as some eIMs do, is read and remarked", () => {
    const nodes = describe(tlv(0x30, tlv(0x80, utf8("eim")), tlv(0xa5, tlv(0xa1, pki.eimSign.certificate))), { certificate: () => "read" });
    assert.match(problems(nodes).join(), /eimCertificate \[A1\] read ← the whole object with its tag 30 is nested here/);
  });
});

suite("what does not fit", () => {
  test("an unknown tag at the top, an unknown member and a missing one are shown and named", () => {
    assert.deepEqual(lines("BF7E0380010A"), ["unknown [BF7E] ← no type of SGP.32 or SGP.22 has this tag", "  ? [80] 0A"]);
    assert.match(lines("BF53068001058501FF").join("\n"), /\? \[85\] FF ← unknown tag here/);
    assert.match(lines("BF2F058001058100").join("\n"), /notificationAddress is missing/);
  });

  test("members out of order, a code without a name, a value of the wrong size and control characters are remarked", () => {
    assert.match(lines("BF5407820101A0028100").join("\n"), /profileDownloadData \[A0\] ← out of order/);
    assert.match(lines("BF4F03020163").join("\n"), /eimPackageError \[02\] 99 ← not a number that the type names/);
    assert.match(lines("BF2E0480020102").join("\n"), /euiccChallenge \[80\] 0102 ← 16 octets expected, got 2/);
    assert.match(lines("BF3C0481020041").join("\n"), /rootDsAddress \[81\] 0041 ← control characters/);
  });

  test("a length that is not minimal is remarked", () => {
    assert.match(lines("BF538103800105").join("\n"), /length is not minimal/);
  });

  test("octets that are no TLV throw TlvError with the offset", () => {
    assert.throws(() => describe(fromHex("BF5105")), TlvError);
    assert.throws(() => describe(fromHex("80")), /length at offset 0 is cut off/);
  });

  test("every truncation and every changed octet of a package is shown or refused, and nothing else is thrown", () => {
    const whole = VECTORS.find(({ type }) => type === "EuiccPackageResult")?.bytes as Uint8Array;
    const attempt = (bytes: Uint8Array): void => {
      try {
        render(describe(bytes));
      } catch (error) {
        assert.ok(error instanceof TlvError, String(error));
      }
    };
    for (let length = 0; length < whole.length; length++) attempt(whole.subarray(0, length));
    for (let at = 0; at < whole.length; at++) {
      for (const flip of [0x01, 0x20, 0x80]) {
        const changed = Uint8Array.from(whole);
        changed[at] = (changed[at] as number) ^ flip;
        attempt(changed);
      }
    }
  });
});
