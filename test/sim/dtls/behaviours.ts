/** The named behaviours of a simulated DTLS peer (coap-dtls 7). Loss and order on the way are the link's; keys and certificates are options. */
import { concat, utf8 } from "../core/bytes.js";
import type { DtlsBehaviour, FlightNumber } from "./behaviour.js";
import { Alert, Content, DTLS_1_0, Handshake } from "./constants.js";
import { readServerHello, writeServerHello } from "./messages.js";
import { newLayer, sealRecord } from "./record.js";

/** A flight is not sent the first so many times. */
export function losesFlight(number: FlightNumber, times = 1): DtlsBehaviour {
  return limited(`losesFlight(${number})`, number, times, () => []);
}

/** The datagrams of a flight come in reverse order. */
export function reversesFlight(number: FlightNumber, times = 1): DtlsBehaviour {
  return limited(`reversesFlight(${number})`, number, times, (datagrams) => [...datagrams].reverse());
}

/** Each datagram of a flight comes twice. */
export function doublesFlight(number: FlightNumber): DtlsBehaviour {
  return { name: `doublesFlight(${number})`, flight: (sent, datagrams) => (sent === number ? datagrams.flatMap((one) => [one, one]) : datagrams) };
}

/** An unauthenticated fatal alert comes before a flight: it must not end the handshake (coap-dtls 5.1). */
export function injectsAlert(description: number = Alert.HandshakeFailure, number: FlightNumber = 4): DtlsBehaviour {
  return limited(`injectsAlert(${description})`, number, 1, (datagrams) => [plain(Content.Alert, Uint8Array.of(2, description)), ...datagrams]);
}

/** An unauthenticated alert comes before the first application data. */
export function injectsAlertLater(description: number = Alert.CloseNotify): DtlsBehaviour {
  return onData(`injectsAlertLater(${description})`, (datagrams) => [plain(Content.Alert, Uint8Array.of(2, description)), ...datagrams]);
}

/** Records of epoch 0 come between application data: data, a handshake message, and no record at all. */
export function garbage(): DtlsBehaviour {
  const junk = [plain(Content.Data, utf8("forged")), plain(Content.Handshake, new Uint8Array(12)), plain(Content.ChangeCipherSpec, Uint8Array.of(1)), Uint8Array.of(0xff, 0, 1), utf8("no record at all")];
  return { name: "garbage()", data: (datagrams) => [...junk, ...datagrams, ...junk], flight: (number, datagrams) => (number === 2 ? datagrams : [...junk.slice(3), ...datagrams]) };
}

/** Every record of application data comes again, so many times. */
export function replaysRecords(times = 1): DtlsBehaviour {
  return { name: `replaysRecords(${times})`, data: (datagrams) => datagrams.flatMap((one) => Array.from({ length: times + 1 }, () => one)) };
}

/** In front of each record of application data comes a copy with a bit of its MAC turned. */
export function forgesRecords(): DtlsBehaviour {
  return { name: "forgesRecords()", data: (datagrams) => datagrams.flatMap((one) => [turned(one), one]) };
}

/** The PSK that is used differs in its last octet. */
export function wrongPsk(): DtlsBehaviour {
  return { name: "wrongPsk()", psk: turned };
}

/** ServerHello says DTLS 1.0. */
export function picksOldVersion(): DtlsBehaviour {
  return onServerHello("picksOldVersion()", (hello) => ({ ...hello, version: DTLS_1_0 }));
}

/** ServerHello picks a suite; by default one that hardly anybody offers: TLS_RSA_WITH_NULL_SHA256. */
export function picksSuite(id = 0x003b): DtlsBehaviour {
  return onServerHello(`picksSuite(${id})`, (hello) => ({ ...hello, suite: id }));
}

/** ServerHello lacks an extension that was agreed on: a downgrade where it is extended_master_secret (23). */
export function leavesOutExtension(type = 23): DtlsBehaviour {
  return onServerHello(`leavesOutExtension(${type})`, (hello) => ({ ...hello, extensions: new Map([...hello.extensions].filter(([number]) => number !== type)) }));
}

/** ServerHello answers an extension that nobody asked for. */
export function addsExtension(type = 0x1234): DtlsBehaviour {
  return onServerHello(`addsExtension(${type})`, (hello) => ({ ...hello, extensions: new Map([...hello.extensions, [type, new Uint8Array(0)]]) }));
}

/** A handshake message differs in its last octet: the signature of ServerKeyExchange (12), verify_data of Finished (20). */
export function spoils(type: number): DtlsBehaviour {
  return { name: `spoils(${type})`, handshake: (sent, body) => (sent === type ? turned(body) : body) };
}

/** A handshake message is left out. */
export function leavesOut(type: number): DtlsBehaviour {
  return { name: `leavesOut(${type})`, handshake: (sent, body) => (sent === type ? undefined : body) };
}

/** Flights lack their ChangeCipherSpec. */
export function leavesOutChangeCipherSpec(): DtlsBehaviour {
  return { name: "leavesOutChangeCipherSpec()", flight: (_number, datagrams) => datagrams.map(withoutChangeCipherSpec) };
}

/** The record of 14 octets is cut out; records of epoch 1 come behind it. */
function withoutChangeCipherSpec(datagram: Uint8Array): Uint8Array {
  for (let at = 0; at + 13 <= datagram.length; at += 13 + ((datagram[at + 11] as number) << 8) + (datagram[at + 12] as number)) {
    if (datagram[at] === Content.ChangeCipherSpec) return concat(datagram.subarray(0, at), datagram.subarray(at + 14));
  }
  return datagram;
}

/** A handshake message has one octet too many. */
export function lengthens(type: number): DtlsBehaviour {
  return { name: `lengthens(${type})`, handshake: (sent, body) => (sent === type ? concat(body, Uint8Array.of(0)) : body) };
}

function onServerHello(name: string, change: (hello: ReturnType<typeof readServerHello>) => ReturnType<typeof readServerHello>): DtlsBehaviour {
  return { name, handshake: (type, body) => (type === Handshake.ServerHello ? writeServerHello(change(readServerHello(body))) : body) };
}

function limited(name: string, number: FlightNumber, times: number, change: (datagrams: readonly Uint8Array[]) => readonly Uint8Array[]): DtlsBehaviour {
  return {
    name,
    flight(sent, datagrams, memory) {
      if (sent !== number || (memory.done ?? 0) >= times) return datagrams;
      memory.done = (memory.done ?? 0) + 1;
      return change(datagrams);
    },
  };
}

function onData(name: string, change: (datagrams: readonly Uint8Array[]) => readonly Uint8Array[]): DtlsBehaviour {
  return {
    name,
    data(datagrams, memory) {
      if ((memory.done ?? 0) > 0) return datagrams;
      memory.done = 1;
      return change(datagrams);
    },
  };
}

/** A record of epoch 0 with a number that the handshake has not used yet, but within the window of peers that keep one there. */
function plain(type: number, content: Uint8Array): Uint8Array {
  const layer = newLayer();
  layer.write.seq[0] = 40;
  return sealRecord(layer, 0, type, content);
}

function turned(octets: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(octets);
  copy[copy.length - 1] = (copy[copy.length - 1] ?? 0) ^ 1;
  return copy;
}
