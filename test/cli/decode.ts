/**
 * `tinyipa decode`: any data object of ESipa, ES9+ (ASN.1) or ES10 in readable form.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { fromHex, toHex } from "../sim/core/bytes.js";
import { SimError } from "../sim/core/errors.js";
import { describe, render } from "../sim/codec/describe.js";
import { TlvError } from "../sim/codec/tlv.js";
import { parseCertificate, Policy } from "../sim/pki/certificate.js";
import { FAILED, OK, readArgs, UsageError, type Command, type Io } from "./command.js";

const HELP = `Usage: tinyipa decode [--json] HEX... | FILE | -

Shows BER-TLV data objects of SGP.32 and SGP.22 as a tree with their ASN.1 names: eUICC Packages and their results, eIM
Configuration Data, notifications, ESipa and ES9+ messages, ES10 commands and answers, certificates.

  HEX       hexadecimal, white space allowed; several arguments are joined
  FILE      a file with octets or with hexadecimal
  -         the same from the standard input
  --json    the tree as JSON: [{ name, tag, length, value?, children?, problems?, alternatives? }]
  -h, --help

A tag does not tell a request from its response: the type that fits best is shown, others that fit as well stand behind it
in brackets. What does not fit is shown as hex; "← ..." names the rule that it breaks.
Exit code 0: decoded (with or without such remarks); 1: not BER-TLV; 2: neither hexadecimal nor a file.
`;

async function run(args: string[], io: Io): Promise<number> {
  const { values, positionals } = readArgs(args, { json: { type: "boolean", default: false } }, { min: 1, max: Infinity, what: "hexadecimal or a file" });
  try {
    const nodes = describe(input(positionals), { certificate: certificateLine });
    if (values.json) io.out(JSON.stringify(nodes, null, 2));
    else for (const line of render(nodes)) io.out(line);
    return OK;
  } catch (error) {
    if (!(error instanceof TlvError)) throw error;
    io.err(`tinyipa decode: expected BER-TLV data objects: ${error.message}`);
    return FAILED;
  }
}

function input(positionals: readonly string[]): Uint8Array {
  const text = positionals.join("");
  const octets = isHex(text) ? fromHex(text) : fromFile(positionals);
  if (octets.length === 0) throw new UsageError("expected data objects, got none");
  return octets;
}

function fromFile(positionals: readonly string[]): Uint8Array {
  const path = positionals[0] as string;
  if (positionals.length > 1 || (path !== "-" && (!existsSync(path) || !statSync(path).isFile()))) {
    const text = positionals.join(" ");
    throw new UsageError(`expected an even number of hexadecimal digits or a file, got "${text.length > 40 ? `${text.slice(0, 40)}…` : text}"`);
  }
  return octetsIn(new Uint8Array(readFileSync(path === "-" ? 0 : path)));
}

/** What a file holds: octets, or hexadecimal that stands for them. */
export function octetsIn(content: Uint8Array): Uint8Array {
  const text = Buffer.from(content).toString("latin1");
  return isHex(text) ? fromHex(text) : content;
}

function isHex(text: string): boolean {
  return /^(\s*[0-9a-fA-F]\s*[0-9a-fA-F])*\s*$/.test(text);
}

/** Role, names, curve and validity of a certificate; of one that we can't read, the reason. */
export function certificateLine(der: Uint8Array): string {
  try {
    const certificate = parseCertificate(der);
    const role = Object.entries(Policy).find(([, oid]) => certificate.policies.includes(oid))?.[0];
    return [
      `X.509${role === undefined ? "" : ` ${role}`} CN=${certificate.commonName ?? "-"}`,
      ...(certificate.serialNumberAttribute === undefined ? [] : [`serialNumber ${certificate.serialNumberAttribute}`]),
      ...(certificate.registeredId === undefined ? [] : [`OID ${certificate.registeredId}`]),
      ...certificate.dnsNames,
      certificate.curve,
      ...(certificate.subjectKeyId === undefined ? [] : [`key id ${toHex(certificate.subjectKeyId)}`]),
      `${day(certificate.notBefore)} to ${day(certificate.notAfter)}`,
    ].join(", ");
  } catch (error) {
    if (!(error instanceof SimError)) throw error;
    return `X.509 certificate, ${der.length} octets (${error.message})`;
  }
}

function day(date: Date): string {
  return date.toISOString().replace(/T.*/, "");
}

export const command: Command = { name: "decode", summary: "show SGP.32 and SGP.22 data objects with their ASN.1 names", help: HELP, run };
