/**
 * Types that several interfaces share: notifications, profile metadata, eIM configuration, authentication objects.
 * SGP.32 v1.2 and SGP.22 v2.5 ASN.1; members that only v1.3 has are named too. Names are the standards' own.
 */
import { any, bitString, bool, choice, codes, either, flags, integer, list, may, must, none, numbers, octets, oid, sequence, utf8, value, type Structure } from "./schema.js";

export const transactionId = octets(1, 16);
export const keyId = octets(1, 20);
export const signature = octets(64, 96);
export const eid = value("eid", 16, 16);
export const iccid = value("iccid", 10, 10);
export const aid = octets(1, 16);
export const version = value("version", 3, 3);
export const tagList = value("tagList", 1);
export const certificate = value("certificate");
export const publicKey = value("publicKey");
export const otpk = octets(65, 97);
export const hashCc = octets(32);
export const challenge = octets(16);
export const notificationEvent = flags("install enable disable delete");
export const pprIds = flags("pprUpdateControl ppr1 ppr2");
export const protocols = flags("eimRetrieveHttps eimRetrieveCoaps eimInjectHttps eimInjectCoaps eimProprietary");
export const profileClass = numbers("0 test, 1 provisioning, 2 operational");
export const keyIds = list(must(0x04, "subjectKeyIdentifier", keyId));

export const operatorId = sequence(must(0x80, "mccMnc", value("plmn", 3, 3)), may(0x81, "gid1", octets(0, 10)), may(0x82, "gid2", octets(0, 10)));

export const notificationMetadata = sequence(
  must(0x80, "seqNumber", integer), must(0x81, "profileManagementOperation", notificationEvent), must(0x0c, "notificationAddress", utf8()), may(0x5a, "iccid", iccid),
);

export const otherSignedNotification = sequence(
  must(0xbf2f, "tbsOtherNotification", notificationMetadata), must(0x5f37, "euiccNotificationSignature", signature),
  must(0x30, "euiccCertificate", certificate), must(0x30, "eumCertificate", certificate),
);

const bppError = [
  must(0x80, "bppCommandId", numbers("0 initialiseSecureChannel, 1 configureISDP, 2 storeMetadata, 3 storeMetadata2, 4 replaceSessionKeys, 5 loadProfileElements")),
  must(0x81, "errorReason", codes(`1 incorrectInputValues, 2 invalidSignature, 3 invalidTransactionId, 4 unsupportedCrtValues, 5 unsupportedRemoteOperationType,
    6 unsupportedProfileClass, 7 scp03tStructureError, 8 scp03tSecurityError, 9 iccidAlreadyExistsOnEuicc, 10 installFailedDueToInsufficientMemoryForProfile,
    11 installFailedDueToInterruption, 12 installFailedDueToPEProcessingError, 13 installFailedDueToDataMismatch, 14 testProfileInstallFailedDueToInvalidNaaKey,
    15 pprNotAllowed, 127 installFailedDueToUnknownError`)),
  may(0x82, "simaResponse", any),
];

export const profileInstallationResult = sequence(
  must(0xbf27, "profileInstallationResultData", sequence(
    must(0x80, "transactionId", transactionId), must(0xbf2f, "notificationMetadata", notificationMetadata), must(0x06, "smdpOid", oid),
    must(0xa2, "finalResult", choice(must(0xa0, "successResult", sequence(must(0x4f, "aid", aid), must(0x04, "simaResponse", any))), must(0xa1, "errorResult", sequence(...bppError)))),
  )),
  must(0x5f37, "euiccSignPIR", signature),
);

export const compactProfileInstallationResult = sequence(
  must(0xa0, "compactProfileInstallationResultData", sequence(
    must(0x80, "transactionId", transactionId), must(0x02, "seqNumber", integer), may(0x01, "iccidPresent", bool),
    must(0xa2, "compactFinalResult", choice(must(0xa0, "compactSuccessResult", sequence(must(0x4f, "compactAid", octets(2)), may(0x04, "simaResponse", any))), must(0xa1, "compactErrorResult", sequence(...bppError)))),
  )),
  must(0x5f37, "euiccSignPIR", signature),
);

export const compactOtherSignedNotification = sequence(
  may(0x5a, "eidValue", eid), must(0xbf2f, "tbsOtherNotification", notificationMetadata), must(0x5f37, "euiccNotificationSignature", signature),
  may(0x04, "euiccCiPKIdentifierToBeUsed", keyId),
);

