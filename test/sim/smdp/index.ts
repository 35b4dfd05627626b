/**
 * The simulated SM-DP+: what others may use. `new Smdp({ pki, clock })`, `order`, `handle`, `use`; `serveSmdp` puts it on real sockets.
 */
export { Smdp, type SmdpOptions, type SmdpPki } from "./smdp.js";
export type { OrderOptions } from "./orders.js";
export type { Bound, BppOptions, DownloadSession, InstallationResult, NotificationRecord, Order, OrderState, SmdpState } from "./state.js";
export { storeMetadata, type MetadataOptions } from "./metadata.js";
export { profileElements, profileIccid, sampleProfile, withIccid, type ProfileOptions } from "./profile.js";
export { CANCEL_REASON, hashOfCode } from "./download.js";
export {
  behaviours, serve as serveSmdp, stateFromJson, stateToJson,
  type AuditEntry, type Behaviour, type BehaviourContext, type HttpRequest, type HttpResponse, type Policy, type RunningServer, type ServerOptions,
} from "../rsp/index.js";
