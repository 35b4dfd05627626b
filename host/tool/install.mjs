/** What must be on the machine: Node, the npm packages, and the programs that some checks use. */
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { mustRun, root, run, step, StepError, which } from "./steps.mjs";

const NODE = [20, 19];

/** Programs (or a file, where there is none) that checks use when they are there, and the Debian package that has them. */
const TOOLS = [
  { program: "wasm-validate", debian: "wabt", part: "the second validation of the wasm" },
  { program: "openssl", debian: "openssl", part: "the check of the certificates by openssl" },
  { program: "gcc", debian: "build-essential", part: "the C host on this computer" },
  { program: "tshark", debian: "tshark", part: "the dissection of our CoAP and DTLS datagrams" },
  { program: "arm-none-eabi-gcc", debian: "gcc-arm-none-eabi", part: "firmware for the boards" },
  { program: "newlib for Cortex-M", file: "/usr/lib/arm-none-eabi/newlib/thumb/v7e-m/nofp/libc_nano.a", debian: "libnewlib-arm-none-eabi", part: "firmware for the boards" },
  { program: "qemu-system-arm", debian: "qemu-system-arm", part: "firmware in emulated boards" },
  { program: "clang", debian: "clang", part: "fuzzing of the C host" },
  { program: "coap-client-notls", debian: "libcoap3-bin", part: "CoAP and DTLS against libcoap" },
  { program: "socat", debian: "socat", part: "pseudo terminals of the simulated modem" },
];

export function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > NODE[0] || (major === NODE[0] && minor >= NODE[1])) return;
  throw new StepError(`tinyipa needs Node.js ${NODE.join(".")} or newer; this is ${process.versions.node}`);
}

/** `npm ci`, when node_modules is missing or older than package-lock.json. Install scripts are not needed, so none run. */
export async function installPackages() {
  const installed = join(root, "node_modules/.package-lock.json");
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(join(root, "package-lock.json")).mtimeMs) return;
  await step("install", async () => {
    await mustRun("npm", ["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]);
    return "npm packages of package-lock.json";
  });
}

/**
 * Installs missing programs where that is possible (Debian, root). A failure is no error here: the part that needs the
 * program names itself as skipped. It is not tried again in this checkout, so that work offline stays quick.
 */
export async function installTools() {
  const missing = TOOLS.filter((tool) => !isThere(tool));
  const tried = join(root, "dist/.stamp/tools");
  if (missing.length === 0 || (existsSync(tried) && process.env.CI !== "true")) return;
  if (!isDebian() || process.getuid?.() !== 0) return;
  await step("tools", async () => {
    const packages = missing.map(({ debian }) => debian);
    const env = { DEBIAN_FRONTEND: "noninteractive" };
    await run("apt-get", ["update", "-qq"], { env });
    const { status } = await run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...packages], { env });
    if (status === 0) return packages.join(", ");
    mkdirSync(dirname(tried), { recursive: true });
    writeFileSync(tried, packages.join("\n"));
    return `${packages.join(", ")}: apt-get could not (remove dist/.stamp/tools to try again)`;
  });
}

const isThere = ({ program, file }) => (file === undefined ? which(program) !== undefined : existsSync(file));

/** The parts that can't run here, as sentences. */
export function missingTools() {
  return TOOLS.filter((tool) => !isThere(tool)).map(({ program, debian, part }) => `${part}: ${program} is not installed (Debian package ${debian})`);
}

function isDebian() {
  return existsSync("/etc/os-release") && /^ID(_LIKE)?=.*debian/m.test(readFileSync("/etc/os-release", "utf8")) && which("apt-get") !== undefined;
}
