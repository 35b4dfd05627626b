/**
 * The mailbox is written down three times: host/README.md (the contract), assembly/abi.ts (the agent), test/sim/agent/abi.ts (the Node
 * host). They are read here as text and found equal.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { Agent, findAgent } from "../sim/index.js";

type Table = Readonly<Record<string, number>>;

const ROOT = new URL("../../../../", import.meta.url);
const text = (path: string): string => readFileSync(new URL(path, ROOT), "utf8");
const agent = text("assembly/abi.ts");
const statuses = text("assembly/status.ts");
const world = text("test/sim/agent/abi.ts");
const contract = text("host/README.md");

/** Members of `enum name` or `const name = { ... }`: "1 << 3" and hexadecimal included. */
function table(source: string, name: string): Table {
  const body = new RegExp(`(?:enum ${name}|const ${name} =) \\{([^}]*)\\}`).exec(source)?.[1];
  assert.ok(body !== undefined, `no table ${name}`);
  const members = [...body.replace(/\/\/.*$/gm, "").matchAll(/(\w+)\s*[=:]\s*(-?\w+)(?:\s*<<\s*(\d+))?/g)];
  return Object.fromEntries(members.map(([, key = "", value = "", shift = "0"]) => [key, Number(value) * 2 ** Number(shift)]));
}

function constant(source: string, name: string): number {
  return Number(new RegExp(`const ${name}\\b[^=]*= (\\w+)`).exec(source)?.[1]);
}

/** Rows of the README's table whose head holds `head`, cells trimmed. */
function rows(head: string): string[][] {
  const lines = contract.split("\n");
  const from = lines.findIndex((line) => line.startsWith("|") && line.includes(head));
  assert.ok(from >= 0, `no table with ${head}`);
  const found: string[][] = [];
  for (let i = from + 2; lines[i]?.startsWith("|") === true; i++) found.push((lines[i] as string).split("|").slice(1, -1).map((cell) => cell.trim()));
  return found;
}

/** `<number> <words>` of the sentence that begins with `opening`: "Store keys: 1 package in execution, ...". */
function sentence(opening: string): [number, string][] {
  const line = contract.split("\n").find((one) => one.startsWith(opening));
  assert.ok(line !== undefined, `no sentence "${opening}"`);
  const list = line.slice(opening.length).replace(/\([^)]*\)/g, "").split(/\.(?:\s|$)/)[0] ?? "";
  return list.split(/[,;]/).flatMap((item) => {
    const match = /^\s*([−-]?\d+) (.+)$/.exec(item);
    return match === null ? [] : [[Number((match[1] as string).replace("−", "-")), match[2] as string] as [number, string]];
  });
}

/** Every number of the contract has a name in the code that shares a word with it, and there are no others. */
function namedAlike(code: Table, words: readonly [number, string][]): void {
  const byNumber = new Map(Object.entries(code).map(([name, value]) => [value, name]));
  assert.deepEqual([...byNumber.keys()].sort((a, b) => a - b), words.map(([number]) => number).sort((a, b) => a - b));
  for (const [number, sentenceOf] of words) {
    const name = byNumber.get(number) ?? "";
    const stems = [...name.matchAll(/[A-Z][a-z]*/g)].map(([word]) => word.toLowerCase().slice(0, 4));
    assert.ok(stems.some((stem) => sentenceOf.toLowerCase().includes(stem)), `${number}: "${sentenceOf}" in the contract, ${name} in the code`);
  }
}

function within(part: Table, whole: Table): void {
  for (const [name, value] of Object.entries(part)) assert.equal(whole[name], value, name);
}

