/**
 * What the simulated eUICC refuses: stimulus and exact answer, as data (SGP.32 v1.2 2.11.2, 3.4, 3.5, 5.9; ETSI TS 102 221).
 */
import { concat, fromHex, toHex, utf8 } from "../sim/core/bytes.js";
import { readOne, tlv } from "../sim/codec/tlv.js";
import { eimConfigurationData, type EimOptions, type EuiccOptions } from "../sim/euicc/index.js";
import { keyPairFromSeed, spki } from "../sim/pki/keys.js";
import { A, B, C, EIM_ID, euiccPackage, ordinary, pki, psmo, signedPackage, type PackageFields, type Reader } from "./euicc-kit.js";

export interface RefusalCase {
  /** The sentence that holds. */
  title: string;
  options?: EuiccOptions;
  /** Before the stimulus. */
  prepare?: (reader: Reader) => void;
  /** An ES10 command, or a whole APDU. */
  es10?: Uint8Array;
  apdu?: Uint8Array;
  /** Status word, answer octets, an error code of an EPE, or the results of an EPR. */
  sw?: number;
  answer?: string;
  signedError?: number;
  results?: string[];
  /** The answer tells a success beside the refusal. */
  changes?: true;
  /** What the log of refusals says. */
  why: RegExp;
}

const key = (): Uint8Array => spki("P-256", pki().eimSign.key.publicKey);
const stranger = keyPairFromSeed("P-256", "a stranger");
const eim = (more: Partial<EimOptions> = {}): Uint8Array => eimConfigurationData({ eimId: "new", publicKey: key(), ...more });
const addInitial = (...eims: Uint8Array[]): Uint8Array => tlv(0xbf57, tlv(0xa0, ...eims));
const add = (data: Uint8Array): Uint8Array => tlv(0xa8, readOne(data, 0x30).value);
const update = (...members: Uint8Array[]): Uint8Array => tlv(0xaa, tlv(0x80, utf8(EIM_ID)), ...members);
const without = (tag: number, data: Uint8Array): Uint8Array => {
  const hex = toHex(readOne(data, 0x30).value);
  const raw = toHex(tag === 0x83 ? tlv(0x83, [0]) : fromHex(""));
  return tlv(0x30, fromHex(hex.replace(raw, "")));
};
const NO_EIM: EuiccOptions = { eims: [] };
const unassociated = (): EuiccOptions => ordinary(NO_EIM);
const profiles = (a: object, b: object = {}, ...more: { iccid: string }[]): EuiccOptions => ordinary({ profiles: [{ iccid: A, enabled: true, ...a }, { iccid: B, ...b }, ...more] });
const inPackage = (title: string, results: string[], fields: PackageFields, why: RegExp, more: Partial<RefusalCase> = {}): RefusalCase => ({
  title,
  es10: euiccPackage(fields),
  results,
  why,
  ...more,
});
const EIM_TLV = `800F${toHex(utf8(EIM_ID))}`;
const TID = "82080102030405060708";
const UNSIGNED = `BF511DA21B${EIM_TLV}${TID}`;
const unsigned = (title: string, es10: Uint8Array, answer: string, why: RegExp): RefusalCase => ({ title, es10, answer, why });

