/**
 * The simulated eIM: what others may use. `new Eim({ sign: pki.eimSign, tls: pki.eimTls, clock })`, `addDevice`, `queue`, `handle`.
 */
export { Eim, type DeviceOptions, type EimOptions } from "./eim.js";
export { EimIdType, EimProtocol, type ConfigurationOptions, type KeyForm } from "./configuration.js";
export { dataRequest, downloadTrigger, eco, IPA_EUICC_DATA, psmo, rawPackage, type Command, type DataRequest, type DownloadTrigger, type PackageContent } from "./packages.js";
export type { QueueOptions } from "./queue.js";
export type { Policy } from "./core.js";
export type { Behaviour, BehaviourContext, Memory } from "./behaviour.js";
export * as behaviours from "./behaviours.js";
export { stateFromJson, stateToJson, type AuditEntry, type DeviceState, type EimState, type NotificationRecord, type PackageRecord, type ResultRecord, type StateChange } from "./state.js";
export type { CommandResult, ProfileInfo } from "./euicc-result.js";
export type { IpaEuiccData } from "./euicc-data.js";
export { parseActivationCode, type ActivationCode, type DownloadHandling } from "./download-data.js";
export { ES9P_TIMEOUT_MS, type Es9p, type Es9pBinding, type Es9pExchange } from "./download-es9p.js";
export { httpsEs9p, type HttpsEs9pOptions } from "./download-https.js";
export type { DownloadOutcome } from "./download-outcome.js";
export type { DownloadSession } from "./download-session.js";
export { ESIPA_CONTENT_TYPE, ESIPA_PATH } from "./binding.js";
export { serveEim, type RunningServer, type ServerOptions } from "./server.js";
export { CONTROL_HELP, isLoopback, serveControl, type ControlOptions } from "./control.js";
export { DescriptionError, parsePackage, readPackage } from "./describe.js";
