/** The simulated AT modem: line discipline (V.250, 27.007 9.2), UICC access (27.007 8.17, 8.43 to 8.46), registration, power saving, profile switch. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Euicc, type EuiccOptions } from "../sim/euicc/index.js";
import type { AtModemOptions, UiccQuirks } from "../sim/modem/index.js";
import { Bench, EID, ISDR, PaperCard } from "./modem-kit.js";

const ICCID_A = "8900101000000000019";
const ICCID_B = "8900101000000000027";
const OPEN = `AT+CCHO="${ISDR}"`;
/** ExecuteFallbackMechanism with refreshFlag: a switch that needs no eIM. */
const SWITCH = '"80E2910006BF5D038001FF"';

function generic(uicc: Partial<UiccQuirks> = {}, more: Partial<AtModemOptions> = {}): Bench {
  const bench = new Bench({ family: "generic", uicc, ...more }).on();
  bench.say("AT+CMEE=1");
  return bench;
}

describe("command lines", () => {
  test("echo is on at start, as the host wrote it, and ATE0 takes it away", () => {
    const bench = new Bench({ family: "generic", echo: true }).on();
    assert.equal(bench.say("at+cpin?"), "at+cpin?\r\r\n+CPIN: READY\r\n\r\nOK\r\n");
    assert.equal(bench.say("ATE0"), "ATE0\r\r\nOK\r\n");
    assert.equal(bench.say("AT"), "\r\nOK\r\n");
  });

  test("ATV0 gives numbers, ATQ1 nothing", () => {
    const bench = generic();
    assert.equal(bench.say("ATV0"), "0\r");
    assert.equal(bench.say("AT+CEREG?"), "+CEREG: 0,1\r\n0\r");
    assert.equal(bench.say("AT+NONE"), "4\r");
    assert.equal(bench.say("ATV1Q1"), "");
    assert.equal(bench.say("AT"), "");
    assert.equal(bench.say("ATQ0"), "\r\nOK\r\n");
  });

  test("commands of one line are carried out in order, up to the first that fails", () => {
    const bench = generic();
    assert.deepEqual(bench.lines("ATE0V1+CEREG=2;+CEREG?;+CPIN?"), ['+CEREG: 2,1,"0001","01A2D001",7', "+CPIN: READY", "OK"]);
    assert.deepEqual(bench.lines("AT+CEREG=1;+CEREG=9;+CEREG=5"), ["+CME ERROR: 50"]);
    assert.deepEqual(bench.lines("AT+CEREG?"), ["+CEREG: 1,1", "OK"]);
  });

  test("A/ repeats the last line", () => {
    const bench = generic();
    bench.say("AT+CMEE?");
    assert.equal(bench.write("A/"), "\r\n+CMEE: 1\r\n\r\nOK\r\n");
  });

  test("a line that does not begin with AT is nobody's; line feeds and noise before it are no part of it", () => {
    const bench = generic();
    assert.equal(bench.say("T+CPIN?"), "");
    assert.equal(bench.write("\n\0\xFFAT\r\n"), "\r\nOK\r\n");
    assert.equal(bench.write("ATX\bE0\r"), "\r\nOK\r\n");
  });

  test("a line longer than the modem's buffer is an ERROR, and the next one is whole", () => {
    const bench = generic();
    assert.equal(bench.say(`AT+CSIM=10,"${"00".repeat(300)}"`), "\r\nERROR\r\n");
    assert.equal(bench.say("AT"), "\r\nOK\r\n");
  });

  test("errors are told as CMEE says", () => {
    const bench = generic();
    const said = [0, 1, 2].map((n) => bench.lines(`AT+CMEE=${n};+CGLA=7,10,"00C0000015"`).at(-1));
    assert.deepEqual(said, ["ERROR", "+CME ERROR: 21", "+CME ERROR: invalid index"]);
  });

  test("octets sent while a command runs are lost, and noted", () => {
    const bench = generic({}, { pace: { command: 50 } });
    bench.write("AT+CPIN?\r", 10);
    bench.write("AT+CSQ\r", 10);
    assert.equal(bench.write("", 100), "\r\n+CPIN: READY\r\n\r\nOK\r\n");
    assert.deepEqual(bench.modem.violations, ["octets while +CPIN was running"]);
  });

  test("lines may end with CR CR LF", () => {
    assert.equal(generic({}, { lineEnd: "\r\r\n" }).say("AT+CMEE?"), "\r\r\n+CMEE: 1\r\r\n\r\r\nOK\r\r\n");
  });

  test("the first octets after start are lost until the modem hears", () => {
    const bench = generic({}, { deafOctets: 3 });
    // AT+CMEE=1 of the bench was the first line.
    assert.equal(bench.say("AT"), "\r\nOK\r\n");
    assert.deepEqual(bench.lines("AT+CMEE?"), ["+CMEE: 0", "OK"]);
  });
});

