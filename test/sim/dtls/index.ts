/** DTLS 1.2, server and client, without sockets. */
export { DtlsClient, type DtlsClientOptions, type DtlsClientOutput } from "./client.js";
export { DtlsServer, type DtlsNote, type DtlsServerOptions, type DtlsServerOutput, type SessionInfo } from "./server.js";
export type { ServerCredentials } from "./server-handshake.js";
export type { DtlsBehaviour } from "./behaviour.js";
export * as dtlsBehaviours from "./behaviours.js";
export type { Timing } from "./association.js";
export { Alert, alertName, SUITES, suiteOf, type Suite } from "./constants.js";
