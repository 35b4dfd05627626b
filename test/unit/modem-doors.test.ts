/** Doors of the simulated AT modem: unix socket, TCP, pseudo terminal, the command line; and its sockets on real loopback. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { mkdtempSync, openSync, readFileSync, rmSync, writeSync, existsSync, constants } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ReadStream } from "node:tty";
import { after, describe, test } from "node:test";
import { command } from "../cli/modem.js";
import { runCommand } from "../cli/command.js";
import { failed, isFailed } from "../sim/core/doors.js";
import { AtModem, IDEAL_PACE, LoopbackNet, servePty, serveTcp, serveUnix, type NetSocket } from "../sim/modem/index.js";
import { PaperCard, text } from "./modem-kit.js";

const folder = mkdtempSync(join(tmpdir(), "modem-doors-"));
after(() => rmSync(folder, { recursive: true }));

function modem(): AtModem {
  return new AtModem({ family: "bg95", card: new PaperCard(), echo: false, pace: IDEAL_PACE });
}

/** Reads from a stream until it has said `until`. */
function hears(stream: NodeJS.ReadableStream, until: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let heard = "";
    const on = (bytes: Buffer): void => {
      heard += bytes.toString("latin1");
      if (!until.test(heard)) return;
      stream.off("data", on);
      resolve(heard);
    };
    stream.on("data", on);
    stream.once("error", reject);
  });
}

describe("doors", () => {
  test("a unix socket is the UART; the modem is switched on when the first host comes, and stays on when it goes", async () => {
    const at = modem();
    const path = join(folder, "uart");
    const door = await serveUnix(at, path);
    assert.equal(at.state, "off");
    const host = connect(path);
    await hears(host, /QIND/);
    host.write("AT+CMEE=1\r");
    await hears(host, /OK\r\n/);
    const gone = new Promise<void>((resolve) => (door.onGone = resolve));
    host.destroy();
    await gone;
    const again = connect(path);
    again.write("AT+CMEE?\r");
    assert.match(await hears(again, /OK\r\n/), /^\r\n\+CMEE: 1/);
    again.destroy();
    await door.close();
  });

  test("a second host is turned away while the first is there", async () => {
    const at = modem();
    const door = await serveTcp(at, 0);
    const first = connect(door.port ?? 0, "127.0.0.1");
    await hears(first, /RDY/);
    const second = connect(door.port ?? 0, "127.0.0.1");
    await new Promise((resolve) => second.once("close", resolve));
    first.write("AT\r");
    await hears(first, /OK/);
    first.destroy();
    await door.close();
  });

  test("a pseudo terminal is a serial device", { skip: spawnSync("socat", ["-V"]).status === 0 ? false : "socat is not installed" }, async () => {
    const link = join(folder, "tty");
    const door = await servePty(modem(), link);
    const file = openSync(link, constants.O_RDWR | constants.O_NOCTTY);
    const stream = new ReadStream(file);
    // What was said before the device was opened may be lost: a host begins with AT until it is answered.
    const knocks = setInterval(() => writeSync(file, "AT\r"), 20);
    await hears(stream, /OK\r\n/);
    clearInterval(knocks);
    writeSync(file, 'AT+CSIM=10,"0070000001"\r');
    await hears(stream, /\+CSIM: 6,"019000"\r\n\r\nOK\r\n/);
    stream.destroy();
    await door.close();
    assert.equal(existsSync(link), false);
  });

  test("a place where no door can be is told", async () => {
    await assert.rejects(serveUnix(modem(), join(folder, "no/such/folder/uart")), /expected to listen on .*uart, got: listen E[A-Z]+/);
  });
});

