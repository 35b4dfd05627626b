/** u-blox SARA-R4 and SARA-R5 (modem-at 6.3): US sockets with 1024 octets, @ prompts, hexadecimal mode. Left out: HTTP, MQTT, FTP, asynchronous connect. */
import { toHex } from "../../core/bytes.js";
import { AtError, CME } from "../at-error.js";
import type { Params } from "../command-line.js";
import type { CommandTable, Family, Unit } from "../family.js";
import type { Address } from "../net.js";
import { taken, type Final, type Run } from "../run.js";
import type { ModemSocket } from "../sockets.js";
import { setting, tellsIccid } from "./basic.js";
import { COMMON, PLAIN } from "./generic.js";
import { secureOptions, UBLOX_SECURE } from "./ublox-secure.js";

const MOST = 1024;
const HEX_MOST = 512;
/** Numbers of +USOER: EBADF, EINVAL, ENOTCONN, EHOSTUNREACH, ENAMETOOLONG stands for a name not found here. */
const USO = { none: 0, badSocket: 9, invalid: 22, connect: 111, notConnected: 107, unreachable: 113, name: 11 } as const;
/** What comes sooner after @ is lost. */
const DEAF_MS = 50;
const TCP = 6;

/** Remembers the error for +USOER, and refuses. */
function refuse(unit: Unit, error: number, reason: string): never {
  unit.settings.set("usoer", String(error));
  throw new AtError(reason, CME.notAllowed);
}

function socketOf(unit: Unit, params: Params): ModemSocket {
  const id = params.int(0, 0, unit.family.sockets - 1);
  return unit.sockets.get(id) ?? refuse(unit, USO.badSocket, `socket ${id} is not open`);
}

function hexMode(unit: Unit): boolean {
  return unit.settings.get("udconf1") === "1";
}

function create(unit: Unit, params: Params): void {
  const protocol = params.int(0, 0, 255);
  if (protocol !== TCP && protocol !== 17) throw new AtError(`expected 6 or 17, got ${protocol}`, CME.incorrectParameters);
  const id = unit.sockets.free;
  if (id === undefined) refuse(unit, USO.invalid, "all sockets are in use");
  unit.sockets.create(id, protocol === TCP ? "TCP" : "UDP", unit.family.cid);
  unit.line(`+USOCR: ${id}`);
}

function* connect(unit: Unit, params: Params): Run {
  const socket = socketOf(unit, params);
  const peer = { host: params.str(1, undefined, true), port: params.int(2, 1, 65535) };
  yield* reach(unit, socket, peer);
  return undefined;
}

function* reach(unit: Unit, socket: ModemSocket, peer: Address | undefined): Run<void> {
  const options = secureOptions(unit, socket);
  if (options !== undefined) socket.kind = options.transport;
  const failed = yield* unit.sockets.connect(socket, peer, options);
  if (failed === undefined) return;
  refuse(unit, failed.failure === "name" ? USO.name : socket.datagrams ? USO.unreachable : USO.connect, failed.reason);
}

/** Octets of a sending command: behind the prompt, or as a string, hexadecimal in that mode. */
function* octetsOf(unit: Unit, params: Params, at: number): Run<Uint8Array> {
  const length = params.int(at, 1, hexMode(unit) ? HEX_MOST : MOST);
  if (!params.has(at + 1)) {
    const bytes = yield* taken({ prompt: "@", length, deafMs: DEAF_MS });
    if (bytes === undefined) throw new AtError("the data did not come whole", CME.notAllowed);
    return bytes;
  }
  const bytes = hexMode(unit) ? params.hex(at + 1, true) : new Uint8Array(Buffer.from(params.str(at + 1, undefined, true), "latin1"));
  if (bytes.length !== length) throw new AtError(`expected ${length} octets, got ${bytes.length}`, CME.incorrectParameters);
  return bytes;
}

function* sendTo(unit: Unit, params: Params): Run {
  const socket = socketOf(unit, params);
  if (socket.kind !== "UDP") refuse(unit, USO.invalid, "expected a UDP socket");
  const to = { host: params.str(1, undefined, true), port: params.int(2, 1, 65535) };
  const bytes = yield* octetsOf(unit, params, 3);
  if (socket.net === undefined) yield* reach(unit, socket, undefined);
  return yield* sent(unit, socket, bytes, "+USOST", to);
}

function* write(unit: Unit, params: Params): Run {
  const socket = socketOf(unit, params);
  if (socket.net === undefined) refuse(unit, USO.notConnected, `socket ${socket.id} is not connected`);
  return yield* sent(unit, socket, yield* octetsOf(unit, params, 1), "+USOWR");
}

function* sent(unit: Unit, socket: ModemSocket, bytes: Uint8Array, prefix: string, to?: Address): Run {
  const failed = unit.sendFails ? { reason: "fault" } : yield* unit.sockets.send(socket, bytes, to);
  if (failed !== undefined) refuse(unit, USO.unreachable, failed.reason);
  unit.line(`${prefix}: ${socket.id},${bytes.length}`);
  return undefined;
}

function readFrom(unit: Unit, params: Params): void {
  const socket = socketOf(unit, params);
  const most = params.int(1, 0, hexMode(unit) ? HEX_MOST : MOST);
  if (most === 0) return unit.line(`+USORF: ${socket.id},${socket.pending}`);
  const got = socket.read(most, true);
  socket.told = false;
  if (got === undefined) return unit.line(`+USORF: ${socket.id},0`);
  quoted(unit, `+USORF: ${socket.id},"${got.from.host}",${got.from.port},${got.bytes.length},`, got.bytes);
  more(unit, socket);
}

