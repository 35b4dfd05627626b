/** All families of modems by name. */
import type { Family, FamilyName } from "../family.js";
import { GENERIC } from "./generic.js";
import { NRF91 } from "./nordic.js";
import { BG95 } from "./quectel.js";
import { SIM7080 } from "./simcom.js";
import { SARA_R5 } from "./ublox.js";

const ALL: Readonly<Record<FamilyName, Family>> = { generic: GENERIC, bg95: BG95, "sara-r5": SARA_R5, sim7080: SIM7080, nrf91: NRF91 };

export function familyOf(name: FamilyName): Family {
  if (!Object.hasOwn(ALL, name)) throw new RangeError(`expected one of ${Object.keys(ALL).join(", ")}, got "${name}"`);
  return ALL[name];
}
