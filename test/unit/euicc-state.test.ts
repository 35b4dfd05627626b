/** The simulated eUICC's state: power cuts, snapshots, switches by local commands, faults and quirks (SGP.32 v1.2 3.4.6, 5.9). */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fromHex, toHex, utf8 } from "../sim/core/bytes.js";
import { readAll, readOne, tlv } from "../sim/codec/tlv.js";
import { eimConfigurationData, Euicc, fromJson, iccidDigits, QUIRKS, toJson, type EuiccOptions, type Quirk } from "../sim/euicc/index.js";
import { spki } from "../sim/pki/keys.js";
import { A, B, C, EIM_ID, euiccPackage, iccidHex, ordinary, pendingOf, pki, psmo, Reader, run, started } from "./euicc-kit.js";

function enabled(euicc: Euicc): string | undefined {
  const profile = euicc.enabledProfile;
  return profile && iccidDigits(profile.metadata.iccid);
}

describe("power", () => {
  test("a cut before any APDU of LoadEuiccPackage leaves nothing of the package, one behind it leaves all", () => {
    const command = euiccPackage({ psmos: [psmo.enable(B, true)] });
    const whole = started();
    run(whole.reader, { psmos: [psmo.enable(B, true)] });
    const all = whole.euicc.snapshot().nonvolatile;
    const apdus: Uint8Array[] = [];
    const recorder = new Reader({ powerCycle: () => fromHex(""), transmit: (apdu) => (apdus.push(apdu), fromHex("9000")) });
    recorder.channel = 1;
    recorder.blockSize = 40;
    recorder.es10(command);
    apdus.push(fromHex("01C0000000"));
    for (let cut = 0; cut <= apdus.length; cut++) {
      const { euicc } = started();
      const nothing = euicc.snapshot().nonvolatile;
      for (const apdu of apdus.slice(0, cut)) euicc.transmit(apdu);
      euicc.powerCycle();
      assert.deepEqual(euicc.snapshot().nonvolatile, cut < apdus.length - 1 ? nothing : all, `cut before APDU ${cut}`);
    }
  });

  test("a reset ends what is volatile and keeps the rest", () => {
    const { euicc, reader } = started();
    run(reader, { psmos: [psmo.enable(B, true)] });
    assert.ok(euicc.switchPending);
    const atr = euicc.powerCycle();
    assert.equal(atr.subarray(1).reduce((sum, octet) => sum ^ octet, 0), 0, "TCK of the ATR");
    assert.deepEqual([euicc.switchPending, euicc.rollbackGranted, enabled(euicc)], [false, true, B]);
  });
});

describe("snapshot and restore", () => {
  const typical = (): { euicc: Euicc; reader: Reader } => {
    const profiles = [A, B, C].map((iccid, index) => ({ iccid, enabled: index === 0, notifications: [{ events: ["enable", "disable", "delete"] as const, address: "smdp.example.com" }] }));
    const eims = ["eim.example.com", "b", "c"].map((eimId) => ({ eimId, publicKey: spki("P-256", pki().eimSign.key.publicKey) }));
    const one = started(ordinary({ profiles, eims, apdu: { refuseAfterSwitch: false } }));
    for (let counter = 1; counter <= 8; counter++) run(one.reader, { counter, psmos: [psmo.enable(counter % 2 === 0 ? A : B)] });
    return one;
  };

  test("a restored card answers as if nothing had happened since, as often as it is restored", () => {
    const { euicc, reader } = typical();
    const before = euicc.snapshot();
    const copy = toJson(before);
    const first = reader.es10(euiccPackage({ counter: 9, psmos: [psmo.disable(A), psmo.delete(C)] }));
    for (let again = 0; again < 2; again++) {
      euicc.restore(before);
      assert.deepEqual(reader.es10(euiccPackage({ counter: 9, psmos: [psmo.disable(A), psmo.delete(C)] })), first);
    }
    assert.equal(toJson(before), copy, "the snapshot itself stays as it was");
  });

  test("half a chain and half a response are part of it", () => {
    const { euicc, reader } = started();
    reader.send("81E2110003BF3E03");
    const inChain = euicc.snapshot();
    reader.start();
    euicc.restore(inChain);
    reader.send("81E29101035C015A");
    const inResponse = euicc.snapshot();
    reader.start();
    euicc.restore(inResponse);
    assert.equal(toHex(reader.send("01C0000015")), "BF3E125A1089049032123451234512345678901235");
  });

  test("one of a typical card takes well under a millisecond", () => {
    const { euicc } = typical();
    const state = euicc.snapshot();
    const times: number[] = [];
    for (let n = 0; n < 200; n++) {
      const start = performance.now();
      euicc.restore(state);
      euicc.snapshot();
      times.push(performance.now() - start);
    }
    const median = times.sort((a, b) => a - b)[100] as number;
    assert.ok(median < 1, `${median} ms for one restore and one snapshot`);
  });

  test("as JSON it comes back as another run's card", () => {
    const { euicc } = typical();
    const text = toJson(euicc.snapshot());
    const other = new Euicc(ordinary());
    other.restore(fromJson(text));
    assert.equal(toJson(other.snapshot()), text);
    assert.throws(() => fromJson("{}"), /expected the state of an eUICC/);
  });

  test("the caller's buffer can be used again", () => {
    const { euicc } = started();
    for (const apdu of ["81E2110003BF6504", "81E291010480026162"]) {
      const buffer = fromHex(apdu);
      euicc.transmit(buffer);
      buffer.fill(0);
    }
    assert.equal(euicc.snapshot().nonvolatile.defaultDpAddress, "ab");
  });
});