describe("UICC access", () => {
  const answers: readonly (readonly [Partial<UiccQuirks>, string, string, string])[] = [
    [{}, OPEN, '+CCHO: 1', '+CGLA: 4,"6115"'],
    [{ sessionId: "1" }, OPEN, "1", '+CGLA: 4,"6115"'],
    [{ sessionId: "+CCHO: 0000000003850001" }, OPEN, "+CCHO: 0000000003850001", '+CGLA: 4,"6115"'],
    [{ sessionId: "+CCHO: 0001" }, OPEN, "+CCHO: 0001", '+CGLA: 4,"6115"'],
    [{ noPrefix: true }, OPEN, "+CCHO: 1", '4,"6115"'],
    [{ unquotedAnswers: true }, OPEN, "+CCHO: 1", "+CGLA: 4,6115"],
    [{ follows: true, lowerCase: true }, OPEN, "+CCHO: 1", `+CGLA: 46,"bf3e125a10${EID}9000"`],
  ];
  for (const [quirk, open, opened, answer] of answers) {
    test(`a session is opened and used with ${JSON.stringify(quirk)}`, () => {
      const bench = generic(quirk);
      assert.deepEqual(bench.lines(open), [opened, "OK"]);
      const id = opened.replace("+CCHO: ", "");
      assert.deepEqual(bench.lines(`AT+CGLA=${id},22,"80E2910006BF3E035C015A"`), [answer, "OK"]);
      assert.deepEqual(bench.lines(`AT+CCHC=${id}`), ["OK"]);
      assert.equal(bench.paper.seen.at(-1), "0070800100");
    });
  }

  test("the session is a handle: its second use of channel 1 has another number, and the class byte is the channel's", () => {
    const bench = generic();
    bench.say(OPEN);
    bench.say("AT+CCHC=1");
    assert.deepEqual(bench.lines(OPEN), ["+CCHO: 2", "OK"]);
    bench.say('AT+CGLA=2,22,"80E2910006BF3E035C015A"');
    assert.equal(bench.paper.seen.at(-1), "81E2910006BF3E035C015A");
  });

  test("without patching, a class byte without channel reaches the basic channel", () => {
    const bench = generic({ patchesClass: false });
    bench.say(OPEN);
    assert.deepEqual(bench.lines('AT+CGLA=1,22,"80E2910006BF3E035C015A"'), ['+CGLA: 4,"6881"', "OK"]);
    assert.deepEqual(bench.lines('AT+CGLA=1,22,"81E2910006BF3E035C015A"'), ['+CGLA: 4,"6115"', "OK"]);
  });

  test("channels run out, and closing one frees it", () => {
    const bench = generic();
    for (let i = 0; i < 3; i++) bench.say(OPEN);
    assert.deepEqual(bench.lines(OPEN), ["+CME ERROR: 20"]);
    bench.say("AT+CCHC=2");
    assert.equal(bench.lines(OPEN).at(-1), "OK");
  });

  test("an AID that the card does not know is a SIM failure, and its channel is closed again", () => {
    const bench = generic();
    assert.deepEqual(bench.lines('AT+CCHO="A000000087"'), ["+CME ERROR: 13"]);
    assert.equal(bench.paper.seen.at(-1), "0070800100");
  });

  test("lengths count characters; more than the modem's bound, wrong ones, and Le behind data are +CME ERROR: 50", () => {
    const bench = generic({ lengthMost: 250, refusesCaseFour: true });
    bench.say(OPEN);
    assert.deepEqual(bench.lines('AT+CGLA=1,11,"80E2910006BF3E035C015A"'), ["+CME ERROR: 50"]);
    assert.deepEqual(bench.lines('AT+CGLA=1,24,"80E2910006BF3E035C015A00"'), ["+CME ERROR: 50"]);
    assert.deepEqual(bench.lines(`AT+CGLA=1,252,"80E2910079${"00".repeat(121)}"`), ["+CME ERROR: 50"]);
    assert.deepEqual(bench.lines(`AT+CGLA=1,250,"80E2910078${"00".repeat(120)}"`), ['+CGLA: 4,"6D00"', "OK"]);
  });

  test("hexadecimal without quotes is refused by a Quectel", () => {
    const bench = new Bench({ family: "bg95" }).on();
    assert.deepEqual(bench.lines("AT+CSIM=10,0070000001"), ["ERROR"]);
    assert.equal(bench.lines('AT+CSIM=10,"0070000001"').at(-1), "OK");
  });

  test("the test form may be an ERROR or silent though the command is there", () => {
    assert.deepEqual(generic({ testForms: "ERROR" }).lines("AT+CCHO=?"), ["ERROR"]);
    assert.deepEqual(generic({ testForms: "silent" }).lines("AT+CCHO=?"), []);
    assert.deepEqual(generic({ logicalChannels: false }).lines(OPEN), ["ERROR"]);
    assert.deepEqual(generic({ closes: false }).lines("AT+CCHC=1"), ["ERROR"]);
  });

  test("the card is busy as often as told, and while it starts", () => {
    const bench = generic();
    bench.modem.uicc.busyFor = 2;
    assert.deepEqual([bench.lines(OPEN), bench.lines(OPEN), bench.lines(OPEN)], [["+CME ERROR: 14"], ["+CME ERROR: 14"], ["+CCHO: 1", "OK"]]);
    bench.say("AT+CFUN=0");
    assert.deepEqual(bench.lines(OPEN), ["+CME ERROR: 13"]);
    assert.deepEqual(bench.lines("AT+CFUN=1;+CPIN?", 1), ["+CME ERROR: 14"]);
  });

  test("an empty slot is +CME ERROR: 10", () => {
    const bench = new Bench({ family: "generic" }, "no card").on();
    assert.deepEqual(bench.lines("AT+CMEE=1;+CPIN?"), ["+CME ERROR: 10"]);
    assert.deepEqual(bench.lines(OPEN), ["+CME ERROR: 10"]);
    assert.deepEqual(bench.lines("AT+CEREG?"), ["+CEREG: 0,0", "OK"]);
  });

  test("a card that answers nothing never gets ready", () => {
    const bench = new Bench({ family: "generic", card: { powerCycle: () => new Uint8Array(0), transmit: () => new Uint8Array(0) } });
    bench.modem.powerOn();
    assert.equal(bench.write("", 500), "\r\n+CPIN: NOT READY\r\n");
    assert.deepEqual(bench.lines("AT+CMEE=1;+CSIM=10,\"0070000001\""), ["+CME ERROR: 13"]);
  });

  test("a card that takes its time, as one behind a reader does, is waited for", async () => {
    const paper = new PaperCard();
    const card = { powerCycle: async () => paper.powerCycle(), transmit: async (command: Uint8Array) => paper.transmit(command) };
    const bench = new Bench({ family: "generic", card });
    const passes = async (): Promise<string> => {
      for (let i = 0; i < 50; i++) {
        await new Promise((resolve) => setImmediate(resolve));
        bench.timers.advance(10);
      }
      return bench.heard();
    };
    bench.modem.powerOn();
    assert.match(await passes(), /CPIN: READY/);
    bench.write(`${OPEN}\r`, 0);
    assert.equal(await passes(), "\r\n+CCHO: 1\r\n\r\nOK\r\n");
    bench.write('AT+CGLA=1,22,"80E2910006BF3E035C015A"\r', 0);
    assert.equal(await passes(), '\r\n+CGLA: 4,"6115"\r\n\r\nOK\r\n');
    bench.write("AT+CCHC=1\r", 0);
    assert.equal(await passes(), "\r\nOK\r\n");
  });

  test("GET RESPONSE answered 6100 for ever", () => {
    const bench = generic({ endless6100: true });
    bench.say(OPEN);
    assert.deepEqual(bench.lines('AT+CGLA=1,10,"00C0000000"'), ['+CGLA: 4,"6100"', "OK"]);
    assert.equal(bench.lines('AT+CGLA=1,10,"00C00000FF"').at(-1), "OK");
  });

  test("CFUN=0 takes the card's power: sessions are gone; CFUN=4 leaves it on, but not on an nRF91", () => {
    const bench = generic();
    bench.say(OPEN);
    bench.say("AT+CFUN=4");
    assert.equal(bench.lines('AT+CGLA=1,22,"80E2910006BF3E035C015A"').at(-1), "OK");
    bench.say("AT+CFUN=0;+CFUN=1");
    assert.deepEqual(bench.lines('AT+CGLA=1,22,"80E2910006BF3E035C015A"'), ["+CME ERROR: 21"]);
    assert.equal(bench.paper.resets, 2);
    const nordic = new Bench({ family: "nrf91" }).on();
    nordic.say("AT+CFUN=4");
    assert.equal(nordic.lines(`${OPEN}`).at(-1), "ERROR");
  });
});

