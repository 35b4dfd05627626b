/**
 * ESipa.GetEimPackage BF4F (SGP.32 v1.2 5.14.5, 3.1.1.1; procedures 3 and 22).
 * stateChangeCause is there exactly when notifyStateChange is; rPLMN is coded as in TS 24.008. The v1.0 form (rPLMN in 81) is refused.
 */
import { toHex } from "../../core/bytes.js";
import { integer, readInteger, tlv, type Tlv } from "../../codec/tlv.js";
import { identify, type Core, type Notes } from "../core.js";
import { plmnText } from "../identifiers.js";
import { STATE_CHANGE_CAUSE } from "../names.js";
import { give } from "../queue.js";
import { FunctionError, members, UNDEFINED_ERROR, type Members } from "../refusal.js";
import type { StateChange } from "../state.js";

const SECTION = "SGP.32 v1.2 5.14.5";

export function getEimPackage(core: Core, message: Tlv, notes: Notes): Uint8Array {
  const found = members(message.value, "GetEimPackageRequest", [0x5a, 0x80, 0x81, 0x82], notes.warnings);
  const device = identify(core, found.get(0x5a), notes);
  const change = readStateChange(core, found, notes);
  const rPlmn = readPlmn(found);
  if (change !== undefined) device.stateChanges = [...device.stateChanges, change];
  if (rPlmn !== undefined) device.rPlmn = rPlmn;
  const record = give(device);
  if (record === undefined) {
    notes.reason = "noEimPackageAvailable";
    return eimPackageError(1);
  }
  notes.reason = `gives package ${record.id} (${record.commands.join(", ") || record.kind})${record.given > 1 ? `, for the ${record.given}th time` : ""}`;
  return tlv(0xbf4f, record.der);
}

/** BF4F with eimPackageError. */
export function eimPackageError(code: number): Uint8Array {
  return tlv(0xbf4f, tlv(0x02, integer(code)));
}

function readStateChange(core: Core, found: Members, notes: Notes): StateChange | undefined {
  const notify = found.get(0x80);
  const cause = found.get(0x81);
  if (notify === undefined && cause === undefined) return undefined;
  if (notify === undefined) {
    const old = cause?.value.length === 3 ? " (the v1.0 form of rPLMN is not taken)" : "";
    throw new FunctionError(UNDEFINED_ERROR, `stateChangeCause (81) came without notifyStateChange (80)${old}`, SECTION);
  }
  if (notify.value.length !== 0) throw new FunctionError(UNDEFINED_ERROR, `notifyStateChange is NULL: 80 00 expected, got ${toHex(notify.raw)}`, SECTION);
  if (cause === undefined) throw new FunctionError(UNDEFINED_ERROR, "notifyStateChange (80) came without stateChangeCause (81)", SECTION);
  const code = readInteger(cause.value);
  const causeName = STATE_CHANGE_CAUSE[code];
  if (causeName === undefined) throw new FunctionError(UNDEFINED_ERROR, `stateChangeCause ${code} is not one of 0 to 6 or 127`, SECTION);
  if (code === 6) notes.warnings.push("stateChangeCause deviceChange is for an IPAe");
  if (code === 3) notes.warnings.push("stateChangeCause local is reserved for future use");
  return { time: core.now(), cause: code, causeName };
}

function readPlmn(found: Members): string | undefined {
  const item = found.get(0x82);
  if (item === undefined) return undefined;
  const text = plmnText(item.value);
  if (text === undefined) throw new FunctionError(UNDEFINED_ERROR, `rPLMN: 3 octets as in TS 24.008 expected, got ${toHex(item.value) || "nothing"}`, SECTION);
  return text;
}
