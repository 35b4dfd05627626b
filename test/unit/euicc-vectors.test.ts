/** Byte vectors that a card reads or answers, and the order of its checks (SGP.32 v1.2 2.11; SGP.22 v2.5 5.7). */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, test } from "node:test";
import { concat, fromHex, toHex, utf8 } from "../sim/core/bytes.js";
import { integer, readAll, readOne, tlv } from "../sim/codec/tlv.js";
import { eimConfigurationData, type EuiccOptions } from "../sim/euicc/index.js";
import { parseCertificate } from "../sim/pki/certificate.js";
import { keyPairFromSeed, spki, verify } from "../sim/pki/keys.js";
import { loadPki } from "../sim/pki/pki.js";
import { A, B, C, EIM_ID, euiccPackage, iccidHex, opened, ordinary, pki, psmo, results, run, started, vector } from "./euicc-kit.js";

/** The vectors' CI key id is 20 times 33; ours is another one. */
const ciPkId = (): string => toHex(parseCertificate(pki().ci.certificate).subjectKeyId as Uint8Array);
const answers = (options: EuiccOptions, command: string): string => toHex(started(options).reader.es10(vector(command)));
const CONFIGURATION =
  "30820101800F65696D2E6578616D706C652E636F6D810F65696D2E6578616D706C652E636F6D8201028301008401FFA55BA059301306072A8648CE3D020106082A8648CE3D03010703420004 22[..x63] A65BA059301306072A8648CE3D020106082A8648CE3D03010703420004 22[..x63] 870207808814 33[..x19] 8900";
const withOurKeys = (text: string): Uint8Array => {
  const point = toHex(pki().eimSign.key.publicKey).slice(2);
  return fromHex(toHex(vector(text)).replaceAll("22".repeat(64), point).replace("33".repeat(20), ciPkId()));
};

