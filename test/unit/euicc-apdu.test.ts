/** The simulated eUICC's APDU layer: channels, STORE DATA, response data, TERMINAL CAPABILITY, REFRESH (ETSI TS 102 221, SGP.22 v2.5 5.7.2). */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { concat, fromHex, toHex } from "../sim/core/bytes.js";
import { Euicc, type ApduOptions, type EuiccOptions } from "../sim/euicc/index.js";
import { A, B, euiccPackage, iccidHex, ordinary, psmo, Reader, run, started } from "./euicc-kit.js";

const EID = "BF3E125A1089049032123451234512345678901235";

function withApdu(apdu: Partial<ApduOptions>, more: EuiccOptions = {}): EuiccOptions {
  return ordinary({ ...more, apdu });
}

describe("logical channels", () => {
  test("the ISD-R answers on every channel from 0 to 19, by the class that codes it", () => {
    for (const firstChannel of [1, 3, 4, 19]) {
      const { reader } = started(withApdu({ firstChannel, channels: 1 }));
      assert.equal(reader.channel, firstChannel);
      assert.equal(toHex(reader.es10("BF3E035C015A")), EID);
    }
    const basic = new Reader(new Euicc(ordinary()));
    basic.send("80AA000005A903840101");
    basic.send("00A4040010A0000005591010FFFFFFFF8900000100");
    assert.equal(toHex(basic.es10("BF3E035C015A")), EID);
  });

  test("a fixed channel is opened without response data, and refused when it is open", () => {
    const reader = new Reader(new Euicc(ordinary()));
    assert.deepEqual([toHex(reader.send("0070000100")), reader.sw], ["", 0x9000]);
    reader.send("0070000100");
    assert.equal(reader.sw, 0x6a86);
    reader.send("00708001");
    assert.equal(reader.sw, 0x9000);
    reader.send("0070800100");
    assert.equal(reader.sw, 0x6881);
  });

  test("the FCI of the ISD-R holds its AID, the SGP.22 and the SGP.32 template", () => {
    const fci = (options: EuiccOptions): string => {
      const { reader } = started(options);
      return toHex(reader.send(concat(reader.header(0x00, `C00000${reader.sw.toString(16).slice(2)}`))));
    };
    const head = "8410A0000005591010FFFFFFFF8900000100";
    assert.equal(fci(ordinary()), `6F21${head}A50DE0058203020500E104800206409000`.slice(0, -4));
    assert.ok(fci(ordinary({ features: { ipae: "supported" } })).endsWith("E104800206C0"));
    assert.ok(fci(ordinary({ profiles: [] })).endsWith("E103800100"));
  });

  test("a reset closes every channel", () => {
    const { euicc, reader } = started();
    euicc.powerCycle();
    reader.store(fromHex("BF3E035C015A"));
    assert.equal(reader.sw, 0x6881);
  });

  test("a terminal reads the ICCID of the enabled Profile", () => {
    const reader = new Reader(new Euicc(ordinary()));
    reader.send("00A40004022FE2");
    assert.equal(toHex(reader.send("00B000000A")), iccidHex(A));
    reader.send("00B0000000");
    assert.equal(reader.sw, 0x9000);
  });
});

describe("STORE DATA", () => {
  test("a command is the same in blocks of any size", () => {
    for (const blockSize of [1, 7, 120, 254, 255]) {
      const { reader } = started();
      reader.blockSize = blockSize;
      assert.equal(toHex(reader.es10("BF3E035C015A")), EID);
      assert.equal(run(reader, { psmos: [psmo.enable(B)] })[0], "830100");
    }
  });

  test("a command of 256 blocks is taken", () => {
    const { reader } = started();
    reader.blockSize = 1;
    const command = fromHex(`BF2B81FC${"A0".padEnd(252 * 2, "0")}`);
    assert.equal(command.length, 256);
    assert.throws(() => reader.es10(command), { sw: 0x6a80 });
  });

  test("a refused block ends the whole chain", () => {
    const { reader } = started();
    reader.send("81E2110003BF3E03");
    reader.send("81E2110201 5C");
    assert.equal(reader.sw, 0x6a86);
    reader.send("81E29101035C015A");
    assert.equal(reader.sw, 0x6a86);
  });

  test("another command on the channel between two blocks drops the chain, one on another channel does not", () => {
    const { reader } = started();
    const [first, second] = [fromHex("81E2110003BF3E03"), fromHex("81E29101035C015A")];
    reader.send(first);
    reader.send("80F2000000");
    reader.send(second);
    assert.equal(reader.sw >> 8, 0x61);
    reader.send(first);
    reader.send("01A4040010A0000005591010FFFFFFFF8900000100");
    reader.send(second);
    assert.equal(reader.sw, 0x6a86);
  });
});

