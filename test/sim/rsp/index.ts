/**
 * What an SM-DP+ and an SM-DS have in common: both bindings of ES9+ and ES11, sessions and mutual authentication, behaviours, real sockets.
 */
export { alternative, authenticateEuicc, errorCode, findSession, initiateAuthentication, sameTransaction, type Authenticated } from "./authentication.js";
export { memoryIn, type Behaviour, type BehaviourContext, type Memory } from "./behaviour.js";
export { ASN1_CONTENT_TYPE, ASN1_PATH } from "./asn1.js";
export { BODY_LIMIT } from "./binding.js";
export { verifyEuiccChain, type EuiccIdentity } from "./chain.js";
export { oneTimeKey, POLICY, putSession, randomBytes, trustChain, type Notes, type Policy, type RspCore, type RspIdentity, type TrustChain } from "./core.js";
export { JSON_CONTENT_TYPE, JSON_PATH } from "./json.js";
export type { Answer, Binding, EventEntry, HttpRequest, HttpResponse, Outcome, RequestOf, RspRequest } from "./message.js";
export { BadRequest, decode, FunctionFailure, members, parts, required, tagText, utf8Text } from "./refusal.js";
export { freshState, RspServer } from "./rsp-server.js";
export { serve, type Handler, type RunningServer, type ServerOptions } from "./server.js";
export { copyState, stateFromJson, stateToJson, type AuditEntry, type RspState, type Session } from "./state.js";
export { errorNumber, STATUS, type FunctionName, type StatusCode } from "./status.js";
export * as behaviours from "./behaviours.js";
