/** The eUICC in vsmartcard's virtual reader, and the command that puts it there. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { concat, fromHex, toHex } from "../sim/core/bytes.js";
import { command } from "../cli/euicc.js";
import { runCommand } from "../cli/command.js";
import { Euicc } from "../sim/euicc/index.js";
import { serveVpcd } from "../sim/euicc/vpcd.js";
import { A, ordinary } from "./euicc-kit.js";

/** The driver's side: waits for a card, sends messages, collects what comes back. */
class Driver {
  readonly #server: Server;
  #socket: Socket | undefined;
  #received: Uint8Array = new Uint8Array(0);
  #wake = (): void => undefined;
  private constructor(server: Server) {
    this.#server = server;
    server.on("connection", (socket) => {
      this.#socket = socket;
      socket.on("data", (piece) => {
        this.#received = concat(this.#received, piece);
        this.#wake();
      });
      this.#wake();
    });
  }

  static async listen(context: TestContext): Promise<Driver> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const driver = new Driver(server);
    context.after(() => {
      driver.eject();
      server.close();
    });
    return driver;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Sends messages octet by octet or all at once; the next answer. */
  async ask(messages: string, atOnce = true): Promise<string> {
    while (this.#socket === undefined) await new Promise<void>((resolve) => (this.#wake = resolve));
    const bytes = fromHex(messages);
    if (atOnce) this.#socket.write(bytes);
    else for (const octet of bytes) this.#socket.write(Uint8Array.of(octet));
    for (;;) {
      const length = (this.#received[0] ?? 0) * 256 + (this.#received[1] ?? 0);
      if (this.#received.length >= 2 && this.#received.length >= 2 + length) {
        const message = this.#received.slice(2, 2 + length);
        this.#received = this.#received.slice(2 + length);
        return toHex(message);
      }
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  eject(): void {
    this.#socket?.destroy();
  }
}

const POWER_ON_AND_ATR = "000101 000104";
const CAPABILITY = "000A 80AA000005A903840101";

describe("vpcd", () => {
  test("control messages power the card, others are APDUs, however the stream is cut", async (context) => {
    for (const atOnce of [true, false]) {
      const driver = await Driver.listen(context);
      const ending = serveVpcd(new Euicc(ordinary()), { host: "127.0.0.1", port: driver.port });
      assert.match(await driver.ask(POWER_ON_AND_ATR, atOnce), /^3B97/);
      assert.equal(await driver.ask(CAPABILITY, atOnce), "9000");
      assert.equal(await driver.ask("0005 0070000001", atOnce), "019000");
      assert.equal(await driver.ask("000102 0005 0070000001", atOnce), "019000", "reset closed the channel");
      driver.eject();
      await ending.catch(() => undefined);
    }
  });

  test("a reader that is not there is told", async () => {
    const gone = createServer();
    await new Promise<void>((resolve) => gone.listen(0, "127.0.0.1", resolve));
    const free = (gone.address() as AddressInfo).port;
    await new Promise<void>((resolve) => void gone.close(() => resolve()));
    await assert.rejects(serveVpcd(new Euicc(ordinary()), { host: "127.0.0.1", port: free }), /expected a virtual reader at 127.0.0.1:/);
  });
});

describe("tinyipa euicc", () => {
  const io = (): { lines: string[]; out(line: string): void; err(line: string): void } => {
    const lines: string[] = [];
    return { lines, out: (line) => void lines.push(line), err: (line) => void lines.push(`! ${line}`) };
  };

  test("keeps the card between runs in the state file", async (context) => {
    const dir = mkdtempSync(join(tmpdir(), "euicc-"));
    context.after(() => rmSync(dir, { recursive: true }));
    const state = join(dir, "card.json");
    const exchange = async (apdus: string[]): Promise<[string, string[]]> => {
      const driver = await Driver.listen(context);
      const talk = io();
      const running = runCommand(command, ["--vpcd", `127.0.0.1:${driver.port}`, "--state", state, "--profile", A, "--eim", "eim.example.com"], talk);
      await driver.ask(POWER_ON_AND_ATR);
      let last = "";
      for (const apdu of [CAPABILITY, "0005 0070000001", "0015 01A4040010A0000005591010FFFFFFFF8900000100", ...apdus]) last = await driver.ask(apdu);
      driver.eject();
      await running;
      return [last, talk.lines];
    };
    const [, talk] = await exchange(["000B 81E2910006BF6503800161"]);
    assert.match(talk[0] ?? "", /eUICC 8904903212345123451234567890123. is in the reader/);
    const [answer] = await exchange(["0008 81E2910003BF3C00", "0005 01C000001A"]);
    assert.match(answer, /^BF3C..800161.*9000$/);
    assert.match(readFileSync(state, "utf8"), /"defaultDpAddress": "a"/);
  });

  test("misuse is answered by one line, with exit code 2", async () => {
    const misuses: [string[], RegExp][] = [
      [[], /expected --vpcd HOST:PORT, got none/],
      [["--vpcd", "nowhere"], /got "nowhere"/],
      [["--vpcd", "h:1", "--curve", "P-999"], /expected P-256 or brainpoolP256r1 for --curve, got "P-999"/],
      [["--vpcd", "h:1", "--quirk", "x"], /--quirk to be one of/],
      [["--vpcd", "h:1", "--profile", "12"], /ICCID of 19 or 20 digits/],
      [["--vpcd", "h:1", "--eim", "e=nothing.der"], /no such file/],
      [["--vpcd", "h:1", "--nonsense"], /nonsense/],
    ];
    for (const [args, message] of misuses) {
      const talk = io();
      assert.equal(await runCommand(command, args, talk), 2, args.join(" "));
      assert.equal(talk.lines.length, 1);
      assert.match(talk.lines[0] ?? "", message);
    }
  });

  test("a file that holds no card is misuse, and stays as it is", async (context) => {
    const dir = mkdtempSync(join(tmpdir(), "euicc-"));
    context.after(() => rmSync(dir, { recursive: true }));
    const state = join(dir, "card.json");
    writeFileSync(state, "[]");
    const talk = io();
    assert.equal(await runCommand(command, ["--vpcd", "127.0.0.1:1", "--state", state], talk), 2);
    assert.match(talk.lines[0] ?? "", /expected the state of an eUICC/);
    assert.equal(readFileSync(state, "utf8"), "[]");
  });
});
