/**
 * Why the card itself ends an installation, beyond what the secure channel finds: becomes finalResult A1 of the ProfileInstallationResult.
 */
import { BppError, type ErrorReason } from "../../bsp/index.js";

export class InstallError extends BppError {
  /** EUICCResponse of the profile elements, where they are the reason. */
  readonly simaResponse: Uint8Array | undefined;
  constructor(reason: ErrorReason, why: string, simaResponse?: Uint8Array) {
    super(reason, why);
    this.simaResponse = simaResponse;
  }
}
