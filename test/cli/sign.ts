/**
 * `tinyipa sign`: key pairs and signed containers of the agent (host/README.md, "Signed container"): makes a key, makes a container, checks one.
 */
import { generateKeyPairSync } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { ContainerError, defaultKeyId, idText, makeContainer, publicPoint, readContainer, SECTION, signingKey, verifyContainer, versionNumber, versionText, type Container } from "../../host/tool/container.js";
import { checkModule } from "../../host/tool/gate.js";
import { makeSideTable } from "../../host/tool/side-table.js";
import { findAgent } from "../sim/agent/find.js";
import { FAILED, OK, readArgs, UsageError, wholeNumber, type Command, type Io } from "./command.js";

const ABI = 0x10000;
const STACK_WITHOUT_BOUND = 2048;

const HELP = `Usage: tinyipa sign --new-key FILE
       tinyipa sign --key FILE --agent-version A.B.C --out CONTAINER [WASM]
       tinyipa sign --key FILE --public
       tinyipa sign --check CONTAINER [--key FILE]

Signs the agent for devices (default: the built dist/tinyipa.wasm), or checks a signed container.

  --new-key FILE        make a key pair on P-256; the private key goes to FILE (PEM), the public one is printed for the firmware
  --key FILE            private key to sign with; for --check and --public a public one is enough
  --key-id N            id of the key in firmware and container (default: from the SHA-256 of its point)
  --agent-version A.B.C a device refuses one older than it ran
  --out CONTAINER       where the container goes
  --no-side-table       leave out the side table of the in-place engine
  --memory N            octets of linear memory (default: what ipa_memory() says)
  --stack N             octets of the VM's stack (default: the side table's bound)
  --public              print the public key as C
  --check CONTAINER     say what is in it; with --key also whether hash and signature hold
  --json                what was made or checked, as JSON
  -h, --help

Exit code 0: made, or it holds; 1: the module breaks a rule of the gate, or the container is refused; 2: misuse.
`;

interface Values {
  readonly "new-key"?: string | undefined;
  readonly key?: string | undefined;
  readonly "key-id"?: string | undefined;
  readonly "agent-version"?: string | undefined;
  readonly out?: string | undefined;
  readonly "no-side-table": boolean;
  readonly memory?: string | undefined;
  readonly stack?: string | undefined;
  readonly public: boolean;
  readonly check?: string | undefined;
  readonly json: boolean;
}

async function run(args: string[], io: Io): Promise<number> {
  const text = { type: "string" } as const, flag = { type: "boolean", default: false } as const;
  const { values, positionals } = readArgs(args, {
    "new-key": text, key: text, "key-id": text, "agent-version": text, out: text, "no-side-table": flag, memory: text, stack: text, public: flag, check: text, json: flag,
  }, { max: 1, what: "at most one file" });
  if (values["new-key"] !== undefined) return newKey(values["new-key"], values, io);
  if (values.check !== undefined) return check(values.check, values, io);
  if (values.key === undefined) throw new UsageError("expected --new-key, --key or --check, got none of them");
  if (values.public) return showPublic(pointOf(values.key), values, io);
  return make(positionals[0] ?? findAgent(), values, io);
}

function newKey(file: string, values: Values, io: Io): number {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  try {
    // wx: a signing key is never overwritten.
    writeFileSync(file, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600, flag: "wx" });
  } catch (error) {
    throw new UsageError(`expected a new file for --new-key, got "${file}" (${reason(error)})`);
  }
  io.err(`tinyipa sign: the private key is in ${file}; who has it can sign for every device that trusts it`);
  return showPublic(publicPoint(privateKey), values, io);
}

/** The public key as a firmware's source needs it (struct ipa_image_key). */
function showPublic(point: Uint8Array, values: Values, io: Io): number {
  const id = keyIdOf(values, point);
  if (values.json) {
    io.out(JSON.stringify({ keyId: id, point: hex(point) }));
    return OK;
  }
  const octets = [...point].map((octet) => `0x${octet.toString(16).padStart(2, "0")}`);
  const rows = Array.from({ length: Math.ceil(octets.length / 16) }, (_, i) => `    ${octets.slice(16 * i, 16 * i + 16).join(", ")},`);
  for (const line of ["static const uint8_t image_point[65] = {", ...rows, "};", `static const struct ipa_image_key image_key = { ${idText(id)}, image_point };`]) io.out(line);
  return OK;
}