describe("what a card answers", () => {
  test("GetEID, addresses, certificates unknown, removal, initial association", () => {
    const addresses = ordinary({ defaultDpAddress: "eim.example.com", rootDsAddress: "eim.example.com" });
    assert.equal(answers(ordinary(), "BF3E035C015A"), "BF3E125A1089049032123451234512345678901235");
    assert.equal(answers(addresses, "BF3C00"), "BF3C22800F65696D2E6578616D706C652E636F6D810F65696D2E6578616D706C652E636F6D");
    assert.equal(answers(ordinary(), "BF3C00"), `BF3C148112${toHex(utf8("lpa.ds.example.com"))}`);
    assert.equal(answers(ordinary(), "BF56168014 33[..x19]"), "BF5603810101");
    assert.equal(answers(ordinary({ eims: [] }), "BF5500"), "BF5502A000");
  });

  test("EUICCInfo1 and EUICCInfo2", () => {
    assert.equal(answers(ordinary(), "BF2000"), toHex(vector("BF20358203020500A9160414 33[..x19] AA160414 33[..x19]")).replaceAll("33".repeat(20), ciPkId()));
    const info2 =
      "BF2275810302030182030205008303010000840F810100820400068D8083040000100085030507E088020298A9160414 33[..x19] AA160414 33[..x19] 04030100000C0558582D5959900100B40BA005040301020081008200";
    assert.equal(answers(ordinary(), "BF2200"), toHex(vector(info2)).replaceAll("33".repeat(20), ciPkId()));
    assert.ok(answers(ordinary({ info: { forbiddenPolicyRules: ["ppr1"] } }), "BF2200").includes("990206400403010000"));
  });

  test("the Rules Authorisation Table, with a wildcard operator and empty gids", () => {
    const rat = [{ pprIds: ["ppr1", "ppr2"] as const, allowedOperators: [{ mccMnc: "EEE-EEE", gid1: fromHex(""), gid2: fromHex("") }], consentRequired: true }];
    assert.equal(answers(ordinary({ rat }), "BF4300"), "BF4319A017301580020560A10B30098003EEEEEE8100820082020780");
    assert.equal(answers(ordinary(), "BF4300"), "BF4302A000");
    assert.deepEqual(run(started(ordinary({ rat })).reader, { psmos: [fromHex("A600")] }), ["A617301580020560A10B30098003EEEEEE8100820082020780"]);
  });

  test("ProfileInfo with every member, as in the vector", () => {
    const profile = {
      iccid: A,
      aid: fromHex("A0000005591010FFFFFFFF8900001100"),
      enabled: true,
      nickname: "n",
      serviceProviderName: "s",
      profileName: "p",
      notifications: [{ events: ["install"] as const, address: "eim.example.com" }],
      owner: { mccMnc: "262-01" },
      policyRules: ["ppr1"] as const,
      ecall: true,
      fallbackAttribute: true,
      fallbackAllowed: true,
    };
    const tags = "BF2D165C145A4F9F70909192939495B6B7B8999F7B9F269F67";
    assert.equal(
      answers(ordinary({ profiles: [profile] }), tags),
      "BF2D62A060E35E5A0A980010325476981032144F10A0000005591010FFFFFFFF89000011009F70010190016E910173920170950102B617301580020780810F65696D2E6578616D706C652E636F6DB705800362F210990206409F7B01FF9F2601FF9F6701FF",
    );
    assert.equal(answers(ordinary(), "BF2D13A00C5A0A980010325476981032145C035A9F70"), "BF2D14A012E3105A0A980010325476981032149F700101");
    assert.equal(answers(ordinary(), "BF2D05A003950101"), "BF2D02A000", "nothing found is an empty list");
    const byAid = "BF2D19A0124F10A0000005591010FFFFFFFF89000011005C035A9F70";
    assert.equal(answers(ordinary(), byAid), `BF2D14A012E3105A0A${iccidHex(B)}9F700100`, "the second Profile's AID");
  });

  test("GetConnectivityParameters of the enabled Profile", () => {
    assert.equal(answers(ordinary({ profiles: [{ iccid: A, enabled: true, connectivity: fromHex("0102") }] }), "BF5F00"), "BF5F06A00481020102");
  });

  test("GetCerts gives certificates as their content under A5 and A6", () => {
    const { reader } = started();
    for (const command of ["BF5600", `BF56168014${ciPkId()}`]) {
      const [eum, euicc] = readAll(readOne(readOne(reader.es10(command), 0xbf56).value, 0xa0).value);
      assert.deepEqual([eum?.tag, tlv(0x30, eum?.value ?? fromHex(""))], [0xa5, pki().eum.certificate]);
      assert.deepEqual([euicc?.tag, tlv(0x30, euicc?.value ?? fromHex(""))], [0xa6, pki().euicc.certificate]);
    }
  });

  test("empty notification lists, and each search criterion", () => {
    const { reader } = started();
    assert.equal(toHex(reader.es10("BF2B00")), "BF2B02A000");
    assert.equal(toHex(reader.es10("BF2B04A0028200")), "BF2B02A200");
    assert.equal(toHex(reader.es10("BF2800")), "BF2802A000");
    const epr = reader.es10(euiccPackage({ psmos: [psmo.delete(B), psmo.disable(A)] }));
    reader.start();
    assert.equal(toHex(reader.es10("BF2B04A0028200")), toHex(tlv(0xbf2b, tlv(0xa2, epr))));
    assert.equal(toHex(reader.es10("BF2B05A003800102")), toHex(tlv(0xbf2b, tlv(0xa2, epr))), "an EPR by its number has the EPR's form");
    const numbers = (command: string): (string | undefined)[] =>
      readAll(readOne(readOne(reader.es10(command), 0xbf2b).value, 0xa0).value).map(({ value }) => toHex(readAll(readOne(readAll(value)[0]?.raw ?? value).value)[0]?.value ?? value));
    assert.deepEqual(numbers("BF2B00"), ["01", "03"]);
    assert.deepEqual(numbers("BF2B05A003800103"), ["03"]);
    assert.deepEqual(numbers("BF2B06A00481020410"), ["01"]);
    assert.deepEqual(numbers("BF2B06A00481020430"), ["01", "03"]);
    assert.deepEqual(numbers("BF2B06A00481020640"), []);
    assert.equal(toHex(reader.es10("BF280481020520")), `BF282AA028BF2F25800103810205200C10${toHex(utf8("smdp.example.com"))}5A0A98001032547698103214`);
  });

  test("EuiccMemoryReset resets eIM data and answers each part", () => {
    const { euicc, reader } = started();
    assert.equal(toHex(reader.es10("BF64048202017E")), "BF6409800100810100820100");
    assert.equal(euicc.profiles.length, 2, "operational Profiles were not asked for");
    assert.equal(euicc.eims.length, 0);
    assert.equal(toHex(reader.es10("BF640482020780")), "BF6403800100");
    assert.equal(reader.sw, 0x910b, "the enabled Profile is gone");
    assert.equal(euicc.profiles.length, 0);
    assert.equal(euicc.pending.length, 2);
  });
});

