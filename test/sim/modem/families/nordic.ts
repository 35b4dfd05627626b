/**
 * Nordic nRF91 with the Serial Modem application (modem-at 6.4): the handle-based # commands, data mode, %CMNG.
 * Left out: the old SLM's commands without handles, servers, GNSS, automatic reception in data mode.
 */
import { toHex } from "../../core/bytes.js";
import { AtError } from "../at-error.js";
import type { Params } from "../command-line.js";
import type { CommandTable, Family, Unit } from "../family.js";
import type { Address } from "../net.js";
import { pause, taken, UNTOLD, type Run } from "../run.js";
import type { ModemSocket } from "../sockets.js";
import { setting, tellsIccid } from "./basic.js";
import { COMMON, PLAIN } from "./generic.js";
import { NORDIC_SECURE, secureOptions } from "./nordic-secure.js";
import { create, socketOf } from "./nordic-shared.js";

const HEX_MOST = 1400;
const RECEIVE_MOST = 2048;
const DATA_MOST = 4096;
const STREAM = 1;
const Mode = { text: 0, hex: 1, data: 2 } as const;
const PLUS = new TextEncoder().encode("+++");
/** recv() flag: don't wait. */
const DONT_WAIT = 64;
const POLL_IN = 1;
const POLL_ERR_HUP = 8 | 16;
/** How often a waiting #XRECV looks. */
const STEP_MS = 10;
/** +CME ERROR of %CMNG: not found, not allowed while the modem is active. */
const CREDENTIAL = { notFound: 513, active: 518 } as const;

function open(unit: Unit, params: Params): void {
  const type = params.int(1, 1, 2);
  params.int(2, 0, 0);
  const socket = create(unit, type === STREAM ? "TCP" : "UDP", params, 3);
  unit.line(`#XSOCKET: ${socket.id},${type},${type === STREAM ? 6 : 17}`);
}

function* connect(unit: Unit, params: Params): Run {
  const socket = socketOf(unit, params);
  const peer = { host: params.str(1, undefined, true), port: params.int(2, 1, 65535) };
  const failed = yield* unit.sockets.connect(socket, peer, secureOptions(unit, socket));
  if (failed !== undefined) throw new AtError(failed.reason);
  unit.line(`#XCONNECT: ${socket.id},1`);
  return undefined;
}

function* send(unit: Unit, params: Params): Run {
  const socket = socketOf(unit, params);
  return yield* sending(unit, socket, params, 3, "#XSEND");
}

function* sendTo(unit: Unit, params: Params): Run {
  const socket = socketOf(unit, params);
  if (socket.kind !== "UDP") throw new AtError("expected a UDP socket");
  const to = { host: params.str(3, undefined, true), port: params.int(4, 1, 65535) };
  if (socket.net === undefined) {
    const failed = yield* unit.sockets.connect(socket, undefined);
    if (failed !== undefined) throw new AtError(failed.reason);
  }
  return yield* sending(unit, socket, params, 5, "#XSENDTO", to);
}

/** Text, hexadecimal, or data mode: with a length behind OK, or up to +++. */
function* sending(unit: Unit, socket: ModemSocket, params: Params, at: number, prefix: string, to?: Address): Run {
  const mode = params.int(1, Mode.text, Mode.data);
  params.int(2, 0, 0xffff);
  if (mode === Mode.data) {
    const length = params.has(at) ? params.int(at, 1, DATA_MOST) : undefined;
    const bytes = yield* taken({ prompt: "\r\nOK\r\n", ...(length === undefined ? { terminator: PLUS } : { length }) });
    const failed = bytes === undefined ? { reason: "the data did not come whole" } : yield* dispatch(unit, socket, bytes, to);
    if (failed !== undefined) unit.note(failed.reason);
    unit.raw(`\r\n#XDATAMODE: ${failed === undefined ? 0 : -1}\r\n`);
    return UNTOLD;
  }
  const bytes = mode === Mode.hex ? params.hex(at, true) : new Uint8Array(Buffer.from(params.str(at, undefined, true), "latin1"));
  if (bytes.length > HEX_MOST) throw new AtError(`expected at most ${HEX_MOST} octets, got ${bytes.length}`);
  const failed = yield* dispatch(unit, socket, bytes, to);
  if (failed !== undefined) throw new AtError(failed.reason);
  unit.line(`${prefix}: ${socket.id},0,${bytes.length}`);
  return undefined;
}

