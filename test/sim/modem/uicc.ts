/**
 * The terminal's side of the UICC inside a modem: power, TERMINAL PROFILE, logical channels of +CCHO sessions, proactive commands
 * (ETSI TS 102 221, TS 102 223), and what REFRESH does. Its own traffic goes over the basic channel.
 * Left out: PIN, USIM files and authentication: the simulated network asks for none; commands that need a user.
 */
import { readAll, readOne, must } from "../codec/tlv.js";
import { concat, toHex } from "../core/bytes.js";
import { SimError } from "../core/errors.js";
import { drive, wait, type Maybe, type Steps } from "../core/maybe.js";
import { AtError, CME } from "./at-error.js";
import type { Unit } from "./family.js";

/** A card whose answers may take their time. */
export interface AnyCard {
  powerCycle(): Maybe<Uint8Array>;
  transmit(command: Uint8Array): Maybe<Uint8Array>;
}

/** Announces profile download, MORE TIME, POLL INTERVAL and REFRESH (TS 102 223 5.2). */
const TERMINAL_PROFILE = Uint8Array.of(0x80, 0x10, 0x00, 0x00, 0x03, 0x01, 0x00, 0xc8);
const STATUS = Uint8Array.of(0x80, 0xf2, 0x00, 0x00, 0x00);
const REFRESH = 0x01;
const UICC_RESET = 0x04;
/** Answered "performed": MORE TIME, POLLING OFF, SET UP EVENT LIST, SET UP MENU, SET UP IDLE MODE TEXT. */
const PERFORMED = new Set([REFRESH, 0x02, 0x04, 0x05, 0x25, 0x28]);
const MOST_PROACTIVE = 20;

export class UiccSide {
  readonly #unit: Unit;
  readonly #card: AnyCard | undefined;
  /** Channel by session id. */
  readonly #sessions = new Map<string, number>();
  /** Whatever the card does at the moment; the next one waits for it. */
  #busy: Promise<unknown> | undefined;
  /** Changes with each reset, so that what was begun before is not gone on with. */
  #epoch = 0;
  #on = false;
  #nextSession = 1;
  ready = false;
  /** ICCID of the enabled Profile as the modem believes it, digits; undefined: none. */
  iccid: string | undefined;
  /** So many UICC commands are answered "SIM busy". */
  busyFor = 0;

  constructor(unit: Unit, card: AnyCard | undefined) {
    this.#unit = unit;
    this.#card = card;
  }

  get inserted(): boolean {
    return this.#card !== undefined;
  }

  /** Power for the card; it is ready after a while. */
  start(): void {
    if (this.#on) return;
    this.#on = true;
    this.iccid = undefined;
    const epoch = ++this.#epoch;
    this.#unit.timers.after(this.#unit.pace.sim, () => {
      if (epoch === this.#epoch) this.#do(this.#boot(epoch));
    });
    this.#pollStatus(epoch);
  }

  /** No power: sessions and channels are gone. */
  stop(): void {
    this.#epoch++;
    this.#on = false;
    this.#forget();
  }

