import { isParked, PARKED_MAX, park, readParked, unpark, untilUnparked, writeParked } from "../journal";
import { Field } from "../abi";
import { call, Proc } from "../flow";
import { clearMemory, E, MAILBOX, PAYLOAD, R } from "../memory";

const HOUR: u32 = 3600;

beforeEach(() => {
  clearMemory();
  R.parked = 0;
  R.seconds = 1000;
  E.result = 0;
  call(Proc.Main, 0);
});

describe("parked notifications", () => {
  test("a spell lasts 1, 2, 4, 8, 16 hours, then a day each", () => {
    for (let level = 0; level < 8; level++) {
      park(7);
      const spell: u32 = level > 4 ? 24 * HOUR : HOUR << level;
      expect(untilUnparked(0xffffffff)).toBe(spell);
      R.seconds += spell - 1;
      expect(isParked(7)).toBe(true);
      R.seconds += 1;
      expect(isParked(7)).toBe(false);
      expect(untilUnparked(0xffffffff)).toBe(0);
    }
    expect(R.parked).toBe(1);
  });

  test("one that was delivered leaves, others keep their time", () => {
    park(1);
    R.seconds += 100;
    park(2);
    park(3);
    expect(unpark(2)).toBe(true);
    expect(unpark(2)).toBe(false);
    expect(R.parked).toBe(2);
    expect(isParked(1)).toBe(true);
    expect(isParked(3)).toBe(true);
    expect(untilUnparked(0xffffffff)).toBe(HOUR - 100);
    expect(untilUnparked(60)).toBe(60);
  });

  test("when all places are taken, the one parked first leaves", () => {
    for (let n: u32 = 1; n <= PARKED_MAX + 2; n++) park(n);
    expect(R.parked).toBe(PARKED_MAX);
    expect(isParked(1)).toBe(false);
    expect(isParked(2)).toBe(false);
    for (let n: u32 = 3; n <= PARKED_MAX + 2; n++) expect(isParked(n)).toBe(true);
  });

  test("the record keeps numbers and levels; after a start each waits its spell again", () => {
    park(300);
    park(70000);
    park(70000);
    writeParked(0);
    const length = load<u32>(MAILBOX, Field.Length);
    expect(length).toBe(16);
    expect(load<u32>(PAYLOAD)).toBe(300);
    expect(load<u32>(PAYLOAD, 4)).toBe(0);
    expect(load<u32>(PAYLOAD, 8)).toBe(70000);
    expect(load<u32>(PAYLOAD, 12)).toBe(1);
    R.parked = 0;
    R.seconds = 1;
    E.length = length;
    readParked();
    expect(R.parked).toBe(2);
    R.seconds = 1 + HOUR;
    expect(isParked(300)).toBe(false);
    expect(isParked(70000)).toBe(true);
    R.seconds = 1 + 2 * HOUR;
    expect(isParked(70000)).toBe(false);
  });

  test("a record that is cut off or too long gives what is whole, and no more than there are places", () => {
    memory.fill(PAYLOAD, 1, 1024);
    E.length = 15;
    readParked();
    expect(R.parked).toBe(1);
    R.parked = 0;
    E.length = 1024;
    readParked();
    expect(R.parked).toBe(PARKED_MAX);
    R.parked = 0;
    E.result = -3;
    readParked();
    expect(R.parked).toBe(0);
  });
});
