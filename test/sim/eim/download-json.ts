/**
 * ES9+ and ES11, JSON binding, client side (SGP.22 v2.5 6.5; transport 6): objects in base64, transactionId in hexadecimal and sent back as it came,
 * the outcome in functionExecutionStatus. White space inside base64 is taken, as it occurs in the field.
 */
import { fromHex, fromUtf8, toHex, utf8 } from "../core/bytes.js";
import { find, readAll, readOne, tlv, TlvError, type Tlv } from "../codec/tlv.js";
import { errorName, fromStatus } from "./download-errors.js";
import type { Es9pFunction, EventEntry, HttpRequest, HttpResponse, Reply } from "./download-es9p.js";
import { tagText } from "./refusal.js";

type Json = Readonly<Record<string, unknown>>;

/** The request that carries `message`; `transactionText`: the id of the session as the server wrote it. */
export function encodeJson(wanted: Es9pFunction, message: Uint8Array, transactionText?: string): HttpRequest {
  const headers = { "content-type": "application/json;charset=UTF-8", "x-admin-protocol": "gsma/rsp/v2.2.0", "user-agent": "gsma-rsp-lpad" };
  const items = readAll(readOne(message, wanted.tag, { lenient: true }).value, { lenient: true });
  const id = transactionText ?? toHex(find(items, 0x80)?.value ?? new Uint8Array(0));
  return { method: "POST", path: `/gsma/rsp2/es9plus/${wanted.name}`, headers, body: utf8(JSON.stringify(requestMembers(wanted, items, id))) };
}

function requestMembers(wanted: Es9pFunction, items: readonly Tlv[], transactionId: string): Json {
  const of = (tag: number): Tlv => {
    const item = find(items, tag);
    if (item === undefined) throw new TypeError(`expected ${tagText(tag)} in ${wanted.name}, got ${items.map((one) => tagText(one.tag)).join(" ")}`);
    return item;
  };
  switch (wanted.name) {
    case "initiateAuthentication":
      return { euiccChallenge: base64(of(0x81).value), euiccInfo1: base64(of(0xbf20).raw), smdpAddress: fromUtf8(of(0x83).value) };
    case "authenticateClient":
      return { transactionId, authenticateServerResponse: base64(of(0xbf38).raw) };
    case "getBoundProfilePackage":
      return { transactionId, prepareDownloadResponse: base64(of(0xbf21).raw) };
    case "cancelSession":
      // ASN.1 has put A1 in the place of the card's BF41; JSON carries the card's object.
      return { transactionId, cancelSessionResponse: base64(tlv(0xbf41, of(0xa1).value)) };
    case "handleNotification":
      return { pendingNotification: base64(of(0xa0).value) };
  }
}

/** Reads the answer of a 200. */
export function decodeJson(wanted: Es9pFunction, response: HttpResponse, warnings: string[]): Reply {
  const type = response.headers["content-type"] ?? "none";
  if (!/^application\/json\s*(;|$)/i.test(type)) warnings.push(`ES9+: Content-Type application/json expected, got ${type}`);
  const body = parse(response.body);
  if (body === undefined) return { kind: "failed", reason: `${wanted.name}: a JSON object expected` };
  const execution = object(object(body.header)?.functionExecutionStatus);
  const status = execution?.status;
  if (status === "Failed" || status === "Expired") return refused(wanted, status, object(execution?.statusCodeData));
  if (status === "Executed-WithWarning") warnings.push(`ES9+: ${wanted.name} was executed with a warning: ${codeOf(object(execution?.statusCodeData))}`);
  else if (status !== "Executed-Success") return { kind: "failed", reason: `${wanted.name}: functionExecutionStatus expected, got ${JSON.stringify(status) ?? "nothing"}` };
  return Array.isArray(body.eventEntries) && wanted.name === "authenticateClient" ? readEvents(body) : readOk(wanted, body);
}

function refused(wanted: Es9pFunction, status: string, data: Json | undefined): Reply {
  const code = codeOf(data);
  const number = fromStatus(wanted.name, code);
  const message = typeof data?.message === "string" ? ` (${data.message})` : "";
  return { kind: "error", number, reason: `the server says ${status} ${code}${message}: ${errorName(wanted.name, number)}` };
}

function codeOf(data: Json | undefined): string {
  return `${String(data?.subjectCode ?? "?")}/${String(data?.reasonCode ?? "?")}`;
}

function readOk(wanted: Es9pFunction, body: Json): Reply {
  const members: Record<string, Uint8Array> = {};
  for (const [name, tag] of wanted.answer) {
    const value = readMember(body[name], name, tag);
    if (typeof value === "string") return { kind: "failed", reason: `${wanted.name}: ${value}` };
    members[name] = value;
  }
  return { kind: "ok", members, ...(members.transactionId && { transactionText: body.transactionId as string }) };
}

/** The octets of a member, or what is wrong with it. */
function readMember(value: unknown, name: string, tag: number): Uint8Array | string {
  if (name === "transactionId") return typeof value === "string" && /^([0-9a-f]{2}){1,16}$/i.test(value) ? fromHex(value) : `transactionId: hexadecimal expected, got ${shown(value)}`;
  const octets = typeof value === "string" ? fromBase64(value) : undefined;
  if (octets === undefined) return `${name}: base64 expected, got ${shown(value)}`;
  try {
    readOne(octets, tag, { lenient: true });
    return octets;
  } catch (cause) {
    if (!(cause instanceof TlvError)) throw cause;
    return `${name}: ${cause.message}`;
  }
}

function readEvents(body: Json): Reply {
  const id = readMember(body.transactionId, "transactionId", 0x80);
  if (typeof id === "string") return { kind: "failed", reason: `authenticateClient: ${id}` };
  const entries = (body.eventEntries as readonly unknown[]).map(object);
  const events = entries.filter((entry): entry is EventEntry & Json => typeof entry?.eventId === "string" && typeof entry.rspServerAddress === "string");
  if (events.length !== entries.length) return { kind: "failed", reason: "authenticateClient: eventId and rspServerAddress expected in each of eventEntries" };
  return { kind: "ok", members: { transactionId: id }, transactionText: body.transactionId as string, events: events.map(({ eventId, rspServerAddress }) => ({ eventId, rspServerAddress })) };
}

function parse(body: Uint8Array): Json | undefined {
  try {
    return object(JSON.parse(fromUtf8(body)));
  } catch (cause) {
    if (!(cause instanceof SyntaxError) && !(cause instanceof TypeError)) throw cause;
    return undefined;
  }
}

function object(value: unknown): Json | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}

function base64(octets: Uint8Array): string {
  return Buffer.from(octets).toString("base64");
}

function fromBase64(text: string): Uint8Array | undefined {
  const digits = text.replace(/\s+/g, "");
  if (digits.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(digits)) return undefined;
  return new Uint8Array(Buffer.from(digits, "base64"));
}

function shown(value: unknown): string {
  return value === undefined ? "nothing" : JSON.stringify(value).slice(0, 60);
}
