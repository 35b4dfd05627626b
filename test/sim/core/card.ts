/**
 * A card as its reader sees it: ETSI TS 102 221 command and response APDUs, and power.
 * Whatever talks to an eUICC (modem, reader, vpcd door) knows it by this interface only.
 */
export interface Card {
  /** Resets the card, with or without power before: volatile state is gone. Returns the ATR. */
  powerCycle(): Uint8Array;
  /**
   * Exchanges one APDU. command: 4 to 261 octets, CLA INS P1 P2 [P3 [data [Le]]].
   * Returns response data with SW1 SW2 behind them; no octets at all when the card does not answer.
   */
  transmit(command: Uint8Array): Uint8Array;
}
