/** How far a Bound Profile Package has come on its way to the card, told from the APDUs of a trace (SGP.22 v2.5 2.5.5, 5.7.6). */
import type { ApduEntry, Entry, Trace } from "../sim/core/trace.js";

const LOAD_BPP = 0xbf36;
const STORE_DATA = 0xe2;
/** So many times for each package. */
const STEPS = 4;

/** Tells each quarter of every package, as it goes to the card from now on. */
export function watchLoading(trace: Trace, tell: (text: string) => void): void {
  const progress = new Progress(tell);
  const add = trace.add.bind(trace);
  trace.add = (entry: Entry): void => {
    add(entry);
    if (entry.kind === "apdu") progress.apdu(entry);
  };
}

/** Counts the octets of a package: its first block says how many there will be. */
class Progress {
  #total = 0;
  #loaded = 0;
  #told = 0;
  readonly #tell: (text: string) => void;

  constructor(tell: (text: string) => void) {
    this.#tell = tell;
  }

  apdu({ command }: ApduEntry): void {
    if (command[1] !== STORE_DATA) return;
    const data = command.subarray(5, 5 + (command[4] as number));
    if (command[3] === 0 && data[0] === LOAD_BPP >> 8 && data[1] === (LOAD_BPP & 0xff)) this.#begin(data);
    if (this.#total === 0) return;
    this.#loaded += data.length;
    const step = Math.floor((STEPS * this.#loaded) / this.#total);
    if (step > this.#told) this.#tell(`  loading ${"#".repeat(5 * step).padEnd(5 * STEPS, ".")} ${this.#loaded} of ${this.#total} octets`);
    this.#told = step;
    if (this.#loaded >= this.#total) this.#total = 0;
  }

  #begin(data: Uint8Array): void {
    const octets = (data[2] as number) > 0x80 ? (data[2] as number) & 0x7f : 0;
    const length = octets === 0 ? (data[2] as number) : data.subarray(3, 3 + octets).reduce((value, octet) => value * 256 + octet, 0);
    this.#total = 3 + octets + length;
    this.#loaded = this.#told = 0;
  }
}