export const pendingNotification = choice(
  must(0xbf37, "profileInstallationResult", profileInstallationResult), must(0x30, "otherSignedNotification", otherSignedNotification),
  must(0xa0, "compactProfileInstallationResult", compactProfileInstallationResult), must(0xa1, "compactOtherSignedNotification", compactOtherSignedNotification),
);

/** The alternatives as they stand in a list. */
export const pendingNotificationList: Structure = { ...pendingNotification, kind: "list" };

/** BF25 and E3 share their members (SGP.22 5.5.3, SGP.32 2.12); in E3 all are optional. */
const profileMembers = (iccidMember: typeof may, nameMember: typeof may): Structure["members"] => [
  iccidMember(0x5a, "iccid", iccid), may(0x4f, "isdpAid", aid), may(0x9f70, "profileState", numbers("0 disabled, 1 enabled")), may(0x90, "profileNickname", utf8(64)),
  nameMember(0x91, "serviceProviderName", utf8(32)), nameMember(0x92, "profileName", utf8(64)), may(0x93, "iconType", numbers("0 jpg, 1 png")), may(0x94, "icon", octets(0, 1024)),
  may(0x95, "profileClass", profileClass),
  may(0xb6, "notificationConfigurationInfo", list(must(0x30, "notificationConfigurationInformation", sequence(must(0x80, "profileManagementOperation", notificationEvent), must(0x81, "notificationAddress", utf8()))))),
  may(0xb7, "profileOwner", operatorId), may(0xb8, "dpProprietaryData", any), may(0x99, "profilePolicyRules", pprIds),
  may(0xbf22, "serviceSpecificDataStoredInEuicc", any), may(0xbf23, "serviceSpecificDataNotStoredInEuicc", any),
  may(0x9f7b, "ecallIndication", bool), may(0x9f26, "fallbackAttribute", bool), may(0x9f67, "fallbackAllowed", bool), may(0xbf64, "iotSpecificProfileInfo", any),
];

export const storeMetadataRequest = sequence(...profileMembers(must, must));
export const profileInfo = sequence(...profileMembers(may, may));
const profileKey = choice(must(0x4f, "isdpAid", aid), must(0x5a, "iccid", iccid));
export const profileIdentifier = profileKey;
export const profileInfoListRequest = sequence(
  may(0xa0, "searchCriteria", choice(...profileKey.members, must(0x95, "profileClass", profileClass))), may(0x5c, "tagList", tagList),
);
export const profileInfoListResponse = choice(
  must(0xa0, "profileInfoListOk", list(must(0xe3, "profileInfo", profileInfo))), must(0x81, "profileInfoListError", codes("1 incorrectInputValues, 11 profileChangeOngoing")),
);

export const rulesAuthorisationTable = list(must(0x30, "profilePolicyAuthorisationRule", sequence(
  must(0x80, "pprIds", pprIds), must(0xa1, "allowedOperators", list(must(0x30, "operatorId", operatorId))), must(0x82, "pprFlags", flags("consentRequired")),
)));

const keyOrCertificate = (key: string, cert: string): Structure => choice(must(0xa0, key, publicKey), must(0xa1, cert, certificate));
export const eimIdType = numbers("1 eimIdTypeOid, 2 eimIdTypeFqdn, 3 eimIdTypeProprietary");
export const eimConfigurationData = sequence(
  must(0x80, "eimId", utf8(128)), may(0x81, "eimFqdn", utf8()), may(0x82, "eimIdType", eimIdType), may(0x83, "counterValue", integer), may(0x84, "associationToken", integer),
  may(0xa5, "eimPublicKeyData", keyOrCertificate("eimPublicKey", "eimCertificate")),
  may(0xa6, "trustedPublicKeyDataTls", keyOrCertificate("trustedEimPkTls", "trustedCertificateTls")),
  may(0x87, "eimSupportedProtocol", protocols), may(0x88, "euiccCiPKId", keyId), may(0x89, "indirectProfileDownload", none), may(0xaa, "eSipaProprietaryProtocolInformation", any),
);

