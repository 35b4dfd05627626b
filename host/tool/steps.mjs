/** Steps of the build: one printed line each with its time, child processes, content hashes that tell what is stale. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The checkout. */
export const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

/** Under CI nothing may be left out silently: each named skip is a failure. */
export const ci = process.env.CI === "true";

/** A step failed, and the message says all that there is to say: no stack is printed. */
export class StepError extends Error {}

/** Runs `work` and prints one line: title, what it returned, seconds. */
export async function step(title, work) {
  const start = performance.now();
  try {
    const detail = await work();
    print(title, detail ?? "", start);
  } catch (error) {
    print(title, "failed", start);
    throw error;
  }
}

function print(title, detail, start) {
  console.log(`${title.padEnd(10)} ${detail.padEnd(60)} ${((performance.now() - start) / 1000).toFixed(1).padStart(6)} s`);
}

/**
 * Runs a program in the checkout and waits for it; gives { status, output } (both streams in one text).
 * `show: true` lets it write to our own streams instead. Rejects only when the program can't be started.
 */
export function run(command, args, { show = false, env = {} } = {}) {
  return new Promise((done, fail) => {
    const child = spawn(command, args, { cwd: root, env: { ...process.env, ...env }, stdio: ["ignore", show ? "inherit" : "pipe", show ? "inherit" : "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", (text) => (output += text));
    child.on("error", fail);
    child.on("close", (status, signal) => done({ status: status ?? 1, output: signal ? `${output}\nended by ${signal}` : output }));
  });
}

/** As run, but a status other than 0 is a StepError with the output. */
export async function mustRun(command, args, options) {
  const { status, output } = await run(command, args, options);
  if (status !== 0) throw new StepError(`${[command, ...args].join(" ")} failed (${status}):\n${output.trim()}`);
  return output;
}

/** Path of a program that is on the PATH, or undefined. */
export function which(program) {
  for (const folder of (process.env.PATH ?? "").split(":")) {
    if (folder !== "" && existsSync(join(folder, program))) return join(folder, program);
  }
  return undefined;
}

/** All files below `folder` (relative to the checkout) whose name `test` accepts, sorted. */
export function files(folder, test) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)))
    .sort();
}

/** One hash over the names and contents of files. */
export function hashFiles(paths) {
  const hash = createHash("sha256");
  for (const path of paths) {
    const content = readFileSync(join(root, path));
    hash.update(`${path}\0${content.length}\0`).update(content);
  }
  return hash.digest("hex");
}

/**
 * Does `work` when `inputs` changed since it last succeeded or an output is gone; else says "up to date".
 * The hash is kept in dist/.stamp/`name`.
 */
export async function whenStale(name, inputs, outputs, work) {
  const stamp = join(root, "dist/.stamp", name);
  const hash = hashFiles(inputs);
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === hash && outputs.every((path) => existsSync(join(root, path)))) return "up to date";
  const detail = await work();
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, hash);
  return detail;
}
