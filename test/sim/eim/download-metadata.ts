/**
 * An eIM's own check of a profile's metadata (SGP.32 v1.2, eimProfileMetadataVerification; SGP.22 v2.5 2.9, 3.1.3, 2.5.4): Profile Policy Rules, and
 * whether the Bound Profile Package stores the metadata that was shown. The RAT is not asked: which PPRs a fleet may have is the eIM's own setting.
 */
import { concat, equal } from "../core/bytes.js";
import { find, readAll, readBits, readOne, TlvError } from "../codec/tlv.js";

const PPR = ["pprUpdateControl", "ppr1", "ppr2"];
const LENIENT = { lenient: true } as const;
const MAC_LENGTH = 8;

/** Why a profile of this metadata (BF25) may not be installed; undefined when it may. `euiccInfo2`: content of BF22, for forbiddenProfilePolicyRules. */
export function pprProblem(metadata: Uint8Array, allowed: readonly number[], euiccInfo2: Uint8Array | undefined): string | undefined {
  try {
    const rules = pprs(readOne(metadata, 0xbf25, LENIENT).value).filter((bit) => bit !== 0);
    const never = euiccInfo2 === undefined ? [] : pprs(euiccInfo2);
    const banned = rules.find((bit) => never.includes(bit));
    if (banned !== undefined) return `${name(banned)} is among the eUICC's forbiddenProfilePolicyRules`;
    const unwanted = rules.find((bit) => !allowed.includes(bit));
    return unwanted === undefined ? undefined : `${name(unwanted)} is not allowed here`;
  } catch (cause) {
    if (!(cause instanceof TlvError)) throw cause;
    return cause.message;
  }
}

/** Bits of PprIds: member 99 of metadata and of EUICCInfo2 alike. */
function pprs(content: Uint8Array): number[] {
  const item = find(readAll(content, LENIENT), 0x99);
  return item === undefined ? [] : readBits(item.value);
}

/** Why a BF36 does not store the metadata (BF25) that AuthenticateClient showed; undefined when it does. */
export function metadataProblem(bpp: Uint8Array, metadata: Uint8Array): string | undefined {
  try {
    const sequence = find(readAll(readOne(bpp, 0xbf36, LENIENT).value, LENIENT), 0xa1);
    if (sequence === undefined) return "sequenceOf88 (A1) is missing";
    // StoreMetadata is not enciphered, only followed by a MAC in each block.
    const stored = concat(...readAll(sequence.value, LENIENT).map((block) => block.value.subarray(0, -MAC_LENGTH)));
    return equal(stored, metadata) ? undefined : "StoreMetadata differs from the metadata that AuthenticateClient showed";
  } catch (cause) {
    if (!(cause instanceof TlvError)) throw cause;
    return cause.message;
  }
}

function name(bit: number): string {
  return PPR[bit] ?? `bit ${bit}`;
}
