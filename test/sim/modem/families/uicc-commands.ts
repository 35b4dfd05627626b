/** UICC access (3GPP TS 27.007 8.17, 8.18, 8.43, 8.45, 8.46), as the quirks of the family have it. Left out: +CRLA, +CUAD; +CRSM knows READ BINARY of EF ICCID and STATUS. */
import { toHex } from "../../core/bytes.js";
import { AtError, CME } from "../at-error.js";
import type { Params } from "../command-line.js";
import type { CommandTable, Handler, Unit } from "../family.js";
import { pause, settled, UNTOLD, type Final, type Run } from "../run.js";

const MANAGE_CHANNEL = 0x70;
const READ_BINARY = 176;
const STATUS = 242;
const EF_ICCID = 0x2fe2;

/** APDU parameters <length>,<command>; throws AtError for what this family refuses. */
function apdu(unit: Unit, params: Params, at: number): Uint8Array {
  const { quirks } = unit;
  const length = params.int(at, 8, quirks.lengthMost);
  const command = params.hex(at + 1, !quirks.unquoted);
  if (command.length * 2 !== length) throw new AtError(`expected ${length} characters, got ${command.length * 2}`, CME.incorrectParameters);
  const extra = command.length - 5 - (command[4] ?? 0);
  // MANAGE CHANNEL close is taken with and without P3.
  if (quirks.refusesCaseFour && command.length > 5 && extra !== 0 && command[1] !== MANAGE_CHANNEL) {
    throw new AtError(`expected P3 to fit the length, got ${toHex(command.subarray(0, 5))} with ${command.length} octets`, CME.incorrectParameters);
  }
  return command;
}

function told(unit: Unit, prefix: string, response: Uint8Array): void {
  const hex = unit.quirks.lowerCase ? toHex(response).toLowerCase() : toHex(response);
  unit.line(`${prefix}${hex.length},${unit.quirks.unquotedAnswers ? hex : `"${hex}"`}`);
}

function* csim(unit: Unit, params: Params): Run {
  const command = apdu(unit, params, 0);
  unit.uicc.check();
  yield* pause(unit.pace.apdu);
  told(unit, "+CSIM: ", yield* settled(unit.uicc.exchange(command)));
  return undefined;
}

function* open(unit: Unit, params: Params): Run {
  const aid = params.hex(0, !unit.quirks.unquoted);
  if (aid.length < 1 || aid.length > 16) throw new AtError(`expected a DF name of 1 to 16 octets, got ${aid.length}`, CME.incorrectParameters);
  unit.uicc.check();
  yield* pause(unit.pace.apdu);
  const id = yield* settled(unit.uicc.open(aid));
  unit.line(unit.quirks.sessionId === "1" ? id : `+CCHO: ${id}`);
  return undefined;
}

function* transmit(unit: Unit, params: Params): Run {
  const command = apdu(unit, params, 1);
  unit.uicc.check();
  unit.uicc.channel(params.str(0));
  yield* pause(unit.pace.apdu);
  told(unit, unit.quirks.noPrefix ? "" : "+CGLA: ", yield* settled(unit.uicc.onSession(params.str(0), command)));
  return undefined;
}

function* close(unit: Unit, params: Params): Run {
  if (!unit.quirks.closes) throw new AtError("the command is not known");
  unit.uicc.check();
  yield* settled(unit.uicc.close(params.str(0)));
  return undefined;
}

function files(unit: Unit, params: Params): void {
  unit.uicc.check();
  const command = params.int(0, 0, 255);
  if (command === STATUS) return unit.line("+CRSM: 144,0");
  if (command !== READ_BINARY) throw new AtError(`expected READ BINARY or STATUS, got ${command}`, CME.notSupported);
  if (params.int(1, 0, 0xffff) !== EF_ICCID || unit.uicc.iccid === undefined) return unit.line("+CRSM: 106,130");
  const [high, low] = [params.int(2, 0, 127, 0), params.int(3, 0, 255, 0)];
  const most = params.int(4, 0, 255, 0);
  const bytes = unit.uicc.iccidFile.subarray(high * 256 + low);
  unit.line(`+CRSM: 144,0,"${toHex(most === 0 ? bytes : bytes.subarray(0, most))}"`);
}

/** "=?": several modems answer ERROR or nothing, though the command is there. */
function test(unit: Unit): Final {
  if (unit.quirks.testForms === "ERROR") throw new AtError("the test form is not known");
  return unit.quirks.testForms === "silent" ? UNTOLD : undefined;
}

function ifHas(what: (unit: Unit) => boolean, handler: Handler): Handler {
  return (unit, params) => {
    if (!what(unit)) throw new AtError("the command is not known");
    return handler(unit, params);
  };
}

const sessions = (unit: Unit): boolean => unit.quirks.logicalChannels;
const raw = (unit: Unit): boolean => unit.quirks.csim;

export const UICC: CommandTable = {
  "+CSIM": { set: ifHas(raw, csim), test: ifHas(raw, test) },
  "+CCHO": { set: ifHas(sessions, open), test: ifHas(sessions, test) },
  "+CGLA": { set: ifHas(sessions, transmit), test: ifHas(sessions, test) },
  "+CCHC": { set: ifHas(sessions, close), test: ifHas(sessions, test) },
  "+CRSM": { set: files },
};