describe("what a card reads", () => {
  test("AddInitialEim of the vector, and GetEimConfigurationData gives it back", () => {
    const { reader } = started(ordinary({ eims: [] }));
    const data = withOurKeys(CONFIGURATION);
    assert.equal(toHex(reader.es10(tlv(0xbf57, tlv(0xa0, data)))), "BF5705A003840101");
    const stored = fromHex(toHex(data).replace("30820101", "308200FE").replace("8301008401FF", "840101").replace("308200FE", "3081FE"));
    assert.equal(toHex(reader.es10("BF5513A011800F65696D2E6578616D706C652E636F6D")), toHex(tlv(0xbf55, tlv(0xa0, stored))));
  });

  test("AddInitialEim of several answers in their order", () => {
    const { reader } = started(ordinary({ eims: [] }));
    const publicKey = spki("P-256", pki().eimSign.key.publicKey);
    const list = [eimConfigurationData({ eimId: "a", publicKey, associationToken: -1 }), eimConfigurationData({ eimId: "b", publicKey })];
    assert.equal(toHex(reader.es10(tlv(0xbf57, tlv(0xa0, ...list)))), "BF5707A0058401010500");
  });

  test("keys and certificates under A5 and A6 in all four combinations; nested objects only when lenient", () => {
    const key = tlv(0xa0, readOne(spki("P-256", pki().eimSign.key.publicKey)).value);
    const certificate = tlv(0xa1, readOne(pki().eimSign.certificate).value);
    const nested = [tlv(0xa0, spki("P-256", pki().eimSign.key.publicKey)), tlv(0xa1, pki().eimSign.certificate)];
    const code = (own: Uint8Array, tls: Uint8Array, lenient: boolean): string => {
      const { reader } = started(ordinary({ eims: [], lenient }));
      return toHex(reader.es10(tlv(0xbf57, tlv(0xa0, tlv(0x30, fromHex("800165830105"), tlv(0xa5, own), tlv(0xa6, tls))))));
    };
    for (const own of [key, certificate]) for (const tls of [key, certificate]) assert.equal(code(own, tls, false), "BF5704A0020500");
    for (const own of nested) {
      assert.equal(code(own, key, false), "BF5703810107");
      assert.equal(code(key, own, false), "BF5703810107");
      assert.equal(code(own, own, true), "BF5704A0020500");
    }
  });

  test("every PSMO of the package vector, with a result for each", () => {
    const rat = [{ pprIds: ["ppr1", "ppr2"] as const, allowedOperators: [{ mccMnc: "EEE-EEE" }], consentRequired: true }];
    const profiles = [{ iccid: B, enabled: true }, { iccid: A, fallbackAllowed: true }, { iccid: C }];
    const { euicc, reader } = started(ordinary({ rat, profiles }));
    const psmos = [
      "BF2D055C035A9F70", "A600", "A71B800081062B0601040182820F65696D2E6578616D706C652E636F6D",
      "A80C5A0A98001032547698103214", "A900", "BF6511800F65696D2E6578616D706C652E636F6D", "A30E5A0A980010325476981032140500", toHex(psmo.delete(C)),
    ].map(fromHex);
    const [list, ...others] = run(reader, { psmos });
    assert.match(list ?? "", /^BF2D38A036E310/);
    assert.deepEqual(others, ["A613301180020560A10730058003EEEEEE82020780", "870100", "8D0100", "8E0100", "BF6503800100", "830100", "850100"]);
    assert.equal(euicc.snapshot().nonvolatile.defaultDpAddress, "eim.example.com");
  });

  test("SetDefaultDpAddress by either tag; an empty string takes the address away", () => {
    const { euicc, reader } = started();
    assert.equal(toHex(reader.es10("BF6511800F65696D2E6578616D706C652E636F6D")), "BF6503800100");
    assert.equal(euicc.snapshot().nonvolatile.defaultDpAddress, "eim.example.com");
    assert.equal(toHex(reader.es10("BF3F028000")), "BF3F03800100");
    assert.equal(euicc.snapshot().nonvolatile.defaultDpAddress, "");
  });

  test("ConfigureImmediateProfileEnabling of the vector, while no eIM is associated", () => {
    const { euicc, reader } = started(ordinary({ eims: [] }));
    assert.equal(toHex(reader.es10("BF591B800081062B0601040182820F65696D2E6578616D706C652E636F6D")), "BF5903800100");
    assert.ok(euicc.snapshot().nonvolatile.immediateEnable.allowed);
  });
});

