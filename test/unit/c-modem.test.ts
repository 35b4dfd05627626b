/**
 * The C host's AT driver (host/modem) as a program against the simulated modem over a unix socket, in real time: the eUICC behind
 * +CGLA and +CSIM, UDP and TCP through the modem's sockets in every family, and what goes wrong on the line. Skipped without a C compiler.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { DtlsServer, type DtlsServerOutput } from "../sim/dtls/index.js";
import { World } from "../sim/index.js";
import { AtModem, LoopbackNet, readFault, RealTimers, serveUnix, type AtModemOptions, type FamilyName, type Secure } from "../sim/modem/index.js";
import { secureModem } from "../sim/modem-dtls.js";

const DRIVERS: readonly (readonly [FamilyName, string])[] = [["generic", "generic"], ["bg95", "quectel"], ["sara-r5", "ublox"], ["sim7080", "simcom"], ["nrf91", "nordic"]];
const WITH_SOCKETS = DRIVERS.filter(([family]) => family !== "generic");
/** Gate of the card, then ISD-R, GetEuiccData(EID). */
const CAPABILITY = "basic=80AA000008A906830107840101";
const EID = "apdu=80E2910006BF3E035C015A";

const KEY = "000102030405060708090A0B0C0D0E0F";

interface Tools {
  program(main: string): Promise<string>;
  compiler(): string;
}
interface Steps {
  which(name: string): string | undefined;
}

const tools = (await import(pathToFileURL("host/tool/native.mjs").href)) as Tools;
const steps = (await import(pathToFileURL("host/tool/steps.mjs").href)) as Steps;
const skip = steps.which(tools.compiler()) === undefined ? "no C compiler" : false;

/** The simulated DTLS server on a real socket; it sends back what it gets. */
async function dtlsEcho(): Promise<{ port: number; close: () => void }> {
  const server = new DtlsServer({ identity: new World().pki.eimTls, psk: { device: Buffer.from(KEY, "hex") }, connectionId: 4 });
  const socket = createSocket("udp4");
  const out = (outputs: readonly DtlsServerOutput[]): void => {
    for (const output of outputs) {
      if (output.kind === "data") out(server.send(output.session, output.data));
      else if (output.kind === "datagram") socket.send(output.datagram, Number(output.to.split(" ")[1]), output.to.split(" ")[0]);
    }
  };
  socket.on("message", (bytes, from) => out(server.handle(`${from.address} ${from.port}`, new Uint8Array(bytes), performance.now())));
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  return { port: socket.address().port, close: () => void socket.close() };
}

