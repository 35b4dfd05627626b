/**
 * Status words that a good card does not give but modems, readers and some cards do (sgp32-transport 5.4, 5.5): a filter between a good eUICC and the
 * device changes them on their way, and a package is executed over it all the same.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { configuration, Op, TERMINAL_PROFILE_REFRESH, type AnyCard, type Configuration } from "../../sim/agent/index.js";
import { concat } from "../../sim/core/bytes.js";
import { VirtualClock } from "../../sim/core/clock.js";
import { failed, type Link } from "../../sim/core/doors.js";
import { Eim, psmo } from "../../sim/eim/index.js";
import { Euicc, type ApduOptions } from "../../sim/euicc/index.js";
import { VirtualLink } from "../../sim/link/index.js";
import { BOOTSTRAP, iccid, sharedPki } from "../../sim/world-options.js";
import { es10Of } from "../apdu-view.js";
import { Bench } from "../bench.js";

const FQDN = "eim.example.com";
const pki = sharedPki({ seed: "odd answers", eimFqdns: [FQDN] });

/** Gives what the device gets for a C-APDU; `send` asks the good card behind. */
type Filter = (command: Uint8Array, send: (command: Uint8Array) => Uint8Array) => Uint8Array;

class Filtered implements AnyCard {
  constructor(readonly card: Euicc, readonly filter: Filter) {}
  powerCycle(): Uint8Array {
    return this.card.powerCycle();
  }
  transmit(command: Uint8Array): Uint8Array {
    return this.filter(command, (own) => this.card.transmit(own));
  }
}

interface Setup {
  readonly apdu?: Partial<ApduOptions>;
  readonly configuration?: Partial<Configuration>;
}

/** Lists twelve Profiles over the filter, then sets an address; both results must be whole and verified. */
async function works(filter: Filter, setup: Setup = {}): Promise<Bench> {
  const clock = new VirtualClock();
  const eim = new Eim({ fqdn: FQDN, sign: pki.eimSign, tls: pki.eimTls, clock });
  eim.addDevice({ eid: pki.eid, ciCertificates: [pki.ci.certificate], eumCertificate: pki.eum.certificate, euiccCertificate: pki.euicc.certificate });
  eim.queue(pki.eid, psmo.listProfileInfo());
  eim.queue(pki.eid, psmo.setDefaultDpAddress("x".repeat(240)));
  const profiles = [{ iccid: BOOTSTRAP, enabled: true }, ...Array.from({ length: 11 }, (_, n) => ({ iccid: iccid(n + 2) }))];
  const euicc = new Euicc({ pki, profiles, eims: [eim.configurationData()], apdu: setup.apdu ?? {} });
  const servers = new Map([[FQDN, { handle: (request: Parameters<Eim["handle"]>[0]) => eim.handle(request), certificates: [pki.eimTls.certificate] }]]);
  const link = new VirtualLink({ clock, network: () => ({ up: true, generation: 1 }), servers, seed: 1 });
  const bench = new Bench({
    card: new Filtered(euicc, filter), link, clock, terminalProfile: TERMINAL_PROFILE_REFRESH,
    configuration: configuration({ entropy: Uint8Array.of(5), imei: "356938035643809", ...setup.configuration }),
  });
  await bench.start();
  await bench.untilIdle();
  const results = eim.results(pki.eid);
  assert.deepEqual(results.map((result) => [result.kind, result.verified]), [["euiccPackageResult", true], ["euiccPackageResult", true]], bench.trace.print());
  assert.equal(results[0]?.commands?.[0]?.profiles?.length, 12);
  assert.deepEqual(euicc.pending, []);
  assert.deepEqual(bench.trace.reports.map((report) => report.name).filter((name) => name === "CardFailed"), []);
  return bench;
}

/** Changes answers only. */
const answers = (change: (command: Uint8Array, response: Uint8Array) => Uint8Array): Filter => (command, send) => change(command, send(command));
/** STORE DATA or GET RESPONSE on a logical channel. */
const onChannel = (command: Uint8Array): boolean => (command[1] === 0xe2 || command[1] === 0xc0) && (command[0] ?? 0) !== 0;
const sw = (response: Uint8Array): number => ((response.at(-2) ?? 0) << 8) | (response.at(-1) ?? 0);
const withSw = (response: Uint8Array, word: number): Uint8Array => concat(response.subarray(0, -2), Uint8Array.of(word >> 8, word & 0xff));
const fciFrom = (response: Uint8Array): boolean => response[0] === 0x6f;