/** A bench with the simulated eUICC: A enabled, B the fallback Profile. */
function withEuicc(family: AtModemOptions["family"], euicc: EuiccOptions["apdu"] = {}, more: Partial<AtModemOptions> = {}) {
  const card = new Euicc({ profiles: [{ iccid: ICCID_A, enabled: true, fallbackAllowed: true }, { iccid: ICCID_B, fallbackAttribute: true }], apdu: { gate: false, ...euicc } });
  const bench = new Bench({ family, card, ...more }).on();
  bench.say("AT+CMEE=1;+CEREG=1");
  return { card, bench };
}

describe("profile switch", () => {
  test("REFRESH resets the card: its URCs, other identity, new registration, no session, no socket", () => {
    const { bench, card } = withEuicc("bg95");
    bench.say('AT+QIACT=1;+QIOPEN=1,0,"UDP","192.0.2.1",5684');
    bench.say(OPEN);
    assert.deepEqual(bench.lines(`AT+CGLA=1,22,${SWITCH}`), ['+CGLA: 4,"6106"', "OK"]);
    // The result comes with 91xx, and the modem fetches a while later.
    assert.deepEqual(bench.lines('AT+CGLA=1,10,"00C0000006"'), ['+CGLA: 16,"BF5D03800100910B"', "OK"]);
    bench.timers.advance(1000);
    const urcs = bench.heard().split("\r\n").filter((line) => line !== "");
    assert.deepEqual(urcs, ['+QIURC: "pdpdeact",1', "+CEREG: 0", "+CPIN: NOT READY", "+CPIN: READY", "+QUSIM: 1", "+QIND: SMS DONE", "+CEREG: 2", "+CEREG: 1"]);
    assert.deepEqual(bench.lines("AT+QCCID"), [`+QCCID: ${ICCID_B}`, "OK"]);
    assert.deepEqual(bench.lines('AT+CGLA=1,22,"80E2910006BF3E035C015A"'), ["+CME ERROR: 21"]);
    assert.equal(bench.net.last.open, false);
    assert.equal(card.enabledProfile?.enabled, true);
    assert.equal(card.switchPending, false);
  });

  test("REFRESH of a profile state change re-reads the card without a reset of its power", () => {
    const { bench } = withEuicc("generic", { refreshQualifier: 9 });
    bench.say(OPEN);
    bench.say(`AT+CGLA=1,22,${SWITCH}`);
    bench.say('AT+CGLA=1,10,"00C0000006"');
    bench.timers.advance(1000);
    bench.heard();
    assert.deepEqual(bench.lines("AT+CCID"), [`+CCID: ${ICCID_B}`, "OK"]);
    assert.deepEqual(bench.lines("AT+CEREG?"), ["+CEREG: 1,1", "OK"]);
  });

  test("a card that tells its REFRESH only in answer to STATUS is polled", () => {
    const { bench, card } = withEuicc("generic", { refresh: "after-status" });
    bench.say(OPEN);
    bench.say(`AT+CGLA=1,22,${SWITCH}`);
    bench.say('AT+CGLA=1,10,"00C0000006"');
    bench.timers.advance(500);
    assert.equal(card.switchPending, true);
    bench.timers.advance(3000);
    assert.equal(card.switchPending, false);
    assert.match(bench.heard(), /CPIN: READY/);
  });

  test("with the result still to be fetched, the REFRESH takes it away", () => {
    const { bench } = withEuicc("generic", { refresh: "early" }, { pace: { refresh: 0 } });
    bench.say(OPEN);
    const first = bench.lines(`AT+CGLA=1,22,${SWITCH}`);
    assert.match(first[0] ?? "", /"910B"/);
    assert.ok(bench.lines('AT+CGLA=1,10,"00C0000006"').includes("+CME ERROR: 21"));
  });

  test("a modem without toolkit does nothing until the host cycles the card", () => {
    const { bench, card } = withEuicc("generic", { refreshNeedsProfile: false }, { uicc: { refresh: "off" } });
    bench.say(OPEN);
    bench.say(`AT+CGLA=1,22,${SWITCH}`);
    bench.say('AT+CGLA=1,10,"00C0000006"');
    bench.timers.advance(5000);
    assert.equal(card.switchPending, true);
    bench.say("AT+CFUN=0;+CFUN=1", 500);
    assert.deepEqual(bench.lines("AT+CCID"), [`+CCID: ${ICCID_B}`, "OK"]);
  });

  test("a stale identity stays until CFUN=0 and 1; a silent modem tells nothing of the reset", () => {
    const { bench } = withEuicc("generic", {}, { uicc: { staleIccid: true, refresh: "silent" } });
    bench.say("AT+CEREG=0");
    bench.say(OPEN);
    bench.say(`AT+CGLA=1,22,${SWITCH}`);
    bench.say('AT+CGLA=1,10,"00C0000006"');
    bench.timers.advance(1000);
    assert.equal(bench.heard(), "");
    assert.deepEqual(bench.lines("AT+CCID"), [`+CCID: ${ICCID_A}`, "OK"]);
    bench.say("AT+CFUN=0;+CFUN=1");
    assert.deepEqual(bench.lines("AT+CCID"), [`+CCID: ${ICCID_B}`, "OK"]);
  });

  test("without an enabled Profile an nRF91 refuses every UICC command and tells a UICC failure", () => {
    const card = new Euicc({ profiles: [{ iccid: ICCID_A }] });
    const bench = new Bench({ family: "nrf91", card }).on();
    bench.say("AT+CMEE=1");
    assert.deepEqual(bench.lines(OPEN), ["+CME ERROR: 13"]);
    assert.deepEqual(bench.lines("AT+CEREG?"), ["+CEREG: 0,90", "OK"]);
  });
});

