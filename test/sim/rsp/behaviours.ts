/**
 * The library of misbehaving for SM-DP+ and SM-DS: each function gives one Behaviour for `use()`. Those that answer in the server's place leave its
 * orders alone; those that change the answer come after it has done its work. Those that change a BPP work in both bindings.
 * `once`, `nth` and `forFunction` narrow any of them.
 */
import { concat, fromHex, fromUtf8, utf8 } from "../core/bytes.js";
import { readAll, readOne, tlv, type Tlv } from "../codec/tlv.js";
import type { Behaviour, BehaviourContext } from "./behaviour.js";
import { ASN1_CONTENT_TYPE } from "./asn1.js";
import { JSON_CONTENT_TYPE } from "./json.js";
import type { Answer, HttpResponse, Outcome } from "./message.js";
import type { FunctionName } from "./status.js";

const EMPTY = new Uint8Array(0);
const NOTHING: HttpResponse = { status: 0, headers: {}, body: EMPTY };

/** Answers with an HTTP status and no body. retryAfter in seconds. */
export function status(code: number, options: { readonly retryAfter?: number } = {}): Behaviour {
  const headers = options.retryAfter === undefined ? {} : { "retry-after": String(options.retryAfter) };
  return { name: `status(${code})`, answer: () => ({ status: code, headers, body: EMPTY }) };
}

/** The server answers, `ms` later. */
export function lateBy(ms: number): Behaviour {
  return { name: `lateBy(${ms})`, response: (response) => ({ ...response, delayMs: (response.delayMs ?? 0) + ms }) };
}

/** Never answers, the connection stays open: the request is lost. */
export function silent(): Behaviour {
  return { name: "silent()", answer: () => ({ ...NOTHING, silent: true }) };
}

/** Closes the connection instead of answering: the request is lost. */
export function drop(): Behaviour {
  return { name: "drop()", answer: () => ({ ...NOTHING, drop: true }) };
}

/** The server does its work, and the answer is lost: by a closed connection, or by silence. */
export function lostAnswer(how: "drop" | "silent" = "drop"): Behaviour {
  return { name: `lostAnswer(${how})`, response: (response) => ({ ...response, [how]: true }) };
}

/** The answer breaks off after so many octets of its body, although all are announced: an early close. */
export function truncated(octets: number): Behaviour {
  return { name: `truncated(${octets})`, response: (response) => ({ ...response, truncateTo: octets }) };
}

/** 200 without a body; also in place of a 204. */
export function emptyBody(): Behaviour {
  const headers = (context: BehaviourContext): string => (context.binding === "asn1" ? ASN1_CONTENT_TYPE : JSON_CONTENT_TYPE);
  return { name: "emptyBody()", response: (response, context) => ({ ...response, status: 200, headers: { ...response.headers, "content-type": headers(context) }, body: EMPTY }) };
}

export function wrongContentType(type = "text/html"): Behaviour {
  return { name: `wrongContentType(${type})`, response: (response) => ({ ...response, headers: { ...response.headers, "content-type": type } }) };
}

/** 302 to another place. */
export function redirect(location = "https://other.example.com/"): Behaviour {
  return { name: "redirect()", answer: () => ({ status: 302, headers: { location }, body: EMPTY }) };
}

/** The answer has this body instead of its own. */
export function body(octets: Uint8Array, name = "body()"): Behaviour {
  return { name, response: (response) => ({ ...response, body: octets }) };
}

/** The function fails with any subject and reason code: "8.2.6/3.8". `number` is for the ASN.1 binding where the code has none. The server has done its work. */
export function failed(code: string, options: { readonly message?: string; readonly status?: "Failed" | "Expired"; readonly number?: number } = {}): Behaviour {
  const { message = "made up", status: outcome = "Failed", number } = options;
  return { name: `failed(${code})`, outcome: () => ({ kind: "failed", status: outcome, code, message, ...(number !== undefined && { number }) }) };
}

/** Executed-WithWarning, and all members (JSON). */
export function withWarning(code = "8.1/4.2", message = "made up"): Behaviour {
  return { name: `withWarning(${code})`, outcome: (outcome) => (outcome.kind === "ok" ? { ...outcome, warning: { code, message } } : outcome) };
}

/** JSON only: the answer has no header. */
export function withoutHeader(): Behaviour {
  return changeJson("withoutHeader()", ({ header: _header, ...members }) => members);
}

/** JSON only: a member is missing. */
export function withoutMember(name: string): Behaviour {
  return changeJson(`withoutMember(${name})`, ({ [name]: _left, ...members }) => members);
}

