/**
 * How a download ended, in words (SGP.32 v1.2, ProfileDownloadTriggerResult; types 4.9, 10): from the installation result, or from the error answer that
 * the IPA reports. errorResponse is loosely defined: what can be recognised is named, the rest stays hexadecimal.
 */
import { toHex } from "../core/bytes.js";
import { readAll, readInteger, readOne, TlvError } from "../codec/tlv.js";
import { errorName } from "./download-errors.js";
import type { FunctionName } from "./download-es9p.js";
import { AUTHENTICATE_ERROR, DOWNLOAD_ERROR } from "./names.js";
import type { PendingNotification } from "./notification.js";

/** Outcome of a download: a profile, or why there is none. */
export type DownloadOutcome =
  | {
      /** ICCID. */
      readonly installed: string;
    }
  | {
      /** reason of profileDownloadError; of a PIR, the step that failed. */
      readonly reason: string;
      readonly error?: string;
      /** Reason of the CancelSession that went before, if there was one. */
      readonly cancelled?: string;
    };

export function outcomeOfInstallation({ installation, iccid }: PendingNotification): DownloadOutcome {
  if (installation?.success === true) return { installed: iccid ?? "" };
  return { reason: installation?.bppCommand?.name ?? "unknown", ...(installation?.error && { error: installation.error.name }) };
}

export function outcomeOfError(reason: string, errorResponse: Uint8Array | undefined, cancelled: string | undefined): DownloadOutcome {
  return { reason, ...(errorResponse && { error: errorResponseText(errorResponse) }), ...(cancelled !== undefined && { cancelled }) };
}

type Reader = (alternative: { tag: number; value: Uint8Array }) => string | undefined;

const esipa = (name: FunctionName, errorTag: number): Reader => ({ tag, value }) => (tag === errorTag ? `${name}: ${errorName(name, readInteger(value, { lenient: true }))}` : undefined);

const ofCard = (name: string, names: Readonly<Record<number, string>>): Reader => ({ tag, value }) => {
  if (tag !== 0xa1) return undefined;
  const code = readInteger((readAll(value, { lenient: true }).find((item) => item.tag === 0x02) ?? { value: new Uint8Array(0) }).value, { lenient: true });
  return `${name}: ${names[code] ?? `error ${code}`}`;
};

const READERS: Readonly<Record<number, Reader>> = {
  0xbf39: esipa("initiateAuthentication", 0x81),
  0xbf3b: esipa("authenticateClient", 0x82),
  0xbf3a: esipa("getBoundProfilePackage", 0x81),
  0xbf41: esipa("cancelSession", 0x81),
  0xbf38: ofCard("AuthenticateServer", AUTHENTICATE_ERROR),
  0xbf21: ofCard("PrepareDownload", DOWNLOAD_ERROR),
};

/** "authenticateClient: matchingIdRefused" of an errorResponse. */
export function errorResponseText(errorResponse: Uint8Array): string {
  try {
    const outer = readOne(errorResponse, undefined, { lenient: true });
    const [alternative] = readAll(outer.value, { lenient: true });
    return (alternative && READERS[outer.tag]?.(alternative)) ?? toHex(errorResponse);
  } catch (cause) {
    if (!(cause instanceof TlvError)) throw cause;
    return toHex(errorResponse);
  }
}
