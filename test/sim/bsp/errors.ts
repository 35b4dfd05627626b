/**
 * Why a Bound Profile Package can't be taken: errorReason of ProfileInstallationResult (SGP.22 v2.5 2.5.6; sgp32-types 10).
 */
import { PeerError } from "../core/errors.js";

/** Values of errorReason. */
export enum ErrorReason {
  IncorrectInputValues = 1,
  InvalidSignature = 2,
  InvalidTransactionId = 3,
  UnsupportedCrtValues = 4,
  UnsupportedRemoteOperationType = 5,
  UnsupportedProfileClass = 6,
  Scp03tStructureError = 7,
  Scp03tSecurityError = 8,
  IccidAlreadyExists = 9,
  InsufficientMemory = 10,
  Interruption = 11,
  PeProcessingError = 12,
  DataMismatch = 13,
  TestProfileInvalidNaaKey = 14,
  PprNotAllowed = 15,
  UnknownError = 127,
}

/** A BPP, or a part of it, that the eUICC refuses: `reason` is what it puts into errorReason. */
export class BppError extends PeerError {
  readonly reason: ErrorReason;
  constructor(reason: ErrorReason, message: string) {
    super("bpp", message, { who: "smdp", section: "SGP.22 v2.5 2.5.4", reason: ErrorReason[reason] });
    this.reason = reason;
  }
}
