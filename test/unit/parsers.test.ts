/**
 * Every message that the agent reads, on the shipping wasm: as recorded, split at every point, cut off at every point, and with every tag
 * flipped. A split changes nothing that is done; damage has its defined outcome (host/README.md; SGP.32 v1.2 3.1, 3.3 to 3.7, 5.14).
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { prepare, type Scene } from "../robustness/material.js";
import { play, type Deeds } from "../robustness/play.js";
import { tagOf, type Understudy } from "../robustness/understudy.js";
import { Op } from "../sim/agent/abi.js";
import { readAll, readOne, tlv } from "../sim/codec/tlv.js";
import { fromHex, toHex } from "../sim/core/bytes.js";
import { findAgent, Report } from "../sim/index.js";

const BAD_BODY = -112;
const CARD_MALFORMED = -201;
/** Longer messages are tried at every point near borders of pieces, and at every STRIDE-th else. */
const LONG = 300;
const STRIDE = 13;
/** Octets of an eIM's answer that the agent's work buffer holds (assembly/memory.ts). */
const WORK_LEFT = 4096 - 48;
const material = await prepare(new Uint8Array(readFileSync(findAgent())));

interface Message {
  readonly scene: Scene;
  readonly at: number;
  readonly side: "card" | "eim";
  /** Tag of the ES10 command or ESipa request that it answers. */
  readonly tag: string;
  readonly request: string;
  readonly bytes: Uint8Array;
  readonly where: string;
}

/** Every message of the recordings once. */
const messages = material.scenes.flatMap((scene) => {
  const seen = new Set<string>();
  const all = [
    ...scene.script.card.map((item) => ({ ...item, side: "card" as const, bytes: item.answer })),
    ...scene.script.eim.map((item) => ({ ...item, side: "eim" as const, bytes: item.answer.body })),
  ];
  return all.flatMap(({ side, at, tag, request, bytes }): Message[] => {
    const key = `${side} ${request} ${toHex(bytes)}`;
    if (seen.has(key)) return [];
    seen.add(key);
    return [{ scene, at, side, tag, request, bytes, where: `${tag} at event ${at} of "${scene.name}"` }];
  });
});

/** The same octets in several runs are split and flipped once. */
function distinct(list: readonly Message[]): Message[] {
  return [...new Map(list.map((one) => [`${one.side} ${one.request} ${toHex(one.bytes)}`, one])).values()];
}

const cardMessages = (tag: string, ...commands: string[]): Message[] => messages.filter((one) => one.side === "card" && one.tag === tag && (commands.length === 0 || commands.includes(one.request)));
const eimMessages = (tag: string): Message[] => messages.filter((one) => one.side === "eim" && one.tag === tag);
const undamaged = new Map<Message, Deeds>();

/** What is done when the message comes as it was recorded. */
function whole(message: Message): Deeds {
  const deeds = undamaged.get(message) ?? play(material, message.scene, message.at);
  undamaged.set(message, deeds);
  return deeds;
}

/** What was done, without the time that it took. */
const done = ({ sleepMs: _sleepMs, ...deeds }: Deeds): Omit<Deeds, "sleepMs"> => deeds;

function given(message: Message, bytes: Uint8Array): Deeds {
  return play(material, message.scene, message.at, (peers) => {
    if (message.side === "card") peers.nextCard = bytes;
    else peers.nextReply = { code: 200, retryAfter: 0, body: bytes };
  });
}

function points(length: number): number[] {
  return Array.from({ length }, (_, n) => n).filter((n) => length <= LONG || n % STRIDE === 0 || n < 40 || (n + 2) % 256 < 4 || n > length - 10);
}

function eachTruncation(list: readonly Message[], check: (deeds: Deeds, message: Message, n: number) => void): void {
  assert.ok(list.length > 0, "no such message was recorded");
  for (const message of list) {
    for (const n of points(message.bytes.length)) attempt(`${message.where} cut off behind ${n} octets`, message, message.bytes.slice(0, n), (deeds) => check(deeds, message, n));
  }
}

/** Number, form and class of each tag, at any depth. `outermost`: it is the tag of the message itself. */
function eachFlippedTag(list: readonly Message[], check: (deeds: Deeds, message: Message, changed: Uint8Array, outermost: boolean) => void): void {
  assert.ok(list.length > 0, "no such message was recorded");
  for (const message of distinct(list)) {
    const width = (message.bytes[0] ?? 0) === 0xbf ? 2 : 1;
    for (const offset of tagOctets(message.bytes, 0).slice(0, 60)) {
      for (const bit of [0, 1, 5, 7]) {
        const changed = message.bytes.slice();
        changed[offset] = (changed[offset] as number) ^ (1 << bit);
        attempt(`${message.where} with bit ${bit} of the tag octet ${offset} flipped`, message, changed, (deeds) => check(deeds, message, changed, offset < width));
      }
    }
  }
}

