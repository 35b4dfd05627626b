/** A modem with nothing but 3GPP TS 27.007: registration, contexts, UICC access; no sockets. The base of the other families' tables. */
import type { CommandTable, Family, Hooks, UiccQuirks } from "../family.js";
import { BASIC } from "./basic.js";
import { NETWORK } from "./network.js";
import { UICC } from "./uicc-commands.js";

export const COMMON: CommandTable = { ...BASIC, ...NETWORK, ...UICC };

/** What 27.007 says, where it says anything. */
export const PLAIN: UiccQuirks = {
  csim: true,
  logicalChannels: true,
  closes: true,
  lengthMost: 522,
  unquoted: true,
  follows: false,
  patchesClass: true,
  refusesCaseFour: false,
  sessionId: "+CCHO: 1",
  testForms: "OK",
  lowerCase: false,
  unquotedAnswers: false,
  noPrefix: false,
  needsProfile: false,
  refresh: "told",
  staleIccid: false,
  endless6100: false,
};

export const NO_HOOKS: Hooks = { data: () => undefined, closed: () => undefined, bearerLost: () => undefined, asleep: () => undefined };

export const GENERIC: Family = {
  name: "generic",
  title: "3GPP TS 27.007, no sockets",
  unsure: ["L: +CME ERROR numbers of failed UICC commands differ between modems", "L: order and presence of +CPIN URCs after REFRESH"],
  manufacturer: "Simulated",
  model: "TS27007",
  revision: "1.0",
  commands: { ...COMMON, "+CCID": { exec: (unit) => unit.line(`+CCID: ${unit.uicc.iccid ?? ""}`) } },
  lineMost: 560,
  quotedLines: false,
  cid: 1,
  automaticPdp: true,
  firstSocket: 0,
  sockets: 0,
  flightDropsCard: false,
  startsAt: 1,
  cfuns: [0, 1, 4],
  psm: "light",
  uicc: PLAIN,
  boot: [],
  simReady: ["+CPIN: READY"],
  simGone: ["+CPIN: NOT READY"],
  hooks: NO_HOOKS,
  trust: { TLS: [], DTLS: [] },
};
