/**
 * ESipa over CoAP (SGP.32 v1.2 6.4; sgp32-transport 3): one request of CoAP as the eIM sees it, and the eIM's answer as CoAP.
 * User-Agent and X-Admin-Protocol have no CoAP option, and the path implies the content type: the eIM is given the values that an IPA means.
 */
import { code, type CoapRequest, type CoapResponse } from "../coap/index.js";
import type { EsipaRequest, EsipaResponse } from "../core/http.js";
import { ESIPA_CONTENT_TYPE, ESIPA_PATH } from "./binding.js";

const METHODS: Readonly<Record<number, string>> = { 1: "GET", 2: "POST", 3: "PUT", 4: "DELETE", 5: "FETCH", 6: "PATCH", 7: "iPATCH" };
/** application/octet-stream: one eIM sends it; receivers ignore it. */
const OCTET_STREAM = 42;

/** Codes by HTTP status where they differ from "class.detail" of the same number. */
const CODES: Readonly<Record<number, string>> = {
  200: "2.05", 204: "2.04", 400: "4.00", 401: "4.01", 403: "4.03", 404: "4.04", 405: "4.05", 406: "4.06", 409: "4.09", 413: "4.13", 415: "4.15", 422: "4.22",
  429: "4.29", 500: "5.00", 501: "5.01", 502: "5.02", 503: "5.03", 504: "5.04",
};

/** Refuses what is no ESipa by its head, before a large body is sent: 4.04 and 4.05. */
export function admitEsipa(request: CoapRequest): CoapResponse | undefined {
  if (request.path !== ESIPA_PATH) return refusal("4.04", `Uri-Path ${ESIPA_PATH} expected, got ${request.path}`);
  if (METHODS[request.method] !== "POST") return refusal("4.05", `POST expected, got ${METHODS[request.method] ?? "another method"}`);
  return undefined;
}

function refusal(text: string, why: string): CoapResponse {
  return { code: code(text), payload: new TextEncoder().encode(why) };
}

export function esipaRequest(request: CoapRequest): EsipaRequest {
  return {
    method: METHODS[request.method] ?? "",
    path: request.path + (request.query.length > 0 ? `?${request.query.join("&")}` : ""),
    headers: { "content-type": ESIPA_CONTENT_TYPE, "x-admin-protocol": "gsma/rsp/v2.1.0", "user-agent": "gsma-rsp-ipad" },
    body: request.payload,
  };
}

/** "drop": the session is to be closed in place of an answer. */
export function coapResponse(response: EsipaResponse): CoapResponse | "drop" {
  if (response.drop === true) return "drop";
  const { status, body, delayMs, silent, truncateTo } = response;
  const retryAfter = Number(response.headers["retry-after"]);
  return {
    code: code(CODES[status] ?? (status >= 500 ? "5.00" : "4.00")),
    ...(status !== 204 && body.length > 0 && { payload: body }),
    ...(status === 200 && body.length > 0 && { contentFormat: OCTET_STREAM }),
    ...(Number.isInteger(retryAfter) && { maxAge: retryAfter }),
    ...(delayMs !== undefined && { delayMs }), ...(silent === true && { silent }), ...(truncateTo !== undefined && { cutAfter: truncateTo }),
  };
}
