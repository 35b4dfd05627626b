/** What a family of modems is: a const table of commands and quirks; and what a command can use of the modem that runs it. */
import type { Rng } from "../core/rng.js";
import type { Form, Params } from "./command-line.js";
import type { Secure } from "./net.js";
import type { Pace } from "./pace.js";
import type { Power } from "./power.js";
import type { Radio } from "./radio.js";
import type { Final, Run } from "./run.js";
import type { ModemSocket, Sockets } from "./sockets.js";
import type { Timers } from "./timers.js";
import type { UiccSide } from "./uicc.js";

export const FAMILIES = ["generic", "bg95", "sara-r5", "sim7080", "nrf91"] as const;
export type FamilyName = (typeof FAMILIES)[number];

/** How a modem gives its host access to the UICC (modem-at 1). */
export interface UiccQuirks {
  readonly csim: boolean;
  /** +CCHO, +CGLA, +CCHC. */
  readonly logicalChannels: boolean;
  readonly closes: boolean;
  /** Greatest <length> of +CSIM and +CGLA, in characters. */
  readonly lengthMost: number;
  /** Hexadecimal without quotes is taken. */
  readonly unquoted: boolean;
  /** +CGLA: 61xx and 6Cxx are followed by the modem. */
  readonly follows: boolean;
  /** +CGLA: the channel is put into the class byte, whatever stands there. */
  readonly patchesClass: boolean;
  /** A command with data and Le is refused with +CME ERROR: 50. */
  readonly refusesCaseFour: boolean;
  readonly sessionId: "+CCHO: 1" | "1" | "+CCHO: 0000000003850001" | "+CCHO: 0001";
  readonly testForms: "OK" | "ERROR" | "silent";
  readonly lowerCase: boolean;
  readonly unquotedAnswers: boolean;
  /** +CGLA answers come without "+CGLA: ". */
  readonly noPrefix: boolean;
  /** Without an enabled Profile every UICC command is answered +CME ERROR: 13. */
  readonly needsProfile: boolean;
  /** REFRESH: carried out and told, carried out without a word, or not at all. */
  readonly refresh: "told" | "silent" | "off";
  /** The ICCID stays the old one after REFRESH, until CFUN=0 and 1. */
  readonly staleIccid: boolean;
  /** GET RESPONSE with Le 00 is answered 6100 for ever. */
  readonly endless6100: boolean;
}

export interface Family {
  readonly name: FamilyName;
  readonly title: string;
  /** What of this table is not sure (L likely, U unsure), as modem-at.md grades it. */
  readonly unsure: readonly string[];
  readonly manufacturer: string;
  readonly model: string;
  readonly revision: string;
  readonly commands: CommandTable;
  /** Longest command line, in characters without AT and CR; a longer one is answered ERROR. */
  readonly lineMost: number;
  /** A line goes on behind CR while a quote is open. */
  readonly quotedLines: boolean;
  /** Context of the default bearer. */
  readonly cid: number;
  /** The default bearer serves sockets without being activated by a command. */
  readonly automaticPdp: boolean;
  readonly firstSocket: number;
  readonly sockets: number;
  /** CFUN=4 takes the power from the card. */
  readonly flightDropsCard: boolean;
  /** CFUN after start. */
  readonly startsAt: 0 | 1;
  readonly cfuns: readonly number[];
  /** What PSM does: UART and sockets go ("deep"), only the first octet is lost ("light"). */
  readonly psm: "deep" | "light";
  readonly uicc: UiccQuirks;
  /** URCs at start, before the card is there. */
  readonly boot: readonly string[];
  /** URCs when the card can be used, is gone. */
  readonly simReady: readonly string[];
  readonly simGone: readonly string[];
  /** They come only while this setting is "1". */
  readonly simAsked?: string;
  readonly hooks: Hooks;
  /** By what its own secure sockets can know a server. A pinned public key is in no family's list. */
  readonly trust: { readonly TLS: readonly Trust[]; readonly DTLS: readonly Trust[] };
}

/** CA: a chain up to an uploaded certificate; certificate: the very server's, uploaded; name: the host's name besides; PSK. */
export type Trust = "CA" | "certificate" | "name" | "PSK";

export interface Hooks {
  /** Something arrived on a socket. */
  readonly data: (unit: Unit, socket: ModemSocket) => void;
  readonly closed: (unit: Unit, socket: ModemSocket) => void;
  /** A context that was active is not any more; `sockets` died with it. */
  readonly bearerLost: (unit: Unit, cid: number, sockets: readonly ModemSocket[]) => void;
  readonly asleep: (unit: Unit) => void;
}

export type Handler = (unit: Unit, params: Params) => Final | Run;
export type CommandTable = Readonly<Record<string, Readonly<Partial<Record<Form, Handler>>>>>;

/** The modem as its commands see it. */
export interface Unit {
  readonly family: Family;
  readonly quirks: UiccQuirks;
  readonly pace: Pace;
  readonly timers: Timers;
  readonly rng: Rng;
  readonly uicc: UiccSide;
  readonly radio: Radio;
  readonly sockets: Sockets;
  readonly power: Power;
  readonly secure: Secure;
  /** Settings of the family's commands, gone with a reset. */
  readonly settings: Map<string, string>;
  /** Files and credentials, kept. */
  readonly files: Map<string, Uint8Array>;
  readonly imei: string;
  /** Seconds since 1970 at the modem's time 0. */
  readonly wallClock: number;
  echo: boolean;
  verbose: boolean;
  quiet: boolean;
  cmee: number;
  /** The running command's sending is to fail. */
  readonly sendFails: boolean;
  /** Neither off nor asleep: the network reaches it. */
  readonly reachable: boolean;
  /** Tells simReady or simGone. */
  tellSim(ready: boolean): void;
  /** An information line of the running command. */
  line(text: string): void;
  /** Octets as they are, within the answer. */
  raw(...parts: readonly (string | Uint8Array)[]): void;
  /** An unsolicited line, with counted octets behind it where there are any. */
  urc(text: string, payload?: Uint8Array): void;
  note(text: string): void;
  /** The modem's clock. */
  readonly date: Date;
  /** Runs something that takes its time outside of any command. */
  background(run: Run<void>): void;
  /** Restarts after `ms`; everything volatile is gone. */
  restart(ms: number): void;
  /** Off until powerOn, or wake. */
  powerOff(): void;
}