function read(unit: Unit, params: Params): void {
  const socket = socketOf(unit, params);
  const most = params.int(1, 0, hexMode(unit) ? HEX_MOST : MOST);
  if (most === 0) return unit.line(`+USORD: ${socket.id},${socket.pending}`);
  const got = socket.read(most, true);
  socket.told = false;
  if (got === undefined) return unit.line(`+USORD: ${socket.id},0,""`);
  quoted(unit, `+USORD: ${socket.id},${got.bytes.length},`, got.bytes);
  more(unit, socket);
}

/** The octets stand between quotes as they are. */
function quoted(unit: Unit, header: string, bytes: Uint8Array): void {
  unit.raw("\r\n", header, '"', hexMode(unit) ? toHex(bytes) : bytes, '"\r\n');
}

/** Data that are left are told again after each reading. */
function more(unit: Unit, socket: ModemSocket): void {
  if (socket.pending > 0) arrived(unit, socket);
}

function arrived(unit: Unit, socket: ModemSocket): void {
  const stream = !socket.datagrams || socket.peer !== undefined;
  const count = socket.datagrams ? (socket.queue[0]?.bytes.length ?? 0) : socket.pending;
  unit.urc(`${stream ? "+UUSORD" : "+UUSORF"}: ${socket.id},${count}`);
}

function control(unit: Unit, params: Params): void {
  const socket = socketOf(unit, params);
  const what = params.int(1, 0, 19);
  const values: Readonly<Record<number, string>> = {
    0: socket.datagrams ? "17" : "6",
    1: unit.settings.get("usoer") ?? "0",
    2: String(socket.sent),
    3: String(socket.received),
    10: socket.closed ? "0" : "4",
    11: "0",
  };
  unit.line(`+USOCTL: ${socket.id},${what},${values[what] ?? "0"}`);
}

function* packetSwitched(unit: Unit, params: Params): Run {
  params.int(0, 0, 6);
  const action = params.int(1, 0, 4);
  if (action === 4) unit.radio.deactivate(unit.family.cid);
  if (action !== 3) return undefined;
  yield* unit.radio.activate(unit.family.cid);
  unit.background(pdpUp(unit));
  return undefined;
}

function* pdpUp(unit: Unit): Run<void> {
  unit.urc(`+UUPSDA: 0,"${unit.radio.address(unit.family.cid)}"`);
}

function* lookUp(unit: Unit, params: Params): Run {
  params.int(0, 0, 1);
  const found = yield* unit.sockets.resolve(params.str(1, undefined, true));
  if (found === undefined) throw new AtError("no address is known", CME.unknown);
  unit.line(`+UDNSRN: "${found}"`);
  return undefined;
}

function close(unit: Unit, params: Params): Final {
  unit.sockets.close(socketOf(unit, params).id);
  return undefined;
}

function configure(unit: Unit, params: Params): void {
  unit.settings.set(`udconf${params.int(0, 1, 9)}`, String(params.int(1, 0, 1)));
}

const COMMANDS: CommandTable = {
  ...COMMON,
  ...UBLOX_SECURE,
  ...setting("+UPSV", "0"),
  ...setting("+CSGT", ""),
  ...setting("+URAT", "7"),
  ...setting("+UMNOPROF", "90"),
  "+CCID": { exec: tellsIccid((iccid) => `+CCID: ${iccid}`), read: tellsIccid((iccid) => `+CCID: ${iccid}`) },
  "+UPSD": { set: (_, params) => void (params.int(0, 0, 6) + params.int(1, 0, 107)) },
  "+UPSDA": { set: packetSwitched },
  "+USOCR": { set: create },
  "+USOCO": { set: connect },
  "+USOST": { set: sendTo },
  "+USOWR": { set: write },
  "+USORF": { set: readFrom },
  "+USORD": { set: read },
  "+USOCL": { set: close },
  "+USOER": { exec: (unit) => unit.line(`+USOER: ${unit.settings.get("usoer") ?? "0"}`) },
  "+USOCTL": { set: control },
  "+UDCONF": { set: configure },
  "+UDNSRN": { set: lookUp },
  "+CPWROFF": {
    exec(unit) {
      unit.background(off(unit));
    },
  },
};

function* off(unit: Unit): Run<void> {
  unit.powerOff();
}

export const SARA_R5: Family = {
  name: "sara-r5",
  title: "u-blox SARA-R5 and SARA-R4",
  unsure: [
    "L: +CCHO, +CGLA and +CCHC (documented, not seen)",
    "L: numbers of +USOER and the +CME ERROR of socket commands",
    "L: PDP set-up by +UPSDA, CFUN=15 and 16",
    "U: whether the modem follows 61xx on +CGLA (here it does)",
    "U: DTLS sockets; the firmware decides",
    "L: octets sooner than 50 ms after @ are lost (the manual asks to wait)",
  ],
  manufacturer: "u-blox",
  model: "SARA-R510S",
  revision: "03.15",
  commands: COMMANDS,
  lineMost: 1600,
  quotedLines: false,
  cid: 1,
  automaticPdp: true,
  firstSocket: 0,
  sockets: 7,
  flightDropsCard: false,
  startsAt: 1,
  cfuns: [0, 1, 4, 15, 16],
  psm: "deep",
  uicc: { ...PLAIN, follows: true, refusesCaseFour: true },
  boot: [],
  simReady: [],
  simGone: [],
  trust: { TLS: ["CA", "certificate", "name", "PSK"], DTLS: ["CA", "certificate", "name", "PSK"] },
  hooks: {
    data: arrived,
    closed: (unit, socket) => unit.urc(`+UUSOCL: ${socket.id}`),
    bearerLost(unit, _, sockets) {
      unit.urc("+UUPSDD: 0");
      for (const socket of sockets) unit.urc(`+UUSOCL: ${socket.id}`);
    },
    asleep: () => undefined,
  },
};
