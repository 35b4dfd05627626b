/** Commands of every modem: V.250 settings, identity, clock (3GPP TS 27.007 5, 6 and 8). Left out: dialling, SMS, phone book. */
import { AtError, CME } from "../at-error.js";
import type { CommandTable, Unit } from "../family.js";
import type { Final } from "../run.js";

function flag(set: (unit: Unit, on: boolean) => void): (unit: Unit, params: { int(i: number, a: number, b: number, c?: number): number }) => Final {
  return (unit, params) => void set(unit, params.int(0, 0, 1, 0) === 1);
}

function tells(text: (unit: Unit) => string) {
  return (unit: Unit): void => unit.line(text(unit));
}

/** yy/MM/dd,hh:mm:ss+zz, the zone in quarters of an hour. */
function clock(unit: Unit): string {
  const at = unit.date.toISOString();
  return `${at.slice(2, 10).replaceAll("-", "/")},${at.slice(11, 19)}+00`;
}

export const BASIC: CommandTable = {
  E: { exec: flag((unit, on) => (unit.echo = on)) },
  V: { exec: flag((unit, on) => (unit.verbose = on)) },
  Q: { exec: flag((unit, on) => (unit.quiet = on)) },
  Z: { exec: () => undefined },
  H: { exec: () => undefined },
  X: { exec: () => undefined },
  "&F": { exec: (unit) => void Object.assign(unit, { echo: true, verbose: true, quiet: false, cmee: 0 }) },
  "&W": { exec: () => undefined },
  "&D": { exec: () => undefined },
  "&K": { exec: () => undefined },
  "&C": { exec: () => undefined },
  S3: { set: (_, params) => void params.int(0, 13, 13), read: tells(() => "013") },
  S4: { set: (_, params) => void params.int(0, 10, 10), read: tells(() => "010") },
  S5: { set: (_, params) => void params.int(0, 8, 8), read: tells(() => "008") },
  I: {
    exec(unit) {
      unit.line(unit.family.manufacturer);
      unit.line(unit.family.model);
      unit.line(`Revision: ${unit.family.revision}`);
    },
  },
  "+CGMI": { exec: tells((unit) => unit.family.manufacturer) },
  "+CGMM": { exec: tells((unit) => unit.family.model) },
  "+CGMR": { exec: tells((unit) => unit.family.revision) },
  "+GMI": { exec: tells((unit) => unit.family.manufacturer) },
  "+GMM": { exec: tells((unit) => unit.family.model) },
  "+GMR": { exec: tells((unit) => unit.family.revision) },
  "+CGSN": {
    exec: tells((unit) => unit.imei),
    set(unit, params) {
      if (params.int(0, 0, 3) === 1) unit.line(`+CGSN: "${unit.imei}"`);
      else unit.line(unit.imei);
    },
  },
  "+GSN": { exec: tells((unit) => unit.imei) },
  "+CMEE": {
    set: (unit, params) => void (unit.cmee = params.int(0, 0, 2)),
    read: tells((unit) => `+CMEE: ${unit.cmee}`),
    test: tells(() => "+CMEE: (0,1,2)"),
  },
  "+IPR": { set: (_, params) => void params.int(0, 0, 3_000_000), read: tells(() => "+IPR: 115200") },
  "+IFC": { set: (_, params) => void (params.int(0, 0, 2) + params.int(1, 0, 2)), read: tells(() => "+IFC: 2,2") },
  "+CCLK": { read: tells((unit) => `+CCLK: "${clock(unit)}"`) },
  "+CTZU": { set: (_, params) => void params.int(0, 0, 3) },
  "+CSCS": { set: (_, params) => void params.str(0) },
  "+CPIN": {
    read(unit) {
      if (!unit.uicc.inserted) throw new AtError("no card", CME.simNotInserted);
      if (!unit.uicc.ready) throw new AtError("the card starts", CME.simBusy);
      unit.line("+CPIN: READY");
    },
  },
  "+CIMI": {
    exec(unit) {
      unit.uicc.check();
      if (unit.uicc.iccid === undefined) throw new AtError("no Profile is enabled", CME.simFailure);
      // The simulated Profiles have no USIM: network, and the end of the ICCID.
      unit.line(`${unit.radio.operator}${unit.uicc.iccid.slice(-(15 - unit.radio.operator.length))}`);
    },
  },
};

/** A command that tells the ICCID in the family's form. */
export function tellsIccid(form: (iccid: string) => string): (unit: Unit) => void {
  return (unit) => {
    unit.uicc.check();
    if (unit.uicc.iccid === undefined) throw new AtError("no Profile is enabled", CME.simFailure);
    unit.line(form(unit.uicc.iccid));
  };
}

/** A setting that is kept and told again, and has no other effect here. */
export function setting(name: string, initial: string): CommandTable {
  return {
    [name]: {
      set: (unit, params) => void unit.settings.set(name, params.text),
      read: (unit) => unit.line(`${name}: ${unit.settings.get(name) ?? initial}`),
    },
  };
}