const packages: RefusalCase[] = [
  unsigned("a package of an unknown eIM is answered unsigned, without association token", euiccPackage({ eimId: "other" }), `BF5113A21180056F74686572${TID}`, /not associated/),
  unsigned("a package signed with another key is answered unsigned", euiccPackage({ key: stranger }), UNSIGNED, /does not verify/),
  unsigned("a package signed without the token object is answered unsigned", euiccPackage({ token: 1 }), UNSIGNED, /does not verify/),
  unsigned("a package without eimSignature is answered unsigned", tlv(0xbf51, readOne(euiccPackage({})).value.subarray(0, -67)), UNSIGNED, /eimSignature/),
  unsigned("a package with neither PSMOs nor eCOs is answered unsigned", signedPackage(tlv(0x30, fromHex(`${EIM_TLV}5A1089049032123451234512345678901235810101${TID}A200`))), UNSIGNED, /neither psmoList/),
  unsigned("a package whose members are out of order is answered unsigned", signedPackage(tlv(0x30, fromHex(`${EIM_TLV}8101015A1089049032123451234512345678901235${TID}A000`))), UNSIGNED, /out of order/),
  unsigned("a package without anything readable is answered unsigned with an empty eimId", fromHex("BF51020500"), "BF5104A2028000", /euiccPackageSigned/),
  { title: "a package for another EID is answered invalidEid", es10: euiccPackage({ eid: "89049032123451234512345678901236" }), signedError: 3, why: /for EID/ },
  { title: "a counterValue that is not above the stored one is answered replayError", prepare: (reader) => void reader.es10(euiccPackage({ counter: 3 })), es10: euiccPackage({ counter: 3 }), signedError: 4, why: /not above 3/ },
  { title: "a negative counterValue is answered replayError", es10: euiccPackage({ counter: -1 }), signedError: 4, why: /not above 0/ },
  { title: "a counterValue above the maximum is answered counterValueOutOfRange", es10: euiccPackage({ counter: 0x800000 }), signedError: 6, why: /above 8388607/ },
  { title: "a counterValue of nine octets is answered counterValueOutOfRange", es10: euiccPackage({ counter: fromHex("010000000000000000") }), signedError: 6, why: /above 8388607/ },
  { title: "a package that is too big is answered sizeOverflow", options: ordinary({ limits: { package: 50 } }), es10: euiccPackage({ psmos: [psmo.list] }), signedError: 15, why: /more than 50/ },
  { title: "any package while the Emergency Profile is enabled is answered ecallActive", options: profiles({ ecall: true }), es10: euiccPackage({ psmos: [psmo.list] }), signedError: 104, why: /Emergency Profile/ },
];