describe("signature vectors", () => {
  const EIM_KEY = fromHex("04BB9E897517ED7198C5F7738B887D22AFC6C68C57AD9B2D04337B5F3A0DC83FE5C83997B6B3AA427FC2E603718B7140151BA8D15E0B170275D98DD05C0FF5C287");
  const EUICC_KEY = fromHex("046DB3F53ADC87DC2FF10C7BFCD87AD13AE97009AFA065A6757EE571B3F2EBB18F46C1D68F3EDEB0E74B2E5D542051E7D27F50952028605AFDEF79FE9FFFD03959");
  const PACKAGE =
    "BF5181873042800F65696D2E6578616D706C652E636F6D5A108904903212345123451234567890123581010582080102030405060708A010A30E5A0A9800103254769810321405005F3740BAFCC3A3369777E4DDCB840699BB7E77E33B48085AE0F16E747CFA15C29813A729B0EA47BE8F3C95C5679E7EBD4C6F8F3FA36C0EEB99195C338FD4382EA4BCD0";
  const WITH_TOKEN_7 = "237A5027D394374E84E9490E0E018E0265D77833FAE0203D267B81CDB59C067B4D169E9FDF62A648B3BAFD2EE7F6B164D7377EB40F03E97B7F19795329A7127D";
  const EPR =
    "BF516DA06B3026800F65696D2E6578616D706C652E636F6D8101058208010203040506070883010D30038301005F37409A6BD3963E8FFCB5724BF95C4D052CED9FEF97EB3167B4AD45E90C3C8653E5684F9C954AF5E73B64072C57C6B219CE0D7936DD3660CA02638FAD89A77BCA7909";
  const card = (associationToken?: number): EuiccOptions =>
    ordinary({
      firstSeqNumber: 13,
      profiles: [{ iccid: B, enabled: true }, { iccid: A }],
      eims: [{ eimId: EIM_ID, publicKey: spki("P-256", EIM_KEY), ...(associationToken !== undefined && { associationToken }) }],
    });

  test("the package is executed, and the EPR's data are those of the vector", () => {
    const answer = started(card()).reader.es10(fromHex(PACKAGE));
    assert.equal(toHex(opened(answer).data), toHex(opened(fromHex(EPR)).data));
  });

  test("with token 7 only the signature over token 7 is taken", () => {
    const signed = fromHex(PACKAGE.slice(0, -128) + WITH_TOKEN_7);
    assert.deepEqual(results(started(card(7)).reader.es10(signed)), ["830100"]);
    assert.equal(opened(started(card()).reader.es10(signed)).alternative, 0xa2);
    assert.equal(opened(started(card(7)).reader.es10(fromHex(PACKAGE))).alternative, 0xa2);
  });

  test("the EPR's signature covers the data and the token object, not the data alone", () => {
    const { data, signature } = opened(fromHex(EPR));
    assert.ok(verify("P-256", EUICC_KEY, concat(data, fromHex("840100")), signature));
    assert.ok(!verify("P-256", EUICC_KEY, data, signature));
  });

  test("a card with the public test certificates signs with the key of the vector", (context) => {
    const dir = "../shared/data/sgp26-variant-o";
    if (!existsSync(dir)) return context.diagnostic("the public test certificates are not here");
    const { reader } = started({ ...card(), pki: loadPki(dir, { seed: "test" }) });
    const { data, signature } = opened(reader.es10(fromHex(PACKAGE)));
    assert.ok(verify("P-256", EUICC_KEY, concat(data, fromHex("840100")), signature));
  });
});

