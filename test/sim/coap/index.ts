/** CoAP over datagrams, server and client, without sockets. */
export { CoapServer, type CoapServerOptions } from "./server.js";
export type { CoapRequest, CoapResponse, Note, ServerOutput } from "./state.js";
export type { Behaviour } from "./behaviour.js";
export * as coapBehaviours from "./behaviours.js";
export { code, codeText, encode, parse, CoapFormatError, Type, type CoapOption, type Message } from "./codec.js";
export { Opt } from "./options.js";
export { DEFAULTS, exchangeLifetime, maxTransmitSpan, type Parameters } from "./parameters.js";
export { CoapClient, maxAgeOf, POST, type ClientAnswer, type ClientOutput, type ClientRequest, type CoapClientOptions } from "./client.js";
