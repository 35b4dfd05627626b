/**
 * ES9+ and ES11, JSON binding, server side (SGP.22 v2.5 6.5; sgp32-transport 6): what must hold of a request, and how an outcome is written.
 */
import { fromHex, fromUtf8, toHex, utf8 } from "../core/bytes.js";
import { readOne } from "../codec/tlv.js";
import { fromBase64, toBase64 } from "./coding.js";
import type { HttpRequest, HttpResponse, Outcome, RspRequest } from "./message.js";
import { BadRequest, decode, tagText } from "./refusal.js";
import type { FunctionName } from "./status.js";

export const JSON_PATH = "/gsma/rsp2/es9plus/";
export const JSON_CONTENT_TYPE = "application/json;charset=UTF-8";

const SECTION = "SGP.22 v2.5 6.5";

type Reader = (text: string, name: string) => Uint8Array | string;

const octets = (length: number): Reader => (text, name) => {
  const found = base64(text, name);
  if (found.length !== length) throw new BadRequest(`${name}: ${length} octets expected, got ${found.length}`, SECTION);
  return found;
};

const object = (...tags: number[]): Reader => (text, name) => {
  const found = base64(text, name);
  const { tag } = decode(name, () => readOne(found, undefined, { lenient: true }));
  if (!tags.includes(tag)) throw new BadRequest(`${name}: tag ${tags.map(tagText).join(" or ")} expected, got ${tagText(tag)}`, SECTION);
  return found;
};

const transactionId: Reader = (text, name) => {
  if (!/^([0-9A-Fa-f]{2}){1,16}$/.test(text)) throw new BadRequest(`${name}: 1 to 16 octets in hexadecimal expected, got "${text.slice(0, 40)}"`, SECTION);
  return fromHex(text);
};

const FIELDS: Readonly<Record<FunctionName, Readonly<Record<string, Reader>>>> = {
  initiateAuthentication: { euiccChallenge: octets(16), euiccInfo1: object(0xbf20), smdpAddress: (text) => text },
  authenticateClient: { transactionId, authenticateServerResponse: object(0xbf38) },
  getBoundProfilePackage: { transactionId, prepareDownloadResponse: object(0xbf21) },
  cancelSession: { transactionId, cancelSessionResponse: object(0xbf41) },
  handleNotification: { pendingNotification: object(0xbf37, 0x30) },
};

/** Function of a path of this binding, or undefined. */
export function jsonFunction(path: string): FunctionName | undefined {
  const name = path.startsWith(JSON_PATH) ? path.slice(JSON_PATH.length) : "";
  return Object.hasOwn(FIELDS, name) ? (name as FunctionName) : undefined;
}

/** Reads a request of function `name`. Throws BadRequest with the HTTP status that fits. */
export function openJson({ headers, body }: HttpRequest, name: FunctionName, warnings: string[]): RspRequest {
  const type = headers["content-type"] ?? "none";
  if (!/^application\/json\s*(;\s*charset="?utf-8"?\s*)?$/i.test(type)) throw new BadRequest(`Content-Type: application/json expected, got ${type}`, SECTION, 415);
  const agent = headers["user-agent"];
  if (agent === undefined || !/^gsma-rsp-(lpad|ipad|ipae)(;|$)/.test(agent)) warnings.push(`User-Agent: gsma-rsp-lpad or gsma-rsp-ipad expected, got ${agent ?? "none"}`);
  const given = parse(body);
  const fields = FIELDS[name];
  for (const member of Object.keys(given)) {
    if (!Object.hasOwn(fields, member) && member !== "header") warnings.push(`unknown member ${member} is skipped`);
  }
  const read = Object.entries(fields).map(([member, reader]) => [member, reader(text(given, member), member)]);
  return { function: name, ...Object.fromEntries(read) } as RspRequest;
}

/** 200 with header and members, or 204. */
export function jsonAnswer(outcome: Outcome, adminProtocol: string): HttpResponse {
  const headers = { "x-admin-protocol": adminProtocol };
  if (outcome.kind === "none") return { status: 204, headers, body: new Uint8Array(0) };
  return { status: 200, headers: { "content-type": JSON_CONTENT_TYPE, ...headers }, body: utf8(JSON.stringify({ header: header(outcome), ...answerMembers(outcome) })) };
}

function header(outcome: Exclude<Outcome, { kind: "none" }>): unknown {
  const data = outcome.kind === "ok" ? outcome.warning : outcome;
  const status = outcome.kind === "failed" ? outcome.status : data === undefined ? "Executed-Success" : "Executed-WithWarning";
  if (data === undefined) return { functionExecutionStatus: { status } };
  const [subjectCode, reasonCode] = data.code.split("/");
  return { functionExecutionStatus: { status, statusCodeData: { subjectCode, reasonCode, message: data.message } } };
}

function answerMembers(outcome: Outcome): Record<string, unknown> {
  if (outcome.kind !== "ok") return {};
  const { transactionId: id, objects, events } = outcome.answer;
  return {
    ...(id && { transactionId: toHex(id) }),
    ...Object.fromEntries(objects.map(([name, der]) => [name, toBase64(der)])),
    ...(events && { eventEntries: events }),
  };
}

function parse(body: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(fromUtf8(body));
  } catch (cause) {
    throw new BadRequest(`body: JSON expected: ${(cause as Error).message}`, SECTION);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new BadRequest("body: a JSON object expected", SECTION);
  return value as Record<string, unknown>;
}

function text(given: Record<string, unknown>, member: string): string {
  const value = Object.hasOwn(given, member) ? given[member] : undefined;
  if (typeof value !== "string") throw new BadRequest(`${member}: a string expected, got ${value === undefined ? "nothing" : JSON.stringify(value).slice(0, 40)}`, SECTION);
  return value;
}

function base64(text: string, name: string): Uint8Array {
  const found = fromBase64(text);
  if (found === undefined) throw new BadRequest(`${name}: base64 with padding and without white space expected, got "${text.slice(0, 40)}"`, SECTION);
  return found;
}
