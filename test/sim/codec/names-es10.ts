/**
 * ES10a, ES10b, ES10c: what goes to and comes from the eUICC. SGP.32 v1.2 5.9 and the functions of SGP.22 v2.5 5.7 that it reuses.
 */
import {
  aid, certificate, challenge, compactOtherSignedNotification, ctxParams1, eid, eimConfigurationData, eimIdType, euiccCancelSessionSigned, euiccInfo1, euiccInfo2, euiccSigned1, euiccSigned2,
  hashCc, iccid, keyId, notificationEvent, notificationMetadata, otpk, pendingNotificationList, profileIdentifier, profileInfo, profileInfoListRequest, profileInfoListResponse,
  profileInstallationResult, rulesAuthorisationTable, serverSigned1, signature, smdpSigned2, storeMetadataRequest, tagList, transactionId, version,
} from "./names-common.js";
import { any, bool, choice, codes, either, flags, integer, list, may, must, none, octets, oid, sequence, utf8, type Structure, type Type } from "./schema.js";

const ofIccid = sequence(must(0x5a, "iccid", iccid));
const empty = sequence();

function memberType(structure: Structure, index: number): Type {
  const member = structure.members[index];
  if (member === undefined) throw new RangeError(`no member ${index}`);
  return member.type;
}

const addEimError = "0 ok, 1 insufficientMemory, 2 associatedEimAlreadyExists, 3 ciPKUnknown, 5 invalidAssociationToken, 6 counterValueOutOfRange, 7 commandError";
const immediateEnable = sequence(may(0x80, "immediateEnableFlag", none), may(0x81, "defaultSmdpOid", oid), may(0x82, "defaultSmdpAddress", utf8()));

export const euiccPackageSigned = sequence(
  must(0x80, "eimId", utf8(128)), must(0x5a, "eidValue", eid), must(0x81, "counterValue", integer), may(0x82, "eimTransactionId", transactionId),
  either("euiccPackage", choice(
    must(0xa0, "psmoList", list(
      must(0xa3, "enable", sequence(must(0x5a, "iccid", iccid), may(0x05, "rollbackFlag", none))), must(0xa4, "disable", ofIccid), must(0xa5, "delete", ofIccid), must(0xa6, "getRAT", empty),
      must(0xa7, "configureImmediateEnable", immediateEnable), must(0xa8, "setFallbackAttribute", ofIccid), must(0xa9, "unsetFallbackAttribute", empty),
      must(0xbf2d, "listProfileInfo", profileInfoListRequest), must(0xbf65, "setDefaultDpAddress", sequence(must(0x80, "defaultDpAddress", utf8()))),
    )),
    must(0xa1, "ecoList", list(
      must(0xa8, "addEim", eimConfigurationData), must(0xa9, "deleteEim", sequence(must(0x80, "eimId", utf8(128)))), must(0xaa, "updateEim", eimConfigurationData), must(0xab, "listEim", empty),
    )),
  )),
);
export const euiccPackageRequest = sequence(must(0x30, "euiccPackageSigned", euiccPackageSigned), must(0x5f37, "eimSignature", signature));

