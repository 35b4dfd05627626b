/** Cards of commands: a simulated eUICC in this process, which may live longer than the command, or one in a virtual reader. */
import { existsSync, readFileSync } from "node:fs";
import { VpcdReader, type AnyCard } from "../sim/agent/index.js";
import { RealClock } from "../sim/core/clock.js";
import { Eim, EimProtocol } from "../sim/eim/index.js";
import { Euicc, fromJson, toJson } from "../sim/euicc/index.js";
import { defaultProfiles, EIM_FQDN } from "../sim/world-options.js";
import { UsageError, type Io } from "./command.js";
import { keysOf, type KeyOptions } from "./keys.js";
import { writeState } from "./serve.js";

/** A eUICC with a bootstrap and an operational profile that knows the eIM of `tinyipa eim` with the same keys, on HTTPS and CoAPS. */
export function simulatedCard(options: KeyOptions): Euicc {
  const pki = keysOf(options, [EIM_FQDN]);
  const eim = new Eim({ sign: pki.eimSign, tls: pki.eimTls, clock: new RealClock(), fqdn: EIM_FQDN });
  return new Euicc({ pki, profiles: defaultProfiles(), eims: [eim.configurationData({ protocols: [EimProtocol.RetrieveHttps, EimProtocol.RetrieveCoaps] })] });
}

/** Waits for a virtual card (vsmartcard's vpicc) to connect. */
export async function virtualCard(port: number, io: Io): Promise<{ card: AnyCard; close: () => Promise<void> }> {
  const reader = await VpcdReader.listen({ port });
  io.err(`waiting for a virtual card on 127.0.0.1:${reader.port}`);
  await reader.inserted();
  return { card: reader, close: () => reader.close() };
}

/** Puts the card into the state of `file`, where there is one, as it is after power-up. Throws UsageError. */
export function restoreCard(euicc: Euicc, file: string | undefined): void {
  if (file === undefined || !existsSync(file)) return;
  try {
    // The log of an earlier run is not the card's.
    euicc.restore({ ...fromJson(readFileSync(file, "utf8")), observed: euicc.snapshot().observed });
  } catch (cause) {
    throw new UsageError(`expected the state of an eUICC in ${file}, got: ${(cause as Error).message}`);
  }
  euicc.powerCycle();
}

export function keepCard(euicc: Euicc, file: string | undefined): void {
  if (file !== undefined) writeState(file, toJson(euicc.snapshot()));
}
