/**
 * What the card remembers of a profile download: the RSP session from its challenge on, and a Bound Profile Package while it comes in
 * (SGP.22 v2.5 2.5, 3.0.1, 3.1.3; SGP.32 v1.2 3.2). Steps of a session are frozen and replaced as a whole, so that copies share them.
 */
import type { SecureChannel } from "../../bsp/index.js";
import type { KeyPair } from "../../pki/keys.js";
import type { ProfileMetadata } from "../state.js";

/** bppCommandId: the part of the package that was at work. */
export enum BppCommand {
  InitialiseSecureChannel = 0,
  ConfigureIsdp = 1,
  StoreMetadata = 2,
  StoreMetadata2 = 3,
  ReplaceSessionKeys = 4,
  LoadProfileElements = 5,
}

/** What AuthenticateServer left. */
export interface ServerContext {
  readonly transactionId: Uint8Array;
  /** serverAddress of serverSigned1. */
  readonly address: string;
  /** registeredID of the server's certificate, dotted. */
  readonly oid: string;
  readonly role: "dp" | "ds";
  /** The CI under which the card signs in this session. */
  readonly ciPkId: Uint8Array;
  /** The CI that vouched for the server. */
  readonly serverCiPkId: Uint8Array;
  readonly euiccSignature1: Uint8Array;
}

/** A one-time key pair of the card, kept until a package is bound to it (SGP.22 v2.5 2.6.6, bppEuiccOtpk). */
export interface OneTimeKey extends Readonly<KeyPair> {
  /** The SM-DP+ it was made for, dotted. */
  readonly smdpOid: string;
}

/** What PrepareDownload left. */
export interface Prepared {
  readonly key: OneTimeKey;
  /** Public key of CERT.DPpb, on the curve of `key`. */
  readonly dpPbKey: Uint8Array;
}

export interface Session {
  readonly challenge: Uint8Array;
  readonly server: ServerContext | null;
  readonly prepared: Prepared | null;
}

/** Which segment comes next, by its tag. */
export type Stage = "BF36" | "A0" | "A1" | "88" | "A2/A3" | "A3" | "86";

/** Where the loading stands inside the profile elements. */
export interface ElementWalk {
  /** Octets of the current element that are yet to come. */
  left: number;
  /** An identifier and length that came in part. */
  carry: Uint8Array;
  count: number;
  /** The end element has begun. */
  ended: boolean;
}

/** A Bound Profile Package that is coming in. */
export interface Loading {
  stage: Stage;
  /** On which the first segment came. */
  logicalChannel: number;
  /** Segments that came before. */
  segments: number;
  /** Octets of BF36, and of the current list A1 or A3, that are yet to come. */
  left: number;
  listLeft: number;
  channel: SecureChannel | null;
  /** Plain StoreMetadata so far. */
  metadataParts: Uint8Array[];
  /** dpProprietaryData of ConfigureISDP. */
  dpOid: Uint8Array | null;
  metadata: Omit<ProfileMetadata, "aid"> | null;
  /** The unprotected Profile Package in the pieces in which it came; they are never copied or changed. */
  chunks: Uint8Array[];
  size: number;
  walk: ElementWalk;
}

/** Loading before the first segment. */
export function newLoading(empty: Uint8Array, logicalChannel: number): Loading {
  return {
    stage: "BF36",
    logicalChannel,
    segments: 0,
    left: 0,
    listLeft: 0,
    channel: null,
    metadataParts: [],
    dpOid: null,
    metadata: null,
    chunks: [],
    size: 0,
    walk: { left: 0, carry: empty, count: 0, ended: false },
  };
}
