/** Flash and RAM of a firmware by part, from the linker's map. Octets that a part's sections take; padding between sections counts for nobody. */

/** What each part is, in the order of the table. */
export const PARTS = { agent: "agent: wasm, side table, signature", engine: "engine", host: "host: ops, journal, container", modem: "AT driver", link: "CoAP, HTTP, trust", tls: "Mbed TLS", app: "device, console, sensor", board: "board", libc: "libc, libgcc" };

/** Sections that cost no flash and whose RAM is told apart. */
const APART = { ".noinit": "noinit", ".stack": "stack" };

/**
 * Reads GNU ld's map: { flash, ram: octets by part; arenas: [{ name, bytes }]; stack, noinit, total: { flash, ram } }. Objects lie in a folder
 * named like their part (.objects/HASH/PART/NAME.o).
 */
export function measure(map, agentBytes) {
  const sizes = { flash: {}, ram: {}, arenas: [], stack: 0, noinit: 0 };
  for (const { output, section, bytes, file } of inputSections(map)) {
    const part = partOf(file);
    const add = (kind) => (sizes[kind][part] = (sizes[kind][part] ?? 0) + bytes);
    if (output in APART) {
      sizes[APART[output]] += bytes;
    } else if (output === ".bss") {
      const arena = /_(?:memory|arena)$/.test(section) ? section.replace(/^\.bss\./, "") : undefined;
      if (arena !== undefined) sizes.arenas.push({ name: arena, bytes });
      else add("ram");
    } else if (output === ".data") {
      add("ram");
      add("flash");
    } else if (output !== ".agent") {
      add("flash");
    }
  }
  sizes.stack = outputSize(map, ".stack");
  sizes.flash.agent = agentBytes;
  const sum = (parts) => Object.values(parts).reduce((total, bytes) => total + bytes, 0);
  const arenas = sizes.arenas.reduce((total, { bytes }) => total + bytes, 0);
  return { ...sizes, total: { flash: sum(sizes.flash), ram: sum(sizes.ram) + arenas + sizes.stack } };
}

/** Lines of the table. */
export function table({ variant, flash, ram, arenas, stack, noinit, total }) {
  const row = (name, a, b) => `  ${name.padEnd(38)}${String(a ?? "").padStart(8)}${String(b ?? "").padStart(9)}`;
  return [
    row(variant, "flash", "RAM"),
    ...Object.entries(PARTS).filter(([part]) => flash[part] || ram[part]).map(([part, title]) => row(title, flash[part] ?? 0, ram[part] ?? 0)),
    ...arenas.map(({ name, bytes }) => row(name.replace("_", " "), "", bytes)),
    row("stack, reserved", "", stack),
    row("in all", total.flash, total.ram),
    ...(noinit > 8 ? [row("beside it, for the emulation", "", noinit)] : []),
  ];
}

function partOf(file) {
  const own = /\.objects\/[0-9a-f]+\/([a-z]+)\//.exec(file)?.[1];
  if (own !== undefined) return own;
  return /agent\.o$/.test(file) ? "agent" : "libc";
}

/** Every input section that was kept, with the output section that it went to. */
function* inputSections(map) {
  const body = map.slice(map.indexOf("Linker script and memory map")).replace(/\n\s+(0x[0-9a-f]+\s+0x[0-9a-f]+)/g, " $1");
  let output = "";
  for (const line of body.split("\n")) {
    const heading = /^(\.[A-Za-z_.]+)(?:\s|$)/.exec(line);
    if (heading !== null) output = heading[1];
    else if (/^\S/.test(line)) output = line.startsWith("OUTPUT(") ? "" : output;
    const match = /^ (\S+)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+) (\S.*)$/.exec(line);
    if (match === null || output === "" || /^\.(debug|comment|ARM\.attributes)/.test(output)) continue;
    const bytes = parseInt(match[3], 16);
    if (bytes > 0 && match[1] !== "*fill*") yield { output, section: match[1], bytes, file: match[4] };
  }
}

function outputSize(map, name) {
  const match = new RegExp(`^\\${name}\\s+0x[0-9a-f]+\\s+0x([0-9a-f]+)`, "m").exec(map);
  return match === null ? 0 : parseInt(match[1], 16);
}
