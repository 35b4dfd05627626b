/**
 * Is this the SM-DP+ or SM-DS? Here there is no A6: the host has certificates of CIs or CAs, or of the very servers, whatever name these are then
 * called by (SGP.22 v2.5 4.5.2, 6; sgp32-transport 6; roles: sgp32-types 8.9). Under an RSP CI the server needs the role of its kind in certificatePolicies; under any other CA it may
 * have none, but a wrong one is refused. Leaves out: revocation, the OID in subjectAltName (the agent compares CERT.DPauth's).
 */
import { SimError } from "../core/errors.js";
import { parseCertificate, Policy } from "../pki/certificate.js";
import { distrust, type ServerCheck } from "../pki/trust.js";

/** The prefix of all roles of SGP.22: 2.23.146.1.2.1. */
const ROLES = Policy.ci.slice(0, -1);

export interface RspCheck extends Omit<ServerCheck, "anchors"> {
  readonly peer: "SM-DP+" | "SM-DS";
  /** DER. */
  readonly roots: readonly Uint8Array[];
}

/** Why the server is not trusted, in words; undefined when it is. */
export function distrustRsp({ peer, roots, ...check }: RspCheck): string | undefined {
  let first: string | undefined;
  let role: string | undefined;
  for (const der of roots) {
    const reason = distrust({ ...check, anchors: [{ kind: "certificate", der }] });
    first ??= reason;
    if (reason !== undefined) continue;
    const wrong = wrongRole(peer, der, check.chain[0] as Uint8Array);
    if (wrong === undefined) return undefined;
    role ??= wrong;
  }
  return role ?? first ?? `there is no CI or CA by which an ${peer} could be trusted`;
}

function wrongRole(peer: RspCheck["peer"], root: Uint8Array, server: Uint8Array): string | undefined {
  const [name, wanted] = peer === "SM-DP+" ? ["DPtls", Policy.dpTls] : ["DStls", Policy.dsTls];
  const roles = rolesOf(server);
  if (roles.includes(wanted) || (roles.length === 0 && !rolesOf(root).includes(Policy.ci))) return undefined;
  return `the server's certificate has not the role of an ${peer}: ${wanted} (${name}) expected, got ${roles.join(", ") || "none"}`;
}

function rolesOf(der: Uint8Array): string[] {
  try {
    return parseCertificate(der).policies.filter((policy) => policy.startsWith(ROLES));
  } catch (cause) {
    // A key of another kind than SGP.22's: a certificate of the public web, which has no role.
    if (cause instanceof SimError) return [];
    throw cause;
  }
}
