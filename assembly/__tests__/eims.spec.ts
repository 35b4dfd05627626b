import {
  addEntry, beginList, dueEntry, EimFlag, EIMS_MAX, endList, entry, entryCause, entryDue, entryFails, entryHash, entryOf, hasFlag, noteStateChange, pollAll,
  readStateChanges, setCause, setDue, setFails, untilDue, walkConfigurations, writeStateChanges,
} from "../eims";
import { clearMemory, ENDPOINT, PAYLOAD, R, S, WORK } from "../memory";
import { hash } from "../tlv";
import { holds, put } from "./kit";

/** Reads a BF55 answer as a whole. */
function list(text: string): usize {
  const end = WORK + put(WORK, text);
  beginList();
  const at = walkConfigurations(WORK, end, 0);
  endList();
  return at - WORK;
}

function hashOf(text: string): u32 {
  return hash(PAYLOAD, put(PAYLOAD, text));
}

beforeEach(() => {
  clearMemory();
  R.eims = 0;
  R.switches = 0;
  R.seconds = 1000;
  S.protocols = 1;
});

describe("table of associated eIMs", () => {
  test("an eIM is entered once, and due at once", () => {
    const e = addEntry(5);
    expect(R.eims).toBe(1);
    expect(addEntry(5)).toBe(e);
    expect(R.eims).toBe(1);
    expect(entryHash(e)).toBe(5);
    expect(entryDue(e)).toBe(1000);
    expect(entryFails(e)).toBe(0);
    expect(entryOf(6)).toBe(0);
  });

  test("one more entry is kept than eIMs can be associated, and no more", () => {
    for (let h: u32 = 1; h <= EIMS_MAX + 1; h++) expect(addEntry(h) != 0).toBe(true);
    expect(addEntry(100)).toBe(0);
    expect(R.eims).toBe(EIMS_MAX + 1);
  });

  test("the one that waits longest is next", () => {
    setDue(addEntry(1), 900);
    setDue(addEntry(2), 800);
    setDue(addEntry(3), 1001);
    expect(entryHash(dueEntry())).toBe(2);
    setDue(entryOf(2), 5000);
    expect(entryHash(dueEntry())).toBe(1);
    setDue(entryOf(1), 1500);
    expect(dueEntry()).toBe(0);
    expect(untilDue(86400)).toBe(1);
    setDue(entryOf(3), 4000);
    expect(untilDue(86400)).toBe(500);
    expect(untilDue(10)).toBe(10);
    pollAll();
    expect(untilDue(86400)).toBe(0);
  });

  test("a failure count does not touch the due time, nor the other way round", () => {
    const e = addEntry(1);
    setFails(e, 31);
    setDue(e, 0x3fffffff);
    setCause(e, 128);
    expect(entryFails(e)).toBe(31);
    expect(entryDue(e)).toBe(0x3fffffff);
    expect(entryCause(e)).toBe(128);
    expect(entryHash(e)).toBe(1);
  });
});

