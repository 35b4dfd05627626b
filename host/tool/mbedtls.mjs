/**
 * Mbed TLS 3.6 for the C host (decisions.md 5): its sources from Debian's source package, by a private apt tree whose one deb-src entry takes address and
 * keyring from the machine's own apt sources; the upstream archive must be one of ACCEPTED. Or the tree that MBEDTLS_DIR names. Nothing of Debian's
 * patches is used. Sources are kept in dist/mbedtls-VERSION/, objects in dist/native/mbedtls/.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join, relative, resolve } from "node:path";
import { hashFiles, mustRun, root, run, StepError, which } from "./steps.mjs";

/** sha256 of the upstream archives that may be built: bytes that were read and tried, whatever the way they came. */
const ACCEPTED = {
  "8fb65fae8dcae5840f793c0a334860a411f884cc537ea290ce1c52bb64ca007a": "3.6.6",
  "a7e8bcbec0e6f761b4af24f25677626b35f762f68eef79c08677a363212d11f6": "3.6.7",
};

/** Debian releases whose mbedtls is 3.6. */
const SUITES = ["trixie"];

/** What the C host links of Mbed TLS; host/link/mbedtls_config.h empties those that a board leaves out. */
const PARTS = [
  "aes", "asn1parse", "asn1write", "bignum", "bignum_core", "block_cipher", "ccm", "cipher", "cipher_wrap", "constant_time", "ctr_drbg", "ecdh", "ecdsa", "ecp", "ecp_curves",
  "gcm", "md", "oid", "pk", "pk_ecc", "pk_wrap", "pkparse", "platform", "platform_util", "sha256", "ssl_ciphersuites", "ssl_client", "ssl_cookie",
  "ssl_debug_helpers_generated", "ssl_msg", "ssl_tls12_client", "ssl_tls12_server", "x509", "x509_crt",
];

/** The sources can't be had here. Outside CI the parts that need them are named as skipped. */
export class MbedtlsMissing extends StepError {}

const CONFIG = "host/link/mbedtls_config.h";

/** Stands for the tree's ssl_tls.c, which it includes. */
const SSL_TLS = "host/link/mbedtls_ssl_tls.c";
const original = (folder) => join(folder, "library/ssl_tls.c");

/** What a compiler needs to include Mbed TLS and to configure it as we do. */
const settings = (folder) => ["-isystem", join(folder, "include"), "-DMBEDTLS_CONFIG_FILE=\"link/mbedtls_config.h\"", `-DIPA_MBEDTLS_SSL_TLS="${original(folder)}"`];

/** The source tree, fetched when it must be. Throws StepError when it can't be had. */
export async function mbedtlsFolder() {
  const given = process.env.MBEDTLS_DIR;
  if (given !== undefined) return checked(resolve(given), "MBEDTLS_DIR");
  for (const version of Object.values(ACCEPTED).reverse()) {
    const folder = join(root, `dist/mbedtls-${version}`);
    if (existsSync(join(folder, "include/mbedtls/ssl.h"))) return folder;
  }
  return fetched();
}

function checked(folder, name) {
  const header = join(folder, "include/mbedtls/build_info.h");
  if (!existsSync(header)) throw new StepError(`${name} has no include/mbedtls/build_info.h: ${folder}`);
  const version = /MBEDTLS_VERSION_STRING\s+"([^"]+)"/.exec(readFileSync(header, "utf8"))?.[1] ?? "unknown";
  if (!version.startsWith("3.6.")) throw new StepError(`${name} holds Mbed TLS ${version}, expected 3.6`);
  return folder;
}

/** C files of the tree `folder` that a firmware compiles; unused functions go with --gc-sections. */
export function mbedtlsSources(folder) {
  return [...PARTS.map((part) => join(folder, "library", `${part}.c`)).filter((path) => existsSync(path)), join(root, SSL_TLS)];
}

/** Sources and compiler flags for another build (a firmware): { sources, flags }. */
export async function mbedtlsParts() {
  const folder = await mbedtlsFolder();
  return { sources: mbedtlsSources(folder), flags: [...settings(folder), "-Ihost", "-Ihost/include"] };
}

/** Builds Mbed TLS with `flags` and `cc`; gives { flags, objects, stamp }. Its own warnings are its own. */
export async function mbedtls({ flags, cc }) {
  const { sources, flags: own } = await mbedtlsParts();
  const folder = await mbedtlsFolder();
  const all = ["-std=c99", "-w", "-ffunction-sections", "-fdata-sections", ...own, ...flags];
  const headers = [CONFIG, "host/include/ipa/config_default.h"];
  const stamp = createHash("sha256").update(JSON.stringify([cc, all.map((flag) => flag.replaceAll(root, ""))])).update(hashFiles([...headers, ...[...sources, original(folder)].map((path) => relative(root, path))])).digest("hex");
  const out = join(root, "dist/native/mbedtls", stamp.slice(0, 16));
  const objects = sources.map((source) => join(out, source.replace(/^.*\/|\.c$/g, "") + ".o"));
  if (!existsSync(join(out, "done"))) {
    mkdirSync(out, { recursive: true });
    await inParallel(sources.map((source, i) => () => mustRun(cc, [...all, "-c", source, "-o", objects[i]])));
    writeFileSync(join(out, "done"), stamp);
  }
  return { flags: settings(folder), objects, stamp };
}