describe("mailbox: contract, agent and Node host say the same", () => {
  test("offsets and kinds of the header", () => {
    const fields = rows("| offset |").map(([offset, , name]) => [name ?? "", Number(offset)] as const);
    const host = table(world, "Mailbox");
    for (const [name, offset] of fields) for (const part of name.split(" / ")) assert.equal(host[part.replace("wait_ms", "wait")], offset, part);
    assert.equal(new Set(Object.values(host)).size, fields.length);
    const own = table(agent, "Field");
    assert.deepEqual(Object.values(own).sort((a, b) => a - b), fields.map(([, offset]) => offset));
    for (const [name, offset] of Object.entries(own)) assert.equal(name === "WaitOrStatus" ? host["wait"] : host[name.toLowerCase()], offset, name);
  });

  test("ABI version and capacity", () => {
    assert.equal(constant(agent, "ABI_VERSION"), constant(world, "ABI_VERSION"));
    assert.match(contract, new RegExp(`${constant(world, "ABI_VERSION")} is 1\\.0`));
    assert.match(contract, new RegExp(`payload bytes that the mailbox holds \\(${constant(agent, "CAPACITY")}\\)`));
    assert.equal(Agent.load(findAgent()).capacity, constant(agent, "CAPACITY"));
  });

  test("ops and events", () => {
    const ops = Object.fromEntries(rows("| op | Done |").map(([kind, name]) => [name, Number(kind)]));
    assert.deepEqual(table(world, "Op"), ops);
    assert.deepEqual(table(agent, "Op"), ops);
    const events = Object.fromEntries(rows("| kind | name | flags | arg0 |").map(([kind, name]) => [name, Number(kind)]));
    assert.deepEqual(table(world, "Event"), events);
    assert.deepEqual(table(agent, "Event"), events);
  });

  test("flags", () => {
    const { None, ...own } = table(agent, "Flag");
    assert.equal(None, 0);
    assert.deepEqual(own, table(world, "Flag"));
    const named = [...contract.matchAll(/\b(\d) ((?:[A-Z]+_?)+[A-Z])\b/g)].map(([, number, name = ""]) => [name.replace(/_/g, "").toLowerCase(), Number(number)] as const);
    for (const [name, value] of Object.entries(own)) assert.ok(named.some(([other, number]) => other === name.toLowerCase() && number === value), `flag ${value} ${name} is not in the contract`);
  });

  test("reasons of Wake", () => {
    const [, , , reasons = ""] = rows("| kind | name | flags | arg0 |").find(([, name]) => name === "Wake") ?? [];
    const named = Object.fromEntries([...reasons.matchAll(/(\d+) ([A-Z_]+)/g)].map(([, number, name = ""]) => [name.replace(/_/g, "").toLowerCase(), Number(number)]));
    for (const source of [agent, world]) assert.deepEqual(Object.fromEntries(Object.entries(table(source, "WakeReason")).map(([name, value]) => [name.toLowerCase(), value])), named);
  });

  test("peers and bindings: the agent knows some of the host's", () => {
    for (const name of ["Peer", "Binding"]) within(table(agent, name), table(world, name));
    const [, , open = ""] = rows("| op | Done |").find(([, name]) => name === "LinkOpen") ?? [];
    assert.match(open, /peer \(1 eIM, 2 SM-DP\+, 3 SM-DS\) \+ 256 · binding \(1 ESipa over HTTPS, 2 ESipa over CoAPS, 3 ES9\+ over HTTPS\)/);
    assert.deepEqual([table(world, "Peer"), table(world, "Binding")], [{ Eim: 1, Smdp: 2, Smds: 3 }, { EsipaHttps: 1, EsipaCoaps: 2, Es9pHttps: 3 }]);
  });

  test("store keys", () => {
    assert.deepEqual(table(agent, "StoreKey"), table(world, "StoreKey"));
    const words = sentence("Store keys:").map(([number, rest]): [number, string] => [number, rest.replace("provisioned", "provision")]);
    namedAlike(table(world, "StoreKey"), words);
  });

  test("reports", () => {
    assert.deepEqual(table(agent, "Report"), table(world, "Report"));
    namedAlike(table(world, "Report"), sentence("Report codes:"));
  });

  test("switches of the configuration", () => {
    const [, , , meaning = ""] = rows("| tag | name | default |").find(([tag]) => tag === "81") ?? [];
    const named = Object.fromEntries([...meaning.matchAll(/(\d+) ([A-Z]+(?:_[A-Z]+)+)/g)].map(([, bit, name = ""]) => [name.replace(/_/g, "").toLowerCase(), 2 ** Number(bit)]));
    for (const source of [world, agent]) assert.deepEqual(Object.fromEntries(Object.entries(table(source, "Switch")).map(([name, value]) => [name.toLowerCase(), value])), named);
  });

  test("statuses that a host may give", () => {
    const { Ok, ...host } = table(world, "Status");
    assert.equal(Ok, 0);
    namedAlike(host, sentence("Status numbers that a host may give:"));
    const own = Object.fromEntries(Object.entries(table(statuses, "Status")).filter(([, value]) => value <= 0 && value > -20));
    within(own, table(world, "Status"));
  });

  test("tags of the configuration", () => {
    const tags = rows("| tag | name | default |").map(([tag = ""]) => parseInt(tag, 16));
    const written = [...text("test/sim/agent/configuration.ts").matchAll(/\((0x[0-9a-f]{2}),/g)].map(([, tag]) => Number(tag));
    assert.deepEqual([...new Set(written)].sort((a, b) => a - b), tags.sort((a, b) => a - b));
  });
});
