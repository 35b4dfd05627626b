/** Named faults of the simulated AT modem: counted, seeded, and repeated by the text that they print. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { faults, readFault, type AtModemOptions, type Fault } from "../sim/modem/index.js";
import { Bench, ISDR, latin1, text } from "./modem-kit.js";

const OPEN = `AT+CCHO="${ISDR}"`;
const EID = '22,"80E2910006BF3E035C015A"';

function bench(family: AtModemOptions["family"], list: readonly Fault[], seed = 1): Bench {
  return new Bench({ family, faults: list, seed }).on();
}

/** A fault for a modem that is on already, counted from here. */
function from(modem: Bench["modem"]) {
  return { host: modem.octets.host, modem: modem.octets.modem, total: modem.octets.total };
}

describe("faults of the UART", () => {
  test("the nth octet towards the host is lost, and only that", () => {
    const on = bench("generic", []);
    on.modem.use(faults.byteLost("host", from(on.modem).host + 4));
    assert.equal(on.say("AT+CMEE?"), "\r\n+MEE: 0\r\n\r\nOK\r\n");
    assert.equal(on.say("AT+CMEE?"), "\r\n+CMEE: 0\r\n\r\nOK\r\n");
  });

  test("the nth octet towards the modem is lost: the line is nobody's, or another", () => {
    const on = bench("generic", []);
    const { modem } = from(on.modem);
    on.modem.use(faults.byteLost("modem", modem + 1));
    on.modem.use(faults.byteLost("modem", modem + 9 + 9));
    assert.equal(on.say("AT+CMEE?"), "");
    assert.equal(on.say("AT+CMEE?AT"), "\r\nERROR\r\n");
  });

  test("an octet lost in counted data keeps the modem counting, until no more comes", () => {
    const on = bench("bg95", []);
    on.say("AT+QIACT=1");
    on.say('AT+QIOPEN=1,0,"UDP","192.0.2.1",5684');
    on.say("AT+QISEND=0,4");
    on.modem.use(faults.byteLost("modem", from(on.modem).modem + 2));
    assert.equal(on.write("abcd"), "");
    assert.equal(on.write("AT\r", 40_000), "\r\nSEND OK\r\n");
    assert.equal(text(on.net.last.sent[0]?.bytes ?? new Uint8Array(0)), "acdA");
  });

  test("a garbled octet has one bit turned, the same one for the same seed", () => {
    const run = (seed: number): string => {
      const on = bench("generic", [], seed);
      on.modem.use(faults.byteGarbled("host", from(on.modem).host + 5));
      return on.say("AT+CMEE?");
    };
    const once = run(3);
    assert.equal(run(3), once);
    const expected = latin1("\r\n+CMEE: 0\r\n\r\nOK\r\n");
    const turned = [...latin1(once)].map((octet, i) => octet ^ (expected[i] ?? 0)).filter((bits) => bits !== 0);
    assert.equal(turned.length, 1);
    assert.equal((turned[0] ?? 0) & ((turned[0] ?? 0) - 1), 0);
  });

  test("a brown-out behind any octet of a story leaves a modem that starts anew, without session, and answers", () => {
    const story = (on: Bench): void => {
      on.say(OPEN);
      on.say(`AT+CGLA=1,${EID}`);
      on.say("AT+CCHC=1");
    };
    const whole = bench("bg95", []);
    const start = from(whole.modem).total;
    story(whole);
    for (let n = start + 1; n <= whole.modem.octets.total; n++) {
      const on = bench("bg95", [faults.brownOut(n)]);
      story(on);
      on.timers.advance(500);
      on.heard();
      assert.deepEqual(on.lines("AT"), ["OK"], `brown-out:${n}`);
      assert.equal(on.modem.transcript.notes.filter((note) => note === "brown-out").length, 1);
      assert.deepEqual(on.lines(`AT+CGLA=9,${EID}`), ["ERROR"]);
    }
  });

  test("a brown-out in the middle of an answer cuts it there, and the start's URCs follow", () => {
    const on = bench("bg95", []);
    on.modem.use(faults.brownOut(from(on.modem).total + 9 + 5));
    assert.match(on.say("AT+CMEE?", 500), /^\r\n\+CM\r\nRDY\r\n/);
  });

  test("a URC comes before the nth answer, or between it and its result", () => {
    const on = bench("generic", [faults.urcInside("+CGLA", 2, "answer", "+CEREG: 2"), faults.urcInside("+CGLA", 3, "final", "+CEREG: 1")]);
    on.say(OPEN);
    assert.deepEqual(on.lines(`AT+CGLA=1,${EID}`), ['+CGLA: 4,"6115"', "OK"]);
    assert.deepEqual(on.lines(`AT+CGLA=1,${EID}`), ["+CEREG: 2", '+CGLA: 4,"6115"', "OK"]);
    assert.deepEqual(on.lines(`AT+CGLA=1,${EID}`), ['+CGLA: 4,"6115"', "+CEREG: 1", "OK"]);
  });

  test("a URC never comes into counted data", () => {
    const on = bench("bg95", []);
    on.say("AT+QIACT=1;+CEREG=1");
    on.say('AT+QIOPEN=1,0,"UDP","192.0.2.1",5684');
    on.say("AT+QISEND=0,4");
    on.net.arrives("x");
    assert.equal(on.write("ab"), "");
    assert.equal(on.write("cd"), '\r\nSEND OK\r\n\r\n+QIURC: "recv",0\r\n');
  });

  test("late: the answer comes after so many milliseconds", () => {
    const on = bench("generic", [faults.late("+CGLA", 1, 5000)]);
    on.say(OPEN);
    assert.equal(on.say(`AT+CGLA=1,${EID}`, 4999), "");
    assert.equal(on.write("", 1), '\r\n+CGLA: 4,"6115"\r\n\r\nOK\r\n');
  });

  test("silent: not carried out; unanswered: carried out, and nobody learns it", () => {
    const on = bench("generic", [faults.silent("+CGLA", 1), faults.unanswered("+CGLA", 2)]);
    on.say(OPEN);
    const seen = on.paper.seen.length;
    assert.equal(on.say(`AT+CGLA=1,${EID}`), "");
    assert.equal(on.paper.seen.length, seen);
    assert.equal(on.say(`AT+CGLA=1,${EID}`), "");
    assert.equal(on.paper.seen.length, seen + 1);
    assert.deepEqual(on.lines(`AT+CGLA=1,10,"00C0000015"`).at(-1), "OK");
  });

  test("refused: not carried out, with the number told or a plain ERROR", () => {
    const on = bench("generic", [faults.refused("+CCHO", 1, 14), faults.refused("+CCHO", 2, "ERROR")]);
    on.say("AT+CMEE=1");
    const seen = on.paper.seen.length;
    assert.deepEqual([on.lines(OPEN), on.lines(OPEN)], [["+CME ERROR: 14"], ["ERROR"]]);
    assert.equal(on.paper.seen.length, seen);
    assert.deepEqual(on.lines(OPEN), ["+CCHO: 1", "OK"]);
  });

  test("a prompt that is missing, or an ERROR; a sending that fails", () => {
    const on = bench("bg95", [faults.promptError("+QISEND", 1), faults.promptMissing("+QISEND", 2), faults.sendFails("+QISEND", 3)]);
    on.say("AT+QIACT=1");
    on.say('AT+QIOPEN=1,0,"UDP","192.0.2.1",5684');
    assert.equal(on.say("AT+QISEND=0,2"), "\r\nERROR\r\n");
    assert.equal(on.say("AT+QISEND=0,2"), "");
    assert.equal(on.write("ab"), "\r\nSEND OK\r\n");
    on.say("AT+QISEND=0,2");
    assert.equal(on.write("cd"), "\r\nSEND FAIL\r\n");
    assert.deepEqual(on.net.last.sent.map(({ bytes }) => text(bytes)), ["ab"]);
  });
});