describe("AT driver of the C host and the simulated modem", { skip, concurrency: 6 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "c-modem-"));
  const eid = new World().eid;
  const udp = createSocket("udp4");
  let client = "";
  let echo: Server;
  let count = 0;

  before(async () => {
    client = await tools.program("test/host/modem_client.c");
    udp.on("message", (message, from) => udp.send(message, from.port, from.address));
    await new Promise<void>((resolve) => udp.bind(0, "127.0.0.1", resolve));
    echo = createServer((socket) => socket.on("error", () => undefined).on("data", (data) => (data.toString() === "bye" ? socket.end("last words") : socket.write(data))));
    await new Promise<void>((resolve) => echo.listen(udp.address().port, "127.0.0.1", resolve));
  });
  after(() => {
    udp.close();
    echo.close();
    rmSync(folder, { recursive: true });
  });

  /** What the client prints, line by line. */
  async function talk(family: FamilyName, driver: string, commands: readonly string[], more: Partial<AtModemOptions> = {}): Promise<string[]> {
    const path = join(folder, `${++count}.sock`);
    const port = (echo.address() as AddressInfo).port;
    const net = new LoopbackNet({ names: { "eim.example.com": `127.0.0.1:${port}` } });
    const modem = new AtModem({ family, card: new World().euicc, net, timers: new RealTimers(), ...more });
    const door = await serveUnix(modem, path);
    try {
      const child = spawn(client, [`unix:${path}`, driver, ...commands], { stdio: ["ignore", "pipe", "inherit"] });
      let text = "";
      child.stdout.on("data", (data: Buffer) => (text += data.toString("latin1")));
      await new Promise((resolve) => child.on("close", resolve));
      return text.trim().split("\n");
    } finally {
      await door.close();
      modem.powerOff();
      if (existsSync(path)) rmSync(path);
    }
  }

  const hasEid = (lines: readonly string[]): boolean => lines.some((line) => line === `apdu ok 23 BF3E125A10${eid}9000`);

  for (const [family, driver] of DRIVERS) {
    it(`${family}: the EID is read over +CGLA and over +CSIM, family by configuration and found out`, async () => {
      const cgla = await talk(family, driver, [CAPABILITY, "open", EID, "close"]);
      assert.ok(hasEid(cgla), cgla.join("\n"));
      const csim = await talk(family, "auto", [CAPABILITY, "open", EID, "close", "imei"], { uicc: { logicalChannels: false } });
      assert.ok(hasEid(csim), csim.join("\n"));
      assert.match(csim[1]!, /^open ok channel 1 sw 0000 fci 6F/);
      assert.match(csim.at(-2)!, /^imei ok \d{15}$/);
    });
  }

  for (const [family, driver] of WITH_SOCKETS) {
    it(`${family}: datagrams and a stream of 8 kB come back through its sockets, and its end is told`, async () => {
      const lines = await talk(family, driver, ["bearer", "udp=eim.example.com:5684", "send=hello", "receive", "datagram=1024", "hang-up", "tcp=eim.example.com:443", "fill=8000", "send=bye", "receive", "receive", "hang-up"]);
      const expected = ["bearer ok 00F110", "connect ok", "send ok 5", "receive 5 hello", "fill ok got 1024 wrong 0", "hang-up ok", "connect ok", "fill ok got 8000 wrong 0", "send ok 3", "receive 10 last words", "receive IPA_ERR_CLOSED", "hang-up ok"];
      assert.deepEqual(lines.slice(0, -1), expected);
    });

    it(`${family}: a name without address, and a server that is not there, are errors and leave no socket behind`, async () => {
      const lines = await talk(family, driver, ["bearer", "udp=nowhere.example:5", "tcp=127.0.0.1:1", "udp=eim.example.com:5684", "app", "udp=eim.example.com:5684", "send=mine", "receive", "udp=eim.example.com:5684"]);
      assert.match(lines[1]!, /^connect IPA_ERR_(NAME|LINK)$/);
      assert.match(lines[2]!, /^connect IPA_ERR_(LINK|DRIVER)/);
      assert.deepEqual(lines.slice(3, -1), ["connect ok", "connect ok", "send ok 4", "receive 4 mine", "connect IPA_ERR_BUSY"]);
    });
  }

  it("sim7080: its own DTLS socket takes a PSK, refuses another key, and what it can't check is refused by name", async () => {
    const server = await dtlsEcho();
    try {
      const net = new LoopbackNet({ names: { "eim.example.com": `127.0.0.1:${server.port}` } });
      const whole = secureModem({ seed: 7 });
      // A handshake with a key that is not the server's never ends; 2 s will do.
      const secure: Secure = { DTLS: (over, peer, options, events) => whole.DTLS!(over, peer, { ...options, handshakeMs: 2000 }, events) };
      const to = (key: string): string => `dtls=eim.example.com:5684,device,${key}`;
      const lines = await talk("sim7080", "simcom", ["bearer", to(KEY), "send=hello", "receive", "hang-up", to("FF".repeat(16)), "dtls=eim.example.com:5684", "tls=eim.example.com:443,device,00"], { net, secure });
      assert.deepEqual(lines.slice(1, 5), ["connect ok", "send ok 5", "receive 5 hello", "hang-up ok"]);
      assert.match(lines[5]!, /^connect IPA_ERR_(LINK|DRIVER|TIMEOUT)/);
      assert.deepEqual(lines.slice(6, 8), ["connect IPA_ERR_TRUST_NONE", "connect IPA_ERR_TRUST_FORM"]);
    } finally {
      server.close();
    }
  });

  const QUIRKS: readonly NonNullable<AtModemOptions["uicc"]>[] = [
    { sessionId: "1" }, { sessionId: "+CCHO: 0001" }, { sessionId: "+CCHO: 0000000003850001" }, { closes: false }, { testForms: "silent" },
    { lowerCase: true }, { unquotedAnswers: true }, { noPrefix: true }, { patchesClass: false }, { follows: true },
  ];
  for (const quirk of QUIRKS) {
    it(`the EID is read from a modem with ${JSON.stringify(quirk)}`, async () => {
      const lines = await talk("bg95", "quectel", [CAPABILITY, "open", EID, "close"], { uicc: quirk });
      assert.ok(hasEid(lines), lines.join("\n"));
    });
  }

  const again = [CAPABILITY, "open", EID, CAPABILITY, "open", EID, "close"];
  for (const fault of ["byte-lost:host:430", "byte-lost:host:520", "byte-lost:modem:200", "byte-garbled:host:470", "byte-garbled:modem:330", "late:+CGLA:1:1500", "brown-out:700", "brown-out:900"]) {
    it(`${fault}: an error or the right answer, and the card is reached again`, async () => {
      const lines = await talk("bg95", "quectel", [...again, ...again], { faults: [readFault(fault)] });
      for (const line of lines.filter((text) => text.startsWith("apdu ok 23"))) assert.equal(line, `apdu ok 23 BF3E125A10${eid}9000`);
      assert.ok(hasEid(lines.slice(-4)), lines.join("\n"));
    });
  }

  it("every octet in a piece of its own, the first ones lost, echo on: nothing changes", async () => {
    const lines = await talk("bg95", "auto", [CAPABILITY, "open", EID, "bearer", "udp=eim.example.com:5684", "send=hello", "receive"], { chunk: 1, deafOctets: 7 });
    assert.ok(hasEid(lines), lines.join("\n"));
    assert.ok(lines.includes("receive 5 hello"));
  });

  it("URCs in the middle of an answer, before the prompt and behind the data do not disturb", async () => {
    const faults = ["urc-inside:+CGLA:1:final:+CEREG: 2", "urc-inside:+QIRD:1:final:+CEREG: 2"].map(readFault);
    const lines = await talk("bg95", "quectel", [CAPABILITY, "open", EID, "bearer", "udp=eim.example.com:5684", "send=hello", "receive"], { faults });
    assert.ok(hasEid(lines), lines.join("\n"));
    assert.ok(lines.includes("receive 5 hello"));
  });

  it("a card reset is a card off and on: its channels are gone, and it is reached again", async () => {
    const lines = await talk("bg95", "quectel", [CAPABILITY, "open", "reset=0", "was-reset", EID, CAPABILITY, "open", EID]);
    assert.deepEqual(lines.slice(2, 5), ["reset ok", "was-reset 1", "apdu IPA_ERR_CHANNEL"]);
    assert.ok(hasEid(lines), lines.join("\n"));
  });

  it("the application's own command runs between the agent's, and power saving is taken back when the modem is needed", async () => {
    const lines = await talk("bg95", "quectel", ["bearer", "app", "command=+CSQ", "idle", "agent", "udp=eim.example.com:5684", "send=hello", "receive"]);
    assert.deepEqual(lines.slice(1, -1), ["command ok", "idle 2", "connect ok", "send ok 5", "receive 5 hello"]);
  });
});
