/**
 * How a simulated eUICC is to be: what it holds when it leaves the factory, how it behaves on the wire, and in what it deviates from
 * SGP.32 v1.2 the way real cards were seen to. Everything has a default; the default card is strict.
 */
import type { Pki } from "../pki/pki.js";
import { makePki } from "../pki/pki.js";
import { parseCertificate, type Certificate } from "../pki/certificate.js";
import type { Curve, KeyPair } from "../pki/keys.js";
import { SimError } from "../core/errors.js";
import { withFreeMemory } from "./download/memory.js";

/** Deviations of real cards and simulators, each by name (a peer has to take them). */
export const QUIRKS = [
  /** ProfileInfo encodes fallbackAttribute, ecallIndication and fallbackAllowed even when FALSE. */
  "explicit-defaults",
  /** Lengths of the answer and of its members take one octet more than needed. */
  "non-minimal-lengths",
  /** An unknown data object stands at the end of each answer. */
  "unknown-trailing",
  /** RemoveNotificationFromList answers BF30 00. */
  "bf30-empty",
  /** Empty notification and EPR lists are BF2B 00. */
  "bf2b-empty",
  /** cmdResult of ProfileRollback is 80 instead of 02. */
  "rollback-result-80",
  /** GetCerts answers BF56{A0{A5{30..}}, A1{A6{30..}}}. */
  "certificates-nested",
  /** GetEimConfigurationData: one A0 per eIM, A5 and A6 behind 89, counterValue included. */
  "eim-list-split",
  /** GetEimConfigurationData tells applied defaults (82, 87, 88). */
  "eim-defaults",
  /** listEimResult is AB{30{30..}}. */
  "list-eim-30",
  /** listEimResult has eimIdType as 84 (v1.0). */
  "list-eim-type-84",
  /** An empty Rules Authorisation Table is BF43{30 00}. */
  "rat-30",
  /** GetConnectivityParameters answers 81 without A0, errors as 80. */
  "connectivity-bare",
  /** listProfileInfo's error is 02 instead of 81. */
  "profile-info-error-02",
  /** Package results and profile lists come without the inner A0. */
  "no-inner-a0",
  /** ReturnFromFallback without a Profile to return to answers 7 instead of 6. */
  "no-return-profile-7",
  /** A v1.0 eUICC: EUICCInfo2 without ipaMode (90) and iotSpecificInfo (B4). */
  "info2-v1.0",
  /** The ProfileInstallationResult of success answers the last but one 86; the last one is not awaited. */
  "pir-early",
] as const;
export type Quirk = (typeof QUIRKS)[number];

export interface ProfileOptions {
  /** 19 or 20 digits. */
  iccid: string;
  aid?: Uint8Array;
  enabled?: boolean;
  class?: "test" | "provisioning" | "operational";
  nickname?: string;
  serviceProviderName?: string;
  profileName?: string;
  icon?: { type: "jpg" | "png"; data: Uint8Array };
  /** notificationConfigurationInfo: which events are told to whom. */
  notifications?: readonly { events: readonly ("install" | "enable" | "disable" | "delete")[]; address: string }[];
  /** profileOwner; mccMnc as "262-01" or "310-410". */
  owner?: { mccMnc: string; gid1?: Uint8Array; gid2?: Uint8Array };
  dpOid?: string;
  policyRules?: readonly ("pprUpdateControl" | "ppr1" | "ppr2")[];
  fallbackAttribute?: boolean;
  fallbackAllowed?: boolean;
  /** ecallIndication: TRUE makes it the Emergency Profile. */
  ecall?: boolean;
  connectivity?: Uint8Array;
  preloaded?: boolean;
}

/** A rule of the Rules Authorisation Table (SGP.22 v2.5 2.9.2.3). mccMnc may hold E as a wildcard digit. */
export interface RuleOptions {
  pprIds: readonly ("pprUpdateControl" | "ppr1" | "ppr2")[];
  allowedOperators: readonly { mccMnc: string; gid1?: Uint8Array; gid2?: Uint8Array }[];
  consentRequired?: boolean;
}