describe("local switches", () => {
  const withFallback = (): EuiccOptions => {
    const notifications = [{ events: ["enable", "disable"] as const, address: "smdp.example.com" }];
    return ordinary({ profiles: [{ iccid: A, enabled: true, notifications }, { iccid: B, notifications, fallbackAttribute: true }, { iccid: C, ecall: true, notifications }] });
  };

  test("ExecuteFallbackMechanism and ReturnFromFallback go there and back, with notifications", () => {
    const { euicc, reader } = started(withFallback());
    assert.equal(reader.code("BF5D038001FF"), 0);
    assert.equal(reader.sw, 0x910b);
    assert.equal(enabled(euicc), B);
    reader.start();
    assert.equal(reader.code("BF5E03800100"), 0);
    assert.equal(reader.sw, 0x9000);
    assert.deepEqual(pendingOf(euicc), [`1 disable ${iccidHex(A)}`, `2 enable ${iccidHex(B)}`, `3 disable ${iccidHex(B)}`, `4 enable ${iccidHex(A)}`]);
    reader.start();
    assert.equal(reader.code("BF5E03800100"), 6);
  });

  test("fallback, return and immediate enabling each end a rollback grant", () => {
    for (const commands of [["BF5D03800100"], ["BF5E03800100"], ["BF5A03800100"]]) {
      const { euicc, reader } = started(ordinary({ ...withFallback(), immediateEnable: true }));
      run(reader, { psmos: [psmo.disable(A), psmo.enable(B, true)] });
      const state = euicc.snapshot();
      // What the command needs: another enabled Profile to leave, one to return to, an installation just before.
      if (commands[0] === "BF5D03800100") state.nonvolatile.profiles.forEach((profile, index) => (profile.enabled = index === 0));
      state.nonvolatile.fallbackReturn = iccidHex(A);
      state.volatile.switchPending = false;
      state.volatile.installed = { iccid: iccidHex(A), smdpOid: fromHex("88370A"), smdpAddress: "smdp.example.com" };
      euicc.restore(state);
      assert.ok(euicc.rollbackGranted);
      for (const command of commands) assert.equal(reader.code(command), 0);
      assert.ok(!euicc.rollbackGranted, commands.join());
    }
  });

  test("EuiccMemoryReset ends what leads back to a deleted Profile, or to a deleted eIM", () => {
    for (const command of ["BF640482020780", "BF640482020204"]) {
      const { euicc, reader } = started();
      run(reader, { psmos: [psmo.enable(B, true)] });
      reader.start();
      reader.es10(command);
      assert.ok(!euicc.rollbackGranted, command);
    }
  });

  test("enabling a Profile by a package forgets where fallback was to return to", () => {
    const { reader } = started(withFallback());
    reader.es10("BF5D03800100");
    reader.start();
    assert.deepEqual(run(reader, { psmos: [psmo.enable(A)] }), ["830100"]);
    reader.start();
    assert.deepEqual(run(reader, { counter: 2, psmos: [psmo.enable(B)] }), ["830100"]);
    reader.start();
    assert.equal(reader.code("BF5E03800100"), 6);
  });

  test("the Emergency Profile comes without notifications and gives back the Profile from before", () => {
    const { euicc, reader } = started(withFallback());
    assert.equal(reader.code("BF5B03800100"), 0);
    assert.deepEqual([enabled(euicc), pendingOf(euicc)], [C, []]);
    reader.start();
    assert.equal(reader.code("BF5B03800100"), 2);
    assert.equal(reader.code("BF5C03800100"), 0);
    assert.deepEqual([enabled(euicc), pendingOf(euicc)], [A, [`1 disable ${iccidHex(C)}`, `2 enable ${iccidHex(A)}`]]);
  });

  test("ImmediateEnable takes the Profile of the session just before, from the configured SM-DP+ only", () => {
    const { euicc, reader } = started(ordinary({ immediateEnable: true }));
    const state = euicc.snapshot();
    state.volatile.installed = { iccid: iccidHex(B), smdpOid: fromHex("88370A"), smdpAddress: "smdp.example.com" };
    euicc.restore(state);
    reader.es10("BF2000");
    assert.equal(reader.code("BF5A03800100"), 0);
    assert.equal(enabled(euicc), B);
    state.nonvolatile.immediateEnable.smdpAddress = "other.example.com";
    euicc.restore(state);
    assert.equal(reader.code("BF5A03800100"), 1);
    reader.es10("BF3003800163");
    assert.equal(reader.code("BF5A03800100"), 4, "another command ended the context");
  });
});

