/**
 * ES9+ and ES11, ASN.1 binding, server side (SGP.22 v2.5 6.6; sgp32-types 12; sgp32-transport 6): the way an eIM takes on ES9+'.
 * Request and response stand in A2; functions are told apart by tag.
 */
import { utf8 } from "../core/bytes.js";
import { integer, readOne, tlv, type Tlv } from "../codec/tlv.js";
import type { HttpRequest, HttpResponse, Outcome, RspRequest } from "./message.js";
import { BadRequest, decode, members, parts, required, tagText, utf8Text } from "./refusal.js";
import { errorNumber, type FunctionName } from "./status.js";

export const ASN1_PATH = "/gsma/rsp2/asn1";
export const ASN1_CONTENT_TYPE = "application/x-gsma-rsp-asn1";

const SECTION = "SGP.22 v2.5 6.6";

type Read = (item: Tlv, warnings: string[]) => RspRequest;

const TAG: Readonly<Record<FunctionName, number>> = {
  initiateAuthentication: 0xbf39, authenticateClient: 0xbf3b, getBoundProfilePackage: 0xbf3a, cancelSession: 0xbf41, handleNotification: 0xbf3d,
};
const AUTHENTICATE_CLIENT_ES11 = 0xbf40;

const READ: Readonly<Record<number, Read>> = {
  0xbf39: (item, warnings) => {
    const found = members(item.value, "InitiateAuthenticationRequest", [0x81, 0x83, 0xbf20], warnings);
    return {
      function: "initiateAuthentication",
      euiccChallenge: required(found, 0x81, "euiccChallenge", 16).value,
      euiccInfo1: required(found, 0xbf20, "euiccInfo1").raw,
      smdpAddress: utf8Text(required(found, 0x83, "smdpAddress"), "smdpAddress"),
    };
  },
  0xbf3b: (item, warnings) => ({ function: "authenticateClient", ...withSession(item, "AuthenticateClientRequest", "authenticateServerResponse", 0xbf38, warnings) }) as RspRequest,
  0xbf3a: (item, warnings) => ({ function: "getBoundProfilePackage", ...withSession(item, "GetBoundProfilePackageRequest", "prepareDownloadResponse", 0xbf21, warnings) }) as RspRequest,
  0xbf41: (item, warnings) => {
    const found = members(item.value, "CancelSessionRequest", [0x80, 0xa1], warnings);
    // The card's BF41 was replaced by A1 (sgp32-types 1): put back, so that both bindings hand on the same object.
    return { function: "cancelSession", transactionId: transactionId(found.get(0x80)), cancelSessionResponse: tlv(0xbf41, required(found, 0xa1, "cancelSessionResponse").value) };
  },
  0xbf3d: (item, warnings) => {
    const wrapper = required(members(item.value, "HandleNotificationEs9", [0xa0], warnings), 0xa0, "pendingNotification");
    const [inner, ...others] = parts(wrapper.value, "pendingNotification");
    if (inner === undefined || others.length > 0 || (inner.tag !== 0xbf37 && inner.tag !== 0x30)) {
      throw new BadRequest(`pendingNotification: BF37 or 30 expected, got ${[inner, ...others].map((one) => (one ? tagText(one.tag) : "nothing")).join(" ")}`, SECTION);
    }
    return { function: "handleNotification", pendingNotification: inner.raw };
  },
};

/** Function that a body asks for, as far as it can be read. */
export function asn1Function(body: Uint8Array): FunctionName | undefined {
  try {
    const { tag } = readOne(readOne(body, 0xa2, { lenient: true }).value, undefined, { lenient: true });
    return (Object.keys(TAG) as FunctionName[]).find((name) => TAG[name] === tag);
  } catch {
    // Whoever reads it in earnest says what is wrong.
    return undefined;
  }
}

/** Reads a request. Throws BadRequest with the HTTP status that fits. */
export function openAsn1({ headers, body }: HttpRequest, warnings: string[]): RspRequest {
  const type = headers["content-type"] ?? "none";
  if (type !== ASN1_CONTENT_TYPE) throw new BadRequest(`Content-Type: ${ASN1_CONTENT_TYPE} expected, got ${type}`, SECTION, 415);
  const item = decode("body", () => readOne(readOne(body, 0xa2).value));
  const read = READ[item.tag];
  if (read === undefined) throw new BadRequest(`body: no function of ES9+ has tag ${tagText(item.tag)}`, SECTION);
  return read(item, warnings);
}

/** 200 with A2{...}, or 204. */
export function asn1Answer(role: "smdp" | "smds", name: FunctionName, outcome: Outcome, adminProtocol: string): HttpResponse {
  const headers = { "x-admin-protocol": adminProtocol };
  if (outcome.kind === "none") return { status: 204, headers, body: new Uint8Array(0) };
  const tag = role === "smds" && name === "authenticateClient" ? AUTHENTICATE_CLIENT_ES11 : TAG[name];
  return { status: 200, headers: { "content-type": ASN1_CONTENT_TYPE, ...headers }, body: tlv(0xa2, tlv(tag, content(role, name, outcome))) };
}

function content(role: "smdp" | "smds", name: FunctionName, outcome: Exclude<Outcome, { kind: "none" }>): Uint8Array {
  if (outcome.kind === "failed") return tlv(0x81, integer(outcome.number ?? errorNumber(role, name, outcome.code)));
  const { transactionId: id, objects, events } = outcome.answer;
  const entries = events?.map(({ eventId, rspServerAddress }) => tlv(0x30, tlv(0x80, utf8(eventId)), tlv(0x81, utf8(rspServerAddress))));
  return tlv(0xa0, ...(id ? [tlv(0x80, id)] : []), ...objects.map(([, der]) => der), ...(entries ? [tlv(0xa1, ...entries)] : []));
}

function withSession(item: Tlv, what: string, member: string, tag: number, warnings: string[]): Record<string, Uint8Array> {
  const found = members(item.value, what, [0x80, tag], warnings);
  return { transactionId: transactionId(found.get(0x80)), [member]: required(found, tag, member).raw };
}

function transactionId(item: Tlv | undefined): Uint8Array {
  const length = item?.value.length ?? 0;
  if (item === undefined || length < 1 || length > 16) throw new BadRequest(`transactionId: 1 to 16 octets expected, got ${length}`, SECTION);
  return item.value;
}