/** EimConfigurationData by fields; see eimConfigurationData. */
export interface EimOptions {
  eimId: string;
  fqdn?: string;
  idType?: "oid" | "fqdn" | "proprietary";
  counterValue?: number;
  /** -1 asks the card to allocate one. A factory card may hold any value from 1 upwards. */
  associationToken?: number;
  /** eimPublicKeyData: a key (DER SubjectPublicKeyInfo) or a certificate (DER). */
  publicKey?: Uint8Array;
  certificate?: Uint8Array;
  /** trustedPublicKeyDataTls, likewise. */
  tlsPublicKey?: Uint8Array;
  tlsCertificate?: Uint8Array;
  /** Bits of eimSupportedProtocol: 0 retrieveHttps, 1 retrieveCoaps, 2 injectHttps, 3 injectCoaps, 4 proprietary. */
  protocols?: readonly number[];
  euiccCiPkId?: Uint8Array;
  indirectProfileDownload?: boolean;
}

/** Behaviour of the APDU layer. */
export interface ApduOptions {
  /** How response data are told: "61xx" (T=0), "9000" (data come along), "6Cxx" (repeat with that Le). */
  response: "61xx" | "9000" | "6Cxx";
  /** Most octets in one response, 1 to 256. */
  responseChunk: number;
  /** A Le octet behind STORE DATA (case 4) is taken. Always so unless response is "61xx". */
  caseFour: boolean;
  /** Classes that GET RESPONSE may have. */
  getResponseClass: "both" | "0X" | "8X";
  /** Longest STORE DATA block, 1 to 255. */
  blockSize: number;
  /** Channel number given to the first MANAGE CHANNEL, 1 to 19; the next free ones follow. */
  firstChannel: number;
  /** How many channels beside the basic one can be open at a time. */
  channels: number;
  /** MANAGE CHANNEL open is refused with this SW. */
  refuseChannel: number | null;
  /** SELECT of the ISD-R on the basic channel is refused with this SW (real: 6999). */
  refuseBasicChannel: number | null;
  /** SELECT of the ISD-R answers 6A82: a UICC without eUICC. */
  noIsdr: boolean;
  /** SELECT answers 9000 without FCI. */
  noFci: boolean;
  /** SW of TERMINAL CAPABILITY. A card that does not know the command cannot gate on it. */
  terminalCapability: number;
  /** SW of the second and each further TERMINAL CAPABILITY after a reset. */
  terminalCapabilityAgain: number;
  /** ES10 functions are refused with 6985 until TERMINAL CAPABILITY announced an LPA or IPAd. */
  gate: boolean;
  /** When 91xx tells the REFRESH after a switch: "early" is straight on the last block, with the result still to be fetched. */
  refresh: "after-result" | "early" | "after-status" | "never";
  /** Qualifier of REFRESH: 4 UICC reset, 9 eUICC profile state change. */
  refreshQualifier: number;
  /** REFRESH only for terminals whose TERMINAL PROFILE announced it. */
  refreshNeedsProfile: boolean;
  /** ES10 functions are refused with 6985 from the switch until the reset. */
  refuseAfterSwitch: boolean;
  /** SW of an ES10 command tag that the card does not know. */
  unknownFunction: number;
}

export interface Limits {
  /** eIMs that can be associated. */
  eims: number;
  /** EPRs kept; the oldest one is dropped for a new one. */
  eprs: number;
  /** Greatest counterValue; 0x7FFFFF is the least allowed. */
  counterValue: number;
  /** Longest euiccPackageSigned, in octets. */
  package: number;
  /** Longest list of results in an EPR, in octets. */
  result: number;
  /** Longest ES10 command, in octets. */
  command: number;
}

