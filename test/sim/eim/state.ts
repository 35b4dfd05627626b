/**
 * All that an eIM remembers, as one plain object (no classes, no functions), and its copy.
 * Records in the lists are never changed in place: a change puts a new record there. So a snapshot copies lists and maps, shares
 * records and octets, and costs microseconds; power-cut tests take thousands.
 */
import { fromHex, toHex } from "../core/bytes.js";
import type { Curve } from "../pki/keys.js";
import type { DownloadHandling } from "./download-data.js";
import type { Es9pExchange } from "./download-es9p.js";
import type { DownloadOutcome } from "./download-outcome.js";
import type { DownloadSession } from "./download-session.js";
import type { DownloadTrigger, PackageKind } from "./packages.js";
import type { CommandResult, Coded } from "./euicc-result.js";
import type { IpaEuiccData } from "./euicc-data.js";
import type { InstallationResult } from "./notification.js";

/** A package in a device's queue or behind it. */
export interface PackageRecord {
  /** Number of the package at this eIM, from 1. */
  readonly id: number;
  readonly kind: PackageKind;
  /** The package as sent: BF51, BF52, BF54, or raw octets. */
  readonly der: Uint8Array;
  /** Hexadecimal, upper case; absent when the package carries none. */
  readonly transactionId?: string;
  /** counterValue of an eUICC Package. */
  readonly counter?: number;
  /** Names of the commands in order, as far as they are known. */
  readonly commands: readonly string[];
  /** Tags asked for in an IpaEuiccDataRequest. */
  readonly tags?: readonly number[];
  /** What a ProfileDownloadTriggerRequest says, and how this eIM takes part; after an SM-DS, what its event says. */
  readonly trigger?: DownloadTrigger;
  readonly handling?: DownloadHandling;
  /** It grants a rollback: enable with rollbackFlag. */
  readonly rollback: boolean;
  /** Not given again, whether a result came or not. */
  readonly giveOnce: boolean;
  /** How often GetEimPackage gave it. */
  readonly given: number;
  /** A result (or an error result) was accepted, or it was given and is not to be given again. */
  readonly state: "queued" | "done";
}

export type ResultKind =
  | "euiccPackageResult"
  | "euiccPackageErrorSigned"
  | "euiccPackageErrorUnsigned"
  | "ipaEuiccData"
  | "ipaEuiccDataError"
  | "profileDownloadTriggerResult"
  | "eimPackageResultResponseError";

/** One accepted result. */
export interface ResultRecord {
  readonly kind: ResultKind;
  /** ms of the eIM's clock when it first came. */
  readonly time: number;
  /** Absent when it fits no package of this eIM (an error for a package that a behaviour made up). */
  readonly packageId?: number;
  readonly transactionId?: string;
  readonly counter?: number;
  readonly seqNumber?: number;
  /** The signature was verified with the eUICC's key. */
  readonly verified: boolean;
  /** The result of a ProfileRollback: it stands for an earlier result of the same package. */
  readonly rollback: boolean;
  /** Another result came to stand for this one (ProfileRollback). */
  readonly replaced: boolean;
  /** How often the same result came again. */
  readonly resent: number;
  /** By command, in order. */
  readonly commands?: readonly CommandResult[];
  /** Of the three error kinds, and a trigger's reason. */
  readonly error?: Coded;
  readonly data?: IpaEuiccData;
  readonly installation?: InstallationResult;
  /** Of a profileDownloadTriggerResult: how the download ended. */
  readonly download?: DownloadOutcome;
  /** As received: BF51, BF52, BF54, A0, or BF37 where a PIR alone closed a download. */
  readonly der: Uint8Array;
}

/** One verified (or, without a known certificate, taken) notification, to be relayed to its receiver. */
export interface NotificationRecord {
  readonly time: number;
  readonly seqNumber: number;
  readonly event: "install" | "enable" | "disable" | "delete";
  /** notificationAddress: the SM-DP+ that it is for. */
  readonly receiver: string;
  readonly iccid?: string;
  readonly verified: boolean;
  /** Came in its compact form. */
  readonly compact: boolean;
  /** Its number is higher than that of every earlier one for this receiver. */
  readonly inOrder: boolean;
  readonly resent: number;
  readonly installation?: InstallationResult;
  /** PendingNotification in full form (BF37 or 30), as it goes to the SM-DP+. */
  readonly relayed: Uint8Array;
  /** Its receiver has confirmed it; until then it is in the outbox. */
  readonly delivered: boolean;
  /** Its receiver answered that it won't take it. */
  readonly rejected: boolean;
  /** How often it was sent to its receiver. */
  readonly attempts: number;
  readonly lastFailure?: string;
  /** Signed part and signature: what makes two of them the same. */
  readonly identity: string;
}

