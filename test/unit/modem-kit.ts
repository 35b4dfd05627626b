/** An AT modem on a bench: virtual time, a network made of paper, and a card that knows a few APDUs, or the simulated eUICC. */
import { concat, fromHex, toHex } from "../sim/core/bytes.js";
import type { Card } from "../sim/core/card.js";
import { failed, type Failed } from "../sim/core/doors.js";
import { AtModem, VirtualTimers, type Address, type AtModemOptions, type Net, type NetEvents, type NetSocket } from "../sim/modem/index.js";

export const ISDR = "A0000005591010FFFFFFFF8900000100";
export const EID = "89049032000001000000000000000026";
export const ICCID = "89882390000000000017";
const FCI = `6F1F8410${ISDR}A50B7300000000000000000000`;

/** The card of modem-at.md 1.6: channels, SELECT of the ISD-R, GetEuiccData (EID), and EF ICCID. */
export class PaperCard implements Card {
  /** Commands that came, in hexadecimal, without the modem's own at start. */
  readonly seen: string[] = [];
  resets = 0;
  #channels = new Set<number>();
  #waiting = "";

  powerCycle(): Uint8Array {
    this.resets++;
    this.#channels.clear();
    return fromHex("3B00");
  }

  transmit(command: Uint8Array): Uint8Array {
    const hex = toHex(command);
    this.seen.push(hex);
    return fromHex(this.#answer(hex));
  }

  #answer(hex: string): string {
    if (/^8010|^00A4000C02|^80F2/.test(hex)) return "9000";
    if (hex === "00B000000A") return `${swap(ICCID)}9000`;
    if (hex === "0070000001") return this.#open();
    if (/^007080..(00)?$/.test(hex)) return this.#close(Number.parseInt(hex.slice(6, 8), 16));
    const channel = Number.parseInt(hex.slice(0, 2), 16) & 0x0f;
    if (!this.#channels.has(channel)) return "6881";
    if (hex.endsWith(`A4040010${ISDR}`)) return this.#tell(FCI);
    if (hex.endsWith("E2910006BF3E035C015A")) return this.#tell(`BF3E125A10${EID}`);
    if (/^.[0-9A-F]C00000/.test(hex)) return `${this.#waiting}9000`;
    return "6D00";
  }

  #tell(data: string): string {
    this.#waiting = data;
    return `61${(data.length / 2).toString(16).toUpperCase().padStart(2, "0")}`;
  }

  #open(): string {
    for (let channel = 1; channel < 4; channel++) {
      if (this.#channels.has(channel)) continue;
      this.#channels.add(channel);
      return `0${channel}9000`;
    }
    return "6A81";
  }

  #close(channel: number): string {
    return this.#channels.delete(channel) ? "9000" : "6881";
  }
}

function swap(digits: string): string {
  return digits.replace(/(.)(.)/g, "$2$1");
}

export interface Sent {
  readonly bytes: Uint8Array;
  readonly to: Address | undefined;
}

/** One socket of the paper network: what went out, and what comes in when the test says so. */
export interface PaperSocket {
  readonly kind: "UDP" | "TCP";
  readonly peer: Address | undefined;
  readonly sent: Sent[];
  readonly events: NetEvents;
  open: boolean;
}

/** Names known: eim.example.com. Nothing else is reached by name; port 9 refuses. */
export class PaperNet implements Net {
  readonly sockets: PaperSocket[] = [];

  resolve(host: string): string | undefined {
    return host === "eim.example.com" ? "192.0.2.1" : undefined;
  }

  udp(peer: Address | undefined, events: NetEvents): NetSocket | Failed {
    return this.#open("UDP", peer, events);
  }

  tcp(peer: Address, events: NetEvents): NetSocket | Failed {
    return this.#open("TCP", peer, events);
  }

  /** The newest socket. */
  get last(): PaperSocket {
    const socket = this.sockets.at(-1);
    if (socket === undefined) throw new RangeError("expected a socket, got none");
    return socket;
  }

  /** Something arrives on the newest socket. */
  arrives(text: string, from: Address = { host: "192.0.2.1", port: 5684 }): void {
    this.last.events.data(latin1(text), from);
  }

  #open(kind: "UDP" | "TCP", peer: Address | undefined, events: NetEvents): NetSocket | Failed {
    if (peer !== undefined && !/^[\d.]+$/.test(peer.host) && this.resolve(peer.host) === undefined) return failed("name", `no address is known for ${peer.host}`);
    if (peer?.port === 9) return failed("link", "refused");
    const socket: PaperSocket = { kind, peer, sent: [], events, open: true };
    this.sockets.push(socket);
    return { send: (bytes, to) => void socket.sent.push({ bytes: bytes.slice(), to }), close: () => void (socket.open = false) };
  }
}

export function latin1(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "latin1"));
}

export function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

/** A modem that is on and registered. */
export class Bench {
  readonly timers = new VirtualTimers();
  readonly net = new PaperNet();
  readonly paper = new PaperCard();
  readonly modem: AtModem;
  #heard: Uint8Array = new Uint8Array(0);

  constructor(options: Partial<AtModemOptions> & Pick<AtModemOptions, "family">, slot: "card" | "no card" = "card") {
    this.modem = new AtModem({ ...(slot === "card" ? { card: this.paper } : {}), net: this.net, echo: false, ...options, timers: this.timers });
    this.modem.onData = (bytes) => (this.#heard = concat(this.#heard, bytes));
  }

  /** Switches it on, and lets it start and register. */
  on(): this {
    this.modem.powerOn();
    this.timers.advance(500);
    if (this.modem.family.startsAt === 0) this.say("AT+CFUN=1");
    this.timers.advance(500);
    this.heard();
    this.paper.seen.length = 0;
    return this;
  }

  /** Everything since the last time. */
  heard(): string {
    const said = text(this.#heard);
    this.#heard = new Uint8Array(0);
    return said;
  }

  /** A command with CR; gives what came within `ms`. */
  say(line: string, ms = 100): string {
    return this.write(`${line}\r`, ms);
  }

  /** Octets as they are. */
  write(octets: string, ms = 100): string {
    this.modem.write(latin1(octets));
    this.timers.advance(ms);
    return this.heard();
  }

  /** say, as lines without their frames. */
  lines(line: string, ms = 100): string[] {
    return this.say(line, ms).split("\r\n").filter((one) => one !== "");
  }
}
