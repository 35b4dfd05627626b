/**
 * The ESipa functions that an eIM answers, by the tag of the request (SGP.32 v1.2 6.3, types 3). One row adds one function.
 * The functions of the indirect download are answered with their own undefinedError: this eIM relays no downloads.
 */
import { integer, tlv, type Tlv } from "../../codec/tlv.js";
import type { Core, Notes } from "../core.js";
import { FunctionError, UNDEFINED_ERROR } from "../refusal.js";
import { eimPackageError, getEimPackage } from "./get-eim-package.js";
import { handleNotification } from "./handle-notification.js";
import { provideEimPackageResult, provideEimPackageResultError } from "./provide-eim-package-result.js";

export interface EsipaFunction {
  readonly name: string;
  /** The answer's body, or undefined for 204. Throws BadRequest or FunctionError. */
  readonly handle: (core: Core, message: Tlv, notes: Notes) => Uint8Array | undefined;
  /** The answer's error alternative; absent when the function has none. */
  readonly error?: (code: number) => Uint8Array;
}

export const FUNCTIONS: ReadonlyMap<number, EsipaFunction> = new Map<number, EsipaFunction>([
  [0xbf4f, { name: "GetEimPackage", handle: getEimPackage, error: eimPackageError }],
  [0xbf50, { name: "ProvideEimPackageResult", handle: provideEimPackageResult, error: provideEimPackageResultError }],
  [0xbf3d, { name: "HandleNotification", handle: handleNotification }],
  [0xbf39, download("InitiateAuthentication", 0xbf39, 0x81)],
  [0xbf3b, download("AuthenticateClient", 0xbf3b, 0x82)],
  [0xbf3a, download("GetBoundProfilePackage", 0xbf3a, 0x81)],
  [0xbf41, download("CancelSession", 0xbf41, 0x81)],
]);

function download(name: string, tag: number, errorTag: number): EsipaFunction {
  return {
    name,
    handle: () => {
      throw new FunctionError(UNDEFINED_ERROR, `${name}: this eIM relays no downloads`, "SGP.32 v1.2 3.2.3.2");
    },
    error: (code) => tlv(tag, tlv(errorTag, integer(code))),
  };
}
