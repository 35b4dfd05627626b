/**
 * A reporter for node:test: one line a file, each failure with its whole path of titles and its diagnostics, and at the end
 * { passed, failed, skipped: sentences } as JSON in the file that TINYIPA_REPORT names. Suites are not counted, tests are. What tests say
 * they tried (`t.diagnostic("120 cuts")`, "20000 cases, ...") is added up and told last.
 */
import { writeFileSync } from "node:fs";
import { relative } from "node:path";
import { inspect } from "node:util";

export default async function* reporter(source) {
  const total = { passed: 0, failed: 0, skipped: [] };
  const tried = {};
  const titles = [];
  let current = newFile(undefined);
  for await (const { type, data } of source) {
    if (type === "test:start") titles.splice(data.nesting, Infinity, data.name);
    if (type === "test:stdout" || type === "test:stderr") yield data.message;
    if (type === "test:diagnostic") count(tried, data.message);
    if (type !== "test:pass" && type !== "test:fail") continue;
    if (data.file !== current.path) {
      yield line(current);
      current = newFile(data.file);
    }
    const title = [...titles.slice(0, data.nesting), data.name].join(" › ");
    const verdict = judge(type, data);
    current.ms += data.nesting === 0 ? data.details.duration_ms : 0;
    current[verdict] += 1;
    if (verdict === "passed") total.passed += 1;
    if (verdict === "skipped") total.skipped.push(`${title}: ${reason(data)}`);
    if (verdict === "failed") {
      total.failed += 1;
      yield failure(current.name, title, data.details.error);
    }
  }
  yield line(current);
  yield Object.entries(tried).map(([what, n]) => `  ${n} ${what} tried\n`).join("");
  writeFileSync(process.env.TINYIPA_REPORT, JSON.stringify(total));
}

/** Adds up "120 cuts" and the like. */
function count(tried, message) {
  const [, n, what] = /^(\d+) (cuts|cases|splits|truncations)\b/.exec(message) ?? [];
  if (what !== undefined) tried[what] = (tried[what] ?? 0) + Number(n);
}

function newFile(path) {
  const name = path === undefined ? "" : relative(process.cwd(), path).replace(/^dist\/ts\//, "");
  return { path, name, passed: 0, failed: 0, skipped: 0, nothing: 0, ms: 0 };
}

/** A suite, or a test that failed only through its subtests, says nothing that its tests don't. */
function judge(type, data) {
  const isSuite = data.details.type === "suite";
  if (type === "test:fail") return data.details.error?.failureType === "subtestsFailed" ? "nothing" : "failed";
  if (data.skip !== undefined || data.todo !== undefined) return "skipped";
  return isSuite ? "nothing" : "passed";
}

function reason(data) {
  const why = data.skip ?? data.todo;
  return typeof why === "string" && why !== "" ? why : data.todo !== undefined ? "todo" : "no reason given";
}

function line(file) {
  if (file.path === undefined) return "";
  const counts = [`${file.passed} passed`, ...(file.failed ? [`${file.failed} failed`] : []), ...(file.skipped ? [`${file.skipped} skipped`] : [])].join(", ");
  return `  ${file.name.padEnd(52)} ${counts.padEnd(26)} ${(file.ms / 1000).toFixed(1).padStart(5)} s\n`;
}

function failure(file, title, error) {
  const cause = error?.cause ?? error;
  const stack = typeof cause === "object" ? (cause?.stack ?? inspect(cause)) : String(cause);
  const text = stack.split("\n").filter((text) => !/^\s+at .*\(?node:internal/.test(text)).join("\n");
  const detail = cause?.detail && Object.keys(cause.detail).length > 0 ? `\ndetail: ${inspect(cause.detail, { depth: 4 })}` : "";
  return `✖ ${file} › ${title}\n${`${text}${detail}`.replace(/^/gm, "    ")}\n`;
}
