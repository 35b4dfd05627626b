/**
 * ESipa, ES9+ and ES11 messages in ASN.1: SGP.32 v1.2 6.3 and 2.11, SGP.22 v2.5 6.6. Bodies of ESipa have no wrapper, those of ES9+ have A2.
 */
import {
  certificate, challenge, ctxParams1, deviceInfo, eid, euiccInfo1, euiccInfo2, hashCc, keyId, notificationEvent, pendingNotification, pendingNotificationList, profileInstallationResult, protocols,
  serverSigned1, signature, smdpSigned2, storeMetadataRequest, tagList, transactionId,
} from "./names-common.js";
import { authenticateServerResponse, boundProfilePackage, cancelSessionResponse, euiccPackageRequest, euiccPackageResult, prepareDownloadResponse } from "./names-es10.js";
import { any, choice, codes, either, flags, integer, list, may, must, none, octets, sequence, utf8, value, type Member, type Type } from "./schema.js";

const tid = must(0x80, "transactionId", transactionId);
const mayTid = may(0x80, "transactionId", transactionId);
const eimTid = may(0x82, "eimTransactionId", transactionId);

export const ipaEuiccDataRequest = sequence(
  must(0x5c, "tagList", tagList), may(0x04, "euiccCiPKIdentifierToBeUsed", keyId),
  may(0xa1, "searchCriteriaNotification", choice(must(0x80, "seqNumber", integer), must(0x81, "profileManagementOperation", notificationEvent))),
  may(0xa2, "searchCriteriaEuiccPackageResult", choice(must(0x80, "seqNumber", integer))), may(0x83, "eimTransactionId", transactionId),
);
const ipaCapabilities = sequence(
  must(0x80, "ipaFeatures", flags("directRspServerCommunication indirectRspServerCommunication eimDownloadDataHandling eimCtxParams1Generation eimProfileMetadataVerification minimizeEsipaBytes")),
  may(0x81, "ipaSupportedProtocols", protocols), may(0xa2, "ipaProprietaryProtocolInformation", any),
);
export const ipaEuiccDataResponse = choice(
  must(0xa0, "ipaEuiccData", sequence(
    may(0xa0, "notificationsList", pendingNotificationList), may(0x81, "defaultSmdpAddress", utf8()), may(0xa2, "euiccPackageResultList", list(must(0xbf51, "euiccPackageResult", euiccPackageResult))),
    may(0xbf20, "euiccInfo1", euiccInfo1), may(0xbf22, "euiccInfo2", euiccInfo2), may(0x83, "rootSmdsAddress", utf8()), may(0x84, "associationToken", integer),
    may(0xa5, "eumCertificate", certificate), may(0xa6, "euiccCertificate", certificate), may(0x87, "eimTransactionId", transactionId),
    may(0xa8, "ipaCapabilities", ipaCapabilities), may(0xa9, "deviceInfo", deviceInfo),
  )),
  must(0xa1, "ipaEuiccDataResponseError", sequence(may(0x80, "eimTransactionId", transactionId), must(0x02, "ipaEuiccDataErrorCode", codes("1 incorrectTagList, 5 euiccCiPKIdNotFound, 104 ecallActive")))),
);
export const profileDownloadTriggerRequest = sequence(
  may(0xa0, "profileDownloadData", choice(must(0x80, "activationCode", utf8(255)), must(0x81, "contactDefaultSmdp", none), must(0xa2, "contactSmds", sequence(may(0x80, "smdsAddress", utf8()))))), eimTid,
);
export const profileDownloadTriggerResult = sequence(
  eimTid,
  either("profileDownloadTriggerResultData", choice(
    must(0xbf37, "profileInstallationResult", profileInstallationResult),
    must(0x30, "profileDownloadError", sequence(must(0x80, "profileDownloadErrorReason", codes("104 ecallActive")), may(0x04, "errorResponse", octets(0, 65535)))),
  )),
);
const acknowledgements = list(must(0x80, "seqNumber", integer));
const eprAndNotifications = sequence(must(0xbf51, "euiccPackageResult", euiccPackageResult), must(0xa0, "notificationList", pendingNotificationList));
const results: readonly Member[] = [
  must(0xbf51, "euiccPackageResult", euiccPackageResult), must(0x30, "ePRAndNotifications", eprAndNotifications), must(0xbf52, "ipaEuiccDataResponse", ipaEuiccDataResponse),
];
const requests: readonly Member[] = [
  must(0xbf51, "euiccPackageRequest", euiccPackageRequest), must(0xbf52, "ipaEuiccDataRequest", ipaEuiccDataRequest), must(0xbf54, "profileDownloadTriggerRequest", profileDownloadTriggerRequest),
];
const packageResultError = "1 invalidPackageFormat, 2 unknownPackage";
const provideEimPackageResult = sequence(
  may(0x5a, "eidValue", eid),
  either("eimPackageResult", choice(
    ...results, must(0xbf54, "profileDownloadTriggerResult", profileDownloadTriggerResult),
    must(0xa0, "eimPackageResultResponseError", sequence(may(0x80, "eimTransactionId", transactionId), must(0x02, "eimPackageResultErrorCode", codes(packageResultError)))),
  )),
);
const stateChangeCause = codes("0 otherEim, 1 fallback, 2 emergencyProfile, 3 local, 4 reset, 5 immediateEnableProfile, 6 deviceChange, 127 undefined");