function* dispatch(unit: Unit, socket: ModemSocket, bytes: Uint8Array, to?: Address): Run<{ readonly reason: string } | undefined> {
  return unit.sendFails ? { reason: "fault" } : yield* unit.sockets.send(socket, bytes, to);
}

function* receive(unit: Unit, params: Params): Run {
  return yield* receiving(unit, params, false);
}

function* receiveFrom(unit: Unit, params: Params): Run {
  return yield* receiving(unit, params, true);
}

function* receiving(unit: Unit, params: Params, from: boolean): Run {
  const socket = socketOf(unit, params);
  const hex = params.int(1, Mode.text, Mode.hex) === Mode.hex;
  const flags = params.int(2, 0, 0xffff);
  const seconds = params.int(3, 0, 0xffff);
  const most = params.int(4, 1, RECEIVE_MOST, RECEIVE_MOST);
  yield* arrival(socket, (flags & DONT_WAIT) !== 0 ? 0 : seconds === 0 ? Infinity : seconds * 1000);
  const got = socket.read(most, true);
  socket.told = false;
  if (got === undefined) throw new AtError("nothing came");
  unit.line(`${from ? "#XRECVFROM" : "#XRECV"}: ${socket.id},${hex ? 1 : 0},${got.bytes.length}${from ? `,"${got.from.host}",${got.from.port}` : ""}`);
  unit.raw(hex ? toHex(got.bytes) : got.bytes);
  if (socket.pending > 0) arrived(unit, socket);
  return undefined;
}

function* arrival(socket: ModemSocket, mostMs: number): Run<void> {
  for (let waited = 0; waited < mostMs && socket.pending === 0 && !socket.closed; waited += STEP_MS) yield* pause(STEP_MS);
}

/** Events asked for are told once, until the next reading. */
function poll(unit: Unit, params: Params): void {
  const sockets = params.has(0) ? [socketOf(unit, params)] : unit.sockets.all;
  const on = params.int(1, 0, 1);
  for (const socket of sockets) {
    if (on === 1) socket.settings.set("poll", String(params.int(2, 0, 255)));
    else socket.settings.delete("poll");
    if (socket.pending > 0) arrived(unit, socket);
  }
}

function automatic(unit: Unit, params: Params): void {
  const sockets = params.has(0) ? [socketOf(unit, params)] : unit.sockets.all;
  for (const socket of sockets) {
    socket.settings.set("auto", String(params.int(1, 0, 3)));
    socket.settings.set("autohex", String(params.int(2, 0, 1, 0)));
  }
}

function arrived(unit: Unit, socket: ModemSocket): void {
  if ((Number(socket.settings.get("auto") ?? "0") & 1) !== 0) {
    const got = socket.read(RECEIVE_MOST, true);
    const hex = socket.settings.get("autohex") === "1";
    if (got !== undefined) unit.urc(`#XRECV: ${socket.id},${hex ? 1 : 0},${got.bytes.length}`, hex ? new TextEncoder().encode(toHex(got.bytes)) : got.bytes);
    return;
  }
  const asked = Number(socket.settings.get("poll") ?? "0");
  if ((asked & POLL_IN) === 0 || socket.told) return;
  socket.told = true;
  unit.urc(`#XAPOLL: ${socket.id},${POLL_IN}`);
}

function close(unit: Unit, params: Params): void {
  const sockets = params.has(0) ? [socketOf(unit, params)] : unit.sockets.all;
  for (const socket of sockets) {
    unit.sockets.close(socket.id);
    unit.line(`#XCLOSE: ${socket.id},0`);
  }
}

function* lookUp(unit: Unit, params: Params): Run {
  const found = yield* unit.sockets.resolve(params.str(0, undefined, true));
  if (found === undefined) throw new AtError("no address is known");
  unit.line(`#XGETADDRINFO: "${found}"`);
  return undefined;
}

