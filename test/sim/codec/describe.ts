/**
 * Any data object of ESipa, ES9+ (ASN.1) or ES10 as a tree with ASN.1 names and readable values, for people: traces, `tinyipa decode`.
 * Lenient: what does not fit is shown as hex and named as a problem; the type with the fewest problems is taken.
 */
import { toHex } from "../core/bytes.js";
import { rootsOf, type Root } from "./names.js";
import type { Member, Structure, Type } from "./schema.js";
import { show } from "./show.js";
import { readAll, readTlv, tlv, TlvError, type Tlv } from "./tlv.js";

export interface Node {
  /** ASN.1 name of the member; at the top the type. */
  name: string;
  /** Hexadecimal. */
  tag: string;
  /** Octets of content. */
  length: number;
  /** Of a primitive. */
  value?: string;
  children?: Node[];
  /** Rules that this object breaks (not those that its children break). */
  problems?: string[];
  /** At the top: other types that fit as well. */
  alternatives?: string[];
}

export interface DescribeOptions {
  /** One line about a DER certificate; without it, only its length is given. */
  certificate?: (der: Uint8Array) => string;
}

/** All data objects in `bytes`. Throws TlvError when they are not BER-TLV. */
export function describe(bytes: Uint8Array, options: DescribeOptions = {}): Node[] {
  return readAll(bytes, { lenient: true }).map((item) => best(item, options));
}

/** Type of the first data object in `bytes`, in short: "EuiccPackageRequest", "getEimPackageResponse", or its tag. For traces. */
export function nameOf(bytes: Uint8Array): string {
  const node = best(readTlv(bytes, 0, { lenient: true }), {});
  return node.name.replace(/^.*: /, "");
}

/** The tree as lines, indented by two blanks a level. */
export function render(nodes: readonly Node[], indent = ""): string[] {
  return nodes.flatMap((node) => {
    const parts = [`${indent}${node.name} [${node.tag}]`];
    if (node.value !== undefined && node.value !== "") parts.push(node.value);
    if (node.alternatives) parts.push(`(or ${node.alternatives.join(", ")})`);
    for (const problem of node.problems ?? []) parts.push(`← ${problem}`);
    return [parts.join(" "), ...render(node.children ?? [], `${indent}  `)];
  });
}

function best(item: Tlv, options: DescribeOptions): Node {
  const tried = rootsOf(item.tag).map((root) => ({ root, node: describeAs(item, titleOf(root), root.shape, options) })).map((entry) => ({ ...entry, problems: count(entry.node) }));
  const least = Math.min(...tried.map(({ problems }) => problems));
  const [chosen, ...others] = tried.filter(({ problems }) => problems === least);
  if (chosen === undefined) return { ...unknown(item, options), name: "unknown", problems: ["no type of SGP.32 or SGP.22 has this tag"] };
  const alternatives = others.filter(() => least === 0).map(({ root }) => titleOf(root));
  return alternatives.length > 0 ? { ...chosen.node, alternatives } : chosen.node;
}

function titleOf(root: Root): string {
  return root.alternative === undefined ? root.type : `${root.type}: ${root.alternative}`;
}

/** Problems that say that this is not the type at all; the others may be a peer's mistakes. */
const Severe = { unknown: "unknown tag here", notTlv: "content is not BER-TLV", noCertificate: "no X.509 certificate", noKey: "no SubjectPublicKeyInfo" } as const;

/** How badly a type misfits. */
function count(node: Node): number {
  const severe: readonly string[] = Object.values(Severe);
  const own = (node.problems ?? []).reduce((sum, problem) => sum + (severe.includes(problem) ? 10 : 1), 0);
  return own + (node.children ?? []).reduce((sum, child) => sum + count(child), 0);
}

function describeAs(item: Tlv, name: string, type: Type, options: DescribeOptions): Node {
  const node: Node = { name, tag: tagOf(item), length: item.value.length };
  const problems: string[] = [];
  if (tlv(item.tag, item.value).length !== item.raw.length) problems.push("length is not minimal");
  if (type.kind === "value") describeValue(item, type, node, problems, options);
  else describeStructure(item, type, node, problems, options);
  return problems.length > 0 ? { ...node, problems } : node;
}

function describeValue(item: Tlv, type: Type & { kind: "value" }, node: Node, problems: string[], options: DescribeOptions): void {
  if (type.format === "certificate" || type.format === "publicKey") return describeX509(item, type.format, node, problems, options);
  if (type.format === "any") return void Object.assign(node, generic(item, options));
  const { text, problem } = show(type, item.value);
  node.value = text;
  if (problem !== undefined) problems.push(problem);
}