  /** Throws AtError unless UICC commands can be carried out. */
  check(): void {
    if (this.#card === undefined) throw new AtError("no card", CME.simNotInserted);
    if (!this.#on) throw new AtError("the card is off", CME.simFailure);
    if (!this.ready) throw new AtError("the card starts", CME.simBusy);
    if (this.busyFor > 0) {
      this.busyFor--;
      throw new AtError("fault: the card is busy", CME.simBusy);
    }
    if (this.#unit.quirks.needsProfile && this.iccid === undefined) throw new AtError("no Profile is enabled", CME.simFailure);
  }

  /** An APDU of the host as it is; a 91xx is seen to afterwards. */
  exchange(command: Uint8Array): Maybe<Uint8Array> {
    return this.#exclusive(() => this.#host(command));
  }

  /** An APDU on a session, its class coded for the channel as the quirks say; 61xx and 6Cxx likewise. */
  onSession(id: string, command: Uint8Array): Maybe<Uint8Array> {
    const channel = this.channel(id);
    const coded = command.slice();
    if (this.#unit.quirks.patchesClass) coded[0] = withChannel(coded[0] ?? 0, channel);
    return this.#exclusive(() => (this.#unit.quirks.follows ? this.#followed(coded, channel) : this.#host(coded)));
  }

  /** Throws AtError for an unknown session. */
  channel(id: string): number {
    const channel = this.#sessions.get(id);
    if (channel === undefined) throw new AtError(`expected an open session, got ${id}`, CME.invalidIndex);
    return channel;
  }

  /** MANAGE CHANNEL and SELECT. Gives the session id. */
  open(aid: Uint8Array): Maybe<string> {
    return this.#exclusive(() => this.#open(aid));
  }

  close(id: string): Maybe<void> {
    const channel = this.channel(id);
    this.#sessions.delete(id);
    return this.#exclusive(() => this.#close(channel));
  }

  /** 10 octets of EF ICCID as the card has them, for +CRSM. */
  get iccidFile(): Uint8Array {
    const digits = (this.iccid ?? "").padEnd(20, "F");
    return Uint8Array.from({ length: 10 }, (_, i) => Number.parseInt(`${digits[2 * i + 1]}${digits[2 * i]}`, 16));
  }

  #forget(): void {
    this.#sessions.clear();
    const was = this.ready;
    this.ready = false;
    if (was) this.#unit.radio.cardGone();
  }

  *#boot(epoch: number): Steps<void> {
    if (this.#card === undefined) return;
    yield* wait(this.#card.powerCycle());
    if (epoch !== this.#epoch) return;
    if (this.#unit.quirks.refresh !== "off") yield* this.#proactive(yield* this.#send(TERMINAL_PROFILE));
    const iccid = yield* this.#readIccid();
    if (epoch !== this.#epoch) return;
    this.iccid ??= iccid;
    this.ready = true;
    if (this.#unit.quirks.refresh !== "silent" || !this.#refreshed) this.#unit.tellSim(true);
    this.#refreshed = false;
    this.#unit.radio.cardReady();
  }

  #refreshed = false;

  *#readIccid(): Steps<string | undefined> {
    yield* this.#send(Uint8Array.of(0x00, 0xa4, 0x00, 0x0c, 0x02, 0x3f, 0x00));
    yield* this.#send(Uint8Array.of(0x00, 0xa4, 0x00, 0x0c, 0x02, 0x2f, 0xe2));
    const answer = yield* this.#send(Uint8Array.of(0x00, 0xb0, 0x00, 0x00, 0x0a));
    if (answer.length !== 12) return undefined;
    return [...answer.subarray(0, 10)].map((octet) => toHex(Uint8Array.of((octet << 4) | (octet >> 4)))).join("").replace(/F+$/, "");
  }

  *#send(command: Uint8Array): Steps<Uint8Array> {
    if (this.#card === undefined) throw new AtError("no card", CME.simNotInserted);
    const response = yield* wait(this.#card.transmit(command));
    if (response.length < 2) throw new AtError("the card does not answer", CME.simFailure);
    return response;
  }

  *#host(command: Uint8Array): Steps<Uint8Array> {
    if (this.#unit.quirks.endless6100 && command[1] === 0xc0 && command[4] === 0) return Uint8Array.of(0x61, 0x00);
    const response = yield* this.#send(command);
    this.#look(response);
    return response;
  }

  *#followed(command: Uint8Array, channel: number): Steps<Uint8Array> {
    let response = yield* this.#host(command);
    if (response.at(-2) === 0x6c) response = yield* this.#host(concat(command.subarray(0, 4), response.subarray(-1)));
    while (response.at(-2) === 0x61) {
      // One answer line holds 256 octets; what is more is left to the host.
      const [data, left] = [response.subarray(0, -2), response.at(-1) ?? 0];
      if (data.length + (left === 0 ? 256 : left) > 256) return response;
      response = concat(data, yield* this.#host(Uint8Array.of(withChannel(0, channel), 0xc0, 0, 0, left)));
    }
    return response;
  }

  *#open(aid: Uint8Array): Steps<string> {
    const opened = yield* this.#send(Uint8Array.of(0x00, 0x70, 0x00, 0x00, 0x01));
    if (opened.length !== 3) throw new AtError(`the card answered MANAGE CHANNEL ${toHex(opened)}`, CME.memoryFull);
    const channel = opened[0] as number;
    const selected = yield* this.#send(concat(Uint8Array.of(withChannel(0, channel), 0xa4, 0x04, 0x00, aid.length), aid));
    const sw1 = selected.at(-2) ?? 0;
    if (sw1 === 0x90 || sw1 === 0x61 || sw1 === 0x91) return this.#session(channel);
    yield* this.#close(channel);
    throw new AtError(`the card answered SELECT ${toHex(selected)}`, CME.simFailure);
  }

  #session(channel: number): string {
    const { sessionId } = this.#unit.quirks;
    const number = this.#nextSession;
    this.#nextSession = (this.#nextSession % 19) + 1;
    // A session is a handle, not the channel's number (27.007 8.45).
    const id = sessionId.length > 12 ? `00000000038500${number.toString(16).toUpperCase().padStart(2, "0")}` : sessionId.endsWith("0001") ? String(number).padStart(4, "0") : String(number);
    this.#sessions.set(id, channel);
    return id;
  }

  *#close(channel: number): Steps<void> {
    yield* this.#send(Uint8Array.of(0x00, 0x70, 0x80, channel, 0x00));
  }

  /** 91xx: the modem fetches, a little later. */
  #look(response: Uint8Array): void {
    if (response.at(-2) !== 0x91 || this.#unit.quirks.refresh === "off") return;
    const epoch = this.#epoch;
    this.#unit.timers.after(this.#unit.pace.refresh, () => {
      if (epoch === this.#epoch) this.#do(this.#proactive(response));
    });
  }

  *#proactive(first: Uint8Array): Steps<void> {
    let response = first;
    for (let i = 0; i < MOST_PROACTIVE && response.at(-2) === 0x91; i++) {
      const fetched = yield* this.#send(Uint8Array.of(0x80, 0x12, 0x00, 0x00, response.at(-1) ?? 0));
      if (fetched[0] !== 0xd0) return;
      const details = must(readAll(readOne(fetched.subarray(0, -2), 0xd0).value), 0x81, "command details").value;
      const [number = 0, type = 0, qualifier = 0] = details;
      this.#unit.note(`proactive command ${toHex(fetched.subarray(0, -2))}`);
      if (type === REFRESH && qualifier === UICC_RESET) return this.#cardReset();
      const result = PERFORMED.has(type) ? 0x00 : 0x30;
      response = yield* this.#send(Uint8Array.of(0x80, 0x14, 0, 0, 12, 0x81, 0x03, number, type, qualifier, 0x82, 0x02, 0x82, 0x81, 0x83, 0x01, result));
      if (type === REFRESH) return this.#reread();
    }
  }

  /** REFRESH with UICC reset: power off and on. */
  #cardReset(): void {
    const { quirks } = this.#unit;
    const stale = quirks.staleIccid ? this.iccid : undefined;
    this.stop();
    if (quirks.refresh === "told") this.#unit.tellSim(false);
    this.start();
    this.iccid = stale;
    this.#refreshed = true;
  }

  /** Any other REFRESH: the files are read anew, channels are gone. */
  #reread(): void {
    const { quirks } = this.#unit;
    const epoch = ++this.#epoch;
    this.#forget();
    if (quirks.refresh === "told") this.#unit.tellSim(false);
    this.#pollStatus(epoch);
    this.#unit.timers.after(this.#unit.pace.sim, () => {
      if (epoch === this.#epoch) this.#do(this.#again());
    });
  }

