/**
 * What both bindings of ES9+ and ES11 have in common on HTTP (SGP.22 v2.5 6; sgp32-transport 2.1, 6): path, method, protocol version, size; refusals.
 */
import { utf8 } from "../core/bytes.js";
import { asn1Answer, asn1Function, ASN1_PATH, openAsn1 } from "./asn1.js";
import { jsonAnswer, jsonFunction, openJson } from "./json.js";
import type { Binding, HttpRequest, HttpResponse, Outcome, RspRequest } from "./message.js";
import { BadRequest } from "./refusal.js";
import type { FunctionName } from "./status.js";

/** Octets of the largest body that is read; the largest good request is some 4 kB. */
export const BODY_LIMIT = 65_536;

const SECTION = "SGP.22 v2.5 6";

/** Binding and function of a request as far as they can be told: behaviours see broken requests too. */
export function peek(request: HttpRequest): { binding?: Binding; function?: FunctionName } {
  if (request.path === ASN1_PATH) {
    const name = asn1Function(request.body);
    return { binding: "asn1", ...(name && { function: name }) };
  }
  const name = jsonFunction(request.path);
  return name === undefined ? {} : { binding: "json", function: name };
}

/** Reads a request in its binding. Throws BadRequest with the HTTP status that fits. */
export function open(request: HttpRequest, warnings: string[]): RspRequest {
  const { binding, function: name } = peek(request);
  if (binding === undefined) throw new BadRequest(`path: ${ASN1_PATH} or /gsma/rsp2/es9plus/<function> expected, got ${request.path}`, SECTION, 404);
  if (request.method !== "POST") throw new BadRequest(`method: POST expected, got ${request.method}`, SECTION, 405);
  const version = request.headers["x-admin-protocol"];
  if (version === undefined || !/^gsma\/rsp\/v2\.\d+\.\d+$/.test(version)) throw new BadRequest(`X-Admin-Protocol: gsma/rsp/v2.<y>.<z> expected, got ${version ?? "none"}`, SECTION);
  if (request.body.length > BODY_LIMIT) throw new BadRequest(`body: at most ${BODY_LIMIT} octets expected, got more`, SECTION, 413);
  return binding === "json" ? openJson(request, name as FunctionName, warnings) : openAsn1(request, warnings);
}

/** Writes an outcome in the binding that was asked in. */
export function answer(binding: Binding, role: "smdp" | "smds", name: FunctionName, outcome: Outcome, adminProtocol: string): HttpResponse {
  return binding === "json" ? jsonAnswer(outcome, adminProtocol) : asn1Answer(role, name, outcome, adminProtocol);
}

/** An HTTP error; its body says in plain words what was wrong, for the people in the laboratory. */
export function refusal(error: BadRequest, adminProtocol: string): HttpResponse {
  const allow = error.status === 405 ? { allow: "POST" } : {};
  return { status: error.status, headers: { "content-type": "text/plain; charset=utf-8", "x-admin-protocol": adminProtocol, ...allow }, body: utf8(`${error.message}\n`) };
}