/** What GetEimPackage told last. */
export interface StateChange {
  readonly time: number;
  readonly cause: number;
  readonly causeName: string;
}

export interface DeviceState {
  readonly eid: string;
  readonly curve: Curve;
  readonly ciCertificates: readonly Uint8Array[];
  euiccCertificate?: Uint8Array;
  eumCertificate?: Uint8Array;
  /** 65 octets of the eUICC's key, once known. */
  publicKey?: Uint8Array;
  /** Of this eIM's association at the eUICC; absent: none stored, signatures end with 84 01 00. */
  associationToken?: number;
  /** counterValue of the newest eUICC Package. */
  counter: number;
  packages: readonly PackageRecord[];
  results: readonly ResultRecord[];
  notifications: readonly NotificationRecord[];
  /** notifyStateChange received, in order. */
  stateChanges: readonly StateChange[];
  /** "262-01". */
  rPlmn?: string;
  /** Last IpaEuiccData, members of several answers put together. */
  data: IpaEuiccData;
  /** The newest download session that passed through this eIM. */
  download?: DownloadSession;
  /** The package that was given last, for behaviours that give it again. */
  lastGiven?: Uint8Array;
}

/** One exchange, as it was on the wire and as the eIM judged it. */
export interface AuditEntry {
  readonly time: number;
  /** EID, when the exchange was matched to a device. */
  readonly eid?: string;
  /** "GetEimPackage"; "none" when it did not come so far. */
  readonly function: string;
  /** Hexadecimal of the body. */
  readonly request: string;
  /** HTTP status; 0 when nothing was answered. */
  readonly status: number;
  readonly response: string;
  /** "refused": the peer broke a rule, `reason` says which; "behaviour": a behaviour answered or changed the answer. */
  readonly verdict: "ok" | "refused" | "behaviour";
  readonly reason: string;
  /** Allowed, but not as a good peer does it. */
  readonly warnings: readonly string[];
  /** Names of the behaviours that took part, newest first. */
  readonly behaviours: readonly string[];
  /** Exchanges with SM-DP+ and SM-DS that this one led to; absent when there were none. */
  readonly es9p?: readonly Es9pExchange[];
}

export interface EimState {
  /** Words of the eIM's own Rng. */
  rng: [number, number, number, number];
  nextPackage: number;
  /** By EID. */
  devices: Map<string, DeviceState>;
  /** Append-only; entries never change. */
  audit: AuditEntry[];
  /** Ids of the behaviours in use, newest last. */
  behaviours: readonly number[];
  /** Counters of behaviours: "id/name". */
  readonly counters: Map<string, number>;
}

/** A copy that later changes of `state` don't reach. */
export function copyState(state: EimState): EimState {
  return { ...state, rng: [...state.rng], devices: copyDevices(state.devices), audit: state.audit.slice(), counters: new Map(state.counters) };
}

/** The same for the devices alone. */
export function copyDevices(devices: EimState["devices"]): EimState["devices"] {
  const copy = new Map<string, DeviceState>();
  for (const [eid, device] of devices) copy.set(eid, { ...device });
  return copy;
}

/** State as JSON text: octets as {"$hex"}, maps as {"$map"}. */
export function stateToJson(state: EimState): string {
  return JSON.stringify(state, (_key, value: unknown) => {
    if (value instanceof Uint8Array) return { $hex: toHex(value) };
    if (value instanceof Map) return { $map: [...value] };
    return value;
  });
}

/** Inverse of stateToJson. Throws SyntaxError when the text is not JSON. */
export function stateFromJson(text: string): EimState {
  return JSON.parse(text, (_key, value: unknown) => {
    if (typeof value !== "object" || value === null) return value;
    if ("$hex" in value) return fromHex(value.$hex as string);
    if ("$map" in value) return new Map(value.$map as [unknown, unknown][]);
    return value;
  }) as EimState;
}
