/** CoAP messages: the vectors V1 to V13 of the fact sheet read and written, and everything that is a message format error (RFC 7252 3). */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fromHex, toHex } from "../sim/core/bytes.js";
import { Rng } from "../sim/core/rng.js";
import { blockOf, blockOption, blockText } from "../sim/coap/block.js";
import { code, codeText, CoapFormatError, describeMessage, encode, parse, Type } from "../sim/coap/codec.js";
import { isCritical, isNoCacheKey, Opt, sortOut, uint, uintOf } from "../sim/coap/options.js";

const X300 = "78".repeat(300);

/** Message as octets, and as one line. */
const VECTORS: Readonly<Record<string, readonly [string, string]>> = {
  V1: ["41017d3471bb2e77656c6c2d6b6e6f776e04636f7265", "CON 0.01 mid 7d34 token 71 [11:2E77656C6C2D6B6E6F776E 11:636F7265] +0"],
  V2: ["61457d3471c128ff3c2f613e", "ACK 2.05 mid 7d34 token 71 [12:28] +4"],
  V3: ["60001234", "ACK 0.00 mid 1234 token  [] +0"],
  V4: ["70001235", "RST 0.00 mid 1235 token  [] +0"],
  V5: ["41020101a13b65696d2e6578616d706c658161026263112ad10208d11428ff30313233343536373839616263646566", "CON 0.02 mid 0101 token A1 [3:65696D2E6578616D706C65 11:61 11:6263 12:2A 27:08 60:28] +16"],
  V6: ["615f0101a1d10e08", "ACK 2.31 mid 0101 token A1 [27:08] +0"],
  V7: ["41020103a33b65696d2e6578616d706c658161026263112ad10220ff7778797a41424344", "CON 0.02 mid 0103 token A3 [3:65696D2E6578616D706C65 11:61 11:6263 12:2A 27:20] +8"],
  V8: ["61440103a342c0de812ab10841201114ff4142434445464748494a4b4c4d4e4f50", "ACK 2.04 mid 0103 token A3 [4:C0DE 12:2A 23:08 27:20 28:14] +16"],
  V9: ["41020104a43b65696d2e6578616d706c658161026263c110", "CON 0.02 mid 0104 token A4 [3:65696D2E6578616D706C65 11:61 11:6263 23:10] +0"],
  V10: ["61440104a442c0de812ab110ff51525354", "ACK 2.04 mid 0104 token A4 [4:C0DE 12:2A 23:10] +4"],
  V11: [`5003ffffbe001f${X300}436b3d76ff00`, `NON 0.03 mid ffff token  [11:${X300} 15:6B3D76] +1`],
  V12: ["42020201b1b2b161d30301388ed1fc07ffaa", "CON 0.02 mid 0201 token B1B2 [11:61 27:01388E 292:07] +1"],
  V13: ["618d0202b3d10e04d2144000", "ACK 4.13 mid 0202 token B3 [27:04 60:4000] +0"],
};

describe("vectors", () => {
  for (const [name, [hex, line]] of Object.entries(VECTORS)) {
    test(`${name} is read as it was written, and written as it was read`, () => {
      const message = parse(fromHex(hex));
      assert.equal(describeMessage(message), line);
      assert.equal(toHex(encode(message)), hex.toUpperCase());
    });
  }

  test("their blocks are the ones meant", () => {
    const block = (name: string, number: number): string => blockText(blockOf(parse(fromHex(VECTORS[name]?.[0] as string)).options, number) as never);
    assert.equal(block("V5", Opt.Block1), "0/1/16");
    assert.equal(block("V8", Opt.Block2), "0/1/16");
    assert.equal(block("V8", Opt.Block1), "2/0/16");
    assert.equal(block("V12", Opt.Block1), "5000/1/1024");
    assert.equal(block("V13", Opt.Block1), "0/0/256");
  });

  test("every truncation of a vector is refused or reads as another message, and never as the same", () => {
    for (const [hex] of Object.values(VECTORS)) {
      const whole = fromHex(hex);
      for (let length = 0; length < whole.length; length++) {
        try {
          assert.notEqual(describeMessage(parse(whole.subarray(0, length))), describeMessage(parse(whole)));
        } catch (error) {
          assert.ok(error instanceof CoapFormatError, String(error));
        }
      }
    }
  });
});