describe("faults of the network", () => {
  function udp(list: readonly Fault[], seed = 1): Bench {
    const on = bench("bg95", list, seed);
    on.say("AT+QIACT=1");
    on.say('AT+QIOPEN=1,0,"UDP","192.0.2.1",5684');
    return on;
  }

  function sends(on: Bench, ...datagrams: string[]): void {
    for (const datagram of datagrams) {
      on.say(`AT+QISEND=0,${datagram.length}`);
      assert.equal(on.write(datagram, 1), "\r\nSEND OK\r\n");
    }
  }

  function sent(on: Bench): string[] {
    return on.net.last.sent.map(({ bytes }) => text(bytes));
  }

  test("a datagram is lost, doubled, or behind the next one; the host sees SEND OK each time", () => {
    const on = udp([faults.datagramLost("up", 1), faults.datagramDoubled("up", 2), faults.datagramReordered("up", 3)]);
    sends(on, "one", "two", "three", "four");
    assert.deepEqual(sent(on), ["two", "two", "four", "three"]);
  });

  test("a reordered datagram that none follows comes after a second; a delayed one when told", () => {
    const on = udp([faults.datagramReordered("up", 1), faults.datagramDelayed("up", 2, 3000)]);
    sends(on, "one");
    on.timers.advance(1000);
    assert.deepEqual(sent(on), ["one"]);
    sends(on, "two", "three");
    assert.deepEqual(sent(on), ["one", "three"]);
    on.timers.advance(3000);
    assert.deepEqual(sent(on), ["one", "three", "two"]);
  });

  test("downwards likewise", () => {
    const on = udp([faults.datagramLost("down", 1), faults.datagramDoubled("down", 2)]);
    on.net.arrives("one");
    on.net.arrives("two");
    on.heard();
    assert.deepEqual([1, 2, 3].map(() => on.lines("AT+QIRD=0").at(1)), ["two", "two", "OK"]);
  });

  test("a share of all datagrams is lost, the same ones for the same seed", () => {
    const run = (seed: number): string[] => {
      const on = udp([faults.datagramLost("up", "25%")], seed);
      sends(on, ...Array.from({ length: 200 }, (_, i) => String(i)));
      return sent(on);
    };
    const once = run(5);
    assert.deepEqual(run(5), once);
    assert.notDeepEqual(run(6), once);
    assert.ok(once.length > 120 && once.length < 180, `${once.length} of 200 arrived`);
  });

  test("streams pass as they are", () => {
    const on = bench("bg95", [faults.datagramLost("up", "100%")]);
    on.say("AT+QIACT=1");
    on.say('AT+QIOPEN=1,0,"TCP","192.0.2.1",443');
    sends(on, "abc");
    assert.deepEqual(sent(on), ["abc"]);
  });
});

describe("texts of faults", () => {
  const texts = [
    "byte-lost:host:17", "byte-garbled:modem:3", "brown-out:900", "urc-inside:+CGLA:2:final:+CEREG: 2", "late:+CGLA:1:1500", "silent:#XSEND:4", "unanswered:+CGLA:9", "prompt-missing:+QISEND:1",
    "prompt-error:+USOST:2", "refused:+CGLA:3:0", "refused:+CGLA:3:ERROR", "send-fails:+CASEND:3", "datagram-lost:up:10%", "datagram-doubled:down:4", "datagram-reordered:up:2.5%", "datagram-delayed:down:7:2000",
  ];
  for (const one of texts) test(`${one} is read as it is printed`, () => assert.equal(readFault(one).text, one));

  test("what is no fault is refused with the forms of all", () => {
    assert.throws(() => readFault("byte-lost:sideways:1"), /expected a fault \(byte-lost:host\|modem:N, .*got "byte-lost:sideways:1"/);
  });

  test("what struck is written down by its text", () => {
    const on = bench("generic", [readFault("late:+CSQ:1:10")]);
    on.say("AT+CSQ");
    assert.ok(on.modem.transcript.print().includes("-- fault late:+CSQ:1:10\n"));
  });
});
