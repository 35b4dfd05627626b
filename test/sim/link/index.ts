/** The virtual links, and their faults by name. */
export * as faults from "./faults.js";
export type { Fault, PendingFault } from "./faults.js";
export { VirtualEs9p, type Es9pServer, type VirtualEs9pOptions, type VirtualEs9pState } from "./es9p.js";
export { VirtualLink, type Network, type VirtualLinkOptions, type VirtualLinkState, type VirtualServer } from "./virtual.js";
