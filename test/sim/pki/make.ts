/**
 * Makes the keys and certificates of one simulated world: CI, EUM, eUICC, SM-DP+ and eIM (roles: SGP.22 v2.5 4.5.2, SGP.32 v1.2 2.6),
 * all of them from a seed, or those that a directory (load.ts) does not hold.
 * Left out: CRLs, SM-DS certificates, more than one CI. The TLS keys are always P-256, since TLS stacks refuse brainpool.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { utf8 } from "../core/bytes.js";
import { SimError } from "../core/errors.js";
import { issueCertificate, KeyUsage, parseCertificate, Policy, type IssueOptions } from "./certificate.js";
import { keyPairFromSeed, type Curve, type KeyPair } from "./keys.js";

export interface Identity {
  key: KeyPair;
  /** DER. */
  certificate: Uint8Array;
}

/** A CA: without its key nothing more can be issued under it. */
export interface Issuer {
  certificate: Uint8Array;
  key?: KeyPair;
}

export interface Pki {
  /** Curve of the CI and of all signing keys. */
  curve: Curve;
  /** 32 digits. */
  eid: string;
  ci: Issuer;
  eum: Issuer;
  euicc: Identity;
  dpAuth: Identity;
  dpPb: Identity;
  dpTls: Identity;
  eimSign: Identity;
  /** A self-signed CA that is its own TLS server certificate, so that a pinned key, a pinned certificate and a CA (EimConfigurationData A6) all verify it. */
  eimTls: Identity;
  /** Names of the parts that were made here and not loaded, with the reason where it matters. */
  made: string[];
}

export interface PkiOptions {
  /** The same seed gives the same keys and certificates. */
  seed: string;
  /** Default P-256. */
  curve?: Curve;
  /** 32 digits; default the EID of the GSMA's test eUICC. */
  eid?: string;
  /** DNS names of the eIM's TLS certificate beside localhost and eim.example.com. */
  eimFqdns?: string[];
}

export type Parts = Partial<Pick<Pki, "ci" | "eum" | "euicc" | "dpAuth" | "dpPb" | "dpTls" | "eimSign" | "eimTls">>;

export const DEFAULT_EID = "89049032123451234512345678901235";
const SMDP_OID = "2.999.10";
const EUM_OID = "2.999.5";
const CI_OID = "2.999.1";

/** A whole PKI from a seed. Throws RangeError when the EID is not 32 digits. */
export function makePki(options: PkiOptions): Pki {
  return completePki({}, options);
}

/**
 * Makes what `parts` lacks. Throws SimError "pki" where a missing part must be issued by a CA whose key is not there
 * (TLS and eIM signing certificates are then self-signed, which SGP.32 2.6 allows).
 */
export function completePki(parts: Parts, options: PkiOptions): Pki {
  const curve = options.curve ?? "P-256";
  const eid = options.eid ?? DEFAULT_EID;
  if (!/^[0-9]{32}$/.test(eid)) throw new RangeError(`expected an EID of 32 digits, got "${eid}"`);
  const made: string[] = [];
  const maker = new Maker(options.seed);

  const ci = parts.ci ?? note(made, "ci", maker.ci(curve));
  const eum = parts.eum ?? note(made, "eum", maker.eum(curve, needKey("EUM", "CI", ci)));
  const euicc = parts.euicc ?? note(made, "euicc", maker.euicc(curve, needKey("eUICC", "EUM", eum), eid));
  const dpAuth = parts.dpAuth ?? note(made, "dpAuth", maker.smdp("dpAuth", curve, needKey("SM-DP+ authentication", "CI", ci)));
  const dpPb = parts.dpPb ?? note(made, "dpPb", maker.smdp("dpPb", curve, needKey("SM-DP+ profile binding", "CI", ci)));
  const selfSigned = ci.key ? "" : " (self-signed: the CI's key is not there)";
  const dpTls = parts.dpTls ?? note(made, "dpTls" + selfSigned, maker.dpTls(hasKey(ci)));
  const eimSign = parts.eimSign ?? note(made, "eimSign" + selfSigned, maker.eimSign(curve, hasKey(ci)));
  const eimTls = parts.eimTls ?? note(made, "eimTls", maker.eimTls(options.eimFqdns ?? []));
  return { curve, eid, ci, eum, euicc, dpAuth, dpPb, dpTls, eimSign, eimTls, made };
}

function note<T>(made: string[], name: string, part: T): T {
  made.push(name);
  return part;
}

function hasKey(issuer: Issuer): Identity | undefined {
  return issuer.key && { certificate: issuer.certificate, key: issuer.key };
}

function needKey(what: string, who: string, issuer: Issuer): Identity {
  const identity = hasKey(issuer);
  if (identity === undefined) throw new SimError("pki", `expected a certificate with its private key for ${what}, got none, and none can be issued: the key of the ${who} is not there`);
  return identity;
}

