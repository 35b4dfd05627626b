/**
 * Which type a data object may have when nothing is around it: by tag, all that SGP.32 v1.2 and SGP.22 v2.5 have.
 * A tag alone does not tell a request from its response, nor ESipa from ES10b; describe.ts takes the type that fits best.
 */
import {
  certificate, eid, eimConfigurationData, euiccCancelSessionSigned, euiccSigned1, euiccSigned2, iccid, otherSignedNotification, publicKey, serverSigned1, signature, smdpSigned2,
} from "./names-common.js";
import { ES10, euiccPackageErrorDataSigned, euiccPackageResultDataSigned, euiccPackageSigned } from "./names-es10.js";
import { ESIPA, RSP } from "./names-esipa.js";
import type { Type } from "./schema.js";

export interface Root {
  readonly tag: number;
  /** ASN.1 type; for a message of ESipa, that of the message. */
  readonly type: string;
  /** Name of the alternative in a message of ESipa. */
  readonly alternative?: string;
  readonly shape: Type;
}

/** Types whose tag says little: what is signed, certificates, single values. */
const PARTS: readonly (readonly [tag: number, name: string, type: Type])[] = [
  [0x30, "Certificate", certificate], [0x30, "SubjectPublicKeyInfo", publicKey], [0x30, "EimConfigurationData", eimConfigurationData], [0x30, "EuiccPackageSigned", euiccPackageSigned],
  [0x30, "EuiccPackageResultDataSigned", euiccPackageResultDataSigned], [0x30, "EuiccPackageErrorDataSigned", euiccPackageErrorDataSigned], [0x30, "OtherSignedNotification", otherSignedNotification],
  [0x30, "ServerSigned1", serverSigned1], [0x30, "EuiccSigned1", euiccSigned1], [0x30, "SmdpSigned2", smdpSigned2], [0x30, "EuiccSigned2", euiccSigned2], [0x30, "EuiccCancelSessionSigned", euiccCancelSessionSigned],
  [0x5a, "eidValue", eid], [0x5a, "Iccid", iccid], [0x5f37, "signature", signature],
];

const ROOTS: readonly Root[] = [
  ...ES10.map(([tag, type, shape]) => ({ tag, type, shape })),
  ...ESIPA.map(([tag, type, alternative, shape]) => ({ tag, type, alternative, shape })),
  ...RSP.map(([tag, type, shape]) => ({ tag, type, shape })),
  ...PARTS.map(([tag, type, shape]) => ({ tag, type, shape })),
];

/** The types that begin with `tag`, the likelier ones first. */
export function rootsOf(tag: number): readonly Root[] {
  return ROOTS.filter((root) => root.tag === tag);
}
