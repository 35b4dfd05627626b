/**
 * Firmware: `npm run firmware -- BOARD [options]`. A board is a folder of boards/ with a build.json:
 *
 *     native     true: a program for this computer
 *     cpu        flags of the processor            script    its linker script
 *     sources    its own C files                   families  modems (host/modem/quirks)
 *     engines    the first one is the default      defines   further flags
 *     emulated   flags of --emulated: what its emulator lacks
 *
 * The agent is signed into a container (host/README.md) and laid into section .agent. Everything lands in dist/firmware/BOARD[-VARIANT]/:
 * .elf .bin .hex .map (native: the program), agent.tipa, size.json. Objects are kept by the hash of what they were made from.
 */
import { createHash, generateKeyPairSync } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename, join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { measure, table } from "./firmware-size.mjs";
import { mbedtlsParts } from "./mbedtls.mjs";
import { STRICT } from "./native.mjs";
import { files, hashFiles, mustRun, root, step, StepError, which } from "./steps.mjs";
import { WASM3_FLAGS, WASM3_MEMORY, wasm3Folder, wasm3Sources } from "./wasm3.mjs";

export const DEVELOPMENT_KEY = "dist/firmware/development-key.pem";
const OUT = "dist/firmware";
const ABI = 0x10000;
const STACK_WITHOUT_BOUND = 2048;
const FAMILIES_WITHOUT_CID = ["nordic"];

const OPTIONS = {
  engine: { type: "string" }, emulated: { type: "boolean", default: false }, release: { type: "boolean", default: false }, tag: { type: "string" }, key: { type: "string" },
  "agent-version": { type: "string" }, wasm: { type: "string", default: "dist/tinyipa.wasm" }, family: { type: "string", multiple: true }, apn: { type: "string" }, psm: { type: "string" },
  edrx: { type: "string" }, "lte-m": { type: "boolean", default: false }, psk: { type: "string" }, ca: { type: "string" }, "agent-config": { type: "string", default: "" },
  sensor: { type: "string" }, "sensor-period": { type: "string", default: "3600" }, define: { type: "string", multiple: true, default: [] }, sanitize: { type: "boolean", default: false },
  quiet: { type: "boolean", default: false }, help: { type: "boolean", short: "h", default: false },
};

const HELP = `Usage: npm run firmware -- BOARD [options]

  --engine NAME        inplace (default where the board has it) or wasm3
  --emulated           with the options that the board's emulator needs; the image names them at start
  --release            refuses emulation and laboratory options and the development key
  --key FILE           private key (PEM, P-256) that signs the agent; default: a development key, made when it is not there
  --agent-version V    default: the version of package.json
  --wasm FILE          the agent (dist/tinyipa.wasm)
  --family NAME        modem families in place of the board's; may be repeated
  --apn, --psm, --edrx, --lte-m, --psk ID:HEX, --ca FILE, --agent-config HEX, --sensor HOST:PORT, --sensor-period S
                       the product's settings (boards/app/device.h)
  --define NAME=VALUE  further macros, e.g. IPA_CFG_TLS=0; may be repeated
  --tag NAME           name of this variant in dist/firmware/
  --sanitize           native only: with address and undefined behaviour sanitizers
  --quiet              no size table
`;

/** Reads the command line, builds, prints. Gives the exit code. */
export async function firmware(args) {
  const { values, positionals } = readArguments(args);
  if (values.help || positionals.length !== 1) {
    console.log(HELP.trimEnd());
    return values.help ? 0 : 2;
  }
  const { folder, sizes } = await buildFirmware(positionals[0], values);
  console.log(`${folder}/`);
  if (!values.quiet && sizes !== undefined) for (const line of table(sizes)) console.log(line);
  return 0;
}