const psmos: RefusalCase[] = [
  inPackage("enable of an unknown ICCID is iccidOrAidNotFound", ["830101"], { psmos: [psmo.enable(C)] }, /no Profile has ICCID/),
  inPackage("enable of the enabled Profile is profileNotInDisabledState", ["830102"], { psmos: [psmo.enable(A)] }, /not in state disabled/),
  inPackage("enable is disallowedByPolicy when PPR1 holds the enabled Profile", ["830103"], { psmos: [psmo.enable(B)] }, /PPR1/, { options: profiles({ policyRules: ["ppr1"] }) }),
  inPackage("enable with rollbackFlag and nothing enabled is rollbackNotAvailable", ["830114"], { psmos: [psmo.enable(B, true)] }, /go back to/, { options: profiles({ enabled: false }) }),
  inPackage("enable of the Emergency Profile by a package is disallowedByPolicy", ["830103"], { psmos: [psmo.enable(B)] }, /Emergency Profile/, { options: profiles({}, { ecall: true }) }),
  inPackage("a second enable ends the package", ["830100", "83017F"], { psmos: [psmo.enable(B), psmo.enable(C), psmo.list] }, /second Profile/, { options: profiles({}, {}, { iccid: C }) }),
  inPackage("disable behind enable ends the package", ["830100", "84017F"], { psmos: [psmo.enable(B), psmo.disable(A)] }, /before enable/),
  inPackage("disable of a disabled Profile is profileNotInEnabledState", ["840102"], { psmos: [psmo.disable(B)] }, /not in state enabled/),
  inPackage("disable against PPR1 is disallowedByPolicy", ["840103"], { psmos: [psmo.disable(A)] }, /PPR1/, { options: profiles({ policyRules: ["ppr1"] }) }),
  inPackage("delete of the enabled Profile is profileNotInDisabledState", ["850102"], { psmos: [psmo.delete(A)] }, /not in state disabled/),
  inPackage("delete against PPR2 is disallowedByPolicy", ["850103"], { psmos: [psmo.delete(B)] }, /PPR2/, { options: profiles({}, { policyRules: ["ppr2"] }) }),
  inPackage("delete of the rollback target is rollbackNotAvailable", ["830100", "850114"], { psmos: [psmo.enable(B, true), psmo.delete(A)] }, /rollback target/),
  inPackage("delete of the Profile that fallback returns to is returnFallbackProfile", ["850115"], { psmos: [psmo.delete(A)] }, /fallback is to return/, {
    options: profiles({}, { fallbackAttribute: true }),
    prepare: (reader) => {
      reader.es10("BF5D03800100");
      reader.start();
    },
  }),
  inPackage("listProfileInfo behind a change is profileChangeOngoing", ["830100", "BF2D0381010B"], { psmos: [psmo.enable(B), psmo.list] }, /before in the same package/),
  inPackage("listProfileInfo by an unknown criterion is incorrectInputValues", ["BF2D03810101"], { psmos: [fromHex("BF2D05A003990100")] }, /search by/),
  inPackage("setFallbackAttribute on a Profile without fallbackAllowed is fallbackNotAllowed", ["8D0102"], { psmos: [psmo.setFallback(B)] }, /fallbackAllowed/),
  inPackage("setFallbackAttribute while the fallback Profile is enabled is fallbackProfileEnabled", ["8D0103"], { psmos: [psmo.setFallback(B)] }, /is enabled/, {
    options: profiles({ fallbackAttribute: true }, { fallbackAllowed: true }),
  }),
  inPackage("unsetFallbackAttribute without one is noFallbackAttribute", ["8E0102"], { psmos: [psmo.unsetFallback] }, /fallback attribute/),
  inPackage("an unknown command ends the package as unknownOrDamagedCommand", ["840100", "020102"], { psmos: [psmo.disable(A), fromHex("AF00"), psmo.list] }, /AF is unknown/),
  inPackage("a damaged command ends the package as unknownOrDamagedCommand", ["020102"], { psmos: [fromHex("A3045A020102")] }, /2 octets, expected 10/),
  inPackage("an OBJECT IDENTIFIER without content in configureImmediateEnable is commandError", ["870107"], { psmos: [fromHex("A70480008100")] }, /defaultSmdpOid/),
];

const ecos: RefusalCase[] = [
  inPackage("addEim of a known eimId is associatedEimAlreadyExists", ["A803020102"], { ecos: [add(eim({ eimId: EIM_ID }))] }, /associated already/),
  inPackage("addEim without room is insufficientMemory", ["A803020101"], { ecos: [add(eim())] }, /no room/, { options: ordinary({ limits: { eims: 1 } }) }),
  inPackage("addEim with a token of its own is invalidAssociationToken", ["A803020105"], { ecos: [add(eim({ associationToken: 1 }))] }, /expected associationToken -1/),
  inPackage("addEim for an unknown CI is ciPKUnknown", ["A803020103"], { ecos: [add(eim({ euiccCiPkId: new Uint8Array(20) }))] }, /list for signing/),
  inPackage("addEim with a counter out of range is counterValueOutOfRange", ["A803020106"], { ecos: [add(eim({ counterValue: 0x800000 }))] }, /8388608/),
  inPackage("addEim without a key is commandError", ["A803020107"], { ecos: [add(eimConfigurationData({ eimId: "new" }))] }, /eimPublicKeyData is missing/),
  inPackage("addEim of a nested key object is commandError", ["A803020107"], { ecos: [tlv(0xa8, fromHex("800165830100"), tlv(0xa5, tlv(0xa0, key())))] }, /expected a key/),
  inPackage("addEim with a key of an unsupported curve is commandError", ["A803020107"], { ecos: [add(eim({ publicKey: spki("brainpoolP256r1", keyPairFromSeed("brainpoolP256r1", "x").publicKey) }))] }, /does not support/),
  inPackage("deleteEim of an unknown eIM is eimNotFound", ["890101"], { ecos: [tlv(0xa9, tlv(0x80, utf8("nobody")))] }, /no such eIM/),
  inPackage("updateEim of an unknown eIM is eimNotFound", ["8A0101"], { ecos: [tlv(0xaa, tlv(0x80, utf8("nobody")))] }, /not associated/),
  inPackage("updateEim of nothing is commandError", ["8A0107"], { ecos: [update()] }, /nothing to update/),
  inPackage("updateEim with an associationToken is commandError", ["8A0107"], { ecos: [update(fromHex("8401FF"))] }, /associationToken/),
];