function attempt(what: string, message: Message, bytes: Uint8Array, check: (deeds: Deeds) => void): void {
  try {
    const deeds = given(message, bytes);
    sane(deeds, message, bytes);
    check(deeds);
  } catch (error) {
    throw new Error(`${what}: ${(error as Error).message}`, { cause: error });
  }
}

/** What holds whatever came: requests are whole and of this device, and nothing is removed from the eUICC that no eIM acknowledged. */
function sane(deeds: Deeds, message: Message, bytes: Uint8Array): void {
  for (const request of deeds.requests) {
    const { tag, value } = readOne(fromHex(request), undefined, { lenient: true });
    assert.ok([0xbf4f, 0xbf50, 0xbf3d].includes(tag), `request ${request}`);
    if (tag !== 0xbf3d) assert.equal(toHex(value.subarray(0, 2)), "5A10", request);
  }
  const removed = deeds.commands.filter((command) => command.startsWith("BF30")).map((command) => command.slice(6));
  const others = message.scene.script.eim.filter((item) => message.side === "card" || item.at !== message.at);
  const acknowledged = [bytes, ...others.map((item) => item.answer.body)].flatMap(acknowledgements);
  const handled = deeds.requests.some((request) => request.startsWith("BF3D"));
  const own = message.scene.name === "eIM configuration"; // its agent removes its EPR by the number in it
  for (const number of removed) {
    const wasHandled = handled && [message.request, ...deeds.commands].some((command) => command.startsWith("BF2B") && command.endsWith(number));
    assert.ok(own || acknowledged.includes(number) || wasHandled, `${number} was removed from the eUICC, nobody acknowledged it`);
  }
}

/** Members of the message, as far as they read. */
function acknowledgements(bytes: Uint8Array): string[] {
  try {
    return readAll(readOne(readOne(bytes, 0xbf50).value, 0xbf53).value).map((item) => toHex(item.raw));
  } catch {
    return []; // not an acknowledgement at all, so it acknowledges nothing
  }
}

function tagOctets(bytes: Uint8Array, base: number): number[] {
  const out: number[] = [];
  for (const item of rowOf(bytes)) {
    const at = item.raw.byteOffset - bytes.byteOffset + base;
    out.push(...Array.from({ length: item.tag > 0xff ? 2 : 1 }, (_, n) => at + n));
    if (((item.raw[0] as number) & 0x20) !== 0) out.push(...tagOctets(item.value, item.value.byteOffset - bytes.byteOffset + base));
  }
  return out;
}

function rowOf(bytes: Uint8Array): ReturnType<typeof readAll> {
  try {
    return readAll(bytes, { lenient: true });
  } catch {
    return []; // content that is no row of data objects has no tags
  }
}

const firstPollEnd = (deeds: Deeds): number | undefined => deeds.reports.find(([code]) => code === Report.PollEnded)?.[1];
/** ES10 commands up to the end of the session, which is when the eIM list is read again. */
function inSession({ commands }: Deeds): string[] {
  const end = commands.indexOf("BF5500");
  return end < 0 ? commands : commands.slice(0, end);
}

const cardFailedFirst = (deeds: Deeds): void => assert.deepEqual(deeds.reports[0], [Report.CardFailed, CARD_MALFORMED]);
const refusal = (request: string): string | undefined => /A0[0-9A-F]{2}(?:80[0-9A-F]{2}(?:[0-9A-F]{2})+)?0201([0-9A-F]{2})$/.exec(request)?.[1];

describe("good vectors", () => {
  test("stand-ins that answer as recorded see the requests that were recorded", () => {
    const undisturbed = (scene: Scene): boolean => scene.steps.every((step) => (step.event.status ?? 0) === 0 || step.op?.kind === Op.StoreRead);
    const clean = material.scenes.filter((scene) => undisturbed(scene) && scene.exchanges.every((exchange) => exchange.code >= 200 && exchange.code < 300));
    assert.ok(clean.length >= 4);
    for (const scene of clean) {
      const { requests } = play(material, scene, 0);
      const recorded = scene.exchanges.map((exchange) => toHex(exchange.request));
      assert.ok(requests.length > 0);
      assert.deepEqual(requests, recorded.slice(0, requests.length), scene.name);
    }
  });

  test("every message that the agent reads was recorded", () => {
    const tags = (side: "card" | "eim"): string[] => [...new Set(messages.filter((one) => one.side === side).map((one) => one.tag))].sort();
    for (const tag of ["BF20", "BF22", "BF28", "BF2B", "BF2D", "BF30", "BF3C", "BF3E", "BF51", "BF55", "BF56", "BF57", "BF58"]) assert.ok(tags("card").includes(tag), tag);
    assert.deepEqual(tags("eim"), ["BF3D", "BF4F", "BF50"]);
    const packages = new Set(eimMessages("BF4F").map((one) => tagOf(readOne(one.bytes).value)));
    for (const tag of ["BF51", "BF52", "BF54", "0201"]) assert.ok(packages.has(tag), tag);
  });
});

