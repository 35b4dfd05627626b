/**
 * What the functions of an SM-DP+ or SM-DS share: who it is, what it remembers, what time it is.
 */
import { equal } from "../core/bytes.js";
import { SimError } from "../core/errors.js";
import { Rng } from "../core/rng.js";
import { parseCertificate, type Certificate } from "../pki/certificate.js";
import { keyPair, type Curve, type KeyPair } from "../pki/keys.js";
import type { Identity } from "../pki/pki.js";
import type { RspState, Session } from "./state.js";

/** One CI, and the certificates that we have under it. */
export interface TrustChain {
  readonly ci: Certificate;
  /** subjectKeyIdentifier of the CI. */
  readonly ciPkId: Uint8Array;
  /** CERT.DPauth or CERT.DSauth. */
  readonly auth: Identity;
  /** CERT.DPpb, of an SM-DP+. */
  readonly pb?: Identity;
  /** registeredID of the authentication certificate, dotted. */
  readonly oid: string;
}

/** Choices that the standards leave to a server. */
export interface Policy {
  /** Lowest svn of an eUICC that is served; the major version must be the same. Default 2.0.0. */
  readonly lowestSvn: string;
  /** Milliseconds that a session lives. Default one hour. */
  readonly sessionMs: number;
  /** Sessions that are remembered; the oldest gives way. Default 1000. */
  readonly sessionLimit: number;
  /** Octets of a transaction id, 1 to 16. Default 16. */
  readonly transactionIdLength: number;
  /** X-Admin-Protocol of the answers. Default gsma/rsp/v2.5.0. */
  readonly adminProtocol: string;
}

export interface RspIdentity {
  readonly role: "smdp" | "smds";
  /** FQDN, with port where there is one. */
  readonly address: string;
  readonly chains: readonly TrustChain[];
  readonly policy: Policy;
}

export interface RspCore<S extends Session = Session> {
  readonly identity: RspIdentity;
  state: RspState<S>;
  /** ms of the server's clock. */
  now(): number;
  /** Calendar time, for validity of certificates; undefined: it is not looked at. */
  date(): Date | undefined;
}

/** What one exchange gathers for the audit log. */
export interface Notes {
  transactionId?: string;
  eid?: string;
  reason: string;
  readonly warnings: string[];
}

export const POLICY: Policy = { lowestSvn: "2.0.0", sessionMs: 3_600_000, sessionLimit: 1000, transactionIdLength: 16, adminProtocol: "gsma/rsp/v2.5.0" };

/** The chain of one CI. Throws SimError "pki" where a certificate lacks what its role needs. */
export function trustChain(ciCertificate: Uint8Array, auth: Identity, pb?: Identity): TrustChain {
  const ci = parseCertificate(ciCertificate);
  const own = parseCertificate(auth.certificate);
  if (ci.subjectKeyId === undefined) throw new SimError("pki", "expected a CI certificate with subjectKeyIdentifier, got one without");
  if (own.registeredId === undefined) throw new SimError("pki", "expected a registeredID in the server's authentication certificate, got none");
  if (own.authorityKeyId === undefined || !equal(own.authorityKeyId, ci.subjectKeyId)) {
    throw new SimError("pki", "expected an authentication certificate issued by the CI, got one of another issuer");
  }
  return { ci, ciPkId: ci.subjectKeyId, auth, ...(pb && { pb }), oid: own.registeredId };
}

/** `length` octets of the server's own chance. */
export function randomBytes(core: RspCore, length: number): Uint8Array {
  const rng = new Rng(0);
  rng.state = [...core.state.rng];
  const out = rng.bytes(length);
  core.state.rng = rng.state;
  return out;
}

/** A one-time key pair. */
export function oneTimeKey(core: RspCore, curve: Curve): KeyPair {
  for (;;) {
    const candidate = randomBytes(core, 32);
    try {
      return keyPair(curve, candidate);
    } catch (cause) {
      // One in 2^32 or less is 0 or not below n: the next one is taken.
      if (!(cause instanceof RangeError)) throw cause;
    }
  }
}

/** Puts a session there, in place of its former record; the oldest one gives way when there are too many. */
export function putSession<S extends Session>(core: RspCore<S>, session: S): void {
  const { sessions } = core.state;
  sessions.set(session.transactionId, session);
  const oldest = sessions.size > core.identity.policy.sessionLimit ? sessions.keys().next().value : undefined;
  if (oldest !== undefined) sessions.delete(oldest);
}
