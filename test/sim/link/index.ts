/** The virtual link, and its faults by name. */
export * as faults from "./faults.js";
export type { Fault, PendingFault } from "./faults.js";
export { VirtualLink, type Network, type VirtualLinkOptions, type VirtualLinkState, type VirtualServer } from "./virtual.js";
