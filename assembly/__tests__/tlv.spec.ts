import { T, W, WORK, WORK_SIZE } from "../memory";
import { child, find, findCut, hash, isOne, isRow, lengthSize, readHead, readTlv, size, tlvSize, uint, uintSize, write8, writeBytes, writeHead, writeTlv, writeTo, writeUint } from "../tlv";
import { holds, put } from "./kit";

/** Reads `text` as one data object from its beginning. */
function read(text: string): bool {
  return readTlv(WORK, WORK + put(WORK, text));
}

/** True when every proper prefix of `text` is refused. */
function refusesEachPrefix(text: string): bool {
  const len = put(WORK, text);
  for (let n: u32 = 0; n < len; n++) if (readTlv(WORK, WORK + n)) return false;
  return readTlv(WORK, WORK + len);
}

describe("reader: identifier and length", () => {
  test("a short data object", () => {
    expect(read("5A03010203FF")).toBe(true);
    expect(T.tag).toBe(0x5a);
    expect(T.len).toBe(3);
    expect(T.at).toBe(WORK);
    expect(T.val).toBe(WORK + 2);
    expect(T.next).toBe(WORK + 5);
    expect(size()).toBe(5);
  });

  test("identifiers of two and three octets", () => {
    expect(read("BF5100")).toBe(true);
    expect(T.tag).toBe(0xbf51);
    expect(read("5F374101")).toBe(false);
    expect(read("9F70 01 01")).toBe(true);
    expect(T.tag).toBe(0x9f70);
    expect(read("DF8101 01 07")).toBe(true);
    expect(T.tag).toBe(0xdf8101);
    expect(T.len).toBe(1);
  });

  test("an identifier of four octets is refused", () => {
    expect(read("DF818101 01 07")).toBe(false);
  });

  test("lengths of one to four further octets, minimal or not", () => {
    expect(read("04 8101 07")).toBe(true);
    expect(T.len).toBe(1);
    expect(read("04 820001 07")).toBe(true);
    expect(read("04 83000001 07")).toBe(true);
    expect(read("04 8400000001 07")).toBe(true);
    expect(T.len).toBe(1);
    expect(T.val).toBe(WORK + 6);
    expect(size()).toBe(7);
    expect(uint()).toBe(7);
  });

  test("an indefinite length, five length octets and 16 MiB are refused", () => {
    expect(read("30 80 0000")).toBe(false);
    expect(read("04 850000000001 07")).toBe(false);
    expect(readHead(WORK, WORK + put(WORK, "04 84 01000000"))).toBe(false);
    expect(readHead(WORK, WORK + put(WORK, "04 FF 01"))).toBe(false);
    expect(readHead(WORK, WORK + put(WORK, "04 83 FFFFFF"))).toBe(true);
    expect(T.len).toBe(0xffffff);
    expect(readHead(WORK, WORK + put(WORK, "04 84 00FFFFFF"))).toBe(true);
    expect(T.len).toBe(0xffffff);
  });

  test("each truncation of a good data object is refused", () => {
    expect(refusesEachPrefix("BF51 08 30 06 80 01 61 81 01 05")).toBe(true);
    expect(refusesEachPrefix("5F37 8103 010203")).toBe(true);
    expect(refusesEachPrefix("DF8101 820002 0102")).toBe(true);
    expect(refusesEachPrefix("80 00")).toBe(true);
  });

  test("a header may be read where its content is cut off", () => {
    const len = put(WORK, "BF51 820100 3003");
    expect(readHead(WORK, WORK + len)).toBe(true);
    expect(T.len).toBe(0x100);
    expect(readTlv(WORK, WORK + len)).toBe(false);
  });

  test("nothing is nothing", () => {
    expect(readHead(WORK, WORK)).toBe(false);
    expect(readTlv(WORK, WORK)).toBe(false);
    expect(find(WORK, WORK, 0x80)).toBe(false);
    expect(isRow(WORK, WORK)).toBe(true);
    expect(isOne(WORK, WORK, 0x80)).toBe(false);
  });
});

describe("reader: siblings and children", () => {
  test("find gives the first with the tag, behind any others", () => {
    const end = WORK + put(WORK, "80 01 01 BF51 00 81 01 02 81 01 03");
    expect(find(WORK, end, 0x81)).toBe(true);
    expect(uint()).toBe(2);
    expect(find(T.next, end, 0x81)).toBe(true);
    expect(uint()).toBe(3);
    expect(find(WORK, end, 0x82)).toBe(false);
  });

  test("find sees nothing behind damage, nor a last object that is cut off", () => {
    expect(find(WORK, WORK + put(WORK, "80 05 01 81 01 02"), 0x81)).toBe(false);
    expect(find(WORK, WORK + put(WORK, "80 01 01 81 02 02"), 0x81)).toBe(false);
    expect(find(WORK, WORK + put(WORK, "80 80 0000 81 01 02"), 0x81)).toBe(false);
  });

  test("findCut takes a last object that is cut off, and ends it where the memory ends", () => {
    const end = WORK + put(WORK, "80 01 01 A2 820F00 3003");
    expect(findCut(WORK, end, 0xa2)).toBe(true);
    expect(T.len).toBe(0xf00);
    expect(T.next).toBe(end);
    expect(findCut(WORK, end, 0xa3)).toBe(false);
    expect(findCut(WORK, WORK + put(WORK, "80 01 01 A2 82 0F"), 0xa2)).toBe(false);
  });

  test("child looks only inside the object in hand", () => {
    const end = WORK + put(WORK, "30 03 80 01 05 81 01 06");
    expect(readTlv(WORK, end)).toBe(true);
    expect(child(0x81)).toBe(false);
    expect(readTlv(WORK, end)).toBe(true);
    expect(child(0x80)).toBe(true);
    expect(uint()).toBe(5);
  });

  test("isOne is exact, isRow takes whole objects only", () => {
    const len = put(WORK, "BF4F 03 02 01 01 00");
    expect(isOne(WORK, WORK + len - 1, 0xbf4f)).toBe(true);
    expect(isOne(WORK, WORK + len, 0xbf4f)).toBe(false);
    expect(isOne(WORK, WORK + len - 1, 0xbf50)).toBe(false);
    expect(isRow(WORK, WORK + put(WORK, "80 01 01 81 00"))).toBe(true);
    expect(isRow(WORK, WORK + put(WORK, "80 01 01 81"))).toBe(false);
    expect(isRow(WORK, WORK + put(WORK, "80 01 01 81 01"))).toBe(false);
  });
});