const euiccResult = list(
  must(0x83, "enableResult", codes("0 ok, 1 iccidOrAidNotFound, 2 profileNotInDisabledState, 3 disallowedByPolicy, 5 catBusy, 20 rollbackNotAvailable")),
  must(0x84, "disableResult", codes("0 ok, 1 iccidOrAidNotFound, 2 profileNotInEnabledState, 3 disallowedByPolicy, 5 catBusy")),
  must(0x85, "deleteResult", codes("0 ok, 1 iccidOrAidNotFound, 2 profileNotInDisabledState, 3 disallowedByPolicy, 20 rollbackNotAvailable, 21 returnFallbackProfile")),
  must(0xa6, "getRATResult", rulesAuthorisationTable),
  must(0x87, "configureImmediateEnableResult", codes("0 ok, 1 insufficientMemory, 7 commandError")),
  must(0xa8, "addEimResult", choice(must(0x84, "associationToken", integer), must(0x02, "addEimResultCode", codes(addEimError)))),
  must(0x89, "deleteEimResult", codes("0 ok, 1 eimNotFound, 2 lastEimDeleted, 7 commandError")),
  must(0x8a, "updateEimResult", codes("0 ok, 1 eimNotFound, 3 ciPKUnknown, 6 counterValueOutOfRange, 7 commandError")),
  must(0xab, "listEimResult", choice(must(0xa0, "eimIdList", list(must(0x30, "eimIdInfo", sequence(must(0x80, "eimId", utf8(128)), may(0x82, "eimIdType", eimIdType))))), must(0x81, "listEimError", codes("127 undefinedError")))),
  must(0x8c, "rollbackResult", codes("0 ok")),
  must(0x8d, "setFallbackAttributeResult", codes("0 ok, 1 iccidOrAidNotFound, 2 fallbackNotAllowed, 3 fallbackProfileEnabled")),
  must(0x8e, "unsetFallbackAttributeResult", codes("0 ok, 2 noFallbackAttribute, 3 fallbackProfileEnabled, 7 commandError")),
  must(0x02, "processingTerminated", codes("1 resultSizeOverflow, 2 unknownOrDamagedCommand, 3 interruption")),
  must(0xbf2d, "listProfileInfoResult", profileInfoListResponse),
  must(0xbf65, "setDefaultDpAddressResult", sequence(must(0x80, "setDefaultDpAddressResult", codes("0 ok")))),
);
const resultHead = [must(0x80, "eimId", utf8(128)), must(0x81, "counterValue", integer), may(0x82, "eimTransactionId", transactionId)];
export const euiccPackageResultDataSigned = sequence(...resultHead, must(0x83, "seqNumber", integer), must(0x30, "euiccResult", euiccResult));
export const euiccPackageErrorDataSigned = sequence(...resultHead, must(0x02, "euiccPackageErrorCode", codes("3 invalidEid, 4 replayError, 6 counterValueOutOfRange, 15 sizeOverflow, 104 ecallActive")));
export const euiccPackageResult = choice(
  must(0xa0, "euiccPackageResultSigned", sequence(must(0x30, "euiccPackageResultDataSigned", euiccPackageResultDataSigned), must(0x5f37, "euiccSignEPR", signature))),
  must(0xa1, "euiccPackageErrorSigned", sequence(must(0x30, "euiccPackageErrorDataSigned", euiccPackageErrorDataSigned), must(0x5f37, "euiccSignEPE", signature))),
  must(0xa2, "euiccPackageErrorUnsigned", sequence(
    must(0x80, "eimId", utf8(128)), may(0x82, "eimTransactionId", transactionId), may(0x84, "associationToken", integer), may(0x8f, "euiccPackageErrorCode", codes("15 sizeOverflow")),
  )),
);

/** AuthenticateServerResponse with the compact alternative that an IPA makes for ESipa (SGP.32 v1.2 6.3). */
export const authenticateServerResponse = choice(
  must(0xa0, "authenticateResponseOk", sequence(
    must(0x30, "euiccSigned1", euiccSigned1), must(0x5f37, "euiccSignature1", signature), must(0x30, "euiccCertificate", certificate), must(0x30, "eumCertificate", certificate),
  )),
  must(0xa1, "authenticateResponseError", sequence(must(0x80, "transactionId", transactionId), must(0x02, "authenticateErrorCode",
    codes("1 invalidCertificate, 2 invalidSignature, 3 unsupportedCurve, 4 noSessionContext, 5 invalidOid, 6 euiccChallengeMismatch, 7 ciPKUnknown")))),
  must(0xa2, "compactAuthenticateResponseOk", sequence(
    either("signedData", choice(must(0x30, "euiccSigned1", euiccSigned1), must(0xa0, "compactEuiccSigned1", sequence(must(0x84, "extCardResource", { kind: "value", format: "cardResource" }), may(0xa2, "ctxParams1", ctxParams1))))),
    must(0x5f37, "euiccSignature1", signature), may(0xa1, "euiccCertificate", certificate), may(0xa2, "eumCertificate", certificate),
  )),
);
export const prepareDownloadResponse = choice(
  must(0xa0, "downloadResponseOk", sequence(must(0x30, "euiccSigned2", euiccSigned2), must(0x5f37, "euiccSignature2", signature))),
  must(0xa1, "downloadResponseError", sequence(must(0x80, "transactionId", transactionId), must(0x02, "downloadErrorCode",
    codes("1 invalidCertificate, 2 invalidSignature, 3 unsupportedCurve, 4 noSessionContext, 5 invalidTransactionId")))),
  must(0xa2, "compactDownloadResponseOk", sequence(must(0x30, "compactEuiccSigned2", sequence(may(0x5f49, "euiccOtpk", otpk), may(0x04, "hashCc", hashCc))), must(0x5f37, "euiccSignature2", signature))),
);
export const cancelSessionResponse = choice(
  must(0xa0, "cancelSessionResponseOk", sequence(must(0x30, "euiccCancelSessionSigned", euiccCancelSessionSigned), must(0x5f37, "euiccCancelSessionSignature", signature))),
  must(0x81, "cancelSessionResponseError", codes("5 invalidTransactionId")),
  must(0xa2, "compactCancelSessionResponseOk", sequence(must(0x30, "compactEuiccCancelSessionSigned", sequence(may(0x80, "reason", memberType(euiccCancelSessionSigned, 2)))), must(0x5f37, "euiccCancelSessionSignature", signature))),
);

