/**
 * Durable records of the agent (host/README.md, store keys): in memory for the simulated world, in one file for a live agent.
 * The file is replaced as a whole (write, fsync, rename, fsync of the directory), so that power lost at any moment leaves the old one.
 */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { crc32 } from "node:zlib";
import { concat, utf8 } from "../core/bytes.js";
import { failed, type Ended, type Store } from "../core/doors.js";
import { SimError } from "../core/errors.js";

const LARGEST = 3072;

/** Records in memory: they survive a power cut of the simulated device. */
export class MemoryStore implements Store {
  readonly records: Map<number, Uint8Array>;

  constructor(records: Iterable<readonly [number, Uint8Array]> = []) {
    this.records = new Map(records);
  }

  read(key: number): Uint8Array | undefined {
    return this.records.get(key);
  }

  write(key: number, record: Uint8Array): Ended {
    if (record.length > LARGEST) return failed("too large", `record ${key} of ${record.length} octets, at most ${LARGEST}`);
    if (record.length === 0) this.records.delete(key);
    else this.records.set(key, record.slice());
    return undefined;
  }

  snapshot(): Map<number, Uint8Array> {
    return new Map(this.records);
  }

  restore(records: Map<number, Uint8Array>): void {
    this.records.clear();
    for (const [key, record] of records) this.records.set(key, record);
  }
}

const MAGIC = utf8("tinyipa journal 1\n");

/**
 * Records in a file: magic, then for each record key, length (u32 little-endian) and octets, at the end the CRC-32 of all before.
 * Throws SimError "journal" when the file is there and damaged: guessing could execute a package twice.
 */
export class FileStore implements Store {
  readonly #path: string;
  readonly #memory: MemoryStore;

  constructor(path: string) {
    this.#path = path;
    this.#memory = new MemoryStore(existsSync(path) ? decode(new Uint8Array(readFileSync(path)), path) : []);
  }

  read(key: number): Uint8Array | undefined {
    return this.#memory.read(key);
  }

  write(key: number, record: Uint8Array): Ended {
    const next = new MemoryStore(this.#memory.records);
    const refused = next.write(key, record);
    if (refused !== undefined) return refused;
    try {
      replaceFile(this.#path, encode(next.records));
    } catch (error) {
      return failed("store", `${this.#path}: ${(error as Error).message}`);
    }
    this.#memory.restore(next.records);
    return undefined;
  }
}

function encode(records: ReadonlyMap<number, Uint8Array>): Uint8Array {
  const parts: Uint8Array[] = [MAGIC];
  for (const [key, record] of records) parts.push(u32(key), u32(record.length), record);
  const body = concat(...parts);
  return concat(body, u32(crc32(body)));
}

function decode(file: Uint8Array, path: string): [number, Uint8Array][] {
  const damaged = (what: string): never => {
    throw new SimError("journal", `${path} is damaged: ${what}; remove it to begin anew (the eUICC and the eIM settle what was open)`, { path });
  };
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const end = file.length - 4;
  if (end < MAGIC.length || Buffer.compare(file.subarray(0, MAGIC.length), MAGIC) !== 0) return damaged("it does not begin as a journal");
  if (view.getUint32(end, true) !== crc32(file.subarray(0, end))) return damaged("its CRC does not match");
  const records: [number, Uint8Array][] = [];
  for (let at = MAGIC.length; at < end; ) {
    if (at + 8 > end) return damaged("a record is cut off");
    const length = view.getUint32(at + 4, true);
    if (at + 8 + length > end) return damaged("a record is cut off");
    records.push([view.getUint32(at, true), file.slice(at + 8, at + 8 + length)]);
    at += 8 + length;
  }
  return records;
}

function replaceFile(path: string, content: Uint8Array): void {
  const beside = `${path}.new`;
  const file = openSync(beside, "w", 0o600);
  try {
    writeSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(beside, path);
  const folder = openSync(dirname(path), "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

function u32(value: number): Uint8Array {
  const out = new Uint8Array(4);
  new DataView(out.buffer).setUint32(0, value, true);
  return out;
}