describe("LoadEuiccPackage checks in the order of 3.3.1", () => {
  /** Each fault with the answer that it leads to; a package with several faults is answered by the first of them. */
  const FAULTS = ["unknown eIM", "wrong signature", "other EID", "replay", "too big", "eCall"] as const;
  const EXPECTED: Record<(typeof FAULTS)[number], string> = {
    "unknown eIM": "A2 without 84", "wrong signature": "A2 with 84", "other EID": "A1 3", replay: "A1 4", "too big": "A1 15", eCall: "A1 104",
  };

  function outcomeOf(faults: readonly string[]): string {
    const { reader } = started(
      ordinary({
        profiles: [{ iccid: A, enabled: true, ecall: faults.includes("eCall") }, { iccid: B }],
        eims: [{ eimId: EIM_ID, publicKey: spki("P-256", pki().eimSign.key.publicKey), counterValue: 5, associationToken: 3 }],
        limits: { package: faults.includes("too big") ? 10 : 16384 },
      }),
    );
    const { alternative, members } = opened(
      reader.es10(
        euiccPackage({
          token: 3,
          counter: faults.includes("replay") ? 5 : 6,
          ...(faults.includes("unknown eIM") && { eimId: "nobody" }),
          ...(faults.includes("wrong signature") && { key: keyPairFromSeed("P-256", "other") }),
          ...(faults.includes("other EID") && { eid: "89049032123451234512345678901236" }),
        }),
      ),
    );
    if (alternative === 0xa2) return `A2 ${members.some(({ tag }) => tag === 0x84) ? "with" : "without"} 84`;
    return `${alternative.toString(16).toUpperCase()} ${members.at(-1)?.value[0]}`;
  }

  for (const [index, fault] of FAULTS.entries()) {
    test(`${fault} comes before ${FAULTS.slice(index + 1).join(", ") || "nothing else"}`, () => {
      assert.equal(outcomeOf([fault]), EXPECTED[fault]);
      assert.equal(outcomeOf(FAULTS.slice(index)), EXPECTED[fault]);
      for (const later of FAULTS.slice(index + 1)) assert.equal(outcomeOf([fault, later]), EXPECTED[fault]);
    });
  }

  test("a counter out of range is told as 6, behind the EID and before the size", () => {
    const at = (counter: number, more: object = {}): string => {
      const { reader } = started(ordinary({ limits: { package: 10 } }));
      const { members } = opened(reader.es10(euiccPackage({ counter: integer(counter), ...more })));
      return String(members.at(-1)?.value[0]);
    };
    assert.deepEqual([at(0x800000), at(0x800000, { eid: "89049032123451234512345678901236" }), at(0x7fffff)], ["6", "3", "15"]);
  });
});
