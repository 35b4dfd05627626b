/**
 * Quectel's secure sockets and their files (modem-at 6.1): QSSLCFG, QSSLOPEN and so on, QFUPL. What a context is told: `cacert` (a CA or the
 * server's own certificate), client certificate and key, `seclevel`, `sni`, `ciphersuite`; for DTLS a file "<context>_server.psk".
 */
import { fromHex } from "../../core/bytes.js";
import { AtError } from "../at-error.js";
import type { Params } from "../command-line.js";
import type { CommandTable, Unit } from "../family.js";
import type { SecureOptions } from "../net.js";
import { taken, type Final, type Run } from "../run.js";
import type { ModemSocket } from "../sockets.js";
import { QI, READ_MOST, refuse, SEND_MOST, sending, socketOf } from "./quectel-shared.js";

const KEYS = ["sslversion", "ciphersuite", "seclevel", "cacert", "clientcert", "clientkey", "ignorelocaltime", "negotiatetime", "sni", "session_cache", "dtls", "dtlsversion", "closetimemode", "session"];
const ANY_SUITE = 0xffff;

function fileName(text: string): string {
  return text.replace(/^UFS:/, "");
}

function* upload(unit: Unit, params: Params): Run {
  const name = fileName(params.str(0, undefined, true));
  const length = params.int(1, 1, 1_048_576);
  const bytes = yield* taken({ prompt: "\r\nCONNECT\r\n", length, waitMs: params.int(2, 1, 65535, 5) * 1000 });
  if (bytes === undefined) throw new AtError("the file did not come whole");
  unit.files.set(name, bytes);
  unit.line(`+QFUPL: ${length},${checksum(bytes)}`);
  return undefined;
}

/** Exclusive or of words of two octets. */
function checksum(bytes: Uint8Array): string {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum ^= ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  return sum.toString(16);
}

function remove(unit: Unit, params: Params): void {
  const name = fileName(params.str(0, undefined, true));
  if (name === "*") return unit.files.clear();
  if (!unit.files.delete(name)) throw new AtError(`no file ${name}`);
}

function list(unit: Unit): void {
  for (const [name, bytes] of unit.files) unit.line(`+QFLST: "UFS:${name}",${bytes.length}`);
}

function configure(unit: Unit, params: Params): void {
  const key = params.str(0, undefined, true);
  if (!KEYS.includes(key)) throw new AtError(`expected one of ${KEYS.join(", ")}, got "${key}"`);
  const context = params.int(1, 0, 5);
  const name = `qssl ${context} ${key}`;
  if (params.count > 2) unit.settings.set(name, params.str(2));
  else unit.line(`+QSSLCFG: "${key}",${context},${unit.settings.get(name) ?? "0"}`);
}

function open(unit: Unit, params: Params): Final {
  const cid = params.int(0, 1, 16);
  const context = params.int(1, 0, 5);
  const id = params.int(2, 0, 11);
  const peer = { host: params.str(3, undefined, true), port: params.int(4, 1, 65535) };
  if (params.int(5, 0, 2, 0) !== 0) refuse(unit, QI.parameter, "only buffer mode is simulated for secure sockets");
  if (unit.sockets.get(id) !== undefined) refuse(unit, QI.inUse, `socket ${id} is in use`);
  const options = optionsOf(unit, context, peer.host);
  unit.background(opening(unit, unit.sockets.create(id, options.transport, cid), peer, options));
  return undefined;
}

