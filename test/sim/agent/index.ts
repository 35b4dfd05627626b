/** What carries the agent in Node: the wasm, its host, and doors to cards, links and files. */
export * from "./abi.js";
export { Agent, type AgentLike } from "./agent.js";
export { configuration, type Configuration } from "./configuration.js";
export { findAgent } from "./find.js";
export { Host, type HostOptions, type HostState } from "./host.js";
export { HttpsLink, type HttpsLinkOptions } from "./https-link.js";
export { eventHex, type EventMessage, type OpMessage } from "./mailbox.js";
export { hasEngine, NATIVE_ENGINES, NativeAgent, type NativeEngine } from "./native-agent.js";
export { channelOf, OpError } from "./op-rules.js";
export { FileStore, MemoryStore } from "./store.js";
export { CardGoneError, RawUicc, TERMINAL_PROFILE_REFRESH, type AnyCard, type RawUiccOptions } from "./uicc-raw.js";
export { VpcdReader, type VpcdOptions } from "./vpcd.js";
export type { WasmModule } from "./webassembly.js";
