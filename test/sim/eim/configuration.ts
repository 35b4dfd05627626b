/**
 * EimConfigurationData: what a card stores about an eIM (SGP.32 v1.2 2.11.1, 5.9.4; types 4.2).
 * A5 and A6 are explicit wrappers (their type is a CHOICE) around an implicit A0 (SubjectPublicKeyInfo) or A1 (Certificate);
 * `nested` writes the form seen in the field that keeps the inner 30, which a strict decoder refuses.
 */
import { bits, integer, readOne, tlv } from "../codec/tlv.js";
import { parseCertificate } from "../pki/certificate.js";
import { boundedUtf8 } from "./identifiers.js";

/** eimIdType. */
export enum EimIdType {
  Oid = 1,
  Fqdn = 2,
  Proprietary = 3,
}

/** Bits of eimSupportedProtocol. */
export enum EimProtocol {
  RetrieveHttps = 0,
  RetrieveCoaps = 1,
  InjectHttps = 2,
  InjectCoaps = 3,
  Proprietary = 4,
}

/** How a key is given to the card. */
export type KeyForm = "key" | "certificate" | "none";

export interface ConfigurationOptions {
  /** eimFqdn; with `:port` where a laboratory wants it. Default: the eIM's own; null leaves it out. */
  readonly fqdn?: string | null;
  /** Default: the eIM's; null leaves it out (the card then takes proprietary). */
  readonly eimIdType?: EimIdType | null;
  /** Default 0, so that the first package (1) is accepted; null leaves it out. */
  readonly counter?: number | null;
  /** associationToken: "request" asks the card to allocate one (-1). Default: absent. */
  readonly associationToken?: "request" | number;
  /** eimPublicKeyData, default "key". */
  readonly signer?: KeyForm;
  /** trustedPublicKeyDataTls, default "key". */
  readonly trust?: KeyForm;
  /** Certificate for A6 in place of the eIM's own TLS certificate: a CA, for example. */
  readonly trustCertificate?: Uint8Array;
  /** eimSupportedProtocol, default retrieveHttps; null leaves it out. */
  readonly protocols?: readonly EimProtocol[] | null;
  readonly euiccCiPkId?: Uint8Array;
  /** The eIM can relay downloads: default false. */
  readonly indirectProfileDownload?: boolean;
  /** The deviant form of A5 and A6. */
  readonly nested?: boolean;
}

/** What of the eIM goes into its configuration. */
export interface ConfigurationSource {
  readonly eimId: string;
  readonly eimIdType: EimIdType;
  readonly fqdn: string;
  readonly signCertificate: Uint8Array;
  readonly tlsCertificate?: Uint8Array;
}

/** EimConfigurationData as list element, tag 30. Throws TypeError when A6 is wanted and the eIM has no TLS certificate. */
export function eimConfigurationData(eim: ConfigurationSource, options: ConfigurationOptions = {}): Uint8Array {
  const fqdn = options.fqdn === undefined ? eim.fqdn : options.fqdn;
  const type = options.eimIdType === undefined ? eim.eimIdType : options.eimIdType;
  const counter = options.counter === undefined ? 0 : options.counter;
  const token = options.associationToken === "request" ? -1 : options.associationToken;
  const protocols = options.protocols === undefined ? [EimProtocol.RetrieveHttps] : options.protocols;
  const nested = options.nested === true;
  return tlv(
    0x30,
    tlv(0x80, boundedUtf8(eim.eimId, "an eimId", 1, 128)),
    fqdn === null ? [] : tlv(0x81, boundedUtf8(fqdn, "an eimFqdn", 1, 255)),
    type === null ? [] : tlv(0x82, integer(type)),
    counter === null ? [] : tlv(0x83, integer(counter)),
    token === undefined ? [] : tlv(0x84, integer(token)),
    keyData(0xa5, options.signer ?? "key", eim.signCertificate, nested),
    keyData(0xa6, options.trust ?? "key", options.trustCertificate ?? eim.tlsCertificate, nested),
    protocols === null ? [] : tlv(0x87, bits(...protocols)),
    options.euiccCiPkId === undefined ? [] : tlv(0x88, options.euiccCiPkId),
    options.indirectProfileDownload === true ? tlv(0x89) : [],
  );
}

function keyData(tag: number, form: KeyForm, certificate: Uint8Array | undefined, nested: boolean): Uint8Array {
  if (form === "none") return new Uint8Array(0);
  if (certificate === undefined) throw new TypeError(`expected a certificate for ${tag.toString(16).toUpperCase()}, the eIM has none: choose "none" or give it one`);
  const object = form === "key" ? parseCertificate(certificate).spki : certificate;
  const inner = form === "key" ? 0xa0 : 0xa1;
  return tlv(tag, tlv(inner, nested ? object : readOne(object, 0x30).value));
}
