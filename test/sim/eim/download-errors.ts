/**
 * Failures of ES9+ and ES11 as an eIM hands them on over ESipa (SGP.22 v2.5 5.2.6; SGP.32 v1.2 5.14; transport 6, types 3.5 to 3.8 and 12):
 * status codes of the JSON binding and numbers of the ASN.1 binding to the error codes of the ESipa functions. What has no code there is undefinedError.
 */
import type { FunctionName } from "./download-es9p.js";
import { UNDEFINED_ERROR } from "./refusal.js";

type Names = Readonly<Record<number, string>>;

/** Error codes of the ESipa functions of the indirect download. */
export const ESIPA_ERROR: Readonly<Record<Exclude<FunctionName, "handleNotification">, Names>> = {
  initiateAuthentication: {
    1: "invalidDpAddress", 2: "euiccVersionNotSupportedByDp", 3: "ciPKIdNotSupported", 50: "smdpAddressMismatch", 51: "smdpOidMismatch",
    52: "invalidEimTransactionId", 127: "undefinedError",
  },
  authenticateClient: {
    1: "eumCertificateInvalid", 2: "eumCertificateExpired", 3: "euiccCertificateInvalid", 4: "euiccCertificateExpired", 5: "euiccSignatureInvalid",
    6: "matchingIdRefused", 7: "eidMismatch", 8: "noEligibleProfile", 9: "ciPKUnknown", 10: "invalidTransactionId", 11: "insufficientMemory",
    50: "pprNotAllowed", 56: "eventIdUnknown", 127: "undefinedError",
  },
  getBoundProfilePackage: {
    1: "euiccSignatureInvalid", 2: "confirmationCodeMissing", 3: "confirmationCodeRefused", 4: "confirmationCodeRetriesExceeded",
    5: "bppRebindingRefused", 6: "downloadOrderExpired", 50: "metadataMismatch", 95: "invalidTransactionId", 127: "undefinedError",
  },
  cancelSession: { 1: "invalidTransactionId", 2: "euiccSignatureInvalid", 127: "undefinedError" },
};

/** Subject code / reason code. */
const STATUS: Readonly<Record<FunctionName, Readonly<Record<string, number>>>> = {
  initiateAuthentication: {
    "8.8.1/3.8": 1, "8.8.3/3.1": 2, "8.8.2/3.1": 3, "8.8.4/3.7": 3, "8.9.1/3.8": 1, "8.9.3/3.1": 2, "8.9.2/3.1": 3, "8.9.4/3.7": 3,
  },
  authenticateClient: {
    "8.1.2/6.1": 1, "8.1.2/6.3": 2, "8.1.3/6.1": 3, "8.1.3/6.3": 4, "8.1/6.1": 5, "8.2.6/3.8": 6, "8.1.1/3.8": 7, "8.2.5/4.3": 8, "8.11.1/3.9": 9,
    "8.10.1/3.9": 10, "8.1/4.8": 11, "8.9.5/3.9": 56,
  },
  getBoundProfilePackage: { "8.1/6.1": 1, "8.2.7/2.2": 2, "8.2.7/3.8": 3, "8.2.7/6.4": 4, "8.2/3.7": 5, "8.8.5/4.10": 6, "8.10.1/3.9": 95 },
  cancelSession: { "8.10.1/3.9": 1, "8.1/6.1": 2 },
  handleNotification: {},
};

/** ESipa code of a JSON status "8.2.6/3.8". */
export function fromStatus(name: FunctionName, status: string): number {
  return STATUS[name][status] ?? UNDEFINED_ERROR;
}

/** Numbers of ES11's AuthenticateClient that differ from ES9+'s. */
const ES11: Readonly<Record<number, number>> = { 6: 56, 7: 10 };

/** ESipa code of an ASN.1 error number; `es11`: of BF40. Codes that only an eIM gives are none for a server. */
export function fromNumber(name: FunctionName, number: number, es11: boolean): number {
  const code = es11 ? ES11[number] ?? number : number;
  if (name === "handleNotification" || [50, 51, 52].includes(code)) return UNDEFINED_ERROR;
  return ESIPA_ERROR[name][code] === undefined ? UNDEFINED_ERROR : code;
}

/** "matchingIdRefused". */
export function errorName(name: FunctionName, code: number): string {
  return (name === "handleNotification" ? undefined : ESIPA_ERROR[name][code]) ?? "unknown";
}