function make(file: string, values: Values, io: Io): number {
  if (values.out === undefined || values["agent-version"] === undefined) throw new UsageError(`expected --${values.out === undefined ? "out" : "agent-version"}, got none`);
  const wasm = read(file);
  const { problems, staticEnd } = checkModule(wasm);
  if (problems.length > 0 || staticEnd === undefined) {
    for (const problem of problems) io.out(`✖ ${problem}`);
    return FAILED;
  }
  const table = values["no-side-table"] ? undefined : makeSideTable(wasm);
  const memory = wholeNumber("memory", values.memory, staticEnd, 65_536) ?? staticEnd;
  const stack = wholeNumber("stack", values.stack, table?.stack ?? 0, 65_536) ?? (table?.stack || STACK_WITHOUT_BOUND);
  const key = privateKeyOf(values);
  const container = makeContainer({ wasm, sideTable: table?.bytes, version: versionOf(values["agent-version"]), abi: ABI, memory, stack }, key);
  writeFileSync(values.out, container);
  show(verifyContainer(container, key.point, key.id), "signed", values.json, io);
  return OK;
}

function check(file: string, values: Values, io: Io): number {
  const bytes = read(file);
  try {
    if (values.key === undefined) {
      show(readContainer(bytes), "not verified: no --key", values.json, io);
      return OK;
    }
    const point = pointOf(values.key);
    show(verifyContainer(bytes, point, keyIdOf(values, point)), "hash and signature hold", values.json, io);
    return OK;
  } catch (error) {
    if (!(error instanceof ContainerError)) throw error;
    io.out(values.json ? JSON.stringify({ refused: error.code, message: error.message }) : `✖ ${error.message}`);
    return FAILED;
  }
}

function show(container: Container, verdict: string, json: boolean, io: Io): void {
  const { version, abi, memory, stack, keyId, length, headerLength, sections, hash } = container;
  if (json) {
    io.out(JSON.stringify({ version: versionText(version), abi, memory, stack, keyId, length, headerLength, sections, sha256: hex(hash), verdict }, null, 2));
    return;
  }
  const row = (name: string, value: string | number): void => io.out(`${name.padEnd(14)} ${value}`);
  row("container", `${length} B, header ${headerLength} B`);
  for (const section of sections) row(`  ${section.kind === SECTION.wasm ? "wasm" : section.kind === SECTION.sideTable ? "side table" : `kind ${section.kind}`}`, `${section.length} B`);
  row("version", `${versionText(version)} (ABI ${abi >>> 16}.${abi & 0xffff})`);
  row("linear memory", `${memory} B`);
  row("stack", `${stack} B`);
  row("key", idText(keyId));
  row("sha256", hex(hash));
  row("verdict", verdict);
}

function privateKeyOf(values: Values): ReturnType<typeof signingKey> {
  const file = values.key as string;
  try {
    const key = signingKey(new TextDecoder().decode(read(file)));
    return { ...key, id: keyIdOf(values, key.point) };
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError(`expected a private key on P-256, got "${file}" (${(error as Error).message})`);
  }
}

function pointOf(file: string): Uint8Array {
  try {
    return publicPoint(new TextDecoder().decode(read(file)));
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError(`expected a key on P-256, got "${file}" (${(error as Error).message})`);
  }
}

function keyIdOf(values: Values, point: Uint8Array): number {
  return wholeNumber("key-id", values["key-id"], 0, 0xffff_ffff) ?? defaultKeyId(point);
}

function versionOf(text: string): number {
  try {
    return versionNumber(text);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function read(file: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(file));
  } catch (error) {
    throw new UsageError(`expected a file, got "${file}" (${reason(error)})`);
  }
}

const reason = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? (error as Error).message;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

export const command: Command = { name: "sign", summary: "sign the agent for devices, or check a signed container", help: HELP, run };