  *#again(): Steps<void> {
    const iccid = yield* this.#readIccid();
    if (!this.#unit.quirks.staleIccid) this.iccid = iccid;
    this.ready = true;
    if (this.#unit.quirks.refresh === "told") this.#unit.tellSim(true);
    this.#unit.radio.cardReady();
  }

  #pollStatus(epoch: number): void {
    const { timers, pace } = this.#unit;
    timers.after(pace.status, () => {
      if (epoch !== this.#epoch) return;
      if (this.ready && this.#busy === undefined) this.#do(this.#status());
      this.#pollStatus(epoch);
    });
  }

  *#status(): Steps<void> {
    this.#look(yield* this.#send(STATUS));
  }

  /** Steps of the modem's own; a card that fails is a card that is gone. */
  #do(steps: Steps<void>): void {
    const failed = (error: unknown): void => {
      if (!(error instanceof SimError)) throw error;
      this.#unit.note(`the card failed: ${error.message}`);
      this.stop();
      this.#unit.tellSim(false);
    };
    try {
      const done = this.#exclusive(() => steps);
      if (done instanceof Promise) done.catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  /** One thing at a time: the basic channel's own traffic never comes between a command and its GET RESPONSE by the modem. */
  #exclusive<T>(steps: () => Steps<T>): Maybe<T> {
    const result = this.#busy === undefined ? drive(steps()) : this.#busy.then(() => drive(steps()));
    if (!(result instanceof Promise)) return result;
    const settled: Promise<unknown> = result.then(
      () => this.#free(settled),
      () => this.#free(settled),
    );
    this.#busy = settled;
    return result;
  }

  #free(settled: Promise<unknown>): void {
    if (this.#busy === settled) this.#busy = undefined;
  }
}

/** The class byte for a logical channel (TS 102 221 10.1.1): 0 to 3 in the lowest bits, 4 to 19 in four bits with bit 7. */
export function withChannel(cla: number, channel: number): number {
  const proprietary = cla & 0x80;
  return channel < 4 ? proprietary | channel : proprietary | 0x40 | (channel - 4);
}
