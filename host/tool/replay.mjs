/** The firmware that runs the agent alone, for measuring (boards/replay): one dist/replay/ENGINE.elf for each engine. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { files, mustRun, root, StepError, which } from "./steps.mjs";
import { WASM3_FLAGS, WASM3_MEMORY, wasm3Folder, wasm3Sources } from "./wasm3.mjs";

const CC = "arm-none-eabi-gcc";
const CORTEX_M4 = "-mcpu=cortex-m4", CORTEX_M0 = "-mcpu=cortex-m0";
const FLAGS = ["-ffunction-sections", "-fdata-sections", "-fno-common", "-Ihost/include", "-Ihost", "-Iboards", "-DBOARD_EMULATED=1", "-DBOARD_ENTROPY_SEED=1", "-DBOARD_JOURNAL_RAM=1"];
const OWN = ["boards/replay/main.c", "boards/netduinoplus2/startup.c", "boards/netduinoplus2/board.c", "boards/netduinoplus2/usart.c", "boards/netduinoplus2/flash_f4.c", "host/src/err.c"];

/** Engines as they are measured, on a Cortex-M4; -m0: in the instructions of a Cortex-M0, which are some of the same core's. wasm3 needs more than the silicon's 128 KiB: QEMU's board has 192 in one piece. */
export const REPLAY_ENGINES = {
  inplace: { optimise: "-Os", flags: ["-DIPA_CFG_WASM_VALIDATE=0", "-DREPLAY_ARENA=16384"], side: true },
  "inplace-O2": { optimise: "-O2", flags: ["-DIPA_CFG_WASM_VALIDATE=0", "-DREPLAY_ARENA=16384"], side: true },
  "inplace-validating": { optimise: "-Os", flags: ["-DIPA_CFG_WASM_VALIDATE=1", "-DREPLAY_ARENA=16384"], side: true },
  "inplace-m0": { optimise: "-Os", cpu: CORTEX_M0, flags: ["-DIPA_CFG_WASM_VALIDATE=0", "-DREPLAY_ARENA=16384"], side: true },
  wasm3: { optimise: "-Os", flags: ["-DREPLAY_ARENA=180224", "-DIPA_CFG_NATIVE_STACK=6144"], wasm3: true },
};

/** Builds one; gives the path of its ELF file. Throws StepError. */
export async function replayFirmware(name, wasmPath = "dist/tinyipa.wasm", sidePath = "dist/tinyipa.side") {
  const { optimise, flags, side, wasm3, cpu = CORTEX_M4 } = REPLAY_ENGINES[name];
  if (which(CC) === undefined) throw new StepError(`${CC} is not installed (Debian package gcc-arm-none-eabi)`);
  const out = join("dist/replay", name);
  mkdirSync(join(root, out), { recursive: true });
  writeFileSync(join(root, out, "image.bin"), image(readFileSync(join(root, wasmPath)), side ? readFileSync(join(root, sidePath)) : Buffer.alloc(0)));
  const engine = wasm3 ? ["host/src/wasm_wasm3.c"] : files("host/src", (file) => /^wasm_inplace.*\.c$/.test(file));
  const common = [cpu, "-mthumb", optimise, ...FLAGS, ...flags];
  const objects = [];
  if (wasm3) {
    for (const source of wasm3Sources()) {
      const object = join(out, `${source.replace(/^.*\/|\.c$/g, "")}.o`);
      await mustRun(CC, [...common, "-std=gnu11", "-w", "-fwrapv", ...WASM3_FLAGS, ...WASM3_MEMORY, "-c", source, "-o", object]);
      objects.push(object);
    }
  }
  const script = join(out, "link.ld");
  const layout = readFileSync(join(root, "boards/netduinoplus2/link.ld"), "utf8");
  writeFileSync(join(root, script), wasm3 ? layout.replace("LENGTH = 128K\n}", "LENGTH = 192K\n}") : layout);
  const elf = join(out, "replay.elf");
  await mustRun(CC, [
    ...common, "-std=gnu11", ...(wasm3 ? ["-isystem", wasm3Folder(), ...WASM3_FLAGS] : []), `-DREPLAY_IMAGE="${join(out, "image.bin")}"`,
    ...OWN, "boards/replay/replay.S", ...engine, ...objects, "-nostartfiles", "--specs=nano.specs", "--specs=nosys.specs", "-T", script, "-Wl,--gc-sections", `-Wl,-Map=${join(out, "replay.map")}`, "-o", elf,
  ]);
  return elf;
}

/** u32 wasm_len, side_len, memory_len, stack_len; wasm, padded to 4; side table. */
function image(wasm, side) {
  const head = Buffer.alloc(16);
  // static data ends where the exported ipa_memory says; 9216 is what the gate allows
  [wasm.length, side.length, 9216, side.length === 0 ? 2048 : side.readUInt32LE(8)].forEach((value, i) => head.writeUInt32LE(value, 4 * i));
  return Buffer.concat([head, wasm, Buffer.alloc((4 - (wasm.length % 4)) % 4), side]);
}
