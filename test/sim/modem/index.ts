/**
 * The device around the card: `Modem` in virtual time without AT commands (the present world), and `AtModem`, which speaks AT.
 *
 * ```ts
 * const modem = new AtModem({ family: "bg95", card: euicc, net: new LoopbackNet({ names: { "eim.example.com": "127.0.0.1:5684" } }) });
 * modem.onData = (bytes) => host.hears(bytes);
 * modem.powerOn();
 * modem.write(utf8("AT+CCHO=\"A0000005591010FFFFFFFF8900000100\"\r"));
 * modem.transcript.print();
 * ```
 */
export { AtModem, type AtModemOptions } from "./at-modem.js";
export * as faults from "./at-faults.js";
export { FAULT_FORMS, readFault, type Fault } from "./at-faults.js";
export { dtlsSockets, type DtlsMachine, type DtlsOutput, type MakeDtls } from "./dtls.js";
export { servePty, serveTcp, serveUnix, type Door } from "./doors.js";
export { FAMILIES, type Family, type FamilyName, type UiccQuirks } from "./family.js";
export { familyOf } from "./families/index.js";
export { LoopbackNet, type LoopbackOptions } from "./loopback.js";
export { Modem, type ModemOptions, type ModemState } from "./modem.js";
export type { Address, Net, NetEvents, NetSocket, Secure, SecureOpen, SecureOptions } from "./net.js";
export { IDEAL_PACE, QUICK_PACE, REAL_PACE, type Pace } from "./pace.js";
export { Stat, type Coverage } from "./radio.js";
export { modemSecure } from "./secure.js";
export { RealTimers, VirtualTimers, type Timers } from "./timers.js";
export { octets, printable, Transcript } from "./transcript.js";
export type { AnyCard } from "./uicc.js";
