/**
 * What an IPA's HTTP client sends on ES9+ in its JSON binding (SGP.22 v2.5 6.2, 6.5; transport 6): one text for the virtual link and for real sockets.
 */
import { splitAddress } from "./esipa-http.js";

/** Without its parameters: what an answer has, and a request. */
export const ES9P_CONTENT_TYPE = "application/json";

/** By the agent's number of the function (host/README.md, LinkSend). */
export const ES9P_FUNCTIONS: Readonly<Record<number, string>> = {
  1: "initiateAuthentication", 2: "authenticateClient", 3: "getBoundProfilePackage", 4: "handleNotification", 5: "cancelSession",
};

/** Path of a function; undefined when there is none of that number. */
export function es9pPath(fn: number): string | undefined {
  const name = ES9P_FUNCTIONS[fn];
  return name === undefined ? undefined : `/gsma/rsp2/es9plus/${name}`;
}

/** Header fields of a request, names in lower case. */
export function es9pHeaders(address: string, length: number, userAgent = "gsma-rsp-lpad"): Record<string, string> {
  const { host, port } = splitAddress(address, 443);
  return {
    host: port === 443 ? host : address,
    "user-agent": userAgent,
    "x-admin-protocol": "gsma/rsp/v2.5.0",
    "content-type": `${ES9P_CONTENT_TYPE};charset=UTF-8`,
    "content-length": String(length),
  };
}
