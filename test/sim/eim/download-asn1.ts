/**
 * ES9+ and ES11, ASN.1 binding, client side (SGP.22 v2.5 6.6; types 12, transport 6): one message in A2, at the path that ESipa has too.
 * An SM-DS answers AuthenticateClient with BF40. Members are read by place: two of them have the same tag.
 */
import { toHex } from "../core/bytes.js";
import { readAll, readInteger, readOne, tlv, TlvError, type Tlv } from "../codec/tlv.js";
import { errorName, fromNumber } from "./download-errors.js";
import type { Es9pFunction, EventEntry, HttpRequest, HttpResponse, Reply } from "./download-es9p.js";
import { BadRequest, parts, required, members as readMembers, tagText, utf8Text } from "./refusal.js";

const ES11_AUTHENTICATE_CLIENT = 0xbf40;
const CONTENT_TYPE = "application/x-gsma-rsp-asn1";

/** The request that carries `message`. */
export function encodeAsn1(message: Uint8Array): HttpRequest {
  const headers = { "content-type": CONTENT_TYPE, "x-admin-protocol": "gsma/rsp/v2.2.0", "user-agent": "gsma-rsp-lpad" };
  return { method: "POST", path: "/gsma/rsp2/asn1", headers, body: tlv(0xa2, message) };
}

/** Reads the answer of a 200. */
export function decodeAsn1(wanted: Es9pFunction, response: HttpResponse, warnings: string[]): Reply {
  try {
    if (response.headers["content-type"] !== CONTENT_TYPE) warnings.push(`ES9+: Content-Type ${CONTENT_TYPE} expected, got ${response.headers["content-type"] ?? "none"}`);
    const message = readOne(readOne(response.body, 0xa2, { lenient: true }).value, undefined, { lenient: true });
    const es11 = wanted.name === "authenticateClient" && message.tag === ES11_AUTHENTICATE_CLIENT;
    if (message.tag !== wanted.tag && !es11) return { kind: "failed", reason: `${wanted.name} was answered with ${tagText(message.tag)}, ${tagText(wanted.tag)} expected` };
    const [chosen] = readAll(message.value, { lenient: true });
    if (chosen?.tag === 0x81) return error(wanted, readInteger(chosen.value, { lenient: true }), es11);
    if (chosen?.tag !== 0xa0) return { kind: "failed", reason: `${wanted.name}: A0 or 81 expected, got ${chosen ? tagText(chosen.tag) : "nothing"}` };
    return es11 ? readEvents(chosen) : readOk(wanted, chosen);
  } catch (cause) {
    if (!(cause instanceof TlvError) && !(cause instanceof BadRequest)) throw cause;
    return { kind: "failed", reason: `${wanted.name}: the answer can't be read: ${cause.message}` };
  }
}

function error(wanted: Es9pFunction, number: number, es11: boolean): Reply {
  const code = fromNumber(wanted.name, number, es11);
  return { kind: "error", number: code, reason: `the server says ${number}: ${errorName(wanted.name, code)}` };
}

function readOk(wanted: Es9pFunction, a0: Tlv): Reply {
  const items = readAll(a0.value, { lenient: true });
  const wrong = wanted.answer.findIndex(([, tag], index) => items[index]?.tag !== tag);
  if (wrong !== -1) {
    const expected = wanted.answer.map(([, tag]) => tagText(tag)).join(" ");
    return { kind: "failed", reason: `${wanted.name}: ${expected} expected, got ${items.map((item) => tagText(item.tag)).join(" ") || "nothing"}` };
  }
  const members = wanted.answer.map(([name], index) => [name, name === "transactionId" ? (items[index] as Tlv).value : (items[index] as Tlv).raw] as const);
  const id = members.find(([name]) => name === "transactionId")?.[1];
  return { kind: "ok", members: Object.fromEntries(members), ...(id && { transactionText: toHex(id) }) };
}

function readEvents(a0: Tlv): Reply {
  const found = readMembers(a0.value, "AuthenticateClientOkDS", [0x80, 0xa1], [], true);
  const id = required(found, 0x80, "transactionId").value;
  const events = parts(required(found, 0xa1, "eventEntries").value, "eventEntries", true).map((entry): EventEntry => {
    const inside = readMembers(entry.value, "EventEntries", [0x80, 0x81], [], true);
    return {
      eventId: utf8Text(required(inside, 0x80, "eventId"), "eventId"),
      rspServerAddress: utf8Text(required(inside, 0x81, "rspServerAddress"), "rspServerAddress"),
    };
  });
  return { kind: "ok", members: { transactionId: id }, transactionText: toHex(id), events };
}
