/** The CoAP server, message by message: RFC 7252 4 and 5, RFC 7959 2, as the fact sheet (1.2, 2) has them. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fromHex, toHex } from "../sim/core/bytes.js";
import { blockOf, blockOption, blockText } from "../sim/coap/block.js";
import { codeText, describeMessage, encode } from "../sim/coap/codec.js";
import { uint, uintOf } from "../sim/coap/options.js";
import { CoapClient, code, Opt, Type, type CoapOption, type Message } from "../sim/coap/index.js";
import { Rng } from "../sim/core/rng.js";
import { HandBench, octets, path, post } from "./coap-kit.js";

const block1 = (num: number, more: boolean, szx: number): CoapOption => blockOption(Opt.Block1, { num, more, szx });
const block2 = (num: number, more: boolean, szx: number): CoapOption => blockOption(Opt.Block2, { num, more, szx });
const one = (messages: readonly Message[]): Message => {
  assert.equal(messages.length, 1, `expected one message, got ${messages.map(describeMessage).join("; ")}`);
  return messages[0] as Message;
};
const answer = (messages: readonly Message[]): string => codeText(one(messages).code);
const text = (message: Message): string => new TextDecoder().decode(message.payload);

describe("messages", () => {
  test("the answer is piggybacked: ACK with the request's Message ID and token", () => {
    const bench = new HandBench();
    const message = one(bench.ask({ mid: 7, token: fromHex("a1b2c3"), payload: fromHex("0102") }));
    assert.equal(describeMessage(message), "ACK 2.04 mid 0007 token A1B2C3 [] +2");
  });

  test("a NON is answered by a NON with a Message ID of the server's", () => {
    const bench = new HandBench();
    const message = one(bench.ask({ mid: 7, type: Type.Non, payload: fromHex("01") }));
    assert.equal(message.type, Type.Non);
    assert.equal(toHex(message.token), "0007");
  });

  test("a repeated CON gets the stored answer and is not executed again; a repeated NON gets nothing", () => {
    const bench = new HandBench();
    const [first, second] = [one(bench.ask({ mid: 1, payload: fromHex("01") })), one(bench.ask({ mid: 1, payload: fromHex("01") }))];
    assert.deepEqual(second, first);
    bench.ask({ mid: 2, type: Type.Non });
    assert.deepEqual(bench.ask({ mid: 2, type: Type.Non }), []);
    assert.equal(bench.requests.length, 2);
  });

  test("another endpoint may use the same Message ID, and so may the same one after EXCHANGE_LIFETIME (247 s)", () => {
    const bench = new HandBench();
    bench.ask({ mid: 1 });
    bench.ask({ mid: 1 }, "another");
    bench.now = 246_999;
    bench.ask({ mid: 1 });
    assert.equal(bench.requests.length, 2);
    bench.now = 247_001;
    bench.ask({ mid: 1 });
    assert.equal(bench.requests.length, 3);
  });

  test("a ping is reset, a response to no request too; an ACK or RST of nothing is ignored", () => {
    const bench = new HandBench();
    assert.equal(describeMessage(one(bench.raw(fromHex("40001234")))), "RST 0.00 mid 1234 token  [] +0");
    assert.equal(describeMessage(one(bench.raw(fromHex("40451234")))), "RST 0.00 mid 1234 token  [] +0");
    for (const hex of ["60001234", "70001234", "50450001", "50000001"]) assert.deepEqual(bench.raw(fromHex(hex)), []);
  });

  test("a CON with a format error is reset, a NON or ACK with one and a foreign version are ignored, and each is noted by name", () => {
    const bench = new HandBench();
    assert.equal(describeMessage(one(bench.raw(fromHex("40010001ff")))), "RST 0.00 mid 0001 token  [] +0");
    for (const hex of ["50010001ff", "60010001ff", "80010001", "4001"]) assert.deepEqual(bench.raw(fromHex(hex)), []);
    assert.match(bench.server.notes.map((note) => note.text).join("|"), /payload marker.*\|.*\|.*\|version 1 expected, got 2\|a header of 4/);
  });

  test("a critical option that is not known is 4.02, with its name; an elective one is skipped; a NON with a critical one is dropped", () => {
    const bench = new HandBench();
    const refused = one(bench.ask({ mid: 1, options: [{ number: 9, value: fromHex("09") }] }));
    assert.equal(codeText(refused.code), "4.02");
    assert.match(text(refused), /option 9 \(09\) is not supported/);
    assert.equal(answer(bench.ask({ mid: 2, options: [{ number: 2050, value: fromHex("09") }] })), "2.04");
    assert.deepEqual(bench.ask({ mid: 3, type: Type.Non, options: [{ number: Opt.QBlock1, value: fromHex("08") }] }), []);
    assert.equal(answer(bench.ask({ mid: 4, options: [{ number: Opt.QBlock1, value: fromHex("08") }] })), "4.02");
    assert.equal(bench.requests.length, 1);
  });

  test("an unknown method is 4.05, a proxy request 5.05", () => {
    const bench = new HandBench();
    assert.equal(answer(bench.ask({ mid: 1, code: code("0.08") })), "4.05");
    assert.equal(answer(bench.ask({ mid: 2, options: [{ number: Opt.ProxyScheme, value: fromHex("636f6170") }] })), "5.05");
  });

  test("path segments with a slash or a percent sign can't be taken for others", () => {
    const bench = new HandBench();
    bench.ask({ mid: 1, options: [path("b/c"), path("%2F")] });
    assert.equal(bench.requests[0]?.path, "/a/b%2Fc/%252F");
  });
});

describe("separate responses", () => {
  test("a request that waits for its answer gets an empty ACK after half of ACK_TIMEOUT, then a CON that is repeated until it is acknowledged", () => {
    const bench = new HandBench({}, () => ({ code: code("2.05"), payload: octets(3), delayMs: 5000 }));
    assert.deepEqual(bench.ask({ mid: 1 }), []);
    bench.now = bench.server.nextTimer as number;
    assert.equal(bench.now, 1000);
    assert.equal(describeMessage(one(bench.tick())), "ACK 0.00 mid 0001 token  [] +0");
    bench.now = bench.server.nextTimer as number;
    const response = one(bench.tick());
    assert.equal(response.type, Type.Con);
    assert.equal(toHex(response.token), "0001");
    const times: number[] = [];
    for (let i = 0; i < 2; i++) {
      times.push((bench.server.nextTimer as number) - bench.now);
      bench.now = bench.server.nextTimer as number;
      assert.deepEqual(one(bench.tick()), response);
    }
    assert.ok((times[0] as number) >= 2000 && (times[0] as number) <= 3000 && times[1] === 2 * (times[0] as number), String(times));
    assert.deepEqual(bench.raw(encode({ type: Type.Ack, code: 0, mid: response.mid, token: new Uint8Array(0), options: [], payload: new Uint8Array(0) })), []);
    assert.equal(bench.server.nextTimer, undefined);
  });

  test("a repeated request that waits is acknowledged at once, and its separate response comes once", () => {
    const bench = new HandBench({}, () => ({ code: code("2.05"), delayMs: 5000 }));
    bench.ask({ mid: 1 });
    assert.equal(describeMessage(one(bench.ask({ mid: 1 }))), "ACK 0.00 mid 0001 token  [] +0");
    assert.equal(describeMessage(one(bench.ask({ mid: 1 }))), "ACK 0.00 mid 0001 token  [] +0");
    bench.now = 5000;
    assert.equal(one(bench.tick()).code, code("2.05"));
    assert.equal(bench.requests.length, 1);
  });

  test("a separate response that nobody acknowledges is given up after MAX_RETRANSMIT, and noted", () => {
    const bench = new HandBench({ parameters: { maxRetransmit: 2 } }, () => ({ code: code("2.05"), delayMs: 2000 }));
    bench.ask({ mid: 1 });
    let sent = 0;
    for (; bench.server.nextTimer !== undefined; sent += bench.tick().length) bench.now = bench.server.nextTimer;
    assert.equal(sent, 1 + 1 + 2);
    assert.match(bench.server.notes.at(-1)?.text ?? "", /was never acknowledged/);
  });
});

describe("Block1", () => {
  const upload = (bench: HandBench, blocks: readonly (readonly [number, number, boolean, number, number])[], options: readonly CoapOption[] = []): Message[] =>
    blocks.map(([mid, num, more, szx, length]) => one(bench.ask({ mid, options: [block1(num, more, szx), ...options], payload: octets(length, num) })));

  test("2.31 Continue acknowledges each block but the last, which gets the answer with its own Block1; tokens and Message IDs are new each time", () => {
    const bench = new HandBench();
    const answers = upload(bench, [[1, 0, true, 0, 16], [2, 1, true, 0, 16], [3, 2, false, 0, 8]]);
    assert.deepEqual(answers.map(({ code: got }) => codeText(got)), ["2.31", "2.31", "2.04"]);
    assert.deepEqual(answers.map(({ options }) => blockText(blockOf(options, Opt.Block1) as never)), ["0/1/16", "1/1/16", "2/0/16"]);
    assert.equal(bench.requests.length, 1);
    assert.equal(bench.requests[0]?.payload.length, 40);
  });

  test("a repeated block (same Message ID) is answered again and not taken twice", () => {
    const bench = new HandBench();
    upload(bench, [[1, 0, true, 0, 16], [1, 0, true, 0, 16], [2, 1, false, 0, 16]]);
    assert.equal(bench.requests[0]?.payload.length, 32);
  });

  test("a server that wants smaller blocks says so at block 0; the client goes on from the octet that was accepted", () => {
    const bench = new HandBench({ szx: 2 });
    assert.deepEqual(upload(bench, [[1, 0, true, 4, 256]]).map(({ options }) => blockText(blockOf(options, Opt.Block1) as never)), ["0/1/64"]);
    assert.equal(codeText(upload(bench, [[2, 4, false, 2, 64]])[0]?.code ?? 0), "2.04");
    assert.equal(bench.requests[0]?.payload.length, 320);
  });

  const refused: readonly (readonly [string, readonly (readonly [number, number, boolean, number, number])[], string, RegExp])[] = [
    ["a first block that is not block 0", [[1, 1, true, 0, 16]], "4.08", /block 0 expected first/],
    ["a gap", [[1, 0, true, 0, 16], [2, 2, true, 0, 16]], "4.08", /block at octet 16 expected, got octet 32/],
    ["a block that was taken before, as a new message", [[1, 0, true, 0, 16], [2, 1, true, 0, 16], [3, 1, true, 0, 16]], "4.08", /block at octet 32 expected, got octet 16/],
    ["a block with too few octets and more to come", [[1, 0, true, 0, 15]], "4.00", /16 octets expected, got 15/],
    ["a last block with too many octets", [[1, 0, true, 0, 16], [2, 1, false, 0, 17]], "4.00", /at most 16 octets expected, got 17/],
    ["a block without payload", [[1, 0, true, 0, 0]], "4.00", /a payload expected, got none/],
    ["the reserved SZX 7", [[1, 0, true, 7, 16]], "4.00", /SZX 0 to 6 expected, got the reserved 7/],
  ];
  for (const [name, blocks, expected, why] of refused) {
    test(`${name} is ${expected}`, () => {
      const bench = new HandBench();
      const last = upload(bench, blocks).at(-1) as Message;
      assert.equal(codeText(last.code), expected);
      assert.match(text(last), why);
      assert.equal(bench.requests.length, 0);
    });
  }

  test("another Content-Format in a later block is 4.08", () => {
    const bench = new HandBench();
    upload(bench, [[1, 0, true, 0, 16]], [uint(Opt.ContentFormat, 42)]);
    assert.equal(codeText(upload(bench, [[2, 1, false, 0, 16]], [uint(Opt.ContentFormat, 60)])[0]?.code ?? 0), "4.08");
  });

  test("a body above the limit is 4.13 with Size1: announced by Size1, or when it gets there", () => {
    const bench = new HandBench({ bodyLimit: 40 });
    const [announced] = upload(bench, [[1, 0, true, 0, 16]], [uint(Opt.Size1, 41)]);
    assert.deepEqual([codeText(announced?.code ?? 0), uintOf(announced?.options ?? [], Opt.Size1)], ["4.13", 40]);
    const grown = upload(bench, [[2, 0, true, 0, 16], [3, 1, true, 0, 16], [4, 2, true, 0, 16]]).at(-1);
    assert.deepEqual([codeText(grown?.code ?? 0), uintOf(grown?.options ?? [], Opt.Size1)], ["4.13", 40]);
  });

  test("a large payload without Block1 is 4.13 with the Block1 that is wanted", () => {
    const bench = new HandBench({ szx: 5 });
    const message = one(bench.ask({ mid: 1, payload: octets(513) }));
    assert.deepEqual([codeText(message.code), blockText(blockOf(message.options, Opt.Block1) as never)], ["4.13", "0/0/512"]);
  });

  test("bodies with different Request-Tags, methods, paths or endpoints don't mix", () => {
    const bench = new HandBench();
    const tag = (value: number): CoapOption => uint(Opt.RequestTag, value);
    upload(bench, [[1, 0, true, 0, 16]], [tag(1)]);
    bench.ask({ mid: 2, options: [block1(0, true, 0), tag(2)], payload: octets(16, 9) });
    bench.ask({ mid: 3, code: code("0.03"), options: [block1(0, true, 0)], payload: octets(16, 9) });
    bench.ask({ mid: 4, options: [path("b"), block1(0, true, 0)], payload: octets(16, 9) });
    bench.ask({ mid: 1, options: [block1(0, true, 0), tag(1)], payload: octets(16, 9) }, "another");
    upload(bench, [[5, 1, false, 0, 16]], [tag(1)]);
    assert.equal(toHex(bench.requests[0]?.payload ?? new Uint8Array(0)), toHex(octets(16, 0)) + toHex(octets(16, 1)));
  });

  test("what was collected is forgotten after EXCHANGE_LIFETIME, and with its endpoint", () => {
    const bench = new HandBench();
    upload(bench, [[1, 0, true, 0, 16]]);
    bench.now = 248_000;
    assert.equal(codeText(upload(bench, [[2, 1, false, 0, 16]])[0]?.code ?? 0), "4.08");
    upload(bench, [[3, 0, true, 0, 16]]);
    bench.server.forget("peer");
    assert.equal(codeText(upload(bench, [[4, 1, false, 0, 16]])[0]?.code ?? 0), "4.08");
  });
});

describe("Block2", () => {
  const big = (n: number) => (): { code: number; payload: Uint8Array; contentFormat: number } => ({ code: code("2.05"), payload: octets(n), contentFormat: 42 });

  test("an answer that fits goes out whole; a larger one in blocks with ETag, Content-Format and Size2 in the first", () => {
    const bench = new HandBench({}, big(1025));
    const first = one(bench.ask({ mid: 1 }));
    assert.equal(first.payload.length, 1024);
    assert.equal(blockText(blockOf(first.options, Opt.Block2) as never), "0/1/1024");
    assert.equal(uintOf(first.options, Opt.Size2), 1025);
    const last = one(bench.ask({ mid: 2, options: [block2(1, false, 6)] }));
    assert.equal(blockText(blockOf(last.options, Opt.Block2) as never), "1/0/1024");
    assert.equal(last.payload.length, 1);
    assert.deepEqual(last.options.filter(({ number }) => number === Opt.ETag), first.options.filter(({ number }) => number === Opt.ETag));
    assert.equal(bench.requests.length, 1);
  });

  test("the client's SZX in its first request is kept to; so is a smaller one later", () => {
    const bench = new HandBench({}, big(100));
    assert.equal(one(bench.ask({ mid: 1, options: [block2(0, false, 1)] })).payload.length, 32);
    assert.equal(toHex(one(bench.ask({ mid: 2, options: [block2(2, false, 0)] })).payload), toHex(octets(100).subarray(32, 48)));
  });

  test("both in one exchange: the final answer carries Block1 and Block2, and goes on without payload and Block1", () => {
    const bench = new HandBench();
    bench.ask({ mid: 1, options: [block1(0, true, 0)], payload: octets(16) });
    const final = one(bench.ask({ mid: 2, options: [block1(1, false, 0), block2(0, false, 0)], payload: octets(16, 16) }));
    assert.deepEqual([Opt.Block1, Opt.Block2].map((number) => blockText(blockOf(final.options, number) as never)), ["1/0/16", "0/1/16"]);
    const last = one(bench.ask({ mid: 3, options: [block2(1, false, 0)] }));
    assert.deepEqual([blockText(blockOf(last.options, Opt.Block2) as never), blockOf(last.options, Opt.Block1)], ["1/0/16", undefined]);
    assert.equal(bench.requests.length, 1);
  });

  test("a later block of nothing is 4.08, one behind the end 4.00, one with a payload 4.00, M = 1 in a request 4.00", () => {
    const bench = new HandBench({}, big(40));
    assert.equal(answer(bench.ask({ mid: 1, options: [block2(1, false, 0)] })), "4.08");
    bench.ask({ mid: 2, options: [block2(0, false, 0)] });
    assert.equal(answer(bench.ask({ mid: 3, options: [block2(3, false, 0)] })), "4.00");
    assert.equal(answer(bench.ask({ mid: 4, options: [block2(1, false, 0)], payload: octets(1) })), "4.00");
    assert.equal(answer(bench.ask({ mid: 5, options: [block2(1, true, 0)] })), "4.00");
    assert.equal(answer(bench.ask({ mid: 6, options: [block2(1, false, 0)] })), "2.05");
  });

  test("an answer is kept for EXCHANGE_LIFETIME after its last block was asked for", () => {
    const bench = new HandBench({}, big(40));
    bench.ask({ mid: 1, options: [block2(0, false, 0)] });
    bench.now = 200_000;
    assert.equal(answer(bench.ask({ mid: 2, options: [block2(1, false, 0)] })), "2.05");
    bench.now = 440_000;
    assert.equal(answer(bench.ask({ mid: 3, options: [block2(2, false, 0)] })), "2.05");
    bench.now = 700_000;
    assert.equal(answer(bench.ask({ mid: 4, options: [block2(2, false, 0)] })), "4.08");
  });
});

test("the state is plain data: a copy of it goes its own way", () => {
  const bench = new HandBench();
  bench.ask({ mid: 1, options: [block1(0, true, 0)], payload: octets(16) });
  const kept = structuredClone(bench.server.state);
  bench.ask({ mid: 2, options: [block1(1, false, 0)], payload: octets(4) });
  bench.server.state = kept;
  assert.equal(answer(bench.ask({ mid: 2, options: [block1(1, false, 0)], payload: octets(5) })), "2.04");
  assert.deepEqual(bench.requests.map(({ payload }) => payload.length), [20, 21]);
});

test("a request that is not admitted by its head is refused at block 0", () => {
  const bench = new HandBench({ admit: (request) => (request.path === "/a" ? undefined : { code: code("4.04") }) });
  assert.equal(answer(bench.ask({ mid: 1, options: [path("x"), block1(0, true, 0)], payload: octets(16) })), "4.04");
  assert.equal(answer(bench.raw(encode(post({ mid: 2 })))), "2.04");
});

test("whatever octets come in, server and client throw nothing, and the next request is answered (20000 damaged messages)", () => {
  const rng = new Rng(23);
  const bench = new HandBench();
  const client = new CoapClient();
  client.start({ method: 2, path: "/a" }, 0);
  const samples = [
    post({ mid: 9, options: [block1(0, true, 0), uint(Opt.ContentFormat, 42), uint(Opt.RequestTag, 7)], payload: octets(16) }), post({ mid: 10, options: [block2(1, false, 0)] }),
    { ...post({ mid: 11, payload: octets(8) }), type: Type.Ack, code: code("2.05"), options: [block2(0, true, 0)] },
  ].map(encode);
  for (let i = 0; i < 20_000; i++) {
    const damaged = Uint8Array.from(rng.pick(samples));
    for (let n = 1 + rng.int(3); n > 0; n--) damaged[rng.int(damaged.length)] = rng.int(256);
    const cut = damaged.subarray(0, rng.int(4) === 0 ? rng.int(damaged.length) : undefined);
    bench.raw(cut, `peer ${rng.int(3)}`);
    client.handle(cut, 0);
  }
  assert.equal(answer(bench.ask({ mid: 1, payload: octets(3) }, "another")), "2.04");
});