export interface Features {
  fallback: boolean;
  ecall: boolean;
  /** "absent"; "supported": the device may choose; "active": IPAe runs until an IPAd is announced. */
  ipae: "absent" | "supported" | "active";
  eimReset: boolean;
  immediateEnableReset: boolean;
}

/** EUICCInfo: versions as three numbers. */
export interface InfoOptions {
  profileVersion: readonly number[];
  svn: readonly number[];
  firmware: readonly number[];
  iotVersions: readonly (readonly number[])[];
  /** TS 102 226: 81 applications, 82 free non-volatile memory, 83 free volatile memory. */
  extCardResource: Uint8Array;
  /** Content of the BIT STRINGs, count of unused bits first. */
  uiccCapability: Uint8Array;
  rspCapability: Uint8Array;
  forbiddenPolicyRules: readonly ("pprUpdateControl" | "ppr1" | "ppr2")[];
  ppVersion: readonly number[];
  sasAccreditationNumber: string;
}

/** Behaviour during a profile download. */
export interface DownloadOptions {
  /** What a power cut leaves once the secure channel is up: a result with errorReason interruption, or nothing. */
  interrupted: "pir" | "discard";
  /** Blocks of more than 1020 octets are refused, as the rule has it. Real SM-DP+ make them. */
  strictBlocks: boolean;
  /** A package is lost with its logical channel: seen as 6985 when another one goes on with it. */
  channelBound: boolean;
  /** One-time keys that are kept for bppEuiccOtpk; the oldest one gives way. */
  oneTimeKeys: number;
  /** Octets free for downloaded Profiles on the factory card; default: what extCardResource tells. */
  freeMemory: number | null;
}

export interface EuiccOptions {
  /** One or several trust chains; the first one is the default for signing. Default: one made from the seed "euicc". */
  pki?: Pki | readonly Pki[];
  /** 32 digits; default: the EID of the first chain. */
  eid?: string;
  profiles?: readonly ProfileOptions[];
  /** EimConfigurationData: the whole 30 object, or fields. */
  eims?: readonly (Uint8Array | EimOptions)[];
  rat?: readonly RuleOptions[];
  defaultDpAddress?: string;
  rootDsAddress?: string;
  /** First seqNumber given to a notification or EPR. */
  firstSeqNumber?: number;
  immediateEnable?: boolean;
  apdu?: Partial<ApduOptions>;
  limits?: Partial<Limits>;
  features?: Partial<Features>;
  info?: Partial<InfoOptions>;
  download?: Partial<DownloadOptions>;
  /** Seed of challenges and one-time keys. */
  seed?: number;
  quirks?: readonly Quirk[];
  /** Accept the deviating requests of the field as well (01 for refreshFlag, 04 in GetCerts, BF2B{82 00}, nested A5/A6, non-minimal lengths). */
  lenient?: boolean;
}

/** One chain that the card can sign under, and whose CI it trusts. */
export interface Chain {
  ciPkId: Uint8Array;
  ci: Certificate;
  curve: Curve;
  key: KeyPair;
  euiccCertificate: Uint8Array;
  eumCertificate: Uint8Array;
}

/** The options with every default applied; never changes. */
export interface Config {
  chains: readonly [Chain, ...Chain[]];
  eid: string;
  rat: readonly RuleOptions[];
  rootDsAddress: string;
  apdu: ApduOptions;
  limits: Limits;
  features: Features;
  info: InfoOptions;
  download: DownloadOptions;
  seed: number;
  quirks: ReadonlySet<Quirk>;
  lenient: boolean;
}

const APDU: ApduOptions = {
  response: "61xx",
  responseChunk: 256,
  caseFour: false,
  getResponseClass: "both",
  blockSize: 255,
  firstChannel: 1,
  channels: 3,
  refuseChannel: null,
  refuseBasicChannel: null,
  noIsdr: false,
  noFci: false,
  terminalCapability: 0x9000,
  terminalCapabilityAgain: 0x9000,
  gate: true,
  refresh: "after-result",
  refreshQualifier: 4,
  refreshNeedsProfile: true,
  refuseAfterSwitch: true,
  unknownFunction: 0x6a88,
};

