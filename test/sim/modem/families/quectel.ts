/** Quectel BG95 and BG77 (modem-at 6.1): QI sockets in buffer and push mode, QIRD until empty, DNS. Left out: transparent mode, TCP servers, the modem's own LPA. */
import { Params } from "../command-line.js";
import type { CommandTable, Family, Unit } from "../family.js";
import { pause, taken, type Final, type Run } from "../run.js";
import type { ModemSocket } from "../sockets.js";
import { setting, tellsIccid } from "./basic.js";
import { COMMON, PLAIN } from "./generic.js";
import { QUECTEL_SECURE, secureArrived } from "./quectel-secure.js";
import { QI, refuse, sending, SEND_MOST, READ_MOST, socketOf } from "./quectel-shared.js";

const QI_TEXT: Readonly<Record<number, string>> = {
  0: "operate successfully", 552: "invalid parameters", 561: "open PDP context failed", 563: "socket identity has been used", 565: "DNS parse failed", 566: "socket connect failed", 567: "socket has been closed", 572: "operation not allowed",
};
const SUB = Uint8Array.of(0x1a);
/** UDP SERVICE has no peer: each datagram names its own. */
const SERVICE = "service";
const PUSH = 1;
/** Between the last URC and silence. */
const LAST_WORD_MS = 10;
const NO_PARAMS = new Params("");

function* activate(unit: Unit, params: Params): Run {
  const cid = params.int(0, 1, 7);
  yield* unit.radio.activate(cid);
  unit.settings.set(`qiact${cid}`, "1");
  return undefined;
}

function deactivate(unit: Unit, params: Params): void {
  const cid = params.int(0, 1, 7);
  unit.settings.delete(`qiact${cid}`);
  for (const socket of unit.sockets.all) if (socket.cid === cid) unit.sockets.close(socket.id);
}

function tellActive(unit: Unit): void {
  for (const cid of unit.radio.contexts) if (unit.settings.has(`qiact${cid}`)) unit.line(`+QIACT: ${cid},1,1,"${unit.radio.address(cid)}"`);
}

function open(unit: Unit, params: Params): Final {
  const cid = params.int(0, 1, 16);
  const id = params.int(1, 0, 11);
  const type = params.str(2, undefined, true);
  const host = params.str(3, undefined, true);
  const port = params.int(4, 0, 65535);
  const mode = params.int(6, 0, 2, 0);
  if (type !== "TCP" && type !== "UDP" && type !== "UDP SERVICE") refuse(unit, QI.parameter, `expected "TCP", "UDP" or "UDP SERVICE", got "${type}"`);
  if (mode > PUSH) refuse(unit, QI.parameter, "transparent mode is not simulated");
  if (unit.sockets.get(id) !== undefined) refuse(unit, QI.inUse, `socket ${id} is in use`);
  const socket = unit.sockets.create(id, type === "TCP" ? "TCP" : "UDP", cid);
  socket.mode = mode;
  if (type === "UDP SERVICE") socket.settings.set(SERVICE, "1");
  unit.background(opening(unit, socket, type === "UDP SERVICE" ? undefined : { host, port }));
  return undefined;
}

function* opening(unit: Unit, socket: ModemSocket, peer: { host: string; port: number } | undefined): Run<void> {
  const active = unit.settings.has(`qiact${socket.cid}`);
  const failed = active ? yield* unit.sockets.connect(socket, peer) : undefined;
  const error = !active ? QI.pdp : failed === undefined ? QI.ok : failed.failure === "name" ? QI.dns : QI.connect;
  unit.settings.set("qierror", String(error));
  if (error !== QI.ok) unit.sockets.close(socket.id);
  unit.urc(`+QIOPEN: ${socket.id},${error}`);
}

