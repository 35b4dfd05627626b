/** The host of the agent (host/README.md, ABI 1.0): what it lets pass, what it refuses, and what it tells. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { Binding, Event, Flag, Op, Peer, Report, Status } from "../sim/agent/abi.js";
import { Agent, type AgentLike, type EventMessage, type OpMessage } from "../sim/agent/agent.js";
import { configuration } from "../sim/agent/configuration.js";
import { Host } from "../sim/agent/host.js";
import { OpError } from "../sim/agent/op-rules.js";
import { FileStore, MemoryStore } from "../sim/agent/store.js";
import { tlv } from "../sim/codec/tlv.js";
import { concat, fromHex, toHex, utf8 } from "../sim/core/bytes.js";
import { VirtualClock } from "../sim/core/clock.js";
import { failed, type Doors } from "../sim/core/doors.js";
import { AgentTrapError, SimError } from "../sim/core/errors.js";

const NOTHING = new Uint8Array(0);
const AID = fromHex("A0000005591010FFFFFFFF8900000100");
type Script = readonly (Partial<OpMessage> & { readonly kind: Op })[];

/** An agent that asks for the ops of a script, whatever it is told. */
class ScriptedAgent implements AgentLike {
  readonly capacity = 64;
  readonly events: EventMessage[] = [];
  #at = 0;
  constructor(readonly script: Script) {}
  step(event: EventMessage): OpMessage {
    this.events.push(event);
    const op = this.script[this.#at++] ?? { kind: Op.Sleep };
    return { flags: 0, aux: 0, waitMs: 0, ref: this.#at, arg0: 0, arg1: 0, payload: NOTHING, ...op };
  }
  snapshot(): Uint8Array {
    return Uint8Array.of(this.#at);
  }
  restore(state: Uint8Array): void {
    this.#at = state[0] ?? 0;
  }
  fresh(): ScriptedAgent {
    return new ScriptedAgent(this.script);
  }
}

function doors(overrides: Partial<Doors> = {}): Doors {
  const answer = utf8("the whole answer of the server, which is longer than the mailbox of this agent can hold in one piece");
  let sent = 0;
  return {
    uicc: { reset: () => undefined, open: () => ({ channel: 2, fci: fromHex("6F00") }), transmit: () => fromHex("9000"), close: () => undefined },
    link: {
      open: () => undefined,
      send: () => void (sent = 0),
      receive: (max) => {
        const payload = answer.slice(sent, sent + max);
        sent += payload.length;
        return { code: 200, retryAfter: 7, last: sent === answer.length, payload };
      },
      close: () => undefined,
    },
    store: new MemoryStore(),
    bearer: { up: () => ({ plmn: fromHex("00F110") }) },
    rest: { sleep: () => ({ reasons: 1, cause: 0, cardReset: false }) },
    ...overrides,
  };
}

async function play(script: Script, through = doors()): Promise<{ host: Host; agent: ScriptedAgent }> {
  const agent = new ScriptedAgent(script);
  const host = new Host({ agent, doors: through, clock: new VirtualClock() });
  host.start(NOTHING);
  let left = script.length;
  await host.run(() => left-- <= 0);
  return { host, agent };
}

const OPEN = { kind: Op.UiccOpen, payload: AID } as const;
const ENDPOINT = tlv(0x80, utf8("eim.example.com"));
const LINK_OPEN = { kind: Op.LinkOpen, aux: Peer.Eim + 256 * Binding.EsipaHttps, payload: ENDPOINT, waitMs: 1000 } as const;
const SEND = { kind: Op.LinkSend, flags: Flag.First | Flag.Last, arg0: 3, payload: utf8("abc"), waitMs: 1000 } as const;

describe("host: carrying out ops", () => {
  test("every op but Sleep is answered by one Done with its ref, Sleep by Wake", async () => {
    const { agent } = await play([{ kind: Op.Bearer, waitMs: 10 }, { kind: Op.Sleep, waitMs: 5 }, { kind: Op.UiccReset }]);
    assert.deepEqual(agent.events.map((event) => [event.kind, event.ref ?? 0]), [[Event.Start, 0], [Event.Done, 1], [Event.Wake, 0], [Event.Done, 3]]);
    assert.equal(toHex(agent.events[1]?.payload ?? NOTHING), "00F110");
    assert.equal(agent.events[2]?.arg0, 1);
  });

  test("UiccOpen tells the channel and the FCI, or the status and the status word that refused", async () => {
    const good = await play([OPEN]);
    assert.equal(good.agent.events[1]?.arg0, 2);
    assert.equal(toHex(good.agent.events[1]?.payload ?? NOTHING), "6F00");
    const refusing = doors({ uicc: { ...doors().uicc, open: () => ({ ...failed("no ISD-R", "6A82"), sw: 0x6a82 }) } });
    const bad = await play([OPEN], refusing);
    assert.equal(bad.agent.events[1]?.status, Status.NoIsdr);
    assert.equal(bad.agent.events[1]?.arg1, 0x6a82);
  });

  test("an answer longer than the mailbox comes in pieces, the last one flagged LAST", async () => {
    const receive = { kind: Op.LinkReceive, arg0: 40, waitMs: 1000 };
    const { agent, host } = await play([LINK_OPEN, SEND, receive, receive, receive]);
    assert.deepEqual(agent.events.slice(3).map((event) => [event.payload?.length, event.flags, event.arg0, event.arg1]), [[40, 0, 200, 7], [40, 0, 200, 7], [20, Flag.Last, 200, 7]]);
    const [exchange] = host.trace.exchanges;
    assert.equal(exchange?.request.length, 3);
    assert.equal(exchange?.response.length, 100);
  });

  test("a record longer than the mailbox is read by offset", async () => {
    const store = new MemoryStore([[1, new Uint8Array(100).fill(7)]]);
    const { agent } = await play([{ kind: Op.StoreRead, arg0: 1 }, { kind: Op.StoreRead, arg0: 1, arg1: 64 }, { kind: Op.StoreRead, arg0: 2 }], doors({ store }));
    assert.deepEqual(agent.events.slice(1).map((event) => [event.status ?? 0, event.payload?.length, event.flags]), [[0, 64, 0], [0, 36, Flag.Last], [Status.NotFound, undefined, 0]]);
  });

  test("a failure of a door reaches the agent as its status, and the trace in words", async () => {
    const link = { ...doors().link, open: () => failed("trust", "the server's key differs from the pinned key") };
    const { agent, host } = await play([LINK_OPEN], doors({ link }));
    assert.equal(agent.events[1]?.status, Status.Trust);
    assert.match(host.trace.print(), /refused eIM eim\.example\.com: trust: the server's key differs/);
  });

  test("doors may answer later", async () => {
    const uicc = { ...doors().uicc, transmit: () => Promise.resolve(fromHex("6985")) };
    const { agent } = await play([OPEN, { kind: Op.UiccTransmit, payload: fromHex("82E2910000") }], doors({ uicc }));
    assert.equal(toHex(agent.events[2]?.payload ?? NOTHING), "6985");
  });

  test("a card reset by another hand is told once, with the next event, and closes the channel", async () => {
    const agent = new ScriptedAgent([OPEN, { kind: Op.Report, arg0: 1 }, OPEN]);
    const host = new Host({ agent, doors: doors(), clock: new VirtualClock() });
    host.start(NOTHING);
    await host.run((op) => op.kind === Op.Report);
    host.noteCardReset();
    await host.run((op) => op.kind === Op.Sleep);
    assert.deepEqual(agent.events.slice(1).map((event) => event.flags), [0, Flag.CardReset, 0]);
  });

  test("a host restored from a snapshot goes on with the same op", async () => {
    const { host } = await play([OPEN, { kind: Op.Report, arg0: 1 }, { kind: Op.Bearer }]);
    const before = host.snapshot();
    await host.run((op) => op.kind === Op.Sleep);
    host.restore(before);
    assert.equal(host.op.ref, 4);
  });
});

describe("host: an agent that breaks the contract is stopped by name", () => {
  const cases: readonly (readonly [name: string, script: Script, expected: RegExp])[] = [
    ["a ref that does not count up", [OPEN, { kind: Op.Report, arg0: 1, ref: 5 }], /ref 5, expected 2/],
    ["an unknown kind", [{ kind: 99 as Op }], /kind 99 #1: no such op/],
    ["reserved flags", [{ kind: Op.Bearer, flags: 2 }], /reserved flags 2/],
    ["a reserved argument", [{ kind: Op.UiccClose, arg1: 1 }], /arg1 is 1, expected 0/],
    ["a second channel", [OPEN, OPEN], /channel 2 is still open/],
    ["an APDU without a channel", [{ kind: Op.UiccTransmit, payload: fromHex("80E2910000") }], /no channel is open/],
    ["an APDU coded for another channel", [OPEN, { kind: Op.UiccTransmit, payload: fromHex("81E2910000") }], /coded for channel 1, expected 2/],
    ["an APDU whose Lc does not hold", [OPEN, { kind: Op.UiccTransmit, payload: fromHex("82E291000501") }], /Lc 5 in a C-APDU of 6/],
    ["an APDU of 3 octets", [OPEN, { kind: Op.UiccTransmit, payload: fromHex("82E291") }], /payload of 3 octets, expected 4/],
    ["LinkSend without a link", [SEND], /the link is closed/],
    ["LinkReceive before LAST was sent", [LINK_OPEN, { ...SEND, flags: Flag.First, arg0: 9 }, { kind: Op.LinkReceive, arg0: 10 }], /nothing to receive: the link is sending/],
    ["a body that is not as long as announced", [LINK_OPEN, { ...SEND, arg0: 4 }], /3 of 4 octets sent with LAST/],
    ["LinkReceive of more than the mailbox holds", [LINK_OPEN, SEND, { kind: Op.LinkReceive, arg0: 65 }], /65 octets wanted/],
    ["LinkReceive behind the end of the answer", [LINK_OPEN, SEND, { kind: Op.LinkReceive, arg0: 40 }, { kind: Op.LinkReceive, arg0: 40 }, { kind: Op.LinkReceive, arg0: 40 }, { kind: Op.LinkReceive, arg0: 40 }], /the link is open/],
    ["an endpoint without a name", [{ ...LINK_OPEN, payload: tlv(0xa6, tlv(0x30)) }], /expected 80 FQDN/],
    ["an endpoint without an address where the host does not know one", [{ ...LINK_OPEN, payload: NOTHING }], /expected 80 FQDN/],
    ["a peer that does not exist", [{ ...LINK_OPEN, aux: 256 + 9 }], /no peer 9/],
    ["a record that does not exist", [{ kind: Op.StoreRead, arg0: 9 }], /no record 9/],
    ["a write to the manufacturer's record", [{ kind: Op.StoreWrite, arg0: 16, payload: utf8("x") }], /read only/],
    ["a report that does not exist", [{ kind: Op.Report, arg0: 99 }], /no report 99/],
  ];
  for (const [name, script, expected] of cases) {
    test(name, async () => {
      await assert.rejects(play(script), (error: Error) => error instanceof OpError && expected.test(error.message) && error.message.includes("host/README.md"));
    });
  }

  test("a read beyond its record", async () => {
    await assert.rejects(play([{ kind: Op.StoreRead, arg0: 1, arg1: 9 }], doors({ store: new MemoryStore([[1, utf8("short")]]) })), /offset 9 lies beyond record 1 of 5 octets/);
  });
});

test("with HOST_ADDRESS an endpoint may come without an address", async () => {
  const agent = new ScriptedAgent([{ ...LINK_OPEN, payload: NOTHING }]);
  const host = new Host({ agent, doors: doors(), clock: new VirtualClock() });
  host.start(configuration({ entropy: fromHex("00"), switches: ["HostAddress"] }));
  await host.run((op) => op.kind === Op.Sleep);
  assert.equal(agent.events[1]?.status ?? 0, 0);
});

describe("host: configuration of Start", () => {
  test("only what was said is encoded, numbers without leading zeros and without a sign", () => {
    const encoded = configuration({ entropy: fromHex("0102"), switches: ["NoInfo", "ProprietaryGetResponse"], watchS: 200, blockSize: 255, imei: "356938035643809", protocols: ["HTTPS"] });
    assert.equal(toHex(encoded), "80020102" + "81020102" + "8501C8" + "8901FF" + "8B0101" + "8C0F" + toHex(utf8("356938035643809")));
  });

  test("what the contract rules out is refused", () => {
    assert.throws(() => configuration({ entropy: NOTHING }), /1 to 32 octets of entropy, got 0/);
    assert.throws(() => configuration({ entropy: fromHex("00"), imei: "12" }), RangeError);
    assert.throws(() => configuration({ entropy: fromHex("00"), pollPeriodS: -1 }), RangeError);
  });
});

describe("journal file", () => {
  const folder = mkdtempSync(join(tmpdir(), "tinyipa-"));

  test("records survive a new start, an empty record removes, other keys stay", () => {
    const path = join(folder, "journal");
    const store = new FileStore(path);
    store.write(1, utf8("package"));
    store.write(3, utf8("changes"));
    store.write(1, NOTHING);
    const again = new FileStore(path);
    assert.equal(again.read(1), undefined);
    assert.deepEqual(again.read(3), utf8("changes"));
  });

  test("a damaged file is refused, wherever the damage is", () => {
    const path = join(folder, "damaged");
    new FileStore(path).write(1, utf8("package in execution"));
    const good = readFileSync(path);
    for (let at = 0; at < good.length; at++) {
      writeFileSync(path, concat(good.subarray(0, at), Uint8Array.of((good[at] as number) ^ 1), good.subarray(at + 1)));
      assert.throws(() => new FileStore(path), (error: Error) => error instanceof SimError && error.code === "journal");
      writeFileSync(path, good.subarray(0, at));
      assert.throws(() => new FileStore(path), /is damaged/);
    }
  });

  test("a record that is too large leaves the old one", () => {
    const store = new FileStore(join(folder, "large"));
    store.write(2, utf8("endpoint"));
    assert.deepEqual(store.write(2, new Uint8Array(4000)), failed("too large", "record 2 of 4000 octets, at most 3072"));
    assert.deepEqual(store.read(2), utf8("endpoint"));
  });
});

/** A module with the agent's exports whose ipa_step is `body` (WebAssembly text by hand: function 4). */
function wasm(body: readonly number[]): Uint8Array {
  const section = (id: number, ...content: number[]): number[] => [id, content.length, ...content];
  const name = (text: string): number[] => [text.length, ...utf8(text)];
  const code = (...bytes: number[]): number[] => [bytes.length + 1, 0, ...bytes];
  const value = (bytes: number[]): number[] => code(0x41, ...bytes, 0x0b);
  return Uint8Array.from([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, 2, 0x60, 0, 1, 0x7f, 0x60, 1, 0x7f, 1, 0x7f),
    ...section(3, 5, 0, 0, 0, 0, 1),
    ...section(5, 1, 1, 1, 1),
    ...section(7, 6, ...name("memory"), 2, 0, ...name("ipa_abi"), 0, 0, ...name("ipa_mailbox"), 0, 1, ...name("ipa_capacity"), 0, 2, ...name("ipa_memory"), 0, 3, ...name("ipa_step"), 0, 4),
    ...section(10, 5, ...value([0x80, 0x80, 0x04]), ...value([16]), ...value([0x80, 0x01]), ...value([0x80, 0x08]), ...code(...body, 0x0b)),
  ]);
}

describe("the agent's wasm", () => {
  const STORE_KIND = [0x41, 0, 0x41, 1, 0x3a, 0, 16]; // i32.store8 offset=16: kind 1
  const RETURN_1 = [0x41, 1];

  test("an op is read from the mailbox behind ipa_step", () => {
    const agent = new Agent(wasm([...STORE_KIND, ...RETURN_1]));
    assert.deepEqual([agent.capacity, agent.memoryEnd], [128, 1024]);
    const op = agent.step({ kind: Event.Start, payload: utf8("hello") }, 5);
    assert.equal(op.kind, Op.Sleep);
    assert.deepEqual(op.payload, utf8("hello"));
  });

  test("a trap is AgentTrapError and names the event", () => {
    const agent = new Agent(wasm([0x00]));
    assert.throws(() => agent.step({ kind: Event.Wake, arg0: 2 }, 0), (error: Error) => error instanceof AgentTrapError && /on event 03000000/.test(error.message));
  });

  test("a byte touched above ipa_memory is AgentTrapError", () => {
    const agent = new Agent(wasm([...STORE_KIND, 0x41, 0, 0x41, 1, 0x3a, 0, 0x80, 0x08, ...RETURN_1]));
    assert.throws(() => agent.step({ kind: Event.Start }, 0), (error: Error) => error instanceof AgentTrapError && /byte 1024 above its end 1024/.test(error.message));
  });

  test("a refused event is an error with the agent's status", () => {
    const agent = new Agent(wasm([0x41, 0x7e]));
    assert.throws(() => agent.step({ kind: Event.Start }, 0), /with status -2/);
  });

  test("a snapshot holds all that the agent remembers", () => {
    const agent = new Agent(wasm([...STORE_KIND, ...RETURN_1]));
    agent.step({ kind: Event.Start, payload: utf8("first") }, 0);
    const state = agent.snapshot();
    agent.step({ kind: Event.Start, payload: utf8("other") }, 0);
    const twin = agent.fresh();
    twin.restore(state);
    assert.deepEqual(twin.snapshot(), state);
    assert.notDeepEqual(agent.snapshot(), state);
  });

  test("a module with imports or other exports is refused", () => {
    const bare = Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
    assert.throws(() => new Agent(bare), /expected exports ipa_abi, ipa_capacity/);
  });
});

test("reports carry their name into the trace", async () => {
  const { host } = await play([{ kind: Op.Report, arg0: Report.PollEnded, arg1: 0xffff_fffe, payload: utf8("eim") }]);
  assert.deepEqual(host.trace.reports.map((entry) => [entry.name, entry.detail]), [["PollEnded", -2]]);
});