const LIMITS: Limits = { eims: 8, eprs: 8, counterValue: 0x7fffff, package: 16384, result: 16384, command: 65280 };

const FEATURES: Features = { fallback: true, ecall: true, ipae: "absent", eimReset: true, immediateEnableReset: true };

const INFO: InfoOptions = {
  profileVersion: [2, 3, 1],
  svn: [2, 5, 0],
  firmware: [1, 0, 0],
  iotVersions: [[1, 2, 0]],
  extCardResource: Uint8Array.of(0x81, 0x01, 0x00, 0x82, 0x04, 0x00, 0x06, 0x8d, 0x80, 0x83, 0x04, 0x00, 0x00, 0x10, 0x00),
  uiccCapability: Uint8Array.of(0x05, 0x07, 0xe0),
  rspCapability: Uint8Array.of(0x02, 0x98),
  forbiddenPolicyRules: [],
  ppVersion: [1, 0, 0],
  sasAccreditationNumber: "XX-YY",
};

const DOWNLOAD: DownloadOptions = { interrupted: "pir", strictBlocks: false, channelBound: false, oneTimeKeys: 2, freeMemory: null };

/** Applies the defaults. Throws RangeError for a value out of range, SimError "quirk" for an unknown quirk. */
export function configure(options: EuiccOptions): Config {
  const pkis = options.pki === undefined ? [makePki({ seed: "euicc" })] : Array.isArray(options.pki) ? (options.pki as readonly Pki[]) : [options.pki as Pki];
  const [first, ...others] = pkis.map(chain);
  if (first === undefined) throw new RangeError("expected at least one PKI, got none");
  for (const quirk of options.quirks ?? []) {
    if (!QUIRKS.includes(quirk)) throw new SimError("quirk", `expected one of ${QUIRKS.join(", ")}, got "${String(quirk)}"`);
  }
  const info: InfoOptions = { ...INFO, ...options.info };
  const download: DownloadOptions = { ...DOWNLOAD, ...options.download };
  const config: Config = {
    chains: [first, ...others],
    eid: options.eid ?? (pkis[0] as Pki).eid,
    rat: options.rat ?? [],
    rootDsAddress: options.rootDsAddress ?? "lpa.ds.example.com",
    apdu: { ...APDU, ...options.apdu },
    limits: { ...LIMITS, ...options.limits },
    features: { ...FEATURES, ...options.features },
    info: download.freeMemory === null ? info : { ...info, extCardResource: withFreeMemory(info.extCardResource, download.freeMemory) },
    download,
    seed: options.seed ?? 1,
    quirks: new Set(options.quirks ?? []),
    lenient: options.lenient ?? false,
  };
  within("apdu.responseChunk", config.apdu.responseChunk, 1, 256);
  within("apdu.blockSize", config.apdu.blockSize, 1, 255);
  within("apdu.firstChannel", config.apdu.firstChannel, 1, 19);
  within("download.oneTimeKeys", download.oneTimeKeys, 1, 16);
  within("apdu.channels", config.apdu.channels, 0, 20 - config.apdu.firstChannel);
  return config;
}

function chain(pki: Pki): Chain {
  const ci = parseCertificate(pki.ci.certificate);
  const id = ci.subjectKeyId;
  if (id === undefined) throw new SimError("pki", "expected a CI certificate with subjectKeyIdentifier, got one without");
  return { ciPkId: id, ci, curve: pki.curve, key: pki.euicc.key, euiccCertificate: pki.euicc.certificate, eumCertificate: pki.eum.certificate };
}

function within(name: string, value: number, low: number, high: number): void {
  if (!(value >= low && value <= high)) throw new RangeError(`expected ${name} from ${low} to ${high}, got ${value}`);
}