function* send(unit: Unit, params: Params): Run {
  const socket = socketOf(unit, params);
  if (params.has(1) && params.int(1, 0, SEND_MOST) === 0) {
    unit.line(`+QISEND: ${socket.sent},${socket.sent},0`);
    return undefined;
  }
  const length = params.has(1) ? params.int(1, 1, SEND_MOST) : undefined;
  const to = params.has(2) ? { host: params.str(2), port: params.int(3, 1, 65535) } : undefined;
  if (socket.settings.has(SERVICE) !== (to !== undefined)) refuse(unit, QI.parameter, "an address goes with UDP SERVICE, and only with it");
  if (socket.closed) refuse(unit, QI.closed, `socket ${socket.id} was closed`);
  const bytes = yield* taken({ prompt: "\r\n> ", ...(length === undefined ? { terminator: SUB, escape: true } : { length }) });
  if (bytes === undefined) return "SEND FAIL";
  return yield* sending(unit, socket, bytes, to);
}

function* sendHex(unit: Unit, params: Params): Run {
  const bytes = params.hex(1, true);
  if (bytes.length > SEND_MOST / 2) refuse(unit, QI.parameter, `expected at most ${SEND_MOST / 2} octets, got ${bytes.length}`);
  return yield* sending(unit, socketOf(unit, params), bytes);
}

function read(unit: Unit, params: Params): void {
  const socket = socketOf(unit, params);
  const most = params.int(1, 0, READ_MOST, READ_MOST);
  if (most === 0) return unit.line(`+QIRD: ${socket.received + socket.pending},${socket.received},${socket.pending}`);
  const got = socket.read(most);
  // "recv" comes again only when this socket was found empty.
  if (got === undefined) socket.told = false;
  if (got === undefined) return unit.line("+QIRD: 0");
  unit.line(`+QIRD: ${got.bytes.length}${socket.settings.has(SERVICE) ? `,"${got.from.host}",${got.from.port}` : ""}`);
  unit.raw(got.bytes);
}

function close(unit: Unit, params: Params): void {
  unit.sockets.close(params.int(0, 0, 11));
}

function lookUp(unit: Unit, params: Params): Final {
  params.int(0, 1, 16);
  const host = params.str(1, undefined, true);
  unit.background(lookingUp(unit, host));
  return undefined;
}

function* lookingUp(unit: Unit, host: string): Run<void> {
  const found = yield* unit.sockets.resolve(host);
  if (found === undefined) return unit.urc(`+QIURC: "dnsgip",${QI.dns}`);
  unit.urc(`+QIURC: "dnsgip",0,1,600`);
  unit.urc(`+QIURC: "dnsgip","${found}"`);
}

function state(unit: Unit, params: Params): void {
  const only = params.count > 1 ? params.int(1, 0, 11) : undefined;
  for (const socket of unit.sockets.all) {
    if (only !== undefined && socket.id !== only) continue;
    const { host, port } = socket.peer ?? { host: "0.0.0.0", port: 0 };
    unit.line(`+QISTATE: ${socket.id},"${socket.settings.has(SERVICE) ? "UDP SERVICE" : socket.kind}","${host}",${port},0,${socket.closed ? 4 : 2},${socket.cid},0,${socket.mode},"uart1"`);
  }
}

function tellError(unit: Unit): void {
  const error = Number(unit.settings.get("qierror") ?? "0");
  unit.line(`+QIGETERROR: ${error},${QI_TEXT[error] ?? "unknown error"}`);
}

function powerDown(unit: Unit): Final {
  unit.background(poweringDown(unit));
  return undefined;
}

function* poweringDown(unit: Unit): Run<void> {
  unit.urc("POWERED DOWN");
  yield* pause(LAST_WORD_MS);
  unit.powerOff();
}

function context(_: Unit, params: Params): void {
  params.int(0, 1, 16);
  if (params.count > 1) params.int(1, 1, 3);
}

