/** The client of the simulated world against the server's named behaviours and against loss (coap-dtls 6, 7): what it gets, or why it gave up. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toHex } from "../sim/core/bytes.js";
import { Rng } from "../sim/core/rng.js";
import { coapBehaviours, code, maxAgeOf, Opt, Type, type Behaviour } from "../sim/coap/index.js";
import { blockOf } from "../sim/coap/block.js";
import { codeText, type Message } from "../sim/coap/codec.js";
import { CoapBench, octets, type BenchOptions } from "./coap-kit.js";

const BODY = octets(5000);
const { separate, early, reducesSzx, incompleteAt, tooLarge, changesETag, wrongNum, oversizeBlock, unavailable, echoChallenge, resets, silent, addsOption, after, answers } = coapBehaviours;

function bench(behaviour: Behaviour | undefined, options: BenchOptions = {}): CoapBench {
  const made = new CoapBench(options);
  if (behaviour !== undefined) made.server.use(behaviour);
  return made;
}

/** The body comes back whole, and the application saw it once. */
function echoes(made: CoapBench, body = BODY): void {
  assert.equal(toHex(made.answered("2.05", { payload: body })), toHex(body));
  assert.deepEqual(made.requests.map(({ payload }) => toHex(payload)), [toHex(body)]);
}

const sizes = (made: CoapBench, from: "client" | "server"): number[] => made.wire.filter((entry) => entry.from === from && entry.message.payload.length > 0).map(({ message }) => message.payload.length);

describe("a body of 5000 octets comes back", () => {
  test("in blocks of 1024 octets, each way", () => {
    const made = bench(undefined);
    echoes(made);
    assert.deepEqual(sizes(made, "client"), [1024, 1024, 1024, 1024, 904]);
    assert.deepEqual(sizes(made, "server"), [1024, 1024, 1024, 1024, 904]);
    assert.equal(made.client.count.messages, 9);
  });

  const cases: readonly (readonly [string, Behaviour])[] = [
    ["by separate responses", separate(0)],
    ["by separate responses three seconds later", separate(3000)],
    ["by separate responses that overtake their ACK", early()],
    ["with smaller blocks from block 0 on", reducesSzx(4)],
    ["with smaller blocks from block 2 on", reducesSzx(3, 2)],
    ["after the server lost its blocks at block 3", incompleteAt(3)],
    ["after 4.13 with a smaller SZX", tooLarge(65_536, 4)],
    ["after an Echo challenge", echoChallenge()],
  ];
  for (const [name, behaviour] of cases) test(name, () => echoes(bench(behaviour)));

  test("with smaller blocks from block 2 on, the client goes on from the octet that it has reached", () => {
    const made = bench(reducesSzx(3, 2));
    echoes(made);
    const blocks = made.wire.filter(({ from }) => from === "client").flatMap(({ message }) => blockOf(message.options, Opt.Block1) ?? []);
    assert.deepEqual(blocks.slice(0, 4).map(({ num, szx }) => [num, szx]), [[0, 6], [1, 6], [2, 6], [24, 3]]);
  });

  test("a server that lost its blocks is sent them again under a new Request-Tag", () => {
    const made = bench(incompleteAt(3));
    echoes(made);
    const tags = new Set(made.wire.filter(({ from }) => from === "client").map(({ message }) => toHex(message.options.find(({ number }) => number === Opt.RequestTag)?.value ?? new Uint8Array(0))));
    assert.equal(tags.size, 2);
  });

  test("whatever is lost or doubled (40 seeds, a tenth each way): the application sees it once", () => {
    for (let seed = 0; seed < 40; seed++) {
      const rng = new Rng(seed);
      const way = { loses: () => rng.int(10) === 0, doubles: () => rng.int(10) === 0 };
      const made = bench(seed % 3 === 0 ? separate(500) : seed % 3 === 1 ? early() : undefined, { up: way, down: way, client: { seed, parameters: { maxRetransmit: 8 } }, server: { seed } });
      echoes(made);
    }
  });
});