describe("splits change nothing", () => {
  const splitAt = (message: Message, n: number) => (peers: Understudy): void => {
    if (message.side === "card") peers.splitCard = n;
    else peers.splitReply = n;
  };

  test("an answer of the eUICC in two R-APDUs, split at every point", () => {
    for (const message of distinct(messages).filter((one) => one.side === "card")) {
      const expected = done(whole(message));
      for (const n of points(message.bytes.length).slice(1)) assert.deepEqual(done(play(material, message.scene, message.at, splitAt(message, n))), expected, `${message.where} split at ${n}`);
    }
  });

  test("an answer of the eIM in two pieces, split at every point, and with its end alone", () => {
    for (const message of distinct(messages).filter((one) => one.side === "eim" && one.bytes.length > 0)) {
      const expected = done(whole(message));
      for (const n of [...points(message.bytes.length).slice(1), message.bytes.length]) assert.deepEqual(done(play(material, message.scene, message.at, splitAt(message, n))), expected, `${message.where} split at ${n}`);
    }
  });

  test("all answers of a run in R-APDUs of any size, by 61xx or at once, and in pieces of any size", () => {
    for (const scene of material.scenes) {
      const expected = done(play(material, scene, 0));
      for (const size of [7, 31, 128, 255]) {
        const tune = (peers: Understudy): void => {
          Object.assign(peers, { chunk: size, piece: size - 6, atOnce: size % 2 === 0 });
        };
        assert.deepEqual(done(play(material, scene, 0, tune)), expected, `${scene.name} in sizes of ${size}`);
      }
    }
  });
});

describe("GetEimPackage answer (BF4F)", () => {
  test("cut off anywhere it is no answer: nothing is executed, nothing is told, the poll failed", () => {
    eachTruncation(eimMessages("BF4F"), (deeds) => {
      assert.equal(firstPollEnd(deeds), BAD_BODY);
      assert.deepEqual(inSession(deeds), []);
    });
  });

  test("another outer tag is no answer", () => {
    eachFlippedTag(eimMessages("BF4F"), (deeds, _message, _changed, outermost) => {
      if (outermost) assert.equal(firstPollEnd(deeds), BAD_BODY);
    });
  });

  test("a flipped tag inside: the package is refused, or goes to the eUICC octet by octet as it came", () => {
    eachFlippedTag(eimMessages("BF4F"), (deeds, message, changed, outermost) => {
      const executed = deeds.commands[0]?.startsWith("BF51") === true;
      if (outermost || !executed) return;
      assert.equal(deeds.commands[0], toHex(readOne(changed, 0xbf4f).value), message.where);
    });
  });

  test("a package of an unknown tag is refused with unknownPackage, one that does not decode with invalidPackageFormat", () => {
    const [message] = eimMessages("BF4F").filter((one) => tagOf(readOne(one.bytes).value) === "BF51");
    assert.ok(message !== undefined);
    const codeOf = (bytes: Uint8Array): string | undefined => refusal(given(message, bytes).requests[0] ?? "");
    const content = readOne(message.bytes).value;
    const bf4f = (value: Uint8Array): Uint8Array => fromHex(`BF4F81${toHex(Uint8Array.of(value.length))}${toHex(value)}`);
    assert.equal(codeOf(bf4f(fromHex(toHex(content).replace(/^BF51/, "BF6F")))), "02");
    assert.equal(codeOf(bf4f(content.subarray(0, -4))), "01");
    assert.equal(codeOf(bf4f(fromHex(toHex(content).replace("5F3740", "5F3640")))), "01");
  });
});