const blocks = (tag: number): Structure => list(must(tag, "block", octets(1, 65535)));
export const initialiseSecureChannelRequest = sequence(
  must(0x82, "remoteOpId", codes("1 installBoundProfilePackage")), must(0x80, "transactionId", transactionId),
  must(0xa6, "controlRefTemplate", sequence(must(0x80, "keyType", octets(1)), must(0x81, "keyLen", octets(1)), must(0x84, "hostId", octets(1, 16)))),
  must(0x5f49, "smdpOtpk", otpk), must(0x5f37, "smdpSign", signature),
);
export const boundProfilePackage = sequence(
  must(0xbf23, "initialiseSecureChannelRequest", initialiseSecureChannelRequest), must(0xa0, "firstSequenceOf87", blocks(0x87)), must(0xa1, "sequenceOf88", blocks(0x88)),
  may(0xa2, "secondSequenceOf87", blocks(0x87)), must(0xa3, "sequenceOf86", blocks(0x86)),
);

const refresh = sequence(must(0x80, "refreshFlag", bool));
const result = (text: string): Structure => sequence(must(0x80, "result", codes(text)));
const address = sequence(must(0x80, "defaultDpAddress", utf8()));
const profileCommand = sequence(must(0xa0, "profileIdentifier", profileIdentifier), may(0x81, "refreshFlag", bool));