/** Certificates of one seed: each part has its own key, serial number and subject. */
class Maker {
  readonly #seed: string;
  constructor(seed: string) {
    this.#seed = seed;
  }

  ci(curve: Curve): Identity {
    return this.#issue("ci", curve, undefined, {
      subject: [["CN", "tinyipa test CI"], ["O", "tinyipa test"]],
      keyUsage: [KeyUsage.KeyCertSign, KeyUsage.CrlSign], ca: {}, policies: [Policy.ci], registeredId: CI_OID,
    });
  }

  eum(curve: Curve, ci: Identity): Identity {
    return this.#issue("eum", curve, ci, {
      subject: [["C", "ES"], ["O", "tinyipa test EUM"], ["CN", "EUM"]],
      keyUsage: [KeyUsage.KeyCertSign], ca: { pathLength: 0 }, policies: [Policy.eum], registeredId: EUM_OID,
    });
  }

  euicc(curve: Curve, eum: Identity, eid: string): Identity {
    const subject = [["C", "ES"], ["O", "tinyipa test EUM"], ["serialNumber", eid], ["CN", "eUICC"]] as const;
    return this.#issue(`euicc ${eid}`, curve, eum, { subject, keyUsage: [KeyUsage.DigitalSignature], policies: [Policy.euicc] });
  }

  smdp(role: "dpAuth" | "dpPb", curve: Curve, ci: Identity): Identity {
    return this.#issue(role, curve, ci, {
      subject: [["O", "tinyipa test"], ["CN", "SM-DP+"]],
      keyUsage: [KeyUsage.DigitalSignature], policies: [Policy[role]], registeredId: SMDP_OID,
    });
  }

  dpTls(ci: Identity | undefined): Identity {
    return this.#issue("dpTls", "P-256", ci, {
      subject: [["O", "tinyipa test"], ["CN", "smdp.example.com"]], policies: [Policy.dpTls], registeredId: SMDP_OID,
      ...tlsServer(["smdp.example.com", "localhost"], ci === undefined),
    });
  }

  eimSign(curve: Curve, ci: Identity | undefined): Identity {
    return this.#issue("eimSign", curve, ci, {
      subject: [["C", "DE"], ["CN", "eim.example.com"]], keyUsage: [KeyUsage.DigitalSignature], withoutSubjectKeyId: true,
    });
  }

  eimTls(fqdns: readonly string[]): Identity {
    const names = [...new Set(["eim.example.com", "localhost", ...fqdns])];
    return this.#issue("eimTls", "P-256", undefined, { subject: [["O", "tinyipa test"], ["CN", names[0] as string]], ...tlsServer(names, true) });
  }

  /** Key and certificate of one part; the serial number comes from the seed too, 8 octets, positive and not zero. */
  #issue(
    part: string, curve: Curve, issuer: Identity | undefined,
    options: Omit<IssueOptions, "serialNumber" | "publicKey" | "curve" | "issuerKey" | "issuer" | "notBefore" | "notAfter">,
  ): Identity {
    const key = keyPairFromSeed(curve, `${part} ${this.#seed}`);
    const serialNumber = sha256(utf8(`tinyipa serial number ${curve} ${part} ${this.#seed}`)).slice(0, 8);
    serialNumber[0] = 0x40 | ((serialNumber[0] as number) & 0x3f);
    const certificate = issueCertificate({
      ...options, serialNumber, publicKey: key.publicKey, curve,
      issuerKey: issuer?.key ?? key, ...(issuer && { issuer: issuer.certificate }),
      notBefore: new Date(Date.UTC(2020, 0, 1)), notAfter: new Date(Date.UTC(2049, 11, 31, 23, 59, 59)),
    });
    return { key, certificate };
  }
}

function tlsServer(dnsNames: readonly string[], selfSigned: boolean): Pick<IssueOptions, "keyUsage" | "dnsNames" | "ipAddresses" | "serverAuth" | "ca"> {
  const common = { dnsNames, ipAddresses: ["127.0.0.1"], serverAuth: true };
  return selfSigned ? { ...common, keyUsage: [KeyUsage.DigitalSignature, KeyUsage.KeyCertSign], ca: {} } : { ...common, keyUsage: [KeyUsage.DigitalSignature] };
}

/** CERT.EUICC's EID. Throws SimError "pki" when the certificate has none. */
export function eidOf(certificate: Uint8Array): string {
  const eid = parseCertificate(certificate).serialNumberAttribute;
  if (eid === undefined || !/^[0-9]{32}$/.test(eid)) throw new SimError("pki", `expected an EID of 32 digits as serialNumber in CERT.EUICC, got ${eid ?? "none"}`);
  return eid;
}