describe("the client gives up by name", () => {
  const cases: readonly (readonly [string, Behaviour, RegExp])[] = [
    ["when the ETag changes", changesETag(2), /ETag [0-9A-F]{8} expected in all blocks, got DEAD/],
    ["when a block has the wrong number", wrongNum(1), /Block2 at octet 1024 expected, got 2\/1\/1024/],
    ["when the first block has the wrong number", wrongNum(0), /Block2 at octet 0 expected/],
    ["when a block is too large", oversizeBlock(1), /1024 octets expected, got 1025/],
    ["when it is reset", resets(), /the server reset the request/],
    ["when an answer has a critical option that nobody knows", addsOption(9), /option 9 \(\) is not supported/],
    ["when nothing is answered", silent(99), /no acknowledgement after 5 transmissions/],
    ["when the server loses its blocks again and again", incompleteAt(1, 99), /the upload was begun 4 times/],
  ];
  for (const [name, behaviour, why] of cases) {
    test(name, () => {
      const outcome = bench(behaviour).run({ payload: BODY });
      assert.match("failed" in outcome ? outcome.failed : "answered", why);
    });
  }

  test("when the answer is larger than it takes", () => {
    const outcome = bench(undefined, { client: { bodyLimit: 4000 } }).run({ payload: BODY });
    assert.match("failed" in outcome ? outcome.failed : "answered", /at most 4000 octets expected/);
  });

  test("when a request was acknowledged but is never answered", () => {
    const made = bench(separate(120_000));
    const outcome = made.run({ payload: octets(3) });
    assert.match("failed" in outcome ? outcome.failed : "answered", /acknowledged, but never answered/);
  });
});

describe("errors are answers", () => {
  test("5.03 with Max-Age, and the next request is taken", () => {
    const made = bench(unavailable(30));
    const outcome = made.run({ payload: octets(3) });
    assert.ok("answer" in outcome && codeText(outcome.answer.code) === "5.03" && maxAgeOf(outcome.answer) === 30);
    made.answered("2.05", { payload: octets(3) });
  });

  test("4.13 with Size1 for a body that is too large at any block size", () => {
    const made = bench(tooLarge(1000));
    const outcome = made.run({ payload: BODY });
    assert.ok("answer" in outcome && codeText(outcome.answer.code) === "4.13");
  });

  test("any code, from the nth request on", () => {
    const made = bench(after(1, answers("4.29", 9)));
    made.answered("2.05", { payload: octets(1) });
    made.answered("4.29", { payload: octets(1) });
  });
});

test("a separate response is acknowledged each time it comes, and taken once", () => {
  const made = bench(separate(0), { up: { loses: (n) => n === 1 } });
  echoes(made, octets(3));
  made.settle();
  const acks = made.wire.filter(({ from, message }) => from === "client" && message.type === Type.Ack);
  assert.equal(acks.length, 2);
});

test("an answer that lacks its end is never completed", () => {
  const made = new CoapBench({ answer: ({ payload }) => ({ code: code("2.05"), payload, cutAfter: 2000 }) });
  const outcome = made.run({ payload: BODY });
  assert.match("failed" in outcome ? outcome.failed : "answered", /no acknowledgement/);
});

test("behaviours that were taken away act no more", () => {
  const made = new CoapBench();
  const away = made.server.use(answers("5.00", 99));
  made.answered("5.00", { payload: octets(1) });
  away();
  made.answered("2.05", { payload: octets(1) });
});

test("a response with a foreign token is reset when confirmable, else ignored", () => {
  const made = new CoapBench();
  const response: Message = { type: Type.Con, code: code("2.05"), mid: 5, token: octets(4), options: [], payload: octets(1) };
  const encoded = (message: Message): Uint8Array => Uint8Array.from([0x40 | (message.type << 4) | 4, message.code, 0, 5, ...message.token, 0xff, 1]);
  made.client.start({ method: 2, path: "/a" }, 0);
  assert.deepEqual(made.client.handle(encoded(response), 0).map((output) => output.kind === "send" && toHex(output.datagram)), ["70000005"]);
  assert.deepEqual(made.client.handle(encoded({ ...response, type: Type.Non }), 0), []);
  assert.deepEqual(made.client.handle(encoded({ ...response, type: Type.Ack }), 0), []);
});
