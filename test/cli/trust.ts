/** Certificates and keys from files of the command line, and how SM-DP+ and SM-DS are trusted and reached (`--smdp-trust`, `--smdp-at`). */
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Pki } from "../sim/pki/pki.js";
import { rspRoots } from "../sim/world-servers.js";
import { UsageError } from "./command.js";
import { hostPort } from "./serve.js";

/** DER of everything in a PEM file that is certificate or public key, or the one DER object in it. Throws UsageError when it can't be read. */
export function derOf(path: string): Uint8Array[] {
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(readFileSync(path));
  } catch (error) {
    throw new UsageError(`expected a readable file, got ${path} (${(error as NodeJS.ErrnoException).code ?? String(error)})`);
  }
  const text = Buffer.from(bytes).toString("latin1");
  if (bytes[0] === 0x30 && !text.includes("-----BEGIN")) return [bytes];
  return [...text.matchAll(/-----BEGIN (?:CERTIFICATE|PUBLIC KEY)-----([^-]+)-----END/g)].map((match) => new Uint8Array(Buffer.from(match[1] as string, "base64")));
}

/** DER of the certificates in a file, one or more. Throws UsageError. */
export function certificatesIn(path: string): Uint8Array[] {
  const found = derOf(path);
  if (found.length === 0) throw new UsageError(`expected certificates in ${path}, got none`);
  return found.map((der) => {
    try {
      return new Uint8Array(new X509Certificate(der).raw);
    } catch (error) {
      throw new UsageError(`expected certificates in ${path}: ${(error as Error).message}`);
    }
  });
}

/** `--smdp-trust`: a file, "system", or "own": the CI of the command's own keys. */
export function rspTrustOf(option: string, pki: () => Pki): readonly Uint8Array[] | "system" {
  if (option === "system") return option;
  return option === "own" ? rspRoots(pki()) : certificatesIn(option);
}

/** `--smdp-at NAME=AT`, repeated: where to connect for a name. In the laboratory AT may begin with http://. */
export function placesOf(texts: readonly string[] = [], lab = false): (address: string) => string {
  const at = new Map(texts.map((text): [string, string] => {
    const [, name = "", place = ""] = /^([^=]+)=(.+)$/.exec(text) ?? [];
    if (name === "") throw new UsageError(`expected NAME=HOST:PORT for --smdp-at, got "${text}"`);
    hostPort("smdp-at", lab ? place.replace(/^http:\/\//, "") : place);
    return [name.toLowerCase(), place];
  }));
  return (address) => at.get(address.toLowerCase()) ?? address;
}