/** JSON only: a member has another value, of any JSON type. */
export function wrongMember(name: string, value: unknown): Behaviour {
  return changeJson(`wrongMember(${name})`, (members) => ({ ...members, [name]: value }));
}

/** JSON only: members that nobody knows, nested ones before all others. */
export function extraMembers(): Behaviour {
  const extra = { vendorExtension: { list: [1, -2.5e3, true, null, "\u20ac\ud83d\ude00\"\\}"], deep: { header: {}, boundProfilePackage: "AAAA" } } };
  return changeJson("extraMembers()", (members) => ({ ...extra, ...members, another: [] }));
}

/** JSON only: line breaks and blanks inside every base64 text, as after 64 characters in MIME. */
export function base64Whitespace(): Behaviour {
  const wrapped = (text: string): string => `${text.match(/.{1,64}/g)?.join("\r\n") ?? ""} \n`;
  return changeJson("base64Whitespace()", (members) => texts(members, wrapped));
}

/** JSON only: every "/" is written "\/". */
export function escapedSlashes(): Behaviour {
  return changeText("escapedSlashes()", (text) => text.replaceAll("/", "\\/"));
}

/** JSON only: white space between all tokens, members in reverse order. */
export function spacedOut(): Behaviour {
  return changeText("spacedOut()", (text) => `\n ${JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(text) as object).reverse()), null, "\t")} \r\n`);
}

/** JSON only: transaction ids in lower case. */
export function lowerCaseTransactionId(): Behaviour {
  return changeJson("lowerCaseTransactionId()", (members) => ("transactionId" in members ? { ...members, transactionId: String(members.transactionId).toLowerCase() } : members));
}

/** Another transaction id outside; the signed one inside stays. */
export function wrongTransactionId(id: Uint8Array = fromHex("BAD0BAD0BAD0BAD0")): Behaviour {
  return changeAnswer("wrongTransactionId()", (answer) => ({ ...answer, transactionId: id }));
}

/** No transaction id outside. */
export function withoutTransactionId(): Behaviour {
  return changeAnswer("withoutTransactionId()", ({ transactionId: _left, ...answer }) => answer);
}

/** Changes one DER member of an answer, by its JSON name, in both bindings. */
export function changeObject(name: string, change: (der: Uint8Array) => Uint8Array): Behaviour {
  return changeAnswer(`changeObject(${name})`, (answer) => ({ ...answer, objects: answer.objects.map(([member, der]) => [member, member === name ? change(der) : der] as const) }));
}

/** A signature that is none: its last octet is another. */
export function wrongSignature(name: "serverSignature1" | "smdpSignature2"): Behaviour {
  return { ...changeObject(name, flipLast), name: `wrongSignature(${name})` };
}

/** AuthenticateClient announces another profileName than the BPP has. */
export function metadataMismatch(profileName = "another profile"): Behaviour {
  const rename = (bf25: Uint8Array): Uint8Array => tlv(0xbf25, ...readAll(readOne(bf25).value).map((item) => (item.tag === 0x92 ? tlv(0x92, utf8(profileName)) : item.raw)));
  return { ...changeObject("profileMetadata", rename), name: "metadataMismatch()" };
}

/** The BPP ends in the middle, although base64, JSON and the HTTP framing are whole: its outer length promises more. */
export function truncatedBpp(octets: number): Behaviour {
  return { ...changeObject("boundProfilePackage", (bpp) => bpp.subarray(0, octets)), name: `truncatedBpp(${octets})` };
}

/** The MAC of block n (from 1, through 87, 88, 87 and 86) is wrong. */
export function wrongMac(n: number): Behaviour {
  return changeBlocks(`wrongMac(${n})`, (blocks) => blocks.map((block, index) => (index === n - 1 ? flipLast(block) : block)));
}

/** Block n (from 1) is left out. */
export function missingBlock(n: number): Behaviour {
  return changeBlocks(`missingBlock(${n})`, (blocks) => blocks.map((block, index) => (index === n - 1 ? EMPTY : block)));
}

/** A0 has its block so many times over: what a test suite sends, and no card takes. For one that cards take see the order's `configureIsdpBlocks`. */
export function repeatedFirst87(times: number): Behaviour {
  const repeated = (block: Uint8Array): Uint8Array => concat(...Array.from({ length: times }, () => block));
  return changeBlocks(`repeatedFirst87(${times})`, (blocks) => blocks.map((block, index) => (index === 0 ? repeated(block) : block)));
}

