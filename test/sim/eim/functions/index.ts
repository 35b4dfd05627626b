/**
 * The ESipa functions that an eIM answers, by the tag of the request (SGP.32 v1.2 6.3, types 3). One row adds one function.
 * An eIM without a way to SM-DP+ answers those of the indirect download with their own undefinedError.
 */
import type { Steps } from "../../core/maybe.js";
import type { Tlv } from "../../codec/tlv.js";
import type { Core, Notes } from "../core.js";
import { FunctionError, UNDEFINED_ERROR } from "../refusal.js";
import { authenticateClient, authenticateClientError } from "./authenticate-client.js";
import { cancelSession, cancelSessionError } from "./cancel-session.js";
import { getBoundProfilePackage, getBoundProfilePackageError } from "./get-bound-profile-package.js";
import { eimPackageError, getEimPackage } from "./get-eim-package.js";
import { handleNotification } from "./handle-notification.js";
import { initiateAuthentication, initiateAuthenticationError } from "./initiate-authentication.js";
import { provideEimPackageResult, provideEimPackageResultError } from "./provide-eim-package-result.js";

/** One function. Body of the answer, or undefined for 204. Throws BadRequest or FunctionError. */
export type EsipaFunction = {
  readonly name: string;
  /** The answer's error alternative; absent when the function has none. */
  readonly error?: (code: number) => Uint8Array;
} & (
  | {
      /** Answers at once; what it changed is undone when it throws. */
      readonly handle: (core: Core, message: Tlv, notes: Notes) => Uint8Array | undefined;
      /** It may take notifications over, to be delivered to their receivers. */
      readonly delivers?: true;
    }
  | {
      /** Asks a server in between: others may change the state meanwhile, so it changes only what it means to keep, even when it throws. */
      readonly relay: (core: Core, message: Tlv, notes: Notes) => Steps<Uint8Array>;
    }
);

export const FUNCTIONS: ReadonlyMap<number, EsipaFunction> = new Map<number, EsipaFunction>([
  [0xbf4f, { name: "GetEimPackage", handle: getEimPackage, error: eimPackageError }],
  [0xbf50, { name: "ProvideEimPackageResult", handle: provideEimPackageResult, error: provideEimPackageResultError, delivers: true }],
  [0xbf3d, { name: "HandleNotification", handle: handleNotification, delivers: true }],
  [0xbf39, download("InitiateAuthentication", initiateAuthentication, initiateAuthenticationError)],
  [0xbf3b, download("AuthenticateClient", authenticateClient, authenticateClientError)],
  [0xbf3a, download("GetBoundProfilePackage", getBoundProfilePackage, getBoundProfilePackageError)],
  [0xbf41, download("CancelSession", cancelSession, cancelSessionError)],
]);

function download(name: string, relay: (core: Core, message: Tlv, notes: Notes) => Steps<Uint8Array>, error: (code: number) => Uint8Array): EsipaFunction {
  return {
    name,
    relay(core, message, notes) {
      if (core.identity.es9p === undefined) throw new FunctionError(UNDEFINED_ERROR, `${name}: this eIM relays no downloads`, "SGP.32 v1.2 3.2.3.2");
      return relay(core, message, notes);
    },
    error,
  };
}