const authenticateServerAnswer = sequence(tid, must(0xbf38, "authenticateServerResponse", authenticateServerResponse));
const prepareDownloadAnswer = sequence(tid, must(0xbf21, "prepareDownloadResponse", prepareDownloadResponse));
const cancelSession = sequence(tid, must(0xa1, "cancelSessionResponse", cancelSessionResponse));
const cancelSessionAnswer = choice(must(0xa0, "cancelSessionOk", sequence()), must(0x81, "cancelSessionError", codes("1 invalidTransactionId, 2 euiccSignatureInvalid")));
const clientErrors = `1 eumCertificateInvalid, 2 eumCertificateExpired, 3 euiccCertificateInvalid, 4 euiccCertificateExpired, 5 euiccSignatureInvalid, 6 matchingIdRefused,
  7 eidMismatch, 8 noEligibleProfile, 9 ciPKUnknown, 10 invalidTransactionId, 11 insufficientMemory`;
const packageErrors = "1 euiccSignatureInvalid, 2 confirmationCodeMissing, 3 confirmationCodeRefused, 4 confirmationCodeRetriesExceeded, 5 bppRebindingRefused, 6 downloadOrderExpired";

const fromIpa: readonly Member[] = [
  must(0xbf39, "initiateAuthenticationRequestEsipa", sequence(must(0x81, "euiccChallenge", challenge), may(0x83, "smdpAddress", utf8()), may(0xbf20, "euiccInfo1", euiccInfo1), eimTid)),
  must(0xbf3b, "authenticateClientRequestEsipa", authenticateServerAnswer),
  must(0xbf3a, "getBoundProfilePackageRequestEsipa", prepareDownloadAnswer),
  must(0xbf41, "cancelSessionRequestEsipa", cancelSession),
  must(0xbf3d, "handleNotificationEsipa", choice(must(0xa0, "pendingNotification", pendingNotification), must(0xbf50, "provideEimPackageResult", provideEimPackageResult))),
  must(0xbf4e, "transferEimPackageResponse", choice(...results, must(0x05, "eimPackageReceived", none), must(0x02, "eimPackageError", codes(packageResultError)))),
  must(0xbf4f, "getEimPackageRequest", sequence(must(0x5a, "eidValue", eid), may(0x80, "notifyStateChange", none), may(0x81, "stateChangeCause", stateChangeCause), may(0x82, "rPLMN", value("plmn", 3, 3)))),
  must(0xbf50, "provideEimPackageResult", provideEimPackageResult),
];
const fromEim: readonly Member[] = [
  must(0xbf39, "initiateAuthenticationResponseEsipa", choice(
    must(0xa0, "initiateAuthenticationOkEsipa", sequence(
      mayTid, must(0x30, "serverSigned1", serverSigned1), must(0x5f37, "serverSignature1", signature), must(0x04, "euiccCiPKIdentifierToBeUsed", keyId), must(0x30, "serverCertificate", certificate),
      may(0x0c, "matchingId", utf8()), may(0xa2, "ctxParams1", ctxParams1),
    )),
    must(0x81, "initiateAuthenticationErrorEsipa", codes("1 invalidDpAddress, 2 euiccVersionNotSupportedByDp, 3 ciPKIdNotSupported, 50 smdpAddressMismatch, 51 smdpOidMismatch, 52 invalidEimTransactionId")),
  )),
  must(0xbf3b, "authenticateClientResponseEsipa", choice(
    must(0xa0, "authenticateClientOkDPEsipa", sequence(
      mayTid, may(0xbf25, "profileMetaData", storeMetadataRequest), must(0x30, "smdpSigned2", smdpSigned2), must(0x5f37, "smdpSignature2", signature), must(0x30, "smdpCertificate", certificate), may(0x04, "hashCc", hashCc),
    )),
    must(0xa1, "authenticateClientOkDSEsipa", sequence(tid, may(0xbf54, "profileDownloadTrigger", profileDownloadTriggerRequest))),
    must(0x82, "authenticateClientErrorEsipa", codes(`${clientErrors}, 18 downloadOrderExpired, 50 pprNotAllowed, 56 eventIdUnknown`)),
  )),
  must(0xbf3a, "getBoundProfilePackageResponseEsipa", choice(
    must(0xa0, "getBoundProfilePackageOkEsipa", sequence(mayTid, must(0xbf36, "boundProfilePackage", boundProfilePackage))),
    must(0x81, "getBoundProfilePackageErrorEsipa", codes(`${packageErrors}, 50 metadataMismatch, 95 invalidTransactionId`)),
  )),
  must(0xbf41, "cancelSessionResponseEsipa", cancelSessionAnswer),
  must(0xbf4e, "transferEimPackageRequest", choice(...requests, must(0xbf53, "eimAcknowledgements", acknowledgements))),
  must(0xbf4f, "getEimPackageResponse", choice(...requests, must(0x02, "eimPackageError", codes("1 noEimPackageAvailable, 2 eidNotFound, 3 invalidEid, 4 missingEid")))),
  must(0xbf50, "provideEimPackageResultResponse", choice(
    must(0xbf53, "eimAcknowledgements", acknowledgements), must(0x30, "emptyResponse", sequence()), must(0x02, "provideEimPackageResultError", codes("2 eidNotFound, 3 invalidEid, 4 missingEid")),
  )),
];