/**
 * Certificate and SubjectPublicKeyInfo stand under their own 30, or their members right under a context tag.
 * Seen in the field, against the ASN.1: the whole object with its 30 inside the tag.
 */
function describeX509(item: Tlv, format: "certificate" | "publicKey", node: Node, problems: string[], options: DescribeOptions): void {
  const parts = children(item);
  const nested = parts?.length === 1 && parts[0]?.tag === 0x30 ? parts[0] : undefined;
  if (nested !== undefined && item.tag !== 0x30) problems.push("the whole object with its tag 30 is nested here, which the ASN.1 does not do");
  const members = nested ? children(nested) : parts;
  const shape = (members ?? []).map(({ tag }) => tag.toString(16)).join(" ");
  const expected = format === "certificate" ? "30 30 3" : "30 3";
  if (shape !== expected) {
    problems.push(format === "certificate" ? Severe.noCertificate : Severe.noKey);
    node.value = show({ kind: "value", format: "octets" }, item.value).text;
    return;
  }
  const der = tlv(0x30, ...(members ?? []).map(({ raw }) => raw));
  node.value = format === "publicKey" ? toHex(members?.[1]?.value.subarray(1) ?? new Uint8Array(0)) : (options.certificate?.(der) ?? `X.509 certificate, ${der.length} octets`);
}

function describeStructure(item: Tlv, type: Structure, node: Node, problems: string[], options: DescribeOptions): void {
  const parts = children(item);
  if (parts === undefined) {
    problems.push(Severe.notTlv);
    node.value = toHex(item.value);
    return;
  }
  node.children = type.kind === "sequence" ? inOrder(parts, type.members, problems, options) : parts.map((part) => oneOf(part, type.members, options));
  if (type.kind === "choice" && parts.length !== 1) problems.push(`exactly one alternative expected, got ${parts.length}`);
}

function oneOf(part: Tlv, members: readonly Member[], options: DescribeOptions): Node {
  const member = members.find((candidate) => matches(candidate, part.tag));
  return member === undefined ? unknown(part, options) : describeMember(part, member, options);
}

/** Members of a SEQUENCE: the same tag may stand twice (30 .. 30), so the place decides. */
function inOrder(parts: readonly Tlv[], members: readonly Member[], problems: string[], options: DescribeOptions): Node[] {
  const seen = new Set<Member>();
  let next = 0;
  const nodes = parts.map((part) => {
    const ahead = members.findIndex((member, index) => index >= next && matches(member, part.tag));
    const member = ahead >= 0 ? members[ahead] : members.find((candidate) => matches(candidate, part.tag) && !seen.has(candidate));
    if (member === undefined) return unknown(part, options);
    seen.add(member);
    if (ahead >= 0) next = ahead + 1;
    const node = describeMember(part, member, options);
    return ahead >= 0 ? node : { ...node, problems: [...(node.problems ?? []), "out of order"] };
  });
  for (const member of members) if (!member.optional && !seen.has(member)) problems.push(`${member.name} is missing`);
  return nodes;
}

function matches(member: Member, tag: number): boolean {
  if (member.tag !== undefined) return member.tag === tag;
  return member.type.kind === "choice" && member.type.members.some((alternative) => matches(alternative, tag));
}

/** An untagged CHOICE has no node of its own: its alternative is named behind it. */
function describeMember(part: Tlv, member: Member, options: DescribeOptions): Node {
  if (member.tag !== undefined || member.type.kind === "value") return describeAs(part, member.name, member.type, options);
  const alternative = oneOf(part, member.type.members, options);
  return { ...alternative, name: `${member.name}: ${alternative.name}` };
}

function unknown(item: Tlv, options: DescribeOptions): Node {
  return { name: "?", tag: tagOf(item), length: item.value.length, ...generic(item, options), problems: [Severe.unknown] };
}

/** Content by its own tags, without names. */
function generic(item: Tlv, options: DescribeOptions): Pick<Node, "value" | "children"> {
  const parts = isConstructed(item) ? children(item) : undefined;
  if (parts === undefined) return { value: show({ kind: "value", format: "octets" }, item.value).text };
  return { children: parts.map((part) => ({ name: "?", tag: tagOf(part), length: part.value.length, ...generic(part, options) })) };
}

function children(item: Tlv): Tlv[] | undefined {
  if (!isConstructed(item)) return undefined;
  try {
    return readAll(item.value, { lenient: true });
  } catch (error) {
    if (!(error instanceof TlvError)) throw error;
    return undefined;
  }
}

function isConstructed(item: Tlv): boolean {
  return ((item.raw[0] as number) & 0x20) !== 0;
}

function tagOf(item: Tlv): string {
  return item.tag.toString(16).toUpperCase().padStart(2, "0");
}
