/**
 * ESipa.HandleNotification BF3D (SGP.32 v1.2 5.14.7): a PendingNotification under A0, or a ProvideEimPackageResult that expects no acknowledgements.
 * No body answers it; what is refused is a bad request, so that the IPA keeps it.
 */
import type { Tlv } from "../../codec/tlv.js";
import type { Core, Notes } from "../core.js";
import { BadRequest, FunctionError, parts, tagText } from "../refusal.js";
import { takeNotification } from "./notifications.js";
import { takeResult } from "./provide-eim-package-result.js";

const SECTION = "SGP.32 v1.2 5.14.7";

export function handleNotification(core: Core, message: Tlv, notes: Notes): undefined {
  const alternatives = parts(message.value, "HandleNotification", true);
  const [chosen] = alternatives;
  if (chosen === undefined || alternatives.length !== 1) throw new BadRequest(`HandleNotification: expected one of A0 and BF50, got ${list(alternatives)}`, SECTION);
  if (chosen.tag === 0xbf50) return takeWithoutAnswer(core, chosen, notes);
  if (chosen.tag !== 0xa0) throw new BadRequest(`HandleNotification: expected A0 or BF50, got ${tagText(chosen.tag)}`, SECTION);
  const inside = parts(chosen.value, "pendingNotification", true);
  const [notification] = inside;
  if (notification === undefined || inside.length !== 1) throw new BadRequest(`pendingNotification: expected one PendingNotification, got ${list(inside)}`, SECTION);
  const seqNumber = takeNotification(core, undefined, notification, notes);
  notes.reason = `notification ${seqNumber}`;
}

function takeWithoutAnswer(core: Core, bf50: Tlv, notes: Notes): undefined {
  try {
    takeResult(core, bf50, notes);
  } catch (cause) {
    if (!(cause instanceof FunctionError)) throw cause;
    throw new BadRequest(cause.message, SECTION);
  }
}

function list(items: readonly Tlv[]): string {
  return items.map((item) => tagText(item.tag)).join(" ") || "nothing";
}
