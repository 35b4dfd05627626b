/**
 * `tinyipa euicc`: the simulated eUICC in a virtual smart card reader, for any program that talks to cards through PC/SC.
 */
import { existsSync, readFileSync } from "node:fs";
import { toHex } from "../sim/core/bytes.js";
import { SimError } from "../sim/core/errors.js";
import { Euicc, QUIRKS, type ApduOptions, type EuiccOptions, type Quirk } from "../sim/euicc/index.js";
import { serveVpcd } from "../sim/euicc/vpcd.js";
import type { Pki } from "../sim/pki/pki.js";
import { octetsIn } from "./decode.js";
import { keysOf } from "./keys.js";
import { keepCard, restoreCard } from "./card.js";
import { FAILED, OK, readArgs, UsageError, type Command } from "./command.js";

const HELP = `Usage: tinyipa euicc --vpcd HOST:PORT [options]

Puts the simulated eUICC into vsmartcard's virtual reader (vpcd), where PC/SC programs find it. Ends when the reader goes.

  --vpcd HOST:PORT   where vpcd listens (its default port is 35963)
  --state FILE       keeps the card between runs; the file is made when it is not there, and then holds what the options say
  --pki DIR          keys and certificates of the card; without it they are made from the seed
  --curve NAME       P-256 (default) or brainpool
  --seed N           seed of what is made (default 0)
  --eid DIGITS       32 digits, where the certificate does not say
  --profile ICCID    a Profile, 19 or 20 digits; the first one is enabled; may be repeated
  --smdp FQDN        who is told of enabling, disabling and deleting them (default smdp.example.com)
  --eim ID[=FILE]    an associated eIM with its certificate or EimConfigurationData (DER, or hexadecimal as "tinyipa eim" prints it); without
                     FILE the certificate of the PKI's; may be repeated
  --response FORM    61xx (default), 9000 or 6Cxx: how response data are told
  --quirk NAME       a deviation of real cards; may be repeated:
${quirkLines()}
  --lenient          takes the deviating requests of the field
  --no-gate          works without TERMINAL CAPABILITY
  --trace            tells every APDU
  -h, --help
`;

const OPTIONS = {
  vpcd: { type: "string" },
  state: { type: "string" },
  pki: { type: "string" },
  curve: { type: "string" },
  seed: { type: "string" },
  eid: { type: "string" },
  profile: { type: "string", multiple: true },
  smdp: { type: "string" },
  eim: { type: "string", multiple: true },
  response: { type: "string" },
  quirk: { type: "string", multiple: true },
  lenient: { type: "boolean" },
  "no-gate": { type: "boolean" },
  trace: { type: "boolean" },
} as const;

/** The quirks in lines of some 140 characters, under their option. */
function quirkLines(): string {
  const lines = [""];
  for (const quirk of QUIRKS) {
    if ((lines.at(-1) as string).length + quirk.length > 118) lines.push("");
    lines.push(`${lines.pop() as string}${quirk}, `);
  }
  return lines.map((line) => `${"".padEnd(21)}${line.trim()}`).join("\n").replace(/,$/, "");
}

type Values = ReturnType<typeof readArgs<typeof OPTIONS>>["values"];

export const command: Command = {
  name: "euicc",
  summary: "the simulated eUICC in a virtual smart card reader",
  help: HELP,
  async run(args, io) {
    const { values } = readArgs(args, OPTIONS);
    const { host, port } = address(values.vpcd);
    const euicc = card(values);
    let told = 0;
    const exchanged = (capdu: Uint8Array, rapdu: Uint8Array): void => {
      if (values.trace === true) io.err(`${toHex(capdu)} -> ${toHex(rapdu)}`);
      for (const { what, answer, why } of euicc.refusals.slice(told)) io.err(`refused ${what}: ${answer}, ${why}`);
      told = euicc.refusals.length;
      keepCard(euicc, values.state);
    };
    keepCard(euicc, values.state);
    try {
      await serveVpcd(euicc, { host, port, exchanged, connected: () => io.out(`eUICC ${euicc.eid} is in the reader at ${host}:${port}`) });
    } catch (error) {
      if (!(error instanceof SimError)) throw error;
      io.err(error.message);
      return FAILED;
    }
    return OK;
  },
};

function address(text: string | undefined): { host: string; port: number } {
  const [, host, digits] = /^(.+):([0-9]{1,5})$/.exec(text ?? "") ?? [];
  const port = Number(digits);
  if (host === undefined || port < 1 || port > 65535) throw new UsageError(`expected --vpcd HOST:PORT, got ${text === undefined ? "none" : `"${text}"`}`);
  return { host, port };
}

function card(values: Values): Euicc {
  const euicc = maker(values);
  restoreCard(euicc, values.state);
  return euicc;
}

function maker(values: Values): Euicc {
  try {
    return new Euicc(optionsOf(values));
  } catch (error) {
    if (error instanceof RangeError || error instanceof SimError) throw new UsageError(error.message);
    throw error;
  }
}

function optionsOf(values: Values): EuiccOptions {
  const pki = keysOf(values, []);
  const notifications = [{ events: ["install", "enable", "disable", "delete"] as const, address: values.smdp ?? "smdp.example.com" }];
  const apdu: Partial<ApduOptions> = { caseFour: true };
  if (values.response !== undefined) apdu.response = oneOf("--response", values.response, ["61xx", "9000", "6Cxx"] as const);
  if (values["no-gate"] === true) apdu.gate = false;
  return {
    pki,
    profiles: (values.profile ?? []).map((iccid, index) => ({ iccid, enabled: index === 0, notifications })),
    eims: (values.eim ?? []).map((text) => eim(text, pki)),
    quirks: (values.quirk ?? []).map((name) => oneOf<Quirk>("--quirk", name, QUIRKS)),
    lenient: values.lenient ?? false,
    apdu,
  };
}

function eim(text: string, pki: Pki): Uint8Array | { eimId: string; certificate: Uint8Array } {
  const [eimId = "", file] = text.split("=", 2);
  if (file === undefined) return { eimId, certificate: pki.eimSign.certificate };
  if (!existsSync(file)) throw new UsageError(`expected a certificate or EimConfigurationData in ${file}, got no such file`);
  const der = octetsIn(new Uint8Array(readFileSync(file)));
  // EimConfigurationData begins with eimId (80), a certificate with its TBSCertificate (30).
  const first = der[der[1] !== undefined && der[1] > 0x80 ? 2 + (der[1] & 0x7f) : 2];
  return first === 0x80 ? der : { eimId, certificate: der };
}

function oneOf<T extends string>(option: string, got: string, expected: readonly T[]): T {
  const found = expected.find((one) => one === got);
  if (found === undefined) throw new UsageError(`expected ${option} to be one of ${expected.join(", ")}, got ${got}`);
  return found;
}
