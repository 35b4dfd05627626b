/** The device around the card, in virtual time. */
export { Modem, type ModemOptions, type ModemState } from "./modem.js";