describe("response data", () => {
  const long = (apdu: Partial<ApduOptions>): { reader: Reader; whole: string } => {
    const { reader } = started(withApdu(apdu));
    const whole = toHex(new Reader(new Euicc(ordinary())).start().es10("BF5600"));
    assert.ok(whole.length > 1024, "the answer takes several responses");
    return { reader, whole };
  };

  test("more than 256 octets come in pieces announced by 61xx, 00 being 256", () => {
    const { reader, whole } = long({});
    reader.store(fromHex("BF5600"));
    assert.equal(reader.sw, 0x6100);
    const first = reader.send("01C0000000");
    assert.deepEqual([first.length, reader.sw], [256, 0x6100]);
    assert.equal(whole, toHex(long({}).reader.es10("BF5600")));
  });

  test("the card's own piece size holds", () => {
    const { reader, whole } = long({ responseChunk: 100 });
    reader.store(fromHex("BF5600"));
    assert.equal(reader.sw, 0x6164);
    reader.send("01C0000065");
    assert.equal(reader.sw, 0x6c64);
    assert.equal(reader.send("01C0000010").length, 16);
    assert.equal(toHex(long({ responseChunk: 100 }).reader.es10("BF5600")), whole);
  });

  test("data can come along with 9000", () => {
    const { reader, whole } = long({ response: "9000" });
    assert.equal(toHex(reader.es10("BF3E035C015A")), EID);
    assert.equal(toHex(reader.es10("BF5600")), whole);
  });

  test("6Cxx asks for the same command with that Le, and the function runs once", () => {
    const { euicc, reader } = started(withApdu({ response: "6Cxx" }));
    reader.store(fromHex("BF3E035C015A"));
    assert.equal(reader.sw, 0x6c15);
    assert.equal(toHex(reader.send("81E2910006BF3E035C015A15")), EID);
    assert.deepEqual(euicc.functions, [0xbf3e]);
    reader.send("81E2910006BF3E035C015A");
    reader.send("81F2000000");
    reader.send("81E2910006BF3E035C015A15");
    assert.equal(reader.sw, 0x6c15, "behind another command it is a new one");
  });

  test("6Cxx of more than 256 octets goes on with 61xx", () => {
    const { reader, whole } = long({ response: "6Cxx" });
    reader.store(fromHex("BF5600"));
    assert.equal(reader.sw, 0x6c00);
    let data = reader.send("81E2910003BF560000");
    while (reader.sw >> 8 === 0x61) data = concat(data, reader.send(concat(fromHex("01C00000"), Uint8Array.of(reader.sw & 0xff))));
    assert.equal(toHex(data), whole);
  });

  test("GET RESPONSE is taken in class 0X and 8X, or in one of them only", () => {
    for (const [getResponseClass, iso, proprietary] of [["both", 0x9000, 0x9000], ["0X", 0x9000, 0x6e00], ["8X", 0x6e00, 0x9000]] as const) {
      for (const [cla, sw] of [["01", iso], ["81", proprietary]] as const) {
        const { reader } = started(withApdu({ getResponseClass }));
        reader.store(fromHex("BF3E035C015A"));
        reader.send(`${cla}C0000015`);
        assert.equal(reader.sw, sw);
      }
    }
  });

  test("response data are gone with the next command on the channel", () => {
    const { reader } = started();
    reader.store(fromHex("BF3E035C015A"));
    reader.send("01A4040010A0000005591010FFFFFFFF8900000100");
    reader.send("01C0000023");
    assert.equal(reader.sw, 0x9000, "these are the FCI");
    reader.send("01C0000015");
    assert.equal(reader.sw, 0x6985);
  });
});

