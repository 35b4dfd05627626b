/**
 * What server and client share of a DTLS association (RFC 6347 4.2): the flight that is sent until the next one comes in, its timer,
 * the transcript, and the secrets. Plain data, and functions on it.
 */
import { concat } from "../core/bytes.js";
import type { Behaviours, FlightNumber } from "./behaviour.js";
import { Content, DTLS_1_2, VERIFY_DATA_LENGTH, type Suite } from "./constants.js";
import { extendedMasterSecret, keyBlock, masterSecret, prf, sha256 } from "./crypto.js";
import { cut, newInbox, wholeMessage, type HandshakeMessage, type Inbox } from "./fragments.js";
import { newLayer, sealRecord, type DtlsRecord, type Layer } from "./record.js";

/** Part of a flight: a handshake message, or a ChangeCipherSpec. */
export type FlightItem = { readonly epoch: 0 | 1; readonly message: HandshakeMessage } | { readonly epoch: 0; readonly changeCipherSpec: true };

export interface Association {
  readonly layer: Layer;
  readonly inbox: Inbox;
  /** message_seq of our next handshake message. */
  sendSeq: number;
  /** Handshake messages so far, as hashed. */
  transcript: readonly Uint8Array[];
  flight: { readonly number: FlightNumber; readonly items: FlightItem[] } | undefined;
  timer: { readonly at: number; readonly timeout: number; readonly attempts: number } | undefined;
  clientRandom: Uint8Array;
  serverRandom: Uint8Array;
  extendedMasterSecret: boolean;
  master: Uint8Array | undefined;
  /** The peer's ChangeCipherSpec has come: its records of epoch 1 may be opened. */
  peerChanged: boolean;
  /** Records of epoch 1 that came too early. */
  early: DtlsRecord[];
}

export interface Timing {
  /** First time after which a flight is sent again; doubled each time up to `maxTimeoutMs`. */
  readonly timeoutMs: number;
  readonly maxTimeoutMs: number;
  readonly maxRetransmit: number;
  /** Octets of the largest datagram with handshake messages. */
  readonly mtu: number;
  /** Octets of handshake body in one fragment. */
  readonly fragment: number;
}

/** RFC 6347 4.2.4.1. */
export const TIMING: Timing = { timeoutMs: 1000, maxTimeoutMs: 60_000, maxRetransmit: 6, mtu: 1200, fragment: 16_384 };

const EARLY_LIMIT = 8;
/** Octets that a record needs beside its fragment: header, explicit nonce, tag, connection id and type, handshake header. */
const OVERHEAD = 13 + 8 + 16 + 21 + 12;

export function newAssociation(): Association {
  return {
    layer: newLayer(), inbox: newInbox(0), sendSeq: 0, transcript: [], flight: undefined, timer: undefined, clientRandom: new Uint8Array(0),
    serverRandom: new Uint8Array(0), extendedMasterSecret: false, master: undefined, peerChanged: false, early: [],
  };
}

/** Adds a handshake message that was received or sent to the transcript. */
export function note(association: Association, message: HandshakeMessage): void {
  association.transcript = [...association.transcript, wholeMessage(message)];
}

export function transcriptHash(association: Association): Uint8Array {
  return sha256(...association.transcript);
}

/** Begins a flight of our own: the one before it is not sent again any more. */
export function beginFlight(association: Association, number: FlightNumber): void {
  association.flight = { number, items: [] };
}

/** Adds a message to the flight and to the transcript; a behaviour may change it, or leave it out. */
export function addMessage(association: Association, behaviours: Behaviours, type: number, body: Uint8Array, epoch: 0 | 1 = 0): void {
  const changed = behaviours.handshake(type, body);
  if (changed === undefined) return;
  const message = { type, seq: association.sendSeq++, body: changed };
  association.flight?.items.push({ epoch, message });
  note(association, message);
}

export function addChangeCipherSpec(association: Association): void {
  association.flight?.items.push({ epoch: 0, changeCipherSpec: true });
}

/** The datagrams of the flight, with new record numbers each time. */
export function flightDatagrams(association: Association, behaviours: Behaviours, timing: Timing): readonly Uint8Array[] {
  const { flight, layer } = association;
  if (flight === undefined) return [];
  const size = Math.max(1, Math.min(timing.fragment, layer.fragmentLimit - 12, timing.mtu - OVERHEAD));
  const records = flight.items.flatMap((item) =>
    "message" in item
      ? cut(item.message, size).map((fragment) => sealRecord(layer, item.epoch, Content.Handshake, fragment, DTLS_1_2))
      : [sealRecord(layer, 0, Content.ChangeCipherSpec, Uint8Array.of(1))],
  );
  return behaviours.flight(flight.number, pack(records, timing.mtu));
}

/** Records in as few datagrams of at most `mtu` octets as possible. */
function pack(records: readonly Uint8Array[], mtu: number): Uint8Array[] {
  const datagrams: Uint8Array[] = [];
  for (const record of records) {
    const last = datagrams.at(-1);
    if (last !== undefined && last.length + record.length <= mtu) datagrams[datagrams.length - 1] = concat(last, record);
    else datagrams.push(record);
  }
  return datagrams;
}

export function startTimer(association: Association, timing: Timing, now: number): void {
  association.timer = { at: now + timing.timeoutMs, timeout: timing.timeoutMs, attempts: 0 };
}

/** What is due now: the flight again, or the end of all patience. */
export function expire(association: Association, timing: Timing, now: number): "again" | "given up" | undefined {
  const { timer } = association;
  if (timer === undefined || timer.at > now) return undefined;
  if (timer.attempts >= timing.maxRetransmit) {
    association.timer = undefined;
    return "given up";
  }
  const timeout = Math.min(timer.timeout * 2, timing.maxTimeoutMs);
  association.timer = { at: now + timeout, timeout, attempts: timer.attempts + 1 };
  return "again";
}

/** Makes the master secret, with the transcript as it is (up to and with ClientKeyExchange), and both keys. */
export function deriveKeys(association: Association, suite: Suite, premaster: Uint8Array, role: "client" | "server"): void {
  const { clientRandom, serverRandom, layer } = association;
  const master = association.extendedMasterSecret
    ? extendedMasterSecret(premaster, transcriptHash(association))
    : masterSecret(premaster, clientRandom, serverRandom);
  const keys = keyBlock(master, clientRandom, serverRandom);
  association.master = master;
  layer.suite = suite;
  layer.write.keys = keys[role];
  layer.read.keys = role === "client" ? keys.server : keys.client;
}

/** verify_data of a Finished over the transcript as it is (RFC 5246 7.4.9). */
export function verifyData(association: Association, who: "client" | "server"): Uint8Array {
  if (association.master === undefined) throw new RangeError("expected a master secret, got none yet");
  return prf(association.master, `${who} finished`, transcriptHash(association), VERIFY_DATA_LENGTH);
}

/** Keeps a record of epoch 1 until it can be opened. */
export function keepEarly(association: Association, record: DtlsRecord): boolean {
  if (association.early.length >= EARLY_LIMIT) return false;
  association.early.push(record);
  return true;
}
