/**
 * The simulated SM-DS: what others may use. `new Smds({ pki: makeSmdsIdentity(pki.ci, ...), clock })`, `register`, `cascade`, `handle`, `use`.
 */
export { Smds, type EventRecord, type SmdsOptions, type SmdsPki, type SmdsState } from "./smds.js";
export { makeSmdsIdentity, type SmdsIdentity, type SmdsIdentityOptions } from "./identity.js";
export { behaviours, serve as serveSmds, type AuditEntry, type Behaviour, type EventEntry, type RunningServer, type ServerOptions } from "../rsp/index.js";
