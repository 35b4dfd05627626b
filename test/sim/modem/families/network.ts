/** Registration, PDP contexts, signal, power saving (3GPP TS 27.007 7.1, 7.2, 7.38, 7.40, 8.2, 10.1). Left out: network scan, QoS, SMS. */
import { AtError, CME } from "../at-error.js";
import type { Params } from "../command-line.js";
import type { CommandTable, Unit } from "../family.js";
import type { Run } from "../run.js";

const LTE_M = 4;
const NB_IOT = 5;

function functionality(unit: Unit, params: Params): void {
  const fun = params.int(0, 0, 127);
  if (!unit.family.cfuns.includes(fun)) throw new AtError(`expected one of ${unit.family.cfuns.join(", ")}, got ${fun}`, CME.incorrectParameters);
  if (fun === 15 || fun === 16 || params.int(1, 0, 1, 0) === 1) return unit.restart(unit.pace.boot);
  unit.settings.set("cfun", String(fun));
  if (fun === 1) {
    unit.uicc.start();
    unit.radio.start();
  } else if (fun === 20) unit.radio.stop();
  else if (fun === 21) unit.radio.start();
  else if (fun === 40) unit.uicc.stop();
  else if (fun === 41) unit.uicc.start();
  else {
    unit.radio.stop();
    if (fun === 0 || (fun === 4 && unit.family.flightDropsCard)) unit.uicc.stop();
  }
}

function* attach(unit: Unit, params: Params): Run {
  if (params.int(0, 0, 1) === 1) yield* unit.radio.activate(unit.family.cid);
  else for (const cid of unit.radio.contexts) unit.radio.deactivate(cid);
  return undefined;
}

function* activate(unit: Unit, params: Params): Run {
  const cid = params.int(1, 0, 15, unit.family.cid);
  if (params.int(0, 0, 1) === 1) yield* unit.radio.activate(cid);
  else unit.radio.deactivate(cid);
  return undefined;
}

function operator(unit: Unit, params: Params): void {
  const mode = params.int(0, 0, 4);
  if (mode === 3) unit.settings.set("copsFormat", String(params.int(1, 0, 2)));
  else if (mode === 2) unit.radio.stop();
  else unit.radio.start();
}

function tellOperator(unit: Unit): void {
  if (!unit.radio.registered) return unit.line("+COPS: 0");
  const format = unit.settings.get("copsFormat") ?? "0";
  const name = format === "2" ? unit.radio.operator : `Test ${unit.radio.operator}`;
  unit.line(`+COPS: 0,${format},"${name}",${unit.settings.get("act") ?? "7"}`);
}

function psm(unit: Unit, params: Params): void {
  const mode = params.int(0, 0, 2);
  if (mode !== 1) return unit.power.setPsm(undefined);
  unit.power.setPsm({ periodic: params.str(3, "00000001"), active: params.str(4, "00000010") });
}

function tellPsm(unit: Unit): void {
  const { psm: set } = unit.power;
  unit.line(set === undefined ? "+CPSMS: 0" : `+CPSMS: 1,,,"${set.periodic}","${set.active}"`);
}

function edrx(unit: Unit, params: Params): void {
  const mode = params.int(0, 0, 3);
  if (mode === 0 || mode === 3) {
    unit.power.edrx = undefined;
    return;
  }
  unit.power.setEdrx(params.int(1, LTE_M, NB_IOT, LTE_M), params.str(2, "0010"), mode === 2);
}

export const NETWORK: CommandTable = {
  "+CFUN": {
    set: functionality,
    read: (unit) => unit.line(`+CFUN: ${unit.settings.get("cfun") ?? "1"}`),
  },
  "+CEREG": {
    set: (unit, params) => void (unit.radio.reporting = params.int(0, 0, 5)),
    read: (unit) => unit.line(`+CEREG: ${unit.radio.reporting},${unit.radio.report()}`),
    test: (unit) => unit.line("+CEREG: (0-5)"),
  },
  "+COPS": { set: operator, read: tellOperator },
  "+CSQ": { exec: (unit) => unit.line(unit.radio.registered ? "+CSQ: 20,99" : "+CSQ: 99,99") },
  "+CESQ": { exec: (unit) => unit.line(unit.radio.registered ? "+CESQ: 99,99,255,255,20,50" : "+CESQ: 99,99,255,255,255,255") },
  "+CGATT": { set: attach, read: (unit) => unit.line(`+CGATT: ${unit.radio.registered ? 1 : 0}`) },
  "+CGACT": {
    set: activate,
    read(unit) {
      const all = new Set([unit.family.cid, ...unit.radio.apns.keys(), ...unit.radio.contexts]);
      for (const cid of [...all].sort((a, b) => a - b)) unit.line(`+CGACT: ${cid},${unit.radio.active(cid) ? 1 : 0}`);
    },
  },
  "+CGDCONT": {
    set(unit, params) {
      const type = params.str(1, "IP");
      if (!["IP", "IPV6", "IPV4V6", "Non-IP"].includes(type)) throw new AtError(`expected a PDP type, got "${type}"`, CME.incorrectParameters);
      unit.radio.apns.set(params.int(0, 0, 15), { type, apn: params.str(2, "") });
    },
    read(unit) {
      for (const [cid, { type, apn }] of [...unit.radio.apns].sort(([a], [b]) => a - b)) unit.line(`+CGDCONT: ${cid},"${type}","${apn}","0.0.0.0",0,0`);
    },
  },
  "+CGPADDR": {
    set(unit, params) {
      const cid = params.int(0, 0, 15);
      unit.line(unit.radio.active(cid) ? `+CGPADDR: ${cid},"${unit.radio.address(cid)}"` : `+CGPADDR: ${cid}`);
    },
    exec(unit) {
      for (const cid of unit.radio.contexts) unit.line(`+CGPADDR: ${cid},"${unit.radio.address(cid)}"`);
    },
  },
  "+CGCONTRDP": {
    set(unit, params) {
      const cid = params.int(0, 0, 15, unit.family.cid);
      const apn = unit.radio.apns.get(cid)?.apn || "iot.example";
      if (unit.radio.active(cid)) unit.line(`+CGCONTRDP: ${cid},5,"${apn}","${unit.radio.address(cid)}.255.255.255.0","10.0.0.1","192.0.2.53","",,,,,1280`);
    },
  },
  "+CGEREP": { set: (unit, params) => void unit.settings.set("cgerep", String(Math.min(1, params.int(0, 0, 2)))) },
  "+CPSMS": { set: psm, read: tellPsm },
  "+CEDRXS": {
    set: edrx,
    read(unit) {
      const { edrx: set } = unit.power;
      if (set !== undefined) unit.line(`+CEDRXS: ${set.act},"${set.bits}"`);
    },
  },
  "+CEDRXRDP": {
    exec(unit) {
      const { edrx: set } = unit.power;
      unit.line(set === undefined || !unit.radio.registered ? "+CEDRXRDP: 0" : `+CEDRXRDP: ${set.act},"${set.bits}","${set.bits}","0001"`);
    },
  },
};