describe("answers longer than the agent's memory", () => {
  test("are refused with undefinedError, and a link that breaks behind them is opened again to the same eIM", () => {
    const [message] = eimMessages("BF4F").filter((one) => tagOf(readOne(one.bytes).value) === "BF51");
    assert.ok(message !== undefined);
    const known = play(material, message.scene, 0).endpoints[0] ?? "";
    for (const length of [4000, 4040, 4048, 4049, 4050, 4096, 5000, 5120, 6000, 9000]) {
      const body = tlv(0xbf4f, tlv(0xbf51, tlv(0x30, tlv(0x80, new Uint8Array(length).fill(0x5a)))));
      const deeds = play(material, message.scene, message.at, (peers) => {
        peers.nextReply = { code: 200, retryAfter: 0, body };
        peers.breaksLater = true;
      });
      assert.equal(refusal(deeds.requests.at(0) ?? ""), body.length > WORK_LEFT ? "7F" : "01", `${body.length} octets`);
      assert.ok(deeds.endpoints.length > 0, "the link was opened again");
      for (const endpoint of deeds.endpoints) assert.equal(endpoint, known);
    }
  });
});

describe("ProvideEimPackageResult answer (BF50)", () => {
  test("cut off anywhere it acknowledges nothing, and the session failed", () => {
    eachTruncation(eimMessages("BF50"), (deeds) => {
      assert.equal(firstPollEnd(deeds), BAD_BODY);
      assert.deepEqual(deeds.reports.find(([code]) => code === Report.ResultAccepted || code === Report.PollEnded)?.[0], Report.PollEnded);
    });
  });

  test("flipped tags: neither an answer of another kind nor a number under another tag removes anything", () => {
    eachFlippedTag(eimMessages("BF50"), (deeds, _message, changed, outermost) => {
      if (outermost) assert.equal(firstPollEnd(deeds), BAD_BODY);
      if (acknowledgements(changed).length === 0 && firstPollEnd(deeds) === BAD_BODY) assert.deepEqual(inSession(deeds), []);
    });
  });
});

describe("HandleNotification answer", () => {
  test("its body does not matter", () => {
    for (const message of eimMessages("BF3D").filter((one) => one.scene.script.eim.find((item) => item.at === one.at)?.answer.code === 204)) {
      assert.deepEqual(done(given(message, fromHex("BF3D03020101"))), done(whole(message)));
    }
  });
});

