/**
 * What an SM-DP+ remembers: download orders, sessions, notifications. Plain data; records are replaced, never changed in place.
 */
import type { SessionKeys } from "../bsp/index.js";
import type { Curve } from "../pki/keys.js";
import type { RspState, Session } from "../rsp/index.js";
import type { NotificationEvent } from "./metadata.js";

/**
 * State of a download order (SGP.22 v2.5 3.1.1, Annex on profile lifecycle at the SM-DP+).
 * "allocated": not released yet. "downloaded": a BPP was given, its result is not known. "error": it can't be downloaded any more.
 */
export type OrderState = "allocated" | "released" | "downloaded" | "installed" | "error" | "cancelled" | "expired";

/** How the BPPs of an order differ from the usual. */
export interface BppOptions {
  /** Octets of plaintext in one 86 block (default 1007). */
  readonly segment?: number;
  /** Number of 87 blocks in A0 (default 1). */
  readonly configureIsdpBlocks?: number;
  /** ConfigureISDP, BF24 (default BF24 00). */
  readonly configureIsdp?: Uint8Array;
  /** StoreMetadata in the BPP, where it is to differ from that of AuthenticateClient. */
  readonly metadata?: Uint8Array;
  readonly hostId?: Uint8Array;
}

/** What an order is bound to: the eUICC, and the one-time keys of both sides. */
export interface Bound {
  readonly eid: string;
  readonly curve: Curve;
  /** Of CERT.EUICC. */
  readonly publicKey: Uint8Array;
  readonly euiccOtpk: Uint8Array;
  /** otSK.DP: 32 octets. */
  readonly smdpOtsk: Uint8Array;
}

export interface Order {
  /** From 1. */
  readonly id: number;
  readonly state: OrderState;
  /** Empty: for the default SM-DP+, found by the EID. */
  readonly matchingId: string;
  readonly eid?: string;
  readonly iccid: string;
  readonly profile: Uint8Array;
  /** BF25. */
  readonly metadata: Uint8Array;
  readonly confirmationCode?: string;
  /** Profile protection keys: the BPP has ReplaceSessionKeys. */
  readonly ppk?: SessionKeys;
  readonly bpp: BppOptions;
  /** A BPP may be made again for another one-time key of the same eUICC. */
  readonly rebinding: boolean;
  /** Octets of non-volatile memory that the profile takes on the eUICC. */
  readonly memory: number;
  /** TACs, 8 digits, of the devices that may have it. */
  readonly tacs?: readonly string[];
  /** Version of the profile package, "2.3.1", that the eUICC must take. */
  readonly profileVersion?: string;
  /** ms of the server's clock. */
  readonly expiresAt?: number;
  /** Attempts after the first one. */
  readonly maxRetries: number;
  readonly attempts: number;
  readonly maxCodeRetries: number;
  /** Wrong confirmation codes so far. */
  readonly codeFailures: number;
  readonly bound?: Bound;
  /** Transaction ids in which a BPP was given. */
  readonly transactions: readonly string[];
  /** Why it is where it is: "cancelSession pprNotAllowed". */
  readonly reason?: string;
}

/** What a ProfileInstallationResult says. */
export interface InstallationResult {
  readonly success: boolean;
  readonly isdpAid?: string;
  /** Name and number: "loadProfileElements 5". */
  readonly bppCommand?: string;
  /** Name and number: "insufficientMemory 10". */
  readonly error?: string;
}

/** One verified notification. */
export interface NotificationRecord {
  readonly time: number;
  readonly eid: string;
  readonly seqNumber: number;
  readonly event: NotificationEvent;
  readonly iccid?: string;
  /** Order that it is of; absent for a profile that did not come from here. */
  readonly order?: number;
  readonly installation?: InstallationResult;
  /** Of a ProfileInstallationResult. */
  readonly transactionId?: string;
  /** How often it came again. */
  readonly resent: number;
  /** BF37 or 30, as received. */
  readonly der: Uint8Array;
}

export interface DownloadSession extends Session {
  /** Id of the order, once authenticated. */
  readonly order?: number;
  /** 5F37 TLV: a part of what euiccSignature2 signs. */
  readonly smdpSignature2?: Uint8Array;
  /** BF21 that was answered with a BPP: a repeated request gets it again. */
  readonly answered?: Uint8Array;
}

export interface SmdpState extends RspState<DownloadSession> {
  nextOrder: number;
  /** By id. */
  orders: Map<number, Order>;
  /** In order of arrival, each once. */
  notifications: readonly NotificationRecord[];
}
