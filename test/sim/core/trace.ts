/**
 * What happened, in order: ops, events, APDUs, ESipa exchanges, reports, notes, each with its time. Claims of scenarios read it,
 * people print it, `--trace` writes it as JSON. Entries are never changed after they were added, so that forks share them.
 */
import { toHex } from "./bytes.js";

export interface OpEntry {
  readonly kind: "op";
  readonly at: number;
  /** Number of the op in this world, from 0: the n of `--cut`. */
  readonly n: number;
  readonly name: string;
  readonly flags: number;
  readonly aux: number;
  readonly waitMs: number;
  readonly ref: number;
  readonly arg0: number;
  readonly arg1: number;
  readonly payload: Uint8Array;
}

export interface EventEntry {
  readonly kind: "event";
  readonly at: number;
  readonly name: string;
  readonly flags: number;
  readonly status: number;
  readonly ref: number;
  readonly arg0: number;
  readonly arg1: number;
  readonly payload: Uint8Array;
  /** Why an op failed, in words. */
  readonly reason?: string;
}

export interface ApduEntry {
  readonly kind: "apdu";
  readonly at: number;
  readonly command: Uint8Array;
  readonly response: Uint8Array;
}

/** One request and its answer on a link. `code` 0: no answer came, and `reason` says why. */
export interface ExchangeEntry {
  readonly kind: "exchange";
  readonly at: number;
  readonly ms: number;
  readonly peer: string;
  readonly address: string;
  readonly code: number;
  readonly request: Uint8Array;
  readonly response: Uint8Array;
  readonly reason?: string;
}

export interface LinkEntry {
  readonly kind: "link";
  readonly at: number;
  readonly what: "open" | "refused" | "close";
  readonly peer: string;
  readonly address: string;
  readonly reason?: string;
}

export interface ReportEntry {
  readonly kind: "report";
  readonly at: number;
  readonly code: number;
  readonly name: string;
  readonly detail: number;
  readonly payload: Uint8Array;
}

export interface NoteEntry {
  readonly kind: "note";
  readonly at: number;
  readonly text: string;
}

export type Entry = OpEntry | EventEntry | ApduEntry | ExchangeEntry | LinkEntry | ReportEntry | NoteEntry;
type OfKind<K extends Entry["kind"]> = Extract<Entry, { kind: K }>;

export interface Totals {
  readonly ops: number;
  readonly apdus: number;
  readonly connections: number;
  /** Request/answer pairs on links, answered or not. */
  readonly roundTrips: number;
  /** Octets of request and answer bodies. */
  readonly bytesUp: number;
  readonly bytesDown: number;
}

export class Trace {
  readonly entries: Entry[];
  /** Ops so far: the number of the next op. */
  opCount = 0;

  constructor(entries: readonly Entry[] = []) {
    this.entries = [...entries];
    for (const entry of entries) if (entry.kind === "op") this.opCount = entry.n + 1;
  }

  add(entry: Entry): void {
    this.entries.push(entry);
    if (entry.kind === "op") this.opCount = entry.n + 1;
  }

  /** Forgets everything and takes over `entries`. */
  reset(entries: readonly Entry[]): void {
    this.entries.length = 0;
    this.opCount = 0;
    for (const entry of entries) this.add(entry);
  }

  note(at: number, text: string): void {
    this.add({ kind: "note", at, text });
  }

  /** Everything of one kind, in order. */
  of<K extends Entry["kind"]>(kind: K): OfKind<K>[] {
    return this.entries.filter((entry): entry is OfKind<K> => entry.kind === kind);
  }

  get ops(): OpEntry[] {
    return this.of("op");
  }
  get events(): EventEntry[] {
    return this.of("event");
  }
  get apdus(): ApduEntry[] {
    return this.of("apdu");
  }
  get exchanges(): ExchangeEntry[] {
    return this.of("exchange");
  }
  get reports(): ReportEntry[] {
    return this.of("report");
  }
  get notes(): NoteEntry[] {
    return this.of("note");
  }

  /** The entries from `index` on, as a trace of its own. */
  since(index: number): Trace {
    return new Trace(this.entries.slice(index));
  }

  totals(): Totals {
    const exchanges = this.exchanges;
    const sum = (pick: (entry: ExchangeEntry) => number): number => exchanges.reduce((total, entry) => total + pick(entry), 0);
    return {
      ops: this.ops.length,
      apdus: this.apdus.length,
      connections: this.of("link").filter((entry) => entry.what === "open").length,
      roundTrips: exchanges.length,
      bytesUp: sum((entry) => entry.request.length),
      bytesDown: sum((entry) => entry.response.length),
    };
  }

  /** Plain data: octets as hexadecimal. */
  toJSON(): unknown {
    return this.entries.map((entry) =>
      Object.fromEntries(Object.entries(entry).map(([key, value]) => [key, value instanceof Uint8Array ? toHex(value) : value])),
    );
  }

  /** One line an entry; ops and events are left out unless `all`. */
  print(options: { readonly all?: boolean; readonly width?: number } = {}): string {
    const width = options.width ?? 96;
    const shown = options.all === true ? this.entries : this.entries.filter((entry) => entry.kind !== "op" && entry.kind !== "event");
    return shown.map((entry) => `${seconds(entry.at)}  ${line(entry, width)}`).join("\n");
  }
}

function seconds(at: number): string {
  return `${(at / 1000).toFixed(3).padStart(12)} s`;
}

function short(bytes: Uint8Array, width: number): string {
  const text = toHex(bytes);
  return text.length > width ? `${text.slice(0, width)}… (${bytes.length})` : text;
}

function because(reason: string | undefined): string {
  return reason === undefined ? "" : `: ${reason}`;
}

function line(entry: Entry, width: number): string {
  switch (entry.kind) {
    case "op":
      return `#${entry.n} ${entry.name} flags ${entry.flags} wait ${entry.waitMs} args ${entry.arg0} ${entry.arg1} ${short(entry.payload, width)}`;
    case "event":
      return `   ${entry.name} flags ${entry.flags} status ${entry.status} args ${entry.arg0} ${entry.arg1} ${short(entry.payload, width)}${because(entry.reason)}`;
    case "apdu":
      return `apdu   ${short(entry.command, width)} > ${short(entry.response, width)}`;
    case "exchange":
      return `${entry.peer.padEnd(6)} ${entry.code} in ${entry.ms} ms ${short(entry.request, width)} > ${short(entry.response, width)}${because(entry.reason)}`;
    case "link":
      return `link   ${entry.what} ${entry.peer} ${entry.address}${because(entry.reason)}`;
    case "report":
      return `report ${entry.name} ${entry.detail} ${short(entry.payload, width)}`;
    case "note":
      return `note   ${entry.text}`;
  }
}