describe("answers of the eUICC", () => {
  test("GetEID (BF3E): damage fails the card, which is tried again; no other EID is ever used", () => {
    const list = cardMessages("BF3E");
    eachTruncation(list, (deeds, message) => {
      cardFailedFirst(deeds);
      assert.deepEqual(deeds.requests, whole(message).requests);
    });
    eachFlippedTag(list, (deeds, message, _changed, outermost) => {
      if (outermost) cardFailedFirst(deeds);
      assert.deepEqual(deeds.requests, whole(message).requests);
    });
  });

  test("EUICCInfo2 (BF22) at start: damage changes nothing that is sent", () => {
    const atStart = cardMessages("BF22").filter((one) => one.at < 20);
    eachTruncation(atStart, (deeds, message) => assert.deepEqual(deeds.requests, whole(message).requests));
    eachFlippedTag(atStart, (deeds, message) => assert.deepEqual(deeds.requests, whole(message).requests));
  });

  test("eIM list (BF55): cut off inside its headers or its first configuration it fails the card", () => {
    eachTruncation(cardMessages("BF55", "BF5500"), (deeds, message) => {
      const failed = deeds.reports[0]?.[0] === Report.CardFailed;
      if (failed) assert.deepEqual(deeds.reports[0], [Report.CardFailed, CARD_MALFORMED]);
      else assert.ok(deeds.reports.every(([code]) => code !== Report.NoEim) || message.bytes.length < 8, "a list that was cut off was taken for an empty one");
    });
  });

  test("eIM list (BF55): with flipped tags an eIM is polled as it is listed, or not at all", () => {
    eachFlippedTag(cardMessages("BF55", "BF5500"), (deeds, message, changed) => {
      const listed = [changed, ...message.scene.script.card.map((item) => item.answer)].map(toHex);
      for (const endpoint of deeds.endpoints) {
        const members = readAll(fromHex(endpoint), { lenient: true });
        assert.equal(members[0]?.tag, 0x80);
        for (const member of members) assert.ok(listed.some((list) => list.includes(toHex(member.value))), `${endpoint} is not in the list`);
      }
    });
  });

  test("AddInitialEim (BF57): damage fails the card; what the eUICC then lists is polled", () => {
    eachTruncation(cardMessages("BF57"), (deeds, message) => {
      cardFailedFirst(deeds);
      assert.deepEqual(deeds.requests, whole(message).requests);
    });
    eachFlippedTag(cardMessages("BF57"), (deeds, message) => assert.deepEqual(deeds.requests, whole(message).requests));
  });

  test("eUICC Package Result (BF51): cut off, the eUICC is asked for the stored one, and the eIM gets that or a refusal", () => {
    eachTruncation(cardMessages("BF51"), (deeds) => {
      assert.equal(deeds.commands[0], "BF2B04A0028200", "the list of EPRs");
      const [first] = deeds.requests.filter((request) => request.startsWith("BF50"));
      assert.ok(first !== undefined, "the eIM is told");
      assert.ok(refusal(first) === "7F" || first.includes("BF51"), first);
    });
  });

  test("eUICC Package Result (BF51): with a flipped tag it reaches the eIM as it came, or the stored one does", () => {
    eachFlippedTag(cardMessages("BF51"), (deeds, message, changed) => {
      const [first] = deeds.requests.filter((request) => request.startsWith("BF50"));
      // a long result under a wrong number can't be read again: the poll fails, the next session finds it
      if (first === undefined && message.bytes.length > LONG) return assert.equal(firstPollEnd(deeds), CARD_MALFORMED);
      assert.ok(first !== undefined, "the eIM is told");
      const asked = deeds.commands.includes("BF2B04A0028200");
      assert.ok(asked || first.includes(toHex(changed)) || deeds.reports.some(([code]) => code === Report.ProfileChanged) || message.bytes.length > LONG, first);
    });
  });

  test("ProfileRollback (BF58): damage is taken for catBusy and tried three times at most", () => {
    const tries = (deeds: Deeds): number => deeds.commands.filter((command) => command.startsWith("BF58")).length;
    eachTruncation(cardMessages("BF58"), (deeds) => assert.ok(tries(deeds) <= 2 && deeds.reports.some(([code]) => code === Report.RolledBack || code === Report.RollbackRefused)));
    eachFlippedTag(cardMessages("BF58"), (deeds) => assert.ok(tries(deeds) <= 2 && deeds.reports.some(([code]) => code === Report.RolledBack || code === Report.RollbackRefused)));
  });

  test("RemoveNotificationFromList (BF30): damage keeps no result from the eIM; no answer at all fails the poll", () => {
    const list = cardMessages("BF30");
    const delivered = (deeds: Deeds, message: Message, n: unknown): void => {
      if (n === 0) assert.equal(firstPollEnd(deeds), CARD_MALFORMED);
      else for (const request of whole(message).requests.filter((one) => one.startsWith("BF50"))) assert.ok(deeds.requests.includes(request));
    };
    eachTruncation(list, delivered);
    eachFlippedTag(list, delivered);
  });

  test("lists of notifications and EPRs (BF28, BF2B): damage never removes what no eIM acknowledged", () => {
    for (const tag of ["BF28", "BF2B"]) {
      eachTruncation(cardMessages(tag), () => undefined);
      eachFlippedTag(cardMessages(tag), () => undefined);
    }
  });

  test("items of IpaEuiccData (BF20, BF3C, BF56): cut off, the request is answered with an error", () => {
    for (const tag of ["BF20", "BF3C", "BF56"]) {
      eachTruncation(cardMessages(tag), (deeds) => {
        const [first] = deeds.requests;
        assert.match(first ?? "", /^BF50.*BF52..A1..(?:80..(?:..)+)?0201(?:7F|05)$/);
      });
    }
  });

  test("items of IpaEuiccData: a flipped outer tag is an error, one inside leaves an answer of the right form", () => {
    for (const tag of ["BF20", "BF3C", "BF56", "BF2D"]) {
      eachFlippedTag(cardMessages(tag), (deeds, message, _changed, outermost) => {
        const first = deeds.requests[0] ?? "";
        if (outermost && message.tag !== "BF2D") assert.match(first, /^BF50.*BF52..A1/);
        assert.match(first, /^BF50.*BF52/);
      });
    }
  });
});

describe("answer to SELECT", () => {
  test("an FCI, whole, cut off or with flipped tags, decides nothing", () => {
    for (const scene of material.scenes.slice(0, 2)) {
      const expected = done(play(material, scene, 0));
      const { fci } = scene.script;
      assert.ok(fci.length > 20);
      const variants = [...points(fci.length).map((n) => fci.slice(0, n)), ...tagOctets(fci, 0).map((at) => fci.with(at, (fci[at] as number) ^ 0x20))];
      for (const variant of variants) assert.deepEqual(done(play(material, { ...scene, script: { ...scene.script, fci: variant } }, 0)), expected);
    }
  });
});
