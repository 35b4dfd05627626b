/** Secure sockets of the nRF91 (modem-at 6.4): XSSOCKET by security tag, XSSOCKETOPT. Left out: saved connections (options 19, 20), session cache. */
import { fromHex } from "../../core/bytes.js";
import { AtError } from "../at-error.js";
import type { Params } from "../command-line.js";
import type { CommandTable, Unit } from "../family.js";
import type { SecureOptions } from "../net.js";
import type { ModemSocket } from "../sockets.js";
import { create, socketOf } from "./nordic-shared.js";

const STREAM = 1;
/** Types of %CMNG. */
const Credential = { ca: 0, certificate: 1, key: 2, psk: 3, identity: 4 } as const;
const Option = { host: 2, suite: 4, verify: 5, connectionId: 14, connectionIdStatus: 15, handshake: 18 } as const;
/** Peer verification: none, optional, required. */
const REQUIRED = 2;

function open(unit: Unit, params: Params): void {
  const type = params.int(1, 1, 2);
  params.int(2, 0, 0);
  const tag = params.int(3, 0, 2 ** 31 - 1);
  const verify = params.int(4, 0, 2, REQUIRED);
  const socket = create(unit, type === STREAM ? "TLS" : "DTLS", params, 5);
  socket.settings.set("tag", String(tag)).set(`option ${Option.verify}`, String(verify));
  unit.line(`#XSSOCKET: ${socket.id},${type},${type === STREAM ? 258 : 273}`);
}

function option(unit: Unit, params: Params): void {
  const socket = socketOf(unit, params);
  if (socket.kind !== "TLS" && socket.kind !== "DTLS") throw new AtError("expected a secure socket");
  const set = params.int(1, 0, 1) === 1;
  const name = params.int(2, 0, 30);
  if (set && socket.net !== undefined) throw new AtError("expected a socket that is not connected");
  if (set) return void socket.settings.set(`option ${name}`, params.str(3));
  unit.line(`#XSSOCKETOPT: ${socket.id},${told(socket, name)}`);
}

function told(socket: ModemSocket, name: number): string {
  if (name === Option.suite) return `"${socket.net?.suite ?? ""}"`;
  return socket.settings.get(`option ${name}`) ?? "0";
}

/** What a secure socket connects by; undefined for a plain one. */
export function secureOptions(unit: Unit, socket: ModemSocket): SecureOptions | undefined {
  const tag = socket.settings.get("tag");
  if (tag === undefined) return undefined;
  const get = (type: number): Uint8Array | undefined => unit.files.get(`cmng ${tag} ${type}`);
  const text = (type: number): string => Buffer.from(get(type) ?? []).toString("latin1");
  const [ca, certificate, key] = [get(Credential.ca), get(Credential.certificate), get(Credential.key)];
  const host = socket.settings.get(`option ${Option.host}`);
  return {
    transport: socket.kind === "DTLS" ? "DTLS" : "TLS",
    verify: socket.settings.get(`option ${Option.verify}`) !== String(REQUIRED) ? "nothing" : host === undefined ? "chain" : "chain and name",
    suites: [],
    handshakeMs: Number(socket.settings.get(`option ${Option.handshake}`) ?? "123") * 1000,
    connectionId: socket.settings.get(`option ${Option.connectionId}`) === "2",
    ...(ca === undefined ? {} : { ca }),
    ...(certificate === undefined || key === undefined ? {} : { certificate, key }),
    ...(get(Credential.psk) === undefined ? {} : { psk: { identity: text(Credential.identity), key: fromHex(text(Credential.psk)) } }),
    ...(host === undefined ? {} : { serverName: host }),
    now: unit.date,
  };
}

export const NORDIC_SECURE: CommandTable = {
  "#XSSOCKET": { set: open },
  "#XSSOCKETOPT": { set: option },
};
