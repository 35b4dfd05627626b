/** For tests of the C host's links: the client program (test/host/link_client.c), built once, run against a server; and trust anchors as files. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { pathToFileURL } from "node:url";
import { readTlv, tlv } from "../sim/codec/tlv.js";
import { equal } from "../sim/core/bytes.js";
import { run } from "./coaps-tools.js";

interface Tools {
  program(main: string): Promise<string>;
  compiler(): string;
}
interface Steps {
  which(name: string): string | undefined;
}
interface Mbedtls {
  mbedtlsFolder(): Promise<string>;
  MbedtlsMissing: ErrorConstructor;
}

const tools = (await import(pathToFileURL("host/tool/native.mjs").href)) as Tools;
const steps = (await import(pathToFileURL("host/tool/steps.mjs").href)) as Steps;
const mbedtls = (await import(pathToFileURL("host/tool/mbedtls.mjs").href)) as Mbedtls;

/** For `skip`: false where the client can be built. Under CI=true what is missing is an error. */
export const skip: string | false = await missing();

async function missing(): Promise<string | false> {
  const ci = process.env["CI"] === "true";
  if (steps.which(tools.compiler()) === undefined) {
    if (ci) throw new Error(`${tools.compiler()} is not installed; under CI=true it must be`);
    return `${tools.compiler()} is not installed`;
  }
  try {
    await mbedtls.mbedtlsFolder();
    return false;
  } catch (error) {
    if (ci || !(error instanceof mbedtls.MbedtlsMissing)) throw error;
    return error.message;
  }
}

/** Keys of the client's command line. A Uint8Array becomes a file. */
export type Keys = Readonly<Record<string, string | number | Uint8Array>>;

export interface Outcome {
  /** "205 20480": code and octets of each exchange. */
  readonly answers: readonly string[];
  /** "ok", or the name of the error. */
  readonly end: string;
  readonly body: Uint8Array;
  /** What it said on stderr. */
  readonly output: string;
}

export const PSK_KEY = "0123456789abcdef";
/** As the client takes it. */
export const PSK = `dev1:${Buffer.from(PSK_KEY).toString("hex")}`;
/** Timers for a network of one machine. */
export const QUICK = { ack: 1000, handshake: 1000 } as const;

export class LinkClient {
  #dir = "";
  #program = "";
  #files = 0;

  constructor() {
    before(async () => {
      this.#dir = mkdtempSync(join(tmpdir(), "c-link-"));
      this.#program = await tools.program("test/host/link_client.c");
    }, { timeout: 120_000 });
    after(() => rmSync(this.#dir, { recursive: true, force: true }));
  }

  get dir(): string {
    return this.#dir;
  }

  async run(keys: Keys): Promise<Outcome> {
    const out = this.#path();
    writeFileSync(out, "");
    const all: Keys = { ...QUICK, ...keys, out };
    const args = Object.entries(all).map(([key, value]) => `${key}=${value instanceof Uint8Array ? this.#file(value) : value}`);
    const { output } = await run(this.#program, args);
    const answers = [...output.matchAll(/^answer (\d+ \d+) retry_after=(\d+)$/gm)].map((match) => (match[2] === "0" ? `${match[1]}` : `${match[1]} retry_after=${match[2]}`));
    const end = /^(?:error )?(ok|IPA_\w+)$/m.exec(output)?.[1] ?? output;
    return { answers, end, body: new Uint8Array(readFileSync(out)), output };
  }

  /** The exchange brings the body back. */
  async echoes(keys: Keys & { readonly body: Uint8Array }, code = "205"): Promise<Outcome> {
    const outcome = await this.run(keys);
    assert.deepEqual([outcome.answers, outcome.end], [[`${code} ${keys.body.length}`], "ok"], outcome.output);
    assert.ok(equal(outcome.body, keys.body));
    return outcome;
  }

  /** No exchange took place, and why. */
  async refused(keys: Keys, error: string): Promise<void> {
    const outcome = await this.run(keys);
    assert.deepEqual([outcome.answers, outcome.end], [[], error], outcome.output);
  }

  #path(): string {
    return join(this.#dir, `${++this.#files}`);
  }

  #file(content: Uint8Array): string {
    const path = this.#path();
    writeFileSync(path, content);
    return path;
  }
}

/** A6 with the public key of a certificate, pinned. */
export function pinnedKey(certificate: Uint8Array): Uint8Array {
  const spki = new Uint8Array(new X509Certificate(certificate).publicKey.export({ type: "spki", format: "der" }));
  return tlv(0xa6, tlv(0xa0, readTlv(spki, 0).value));
}

/** A6 with a certificate: the server's own, or a CA's. */
export function pinnedCertificate(certificate: Uint8Array): Uint8Array {
  return tlv(0xa6, tlv(0xa1, readTlv(certificate, 0).value));
}
