/**
 * ES9+ and ES11 functions without their binding (SGP.22 v2.5 5.6, 5.8): what the JSON and the ASN.1 binding read a request into, and write an
 * outcome from. DER members are whole TLVs, byte-exact as received.
 */
import type { EsipaRequest, EsipaResponse } from "../core/http.js";
import type { FunctionName } from "./status.js";

/** An HTTP exchange as plain data; the same for all peers. */
export type HttpRequest = EsipaRequest;
export type HttpResponse = EsipaResponse;

export type RspRequest =
  | { readonly function: "initiateAuthentication"; readonly euiccChallenge: Uint8Array; /** BF20. */ readonly euiccInfo1: Uint8Array; readonly smdpAddress: string }
  | { readonly function: "authenticateClient"; readonly transactionId: Uint8Array; /** BF38. */ readonly authenticateServerResponse: Uint8Array }
  | { readonly function: "getBoundProfilePackage"; readonly transactionId: Uint8Array; /** BF21. */ readonly prepareDownloadResponse: Uint8Array }
  | { readonly function: "cancelSession"; readonly transactionId: Uint8Array; /** BF41. */ readonly cancelSessionResponse: Uint8Array }
  | { readonly function: "handleNotification"; /** BF37 or 30. */ readonly pendingNotification: Uint8Array };

/** One function's own request. */
export type RequestOf<F extends FunctionName> = Extract<RspRequest, { readonly function: F }>;

export type Binding = "json" | "asn1";

export interface EventEntry {
  readonly eventId: string;
  readonly rspServerAddress: string;
}

/** Members of a good answer, in the order of the ASN.1: JSON has them by name, ASN.1 one after another. */
export interface Answer {
  readonly transactionId?: Uint8Array;
  /** Name in JSON, and the whole TLV. */
  readonly objects: readonly (readonly [string, Uint8Array])[];
  /** Of an SM-DS. */
  readonly events?: readonly EventEntry[];
}

/** What a function came to. "none": a notification was taken, 204. */
export type Outcome =
  | { readonly kind: "ok"; readonly answer: Answer; readonly warning?: { readonly code: string; readonly message: string } }
  | Failed
  | { readonly kind: "none" };

export interface Failed {
  readonly kind: "failed";
  readonly status: "Failed" | "Expired";
  /** Subject and reason code: "8.2.6/3.8". */
  readonly code: string;
  readonly message: string;
  /** Number in the ASN.1 binding, where it is not the code's own. */
  readonly number?: number;
}