describe("registration", () => {
  test("coverage is the enabled Profile's: none, denied, or so many milliseconds", () => {
    const bench = new Bench({ family: "generic" });
    bench.modem.powerOn();
    bench.timers.advance(50);
    bench.modem.radio.coverage("89882390000000000017", 700);
    bench.say("AT+CEREG=1", 0);
    assert.equal(bench.write("", 600).includes("+CEREG: 1"), false);
    assert.equal(bench.write("", 150), "\r\n+CEREG: 1\r\n");
    bench.modem.radio.coverage("89882390000000000017", "denied");
    assert.equal(bench.heard(), "\r\n+CEREG: 3\r\n");
    bench.say("AT+CEREG=5");
    assert.deepEqual(bench.lines("AT+CEREG?"), ["+CEREG: 5,3,,,,0,15", "OK"]);
    bench.modem.radio.coverage("89882390000000000017", "none");
    bench.write("", 100_000);
    assert.deepEqual(bench.lines("AT+CGATT?"), ["+CGATT: 0", "OK"]);
  });

  test("an outage takes connections and registration until it ends", () => {
    const bench = new Bench({ family: "sara-r5" }).on();
    bench.say("AT+CEREG=1");
    bench.say('AT+USOCR=6;+USOCO=0,"192.0.2.1",443');
    const now = bench.timers.now();
    bench.modem.radio.outage(now + 1000, now + 9000);
    assert.equal(bench.write("", 2000), "\r\n+UUPSDD: 0\r\n\r\n+UUSOCL: 0\r\n\r\n+CEREG: 2\r\n");
    assert.equal(bench.write("", 6900), "");
    assert.equal(bench.write("", 200), "\r\n+CEREG: 1\r\n");
  });

  test("the network's number is the Profile's", () => {
    const bench = generic();
    bench.modem.radio.plmn("89882390000000000017", "26201");
    assert.deepEqual(bench.lines("AT+COPS=3,2;+COPS?"), ['+COPS: 0,2,"26201",7', "OK"]);
    assert.deepEqual(bench.lines("AT+CIMI"), ["262010000000017", "OK"]);
  });

  test("a context waits for the registration, and is refused when there is none", () => {
    const bench = new Bench({ family: "bg95" });
    bench.modem.powerOn();
    bench.timers.advance(60);
    bench.heard();
    assert.equal(bench.say("AT+CMEE=1;+QIACT=1", 10), "");
    assert.equal(bench.write("", 500), "\r\nOK\r\n");
    bench.modem.radio.coverage("89882390000000000017", "none");
    bench.heard();
    assert.equal(bench.say("AT+QIACT=1", 149_000), "");
    assert.equal(bench.write("", 2000), "\r\n+CME ERROR: 30\r\n");
  });

  test("a reset loses settings, sockets and sessions, and the modem starts anew", () => {
    const bench = new Bench({ family: "bg95", echo: true }).on();
    bench.say("ATE0+CMEE=1");
    assert.equal(bench.say("AT+CFUN=1,1", 1000), "\r\nOK\r\n\r\nRDY\r\n\r\nAPP RDY\r\n\r\n+CPIN: READY\r\n\r\n+QUSIM: 1\r\n\r\n+QIND: SMS DONE\r\n");
    assert.equal(bench.say("AT+CMEE?"), "AT+CMEE?\r\r\n+CMEE: 0\r\n\r\nOK\r\n");
  });

  test("power off answers OK first", () => {
    const bench = new Bench({ family: "sara-r5" }).on();
    assert.equal(bench.say("AT+CPWROFF"), "\r\nOK\r\n");
    assert.equal(bench.modem.state, "off");
  });

  test("power off is told, and then there is silence", () => {
    const bench = new Bench({ family: "bg95" }).on();
    assert.equal(bench.say("AT+QPOWD"), "\r\nOK\r\n\r\nPOWERED DOWN\r\n");
    assert.equal(bench.say("AT"), "");
    assert.equal(bench.modem.state, "off");
  });
});

