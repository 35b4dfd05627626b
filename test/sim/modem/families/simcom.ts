/** SIMCom SIM7080, SIM7070, SIM7090 (modem-at 6.2): CA sockets, CNACT. Left out: the SIM7000's CIP set, TCP servers, MQTT, HTTP. */
import { AtError, CME } from "../at-error.js";
import type { Params } from "../command-line.js";
import type { CommandTable, Family, Unit } from "../family.js";
import { pause, taken, type Run } from "../run.js";
import type { ModemSocket } from "../sockets.js";
import { setting, tellsIccid } from "./basic.js";
import { COMMON, PLAIN } from "./generic.js";
import { secureOptions, SIMCOM_SECURE } from "./simcom-secure.js";

const SEND_MOST = 1459;
const READ_MOST = 1459;
/** Contexts of the application stack, 0 to 3; 0 goes with PDP context 1. */
const CONTEXTS = 4;
/** Between the last URC and silence. */
const LAST_WORD_MS = 10;
/** Results of +CAOPEN. */
export const CA = { ok: 0, socket: 1, parameter: 4, unsupported: 7, name: 20, inactive: 21, refused: 23, certificateExpired: 24, commonName: 25, connect: 27 } as const;

function socketOf(unit: Unit, params: Params): ModemSocket {
  const id = params.int(0, 0, 12);
  const socket = unit.sockets.get(id);
  if (socket === undefined) throw new AtError(`socket ${id} is not open`, CME.notAllowed);
  return socket;
}

function network(unit: Unit, params: Params): void {
  const index = params.int(0, 0, CONTEXTS - 1);
  const up = params.int(1, 0, 2) > 0;
  unit.background(networking(unit, index, up));
}

function* networking(unit: Unit, index: number, up: boolean): Run<void> {
  if (up) {
    try {
      yield* unit.radio.activate(index + 1);
      unit.settings.set(`cnact${index}`, "1");
    } catch (error) {
      if (!(error instanceof AtError)) throw error;
      unit.note(error.message);
    }
  } else {
    unit.settings.delete(`cnact${index}`);
    for (const socket of unit.sockets.all) if (socket.cid === index + 1) unit.sockets.close(socket.id);
  }
  unit.urc(`+APP PDP: ${index},${unit.settings.has(`cnact${index}`) ? "ACTIVE" : "DEACTIVE"}`);
}

function tellNetwork(unit: Unit): void {
  for (let index = 0; index < CONTEXTS; index++) {
    const up = unit.settings.has(`cnact${index}`);
    unit.line(`+CNACT: ${index},${up ? 1 : 0},"${up ? unit.radio.address(index + 1) : "0.0.0.0"}"`);
  }
}

function* open(unit: Unit, params: Params): Run {
  const id = params.int(0, 0, 12);
  const index = params.int(1, 0, CONTEXTS - 1);
  const type = params.str(2, undefined, true);
  const peer = { host: params.str(3, undefined, true), port: params.int(4, 1, 65535) };
  if (type !== "TCP" && type !== "UDP") throw new AtError(`expected "TCP" or "UDP", got "${type}"`, CME.incorrectParameters);
  // Some firmware takes a receive mode here; this one doesn't.
  if (params.count > 5) throw new AtError(`expected 5 parameters, got ${params.count}`, CME.incorrectParameters);
  if (unit.sockets.get(id) !== undefined) throw new AtError(`socket ${id} is in use`, CME.notAllowed);
  unit.line(`+CAOPEN: ${id},${yield* opening(unit, id, index, type, peer)}`);
  return undefined;
}

function* opening(unit: Unit, id: number, index: number, type: "TCP" | "UDP", peer: { host: string; port: number }): Run<number> {
  if (!unit.settings.has(`cnact${index}`)) return CA.inactive;
  const options = secureOptions(unit, id, type === "TCP" ? "TLS" : "DTLS");
  const socket = unit.sockets.create(id, options?.transport ?? type, index + 1);
  const failed = yield* unit.sockets.connect(socket, peer, options);
  if (failed === undefined) return CA.ok;
  unit.sockets.close(id);
  return failed.failure === "name" ? CA.name : failed.failure === "unsupported" ? CA.unsupported : CA.connect;
}