/** Credentials; to be written only while the radio is off. */
function credentials(unit: Unit, params: Params): void {
  const [write, list, readBack, remove] = [0, 1, 2, 3];
  const what = params.int(0, write, remove);
  if (what === list) return listCredentials(unit);
  const name = `cmng ${params.int(1, 0, 2 ** 31 - 1)} ${params.int(2, 0, 8)}`;
  if (what === write || what === remove) {
    if (unit.radio.on) throw new AtError("credentials are written only with CFUN=0 or 4", CREDENTIAL.active);
    if (what === write) return void unit.files.set(name, new Uint8Array(Buffer.from(params.str(3, undefined, true), "latin1")));
    if (!unit.files.delete(name)) throw new AtError(`no credential ${name}`, CREDENTIAL.notFound);
    return;
  }
  const content = unit.files.get(name);
  if (what !== readBack || content === undefined) throw new AtError(`no credential ${name}`, CREDENTIAL.notFound);
  unit.line(`%CMNG: ${name.split(" ").slice(1).join(",")},"","${Buffer.from(content).toString("latin1")}"`);
}

function listCredentials(unit: Unit): void {
  for (const name of unit.files.keys()) if (name.startsWith("cmng ")) unit.line(`%CMNG: ${name.split(" ").slice(1).join(",")},""`);
}

function* modemReset(unit: Unit): Run {
  unit.radio.stop();
  unit.uicc.stop();
  unit.line("#XMODEMRESET: 0");
  return undefined;
}

const COMMANDS: CommandTable = {
  ...COMMON,
  ...setting("%XSYSTEMMODE", "1,0,0,0"),
  ...setting("%UICCPOWERSAVE", "0"),
  "%XICCID": { exec: tellsIccid((iccid) => `%XICCID: ${iccid.padEnd(20, "F")}`) },
  "%XSIM": {
    set: (unit, params) => void unit.settings.set("xsim", String(params.int(0, 0, 1))),
    read: (unit) => unit.line(unit.uicc.ready ? "%XSIM: 1" : "%XSIM: 0,9"),
  },
  "%CMNG": { set: credentials },
  "#XSMVER": { exec: (unit) => unit.line(`#XSMVER: "${unit.family.revision}"`) },
  ...NORDIC_SECURE,
  "#XSOCKET": { set: open },
  "#XCONNECT": { set: connect },
  "#XSEND": { set: send },
  "#XSENDTO": { set: sendTo },
  "#XRECV": { set: receive },
  "#XRECVFROM": { set: receiveFrom },
  "#XAPOLL": { set: poll },
  "#XRECVCFG": { set: automatic },
  "#XCLOSE": { set: close, exec: close },
  "#XGETADDRINFO": { set: lookUp },
  "#XRESET": { exec: (unit) => unit.restart(unit.pace.boot) },
  "#XMODEMRESET": { exec: modemReset },
};

export const NRF91: Family = {
  name: "nrf91",
  title: "Nordic nRF91, Serial Modem application",
  unsure: [
    "U: whether the modem follows 61xx on +CGLA (here it does)",
    "L: %XSIM in REFRESH; CFUN=4 takes the card's power",
    "L: starts with CFUN=0",
    "L: sockets outlive PSM while the SiP has power",
    "L: DTLS with ECDSA; U: form of the #XSSOCKETOPT answer, whether a server's own certificate counts as CA (here yes)",
    "L: sign of #XDATAMODE after a failure",
  ],
  manufacturer: "Nordic Semiconductor ASA",
  model: "nRF9151-LACA",
  revision: "mfw_nrf91x1_2.0.2",
  commands: COMMANDS,
  lineMost: 4096,
  quotedLines: true,
  cid: 0,
  automaticPdp: true,
  firstSocket: 0,
  sockets: 8,
  flightDropsCard: true,
  startsAt: 0,
  cfuns: [0, 1, 4, 20, 21, 30, 31, 40, 41, 44],
  psm: "light",
  uicc: { ...PLAIN, follows: true, refusesCaseFour: true, needsProfile: true },
  boot: ["Ready"],
  simReady: ["%XSIM: 1"],
  simGone: ["%XSIM: 0,9"],
  simAsked: "xsim",
  trust: { TLS: ["CA", "certificate", "name", "PSK"], DTLS: ["CA", "certificate", "name", "PSK"] },
  hooks: {
    data: arrived,
    closed: (unit, socket) => hangUp(unit, socket),
    bearerLost(unit, _, sockets) {
      for (const socket of sockets) hangUp(unit, socket);
    },
    asleep: () => undefined,
  },
};

function hangUp(unit: Unit, socket: ModemSocket): void {
  if (socket.settings.has("poll")) unit.urc(`#XAPOLL: ${socket.id},${POLL_ERR_HUP}`);
}
