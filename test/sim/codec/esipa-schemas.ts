/**
 * An independent reading of the ESipa messages (SGP.32 v1.2 ASN.1; types 3, 4, 10): schemas for asn1js, written from the type tables and
 * sharing nothing with the codecs of the simulated peers. They check tags, order, presence and which part is constructed. asn1js lets unknown
 * members follow (EXTENSIBILITY IMPLIED); lengths and values of primitives are not checked.
 */
import * as asn1js from "asn1js";

type Schema = asn1js.AsnType | asn1js.Choice | asn1js.Any | asn1js.Repeated;

interface Place {
  optional?: boolean;
}

const CONTEXT = 3;
const APPLICATION = 2;
const PRIVATE = 4;

const primitive = (tagClass: number, tagNumber: number, { optional = false }: Place = {}): Schema => new asn1js.Primitive({ idBlock: { tagClass, tagNumber }, optional });
const constructed = (tagClass: number, tagNumber: number, value: Schema[], { optional = false }: Place = {}): Schema =>
  new asn1js.Constructed({ idBlock: { tagClass, tagNumber }, value: value as asn1js.AsnType[], optional });

/** [n] primitive. */
const p = (n: number, place?: Place): Schema => primitive(CONTEXT, n, place);
/** [n] constructed. */
const c = (n: number, value: Schema[], place?: Place): Schema => constructed(CONTEXT, n, value, place);
const sequence = (value: Schema[], { optional = false }: Place = {}): Schema => new asn1js.Sequence({ value: value as asn1js.AsnType[], optional });
const choice = (value: Schema[]): Schema => new asn1js.Choice({ value: value as asn1js.AsnType[] });
const listOf = (value: Schema): Schema[] => [new asn1js.Repeated({ value: value as asn1js.AsnType })];
const integer = (place: Place = {}): Schema => new asn1js.Integer({ optional: place.optional ?? false });
const octets = (place: Place = {}): Schema => new asn1js.OctetString({ optional: place.optional ?? false });
const nothing = (place: Place = {}): Schema => new asn1js.Null({ optional: place.optional ?? false });
const text = (place: Place = {}): Schema => new asn1js.Utf8String({ optional: place.optional ?? false });
const optional: Place = { optional: true };

/** 5A: EID or ICCID. */
const identity = (place?: Place): Schema => primitive(APPLICATION, 26, place);
const aid = (place?: Place): Schema => primitive(APPLICATION, 15, place);
const tagList = (place?: Place): Schema => primitive(APPLICATION, 28, place);
const signature = (): Schema => primitive(APPLICATION, 55);

/** Certificate: as itself (30), or its three members. */
const certificateMembers = (): Schema[] => [sequence([]), sequence([]), new asn1js.BitString()];
const certificate = (): Schema => sequence(certificateMembers());
const spkiMembers = (): Schema[] => [sequence([]), new asn1js.BitString()];

const notificationMetadata = (): Schema => c(47, [p(0), p(1), text(), identity(optional)]);
const finalResult = (): Schema => c(2, [choice([c(0, [aid(), octets()]), c(1, [p(0), p(1), p(2, optional)])])]);
const profileInstallationResult = (): Schema => c(55, [c(39, [p(0), notificationMetadata(), new asn1js.ObjectIdentifier(), finalResult()]), signature()]);
const otherSignedNotification = (): Schema => sequence([notificationMetadata(), signature(), certificate(), certificate()]);
const compactFinalResult = (): Schema => c(2, [choice([c(0, [aid(), octets(optional)]), c(1, [p(0), p(1), p(2, optional)])])]);
const compactInstallationResult = (): Schema =>
  c(0, [c(0, [p(0), integer(), new asn1js.Boolean({ optional: true }), compactFinalResult()]), signature()]);
const compactOtherNotification = (): Schema => c(1, [identity(optional), notificationMetadata(), signature()]);
const pendingNotification = (): Schema => choice([profileInstallationResult(), otherSignedNotification(), compactInstallationResult(), compactOtherNotification()]);

const keyOrCertificate = (n: number): Schema => c(n, [choice([c(0, spkiMembers()), c(1, certificateMembers())])], optional);
const eimConfigurationMembers = (): Schema[] => [
  p(0), p(1, optional), p(2, optional), p(3, optional), p(4, optional), keyOrCertificate(5), keyOrCertificate(6), p(7, optional), p(8, optional), p(9, optional),
];

