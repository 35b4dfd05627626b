/**
 * Seeded damage to ES9+ answers in JSON (SGP.22 v2.5 6.5): members deleted, doubled, renamed, of another kind; strings cut, escaped, endless; and the data objects in
 * base64 damaged as such and written anew.
 */
import { utf8 } from "../sim/core/bytes.js";
import type { Rng } from "../sim/core/rng.js";

/** Members in order, names twice where they came twice; or the text of any other value. */
type Value = Member[] | string;
interface Member {
  name: string;
  value: Value;
}

const BASE64 = /^[0-9A-Za-z+/]{8,}={0,2}$/;
const KINDS = ["null", "true", "false", "0", "-1", "1e999", "123456789012345678901234567890", "{}", "[]", '""', '"\\u0000"', '"Executed-Success"', '"Failed"', '"executed-success"', `${"[".repeat(300)}${"]".repeat(300)}`, "{\"a\":".repeat(100) + "1" + "}".repeat(100), "nul", "\"", "\\", "'x'"];
const NAMES = ["", "header", "functionExecutionStatus", "status", "statusCodeData", "subjectCode", "transactionId", "serverSigned1", "profileMetadata", "smdpSigned2", "smdpCertificate", "boundProfilePackage", "\\u0068eader", "a".repeat(2000), "\\\"", "\\ud800"];

/** One change of a JSON object; undefined when `bytes` are none. `damage` changes a data object. */
export function mutateJson(rng: Rng, bytes: Uint8Array, damage: (der: Uint8Array) => Uint8Array): Uint8Array | undefined {
  const root = parse(bytes);
  if (root === undefined) return undefined;
  const places = membersOf(root);
  if (places.length === 0) return undefined;
  const { list, index } = rng.pick(places);
  const encoded = places.filter((place) => isBase64((place.list[place.index] as Member).value));
  if (encoded.length > 0 && rng.int(2) === 0) {
    const place = rng.pick(encoded);
    const member = place.list[place.index] as Member;
    const der = new Uint8Array(Buffer.from(textOf(member.value), "base64"));
    member.value = rng.int(4) > 0 ? quoted(Buffer.from(damage(der)).toString("base64")) : quoted(spoiltBase64(rng, textOf(member.value)));
  } else {
    change(rng, list, index);
  }
  return utf8(write(root, rng.int(8) === 0 ? " \r\n\t" : ""));
}

function change(rng: Rng, list: Member[], index: number): void {
  const member = list[index] as Member;
  switch (rng.int(8)) {
    case 0:
      list.splice(index, 1);
      return;
    case 1:
      for (let copies = rng.int(16) === 0 ? 300 : 1; copies > 0; copies--) list.splice(rng.int(list.length + 1), 0, { ...member });
      return;
    case 2:
      list.splice(rng.int(list.length), 0, ...list.splice(index, 1));
      return;
    case 3:
      list[index] = { ...member, name: rng.pick(NAMES) };
      return;
    case 4:
      list.splice(index, 0, { name: rng.pick(NAMES), value: rng.pick(KINDS) });
      return;
    case 5:
      list[index] = { ...member, value: quoted("A".repeat(rng.pick([1, 2, 3, 5, 255, 1023, 1024, 5000, 20_000]))) };
      return;
    case 6:
      if (typeof member.value === "string") list[index] = { ...member, value: member.value.slice(0, rng.int(member.value.length + 1)) };
      return;
    default:
      list[index] = { ...member, value: rng.pick(KINDS) };
  }
}

/** Padding, alphabet, white space and escapes. */
function spoiltBase64(rng: Rng, text: string): string {
  const at = rng.int(text.length + 1);
  const into = (piece: string): string => text.slice(0, at) + piece + text.slice(at);
  switch (rng.int(6)) {
    case 0:
      return text.slice(0, at);
    case 1:
      return into("=");
    case 2:
      return into(rng.pick(["-", "_", "*", "\\u002B", "\\/", "\\n", " ", "\\x", "\u0000", "é"]));
    case 3:
      return text.replace(/=+$/, "");
    case 4:
      return text.replaceAll("/", "\\/").replaceAll("+", "\\u002b");
    default:
      return `${text}====`;
  }
}

function parse(bytes: Uint8Array): Member[] | undefined {
  try {
    const value = valueOf(JSON.parse(Buffer.from(bytes).toString("utf8")));
    return typeof value === "string" ? undefined : value;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined; // no JSON (any more): damaged as octets
    throw error;
  }
}

function valueOf(json: unknown): Value {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return JSON.stringify(json);
  return Object.entries(json).map(([name, value]) => ({ name, value: valueOf(value) }));
}

function membersOf(list: Member[]): { list: Member[]; index: number }[] {
  return list.flatMap((member, index) => [{ list, index }, ...(typeof member.value === "string" ? [] : membersOf(member.value))]);
}

function isBase64(value: Value): boolean {
  return typeof value === "string" && value.startsWith('"') && BASE64.test(textOf(value));
}

function textOf(value: Value): string {
  return typeof value === "string" ? value.slice(1, -1) : "";
}

function quoted(text: string): string {
  return `"${text}"`;
}

function write(value: Value, space: string): string {
  if (typeof value === "string") return value;
  return `{${space}${value.map((member) => `"${member.name}"${space}:${space}${write(member.value, space)}`).join(`${space},${space}`)}${space}}`;
}