/** BF23 has another transaction id than the session (smdpSign does not cover it any more). */
export function wrongBppTransactionId(id: Uint8Array = fromHex("BAD0BAD0BAD0BAD0")): Behaviour {
  const request = (bf23: Tlv): Uint8Array => tlv(0xbf23, ...readAll(bf23.value).map((item) => (item.tag === 0x80 ? tlv(0x80, id) : item.raw)));
  const change = (bpp: Uint8Array): Uint8Array => tlv(0xbf36, ...readAll(readOne(bpp).value).map((item) => (item.tag === 0xbf23 ? request(item) : item.raw)));
  return { ...changeObject("boundProfilePackage", change), name: "wrongBppTransactionId()" };
}

/** The SM-DS tells these events instead of its own. */
export function events(list: NonNullable<Answer["events"]>): Behaviour {
  return changeAnswer("events()", (answer) => (answer.events === undefined ? answer : { ...answer, events: list }));
}

/** Only in the first exchange that it would take part in. */
export function once(behaviour: Behaviour): Behaviour {
  return { ...nth(1, behaviour), name: `once(${behaviour.name})` };
}

/** Only in the n-th exchange (from 1) that it would take part in. */
export function nth(n: number, behaviour: Behaviour): Behaviour {
  return narrowed(`nth(${n}, ${behaviour.name})`, behaviour, (context) => {
    if (behaviour.applies?.({ ...context, memory: context.memory.within("inner") }) === false) return false;
    const count = context.memory.get("count") + 1;
    context.memory.set("count", count);
    return count === n;
  });
}

/** Only for one function. */
export function forFunction(name: FunctionName, behaviour: Behaviour): Behaviour {
  return narrowed(
    `forFunction(${name}, ${behaviour.name})`,
    behaviour,
    (context) => context.function === name && behaviour.applies?.({ ...context, memory: context.memory.within("inner") }) !== false,
  );
}

function narrowed(name: string, behaviour: Behaviour, applies: (context: BehaviourContext) => boolean): Behaviour {
  const inside = (context: BehaviourContext): BehaviourContext => ({ ...context, memory: context.memory.within("inner") });
  return {
    name,
    applies,
    ...(behaviour.request && { request: (request, context) => behaviour.request?.(request, inside(context)) ?? request }),
    ...(behaviour.answer && { answer: (request, context) => behaviour.answer?.(request, inside(context)) }),
    ...(behaviour.outcome && { outcome: (outcome, context) => behaviour.outcome?.(outcome, inside(context)) ?? outcome }),
    ...(behaviour.response && { response: (response, context) => behaviour.response?.(response, inside(context)) ?? response }),
  };
}

function changeAnswer(name: string, change: (answer: Answer) => Answer): Behaviour {
  return { name, outcome: (outcome): Outcome => (outcome.kind === "ok" ? { ...outcome, answer: change(outcome.answer) } : outcome) };
}

function changeText(name: string, change: (text: string) => string): Behaviour {
  const json = (response: HttpResponse, context: BehaviourContext): boolean => context.binding === "json" && response.status === 200 && response.body.length > 0;
  return { name, response: (response, context) => (json(response, context) ? { ...response, body: utf8(change(fromUtf8(response.body))) } : response) };
}

function changeJson(name: string, change: (members: Record<string, unknown>) => Record<string, unknown>): Behaviour {
  return changeText(name, (text) => JSON.stringify(change(JSON.parse(text) as Record<string, unknown>)));
}

/** Changes all base64 texts among the members. */
function texts(members: Record<string, unknown>, change: (text: string) => string): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).map(([name, value]) => [name, typeof value === "string" && name !== "transactionId" ? change(value) : value]));
}

/** Changes the blocks of a BPP in their order; the sequences around them get new lengths. */
function changeBlocks(name: string, change: (blocks: readonly Uint8Array[]) => Uint8Array[]): Behaviour {
  const rebuild = (bpp: Uint8Array): Uint8Array => {
    const [bf23, ...sequences] = readAll(readOne(bpp).value) as [Tlv, ...Tlv[]];
    const blocks = sequences.map((sequence) => readAll(sequence.value).map((item) => item.raw));
    const changed = change(blocks.flat());
    let at = 0;
    return tlv(0xbf36, bf23.raw, ...sequences.map((sequence, index) => tlv(sequence.tag, ...changed.slice(at, (at += (blocks[index] as Uint8Array[]).length)))));
  };
  return { ...changeObject("boundProfilePackage", rebuild), name };
}

function flipLast(octets: Uint8Array): Uint8Array {
  const copy = octets.slice();
  copy[copy.length - 1] = (copy[copy.length - 1] as number) ^ 0x01;
  return copy;
}
