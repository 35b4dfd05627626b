/** CoAP and DTLS on real UDP sockets. */
export { serveCoap, type CoapHandler, type CoapsOptions, type RunningCoaps } from "./server.js";
export { CoapsClient, type CoapsClientOptions } from "./client.js";
