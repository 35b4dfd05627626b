/**
 * What the ESipa functions of an eIM share: who it is, what it remembers, what it was told to be strict about.
 */
import { toHex } from "../core/bytes.js";
import type { KeyPair } from "../pki/keys.js";
import type { Tlv } from "../codec/tlv.js";
import type { ConfigurationSource } from "./configuration.js";
import type { Es9p, Es9pBinding, Es9pExchange } from "./download-es9p.js";
import { eidDigits, eidIsValid } from "./identifiers.js";
import { FunctionError } from "./refusal.js";
import type { DeviceState, EimState } from "./state.js";

/** Choices that the standard leaves to an eIM. */
export interface Policy {
  /** ProvideEimPackageResult without EID: find the device by the result (types 3.2: an eIM should cope), or answer missingEid. */
  readonly missingEid: "match" | "refuse";
  /** A result of a device whose key is not known: take it with a warning, or refuse it. */
  readonly unverifiable: "accept" | "refuse";
  /** X-Admin-Protocol of the answers. */
  readonly adminProtocol: string;
}

export interface Identity extends ConfigurationSource {
  readonly signKey: KeyPair;
  readonly policy: Policy;
  /** The way to SM-DP+ and SM-DS; absent: this eIM relays nothing. */
  readonly es9p?: { readonly door: Es9p; readonly binding: Es9pBinding };
}

export interface Core {
  readonly identity: Identity;
  state: EimState;
  /** "EID receiver" of notifications that are just on their way; not state: nothing is on its way in a snapshot. */
  readonly delivering: Set<string>;
  /** ms of the eIM's clock. */
  now(): number;
}

/** What one exchange gathers for the audit log. */
export interface Notes {
  eid?: string;
  reason: string;
  readonly warnings: string[];
  readonly es9p: Es9pExchange[];
  /** Milliseconds that servers took. */
  delayMs: number;
}

/** Notes of an exchange that has just begun. */
export function newNotes(): Notes {
  return { reason: "", warnings: [], es9p: [], delayMs: 0 };
}

/** The registered device of an EID data object. Throws FunctionError missingEid, invalidEid or eidNotFound. */
export function identify(core: Core, eid: Tlv | undefined, notes: Notes): DeviceState {
  const section = "SGP.32 v1.2 5.14";
  if (eid === undefined) throw new FunctionError(4, "missingEid: eidValue (5A) expected, none came", section);
  const digits = eidDigits(eid.value);
  if (digits === undefined) throw new FunctionError(3, `invalidEid: 16 octets of BCD expected, got ${toHex(eid.value) || "nothing"}`, section);
  const device = core.state.devices.get(digits);
  if (device !== undefined) {
    notes.eid = digits;
    return device;
  }
  if (!eidIsValid(digits)) throw new FunctionError(3, `invalidEid: check digits of ${digits} don't hold`, section);
  throw new FunctionError(2, `eidNotFound: ${digits} is not registered here`, section);
}
