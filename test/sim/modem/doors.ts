/**
 * Doors of the AT modem to the world: a unix socket (QEMU's chardev, C tests), a TCP port, and a pseudo terminal by socat for
 * programs that open serial devices. One host at a time; the modem is switched on when the first one comes, so that it hears the start.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SimError } from "../core/errors.js";
import type { AtModem } from "./at-modem.js";

export interface Door {
  /** Ends the door; the modem stays as it is. */
  close(): Promise<void>;
  /** The TCP port, where there is one. */
  port?: number;
  /** Told when the host went away. */
  onGone: () => void;
}

/** Listens on a unix socket. Rejects with SimError "door" when it can't. */
export function serveUnix(modem: AtModem, path: string): Promise<Door> {
  if (existsSync(path)) rmSync(path);
  return serve(modem, (server) => server.listen(path), path);
}

/** Listens on 127.0.0.1; port 0 takes a free one. */
export function serveTcp(modem: AtModem, port: number): Promise<Door> {
  return serve(modem, (server) => server.listen(port, "127.0.0.1"), `127.0.0.1:${port}`);
}

function serve(modem: AtModem, listen: (server: Server) => void, where: string): Promise<Door> {
  let host: Socket | undefined;
  const door: Door = { close: () => closed(server, host), onGone: () => undefined };
  const server = createServer((socket) => {
    // A second host is turned away: octets of two would mix.
    if (host !== undefined) return void socket.destroy();
    host = socket;
    socket.setNoDelay(true);
    modem.onData = (bytes) => void socket.write(bytes);
    socket.on("data", (bytes) => modem.write(new Uint8Array(bytes)));
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      host = undefined;
      modem.onData = () => undefined;
      door.onGone();
    });
    modem.powerOn();
  });
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(new SimError("door", `expected to listen on ${where}, got: ${error.message}`)));
    server.once("listening", () => resolve(Object.assign(door, portOf(server))));
    listen(server);
  });
}

function portOf(server: Server): { port?: number } {
  const address = server.address();
  return typeof address === "object" && address !== null ? { port: address.port } : {};
}

function closed(server: Server, host: Socket | undefined): Promise<void> {
  host?.destroy();
  return new Promise((resolve) => server.close(() => resolve()));
}

/** A pseudo terminal at `link`. Needs socat; rejects with SimError "door" without it. */
export async function servePty(modem: AtModem, link: string): Promise<Door> {
  const folder = mkdtempSync(join(tmpdir(), "modem-"));
  const path = join(folder, "uart");
  const door = await serveUnix(modem, path);
  const socat = spawn("socat", ["-d", "-d", `PTY,raw,echo=0,link=${link}`, `UNIX-CONNECT:${path}`], { stdio: ["ignore", "ignore", "pipe"] });
  const closeDoor = door.close;
  const close = async (): Promise<void> => {
    socat.kill();
    await closeDoor();
    rmSync(folder, { recursive: true });
  };
  try {
    await started(socat);
  } catch (error) {
    await close();
    throw error;
  }
  return Object.assign(door, { close });
}

function started(socat: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = "";
    const fail = (why: string): void => reject(new SimError("door", `expected socat to make a pseudo terminal, got: ${why}`));
    socat.once("error", (error) => fail(error.message));
    socat.once("exit", (code) => fail(`exit ${code}: ${said.trim()}`));
    socat.stderr?.on("data", (text: Buffer) => {
      said += text.toString("utf8");
      if (said.includes("starting data transfer loop")) resolve();
    });
  });
}