describe("list of the eUICC (BF55)", () => {
  test("in one A0 or in an A0 each, with members in any number", () => {
    const one = "30 06 80 01 61 81 01 62", other = "30 03 80 01 63";
    expect(list("BF55 0F A0 0D" + one + other)).toBe(18);
    expect(R.eims).toBe(2);
    expect(entryHash(entry(0))).toBe(hashOf("61"));
    expect(entryHash(entry(1))).toBe(hashOf("63"));
    list("BF55 11 A0 08" + one + "A0 05" + other);
    expect(R.eims).toBe(2);
  });

  test("an eIM that is gone leaves, one that stays keeps its schedule", () => {
    list("BF55 0C A0 0A 30 03 80 01 61 30 03 80 01 62");
    setDue(entryOf(hashOf("62")), 7777);
    list("BF55 07 A0 05 30 03 80 01 62");
    expect(R.eims).toBe(1);
    expect(entryDue(entry(0))).toBe(7777);
    list("BF55 00");
    expect(R.eims).toBe(0);
  });

  test("one that is owed a result stays though it is gone", () => {
    S.departed = hashOf("61");
    list("BF55 07 A0 05 30 03 80 01 62");
    expect(R.eims).toBe(2);
    expect(hasFlag(entryOf(hashOf("61")), EimFlag.Departed)).toBe(true);
    expect(hasFlag(entryOf(hashOf("62")), EimFlag.Departed)).toBe(false);
    list("BF55 07 A0 05 30 03 80 01 61");
    expect(hasFlag(entryOf(hashOf("61")), EimFlag.Departed)).toBe(false);
  });

  test("a walk over a part stops before the configuration that is not stored whole", () => {
    expect(list("BF55 0C A0 0A 30 03 80 01 61 30 03 80 01")).toBe(10);
    expect(R.eims).toBe(1);
  });

  test("a configuration without eimId is passed over, damage ends the list", () => {
    list("BF55 0C A0 0A 30 03 81 01 61 30 03 80 01 62");
    expect(R.eims).toBe(1);
    list("BF55 0C A0 0A 30 80 80 01 61 30 03 80 01 62");
    expect(R.eims).toBe(0);
  });

  test("the endpoint is 80 FQDN and the A6 as it came", () => {
    const end = WORK + put(WORK, "BF55 14 A0 12 30 10 80 01 61 81 03 622E63 82 01 02 A6 03 A0 01 00");
    walkConfigurations(WORK, end, hashOf("61"));
    expect(S.reachable).toBe(1);
    expect(S.endpointLen).toBe(10);
    expect(holds(ENDPOINT, "8003622E63 A603A00100")).toBe(true);
  });

  test("without eimFqdn the eimId is the address when it is an FQDN, else there is none", () => {
    S.reachable = 0;
    walkConfigurations(WORK, WORK + put(WORK, "BF55 0A A0 08 30 06 80 01 61 82 01 02"), hashOf("61"));
    expect(S.reachable).toBe(1);
    expect(holds(ENDPOINT, "800161")).toBe(true);
    S.reachable = 0;
    walkConfigurations(WORK, WORK + put(WORK, "BF55 0A A0 08 30 06 80 01 61 82 01 03"), hashOf("61"));
    expect(S.reachable).toBe(0);
  });
});

describe("state changes to be told", () => {
  test("every eIM but the one that did it is told, and becomes due", () => {
    for (let h: u32 = 1; h <= 3; h++) setDue(addEntry(h), 5000);
    noteStateChange(0, 2);
    expect(entryCause(entryOf(1))).toBe(1);
    expect(entryCause(entryOf(2))).toBe(0);
    expect(entryCause(entryOf(3))).toBe(1);
    expect(entryDue(entryOf(1))).toBe(1000);
    expect(entryDue(entryOf(2))).toBe(5000);
    noteStateChange(200, 0);
    expect(entryCause(entryOf(2))).toBe(128);
  });

  test("the record has hash and cause + 1 of those that wait, and comes back", () => {
    addEntry(0x01020304);
    addEntry(9);
    setCause(entryOf(0x01020304), 7);
    const length = writeStateChanges();
    expect(length).toBe(5);
    expect(holds(PAYLOAD, "04030201 07")).toBe(true);
    R.eims = 0;
    readStateChanges(length);
    expect(R.eims).toBe(1);
    expect(entryCause(entryOf(0x01020304))).toBe(7);
    R.eims = 0;
    readStateChanges(4);
    expect(R.eims).toBe(0);
  });

  test("a record of more eIMs than there are places fills them and no more", () => {
    for (let i: u32 = 0; i < 1020; i++) store<u8>(PAYLOAD + i, i * 7 + (i >> 8) + 1);
    readStateChanges(1020);
    expect(R.eims).toBe(EIMS_MAX + 1);
  });
});