const COMMANDS: CommandTable = {
  ...COMMON,
  ...QUECTEL_SECURE,
  ...setting("+QURCCFG", '"urcport","uart1"'),
  ...setting("+QCFG", ""),
  ...setting("+QICFG", ""),
  ...setting("+QSCLK", "0"),
  ...setting("+QINDCFG", ""),
  "+QCCID": { exec: tellsIccid((iccid) => `+QCCID: ${iccid}`) },
  "+CCID": { exec: tellsIccid((iccid) => `+CCID: ${iccid}`) },
  "+QICSGP": { set: context },
  "+QIACT": { set: activate, read: tellActive },
  "+QIDEACT": { set: deactivate },
  "+QIOPEN": { set: open },
  "+QISEND": { set: send },
  "+QISENDEX": { set: sendHex },
  "+QIRD": { set: read },
  "+QICLOSE": { set: close },
  "+QISTATE": { set: state, exec: state, read: (unit) => state(unit, NO_PARAMS) },
  "+QIGETERROR": { exec: tellError },
  "+QIDNSGIP": { set: lookUp },
  "+QIDNSCFG": { set: () => undefined },
  "+QPOWD": { exec: powerDown, set: powerDown },
  "+QPSMS": { set: (unit, params) => unit.power.setPsm(params.int(0, 0, 1) === 1 ? { periodic: params.str(3, "00000001"), active: params.str(4, "00000010") } : undefined) },
  "+QUSIM": { read: (unit) => unit.line(`+QUSIM: ${unit.uicc.ready ? 1 : 0}`) },
};

/** One "recv" until the host has read all of it; in push mode the data come along. */
function arrived(unit: Unit, socket: ModemSocket): void {
  if (socket.kind === "TLS" || socket.kind === "DTLS") return secureArrived(unit, socket);
  if (socket.mode !== PUSH) {
    if (!socket.told) unit.urc(`+QIURC: "recv",${socket.id}`);
    socket.told = true;
    return;
  }
  const got = socket.read(READ_MOST);
  if (got !== undefined) unit.urc(`+QIURC: "recv",${socket.id},${got.bytes.length}${socket.settings.has(SERVICE) ? `,"${got.from.host}",${got.from.port}` : ""}`, got.bytes);
}

export const BG95: Family = {
  name: "bg95",
  title: "Quectel BG95 and BG77",
  unsure: [
    "U: +CCHO, +CGLA and +CCHC on the BG95 (known good on EG25 and EC2x)",
    "L: numbers of +QIGETERROR",
    "L: order of the URCs at start",
    "U: what is left of a datagram that +QIRD reads in part (kept here)",
    "L: DTLS sockets with PSK; U: DTLS with certificates (here absent)",
    "U: whether the server's name is checked (here not), whether its own certificate counts as CA (here yes)",
    "U: numbers of +QSSLOPEN (here those of +QIOPEN)",
  ],
  manufacturer: "Quectel",
  model: "BG95-M3",
  revision: "BG95M3LAR02A04",
  commands: COMMANDS,
  lineMost: 2048,
  quotedLines: false,
  cid: 1,
  automaticPdp: true,
  firstSocket: 0,
  sockets: 12,
  flightDropsCard: false,
  startsAt: 1,
  cfuns: [0, 1, 4],
  psm: "deep",
  uicc: { ...PLAIN, unquoted: false, refusesCaseFour: true },
  boot: ["RDY", "APP RDY"],
  simReady: ["+CPIN: READY", "+QUSIM: 1", "+QIND: SMS DONE"],
  simGone: ["+CPIN: NOT READY"],
  trust: { TLS: ["CA", "certificate"], DTLS: ["PSK"] },
  hooks: {
    data: arrived,
    closed: (unit, socket) => unit.urc(`${socket.kind === "UDP" || socket.kind === "TCP" ? "+QIURC" : "+QSSLURC"}: "closed",${socket.id}`),
    bearerLost(unit, cid) {
      if (unit.settings.delete(`qiact${cid}`)) unit.urc(`+QIURC: "pdpdeact",${cid}`);
    },
    asleep: (unit) => unit.urc("PSM POWER DOWN"),
  },
};