/** EimConfigurationData as list element. */
export const eimConfigurationData = (): Schema => sequence(eimConfigurationMembers());

const profileSearch = (): Schema => c(0, [choice([aid(), identity(), p(21)])], optional);
const psmo = (): Schema =>
  choice([
    c(3, [identity(), nothing(optional)]), c(4, [identity()]), c(5, [identity()]), c(6, []), c(7, [p(0, optional), p(1, optional), p(2, optional)]),
    c(8, [identity()]), c(9, []), c(45, [profileSearch(), tagList(optional)]), c(101, [p(0)]),
  ]);
const eco = (): Schema => choice([c(8, eimConfigurationMembers()), c(9, [p(0)]), c(10, eimConfigurationMembers()), c(11, [])]);

/** BF51 from an eIM. */
export const euiccPackageRequest = (): Schema =>
  c(81, [sequence([p(0), identity(), p(1), p(2, optional), choice([c(0, listOf(psmo())), c(1, listOf(eco()))])]), signature()]);

const profileInfo = (): Schema => constructed(PRIVATE, 3, []);
const resultData = (): Schema =>
  choice([
    p(3), p(4), p(5), c(6, listOf(sequence([]))), p(7), c(8, [choice([p(4), integer()])]), p(9), p(10),
    c(11, [choice([c(0, listOf(sequence([p(0), p(2, optional)]))), p(1)])]), p(12), p(13), p(14), integer(),
    c(45, [choice([c(0, listOf(profileInfo())), p(1)])]), c(101, [p(0)]),
  ]);

/** BF51 from an eUICC. */
export const euiccPackageResult = (): Schema =>
  c(81, [
    choice([
      c(0, [sequence([p(0), p(1), p(2, optional), p(3), sequence(listOf(resultData()))]), signature()]),
      c(1, [sequence([p(0), p(1), p(2, optional), integer()]), signature()]),
      c(2, [p(0), p(2, optional), p(4, optional)]),
    ]),
  ]);

/** BF52 from an eIM. */
export const ipaEuiccDataRequest = (): Schema =>
  c(82, [tagList(), octets(optional), c(1, [choice([p(0), p(1)])], optional), c(2, [p(0)], optional), p(3, optional)]);

const deviceInfo = (n: number): Schema => c(n, [p(0), c(1, []), p(2, optional)], optional);

/** BF52 from an IPA. */
export const ipaEuiccDataResponse = (): Schema =>
  c(82, [
    choice([
      c(0, [
        c(0, listOf(pendingNotification()), optional), p(1, optional), c(2, listOf(euiccPackageResult()), optional), c(32, [], optional), c(34, [], optional),
        p(3, optional), p(4, optional), c(5, certificateMembers(), optional), c(6, certificateMembers(), optional), p(7, optional),
        c(8, [p(0), p(1, optional)], optional), deviceInfo(9),
      ]),
      c(1, [p(0, optional), integer()]),
    ]),
  ]);

/** BF54 from an eIM. */
export const profileDownloadTriggerRequest = (): Schema => c(84, [c(0, [choice([p(0), p(1), c(2, [p(0, optional)])])], optional), p(2, optional)]);

/** BF54 from an IPA. */
export const profileDownloadTriggerResult = (): Schema => c(84, [p(2, optional), choice([profileInstallationResult(), sequence([p(0), octets(optional)])])]);

/** BF53. */
export const eimAcknowledgements = (): Schema => c(83, listOf(p(0)));

const eprAndNotifications = (): Schema => sequence([euiccPackageResult(), c(0, listOf(pendingNotification()))]);
const eimPackageResult = (): Schema =>
  choice([euiccPackageResult(), eprAndNotifications(), ipaEuiccDataResponse(), profileDownloadTriggerResult(), c(0, [p(0, optional), integer()])]);
const provideEimPackageResult = (): Schema => c(80, [identity(optional), eimPackageResult()]);

const oneTimeKey = (place?: Place): Schema => primitive(APPLICATION, 73, place);
const flag = (place: Place = {}): Schema => new asn1js.Boolean({ optional: place.optional ?? false });

