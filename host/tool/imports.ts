/**
 * Who may import whom: the arrows of the agent (assembly/) and of the simulated world (test/sim/), checked on the text of the
 * files. An import that no rule allows is a problem, and so is a cycle. Type-only imports count, except in cycles.
 * Left out: host/ and boards/ (C), packages from npm (the compiler finds those).
 */
import { dirname, join, normalize } from "node:path/posix";

/** Files by their path from the root of the checkout, with their text. */
export type Tree = ReadonlyMap<string, string>;

export interface Import {
  from: string;
  to: string;
  typeOnly: boolean;
}

/**
 * The agent, from the bottom: a module imports only from layers below its own. A new module must choose its layer here.
 * Procedures are one layer, so that none imports another.
 */
export const LAYERS: readonly (readonly string[])[] = [
  ["abi", "status", "tags", "memory"],
  ["tlv", "flow", "segments"],
  ["mailbox", "json"],
  ["stream"],
  ["apdu", "config", "journal", "device-info", "activation-code", "policy"],
  ["es10"],
  ["exchange"],
  ["eims"],
  ["esipa", "rsp-session"],
  ["procedures/*"],
  ["agent"],
  ["index"],
];

/** The simulated world: what each folder of test/sim may import beside itself. Files right in test/sim, and world/, may import all of it. */
export const SIM: Readonly<Record<string, readonly string[]>> = {
  core: [],
  codec: ["core"],
  pki: ["core", "codec"],
  bsp: ["core", "codec", "pki"],
  rsp: ["core", "codec", "pki"],
  euicc: ["core", "codec", "pki", "bsp"],
  coap: ["core", "codec"],
  dtls: ["core", "codec", "pki"],
  coaps: ["core", "codec", "pki", "coap", "dtls"],
  eim: ["core", "codec", "pki", "coap", "dtls", "coaps"],
  smdp: ["core", "codec", "pki", "bsp", "rsp"],
  smds: ["core", "codec", "pki", "bsp", "rsp"],
  modem: ["core", "codec", "pki"],
  link: ["core", "codec", "pki"],
  agent: ["core", "codec", "pki"],
};

/** One sentence for each import that breaks a rule, and for each cycle. */
export function checkImports(tree: Tree): string[] {
  const problems: string[] = [];
  const imports = [...tree].flatMap(([path, text]) => importsOf(path, text, tree));
  for (const item of imports) {
    const broken = item.from.startsWith("assembly/") ? assemblyRule(item) : testRule(item);
    if (broken !== undefined) problems.push(`${item.from} imports ${item.to}: ${broken}`);
  }
  for (const path of tree.keys()) {
    if (isAgentModule(path) && layerOf(path) === undefined) problems.push(`${path} has no layer: name it in LAYERS of host/tool/imports.ts`);
    if (path.startsWith("test/sim/") && simFolder(path) === undefined) problems.push(`${path} is in no known folder of test/sim: name it in SIM of host/tool/imports.ts`);
  }
  return [...problems, ...cycles(imports)];
}

/** The relative imports of one file, as paths of the tree; one that leads nowhere keeps the path as written. */
export function importsOf(from: string, text: string, tree: Tree): Import[] {
  const found: Import[] = [];
  const statements = /^[ \t]*(?:import|export)\b(\s+type\b)?[^;"'`]*?\bfrom\s*["']([^"']+)["']|^[ \t]*import\s*()["']([^"']+)["']|\bimport\(\s*()["']([^"']+)["']/gm;
  for (const match of text.matchAll(statements)) {
    const target = match[2] ?? match[4] ?? match[6] ?? "";
    if (target.startsWith(".")) found.push({ from, to: resolvePath(from, target, tree), typeOnly: match[1] !== undefined });
  }
  return found;
}

function resolvePath(from: string, target: string, tree: Tree): string {
  const path = normalize(join(dirname(from), target));
  const candidates = [path.replace(/\.js$/, ".ts"), path, `${path}.ts`, `${path}/index.ts`];
  return candidates.find((candidate) => tree.has(candidate)) ?? path;
}

function assemblyRule({ from, to }: Import): string | undefined {
  if (!to.startsWith("assembly/")) return "the agent imports nothing from outside assembly/";
  if (to.includes("/__tests__/") && !from.includes("/__tests__/")) return "the agent never imports a test";
  if (!isAgentModule(from)) return undefined;
  const [upper, lower] = [layerOf(from), layerOf(to)];
  if (upper === undefined || lower === undefined || lower < upper) return undefined;
  if (from.startsWith("assembly/procedures/") && to.startsWith("assembly/procedures/")) return "a procedure never imports another";
  return `a module imports only from layers below its own (${LAYERS[upper]?.join(" ")} is not above ${LAYERS[lower]?.join(" ")})`;
}

function testRule({ from, to }: Import): string | undefined {
  if (to.startsWith("assembly/") && !from.startsWith("test/probe/")) return "the world and its tests share nothing with the agent";
  if (from.startsWith("host/tool/") && !to.startsWith("host/tool/")) return "the build tools stand alone";
  if (!from.startsWith("test/sim/")) return undefined;
  if (!to.startsWith("test/sim/")) return "test/sim imports nothing from outside itself";
  const [folder, other] = [simFolder(from), simFolder(to)];
  if (folder === undefined || other === undefined || folder === WORLD || folder === other) return undefined;
  if (other === WORLD) return "nothing below the world imports it";
  if (SIM[folder]?.includes(other)) return undefined;
  return `${folder} may import ${SIM[folder]?.join(", ") || "nothing else of test/sim"}`;
}

const WORLD = "world";

/** core, codec, euicc, ...; WORLD for files right in test/sim and in world/ and scenario/; undefined for a folder that no rule knows. */
function simFolder(path: string): string | undefined {
  const parts = path.split("/").slice(2);
  const folder = parts[0] as string;
  if (parts.length === 1 || folder === "world" || folder === "scenario") return WORLD;
  return folder in SIM ? folder : undefined;
}

function isAgentModule(path: string): boolean {
  return path.startsWith("assembly/") && !path.includes("/__tests__/");
}

function layerOf(path: string): number | undefined {
  const name = path.slice("assembly/".length).replace(/\.ts$/, "").replace(/^procedures\/.*/, "procedures/*");
  const layer = LAYERS.findIndex((names) => names.includes(name));
  return layer < 0 ? undefined : layer;
}

/** Each cycle once, as the way round. */
function cycles(imports: readonly Import[]): string[] {
  const next = new Map<string, string[]>();
  for (const { from, to, typeOnly } of imports) if (!typeOnly) next.set(from, [...(next.get(from) ?? []), to]);
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, way: readonly string[]): void => {
    const at = way.indexOf(path);
    if (at >= 0) found.push(`cycle: ${[...way.slice(at), path].join(" → ")}`);
    if (at >= 0 || done.has(path)) return;
    for (const target of next.get(path) ?? []) visit(target, [...way, path]);
    done.add(path);
  };
  for (const path of next.keys()) visit(path, []);
  return found;
}
