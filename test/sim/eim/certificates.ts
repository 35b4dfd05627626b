/**
 * Whose key signs for an eUICC: CERT.EUICC, under CERT.EUM, under a CI root that the eIM trusts (SGP.22 v2.5 4.5.2).
 * Validity dates are not looked at: the simulated world has no calendar.
 */
import { equal } from "../core/bytes.js";
import { isIssuedBy, parseCertificate } from "../pki/certificate.js";
import type { Curve } from "../pki/keys.js";
import type { DeviceState } from "./state.js";

export interface EuiccKey {
  readonly curve: Curve;
  readonly publicKey: Uint8Array;
}

/** The eUICC's key, or the sentence that says why the certificates don't give one. */
export function euiccKey(eid: string, euicc: Uint8Array, eum: Uint8Array | undefined, ciCertificates: readonly Uint8Array[]): EuiccKey | string {
  const certificate = attempt(() => parseCertificate(euicc));
  if (typeof certificate === "string") return certificate;
  if (certificate.serialNumberAttribute !== eid) return `CERT.EUICC is for EID ${certificate.serialNumberAttribute ?? "(none)"}, expected ${eid}`;
  if (eum === undefined) return certificate;
  return attempt(() => {
    const above = parseCertificate(eum);
    if (!isIssuedBy(certificate, above)) return "CERT.EUICC is not issued by CERT.EUM";
    const trusted = ciCertificates.some((root) => isIssuedBy(above, parseCertificate(root)));
    return trusted ? certificate : "CERT.EUM is not issued by a trusted CI";
  });
}

/** EID in a CERT.EUICC; undefined when it is none. */
export function certificateEid(euicc: Uint8Array): string | undefined {
  const certificate = attempt(() => parseCertificate(euicc));
  return typeof certificate === "string" ? undefined : certificate.serialNumberAttribute;
}

/** Certificates come from peers: what the libraries throw about them is a reason, not a defect of ours. */
function attempt<T>(read: () => T): T | string {
  try {
    return read();
  } catch (cause) {
    return (cause as Error).message;
  }
}

/** As euiccKey, but without work when the device is known by these very certificates. */
export function keyFromCertificates(device: DeviceState, euicc: Uint8Array, eum: Uint8Array): EuiccKey | string {
  const known = device.publicKey !== undefined && device.euiccCertificate !== undefined && device.eumCertificate !== undefined;
  if (known && equal(device.euiccCertificate as Uint8Array, euicc) && equal(device.eumCertificate as Uint8Array, eum)) {
    return { curve: device.curve, publicKey: device.publicKey as Uint8Array };
  }
  return euiccKey(device.eid, euicc, eum, device.ciCertificates);
}