describe("message format errors", () => {
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ["a header of three octets", "400100", /header of 4 octets expected, got 3/],
    ["a token that is not there", "410100 01", /token of 1 octets expected, got 0/],
    ["TKL 9", "49010001 010203040506070809", /token of 0 to 8 octets expected, got TKL 9/],
    ["TKL 15", "4f010001", /got TKL 15/],
    ["a payload marker with nothing behind", "40010001ff", /payload behind the payload marker expected/],
    ["delta 15", "40010001f0", /option delta of 0 to 14 expected, got the reserved 15/],
    ["length 15", "400100011f", /option length of 0 to 14 expected, got the reserved 15/],
    ["an option longer than the message", "4001000113aa", /option 1 of 3 octets expected, got 1/],
    ["an extended delta that is not there", "40010001d0", /1 octets of extended option delta expected, got 0/],
    ["half of an extended length", "400100010e00", /2 octets of extended option length expected, got 1/],
    ["an empty message with a token", "4100000011", /empty message of 4 octets expected, got 5 octets with code 0.00/],
    ["an empty message with a payload", "40000001ff01", /empty message/],
    ["code class 1", "40200001", /class 0, 2, 4 or 5 expected, got 1.00/],
    ["code class 6", "40c10001", /got 6.01/],
    ["code class 7", "40e10001", /got 7.01/],
    ["an option number beyond 16 bits", "40010001e0ffffe0fff0", /option number of 16 bits expected/],
  ];
  for (const [name, hex, reason] of cases) test(`${name} is refused`, () => assert.throws(() => parse(fromHex(hex)), { name: "CoapFormatError", message: reason }));

  test("a version other than 1 and a short header are to be ignored; the rest can be answered by a Reset", () => {
    const header = (hex: string): unknown => {
      try {
        return parse(fromHex(hex));
      } catch (error) {
        return (error as CoapFormatError).header;
      }
    };
    assert.equal(header("80010001"), undefined);
    assert.equal(header("4001"), undefined);
    assert.deepEqual(header("40011234ff"), { type: Type.Con, mid: 0x1234 });
    assert.deepEqual(header("50011234ff"), { type: Type.Non, mid: 0x1234 });
  });
});

describe("encoding", () => {
  test("options leave in the order of their numbers, repeated ones in their own", () => {
    const message = { type: Type.Con, code: code("0.02"), mid: 1, token: new Uint8Array(0), payload: new Uint8Array(0), options: [uint(Opt.Size1, 40), { number: 11, value: fromHex("62") }, { number: 11, value: fromHex("61") }] };
    assert.equal(describeMessage(parse(encode(message))), "CON 0.02 mid 0001 token  [11:62 11:61 60:28] +0");
  });

  test("any message is read back as it was written (2000 seeded messages)", () => {
    const rng = new Rng(11);
    for (let i = 0; i < 2000; i++) {
      const options = Array.from({ length: rng.int(6) }, () => ({ number: rng.pick([1, 3, 11, 12, 13, 14, 269, 270, 292, 2049, 65_000]), value: rng.bytes(rng.pick([0, 1, 12, 13, 14, 268, 269, 270, 600])) }));
      const message = { type: rng.int(4), code: rng.pick(["0.01", "2.05", "4.08", "5.03"].map(code)), mid: rng.int(65_536), token: rng.bytes(rng.int(9)), payload: rng.bytes(rng.pick([0, 1, 16])), options: options.sort((a, b) => a.number - b.number) };
      assert.deepEqual(parse(encode(message)), message);
    }
  });

  test("a uint takes as few octets as it needs", () => {
    for (const [value, hex] of [[0, ""], [1, "01"], [255, "FF"], [256, "0100"], [80_000, "013880"], [2 ** 32 - 1, "FFFFFFFF"]] as const) {
      const option = uint(Opt.Size1, value);
      assert.equal(toHex(option.value), hex);
      assert.equal(uintOf([option], Opt.Size1), value);
    }
    assert.throws(() => blockOption(Opt.Block1, { num: 2 ** 20, more: false, szx: 0 }), RangeError);
  });

  test("codes are written as class.detail", () => {
    assert.equal(code("2.31"), 0x5f);
    assert.equal(codeText(0x8d), "4.13");
    assert.throws(() => code("2.32"), TypeError);
  });
});

describe("options", () => {
  test("odd numbers are critical, and Size1, Size2 and Request-Tag have the cache-key bits of their numbers", () => {
    assert.deepEqual([Opt.Block1, Opt.Block2, Opt.Size1, Opt.RequestTag, Opt.Echo].map(isCritical), [true, true, false, false, false]);
    assert.deepEqual([Opt.Size1, Opt.Size2, Opt.Echo, Opt.RequestTag].map(isNoCacheKey), [true, true, true, false]);
  });

  test("an option outside its format, or repeated though it may not be, counts as unrecognised: refused when critical, else skipped", () => {
    const known = new Set<number>(Object.values(Opt));
    const option = (number: number, hex: string): { number: number; value: Uint8Array } => ({ number, value: fromHex(hex) });
    const { usable, refused, skipped } = sortOut([option(3, ""), option(12, "2a"), option(12, "2a"), option(27, "00000000"), option(27, "08"), option(60, "0102030405"), option(9999, ""), option(9998, "")], known);
    assert.deepEqual(refused, ["Uri-Host of 1 to 255 octets expected, got 0", "Block1 of 0 to 3 octets expected, got 4", "Block1 expected once, got it again", "option 9999 () is not supported"]);
    assert.deepEqual(skipped, ["Content-Format expected once, got it again", "Size1 of 0 to 4 octets expected, got 5", "option 9998 () is not supported"]);
    assert.deepEqual(usable.map(({ number }) => number), [12]);
  });
});
