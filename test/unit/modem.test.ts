/** The simulated device (bearer, coverage, resets) and the raw eUICC door with a card of its own (sgp32-transport 5.3, 5.6). */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { CardGoneError, RawUicc, TERMINAL_PROFILE_REFRESH, VpcdReader, type RawUiccOptions } from "../sim/agent/index.js";
import { concat, fromHex, toHex } from "../sim/core/bytes.js";
import { VirtualClock } from "../sim/core/clock.js";
import { failed, isFailed } from "../sim/core/doors.js";
import { Modem } from "../sim/modem/index.js";

describe("modem", () => {
  function device() {
    const clock = new VirtualClock();
    const card = { enabled: "A" as string | undefined };
    return { clock, card, modem: new Modem({ clock, enabledProfile: () => card.enabled, registrationMs: 4000 }) };
  }

  test("the bearer comes up with the enabled profile after its registration, and tells the registered PLMN", () => {
    const { clock, modem } = device();
    modem.plmn("A", fromHex("62F210"));
    assert.deepEqual(modem.up({ restart: false, waitMs: 10_000 }), { plmn: fromHex("62F210") });
    assert.equal(clock.now(), 4000);
    assert.equal(modem.network.up, true);
  });

  test("no enabled profile, or one without coverage, brings no bearer within the time", () => {
    const { clock, card, modem } = device();
    modem.coverage("A", "none");
    assert.ok(isFailed(modem.up({ restart: false, waitMs: 10_000 })));
    card.enabled = undefined;
    assert.ok(isFailed(modem.up({ restart: false, waitMs: 10_000 })));
    assert.equal(clock.now(), 20_000);
  });

  test("a profile switch takes the bearer down at once, and the connections with it", () => {
    const { card, modem } = device();
    modem.up({ restart: false, waitMs: 10_000 });
    const { generation } = modem.network;
    card.enabled = "B";
    assert.equal(modem.network.up, false);
    modem.up({ restart: false, waitMs: 10_000 });
    assert.equal(modem.network.up, true);
    assert.notEqual(modem.network.generation, generation);
  });

  test("registration goes on while nobody waits for it", () => {
    const { clock, modem } = device();
    modem.coverage("A", 15_000);
    assert.ok(isFailed(modem.up({ restart: false, waitMs: 10_000 })));
    modem.up({ restart: false, waitMs: 10_000 });
    assert.equal(clock.now(), 15_000);
  });

  test("an outage delays registration and takes the network away while it lasts", () => {
    const { clock, modem } = device();
    modem.outage(1000, 60_000);
    modem.up({ restart: false, waitMs: 100_000 });
    assert.equal(clock.now(), 60_000);
    modem.outage(70_000, 80_000);
    clock.sleep(15_000);
    assert.equal(modem.network.up, false);
  });
});

/** A card that answers what it is told to, and records what it was asked. */
function scriptedCard(answers: Record<string, string | string[]>) {
  const seen: string[] = [];
  const answer = (command: string): string => {
    const known = Object.entries(answers).find(([start]) => command.startsWith(start))?.[1] ?? "6D00";
    return typeof known === "string" ? known : (known.length > 1 ? (known.shift() as string) : (known[0] as string));
  };
  return {
    seen,
    powerCycle: () => (seen.push("ATR"), fromHex("3B00")),
    transmit: (command: Uint8Array) => (seen.push(toHex(command)), fromHex(answer(toHex(command)))),
  };
}

const AID = fromHex("A0000005591010FFFFFFFF8900000100");
const SELECT = `A404001${"0"}${toHex(AID)}`;