const ctxParams1 = (): Schema => c(0, [p(0, optional), c(1, [p(0), c(1, []), p(2, optional)])]);
const euiccSigned1 = (): Schema => sequence([p(0), p(3), p(4), c(34, []), ctxParams1()]);
const compactEuiccSigned1 = (): Schema => c(0, [p(4), c(2, [ctxParams1()], optional)]);
const authenticateServerResponse = (): Schema =>
  c(56, [
    choice([
      c(0, [euiccSigned1(), signature(), certificate(), certificate()]),
      c(1, [p(0), integer()]),
      c(2, [choice([euiccSigned1(), compactEuiccSigned1()]), signature(), c(1, certificateMembers(), optional), c(2, certificateMembers(), optional)]),
    ]),
  ]);
const prepareDownloadResponse = (): Schema =>
  c(33, [
    choice([
      c(0, [sequence([p(0), oneTimeKey(), octets(optional)]), signature()]),
      c(1, [p(0), integer()]),
      c(2, [sequence([oneTimeKey(optional), octets(optional)]), signature()]),
    ]),
  ]);
const cancelSessionResponse = (): Schema => c(1, [choice([c(0, [sequence([p(0), p(1), p(2)]), signature()]), p(1), c(2, [sequence([p(0, optional)]), signature()])])]);

/** EsipaMessageFromIpaToEim, by tag; inject mode is left out. */
export const FROM_IPA: Readonly<Record<number, () => Schema>> = {
  0xbf4f: () => c(79, [identity(), p(0, optional), p(1, optional), p(2, optional)]),
  0xbf50: provideEimPackageResult,
  0xbf3d: () => c(61, [choice([c(0, [pendingNotification()]), provideEimPackageResult()])]),
  0xbf39: () => c(57, [p(1), p(3, optional), c(32, [], optional), p(2, optional)]),
  0xbf3b: () => c(59, [p(0), authenticateServerResponse()]),
  0xbf3a: () => c(58, [p(0), prepareDownloadResponse()]),
  0xbf41: () => c(65, [p(0), cancelSessionResponse()]),
};

const serverSigned1 = (): Schema => sequence([p(0), p(1), p(3), p(4)]);
const initiateAuthenticationOk = (): Schema =>
  c(0, [p(0, optional), serverSigned1(), signature(), octets(), certificate(), text(optional), c(2, [ctxParams1()], optional)]);
const authenticateClientOkDp = (): Schema =>
  c(0, [p(0, optional), c(37, [], optional), sequence([p(0), flag(), oneTimeKey(optional)]), signature(), certificate(), octets(optional)]);
const authenticateClientOkDs = (): Schema =>
  c(1, [p(0), c(84, [c(0, [choice([p(0), p(1), c(2, [p(0, optional)])])], optional), p(2, optional)], optional)]);

/** EsipaMessageFromEimToIpa, by tag. */
export const FROM_EIM: Readonly<Record<number, () => Schema>> = {
  0xbf4f: () => c(79, [choice([euiccPackageRequest(), ipaEuiccDataRequest(), profileDownloadTriggerRequest(), integer()])]),
  0xbf50: () => c(80, [choice([eimAcknowledgements(), sequence([]), integer()])]),
  0xbf39: () => c(57, [choice([initiateAuthenticationOk(), p(1)])]),
  0xbf3b: () => c(59, [choice([authenticateClientOkDp(), authenticateClientOkDs(), p(2)])]),
  0xbf3a: () => c(58, [choice([c(0, [p(0, optional), c(54, [])]), p(1)])]),
  0xbf41: () => c(65, [choice([c(0, []), p(1)])]),
};

/** Undefined when asn1js reads `bytes` as one data object of that schema, else what it did not like. */
export function mismatch(bytes: Uint8Array, schema: Schema): string | undefined {
  const buffer = Uint8Array.from(bytes).buffer;
  const { offset, result } = asn1js.fromBER(buffer);
  if (offset === -1) return `not BER: ${result.error}`;
  if (offset !== bytes.length) return `${bytes.length - offset} octets follow`;
  const compared = asn1js.compareSchema(result, result, schema as asn1js.AsnType);
  return compared.verified ? undefined : `does not fit the schema${result.error ? `: ${result.error}` : ""}`;
}