describe("reader: values", () => {
  test("an INTEGER gives its low 32 bits", () => {
    expect(read("02 05 00FFFFFFFF")).toBe(true);
    expect(uint()).toBe(0xffffffff);
    expect(read("02 06 010000000007")).toBe(true);
    expect(uint()).toBe(7);
    expect(read("02 00")).toBe(true);
    expect(uint()).toBe(0);
  });

  test("a hash is never 0, and one octet changes it", () => {
    put(WORK, "61 62");
    expect(hash(WORK, 0) != 0).toBe(true);
    expect(hash(WORK, 1) != hash(WORK, 2)).toBe(true);
    expect(hash(WORK, 2)).toBe(hash(WORK, 2));
  });
});

describe("writer", () => {
  test("a head has the length that was foretold, for every content up to 70000 octets, and reads back", () => {
    let wrong = 0;
    for (let len: u32 = 0; len <= 70000; len++) {
      const tag: u32 = len & 1 ? 0xbf50 : 0x80;
      writeTo(WORK, WORK + 16);
      writeHead(tag, len);
      const head = <u32>(W.at - WORK);
      if (W.failed || head + len != tlvSize(tag, len) || !readHead(WORK, W.at) || T.tag != tag || T.len != len || T.val != W.at) wrong++;
      if (head != (tag > 0xff ? 2 : 1) + lengthSize(len)) wrong++;
    }
    expect(wrong).toBe(0);
  });

  test("lengths are DER at each border", () => {
    writeTo(WORK, WORK + 64);
    writeHead(0x04, 0x7f);
    writeHead(0x04, 0x80);
    writeHead(0x04, 0xff);
    writeHead(0x04, 0x100);
    writeHead(0x04, 0xffff);
    writeHead(0x04, 0x10000);
    writeHead(0xbf51, 0);
    expect(holds(WORK, "047F 048180 0481FF 04820100 0482FFFF 0483010000 BF5100")).toBe(true);
    expect(W.at).toBe(WORK + 24);
  });

  test("an unsigned INTEGER takes 1 to 5 octets, never a sign", () => {
    writeTo(WORK, WORK + 64);
    writeUint(0x80, 0);
    writeUint(0x80, 0x7f);
    writeUint(0x80, 0x80);
    writeUint(0x80, 0x7fff);
    writeUint(0x80, 0x8000);
    writeUint(0x80, 0x800000);
    writeUint(0x80, 0x7fffffff);
    writeUint(0x80, 0xffffffff);
    expect(holds(WORK, "800100 80017F 80020080 80027FFF 8003008000 800400800000 80047FFFFFFF 800500FFFFFFFF")).toBe(true);
    expect(W.at).toBe(WORK + 3 + 3 + 4 + 4 + 5 + 6 + 6 + 7);
  });

  test("the size of an INTEGER is as it is written, at every border", () => {
    let wrong = 0;
    for (let bit: u32 = 0; bit < 32; bit++) {
      for (let less: u32 = 0; less < 2; less++) {
        const value: u32 = ((<u32>1) << bit) - less;
        writeTo(WORK, WORK + 16);
        writeUint(0x02, value);
        if (<u32>(W.at - WORK) != 2 + uintSize(value) || !readTlv(WORK, W.at) || uint() != value) wrong++;
        if (load<u8>(T.val) & 0x80) wrong++;
      }
    }
    expect(wrong).toBe(0);
  });

  test("an overflow is sticky in failed, and nothing behind the end is written", () => {
    for (let room: u32 = 0; room < 8; room++) {
      memory.fill(WORK, 0xee, 16);
      writeTo(WORK, WORK + room);
      writeTlv(0x80, WORK + WORK_SIZE - 600, 6);
      expect(W.failed).toBe(1);
      expect(load<u8>(WORK + room)).toBe(0xee);
      expect(W.at <= WORK + room).toBe(true);
    }
    writeTo(WORK, WORK + 8);
    writeTlv(0x80, WORK + WORK_SIZE - 600, 6);
    expect(W.failed).toBe(0);
    expect(W.at).toBe(WORK + 8);
    write8(1);
    expect(W.failed).toBe(1);
    writeBytes(WORK, 0);
    expect(W.failed).toBe(1);
    writeTo(WORK, WORK + 8);
    expect(W.failed).toBe(0);
  });

  test("more octets than the address space has left are refused, too", () => {
    writeTo(WORK, WORK + 8);
    writeBytes(WORK, 0xffffffff);
    expect(W.failed).toBe(1);
    expect(W.at).toBe(WORK);
  });
});