function readArguments(args) {
  try {
    return parseArgs({ args, options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new StepError(`${error.message}\n\n${HELP.trimEnd()}`);
  }
}

/** The images whose sizes `npm run size` prints: everything, and what leaving parts out saves. */
const STANDARD = [
  ["netduinoplus2", {}],
  ["netduinoplus2", { tag: "coaps-only", define: ["IPA_CFG_TLS=0"] }],
  ["netduinoplus2", { tag: "psk-only", define: ["IPA_CFG_TLS=0", "IPA_CFG_DTLS_ECDSA=0"] }],
  ["netduinoplus2", { tag: "without-tls", define: ["IPA_CFG_TLS=0", "IPA_CFG_DTLS=0"] }],
  ["netduinoplus2", { engine: "wasm3" }],
  ["microbit", {}],
];

/** Builds them, where the compiler is here. */
export async function standardFirmware() {
  if (which("arm-none-eabi-gcc") === undefined) return;
  await step("firmware", async () => {
    for (const [name, options] of STANDARD) if (existsSync(join(root, "boards", name, "build.json"))) await buildFirmware(name, options);
    return `${STANDARD.length} images in ${OUT}/`;
  });
}

/** Boards with a build.json. */
export function boards() {
  return files("boards", (name) => name === "build.json").map((path) => path.split("/")[1]).sort();
}

/**
 * Builds one firmware. `given`: options as on the command line, all optional. Gives { folder, program, sizes, keyId, point }: the folder in
 * dist/firmware, the ELF file or native program, its sizes (none for native ones), and the key that its images are signed with.
 */
export async function buildFirmware(name, given = {}) {
  const options = { ...Object.fromEntries(Object.entries(OPTIONS).map(([key, { default: value }]) => [key, value])), ...given };
  const board = readBoard(name);
  const engine = options.engine ?? board.engines[0];
  if (!board.engines.includes(engine)) throw new StepError(`${name} has ${board.engines.join(", ")}; got --engine ${engine}`);
  refuseForRelease(options);
  const tools = await loadTools();
  const cc = compilerOf(board);
  const folder = join(OUT, [name, ...(engine === board.engines[0] ? [] : [engine]), ...(options.emulated ? ["emulated"] : []), ...(options.sanitize ? ["sanitized"] : []), ...(options.tag === undefined ? [] : [options.tag])].join("-"));
  mkdirSync(join(root, folder), { recursive: true });
  const key = signingKeyOf(tools, options);
  const image = makeImage(tools, key, engine, options);
  writeIfChanged(join(folder, "agent.tipa"), image);
  writeIfChanged(join(folder, "product_values.h"), productValues(board, key, options));
  const parts = await partsOf(name, board, engine, options);
  const flags = flagsOf(name, board, engine, options);
  const objects = await compileAll(cc, parts, flags, folder);
  const made = await whenChanged(folder, [name, objects, createHash("sha256").update(image).digest("hex"), board.script && hashFiles([`boards/${name}/${board.script}`])], () => (board.native ? linkNative(cc, folder, objects, options) : linkImage(cc, name, board, folder, objects, flags)));
  return { folder, keyId: key.id, point: Buffer.from(key.point).toString("hex"), ...made };
}

function readBoard(name) {
  const path = join(root, "boards", name, "build.json");
  if (!existsSync(path)) throw new StepError(`expected one of ${boards().join(", ")}, got ${name}`);
  return { cpu: [], sources: [], families: ["generic"], engines: ["inplace"], defines: [], emulated: [], without: [], ...JSON.parse(readFileSync(path, "utf8")) };
}

/** A release image takes nothing that is only for the laboratory. */
function refuseForRelease(options) {
  if (!options.release) return;
  const wrong = [];
  if (options.emulated) wrong.push("--emulated");
  if (options.sanitize) wrong.push("--sanitize");
  if (options.key === undefined || resolve(root, options.key) === join(root, DEVELOPMENT_KEY)) wrong.push("the development key (expected --key FILE)");
  wrong.push(...options.define.filter((text) => /LAB|EMULATED|SEED|JOURNAL_RAM|TLS_SERVER/.test(text)).map((text) => `--define ${text}`));
  if (wrong.length > 0) throw new StepError(`a release image refuses ${wrong.join(", ")}`);
}

/** The TypeScript tools, as the build compiled them; TINYIPA_TS names another folder of theirs than dist/ts. */
async function loadTools() {
  const folder = join(root, process.env.TINYIPA_TS ?? "dist/ts", "host/tool");
  if (!existsSync(join(folder, "container.js"))) throw new StepError("the build tools are not compiled: npm run build first");
  const load = (name) => import(pathToFileURL(join(folder, name)).href);
  return { ...(await load("container.js")), ...(await load("side-table.js")), ...(await load("gate.js")) };
}

function compilerOf(board) {
  const cc = board.native ? (process.env.CC ?? "gcc") : "arm-none-eabi-gcc";
  if (which(cc) === undefined) throw new StepError(`${cc} is not installed${board.native ? "" : " (Debian packages gcc-arm-none-eabi and libnewlib-arm-none-eabi)"}`);
  return cc;
}

function signingKeyOf(tools, { key }) {
  const path = resolve(root, key ?? DEVELOPMENT_KEY);
  if (key === undefined && !existsSync(path)) {
    mkdirSync(join(root, OUT), { recursive: true });
    writeFileSync(path, generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  }
  return tools.signingKey(readFileSync(path, "utf8"));
}

/** The container: made anew only when something in it changed, since each signature differs. */
function makeImage({ makeContainer, makeSideTable, checkModule, versionNumber }, key, engine, options) {
  const wasm = new Uint8Array(readFileSync(resolve(root, options.wasm)));
  const { problems, staticEnd } = checkModule(wasm);
  if (problems.length > 0) throw new StepError(`the build gate refuses ${options.wasm}:\n${problems.join("\n")}`);
  const side = makeSideTable(wasm);
  const version = options["agent-version"] ?? JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version;
  const parts = { wasm, sideTable: engine === "inplace" ? side.bytes : undefined, version: versionNumber(version), abi: ABI, memory: staticEnd, stack: side.stack || STACK_WITHOUT_BOUND };
  const kept = join(root, OUT, ".images", createHash("sha256").update(wasm).update(side.bytes).update(JSON.stringify([engine, parts.version, parts.memory, parts.stack, key.id])).digest("hex"));
  if (!existsSync(kept)) {
    mkdirSync(join(root, OUT, ".images"), { recursive: true });
    writeFileSync(kept, makeContainer(parts, key));
  }
  return readFileSync(kept);
}

/** product_values.h: boards/app/product.h says what must stand in it. */
function productValues(board, key, options) {
  const families = options.family ?? board.families.filter((family, _i, all) => all.length === 1 || family !== "generic");
  const [psk, identity] = pskOf(options.psk);
  const [host, port] = hostAndPort(options.sensor);
  const ca = options.ca === undefined ? Buffer.alloc(0) : readFileSync(resolve(root, options.ca));
  const config = Buffer.from(options["agent-config"], "hex");
  const octets = (bytes) => `{${bytes.length === 0 ? "0" : [...bytes].map((octet) => `0x${octet.toString(16)}`).join(", ")}}`;
  const text = (value) => (value === undefined ? "NULL" : JSON.stringify(value));
  const values = {
    KEY_ID: `0x${key.id.toString(16)}u`, KEY: octets(key.point), FAMILIES: families.map((family) => `&ipa_family_${family}`).join(", "), CID: families.some((family) => FAMILIES_WITHOUT_CID.includes(family)) ? 0 : 1,
    APN: text(options.apn), PSM: text(options.psm), EDRX: text(options.edrx), LTE_M: options["lte-m"] ? 1 : 0, PSK_IDENTITY: text(identity), PSK_LEN: psk.length, PSK: octets(psk),
    CA_LEN: ca.length, CA: octets(ca), AGENT_CONFIG_LEN: config.length, AGENT_CONFIG: octets(config), SENSOR_HOST: JSON.stringify(host), SENSOR_PORT: port, SENSOR_PERIOD_MS: Math.round(Number(options["sensor-period"]) * 1000),
  };
  return ["/* Written by host/tool/firmware.mjs. */", ...Object.entries(values).map(([name, value]) => `#define PRODUCT_${name} ${value}`), ""].join("\n");
}

function pskOf(value) {
  if (value === undefined) return [Buffer.alloc(0), undefined];
  const [, identity, hex] = /^(.{1,128}):((?:[0-9a-fA-F]{2}){1,64})$/.exec(value) ?? [];
  if (identity === undefined) throw new StepError("expected ID:HEX with 1 to 64 octets for --psk");
  return [Buffer.from(hex, "hex"), identity];
}

function hostAndPort(value) {
  if (value === undefined) return ["", 0];
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(value) ?? [];
  if (host === undefined) throw new StepError(`expected HOST:PORT for --sensor, got ${value}`);
  return [host, Number(port)];
}

/** What is compiled, by the part it counts for: { part, sources, flags, own }. */
async function partsOf(name, board, engine, options) {
  const named = (folder, stems) => stems.map((stem) => `${folder}/${stem}.c`);
  const families = [...new Set(["generic", ...(options.family ?? board.families)])];
  const mbedtls = await mbedtlsParts();
  const own = { own: true, flags: ["-isystem", wasm3Folder(), ...mbedtls.flags] };
  return [
    engine === "wasm3"
      ? { part: "engine", sources: ["host/src/wasm_wasm3.c"], own: true, flags: [...own.flags, ...WASM3_FLAGS] }
      : { part: "engine", ...own, sources: files("host/src", (file) => /^wasm_inplace.*\.c$/.test(file)) },
    ...(engine === "wasm3" ? [{ part: "engine", sources: wasm3Sources(), own: false, flags: ["-std=gnu11", "-fwrapv", ...WASM3_FLAGS, ...WASM3_MEMORY] }] : []),
    { part: "host", ...own, sources: [...named("host/src", ["agent", "ops", "container", "crypto_mbedtls", "err"]), "host/store/flash_journal.c"] },
    { part: "modem", ...own, sources: [...named("host/modem", ["at", "modem", "net_at", "uicc_at"]), ...named("host/modem/quirks", families)] },
    { part: "link", ...own, sources: files("host/link", (file) => file.endsWith(".c") && !file.startsWith("mbedtls_")) },
    { part: "tls", sources: mbedtls.sources, own: false, flags: ["-std=c99", ...mbedtls.flags] },
    { part: "app", ...own, sources: files("boards/app", (file) => file.endsWith(".c")) },
    { part: "board", ...own, sources: board.sources.map((file) => `boards/${name}/${file}`) },
  ];
}

function flagsOf(name, board, engine, options) {
  const optimise = board.native ? ["-O1", "-g", ...(options.sanitize ? ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"] : [])] : ["-Os", "-g", "-fno-common"];
  return [
    ...board.cpu, ...optimise, "-ffunction-sections", "-fdata-sections", ...(board.native ? [] : ["--specs=nano.specs"]),
    '-DIPA_CONFIG_H="ipa_config.h"', `-Iboards/${name}`, "-Iboards", "-Ihost/include", "-Ihost", "-Ihost/src", ...(engine === "wasm3" ? ["-DIPA_ENGINE_WASM3=1"] : []),
    ...board.defines, ...(options.emulated ? board.emulated : []), ...(options.release ? ["-DIPA_CFG_RELEASE=1", "-DBOARD_RELEASE=1"] : []), ...options.define.map((text) => `-D${text}`),
  ];
}

/** Compiles what is not there yet; two at once. Gives { part, path } of each object. */
async function compileAll(cc, parts, flags, folder) {
  const headers = hashFiles([...files("host", isHeader), ...files("boards", isHeader)]);
  const product = hashFiles([join(folder, "product_values.h")]);
  const configuration = hashFiles(["host/link/mbedtls_config.h", "host/include/ipa/config_default.h", ...flags.filter((flag) => /^-Iboards\/\w/.test(flag)).map((flag) => `${flag.slice(2)}/ipa_config.h`)]);
  const jobs = parts.flatMap(({ part, sources, own, flags: more }) => sources.map((source) => {
    const all = [...(own ? STRICT : ["-w"]), ...flags, ...more, ...(part === "board" ? [`-I${folder}`] : [])];
    const text = readFileSync(resolve(root, source));
    const hash = createHash("sha256").update(JSON.stringify([cc, source.replace(root, ""), part, all.map((flag) => flag.replaceAll(root, ""))])).update(own ? headers : configuration).update(part === "board" ? product : "").update(text).digest("hex").slice(0, 24);
    const path = join(OUT, ".objects", hash, part, `${basename(source, ".c")}.o`);
    return { part, path, source: source.startsWith("/") ? relative(root, source) : source, all };
  }));
  const todo = jobs.filter(({ path }) => !existsSync(join(root, path)));
  const worker = async () => {
    for (let job = todo.shift(); job !== undefined; job = todo.shift()) await compileOne(cc, job);
  };
  await Promise.all([worker(), worker()]);
  return jobs.map(({ part, path }) => ({ part, path }));
}

let temporaries = 0;

async function compileOne(cc, { path, source, all }) {
  mkdirSync(join(root, path, ".."), { recursive: true });
  const temporary = `${path}.${process.pid}.${++temporaries}`;
  await mustRun(cc, [...all, "-c", source, "-o", temporary]);
  renameSync(join(root, temporary), join(root, path));
}

/** Links anew only when an object, the agent or the linker's script changed; what was made is kept in made.json. */
async function whenChanged(folder, inputs, link) {
  const kept = join(root, folder, "made.json");
  const stamp = createHash("sha256").update(JSON.stringify(inputs)).digest("hex");
  if (existsSync(kept)) {
    const { stamp: before, made } = JSON.parse(readFileSync(kept, "utf8"));
    if (before === stamp && existsSync(join(root, made.program))) return made;
  }
  const made = await link();
  writeFileSync(kept, JSON.stringify({ stamp, made }));
  return made;
}

async function linkNative(cc, folder, objects, options) {
  const program = join(folder, "device");
  const sanitize = options.sanitize ? ["-fsanitize=address,undefined"] : [];
  await mustRun(cc, [...sanitize, "-Wl,--gc-sections", ...objects.map(({ path }) => path), "-o", `${program}.${process.pid}`]);
  renameSync(join(root, `${program}.${process.pid}`), join(root, program)); // the one before may be running
  return { program };
}

async function linkImage(cc, name, board, folder, objects, flags) {
  const stem = join(folder, name);
  const agent = join(folder, "agent.S");
  writeIfChanged(agent, `.section .agent,"a"\n.balign 8\n.global agent_image\nagent_image:\n.incbin "${folder}/agent.tipa"\n`);
  await mustRun(cc, [...board.cpu, "-c", agent, "-o", join(folder, "agent.o")]);
  const cpu = flags.filter((flag) => flag.startsWith("-m"));
  await mustRun(cc, [
    ...cpu, "--specs=nano.specs", "-nostartfiles", "-Wl,--gc-sections", "-Wl,--fatal-warnings", `-Wl,-Map=${stem}.map`, "-T", `boards/${name}/${board.script}`,
    ...objects.map(({ path }) => path), join(folder, "agent.o"), "-o", `${stem}.elf.${process.pid}`,
  ]);
  renameSync(join(root, `${stem}.elf.${process.pid}`), join(root, `${stem}.elf`));
  // The gaps of the .hex stay gaps: flashing it leaves the journal's sectors alone.
  await mustRun("arm-none-eabi-objcopy", ["-O", "binary", "--gap-fill", "0xff", `${stem}.elf`, `${stem}.bin`]);
  await mustRun("arm-none-eabi-objcopy", ["-O", "ihex", `${stem}.elf`, `${stem}.hex`]);
  const sizes = { board: name, variant: basename(folder), ...measure(readFileSync(join(root, `${stem}.map`), "utf8"), readFileSync(join(root, folder, "agent.tipa")).length) };
  writeFileSync(join(root, folder, "size.json"), JSON.stringify(sizes, null, 1));
  return { program: `${stem}.elf`, sizes };
}

function writeIfChanged(path, content) {
  const file = join(root, path);
  if (existsSync(file) && Buffer.compare(readFileSync(file), Buffer.from(content)) === 0) return;
  writeFileSync(file, content);
}

const isHeader = (name) => name.endsWith(".h");
