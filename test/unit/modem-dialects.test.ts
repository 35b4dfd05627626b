/** Dialects of the simulated AT modem against transcripts written from the manuals' facts (test/vectors/modem), family by family. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { FAMILIES, familyOf, octets, printable } from "../sim/modem/index.js";
import { Bench, latin1, text } from "./modem-kit.js";

const vectors = join(root(), "test/vectors/modem");

function root(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) folder = dirname(folder);
  return folder;
}

interface Step {
  readonly kind: ">>" | "<<" | "..";
  readonly text: string;
  readonly line: number;
}

function read(family: string): Step[] {
  const lines = readFileSync(join(vectors, `${family}.txt`), "utf8").split("\n");
  return lines.flatMap((line, i) => {
    const [, kind, rest = ""] = /^(>>|<<|\.\.) (.*)$/.exec(line) ?? [];
    return kind === undefined ? [] : [{ kind: kind as Step["kind"], text: rest, line: i + 1 }];
  });
}

function happens(bench: Bench, what: string): void {
  const [, verb = "", rest = ""] = /^(\S+) ?(.*)$/.exec(what) ?? [];
  if (verb === "arrives") bench.net.arrives(text(octets(rest)));
  else if (verb === "closed") bench.net.last.events.closed();
  else if (verb === "drop") bench.modem.radio.drop();
  else if (verb === "wait") bench.timers.advance(Number(rest));
  else if (verb === "sent") assert.equal(printable(bench.net.last.sent.at(-1)?.bytes ?? new Uint8Array(0)), rest);
  else assert.deepEqual([verb, rest], ["card", "paper"]);
}

function play(family: (typeof FAMILIES)[number], chunk?: number): void {
  const bench = new Bench({ family, ...(chunk === undefined ? {} : { chunk }) }).on();
  let heard = "";
  for (const step of read(family)) {
    if (step.kind === "<<") {
      heard += bench.heard();
      assert.equal(printable(latin1(heard)), step.text, `${family}.txt:${step.line}`);
      heard = "";
      continue;
    }
    assert.equal(printable(latin1(heard)), "", `${family}.txt:${step.line}: before this, the modem said`);
    if (step.kind === "..") happens(bench, step.text);
    else heard = bench.write(text(octets(step.text)), 1);
  }
  assert.deepEqual(bench.modem.violations, []);
}

describe("dialects", () => {
  for (const family of FAMILIES) {
    test(`${familyOf(family).title} answers as its transcript says`, () => play(family));
    test(`${familyOf(family).title} answers the same in pieces of one octet`, () => play(family, 1));
    test(`${familyOf(family).title} names what of it is not sure`, () => {
      assert.ok(familyOf(family).unsure.length > 0);
      for (const fact of familyOf(family).unsure) assert.match(fact, /^[LU]: /);
    });
  }

  test("identity is told by every family, each in its form", () => {
    const models = FAMILIES.map((family) => new Bench({ family }).on().lines("AT+CGMM"));
    assert.deepEqual(models, FAMILIES.map((family) => [familyOf(family).model, "OK"]));
  });

  const limits = [
    ["bg95", 'AT+QIACT=1;+QIOPEN=1,0,"UDP","192.0.2.1",5684', "AT+QISEND=0,1461"],
    ["sara-r5", "AT+USOCR=17", 'AT+USOST=0,"192.0.2.1",5684,1025'],
    ["sim7080", "AT+CNACT=0,1", "AT+CASEND=0,1460"],
    ["nrf91", 'AT#XSOCKET=1,2,0;#XCONNECT=0,"192.0.2.1",5684', `AT#XSEND=0,1,0,"${"00".repeat(1401)}"`],
  ] as const;
  for (const [family, prepare, tooLong] of limits) {
    test(`${familyOf(family).title} refuses to send more than its limit`, () => {
      const bench = new Bench({ family }).on();
      bench.say(prepare);
      if (family === "sim7080") bench.say('AT+CAOPEN=0,0,"UDP","192.0.2.1",5684');
      assert.deepEqual(bench.lines(tooLong), ["ERROR"]);
      assert.ok(bench.net.sockets.every((socket) => socket.sent.length === 0));
    });
  }

  test("octets sooner than 50 ms after @ are lost, and noted", () => {
    const bench = new Bench({ family: "sara-r5" }).on();
    bench.say("AT+USOCR=17");
    bench.say('AT+USOST=0,"192.0.2.1",5684,4', 10);
    assert.equal(bench.write("ab", 100), "");
    assert.equal(bench.write("cdef", 100), "\r\n+USOST: 0,4\r\n\r\nOK\r\n");
    assert.equal(text(bench.net.last.sent[0]?.bytes ?? new Uint8Array(0)), "cdef");
    assert.deepEqual(bench.modem.violations, ["data too soon after the prompt"]);
  });

  test("a datagram that a u-blox host reads in part is lost for the rest", () => {
    const bench = new Bench({ family: "sara-r5" }).on();
    bench.say("AT+USOCR=17");
    bench.say('AT+USOCO=0,"192.0.2.1",5684');
    bench.net.arrives("abcdef");
    assert.deepEqual(bench.lines("AT+USORD=0,2"), ["+UUSORD: 0,6", '+USORD: 0,2,"ab"', "OK"]);
    assert.deepEqual(bench.lines("AT+USORD=0,1024"), ['+USORD: 0,0,""', "OK"]);
  });

  test("data mode without a length ends with +++", () => {
    const bench = new Bench({ family: "nrf91" }).on();
    bench.say('AT#XSOCKET=1,1,0;#XCONNECT=0,"192.0.2.1",443');
    bench.say("AT#XSEND=0,2,0");
    assert.equal(bench.write("a+b++c+++"), "\r\n#XDATAMODE: 0\r\n");
    assert.equal(text(bench.net.last.sent[0]?.bytes ?? new Uint8Array(0)), "a+b++c");
  });
});