describe("command line", () => {
  async function run(...args: string[]): Promise<{ code: number; out: string[]; err: string[] }> {
    const [out, err]: [string[], string[]] = [[], []];
    const code = await runCommand(command, args, { out: (line) => void out.push(line), err: (line) => void err.push(line) });
    return { code, out, err };
  }

  test("--help tells families, doors and faults", async () => {
    const { code, out } = await run("--help");
    assert.equal(code, 0);
    for (const word of ["bg95", "nrf91", "unix:PATH", "pty:LINK", "brown-out:N", "--coverage"]) assert.ok(out.join("\n").includes(word), word);
  });

  const misuse: readonly (readonly [string[], RegExp])[] = [
    [["--family", "bg95"], /expected unix:PATH, tcp:PORT or pty:LINK for --listen, got nothing/],
    [["--listen", "tcp:0", "--family", "ec25"], /expected one of generic, bg95, .* for --family, got "ec25"/],
    [["--listen", "tcp:0", "--family", "bg95", "--fault", "nonsense"], /expected a fault .*got "nonsense"/],
    [["--listen", "tcp:0", "--family", "bg95", "--card", "sim2"], /expected sim, vpcd:PORT or none for --card, got "sim2"/],
    [["--listen", "tcp:0", "--family", "bg95", "--pace", "slow"], /expected quick, ideal or real for --pace, got "slow"/],
    [["--listen", "tcp:0", "--family", "bg95", "--quirk", "folows=true"], /expected a quirk .*got "folows=true"/],
    [["--listen", "tcp:0", "--family", "bg95", "--coverage", "89=soon"], /expected none, denied or milliseconds for --coverage, got "soon"/],
  ];
  for (const [args, says] of misuse) {
    test(`${args.join(" ")} is misuse`, async () => {
      const { code, err } = await run(...args);
      assert.equal(code, 2);
      assert.match(err.join("\n"), says);
    });
  }

  test("with --once it serves one host, and leaves its transcript", async () => {
    const path = join(folder, "once");
    const transcript = join(folder, "transcript.txt");
    let listening = (): void => undefined;
    const ready = new Promise<void>((resolve) => (listening = resolve));
    const done = runCommand(command, ["--family", "bg95", "--listen", `unix:${path}`, "--once", "--echo-off", "--pace", "ideal", "--transcript", transcript, "--quirk", "sessionId=1"], { out: () => listening(), err: () => undefined });
    await ready;
    const host = connect(path);
    await hears(host, /QIND/);
    host.write('AT+CCHO="A0000005591010FFFFFFFF8900000100"\r');
    assert.match(await hears(host, /OK\r\n/), /^\r\n1\r\n/);
    host.destroy();
    assert.equal(await done, 0);
    assert.match(readFileSync(transcript, "utf8"), /\d+ >> AT\+CCHO="A0000005591010FFFFFFFF8900000100"\\r\n +\d+ << \\r\\n1\\r\\n/);
  });
});

describe("the modem's network on this computer", () => {
  async function udpEcho(): Promise<{ port: number; close: () => void }> {
    const socket = createSocket("udp4");
    socket.on("message", (bytes, from) => socket.send(bytes, from.port, from.address));
    await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
    return { port: socket.address().port, close: () => void socket.close() };
  }

  test("a mapped name has an address of its own, and both lead to the mapped port", async () => {
    const echo = await udpEcho();
    const net = new LoopbackNet({ names: { "eim.example.com:5684": `127.0.0.1:${echo.port}` } });
    const address = net.resolve("eim.example.com");
    assert.match(address ?? "", /^192\.0\.2\.\d+$/);
    for (const host of ["eim.example.com", address ?? ""]) {
      let tell = (_: string): void => undefined;
      const came = new Promise<string>((resolve) => (tell = resolve));
      const socket = (await net.udp({ host, port: 5684 }, { data: (bytes, from) => tell(`${text(bytes)} ${from.host} ${from.port}`), closed: () => undefined })) as NetSocket;
      await socket.send(new Uint8Array(Buffer.from("hi")));
      assert.equal(await came, `hi ${address} 5684`);
      socket.close();
    }
    echo.close();
  });

  test("an unknown name, and an address outside of this computer, are refused", async () => {
    const net = new LoopbackNet();
    const events = { data: () => undefined, closed: () => undefined };
    const unknown = await net.udp({ host: "eim.example.com", port: 1 }, events);
    assert.ok(isFailed(unknown));
    assert.equal(unknown.failure, "name");
    assert.deepEqual(await net.tcp({ host: "198.51.100.1", port: 443 }, events), failed("link", "198.51.100.1 is not on this computer"));
  });

  test("a stream carries octets both ways and tells its end", async () => {
    const server = createServer((peer: Socket) => peer.on("data", (bytes) => peer.end(bytes)));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    let heard = "";
    let end = (): void => undefined;
    const closed = new Promise<void>((resolve) => (end = resolve));
    const socket = (await new LoopbackNet().tcp({ host: "127.0.0.1", port }, { data: (bytes) => (heard += text(bytes)), closed: () => end() })) as NetSocket;
    await socket.send(new Uint8Array(Buffer.from("abc")));
    await closed;
    assert.equal(heard, "abc");
    server.close();
  });
});