const functions: RefusalCase[] = [
  { title: "AddInitialEim while an eIM is associated is associatedEimAlreadyExists", es10: addInitial(eim()), answer: "BF5703810102", why: /associated already/ },
  { title: "AddInitialEim of the same eimId twice is associatedEimAlreadyExists", options: unassociated(), es10: addInitial(eim(), eim()), answer: "BF5703810102", why: /associated already/ },
  { title: "AddInitialEim beyond the room is insufficientMemory", options: ordinary({ eims: [], limits: { eims: 1 } }), es10: addInitial(eim(), eim({ eimId: "b" })), answer: "BF5703810101", why: /no room/ },
  { title: "AddInitialEim without counterValue is commandError", options: unassociated(), es10: addInitial(without(0x83, eim())), answer: "BF5703810107", why: /counterValue is missing/ },
  { title: "AddInitialEim with a token other than -1 is invalidAssociationToken", options: unassociated(), es10: addInitial(eim({ associationToken: 3 })), answer: "BF5703810105", why: /-1, got 3/ },
  { title: "AddInitialEim of an empty list is commandError", options: unassociated(), es10: fromHex("BF5702A000"), answer: "BF5703810107", why: /empty/ },
  { title: "RemoveNotificationFromList of an unknown number is nothingToDelete", es10: fromHex("BF3003800163"), answer: "BF3003800101", why: /99/ },
  { title: "RetrieveNotificationsList by an unknown criterion is undefinedError", es10: fromHex("BF2B05A003830105"), answer: "BF2B0381017F", why: /criterion/ },
  { title: "GetProfilesInfo with an empty tag list is incorrectInputValues", es10: fromHex("BF2D025C00"), answer: "BF2D03810101", why: /empty/ },
  { title: "GetCerts of an unknown CI is invalidCiPKId", es10: fromHex("BF561680143333333333333333333333333333333333333333"), answer: "BF5603810101", why: /CI key id/ },
  { title: "ProfileRollback without a grant is rollbackNotAllowed", es10: fromHex("BF58038001FF"), answer: "BF5803020101", why: /no rollback/ },
  { title: "a refreshFlag with the universal tag is commandError", es10: fromHex("BF58030101FF"), answer: "BF5803020107", why: /expected refreshFlag/ },
  { title: "a refreshFlag that is not DER is commandError", es10: fromHex("BF5D03800101"), answer: "BF5D03800107", why: /expected refreshFlag/ },
  { title: "ExecuteFallbackMechanism without an enabled Profile is commandError", options: profiles({ enabled: false }), es10: fromHex("BF5D03800100"), answer: "BF5D03800107", why: /no Profile is enabled/ },
  { title: "ExecuteFallbackMechanism without a fallback Profile is fallbackNotAvailable", es10: fromHex("BF5D03800100"), answer: "BF5D03800106", why: /fallback attribute/ },
  { title: "ExecuteFallbackMechanism during an eCall is ecallActive", options: profiles({ ecall: true }, { fallbackAttribute: true }), es10: fromHex("BF5D03800100"), answer: "BF5D03800168", why: /Emergency Profile/ },
  { title: "ExecuteFallbackMechanism to the enabled Profile is profileNotInDisabledState", options: profiles({ fallbackAttribute: true }), es10: fromHex("BF5D03800100"), answer: "BF5D03800102", why: /enabled already/ },
  { title: "ReturnFromFallback without a fallback is fallbackNotAvailable", es10: fromHex("BF5E03800100"), answer: "BF5E03800106", why: /not the fallback/ },
  { title: "EnableEmergencyProfile without one is ecallNotAvailable", es10: fromHex("BF5B03800100"), answer: "BF5B03800108", why: /no Emergency/ },
  { title: "DisableEmergencyProfile while none is enabled is profileNotInEnabledState", es10: fromHex("BF5C03800100"), answer: "BF5C03800102", why: /no Emergency/ },
  { title: "ImmediateEnable that is not configured is immediateEnableNotAvailable", es10: fromHex("BF5A03800100"), answer: "BF5A03800101", why: /not configured/ },
  { title: "ImmediateEnable without a session just before is noSessionContext", options: ordinary({ immediateEnable: true }), es10: fromHex("BF5A03800100"), answer: "BF5A03800104", why: /session/ },
  { title: "ConfigureImmediateProfileEnabling while an eIM is associated is associatedEimAlreadyExists", es10: fromHex("BF59028000"), answer: "BF5903800102", why: /associated/ },
  { title: "GetConnectivityParameters of a Profile without any is parametersNotAvailable", es10: fromHex("BF5F00"), answer: "BF5F03810101", why: /has none/ },
  { title: "EuiccMemoryReset during an eCall is ecallActive", options: profiles({ ecall: true }), es10: fromHex("BF640482020780"), answer: "BF6403800168", why: /Emergency/ },
  { title: "EuiccMemoryReset of eIM data alone tells nothingToDelete for Profiles", es10: fromHex("BF640482020204"), answer: "BF6406800101810100", changes: true, why: /no Profile is of a class/ },
  { title: "EuiccMemoryReset of eIM data that the card does not reset is eimResetNotSupported", options: ordinary({ features: { eimReset: false } }), es10: fromHex("BF640482020204"), answer: "BF6406800101810102", why: /does not reset eIM/ },
];

