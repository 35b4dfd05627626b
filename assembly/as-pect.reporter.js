/**
 * Reports as-pect specs: one line a file and each failure with expected and got. With TINYIPA_REPORT, the same as a line of JSON
 * a file: { file, passed, failed, failures: sentences }; `npm test` reads that.
 */
import { appendFileSync } from "node:fs";

const TEST = 0;

export default {
  stdout: null,
  stderr: null,
  onEnter() {},
  onExit() {},
  onFinish(suite) {
    const tests = [];
    suite.rootNode.visit((node) => void (node.type === TEST && tests.push(node)));
    const failures = tests.filter((node) => !node.pass).map(sentence);
    const errors = suite.errors.map((error) => `${error.type}: ${error.message}\n${error.stackTrace}`);
    // A group may fail outside of its tests (beforeAll, a trap while describing).
    if (!suite.pass && failures.length + errors.length === 0) errors.push("the spec failed outside of its tests");
    const result = { file: suite.fileName, passed: tests.length - failures.length, failed: failures.length + errors.length, failures: [...failures, ...errors] };
    this.stdout.write(`${result.file}: ${result.passed} passed, ${result.failed} failed\n`);
    for (const failure of result.failures) this.stdout.write(`  ${failure}\n`);
    if (process.env.TINYIPA_REPORT) appendFileSync(process.env.TINYIPA_REPORT, `${JSON.stringify(result)}\n`);
  },
};

function sentence(node) {
  const path = [];
  for (let at = node; at && at.name; at = at.parent) path.unshift(at.name);
  const values = [];
  if (node.expected) values.push(`expected ${node.expected.negated ? "not " : ""}${text(node.expected)}`);
  if (node.actual) values.push(`got ${text(node.actual)}`);
  return [path.join(" › "), node.message, values.join(", "), ...node.logs.map((log) => `log: ${text(log)}`)].filter(Boolean).join("\n    ");
}

function text(value) {
  return value.stringify({ indent: 0 }).replace(/\u001b\[\d+m/g, "").trim();
}