function optionsOf(unit: Unit, context: number, host: string): SecureOptions {
  const get = (key: string): string | undefined => unit.settings.get(`qssl ${context} ${key}`);
  const file = (key: string): Uint8Array | undefined => unit.files.get(fileName(get(key) ?? ""));
  const suite = Number(get("ciphersuite") ?? ANY_SUITE);
  const [ca, certificate, key] = [file("cacert"), file("clientcert"), file("clientkey")];
  const dtls = get("dtls") === "1";
  const psk = dtls ? pskOf(unit, context) : undefined;
  return {
    transport: dtls ? "DTLS" : "TLS",
    verify: (get("seclevel") ?? "1") === "0" ? "nothing" : "chain",
    suites: suite === ANY_SUITE ? [] : [suite],
    handshakeMs: Number(get("negotiatetime") ?? "300") * 1000,
    ...(ca === undefined ? {} : { ca }),
    ...(get("seclevel") === "2" && certificate !== undefined && key !== undefined ? { certificate, key } : {}),
    ...(psk === undefined ? {} : { psk }),
    ...(get("sni") === "1" ? { serverName: host } : {}),
    ...(get("ignorelocaltime") === "0" ? { now: unit.date } : {}),
  };
}

function pskOf(unit: Unit, context: number): { identity: string; key: Uint8Array } | undefined {
  const file = unit.files.get(`${context}_server.psk`);
  const [, identity, key] = /^([^&]+)&([0-9A-Fa-f]+)\s*$/.exec(Buffer.from(file ?? []).toString("latin1")) ?? [];
  return identity === undefined || key === undefined ? undefined : { identity, key: fromHex(key) };
}

function* opening(unit: Unit, socket: ModemSocket, peer: { host: string; port: number }, options: SecureOptions): Run<void> {
  const active = unit.settings.has(`qiact${socket.cid}`);
  // Certificates on DTLS were never seen; without PSK there is nothing to know the server by.
  const possible = options.transport === "TLS" || options.psk !== undefined;
  const failed = active && possible ? yield* unit.sockets.connect(socket, peer, options) : undefined;
  const error = !active ? QI.pdp : !possible ? QI.parameter : failed === undefined ? QI.ok : failed.failure === "name" ? QI.dns : QI.connect;
  unit.settings.set("qierror", String(error));
  if (error !== QI.ok) unit.sockets.close(socket.id);
  unit.urc(`+QSSLOPEN: ${socket.id},${error}`);
}

function* send(unit: Unit, params: Params): Run {
  const socket = socketOf(unit, params);
  const length = params.int(1, 1, SEND_MOST);
  if (socket.closed) refuse(unit, QI.closed, `socket ${socket.id} was closed`);
  const bytes = yield* taken({ prompt: "\r\n> ", length });
  return bytes === undefined ? "SEND FAIL" : yield* sending(unit, socket, bytes);
}

function read(unit: Unit, params: Params): void {
  const socket = socketOf(unit, params);
  const got = socket.read(params.int(1, 1, READ_MOST, READ_MOST));
  if (got === undefined) socket.told = false;
  if (got === undefined) return unit.line("+QSSLRECV: 0");
  unit.line(`+QSSLRECV: ${got.bytes.length}`);
  unit.raw(got.bytes);
}

/** One "recv" until the host has read all of it. */
export function secureArrived(unit: Unit, socket: ModemSocket): void {
  if (!socket.told) unit.urc(`+QSSLURC: "recv",${socket.id}`);
  socket.told = true;
}

export const QUECTEL_SECURE: CommandTable = {
  "+QFUPL": { set: upload },
  "+QFDEL": { set: remove },
  "+QFLST": { set: list, exec: list },
  "+QSSLCFG": { set: configure },
  "+QSSLOPEN": { set: open },
  "+QSSLSEND": { set: send },
  "+QSSLRECV": { set: read },
  "+QSSLCLOSE": { set: (unit, params) => unit.sockets.close(params.int(0, 0, 11)) },
  "+QSSLSTATE": {
    exec(unit) {
      for (const socket of unit.sockets.all) if (socket.kind === "TLS" || socket.kind === "DTLS") unit.line(`+QSSLSTATE: ${socket.id},"SSLClient","${socket.peer?.host ?? ""}",${socket.peer?.port ?? 0},0,${socket.closed ? 4 : 2},${socket.cid},0,0,"uart1",0`);
    },
  },
};