describe("named faults", () => {
  test("catBusy refuses the next switches, whoever asks", () => {
    const { euicc, reader } = started();
    euicc.catBusy(2);
    assert.deepEqual(run(reader, { psmos: [psmo.enable(B)] }), ["830105"]);
    assert.deepEqual(run(reader, { counter: 2, psmos: [psmo.disable(A)] }), ["840105"]);
    assert.deepEqual(run(reader, { counter: 3, psmos: [psmo.enable(B, true)] }), ["830100"]);
    reader.start();
    euicc.catBusy();
    assert.equal(reader.code("BF58038001FF"), 5);
    assert.equal(reader.code("BF58038001FF"), 0, "the grant is still there");
  });

  test("failNext answers one function with a status word and does not carry it out", () => {
    const { euicc, reader } = started();
    euicc.failNext(0xbf51, 0x6f00);
    assert.equal(toHex(reader.es10("BF2B00")), "BF2B02A000");
    assert.throws(() => reader.es10(euiccPackage({})), { sw: 0x6f00 });
    assert.deepEqual(run(reader, {}), []);
  });

  test("truncate and garbage spoil the answer of a function that was carried out", () => {
    const { euicc, reader } = started();
    euicc.truncate(0xbf3e, 5);
    assert.equal(toHex(reader.es10("BF3E035C015A")), "BF3E125A10");
    euicc.garbage(fromHex("FFFF"));
    assert.equal(toHex(reader.es10("BF3E035C015A")), "FFFF");
    euicc.truncate();
    assert.equal(reader.es10(euiccPackage({ psmos: [psmo.enable(B)] })).length < 80, true);
    assert.equal(enabled(euicc), B);
  });

  test("a silent card answers with no octets at all", () => {
    const { euicc, reader } = started();
    euicc.silent(2);
    assert.deepEqual([euicc.transmit(fromHex("80F2000000")).length, euicc.transmit(fromHex("80F2000000")).length], [0, 0]);
    assert.equal(toHex(reader.send("80F2000000")), "");
    assert.equal(reader.sw, 0x9000);
  });
});