/** Commands and answers by tag: [name, type]; where both fit equally, the first is shown. */
export const ES10: readonly (readonly [tag: number, name: string, type: Type])[] = [
  [0xbf51, "EuiccPackageRequest", euiccPackageRequest], [0xbf51, "EuiccPackageResult", euiccPackageResult],
  [0xbf57, "AddInitialEimRequest", sequence(must(0xa0, "eimConfigurationDataList", list(must(0x30, "eimConfigurationData", eimConfigurationData))))],
  [0xbf57, "AddInitialEimResponse", choice(must(0xa0, "addInitialEimOk", list(must(0x84, "associationToken", integer), must(0x05, "addOk", none))), must(0x81, "addInitialEimError", codes(addEimError)))],
  [0xbf55, "GetEimConfigurationDataRequest", sequence(may(0xa0, "searchCriteria", choice(must(0x80, "eimId", utf8(128)))))],
  [0xbf55, "GetEimConfigurationDataResponse", sequence(must(0xa0, "eimConfigurationDataList", list(must(0x30, "eimConfigurationData", eimConfigurationData))))],
  [0xbf56, "GetCertsRequest", sequence(may(0x80, "euiccCiPKId", keyId))],
  [0xbf56, "GetCertsResponse", choice(must(0xa0, "certs", sequence(must(0xa5, "eumCertificate", certificate), must(0xa6, "euiccCertificate", certificate))), must(0x81, "getCertsError", codes("1 invalidCiPKId")))],
  [0xbf58, "ProfileRollbackRequest", refresh],
  [0xbf58, "ProfileRollbackResponse", sequence(must(0x02, "cmdResult", codes("0 ok, 1 rollbackNotAllowed, 5 catBusy, 7 commandError")), may(0xbf51, "eUICCPackageResult", euiccPackageResult))],
  [0xbf59, "ConfigureImmediateProfileEnablingRequest", immediateEnable], [0xbf59, "ConfigureImmediateProfileEnablingResponse", result("0 ok, 1 insufficientMemory, 2 associatedEimAlreadyExists")],
  [0xbf5a, "ImmediateEnableRequest", refresh], [0xbf5a, "ImmediateEnableResponse", result("0 ok, 1 immediateEnableNotAvailable, 4 noSessionContext, 5 catBusy")],
  [0xbf5b, "EnableEmergencyProfileRequest", refresh], [0xbf5b, "EnableEmergencyProfileResponse", result("0 ok, 2 profileNotInDisabledState, 5 catBusy, 8 ecallNotAvailable")],
  [0xbf5c, "DisableEmergencyProfileRequest", refresh], [0xbf5c, "DisableEmergencyProfileResponse", result("0 ok, 2 profileNotInEnabledState, 5 catBusy, 8 ecallNotAvailable")],
  [0xbf5d, "ExecuteFallbackMechanismRequest", refresh], [0xbf5d, "ExecuteFallbackMechanismResponse", result("0 ok, 2 profileNotInDisabledState, 5 catBusy, 6 fallbackNotAvailable, 7 commandError, 104 ecallActive")],
  [0xbf5e, "ReturnFromFallbackRequest", refresh], [0xbf5e, "ReturnFromFallbackResponse", result("0 ok, 5 catBusy, 6 fallbackNotAvailable, 7 commandError")],
  [0xbf5f, "GetConnectivityParametersRequest", empty],
  [0xbf5f, "GetConnectivityParametersResponse", choice(must(0xa0, "connectivityParameters", sequence(may(0x81, "httpParams", octets(0, 65535)))), must(0x81, "connectivityParametersError", codes("1 parametersNotAvailable")))],
  [0xbf64, "EuiccMemoryResetRequest", sequence(must(0x82, "resetOptions", flags("deleteOperationalProfiles deleteFieldLoadedTestProfiles resetDefaultSmdpAddress deletePreLoadedTestProfiles deleteProvisioningProfiles resetEimConfigData resetImmediateEnableConfig")))],
  [0xbf64, "EuiccMemoryResetResponse", sequence(
    must(0x80, "resetResult", codes("0 ok, 1 nothingToDelete, 5 catBusy, 104 ecallActive")), may(0x81, "resetEimResult", codes("0 ok, 1 nothingToDelete, 2 eimResetNotSupported")),
    may(0x82, "resetImmediateEnableConfigResult", codes("0 ok, 1 resetIECNotSupported")),
  )],
  [0xbf65, "SetDefaultDpAddressRequest", address], [0xbf65, "SetDefaultDpAddressResponse", result("0 ok")],
  [0xbf42, "IpaeActivationRequest", sequence(must(0x80, "ipaeOption", flags("activateIpae")))], [0xbf42, "IpaeActivationResponse", result("0 ok, 1 notSupported")],
  [0xbf2b, "RetrieveNotificationsListRequest", sequence(may(0xa0, "searchCriteria", choice(must(0x80, "seqNumber", integer), must(0x81, "profileManagementOperation", notificationEvent), must(0x82, "euiccPackageResults", none))))],
  [0xbf2b, "RetrieveNotificationsListResponse", choice(must(0xa0, "notificationList", pendingNotificationList), must(0x81, "notificationsListResultError", codes("127 undefinedError")), must(0xa2, "euiccPackageResultList", list(must(0xbf51, "euiccPackageResult", euiccPackageResult))))],
  // The answer first: a request for sequence number 0 or 1 looks the same, and is rare.
  [0xbf30, "NotificationSentResponse", sequence(must(0x80, "deleteNotificationStatus", codes("0 ok, 1 nothingToDelete")))], [0xbf30, "NotificationSentRequest", sequence(must(0x80, "seqNumber", integer))],
  [0xbf28, "ListNotificationRequest", sequence(may(0x81, "profileManagementOperation", notificationEvent))],
  [0xbf28, "ListNotificationResponse", choice(must(0xa0, "notificationMetadataList", list(must(0xbf2f, "notificationMetadata", notificationMetadata))), must(0x81, "listNotificationsResultError", codes("127 undefinedError")))],
  [0xbf3c, "EuiccConfiguredAddressesRequest", empty], [0xbf3c, "EuiccConfiguredAddressesResponse", sequence(may(0x80, "defaultDpAddress", utf8()), must(0x81, "rootDsAddress", utf8()))],
  [0xbf3f, "SetDefaultDpAddressRequest", address], [0xbf3f, "SetDefaultDpAddressResponse", result("0 ok")],
  [0xbf20, "GetEuiccInfo1Request", empty], [0xbf20, "EUICCInfo1", euiccInfo1], [0xbf22, "GetEuiccInfo2Request", empty], [0xbf22, "EUICCInfo2", euiccInfo2],
  [0xbf2e, "GetEuiccChallengeRequest", empty], [0xbf2e, "GetEuiccChallengeResponse", sequence(must(0x80, "euiccChallenge", challenge))],
  [0xbf3e, "GetEuiccDataRequest", sequence(must(0x5c, "tagList", tagList))], [0xbf3e, "GetEuiccDataResponse", sequence(must(0x5a, "eidValue", eid))],
  [0xbf43, "GetRatRequest", empty], [0xbf43, "GetRatResponse", sequence(must(0xa0, "rat", rulesAuthorisationTable))],
  [0xbf2d, "ProfileInfoListRequest", profileInfoListRequest], [0xbf2d, "ProfileInfoListResponse", profileInfoListResponse],
  [0xbf38, "AuthenticateServerRequest", sequence(
    must(0x30, "serverSigned1", serverSigned1), must(0x5f37, "serverSignature1", signature), must(0x04, "euiccCiPKIdToBeUsed", keyId), must(0x30, "serverCertificate", certificate), either("ctxParams1", ctxParams1),
  )],
  [0xbf38, "AuthenticateServerResponse", authenticateServerResponse],
  [0xbf21, "PrepareDownloadRequest", sequence(must(0x30, "smdpSigned2", smdpSigned2), must(0x5f37, "smdpSignature2", signature), may(0x04, "hashCc", hashCc), must(0x30, "smdpCertificate", certificate))],
  [0xbf21, "PrepareDownloadResponse", prepareDownloadResponse],
  [0xbf41, "CancelSessionRequest", sequence(must(0x80, "transactionId", transactionId), must(0x81, "reason", memberType(euiccCancelSessionSigned, 2)))],
  [0xbf41, "CancelSessionResponse", cancelSessionResponse],
  [0xbf37, "ProfileInstallationResult", profileInstallationResult], [0xbf36, "BoundProfilePackage", boundProfilePackage], [0xbf23, "InitialiseSecureChannelRequest", initialiseSecureChannelRequest],
  [0xbf24, "ConfigureISDPRequest", sequence(may(0xb8, "dpProprietaryData", any))], [0xbf25, "StoreMetadataRequest", storeMetadataRequest],
  [0xbf26, "ReplaceSessionKeysRequest", sequence(must(0x80, "initialMacChainingValue", octets(16)), must(0x81, "ppkEnc", octets(16)), must(0x82, "ppkCmac", octets(16)))],
  [0xbf27, "ProfileInstallationResultData", memberType(profileInstallationResult, 0)], [0xbf2f, "NotificationMetadata", notificationMetadata],
  [0xbf31, "EnableProfileRequest", profileCommand], [0xbf31, "EnableProfileResponse", result("0 ok, 1 iccidOrAidNotFound, 2 profileNotInDisabledState, 3 disallowedByPolicy, 4 wrongProfileReenabling, 5 catBusy")],
  [0xbf32, "DisableProfileRequest", profileCommand], [0xbf32, "DisableProfileResponse", result("0 ok, 1 iccidOrAidNotFound, 2 profileNotInEnabledState, 3 disallowedByPolicy, 5 catBusy")],
  [0xbf33, "DeleteProfileRequest", profileIdentifier], [0xbf33, "DeleteProfileResponse", result("0 ok, 1 iccidOrAidNotFound, 2 profileNotInDisabledState, 3 disallowedByPolicy")],
  [0xbf29, "SetNicknameRequest", sequence(must(0x5a, "iccid", iccid), must(0x90, "profileNickname", utf8(64)))], [0xbf29, "SetNicknameResponse", result("0 ok, 1 iccidNotFound")],
  [0xbf35, "LoadCRLRequest", any], [0xe3, "ProfileInfo", profileInfo],
  [0xa0, "CtxParams1", memberType(ctxParams1, 0)],
  [0xa1, "CompactOtherSignedNotification", compactOtherSignedNotification],
  [0xe0, "ISDRProprietaryApplicationTemplate", sequence(must(0x82, "svn", version), may(0x03, "lpaeSupport", flags("lpaeUsingCat lpaeUsingScws")))],
  [0xe1, "ISDRProprietaryApplicationTemplateIoT", sequence(must(0x80, "iotSpecificInfo", flags("ipaeSupported enabledProfile")))],
  [0x6f, "FCI", sequence(may(0x84, "dfName", aid), may(0xa5, "proprietary", any), may(0xe0, "isdrProprietaryApplicationTemplate", any), may(0xe1, "isdrProprietaryApplicationTemplateIoT", any))],
];
