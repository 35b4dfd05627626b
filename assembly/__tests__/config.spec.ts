import { backoff, chance, configure } from "../config";
import { clearMemory, DEVICE_CAPABILITIES, IMEI, S, TERMINAL_CAPABILITY, WORK } from "../memory";
import { holds, put } from "./kit";

function take(text: string): void {
  clearMemory();
  configure(WORK, WORK + put(WORK, text));
}

describe("configuration", () => {
  test("everything has its default", () => {
    take("80 01 07");
    expect(S.switches).toBe(0);
    expect(S.pollPeriod).toBe(86400);
    expect(S.backoffBase).toBe(60);
    expect(S.backoffCap).toBe(86400);
    expect(S.watchTime).toBe(300);
    expect(S.refreshGrace).toBe(5000);
    expect(S.bearerWait).toBe(300);
    expect(S.exchangeTimeout).toBe(60000);
    expect(S.blockSize).toBe(255);
    expect(S.protocols).toBe(1);
    expect(S.maxPackages).toBe(50);
    expect(S.imeiLen).toBe(0);
    expect(S.deviceCapabilitiesLen).toBe(0);
    expect(S.terminalCapabilityLen).toBe(13);
    expect(holds(TERMINAL_CAPABILITY, "80AA000008A906830107840101")).toBe(true);
  });

  test("each tag is taken, in any order, among unknown ones", () => {
    take("91 01 05 8B 01 03 89 01 10 C1 00 88 02 7530 87 01 1E 86 01 00 85 02 00C8 84 03 015180 83 01 0A 82 02 0E10 81 02 0102 C0 03 010203 80 01 07");
    expect(S.switches).toBe(0x102);
    expect(S.pollPeriod).toBe(3600);
    expect(S.backoffBase).toBe(10);
    expect(S.backoffCap).toBe(86400);
    expect(S.watchTime).toBe(200);
    expect(S.refreshGrace).toBe(0);
    expect(S.bearerWait).toBe(30);
    expect(S.exchangeTimeout).toBe(30000);
    expect(S.blockSize).toBe(16);
    expect(S.protocols).toBe(3);
    expect(S.maxPackages).toBe(5);
  });

  test("a number that can't be meant keeps the default", () => {
    take("82 01 00 83 00 84 01 00 88 01 00 89 01 00 91 01 00");
    expect(S.pollPeriod).toBe(86400);
    expect(S.backoffBase).toBe(60);
    expect(S.backoffCap).toBe(86400);
    expect(S.exchangeTimeout).toBe(60000);
    expect(S.blockSize).toBe(255);
    expect(S.maxPackages).toBe(50);
    take("89 02 0100 82 04 FFFFFFFF 88 04 80000000");
    expect(S.blockSize).toBe(255);
    expect(S.pollPeriod).toBe(86400);
    expect(S.exchangeTimeout).toBe(60000);
    take("89 01 01 82 03 4F1A00");
    expect(S.blockSize).toBe(1);
    expect(S.pollPeriod).toBe(5184000);
  });

  test("texts are kept with their length, one that does not fit is not taken", () => {
    take("8C 0F 333536393338303335363433383039 AE 02 8000");
    expect(S.imeiLen).toBe(15);
    expect(holds(IMEI, "333536393338303335363433383039")).toBe(true);
    expect(S.deviceCapabilitiesLen).toBe(2);
    expect(holds(DEVICE_CAPABILITIES, "8000")).toBe(true);
    take("8D 08 3335363933383033");
    expect(S.imeiLen).toBe(8);
    take("8C 11 3333333333333333333333333333333333");
    expect(S.imeiLen).toBe(0);
    take("8A 00");
    expect(S.terminalCapabilityLen).toBe(0);
    take("8A 05 80AA000000");
    expect(S.terminalCapabilityLen).toBe(5);
  });

  test("no tag reaches beyond the configuration", () => {
    for (let tag: u32 = 0x92; tag < 0x9f; tag++) {
      clearMemory();
      S.channelOpen = 77;
      S.channel = 78;
      put(WORK, "00 04 01020304");
      store<u8>(WORK, tag);
      configure(WORK, WORK + 6);
      expect(S.channelOpen).toBe(77);
      expect(S.channel).toBe(78);
      expect(S.depth).toBe(0);
      expect(S.maxPackages).toBe(50);
    }
    take("40 01 05 00 01 05 7F 01 05");
    expect(S.ref).toBe(0);
    expect(S.depth).toBe(0);
    expect(S.pollPeriod).toBe(86400);
  });
});

describe("chance", () => {
  test("entropy gives the row of chances, the same entropy the same row", () => {
    take("80 02 0102");
    const first = chance(), second = chance();
    take("80 02 0102");
    expect(chance()).toBe(first);
    expect(chance()).toBe(second);
    take("80 02 0103");
    expect(chance() != first).toBe(true);
  });

});

/** backoffBase `base`, the highest backoffCap. */
function waits(base: u32): void {
  take("80 04 DEADBEEF 84 04 3FFFFFFF");
  S.backoffBase = base;
}

describe("back-off", () => {
  test("each failure doubles the wait, within an eighth to either side, over the whole range", () => {
    waits(800);
    let outside = 0;
    for (let fails: u32 = 0; fails < 5; fails++) {
      const middle: u32 = (<u32>800) << fails;
      let lowest: u32 = 0xffffffff, highest: u32 = 0;
      for (let i = 0; i < 20000; i++) {
        const value = backoff(fails);
        if (value < lowest) lowest = value;
        if (value > highest) highest = value;
        if (value < middle - (middle >> 3) || value > middle + (middle >> 3)) outside++;
      }
      expect(lowest < middle - (middle >> 4)).toBe(true);
      expect(highest > middle + (middle >> 4)).toBe(true);
    }
    expect(outside).toBe(0);
  });

  test("the cap is the middle of the longest wait, however many failures there were", () => {
    take("80 01 01 83 01 3C 84 02 0E10");
    let outside = 0;
    for (let fails: u32 = 6; fails < 40; fails++) {
      for (let i = 0; i < 100; i++) {
        const value = backoff(fails);
        if (value < 3150 || value > 4050) outside++;
      }
    }
    expect(outside).toBe(0);
    take("80 01 01 83 04 3FFFFFFF 84 04 3FFFFFFF");
    expect(backoff(31) >= 0x30000000).toBe(true);
    expect(backoff(31) < 0x50000000).toBe(true);
  });

  test("a wait is never 0, however short the base", () => {
    let wrong = 0;
    for (let base: u32 = 1; base < 200; base++) {
      waits(base);
      for (let i = 0; i < 50; i++) {
        const value = backoff(0);
        if (!value || value > base + (base >> 3) + 1) wrong++;
      }
    }
    expect(wrong).toBe(0);
  });
});