describe("raw eUICC door", () => {
  function door(answers: Record<string, string | string[]>, options: Partial<RawUiccOptions> = {}) {
    const card = scriptedCard(answers);
    const clock = new VirtualClock();
    return { card, clock, uicc: new RawUicc({ card, clock, ...options }) };
  }

  test("the card assigns the channel, SELECT is coded for it, the FCI is fetched by GET RESPONSE", () => {
    const { card, uicc } = door({ "0070000001": "059000", [`41${SELECT}`]: "6104", "41C0000004": "6F0284009000" });
    assert.deepEqual(uicc.open(AID, { fixedChannel: false, noFci: false }), { channel: 5, fci: fromHex("6F028400") });
    assert.deepEqual(card.seen, ["0070000001", `41${SELECT}`, "41C0000004"]);
  });

  test("a SELECT that is answered 6Cxx is repeated with that Le", () => {
    const { card, uicc } = door({ "0070000001": "019000", [`01${SELECT}04`]: "6F0284009000", [`01${SELECT}`]: "6C04" });
    assert.deepEqual(uicc.open(AID, { fixedChannel: false, noFci: false }), { channel: 1, fci: fromHex("6F028400") });
    assert.equal(card.seen.length, 3);
  });

  test("with NO_FCI nothing is fetched; with FIXED_CHANNEL channel 1 is taken whatever is answered", () => {
    const { card, uicc } = door({ "0070000100": "6A81", [`01A40404`]: "6121" }, { selectP2: 0x04 });
    assert.deepEqual(uicc.open(AID, { fixedChannel: true, noFci: true }), { channel: 1, fci: new Uint8Array(0) });
    assert.equal(card.seen.length, 2);
  });

  test("a refused channel and a refused SELECT are named with their status word, and the channel is closed again", () => {
    const refused = door({ "0070000001": "6A81" });
    assert.deepEqual(refused.uicc.open(AID, { fixedChannel: false, noFci: false }), { ...failed("channel", "MANAGE CHANNEL was answered 6A81"), sw: 0x6a81 });
    const { card, uicc } = door({ "0070000001": "019000", [`01${SELECT}`]: "6A82", "0070800100": "9000" });
    const result = uicc.open(AID, { fixedChannel: false, noFci: false }) as { failure: string; sw: number };
    assert.deepEqual([result.failure, result.sw], ["no ISD-R", 0x6a82]);
    assert.equal(card.seen.at(-1), "0070800100");
  });

  test("a UICC reset that the card asks for is carried out by a reset, without TERMINAL RESPONSE", () => {
    let resets = 0;
    const { card, clock, uicc } = door(
      { "81E2": "9110", "8012000010": "D00E8103010104820281829000", "8010": "9000" },
      { terminalProfile: TERMINAL_PROFILE_REFRESH, onReset: () => resets++ },
    );
    card.transmit = ((inner) => (command: Uint8Array) => (toHex(command) === "8012000010" ? (card.seen.push("FETCH"), fromHex("D0098103010104820281829000")) : inner(command)))(card.transmit);
    uicc.transmit(fromHex("81E2910000"));
    assert.equal(uicc.reset({ afterRefresh: true, waitMs: 5000 }), undefined);
    assert.deepEqual(card.seen, ["81E2910000", "FETCH", "ATR", "80100000030100C8"]);
    assert.deepEqual([resets, clock.now()], [1, 0]);
  });

  test("another REFRESH is answered and closes the channel; STATUS asks for it during the grace time", () => {
    const { card, clock, uicc } = door({
      "0070000001": "019000", [`01${SELECT}`]: "9000", "80F2": ["9000", "910B"], "801200000B": "D009810301010982028182" + "9000", "8014": "9000", "0070800100": "9000",
    });
    uicc.open(AID, { fixedChannel: false, noFci: false });
    assert.equal(uicc.reset({ afterRefresh: true, waitMs: 5000 }), undefined);
    assert.deepEqual(card.seen.slice(2), ["80F2000000", "80F2000000", "801200000B", "801400000C810301010982028281830100", "0070800100"]);
    assert.equal(clock.now(), 2000);
  });

  test("when no REFRESH comes within the grace time, the card is reset", () => {
    const { card, clock, uicc } = door({ "80F2": "9000" });
    uicc.reset({ afterRefresh: true, waitMs: 2500 });
    assert.equal(clock.now(), 2500);
    assert.equal(card.seen.at(-1), "ATR");
  });

  test("proactive commands that need a user are beyond the terminal, POLL INTERVAL is granted", () => {
    const { card, uicc } = door({
      "8010": "910F", "801200000F": ["D00D8103010300820281828402011E" + "910B", "D009810302130082028183" + "9000"], "801200000B": "D009810302130082028183" + "9000", "8014": "9000",
    }, { terminalProfile: TERMINAL_PROFILE_REFRESH });
    uicc.boot();
    assert.ok(card.seen.includes("8014000010" + "8103010300" + "82028281" + "830100" + "8402011E"));
    assert.ok(card.seen.includes("801400000C" + "8103021300" + "82028281" + "830130"));
  });

  test("a card that does not answer is gone", () => {
    const { uicc } = door({ "0070": "" });
    const result = uicc.open(AID, { fixedChannel: false, noFci: false });
    assert.ok(isFailed(result) && result.failure === "no card");
  });
});

describe("virtual card reader (vpcd)", () => {
  test("a vpicc that connects is the card: power, ATR, APDUs split anywhere, and its going", async () => {
    const reader = await VpcdReader.listen({ port: 0 });
    const card = connect(reader.port, "127.0.0.1");
    const seen: string[] = [];
    let buffer: Uint8Array = new Uint8Array(0);
    card.on("data", (data) => {
      buffer = concat(buffer, data);
      while (buffer.length >= 2 && buffer.length >= 2 + ((buffer[0]! << 8) | buffer[1]!)) {
        const length = (buffer[0]! << 8) | buffer[1]!;
        const message = buffer.slice(2, 2 + length);
        buffer = buffer.slice(2 + length);
        seen.push(toHex(message));
        const reply = message.length > 1 ? fromHex("6E00") : message[0] === 4 ? fromHex("3B80") : undefined;
        if (reply === undefined) continue;
        card.write(Uint8Array.of(0));
        setImmediate(() => card.write(concat(Uint8Array.of(reply.length), reply)));
      }
    });
    await reader.inserted();
    const uicc = new RawUicc({ card: reader, clock: new VirtualClock() });
    assert.equal(await uicc.boot(), undefined);
    assert.equal(toHex((await uicc.transmit(fromHex("80AA000000"))) as Uint8Array), "6E00");
    assert.deepEqual(seen, ["00", "01", "04", "80AA000000"]);
    card.destroy();
    await new Promise((resolve) => card.once("close", resolve));
    while (true) {
      const gone = await uicc.transmit(fromHex("80AA000000"));
      if (isFailed(gone)) break;
    }
    await assert.rejects(reader.powerCycle(), CardGoneError);
    await reader.close();
  });
});
