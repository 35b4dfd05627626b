/**
 * ESipa over HTTPS, ASN.1 function binding, server side (SGP.32 v1.2 6.3; transport 2.1): what must hold before a body is looked at.
 * The JSON binding is left out.
 */
import { utf8 } from "../core/bytes.js";
import type { EsipaRequest, EsipaResponse } from "../core/http.js";
import { readOne, TlvError, type Tlv } from "../codec/tlv.js";
import { BadRequest } from "./refusal.js";

export const ESIPA_PATH = "/gsma/rsp2/asn1";
export const ESIPA_CONTENT_TYPE = "application/x-gsma-rsp-asn1";
/** Octets of the largest body that an eIM reads; a download's largest request is some 2 kB. */
export const BODY_LIMIT = 65_536;

const SECTION = "SGP.32 v1.2 6.3";

/** The one data object of a request. Throws BadRequest with the HTTP status that fits. */
export function openRequest(request: EsipaRequest, warnings: string[]): Tlv {
  const { method, path, headers } = request;
  if (path !== ESIPA_PATH) throw new BadRequest(`path: ${ESIPA_PATH} expected, got ${path}`, SECTION, 404);
  if (method !== "POST") throw new BadRequest(`method: POST expected, got ${method}`, SECTION, 405);
  const type = headers["content-type"];
  if (type !== ESIPA_CONTENT_TYPE) throw new BadRequest(`Content-Type: ${ESIPA_CONTENT_TYPE} expected, got ${type ?? "none"}`, SECTION, 415);
  const version = headers["x-admin-protocol"];
  if (version === undefined || !/^gsma\/rsp\/v\d+\.\d+\.\d+$/.test(version)) throw new BadRequest(`X-Admin-Protocol: gsma/rsp/v<x>.<y>.<z> expected, got ${version ?? "none"}`, SECTION);
  const agent = headers["user-agent"];
  if (agent === undefined || !/^gsma-rsp-ipad(;|$)/.test(agent)) warnings.push(`User-Agent: gsma-rsp-ipad expected, got ${agent ?? "none"}`);
  if (request.body.length > BODY_LIMIT) throw new BadRequest(`body: at most ${BODY_LIMIT} octets expected, got more`, SECTION, 413);
  return readBody(request.body);
}

function readBody(body: Uint8Array): Tlv {
  try {
    return readOne(body);
  } catch (cause) {
    if (!(cause instanceof TlvError)) throw cause;
    throw new BadRequest(`body: one data object expected: ${cause.message}`, SECTION);
  }
}

/** 200 with a TLV, or 204 without a body. */
export function answer(body: Uint8Array | undefined, adminProtocol: string): EsipaResponse {
  const headers = { "x-admin-protocol": adminProtocol };
  if (body === undefined) return { status: 204, headers, body: new Uint8Array(0) };
  return { status: 200, headers: { "content-type": ESIPA_CONTENT_TYPE, ...headers }, body };
}

/** An HTTP error; its body says in plain words what was wrong, for the people in the laboratory. */
export function refusal(error: BadRequest, adminProtocol: string): EsipaResponse {
  const allow = error.status === 405 ? { allow: "POST" } : {};
  return { status: error.status, headers: { "content-type": "text/plain; charset=utf-8", "x-admin-protocol": adminProtocol, ...allow }, body: utf8(`${error.message}\n`) };
}