/** At most two at once, and never more than there are processors. */
async function inParallel(jobs) {
  const queue = [...jobs];
  const worker = async () => {
    for (let job = queue.shift(); job !== undefined; job = queue.shift()) await job();
  };
  await Promise.all(Array.from({ length: Math.min(2, cpus().length) }, worker));
}

async function fetched() {
  for (const program of ["apt-get", "tar", "bzip2"]) {
    if (which(program) === undefined) throw new MbedtlsMissing(`Mbed TLS 3.6 can't be fetched: ${program} is not installed (or name a source tree by MBEDTLS_DIR)`);
  }
  const work = join(root, `dist/.mbedtls-${process.pid}`);
  try {
    const archive = await download(work);
    const version = accepted(archive);
    await mustRun("tar", ["-xjf", archive, "-C", work]);
    const target = join(root, `dist/mbedtls-${version}`);
    rmSync(target, { recursive: true, force: true });
    renameSync(join(work, readdirSync(work).find((name) => /^mbedtls-\d/.test(name)) ?? "mbedtls"), target);
    return checked(target, "the fetched archive");
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function accepted(archive) {
  const hash = createHash("sha256").update(readFileSync(archive)).digest("hex");
  const version = ACCEPTED[hash];
  if (version === undefined) throw new StepError(`the archive of Mbed TLS has sha256 ${hash}, expected one of ${Object.keys(ACCEPTED).join(", ")} (or name a source tree by MBEDTLS_DIR)`);
  return version;
}

/** Fetches the upstream archive of the source package into `work`; gives its path. */
async function download(work) {
  const { uri, signedBy } = aptSource();
  for (const folder of ["parts", "lists/partial", "cache/archives/partial"]) mkdirSync(join(work, folder), { recursive: true });
  writeFileSync(join(work, "parts/source.sources"), `Types: deb-src\nURIs: ${uri}\nSuites: ${SUITES.join(" ")}\nComponents: main\n${signedBy}`);
  const apt = ["Dir::Etc::SourceList=/dev/null", `Dir::Etc::SourceParts=${join(work, "parts")}`, `Dir::State::Lists=${join(work, "lists")}`, `Dir::Cache=${join(work, "cache")}`, "APT::Sandbox::User=root"].flatMap((option) => ["-o", option]);
  await quietly(uri, ["-qq", ...apt, "update"]);
  const uris = await quietly(uri, ["-qq", ...apt, "source", "--print-uris", "mbedtls"]);
  const name = /mbedtls_3\.6\.\d+\.orig\.tar\.bz2/.exec(uris)?.[0];
  if (name === undefined) throw new MbedtlsMissing(`${SUITES.join(", ")} has no mbedtls 3.6 source package (or name a source tree by MBEDTLS_DIR)`);
  await quietly(uri, ["-qq", ...apt, "source", "--download-only", "mbedtls"], work);
  return join(work, name);
}

/** Runs apt-get; where it fails, its words without the machine's own addresses. */
async function quietly(uri, args, cwd) {
  const [command, ...rest] = cwd === undefined ? ["apt-get", ...args] : ["sh", "-c", "cd \"$0\" && exec apt-get \"$@\"", cwd, ...args];
  const { status, output } = await run(command, rest);
  if (status === 0) return output;
  throw new MbedtlsMissing(`Mbed TLS 3.6 could not be fetched from Debian's sources (or name a source tree by MBEDTLS_DIR):\n${output.trim().replaceAll(uri, "(the machine's mirror)")}`);
}

/** Address and keyring of the first entry with component main that is not a security archive. */
function aptSource() {
  const folder = "/etc/apt/sources.list.d";
  const names = existsSync(folder) ? readdirSync(folder).sort() : [];
  const stanzas = names.filter((name) => name.endsWith(".sources")).flatMap((name) => readFileSync(join(folder, name), "utf8").split(/\n\s*\n/)).map(deb822);
  const lines = [...names.filter((name) => name.endsWith(".list")).map((name) => join(folder, name)), "/etc/apt/sources.list"].filter((path) => existsSync(path));
  const entries = [...stanzas, ...lines.flatMap((path) => readFileSync(path, "utf8").split("\n")).map(oneLine)];
  const entry = entries.find((found) => found !== undefined && / main /.test(` ${found.components} `) && !/security/.test(found.suites));
  if (entry === undefined) throw new MbedtlsMissing("Mbed TLS 3.6 can't be fetched: this machine has no apt source with component main (or name a source tree by MBEDTLS_DIR)");
  return { uri: entry.uri, signedBy: entry.signedBy === undefined ? "" : `Signed-By: ${entry.signedBy}\n` };
}

function deb822(stanza) {
  const field = (name) => new RegExp(`^${name}:[ \\t]*(.*)$`, "mi").exec(stanza)?.[1]?.trim();
  const uri = field("URIs")?.split(/\s+/)[0];
  if (uri === undefined || /^no$/i.test(field("Enabled") ?? "yes") || !/\bdeb\b/.test(field("Types") ?? "")) return undefined;
  return { uri, suites: field("Suites") ?? "", components: field("Components") ?? "", signedBy: field("Signed-By") };
}

function oneLine(line) {
  const found = /^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+(.*)$/.exec(line.trim());
  if (found === null) return undefined;
  return { uri: found[2], suites: found[3], components: found[4], signedBy: /signed-by=(\S+)/.exec(found[1] ?? "")?.[1] };
}
