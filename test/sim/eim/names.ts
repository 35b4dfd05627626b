/**
 * Names of SGP.32's codes, as its ASN.1 spells them (SGP.32 v1.2, types 3.2, 4.3, 4.6, 4.9; SGP.22 v2.5 for installation errors).
 */

/** A code and its name; "unknown" when the standard has no such code. */
export interface Coded {
  readonly code: number;
  readonly name: string;
}

type Names = Readonly<Record<number, string>>;

/** `code` with its name in `names`. */
export function coded(code: number, names: Names): Coded {
  return { code, name: names[code] ?? "unknown" };
}

export const EIM_PACKAGE_RESULT_ERROR: Names = { 1: "invalidPackageFormat", 2: "unknownPackage", 127: "undefinedError" };

export const EUICC_PACKAGE_ERROR: Names = {
  3: "invalidEid", 4: "replayError", 6: "counterValueOutOfRange", 15: "sizeOverflow", 104: "ecallActive", 127: "undefinedError",
};

export const IPA_EUICC_DATA_ERROR: Names = { 1: "incorrectTagList", 5: "euiccCiPKIdNotFound", 104: "ecallActive", 127: "undefinedError" };

export const TRIGGER_REASON: Names = { 104: "ecallActive", 127: "undefinedError" };

export const STATE_CHANGE_CAUSE: Names = {
  0: "otherEim", 1: "fallback", 2: "emergencyProfile", 3: "local", 4: "reset", 5: "immediateEnableProfile", 6: "deviceChange", 127: "undefined",
};

export const BPP_COMMAND: Names = {
  0: "initialiseSecureChannel", 1: "configureISDP", 2: "storeMetadata", 3: "storeMetadata2", 4: "replaceSessionKeys", 5: "loadProfileElements",
};

export const INSTALLATION_ERROR: Names = {
  1: "incorrectInputValues", 2: "invalidSignature", 3: "invalidTransactionId", 4: "unsupportedCrtValues", 5: "unsupportedRemoteOperationType",
  6: "unsupportedProfileClass", 7: "scp03tStructureError", 8: "scp03tSecurityError", 9: "iccidAlreadyExists", 10: "insufficientMemory", 11: "interruption",
  12: "peProcessingError", 13: "dataMismatch", 14: "testProfileInvalidNaaKey", 15: "pprNotAllowed", 127: "unknownError",
};

/** Reasons of CancelSession (SGP.22 v2.5 5.7.14). */
export const CANCEL_SESSION_REASON: Names = {
  0: "endUserRejection", 1: "postponed", 2: "timeout", 3: "pprNotAllowed", 4: "metadataMismatch", 5: "loadBppExecutionError", 127: "undefinedReason",
};

/** Errors of the card in AuthenticateServer (SGP.22 v2.5 5.7.13). */
export const AUTHENTICATE_ERROR: Names = {
  1: "invalidCertificate", 2: "invalidSignature", 3: "unsupportedCurve", 4: "noSessionContext", 5: "invalidOid", 6: "euiccChallengeMismatch", 7: "ciPKUnknown",
  127: "undefinedError",
};

/** Errors of the card in PrepareDownload (SGP.22 v2.5 5.7.5). */
export const DOWNLOAD_ERROR: Names = {
  1: "invalidCertificate", 2: "invalidSignature", 3: "unsupportedCurve", 4: "noSessionContext", 5: "invalidTransactionId", 127: "undefinedError",
};

export const NOTIFICATION_EVENT = ["install", "enable", "disable", "delete"] as const;

/** How one entry of euiccResult is called, for which command it stands, and what its codes mean. */
export interface ResultType {
  readonly name: string;
  readonly command: string;
  readonly codes: Names;
}

const PROFILE = { 0: "ok", 1: "iccidOrAidNotFound", 3: "disallowedByPolicy", 127: "undefinedError" };

/** EuiccResultData by tag. */
export const EUICC_RESULT: Readonly<Record<number, ResultType>> = {
  0x83: { name: "enableResult", command: "enable", codes: { ...PROFILE, 2: "profileNotInDisabledState", 5: "catBusy", 20: "rollbackNotAvailable" } },
  0x84: { name: "disableResult", command: "disable", codes: { ...PROFILE, 2: "profileNotInEnabledState", 5: "catBusy" } },
  0x85: { name: "deleteResult", command: "delete", codes: { ...PROFILE, 2: "profileNotInDisabledState", 20: "rollbackNotAvailable", 21: "returnFallbackProfile" } },
  0xa6: { name: "getRATResult", command: "getRAT", codes: {} },
  0x87: { name: "configureImmediateEnableResult", command: "configureImmediateEnable", codes: { 0: "ok", 1: "insufficientMemory", 7: "commandError", 127: "undefinedError" } },
  0xa8: {
    name: "addEimResult",
    command: "addEim",
    codes: {
      0: "ok", 1: "insufficientMemory", 2: "associatedEimAlreadyExists", 3: "ciPKUnknown", 5: "invalidAssociationToken", 6: "counterValueOutOfRange",
      7: "commandError", 127: "undefinedError",
    },
  },
  0x89: { name: "deleteEimResult", command: "deleteEim", codes: { 0: "ok", 1: "eimNotFound", 2: "lastEimDeleted", 7: "commandError", 127: "undefinedError" } },
  0x8a: {
    name: "updateEimResult",
    command: "updateEim",
    codes: { 0: "ok", 1: "eimNotFound", 3: "ciPKUnknown", 6: "counterValueOutOfRange", 7: "commandError", 127: "undefinedError" },
  },
  0xab: { name: "listEimResult", command: "listEim", codes: { 127: "undefinedError" } },
  0x8c: { name: "rollbackResult", command: "rollback", codes: { 0: "ok", 127: "undefinedError" } },
  0x8d: {
    name: "setFallbackAttributeResult",
    command: "setFallbackAttribute",
    codes: { 0: "ok", 1: "iccidOrAidNotFound", 2: "fallbackNotAllowed", 3: "fallbackProfileEnabled", 127: "undefinedError" },
  },
  0x8e: {
    name: "unsetFallbackAttributeResult",
    command: "unsetFallbackAttribute",
    codes: { 0: "ok", 2: "noFallbackAttribute", 3: "fallbackProfileEnabled", 7: "commandError", 127: "undefinedError" },
  },
  0x02: {
    name: "processingTerminated",
    command: "processingTerminated",
    codes: { 1: "resultSizeOverflow", 2: "unknownOrDamagedCommand", 3: "interruption", 127: "undefinedError" },
  },
  0xbf2d: { name: "listProfileInfoResult", command: "listProfileInfo", codes: { 1: "incorrectInputValues", 11: "profileChangeOngoing", 127: "undefinedError" } },
  0xbf65: { name: "setDefaultDpAddressResult", command: "setDefaultDpAddress", codes: { 0: "ok", 127: "undefinedError" } },
};

/** Names of commands by their tag in a psmoList or ecoList. */
export const COMMAND_TAG: Readonly<Record<"psmo" | "eco", Names>> = {
  psmo: {
    0xa3: "enable", 0xa4: "disable", 0xa5: "delete", 0xa6: "getRAT", 0xa7: "configureImmediateEnable", 0xa8: "setFallbackAttribute",
    0xa9: "unsetFallbackAttribute", 0xbf2d: "listProfileInfo", 0xbf65: "setDefaultDpAddress",
  },
  eco: { 0xa8: "addEim", 0xa9: "deleteEim", 0xaa: "updateEim", 0xab: "listEim" },
};
