/** Independent peers for the tests of CoAP and DTLS: programs of Debian, run as processes; and a capture file for tshark. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createPrivateKey } from "node:crypto";
import { createSocket } from "node:dgram";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Identity } from "../sim/pki/pki.js";

const PACKAGES: Readonly<Record<string, string>> = { openssl: "openssl", tshark: "tshark", socat: "socat" };

/** For `skip`: false when the program is there, else the reason. Under CI=true a missing program is an error. */
export function without(program: string): string | false {
  if (spawnSync("which", [program]).status === 0) return false;
  const reason = `${program} is not installed (Debian package ${PACKAGES[program] ?? "libcoap3-bin"})`;
  if (process.env["CI"] === "true") throw new Error(`${reason}; under CI=true it must be`);
  return reason;
}

/** Runs `act` with a directory of its own. */
export async function inDirectory<T>(act: (dir: string) => Promise<T>): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), "tinyipa-peers-"));
  try {
    return await act(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

export interface Ran {
  readonly status: number | null;
  readonly output: string;
}

/** Runs a program to its end; `input` on its stdin. Killed after 30 s. */
export async function run(program: string, args: readonly string[], input = ""): Promise<Ran> {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], timeout: 30_000 });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data: Buffer) => void (output += data.toString("latin1")));
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  const [status] = (await once(child, "close")) as [number | null];
  return { status, output };
}

/** A program that runs until `stop`. */
export interface Running {
  readonly child: ChildProcess;
  output(): string;
  /** Resolves when the output has this; rejects after 10 s. */
  saw(pattern: RegExp): Promise<void>;
  stop(): Promise<void>;
  /** Resolves when the program has ended by itself. */
  ended(): Promise<void>;
}

export function launch(program: string, args: readonly string[]): Running {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
  let output = "";
  const waiting = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (data: Buffer) => {
      output += data.toString("latin1");
      for (const look of waiting) look();
    });
  }
  const saw = (pattern: RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${program} never said ${pattern}, but: ${output}`)), 10_000);
      const look = (): void => {
        if (!pattern.test(output)) return;
        clearTimeout(timer);
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
    });
  const closed = once(child, "close");
  const ended = async (): Promise<void> => void (await closed);
  const stop = (): Promise<void> => {
    child.kill("SIGKILL");
    return ended();
  };
  return { child, output: () => output, saw, stop, ended };
}

/** A UDP port that nobody listens on now. */
export async function freePort(): Promise<number> {
  const socket = createSocket("udp4").bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return port;
}

export function certificatePem(certificate: Uint8Array): string {
  return `-----BEGIN CERTIFICATE-----\n${Buffer.from(certificate).toString("base64").match(/.{1,64}/g)?.join("\n")}\n-----END CERTIFICATE-----\n`;
}

/** Writes certificate and key of an identity; their paths. */
export function writeIdentity(dir: string, { key, certificate }: Identity): { cert: string; key: string } {
  const part = (from: number, to: number): string => Buffer.from(key.publicKey.subarray(from, to)).toString("base64url");
  const jwk = { kty: "EC", crv: "P-256", d: Buffer.from(key.privateKey).toString("base64url"), x: part(1, 33), y: part(33, 65) };
  const paths = { cert: join(dir, "cert.pem"), key: join(dir, "key.pem") };
  writeFileSync(paths.cert, certificatePem(certificate));
  writeFileSync(paths.key, createPrivateKey({ key: jwk, format: "jwk" }).export({ format: "pem", type: "sec1" }));
  return paths;
}

/** A capture file (pcap, raw IPv4): datagrams between a client at 10.0.0.1:40000 and a server at 10.0.0.2:5684. */
export function pcap(datagrams: readonly { readonly from: "client" | "server"; readonly datagram: Uint8Array }[]): Buffer {
  const head = Buffer.alloc(24);
  head.writeUInt32LE(0xa1b2c3d4, 0);
  head.writeUInt16LE(2, 4);
  head.writeUInt16LE(4, 6);
  head.writeUInt32LE(65_535, 16);
  head.writeUInt32LE(101, 20);
  return Buffer.concat([head, ...datagrams.flatMap(({ from, datagram }, i) => packet(from, datagram, i))]);
}

function packet(from: "client" | "server", datagram: Uint8Array, n: number): Buffer[] {
  const length = 28 + datagram.length;
  const record = Buffer.alloc(16);
  record.writeUInt32LE(n, 0);
  record.writeUInt32LE(length, 8);
  record.writeUInt32LE(length, 12);
  const ip = Buffer.alloc(28);
  ip.set([0x45, 0, length >> 8, length & 0xff, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, from === "client" ? 1 : 2, 10, 0, 0, from === "client" ? 2 : 1]);
  const [client, server] = [40_000, 5684];
  ip.writeUInt16BE(from === "client" ? client : server, 20);
  ip.writeUInt16BE(from === "client" ? server : client, 22);
  ip.writeUInt16BE(8 + datagram.length, 24);
  return [record, ip, Buffer.from(datagram)];
}