describe("quirks of real cards", () => {
  const card = (quirk: Quirk, more: EuiccOptions = {}): Reader => started(ordinary({ quirks: [quirk], ...more })).reader;
  const eimTlv = `30118 00F${toHex(utf8(EIM_ID))}`.replace(" ", "");

  const ANSWERS: readonly [Quirk, string | Uint8Array, string | RegExp, EuiccOptions?][] = [
    ["explicit-defaults", `BF2D1AA00C5A0A${"98001032547698103214"}5C0A9F7B9F269F675A5A5A5A`, "BF2D1CA01AE3185A0A980010325476981032149F7B01009F2601009F670100"],
    ["non-minimal-lengths", "BF3E035C015A", "BF3E81135A811089049032123451234512345678901235"],
    ["unknown-trailing", "BF3E035C015A", "BF3E165A10890490321234512345123456789012359F7A0100"],
    ["bf30-empty", "BF3003800105", "BF3000"],
    ["bf2b-empty", "BF2B00", "BF2B00"],
    ["bf2b-empty", "BF2B04A0028200", "BF2B00"],
    ["rollback-result-80", "BF58038001FF", "BF5803800101"],
    ["certificates-nested", "BF5600", /^BF5682....A082....A582....3082/],
    ["eim-list-split", "BF5500", /^BF55..A0..30..800F.{30}830100A5/],
    ["eim-defaults", "BF5500", /800F.{30}820103A5.*870203088814/],
    ["list-eim-30", euiccPackage({ ecos: [fromHex("AB00")] }), new RegExp(`AB153013${eimTlv}`)],
    ["list-eim-type-84", euiccPackage({ ecos: [fromHex("AB00")] }), /840102/, { eims: [{ eimId: EIM_ID, idType: "fqdn", publicKey: spki("P-256", pki().eimSign.key.publicKey) }] }],
    ["rat-30", "BF4300", "BF43023000"],
    ["connectivity-bare", "BF5F00", "BF5F03800101"],
    ["profile-info-error-02", "BF2D025C00", "BF2D03020101"],
    ["no-inner-a0", "BF2D00", /^BF2D..E3/],
    ["no-inner-a0", euiccPackage({}), /^BF51..30/],
    ["no-return-profile-7", "BF5E03800100", "BF5E03800107", { profiles: [{ iccid: A, enabled: true, fallbackAttribute: true }] }],
    ["info2-v1.0", "BF2200", /0C0558582D5959$/],
  ];

  for (const [quirk, command, expected, more] of ANSWERS) {
    test(`${quirk}: ${typeof command === "string" ? command.slice(0, 12) : "LoadEuiccPackage"} answers ${String(expected).slice(0, 40)}`, () => {
      const answer = toHex(card(quirk, more).es10(command));
      if (typeof expected === "string") assert.equal(answer, expected);
      else assert.match(answer, expected);
      const plain = toHex(started(ordinary(more)).reader.es10(command));
      assert.notEqual(plain, answer, "the strict card answers otherwise");
    });
  }

  test("each quirk is shown, and an unknown one is refused", () => {
    const elsewhere = ["pir-early"]; // euicc-download.test.ts
    assert.deepEqual(QUIRKS.filter((quirk) => !ANSWERS.some(([one]) => one === quirk)), elsewhere);
    assert.throws(() => new Euicc(ordinary({ quirks: ["nonsense" as Quirk] })), /expected one of explicit-defaults.*got "nonsense"/);
  });

  test("a lenient card takes the requests of the field", () => {
    const { reader } = started(ordinary({ lenient: true }));
    assert.equal(reader.code("BF58030101FF"), 1);
    assert.equal(toHex(reader.es10("BF2B028200")), "BF2B02A200");
    assert.equal(toHex(reader.es10("BF558100")).slice(0, 4), "BF55");
    const rollback = tlv(0xa3, tlv(0x5a, fromHex(iccidHex(B))), tlv(0x81));
    assert.deepEqual(run(reader, { psmos: [rollback] }), ["830100"]);
    reader.start();
    assert.equal(reader.code("BF58038001FF"), 0);
  });
});

describe("options", () => {
  test("what can not be on one card is refused by name", () => {
    assert.throws(() => new Euicc(ordinary({ profiles: [{ iccid: A, enabled: true }, { iccid: B, enabled: true }] })), /at most one enabled Profile/);
    assert.throws(() => new Euicc(ordinary({ profiles: [{ iccid: A }, { iccid: A }] })), /expected a new ICCID/);
    assert.throws(() => new Euicc(ordinary({ profiles: [{ iccid: "12" }] })), /ICCID of 19 or 20 digits, got "12"/);
    assert.throws(() => new Euicc(ordinary({ apdu: { blockSize: 256 } })), /apdu.blockSize from 1 to 255, got 256/);
    assert.throws(() => new Euicc(ordinary({ eims: [{ eimId: "keyless" }] })), /eimPublicKeyData of eIM "keyless"/);
  });

  test("association tokens go from 1 to 127 and begin again with those that are free", () => {
    const publicKey = spki("P-256", pki().eimSign.key.publicKey);
    const eim = (eimId: string): Uint8Array => eimConfigurationData({ eimId, publicKey, associationToken: -1 });
    const { euicc, reader } = started(ordinary({ eims: [eim("a")] }));
    const state = euicc.snapshot();
    state.nonvolatile.nextToken = 127;
    euicc.restore(state);
    run(reader, { eimId: "a", token: 1, ecos: ["b", "c", "d"].map((id) => tlv(0xa8, readOne(eim(id)).value)) });
    assert.deepEqual(euicc.eims.map((one) => one.associationToken), [1, 127, 2, 3]);
  });

  test("an eIM can be given as the octets of its EimConfigurationData", () => {
    const data = eimConfigurationData({ eimId: "bytes", fqdn: "bytes.example.com", counterValue: 7, associationToken: -1, publicKey: spki("P-256", pki().eimSign.key.publicKey) });
    const { euicc, reader } = started(ordinary({ eims: [data] }));
    assert.deepEqual([euicc.eims[0]?.counterValue, euicc.eims[0]?.associationToken], [7, 1]);
    const told = readAll(readOne(readOne(readOne(reader.es10("BF5500")).value, 0xa0).value, 0x30).value);
    assert.deepEqual(told.map(({ tag }) => tag), [0x80, 0x81, 0x84, 0xa5]);
  });
});
