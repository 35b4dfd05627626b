/**
 * Status codes of ES9+ and ES11 (SGP.22 v2.5 5.2.6, 5.6, 5.8; sgp32-transport 6): subject and reason of a failed function, what they mean, and the
 * number that the ASN.1 binding has for them. A code without a number becomes undefinedError there.
 */

export type FunctionName = "initiateAuthentication" | "authenticateClient" | "getBoundProfilePackage" | "cancelSession" | "handleNotification";

/** Subject code and reason code, and the message that goes with them. */
export const STATUS = {
  "8.8.1/3.8": "Invalid SM-DP+ Address",
  "8.8.2/3.1": "None of the proposed Public Key Identifiers is supported by the SM-DP+",
  "8.8.3/3.1": "The Specification Version Number (SVN) indicated by the eUICC is not supported by the SM-DP+",
  "8.8.4/3.7": "The SM-DP+ has no CERT.DPauth signed by one of the CI Public Keys supported by the eUICC",
  "8.9.1/3.8": "Invalid SM-DS Address",
  "8.9.2/3.1": "None of the proposed Public Key Identifiers is supported by the SM-DS",
  "8.9.3/3.1": "The Specification Version Number (SVN) indicated by the eUICC is not supported by the SM-DS",
  "8.9.4/3.7": "The SM-DS has no CERT.DSauth signed by one of the CI Public Keys supported by the eUICC",
  "8.9.5/3.9": "The Event Record does not exist",
  "8.1/4.8": "eUICC does not have sufficient space for this Profile",
  "8.1/6.1": "eUICC signature is invalid",
  "8.1.1/3.8": "EID does not match the expected value",
  "8.1.2/6.1": "EUM Certificate is invalid",
  "8.1.2/6.3": "EUM Certificate has expired",
  "8.1.3/6.1": "eUICC Certificate is invalid",
  "8.1.3/6.3": "eUICC Certificate has expired",
  "8.2/1.2": "Profile has not yet been released",
  "8.2/3.7": "BPP is not available for a new binding",
  "8.2.5/4.3": "No eligible Profile for this eUICC/Device",
  "8.2.6/3.8": "MatchingID is refused",
  "8.2.7/2.2": "Confirmation Code is missing",
  "8.2.7/3.8": "Confirmation Code is refused",
  "8.2.7/6.4": "Maximum number of retries for the Confirmation Code has been exceeded",
  "8.8/3.10": "The provided SM-DP+ OID is invalid",
  "8.8.5/4.10": "The Download order has expired",
  "8.8.5/6.4": "Maximum number of retries for the Profile download order has been exceeded",
  "8.10.1/3.9": "The RSP session identified by the TransactionID is unknown",
  "8.11.1/3.9": "Unknown CI Public Key",
} as const;

export type StatusCode = keyof typeof STATUS;

const UNDEFINED_ERROR = 127;

type Numbers = Readonly<Partial<Record<StatusCode, number>>>;

const CERTIFICATES: Numbers = { "8.1.2/6.1": 1, "8.1.2/6.3": 2, "8.1.3/6.1": 3, "8.1.3/6.3": 4, "8.1/6.1": 5 };

const ES9P: Readonly<Partial<Record<FunctionName, Numbers>>> = {
  initiateAuthentication: { "8.8.1/3.8": 1, "8.8.3/3.1": 2, "8.8.2/3.1": 3, "8.8.4/3.7": 3 },
  authenticateClient: { ...CERTIFICATES, "8.2.6/3.8": 6, "8.1.1/3.8": 7, "8.2.5/4.3": 8, "8.11.1/3.9": 9, "8.10.1/3.9": 10, "8.1/4.8": 11 },
  getBoundProfilePackage: { "8.1/6.1": 1, "8.2.7/2.2": 2, "8.2.7/3.8": 3, "8.2.7/6.4": 4, "8.2/3.7": 5, "8.8.5/4.10": 6, "8.10.1/3.9": 95 },
  cancelSession: { "8.10.1/3.9": 1, "8.1/6.1": 2 },
};

const ES11: Readonly<Partial<Record<FunctionName, Numbers>>> = {
  initiateAuthentication: { "8.9.1/3.8": 1, "8.9.3/3.1": 2, "8.9.2/3.1": 3, "8.9.4/3.7": 3 },
  authenticateClient: { ...CERTIFICATES, "8.9.5/3.9": 6, "8.10.1/3.9": 7 },
};

/** The number of a failure in the ASN.1 binding. */
export function errorNumber(role: "smdp" | "smds", name: FunctionName, code: string): number {
  return (role === "smdp" ? ES9P : ES11)[name]?.[code as StatusCode] ?? UNDEFINED_ERROR;
}