/** Messages of ESipa: [tag, message, name, type]. */
export const ESIPA: readonly (readonly [tag: number, message: string, name: string, type: Type])[] = [
  ...fromIpa.map(({ tag, name, type }) => [tag as number, "EsipaMessageFromIpaToEim", name, type] as const),
  ...fromEim.map(({ tag, name, type }) => [tag as number, "EsipaMessageFromEimToIpa", name, type] as const),
];

/** Whole objects of ESipa outside of a message, and the messages of ES9+ and ES11. */
export const RSP: readonly (readonly [tag: number, name: string, type: Type])[] = [
  [0xbf52, "IpaEuiccDataRequest", ipaEuiccDataRequest], [0xbf52, "IpaEuiccDataResponse", ipaEuiccDataResponse], [0xbf53, "EimAcknowledgements", acknowledgements],
  [0xbf54, "ProfileDownloadTriggerRequest", profileDownloadTriggerRequest], [0xbf54, "ProfileDownloadTriggerResult", profileDownloadTriggerResult],
  [0xa2, "RemoteProfileProvisioningRequest", choice(
    must(0xbf39, "initiateAuthenticationRequest", sequence(must(0x81, "euiccChallenge", challenge), must(0x83, "smdpAddress", utf8()), must(0xbf20, "euiccInfo1", euiccInfo1))),
    must(0xbf3b, "authenticateClientRequest", authenticateServerAnswer), must(0xbf3a, "getBoundProfilePackageRequest", prepareDownloadAnswer),
    must(0xbf41, "cancelSessionRequestEs9", cancelSession), must(0xbf3d, "handleNotification", choice(must(0xa0, "pendingNotification", pendingNotification))),
  )],
  [0xa2, "RemoteProfileProvisioningResponse", choice(
    must(0xbf39, "initiateAuthenticationResponse", choice(
      must(0xa0, "initiateAuthenticationOk", sequence(
        tid, must(0x30, "serverSigned1", serverSigned1), must(0x5f37, "serverSignature1", signature), must(0x04, "euiccCiPKIdentifierToBeUsed", keyId), must(0x30, "serverCertificate", certificate),
      )),
      must(0x81, "initiateAuthenticationError", codes("1 invalidDpAddress, 2 euiccVersionNotSupportedByDp, 3 ciPKNotSupported")),
    )),
    must(0xbf3b, "authenticateClientResponseEs9", choice(
      must(0xa0, "authenticateClientOk", sequence(tid, must(0xbf25, "profileMetaData", storeMetadataRequest), must(0x30, "smdpSigned2", smdpSigned2), must(0x5f37, "smdpSignature2", signature), must(0x30, "smdpCertificate", certificate))),
      must(0x81, "authenticateClientError", codes(clientErrors)),
    )),
    must(0xbf3a, "getBoundProfilePackageResponse", choice(
      must(0xa0, "getBoundProfilePackageOk", sequence(tid, must(0xbf36, "boundProfilePackage", boundProfilePackage))), must(0x81, "getBoundProfilePackageError", codes(`${packageErrors}, 95 invalidTransactionId`)),
    )),
    must(0xbf41, "cancelSessionResponseEs9", cancelSessionAnswer), must(0xbf40, "authenticateClientResponseEs11", any),
  )],
  [0xbf40, "AuthenticateClientResponseEs11", choice(
    must(0xa0, "authenticateClientOk", sequence(tid, must(0xa1, "eventEntries", list(must(0x30, "eventEntry", sequence(must(0x80, "eventId", utf8()), must(0x81, "rspServerAddress", utf8()))))))),
    must(0x81, "authenticateClientError", codes("1 eumCertificateInvalid, 2 eumCertificateExpired, 3 euiccCertificateInvalid, 4 euiccCertificateExpired, 5 euiccSignatureInvalid, 6 eventIdUnknown, 7 invalidTransactionId")),
  )],
];