function* send(unit: Unit, params: Params): Run {
  const socket = socketOf(unit, params);
  if (params.count === 1) {
    unit.line(`+CASEND: ${SEND_MOST}`);
    return undefined;
  }
  const length = params.int(1, 1, SEND_MOST);
  const bytes = yield* taken({ prompt: ">", length, waitMs: params.int(2, 1, 120_000, 5000) });
  if (bytes === undefined) throw new AtError("the data did not come whole");
  const failed = unit.sendFails ? { reason: "fault" } : yield* unit.sockets.send(socket, bytes);
  if (failed !== undefined) throw new AtError(failed.reason);
  return undefined;
}

function read(unit: Unit, params: Params): void {
  const socket = socketOf(unit, params);
  const got = socket.read(params.int(1, 1, READ_MOST));
  if (got === undefined) {
    socket.told = false;
    return unit.line("+CARECV: 0");
  }
  if (socket.pending === 0) socket.told = false;
  // The octets follow the comma, in the same line.
  unit.raw(`\r\n+CARECV: ${got.bytes.length},`, got.bytes, "\r\n");
}

function tellPending(unit: Unit): void {
  for (const socket of unit.sockets.all) if (socket.pending > 0) unit.line(`+CARECV: ${socket.id},${socket.pending}`);
}

function arrived(unit: Unit, socket: ModemSocket): void {
  if (!socket.told) unit.urc(`+CADATAIND: ${socket.id}`);
  socket.told = true;
}

function close(unit: Unit, params: Params): void {
  unit.sockets.close(socketOf(unit, params).id);
}

function* poweringDown(unit: Unit): Run<void> {
  unit.urc("NORMAL POWER DOWN");
  yield* pause(LAST_WORD_MS);
  unit.powerOff();
}

const COMMANDS: CommandTable = {
  ...COMMON,
  ...SIMCOM_SECURE,
  ...setting("+CSCLK", "0"),
  ...setting("+CNCFG", ""),
  ...setting("+CNMP", "38"),
  ...setting("+CMNB", "3"),
  "+CCID": { exec: tellsIccid((iccid) => iccid) },
  "+CNACT": { set: network, read: tellNetwork },
  "+CACID": { set: (unit, params) => void unit.settings.set("cacid", String(params.int(0, 0, 12))) },
  "+CAOPEN": { set: open },
  "+CASEND": { set: send },
  "+CARECV": { set: read, read: tellPending },
  "+CACLOSE": { set: close },
  "+CASTATE": {
    read(unit) {
      for (const socket of unit.sockets.all) unit.line(`+CASTATE: ${socket.id},${socket.closed ? 0 : 1}`);
    },
  },
  "+CPOWD": { set: (unit) => unit.background(poweringDown(unit)) },
  "+CREBOOT": { exec: (unit) => unit.restart(unit.pace.boot) },
};

export const SIM7080: Family = {
  name: "sim7080",
  title: "SIMCom SIM7080, SIM7070 and SIM7090",
  unsure: [
    "U: +CCHO, +CGLA and +CCHC (here absent; +CSIM is in the SIM7000 manual)",
    "L: +CAOPEN's result before OK (some firmware tells it behind)",
    "L: no start URC with autobaud until the first AT",
    "L: DTLS by PSK table",
    "U: whether the server's name is checked with CACERT (here not), whether its own certificate counts as CA (here yes)",
  ],
  manufacturer: "SIMCOM INCORPORATED",
  model: "SIMCOM_SIM7080",
  revision: "1951B17SIM7080",
  commands: COMMANDS,
  lineMost: 1024,
  quotedLines: false,
  cid: 1,
  automaticPdp: true,
  firstSocket: 0,
  sockets: 13,
  flightDropsCard: false,
  startsAt: 1,
  cfuns: [0, 1, 4],
  psm: "deep",
  uicc: { ...PLAIN, logicalChannels: false, refusesCaseFour: true },
  boot: ["RDY", "+CFUN: 1"],
  simReady: ["+CPIN: READY", "SMS Ready"],
  simGone: ["+CPIN: NOT READY"],
  trust: { TLS: ["CA", "certificate", "PSK"], DTLS: ["PSK"] },
  hooks: {
    data: arrived,
    closed: (unit, socket) => unit.urc(`+CASTATE: ${socket.id},0`),
    bearerLost(unit, cid, sockets) {
      for (const socket of sockets) unit.urc(`+CASTATE: ${socket.id},0`);
      if (unit.settings.delete(`cnact${cid - 1}`)) unit.urc(`+APP PDP: ${cid - 1},DEACTIVE`);
    },
    asleep: () => undefined,
  },
};