describe("TERMINAL CAPABILITY", () => {
  const eid = (capability: string | undefined, apdu: Partial<ApduOptions> = {}, options: EuiccOptions = {}): number => {
    const reader = new Reader(new Euicc(withApdu(apdu, options)));
    reader.card.powerCycle();
    if (capability !== undefined) reader.send(capability);
    reader.open().store(fromHex("BF3E035C015A"));
    return reader.sw;
  };

  test("ES10 is refused until an IPAd or an LPA was announced, and the last command counts", () => {
    assert.equal(eid(undefined), 0x6985);
    assert.equal(eid("80AA000005A903810100"), 0x6985);
    assert.equal(eid("80AA000005A903840100"), 0x6985);
    assert.equal(eid("80AA000005A903840101"), 0x6115);
    assert.equal(eid("80AA000005A903830107"), 0x6115);
    assert.equal(eid(undefined, { gate: false }), 0x6115);
  });

  test("a card that does not know the command can not gate on it", () => {
    for (const terminalCapability of [0x6e00, 0x6d00, 0x6a86]) assert.equal(eid("80AA000005A903840101", { terminalCapability }), 0x6115);
  });

  test("they are counted between resets", () => {
    const { euicc, reader } = started(withApdu({ terminalCapabilityAgain: 0x6985 }));
    reader.send("80AA000005A903840101");
    assert.equal(reader.sw, 0x6985);
    euicc.powerCycle();
    assert.deepEqual(euicc.terminalCapabilities, [0, 2, 0]);
  });

  test("an IPAe that is active gives way to an announced IPAd, and keeps ES10 from an LPA", () => {
    const ipae: EuiccOptions = { features: { ipae: "active" } };
    const { reader } = started(withApdu({}, ipae));
    assert.ok(toHex(reader.es10("BF2200")).includes("900100"));
    const lpa = new Reader(new Euicc(withApdu({}, ipae)));
    lpa.send("80AA000005A903830107");
    lpa.open();
    assert.ok(toHex(lpa.es10("BF2200")).includes("900101"));
    assert.throws(() => lpa.es10("BF5500"), { sw: 0x6985 });
    assert.equal(toHex(lpa.es10("BF4203800100")), "BF4203800100");
    assert.equal(toHex(lpa.es10("BF5500").subarray(0, 2)), "BF55");
  });

  test("IpaeActivation of a card without IPAe is answered notSupported", () => {
    assert.equal(started().reader.code("BF420480020780"), 1);
  });
});

describe("REFRESH after a Profile switch", () => {
  const enable = (): Uint8Array => euiccPackage({ psmos: [psmo.enable(B)] });

  test("91xx comes when the result has been fetched whole", () => {
    const { reader } = started(withApdu({ responseChunk: 64 }));
    reader.store(enable());
    assert.equal(reader.sw, 0x6140);
    reader.send("01C0000040");
    assert.equal(reader.sw >> 8, 0x61);
    reader.send(concat(fromHex("01C00000"), Uint8Array.of(reader.sw & 0xff)));
    assert.equal(reader.sw, 0x910b);
    assert.equal(toHex(reader.send("801200000B")), "D009810301010482028182");
    assert.equal(reader.sw, 0x9000);
  });

  test("91xx can come straight on the last block, with the result still to be fetched", () => {
    const { reader } = started(withApdu({ refresh: "early" }));
    reader.store(enable());
    assert.equal(reader.sw, 0x910b);
    const result = reader.send("01C0000000");
    assert.equal(toHex(result.subarray(0, 2)), "BF51");
    assert.equal(reader.sw, 0x910b);
  });

  test("91xx can wait for STATUS, or never come", () => {
    const waiting = started(withApdu({ refresh: "after-status" })).reader;
    waiting.es10(enable());
    assert.equal(waiting.sw, 0x9000);
    waiting.send("80F2000000");
    assert.equal(waiting.sw, 0x910b);
    const never = started(withApdu({ refresh: "never" })).reader;
    never.es10(enable());
    never.send("80F2000000");
    assert.equal(never.sw, 0x9000);
  });

  test("a terminal that did not announce REFRESH is not asked for one", () => {
    const reader = new Reader(new Euicc(ordinary()));
    reader.send("80AA000005A903840101");
    reader.open().es10(enable());
    assert.equal(reader.sw, 0x9000);
  });

  test("ES10 is refused with 6985 until the reset, and then shows the new state", () => {
    const { euicc, reader } = started();
    reader.es10(enable());
    assert.throws(() => reader.es10("BF2B00"), { sw: 0x6985 });
    reader.start();
    assert.equal(toHex(euicc.enabledProfile?.metadata.iccid ?? fromHex("")), iccidHex(B));
    assert.equal(toHex(reader.es10("BF2B00").subarray(0, 2)), "BF2B");
  });

  test("REFRESH of another kind is done with TERMINAL RESPONSE, and closes the channels", () => {
    const { reader } = started(withApdu({ refreshQualifier: 9 }));
    reader.es10(enable());
    assert.equal(toHex(reader.send("801200000B")), "D009810301010982028182");
    reader.send("801400000C810301010902028281830100");
    assert.equal(reader.sw, 0x9000);
    reader.store(fromHex("BF2B00"));
    assert.equal(reader.sw, 0x6881);
    reader.open();
    assert.equal(toHex(reader.es10("BF2B00").subarray(0, 2)), "BF2B");
  });

  test("refreshFlag FALSE asks for no REFRESH, and the card wants the reset all the same", () => {
    const { reader } = started();
    run(reader, { psmos: [psmo.enable(B, true)] });
    reader.start();
    reader.es10("BF5803800100");
    assert.equal(reader.sw, 0x9000);
    assert.throws(() => reader.es10("BF2B00"), { sw: 0x6985 });
  });
});