describe("odd answers on the way (A7, A8, A10)", () => {
  test("an unfiltered card is the premise", async () => {
    await works((command, send) => send(command));
  });

  test("a proactive command that waits all the time (910B for 9000) is success, on every block and behind every answer", async () => {
    const bench = await works(answers((command, response) => (onChannel(command) && sw(response) === 0x9000 ? withSw(response, 0x910b) : response)));
    assert.ok(es10Of(bench.trace, "BF51").every((one) => one.sws.at(-1) === "910B"));
  });

  test("91xx in place of 61xx on the last block: the data are fetched all the same", async () => {
    await works(answers((command, response) => (command[1] === 0xe2 && sw(response) >> 8 === 0x61 ? withSw(response, 0x910b) : response)));
  });

  test("61FF that promises more than there is: the card's 6Cxx says how much, and that is asked for", async () => {
    await works(answers((command, response) => (command[1] === 0xe2 && sw(response) >> 8 === 0x61 && sw(response) !== 0x6100 ? withSw(response, 0x61ff) : response)));
  });

  test("6100 for any number of octets is taken as 256 at most", async () => {
    await works(answers((command, response) => (onChannel(command) && sw(response) >> 8 === 0x61 ? withSw(response, 0x6100) : response)));
  });

  test("6101: the answer is asked for octet by octet when the card says so", async () => {
    await works(answers((command, response) => (onChannel(command) && sw(response) >> 8 === 0x61 ? withSw(response, 0x6101) : response)));
  });

  test("a modem that did GET RESPONSE itself: everything that fits comes with 9000, the rest by 61xx", async () => {
    await works((command, send) => {
      const response = send(command);
      if (command[1] !== 0xe2 || sw(response) >> 8 !== 0x61) return response;
      return send(Uint8Array.of((command[0] ?? 0) & 0x0f, 0xc0, 0, 0, response.at(-1) ?? 0));
    });
  });

  test("a card that wants the block again with Le (6Cxx on case 3) has it, and executes it once", async () => {
    const bench = await works((command, send) => send(command), { apdu: { response: "6Cxx" } });
    assert.equal(es10Of(bench.trace, "BF51").length, 2);
  });

  test("a warning (6282, 6310) together with the whole answer is an answer", async () => {
    for (const warning of [0x6282, 0x6310]) {
      await works(answers((command, response) => (command[1] === 0xc0 && (command[0] ?? 0) !== 0 && !fciFrom(response) && sw(response) === 0x9000 ? withSw(response, warning) : response)));
    }
  });

  test("GET RESPONSE refused in one class for ES10 only (6D00, 6E00) is sent in the other", async () => {
    for (const refusal of [0x6d00, 0x6e00]) {
      for (const [switches, wrong] of [[[], 0x01], [["ProprietaryGetResponse"], 0x81]] as const) {
        let selecting = false;
        const bench = await works((command, send) => {
          if (command[1] === 0xa4) selecting = true;
          if (command[1] === 0xe2) selecting = false;
          const refused = command[1] === 0xc0 && command[0] === wrong && !selecting;
          return refused ? Uint8Array.of(refusal >> 8, refusal & 0xff) : send(command);
        }, { configuration: { switches } });
        assert.ok(es10Of(bench.trace, "BF51").every((one) => one.getResponseClasses.some((octet) => octet !== wrong)));
      }
    }
  });

  for (const [name, piece] of [
    ["256 octets at a time", concat(new Uint8Array(256).fill(0x30), Uint8Array.of(0x61, 0x00))],
    ["16 octets at a time", concat(new Uint8Array(16).fill(0x30), Uint8Array.of(0x61, 0x10))],
    ["no octets at all", Uint8Array.of(0x61, 0x10)],
    ["another Le each time", Uint8Array.of(0x6c, 0x10)],
  ] as const) {
    test(`an answer that never ends, ${name}, is given up and reported`, async () => {
      const card: AnyCard = { powerCycle: () => Uint8Array.of(0x3b), transmit: (command) => endless(command, piece) };
      const bench = new Bench({ card, link: NOBODY, configuration: configuration({ entropy: Uint8Array.of(5) }) });
      await bench.start();
      await bench.host.run((op) => op.kind === Op.Sleep || bench.trace.opCount > 20_000);
      assert.ok(bench.trace.opCount < 20_000, `${bench.trace.opCount} ops without an end`);
      assert.deepEqual(bench.trace.reports.map((report) => report.name), ["Started", "CardFailed"]);
    });
  }
});

const NOBODY: Link = { open: () => failed("name", "nobody"), send: () => undefined, receive: () => failed("link", "nobody"), close: () => undefined };

/** Opens channel 1, selects without FCI, and then gives the same piece for ever. */
function endless(command: Uint8Array, piece: Uint8Array): Uint8Array {
  if (command[1] === 0x70) return Uint8Array.of(0x01, 0x90, 0x00);
  if (command[1] === 0xe2) return Uint8Array.of(0x61, 0x00);
  return command[1] === 0xc0 ? piece : Uint8Array.of(0x90, 0x00);
}