const capability = ["gsmSupportedRelease", "utranSupportedRelease", "cdma2000onexSupportedRelease", "cdma2000hrpdSupportedRelease", "cdma2000ehrpdSupportedRelease",
  "eutranEpcSupportedRelease", "contactlessSupportedRelease", "rspCrlSupportedVersion", "nrEpcSupportedRelease", "nr5gcSupportedRelease", "eutran5gcSupportedRelease", "lpaSvn"];
export const deviceInfo = sequence(
  must(0x80, "tac", value("tac", 4, 4)),
  must(0xa1, "deviceCapabilities", sequence(
    ...capability.map((name, i) => may(0x80 + i, name, version)), may(0x8c, "catSupportedClasses", bitString), may(0x8d, "euiccFormFactorType", integer), may(0xae, "deviceAdditionalFeatureSupport", any),
  )),
  may(0x82, "imei", value("imei", 8, 8)),
);
export const ctxParams1 = choice(must(0xa0, "ctxParamsForCommonAuthentication", sequence(may(0x80, "matchingId", utf8()), must(0xa1, "deviceInfo", deviceInfo))));

export const euiccInfo1 = sequence(must(0x82, "svn", version), must(0xa9, "euiccCiPKIdListForVerification", keyIds), must(0xaa, "euiccCiPKIdListForSigning", keyIds));
const versions = list(must(0x04, "version", version));
export const euiccInfo2 = sequence(
  must(0x81, "profileVersion", version), must(0x82, "svn", version), must(0x83, "euiccFirmwareVer", version), must(0x84, "extCardResource", value("cardResource")), must(0x85, "uiccCapability", bitString),
  may(0x86, "ts102241Version", version), may(0x87, "globalplatformVersion", version),
  must(0x88, "rspCapability", flags("additionalProfile crlSupport rpmSupport testProfileSupport deviceInfoExtensibilitySupport serviceSpecificDataSupport")),
  must(0xa9, "euiccCiPKIdListForVerification", keyIds), must(0xaa, "euiccCiPKIdListForSigning", keyIds),
  may(0x8b, "euiccCategory", numbers("0 other, 1 basicEuicc, 2 mediumEuicc, 3 contactlessEuicc")), may(0x99, "forbiddenProfilePolicyRules", pprIds),
  must(0x04, "ppVersion", version), must(0x0c, "sasAcreditationNumber", utf8(64)),
  may(0xac, "certificationDataObject", sequence(must(0x80, "platformLabel", utf8()), must(0x81, "discoveryBaseURL", utf8()))),
  may(0x8d, "treProperties", bitString), may(0x8e, "treProductReference", utf8()), may(0xaf, "additionalEuiccProfilePackageVersions", versions),
  may(0x90, "ipaMode", numbers("0 ipad, 1 ipae")), may(0xb1, "euiccCiPKIdListForSigningV3", keyIds), may(0x92, "additionalEuiccInfo", octets(0, 32)), may(0x93, "highestSvn", version),
  may(0xb4, "iotSpecificInfo", sequence(must(0xa0, "iotVersion", versions), may(0x81, "ecallSupported", none), may(0x82, "fallbackSupported", none), may(0x83, "fallbackAllowedUpdateSupported", none))),
  may(0x95, "euiccMinimumSecurityLevel", any),
);

export const serverSigned1 = sequence(must(0x80, "transactionId", transactionId), must(0x81, "euiccChallenge", challenge), must(0x83, "serverAddress", utf8()), must(0x84, "serverChallenge", challenge));
export const euiccSigned1 = sequence(
  must(0x80, "transactionId", transactionId), must(0x83, "serverAddress", utf8()), must(0x84, "serverChallenge", challenge), must(0xbf22, "euiccInfo2", euiccInfo2), either("ctxParams1", ctxParams1),
);
export const smdpSigned2 = sequence(must(0x80, "transactionId", transactionId), must(0x01, "ccRequiredFlag", bool), may(0x5f49, "bppEuiccOtpk", otpk));
export const euiccSigned2 = sequence(must(0x80, "transactionId", transactionId), must(0x5f49, "euiccOtpk", otpk), may(0x04, "hashCc", hashCc));
export const euiccCancelSessionSigned = sequence(
  must(0x80, "transactionId", transactionId), must(0x81, "smdpOid", oid),
  must(0x82, "reason", codes("0 endUserRejection, 1 postponed, 2 timeout, 3 pprNotAllowed, 4 metadataMismatch, 5 loadBppExecutionError, 127 undefinedReason")),
);