const apdus: RefusalCase[] = [
  { title: "GetEID with any other data object than 5A is 6A80", es10: fromHex("BF3E035C0180"), sw: 0x6a80, why: /nothing else/ },
  { title: "a command that is more than one data object is 6A80", es10: fromHex("BF3E035C015A00"), sw: 0x6a80, why: /follow the data object/ },
  { title: "a command with a length that is not minimal is 6A80", es10: fromHex("BF558100"), sw: 0x6a80, why: /not minimal/ },
  { title: "a cut-off command is 6A80", es10: fromHex("BF3E035C"), sw: 0x6a80, why: /cut off/ },
  { title: "content where a function has none is 6A80", es10: fromHex("BF220180"), sw: 0x6a80, why: /none are expected/ },
  { title: "an unknown function is 6A88", es10: fromHex("BF7000"), sw: 0x6a88, why: /BF70/ },
  { title: "SGP.22's EnableProfile is no function of an IoT eUICC", es10: fromHex("BF3111A00C5A0A980010325476981032148101FF"), sw: 0x6a88, why: /BF31/ },
  { title: "a block number that is not the next one is 6A86", apdu: fromHex("81E2910106BF3E035C015A"), sw: 0x6a86, why: /block 01, expected 00/ },
  { title: "a repeated block number is 6A86", prepare: (reader) => void reader.send("81E2110003BF3E03"), apdu: fromHex("81E29100035C015A"), sw: 0x6a86, why: /block 00, expected 01/ },
  { title: "block numbers do not wrap: block 256 is 6A86", prepare: (reader) => block256(reader), apdu: fromHex("81E291000100"), sw: 0x6a86, why: /expected 100/ },
  { title: "any P1 but 11 and 91 is 6A86", apdu: fromHex("81E2900006BF3E035C015A"), sw: 0x6a86, why: /P1 90/ },
  { title: "an Lc that is not the length of the data is 6700", apdu: fromHex("81E2910008BF3E035C015A"), sw: 0x6700, why: /Lc 8/ },
  { title: "an Le behind STORE DATA is 6700 on T=0", apdu: fromHex("81E2910006BF3E035C015A00"), sw: 0x6700, why: /case 3/ },
  { title: "STORE DATA without data is 6700", apdu: fromHex("81E2910000"), sw: 0x6700, why: /without data/ },
  { title: "a block longer than the card takes is 6700", options: ordinary({ apdu: { blockSize: 5 } }), apdu: fromHex("81E2910006BF3E035C015A"), sw: 0x6700, why: /at most 5/ },
  { title: "a command longer than the card's memory is 6A84", options: ordinary({ limits: { command: 5 } }), es10: fromHex("BF3E035C015A"), sw: 0x6a84, why: /more than 5/ },
  { title: "STORE DATA in the interindustry class is 6E00", apdu: fromHex("01E2910006BF3E035C015A"), sw: 0x6e00, why: /class 01/ },
  { title: "STORE DATA where no ISD-R is selected is 6D00", apdu: fromHex("80E2910006BF3E035C015A"), sw: 0x6d00, why: /no ISD-R/ },
  { title: "a channel that is not open is 6881", apdu: fromHex("82E2910006BF3E035C015A"), sw: 0x6881, why: /channel 2/ },
  { title: "secure messaging is 6882", apdu: fromHex("85E2910006BF3E035C015A"), sw: 0x6882, why: /secure messaging/ },
  { title: "a GSM class is 6E00", apdu: fromHex("A0A40000023F00"), sw: 0x6e00, why: /class A0/ },
  { title: "GET RESPONSE without response data is 6985", prepare: (reader) => void reader.send("01C0000023"), apdu: fromHex("01C0000010"), sw: 0x6985, why: /without response data/ },
  { title: "GET RESPONSE between two blocks is 6985", prepare: (reader) => void reader.send("81E2110003BF3E03"), apdu: fromHex("01C0000010"), sw: 0x6985, why: /without response data/ },
  { title: "more channels than the card has are 6A81", prepare: (reader) => ["0070000001", "0070000001"].forEach((open) => reader.send(open)), apdu: fromHex("0070000001"), sw: 0x6a81, why: /3 channels/ },
  { title: "a refused channel is told by the configured status word", options: ordinary({ apdu: { refuseChannel: 0x6881 } }), apdu: fromHex("0070000001"), sw: 0x6881, why: /as configured/ },
  { title: "SELECT of the ISD-R on a UICC without eUICC is 6A82", options: ordinary({ apdu: { noIsdr: true } }), apdu: fromHex("01A4040010A0000005591010FFFFFFFF8900000100"), sw: 0x6a82, why: /no application/ },
  { title: "SELECT of another AID is 6A82", apdu: fromHex("01A4040010A0000005591010FFFFFFFF8900000200"), sw: 0x6a82, why: /no application/ },
  { title: "SELECT of the ISD-R on the basic channel can be 6999", options: ordinary({ apdu: { refuseBasicChannel: 0x6999 } }), apdu: fromHex("00A4040010A0000005591010FFFFFFFF8900000100"), sw: 0x6999, why: /basic channel/ },
  { title: "FETCH without a proactive command is 6985", apdu: fromHex("801200000B"), sw: 0x6985, why: /FETCH/ },
  { title: "FETCH with another length is 6Cxx", prepare: (reader) => void reader.es10(euiccPackage({ psmos: [psmo.enable(B)] })), apdu: fromHex("8012000000"), sw: 0x6c0b, why: /Le 0/ },
  { title: "a TERMINAL CAPABILITY without its template is 6A80", apdu: fromHex("80AA000003840101"), sw: 0x6a80, why: /A9/ },
];

export const REFUSALS: readonly RefusalCase[] = [...packages, ...psmos, ...ecos, ...functions, ...apdus];

function block256(reader: Reader): void {
  for (let block = 0; block < 256; block++) reader.send(concat(fromHex("81E211"), Uint8Array.of(block, 1, 0xbf)));
}