describe("power saving", () => {
  /** T3412 1 h, T3324 4 s. */
  const PSM = 'AT+CPSMS=1,,,"00100001","00000010"';

  test("after the active time without traffic the modem sleeps, and a first octet wakes it through a whole start", () => {
    const bench = new Bench({ family: "bg95" }).on();
    assert.equal(bench.say(PSM, 3900), "\r\nOK\r\n");
    assert.equal(bench.write("", 200), "\r\nPSM POWER DOWN\r\n");
    assert.equal(bench.modem.state, "asleep");
    assert.match(bench.say("AT", 500), /^\r\nRDY\r\n/);
    assert.equal(bench.say("AT+CPSMS?"), '\r\n+CPSMS: 1,,,"00100001","00000010"\r\n\r\nOK\r\n');
  });

  test("an nRF91 keeps its sockets asleep, and loses the first octet", () => {
    const bench = new Bench({ family: "nrf91" }).on();
    bench.say('AT#XSOCKET=1,2,0;#XCONNECT=0,"192.0.2.1",5684');
    bench.say(PSM, 5000);
    assert.equal(bench.modem.state, "asleep");
    assert.equal(bench.say("AT"), "");
    assert.deepEqual(bench.lines('AT#XSEND=0,0,0,"hi"'), ["#XSEND: 0,0,2", "OK"]);
  });

  test("traffic keeps it awake", () => {
    const bench = new Bench({ family: "bg95" }).on();
    bench.say(PSM);
    for (let i = 0; i < 5; i++) bench.say("AT", 3000);
    assert.equal(bench.modem.state, "on");
  });

  test("timers are told with registration, and wrong bits refused", () => {
    const bench = generic();
    assert.deepEqual(bench.lines('AT+CPSMS=1,,,"0010001","00000010"'), ["+CME ERROR: 50"]);
    bench.say(`AT+CEREG=4`);
    bench.say(PSM, 10);
    assert.deepEqual(bench.lines("AT+CEREG?"), ['+CEREG: 4,1,"0001","01A2D001",7,,,"00000010","00100001"', "OK"]);
  });

  test("with eDRX a datagram comes at the next paging, unless there was traffic just before", () => {
    const bench = new Bench({ family: "sara-r5" }).on();
    bench.say('AT+CEDRXS=2,4,"0010";+USOCR=17;+USOCO=0,"192.0.2.1",5684');
    bench.net.arrives("now");
    assert.equal(bench.heard().endsWith("+UUSORD: 0,3\r\n"), true);
    bench.timers.advance(15_000);
    bench.net.arrives("later");
    assert.equal(bench.heard(), "");
    bench.timers.advance(20_480);
    assert.equal(bench.heard(), "\r\n+UUSORD: 0,3\r\n");
    assert.deepEqual(bench.lines("AT+CEDRXRDP"), ['+CEDRXRDP: 4,"0010","0010","0001"', "OK"]);
  });
});
